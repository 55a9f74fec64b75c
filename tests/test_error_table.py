"""The table of ErrorCodes, held against Tencent's pages."""

from __future__ import annotations

import re

import pytest

from deskim.errors import (
    CODES,
    AgentUnavailableError,
    APIError,
    AuthenticationError,
    BadRequestError,
    Delivery,
    DeskError,
    ErrorCode,
    MessageTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    RetryKind,
    ServerError,
    SessionNotFoundError,
    from_code,
    lookup,
)
from deskim.errors._table import ROWS

PUBLISHED: dict[tuple[type[DeskError], RetryKind], str] = {
    (AuthenticationError, RetryKind.NEVER): "60004 60005 60006 70002 70003 70005 70009 70013 70014 70016 70020",
    (AuthenticationError, RetryKind.RENEW): "70001 70052",
    (AuthenticationError, RetryKind.LOCKED): "70050",
    (PermissionDeniedError, RetryKind.NEVER): ("60010 60016 60017 60020 60021 70051 70114 70398 70403 90009 141000"),
    (RateLimitError, RetryKind.THROTTLED): "60007 60011 60018 60019 141009",
    (BadRequestError, RetryKind.NEVER): (
        "20003 60002 60003 60009 60012 60015 70206 70402 90001 90002 90003 90005 90007 90008 90010 90012 90026 "
        "90043 90044 90048 141004"
    ),
    (SessionNotFoundError, RetryKind.NEVER): "141005",
    (AgentUnavailableError, RetryKind.LATER): "141001 141011 141012 141013 141017",
    (ServerError, RetryKind.TRANSIENT): (
        "20004 20005 60008 60013 60014 70169 70202 70500 90992 90994 90995 91000 141002"
    ),
    (MessageTooLargeError, RetryKind.NEVER): "80002 93000",
    (APIError, RetryKind.NEVER): (
        "20006 20007 20009 20010 20011 20012 60022 70107 80001 80004 141003 141006 141007 141008 141010 141014 "
        "141015 141016"
    ),
}
EXPECTED = {int(code): (error, retry) for (error, retry), codes in PUBLISHED.items() for code in codes.split()}
SEND_MSG = (90001, 90002, 90005, 90007, 90009, 90010, 93000, 141002, 141004, 141005)
FATAL = (
    "60004 60005 60006 60009 60010 60012 60016 60017 60020 60021 70001 70002 70003 70005 70009 70013 70014 70016 "
    "70020 70050 70051 70052 70403 90009 141000"
)
CHINESE = re.compile(r"[\u4e00-\u9fff]")

each_row = pytest.mark.parametrize("row", [*ROWS, lookup(120001)], ids=lambda row: str(row.code))


def test_every_published_code_has_its_class_and_retry_kind() -> None:
    """The table holds the published codes, no more and no fewer, each as Tencent's pages describe it."""
    assert EXPECTED == {code: (row.error, row.retry) for code, row in CODES.items()}


def test_each_code_is_listed_once() -> None:
    """No later row silently replaces an earlier one."""
    assert sorted(EXPECTED) == sorted(row.code for row in ROWS)


@pytest.mark.parametrize("code", SEND_MSG)
def test_private_codes_of_send_msg_cite_its_page(code: int) -> None:
    """What the page of send_msg lists is cited from that page (1229/68821)."""
    assert "1229/68821" == CODES[code].page


def test_codes_that_make_the_rest_of_a_batch_pointless() -> None:
    """Fatal are the codes about the key, the administrator, the application or the path, not about one message."""
    assert {int(code) for code in FATAL.split()} == {row.code for row in ROWS if row.fatal}


@each_row
def test_each_row_speaks_both_languages(row: ErrorCode) -> None:
    """Meaning and advice stand in English without Chinese characters, and in Chinese with some."""
    english, chinese = (row.meaning, row.advice), (row.meaning_zh, row.advice_zh)
    assert all(text.strip() and not CHINESE.search(text) for text in english)
    assert all(CHINESE.search(text) for text in chinese)


@each_row
def test_each_row_reads_as_a_sentence(row: ErrorCode) -> None:
    """Advice ends with a full stop and the meaning without one, for the error's text joins them."""
    assert (".", "。") == (row.advice[-1], row.advice_zh[-1])
    assert not row.meaning.endswith(".")
    assert not row.meaning_zh.endswith("。")


@each_row
def test_each_row_cites_a_page(row: ErrorCode) -> None:
    """A page is a product number and a page number of Tencent's documentation."""
    assert re.fullmatch(r"(269|679|1047|1229)/\d{5,6}", row.page)


@pytest.mark.parametrize("code", [60021, 60022, 80004, 141006])
def test_unconfirmed_codes_say_so(code: int) -> None:
    """What no page confirms for Desk is called unconfirmed, in both languages."""
    assert "unconfirmed" in CODES[code].meaning
    assert "未经证实" in CODES[code].meaning_zh


@pytest.mark.parametrize("code", [120001, 125000, 130000])
def test_numbers_of_the_webhook_share_a_row(code: int) -> None:
    """A number that the application's own webhook chose is explained, under that number (1047/34348)."""
    row = lookup(code)
    assert row is not None
    assert (code, APIError, RetryKind.NEVER) == (row.code, row.error, row.retry)
    assert "webhook" in row.meaning


@pytest.mark.parametrize("code", [-1, 0, 20008, 120000, 130001, 141018])
def test_unknown_numbers_have_no_row(code: int) -> None:
    """Success and numbers that no page names are not explained."""
    assert lookup(code) is None


def test_lookup_finds_every_row() -> None:
    """Looking a code up gives its row."""
    assert ROWS == tuple(lookup(row.code) for row in ROWS)


def test_the_table_cannot_be_changed() -> None:
    """A caller cannot change what a code means for the whole process."""
    with pytest.raises(TypeError, match="does not support item assignment"):
        CODES[60007] = CODES[60008]  # type: ignore[index]


@each_row
def test_each_row_raises_its_class(row: ErrorCode) -> None:
    """Every row makes an error with its code, delivery and retry kind."""
    error = from_code(row.code)
    expected = Delivery.UNKNOWN if row.error is ServerError else Delivery.REJECTED
    assert (row.error, row.code, row.retry, expected) == (type(error), error.code, error.retry_kind, error.delivery)
