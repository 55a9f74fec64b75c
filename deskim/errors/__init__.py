"""What can go wrong, what is known of the message then, and what to do about it."""

from __future__ import annotations

from deskim.errors._answer import from_code
from deskim.errors._table import CODES, ErrorCode, lookup
from deskim.errors._tree import (
    AgentUnavailableError,
    APIError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    ConnectionFailedError,
    Delivery,
    DeskError,
    MessageError,
    MessageTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    ReplyError,
    ReplyLostError,
    RetryKind,
    ServerError,
    SessionNotFoundError,
    StreamError,
)

__all__ = [
    "CODES",
    "APIError",
    "AgentUnavailableError",
    "AuthenticationError",
    "BadRequestError",
    "ClientClosedError",
    "ConfigurationError",
    "ConnectionFailedError",
    "Delivery",
    "DeskError",
    "ErrorCode",
    "MessageError",
    "MessageTooLargeError",
    "PermissionDeniedError",
    "RateLimitError",
    "ReplyError",
    "ReplyLostError",
    "RetryKind",
    "ServerError",
    "SessionNotFoundError",
    "StreamError",
    "from_code",
    "lookup",
]

for _name in __all__:  # a traceback names the module that users import from
    if isinstance(_each := globals()[_name], type):
        _each.__module__ = __name__
