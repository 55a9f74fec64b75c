"""Enumerations that stay open: a value that Tencent adds later is one too, and compares with what is on the wire."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Self


class OpenText(StrEnum):
    """Name the documented values of a text; an undocumented one passes as it is."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member


class OpenNumber(IntEnum):
    """Name the documented values of a number; an undocumented one passes as it is."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_, member._value_ = f"{cls.__name__}({value})", value
        return member
