"""Strict JSON, alike with orjson and without."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deskim import _protocol
from deskim._codec import _bodies, _json, _payloads, dumps, dumps_plain, is_portable, loads, loads_reply
from deskim._elements import CustomElem, Elem, ImageElem, ImageInfo, LocationElem, RawElem, TextElem
from deskim._messages import Message
from deskim._protocol import encode_message
from deskim.errors import MessageError
from tests.support.values import elements, json_values, payloads, plain_elements, texts

orjson = pytest.importorskip("orjson", reason="the two encoders are compared where both are there")

STDLIB = _json._stdlib_dumps


@given(json_values)
@example(1e16)
@example(1e-7)
@example(-0.0)
@example(2**64)
@example("\x00\x1f\x7f\u2028\ufffe")
def test_both_encoders_write_a_portable_value_alike(value: Any) -> None:
    """Whatever is called portable is the same in bytes from orjson and from the standard library."""
    assert STDLIB(value) == dumps(value)
    assert not is_portable(value) or STDLIB(value) == orjson.dumps(value)


@given(st.lists(plain_elements, min_size=1, max_size=3), elements | payloads, texts | st.none(), st.booleans())
def test_every_message_has_the_same_bytes_with_and_without_orjson(
    parts: list[Elem],
    last: Any,
    cloud_custom_data: str | None,
    exclude: bool,  # noqa: FBT001 - a drawn value
) -> None:
    """The body of a message does not depend on the extra `fast`, and is the JSON of its fields."""
    message = Message.to_user(
        "user45",
        *parts,
        last,
        from_account="@desk",
        msg_random=7,
        cloud_custom_data=cloud_custom_data,
        exclude_from_user_resp_timeout=exclude,
    )
    fast, plain = (_encoded(message, encoder) for encoder in (orjson.dumps, STDLIB))
    assert fast == plain == _encoded(Message.from_dict(message.to_dict()), STDLIB)
    assert fast is None or message.to_dict() == json.loads(fast)


IMAGE = ImageInfo(type=1, size=None, width=0, height=0, url="", extra={"x": 2**80})


@pytest.mark.parametrize(
    "elem",
    [
        TextElem("a", extra={"N": 2**63}),
        TextElem("a", extra={"N": 1e-7}),
        LocationElem("a", 1e-7, 0),
        RawElem("New", [-(2**63) - 1]),
        CustomElem("a", desc="b"),
        ImageElem(uuid="", image_format=1, image_info_array=(IMAGE,)),
    ],
    ids=str,
)
def test_numbers_that_the_encoders_write_differently_are_written_alike(elem: Elem) -> None:
    """Floats in exponent notation and integers beyond 64 bits are written by the standard library alone."""
    message = Message.to_session("s", TextElem("b"), elem, TextElem("c"), msg_random=7)
    assert _encoded(message, STDLIB) == _encoded(message, orjson.dumps)
    assert message.to_dict() == json.loads(_encoded(message, orjson.dumps) or b"")


def _encoded(message: Message, encoder: Callable[[object], bytes]) -> bytes | None:
    """Encode a message with one of the encoders; return nothing where it is too large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json, "_fast_dumps", encoder)
        for room in (_bodies, _payloads, _protocol):
            patch.setattr(room, "dumps_text", encoder)
        try:
            return encode_message(message, None)
        except MessageError as error:
            assert "Desk allows 12,288" in str(error)  # noqa: PT017 - drawn messages may be that large
            return None


@given(json_values)
def test_any_json_is_read_back(value: Any) -> None:
    """Reading gives what was written, with orjson and without."""
    assert value == loads(dumps(value))
    assert repr(loads(dumps(value))) == repr(loads_reply(dumps(value)))


@given(st.binary() | texts.map(str.encode))
@example(b"18446744073709551616")
@example(b"-9223372036854775809")
@example(b"1e400")
@example(b"-0")
@example(b'"\\ud800"')
@example(b"\xef\xbb\xbf{}")
@example('{"a":"b"}'.encode("utf-16"))
@example(b"NaN")
def test_any_bytes_read_alike_with_and_without_orjson(data: bytes) -> None:
    """Both ways give the same value, or both refuse."""
    assert _value(loads_reply, data) == _value(loads, data)


def _value(read: Any, data: bytes) -> str:
    try:
        return repr(read(data))
    except ValueError:
        return "refused"


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "[1e999]", "{'a': 1}", "", "[" * 100_000, '"\n"'])
def test_what_is_no_json_is_refused(text: str) -> None:
    """Reading refuses constants that JSON lacks, numbers beyond a float, and what is nested without end."""
    with pytest.raises(ValueError):  # noqa: PT011 - the text is Python's own
        loads(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[NaN]", "NaN is not JSON"),
        ("-Infinity", "-Infinity is not JSON"),
        ("[1e999]", "1e999 is not JSON"),
        ("[" * 100_000, "the JSON is nested too deeply"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_json_is_refused_with_its_reason(text: str, reason: str) -> None:
    """Whoever reads a file of messages is told what is wrong with it."""
    with pytest.raises(ValueError, match=f"^{reason}$"):
        loads(text)


def test_utf_16_is_no_reply() -> None:
    """Only UTF-8 is read: a signature echoed in another encoding would not have been seen."""
    with pytest.raises(UnicodeDecodeError):
        loads_reply('{"ErrorCode":0}'.encode("utf-16"))


def test_chinese_is_not_escaped() -> None:
    """A Chinese character takes three bytes, not six."""
    assert '{"Text":"您好"}'.encode() == dumps({"Text": "您好"})


@pytest.mark.parametrize("fast", [orjson.dumps, STDLIB], ids=["orjson", "json"])
@pytest.mark.parametrize(
    ("value", "where"),
    [
        ("\ud800", "the value"),
        ({"Text": "a\udfffb"}, "Text"),
        ({"MsgBody": ["a", {"b": ["\ud800"]}]}, r"MsgBody\[1\]\.b\[0\]"),
        ({"a": {"\ud800": 1}}, r"a\.\\ud800"),
    ],
)
def test_half_a_surrogate_pair_is_refused_where_it_stands(
    monkeypatch: pytest.MonkeyPatch, fast: Any, value: Any, where: str
) -> None:
    """The error names the place, and can itself be printed."""
    monkeypatch.setattr(_json, "_fast_dumps", fast)
    with pytest.raises(MessageError, match=rf"^{where} holds half of a surrogate pair") as caught:
        dumps_plain(value)
    assert str(caught.value).encode()
    assert caught.value.__context__ is None


def test_an_unknown_failure_of_the_encoder_names_no_place() -> None:
    """What was not checked before is refused all the same."""
    with pytest.raises(MessageError, match=r"^a value holds"):
        dumps_plain({"a": object()})


@pytest.mark.parametrize(
    ("value", "alike"),
    [
        ({"a": ["b", None, True, 0.5, -0.0]}, True),
        ([-(2**63), 2**63 - 1], True),
        ([2**63], False),
        ({"a": {"b": -(2**63) - 1}}, False),
        ({"a": [1e-7]}, False),
        (1e16, False),
    ],
    ids=str,
)
def test_what_both_encoders_write_alike_is_left_to_the_quick_one(
    monkeypatch: pytest.MonkeyPatch,
    value: Any,
    alike: bool,  # noqa: FBT001 - a case
) -> None:
    """The extra `fast` writes all but floats in exponent notation and integers beyond 64 bits."""
    quick: list[object] = []
    monkeypatch.setattr(_json, "_fast_dumps", lambda value: quick.append(value) or orjson.dumps(value))
    assert STDLIB(value) == dumps(value)
    assert (alike, [value] if alike else []) == (is_portable(value), quick)


def test_a_reply_is_read_by_the_quick_reader_but_for_long_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra `fast` reads replies, unless a number may be beyond 64 bits."""
    quick: list[bytes] = []
    reader = SimpleNamespace(loads=lambda data: quick.append(data) or orjson.loads(data))
    monkeypatch.setattr(_json, "_orjson", reader)
    assert ({"a": 10**17}, {"a": 10**18}) == (
        loads_reply(b'{"a":1%b}' % (b"0" * 17)),
        loads_reply(b'{"a":1%b}' % (b"0" * 18)),
    )
    assert [b'{"a":100000000000000000}'] == quick


def test_without_orjson_the_standard_library_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra `fast` is optional."""
    assert orjson is _json._find_orjson()
    monkeypatch.setitem(sys.modules, "orjson", None)
    assert _json._find_orjson() is None
    monkeypatch.setattr(_json, "_orjson", None)
    assert {"a": 1} == loads_reply(b'{"a":1}')
