"""Bring one item to its outcome: send it, hold it while an outage lasts, and say what is known in the end."""

from __future__ import annotations

import asyncio
from typing import Final

from deskim._messages import Outcome, SendResult
from deskim.errors import Delivery, DeskError

from ._halt import GivenUpError, Halt
from ._job import Job, can_wait, shows_outage
from ._outage import Outage, pause_after
from ._settings import BatchSettings, Record, Sender, Times

TRIES_ALONE: Final = 3
"""How often an item of unknown outcome is tried while the others get through."""
TRIES_IN_A_ROW: Final = 6
"""How often it is tried while there are no others."""


class Deliverer:
    """Deliver items for all workers of a batch, which share one view of the outage."""

    def __init__(
        self, sender: Sender, settings: BatchSettings, times: Times, record: Record | None, halt: Halt
    ) -> None:
        self.send, self.wall = sender.send, times.wall
        self.outage = Outage(settings.max_outage)
        self._settings, self._times, self._record, self._halt = settings, times, record, halt

    async def deliver(self, job: Job, *, tried: bool = False) -> Outcome:
        """Return the outcome of an item; ``tried`` says that it failed just now and is to wait."""
        outcome: Outcome | None = None
        try:
            while outcome is None:
                if self.outage.held:
                    outcome, tried = await self._probe_in_turn(job), False
                elif tried:
                    tried = await self._rest(job)
                else:
                    outcome, tried = await self._try(job), True
        except GivenUpError:
            return job.left("" if self._halt.stop is None else self._halt.stop.reason)
        return outcome

    async def _rest(self, job: Job) -> bool:
        pause = pause_after(job.failures, None if job.error is None else job.error.retry_after)
        await self._halt.wait(self._times.sleep, min(pause, self._settings.max_outage))
        return False

    async def _probe_in_turn(self, job: Job) -> Outcome | None:
        await self._halt.wait(self.outage.turn.acquire)
        try:
            return await self._probe(job)
        finally:
            self.outage.turn.release()

    async def _probe(self, job: Job) -> Outcome | None:
        """Send the item as the one probe, when its time has come, if the outage still lasts then."""
        while self.outage.held:
            now = self._times.clock()
            if self.outage.given_up(now):
                self._give_up(job)
                raise GivenUpError
            pause = self.outage.wait(now)
            if pause <= 0:
                return await self._try(job, probe=True)
            await self._halt.wait(self._times.sleep, pause)
        return None

    def _give_up(self, job: Job) -> None:
        last = "" if job.error is None else f", the last time because: {job.error}"
        self._halt(f"nothing got through for {self._settings.max_outage:g} s{last}", job.index)

    async def _try(self, job: Job, *, probe: bool = False) -> Outcome | None:
        """Send the item once; return its outcome, or ``None`` when it is to wait."""
        if self._halt.stop is not None:
            raise GivenUpError
        began = self.wall()
        if not job.repeatable(began, self._settings.dedup_window):
            return job.too_late()
        if self._record is not None and not job.on_disk:
            await self._put_on_disk(self._record, job)
        try:
            result = await self._send(job)
        except BaseException as error:  # noqa: BLE001 - sorted there; what is no failure is raised again
            return self.caught(job, error, began, probe=probe)
        if self.outage.failures:
            self.outage.got_through(probe=probe)
        return job.sent(result)

    async def _send(self, job: Job) -> SendResult:
        if job.first_sent is None:
            return await self.send(job.message)
        return await self.send(job.message, first_sent=job.first_sent)

    async def _put_on_disk(self, record: Record, job: Job) -> None:
        try:
            await record.reopen(job.index, job.message)
        except asyncio.CancelledError:
            self._halt.swallow_cancellation()
            raise GivenUpError from None
        except DeskError as error:
            self._halt.fail(error)
            raise GivenUpError from None
        job.on_disk = True

    def caught(self, job: Job, error: BaseException, began: float, *, probe: bool = False) -> Outcome | None:
        """Return the outcome of a send that raised, or ``None`` when the item is to wait."""
        if isinstance(error, DeskError):
            return self._failed(job, error, began, probe=probe)
        if isinstance(error, asyncio.CancelledError):
            self._halt.swallow_cancellation()
            known, attempts = getattr(error, "delivery", Delivery.UNKNOWN), getattr(error, "attempts", 1)
            return job.cut_off(began, known, attempts)
        if not isinstance(error, Exception):
            raise error
        self._halt.fail(error)
        return job.failed(DeskError(f"{type(error).__name__} while sending: {error}", delivery=Delivery.UNKNOWN))

    def _failed(self, job: Job, error: DeskError, began: float, *, probe: bool) -> Outcome | None:
        now = self._times.clock()
        job.note(error, began, now)
        self._judge_line(job, error, now, probe=probe)
        if not self._may_wait(job, error) or not job.repeatable(self.wall(), self._settings.dedup_window):
            return job.failed(error)
        if now - job.failing_since >= self._settings.max_outage:
            if self.outage.given_up(now):
                self._give_up(job)
            return job.failed(error)
        if self._record is not None and job.first_sent is None:
            self._record.release(job.index, job.message)
            job.on_disk = False
        return None

    def _may_wait(self, job: Job, error: DeskError) -> bool:
        """Tell whether the item may be held; one that fails alone, with no answer that says why, is told of soon."""
        if can_wait(error):
            return True
        if not shows_outage(error):
            return False
        job.alone += self.outage.failures == 1  # something got through since the failure before
        return self.outage.common or (job.alone < TRIES_ALONE and self.outage.failures < TRIES_IN_A_ROW)

    def _judge_line(self, job: Job, error: DeskError, now: float, *, probe: bool) -> None:
        """Take in what a failure says about the connection and the service."""
        if not shows_outage(error):
            if error.delivery is Delivery.REJECTED:
                self.outage.got_through(probe=probe)
            return
        # an answer of unknown outcome may be its message's own fault: it takes more of them
        self.outage.failed(job.index, now, 2 if can_wait(error) else max(2, self._settings.concurrency))
        if probe:
            self.outage.probe_failed(now, error.retry_after)
