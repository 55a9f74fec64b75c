"""The one table from Desk's ErrorCode to class, meaning, advice and retry kind."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from attrs import evolve

from deskim.errors._code import ErrorCode
from deskim.errors._codes_account import ACCOUNT_CODES
from deskim.errors._codes_common import COMMON_CODES
from deskim.errors._codes_desk import DESK_CODES
from deskim.errors._codes_message import CALLBACK_CODE, MESSAGE_CODES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CODES", "ErrorCode", "lookup"]

ROWS = (*COMMON_CODES, *ACCOUNT_CODES, *MESSAGE_CODES, *DESK_CODES)

CODES: Mapping[int, ErrorCode] = MappingProxyType({row.code: row for row in ROWS})
"""Every single ErrorCode that a Tencent page names; read-only."""

CALLBACK_RANGE = range(120001, 130001)


def lookup(code: int) -> ErrorCode | None:
    """Return the row of an ErrorCode, or ``None`` for one that no page names.

    120001 to 130000 are numbers that the application's own webhook chose (1047/34348); they share one row.
    """
    if code in CALLBACK_RANGE:
        return evolve(CALLBACK_CODE, code=code)
    return CODES.get(code)
