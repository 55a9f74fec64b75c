from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from deskim._batch import BatchSettings
from deskim._batch._delivery import Deliverer
from deskim._batch._halt import Halt
from deskim._batch._job import Job
from deskim._batch._outage import Outage, pause_after
from deskim._messages import Message, Outcome
from deskim.errors import ConnectionFailedError, Delivery, DeskError, ReplyError, RetryKind, from_code
from tests.batch.stand_ins import (
    FakeSender,
    FakeTime,
    by_number,
    counts,
    lost,
    messages,
    no_connection,
    send,
    text_of,
    throttled,
)

pytestmark = pytest.mark.anyio


class Line:
    """A server that is gone from one time to another."""

    def __init__(self, time: FakeTime, gone_from: float, gone_for: float, error: Any = no_connection) -> None:
        self._time, self._error = time, error
        self._from, self._to = time.now + gone_from, time.now + gone_from + gone_for
        self.in_vain = list[float]()
        self.sender = FakeSender(self._answer)

    async def _answer_in_time(self, message: Message) -> Any:
        if self._from <= self._time.now < self._to:
            self.in_vain.append(self._time.now)
            return self._error()
        await self._time.sleep(0.1)
        return None

    def _answer(self, message: Message, _: int) -> Any:
        return self._answer_in_time(message)


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("error", [no_connection, throttled])
async def test_a_batch_survives_a_minute_without_its_server(concurrency: int, error: Any) -> None:
    """Nothing is reported failed, everything is sent in the end, and few probes are made."""
    time = FakeTime()
    line = Line(time, 1.0, 60.0, error)
    outcomes = list[Outcome]()

    report = await send(line.sender, messages(200), time, on_outcome=outcomes.append, concurrency=concurrency)

    assert {"sent": 200} == counts(report)
    assert (200, None) == (len(outcomes), report.stop_reason)
    assert len(line.in_vain) <= concurrency + 8
    assert not any(o.resent for o in outcomes)


async def test_one_probe_is_made_at_a_time() -> None:
    """While the batch holds, a single item tries, after ever longer pauses."""
    time = FakeTime()
    line = Line(time, 0.0, 100.0)

    await send(line.sender, messages(40), time, concurrency=8)

    probes = line.in_vain[8:]
    pauses = [round(later - earlier) for earlier, later in itertools.pairwise(probes)]
    assert sorted(pauses) == pauses
    assert {1, 2, 4, 8, 15} >= set(pauses)
    assert max(pauses) == 15


async def test_held_items_are_few() -> None:
    """The source waits while the batch holds."""
    time = FakeTime()
    line = Line(time, 0.0, 10_000.0)
    source = iter(messages(100))

    report = await send(line.sender, source, time, concurrency=8)

    assert 8 == report.total == int(text_of(next(source)))


async def test_after_max_outage_the_batch_stops_and_says_so() -> None:
    """The held items are NOT_SENT, with the last reason."""
    time = FakeTime()
    line = Line(time, 1.0, 10_000.0)
    began = time.now

    report = await send(line.sender, messages(1000), time, concurrency=4, max_outage=120.0)

    assert {"sent": 40, "not_sent": 4} == counts(report)
    assert 40 <= report.stopped_at < 44  # type: ignore[operator]
    assert "nothing got through for 120 s, the last time because: connection refused" == report.stop_reason
    assert {ConnectionFailedError} == {type(o.error) for o in report.failures}
    assert 121.0 <= time.now - began <= 122.5


async def test_without_patience_the_first_failure_stops() -> None:
    """``max_outage=0`` holds nothing."""
    report = await send(FakeSender(lambda *_: no_connection()), messages(9), concurrency=1, max_outage=0)

    assert ({"not_sent": 1}, 0) == (counts(report), report.stopped_at)


async def test_an_item_that_alone_is_refused_does_not_hold_the_others_up() -> None:
    """One recipient is throttled for good: the rest is sent at once, and the item ends after ``max_outage``."""
    time = FakeTime()

    async def slowly(message: Message) -> DeskError | None:
        await time.sleep(0.1)
        return throttled() if text_of(message) == "0" else None

    report = await send(FakeSender(lambda m, _: slowly(m)), messages(800), time, concurrency=8, max_outage=5.0)

    assert {"sent": 799, "rejected": 1} == counts(report)
    assert None is report.stop_reason


async def test_the_pause_that_desk_asks_for_is_kept() -> None:
    """A ``retry_after`` longer than the pause is waited for, by an item alone and by a probe."""
    time = FakeTime()
    sender = FakeSender(lambda _, tried: throttled(30.0) if tried < 4 else None)

    await send(sender, messages(1), time, concurrency=1)

    assert [30.0, 1.0, 30.0] == time.slept


async def test_a_late_answer_does_not_end_the_hold() -> None:
    """Only the probe's success lifts the hold; a request from before it that succeeds late proves nothing."""
    outage = Outage(300.0)
    outage.failed(0, 0.0, 2)
    outage.failed(1, 0.5, 2)

    outage.got_through(probe=False)

    assert (True, 1.0) == (outage.held, outage.wait(0.5))
    outage.got_through(probe=True)
    assert (False, 0) == (outage.held, outage.failures)


def test_a_success_ends_a_suspicion() -> None:
    """Failures count as an outage only when nothing got through between them."""
    outage = Outage(300.0)
    for _ in range(5):
        outage.failed(0, 0.0, 2)
        outage.got_through(probe=False)

    assert not outage.held


def test_the_pauses_double_up_to_a_limit() -> None:
    """Probes stay few in a long outage."""
    assert [1.0, 2.0, 4.0, 8.0, 15.0, 15.0] == [pause_after(n, None) for n in range(1, 7)]
    assert 15.0 == pause_after(10_000, None)
    assert 60.0 == pause_after(1, 60.0)


def lost_then_refused() -> ConnectionFailedError:
    """Return what the sender raises when a reply was lost and then no connection came about."""
    error = no_connection()
    error.delivery, error.attempts = Delivery.UNKNOWN, 6
    return error


async def test_an_item_lost_when_the_server_went_is_sent_again_inside_the_window() -> None:
    """It keeps the time of its first attempt, and its outcome says that it was sent again."""
    time = FakeTime()
    began = time.wall()
    sender = FakeSender(lambda _, tried: lost_then_refused() if tried < 4 else None)
    outcomes = list[Outcome]()

    await send(sender, messages(1), time, on_outcome=outcomes.append, concurrency=1, dedup_window=100.0)

    assert [None, began, began, began] == [first for _, first in sender.calls]
    assert [(Delivery.SENT, True, 19)] == [(o.delivery, o.resent, o.attempts) for o in outcomes]


@pytest.mark.parametrize(("window", "sends"), [(5.0, 4), (0.0, 1)])
async def test_after_the_window_it_is_unknown(window: float, sends: int) -> None:
    """Outside of the window the item is not sent again, whatever the line does."""
    sender = FakeSender(lambda *_: lost_then_refused())

    report = await send(sender, messages(1), concurrency=1, dedup_window=window)

    assert ({"unknown": 1}, sends) == (counts(report), len(sender.calls))


async def test_a_refusal_after_a_lost_reply_leaves_the_item_unknown() -> None:
    """The first attempt may have arrived before the session ended."""
    sender = FakeSender(lambda _, tried: lost_then_refused() if tried == 1 else from_code(141005))

    report = await send(sender, messages(1))

    assert {"unknown": 1} == counts(report)
    assert (141005, True) == (report.failures[0].error.code, report.failures[0].resent)  # type: ignore[union-attr]


def unavailable() -> ReplyError:
    """Return the error of a gateway whose service is gone."""
    return ReplyError("HTTP 502", retry=RetryKind.TRANSIENT)


@pytest.mark.parametrize("error", [lost, unavailable])
@pytest.mark.parametrize("concurrency", [2, 8, 32])
async def test_what_an_outage_catches_is_sent_inside_the_window(concurrency: int, error: Any) -> None:
    """A minute of unknown outcomes leaves none: the items wait, and go out again with what is known of them."""
    time = FakeTime()
    line = Line(time, 1.0, 60.0, error)
    began = time.wall() + 0.9
    outcomes = list[Outcome]()

    report = await send(line.sender, messages(400), time, on_outcome=outcomes.append, concurrency=concurrency)

    assert {"sent": 400} == counts(report)
    assert concurrency == sum(o.resent for o in outcomes)
    assert len(line.in_vain) <= 2 * concurrency + 8
    assert all(first >= began for _, first in line.sender.calls if first is not None)


async def test_what_an_outage_catches_is_unknown_when_the_window_closes() -> None:
    """An outage longer than the window costs what was under way, and what the probes tried too long before its end."""
    time = FakeTime()
    line = Line(time, 1.0, 150.0, lost)

    report = await send(line.sender, messages(400), time, concurrency=8)

    assert {"sent": 392, "unknown": 8} == counts(report)
    assert None is report.stop_reason


async def test_an_outage_of_unknown_outcomes_stops_after_max_outage() -> None:
    """The last reason stands in the report; held items that no probe tried are not sent."""
    time = FakeTime()
    line = Line(time, 1.0, 10_000.0, lost)

    report = await send(line.sender, messages(1000), time, concurrency=4)

    assert "nothing got through for 300 s, the last time because: timed out" == report.stop_reason
    assert 40 == report.sent
    assert 4 < report.unknown < 4 + 200 / 15 + 1


async def test_an_item_that_fails_alone_is_told_of_soon() -> None:
    """Its own poison costs three tries and some seconds, and the others do not wait."""
    time = FakeTime()

    async def answer(message: Message) -> DeskError | None:
        await time.sleep(0.1)
        return unavailable() if text_of(message) == "0" else None

    sender = FakeSender(lambda m, _: answer(m))
    report = await send(sender, messages(800), time, concurrency=8)

    assert {"sent": 799, "unknown": 1} == counts(report)
    assert (3, True) == (report.failures[0].attempts, report.failures[0].resent)
    assert time.now - 1000.0 < 15.0


@pytest.mark.parametrize("last", [False, True])
async def test_a_poisonous_item_without_others_ends_before_the_window(last: bool) -> None:  # noqa: FBT001 - a case
    """With nothing else to compare it with, it gets half a minute, be it the only one under way or the last."""
    time = FakeTime()
    sender = FakeSender(lambda m, _: unavailable() if text_of(m) == ("9" if last else "0") else None)

    report = await send(sender, messages(10), time, concurrency=8 if last else 1)

    assert {"sent": 9, "unknown": 1} == counts(report)
    assert (6, None) == (report.failures[0].attempts, report.stop_reason)
    assert 30.0 <= time.now - 1000.0 < 50.0


async def test_one_worker_loses_one_item_to_a_long_outage() -> None:
    """Its first item may be at fault; from the second on it is an outage, which the items wait out."""
    time = FakeTime()
    line = Line(time, 1.0, 120.0, lost)

    report = await send(line.sender, messages(100), time, concurrency=1)

    assert {"sent": 99, "unknown": 1} == counts(report)


async def test_without_a_window_nothing_is_held_that_may_have_arrived() -> None:
    """Whoever allows no repetition learns of each item at once."""
    sender = FakeSender(by_number({3: lost}))

    report = await send(sender, messages(10), dedup_window=0.0)

    assert ({"sent": 9, "unknown": 1}, 10) == (counts(report), len(sender.calls))


async def test_a_service_that_comes_back_in_fits_and_starts_loses_nothing() -> None:
    """Items of an outage are not taken for poison when every third call fails after it."""
    time = FakeTime()
    turn = itertools.count()

    async def answer() -> DeskError | None:
        await time.sleep(0.1)
        return lost() if time.now < 1040.0 or (time.now < 1060.0 and not next(turn) % 3) else None

    report = await send(FakeSender(lambda *_: answer()), messages(400), time, concurrency=8)

    assert {"sent": 400} == counts(report)


async def test_a_stop_lets_go_of_held_items() -> None:
    """They end with their last error, and are not sent any more."""
    time = FakeTime()
    fatal = asyncio.Event()

    async def answer(message: Message) -> DeskError | None:
        if text_of(message) == "0":
            await fatal.wait()
            return from_code(60020)
        if len(time.slept) > 3:
            fatal.set()
        return no_connection()

    report = await send(FakeSender(lambda m, _: answer(m)), messages(100), time, concurrency=4)

    assert ({"rejected": 1, "not_sent": 3}, 0) == (counts(report), report.stopped_at)


def test_what_ends_the_program_is_not_kept_as_an_outcome() -> None:
    """An interrupt raised in a send goes on."""
    settings, halt = BatchSettings(), Halt()
    deliverer = Deliverer(FakeSender(), settings, FakeTime().times, None, halt)

    with pytest.raises(KeyboardInterrupt):
        deliverer.caught(Job(0, messages(1)[0]), KeyboardInterrupt(), 0.0)

    assert None is halt.stop


async def test_a_rejection_shows_that_the_line_works() -> None:
    """Any answer of Desk's ends a hold, a refusal of the one message included."""
    answers = by_number({0: lambda: from_code(141005)})
    sender = FakeSender(lambda m, tried: no_connection() if tried < 3 else answers(m, tried))

    report = await send(sender, messages(3), concurrency=3)

    assert {"sent": 2, "rejected": 1} == counts(report)
