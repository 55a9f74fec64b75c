"""Group commit: whatever is asked for while one transaction is written goes into the next, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deskim.errors import DeskError

LINGER = 0.05  # how long a result may wait for company, in seconds

Step = Callable[[], Any]


class GroupCommit:
    """Run steps in order, in transactions, in one thread; never more than one transaction under way."""

    def __init__(self, apply: Callable[[Sequence[Step]], list[Any]]) -> None:
        self._apply = apply
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="deskim-journal")
        self._steps: list[tuple[Step, asyncio.Future[Any] | None]] = []
        self._writing: asyncio.Future[list[Any]] | None = None
        self._timer: asyncio.Handle | None = None
        self._broken: DeskError | None = None

    async def run(self, function: Callable[[], Any]) -> Any:
        """Return what a function returns that runs in the thread, outside of any transaction."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def do(self, step: Step) -> Any:
        """Return what a step returns, once it is on disk; raises its ``DeskError``."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._steps.append((step, future))
        self._flush_soon()
        result = await future
        if isinstance(result, DeskError):
            raise result
        return result

    def do_later(self, step: Step) -> None:
        """Take a step with the next transaction, or a little later."""
        self._steps.append((step, None))
        if self._timer is None and self._writing is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER, self._flush)

    def _flush_soon(self) -> None:
        if isinstance(self._timer, asyncio.TimerHandle):
            self._timer.cancel()
            self._timer = None
        if self._timer is None and self._writing is None:  # at the end of this turn of the loop: others may ask too
            self._timer = asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._timer = None
        group, self._steps = self._steps, []
        steps = [step for step, _ in group]
        self._writing = asyncio.get_running_loop().run_in_executor(self._thread, self._commit, steps)
        self._writing.add_done_callback(lambda done: self._written(group, done))

    def _commit(self, steps: Sequence[Step]) -> list[Any]:
        """Apply steps; once that failed, nothing is written any more, for the order would be lost."""
        try:
            if self._broken is None:
                return self._apply(steps)
        except DeskError as error:
            self._broken = error
        return [self._broken] * len(steps)

    def _written(
        self, group: Sequence[tuple[Step, asyncio.Future[Any] | None]], done: asyncio.Future[list[Any]]
    ) -> None:
        self._writing = None
        for (_, future), result in zip(group, done.result(), strict=True):
            if future is not None and not future.done():
                future.set_result(result)
        if any(future is not None for _, future in self._steps):
            self._flush_soon()
        elif self._steps and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER, self._flush)

    async def close(self, last: Step) -> None:
        """Write what is left, run ``last`` in the thread, and end it; raises what kept anything from being written."""
        try:
            if self._steps or self._writing is not None:
                await self.do(lambda: None)
            await self.run(last)
        finally:
            self._thread.shutdown(wait=False)
        if self._broken is not None:
            raise self._broken
