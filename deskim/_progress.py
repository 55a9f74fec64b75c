"""One call as a value, how far it has come, and what is said of an attempt that came too late to begin."""

from __future__ import annotations

from typing import Any

from attrs import define

from deskim import errors
from deskim._messages import SendResult
from deskim._protocol import Signature
from deskim._rate import Lane as Queue
from deskim.errors import Delivery, DeskError, RetryKind


@define
class Request:
    """Hold one call, encoded: the same bytes go out at each attempt."""

    path: str
    body: bytes
    queue: Queue = "interactive"
    repeatable: bool = False
    msg_random: int | None = None
    first_sent: float | None = None
    """When an earlier run made the first attempt, in Unix time."""


@define
class Progress:
    """Keep track of one call: what was tried, since when, and whether an attempt may have been taken."""

    started: float
    ends: float
    first_attempt: float | None = None
    attempts: int = 0
    retries: int = 0
    tainted: bool = False
    resent: bool = False
    renewed: bool = False
    in_flight: bool = False
    """Whether an attempt is under way whose answer is not in."""
    over: bool = False
    """Whether no further attempt may begin."""
    signature: Signature | None = None
    failure: DeskError | None = None
    """How the last attempt ended."""

    @property
    def known(self) -> Delivery:
        """Return what is known of the message if nothing further is done."""
        if self.tainted or self.in_flight:
            return Delivery.UNKNOWN
        return Delivery.NOT_SENT if self.failure is None else self.failure.delivery


@define
class Answer:
    """Hold a call that succeeded: Desk's reply, and what it took."""

    envelope: dict[str, Any]
    attempts: int
    elapsed: float
    resent: bool

    def of_message(self, msg_random: int) -> SendResult:
        """Return it as what the sender of a message gets to know."""
        key = self.envelope.get("MsgKey")
        msg_key = key if isinstance(key, str) else None
        return SendResult(msg_random, self.attempts, self.elapsed, msg_key, self.envelope, self.resent)


class NotBegunError(Exception):
    """Stop before an attempt that would begin too late: what is known from an earlier one tells more."""

    def __init__(self, error: DeskError) -> None:
        super().__init__()
        self.error = error


def no_slot() -> DeskError:
    """Return the error for a wait that outlasted the deadline."""
    return errors.RateLimitError(
        "no slot of the client's own pacing came up before the deadline; nothing was sent: "
        "send less at once, raise rate_limit, or give the call a longer deadline",
        delivery=Delivery.NOT_SENT,
    )


def no_usersig() -> DeskError:
    """Return the error for a provider that outlasted the deadline."""
    return errors.ConfigurationError("the usersig provider gave nothing before the deadline; nothing was sent")


def too_late() -> DeskError:
    """Return the error for a deadline that passed before the first attempt."""
    return errors.ConnectionFailedError("the deadline passed before anything was sent", retry=RetryKind.LATER)


def outside_window(window: float) -> DeskError:
    """Return the error for a repetition that came too late; an earlier attempt leaves the delivery unknown."""
    return errors.ReplyLostError(
        f"not sent again: {window:g} s after its first attempt Desk might show the message twice", retry=RetryKind.NEVER
    )
