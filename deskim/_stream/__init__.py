"""Messages that grow before the user's eyes (1229/68822, 269/129279)."""

from __future__ import annotations

from deskim._stream._stream import MessageStream, end_all
from deskim._stream._writing import COMPATIBLE_TEXT, writing

__all__ = ["COMPATIBLE_TEXT", "MessageStream", "end_all", "writing"]
