"""Hypothesis strategies: every kind of element and payload, and JSON of any shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import fields
from hypothesis import strategies as st

from deskim import payloads as p
from deskim._codec._shapes import camel, pascal
from deskim._elements import (
    CustomElem,
    Elem,
    FaceElem,
    FileElem,
    ImageElem,
    ImageInfo,
    LocationElem,
    RawElem,
    SoundElem,
    TextElem,
    VideoFileElem,
)

texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ['"', "\\", "\\\"'", "😀🏳️‍🌈", "您好，欢迎", "</script>", "\u2028\x00\x1f\x7f", "{}", "null"]
)
wholes = st.integers(0, 2**63 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
numbers = wholes | st.integers(-(10**40), 10**40)
leaves = st.none() | st.booleans() | numbers | floats | texts
json_values = st.recursive(
    leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(texts, v, max_size=3), max_leaves=8
)
json_objects = st.dictionaries(texts, json_values, max_size=4)


def unknown_fields(cls: type, spell: Any, *reserved: str) -> st.SearchStrategy[Mapping[str, Any]]:
    """Fields that deskim has no name for."""
    taken = {spell(a.name) for a in fields(cls)} | {"UUID", "URL", "VideoUUID", "ThumbUUID", "Download_Flag", *reserved}
    names = texts.filter(lambda name: name not in taken)
    return st.just({}) | st.dictionaries(names, json_values, min_size=1, max_size=2)


def _built(cls: type, spell: Any, *reserved: str, **given: Any) -> st.SearchStrategy[Any]:
    return st.builds(cls, extra=unknown_fields(cls, spell, *reserved), **given)


def _element(cls: type, **given: Any) -> st.SearchStrategy[Any]:
    return _built(cls, pascal, **given)


_image = _element(
    ImageInfo,
    type=st.sampled_from([1, 2, 3]),
    size=st.none() | wholes,
    width=wholes,
    height=wholes,
    url=texts,
)
_names = {"video_url", "video_uuid", "video_format", "thumb_url", "thumb_uuid", "thumb_format"}
_sizes = {"video_size", "video_second", "thumb_size", "thumb_width", "thumb_height"}
text_elements = _element(TextElem, text=texts)
custom_elements = _element(
    CustomElem, data=texts, desc=st.none() | texts, ext=st.none() | texts, sound=st.none() | texts
)
kinds_of_plain_elements: tuple[st.SearchStrategy[Elem], ...] = (
    text_elements,
    _element(
        LocationElem, desc=texts, latitude=st.floats(-90, 90) | st.integers(-90, 90), longitude=st.floats(-180, 180)
    ),
    _element(FaceElem, index=wholes, data=texts),
    _element(SoundElem, url=texts, uuid=texts, size=st.none() | wholes, second=st.none() | wholes),
    _element(
        ImageElem,
        uuid=texts,
        image_format=st.sampled_from([1, 2, 3, 4, 255]),
        image_info_array=st.lists(_image, max_size=3),
    ),
    _element(FileElem, url=texts, uuid=texts, file_size=wholes, file_name=texts),
    _element(VideoFileElem, **dict.fromkeys(_names, texts), **dict.fromkeys(_sizes, wholes)),
    st.builds(
        RawElem,
        texts.filter(lambda name: name and not name.startswith("TIM")),
        json_values,
        extra=st.just({}) | st.dictionaries(texts.filter(lambda n: not n.startswith("Msg")), json_values, max_size=2),
    ),
)
plain_elements = st.one_of(*kinds_of_plain_elements)
elements = plain_elements | custom_elements


def _part(cls: type, **given: Any) -> st.SearchStrategy[Any]:
    return _built(cls, camel, "taskID", "nodeID", **given)


def _payload(cls: type[p.Payload], *reserved: str, **given: Any) -> st.SearchStrategy[Any]:
    envelope = ("src", "customerServicePlugin", "chatbotPlugin", "content", "menuContent", "subtype", "command")
    return _built(cls, camel, *envelope, *reserved, **given)


_choice = _part(p.Choice, content=texts, desc=texts)
_bot_choice = _part(p.BotChoice, content=texts, id=st.none() | texts, answer=st.none() | texts)
_task = _part(p.TaskInfo, task_id=wholes, node_id=texts, env=texts)
_option = _part(p.RatingOption, id=texts, content=texts)
_variable = _part(
    p.InputVariable,
    name=texts,
    type=texts,
    form_type=st.sampled_from([0, 1]),
    placeholder=texts,
    is_required=st.sampled_from([0, 1]),
    variable_value=texts,
    choose_item_list=st.lists(texts, max_size=2),
)
_bit, _three = st.sampled_from([0, 1]), st.sampled_from([0, 1, 2])
_choices = st.lists(_choice, max_size=3)
_bot = {"title": texts, "content": texts, "items": st.lists(_bot_choice, max_size=2)}
kinds_of_payloads: tuple[st.SearchStrategy[p.Payload], ...] = (
    _payload(
        p.Card,
        header=texts,
        desc=texts,
        pic=texts,
        url=texts,
        custom_field=st.none() | st.lists(_part(p.CardField, name=texts, value=texts), max_size=2),
    ),
    _payload(p.OrderCard, guide=texts, name=texts, desc=texts, pic=texts),
    _payload(p.RichText, content=texts),
    _payload(p.Branch, header=texts, items=_choices, tail=texts, selected=st.none() | _choice),
    _payload(p.CollectForm, header=texts, type=_bit, items=_choices, selected=st.none() | _choice),
    _payload(p.WelcomeMessage, **_bot),
    _payload(p.ClarifyMessage, **_bot),
    _payload(p.StreamText, chunks=st.lists(texts, max_size=3), is_finished=_bit),
    _payload(
        p.TaskBranch,
        header=texts,
        items=_choices,
        tail=texts,
        selected=st.none() | _choice,
        status=_three,
        option_type=_bit,
        task_info=st.none() | _task,
    ),
    _payload(p.TaskForm, tip=texts, input_variables=st.lists(_variable, max_size=2), node_status=_three),
    _payload(p.Thinking, thinking_status=_bit),
    _payload(p.TimeoutWarning, content=texts),
    _payload(
        p.RatingCard,
        head=texts,
        menu=st.lists(_option, max_size=2),
        session_id=texts,
        tail=texts,
        type=st.sampled_from([1, 2]),
        effective_hour=st.none() | wholes,
        expire_time=st.none() | wholes,
        selected=st.none() | _option,
        allow_client_send_rating=st.none() | st.booleans(),
    ),
    _payload(p.RatingSettings, menu_send_rule_flag=st.integers(0, 7)),
    _payload(p.SeatStatus, content=texts),
)
payloads = st.one_of(*kinds_of_payloads)
