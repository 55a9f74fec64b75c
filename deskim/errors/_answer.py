"""From Desk's ErrorCode to the exception that says what it means."""

from __future__ import annotations

from collections.abc import Mapping

from deskim.errors._table import lookup
from deskim.errors._tree import APIError, Delivery, DeskError, MessageTooLargeError, RetryKind

_FAILED = "Desk answered that the call failed, with code 0."


def from_code(code: int, info: str = "", *, retry_codes: Mapping[int, RetryKind] | None = None) -> DeskError:
    """Return the error for an ErrorCode that Desk answered with; unknown codes give an :class:`APIError`.

    ``retry_codes`` overrides the table's retry kind; ``retry_after`` is in seconds. Source: 1229/68821, 679/131708.
    """
    entry = lookup(code)
    kind = (retry_codes or {}).get(code, entry.retry if entry else RetryKind.NEVER)
    if entry is None:
        text = f"Desk answered with code {code}, which deskim does not know." if code else _FAILED
        return APIError(_with_info(text, info), code=code, info=info, retry=kind)
    text = f"Desk answered with code {code}: {entry.meaning}. {entry.advice}"
    delivery = Delivery.REJECTED if entry.error is MessageTooLargeError else None
    wait = 60.0 if kind is RetryKind.LOCKED else None
    return entry.error(_with_info(text, info), code=code, info=info, delivery=delivery, retry=kind, retry_after=wait)


def _with_info(text: str, info: str) -> str:
    return f"{text} Desk says: {info}" if info else text
