"""Elements to the bytes of a MsgBody: the ways that are quick, and the one that is not, say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskim import payloads as p
from deskim._codec import dump_body, encode_body
from deskim._elements import CustomElem, Elem, RawElem, TextElem
from deskim.errors import MessageError
from tests.support.values import custom_elements, kinds_of_plain_elements


def written(*elements: Elem) -> Any:
    """Return what the bytes of a body say."""
    return json.loads(b"[%b]" % encode_body(elements))


@pytest.mark.parametrize("kind", [*kinds_of_plain_elements, custom_elements])
@settings(max_examples=25)
@given(data=st.data())
def test_the_bytes_of_a_body_say_what_its_elements_say(kind: st.SearchStrategy[Elem], data: st.DataObject) -> None:
    """Whatever way a kind of element is written, alone and beside another one."""
    elem = data.draw(kind)
    expected = dump_body([elem, TextElem("beside"), elem])
    assert expected == written(elem, TextElem("beside"), elem)


@pytest.mark.parametrize(
    ("elem", "content"),
    [
        (CustomElem("d"), {"Data": "d"}),
        (CustomElem("d", desc="x"), {"Data": "d", "Desc": "x"}),
        (CustomElem("d", desc="x", ext="x"), {"Data": "d", "Desc": "x", "Ext": "x"}),
        (CustomElem("d", desc="x", ext="x", sound="x"), {"Data": "d", "Desc": "x", "Ext": "x", "Sound": "x"}),
        (CustomElem("d", sound="x"), {"Data": "d", "Sound": "x"}),
        (CustomElem("d", extra={"New": 1}), {"Data": "d", "New": 1}),
        (CustomElem({"a": [1]}), {"Data": '{"a":[1]}'}),
        (CustomElem(p.RichText("*")), {"Data": '{"src":"30","content":"*","customerServicePlugin":0}'}),
        (TextElem("t", extra={"New": 1}), {"Text": "t", "New": 1}),
    ],
    ids=str,
)
def test_a_custom_element_is_written_whole(elem: Elem, content: dict[str, Any]) -> None:
    """What stands beside Data is written, too, and Data is always a text."""
    (wire,) = written(elem)
    assert content == wire["MsgContent"]


def test_a_body_of_nothing_is_nothing() -> None:
    """Without an element there is no byte."""
    assert b"" == encode_body(())


def test_what_json_cannot_say_is_refused_at_its_index() -> None:
    """The error counts the elements before the one that it is about."""
    with pytest.raises(MessageError, match=r"^MsgBody\[1\]\.MsgContent\[0\] is of type set"):
        encode_body((TextElem("a"), RawElem.loaded("New", [set()])))
