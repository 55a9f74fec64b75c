"""An asyncio client for Tencent Cloud Desk, the human-and-bot customer service of Tencent Cloud Chat."""

from __future__ import annotations

import typing as _typing

from deskim import callbacks, commands, errors, hooks, payloads
from deskim._batch import Batch, BatchReport
from deskim._client import AsyncDeskClient
from deskim._elements import (
    CustomElem,
    Elem,
    FaceElem,
    FileElem,
    ImageElem,
    ImageInfo,
    LocationElem,
    RawElem,
    SoundElem,
    TextElem,
    VideoFileElem,
)
from deskim._lanes import HTTPClient
from deskim._messages import Message, Outcome, SendResult
from deskim._rate import Pacer, RateLimit
from deskim._regions import Region
from deskim._retry import RetryPolicy
from deskim._stream import MessageStream
from deskim._transport import DeskTransport
from deskim._usersig import UserSigProvider, UserSigSigner, sign_usersig
from deskim._version import __version__
from deskim.commands import Command
from deskim.errors import Delivery, DeskError
from deskim.hooks import Hooks
from deskim.payloads import Card, Payload

if _typing.TYPE_CHECKING:
    from deskim import testing

__all__ = [
    "AsyncDeskClient",
    "Batch",
    "BatchReport",
    "Card",
    "Command",
    "CustomElem",
    "Delivery",
    "DeskError",
    "DeskTransport",
    "Elem",
    "FaceElem",
    "FileElem",
    "HTTPClient",
    "Hooks",
    "ImageElem",
    "ImageInfo",
    "LocationElem",
    "Message",
    "MessageStream",
    "Outcome",
    "Pacer",
    "Payload",
    "RateLimit",
    "RawElem",
    "Region",
    "RetryPolicy",
    "SendResult",
    "SoundElem",
    "TextElem",
    "UserSigProvider",
    "UserSigSigner",
    "VideoFileElem",
    "__version__",
    "callbacks",
    "commands",
    "errors",
    "hooks",
    "payloads",
    "sign_usersig",
    "testing",
]


def __getattr__(name: str) -> _typing.Any:
    """Load the test tools at their first use: a service that sends messages has no need of them."""
    if name == "testing":
        from importlib import import_module

        return import_module("deskim.testing")
    msg = f"module 'deskim' has no attribute {name!r}"
    raise AttributeError(msg)
