"""An asyncio client for Tencent Cloud Desk, the human-and-bot customer service of Tencent Cloud Chat."""

from __future__ import annotations

import typing as _typing

from deskim._version import __version__

if _typing.TYPE_CHECKING:
    from deskim import callbacks, commands, errors, hooks, payloads, testing
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
    from deskim.commands import Command
    from deskim.errors import Delivery, DeskError
    from deskim.hooks import Hooks
    from deskim.payloads import Card, Payload

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

_MODULES = ("callbacks", "commands", "errors", "hooks", "payloads", "testing")
#: The rooms that the names above come from. Each is loaded at its first use: whoever sends a message has no need of
#: the test tools, and a class of attrs takes its time to make.
_ROOMS = {
    "_batch": ("Batch", "BatchReport"),
    "_client": ("AsyncDeskClient",),
    # the elements, and with them their codec, which CustomElem.payload() needs
    "_codec._bodies": (
        "CustomElem",
        "Elem",
        "FaceElem",
        "FileElem",
        "ImageElem",
        "ImageInfo",
        "LocationElem",
        "RawElem",
        "SoundElem",
        "TextElem",
        "VideoFileElem",
    ),
    "_lanes": ("HTTPClient",),
    "_messages": ("Message", "Outcome", "SendResult"),
    "_rate": ("Pacer", "RateLimit"),
    "_regions": ("Region",),
    "_retry": ("RetryPolicy",),
    "_stream": ("MessageStream",),
    "_transport": ("DeskTransport",),
    "_usersig": ("UserSigProvider", "UserSigSigner", "sign_usersig"),
    "commands": ("Command",),
    "errors": ("Delivery", "DeskError"),
    "hooks": ("Hooks",),
    "payloads": ("Card", "Payload"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}


if not _typing.TYPE_CHECKING:  # a checker reads the imports above, and so knows a name that does not exist

    def __getattr__(name: str) -> _typing.Any:
        """Load what is asked for and keep it."""
        from importlib import import_module

        if name in _MODULES:
            return import_module(f"deskim.{name}")
        if name not in _HOME:
            msg = f"module 'deskim' has no attribute {name!r}"
            raise AttributeError(msg)
        value = globals()[name] = getattr(import_module(f"deskim.{_HOME[name]}"), name)
        return value


def __dir__() -> list[str]:
    """Return every public name, loaded or not."""
    return sorted(__all__)
