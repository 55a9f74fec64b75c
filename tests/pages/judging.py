"""Whether a terminal shows what the page says."""

from __future__ import annotations

import difflib
import re
from typing import Final

VARYING: Final = (
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "<time of day>"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s)\b"), r"<duration> \2"),
    (re.compile(r"\(\d+/s\)"), "(<rate>/s)"),
    (re.compile(r"\b(MsgRandom |msg_random=)\d+"), r"\1<number>"),
    (re.compile(r"\b(process )\[\d+\]"), r"\1[<number>]"),
    (re.compile(r"\b127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
)
"""What differs from run to run, and what stands for it on both sides."""

ANY_LINES: Final = "..."
_COLOUR: Final = re.compile(r"\x1b\[[\d;]*m")


def difference(says: str, shows: str) -> str:
    """Return how what is shown differs from what the page says, line by line; nothing where it agrees."""
    expected, actual = _lines(says), _lines(shows)
    if re.fullmatch("".join(map(_pattern, expected)), "".join(f"{line}\n" for line in actual)):
        return ""
    return "\n".join(difflib.unified_diff(expected, actual, "the page says", "the terminal shows", lineterm=""))


def _lines(text: str) -> list[str]:
    text = _COLOUR.sub("", text)
    for pattern, stand_in in VARYING:
        text = pattern.sub(stand_in, text)
    return [line.rstrip() for line in text.strip().splitlines()]


def _pattern(line: str) -> str:
    return r"(?:.*\n)*" if line == ANY_LINES else re.escape(line) + r"\n"
