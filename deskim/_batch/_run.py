"""N workers over one shared source: no task, lock or queue per message."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine, Iterator
from typing import Any

from deskim._messages import Message, Outcome
from deskim.errors import Delivery, DeskError, MessageError

from ._delivery import Deliverer
from ._halt import GivenUpError, Halt, drain, finish
from ._job import Job, is_fatal, sent
from ._report import BatchReport, Tally
from ._settings import BatchSettings, OnOutcome, Record, Sender, Times
from ._source import AsyncSource, open_source, refusal


class Run:
    """Send every item of a source, and account for each."""

    def __init__(
        self,
        sender: Sender,
        messages: object,
        *,
        settings: BatchSettings,
        times: Times,
        record: Record | None = None,
        on_outcome: OnOutcome | None = None,
    ) -> None:
        self._source = open_source(messages)
        self._settings, self._record, self._on_outcome = settings, record, on_outcome
        self._tally, self.halt = Tally(), Halt()
        self._deliverer = Deliverer(sender, settings, times, record, self.halt)
        self._send, self._wall, self._clock, self._sleep = sender.send, times.wall, times.clock, times.sleep
        self._outage = self._deliverer.outage
        self._began: float | None = None
        self._ended: float | None = None
        self.exhausted = False

    @property
    def report(self) -> BatchReport:
        """Return the counts as they stand."""
        if self._began is None:
            return self._tally.report(None, 0.0)
        now = self._clock() if self._ended is None else self._ended
        return self._tally.report(self.halt.stop, now - self._began)

    async def open(self) -> None:
        """Open the journal, where there is one."""
        if self._record is not None:
            await self._record.open()

    async def run(self) -> BatchReport:
        """Work until the source ends or the batch stops; then raise what the caller's own code raised, if it did."""
        self._began = self._clock()
        cancelled: asyncio.CancelledError | None = None
        try:
            await self._work_all()
        except asyncio.CancelledError as error:
            cancelled = error
        await self._close()
        self._ended = self._clock()
        if cancelled is not None:
            raise cancelled
        if self.halt.bug is not None:
            self.halt.bug.add_note(f"raised in a batch; until then {self.report.summary()}")
            raise self.halt.bug
        return self.report

    async def _work_all(self) -> None:
        workers = [asyncio.create_task(self._work()) for _ in range(self._settings.concurrency)]
        try:
            await asyncio.wait(workers)
        except asyncio.CancelledError:
            self.halt("cancelled")
            await drain(workers, self._settings.grace)
            raise

    async def _close(self) -> None:
        if self._record is None:
            return
        try:
            await finish(asyncio.create_task(self._record.close()))
        except DeskError as error:
            self.halt.fail(error)

    async def _work(self) -> None:
        if self.halt.stop is not None:
            return
        try:
            if isinstance(self._source, AsyncSource):
                await self._work_through_async(self._source)
            else:
                await self._work_through(self._source)
        except GivenUpError:
            pass
        except Exception as bug:  # noqa: BLE001 - the source's own: handed on when all is settled
            self.halt.fail(bug)

    async def _work_through(self, items: Iterator[tuple[int, Any]]) -> None:
        for index, item in items:
            await self._handle(index, item)
            if self.halt.stop is not None:
                return
        self.exhausted = True

    async def _work_through_async(self, source: AsyncSource) -> None:
        while self.halt.stop is None:
            taken = await self.halt.wait(source.take)
            if taken is None:
                self.exhausted = True
                return
            await self._handle(*taken)

    def _handle(self, index: int, item: object) -> Coroutine[Any, Any, None]:
        if not isinstance(item, Message):
            return self._refuse(index, item)
        if self._record is not None:
            return self._handle_on_record(self._record, index, item)
        return self._handle_slowly(index, item) if self._outage.failures else self._handle_quickly(index, item)

    async def _refuse(self, index: int, item: object) -> None:
        error = refusal(index, item)
        await self._settle(Outcome(index=index, delivery=error.delivery, error=error))
        await self._sleep(0)  # a run of bad items must not keep the loop to itself

    async def _handle_quickly(self, index: int, message: Message) -> None:
        """Send an item in the usual case; most of a batch's own time is spent here, so nothing is made in vain."""
        began = self._wall()
        try:
            result = await self._send(message)
        except BaseException as error:  # noqa: BLE001 - sorted there; what is no failure is raised again
            job = Job(index, message)
            outcome = self._deliverer.caught(job, error, began) or await self._deliverer.deliver(job, tried=True)
            return await self._settle(outcome)
        if self._outage.failures:
            self._outage.got_through(probe=False)
        self._tally.sent += 1
        if self._on_outcome is None:
            return None
        return await self._tell(self._on_outcome, sent(index, message, result))

    async def _handle_slowly(self, index: int, message: Message) -> None:
        await self._settle(await self._deliverer.deliver(Job(index, message)))

    async def _handle_on_record(self, record: Record, index: int, message: Message) -> None:
        try:
            start = await record.claim(index, message)
        except asyncio.CancelledError:
            self.halt.swallow_cancellation()
            return await self._settle(Job(index, message).left("cancelled"))
        except DeskError as error:
            if not isinstance(error, MessageError):
                self.halt.fail(error)
            return await self._settle(Job(index, message).failed(error))
        if isinstance(start, Outcome):
            return await self._settle(start, resumed=True)
        outcome = await self._deliverer.deliver(Job(index, *start, on_disk=True))
        record.settle(outcome)
        return await self._settle(outcome)

    async def _settle(self, outcome: Outcome, *, resumed: bool = False) -> None:
        """Count an outcome, stop if it says so, and tell the caller."""
        self._tally.count(outcome, resumed=resumed)
        if outcome.error is not None:
            self._judge(outcome, outcome.error, resumed=resumed)
        if self._on_outcome is not None:
            await self._tell(self._on_outcome, outcome)

    def _judge(self, outcome: Outcome, error: DeskError, *, resumed: bool) -> None:
        limit = self._settings.stop_after_failures
        if outcome.delivery is Delivery.UNKNOWN and self._settings.stop_on_unknown:
            self.halt(f"the outcome of an item is unknown: {error}", outcome.index)
        if resumed:
            return
        if is_fatal(error):
            self.halt(str(error), outcome.index)
        elif limit is not None and self._tally.fresh_failures >= limit:
            self.halt(f"{limit} items failed, the last one because: {error}", outcome.index)

    async def _tell(self, on_outcome: OnOutcome, outcome: Outcome) -> None:
        try:
            answer = on_outcome(outcome)
            if answer is not None and inspect.isawaitable(answer):
                await answer
        except asyncio.CancelledError:
            self.halt.swallow_cancellation()
        except Exception as bug:  # noqa: BLE001 - the callback's own: handed on when all is settled
            self.halt.fail(bug)
