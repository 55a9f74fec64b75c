"""From lines to messages: JSON in two forms, or rows of a table and a text with places to fill in."""

from __future__ import annotations

import csv
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, cast

from attrs import define, field, frozen

from deskim._checks import shown
from deskim._codec import loads
from deskim._messages import Content, Message
from deskim.cli._lines import Line
from deskim.cli._screen import UsageError
from deskim.errors import MessageError
from deskim.payloads import Card

Item: TypeAlias = "Message | MessageError"
Numbered: TypeAlias = "tuple[int, Item]"

SHORT_FORM = {
    "to": "to_account",
    "session": "session_id",
    "from": "from_account",
    "key": "key",
    "cloud_custom_data": "cloud_custom_data",
    "exclude_from_timeout": "exclude_from_user_resp_timeout",
    "msg_random": "msg_random",
}
CARD_FIELDS = ("header", "desc", "pic", "url")


class Items(Protocol):
    """Make messages of lines."""

    def take(self, line: Line) -> Iterator[Numbered]:
        """Return what is complete with this line: line numbers, and messages or the reasons why there is none."""
        ...

    def end(self) -> Iterator[Numbered]:
        """Return what is left when the input has ended."""
        ...


def bad(number: int, reason: object) -> Numbered:
    """Return the item that stands for a line that cannot be read."""
    return number, MessageError(f"line {number}: {reason}")


class JsonLines:
    """Read one JSON object a line: the form of `Message.to_dict`, or the short one, such as {"to": …, "text": …}."""

    def take(self, line: Line) -> Iterator[Numbered]:
        """Return the message of a line; an empty line has none."""
        if line.problem:
            yield bad(line.number, line.problem)
        elif line.text.strip():
            yield _json_item(line)

    def end(self) -> Iterator[Numbered]:
        """Return nothing: each line stands for itself."""
        return iter(())


def _json_item(line: Line) -> Numbered:
    try:
        wire: Any = loads(line.text)
        return line.number, _short(wire) if _is_short(wire) else Message.from_dict(wire)
    except MessageError as error:
        return bad(line.number, error)
    except ValueError as error:
        table = line.number == 1 and "{" not in line.text
        return bad(line.number, f"not JSON: {error}{'; for CSV give --text and --to-column' if table else ''}")


def _is_short(wire: Any) -> bool:
    return isinstance(wire, Mapping) and {"SessionId", "ToAccount", "MsgBody"}.isdisjoint(_mapping(wire))


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _short(wire: Mapping[str, Any]) -> Message:
    if unknown := wire.keys() - SHORT_FORM.keys() - {"text", "card"}:
        raise MessageError(f"unknown field {min(unknown)!r}: the short form has {', '.join(SHORT_FORM)}, text and card")
    if {"to", "session"}.isdisjoint(wire):
        raise MessageError("it does not say to whom: give 'to' or 'session'")
    contents: list[Content] = [wire["text"]] if "text" in wire else []
    if "card" in wire:
        contents.append(card_of(wire["card"]))
    named = {SHORT_FORM[name]: value for name, value in wire.items() if name in SHORT_FORM}
    return Message(elements=tuple(contents), **named)


def card_of(fields: Any) -> Card:
    """Return the card of a mapping; raises ``MessageError`` for other fields than a card's."""
    known = _mapping(fields)
    if "header" not in known or known.keys() - set(CARD_FIELDS):
        raise MessageError(f"a card has header and, if wanted, desc, pic and url, not {shown(fields)}")
    return Card(header=known["header"], desc=known.get("desc", ""), pic=known.get("pic", ""), url=known.get("url", ""))


@frozen
class Template:
    """Hold a text with the names of columns in braces."""

    parts: tuple[tuple[str, str | None], ...]

    @classmethod
    def read(cls, text: str) -> Template:
        """Return the template of a text such as ``Hello {name}``; raises ``UsageError`` for anything cleverer."""
        try:
            parts = list(string.Formatter().parse(text))
        except ValueError as error:
            raise UsageError(f"--text: {error}; write {{{{ and }}}} for braces that stay") from None
        if any(name == "" or spec or conversion for _, name, spec, conversion in parts):
            raise UsageError("--text takes names of columns in braces, such as {name}, and nothing else there")
        return cls(tuple((literal, name) for literal, name, _, _ in parts))

    def names(self) -> set[str]:
        """Return the names in braces."""
        return {name for _, name in self.parts if name is not None}

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the text with the values of one row."""
        return "".join(literal + ("" if name is None else values[name]) for literal, name in self.parts)


@frozen
class Columns:
    """Say which column is what."""

    to: str | None = None
    session: str | None = None
    key: str | None = None

    def names(self) -> set[str]:
        """Return the columns that are needed."""
        return {name for name in (self.to, self.session, self.key) if name is not None}


@define
class CsvRows:
    """Read a table: its first row names the columns, each further row is a message."""

    columns: Columns
    template: Template
    delimiter: str = ","
    _header: list[str] | None = None
    _open: list[Line] = field(factory=list[Line])
    _size: int = 0

    def take(self, line: Line) -> Iterator[Numbered]:
        """Return the message of the row that this line completes; a quoted field may hold line ends."""
        if line.problem:
            yield from self.end()
            yield bad(line.number, line.problem)
        elif not self._open and not _odd(line):
            yield from self._record(line.number, line.text)
        else:
            yield from self._join(line)

    def _join(self, line: Line) -> Iterator[Numbered]:
        closes = bool(self._open) and _odd(line)
        self._open.append(line)
        self._size += len(line.text)
        if closes:
            lines, self._open, self._size = self._open, [], 0
            yield from self._record(lines[0].number, "\n".join(part.text for part in lines))
        elif self._size > _LONGEST_RECORD:
            yield from self.end()

    def end(self) -> Iterator[Numbered]:
        """Return what a quote that is not closed had swallowed: each line is judged on its own."""
        lines, self._open, self._size = self._open, [], 0
        for line in lines:
            if _odd(line):
                yield bad(line.number, "a quote is not closed")
            else:
                yield from self._record(line.number, line.text)

    def _record(self, number: int, record: str) -> Iterator[Numbered]:
        if not record.strip():
            return
        try:
            row = next(csv.reader([record], delimiter=self.delimiter, strict=True))
        except csv.Error as error:
            yield bad(number, error)
            return
        if self._header is None:
            self._header = self._checked(row)
        else:
            yield self._row(number, row, self._header)

    def _checked(self, header: list[str]) -> list[str]:
        """Return the names of the columns; raises ``UsageError`` where one is missing or comes twice."""
        if missing := sorted((self.columns.names() | self.template.names()) - set(header)):
            raise UsageError(f"there is no column {', '.join(missing)}: the file has {', '.join(header)}")
        if len(set(header)) < len(header):
            raise UsageError(f"two columns have the same name: {', '.join(header)}")
        return header

    def _row(self, number: int, row: Sequence[str], header: Sequence[str]) -> Numbered:
        if len(row) != len(header):
            return bad(number, f"{len(row)} fields, where the first line has {len(header)}")
        try:
            return number, self._message(dict(zip(header, row, strict=True)))
        except MessageError as error:
            return bad(number, error)

    def _message(self, values: Mapping[str, str]) -> Message:
        columns = self.columns
        return Message(
            to_account=None if columns.to is None else values[columns.to],
            session_id=None if columns.session is None else values[columns.session],
            key=None if columns.key is None else values[columns.key],
            elements=(self.template.fill(values),),
        )


_LONGEST_RECORD = 64 * 1024


def _odd(line: Line) -> bool:
    """Tell whether a line opens or closes a quoted field that goes over its end."""
    return line.text.count('"') % 2 == 1
