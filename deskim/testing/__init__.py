"""A Desk of your own for tests: :class:`FakeDesk`, in memory or on a socket."""

from __future__ import annotations

from ._clients import ServedDesk
from ._fake import FakeDesk
from ._ledger import ReceivedRequest, SeenMessage

__all__ = ["FakeDesk", "ReceivedRequest", "SeenMessage", "ServedDesk"]
