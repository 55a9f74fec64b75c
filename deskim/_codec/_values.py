"""Commands and replies: attrs values whose fields have CamelCase names on the wire (1229/68825 and its siblings)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, cast

from deskim._codec._shapes import Shape, Wire, pascal, shape_of

T = TypeVar("T")


@cache
def _shape(cls: type) -> Shape:
    return shape_of(cls, pascal, getattr(cls, "spellings", None))


def dump_value(value: object) -> Wire:
    """Return a value's fields by their wire names; those that are ``None`` are left out."""
    return _shape(type(value)).dump(value)


def load_value(cls: type[T], wire: Mapping[str, Any]) -> T:
    """Return the value of a wire object; raises ``TypeError``, ``KeyError`` or ``ValueError`` where it does not fit."""
    return cast("T", _shape(cls).load(wire))
