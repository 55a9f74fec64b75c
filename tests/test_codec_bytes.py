"""Elements to the bytes of a MsgBody: the ways that are quick, and the one that is not, say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskim import payloads as p
from deskim._codec import _bodies, _json, _payloads, data_text, dump_body, dumps_plain, encode_body
from deskim._elements import CustomElem, Elem, LocationElem, RawElem, TextElem
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


def _refuse(*_: object, **__: object) -> Any:
    raise AssertionError("the longer way was taken")


def test_texts_and_data_take_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nearly all messages consist of is written without a dict in between."""
    monkeypatch.setattr(_bodies, "dump_element", _refuse)
    assert ["TIMTextElem", "TIMCustomElem"] == [wire["MsgType"] for wire in written(TextElem("t"), CustomElem("d"))]


def test_cards_of_texts_take_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nearly all cards are is written without another look at each text."""
    monkeypatch.setattr(_payloads, "dump_payload", _refuse)
    assert {"src": "22", "customerServicePlugin": 0} == {
        name: value for name, value in json.loads(data_text(p.Card("h"))).items() if name != "content"
    }


def test_other_elements_take_the_quick_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra `fast` writes them, unless they hold what the two encoders write differently."""
    quick: list[object] = []
    monkeypatch.setattr(_json, "_fast_dumps", lambda value: quick.append(value) or _json._stdlib_dumps(value))
    encode_body((LocationElem("here", 1.5, 2), LocationElem("there", 1e-7, 2)))
    dumps_plain("text")
    assert [1.5, "text"] == [each["MsgContent"]["Latitude"] if isinstance(each, dict) else each for each in quick]


def test_a_body_of_nothing_is_nothing() -> None:
    """Without an element there is no byte."""
    assert b"" == encode_body(())


def test_what_json_cannot_say_is_refused_at_its_index() -> None:
    """The error counts the elements before the one that it is about."""
    with pytest.raises(MessageError, match=r"^MsgBody\[1\]\.MsgContent\[0\] is of type set"):
        encode_body((TextElem("a"), RawElem.loaded("New", [set()])))
