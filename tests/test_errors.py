"""The tree of errors: what each says, carries, and takes along to other processes."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest

from deskim import errors
from deskim.errors import (
    APIError,
    ConnectionFailedError,
    Delivery,
    DeskError,
    MessageError,
    MessageTooLargeError,
    RateLimitError,
    ReplyError,
    ReplyLostError,
    RetryKind,
    ServerError,
    from_code,
)

CLASSES = sorted(
    {cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, DeskError)},
    key=lambda cls: cls.__name__,
)
each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
TREE: dict[type[DeskError], tuple[Delivery, RetryKind]] = {
    DeskError: (Delivery.NOT_SENT, RetryKind.NEVER),
    errors.ConfigurationError: (Delivery.NOT_SENT, RetryKind.NEVER),
    errors.ClientClosedError: (Delivery.NOT_SENT, RetryKind.NEVER),
    MessageError: (Delivery.NOT_SENT, RetryKind.NEVER),
    MessageTooLargeError: (Delivery.NOT_SENT, RetryKind.NEVER),
    ConnectionFailedError: (Delivery.NOT_SENT, RetryKind.TRANSIENT),
    ReplyLostError: (Delivery.UNKNOWN, RetryKind.TRANSIENT),
    ReplyError: (Delivery.UNKNOWN, RetryKind.NEVER),
    APIError: (Delivery.REJECTED, RetryKind.NEVER),
    errors.AuthenticationError: (Delivery.REJECTED, RetryKind.NEVER),
    errors.PermissionDeniedError: (Delivery.REJECTED, RetryKind.NEVER),
    RateLimitError: (Delivery.REJECTED, RetryKind.THROTTLED),
    errors.BadRequestError: (Delivery.REJECTED, RetryKind.NEVER),
    errors.SessionNotFoundError: (Delivery.REJECTED, RetryKind.NEVER),
    errors.AgentUnavailableError: (Delivery.REJECTED, RetryKind.NEVER),
    ServerError: (Delivery.UNKNOWN, RetryKind.TRANSIENT),
}


def made(cls: type[DeskError]) -> DeskError:
    """Make an error with every attribute set."""
    error = cls(
        "it failed",
        code=141002,
        info="Desk's words",
        delivery=Delivery.REJECTED,
        retry=RetryKind.LATER,
        retry_after=1.5,
    )
    error.attempts, error.msg_random, error.resent = 3, 7, True
    if isinstance(error, ReplyError):
        error.status, error.content_type, error.body_head = 502, "text/html", "<html>"
    error.add_note("while sending item 9")
    return error


@pytest.mark.parametrize(("cls", "expected"), TREE.items(), ids=lambda v: getattr(v, "__name__", ""))
def test_each_class_knows_what_it_means(cls: type[DeskError], expected: tuple[Delivery, RetryKind]) -> None:
    """Its delivery and its retry kind, unless one says otherwise."""
    error = cls("x")
    assert expected == (error.delivery, error.retry_kind)
    assert (expected[1] is not RetryKind.NEVER) is error.retryable


@each_class
def test_each_class_survives_pickle_and_copy(cls: type[DeskError]) -> None:
    """All attributes travel, notes included."""
    error = made(cls)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 - our own
        assert (type(error), error.args, vars(error)) == (type(other), other.args, vars(other))
        assert str(error) == str(other)


@each_class
def test_each_class_can_be_made_without_arguments(cls: type[DeskError]) -> None:
    """Nothing is known then: no code, no words, no attempts, no number."""
    error = cls()
    assert (None, "", None, 0, None, False) == (
        error.code,
        error.info,
        error.retry_after,
        error.attempts,
        error.msg_random,
        error.resent,
    )


@each_class
def test_each_class_is_documented_and_exported(cls: type[DeskError]) -> None:
    """The room lists them all, each with a sentence of its own."""
    assert cls.__name__ in errors.__all__
    assert str(cls.__doc__).startswith("Report ")


def test_messages_that_are_refused_are_value_errors_too() -> None:
    """Who checks input by ValueError catches them."""
    assert issubclass(MessageError, ValueError)
    assert issubclass(MessageTooLargeError, MessageError)


def test_the_attempts_are_told_where_there_was_more_than_one() -> None:
    """One attempt goes without saying."""
    error = DeskError("it failed")
    texts = []
    for error.attempts in (0, 1, 2):
        texts.append(str(error))
    assert ["it failed", "it failed", "it failed (after 2 attempts)"] == texts


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (93000, (MessageTooLargeError, Delivery.REJECTED, RetryKind.NEVER, None)),
        (141002, (ServerError, Delivery.UNKNOWN, RetryKind.TRANSIENT, None)),
        (60011, (RateLimitError, Delivery.REJECTED, RetryKind.THROTTLED, None)),
        (70001, (errors.AuthenticationError, Delivery.REJECTED, RetryKind.RENEW, None)),
        (70050, (errors.AuthenticationError, Delivery.REJECTED, RetryKind.LOCKED, 60.0)),
        (125000, (APIError, Delivery.REJECTED, RetryKind.NEVER, None)),
        (424242, (APIError, Delivery.REJECTED, RetryKind.NEVER, None)),
    ],
)
def test_a_code_gives_its_error(code: int, expected: Any) -> None:
    """Class, delivery, retry kind and pause are those of the table."""
    error = from_code(code)
    assert expected == (type(error), error.delivery, error.retry_kind, error.retry_after)
    assert str(code) in str(error)


def test_desks_own_words_are_added() -> None:
    """ErrorInfo stands at the end, and by itself in info."""
    error = from_code(424242, "the reason")
    assert "Desk answered with code 424242, which deskim does not know. Desk says: the reason" == str(error)
    assert "the reason" == error.info


def test_a_kind_of_ones_own_decides() -> None:
    """retry_codes overrides the table, for known and unknown codes."""
    kinds = {141002: RetryKind.NEVER, 424242: RetryKind.TRANSIENT}
    assert [RetryKind.NEVER, RetryKind.TRANSIENT, RetryKind.THROTTLED] == [
        from_code(code, retry_codes=kinds).retry_kind for code in (141002, 424242, 60011)
    ]
