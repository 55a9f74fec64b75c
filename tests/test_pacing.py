"""Waiting for one's turn, in simulated time."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskim._pacing import LocalPacer
from deskim._rate import Lane, Pacer, RateLimit
from tests.support.simulated import run
from tests.test_rate import worst_second


class Race:
    """Start callers of a pacer, and note who starts when."""

    def __init__(self, per_second: float = 10, burst: int = 1) -> None:
        self.loop = asyncio.get_running_loop()
        self.pacer = LocalPacer(RateLimit(per_second, burst), self.loop.time)
        self.started: list[tuple[str, float]] = []

    def enter(self, name: str, lane: Lane = "interactive") -> asyncio.Task[None]:
        """Let a caller wait for its turn."""
        return self.loop.create_task(self._take_part(name, lane))

    async def _take_part(self, name: str, lane: Lane) -> None:
        await self.pacer.acquire(lane)
        self.started.append((name, round(self.loop.time(), 6)))


def test_callers_start_in_turn() -> None:
    """In one lane whoever came first goes first, one in each slot."""

    async def main() -> list[tuple[str, float]]:
        race = Race()
        await asyncio.gather(*(race.enter(name) for name in "abcd"))
        return race.started

    assert [("a", 0.0), ("b", 0.1), ("c", 0.2), ("d", 0.3)] == run(main())


def test_single_sends_pass_a_waiting_batch() -> None:
    """Whoever waits for a screen goes before the batch, also one that came later."""

    async def main() -> list[str]:
        race = Race()
        tasks = [race.enter(name, "batch") for name in ("b1", "b2", "b3")]
        await asyncio.sleep(0.05)
        tasks += [race.enter(name) for name in ("i1", "i2")]
        await asyncio.gather(*tasks)
        return [name for name, _ in race.started]

    assert ["b1", "i1", "i2", "b2", "b3"] == run(main())


def test_nobody_overtakes_those_who_wait() -> None:
    """A slot that is due goes to who waits for it, not to who happens to ask."""

    async def main() -> list[bool]:
        race = Race()
        first = [race.pacer.try_acquire("batch"), race.pacer.try_acquire("batch")]
        waiting = race.enter("b", "batch")
        await asyncio.sleep(0)
        race.pacer._clock = lambda: 5.0
        second = [race.pacer.try_acquire("batch"), race.pacer.try_acquire("interactive")]
        waiting.cancel()
        return first + second

    assert [True, False, False, True] == run(main())


def test_a_caller_that_gives_up_takes_nothing_along() -> None:
    """Those behind it move up, whether or not it was the first."""

    async def main() -> list[tuple[str, float]]:
        race = Race()
        tasks = {name: race.enter(name) for name in "abcde"}
        await asyncio.sleep(0.05)
        tasks["b"].cancel()
        tasks["d"].cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        return race.started

    assert [("a", 0.0), ("c", 0.1), ("e", 0.2)] == run(main())


def test_a_caller_that_gives_up_as_its_slot_comes_passes_it_on() -> None:
    """Between being released and running it may be cancelled: the next one has its slot, not the one after."""

    async def main() -> list[tuple[str, float]]:
        race = Race()
        first, second, third = (race.enter(name) for name in "abc")
        await first
        race.loop.call_at(0.1 + 5e-10, second.cancel)  # in the same turn of the loop as the release
        await asyncio.gather(second, third, return_exceptions=True)
        return race.started

    assert [("a", 0.0), ("c", 0.1)] == run(main())


def test_a_slot_that_nobody_wants_any_more_lapses() -> None:
    """When the last one gives up as its slot comes, nothing is left behind."""

    async def main() -> list[tuple[str, float]]:
        race = Race()
        first, second = (race.enter(name) for name in "ab")
        await first
        race.loop.call_at(0.1 + 5e-10, second.cancel)  # in the same turn of the loop as the release
        await asyncio.gather(second, return_exceptions=True)
        await race.enter("c")
        return race.started

    assert [("a", 0.0), ("c", 0.2)] == run(main())


def test_all_may_give_up() -> None:
    """With nobody left the timer finds nobody, and the next caller starts as if none had waited."""

    async def main() -> list[tuple[str, float]]:
        race = Race()
        tasks = [race.enter(name, lane) for name, lane in (("a", "interactive"), ("b", "batch"), ("c", "interactive"))]
        await asyncio.sleep(0.01)
        for task in tasks[1:]:
            task.cancel()
        await asyncio.sleep(1)
        await race.enter("d", "batch")
        return race.started

    assert [("a", 0.0), ("d", 1.01)] == run(main())


def test_throttling_holds_those_who_wait() -> None:
    """After "too many calls" nobody starts before the time that Desk named, and then at half the rate."""

    async def main() -> list[tuple[str, float]]:
        race = Race()
        tasks = [race.enter(name) for name in "abc"]
        await asyncio.sleep(0)
        race.pacer.slow_down(2.0)
        await asyncio.gather(*tasks)
        return race.started

    (_, first), (_, second), (_, third) = run(main())
    assert (0.0, 2.0) == (first, second)
    assert 2.1 < third <= 2.2


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.floats(0, 0.3), st.sampled_from(["interactive", "batch"]), st.none() | st.floats(0, 1)),
        max_size=40,
    ),
    st.sampled_from([1, 5, 20]),
)
def test_the_promise_holds_however_callers_come_and_go(
    callers: list[tuple[float, Lane, float | None]], burst: int
) -> None:
    """With arrivals and cancellations at any time, each caller starts or gave up, within the rate and the burst."""

    async def main() -> tuple[list[float], int]:
        race = Race(10, burst)
        tasks = []
        for pause, lane, patience in callers:
            await asyncio.sleep(pause)
            tasks.append(race.enter("x", lane))
            if patience is not None:
                race.loop.call_later(patience, tasks[-1].cancel)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        return [at for _, at in race.started], sum(result is None for result in ended)

    starts, started = run(main())
    assert len(starts) == started
    assert worst_second(starts) <= 10 + burst


def test_a_local_pacer_is_a_pacer() -> None:
    """It fits the protocol that callers implement for pacers of their own."""
    assert isinstance(LocalPacer(RateLimit(1), lambda: 0.0), Pacer)


def test_a_pacer_may_be_made_without_a_loop() -> None:
    """Making one, and asking it once, needs no event loop."""
    pacer = LocalPacer(RateLimit(1, 1), lambda: 0.0)
    assert pacer.try_acquire("interactive")
    with pytest.raises(RuntimeError, match="no running event loop"):
        pacer.acquire("interactive").send(None)
