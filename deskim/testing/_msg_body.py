"""Check a MsgBody as the pages describe it: nesting, elements, their fields (647/74355, 1229/68821).

Written apart from the client's codec, so that the two cannot be wrong together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

from ._reply import Refused, compact

MAX_MSG_BODY = 12 * 1024  # bytes: "the message body must not exceed 12K" (1229/68821)

_Check: TypeAlias = Callable[[Any], bool]
_MSG_TYPE = re.compile(r"TIM[A-Za-z0-9]+Elem")


def check_msg_body(body: object) -> bytes:
    """Return a MsgBody as compact JSON; refuse one that is not as documented, or over 12,288 bytes."""
    if body is None:
        raise Refused(90002, "MsgBody is missing")
    if not isinstance(body, list):
        raise Refused(90007, "MsgBody must be an array")
    listed = cast("list[object]", body)
    elements = [_check_element(element) for element in listed]
    if not elements:
        raise Refused(90002, "MsgBody is empty")
    if elements.count("TIMCustomElem") > 1:  # 647/74355
        raise Refused(90002, "MsgBody holds more than one TIMCustomElem")
    return _within_limit(compact(listed))


def _within_limit(written: bytes) -> bytes:
    if len(written) > MAX_MSG_BODY:
        raise Refused(93000, f"MsgBody is {len(written):,} bytes; {MAX_MSG_BODY:,} are allowed")
    return written


def _check_element(element: object) -> str:
    if not isinstance(element, dict):
        raise Refused(90002, "an element of MsgBody must be an object")
    fields = cast("dict[str, Any]", element)
    kind, content = fields.get("MsgType"), fields.get("MsgContent")
    if not isinstance(kind, str) or not _MSG_TYPE.fullmatch(kind):
        raise Refused(90002, "MsgType of an element must be a type such as TIMTextElem")
    if not isinstance(content, dict):
        raise Refused(90002, f"MsgContent of {kind} must be an object")
    _check_fields(kind, cast("dict[str, Any]", content), FIELDS.get(kind, {}))
    return kind


def _check_fields(where: str, content: Mapping[str, Any], checks: Mapping[str, _Check]) -> None:
    for name, check in checks.items():
        if not check(content.get(name)):
            raise Refused(90010, f"{where}: {name} is missing or not as documented")


def _text(value: object) -> bool:
    return isinstance(value, str)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _one_of(*allowed: int) -> _Check:
    return lambda value: _number(value) and value in allowed


def _maybe(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


def _images(value: object) -> bool:
    if not isinstance(value, list):
        return False
    for image in cast("list[object]", value):
        if not isinstance(image, dict):
            return False
        _check_fields("ImageInfoArray", cast("dict[str, Any]", image), _IMAGE)
    return True


_IMAGE: Mapping[str, _Check] = {
    "Type": _one_of(1, 2, 3),
    "Size": _maybe(_number),
    "Width": _number,
    "Height": _number,
    "URL": _text,
}

#: The MsgContent of each type, in the spelling of 647/74355: Url, URL and VideoUrl are three different names there.
#: A type that is not listed passes: Tencent adds some, and which of them Desk takes is not documented.
FIELDS: Mapping[str, Mapping[str, _Check]] = {
    "TIMTextElem": {"Text": _text},
    "TIMLocationElem": {"Desc": _text, "Latitude": _number, "Longitude": _number},
    "TIMFaceElem": {"Index": _number, "Data": _text},
    "TIMCustomElem": {"Data": _text, "Desc": _maybe(_text), "Ext": _maybe(_text), "Sound": _maybe(_text)},
    "TIMSoundElem": {
        "Url": _text,
        "UUID": _text,
        "Size": _maybe(_number),
        "Second": _maybe(_number),
        "Download_Flag": _one_of(2),
    },
    "TIMImageElem": {"UUID": _text, "ImageFormat": _one_of(1, 2, 3, 4, 255), "ImageInfoArray": _images},
    "TIMFileElem": {
        "Url": _text,
        "UUID": _text,
        "FileSize": _number,
        "FileName": _text,
        "Download_Flag": _one_of(2),
    },
    "TIMVideoFileElem": {
        "VideoUrl": _text,
        "VideoUUID": _text,
        "VideoSize": _number,
        "VideoSecond": _number,
        "VideoFormat": _text,
        "VideoDownloadFlag": _one_of(2),
        "ThumbUrl": _text,
        "ThumbUUID": _text,
        "ThumbSize": _number,
        "ThumbWidth": _number,
        "ThumbHeight": _number,
        "ThumbFormat": _text,
        "ThumbDownloadFlag": _one_of(2),
    },
}
