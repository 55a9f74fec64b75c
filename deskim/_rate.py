"""How many calls a second: the settings, and the arithmetic of who may go when. No waiting, no clock.

Tencent's pages state 200 calls a second per API and application for Desk's siblings (1047/35477); Desk's state none.
"""

from __future__ import annotations

import math
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from attrs import field, frozen

from deskim._checks import shown
from deskim.errors import ConfigurationError

Lane: TypeAlias = Literal["interactive", "batch"]
"""Who waits: somebody in front of a screen, or a batch."""


_SLOWEST, _FASTEST = 0.001, 1_000_000


def _rate(_: object, __: object, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _SLOWEST <= value <= _FASTEST:
        raise ConfigurationError(f"RateLimit.per_second must be a number from {_SLOWEST}, not {shown(value)}")


def _burst(_: object, __: object, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _FASTEST:
        raise ConfigurationError(f"RateLimit.burst must be a whole number from 1, not {shown(value)}")


@frozen
class RateLimit:
    """Say how many calls a client starts: in no second more than ``per_second + burst``, on average ``per_second``.

    The burst is for single sends; a batch spaces its calls. Raises ``ConfigurationError`` for values that cannot work.
    Source: 1047/35477 states 200 calls a second for a sibling of Desk's calls.
    """

    per_second: float = field(validator=_rate)
    burst: int = field(default=5, validator=_burst)


@runtime_checkable
class Pacer(Protocol):
    """Decide when a call may start; give one of your own as ``rate_limit=`` to share a quota among processes."""

    async def acquire(self, lane: Literal["interactive", "batch"]) -> None:
        """Return when the next call may start; ``lane`` says who waits. It may be cancelled while it waits."""
        ...

    def slow_down(self, retry_after: float | None) -> None:
        """Take note that Desk answered "too many calls"; ``retry_after`` in seconds, where Desk named a time."""
        ...


# Chosen by simulating a quota that falls from 200 to 50 a second and back, 20 ms away: about 2 % of the calls of the
# lean time are refused at worst, and 90 % of the rate is back 8.4 s after it ends.
_CUT = 0.5
_FLOOR = 0.02
_CUT_EVERY = 0.5
_HOLD, _LONGEST_HOLD = 0.5, 120.0
_GROWTH = 0.2


class RateState:
    """Hold the state of one limit: slots spaced by GCRA, slower for a while after "too many calls".

    A slot is taken when it falls due, never ahead, so whoever gives up waiting takes nothing along. A call that comes
    a little late may follow up (``slack``, in seconds); what is left of the burst is for the interactive lane alone.
    Both are measured at the full rate: while it is cut, calls are further apart and no more of them may gather.
    """

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._due = -math.inf
        self._not_before = -math.inf
        self._cut_rate = limit.per_second
        self._cut_at = -math.inf
        self._slack = self._ahead = (limit.burst - 1) / 2 / limit.per_second

    def rate(self, now: float) -> float:
        """Return the present rate per second: the limit's, or what has regrown since the last cut."""
        if self._cut_rate >= self._limit.per_second:
            return self._limit.per_second
        regrown = self._cut_rate * math.exp(min(_GROWTH * (now - self._cut_at), 50.0))
        return min(self._limit.per_second, regrown)

    def try_take(self, now: float, lane: Lane) -> bool:
        """Take a slot if one is due."""
        if self.wait(now, lane) > 0:
            return False
        self.take(now)
        return True

    def wait(self, now: float, lane: Lane) -> float:
        """Return how many seconds it is until a call of this lane may start; 0 or less means now."""
        due = self._due - self._ahead if lane == "interactive" else self._due
        return max(due, self._not_before) - now

    def take(self, now: float) -> None:
        """Take the slot that is due."""
        self._due = max(self._due, now - self._slack) + 1.0 / self.rate(now)

    def slow_down(self, now: float, retry_after: float | None) -> None:
        """Halve the rate, at most twice a second, and hold all calls for a moment, or for ``retry_after`` seconds.

        For two minutes at most: one reply does not silence a client for a day.
        """
        if now - self._cut_at >= _CUT_EVERY:
            self._cut_rate = max(self.rate(now) * _CUT, self._limit.per_second * _FLOOR)
            self._cut_at = now
        hold = _HOLD if retry_after is None else min(retry_after, _LONGEST_HOLD)
        self._not_before = max(self._not_before, now + hold)
