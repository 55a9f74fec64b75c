"""How a batch stops early: who says so, who is let go at once, and who goes on to the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar, cast

from anyio import CancelScope
from attrs import define, field

from ._report import Stop

T = TypeVar("T")


class GivenUpError(Exception):
    """End a worker's wait because the batch stops."""


@define(eq=False)
class Halt:
    """Keep why the batch stops, and which workers wait for nothing that a message depends on.

    :ivar stop: why and where; ``None`` while the batch goes on.
    :ivar bug: the first exception of the caller's own code.
    """

    stop: Stop | None = None
    bug: Exception | None = None
    _idle: set[asyncio.Task[Any]] = field(factory=set[Any])

    def __call__(self, reason: str, at: int | None = None) -> None:
        """Take no more items, and let go of those that wait; what is in flight goes on. The first reason stands."""
        if self.stop is None:
            self.stop = Stop(reason, at)
            for task in self._idle:
                task.cancel()

    def fail(self, bug: Exception) -> None:
        """Stop because of an exception that is raised when all is settled."""
        if self.bug is None:
            self.bug = bug
        self(f"{type(bug).__name__}: {bug}")

    async def wait(self, wait: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Await what is given up when the batch stops; raises ``GivenUpError`` then."""
        if self.stop is not None:
            raise GivenUpError
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._idle.add(task)
        try:
            return await wait(*args)
        except asyncio.CancelledError:
            self.swallow_cancellation()
            raise GivenUpError from None
        finally:
            self._idle.discard(task)

    def swallow_cancellation(self) -> None:
        """Go on after a cancellation, in order to say what became of the item in hand."""
        cast("asyncio.Task[Any]", asyncio.current_task()).uncancel()
        self("a worker was cancelled")


async def drain(workers: Collection[asyncio.Task[Any]], grace: float) -> None:
    """Let what is in flight finish within the grace, in seconds; then, or when cancelled once more, cut it off."""
    with CancelScope(shield=True):
        pending = await _unfinished(workers, grace)
        while pending:
            for worker in pending:
                worker.cancel()
            pending = await _unfinished(pending, max(grace, 1.0))


async def _unfinished(tasks: Collection[asyncio.Task[Any]], timeout: float) -> set[asyncio.Task[Any]]:
    """Wait for tasks, for so long at most or until cancelled; return those that are not done."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait(tasks, timeout=timeout)
    return {task for task in tasks if not task.done()}


async def finish(task: asyncio.Task[T], on_cancel: Callable[[], object] = lambda: None) -> T:
    """Await a task to its end whatever is cancelled meanwhile; then return its result or pass the cancellation on."""
    cancelled: asyncio.CancelledError | None = None
    with CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
                on_cancel()
    if cancelled is not None:
        raise cancelled
    return task.result()
