"""The exception tree: split by what is known about the message and by whose turn it is to act."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Delivery(StrEnum):
    """Say what is known about one message; every message ends in exactly one of these states."""

    SENT = "sent"
    """Desk accepted the message."""
    REJECTED = "rejected"
    """Desk answered that it did not take the message."""
    NOT_SENT = "not_sent"
    """No byte of the message left this machine."""
    UNKNOWN = "unknown"
    """The message left, and no answer proves what became of it."""


class RetryKind(StrEnum):
    """Say what a failure allows; the retry policy decides what to do with it."""

    NEVER = "never"
    """The same request fails again: mend it first."""
    TRANSIENT = "transient"
    """The same request may succeed soon, with the same MsgRandom and the same bytes."""
    THROTTLED = "throttled"
    """Refused for its rate: the whole client slows down, then it is sent again."""
    RENEW = "renew"
    """The UserSig has run out: sign again, once."""
    LATER = "later"
    """A matter of minutes and of people (no agent free): not repeated automatically."""
    LOCKED = "locked"
    """Too many failed signature checks: every call fails for a minute."""


class DeskError(Exception):
    """Report that a call did not end as asked; the base of every error that deskim raises.

    Every error survives pickling and copying, and none holds a URL, a request object or a secret.

    :ivar code: Desk's ErrorCode, or ``None`` when Desk did not answer with one.
    :ivar info: Desk's ErrorInfo, with any signature in it masked.
    :ivar delivery: what is known about the message.
    :ivar retryable: whether the same call may succeed later, unchanged.
    :ivar retry_after: how long to wait before that, in seconds, where it is known.
    :ivar attempts: how often the request was tried.
    :ivar msg_random: the MsgRandom of the message, where there is one.
    :ivar resent: whether it was sent again after an attempt of unknown outcome.
    """

    default_delivery: ClassVar[Delivery] = Delivery.NOT_SENT
    default_retry: ClassVar[RetryKind] = RetryKind.NEVER

    def __init__(
        self,
        message: str = "",
        *,
        code: int | None = None,
        info: str = "",
        delivery: Delivery | None = None,
        retry: RetryKind | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.info = info
        self.delivery: Delivery = self.default_delivery if delivery is None else delivery
        self.retry_kind: RetryKind = self.default_retry if retry is None else retry
        self.retry_after = retry_after
        self.attempts = 0
        self.msg_random: int | None = None
        self.resent = False

    @property
    def retryable(self) -> bool:
        """Tell whether the same call may succeed later, unchanged."""
        return self.retry_kind is not RetryKind.NEVER

    def __str__(self) -> str:
        """Return the message, and the attempts where there was more than one."""
        text = super().__str__()
        return f"{text} (after {self.attempts} attempts)" if self.attempts > 1 else text


class ConfigurationError(DeskError):
    """Report settings that cannot work; raised before anything is sent."""


class ClientClosedError(DeskError):
    """Report a call on a client that was closed; nothing was sent."""


class MessageError(DeskError, ValueError):
    """Report a message that Desk would refuse; raised before any byte is sent."""


class MessageTooLargeError(MessageError):
    """Report a MsgBody over 12 KB: found here before sending, or by Desk (93000, then REJECTED)."""


class ConnectionFailedError(DeskError):
    """Report that no connection came about: nothing was sent."""

    default_retry = RetryKind.TRANSIENT


class ReplyLostError(DeskError):
    """Report a time-out or a cut connection after sending began: the delivery is unknown."""

    default_delivery = Delivery.UNKNOWN
    default_retry = RetryKind.TRANSIENT


class ReplyError(DeskError):
    """Report a reply that is not Desk's: another HTTP status than 200, or no Desk envelope.

    :ivar status: the HTTP status.
    :ivar content_type: the reply's Content-Type, or an empty string.
    :ivar body_head: the first 200 characters of the body, with any signature in it masked.
    """

    default_delivery = Delivery.UNKNOWN
    status: int = 0
    content_type: str = ""
    body_head: str = ""


class StreamError(DeskError):
    """Report a stream that broke; its text is not sent again, for a piece cannot be told from its repetition.

    ``delivery`` says what is known of the piece that failed, ``__cause__`` why it did.

    :ivar msg_key: the key of the message, where Desk gave one.
    :ivar delivered: the text that is surely with the user.
    :ivar uncertain: the text of the piece that failed, where it may have been taken.
    :ivar unsent: the text that was written and surely not taken, that of the ``write`` that raised included.
    """

    msg_key: str | None = None
    delivered: str = ""
    uncertain: str = ""
    unsent: str = ""


class APIError(DeskError):
    """Report that Desk answered with an ErrorCode other than 0."""

    default_delivery = Delivery.REJECTED


class AuthenticationError(APIError):
    """Report that Desk does not accept the UserSig, the identifier or the SDKAppID."""


class PermissionDeniedError(APIError):
    """Report that the account or the application may not make this call."""


class RateLimitError(APIError):
    """Report too many calls; with NOT_SENT, that the client's own pacing had no slot before the deadline."""

    default_retry = RetryKind.THROTTLED


class BadRequestError(APIError):
    """Report a request that Desk cannot read or whose parameters it refuses."""


class SessionNotFoundError(APIError):
    """Report a session that does not exist or has stopped (141005)."""


class AgentUnavailableError(APIError):
    """Report that no agent could take the session: offline, busy, on a break."""


class ServerError(APIError):
    """Report a failure inside Desk; the delivery is unknown, for the code proves no refusal."""

    default_delivery = Delivery.UNKNOWN
    default_retry = RetryKind.TRANSIENT
