"""Validators of attrs fields: each names the field, what it takes and what it got."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar, cast

from attrs import Attribute

from deskim.errors import ConfigurationError, MessageError

T = TypeVar("T")
Check: TypeAlias = Callable[[Any, "Attribute[Any]", Any], None]

_MAX_INT = 2**63 - 1
_MAX_DIGITS = 10**4300  # Python writes no longer number as text
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
    takes = f"a whole number from {low} to {'2**63 - 1' if high == _MAX_INT else high}"

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
        if isinstance(value, bool) or not isinstance(value, int | float) or not -limit <= value <= limit:
            raise refused(instance, attribute, f"a number of degrees from {-limit} to {limit}", value)

    return check


def tuple_of(kind: type) -> Check:
    """Return the check for a tuple whose items are all of one class."""

    def check(instance: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, tuple):
            raise refused(instance, attribute, f"a list of {kind.__name__}", value)
        for item in cast("tuple[object, ...]", value):
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


def checked_seconds(name: str, value: object) -> float:
    """Return a time-out or a deadline; raises ``ConfigurationError`` unless it is a finite number above 0."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < cast("float", value) < float("inf"):
        raise ConfigurationError(f"{name} must be a number of seconds above 0, not {value!r}")
    return float(cast("float", value))


def number(value: float) -> float:
    """Convert a kind of float that JSON does not know, such as numpy's, to a plain one; all else stays."""
    given: object = value  # for the type checkers a float may be no int, which it may
    return float.__float__(given) if isinstance(given, float) else value


def sequence(value: Iterable[T]) -> tuple[T, ...]:
    """Convert a list or another iterable to a tuple; text, a mapping and what is no iterable stay, to be refused."""
    given: Any = value
    return tuple(given) if is_list(given) else given


def is_list(value: object) -> bool:
    """Tell whether a value reads as a list of things: text and mappings do not."""
    return type(value) is tuple or (hasattr(value, "__iter__") and not isinstance(value, str | bytes | Mapping))


def json_mapping(value: Mapping[str, Any], name: str = "the value") -> dict[str, Any]:
    """Convert a mapping to a plain dict of JSON values; raises ``MessageError`` for anything else."""
    if not isinstance(value, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - it is the caller's
        raise MessageError(f"{name} must be a mapping, not {shown(value)}")
    copy: dict[str, Any] = plain(value, name)
    return copy


def extra_fields(value: Mapping[str, Any]) -> dict[str, Any]:
    """Convert what ``extra`` is given."""
    return {} if value == {} else json_mapping(value, "extra")


no_fields: Callable[[], dict[str, Any]] = dict
"""Return what ``extra`` is by default."""


def refused(instance: object, attribute: Attribute[Any], takes: str, value: object) -> MessageError:
    """Return the error for a field that got the wrong value."""
    return MessageError(f"{type(instance).__name__}.{attribute.name} must be {takes}, not {shown(value)}")


def shown(value: object) -> str:
    """Return a short form of a value for an error message."""
    try:
        form = repr(value)
    except Exception:  # noqa: BLE001 - a number too long to write, or a repr of the caller's that fails
        form = f"<{type(value).__name__}>"
    return f"{form[:_SHOWN]}…" if len(form) > _SHOWN else form


def plain(value: object, path: str = "", depth: int = 0) -> Any:
    """Return a copy of ``value`` in plain types; raises ``MessageError`` naming the place that is not JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)  # the two encoders differ on subclasses: the text alone counts
    if isinstance(value, int):
        return _whole(value, path)
    if isinstance(value, float):
        return _finite(value, path)
    if depth >= _MAX_DEPTH:
        raise MessageError(f"{path} is nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {_key(k, path): plain(v, f"{path}.{k}" if path else f"{k}", depth + 1) for k, v in items}
    if isinstance(value, list | tuple):
        return [plain(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(cast("Iterable[object]", value))]
    kind = type(value).__name__
    raise _unsayable(path, f"is of type {kind}", "text, numbers, lists or dicts")


def _whole(value: int, path: str) -> int:
    if not -_MAX_DIGITS < value < _MAX_DIGITS:
        raise _unsayable(path, "has more than 4,300 digits", "a shorter number")
    return int.__int__(value)


def _finite(value: float, path: str) -> float:
    if not math.isfinite(value):
        raise _unsayable(path, f"is {value}", "a finite number")
    return float.__float__(value)


def _unsayable(path: str, what: str, wanted: str) -> MessageError:
    return MessageError(f"{path or 'the value'} {what}, which JSON cannot say: give {wanted}")


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise MessageError(f"{path or 'the value'} has the key {shown(key)}: the keys of JSON are text")
    return str.__str__(key)
