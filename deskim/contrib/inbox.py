"""Callbacks taken in at once and handled afterwards, whatever the framework: what the adapters have in common."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, TypeVar

from attrs import define, field, frozen

from deskim._checks import checked_seconds, shown
from deskim._usersig import Secret
from deskim.callbacks import (
    AssignHuman,
    CallbackError,
    InterfaceInvocation,
    SeenRequests,
    SessionEvent,
    UnknownCallback,
    acknowledge,
    answer,
    decline,
    parse,
)
from deskim.contrib._arguments import check_application, check_count, check_drain, check_handler, check_token
from deskim.errors import ConfigurationError

__all__ = ["CallbackInbox", "Receipt"]

logger: Final = logging.getLogger("deskim")

_OK: Final = 200
_FAILED: Final = 500
_FULL: Final = 503
_NAMED: Final = 5

T = TypeVar("T")
OnEvent: TypeAlias = Callable[[SessionEvent], Awaitable[object]]
OnUnknown: TypeAlias = Callable[[UnknownCallback], Awaitable[object]]
OnAssign: TypeAlias = Callable[[AssignHuman], Awaitable[bytes]]
OnInvocation: TypeAlias = Callable[[InterfaceInvocation], Awaitable[Mapping[str, Any]]]


@frozen(eq=False)
class Job:
    """Handle one callback, by the handler of this name."""

    name: str
    handler: Callable[[Any], Awaitable[object]]
    callback: SessionEvent | UnknownCallback

    def __str__(self) -> str:
        if isinstance(self.callback, SessionEvent):
            return f"{self.name} of {shown(str(self.callback.event))} in session {shown(self.callback.session_id)}"
        return f"{self.name} of {shown(self.callback.callback_command)}"

    async def run(self) -> None:
        """Run the handler; what it fails with is logged, also a cancellation that is not ours: the next one runs."""
        try:
            await _awaitable(self.name, self.handler(self.callback))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            logger.exception("a handler of callbacks was cancelled: %s", self)
        except Exception:
            logger.exception("a handler of callbacks failed: %s", self)


@define
class Receipt:
    """Hold the answer to a callback, and start what is to be done once it has gone out.

    :ivar status: the HTTP status of the answer.
    :ivar body: its body, JSON.
    """

    status: int
    body: bytes
    _start: Callable[[], None] | None = field(default=None, alias="start")

    def sent(self) -> None:
        """Take note that the answer has gone out, or never will: the handler may start."""
        start, self._start = self._start, None
        if start is not None:
            start()


class CallbackInbox:
    """Acknowledge callbacks at once, for Tencent waits for the answer (1229/68989), and handle them afterwards.

    Use it with ``async with``, as the adapters do in the application's lifespan: leaving waits for the handlers that
    are under way, for ``drain`` seconds at most. Repeated deliveries are acknowledged and handled once. Callbacks
    beyond ``capacity`` are turned away with HTTP 503, so that Tencent posts them again. Events of one session may be
    handled at the same time. The logger ``deskim`` tells of callbacks that were refused, of handlers that failed, and
    of those that had not ended when the inbox was left.

    :param on_event: handles session events, after their acknowledgement.
    :param sdk_app_id: the application's SDKAppID.
    :param token: the token that callbacks are signed with, see :func:`deskim.callbacks.parse`.
    :param on_assign: chooses an agent: returns what :func:`deskim.callbacks.assign` makes.
    :param on_invocation: answers an API node of a task flow: returns values by name.
    :param on_unknown: handles callbacks of a kind that deskim does not know.
    :param answer_within: how long ``on_assign`` and ``on_invocation`` may take, in seconds.
    :param concurrency: how many handlers run at once.
    :param capacity: how many callbacks may wait or be handled at once.
    :param drain: how long leaving waits for them, in seconds.

    Raises ``ConfigurationError`` for arguments that cannot work.
    """

    def __init__(
        self,
        on_event: OnEvent,
        *,
        sdk_app_id: int,
        token: str | None = None,
        on_assign: OnAssign | None = None,
        on_invocation: OnInvocation | None = None,
        on_unknown: OnUnknown | None = None,
        answer_within: float = 3.0,
        concurrency: int = 100,
        capacity: int = 10_000,
        drain: float = 30.0,
    ) -> None:
        self._token = Secret(token)
        del token  # a traceback that shows locals must not show it
        check_application(sdk_app_id)
        check_token(self._token)
        check_handler("on_event", on_event, needed=True)
        for name, handler in {"on_assign": on_assign, "on_invocation": on_invocation, "on_unknown": on_unknown}.items():
            check_handler(name, handler)
        checked_seconds("answer_within", answer_within)
        check_count("concurrency", concurrency)
        check_count("capacity", capacity)
        check_drain(drain)
        self._on_event, self._on_unknown = on_event, on_unknown
        self._on_assign, self._on_invocation = on_assign, on_invocation
        self._sdk_app_id = sdk_app_id
        self._answer_within, self._drain = answer_within, drain
        self._concurrency, self._capacity = concurrency, capacity
        self._seen = SeenRequests(max(capacity, 10_000))
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()
        self._running: set[Job] = set()
        self._workers: list[asyncio.Task[None]] = []
        self._open = 0
        self._empty = asyncio.Event()
        self._accepting = False

    def __repr__(self) -> str:
        return f"CallbackInbox(sdk_app_id={self._sdk_app_id})"

    async def __aenter__(self) -> Self:
        if self._workers:
            raise ConfigurationError("a CallbackInbox lives once, in one application: make another one")
        self._workers = [asyncio.create_task(self._work_all(), name="deskim callbacks")]
        self._accepting = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._accepting = False
        try:
            await self._wait_until_empty()
        finally:
            await self._stop()

    async def receive(self, raw_body: bytes, query: Mapping[str, str]) -> Receipt:
        """Return the answer to a request; call its ``sent()`` when the answer has gone out, and in any case."""
        if not self._workers:
            raise ConfigurationError("the CallbackInbox was not started: run the application with its lifespan")
        try:
            callback = parse(raw_body, query, sdk_app_id=self._sdk_app_id, token=self._token.reveal())
        except CallbackError as error:  # its text holds nothing of the request
            logger.warning("a callback was refused with HTTP %d: %s", error.status, error)
            return Receipt(error.status, decline(str(error)))
        if isinstance(callback, AssignHuman | InterfaceInvocation):
            return await self._answer(callback)
        return self._take(callback)

    def _take(self, callback: SessionEvent | UnknownCallback) -> Receipt:
        if not self._accepting or self._open >= self._capacity:
            return Receipt(_FULL, decline("busy, or about to stop: post it again"))
        job = None if self._seen.repeats(callback) else self._job(callback)
        if job is None:
            return Receipt(_OK, acknowledge())
        self._open += 1
        return Receipt(_OK, acknowledge(), start=lambda: self._jobs.put_nowait(job))

    def _job(self, callback: SessionEvent | UnknownCallback) -> Job | None:
        if isinstance(callback, SessionEvent):
            return Job("on_event", self._on_event, callback)
        return None if self._on_unknown is None else Job("on_unknown", self._on_unknown, callback)

    async def _answer(self, callback: AssignHuman | InterfaceInvocation) -> Receipt:
        """Ask the handler for the answer itself; where it fails, Tencent may ask again."""
        try:
            async with asyncio.timeout(self._answer_within):
                return Receipt(_OK, await self._ask(callback))
        except Exception:
            logger.exception("the answer to a %s callback failed", type(callback).__name__)
            return Receipt(_FAILED, decline("no answer"))

    async def _ask(self, callback: AssignHuman | InterfaceInvocation) -> bytes:
        if isinstance(callback, AssignHuman):
            handler = self._on_assign
            return acknowledge() if handler is None else _checked(await _awaitable("on_assign", handler(callback)))
        asked = self._on_invocation
        return acknowledge() if asked is None else answer(await _awaitable("on_invocation", asked(callback)))

    async def _work_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._concurrency):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            job = await self._jobs.get()
            self._running.add(job)
            try:
                await job.run()
            finally:
                self._running.discard(job)
                self._open -= 1
                if not self._open:
                    self._empty.set()

    async def _wait_until_empty(self) -> None:
        self._empty.clear()
        if not self._open:
            return
        try:
            async with asyncio.timeout(self._drain):
                await self._empty.wait()
        except TimeoutError:
            text = "%d callbacks were not handled within %g s of shutting down; under way: %s"
            logger.warning(text, self._open, self._drain, _names(self._running))

    async def _stop(self) -> None:
        for task in self._workers:
            task.cancel()
        await asyncio.wait(self._workers)


def _awaitable(name: str, started: Awaitable[T]) -> Awaitable[T]:
    """Return what a handler started; raises ``TypeError`` for one that is no async function."""
    if not hasattr(started, "__await__"):
        raise TypeError(f"{name} must be an async function: it returned {type(started).__name__}, which has no await")
    return started


def _checked(reply: object) -> bytes:
    if not isinstance(reply, bytes):
        raise TypeError(f"on_assign must return what deskim.callbacks.assign makes, not {type(reply).__name__}")
    return reply


def _names(jobs: Collection[Job]) -> str:
    """Return the first jobs by name."""
    shown_jobs = ", ".join(map(str, itertools.islice(jobs, _NAMED)))
    return f"{shown_jobs}, …" if len(jobs) > _NAMED else shown_jobs or "none"
