from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from deskim import sign_usersig
from deskim._usersig import decode_usersig
from deskim.cli._screen import UsageError
from deskim.cli._usersig import moment, seconds, span

from .conftest import SECRET, Deskim


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name an application and its key."""
    monkeypatch.setenv("DESKIM_SDK_APP_ID", "1400000000")
    monkeypatch.setenv("DESKIM_SECRET_KEY", SECRET)


def test_the_printed_usersig_is_signed_with_the_key(deskim: Deskim) -> None:
    """Stdout holds the UserSig alone, for the identifier and the lifetime that were asked for."""
    done = deskim("usersig", "--identifier", "bot 中文", "--expire", "12h")
    claims = decode_usersig(done.out.strip())
    assert (0, "", 1) == (done.code, done.err, done.out.count("\n"))
    assert ("bot 中文", 1400000000, 12 * 3600) == (claims.identifier, claims.sdk_app_id, claims.expire)
    assert claims.verify(SECRET)


def test_a_usersig_is_shown(deskim: Deskim) -> None:
    """Whose it is, from when until when, and whether the key at hand made it."""
    done = deskim("usersig", "--decode", stdin=deskim("usersig").out.encode())
    assert 0 == done.code
    assert "identifier  administrator\nSDKAppID    1400000000\n" in done.out
    assert "in 180 days" in done.out
    assert "made with the secret key that is set" in done.out


def test_a_usersig_as_json(deskim: Deskim, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same facts for a script; without a key nothing is said about the signature."""
    monkeypatch.delenv("DESKIM_SECRET_KEY")
    usersig = sign_usersig(7, "k", "a", now=0, expire=60)
    done = deskim("usersig", "--decode", "--json", stdin=usersig.encode())
    facts = json.loads(done.out)
    assert 1 == done.code
    assert facts.pop("expires_in") < -(10**9)
    expected = {
        "identifier": "a",
        "sdk_app_id": 7,
        "signed_at": "1970-01-01T00:00:00Z",
        "expires_at": "1970-01-01T00:01:00Z",
        "userbuf": False,
        "matches_key": None,
    }
    assert expected == facts


def test_an_expired_or_foreign_usersig_is_exit_code_1(deskim: Deskim) -> None:
    """It says which of the two it is."""
    late = deskim("usersig", "--decode", stdin=sign_usersig(7, SECRET, "a", now=0).encode())
    foreign = deskim("usersig", "--decode", stdin=sign_usersig(7, "other", "a", now=time.time()).encode())
    assert (1, 1) == (late.code, foreign.code)
    assert "ago: it no longer counts" in late.out
    assert "NOT made with the secret key that is set" in foreign.out


@pytest.mark.parametrize("stdin", [b"", b"nonsense", b"eJw1", SECRET.encode()])
def test_what_is_no_usersig_is_said_to_be_none(deskim: Deskim, stdin: bytes) -> None:
    """Exit code 2, and what was read is not shown."""
    done = deskim("usersig", "--decode", stdin=stdin)
    assert (2, "") == (done.code, done.out)
    assert "this is no UserSig: it does not decode" in done.err


def test_signing_needs_a_key_and_an_application(deskim: Deskim, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named."""
    monkeypatch.setenv("DESKIM_SDK_APP_ID", "my app")
    assert "DESKIM_SDK_APP_ID must be the application's SDKAppID, a number; it is 'my app'" in deskim("usersig").err
    monkeypatch.delenv("DESKIM_SECRET_KEY")
    done = deskim("usersig")
    assert 2 == done.code
    assert "there is no key to sign with: set DESKIM_SECRET_KEY" in done.err


def test_an_account_is_an_option(deskim: Deskim) -> None:
    """`deskim usersig administrator` says how to name the account."""
    done = deskim("usersig", "administrator")
    assert (2, "") == (done.code, done.out)
    assert "error: usersig does not take: administrator (whose UserSig it is, --identifier says)" in done.err


def test_a_key_of_a_file_signs(deskim: Deskim, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The option wins over the environment."""
    monkeypatch.setenv("DESKIM_SECRET_KEY", "another")
    (tmp_path / "key").write_text(SECRET)
    assert decode_usersig(deskim("usersig", "--secret-key-file", "key").out.strip()).verify(SECRET)


@pytest.mark.parametrize(("text", "expected"), [("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43200), ("1d", 86400)])
def test_a_lifetime_has_a_unit_or_counts_seconds(text: str, expected: int) -> None:
    """Seconds, minutes, hours, days."""
    assert expected == seconds(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5h", "1w", "h", "１"])
def test_other_lifetimes_are_refused(text: str) -> None:
    """Zero, fractions and unknown units are no lifetimes."""
    with pytest.raises(UsageError, match="is no lifetime"):
        seconds(text)


def test_times_and_spans_read_well() -> None:
    """A time out of the calendar's reach is shown as a number."""
    assert "2001-09-09T01:46:40Z" == moment(10**9)
    assert "@1e+30" == moment(1e30) or moment(1e30).startswith("@1000")
    assert ["90 seconds", "2 minutes", "2 hours", "3 days"] == [span(s) for s in (90, 120, 7200, 3 * 86400)]
