"""Calls to request bytes, reply bytes to values or errors: no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast
from urllib.parse import quote

from attrs import define, frozen

from deskim import errors
from deskim._codec import (
    NO_CHARACTER,
    dump_value,
    dumps,
    dumps_plain,
    dumps_text,
    encode_body,
    load_value,
    loads_reply,
)
from deskim._messages import Message, wire_fields
from deskim._usersig import Secret
from deskim.commands import Command, RawCommand, RawReply
from deskim.errors import Delivery, DeskError, MessageError, MessageTooLargeError, RetryKind

R = TypeVar("R")

MAX_BODY = 12 * 1024
"""The most that a MsgBody may have, in bytes of compact UTF-8 JSON (93000, 1229/68821)."""
_MOST_WITHIN = MAX_BODY - len("[]")
SEND_MSG = "/v4/desk_http_svc/send_msg"

_NO_SENDER = (
    "a message to a user has a customer service account as its sender: "
    "give from_account=, or customer_service_account= to the client"
)
_OK, _REQUEST_TIMEOUT, _TOO_MANY = 200, 408, 429
_HEAD = 200
_MAX_INFO = 1000
_MAX_CODE = 2**31
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_ENVELOPE = frozenset({"ActionStatus", "ErrorInfo", "ErrorCode"})


@frozen
class Identity:
    """Say which application calls, as which administrator."""

    sdk_app_id: int
    identifier: str


class Signature:
    """Hold what one UserSig is needed for: request targets, and the masking of what a server echoes."""

    def __init__(self, identity: Identity, usersig: Secret) -> None:
        self.usersig = usersig
        self._identity = identity
        self._targets: dict[str, Target] = {}
        self._pieces = Secret(_pieces(usersig))
        self._harmless = b""

    def target(self, path: str) -> Target:
        """Return the request target of a path, made once."""
        if path not in self._targets:
            self._targets[path] = Target(path, self._identity, self.usersig)
        return self._targets[path]

    def clean(self, content: bytes) -> bytes:
        """Return a reply's body with the signature masked, should the server have echoed it."""
        if content == self._harmless:  # Desk's success is the same bytes time and again (1229/68821)
            return content
        if not self._suspicious(content):
            self._harmless = content
            return content
        text = _ESCAPED.sub(_unescaped, content.decode("utf-8", "surrogateescape"))
        return self.mask(text).encode("utf-8", "surrogateescape")

    def _suspicious(self, content: bytes) -> bool:
        """Tell whether there may be something to mask; nearly every reply is cleared here, at little cost."""
        if b"\\u00" in content:
            return True
        runs = [run for run in content.translate(_BLANK_BETWEEN_RUNS).split() if len(run) >= _PIECE]
        if not runs:
            return False
        whole: str = self.usersig.reveal()
        return b"usersig" in content.lower() or whole.encode() in content or any(map(self._echoes, runs))

    def mask(self, text: str) -> str:
        """Return the text with the signature masked, also where it is quoted or cut short at either end."""
        whole: str = self.usersig.reveal()
        return _RUN.sub(self._masked, mask_urls(text.replace(whole, "***")))

    def _masked(self, run: re.Match[str]) -> str:
        return "***" if self._echoes(run[0].encode()) else run[0]

    def _echoes(self, run: bytes) -> bool:
        pieces: set[bytes] = self._pieces.reveal()
        starts = range(0, len(run) - _PIECE + 1, _PIECE // 2)
        return not pieces.isdisjoint([run[i : i + _PIECE] for i in starts])


_IN_QUERY = re.compile(r"(usersig(?:=|%3D|\\?[\"']\s*:\s*\\?[\"']))[^&\s\"'<>\\]+", re.IGNORECASE)
_PIECE = 16
#: What a UserSig, quoted or not, is made of; shorter runs of it give nothing away.
_RUN = re.compile(rf"[0-9A-Za-z_*%.-]{{{_PIECE},}}")
_BLANK_BETWEEN_RUNS = bytes(n if re.match(r"[0-9A-Za-z_*%.-]", chr(n)) else 0x20 for n in range(256))
#: JSON may escape any character; these need no escape.
_ESCAPED = re.compile(r"\\u00(2[aAdDeE5]|3\d|[46][1-9a-fA-F]|[57][0-9aA]|5[fF])")


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16))


def mask_urls(text: str) -> str:
    """Return the text with the value of every ``usersig`` parameter masked."""
    return _IN_QUERY.sub(r"\1***", text)


def _pieces(usersig: Secret) -> set[bytes]:
    forms = {usersig.reveal().encode(), quote(usersig.reveal(), safe="").encode()}
    return {form[i : i + _PIECE] for form in forms for i in range(max(1, len(form) - _PIECE + 1))}


class Target:
    """Hold the request target of one path and one UserSig, ready but for its ``random``; shows no signature."""

    __slots__ = ("_head", "path")

    def __init__(self, path: str, identity: Identity, usersig: Secret) -> None:
        self.path = path
        query = f"sdkappid={identity.sdk_app_id}&identifier={quote(identity.identifier, safe='')}"
        # A UserSig holds URL-safe characters alone (TLSSigAPIv2); what a provider gives is quoted all the same
        self._head = Secret(f"{path}?{query}&usersig={quote(usersig.reveal(), safe='*-_')}&random=".encode())

    def with_random(self, number: int) -> bytes:
        """Return the target with its random number, 0…2**32-1, in the order of the page (1229/68821)."""
        target: bytes = b"%b%d&contenttype=json" % (self._head.reveal(), number)
        return target

    def __repr__(self) -> str:
        return f"Target({self.path!r})"


@define
class Reply:
    """Hold what came back: the status, the headers by lower-case name, the body with no signature in it."""

    status: int
    _headers: Mapping[str, str] | Callable[[], Mapping[str, str]]
    content: bytes

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers, read when they are asked for: a success has no use for them."""
        return self._headers() if callable(self._headers) else self._headers


def encode_message(message: Message, service_account: str | None) -> bytes:
    """Return the body of a send_msg call; raises ``MessageError`` for what Desk would refuse (1229/68821)."""
    try:
        body = encode_body(message.elements)
        if len(body) > _MOST_WITHIN:
            raise _too_large(len(body) + len("[]"))
        if message.session_id is not None:
            to, whom = b'"SessionId":', message.session_id
        else:
            to, whom = _from(message, service_account), cast("str", message.to_account)
        plain = message.cloud_custom_data is None and message.exclude_from_user_resp_timeout is None
        rest = b"" if plain else _options(message)
        return b'{%b%b,"MsgRandom":%d,"MsgBody":[%b]%b}' % (to, dumps_text(whom), message.msg_random, body, rest)
    except NO_CHARACTER:
        pass
    return dumps_plain(wire_fields(message, service_account))  # it says where what is no character stands


def _from(message: Message, service_account: str | None) -> bytes:
    sender = message.from_account or service_account
    if sender is None:
        raise MessageError(_NO_SENDER)
    return b'"FromAccount":%b,"ToAccount":' % dumps_text(sender)


def _options(message: Message) -> bytes:
    excluded, custom = message.exclude_from_user_resp_timeout, message.cloud_custom_data
    options = b"" if custom is None else b',"CloudCustomData":%b' % dumps_text(custom)
    # 0 counts in the "user reply timeout" countdown, 1 does not (1229/68821)
    return options if excluded is None else b'%b,"ExcludeFromUserRespTimeout":%d' % (options, excluded)


def encode_command(command: Command[Any]) -> bytes:
    """Return the body of any other call; ``{}`` where there is nothing to say, never nothing (1047/34620)."""
    return dumps(command.body if isinstance(command, RawCommand) else dump_value(command))


def decode_reply(command: Command[R], envelope: dict[str, Any]) -> R:
    """Return the reply that a command names; raises ``ReplyError`` where the answer does not fit it."""
    if command.reply is RawReply:
        return cast("R", RawReply(envelope))
    try:
        return load_value(command.reply, {k: v for k, v in envelope.items() if k not in _ENVELOPE})
    except (TypeError, KeyError, ValueError) as exc:
        reason = f"{type(exc).__name__}: {exc}"
    text = f"Desk took the call, but its answer does not fit {command.reply.__name__} ({reason})"
    raise errors.ReplyError(text, delivery=Delivery.SENT)


def path_of(command: Command[Any]) -> str:
    """Return the path of a command's URL."""
    return f"/v4/{command.service}/{command.path}"


def _too_large(size: int) -> MessageTooLargeError:
    return MessageTooLargeError(f"MsgBody is {size:,} bytes; Desk allows {MAX_BODY:,}: send it in parts")


def decode(reply: Reply, retry_codes: Mapping[int, RetryKind] | None = None) -> dict[str, Any]:
    """Return the reply's envelope; raises a ``DeskError`` for anything but success (1229/68821)."""
    if reply.status != _OK:
        raise _status_error(reply)
    envelope = _envelope(reply.content)
    if envelope is None:
        error = errors.ReplyError(
            "the reply is not Desk's: no JSON object with an ErrorCode", retry=RetryKind.TRANSIENT
        )
        raise _with_reply(error, reply)
    if envelope["ErrorCode"] or (envelope.get("ActionStatus") != "OK" and _failed(envelope)):
        refusal = errors.from_code(envelope["ErrorCode"], _info(envelope), retry_codes=retry_codes)
        refusal.retry_after = refusal.retry_after or _retry_after(reply.headers)
        raise refusal
    return envelope


def _envelope(content: bytes) -> dict[str, Any] | None:
    try:
        wire = loads_reply(content)
    except ValueError:
        return None
    if not isinstance(wire, dict):
        return None
    envelope: dict[str, Any] = wire  # pyright: ignore[reportUnknownVariableType] - the keys of JSON are text
    code = envelope.get("ErrorCode")
    return envelope if type(code) is int and abs(code) < _MAX_CODE else None


def _failed(envelope: dict[str, Any]) -> bool:
    status = envelope.get("ActionStatus")
    return isinstance(status, str) and status.upper() not in ("", "OK")


def _info(envelope: dict[str, Any]) -> str:
    """Return ErrorInfo as text that can be shown; it may be missing, as in a sample of Tencent's own."""
    info = envelope.get("ErrorInfo")
    return info[:_MAX_INFO].encode(errors="replace").decode() if isinstance(info, str) else ""


def _status_error(reply: Reply) -> DeskError:
    status, wait = reply.status, _retry_after(reply.headers)
    if status == _TOO_MANY:
        return errors.RateLimitError("HTTP 429: too many calls; slow down", retry_after=wait)
    text = f"HTTP {status} instead of Desk's answer"
    if status == _REQUEST_TIMEOUT:  # the server gave up waiting for the request
        error = errors.ReplyError(text, delivery=Delivery.REJECTED, retry=RetryKind.TRANSIENT, retry_after=wait)
    elif status in range(300, 500):
        error = errors.ReplyError(text + _hint(status), delivery=Delivery.REJECTED)
    else:
        error = errors.ReplyError(text, retry=RetryKind.TRANSIENT, retry_after=wait)
    return _with_reply(error, reply)


def _hint(status: int) -> str:
    if status in range(300, 400):
        return ": redirects are not followed, for they would carry the signature elsewhere; check base_url"
    return ": check base_url, and what stands between you and Desk"


def _with_reply(error: errors.ReplyError, reply: Reply) -> errors.ReplyError:
    error.status = reply.status
    error.content_type = reply.headers.get("content-type", "")
    # in UTF-16, say, a signature would not have been seen
    head = b"" if b"\0" in reply.content else reply.content[: 4 * _HEAD]
    error.body_head = head.decode("utf-8", "replace")[:_HEAD]
    return error


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header; a date counts from the reply's own Date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, wait.total_seconds())
