"""A batch whose outcomes are read one by one, while it runs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from types import TracebackType
from typing import Self

from deskim._messages import Outcome
from deskim.errors import ConfigurationError

from ._halt import finish
from ._report import BatchReport
from ._run import Run
from ._settings import BatchSettings, Record, Sender, Times


class Batch:
    """Send many messages and read their outcomes as they come: ``async with desk.batch(…) as batch``.

    An asynchronous iterator of :class:`Outcome`. Reading paces the sending: a batch that nobody reads waits. Leaving
    the block early stops the batch: what is in flight is brought to its end and counted in :attr:`report`.
    """

    def __init__(
        self,
        sender: Sender,
        messages: object,
        *,
        settings: BatchSettings,
        times: Times,
        record: Record | None = None,
    ) -> None:
        self._run = Run(sender, messages, settings=settings, times=times, record=record, on_outcome=self._put)
        self._room = settings.concurrency
        self._ready: deque[Outcome] = deque()
        self._news, self._space = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[BatchReport] | None = None
        self._leaving = self._told = False

    @property
    def report(self) -> BatchReport:
        """Return what became of the items so far; final once the block is left."""
        return self._run.report

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise ConfigurationError("a batch runs once: make another one")
        await self._run.open()
        self._task = asyncio.create_task(self._run.run())
        self._task.add_done_callback(lambda _: self._news.set())
        return self

    def __aiter__(self) -> AsyncIterator[Outcome]:
        return self

    async def __anext__(self) -> Outcome:
        task = self._started()
        while not self._ready:
            if task.done():
                self._told = True
                task.result()
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        self._space.set()
        return self._ready.popleft()

    def _started(self) -> asyncio.Task[BatchReport]:
        if self._task is None:
            raise ConfigurationError("a batch begins with `async with`: async with desk.batch(messages) as batch")
        return self._task

    def _put(self, outcome: Outcome) -> Awaitable[None] | None:
        self._ready.append(outcome)
        self._news.set()
        return self._wait_for_room() if self._full else None

    @property
    def _full(self) -> bool:
        return len(self._ready) > self._room and not self._leaving

    async def _wait_for_room(self) -> None:
        while self._full:
            self._space.clear()
            await self._space.wait()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task = self._started()
        self._leaving = True
        self._space.set()
        if not self._run.exhausted:
            self._run.halt("the block was left")
        if isinstance(error, asyncio.CancelledError):
            task.cancel()
        try:
            await finish(task, task.cancel)
        except asyncio.CancelledError:
            if not isinstance(error, asyncio.CancelledError):
                raise
        except Exception:
            if error is None and not self._told:
                raise
