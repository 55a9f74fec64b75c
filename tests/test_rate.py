"""The arithmetic of pacing, on a simulated clock."""

from __future__ import annotations

import itertools
import math
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deskim._rate import Lane, RateLimit, RateState
from deskim.errors import ConfigurationError

LANES: tuple[Lane, ...] = get_args(Lane)
steps = st.tuples(
    st.sampled_from([0.0, 0.001, 0.005, 0.05, 0.5, 1.0, 20.0]) | st.floats(0, 3),
    st.sampled_from([*LANES, "throttled"]),
    st.integers(1, 30),
)


def worst_second(starts: list[float]) -> int:
    """Return how many calls started in the worst sliding second, its end left out."""
    return max((sum(1 for t in starts if first <= t < first + 1 - 1e-9) for first in starts), default=0)


def greedy(state: RateState, pattern: list[tuple[float, str, int]]) -> list[float]:
    """Let callers arrive as the pattern says, each starting as early as the state allows."""
    now, starts = 1000.0, []
    for pause, lane, calls in pattern:
        now += pause
        for _ in range(calls):
            if lane == "throttled":
                state.slow_down(now, None)
                break
            now += max(0.0, state.wait(now, lane))  # type: ignore[arg-type]
            state.take(now)
            starts.append(now)
    return starts


@given(st.lists(steps, max_size=30), st.sampled_from([0.5, 1.0, 7.3, 20.0, 190.0]), st.sampled_from([1, 2, 5, 40]))
@example([(0.0, "interactive", 400)], 190.0, 5)
@example([(0.0, "batch", 400), (1.0, "interactive", 400)], 190.0, 5)
@example([(0.0, "throttled", 1), (2.5, "batch", 1), (0.99, "interactive", 600)], 20.0, 400)
@example([(0.0, "throttled", 1), (2.0, "batch", 1), (0.9, "interactive", 30), (0.0, "interactive", 30)], 1.0, 40)
@example([(0.0, "interactive", 30), (0.0, "throttled", 1), (0.5, "interactive", 30)], 0.5, 40)
def test_no_second_has_more_than_the_rate_and_the_burst(
    pattern: list[tuple[float, str, int]], per_second: float, burst: int
) -> None:
    """However both lanes arrive, and whatever is throttled between, a sliding second stays within the promise."""
    starts = greedy(RateState(RateLimit(per_second, burst)), pattern)
    assert worst_second(starts) <= per_second + burst


def test_the_average_is_the_rate() -> None:
    """A thousand calls that all wait take a thousand slots' time, but for the burst."""
    starts = greedy(RateState(RateLimit(100, burst=5)), [(0.0, "interactive", 1000)])
    assert pytest.approx((1000 - 5) / 100) == starts[-1] - starts[0]


@pytest.mark.parametrize(("lane", "at_once"), [("interactive", 5), ("batch", 3)])
def test_the_burst_is_mostly_for_single_sends(lane: Lane, at_once: int) -> None:
    """After a rest a single send finds the whole burst, a batch half of it, for calls that come late."""
    starts = greedy(RateState(RateLimit(100, burst=5)), [(0.0, lane, 20)])
    assert at_once == starts.count(starts[0])
    assert pytest.approx(0.01) == starts[-1] - starts[-2]


def test_without_a_burst_calls_are_spaced() -> None:
    """burst=1 starts one call a slot, in both lanes."""
    starts = greedy(RateState(RateLimit(10, burst=1)), [(0.0, "interactive", 3), (0.0, "batch", 3)])
    assert pytest.approx([0.1] * 5) == [b - a for a, b in itertools.pairwise(starts)]


def test_single_sends_come_before_a_batch() -> None:
    """While a batch keeps the slots busy, a single send may still start at once."""
    state = RateState(RateLimit(100, burst=5))
    greedy(state, [(0.0, "batch", 50)])
    now = 1000.0 + 47 / 100
    assert state.wait(now, "batch") > 0
    assert state.wait(now, "interactive") <= 0


def test_who_gives_up_takes_nothing_along() -> None:
    """Asking does not take: a slot is taken when it is used."""
    state = RateState(RateLimit(1, burst=1))
    state.take(0.0)
    assert [1.0] * 10 == [state.wait(0.0, "interactive") for _ in range(10)]


def test_a_slot_may_be_taken_from_the_moment_it_is_due() -> None:
    """Not before it, nor only after it."""
    state = RateState(RateLimit(1, burst=1))
    assert state.try_take(0.0, "batch")
    assert not state.try_take(0.999, "batch")
    assert state.try_take(1.0, "batch")


def test_only_a_single_send_may_take_ahead_of_the_slots() -> None:
    """Where a batch has to wait for the next slot, a single send finds some of the burst left."""
    state = RateState(RateLimit(1, burst=5))
    assert [True] * 3 == [state.try_take(0.0, "batch") for _ in range(3)]
    assert not state.try_take(0.0, "batch")
    assert state.try_take(0.0, "interactive")


def test_throttling_halves_the_rate_at_most_twice_a_second() -> None:
    """Many refusals at once count as one; the rate keeps a fiftieth, and regrows."""
    state = RateState(RateLimit(200))
    for _ in range(50):
        state.slow_down(0.0, None)
    assert 100.0 == state.rate(0.0)
    state.slow_down(0.5, None)
    assert 50 < state.rate(0.5) < 60
    for n in range(100):
        state.slow_down(1.0 + n / 2, None)
    assert 4.0 <= state.rate(50.5) < 5.0
    assert 200.0 == state.rate(100.0)
    assert 200.0 == state.rate(math.inf)


@given(st.floats(0, 100), st.floats(0, 100))
def test_the_rate_only_regrows(early: float, late: float) -> None:
    """Between two refusals the rate never falls, and never exceeds the limit."""
    state = RateState(RateLimit(200))
    state.slow_down(0.0, None)
    first, second = sorted((early, late))
    assert 100.0 <= state.rate(first) <= state.rate(second) <= 200.0


@pytest.mark.parametrize(("retry_after", "held"), [(None, 0.5), (3.0, 3.0), (0.0, 0.0), (10.0**9, 120.0)])
def test_throttling_holds_all_calls(retry_after: float | None, held: float) -> None:
    """For a moment, or for what Retry-After says; two minutes at most, for one reply must not silence a client."""
    state = RateState(RateLimit(200))
    state.slow_down(50.0, retry_after)
    assert [held, held] == [max(0.0, state.wait(50.0, lane)) for lane in LANES]


def test_a_shorter_hold_does_not_lift_a_longer_one() -> None:
    """What one reply forbade, the next one does not allow."""
    state = RateState(RateLimit(200))
    state.slow_down(0.0, 10.0)
    state.slow_down(1.0, 1.0)
    assert 9.0 == state.wait(1.0, "interactive")


@pytest.mark.parametrize("per_second", [0.001, 1_000_000])
@pytest.mark.parametrize("burst", [1, 1_000_000])
def test_the_outermost_limits_work(per_second: float, burst: int) -> None:
    """From a call in a quarter of an hour to a million a second."""
    limit = RateLimit(per_second, burst)
    assert (per_second, burst) == (limit.per_second, limit.burst)
    assert RateState(limit).try_take(0.0, "interactive")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: RateLimit(0), "RateLimit.per_second must be a number from 0.001, not 0"),
        (lambda: RateLimit(-1), "RateLimit.per_second must be a number from 0.001, not -1"),
        (lambda: RateLimit(True), "RateLimit.per_second must be a number from 0.001, not True"),  # noqa: FBT003
        (lambda: RateLimit("190"), "RateLimit.per_second must be a number from 0.001, not '190'"),  # type: ignore[arg-type]
        (lambda: RateLimit(math.nan), "RateLimit.per_second must be a number from 0.001, not nan"),
        (lambda: RateLimit(math.inf), "RateLimit.per_second must be a number from 0.001, not inf"),
        (lambda: RateLimit(10**400), "RateLimit.per_second must be a number from 0.001, not 1000"),
        (lambda: RateLimit(190, 0), "RateLimit.burst must be a whole number from 1, not 0"),
        (lambda: RateLimit(190, 1.5), "RateLimit.burst must be a whole number from 1, not 1.5"),  # type: ignore[arg-type]
        (lambda: RateLimit(190, True), "RateLimit.burst must be a whole number from 1, not True"),  # noqa: FBT003
    ],
    ids=[str(n) for n in range(10)],
)
def test_limits_that_cannot_work(make: Any, text: str) -> None:
    """Each wrong setting is refused by name."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert text in str(caught.value)
