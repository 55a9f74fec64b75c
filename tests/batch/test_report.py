from __future__ import annotations

import copy
import pickle

import pytest

from deskim._batch import BatchReport
from deskim._batch._report import Tally
from deskim._messages import Outcome
from deskim.errors import Delivery, DeskError, RateLimitError, SessionNotFoundError, from_code
from tests.batch.stand_ins import FakeSender, by_number, messages, send, throttled


def test_every_item_is_counted_once() -> None:
    """A report whose counts do not add up cannot be made."""
    with pytest.raises(ValueError, match="3 items, but 1 sent, 1 rejected, 0 not sent, 0 unknown"):
        BatchReport(total=3, sent=1, rejected=1, not_sent=0, unknown=0)


def test_the_first_thousand_failures_are_kept() -> None:
    """The counts go on."""
    tally = Tally()
    for index in range(1500):
        tally.count(Outcome(index=index, delivery=Delivery.UNKNOWN, error=DeskError("x")))
    report = tally.report(None, 1.5)

    assert (1500, 1500, 1.5) == (report.total, report.unknown, report.elapsed)
    assert list(range(1000)) == [o.index for o in report.failures]


@pytest.mark.anyio
async def test_failures_can_be_raised_together() -> None:
    """The group holds each error, so that ``except*`` picks by class, and its text has the counts."""
    answers = by_number({1: lambda: from_code(141005), 2: lambda: from_code(90001)})
    report = await send(FakeSender(answers), messages(4))

    with pytest.raises(ExceptionGroup, match="not every item was sent: 2 sent, 2 rejected, 0 not sent, 0 unknown") as e:
        report.raise_for_failures()

    assert {SessionNotFoundError, type(from_code(90001))} == {type(error) for error in e.value.exceptions}


@pytest.mark.anyio
async def test_a_batch_that_stopped_without_a_failure_raises_too() -> None:
    """Not every item was sent, after all."""
    report = BatchReport(
        total=1, sent=1, rejected=0, not_sent=0, unknown=0, stopped_at=1, stop_reason="the block was left"
    )

    with pytest.raises(ExceptionGroup) as caught:
        report.raise_for_failures()

    assert ["the batch stopped at item 1: the block was left"] == [str(error) for error in caught.value.exceptions]


@pytest.mark.anyio
async def test_a_report_is_a_value() -> None:
    """It compares, copies and pickles, errors included."""
    report = await send(FakeSender(lambda *_: throttled()), messages(2), max_outage=0, concurrency=1)

    again = pickle.loads(pickle.dumps(report))  # noqa: S301 - our own bytes
    assert report == copy.copy(report)
    assert (report.total, report.stop_reason) == (again.total, again.stop_reason)
    assert [RateLimitError] == [type(o.error) for o in again.failures]
