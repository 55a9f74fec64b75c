"""One call from first attempt to known end: pacing, signing, sending, and the two ways back — again, or signed anew."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from attrs import define, field, frozen

from deskim import _retry, errors
from deskim._lanes import Attempt, Failure, Lane
from deskim._life import Life
from deskim._pacing import LocalPacer
from deskim._progress import (
    Answer,
    NotBegunError,
    Progress,
    Request,
    no_slot,
    no_usersig,
    outside_window,
    too_late,
)
from deskim._protocol import Identity, Reply, Signature, decode
from deskim._rate import Pacer
from deskim._regions import HostChooser
from deskim._retry import RetryBudget, RetryPolicy
from deskim._usersig import Secret, UserSigCache
from deskim.errors import Delivery, DeskError, RetryKind
from deskim.hooks import Hooks, RequestEvent, ResultEvent, RetryEvent

logger = logging.getLogger("deskim")
logger.addHandler(logging.NullHandler())

T = TypeVar("T")

LOCKED_SECONDS: Final = 60.0
_LOCKED_CODE: Final = 70050
_DEFAULT_RETRY: Final = RetryPolicy()


@frozen
class World:
    """Hold what is not arithmetic: two clocks in seconds, sleep, and randomness."""

    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    draw: Callable[[], float] = random.random
    bits: Callable[[int], int] = random.getrandbits


@define
class Caller:
    """Make calls: everything that all calls of one client share."""

    identity: Identity
    signatures: UserSigCache
    lane: Lane
    hosts: HostChooser
    timeout: float
    retry: RetryPolicy | None
    pacer: Pacer | None
    hooks: Sequence[Hooks]
    world: World
    life: Life
    _budget: RetryBudget = field(factory=RetryBudget)
    _signature: Signature | None = None
    _locked_until: float | None = None
    _closed: bool = False

    async def aclose(self) -> None:
        """Close the lane; no further attempt begins."""
        self._closed = True
        await self.lane.aclose()

    async def call(self, request: Request, deadline: float) -> Answer:
        """Make a call and return Desk's answer; raises ``DeskError`` with what is known of the message."""
        self.life.begin()
        progress = self._begin(request, deadline)
        outcome: dict[str, Any] | DeskError | None = None
        try:
            while True:
                outcome = await self._try(request, progress, deadline)
                if not isinstance(outcome, DeskError):
                    return self._succeeded(request, progress, outcome)
                await self._prepare_next(request, progress, outcome)
        except asyncio.CancelledError as stop:
            vars(stop).update(delivery=progress.known, attempts=progress.attempts)  # a batch has to account for it
            self._tell_result(request, progress, progress.known, None)
            raise
        finally:
            self.life.end()
            progress.failure = outcome = None  # else an error and its frames hold each other

    def _begin(self, request: Request, deadline: float) -> Progress:
        now = self.world.clock()
        ends = math.inf if request.queue == "batch" else now + deadline
        if request.first_sent is None:
            return Progress(now, ends)
        since = max(0.0, self.world.wall() - request.first_sent)
        return Progress(now, ends, first_attempt=now - since, tainted=True)

    async def _try(self, request: Request, progress: Progress, deadline: float) -> dict[str, Any] | DeskError:
        """Make one attempt; a failure is returned, not raised, so that it carries no frame of the attempt."""
        try:
            if self._closed or self._locked_until is not None:
                self._check_open()
            pacer = self.pacer
            if pacer is not None and not (isinstance(pacer, LocalPacer) and pacer.try_acquire(request.queue)):
                await self._asked("pacer", partial(pacer.acquire, request.queue), progress.ends, no_slot)
            now = self.world.clock()
            if progress.ends == math.inf:  # an item of a batch: its time begins with its first slot
                progress.started, progress.ends = now, now + deadline
            usersig = self.signatures.fresh()
            if usersig is None:
                usersig, now = await self._fetch(progress, None), self.world.clock()
            if self._signature is None or self._signature.usersig is not usersig:
                self._signature = Signature(self.identity, usersig)
            attempt = self._next(request, progress, self._signature, now)
            reply = await self.lane.post(attempt, self._signature)
            progress.in_flight = False
            return self._read(progress, attempt.base_url, reply)
        except NotBegunError as stop:
            progress.over = True
            error = progress.failure or stop.error
        except DeskError as exc:
            error = exc
        return error.with_traceback(None)

    def _check_open(self) -> None:
        if self._closed:
            raise NotBegunError(errors.ClientClosedError("the client was closed before the call was made"))
        if self._locked_until is None:
            return
        left = self._locked_until - self.world.clock()
        if left > 0:  # 70050: after too many failed checks Desk refuses everything for a minute (679/131708)
            error = errors.from_code(_LOCKED_CODE, retry_codes={_LOCKED_CODE: RetryKind.LOCKED})
            error.delivery, error.retry_after = Delivery.NOT_SENT, left
            raise error

    async def _fetch(self, progress: Progress, stale: Secret | None) -> Secret:
        get = partial(self.signatures.get, instead_of=stale)
        return await self._asked("usersig provider", get, progress.ends, no_usersig)

    async def _asked(self, who: str, ask: Callable[[], Awaitable[T]], ends: float, late: Callable[[], DeskError]) -> T:
        """Await what is the user's own code: within the deadline, its failures turned into one of ours."""
        scope = asyncio.timeout(None if math.isinf(ends) else ends - self.world.clock())
        try:
            async with scope:
                answer = await ask()
        except (DeskError, NotBegunError):
            raise
        except Exception as exc:  # noqa: BLE001 - it may raise anything
            cause = exc
        else:
            self._check_open()  # it may have taken a while
            return answer
        if scope.expired():
            raise NotBegunError(late())
        raise errors.ConfigurationError(f"the {who} failed ({type(cause).__name__}); nothing was sent") from cause

    def _next(self, request: Request, progress: Progress, signature: Signature, now: float) -> Attempt:
        """Begin an attempt; raises ``NotBegunError`` where it is too late for one."""
        progress.signature = signature
        if progress.first_attempt is None and now < progress.ends:
            progress.first_attempt = now
        else:
            self._check_time(request, progress, now)
        progress.attempts += 1
        if self.hooks:
            self._tell_request(request, progress)
        progress.in_flight = True
        url, left = self.hosts.current(now), progress.ends - now
        return Attempt(url, request.path, self.world.bits(32), request.body, self.timeout, left)

    def _check_time(self, request: Request, progress: Progress, now: float) -> None:
        """Let no attempt begin after the deadline, and none that repeats what Desk would no longer recognise."""
        if now >= progress.ends:
            raise NotBegunError(too_late())
        if progress.first_attempt is not None and progress.tainted and not request.repeatable:
            window = (self.retry or _DEFAULT_RETRY).dedup_window
            if now - progress.first_attempt >= window:
                raise NotBegunError(outside_window(window))

    def _read(self, progress: Progress, url: str, reply: Reply | Failure) -> dict[str, Any]:
        if isinstance(reply, Failure):
            self._note(reply, progress, url)
            raise reply.error
        progress.resent = progress.resent or progress.tainted
        return decode(reply, self.retry.retry_codes if self.retry else None)

    def _note(self, failure: Failure, progress: Progress, url: str) -> None:
        if failure.host_failed:
            self.hosts.failed(url, self.world.clock())
        sent = failure.error.delivery is not Delivery.NOT_SENT
        progress.resent = progress.resent or (progress.tainted and sent)

    def _succeeded(self, request: Request, progress: Progress, envelope: dict[str, Any]) -> Answer:
        self._budget.give_back(progress.retries)
        answer = Answer(envelope, progress.attempts, self.world.clock() - progress.started, progress.resent)
        if self.hooks:
            self._tell_result(request, progress, Delivery.SENT, None)
        return answer

    async def _prepare_next(self, request: Request, progress: Progress, error: DeskError) -> None:
        """Wait for the next attempt, or raise what there is to know."""
        progress.tainted = progress.tainted or error.delivery is Delivery.UNKNOWN
        progress.failure = error
        error.attempts, error.msg_random, error.resent = progress.attempts, request.msg_random, progress.resent
        if not (progress.over or self._closed):
            self._take_note(error)
            pause = 0.0 if await self._renewed(progress, error) else self._pause(request, progress, error)
            if pause is not None:
                self._tell_retry(request, progress, error, pause)
                return await self.world.sleep(pause)
        if progress.tainted:  # a refusal of the last attempt proves nothing about an earlier one
            error.delivery = Delivery.UNKNOWN
        self._tell_result(request, progress, error.delivery, error)
        try:
            raise error
        finally:
            del error  # the same

    def _take_note(self, error: DeskError) -> None:
        if error.delivery is not Delivery.REJECTED:
            return
        if error.retry_kind is RetryKind.LOCKED:
            self._locked_until = self.world.clock() + LOCKED_SECONDS
        if error.retry_kind is RetryKind.THROTTLED and self.pacer is not None:
            self._guarded("slow_down of the pacer", self.pacer.slow_down, error.retry_after)

    async def _renewed(self, progress: Progress, error: DeskError) -> bool:
        """Sign again, once for a call; tells whether there is a new UserSig to try."""
        possible = self.retry is not None and self.signatures.renewable and not progress.renewed
        if error.retry_kind is not RetryKind.RENEW or not possible or progress.signature is None:
            return False
        progress.renewed = True
        try:
            await self._fetch(progress, progress.signature.usersig)
        except (DeskError, NotBegunError) as exc:
            logger.warning("signing again failed: %s", exc.error if isinstance(exc, NotBegunError) else exc)
            return False
        return True

    def _pause(self, request: Request, progress: Progress, error: DeskError) -> float | None:
        now = self.world.clock()
        state = _retry.CallState(
            repeatable=request.repeatable,
            deduplicated=request.msg_random is not None,
            attempts=progress.attempts,
            elapsed=now - (now if progress.first_attempt is None else progress.first_attempt),
            left=progress.ends - now,
            tainted=progress.tainted,
        )
        pause = _retry.decide(self.retry, state, error, self._budget, self.world.draw)
        if pause is not None and error.retry_kind is RetryKind.TRANSIENT:
            progress.retries += 1
        return pause

    def _tell_request(self, request: Request, progress: Progress) -> None:
        event = RequestEvent(path=request.path, attempt=progress.attempts, msg_random=request.msg_random)
        self._tell("on_request", event)

    def _tell_retry(self, request: Request, progress: Progress, error: DeskError, pause: float) -> None:
        logger.info(
            "%s: attempt %d failed (%s); next in %.2f s", request.path, progress.attempts, type(error).__name__, pause
        )
        if self.hooks:
            event = RetryEvent(
                path=request.path,
                attempt=progress.attempts,
                pause=pause,
                error=error,
                msg_random=request.msg_random,
            )
            self._tell("on_retry", event)

    def _tell_result(self, request: Request, progress: Progress, delivery: Delivery, error: DeskError | None) -> None:
        if not self.hooks:
            return
        elapsed = self.world.clock() - progress.started
        event = ResultEvent(
            path=request.path,
            attempts=progress.attempts,
            elapsed=elapsed,
            delivery=delivery,
            error=error,
            msg_random=request.msg_random,
        )
        self._tell("on_result", event)

    def _tell(self, method: str, event: object) -> None:
        for hook in self.hooks:
            self._guarded(f"{method} of {type(hook).__name__}", getattr(hook, method), event)

    def _guarded(self, what: str, function: Callable[[Any], object], argument: object) -> None:
        """Run what is the user's own code; a mistake in it never changes what becomes of a message."""
        try:
            function(argument)
        except Exception:
            logger.exception("%s failed", what)
