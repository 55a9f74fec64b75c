"""Validators of attrs fields: each names the field, what it takes and what it got."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, cast

from attrs import Attribute

from deskim.errors import MessageError

Check: TypeAlias = Callable[[Any, "Attribute[Any]", Any], None]

_MAX_INT = 2**63 - 1
_SHOWN = 60
_MAX_DEPTH = 64


def text(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Check that a field is text."""
    if not isinstance(value, str):
        raise refused(instance, attribute, "text", value)


def filled(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Check that a field is text of at least one character."""
    if not isinstance(value, str) or not value:
        raise refused(instance, attribute, "text of at least one character", value)


def flag(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Check that a field is True or False."""
    if not isinstance(value, bool):
        raise refused(instance, attribute, "True or False", value)


def whole(low: int = 0, high: int = _MAX_INT) -> Check:
    """Return the check for a whole number from ``low`` to ``high``."""
    takes = f"a whole number from {low}" + ("" if high == _MAX_INT else f" to {high}")

    def check(instance: object, attribute: Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise refused(instance, attribute, takes, value)

    return check


def one_of(*allowed: int) -> Check:
    """Return the check for a field that takes a few whole numbers."""
    takes = " or ".join(map(str, allowed))

    def check(instance: object, attribute: Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
            raise refused(instance, attribute, takes, value)

    return check


def degrees(limit: int) -> Check:
    """Return the check for an angle from ``-limit`` to ``limit`` degrees."""

    def check(instance: object, attribute: Attribute[Any], value: object) -> None:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not -limit <= value <= limit:  # type: ignore[operator]
            raise refused(instance, attribute, f"a number of degrees from {-limit} to {limit}", value)

    return check


def tuple_of(kind: type) -> Check:
    """Return the check for a tuple whose items are all of one class."""

    def check(instance: object, attribute: Attribute[Any], value: tuple[object, ...]) -> None:
        for item in value:
            if not isinstance(item, kind):
                raise refused(instance, attribute, f"made of {kind.__name__}", item)

    return check


def instance_of(kind: type) -> Check:
    """Return the check for a field of one class."""

    def check(instance: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, kind):
            raise refused(instance, attribute, f"a {kind.__name__}", value)

    return check


def optional(check: Check) -> Check:
    """Return the check that lets ``None`` through."""

    def check_unless_none(instance: object, attribute: Attribute[Any], value: object) -> None:
        if value is not None:
            check(instance, attribute, value)

    return check_unless_none


def sequence(value: object) -> tuple[Any, ...]:
    """Convert a list or another iterable to a tuple; raises ``MessageError`` for text and for what is no iterable."""
    if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
        raise MessageError(f"a list is wanted here, not {shown(value)}")
    return tuple(value)  # type: ignore[arg-type]


def json_mapping(value: object) -> dict[str, Any]:
    """Convert a mapping to a plain dict of JSON values; raises ``MessageError`` for anything else."""
    if not isinstance(value, Mapping):
        raise MessageError(f"a mapping is wanted here, not {shown(value)}")
    copy: dict[str, Any] = plain(value)
    return copy


def refused(instance: object, attribute: Attribute[Any], takes: str, value: object) -> MessageError:
    """Return the error for a field that got the wrong value."""
    return MessageError(f"{type(instance).__name__}.{attribute.name} must be {takes}, not {shown(value)}")


def shown(value: object) -> str:
    """Return a short form of a value for an error message."""
    text_form = repr(value)
    return f"{text_form[:_SHOWN]}…" if len(text_form) > _SHOWN else text_form


def plain(value: object, path: str = "", depth: int = 0) -> Any:
    """Return a copy of ``value`` in dicts and lists; raises ``MessageError`` naming the place that is not JSON."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return _finite(value, path)
    if depth >= _MAX_DEPTH:
        raise MessageError(f"{path} is nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {_key(k, path): plain(v, f"{path}.{k}" if path else f"{k}", depth + 1) for k, v in items}
    if isinstance(value, list | tuple):
        return [plain(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(cast("Iterable[object]", value))]
    raise MessageError(
        f"{path or 'the value'} is of type {type(value).__name__}, which JSON cannot say: give text, numbers, lists or dicts"
    )


def _finite(value: float, path: str) -> float:
    if not math.isfinite(value):
        raise MessageError(f"{path or 'the value'} is {value}, which JSON cannot say: give a finite number")
    return value


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise MessageError(f"{path or 'the value'} has the key {key!r}: the keys of JSON are text")
    return key
