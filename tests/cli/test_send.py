from __future__ import annotations

import json
from pathlib import Path

import pytest

from deskim import Card, FaceElem, TextElem
from deskim.cli._words import describe
from deskim.errors import ConnectionFailedError
from deskim.testing import FakeDesk

from .conftest import SECRET, Deskim

SESSION = "fd8a2e30-54de-4e40-bcaf-02718409c5cf"


def test_a_text_reaches_a_session(deskim: Deskim, desk: FakeDesk) -> None:
    """The text of the argument is what the session sees, and one line says that it was sent."""
    done = deskim("send", "hello 你好", "--session", SESSION)
    assert (0, "") == (done.code, done.err)
    assert ["hello 你好"] == [message.text for message in desk.sent_to_session(SESSION)]
    assert done.out.startswith("sent: 1 attempt, ")
    assert f"MsgRandom {desk.messages[0].msg_random}\n" in done.out


def test_a_user_is_sent_to_by_the_account_of_the_environment_or_the_option(deskim: Deskim, desk: FakeDesk) -> None:
    """`--from` wins over DESKIM_CUSTOMER_SERVICE_ACCOUNT."""
    assert 0 == deskim("send", "a", "--user", "user45").code
    assert 0 == deskim("send", "b", "--user", "user45", "--from", "@other").code
    assert ["@service", "@other"] == [message.from_account for message in desk.sent_to("user45")]


@pytest.mark.parametrize(
    "words",
    [
        ("--card", "header=Presale", "desc=Reserve = now", "pic=https://x/p.png", "url=https://x/"),
        "--card-header Presale --card-desc|Reserve = now|--card-pic https://x/p.png --card-url https://x/",
    ],
)
def test_a_card_is_written_in_either_form(deskim: Deskim, desk: FakeDesk, words: tuple[str, ...] | str) -> None:
    """The fields of `--card` and the four options give the same card."""
    if isinstance(words, str):
        left, value, right = words.split("|")
        words = (*left.split(), value, *right.split())
    assert 0 == deskim("send", "--user", "u", *words).code
    expected = Card(header="Presale", desc="Reserve = now", pic="https://x/p.png", url="https://x/")
    assert expected == desk.messages[0].payload


def test_a_text_and_a_card_go_in_one_message(deskim: Deskim, desk: FakeDesk) -> None:
    """The text comes first."""
    assert 0 == deskim("send", "look", "--user", "u", "--card", "header=H").code
    assert "look" == desk.messages[0].text
    assert Card(header="H") == desk.messages[0].payload


def test_standard_input_gives_the_text(deskim: Deskim, desk: FakeDesk) -> None:
    """`-` reads everything but the last line end, and a byte order mark is no text."""
    assert 0 == deskim("send", "-", "--user", "u", stdin="\ufeffline 1\n第二行\n".encode()).code
    assert "line 1\n第二行" == desk.messages[0].text


def test_input_that_is_no_text_is_refused(deskim: Deskim, desk: FakeDesk) -> None:
    """Bytes that are not UTF-8 are named by place and value."""
    done = deskim("send", "-", "--user", "u", stdin=b"ab\xff")
    assert (2, "") == (done.code, done.out)
    assert "error: standard input is not UTF-8: byte 2 is 0xff" in done.err
    assert [] == desk.requests


FACE = {"MsgType": "TIMFaceElem", "MsgContent": {"Index": 1, "Data": "x"}}


@pytest.mark.parametrize("value", [FACE, [FACE], {"MsgBody": [FACE]}, {"MsgBody": [FACE], "ToAccount": "u"}])
def test_json_is_an_element_a_list_or_a_message(deskim: Deskim, desk: FakeDesk, value: object) -> None:
    """Every form gives the same message."""
    whom = () if isinstance(value, dict) and "ToAccount" in value else ("--user", "u")
    assert 0 == deskim("send", "--json", json.dumps(value), *whom).code
    assert (FaceElem(1, "x"),) == desk.sent_to("u")[0].elements


def test_json_comes_from_a_file_or_standard_input(deskim: Deskim, desk: FakeDesk, tmp_path: Path) -> None:
    """`@FILE` and `-` read it."""
    (tmp_path / "body.json").write_text(json.dumps([FACE]))
    assert 0 == deskim("send", "--json", "@body.json", "--user", "u").code
    assert 0 == deskim("send", "--json", "-", "--user", "u", stdin=json.dumps(FACE).encode()).code
    assert 2 == len(desk.messages)


def test_every_option_of_a_message_arrives(deskim: Deskim, desk: FakeDesk) -> None:
    """CloudCustomData, the flag of the countdown and a MsgRandom of one's own are sent along."""
    options = ("--cloud-custom-data", "mine", "--exclude-from-timeout", "--msg-random", "7", "--deadline", "5")
    assert 0 == deskim("send", "x", "--session", "s", *options).code
    message = desk.messages[0]
    assert ("mine", True, 7) == (message.cloud_custom_data, message.exclude_from_user_resp_timeout, message.msg_random)


def test_the_result_as_json(deskim: Deskim, desk: FakeDesk) -> None:
    """`--result-json` prints one object with the fields of a SendResult."""
    done = deskim("send", "x", "--session", "s", "--result-json")
    result = json.loads(done.out)
    assert desk.messages[0].msg_random == result["msg_random"]
    assert (1, False, 0) == (result["attempts"], result["resent"], result["raw"]["ErrorCode"])


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["--session", "s"], "nothing to send: give a text, --card or --json"),
        (["x"], "say to whom: --session ID or --user ID"),
        (["x", "--session", "s", "--user", "u"], "to a session or to a user, not to both"),
        (["--user", "u", "--card", "header=H", "oops"], "'oops' is no field of a card"),
        (["--user", "u", "--card", "size=H"], "'size' is no field of a card"),
        (["--user", "u", "--card", "desc=D"], "a card needs a headline"),
        (["x", "--user", "u", "--json", "[]"], "--json is the whole content"),
        (["--user", "u", "--json", "7"], "--json takes a list of elements"),
        (["--user", "u", "--json", "{"], "the argument is not JSON"),
        (["--user", "u", "--json", "@none.json"], "cannot read none.json: No such file"),
        (["x", "--user", "u", "--bogus"], "--bogus"),
        (["x", "--user", "u", "--deadline", "soon"], "soon"),
        (["x", "--user", "u", "--base-url", "http://example.com"], "must be https"),
    ],
)
def test_a_command_line_that_cannot_work_is_refused(
    deskim: Deskim, desk: FakeDesk, argv: list[str], reason: str
) -> None:
    """Exit code 2, one reason, the place of help, and nothing sent."""
    done = deskim("send", *argv)
    assert (2, "") == (done.code, done.out)
    assert reason in done.err
    assert "Traceback" not in done.err
    assert [] == desk.requests


def test_what_desk_refuses_is_told_with_delivery_and_advice(deskim: Deskim, desk: FakeDesk) -> None:
    """Exit code 1, what Desk said, what to do, and what is known of the message."""
    desk.fail_next(141005)
    done = deskim("send", "x", "--session", "gone")
    assert (1, "") == (done.code, done.out)
    assert "error: Desk answered with code 141005: " in done.err
    assert "\ndelivery: rejected: " in done.err


def test_an_error_speaks_chinese_in_a_chinese_locale(
    deskim: Deskim, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The meaning, the advice and the delivery are Chinese, with the names of the environment in the advice."""
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    desk.fail_next(70009, info="nope")
    done = deskim("send", "x", "--session", "s")
    assert "错误：Desk 返回错误码 70009：密钥与 SDKAppID 不匹配。" in done.err
    assert "DESKIM_SECRET_KEY" in done.err
    assert "Desk 返回：nope" in done.err
    assert "投递状态：已拒绝" in done.err


def test_a_message_of_unknown_fate_names_its_msg_random(deskim: Deskim, desk: FakeDesk) -> None:
    """The advice says how to send it again without showing it twice; doing so shows it once."""
    desk.drop_replies(times=20)
    done = deskim("send", "x", "--session", "s", "--deadline", "0.4")
    number = str(desk.messages[0].msg_random)
    assert 1 == done.code
    assert "delivery: unknown: it left" in done.err
    assert f"--msg-random {number} " in done.err
    desk._faults.clear()
    assert 0 == deskim("send", "x", "--session", "s", "--msg-random", number).code
    assert 1 == len(desk.messages)


def test_an_invalid_message_is_not_sent(deskim: Deskim, desk: FakeDesk) -> None:
    """A text over 12 KB is found here: exit code 2, for nothing was tried."""
    done = deskim("send", "-", "--session", "s", stdin=b"x" * 13_000)
    assert 2 == done.code
    assert "Desk allows 12,288" in done.err
    assert "delivery: not sent" in done.err
    assert [] == desk.requests


def test_what_a_stranger_wrote_cannot_steer_the_terminal(deskim: Deskim, desk: FakeDesk) -> None:
    """Escape sequences in Desk's ErrorInfo are shown, not obeyed."""
    desk.fail_next(141005, info="\x1b[2Jgone\u202e")
    done = deskim("send", "x", "--session", "s")
    assert "\\x1b[2Jgone\\x202e" in done.err
    assert "\x1b" not in done.err


def test_secrets_come_from_files_too(
    deskim: Deskim, desk: FakeDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file replaces the environment's secret; its last line end does not count."""
    (tmp_path / "key").write_text(SECRET + "\n")
    monkeypatch.setenv("DESKIM_SECRET_KEY", "another key, which is wrong")
    assert 0 == deskim("send", "x", "--session", "s", "--secret-key-file", "key").code
    monkeypatch.setenv("DESKIM_SECRET_KEY", SECRET)
    (tmp_path / "sig").write_text(deskim("usersig").out)
    monkeypatch.delenv("DESKIM_SECRET_KEY")
    assert 0 == deskim("send", "y", "--session", "s", "--usersig-file", "sig").code
    assert [TextElem("x"), TextElem("y")] == [message.elements[0] for message in desk.messages]


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["hi", "--session", "s", "--card"], "--card takes the fields of a card: header=... desc=... pic=... url=..."),
        (["hi", "--session", ""], "Message.session_id must be text of at least one character"),
        (["hi", "--session"], "--session needs a value"),
        (["hi", "--session", "s", "--session", "t"], "--session is given more than once"),
        (
            ["hi", "you", "there", "--session", "s"],
            "send does not take: you there (put a text of several words in quotes)",
        ),
        (["hi", "--sesion", "s"], "there is no option --sesion; did you mean --session?"),
        (["hi", "--session", "s", "--deadline", "soon"], "--deadline takes a number, not 'soon'"),
        (["hi", "--session", "s", "--msg-random", "x"], "--msg-random takes a whole number, not 'x'"),
        (["hi", "--session", "s", "--deadline", "-1"], "--deadline must be a number of seconds above 0, not -1"),
        (
            ["hi", "--session", "s", "--base-url", "foo"],
            "--base-url must be a URL such as 'https://console.tim.qq.com'",
        ),
        (["hi", "--session", "s", "--sdk-app-id", "-5"], "--sdk-app-id must be the SDKAppID, a positive whole number"),
        (["hi", "--user", "u"], "give --from, or DESKIM_CUSTOMER_SERVICE_ACCOUNT"),
    ],
)
def test_a_mistake_of_usage_names_the_option(
    deskim: Deskim, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch, argv: list[str], reason: str
) -> None:
    """Exit code 2 for each of them; nothing was tried."""
    monkeypatch.delenv("DESKIM_CUSTOMER_SERVICE_ACCOUNT")
    done = deskim("send", *argv)
    assert (2, "") == (done.code, done.out)
    assert reason in done.err
    assert [] == desk.requests


def test_a_setting_of_the_environment_is_named_as_such(
    deskim: Deskim, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what was an option is called one."""
    monkeypatch.setenv("DESKIM_BASE_URL", "foo")
    assert "error: DESKIM_BASE_URL must be a URL" in deskim("send", "hi", "--session", "s").err


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["send", "hi", "you", "--session", "s"], "send 不接受：you（含多个词的文本请加引号）"),
        (["send", "hi", "--sesion", "s"], "没有选项 --sesion；是否指 --session？"),
        (["send", "hi", "--session"], "--session 需要一个值"),
        (["send", "hi", "--session", "s", "--deadline", "x"], "--deadline 需要数字，而不是 'x'"),
        (["batch", "x", "--on-unknown", "y"], "--on-unknown 需要以下之一：report, resend, stop，而不是 'y'"),
        (["sned"], "没有命令 'sned'"),
        (["usersig", "administrator"], "usersig 不接受：administrator（账号用 --identifier 指定）"),
    ],
)
def test_a_mistake_of_usage_is_told_in_chinese(
    deskim: Deskim, monkeypatch: pytest.MonkeyPatch, argv: list[str], reason: str
) -> None:
    """What the parser finds wrong, in a Chinese locale."""
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    done = deskim(*argv)
    assert (2, True) == (done.code, done.err.startswith(f"错误：{reason}"))


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("C.UTF-8", ["error: no connection to 127.0.0.1:9 (Connection refused)", "advice: see that the host is right"]),
        ("zh_CN.UTF-8", ["错误：无法连接 127.0.0.1:9 (Connection refused)", "建议：检查主机名是否正确"]),
    ],
)
def test_a_host_that_does_not_answer_is_told_once_and_with_advice(
    deskim: Deskim, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch, lang: str, expected: list[str]
) -> None:
    """Which host, and why; that nothing was sent; and what to look at."""
    monkeypatch.setenv("LANG", lang)
    done = deskim("send", "hi", "--session", "s", "--base-url", "http://127.0.0.1:9")
    first, second, third = done.err.splitlines()
    assert (1, expected[0]) == (done.code, first)
    assert third.startswith(expected[1])
    assert "127.0.0.1" not in second + third


def test_other_reasons_of_a_connection_are_told_in_the_words_of_the_system() -> None:
    """A name that does not resolve, a time-out, and what is no failure of connecting at all."""
    around = "no connection to {}, nothing was sent; check base_url, region, proxy and network"
    told = [
        describe(ConnectionFailedError(around.format(reason)), "en")
        for reason in ("h:443 (Name or service not known)", "h:443 in time")
    ]
    assert ["no connection to h:443 (Name or service not known)", "no connection to h:443 in time"] == told
    assert "the deadline passed" == describe(ConnectionFailedError("the deadline passed"), "en")
