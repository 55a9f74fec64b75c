"""Waiting for one's turn: two queues before one limit, the interactive one first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from deskim._rate import Lane, RateLimit, RateState


class LocalPacer:
    """Pace the calls of one client: a :class:`~deskim.Pacer` in memory."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self._state = RateState(limit)
        self._clock = clock
        self._waiting: dict[Lane, deque[asyncio.Future[None]]] = {"interactive": deque(), "batch": deque()}
        self._timer: asyncio.TimerHandle | None = None

    def try_acquire(self, lane: Lane) -> bool:
        """Take a slot if one is due and nobody waits for it."""
        if self._waiting["interactive"] or self._waiting[lane]:
            return False
        return self._state.try_take(self._clock(), lane)

    async def acquire(self, lane: Lane) -> None:
        """Return when the next call of this lane may start."""
        if self.try_acquire(lane):
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(turn)
        if self._timer is None or lane == "interactive":
            self._set_timer()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # its slot had come already: the next one has it
                self._release_one()
            raise

    def slow_down(self, retry_after: float | None) -> None:
        """Take note that Desk answered "too many calls"."""
        self._state.slow_down(self._clock(), retry_after)

    def _next(self) -> Lane | None:
        for lane, queue in self._waiting.items():
            while queue and queue[0].done():  # gave up waiting
                queue.popleft()
            if queue:
                return lane
        return None

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lane = self._next()
        if lane is not None:
            wait = max(0.0, self._state.wait(self._clock(), lane))
            self._timer = asyncio.get_running_loop().call_later(wait, self._release)

    def _release(self) -> None:
        self._timer = None
        while (lane := self._next()) is not None and self._state.wait(now := self._clock(), lane) <= 0:
            self._state.take(now)
            self._release_one()
        self._set_timer()

    def _release_one(self) -> None:
        lane = self._next()
        if lane is not None:
            self._waiting[lane].popleft().set_result(None)
