"""One call from first attempt to known end: pacing, signing, sending, and the two ways back — again, or signed anew."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from attrs import define, field, frozen

from deskim import _retry, errors
from deskim._lanes import Attempt, Lane
from deskim._pacing import LocalPacer
from deskim._protocol import Identity, Signature, decode
from deskim._rate import Lane as Queue
from deskim._rate import Pacer
from deskim._regions import HostChooser
from deskim._retry import RetryBudget, RetryPolicy
from deskim._usersig import Secret, UserSigCache
from deskim.errors import Delivery, DeskError, RetryKind
from deskim.hooks import Hooks, RequestEvent, ResultEvent, RetryEvent

logger = logging.getLogger("deskim")
logger.addHandler(logging.NullHandler())

LOCKED_SECONDS: Final = 60.0
_LOCKED_CODE: Final = 70050


@frozen
class World:
    """Hold what is not arithmetic: two clocks in seconds, sleep, and randomness."""

    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    draw: Callable[[], float] = random.random
    bits: Callable[[int], int] = random.getrandbits


@frozen
class Request:
    """Hold one call, encoded: the same bytes go out at each attempt."""

    path: str
    body: bytes
    queue: Queue = "interactive"
    repeatable: bool = False
    msg_random: int | None = None
    first_sent: float | None = None
    """When an earlier run made the first attempt, in Unix time."""


@define
class Progress:
    """Keep track of one call: what was tried, since when, and whether an attempt may have been taken."""

    started: float
    ends: float
    first_attempt: float
    attempts: int = 0
    retries: int = 0
    tainted: bool = False
    resent: bool = False
    renewed: bool = False
    asked: bool = False
    """Whether an attempt is under way whose answer is not in."""


@frozen
class Answer:
    """Hold a call that succeeded: Desk's reply, and what it took."""

    envelope: dict[str, Any]
    attempts: int
    elapsed: float
    resent: bool


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
    _budget: RetryBudget = field(factory=RetryBudget)
    _signature: Signature | None = None
    _locked_until: float = float("-inf")

    async def call(self, request: Request, deadline: float) -> Answer:
        """Make a call and return Desk's answer; raises ``DeskError`` with what is known of the message."""
        progress = await self._begin(request, deadline)
        try:
            while True:
                envelope, failure = await self._try(request, progress)
                if failure is None:
                    return self._succeeded(request, progress, envelope)
                await self._prepare_next(request, progress, failure)
        except asyncio.CancelledError:
            known = Delivery.UNKNOWN if progress.tainted or progress.asked else Delivery.NOT_SENT
            self._tell_result(request, progress, known, None)
            raise

    async def _begin(self, request: Request, deadline: float) -> Progress:
        """Start the clock: at once for a single call, at its slot for an item of a batch."""
        if request.queue == "batch":
            await self._slot(request.queue, None)
        now = self.world.clock()
        first = now if request.first_sent is None else now - (self.world.wall() - request.first_sent)
        earlier = request.first_sent is not None
        return Progress(now, now + deadline, first, tainted=earlier, resent=earlier)

    async def _slot(self, queue: Queue, ends: float | None) -> None:
        if self.pacer is None or (isinstance(self.pacer, LocalPacer) and self.pacer.try_acquire(queue)):
            return
        left = None if ends is None else ends - self.world.clock()
        try:
            async with asyncio.timeout(left):
                await self.pacer.acquire(queue)
        except TimeoutError:
            pass
        else:
            return
        raise errors.RateLimitError(
            "no slot of the client's own pacing came up before the deadline; nothing was sent: "
            "send less at once, raise rate_limit, or give the call a longer deadline",
            delivery=Delivery.NOT_SENT,
        )

    async def _try(self, request: Request, progress: Progress) -> tuple[dict[str, Any], DeskError | None]:
        """Make one attempt; a failure is returned, not raised, so that it carries no frame of the attempt."""
        try:
            self._check_lock()
            if request.queue == "interactive" or progress.attempts:
                await self._slot(request.queue, progress.ends)
            signature = await self._sign(progress)
            return await self._attempt(request, progress, signature), None
        except DeskError as error:
            return {}, error.with_traceback(None)
        finally:
            progress.asked = False

    def _check_lock(self) -> None:
        left = self._locked_until - self.world.clock()
        if left > 0:  # 70050: after too many failed checks Desk refuses everything for a minute (679/131708)
            error = errors.from_code(_LOCKED_CODE, retry_codes={_LOCKED_CODE: RetryKind.LOCKED})
            error.delivery, error.retry_after = Delivery.NOT_SENT, left
            raise error

    async def _sign(self, progress: Progress) -> Signature:
        usersig = self.signatures.fresh()
        if usersig is None:
            usersig = await self._fetch(progress, None)
        if self._signature is None or self._signature.usersig is not usersig:
            self._signature = Signature(self.identity, usersig)
        return self._signature

    async def _fetch(self, progress: Progress, stale: Secret | None) -> Secret:
        try:
            async with asyncio.timeout(progress.ends - self.world.clock()):
                return await self.signatures.get(instead_of=stale)
        except TimeoutError as exc:
            cause: Exception = exc
            text = "the usersig provider gave nothing before the deadline; nothing was sent"
        except DeskError:
            raise
        except Exception as exc:  # noqa: BLE001 - the provider is the caller's code
            cause = exc
            text = f"the usersig provider failed ({type(exc).__name__}); nothing was sent"
        raise errors.ConfigurationError(text) from cause

    async def _attempt(self, request: Request, progress: Progress, signature: Signature) -> dict[str, Any]:
        now = self.world.clock()
        left = progress.ends - now
        if left <= 0:
            raise errors.ConnectionFailedError("the deadline passed before anything was sent", retry=RetryKind.LATER)
        progress.attempts += 1
        progress.asked = True
        progress.resent = progress.resent or progress.tainted
        if self.hooks:
            self._tell(
                "on_request", RequestEvent(path=request.path, attempt=progress.attempts, msg_random=request.msg_random)
            )
        url = self.hosts.current(now)
        attempt = Attempt(url, request.path, self.world.bits(32), request.body, self.timeout, left)
        try:
            reply = await self.lane.post(attempt, signature)
        except errors.ConnectionFailedError:
            self.hosts.failed(url, self.world.clock())
            raise
        return decode(reply, self.retry.retry_codes if self.retry else None)

    def _succeeded(self, request: Request, progress: Progress, envelope: dict[str, Any]) -> Answer:
        self._budget.give_back(progress.retries)
        answer = Answer(envelope, progress.attempts, self.world.clock() - progress.started, progress.resent)
        self._tell_result(request, progress, Delivery.SENT, None)
        return answer

    async def _prepare_next(self, request: Request, progress: Progress, error: DeskError) -> None:
        """Wait for the next attempt, or raise what there is to know."""
        progress.tainted = progress.tainted or error.delivery is Delivery.UNKNOWN
        self._take_note(error)
        if error.retry_kind is RetryKind.RENEW and await self._renewed(progress):
            return
        pause = self._pause(request, progress, error)
        error.attempts, error.msg_random, error.resent = progress.attempts, request.msg_random, progress.resent
        if pause is None:
            raise self._ended(request, progress, error)
        self._tell_retry(request, progress, error, pause)
        await self.world.sleep(pause)

    def _take_note(self, error: DeskError) -> None:
        if error.retry_kind is RetryKind.LOCKED and error.delivery is Delivery.REJECTED:
            self._locked_until = self.world.clock() + LOCKED_SECONDS
        if error.retry_kind is RetryKind.THROTTLED and error.delivery is Delivery.REJECTED and self.pacer is not None:
            self.pacer.slow_down(error.retry_after)

    async def _renewed(self, progress: Progress) -> bool:
        """Sign again, once for a call; tells whether there is a new UserSig to try."""
        if progress.renewed or self.retry is None or self._signature is None or not self.signatures.renewable:
            return False
        progress.renewed = True
        try:
            await self._fetch(progress, self._signature.usersig)
        except DeskError as error:
            logger.warning("signing again failed: %s", error)
            return False
        return True

    def _pause(self, request: Request, progress: Progress, error: DeskError) -> float | None:
        now = self.world.clock()
        state = _retry.CallState(
            repeatable=request.repeatable,
            deduplicated=request.msg_random is not None,
            attempts=progress.attempts,
            elapsed=now - progress.first_attempt,
            left=progress.ends - now,
            tainted=progress.tainted,
        )
        pause = _retry.decide(self.retry, state, error, self._budget, self.world.draw)
        if pause is not None and error.retry_kind is RetryKind.TRANSIENT:
            progress.retries += 1
        return pause

    def _ended(self, request: Request, progress: Progress, error: DeskError) -> DeskError:
        if progress.tainted:
            error.delivery = Delivery.UNKNOWN
        self._tell_result(request, progress, error.delivery, error)
        return error

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
            try:
                getattr(hook, method)(event)
            except Exception:  # a mistake in a hook never changes what becomes of a message
                logger.exception("%s.%s failed", type(hook).__name__, method)
