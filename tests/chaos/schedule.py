"""Which request meets which fault: a function of seed, message and arrival, so that a seed says everything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from attrs import field, frozen

MIDWAY = "reset_midway"
"""The one fault that strikes before the message is read: it is drawn by connection, not by message."""

ASKED = "fault "
"""A text that begins so names the fault it is to meet."""


@frozen
class Schedule:
    """Draw the faults; `shares` maps a fault to its share of all requests."""

    seed: int
    shares: Mapping[str, float] = field(factory=dict)

    def fault(self, key: str, arrival: int) -> str | None:
        """Return the fault that a message meets at its n-th arrival, or None."""
        if key.startswith(ASKED):
            return key[len(ASKED) :].split(" ", maxsplit=1)[0]
        point = self._draw("message", key, arrival)
        for name, share in self.shares.items():
            if name == MIDWAY:
                continue
            point -= share
            if point < 0:
                return name
        return None

    def cuts_midway(self, connection: int, request: int) -> bool:
        """Tell whether a connection is reset between the head and the body of a request."""
        return self._draw("connection", connection, request) < self.shares.get(MIDWAY, 0.0)

    def heads(self, key: str, arrival: int) -> bool:
        """Toss a coin: whether a faulty exchange accepts the message before it goes wrong."""
        return self._draw("coin", key, arrival) < 0.5

    def pick(self, key: str, arrival: int, count: int) -> int:
        """Return one of so many possibilities."""
        return int(self._draw("pick", key, arrival) * count)

    def _draw(self, *what: object) -> float:
        digest = hashlib.blake2b(repr((self.seed, *what)).encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64
