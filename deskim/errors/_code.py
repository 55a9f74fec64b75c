"""One row of the table of ErrorCodes."""

from __future__ import annotations

from attrs import frozen

from deskim.errors._tree import DeskError, RetryKind


@frozen
class ErrorCode:
    """Explain one ErrorCode of Desk: what it says, what to do, and whether to try again.

    :ivar code: the number that Desk answers with.
    :ivar error: the exception raised for it.
    :ivar meaning: what Desk says by it, in English; ``meaning_zh`` in Chinese.
    :ivar advice: what to do about it, in English; ``advice_zh`` in Chinese.
    :ivar retry: what the failure allows.
    :ivar page: the Tencent page that lists it, such as ``"1229/68821"``.
    :ivar fatal: whether the next message would fail in the same way, so that going on with a batch is pointless.
    """

    code: int
    error: type[DeskError]
    meaning: str
    meaning_zh: str
    advice: str
    advice_zh: str
    retry: RetryKind
    page: str
    fatal: bool = False
