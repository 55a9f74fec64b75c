"""Elements and payloads to wire objects and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from deskim import payloads as p
from deskim._codec import (
    data_text,
    dump_body,
    dump_element,
    dump_payload,
    dumps,
    load_body,
    load_element,
    load_payload,
    loads,
    parse_data,
)
from deskim._elements import CustomElem, Elem, ImageElem, ImageInfo, RawElem, SoundElem, TextElem
from deskim.errors import MessageError
from tests.support.values import (
    custom_elements,
    elements,
    json_objects,
    json_values,
    kinds_of_payloads,
    kinds_of_plain_elements,
    texts,
)

KINDS = ("Text", "Location", "Face", "Custom", "Sound", "Image", "File", "VideoFile")
DESK = {"customerServicePlugin": 0}


@pytest.mark.parametrize("kind", [*kinds_of_plain_elements, custom_elements])
@settings(max_examples=25)
@given(data=st.data())
def test_every_element_comes_back_as_it_was(kind: st.SearchStrategy[Elem], data: st.DataObject) -> None:
    """What an element is dumped to loads as the same element, unknown fields included."""
    elem = data.draw(kind)
    assert elem == load_element(dump_element(elem))


@given(elements)
def test_every_element_survives_the_wire(elem: Elem) -> None:
    """The same holds when the body goes through bytes in between."""
    assert (elem,) == load_body(loads(dumps(dump_body([elem]))))


@pytest.mark.parametrize("kind", kinds_of_payloads)
@settings(max_examples=25)
@given(data=st.data())
def test_every_payload_comes_back_as_it_was(kind: st.SearchStrategy[p.Payload], data: st.DataObject) -> None:
    """What a payload is written as in Data loads as the same payload, unknown fields included."""
    payload = data.draw(kind)
    assert payload == parse_data(data_text(payload))
    assert payload == CustomElem(payload).payload()
    assert payload == CustomElem(data_text(payload)).payload()


@given(texts)
def test_text_survives_double_encoding(text: str) -> None:
    """Quotes, backslashes, emoji, Chinese and markup come out of the JSON inside the JSON as they went in."""
    sent = dumps(dump_body([CustomElem(p.Card(header=text, url=text))]))
    (received,) = load_body(json.loads(sent))
    assert isinstance(received, CustomElem)
    assert p.Card(header=text, url=text) == received.payload()


@given(json_values)
def test_anything_loads_as_an_element_and_dumps_to_what_it_was(wire: Any) -> None:
    """Loading never fails and loses nothing, whatever stands where an element should."""
    assert wire == dump_element(load_element(wire))


@given(st.sampled_from(KINDS), json_objects)
def test_known_elements_with_any_fields_survive(kind: str, content: dict[str, Any]) -> None:
    """A known MsgType with fields unlike the documented ones loads and dumps to what it was."""
    wire = {"MsgType": f"TIM{kind}Elem", "MsgContent": content}
    assert wire == dump_element(load_element(wire))


@given(st.data(), elements)
def test_a_known_element_with_one_field_spoilt_survives(data: st.DataObject, elem: Elem) -> None:
    """Replacing any one field by any JSON value neither fails nor loses it."""
    wire = dump_element(elem)
    if isinstance(wire["MsgContent"], dict) and wire["MsgContent"]:
        name = data.draw(st.sampled_from(sorted(wire["MsgContent"])))
        wire = {**wire, "MsgContent": {**wire["MsgContent"], name: data.draw(json_values)}}
    loaded = load_element(wire)
    assert wire == dump_element(loaded)
    assert repr(wire) == repr(dump_element(loaded)) or not isinstance(loaded, RawElem)


def _within(part: Any, whole: Any) -> bool:
    """Tell whether everything of an object stands in another."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and _within(value, whole[name]) for name, value in part.items())
    return bool(part == whole)


_bodies = (
    json_objects | texts | st.fixed_dictionaries({"header": texts, "items": st.just([])}, optional={"x": json_values})
)


@given(json_objects, _bodies, st.sampled_from(["9", "15", "21", "22", "23", "26", "29", "30", "32", "33", "37", "99"]))
def test_a_desk_message_of_any_kind_loses_nothing(fields: dict[str, Any], body: object, src: str) -> None:
    """Whatever Desk's JSON holds is still there when its payload is written out again."""
    wire = {**fields, "content": body, "src": src, **DESK}
    loaded = load_payload(wire)
    assert _within(wire, dump_payload(loaded) if isinstance(loaded, p.Payload) else loaded)


@given(json_values)
def test_any_data_parses(value: Any) -> None:
    """Data that is any JSON gives a payload, a mapping or nothing."""
    parsed = parse_data(dumps(value).decode())
    assert (value if isinstance(value, dict) else None) == parsed or isinstance(parsed, p.Payload)


@given(texts)
def test_any_text_parses(text: str) -> None:
    """Data that is any text gives a payload, a mapping or nothing."""
    assert isinstance(parse_data(text), p.Payload | dict | None)


@pytest.mark.parametrize(
    "wire",
    [
        {"MsgType": "TIMStreamElem", "MsgContent": {"Chunks": [{"Index": 1}]}},
        {"MsgType": "TIMTextElem", "MsgContent": {"Text": 7}},
        {"MsgType": "TIMTextElem", "MsgContent": {"Text": "a"}, "Beside": True},
        {"MsgType": "TIMTextElem", "MsgContent": None},
        {"MsgType": "TIMTextElem", "MsgContent": "a"},
        {"MsgType": "TIMFaceElem", "MsgContent": {"Index": True, "Data": ""}},
        {"MsgType": "TIMFaceElem", "MsgContent": {"Index": 1.0, "Data": ""}},
        {"MsgType": "TIMSoundElem", "MsgContent": {"Url": "u", "UUID": "i"}},
        {"MsgType": "TIMSoundElem", "MsgContent": {"Url": "u", "UUID": "i", "Size": None, "Download_Flag": 2}},
        {"MsgType": "TIMImageElem", "MsgContent": {"UUID": "", "ImageFormat": 1, "ImageInfoArray": "abc"}},
        {"MsgType": "TIMLocationElem", "MsgContent": {"Desc": "", "Latitude": float("nan"), "Longitude": 0}},
    ],
    ids=str,
)
def test_what_is_not_as_documented_stays_as_it_is(wire: dict[str, Any]) -> None:
    """An unknown kind, and a known one with other fields than documented, load as a RawElem."""
    loaded = load_element(wire)
    assert isinstance(loaded, RawElem)
    assert wire["MsgType"] == loaded.msg_type
    assert repr(wire) == repr(dump_element(loaded))


@pytest.mark.parametrize(
    "wire", [None, "text", 7, [], {}, {"MsgType": "TIMTextElem"}, {"MsgType": "", "MsgContent": {}}]
)
def test_what_is_no_element_stays_as_it_is(wire: Any) -> None:
    """What has no MsgType and MsgContent loads as a RawElem without a type."""
    assert RawElem.loaded("", wire) == load_element(wire)
    assert wire == dump_element(load_element(wire))


def test_nesting_however_deep_loads() -> None:
    """Loading an element does not follow its depth; sending it says that it is too deep."""
    content: dict[str, Any] = {}
    for _ in range(5000):
        content = {"a": content}
    raw = load_element({"MsgType": "TIMTextElem", "MsgContent": {"Text": "hi", "More": content}})
    new = load_element({"MsgType": "TIMNewElem", "MsgContent": content})
    assert ("TIMTextElem", "TIMNewElem") == (dump_element(raw)["MsgType"], dump_element(new)["MsgType"])
    for elem in (raw, new):
        with pytest.raises(MessageError, match="nested deeper than 64 levels"):
            dump_body([elem])


def test_unknown_fields_of_elements_are_sent_along() -> None:
    """Extra fields stand beside the known ones, and a known one is never replaced."""
    info = ImageInfo(type=1, width=1, height=2, url="u", extra={"Hash": "h"})
    wire = dump_element(ImageElem(uuid="i", image_format=1, image_info_array=[info], extra={"UUID": "x", "New": [1]}))
    assert {
        "UUID": "i",
        "ImageFormat": 1,
        "ImageInfoArray": [{"Type": 1, "Width": 1, "Height": 2, "URL": "u", "Hash": "h"}],
        "New": [1],
    } == wire["MsgContent"]


def test_optional_fields_are_left_out() -> None:
    """A field that is None does not appear; any other default does."""
    assert {"Url": "u", "UUID": "i", "Download_Flag": 2} == dump_element(SoundElem(url="u", uuid="i"))["MsgContent"]


def test_the_spelling_of_the_pages() -> None:
    """The exceptions of 647/74355: Url, URL and VideoUrl; Download_Flag and VideoDownloadFlag."""
    sound = dump_element(SoundElem(url="u", uuid="i", size=1, second=2))["MsgContent"]
    assert {"Url", "UUID", "Size", "Second", "Download_Flag"} == set(sound)


class _Own(p.Card):
    """A payload class of a caller's own."""


@pytest.mark.parametrize("payload", [p.Payload(), p.BotChoices(), _Own(header="a")], ids=lambda v: type(v).__name__)
def test_a_payload_class_of_ones_own_is_refused(payload: p.Payload) -> None:
    """A class that the codec does not know is refused by name, with the way out."""
    with pytest.raises(MessageError, match=f"no wire form of {type(payload).__name__}: give a mapping with its src"):
        data_text(payload)


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ({"src": "30", "content": "**hi**", **DESK}, p.RichText("**hi**")),
        ({"src": "30", "content": "hi", "customerServicePlugin": "0"}, p.RichText("hi")),
        ({"src": "30", "content": "hi", "chatbotPlugin": "1"}, p.RichText("hi", extra={"chatbotPlugin": "1"})),
        ({"src": "30", "content": "hi", "chatbotPlugin": 1}, p.RichText("hi", extra={"chatbotPlugin": 1})),
        ({"src": "33", "nodeStatus": 2, "content": {"tip": "t", "inputVariables": []}, **DESK}, p.TaskForm("t", [], 2)),
        ({"src": 15, "content": {"header": "h", "items": []}, **DESK}, p.Branch("h", [])),
        ({"src": "29", "subtype": "clarify_msg", "content": {}, **DESK}, p.ClarifyMessage()),
        (
            {"src": "29", "subtype": "welcome_msg", "content": {"items": [{"content": "a"}]}, **DESK},
            p.WelcomeMessage(items=["a"]),
        ),
        (
            {"src": "26", "content": {"command": "updateSeatStatus", "content": "inSeat"}, **DESK},
            p.SeatStatus("inSeat"),
        ),
        (
            {"src": "31", "chunks": ["a", "b"], "isFinished": 1, "x": 1, **DESK},
            p.StreamText(["a", "b"], 1, extra={"x": 1}),
        ),
        (
            {"src": "22", "content": {"header": "h", "x": 1}, "y": 2, **DESK},
            p.Card("h", extra={"y": 2, "content": {"x": 1}}),
        ),
    ],
    ids=str,
)
def test_desk_messages_load_as_their_class(wire: dict[str, Any], expected: p.Payload) -> None:
    """A message is known by its src, as text or number, where a plug-in's mark shows it to be Desk's (269/96058)."""
    assert expected == load_payload(wire)


@pytest.mark.parametrize(
    "wire",
    [
        {"src": "22", "content": {"header": "h"}},
        {"src": "22", "content": {"header": "h"}, "customerServicePlugin": 1},
        {"src": "22", "content": {"header": 7}, **DESK},
        {"src": "22", "content": "h", **DESK},
        {"src": "22", **DESK},
        {"src": "29", "subtype": "other", "content": {}, **DESK},
        {"src": "29", "content": {}, **DESK},
        {"src": "31", "chunks": "abc", **DESK},
        {"src": "15", "content": {"header": "h", "items": {"a": 1}}, **DESK},
        {"src": "39", **DESK},
        {"src": None, **DESK},
        {**DESK},
    ],
    ids=str,
)
def test_other_messages_stay_mappings(wire: dict[str, Any]) -> None:
    """What is not Desk's, of an unknown kind, or not as documented, is given as it is."""
    assert wire is load_payload(wire)
    assert wire == parse_data(json.dumps(wire))


def test_unknown_fields_deep_in_a_payload_survive() -> None:
    """A field that Desk adds to a choice is kept, and sent along."""
    wire = {
        "src": "15",
        "content": {"header": "h", "items": [{"content": "a", "desc": "", "id": 3}], "tail": ""},
        **DESK,
    }
    assert wire == dump_payload(load_payload(wire))  # type: ignore[arg-type]


def test_seat_status_keeps_unknown_fields_beside_its_command() -> None:
    """The fixed command is neither lost nor taken for an unknown field."""
    wire = {"src": "26", "content": {"command": "updateSeatStatus", "content": "inSeat", "x": 1}, **DESK}
    assert p.SeatStatus("inSeat", extra={"content": {"x": 1}}) == load_payload(wire)
    assert wire == dump_payload(load_payload(wire))  # type: ignore[arg-type]


def test_what_a_card_holds_beyond_texts_is_written_as_everywhere() -> None:
    """A line of a card with JSON of the caller's own has the same bytes with the extra `fast` and without it."""
    card = p.Card("h", custom_field=[p.CardField("n", "v", extra={"x": 1e-7})])
    assert '"customField":[{"name":"n","value":"v","x":1e-07}]' in data_text(card)


def test_data_that_is_nested_too_deeply_is_other_text() -> None:
    """JSON too deep for Python to read is no payload, and no failure."""
    assert parse_data('{"src":"30","customerServicePlugin":0,"x":' + "[" * 100_000 + "]" * 100_000 + "}") is None


def test_what_json_cannot_say_is_refused_where_it_stands() -> None:
    """NaN that is slipped into a mapping after it was checked is found when it is written."""
    elem = CustomElem({"a": {"b": 1}})
    assert isinstance(elem.data, dict)
    elem.data["a"]["b"] = float("nan")
    with pytest.raises(MessageError, match=r"a\.b is nan, which JSON cannot say"):
        dump_body([elem])
    with pytest.raises(MessageError, match=r"MsgBody\[0\]\.MsgContent\[0\] is of type set"):
        dump_body([RawElem.loaded("New", [set()])])


def test_an_element_can_be_changed_by_evolve() -> None:
    """Known elements are plain attrs values."""
    assert TextElem("b", extra={"x": 1}) == evolve(TextElem("a", extra={"x": 1}), text="b")


def test_unknown_fields_of_a_raw_element_replace_nothing() -> None:
    """Its type and content stand, whatever else is sent along."""
    elem = RawElem("TIMStreamElem", {"a": 1}, extra={"MsgType": "TIMCustomElem", "Beside": 2})
    assert {"MsgType": "TIMStreamElem", "MsgContent": {"a": 1}, "Beside": 2} == dump_element(elem)
