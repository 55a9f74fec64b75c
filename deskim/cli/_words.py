"""What the command line says in the user's own language."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias

from attrs import frozen

from deskim.errors import ConnectionFailedError, Delivery, DeskError, lookup

Language: TypeAlias = Literal["en", "zh"]


def language(environ: Mapping[str, str] = os.environ) -> Language:
    """Return the language of the locale: Chinese, or English for every other."""
    chosen = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return "zh" if chosen.lower().startswith("zh") else "en"


@frozen
class Words:
    """Hold the sentences of one language."""

    failed: str
    delivery: str
    deliveries: Mapping[Delivery, str]
    attempts: str
    repeat: str
    wait: str
    interrupted: str
    usage: str
    desk_says: str
    no_connection: str
    reach: str


WORDS: Mapping[Language, Words] = {
    "en": Words(
        failed="error: ",
        delivery="delivery: ",
        deliveries={
            Delivery.SENT: "sent: Desk accepted it",
            Delivery.REJECTED: "rejected: Desk answered that it did not take it",
            Delivery.NOT_SENT: "not sent: no byte of it left this machine",
            Delivery.UNKNOWN: "unknown: it left, and no answer proves what became of it",
        },
        attempts="{} attempts",
        repeat="advice: it may have arrived; sent again with --msg-random {} within 100 s, it does not arrive twice",
        wait="advice: the same call may succeed in {:g} s",
        interrupted="interrupted",
        usage="see {} --help",
        desk_says=" Desk says: ",
        no_connection="no connection to {}",
        reach="advice: see that the host is right and can be reached from here; `deskim doctor` looks closer",
    ),
    "zh": Words(
        failed="错误：",
        delivery="投递状态：",
        deliveries={
            Delivery.SENT: "已发送：Desk 已接收",
            Delivery.REJECTED: "已拒绝：Desk 明确表示未接收",
            Delivery.NOT_SENT: "未发送：没有任何字节离开本机",
            Delivery.UNKNOWN: "未知：已发出，但没有应答能证明结果",
        },
        attempts="共尝试 {} 次",
        repeat="建议：消息可能已送达；在 100 秒内用 --msg-random {} 重发，不会重复送达",
        wait="建议：{:g} 秒后可重试同一调用",
        interrupted="已中断",
        usage="参见 {} --help",
        desk_says=" Desk 返回：",
        no_connection="无法连接 {}",
        reach="建议：检查主机名是否正确、本机能否访问；`deskim doctor` 可进一步诊断",
    ),
}


# Where the errors name an argument of Python, a shell has a variable or an option
_ARGUMENT = re.compile(
    r"\b(?:(sdk_app_id|secret_key|base_url|customer_service_account)\b=?|(usersig|identifier|region)(?:=| must))"
)
_OPTION = re.compile(r"^(concurrency|max_outage|stop_after_failures|deadline|timeout) must\b")
_SENDER = ("give from_account=, or customer_service_account= to the client", "give --from, or customer_service_account")


def for_shell(text: str, given: Collection[str] = ()) -> str:
    """Return advice with options and variables of the environment in place of the arguments of Python.

    ``given`` names the settings that were options of the command line.
    """

    def named(found: re.Match[str]) -> str:
        name, rest = found[1] or found[2], " must" if found[0].endswith(" must") else ""
        return (f"--{name.replace('_', '-')}" if name in given else f"DESKIM_{name.upper()}") + rest

    text = _OPTION.sub(lambda found: f"--{found[1].replace('_', '-')} must", text.replace(*_SENDER))
    return _ARGUMENT.sub(named, text)


_CONNECT = re.compile(r"no connection to (.*), nothing was sent; check .*", re.DOTALL)


def describe(error: DeskError, tongue: Language) -> str:
    """Return what went wrong and how to mend it; what has no Chinese text stays English."""
    row = None if error.code is None else lookup(error.code)
    if place := _CONNECT.fullmatch(Exception.__str__(error)):
        return WORDS[tongue].no_connection.format(place[1])
    if tongue == "en" or row is None:
        return for_shell(Exception.__str__(error))
    text = for_shell(f"Desk 返回错误码 {row.code}：{row.meaning_zh}。{row.advice_zh}")
    return f"{text}{WORDS[tongue].desk_says}{error.info}" if error.info else text


def known(error: DeskError, tongue: Language) -> str:
    """Return what is known of the message, and how often it was tried."""
    words = WORDS[tongue]
    tried = words.attempts.format(error.attempts) if error.attempts > 1 else ""
    return words.delivery + "; ".join(filter(None, (words.deliveries[error.delivery], tried)))


def advice(error: DeskError, tongue: Language) -> str:
    """Return what else to do, where there is something."""
    words = WORDS[tongue]
    if error.delivery is Delivery.UNKNOWN and error.msg_random is not None:
        return words.repeat.format(error.msg_random)
    if isinstance(error, ConnectionFailedError):
        return words.reach
    return "" if error.retry_after is None else words.wait.format(error.retry_after)
