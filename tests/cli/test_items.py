from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskim import Card, Message, TextElem
from deskim.cli._items import Columns, CsvRows, Item, Items, JsonLines, Template
from deskim.cli._lines import LONGEST, Line, LineReader, check_encoding
from deskim.cli._screen import UsageError
from deskim.errors import MessageError


def _lines(content: bytes, size: int = 7, encoding: str = "utf-8") -> list[Line]:
    reader = LineReader(encoding)
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    return [line for piece in pieces for line in reader.feed(piece)] + list(reader.end())


def _items(content: str, items: Items) -> list[tuple[int, Item]]:
    return [found for line in _lines(content.encode(), 4096) for found in items.take(line)] + list(items.end())


def _reasons(found: Sequence[tuple[int, Item]]) -> list[str]:
    return [str(item) for _, item in found if isinstance(item, MessageError)]


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\ufeff", exclude_categories=["Cs"]))), st.integers(1, 9))
def test_lines_come_back_whole_however_they_are_cut(texts: list[str], size: int) -> None:
    """Pieces of any size give the lines that were written, numbered from 1."""
    content = "".join(f"{text}\n" for text in texts).encode()
    expected = [Line(number, text) for number, text in enumerate(texts, start=1)]
    assert expected == _lines(content, size)


def test_a_byte_order_mark_and_windows_line_ends_are_no_content() -> None:
    """Both are dropped; the last line needs no end."""
    assert [Line(1, "a"), Line(2, "b\ufeff"), Line(3, "c")] == _lines("\ufeffa\r\nb\ufeff\r\nc".encode())


def test_gb18030_is_read_line_by_line() -> None:
    """No byte of a character of it is a line end."""
    text = "张三𠮷\n李四\n"
    assert [Line(1, "张三𠮷"), Line(2, "李四")] == _lines(text.encode("gb18030"), 1, check_encoding("GB18030"))


def test_a_line_in_another_encoding_names_its_byte() -> None:
    """The others are read all the same."""
    lines = _lines(b"a\nab\xff\nb\n")
    assert ["a", "", "b"] == [line.text for line in lines]
    assert "not utf-8: byte 3 is 0xff (see --encoding)" == lines[1].problem


def test_an_endless_line_costs_no_memory() -> None:
    """It is dropped as it comes, and is one bad line; the next is read."""
    reader = LineReader()
    piece = b"x" * 65536
    found = [line for _ in range(LONGEST // len(piece) * 4) for line in reader.feed(piece)]
    assert [] == found
    assert b"" == reader._rest
    assert [Line(1, "", "longer than 1,048,576 bytes"), Line(2, "b")] == [*reader.feed(b"\nb\n"), *reader.end()]
    assert [Line(1, "", "longer than 1,048,576 bytes")] == _lines(b"y" * (LONGEST + 1), LONGEST)
    assert [Line(1, "", "longer than 1,048,576 bytes")] == _lines(b"y" * (LONGEST + 1) + b"\n", LONGEST * 2)


@pytest.mark.parametrize("name", ["utf-16", "utf-32-le", "cp037"])
def test_encodings_without_a_plain_line_end_are_refused(name: str) -> None:
    """The error says how to convert the file."""
    with pytest.raises(UsageError, match=f"iconv -f {name} -t UTF-8"):
        check_encoding(name)


@pytest.mark.parametrize("name", ["klingon", "base64", "rot13", ""])
def test_unknown_encodings_are_refused(name: str) -> None:
    """So are codecs that are no encodings of text."""
    with pytest.raises(UsageError, match="is no encoding that Python knows"):
        check_encoding(name)


def test_both_forms_of_json_lines() -> None:
    """The form of `to_dict`, the short one, and empty lines, which are none."""
    message = Message.to_user("u", "hi", from_account="@f", key="k", msg_random=7)
    rows = [
        message.to_dict(),
        {"to": "u", "text": "hi", "from": "@f", "key": "k", "msg_random": 7},
        {"session": "s", "text": "look", "card": {"header": "H", "desc": "D", "pic": "P", "url": "U"}},
        {"session": "s", "text": "x", "cloud_custom_data": "c", "exclude_from_timeout": True},
    ]
    found = _items("\n\n".join(map(json.dumps, rows)), JsonLines())
    assert [1, 3, 5, 7] == [number for number, _ in found]
    first, second, third, fourth = (item for _, item in found)
    assert message == first == second
    assert isinstance(third, Message)
    assert isinstance(fourth, Message)
    assert [TextElem("look"), Card(header="H", desc="D", pic="P", url="U")] == [
        third.elements[0],
        third.elements[1].payload(),  # type: ignore[union-attr]
    ]
    assert ("c", True) == (fourth.cloud_custom_data, fourth.exclude_from_user_resp_timeout)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 1: not JSON: "),
        ("NaN", "line 1: not JSON: NaN is not JSON"),
        ("[" * 100_000, "line 1: not JSON: the JSON is nested too deeply"),
        ("[]", "line 1: a message is an object"),
        ("7", "line 1: a message is an object"),
        ("{}", "line 1: it does not say to whom: give 'to' or 'session'"),
        ('{"to": "u"}', "line 1: the message is empty"),
        ('{"to": "", "text": "x"}', "line 1: Message.to_account must be text of at least one character"),
        ('{"to": "u", "text": 7}', "line 1: 7 is no element"),
        ('{"to": "u", "text": ["x"]}', "line 1: ['x'] is no element"),
        ('{"to": "u", "session": "s", "text": "x"}', "line 1: a message goes either to a session"),
        ('{"MsgBody": 7}', "line 1: MsgBody must be a list"),
        ('{"text": "x"}', "line 1: it does not say to whom"),
        ('{"user": "u", "text": "x"}', "line 1: unknown field 'user': the short form has to, session, from,"),
        (
            "account,name",
            "line 1: not JSON: Expecting value: line 1 column 1 (char 0); for CSV give --text and --to-column",
        ),
        ('{"to": "u", "txt": "x"}', "line 1: unknown field 'txt': the short form has to, session, from,"),
        ('{"to": "u", "card": {"desc": "x"}}', "line 1: a card has header and, if wanted, desc, pic and url"),
        ('{"to": "u", "card": {"header": "x", "size": 1}}', "line 1: a card has header"),
        ('{"to": "u", "card": "x"}', "line 1: a card has header"),
        ('{"to": "u", "card": {"header": 7}}', "line 1: Card.header must be text"),
        ('{"to": "u", "text": "x", "msg_random": -1}', "line 1: Message.msg_random must be a whole number"),
        ('{"to": "u", "text": "x", "exclude_from_timeout": 1}', "line 1: Message.exclude_from_user_resp_timeout must"),
        ("x" * (LONGEST + 1), "line 1: longer than 1,048,576 bytes"),
    ],
)
def test_a_bad_line_has_its_number_and_its_reason(line: str, reason: str) -> None:
    """It is one item, and the line after it is read."""
    found = _items(line + '\n{"to": "u", "text": "x"}', JsonLines())
    assert [1, 2] == [number for number, _ in found]
    assert [True] == [text.startswith(reason) for text in _reasons(found)]


def _table(to: str | None = "to", session: str | None = None, text: str = "{name}", delimiter: str = ",") -> CsvRows:
    return CsvRows(Columns(to=to, session=session), Template.read(text), delimiter)


def test_rows_fill_the_text() -> None:
    """Columns by name, quoted fields with commas, quotes and line ends, and the key of one's own."""
    rows = CsvRows(Columns(to="to", key="id"), Template.read("Hello {name}, {{really}} {name}!"))
    content = 'id,to,name\n1,u1,Ann\n\n2,u2,"Bo, ""the"" 大\nMan"\r\n3,u3,{id}\n'
    found = _items(content, rows)
    messages = [item for _, item in found if isinstance(item, Message)]
    assert [2, 4, 6] == [number for number, _ in found]
    assert ["1", "2", "3"] == [message.key for message in messages]
    texts = [
        "Hello Ann, {really} Ann!",
        'Hello Bo, "the" 大\nMan, {really} Bo, "the" 大\nMan!',
        "Hello {id}, {really} {id}!",
    ]
    assert [(TextElem(text),) for text in texts] == [message.elements for message in messages]


def test_sessions_and_other_delimiters() -> None:
    """A table may name sessions, and separate its fields by something else."""
    (found,) = _items("s;name\nabc;Ann", _table(None, "s", delimiter=";"))
    assert isinstance(found[1], Message)
    assert ("abc", (TextElem("Ann"),)) == (found[1].session_id, found[1].elements)


def test_line_ends_of_other_scripts_are_content() -> None:
    """Only a line feed ends a row."""
    (found,) = _items("to,name\nu,a\u2028b\x0bc", _table())
    assert isinstance(found[1], Message)
    assert (TextElem("a\u2028b\x0bc"),) == found[1].elements


def test_bad_rows_have_their_number_and_reason() -> None:
    """Too few or too many fields, an empty recipient, a stray quote; the rows between them are read."""
    content = 'to,name\nu1\nu2,b,c\n,d\nu4,e\nu5,"f"g\nu6,h\nu7,"i\nu8,j\n'
    found = _items(content, _table())
    assert [5, 7, 9] == [number for number, item in found if isinstance(item, Message)]
    expected = [
        "line 2: 1 fields",
        "line 3: 3 fields",
        "line 4: Message.to_account",
        "line 6: ",
        "line 8: a quote is not",
    ]
    assert [True] * 5 == [text.startswith(start) for start, text in zip(expected, _reasons(found), strict=True)]


def test_an_open_quote_swallows_nothing_for_good() -> None:
    """After 64 KB, or at an unreadable line, the lines that it held are judged one by one, in their order."""
    count = 5_000
    content = 'to,name\nu,"open\n' + "".join(f"u{number},{'x' * 20}\n" for number in range(count))
    found = _items(content, _table())
    assert [*range(2, count + 3)] == [number for number, _ in found]
    assert ["line 2: a quote is not closed"] == _reasons(found)
    early = _items('to,name\nu,"open\nu2,x\n', _table())
    items = _table()
    late = [found for line in [*_lines(b'to,name\nu,"open\nu2,x\n'), Line(4, "", "odd")] for found in items.take(line)]
    assert early == [*early[:1], (3, early[1][1])]
    assert [2, 3, 4] == [number for number, _ in late]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("to,nom\nu,x", "there is no column name: the file has to, nom"),
        ("an,nom\nu,x", "there is no column name, to: the file has an, nom"),
        ("to,name,name\nu,x,y", "two columns have the same name: to, name, name"),
    ],
)
def test_a_table_without_the_columns_is_refused(content: str, reason: str) -> None:
    """The error says which columns there are."""
    with pytest.raises(UsageError, match=reason):
        _items(content, _table())


@pytest.mark.parametrize("text", ["{", "}", "{}", "{name!r}", "{name:>10}", "Hello {name"])
def test_a_text_takes_names_alone(text: str) -> None:
    """Formats and conversions are refused, as are braces that are not closed."""
    with pytest.raises(UsageError, match="--text"):
        Template.read(text)


def test_a_name_reaches_nothing_but_its_column() -> None:
    """Dots and brackets belong to the name of a column; they open no attribute."""
    template = Template.read("{to.__class__} {a[0]} {0}")
    assert {"to.__class__", "a[0]", "0"} == template.names()
    assert "x y z" == template.fill({"to.__class__": "x", "a[0]": "y", "0": "z"})


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_as_a_file_is_read_to_its_end(content: str) -> None:
    """Whatever it holds, it gives messages and reasons, or one refusal of the whole table."""
    assert all(isinstance(item, Message | MessageError) for _, item in _items(content, JsonLines()))
    try:
        found = _items(content, _table())
    except UsageError:
        return
    assert all(isinstance(item, Message | MessageError) for _, item in found)
