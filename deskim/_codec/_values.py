"""Commands, replies and callbacks: attrs values with CamelCase names on the wire (1229/68825 and its siblings).

Loading is open: ``null`` counts as missing, and a field with a default whose value is not as documented keeps its
default, while the value goes to ``extra`` beside the fields that deskim does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, TypeAlias, TypeVar, cast, get_origin

from attrs import NOTHING, field, fields, frozen

from deskim._checks import json_mapping
from deskim._codec._bodies import dump_body, load_body
from deskim._codec._open import OpenNumber, OpenText
from deskim._codec._shapes import Shape, Wire, converter, pascal, shape_of
from deskim._elements import CustomElem, Elem, TextElem
from deskim.payloads import Payload

T = TypeVar("T")

Seconds: TypeAlias = Annotated[datetime, "Unix seconds"]
Milliseconds: TypeAlias = Annotated[datetime, "Unix milliseconds"]
Flag: TypeAlias = Annotated[bool, "0 or 1"]
MsgBody: TypeAlias = Annotated[tuple[Elem, ...], "MsgBody"]
JsonObject: TypeAlias = Annotated[Mapping[str, Any], "JSON object"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MISFIT = (TypeError, KeyError, ValueError)


@frozen
class OpenValue:
    """Keep in ``extra``, by their wire names, the fields that deskim does not know."""

    extra: Mapping[str, Any] = field(factory=dict[str, Any], converter=json_mapping, kw_only=True, hash=False)


def _load_time(unit: timedelta) -> Callable[[object], datetime]:
    def load(value: object) -> datetime:
        if type(value) is not int:
            raise TypeError("a whole number expected")
        try:
            return _EPOCH + value * unit
        except OverflowError:
            raise ValueError("no time within the years 1 to 9999") from None

    return load


def _dump_time(unit: timedelta) -> Callable[[datetime], int]:
    return lambda time: (time - _EPOCH) // unit


def _load_flag(value: object) -> bool:
    if value not in (0, 1):
        raise TypeError("0 or 1 expected")
    return bool(value)


def _load_list(value: object) -> tuple[Elem, ...]:
    if not isinstance(value, list):
        raise TypeError("an array expected")
    return load_body(cast("Iterable[Any]", value))


def _load_object(value: Any) -> Wire:
    if not isinstance(value, dict):
        raise TypeError("an object expected")
    return cast("Wire", value)


_S, _MS = timedelta(seconds=1), timedelta(milliseconds=1)
#: How each kind of field is read and written; the one place that knows of seconds and milliseconds.
_KINDS: tuple[tuple[Any, Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    (Seconds, _load_time(_S), _dump_time(_S)),
    (Milliseconds, _load_time(_MS), _dump_time(_MS)),
    (Flag, _load_flag, int),
    (MsgBody, _load_list, dump_body),
    (JsonObject, _load_object, dict),
)


@cache
def _learn() -> None:
    """Teach the converter these kinds, once."""
    for kind, load, dump in _KINDS:
        converter().register_structure_hook_func(_is(kind), _taking_type(load))
        converter().register_unstructure_hook_func(_is(kind), dump)
    for enum, plain in ((OpenText, str), (OpenNumber, int)):
        converter().register_structure_hook(enum, _load_enum(plain))
        converter().register_unstructure_hook(enum, plain)
    converter().register_structure_hook(OpenValue, lambda value, cls: load_value(cls, value))
    converter().register_unstructure_hook(OpenValue, dump_value)


def _is(kind: Any) -> Callable[[Any], bool]:
    return lambda annotation: get_origin(annotation) is Annotated and annotation == kind


def _taking_type(load: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _: load(value)


def _load_enum(plain: type) -> Callable[[Any, Any], Any]:
    def load(value: Any, enum: Any) -> Any:
        if type(value) is not plain:
            msg = f"{plain.__name__} expected"
            raise TypeError(msg)
        return enum(value)

    return load


def _spellings(cls: type) -> Mapping[str, str]:
    return cast("Mapping[str, str]", getattr(cls, "spellings", {}))


_shapes: dict[type, Shape] = {}


def _shape(cls: type) -> Shape:
    if cls not in _shapes:
        _learn()
        _shapes[cls] = shape_of(cls, pascal, _spellings(cls))
    return _shapes[cls]


def _required(cls: type) -> frozenset[str]:
    names = (a.name for a in fields(cls) if a.default is NOTHING)
    return frozenset(_spellings(cls).get(name) or pascal(name) for name in names)


def dump_value(value: object) -> Wire:
    """Return a value's fields by their wire names; those that are ``None`` are left out."""
    return _shape(type(value)).dump(value)


def load_value(cls: type[T], wire: Mapping[str, Any]) -> T:
    """Return the value of a wire object; raises ``TypeError``, ``KeyError`` or ``ValueError`` where it does not fit."""
    if not isinstance(wire, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - it comes from the wire
        raise TypeError("an object expected")
    shape = _shape(cls)
    given = {name: value for name, value in wire.items() if value is not None or name not in shape.names}
    try:
        return cast("T", shape.load(given))
    except _MISFIT:
        return cast("T", _load_what_fits(shape, given, _required(cls)))


def _load_what_fits(shape: Shape, given: Wire, required: frozenset[str]) -> Any:
    base = {name: given[name] for name in required if name in given}
    misfits = {
        name: value
        for name, value in given.items()
        if name in shape.names - required and not _loads(shape, base | {name: value})
    }
    loaded = shape.load({name: value for name, value in given.items() if name not in misfits})
    object.__setattr__(loaded, "extra", {**loaded.extra, **misfits})
    return loaded


def _loads(shape: Shape, wire: Wire) -> bool:
    try:
        shape.load(wire)
    except _MISFIT:
        return False
    return True


def text_of(elements: Iterable[Elem]) -> str:
    """Return what the text elements say, line by line."""
    return "\n".join(element.text for element in elements if isinstance(element, TextElem))


def payload_of(elements: Iterable[Elem]) -> Payload | Mapping[str, Any] | None:
    """Return what the custom element carries: a payload, a mapping where its kind is unknown, else ``None``."""
    return next((element.payload() for element in elements if isinstance(element, CustomElem)), None)
