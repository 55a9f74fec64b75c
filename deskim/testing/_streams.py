"""Messages that grow, as the fake Desk keeps them (1229/68822, 269/129279)."""

from __future__ import annotations

from collections import deque
from typing import Any

from attrs import define, field, frozen

from ._conversations import Line
from ._reply import Refused, compact

SILENCE = 15.0
"""Seconds without a piece after which a stream ends by itself (269/129279)."""
MAX_MARKDOWN = 128 * 1024
"""A Markdown message has fewer bytes than this (269/129279)."""
PER_SECOND = 5
"""How many calls a second a message may have (269/129279)."""


@define(kw_only=True)
class SeenStream:
    """Show a message that grows, or grew, before the user's eyes.

    :ivar session_id: the session it is in.
    :ivar msg_key: its key.
    :ivar markdown: whether it was sent by the second version of the call.
    :ivar chunks: its pieces, in order.
    :ivar finished: whether its last piece has come.
    :ivar cloud_custom_data: its CloudCustomData, where it has one.
    :ivar time: when the last piece came, in Unix seconds by the fake's clock.
    """

    session_id: str
    msg_key: str
    markdown: bool
    chunks: list[str] = field(factory=list[str])
    finished: bool = False
    cloud_custom_data: str | None = None
    time: float
    _calls: deque[float] = field(factory=deque[float], repr=False)
    _index: int = field(default=0, repr=False)
    _line: Line = field(repr=False, alias="line")

    @property
    def text(self) -> str:
        """Return what the user sees."""
        return "".join(self.chunks)

    def take(self, piece: Piece, now: float) -> None:
        """Append a piece; refuse it where the stream has ended, or the pieces come too fast or in disorder."""
        if self.finished or now - self.time > SILENCE:
            raise Refused(141004, "the stream has ended")
        self._keep_pace(now)
        if piece.index is not None and piece.index <= self._index:
            raise Refused(141004, "Index must rise from piece to piece")
        self._index, self.time = piece.index or 0, now
        self.chunks.append(piece.text)
        self.finished = piece.last
        self._line.body = [piece.element(self)]

    def _keep_pace(self, now: float) -> None:
        while self._calls and self._calls[0] <= now - 1:
            self._calls.popleft()
        if len(self._calls) >= PER_SECOND:
            raise Refused(141009, "a message may have five calls a second")
        self._calls.append(now)


@frozen
class Piece:
    """Hold one piece; only those of Markdown have an index."""

    text: str
    last: bool
    index: int | None = None
    compatible_text: str = ""

    def element(self, stream: SeenStream) -> dict[str, Any]:
        """Return the whole message as it is stored now."""
        if self.index is None:
            shown = {"src": "31", "chunks": stream.chunks, "isFinished": int(self.last), "customerServicePlugin": 0}
            return {"MsgType": "TIMCustomElem", "MsgContent": {"Data": compact(shown).decode("utf-8", "replace")}}
        chunks = [{"EventType": "data", "Index": self.index, "Markdown": stream.text, "IsLast": self.last}]
        return {"MsgType": "TIMStreamElem", "MsgContent": {"CompatibleText": self.compatible_text, "Chunks": chunks}}
