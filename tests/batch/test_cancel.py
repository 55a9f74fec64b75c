from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from deskim._messages import Message, Outcome
from deskim.errors import Delivery
from tests.batch.stand_ins import FakeSender, counts, messages, send, stream, text_of

pytestmark = pytest.mark.anyio


class Slow:
    """A sender whose messages wait until they are let through."""

    def __init__(self, stuck: set[str] | None = None) -> None:
        self.open, self.stuck = asyncio.Event(), stuck or set()
        self.sender = FakeSender(lambda message, _: self._wait(message))
        self.outcomes: list[Outcome] = []

    async def _wait(self, message: Message) -> None:
        await (asyncio.Event() if text_of(message) in self.stuck else self.open).wait()

    async def under_way(self, count: int) -> None:
        while self.sender.active < count:
            await turns(1)

    def start(self, items: Any, **settings: Any) -> asyncio.Task[Any]:
        return asyncio.create_task(send(self.sender, items, on_outcome=self.outcomes.append, **settings))


async def turns(count: int = 20) -> None:
    """Let others have some turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_cancelled_batch_lets_what_is_in_flight_finish() -> None:
    """No more is taken, the sends under way end as they would have, and the cancellation goes on."""
    slow = Slow()
    batch = slow.start(messages(100), concurrency=4)
    await slow.under_way(4)

    batch.cancel()
    await turns()
    slow.open.set()
    with pytest.raises(asyncio.CancelledError):
        await batch

    assert [Delivery.SENT] * 4 == [o.delivery for o in slow.outcomes]
    assert 4 == len(slow.sender.calls)


async def test_what_does_not_finish_in_time_is_cut_off_and_unknown() -> None:
    """After the grace the sends are cancelled; each is told as UNKNOWN."""
    slow = Slow(stuck={"1", "2"})
    slow.open.set()
    batch = slow.start(messages(3), concurrency=4, grace=0.01)
    await slow.under_way(2)

    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch

    found = {o.index: (o.delivery, str(o.error)) for o in slow.outcomes}
    text = "cancelled while the message was in flight: Desk may have it or not"
    assert {0: (Delivery.SENT, "None"), 1: (Delivery.UNKNOWN, text), 2: (Delivery.UNKNOWN, text)} == found
    assert {1, None} == {o.attempts and (o.error and o.error.attempts) for o in slow.outcomes}


async def test_a_second_cancellation_cuts_off_at_once() -> None:
    """Nobody has to wait for the grace who insists."""
    slow = Slow(stuck={"0"})
    batch = slow.start(messages(3), concurrency=1, grace=1_000_000.0)
    await slow.under_way(1)

    batch.cancel()
    await turns()
    assert not batch.done()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch

    assert [Delivery.UNKNOWN] == [o.delivery for o in slow.outcomes]


async def test_a_cancel_scope_of_anyio_is_kept_from_what_is_in_flight() -> None:
    """Its repeated cancellation does not cut the drain short, and the scope ends as it should."""
    slow = Slow()

    async def open_later() -> None:
        await turns()
        slow.open.set()

    with anyio.CancelScope() as scope:
        opener = asyncio.create_task(open_later())
        scope.cancel()
        await send(slow.sender, messages(50), on_outcome=slow.outcomes.append, concurrency=3)
    await opener

    assert scope.cancelled_caught
    assert [Delivery.SENT] * 3 == [o.delivery for o in slow.outcomes]


async def test_a_timeout_ends_as_a_timeout() -> None:
    """``asyncio.timeout`` around a batch sees its own cancellation."""
    slow = Slow(stuck={"0"})

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await send(slow.sender, messages(3), on_outcome=slow.outcomes.append, concurrency=1, grace=0.0)

    assert [Delivery.UNKNOWN] == [o.delivery for o in slow.outcomes]


async def test_a_callback_that_hangs_is_cut_off_too() -> None:
    """The outcome was counted before; the cancellation ends the wait."""
    entered = asyncio.Event()

    async def hang(_: Outcome) -> None:
        entered.set()
        await asyncio.Event().wait()

    batch = asyncio.create_task(send(FakeSender(), messages(3), on_outcome=hang, concurrency=1, grace=0.0))
    await entered.wait()
    batch.cancel()

    with pytest.raises(asyncio.CancelledError):
        await batch


async def test_a_worker_cancelled_by_a_stranger_ends_the_batch_openly() -> None:
    """Its item is UNKNOWN, and the report says that the batch stopped."""
    slow = Slow()
    before = asyncio.all_tasks()
    batch = slow.start(messages(100), concurrency=2)
    await slow.under_way(2)
    worker = next(t for t in asyncio.all_tasks() - before - {batch} if "_work" in repr(t.get_coro()))

    worker.cancel()
    await turns()
    slow.open.set()
    report = await batch

    assert {"sent": 1, "unknown": 1} == counts(report)
    assert ("a worker was cancelled", 2) == (report.stop_reason, report.stopped_at)


async def test_outcomes_can_be_read_while_the_batch_runs() -> None:
    """Every outcome comes once, and the report is there at any time."""
    batch = stream(FakeSender(), messages(100), concurrency=4)
    assert 0 == batch.report.total

    seen = list[int]()
    async with batch:
        async for outcome in batch:
            seen.append(outcome.index)
            assert batch.report.total >= len(seen)

    assert list(range(100)) == sorted(seen)
    assert ({"sent": 100}, None) == (counts(batch.report), batch.report.stop_reason)


async def test_a_batch_that_nobody_reads_waits() -> None:
    """At most two items a worker are sent before the first outcome is read."""
    sender = FakeSender()
    async with stream(sender, messages(1000), concurrency=4) as batch:
        await turns(200)
        assert 8 == len(sender.calls)
        for _ in range(4):
            await anext(batch)
        await turns(200)
        assert 12 == len(sender.calls)

    assert 12 == batch.report.total


async def test_leaving_early_stops_the_batch() -> None:
    """What is in flight is finished and counted, and the source is not drained."""
    slow = Slow()
    slow.open.set()
    source = iter(messages(100))
    async with stream(slow.sender, source, concurrency=2) as batch:
        async for _ in batch:
            slow.open.clear()
            await slow.under_way(2)
            asyncio.get_running_loop().call_soon(slow.open.set)
            break

    report = batch.report
    assert report.total == report.sent == report.stopped_at == int(text_of(next(source)))
    assert "the block was left" == report.stop_reason


class BodyError(Exception):
    pass


async def test_an_error_in_the_block_goes_on_and_stops_the_batch() -> None:
    """The batch's own end does not hide it."""
    sender = FakeSender()
    batch = stream(sender, messages(100), concurrency=2)

    async def fail() -> None:
        async with batch:
            async for _ in batch:
                raise BodyError

    with pytest.raises(BodyError):
        await fail()

    assert len(sender.calls) == batch.report.sent < 100


@pytest.mark.parametrize("read", [True, False])
async def test_a_bug_in_the_source_surfaces_in_the_block(read: bool) -> None:  # noqa: FBT001
    """It is raised where the outcomes are read, or else when the block is left, and once only."""

    async def source() -> AsyncIterator[Message]:
        yield messages(1)[0]
        raise BodyError

    batch = stream(FakeSender(), source())

    async def use() -> None:
        async with batch:
            await turns()
            if read:
                assert [] != [outcome async for outcome in batch]

    with pytest.raises(BodyError):
        await use()

    assert 1 == batch.report.sent


async def test_cancelling_the_reader_drains_the_batch() -> None:
    """What is in flight finishes within the grace; then the cancellation goes on."""
    slow = Slow()

    async def read() -> None:
        async with stream(slow.sender, messages(100), concurrency=3) as batch:
            slow.batch = batch  # type: ignore[attr-defined]
            async for _ in batch:
                pass

    reader = asyncio.create_task(read())
    await slow.under_way(3)
    reader.cancel()
    await turns()
    slow.open.set()
    with pytest.raises(asyncio.CancelledError):
        await reader

    assert {"sent": 3} == counts(slow.batch.report)  # type: ignore[attr-defined]


async def test_cancelling_while_the_block_is_left_cuts_in() -> None:
    """Leaving waits for what is in flight; a cancellation begins the grace, and another ends it."""
    slow = Slow(stuck={"0"})

    async def leave() -> None:
        async with stream(slow.sender, messages(100), concurrency=1, grace=1_000_000.0) as batch:
            slow.batch = batch  # type: ignore[attr-defined]
            await slow.under_way(1)

    leaver = asyncio.create_task(leave())
    await slow.under_way(1)
    for _ in range(2):
        await turns()
        leaver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaver

    assert {"unknown": 1} == counts(slow.batch.report)  # type: ignore[attr-defined]


async def test_a_batch_is_entered_once_and_before_it_is_read() -> None:
    """The errors say how."""
    batch = stream(FakeSender(), messages(1))
    with pytest.raises(Exception, match="async with"):
        await anext(batch)
    async with batch:
        pass
    with pytest.raises(Exception, match="runs once"):
        await batch.__aenter__()
