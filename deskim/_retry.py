"""Whether to try again, and how long to wait before: decisions, no waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import Attribute, field, frozen

from deskim._checks import shown
from deskim.errors import ConfigurationError, DeskError, RetryKind

_BUDGET = 500.0
_COST = 14.0
_A_YEAR = 366 * 86400.0


def _seconds(_: object, attribute: Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _A_YEAR:
        raise _refused(attribute, "a number of seconds from 0", value)


def _attempts(_: object, attribute: Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _refused(attribute, "a whole number from 1", value)


def _flag(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise _refused(attribute, "True or False", value)


def _refused(attribute: Attribute[Any], takes: str, value: object) -> ConfigurationError:
    return ConfigurationError(f"RetryPolicy.{attribute.name} must be {takes}, not {shown(value)}")


class _Codes(Mapping[int, RetryKind]):
    """Hold retry kinds by ErrorCode for good; a ``MappingProxyType`` would not pickle."""

    __slots__ = ("_kinds",)

    def __init__(self, kinds: dict[int, RetryKind]) -> None:
        self._kinds = kinds

    def __getitem__(self, code: int) -> RetryKind:
        return self._kinds[code]

    def __iter__(self) -> Iterator[int]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def __repr__(self) -> str:
        return repr(self._kinds)


def _codes(value: Mapping[int, RetryKind | str]) -> Mapping[int, RetryKind]:
    try:
        return _Codes({_code(code): RetryKind(kind) for code, kind in value.items()})
    except (AttributeError, TypeError, ValueError):
        kinds = ", ".join(RetryKind)
        raise ConfigurationError(f"RetryPolicy.retry_codes maps an ErrorCode to one of {kinds}") from None


def _code(value: object) -> int:
    if type(value) is not int:
        raise TypeError
    return value


def _no_codes() -> Mapping[int, RetryKind]:
    return _Codes({})


@frozen(kw_only=True)
class RetryPolicy:
    """Say what is tried again, how often and after which pause.

    :ivar max_attempts: how often a request is tried at most.
    :ivar dedup_window: for how many seconds after its first attempt a message may be repeated: under the 120 s for
        which Tencent's sibling call drops repetitions (269/2282); Desk's own page names no time.
    :ivar retry_unknown: whether a message whose fate is unknown is sent again with the same MsgRandom and bytes.
    :ivar transient_base: the first pause after a passing fault, in seconds; doubled each time, drawn from 0 to it.
    :ivar transient_cap: the longest such pause.
    :ivar throttle_base: the first pause after "too many calls", in seconds; doubled and drawn likewise.
    :ivar throttle_cap: the longest such pause.
    :ivar max_retry_after: the longest Retry-After that is obeyed, in seconds.
    :ivar retry_codes: your own retry kind for an ErrorCode, e.g. ``{60022: "transient"}``.

    Raises ``ConfigurationError`` for values that cannot work.
    """

    max_attempts: int = field(default=6, validator=_attempts)
    dedup_window: float = field(default=100.0, validator=_seconds)
    retry_unknown: bool = field(default=True, validator=_flag)
    transient_base: float = field(default=0.1, validator=_seconds)
    transient_cap: float = field(default=5.0, validator=_seconds)
    throttle_base: float = field(default=1.0, validator=_seconds)
    throttle_cap: float = field(default=20.0, validator=_seconds)
    max_retry_after: float = field(default=120.0, validator=_seconds)
    retry_codes: Mapping[int, RetryKind] = field(factory=_no_codes, converter=_codes, hash=False)

    def pause(self, kind: RetryKind, attempt: int, draw: Callable[[], float]) -> float:
        """Return the pause after attempt number ``attempt`` (from 1), in seconds; ``draw`` gives numbers in [0, 1)."""
        throttled = kind is RetryKind.THROTTLED
        base, cap = (self.throttle_base, self.throttle_cap) if throttled else (self.transient_base, self.transient_cap)
        return draw() * min(base * 2.0 ** min(attempt - 1, 60), cap)


class RetryBudget:
    """Bound the retries of a whole client, so that they do not make an outage worse.

    A retry after a passing fault takes 14 of 500 tokens. A success gives back what its own retries took, and at least
    one: with one alone, a steady tenth of faults would empty the budget within some hundred messages.
    """

    def __init__(self, tokens: float = _BUDGET) -> None:
        self._tokens = tokens

    def take(self) -> bool:
        """Take the tokens of one retry; tells whether there were enough."""
        if self._tokens < _COST:
            return False
        self._tokens -= _COST
        return True

    def give_back(self, retries: int) -> None:
        """Return the tokens of a call that succeeded after so many budgeted retries."""
        self._tokens = min(_BUDGET, self._tokens + max(1.0, retries * _COST))


@frozen(kw_only=True)
class CallState:
    """Tell the decision what one call is like and where it stands; times in seconds since its first attempt."""

    repeatable: bool
    """Whether the same bytes may be sent twice without harm at any time, as a question may."""
    deduplicated: bool
    """Whether Desk drops a repetition inside the window, as with MsgRandom."""
    attempts: int
    elapsed: float
    left: float
    tainted: bool
    """Whether an attempt so far, the last one included, may have been taken."""


def decide(
    policy: RetryPolicy | None, call: CallState, error: DeskError, budget: RetryBudget, draw: Callable[[], float]
) -> float | None:
    """Return the pause in seconds before the next attempt, or ``None`` to stop here."""
    kind = error.retry_kind
    if policy is None or kind not in (RetryKind.TRANSIENT, RetryKind.THROTTLED) or call.attempts >= policy.max_attempts:
        return None
    pause = _pause(policy, call, error, draw)
    if pause is None or pause >= call.left or not _harmless(policy, call, pause):
        return None
    return pause if kind is RetryKind.THROTTLED or budget.take() else None


def _pause(policy: RetryPolicy, call: CallState, error: DeskError, draw: Callable[[], float]) -> float | None:
    if error.retry_after:  # 0 names no pause
        return error.retry_after if error.retry_after <= policy.max_retry_after else None
    return policy.pause(error.retry_kind, call.attempts, draw)


def _harmless(policy: RetryPolicy, call: CallState, pause: float) -> bool:
    if call.repeatable or not call.tainted:
        return True
    return policy.retry_unknown and call.deduplicated and call.elapsed + pause < policy.dedup_window
