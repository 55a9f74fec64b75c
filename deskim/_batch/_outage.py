"""When nothing gets through: hold the batch, and let one probe at a time find out when it is over.

The state is a time before which nobody goes on. Only a probe's success ends a hold: a late answer to a request from
before it proves nothing, and no event exists that another request's clean-up could set.
"""

from __future__ import annotations

import asyncio

from attrs import define, field

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0


def pause_after(failures: int, retry_after: float | None) -> float:
    """Return how long to wait after so many failures in a row, in seconds."""
    return max(min(FIRST_PAUSE * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE), retry_after or 0.0)


@define
class Outage:
    """Keep the state of a hold; times are those of the clock that the caller reads.

    :ivar limit: how long nothing may get through before it is given up, in seconds.
    :ivar held: whether items wait; the one who has the ``turn`` may probe.
    :ivar failures: how many answers in a row may be its signs.
    :ivar common: whether they are those of several items.
    """

    limit: float
    held: bool = False
    failures: int = 0
    common: bool = False
    turn: asyncio.Lock = field(factory=asyncio.Lock)
    _since: float = 0.0
    _first: int = 0
    _probes: int = 0
    _resume_at: float = 0.0

    def failed(self, item: int, now: float, needed: int) -> None:
        """Count an item's failure that may be the sign of an outage; ``needed`` of them in a row begin a hold."""
        if not self.failures:
            self._since, self._first = now, item
        self.failures += 1
        self.common = self.common or item != self._first
        if (self.failures >= needed or not self.limit) and not self.held:
            self.held, self._probes = True, 0
            self.probe_failed(now)

    def probe_failed(self, now: float, retry_after: float | None = None) -> None:
        """Put the next probe off."""
        self._probes += 1
        self._resume_at = now + pause_after(self._probes, retry_after)

    def got_through(self, *, probe: bool) -> None:
        """Note an answer that shows that sending works; only a probe's ends a hold."""
        if probe or not self.held:
            self.held, self.failures, self.common = False, 0, False

    def wait(self, now: float) -> float:
        """Return how long to wait for the next probe, in seconds."""
        return max(0.0, min(self._resume_at, self._since + self.limit) - now)

    def given_up(self, now: float) -> bool:
        """Tell whether nothing got through for too long."""
        return self.held and now - self._since >= self.limit
