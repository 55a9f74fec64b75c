from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from deskim import Message, Outcome
from deskim.errors import ConfigurationError, Delivery
from deskim.testing import FakeDesk

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"deadline": 0}, "deadline must be a number of seconds above 0, not 0"),
        ({"deadline": "5"}, "deadline must be a number of seconds above 0, not '5'"),
        ({"journal": 5}, "journal must be the path of a file, not 5"),
        ({"concurrency": 0}, "concurrency must be a whole number from 1, not 0"),
        ({"stop_after_failures": 0}, "stop_after_failures must be a whole number from 1, not 0"),
        ({"max_outage": -1}, "max_outage must be a number of seconds from 0, not -1"),
        ({"on_unknown": "ask"}, "on_unknown must be "),
        ({"on_outcome": []}, "on_outcome must be a function that takes an Outcome, not []"),
    ],
)
async def test_settings_that_cannot_work_are_refused_before_an_item_is_taken(
    settings: dict[str, Any], words: str
) -> None:
    """A mistake in the settings costs no message."""
    desk, messages = FakeDesk(), iter([Message.to_session("session", "text")])
    async with desk.client() as client:
        with pytest.raises(ConfigurationError) as caught:
            await client.send_batch(messages, **settings)
    assert str(caught.value).startswith(words)
    assert (1, 0) == (len(list(messages)), len(desk.requests))


async def test_a_batch_that_is_read_refuses_them_when_it_is_made() -> None:
    """It is too late to say so inside the block."""
    async with FakeDesk().client() as client:
        with pytest.raises(ConfigurationError, match="deadline must be"):
            client.batch([], deadline=-1.0)


class OneSlot:
    """Let one call through, and no other."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(1)

    async def acquire(self, lane: str) -> None:
        await self._slots.acquire()

    def slow_down(self, retry_after: float | None) -> None:
        raise AssertionError(retry_after)


async def test_what_waits_for_its_slot_when_the_batch_is_cancelled_was_not_sent(tmp_path: Path) -> None:
    """Nothing of it left, so a later run sends it, however much later."""
    desk, outcomes, first = FakeDesk(), list[Outcome](), asyncio.Event()

    def note(outcome: Outcome) -> None:
        outcomes.append(outcome)
        first.set()

    messages, journal = [Message.to_session("session", f"{n}") for n in range(9)], tmp_path / "batch.journal"
    async with desk.client(rate_limit=OneSlot()) as client:
        run = asyncio.create_task(client.send_batch(messages, journal=journal, on_outcome=note))
        await first.wait()
        for _ in range(2):  # the second time it waits no longer
            run.cancel()
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await run
    assert {Delivery.SENT: 1, Delivery.NOT_SENT: 8} == Counter(outcome.delivery for outcome in outcomes)
    assert {0} == {outcome.attempts for outcome in outcomes if outcome.error}

    async with desk.client(retry=None) as client:
        report = await client.send_batch(messages, journal=journal)
    assert (9, {f"{n}" for n in range(9)}) == (report.sent, {message.text for message in desk.messages})
    assert 9 == len(desk.requests)
