"""Faults by chance: a fake Desk that spoils a share of its requests, and tells of each that came."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field, frozen

from deskim.cli._screen import UsageError
from deskim.testing import FakeDesk, ReceivedRequest, SeenMessage, SeenStream

HOW = "write drop=0.05, code=60011:0.02, status=502:0.01 or delay=2.5:0.1, the last number being the share"


@frozen
class Fault:
    """Name a fault and the share of requests that it spoils, from 0 to 1."""

    kind: str
    amount: float
    share: float

    @classmethod
    def read(cls, text: str) -> Fault:
        """Return the fault of a form such as ``code=60011:0.02``; raises ``UsageError``."""
        kind, _, rest = text.partition("=")
        amount, _, share = rest.rpartition(":")
        try:
            fault = cls(kind, float(amount or 0), float(share))
        except ValueError:
            fault = cls("", 0.0, 0.0)
        if fault.kind not in DO or bool(amount) == (kind == "drop") or not 0 <= fault.share <= 1:
            raise UsageError(f"{text!r} is no fault: {HOW}")
        return fault

    def ask(self, desk: FakeDesk) -> None:
        """Let the fault happen to the next request."""
        DO[self.kind](desk, self.amount)


DO: dict[str, Callable[[FakeDesk, float], None]] = {
    "drop": lambda desk, _: desk.drop_replies(),
    "code": lambda desk, amount: desk.fail_next(int(amount)),
    "status": lambda desk, amount: desk.respond_next(int(amount), b"as asked for with --fault"),
    "delay": lambda desk, amount: desk.delay_next(amount),
}


def read_faults(texts: Sequence[str]) -> tuple[Fault, ...]:
    """Return the faults of a command line; raises ``UsageError`` where they come to more than everything."""
    faults = tuple(Fault.read(text.strip()) for text in ",".join(texts).split(",") if text.strip())
    if sum(fault.share for fault in faults) > 1:
        raise UsageError("the shares of all faults together must not exceed 1")
    return faults


@define(eq=False, kw_only=True)
class ChancyDesk(FakeDesk):
    """Be a fake Desk with faults by chance, which hands each request and each message on instead of keeping it."""

    faults: Sequence[Fault] = ()
    draw: Callable[[], float] = random.random
    on_request: Callable[[ReceivedRequest], object] = field(default=lambda _: None)
    on_message: Callable[[SeenMessage], object] = field(default=lambda _: None)
    on_stream: Callable[[SeenStream], object] = field(default=lambda _: None)
    requests_seen: int = 0
    messages_seen: int = 0
    _told: set[str] = field(factory=set[str], init=False, repr=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as an ASGI application."""
        loop = asyncio.get_running_loop()

        async def watched() -> Any:
            event = await receive()
            # the body is judged as soon as it is here; a reply may be held back, its message is shown all the same
            loop.call_soon(self._hand_on)
            return event

        if scope["type"] == "http":
            self._choose()
        await super().__call__(scope, watched, send)

    def _choose(self) -> None:
        number, reached = self.draw(), 0.0
        for fault in self.faults:
            reached += fault.share
            if number < reached:
                fault.ask(self)
                return

    def _hand_on(self) -> None:
        for request in self.requests:
            self.on_request(request)
        for message in self.messages:
            self.on_message(message)
        for stream in self.streams:
            if stream.finished and stream.msg_key not in self._told:
                self._told.add(stream.msg_key)
                self.messages_seen += 1
                self.on_stream(stream)
        self.requests_seen += len(self.requests)
        self.messages_seen += len(self.messages)
        self.requests.clear()
        self.messages.clear()
