"""From a file or a pipe to messages, read as they are sent."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

from attrs import define, field

from deskim.cli._input import STDIN
from deskim.cli._items import Item, Items, Numbered
from deskim.cli._lines import LineReader
from deskim.cli._screen import UsageError

PIECE = 64 * 1024

Stream: TypeAlias = "Generator[Item, None, None] | AsyncGenerator[Item, None]"


@define
class Source:
    """Read messages, and remember the line of each that is under way.

    :ivar taken: how many items were read.
    :ivar lines: the line number of each item whose outcome is not in yet, by the item's index.
    """

    file: BinaryIO
    reader: LineReader
    items: Items
    taken: int = 0
    lines: dict[int, int] = field(factory=dict[int, int])

    def open(self) -> Stream:
        """Return the items: of a pipe without blocking the event loop, of a file straight away."""
        return self._from_pipe() if is_pipe(self.file) else self._from_file()

    def _from_file(self) -> Generator[Item, None, None]:
        while piece := self.file.read(PIECE):
            yield from self._feed(piece)
        yield from self._end()

    async def _from_pipe(self) -> AsyncGenerator[Item, None]:
        stream = asyncio.StreamReader(PIECE)
        connect = asyncio.get_running_loop().connect_read_pipe
        transport, _ = await connect(lambda: asyncio.StreamReaderProtocol(stream), self.file)
        try:
            while piece := await stream.read(PIECE):
                for item in self._feed(piece):
                    yield item
            for item in self._end():
                yield item
        finally:
            transport.close()

    def _feed(self, piece: bytes) -> Iterator[Item]:
        for line in self.reader.feed(piece):
            yield from self._numbered(self.items.take(line))

    def _end(self) -> Iterator[Item]:
        for line in self.reader.end():
            yield from self._numbered(self.items.take(line))
        yield from self._numbered(self.items.end())

    def _numbered(self, found: Iterator[Numbered]) -> Iterator[Item]:
        for number, item in found:
            self.lines[self.taken] = number
            self.taken += 1
            yield item


@contextmanager
def opened(name: str) -> Generator[BinaryIO, None, None]:
    """Open a file, or standard input; raises ``UsageError``."""
    if name == STDIN:
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb", buffering=0)  # noqa: SIM115 - closed below; an error of its use is no error of opening
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from None
    with file:
        yield cast("BinaryIO", file)


def is_file(file: BinaryIO) -> bool:
    """Tell whether a file can be read twice."""
    return stat.S_ISREG(_mode(file))


def is_pipe(file: BinaryIO) -> bool:
    """Tell whether reading may have to wait for another program."""
    return stat.S_ISFIFO(_mode(file)) or stat.S_ISSOCK(_mode(file))


def _mode(file: BinaryIO) -> int:
    try:
        return os.fstat(file.fileno()).st_mode
    except OSError:  # no file of the system's
        return 0


def count_lines(file: BinaryIO) -> int:
    """Return how many lines a file has, and go back to its beginning."""
    lines = sum(piece.count(b"\n") for piece in iter(lambda: file.read(PIECE * 16), b""))
    file.seek(0)
    return lines
