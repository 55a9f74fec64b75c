"""What can be wrong with a request that claims to be a callback."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Say why a callback is refused."""

    TOO_LARGE = "too_large"
    """The body has more than ``MAX_BODY`` bytes."""
    MALFORMED = "malformed"
    """The body is no callback: no JSON object, or without what its kind cannot do without."""
    FOREIGN = "foreign"
    """The SdkAppid of the URL is missing, or another application's."""
    FORGED = "forged"
    """The signature is missing or wrong, or its time is too far from now."""


_STATUS = {Fault.TOO_LARGE: 413, Fault.MALFORMED: 400, Fault.FOREIGN: 403, Fault.FORGED: 403}


class CallbackError(ValueError):
    """Report a request that is no callback to this application; the text holds nothing of the request.

    :ivar fault: what is wrong with it.
    :ivar status: the HTTP status to answer with.
    """

    def __init__(self, message: str = "", fault: Fault = Fault.MALFORMED) -> None:
        super().__init__(message, fault)
        self.fault = fault
        self.status: int = _STATUS[fault]

    def __str__(self) -> str:
        """Return the message."""
        return str(self.args[0])
