from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from deskim import AsyncDeskClient, Card, CustomElem, DeskError, FaceElem, Message, RawElem
from deskim.cli._fake import _count, _print_stream, _why_not
from deskim.cli._faults import ChancyDesk, Fault, read_faults
from deskim.cli._message_text import lines
from deskim.cli._screen import UsageError
from deskim.commands import GetSessionState
from deskim.testing import SeenMessage, SeenStream
from deskim.testing._conversations import Line

from .conftest import Deskim


@contextmanager
def _fake(*argv: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run `deskim fake` as a program of its own; give it and the settings that it prints."""
    command = [sys.executable, "-W", "error", "-m", "deskim", "fake", *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        try:
            stream = program.stderr if "--json" in argv else program.stdout
            assert stream is not None
            exports = [shlex.split(_line(stream.fileno())) for _ in range(5)]
            yield program, dict(words[1].split("=", 1) for words in exports)
        finally:
            program.kill()


def _line(descriptor: int) -> str:
    """Read one line and not a byte more: `communicate` reads the rest."""
    return b"".join(iter(lambda: os.read(descriptor, 1), b"\n")).decode()


def _end(program: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[int, str, str]:
    program.send_signal(number)
    out, err = program.communicate(timeout=20)
    return program.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_another_shell_sends_and_the_fake_shows(deskim: Deskim, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The printed settings suffice to send; each message is shown, and a signal ends the fake cleanly."""
    with _fake() as (program, settings):
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        assert 0 == deskim("send", "hello :heart: [bold]\n你好", "--session", "s1").code
        assert 0 == deskim("send", "--user", "u", "--card", "header=Presale", "url=https://x/").code
        monkeypatch.setenv("DESKIM_SECRET_KEY", "wrong")
        assert 1 == deskim("send", "again", "--session", "s1").code
        code, out, err = _end(program, number)
    shown = re.sub(r"\d\d:\d\d:\d\d", "TIME", out).splitlines()
    expected = """\
TIME  to session s1
          hello :heart: [bold]
          你好
TIME  to user u, from @customer_service_account
          [card] Presale
            url: https://x/"""
    assert expected.splitlines() == shown
    assert 0 == code
    assert "send_msg: refused with 70009, the secret key does not belong to this SDKAppID" in err
    assert "# 3 requests came, 2 messages were shown" in err
    assert "Traceback" not in err


def test_messages_as_json_lines(deskim: Deskim, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--json` stdout holds one object a message, in the form that `send --json` takes."""
    with _fake("--json", "--fault", "drop=0.0", "--seed", "3") as (program, settings):
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        deskim("send", "hi", "--user", "u", "--msg-random", "5")
        code, out, err = _end(program)
    message = json.loads(out)
    assert 0 == code
    assert "--seed 3" in err
    assert ("u", "@customer_service_account", 5) == (message["ToAccount"], message["FromAccount"], message["MsgRandom"])
    assert [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hi"}}] == message["MsgBody"]


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_stream_is_shown_once_it_is_finished(flags: list[str]) -> None:
    """What grows before a user's eyes is shown once, whole, and counts as a message."""
    with _fake(*flags) as (program, settings):
        asyncio.run(_stream(settings["DESKIM_BASE_URL"], settings["DESKIM_SECRET_KEY"]))
        _, out, err = _end(program)
    if flags:
        shown = json.loads(out)
        assert ("s", "Hello\nyou") == (shown["SessionId"], shown["Text"])
        assert shown["Text"] == "".join(shown["Chunks"])
        assert {"SessionId", "MsgKey", "Text", "Chunks", "Time"} == set(shown)
    else:
        expected = "TIME  to session s, streamed in N\n          Hello\n          you\n"
        assert expected == re.sub(r"\d+ pieces?", "N", re.sub(r"\d\d:\d\d:\d\d", "TIME", out))
    assert err.endswith("came, 1 message was shown\n")


async def _stream(base_url: str, secret_key: str) -> None:
    async with AsyncDeskClient(1400000000, secret_key=secret_key, base_url=base_url) as client:
        async with client.stream_to_session("s") as stream:
            await stream.write("Hello\n")
            await stream.write("you")
        await client.call(GetSessionState(session_id="s"))


@pytest.mark.parametrize(
    ("requests", "messages", "expected"),
    [
        (0, 0, "# 0 requests came, 0 messages were shown"),
        (1, 1, "# 1 request came, 1 message was shown"),
        (3, 1, "# 3 requests came, 1 message was shown"),
        (3, 2, "# 3 requests came, 2 messages were shown"),
    ],
)
def test_one_is_no_plural(requests: int, messages: int, expected: str) -> None:
    """What came and what was shown are counted in words that fit the number."""
    assert expected == _count(ChancyDesk(requests_seen=requests, messages_seen=messages))


def _stream_of(chunks: list[str]) -> SeenStream:
    line = Line("a", 0, [], 0.0)
    return SeenStream(session_id="s", msg_key="k", markdown=False, chunks=chunks, time=0.0, line=line)


@pytest.mark.parametrize(("chunks", "expected"), [(["a"], "streamed in 1 piece\n"), (["a", "b"], "in 2 pieces\n")])
def test_pieces_are_counted(capsys: pytest.CaptureFixture[str], chunks: list[str], expected: str) -> None:
    """A stream tells in how many pieces it came."""
    _print_stream(_stream_of(chunks))
    assert expected in capsys.readouterr().out


def test_faults_are_told(deskim: Deskim, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share of 1 spoils every request: the lost reply and the repetitions are on stderr."""
    with _fake("--fault", "drop=1", "--seed", "1") as (program, settings):
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        assert 1 == deskim("send", "hi", "--user", "u", "--deadline", "0.5").code
        _, out, err = _end(program)
    assert 1 == out.count("hi")
    assert "send_msg: the reply was lost" in err
    assert "send_msg: a repetition, not shown again" in err


def test_a_port_that_is_taken_is_exit_code_2(deskim: Deskim) -> None:
    """The reason says which, and what to give instead."""
    with _fake() as (_, settings):
        done = deskim("fake", "--port", settings["DESKIM_BASE_URL"].rpartition(":")[2])
    assert 2 == done.code
    assert re.search(r"port \d+ is taken: give another --port, or none to get a free one", done.err)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["--port", "65536"], "--port takes a number from 0 to 65535, not 65536; 0 takes a free one"),
        (["--port", "-1"], "--port takes a number from 0 to 65535, not -1"),
        (["--host", "192.0.2.1"], "'192.0.2.1' is no address of this machine: --host takes one, such as 127.0.0.1"),
        (["--host", "no such host"], "'no such host' is no address of this machine"),
        (["--rate-limit", "-1"], "--rate-limit takes a number from 0, not -1"),
        (["--dedup-window", "-5"], "--dedup-window takes a number from 0, not -5"),
    ],
)
def test_a_fake_that_cannot_listen(deskim: Deskim, argv: list[str], reason: str) -> None:
    """Exit code 2, and what to give instead."""
    done = deskim("fake", *argv)
    assert (2, "") == (done.code, done.out)
    assert f"error: {reason}" in done.err


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EACCES, "port 80 is not for every user: give a --port above 1023"),
        (errno.EIO, "cannot listen at port 80 of h: "),
    ],
)
def test_what_the_system_says_of_a_port(number: int, reason: str) -> None:
    """A port of the system's has advice of its own; for the rest the system speaks."""
    assert _why_not(OSError(number, "as the system has it"), "h", 80).startswith(reason)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("drop=0.05", [Fault("drop", 0, 0.05)]),
        ("code=60011:0.02,status=502:0.01", [Fault("code", 60011, 0.02), Fault("status", 502, 0.01)]),
        ("delay=2.5:1", [Fault("delay", 2.5, 1)]),
        ("", []),
    ],
)
def test_faults_are_read(text: str, expected: list[Fault]) -> None:
    """A kind, what it takes, and its share."""
    assert tuple(expected) == read_faults([text])


@pytest.mark.parametrize(
    "text",
    [
        "drop",
        "drop=2",
        "drop=-0.1",
        "drop=nan",
        "drop=1:0.5",
        "code=0.5",
        "code=x:0.5",
        "fire=0.1",
        "=0.1",
        "code=:0.1",
    ],
)
def test_other_faults_are_refused(deskim: Deskim, text: str) -> None:
    """The error shows how to write one."""
    done = deskim("fake", "--fault", text)
    assert 2 == done.code
    assert "is no fault: write drop=0.05, code=60011:0.02" in done.err


def test_shares_above_everything_are_refused() -> None:
    """The shares of all faults together are at most 1."""
    with pytest.raises(UsageError, match="must not exceed 1"):
        read_faults(["drop=0.6", "code=60011:0.5"])


@pytest.mark.anyio
async def test_each_fault_has_its_share_and_a_seed_repeats_them() -> None:
    """Over many requests each kind comes about as often as asked; the same seed gives the same ones."""

    async def codes(seed: int) -> list[int | None]:
        seen: list[int | None] = []
        desk = ChancyDesk(
            faults=read_faults(["code=60020:0.2,status=404:0.1,delay=0:0.1"]),
            draw=random.Random(seed).random,
            on_request=lambda request: seen.append(request.code if request.status == 200 else request.status),
        )
        async with desk.serve() as served, served.client() as client:
            for _ in range(200):
                with suppress(DeskError):
                    await client.send_to_session("s", "x")
        assert (200, seen.count(0)) == (desk.requests_seen, desk.messages_seen)
        assert ([], []) == (desk.requests, desk.messages)
        return seen

    first = await codes(7)
    assert first == await codes(7)
    assert 20 < first.count(60020) < 60
    assert 5 < first.count(404) < 40


def test_every_kind_of_element_has_a_line() -> None:
    """What is no text and no card is named by its kind."""
    elements = (FaceElem(1, "x"), RawElem("TIMNewElem", {"A": 1}), CustomElem("own"), CustomElem(Card(header="H")))
    shown = [lines(SeenMessage(msg_random=1, elements=(element,), time=0.0)) for element in elements]
    assert ["[FaceElem] FaceElem(index=1, data='x', extra={})"] == shown[0]
    assert shown[1][0].startswith("[TIMNewElem] ")
    assert shown[2][0].startswith("[CustomElem] ")
    assert ["[card] H"] == shown[3]


def test_ending_needs_no_reader() -> None:
    """A fake whose output nobody reads any more ends when told to."""
    with _fake() as (program, _):
        assert program.stdout is not None
        program.stdout.close()
        program.send_signal(signal.SIGINT)
        assert 0 == program.wait(timeout=20)


def test_the_fake_in_this_process(deskim: Deskim) -> None:
    """What is shown of each kind of request, in one run that a signal ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def send() -> None:
        try:
            asyncio.run(_send_some(f"http://127.0.0.1:{port}"))
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=send)
    sender.start()
    done = deskim(
        "fake", "--json", "--port", str(port), "--seed", "0", "--fault", "status=502:0.2,delay=0.01:0.2,code=60020:0.2"
    )
    sender.join()
    assert 0 == done.code
    shown = [json.loads(line) for line in done.out.splitlines()]
    assert [("s", "hello")] == [(m["SessionId"], m["MsgBody"][0]["MsgContent"]["Text"]) for m in shown]
    assert "answered with HTTP 502" in done.err
    assert "refused with 60020" in done.err
    assert "a repetition, not shown again" in done.err


async def _send_some(base_url: str) -> None:
    """Send until a fake that is just starting has taken enough."""
    settings = {"secret_key": "0123456789abcdef" * 4, "base_url": base_url}
    async with AsyncDeskClient(1400000000, **settings) as client:
        message = Message.to_session("s", "hello")
        for _ in range(30):
            with suppress(DeskError):
                await client.send(message)
