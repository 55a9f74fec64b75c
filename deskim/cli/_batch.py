"""`deskim batch`: a file of messages, sent with a bounded number under way, and one account of what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import BinaryIO

from attrs import define

from deskim._batch import BatchReport
from deskim._client import AsyncDeskClient
from deskim._messages import Message, Outcome
from deskim._protocol import encode_message
from deskim.cli._batch_options import Reading, ReadingOptions, Sending, SendingOptions
from deskim.cli._input import STDIN
from deskim.cli._items import Item
from deskim.cli._progress import Tally, bar
from deskim.cli._results import Results, results
from deskim.cli._screen import UsageError, complain, say
from deskim.cli._settings import Connection, Settings
from deskim.cli._source import Source, Stream, count_lines, is_file, opened
from deskim.cli._words import for_shell
from deskim.errors import MessageError


async def batch(
    file: str,
    /,
    *,
    reading: ReadingOptions = None,
    sending: SendingOptions = None,
    strict: bool = False,
    dry_run: bool = False,
    output: str | None = None,
    settings: Connection = None,
) -> int:
    """Send the messages of a file, and tell what became of each.

    FILE holds one JSON object a line: {"to": "user45", "text": "hi"},
    {"session": "...", "card": {"header": "..."}}, or a message as
    `Message.to_dict` writes it. With --text and --to-column it is a CSV file
    whose first line names its columns. Bad lines are reported, and the others
    are sent.

    :param file: The file; `-` reads standard input.
    :param strict: Read the whole file first, and send nothing if a line is bad.
    :param dry_run: Read and check everything, and send nothing.
    :param output: Write each outcome as a line of JSON to this file; `-` writes to standard output.
    """
    read, how, known = reading or Reading(), sending or Sending(), settings or Settings()
    read.check(file)
    with opened(file) as stream:
        if dry_run:
            return await _dry_run(read.source(stream), how.sender(known))
        if strict:
            await _refuse_bad_lines(stream, read, how.sender(known))
        with results(output) as written:
            run = _Run(read.source(stream), written, Tally(), how)
            async with how.client(known) as desk:
                report = await run.send(desk)
    (complain if output == STDIN else say)(run.tally.summary())
    return run.conclude(report)


@define
class _Run:
    """Send what a source gives, and keep account of it."""

    source: Source
    written: Results
    tally: Tally
    how: Sending

    async def send(self, desk: AsyncDeskClient) -> BatchReport:
        """Send to the end of the source, or until interrupted."""
        with bar(self.tally, self._total) as move:

            def note(outcome: Outcome) -> None:
                line = self.source.lines.pop(outcome.index)
                self.tally.count(line, outcome)
                self.written.write(line, outcome)
                move()

            try:
                return await desk.send_batch(self.source.open(), on_outcome=note, **self.how.options())
            except asyncio.CancelledError:
                self._interrupted()
                raise

    def _total(self) -> int | None:
        return count_lines(self.source.file) if is_file(self.source.file) else None

    def _interrupted(self) -> None:
        complain(self.tally.summary())
        complain(self._how_to_go_on())

    def _how_to_go_on(self) -> str:
        if self.how.journal is not None:
            return f"{self.how.journal} knows what was sent: the same command goes on from there"
        return "without --journal there is no record of what was sent, and the same command would send it again"

    def conclude(self, report: BatchReport) -> int:
        """Say why the batch stopped early, where it did; return the exit code."""
        if report.stop_reason is not None:
            complain(f"stopped early: {for_shell(report.stop_reason)}", "red")
            complain(self._how_to_go_on())
        return int(report.stop_reason is not None or report.sent < report.total)


async def _refuse_bad_lines(stream: BinaryIO, reading: Reading, sender: str | None) -> None:
    """Raise ``UsageError`` where a line is bad, once all of them are told."""
    if not is_file(stream):
        raise UsageError("--strict reads the input twice: give a file, not a pipe")
    good, bad = await _check(reading.source(stream), sender)
    if bad:
        raise UsageError(f"{bad} of {good + bad} messages cannot be sent: nothing was sent")
    stream.seek(0)


async def _dry_run(source: Source, sender: str | None) -> int:
    good, bad = await _check(source, sender)
    say(f"{good} messages can be sent, {bad} cannot; nothing was sent")
    return int(bad > 0)


async def _check(source: Source, sender: str | None) -> tuple[int, int]:
    """Encode every message as it would be sent; tell of each that cannot be, and return how many can and cannot."""
    bad = 0
    async for item in _each(source.open()):
        line = source.lines.popitem()[1]
        try:
            encode_message(_message(item), sender)
        except MessageError as error:
            bad += 1
            text = for_shell(str(error))
            complain(text if error is item else f"line {line}: {text}")
    return source.taken - bad, bad


def _message(item: Item) -> Message:
    if isinstance(item, MessageError):
        raise item
    return item


async def _each(items: Stream) -> AsyncIterator[Item]:
    if isinstance(items, Iterator):
        for item in items:
            yield item
    else:
        async for item in items:
            yield item
