"""Elements to the MsgBody array and back: MsgType and MsgContent nesting (647/74355).

Loading is total: an element that is unknown, or not as documented, survives as a ``RawElem``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, cast

from attrs import evolve

from deskim._checks import plain
from deskim._codec._json import dumps_text, encode_plain, is_portable
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


@cache
def _shapes() -> dict[str, Shape]:
    nested(ImageInfo, shape_of(ImageInfo, pascal, _SPELLINGS[ImageInfo]))
    return {kind: shape_of(cls, pascal, _SPELLINGS.get(cls)) for kind, cls in _CLASSES.items()}


@cache
def _dumpers() -> dict[type, Callable[[Any], Any]]:
    dumpers = {_CLASSES[kind]: _in_element(kind, shape.dump) for kind, shape in _shapes().items()}
    return {**dumpers, CustomElem: _custom(dumpers[CustomElem]), RawElem: _raw}


def _in_element(kind: str, dump: Dump) -> Dump:
    return lambda elem: {"MsgType": kind, "MsgContent": dump(elem)}


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


def dump_body(elements: Iterable[Elem]) -> list[Any]:
    """Return the MsgBody array; raises ``MessageError`` naming what JSON cannot say."""
    return [plain(dump_element(elem), f"MsgBody[{index}]") for index, elem in enumerate(elements)]


def encode_body(elements: tuple[Elem, ...]) -> bytes:
    """Return what stands in the MsgBody array as JSON; raises ``MessageError``, and one of ``NO_CHARACTER``.

    What nearly all messages consist of is written by hand, at half the cost of a dict and its dump.
    """
    body = b""
    for elem in elements:
        if type(elem) is TextElem and not elem.extra:
            part = b'{"MsgType":"TIMTextElem","MsgContent":{"Text":%b}}' % dumps_text(elem.text)
        elif type(elem) is CustomElem and (data := _data_alone(elem)) is not None:
            part = b'{"MsgType":"TIMCustomElem","MsgContent":{"Data":%b}}' % dumps_text(data)
        else:
            wire = plain(dump_element(elem), f"MsgBody[{elements.index(elem)}]")
            part = encode_plain(wire, portable=is_portable(wire))
        body = b"%b,%b" % (body, part) if body else part
    return body


def _data_alone(elem: CustomElem) -> str | None:
    data = elem.data
    return data if type(data) is str and elem.desc is elem.ext is elem.sound is None and not elem.extra else None


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
