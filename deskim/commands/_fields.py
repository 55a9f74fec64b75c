"""Checks that only commands need."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

from attrs import Attribute

from deskim._checks import filled, refused, sequence

MAX_PAGE = 100
"""The most items that one page of a list may have (1229/68823, 1229/68824)."""


def maybe_sequence(value: Iterable[str] | None) -> tuple[str, ...] | None:
    """Convert a list or another iterable to a tuple; ``None`` stays."""
    return None if value is None else sequence(value)


def all_filled(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Check that a field is a tuple of texts of at least one character."""
    if not isinstance(value, tuple):
        raise refused(instance, attribute, "a list of texts", value)
    for item in cast("tuple[object, ...]", value):
        filled(instance, attribute, item)


def aware(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Check that a field is a point in time: a datetime with a time zone."""
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise refused(instance, attribute, "a datetime with a time zone, e.g. datetime.now(UTC)", value)
