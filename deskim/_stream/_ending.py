"""How a stream ends: what is told of one that broke, and how what it leaves behind is brought to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import anyio

from deskim.errors import ClientClosedError, Delivery, DeskError, ReplyError, ReplyLostError, RetryKind

PATIENCE: Final = 15.0
"""Seconds without a piece after which Desk ends the message by itself (269/129279)."""
FAREWELL: Final = 10.0
"""Seconds that a writer who failed or was cancelled waits for the last call."""


def keyless() -> ReplyError:
    """Return the error for a first reply without a MsgKey."""
    text = "Desk answered without a MsgKey: another piece would begin another message"
    return ReplyError(text, delivery=Delivery.SENT)


def unanswered() -> ReplyLostError:
    """Return the error for a farewell that took too long."""
    return ReplyLostError("Desk did not answer in time when the block was left", retry=RetryKind.NEVER)


def did_not_leave(error: DeskError) -> bool:
    """Tell whether the failure of a call was one of the moment, and no byte of it left."""
    return error.delivery is Delivery.NOT_SENT and error.retry_kind is RetryKind.TRANSIENT


def explained(error: DeskError, delivered: int, silence: float) -> str:
    """Return what is told of a stream that broke: why, after how many characters, and what to do."""
    if isinstance(error, ClientClosedError):
        return (
            f"the client was closed before the stream ended; {delivered:,} characters are surely with the user: "
            "leave the block of the stream before that of the client"
        )
    late = f"; {silence:.0f} s had passed since the piece before, and Desk ends a message after {PATIENCE:.0f}"
    return (
        f"the stream broke after {delivered:,} characters that are surely with the user ({error})"
        f"{late if silence >= PATIENCE else ''}: send the rest as a message of its own"
    )


async def close(source: object) -> None:
    """Close what gave the text, where it can be closed, whoever cancels meanwhile."""
    aclose = getattr(source, "aclose", None)
    if aclose is not None:
        with anyio.move_on_after(FAREWELL, shield=True):
            await aclose()


async def outlast(
    task: asyncio.Task[None], seconds: float, clock: Callable[[], float]
) -> asyncio.CancelledError | None:
    """Wait for a task in spite of cancellations, and return the last of them; cancel it when the time is over."""
    ends = clock() + seconds
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                left = ends - clock()
                await asyncio.wait({task}, timeout=left if left > 0 else None)
                task.cancel()
            except asyncio.CancelledError as exc:
                cancelled = exc
    return cancelled
