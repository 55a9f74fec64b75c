from __future__ import annotations

import json

import pytest

from deskim.cli._words import for_shell
from deskim.errors import CODES

from .conftest import Deskim


def test_a_code_is_explained_in_both_languages(deskim: Deskim) -> None:
    """Meaning, advice, whether it may be repeated, and the page; no settings, no network."""
    done = deskim("explain", "70009")
    row = CODES[70009]
    assert (0, "") == (done.code, done.err)
    for part in (
        "70009  AuthenticationError",
        row.meaning,
        for_shell(row.advice),
        row.meaning_zh,
        for_shell(row.advice_zh),
    ):
        assert part in done.out
    assert "https://cloud.tencent.com/document/product/679/131708" in done.out
    assert "a batch stops at it" in done.out


@pytest.mark.parametrize("code", sorted({*CODES, 120001}))
def test_every_known_code_has_an_explanation(deskim: Deskim, code: int) -> None:
    """Each row of the table prints as text and as JSON."""
    assert 0 == deskim("explain", str(code)).code
    facts = json.loads(deskim("explain", str(code), "--json").out)
    assert code == facts["code"]
    assert facts["page"].startswith("https://")


def test_the_advice_is_for_a_shell(deskim: Deskim) -> None:
    """It names variables, not arguments of Python, in both languages and both forms."""
    text, facts = deskim("explain", "70001").out, json.loads(deskim("explain", "70001", "--json").out)
    for part in ("Give DESKIM_SECRET_KEY so that", "fresh DESKIM_USERSIG;", "DESKIM_SECRET_KEY 由 deskim"):
        assert part in text
    assert "secret_key=" not in text + facts["advice"] + facts["advice_zh"]


def test_several_codes_at_once(deskim: Deskim) -> None:
    """Each is explained; an unknown one among them makes the exit code 1."""
    done = deskim("explain", "60011", "4711", "141005")
    assert 1 == done.code
    assert "60011  RateLimitError" in done.out
    assert "141005  SessionNotFoundError" in done.out
    assert "4711: no page of Tencent's that deskim knows names this code" in done.err


@pytest.mark.parametrize("argv", [[], ["seventy"]])
def test_a_code_is_a_number(deskim: Deskim, argv: list[str]) -> None:
    """No code and no number are mistakes of usage."""
    done = deskim("explain", *argv)
    assert (2, "") == (done.code, done.out)
    assert "see deskim explain --help" in done.err
