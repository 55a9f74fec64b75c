"""A Desk of your own for tests: :class:`FakeDesk`, in memory or on a socket."""

from __future__ import annotations

from ._callbacks import CallbackDelivery, CallbackSender
from ._clients import ServedDesk
from ._conversations import HistoryMessage
from ._fake import FakeDesk
from ._ledger import ReceivedRequest, SeenMessage
from ._streams import SeenStream

__all__ = [
    "CallbackDelivery",
    "CallbackSender",
    "FakeDesk",
    "HistoryMessage",
    "ReceivedRequest",
    "SeenMessage",
    "SeenStream",
    "ServedDesk",
]
