"""What was accepted, how often users saw it, and when requests arrived."""

from __future__ import annotations

import time
import zlib
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from attrs import define, field


@define
class Ledger:
    """Keep the books; a message is known by its text, whatever its MsgRandom."""

    dedup_window: float
    """For how many seconds a repetition is dropped; 0: never."""
    shown: Counter[str] = field(factory=Counter)
    arrived: Counter[str] = field(factory=Counter)
    faults: Counter[str] = field(factory=Counter)
    times: list[float] = field(factory=list)
    malformed: int = 0
    connections: int = 0
    most_at_once: int = 0
    _seen: dict[tuple[Any, ...], float] = field(factory=dict)
    _recent: deque[float] = field(factory=deque)

    def arrive(self, key: str) -> int:
        """Count an arrival, and return which it is of this message."""
        self.times.append(time.monotonic())
        self.arrived[key] += 1
        return self.arrived[key]

    def over(self, limit: float | None) -> bool:
        """Tell whether one more call exceeds so many in the last second; those refused do not count."""
        now = time.monotonic()
        while self._recent and now - self._recent[0] >= 1.0:
            self._recent.popleft()
        if limit is not None and len(self._recent) >= limit:
            return True
        self._recent.append(now)
        return False

    def accept(self, key: str, message: Mapping[str, Any]) -> None:
        """Show a message to its user, unless it is a repetition: same sender, MsgRandom and content (269/2282)."""
        content = zlib.crc32(repr(message.get("MsgBody")).encode())
        sender = message.get("SessionId") or message.get("FromAccount")
        identity = (sender, message.get("MsgRandom"), content)
        now = time.monotonic()
        if now - self._seen.get(identity, -1e9) < self.dedup_window:
            return
        self._seen[identity] = now
        self.shown[key] += 1

    def worst_second(self) -> int:
        """Return the most arrivals in any sliding second."""
        times = self.times
        return max((i - bisect_left(times, t - 1.0, 0, i) + 1 for i, t in enumerate(times)), default=0)
