"""From bytes to numbered lines, a piece at a time: a file of any size costs the memory of one piece."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from attrs import define, frozen

from deskim.cli._screen import UsageError

LONGEST = 1024 * 1024
"""The longest line that is read, in bytes."""


@frozen
class Line:
    """Hold one line: its number, counted from 1, and its text, or why it has none."""

    number: int
    text: str
    problem: str = ""


def check_encoding(name: str) -> str:
    """Return the name of an encoding in which a line end is one byte; raises ``UsageError`` for others."""
    try:
        info = codecs.lookup(name)
        plain = "\n{".encode(info.name) == b"\n{"
    except (LookupError, UnicodeError, AttributeError, TypeError):
        raise UsageError(f"{name!r} is no encoding that Python knows: utf-8 and gb18030 are common ones") from None
    if not plain:
        raise UsageError(f"{name} cannot be read line by line: convert the file, e.g. iconv -f {name} -t UTF-8")
    return info.name


@define
class LineReader:
    """Cut bytes into lines; a line that cannot be read is handed on with its problem."""

    encoding: str = "utf-8"
    _number: int = 0
    _rest: bytes = b""
    _skipping: bool = False

    def feed(self, piece: bytes) -> Iterator[Line]:
        """Return the lines that are complete with this piece."""
        *whole, rest = (self._rest + piece).split(b"\n")
        self._rest = b""
        for line in whole:
            yield from self._finish(line)
        self._keep(rest)

    def end(self) -> Iterator[Line]:
        """Return the last line, where no line end follows it."""
        rest, self._rest = self._rest, b""
        if rest or self._skipping:
            yield from self._finish(rest)

    def _keep(self, rest: bytes) -> None:
        """Remember the beginning of a line, but for one that is too long."""
        self._skipping = self._skipping or len(rest) > LONGEST
        self._rest = b"" if self._skipping else rest

    def _finish(self, line: bytes) -> Iterator[Line]:
        self._number += 1
        too_long, self._skipping = self._skipping or len(line) > LONGEST, False
        yield Line(self._number, "", f"longer than {LONGEST:,} bytes") if too_long else self._decoded(line)

    def _decoded(self, line: bytes) -> Line:
        try:
            text = line.removesuffix(b"\r").decode(self.encoding)
        except UnicodeDecodeError as error:
            odd = f"not {self.encoding}: byte {error.start + 1} is {line[error.start]:#04x} (see --encoding)"
            return Line(self._number, "", odd)
        return Line(self._number, text.removeprefix("\ufeff") if self._number == 1 else text)
