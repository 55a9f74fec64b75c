"""The elements of a MsgBody as values (647/74355); how they look on the wire is the codec's matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

from attrs import Attribute, field, frozen

from deskim._checks import (
    degrees,
    extra_fields,
    json_mapping,
    no_fields,
    number,
    one_of,
    optional,
    plain,
    refused,
    sequence,
    text,
    tuple_of,
    whole,
)
from deskim.errors import MessageError
from deskim.payloads import Payload

#: The MsgTypes that have a class here (647/74355).
KNOWN_TYPES = frozenset(
    f"TIM{kind}Elem" for kind in ("Text", "Location", "Face", "Custom", "Sound", "Image", "File", "VideoFile")
)


def _extra() -> Any:
    """Return the field for what deskim does not know of an element's MsgContent; it is sent along."""
    return field(factory=no_fields, converter=extra_fields, kw_only=True, hash=False)


@frozen
class TextElem:
    """Say something in plain text (TIMTextElem, 647/74355)."""

    text: str = field(validator=text)
    extra: Mapping[str, Any] = _extra()


@frozen
class LocationElem:
    """Show a place (TIMLocationElem, 647/74355); ``latitude`` and ``longitude`` in degrees."""

    desc: str = field(validator=text)
    latitude: float = field(converter=number, validator=degrees(90))
    longitude: float = field(converter=number, validator=degrees(180))
    extra: Mapping[str, Any] = _extra()


@frozen
class FaceElem:
    """Show an emoji of the client's own set (TIMFaceElem, 647/74355): its index and data of the client's own."""

    index: int = field(validator=whole())
    data: str = field(validator=text)
    extra: Mapping[str, Any] = _extra()


def _custom_data(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str | Payload | dict):
        raise refused(instance, attribute, "text, a payload such as Card, or a mapping", value)


def _plain_mapping(value: str | Payload | Mapping[str, Any]) -> str | Payload | Mapping[str, Any]:
    return json_mapping(value, "data") if isinstance(value, Mapping) else value


@frozen
class CustomElem:
    """Carry text of your own or one of Desk's own messages (TIMCustomElem, 647/74355, 1229/68821).

    ``data`` takes text, a payload such as ``Card``, or a mapping; the latter two are sent as a JSON string.
    ``desc``, ``ext`` and ``sound`` are for offline push: its text, its APNs ext, its ring tone.
    """

    data: str | Payload | Mapping[str, Any] = field(converter=_plain_mapping, validator=_custom_data, hash=False)
    desc: str | None = field(default=None, validator=optional(text))
    ext: str | None = field(default=None, validator=optional(text))
    sound: str | None = field(default=None, validator=optional(text))
    extra: Mapping[str, Any] = _extra()

    def payload(self) -> Payload | Mapping[str, Any] | None:
        """Return what ``data`` carries: a payload, a plain mapping for unknown kinds, ``None`` for other text."""
        return _parse_payload(self.data) if isinstance(self.data, str) else self.data


@frozen(kw_only=True)
class SoundElem:
    """Play a recording (TIMSoundElem, 647/74355); ``size`` in bytes, ``second`` in seconds."""

    url: str = field(validator=text)
    uuid: str = field(validator=text)
    size: int | None = field(default=None, validator=optional(whole()))
    second: int | None = field(default=None, validator=optional(whole()))
    download_flag: int = field(default=2, validator=one_of(2))
    extra: Mapping[str, Any] = _extra()


@frozen(kw_only=True)
class ImageInfo:
    """Describe one rendering of an image (647/74355).

    ``type``: 1 original, 2 large, 3 thumbnail; ``size`` in bytes, ``width`` and ``height`` in pixels.
    """

    type: int = field(validator=one_of(1, 2, 3))
    size: int | None = field(default=None, validator=optional(whole()))
    width: int = field(validator=whole())
    height: int = field(validator=whole())
    url: str = field(validator=text)
    extra: Mapping[str, Any] = _extra()


@frozen(kw_only=True)
class ImageElem:
    """Show an image in its renderings (TIMImageElem, 647/74355).

    ``image_format``: 1 JPG, 2 GIF, 3 PNG, 4 BMP, 255 other.
    """

    uuid: str = field(validator=text)
    image_format: int = field(validator=one_of(1, 2, 3, 4, 255))
    image_info_array: tuple[ImageInfo, ...] = field(converter=sequence, validator=tuple_of(ImageInfo))
    extra: Mapping[str, Any] = _extra()


@frozen(kw_only=True)
class FileElem:
    """Offer a file (TIMFileElem, 647/74355); ``file_size`` in bytes."""

    url: str = field(validator=text)
    uuid: str = field(validator=text)
    file_size: int = field(validator=whole())
    file_name: str = field(validator=text)
    download_flag: int = field(default=2, validator=one_of(2))
    extra: Mapping[str, Any] = _extra()


@frozen(kw_only=True)
class VideoFileElem:
    """Play a video (TIMVideoFileElem, 647/74355); sizes in bytes, ``video_second`` in seconds, the rest in pixels."""

    video_url: str = field(validator=text)
    video_uuid: str = field(validator=text)
    video_size: int = field(validator=whole())
    video_second: int = field(validator=whole())
    video_format: str = field(validator=text)
    video_download_flag: int = field(default=2, validator=one_of(2))
    thumb_url: str = field(validator=text)
    thumb_uuid: str = field(validator=text)
    thumb_size: int = field(validator=whole())
    thumb_width: int = field(validator=whole())
    thumb_height: int = field(validator=whole())
    thumb_format: str = field(validator=text)
    thumb_download_flag: int = field(default=2, validator=one_of(2))
    extra: Mapping[str, Any] = _extra()


def _unknown_type(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value:
        raise refused(instance, attribute, "the MsgType, e.g. 'TIMStreamElem'", value)
    if value in KNOWN_TYPES:
        raise MessageError(f"RawElem is for kinds that deskim does not know: for {value} use {value[3:]}")


def _content(value: Any) -> Any:
    return plain(value, "msg_content")


@frozen
class RawElem:
    """Carry an element of a kind that deskim does not know: its MsgType and its MsgContent as plain JSON.

    A known element whose fields are not as documented loads as a ``RawElem`` too, so that nothing is lost.
    What is no element at all loads with an empty ``msg_type`` and everything in ``msg_content``.
    """

    msg_type: str = field(validator=_unknown_type)
    msg_content: object = field(converter=_content, hash=False)
    extra: Mapping[str, Any] = _extra()

    @classmethod
    def loaded(cls, msg_type: str, msg_content: object, extra: Mapping[str, Any] | None = None) -> RawElem:
        """Return the element that stands for what was read, a known MsgType included."""
        elem = cls.__new__(cls)
        for name, value in (("msg_type", msg_type), ("msg_content", msg_content), ("extra", extra or {})):
            object.__setattr__(elem, name, value)
        return elem


Elem: TypeAlias = (
    TextElem | LocationElem | FaceElem | CustomElem | SoundElem | ImageElem | FileElem | VideoFileElem | RawElem
)
"""Any element of a MsgBody."""

PayloadParser: TypeAlias = Callable[[str], "Payload | Mapping[str, Any] | None"]
_parse_payload = cast("PayloadParser", None)


def parse_payloads_with(parser: PayloadParser) -> None:
    """Hand the codec's parser down to :meth:`CustomElem.payload`: an element knows no serialisation."""
    global _parse_payload  # noqa: PLW0603 - the one binding from the codec down to its elements
    _parse_payload = parser
