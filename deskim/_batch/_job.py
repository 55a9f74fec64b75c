"""One item on its way to its outcome: what happened to it so far, and what that allows."""

from __future__ import annotations

from attrs import define

from deskim._messages import Message, Outcome, SendResult
from deskim.errors import (
    ClientClosedError,
    ConfigurationError,
    ConnectionFailedError,
    Delivery,
    DeskError,
    ReplyLostError,
    RetryKind,
    lookup,
)


@define
class Job:
    """Keep what is known of one item.

    :ivar first_sent: when an attempt of unknown outcome began, by the wall clock; ``None``: there was none.
    :ivar resent: whether it was sent again after such an attempt.
    :ivar on_disk: whether the journal holds it as being sent.
    :ivar failures: how many sends failed, and ``failing_since`` when the first of them did.
    :ivar alone: how many of them failed while other items got through.
    """

    index: int
    message: Message
    first_sent: float | None = None
    resent: bool = False
    on_disk: bool = False
    attempts: int = 0
    failures: int = 0
    failing_since: float = 0.0
    alone: int = 0
    error: DeskError | None = None

    def note(self, error: DeskError, began: float, now: float) -> None:
        """Take in that a send failed; it began at ``began`` by the wall clock."""
        error.__traceback__ = None  # its frames would live as long as the report
        self.resent = self.resent or error.resent or self._was_repeated(error)
        if error.delivery is Delivery.UNKNOWN and self.first_sent is None:
            self.first_sent = began
        if not self.failures:
            self.failing_since = now
        self.failures += 1
        self.attempts += error.attempts
        self.error = error

    def _was_repeated(self, error: DeskError) -> bool:
        return self.first_sent is not None and error.delivery is not Delivery.NOT_SENT

    def repeatable(self, wall: float, window: float) -> bool:
        """Tell whether sending the item cannot show it twice."""
        return self.first_sent is None or 0 <= wall - self.first_sent < window

    def sent(self, result: SendResult) -> Outcome:
        """Return the outcome of an item that Desk accepted."""
        repeated = self.resent or self.first_sent is not None
        return sent(self.index, self.message, result, earlier=self.attempts, resent=repeated)

    def failed(self, error: DeskError) -> Outcome:
        """Return the outcome that ``error`` leads to; a refusal proves nothing about an earlier attempt."""
        return Outcome(
            index=self.index,
            delivery=error.delivery if self.first_sent is None else Delivery.UNKNOWN,
            key=self.message.key,
            message=self.message,
            error=error,
            attempts=self.attempts,
            resent=self.resent,
        )

    def left(self, reason: str) -> Outcome:
        """Return the outcome of an item that was taken and not sent any more."""
        return self.failed(self.error or left_over(self.message, reason))

    def too_late(self) -> Outcome:
        """Return the outcome of an item that may have arrived and can no longer be sent again without a second copy."""
        error = ReplyLostError("not sent again: Desk drops repetitions for a limited time only, and that is over")
        error.msg_random = self.message.msg_random
        return self.failed(self.error or error)

    def cut_off(self, began: float, known: Delivery = Delivery.UNKNOWN, attempts: int = 1) -> Outcome:
        """Return the outcome of an item whose send was cancelled; ``known`` says what is known of that send."""
        if known is Delivery.UNKNOWN:
            error: DeskError = ReplyLostError("cancelled while the message was in flight: Desk may have it or not")
        else:  # another run may send it, whether it waited for its slot or for its next attempt
            text = "cancelled before Desk took the message"
            error = DeskError(text, delivery=Delivery.NOT_SENT, retry=RetryKind.TRANSIENT)
        error.msg_random, error.attempts = self.message.msg_random, attempts
        self.note(error, began, 0.0)
        return self.failed(error)


def sent(index: int, message: Message, result: SendResult, *, earlier: int = 0, resent: bool = False) -> Outcome:
    """Return the outcome of an item that Desk accepted, ``earlier`` attempts included."""
    return Outcome(
        index=index,
        delivery=Delivery.SENT,
        key=message.key,
        message=message,
        result=result,
        attempts=earlier + result.attempts,
        resent=resent or result.resent,
    )


def left_over(message: Message, reason: str) -> DeskError:
    """Return the error of an item that was not sent because the batch stopped."""
    error = DeskError(f"not sent, for the batch stopped: {reason}")
    error.msg_random = message.msg_random
    return error


def can_wait(error: DeskError) -> bool:
    """Tell whether the item may be held: it met no connection, or a limit, and Desk did not take it this time."""
    return error.retry_kind is RetryKind.THROTTLED or isinstance(error, ConnectionFailedError)


def shows_outage(error: DeskError) -> bool:
    """Tell whether a failure says more about the connection or the service than about its message."""
    return error.retry_kind in {RetryKind.TRANSIENT, RetryKind.THROTTLED}


def is_fatal(error: DeskError) -> bool:
    """Tell whether every later item would fail for the same reason."""
    row = None if error.code is None else lookup(error.code)
    return (row is not None and row.fatal) or isinstance(error, ConfigurationError | ClientClosedError)
