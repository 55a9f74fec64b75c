"""Tencent's callbacks: what they say, and the bytes to answer with. No framework, no I/O.

``parse`` takes the raw body and the parameters of the URL; the adapters in ``deskim.contrib`` do the rest. Events are
acknowledged at once and handled afterwards; a delivery may be repeated (269/111212), see :class:`SeenRequests`.
"""

from __future__ import annotations

from deskim.callbacks._events import (
    AnyCallback,
    AssignHuman,
    Callback,
    Event,
    InterfaceInvocation,
    SessionEvent,
    UnknownCallback,
)
from deskim.callbacks._fault import CallbackError, Fault
from deskim.callbacks._parse import MAX_BODY, parse
from deskim.callbacks._replies import acknowledge, answer, assign, decline
from deskim.callbacks._seen import SeenRequests

__all__ = [
    "MAX_BODY",
    "AnyCallback",
    "AssignHuman",
    "Callback",
    "CallbackError",
    "Event",
    "Fault",
    "InterfaceInvocation",
    "SeenRequests",
    "SessionEvent",
    "UnknownCallback",
    "acknowledge",
    "answer",
    "assign",
    "decline",
    "parse",
]
