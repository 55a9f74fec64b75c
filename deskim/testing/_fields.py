"""Check the fields of a call one by one; whatever is not as documented is a bad parameter, 141004 (679/117593)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ._reply import Refused

_BAD = 141004


def filled(body: Mapping[str, Any], name: str) -> str:
    """Return a text that must be there."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(_BAD, f"{name} must be text of at least one character")
    return value


def text(body: Mapping[str, Any], name: str) -> str:
    """Return a text that may be missing, and is empty then."""
    value = body.get(name, "")
    if not isinstance(value, str):
        raise Refused(_BAD, f"{name} must be text")
    return value


def texts(body: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of texts that may be missing, and is empty then."""
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[object]", value)):
        raise Refused(_BAD, f"{name} must be a list of texts")
    return cast("list[str]", value)


def whole(body: Mapping[str, Any], name: str, default: int | None = None, low: int = 0, high: int = 2**63 - 1) -> int:
    """Return a whole number; without a default it must be there."""
    value = body.get(name, default)
    if type(value) is not int or not low <= value <= high:
        raise Refused(_BAD, f"{name} must be a whole number from {low} to {high}")
    return value


def flag(body: Mapping[str, Any], name: str) -> bool:
    """Return whether a 0 or 1, which may be missing, is 1."""
    return whole(body, name, 0, 0, 1) == 1
