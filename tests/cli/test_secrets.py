from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from deskim import sign_usersig
from deskim.cli._secrets import masked
from deskim.testing import FakeDesk

from .conftest import SECRET, Deskim


@pytest.mark.parametrize(
    "argv",
    [
        ["--secret-key", "x"],
        ["--secret-key=x"],
        ["--usersig", "x"],
        ["--usersig=x"],
        ["--user-sig=x"],
        ["--secret_key=x"],
        ["-key", "x"],
        ["--cloud-custom-data", "0123456789abcdef" * 4],
        ["--cloud-custom-data=" + "0123456789ABCDEF" * 4],
        ["--cloud-custom-data", sign_usersig(1, "k", "administrator", now=0)],
        [sign_usersig(1, "k", "administrator", now=0)],
        [f"my key is {SECRET}"],
    ],
)
def test_an_argument_that_looks_like_a_secret_is_refused(deskim: Deskim, desk: FakeDesk, argv: list[str]) -> None:
    """Whatever option it stands at, it is refused without being shown, and nothing is sent."""
    done = deskim("send", *argv, "--session", "s")
    assert (2, "") == (done.code, done.out)
    assert "looks like a secret" in done.err
    assert "--secret-key-file" in done.err
    assert [] == [word for word in argv if len(word) > 30 and word in done.err]
    assert [] == desk.requests


@pytest.mark.parametrize("text", ["the key to it all", "eJ is no UserSig", "usersig", "abc123" * 10])
def test_ordinary_words_are_no_secrets(deskim: Deskim, desk: FakeDesk, text: str) -> None:
    """A text that only speaks of keys is sent."""
    assert 0 == deskim("send", text, "--session", "s").code
    assert text == desk.messages[0].text


def test_a_short_secret_does_not_forbid_every_text(
    deskim: Deskim, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of one letter, which can only be a mistake, is answered by Desk."""
    monkeypatch.setenv("DESKIM_SECRET_KEY", "e")
    done = deskim("send", "hello", "--session", "s")
    assert 1 == done.code
    assert "code 70009" in done.err


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "cannot read key: No such file"), (b"", "is empty"), (b"\xff\xfe", "holds no text")]
)
def test_a_file_without_a_secret_is_named(
    deskim: Deskim, desk: FakeDesk, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    """A file that is missing, empty or no text is a mistake of the settings."""
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    done = deskim("send", "x", "--session", "s", "--secret-key-file", "key")
    assert 2 == done.code
    assert reason in done.err


def test_missing_and_doubled_credentials_are_named(
    deskim: Deskim, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly one credential is needed, and the error names the variables and the files."""
    monkeypatch.setenv("DESKIM_USERSIG", "x")
    both = deskim("send", "x", "--session", "s")
    monkeypatch.delenv("DESKIM_USERSIG")
    monkeypatch.delenv("DESKIM_SECRET_KEY")
    none = deskim("send", "x", "--session", "s")
    monkeypatch.delenv("DESKIM_SDK_APP_ID")
    nothing = deskim("send", "x", "--session", "s")
    assert (2, 2, 2) == (both.code, none.code, nothing.code)
    assert "both a secret key and a UserSig are set" in both.err
    assert "set DESKIM_SECRET_KEY (or DESKIM_USERSIG)" in none.err
    assert "DESKIM_SDK_APP_ID is not set" not in none.err
    assert "a number; no credentials: set DESKIM_SECRET_KEY (or DESKIM_USERSIG)" in nothing.err


def test_a_debug_traceback_shows_no_secret(
    deskim: Deskim, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """DESKIM_DEBUG=1 adds the traceback, with known secrets and whatever looks like one masked."""
    monkeypatch.setenv("DESKIM_DEBUG", "1")
    usersig = sign_usersig(desk.sdk_app_id, SECRET, "administrator")
    monkeypatch.delenv("DESKIM_SECRET_KEY")
    (tmp_path / "key").write_text(SECRET)
    desk.fail_next(70003, info=f"bad {SECRET} and usersig={usersig} and {usersig}")
    done = deskim("send", "x", "--session", "s", "--secret-key-file", "key")
    assert "Traceback (most recent call last)" in done.err
    assert "bad *** and usersig=*** and ***" in done.err
    assert usersig not in done.err


def test_a_bug_is_told_in_one_masked_line(deskim: Deskim, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What deskim did not foresee is exit code 1 and one line; no traceback, no secret."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"found {SECRET}")

    monkeypatch.setattr("deskim.cli._send._message", broken)
    done = deskim("send", "x", "--session", "s")
    assert 1 == done.code
    assert "error inside deskim: RuntimeError: found *** (DESKIM_DEBUG=1 shows more)\n" == done.err


def test_masking_leaves_ordinary_text_alone() -> None:
    """A text without secrets comes back as it was."""
    text = "".join(traceback.format_stack())
    assert text == masked(text)
