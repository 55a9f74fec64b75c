"""What a batch is handed: its settings, the time, and the two parties that it works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from attrs import Attribute, field, frozen

from deskim._messages import Message, Outcome, SendResult
from deskim.errors import ConfigurationError

OnOutcome: TypeAlias = Callable[[Outcome], object]
#: The message to send, when an earlier attempt of unknown outcome began (wall clock), and whether there was one.
Start: TypeAlias = "tuple[Message, float | None, bool]"


class Sender(Protocol):
    """Send one message, retries inside."""

    async def send(self, message: Message, *, first_sent: float | None = None) -> SendResult:
        """Return what Desk accepted, or raise a ``DeskError`` with its delivery, attempts and ``resent``.

        ``first_sent`` is the wall-clock time of an earlier attempt of unknown outcome: the message may be sent again
        only inside the deduplication window that began then.

        A ``CancelledError`` that passes may carry ``delivery`` and ``attempts``; without them the outcome is unknown.
        """
        ...


class Record(Protocol):
    """Keep on disk what becomes of each item."""

    async def open(self) -> None:
        """Open the file and lock it."""
        ...

    async def claim(self, index: int, message: Message) -> Outcome | Start:
        """Return the outcome of an earlier run, or, once the item is on disk as being sent, how to start."""
        ...

    async def reopen(self, index: int, message: Message) -> None:
        """Put an item that was released on disk as being sent."""
        ...

    def release(self, index: int, message: Message) -> None:
        """Note that an item was not taken by Desk and is waiting."""
        ...

    def settle(self, outcome: Outcome) -> None:
        """Note what became of an item."""
        ...

    async def close(self) -> None:
        """Write what is left to write, and close the file."""
        ...


def _whole_from_1(_: object, attribute: Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{attribute.name} must be a whole number from 1, not {value!r}")


def _count_or_none(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None:
        _whole_from_1(instance, attribute, value)


def _seconds(_: object, attribute: Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ConfigurationError(f"{attribute.name} must be a number of seconds from 0, not {value!r}")


@frozen(kw_only=True)
class BatchSettings:
    """Say how a batch runs.

    :ivar concurrency: how many items are under way at a time.
    :ivar stop_after_failures: after how many failed items to stop; ``None``: never.
    :ivar stop_on_unknown: whether to stop at the first item of unknown outcome.
    :ivar max_outage: how long nothing may get through before the batch stops, in seconds.
    :ivar dedup_window: how long a held item of unknown outcome may be sent again, in seconds; 0: not at all.
    :ivar grace: how long a cancelled batch lets the sends in flight finish, in seconds.
    """

    concurrency: int = field(default=32, validator=_whole_from_1)
    stop_after_failures: int | None = field(default=None, validator=_count_or_none)
    stop_on_unknown: bool = False
    max_outage: float = field(default=300.0, validator=_seconds)
    dedup_window: float = field(default=100.0, validator=_seconds)
    grace: float = field(default=5.0, validator=_seconds)


@frozen
class Times:
    """Hand in the time: a clock for spans, the wall clock, and how to sleep; all in seconds."""

    clock: Callable[[], float]
    wall: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
