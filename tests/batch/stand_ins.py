"""Stand-ins for the parties of a batch: a sender that answers by a script, and time that passes when all wait."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from deskim._batch import Batch, BatchReport, BatchSettings, Times, run_batch
from deskim._messages import Message, SendResult
from deskim.errors import ConnectionFailedError, DeskError, RateLimitError, ReplyLostError, from_code

Answer = Callable[[Message, int], Any]


class FakeTime:
    """Let time pass only when every sleeper has waited for some turns of the loop."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._alarms: list[float] = []

    def clock(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now

    async def sleep(self, seconds: float) -> None:
        if not seconds:
            return await asyncio.sleep(0)
        self.slept.append(seconds)
        alarm = self.now + seconds
        heapq.heappush(self._alarms, alarm)
        try:
            await self._wait_until(alarm)
        finally:
            self._alarms.remove(alarm)
            heapq.heapify(self._alarms)

    async def _wait_until(self, alarm: float) -> None:
        while self.now < alarm:
            for _ in range(20):
                await asyncio.sleep(0)
            if self._alarms[0] == alarm:
                self.now = max(self.now, alarm)

    @property
    def times(self) -> Times:
        return Times(self.clock, self.wall, self.sleep)


class FakeSender:
    """Answer each message as told: a result, an error to raise, or an awaitable of either; by default it is sent."""

    scope = "application 1, administrator"

    def __init__(self, answer: Answer | None = None) -> None:
        self._answer = answer
        self.calls: list[tuple[Message, float | None]] = []
        self.tried: Counter[int] = Counter()
        self.active = self.peak = 0

    @property
    def texts(self) -> list[str]:
        return [text_of(message) for message, _ in self.calls]

    async def send(self, message: Message, *, first_sent: float | None = None) -> SendResult:
        self.calls.append((message, first_sent))
        self.tried[message.msg_random] += 1
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            return await self._answered(message)
        finally:
            self.active -= 1

    async def _answered(self, message: Message) -> SendResult:
        await asyncio.sleep(0)
        said = None if self._answer is None else self._answer(message, self.tried[message.msg_random])
        if hasattr(said, "__await__"):
            said = await said
        if isinstance(said, BaseException):
            if isinstance(said, DeskError):
                said.attempts = said.attempts or 1
            raise said
        return said if isinstance(said, SendResult) else SendResult(message.msg_random, 1, 0.01)

    def encode(self, message: Message) -> bytes:
        return json.dumps(message.to_dict() | {"Key": None}, sort_keys=True).encode()


def text_of(message: Message) -> str:
    """Return the text of a message."""
    return message.elements[0].text  # type: ignore[union-attr]


def messages(count: int, start: int = 0, *, keyed: bool = False) -> list[Message]:
    """Return messages to one user, each with its number as text."""
    return [Message.to_user("u", f"{i}", key=f"k{i}" if keyed else None) for i in range(start, start + count)]


def no_connection() -> ConnectionFailedError:
    """Return the error of a line that is down."""
    return ConnectionFailedError("connection refused")


def lost() -> ReplyLostError:
    """Return the error of a reply that never came."""
    return ReplyLostError("timed out")


def throttled(retry_after: float | None = None) -> RateLimitError:
    """Return the error of a client that is too fast."""
    error = from_code(60011)
    assert isinstance(error, RateLimitError)
    error.retry_after = retry_after
    return error


def by_number(table: dict[int, Any]) -> Answer:
    """Answer by the number that is a message's text; each answer may be made anew by a function."""

    def answer(message: Message, _: int) -> Any:
        said = table.get(int(text_of(message)))
        return said() if callable(said) else said

    return answer


async def send(
    sender: FakeSender,
    items: Any,
    time: FakeTime | None = None,
    record: Any = None,
    on_outcome: Any = None,
    **settings: Any,
) -> BatchReport:
    """Send a batch and return its report."""
    times = (time or FakeTime()).times
    chosen = BatchSettings(**settings)
    return await run_batch(sender, items, settings=chosen, times=times, record=record, on_outcome=on_outcome)


def stream(sender: FakeSender, items: Any, time: FakeTime | None = None, record: Any = None, **settings: Any) -> Batch:
    """Return a batch to be read."""
    return Batch(sender, items, settings=BatchSettings(**settings), times=(time or FakeTime()).times, record=record)


def counts(report: BatchReport) -> dict[str, int]:
    """Return the counts of a report that are not zero."""
    names = ("sent", "rejected", "not_sent", "unknown")
    return {name: number for name in names if (number := getattr(report, name))}
