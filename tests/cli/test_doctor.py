from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from deskim import Region, sign_usersig
from deskim.cli import _doctor
from deskim.testing import FakeDesk

from .conftest import SECRET, Deskim, Done

APP = 1400000000


def _findings(done: Done) -> dict[str, tuple[str, str]]:
    found = [json.loads(line) for line in done.out.splitlines()]
    return {finding["check"]: (finding["state"], f"{finding['text']} {finding['advice']}") for finding in found}


@pytest.fixture
def usersig(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a UserSig into the environment instead of the key."""

    def put(app: int = APP, identifier: str = "administrator", key: str = SECRET, **more: int) -> None:
        monkeypatch.delenv("DESKIM_SECRET_KEY", raising=False)
        monkeypatch.setenv("DESKIM_SDK_APP_ID", str(APP))
        monkeypatch.setenv("DESKIM_USERSIG", sign_usersig(app, key, identifier, **more))

    return put


def test_all_is_well(deskim: Deskim, desk: FakeDesk) -> None:
    """With the right key everything is ok, down to Desk's own word on the signature; no user sees anything."""
    done = deskim("doctor", "--json")
    found = _findings(done)
    assert (0, "") == (done.code, done.err)
    assert {"ok"} == {state for state, _ in found.values()}
    assert ["settings", "secret key", "host", "clock", "signature"] == list(found)
    assert "Desk takes the signature" in found["signature"][1]
    assert ([], 1) == (desk.messages, len(desk.requests))


def test_findings_are_lines_with_advice_below(deskim: Deskim, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each begins with its state; what Desk says of a wrong key is the last of them, and the exit code is 1."""
    monkeypatch.setenv("DESKIM_SECRET_KEY", "not the key")
    done = deskim("doctor")
    assert 1 == done.code
    assert "warn  secret key   it has 11 characters" in done.out
    assert "fail  signature    Desk answered with code 70009" in done.out


def test_a_good_usersig(deskim: Deskim, desk: FakeDesk, usersig: Callable[..., None]) -> None:
    """It decodes, belongs to the identifier and the application, and is valid for long enough."""
    usersig()
    done = deskim("doctor", "--json")
    found = _findings(done)
    assert 0 == done.code
    assert ["settings", "UserSig", "identifier", "SDKAppID", "expiry", "host", "clock", "signature"] == list(found)
    assert {"ok"} == {state for state, _ in found.values()}


@pytest.mark.parametrize(
    ("wrong", "check", "expected"),
    [
        ({"identifier": "bob"}, "identifier", "fail: the UserSig was signed for 'bob'"),
        ({"app": 7}, "SDKAppID", "fail: the UserSig was signed for 7"),
        ({"now": 1}, "expiry", "fail: it expired "),
        ({"now": int(time.time()), "expire": 3600 * 24}, "expiry", "warn: it expires "),
        ({"now": int(time.time()) + 86400}, "expiry", "warn: it was signed "),
    ],
)
def test_what_a_usersig_says_of_itself(
    deskim: Deskim, usersig: Callable[..., None], wrong: dict[str, object], check: str, expected: str
) -> None:
    """What is wrong with it is found without the network, and the advice names the variable or the code."""
    usersig(**wrong)
    done = deskim("doctor", "--offline", "--json")
    state, text = _findings(done)[check]
    assert f"{state}: {text}".startswith(expected)
    assert any(name in text for name in ("DESKIM_", "code 700", "One of the two clocks"))
    assert int(state == "fail") == done.code


def test_a_usersig_that_is_cut_short(deskim: Deskim, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said not to decode, and is not shown."""
    monkeypatch.setenv("DESKIM_SDK_APP_ID", str(APP))
    monkeypatch.setenv("DESKIM_USERSIG", "eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy")
    done = deskim("doctor", "--offline")
    assert 1 == done.code
    assert "fail  UserSig      it does not decode" in done.out
    assert "eJyrVgrx" not in done.out


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({}, "no credentials: set DESKIM_SECRET_KEY"),
        ({"DESKIM_SECRET_KEY": "k", "DESKIM_USERSIG": "u"}, "both a secret key and a UserSig are set"),
        ({"DESKIM_SECRET_KEY": f"{SECRET}\n"}, "spaces or line ends around it"),
    ],
)
def test_credentials_that_cannot_work(
    deskim: Deskim, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], text: str
) -> None:
    """None, two, or one with a line end."""
    for name, value in {"DESKIM_SDK_APP_ID": str(APP), **environment}.items():
        monkeypatch.setenv(name, value)
    done = deskim("doctor", "--offline")
    assert 1 == done.code
    assert text in done.out


def test_without_credentials_the_way_to_desk_is_still_looked_at(
    deskim: Deskim, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host is asked, and no verdict on a signature is given."""
    monkeypatch.delenv("DESKIM_SECRET_KEY")
    found = _findings(deskim("doctor", "--json"))
    assert "ok" == found["host"][0]
    assert "signature" not in found


@pytest.mark.parametrize(("code", "state"), [(90009, "fail"), (70003, "fail"), (60011, "fail"), (0, "warn")])
def test_desks_word_on_the_signature(deskim: Deskim, desk: FakeDesk, code: int, state: str) -> None:
    """Refusals of the signature, the account or the pace are failures; that an empty message passes is odd."""
    if code:
        desk.fail_next(code)
    else:
        desk.respond_next(body={"ActionStatus": "OK", "ErrorCode": 0})
    done = deskim("doctor", "--json")
    assert state == _findings(done)["signature"][0]


def test_a_gateway_in_between(deskim: Deskim, desk: FakeDesk) -> None:
    """An answer that is not Desk's is told as such."""
    desk.respond_next(502, "<html>bad gateway</html>")
    assert "HTTP 502" in _findings(deskim("doctor", "--json"))["signature"][1]


def test_a_host_that_is_not_there(deskim: Deskim, desk: FakeDesk) -> None:
    """The reason and what to look at; nothing is said about clock and signature."""
    done = deskim("doctor", "--json", "--base-url", "http://127.0.0.1:1")
    found = _findings(done)
    assert 1 == done.code
    assert "fail" == found["host"][0]
    assert "Check DESKIM_BASE_URL and DESKIM_REGION" in found["host"][1]
    assert "clock" not in found


def test_long_findings_are_folded(deskim: Deskim, desk: FakeDesk) -> None:
    """No line is wider than a page, and what belongs together stands in one column."""
    done = deskim("doctor", "--base-url", "http://127.0.0.1:1")
    lines = done.out.splitlines()
    assert "fail  host         http://127.0.0.1:1: no connection to 127.0.0.1:1 (Connection refused)" in lines
    assert max(map(len, lines)) <= 100
    place = next(number for number, line in enumerate(lines) if "Check DESKIM_BASE_URL and" in line)
    assert f"{'':19}one is set: HTTPS_PROXY, ALL_PROXY, or HTTP_PROXY for a fake Desk." == lines[place + 1]


def test_a_time_that_is_none_is_refused(deskim: Deskim, desk: FakeDesk) -> None:
    """Exit code 2, before any host is asked."""
    done = deskim("doctor", "--timeout", "-1")
    assert (2, "") == (done.code, done.out)
    assert "--timeout must be a number of seconds above 0, not -1.0" in done.err


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    """Run an event loop in a thread."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.mark.parametrize(("hours", "words"), [(5, "5 hours behind"), (-5, "5 hours ahead of"), (0, "agree")])
def test_a_wrong_clock(deskim: Deskim, desk: FakeDesk, portal: BlockingPortal, hours: int, words: str) -> None:
    """The host's Date header is compared with this machine's clock."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        date = formatdate(time.time() + hours * 3600 + 30, usegmt=True)
        body = b'{"ActionStatus":"FAIL","ErrorCode":90005,"ErrorInfo":""}'
        head = f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async def serve() -> asyncio.Server:
        return await asyncio.start_server(answer, "127.0.0.1", 0)

    async def stop(server: asyncio.Server) -> None:
        server.close()
        await server.wait_closed()

    server = portal.call(serve)
    port = server.sockets[0].getsockname()[1]
    found = _findings(deskim("doctor", "--json", "--base-url", f"http://127.0.0.1:{port}"))
    portal.call(stop, server)
    assert words in found["clock"][1]
    assert ("fail" if hours else "ok") == found["clock"][0]


def test_a_standby_that_is_not_there_is_a_warning(
    deskim: Deskim, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The main host answers, so calls work; the standby is named all the same."""
    main = os.environ["DESKIM_BASE_URL"]
    monkeypatch.setattr(_doctor, "base_urls", lambda *_: (main, "http://127.0.0.1:1"))
    done = deskim("doctor", "--json")
    found = _findings(done)
    assert 0 == done.code
    assert "warn" == found["standby"][0]
    monkeypatch.setattr(_doctor, "base_urls", lambda *_: (main, main))
    assert "ok" == _findings(deskim("doctor", "--json"))["standby"][0]


def test_settings_that_name_no_host(deskim: Deskim, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown region and a missing SDKAppID are mistakes of the configuration."""
    assert 2 == deskim("doctor", "--offline").code
    monkeypatch.setenv("DESKIM_SDK_APP_ID", str(APP))
    done = deskim("doctor", "--offline", "--region", "mars")
    assert 2 == done.code
    assert f"region must be one of {Region.CHINA}" in done.err
