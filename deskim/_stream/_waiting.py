"""Text that waits to be sent."""

from __future__ import annotations

from collections import deque
from typing import Final

from attrs import define, field

MAX_PIECE: Final = 2000
"""The most characters of one call: under 12 KB as JSON, whatever they are."""


@define
class Waiting:
    """Keep text that waits to be sent, whole characters only: a half of a surrogate pair waits for the other half."""

    _parts: deque[str] = field(factory=deque[str])
    _half: str = ""
    size: int = 0

    def add(self, text: str) -> None:
        """Take text in; halves of surrogate pairs that meet become the character they stand for."""
        text = self._half + text
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        self._append(_joined(text[:-1] if self._half else text))

    def close(self) -> None:
        """Give up waiting for the other half."""
        self._append(_joined(self._half))
        self._half = ""

    def take(self, most: int) -> str:
        """Give out the next piece, of ``most`` characters at most."""
        taken: list[str] = []
        while self._parts and most:
            part = self._parts.popleft()
            taken.append(part[:most])
            if len(part) > most:
                self._parts.appendleft(part[most:])
            most -= len(taken[-1])
        text = "".join(taken)
        self.size -= len(text)
        return text

    def cut(self, most: int) -> None:
        """Drop all but the first characters."""
        kept = self.take(most)
        self._parts.clear()
        self.size = 0
        self._append(kept)

    def _append(self, text: str) -> None:
        self._parts.extend(text[start : start + MAX_PIECE] for start in range(0, len(text), MAX_PIECE))
        self.size += len(text)


def _joined(text: str) -> str:
    """Return text without lone surrogates: pairs become their character, halves become U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
