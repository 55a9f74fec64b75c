"""Elements to the MsgBody array and back: MsgType and MsgContent nesting (647/74355).

Loading is total: an element that is unknown, or not as documented, survives as a ``RawElem``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, cast

from attrs import evolve

from deskim._checks import plain
from deskim._codec._json import is_portable
from deskim._codec._payloads import data_text, parse_data
from deskim._codec._shapes import Dump, Shape, Wire, merge, nested, pascal, shape_of
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
    parse_payloads_with,
)

_DOWNLOAD = {"uuid": "UUID", "download_flag": "Download_Flag"}
#: Url, URL and VideoUrl; Download_Flag and VideoDownloadFlag: the page spells them so (647/74355).
_SPELLINGS: dict[type, dict[str, str]] = {
    SoundElem: _DOWNLOAD,
    FileElem: _DOWNLOAD,
    ImageElem: {"uuid": "UUID"},
    ImageInfo: {"url": "URL"},
    VideoFileElem: {"video_uuid": "VideoUUID", "thumb_uuid": "ThumbUUID"},
}
_CLASSES: dict[str, type] = {
    "TIMTextElem": TextElem,
    "TIMLocationElem": LocationElem,
    "TIMFaceElem": FaceElem,
    "TIMCustomElem": CustomElem,
    "TIMSoundElem": SoundElem,
    "TIMImageElem": ImageElem,
    "TIMFileElem": FileElem,
    "TIMVideoFileElem": VideoFileElem,
}
#: Their values orjson and json may write differently: floats, or JSON of the caller's own (in an ImageInfo, too).
_OPEN = frozenset({LocationElem, RawElem, ImageElem})


@cache
def _shapes() -> dict[str, Shape]:
    nested(ImageInfo, shape_of(ImageInfo, pascal, _SPELLINGS[ImageInfo]))
    return {kind: shape_of(cls, pascal, _SPELLINGS.get(cls)) for kind, cls in _CLASSES.items()}


@cache
def _dumpers() -> dict[type, Callable[[Any], Any]]:
    dumpers = {_CLASSES[kind]: _in_element(kind, shape.dump) for kind, shape in _shapes().items()}
    return {**dumpers, CustomElem: _custom(dumpers[CustomElem]), RawElem: _raw}


@cache
def _closed_dumpers() -> dict[type, Dump]:
    """Return the dumpers of elements that hold nothing but their documented fields, the nearly only ones first."""
    others = {kind: dump for kind, dump in _dumpers().items() if kind not in _OPEN}
    return {**others, TextElem: _text, CustomElem: _data}


def _in_element(kind: str, dump: Dump) -> Dump:
    return lambda elem: {"MsgType": kind, "MsgContent": dump(elem)}


def _text(elem: TextElem) -> Wire:
    """Return by hand what nearly every message consists of."""
    return {"MsgType": "TIMTextElem", "MsgContent": {"Text": elem.text}}


def _data(elem: CustomElem) -> Wire:
    """Return by hand what all cards consist of."""
    if elem.desc is None and elem.ext is None and elem.sound is None and type(elem.data) is str:
        return {"MsgType": "TIMCustomElem", "MsgContent": {"Data": elem.data}}
    wire: Wire = _dumpers()[CustomElem](elem)
    return wire


def _custom(dump: Dump) -> Callable[[CustomElem], Wire]:
    return lambda elem: dump(with_text_data(elem))


def with_text_data(elem: CustomElem) -> CustomElem:
    """Return the element with its payload written out as the JSON text of Data."""
    return elem if isinstance(elem.data, str) else evolve(elem, data=data_text(elem.data))


def _raw(elem: RawElem) -> Any:
    if not elem.msg_type:
        return elem.msg_content
    return merge({"MsgType": elem.msg_type, "MsgContent": elem.msg_content}, elem.extra)


def dump_element(elem: Elem) -> Any:
    """Return an element as it stands in a MsgBody array."""
    return _dumpers()[type(elem)](elem)


def dump_body(elements: Iterable[Elem]) -> tuple[list[Any], bool]:
    """Return the MsgBody array, and whether orjson and json write it alike; raises ``MessageError``."""
    closed, portable = _closed_dumpers(), True
    body: list[Any] = []
    for elem in elements:
        dump = closed.get(type(elem))
        if dump is None or elem.extra:
            wire = plain(dump_element(elem), f"MsgBody[{len(body)}]")
            portable = portable and is_portable(wire)
        else:
            wire = dump(elem)
        body.append(wire)
    return body, portable


def load_element(wire: Any) -> Elem:
    """Return the element that ``wire`` stands for; never fails, and dumps to what it was loaded from."""
    if not isinstance(wire, dict):
        return RawElem.loaded("", wire)
    parts = dict(cast("Wire", wire))
    kind, content = parts.pop("MsgType", None), parts.pop("MsgContent", None)
    if not isinstance(kind, str) or not kind or "MsgContent" not in wire:
        return RawElem.loaded("", cast("Wire", wire))
    known = None if parts else _load_known(kind, content, cast("Wire", wire))
    return known or RawElem.loaded(kind, content, parts)


def _load_known(kind: str, content: Any, wire: Wire) -> Elem | None:
    """Return the element if deskim has a class for it and would write it as it stands."""
    shape = _shapes().get(kind)
    if shape is None:
        return None
    try:
        elem: Elem = shape.load(content)
        return elem if dump_element(elem) == wire else None
    except (TypeError, KeyError, ValueError, RecursionError):
        return None


def load_body(wire: Iterable[Any]) -> tuple[Elem, ...]:
    """Return the elements of a MsgBody array."""
    return tuple(map(load_element, wire))


parse_payloads_with(parse_data)
