"""Whether to try again, and after which pause."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskim._retry import CallState, RetryBudget, RetryPolicy, decide
from deskim.errors import (
    ConfigurationError,
    Delivery,
    DeskError,
    RateLimitError,
    ReplyLostError,
    RetryKind,
    ServerError,
    from_code,
)

POLICY = RetryPolicy()
LOST = ReplyLostError("lost")


def full() -> float:
    """Draw the upper end, nearly: pauses are then as long as they may be."""
    return 1.0


def call(**changes: Any) -> CallState:
    """Describe a message whose first attempt has just failed, its fate unknown."""
    facts: dict[str, Any] = {
        "repeatable": False,
        "deduplicated": True,
        "attempts": 1,
        "elapsed": 0.5,
        "left": 29.5,
        "tainted": True,
    }
    return CallState(**{**facts, **changes})


def decided(error: DeskError, policy: RetryPolicy | None = POLICY, **changes: Any) -> float | None:
    """Decide with a full budget and the longest pauses."""
    return decide(policy, call(**changes), error, RetryBudget(), full)


@pytest.mark.parametrize(
    ("kind", "pauses"),
    [
        (RetryKind.TRANSIENT, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]),
        (RetryKind.THROTTLED, [1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]),
    ],
)
def test_pauses_double_up_to_their_cap(kind: RetryKind, pauses: list[float]) -> None:
    """Each pause is drawn from 0 to twice the one before, and no longer than the cap."""
    assert pauses == [POLICY.pause(kind, attempt, full) for attempt in range(1, len(pauses) + 1)]
    assert 0.0 == POLICY.pause(kind, 1, lambda: 0.0)
    assert pauses[-1] == POLICY.pause(kind, 10**6, full)


@pytest.mark.parametrize("kind", list(RetryKind))
def test_only_passing_faults_and_throttling_are_repeated(kind: RetryKind) -> None:
    """What is permanent, needs people, a new signature or a minute is not for the pause to mend."""
    expected = {RetryKind.TRANSIENT: 0.1, RetryKind.THROTTLED: 1.0}.get(kind)
    assert expected == decided(DeskError("x", retry=kind))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 0.1),
        ({"attempts": 5}, 1.6),
        ({"attempts": 6}, None),
        ({"left": 0.1}, None),
        ({"left": 0.11}, 0.1),
        ({"elapsed": 99.8}, 0.1),
        ({"elapsed": 99.9}, None),
        ({"elapsed": 500.0, "tainted": False}, 0.1),
        ({"elapsed": 500.0, "repeatable": True}, 0.1),
        ({"deduplicated": False}, None),
        ({"deduplicated": False, "tainted": False}, 0.1),
        ({"deduplicated": False, "repeatable": True}, 0.1),
    ],
    ids=str,
)
def test_when_a_passing_fault_is_repeated(changes: dict[str, Any], expected: float | None) -> None:
    """Within the attempts, the deadline and, where the fate is unknown, the window in which Desk drops repetitions."""
    assert expected == decided(LOST, **changes)


def test_an_unknown_fate_may_be_left_alone() -> None:
    """With retry_unknown=False only what surely did not happen is repeated."""
    careful = RetryPolicy(retry_unknown=False)
    assert decided(LOST, careful) is None
    assert 0.1 == decided(LOST, careful, tainted=False)


def test_without_a_policy_nothing_is_repeated() -> None:
    """retry=None means one attempt."""
    assert decided(LOST, None) is None


@pytest.mark.parametrize(
    ("retry_after", "left", "expected"),
    [
        (7.0, 29.5, 7.0),
        (None, 29.5, 1.0),
        (0.0, 29.5, 1.0),
        (120.0, 500.0, 120.0),
        (120.1, 500.0, None),
        (30.0, 29.5, None),
    ],
)
def test_retry_after_is_obeyed(retry_after: float | None, left: float, expected: float | None) -> None:
    """It replaces the pause, within the policy's bound and the deadline; 0 names no pause."""
    error = RateLimitError("slow down", retry_after=retry_after)
    assert expected == decided(error, left=left, tainted=False)


def test_the_budget_bounds_passing_faults_alone() -> None:
    """500 tokens pay for 35 retries; throttled calls are paced instead and cost nothing."""
    budget = RetryBudget()
    paid = [decide(POLICY, call(), LOST, budget, full) for _ in range(36)]
    assert [0.1] * 35 + [None] == paid
    assert 1.0 == decide(POLICY, call(tainted=False), RateLimitError("x"), budget, full)


def test_a_success_gives_back_what_its_retries_took() -> None:
    """A call that succeeded after retries pays them back, any other one token, and never beyond the full budget."""
    budget = RetryBudget(20.0)
    assert [True, False] == [budget.take(), budget.take()]
    for _ in range(8):
        budget.give_back(0)
    assert [True, False] == [budget.take(), budget.take()]
    budget.give_back(2)
    assert [True, True, False] == [budget.take(), budget.take(), budget.take()]
    for _ in range(10**3):
        budget.give_back(5)
    assert [True] * 35 + [False] == [budget.take() for _ in range(36)]


@given(
    st.builds(
        CallState,
        repeatable=st.booleans(),
        deduplicated=st.booleans(),
        attempts=st.integers(1, 10),
        elapsed=st.floats(0, 200),
        left=st.floats(-1, 200),
        tainted=st.booleans(),
    ),
    st.sampled_from(list(RetryKind)),
    st.none() | st.floats(0, 1000),
    st.floats(0, 1, exclude_max=True),
)
def test_no_decision_breaks_a_promise(
    state: CallState, kind: RetryKind, retry_after: float | None, drawn: float
) -> None:
    """Whatever failed, a repetition comes before the deadline, in the window, and not too often."""
    error = DeskError("x", retry=kind, retry_after=retry_after)
    pause = decide(POLICY, state, error, RetryBudget(), lambda: drawn)
    if pause is not None:
        assert 0 <= pause < state.left
        assert state.attempts < POLICY.max_attempts
        assert not state.tainted or state.repeatable or (state.deduplicated and state.elapsed + pause < 100)
        assert retry_after is None or retry_after <= 120


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ({"max_attempts": 0}, "RetryPolicy.max_attempts must be a whole number from 1, not 0"),
        ({"max_attempts": True}, "RetryPolicy.max_attempts must be a whole number from 1, not True"),
        ({"max_attempts": 2.0}, "RetryPolicy.max_attempts must be a whole number from 1, not 2.0"),
        ({"dedup_window": -1}, "RetryPolicy.dedup_window must be a number of seconds from 0, not -1"),
        ({"dedup_window": float("nan")}, "must be a number of seconds from 0, not nan"),
        ({"transient_base": float("inf")}, "RetryPolicy.transient_base must be a number of seconds from 0, not inf"),
        ({"throttle_cap": "5"}, "RetryPolicy.throttle_cap must be a number of seconds from 0, not '5'"),
        ({"max_retry_after": True}, "RetryPolicy.max_retry_after must be a number of seconds from 0, not True"),
        ({"max_retry_after": 366 * 86400 + 1}, "must be a number of seconds from 0, not 31622401"),
        ({"transient_cap": 10**400}, "RetryPolicy.transient_cap must be a number of seconds from 0, not 1000"),
        ({"retry_unknown": "no"}, "RetryPolicy.retry_unknown must be True or False, not 'no'"),
        ({"retry_codes": {60022: "often"}}, "RetryPolicy.retry_codes maps an ErrorCode to one of never, transient,"),
        ({"retry_codes": {"60022": "never"}}, "RetryPolicy.retry_codes maps an ErrorCode to one of"),
        ({"retry_codes": {True: "never"}}, "RetryPolicy.retry_codes maps an ErrorCode to one of"),
        ({"retry_codes": [60022]}, "RetryPolicy.retry_codes maps an ErrorCode to one of"),
        ({"retry_codes": None}, "RetryPolicy.retry_codes maps an ErrorCode to one of"),
    ],
)
def test_policies_that_cannot_work(setting: dict[str, Any], text: str) -> None:
    """Each wrong setting is refused by name."""
    with pytest.raises(ConfigurationError) as caught:
        RetryPolicy(**setting)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "setting",
    [
        {"max_attempts": 1},
        {"dedup_window": 0},
        {"transient_base": 0, "throttle_cap": 0.0},
        {"max_retry_after": 366 * 86400},
    ],
    ids=str,
)
def test_the_outermost_settings_work(setting: dict[str, Any]) -> None:
    """One attempt, no pause at all, and a year of waiting are choices."""
    policy = RetryPolicy(**setting)
    assert setting == {name: getattr(policy, name) for name in setting}


def test_the_codes_of_a_policy_stay_as_they_are() -> None:
    """Neither the mapping that was given nor the one that is held changes a policy afterwards."""
    given = {60022: RetryKind.TRANSIENT}
    policy = RetryPolicy(retry_codes=given)
    given[60011] = RetryKind.NEVER
    held: Any = policy.retry_codes
    with pytest.raises(TypeError):
        held[60011] = RetryKind.NEVER
    assert ({60022: RetryKind.TRANSIENT}, 1) == (dict(held), len(held))
    assert "retry_codes={60022: <RetryKind.TRANSIENT: 'transient'>}" in repr(policy)


def test_codes_may_be_given_a_kind_of_ones_own() -> None:
    """The kind may be written as text, and decides over the table's."""
    policy = RetryPolicy(retry_codes={60022: "transient", 141002: RetryKind.NEVER})  # type: ignore[dict-item]
    assert {60022: RetryKind.TRANSIENT, 141002: RetryKind.NEVER} == policy.retry_codes
    assert 0.1 == decided(from_code(60022, retry_codes=policy.retry_codes), policy)
    assert decided(from_code(141002, retry_codes=policy.retry_codes), policy) is None


def test_a_policy_is_a_value() -> None:
    """It compares, hashes and pickles, so that it may stand in settings."""
    assert RetryPolicy() == pickle.loads(pickle.dumps(RetryPolicy()))  # noqa: S301 - our own
    policy = RetryPolicy(retry_codes={60022: RetryKind.NEVER})
    assert policy == pickle.loads(pickle.dumps(policy))  # noqa: S301 - our own
    assert 1 == len({RetryPolicy(), RetryPolicy()})
    assert Delivery.UNKNOWN is ServerError("x").delivery
