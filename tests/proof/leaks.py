"""In a process of its own: call, log, fail, report to Sentry, keep a journal, and count where the canary is seen."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import pickle
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import httpx
import sentry_sdk
from attrs import define, field
from sentry_sdk.envelope import Envelope
from sentry_sdk.scrubber import EventScrubber
from sentry_sdk.transport import Transport

from deskim import AsyncDeskClient, DeskError, Message, Outcome, UserSigSigner, sign_usersig
from deskim.hooks import Hooks, RequestEvent, ResultEvent, RetryEvent
from tests.proof.server import SDK_APP_ID


class Canary:
    """Keep the secrets where no local variable shows them."""

    key = "c0a1a51e" * 8
    usersig = sign_usersig(SDK_APP_ID, key, "administrator")
    signed: ClassVar = {usersig}

    @classmethod
    def hits(cls, shown: bytes) -> int:
        """Return how often a telling part of a secret is seen."""
        quoted = {quote(each, safe="") for each in cls.signed}
        pieces = {cls.key[:24], *[each[n : n + 24] for each in cls.signed | quoted for n in (0, 30, 60, 90)]}
        return sum(shown.count(piece.encode()) for piece in pieces)


def place(shown: str | bytes) -> dict[str, int]:
    """Return how large a place is, and how often it shows a secret."""
    data = shown.encode(errors="replace") if isinstance(shown, str) else shown
    return {"bytes": len(data), "hits": Canary.hits(data)}


def contents(folder: str) -> bytes:
    """Return what the files of a folder hold."""
    return b"".join(path.read_bytes() for path in sorted(Path(folder).iterdir()))


def write(path: str, text: str) -> None:
    """Write a file."""
    Path(path).write_text(text, encoding="utf-8")


class Log(logging.Handler):
    """Keep whatever any logger says, with all that a log shipper would send."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said = io.StringIO()

    def emit(self, record: logging.LogRecord) -> None:
        self.said.write(f"{self.format(record)} {record.__dict__!r}\n")


class Sentry(Transport):
    """Keep what would go to Sentry."""

    kept = io.BytesIO()

    def capture_envelope(self, envelope: Envelope) -> None:
        self.kept.write(envelope.serialize())


@define(eq=False)
class Watch(Hooks):
    """Keep the events of the hooks."""

    events: list[Any] = field(factory=list)

    def on_request(self, event: RequestEvent, /) -> None:
        """Keep it."""
        self.events.append(event)

    def on_retry(self, event: RetryEvent, /) -> None:
        """Keep it."""
        self.events.append(event)

    def on_result(self, event: ResultEvent, /) -> None:
        """Keep it."""
        self.events.append(event)


def everything(value: object) -> bytes:
    """Return all that a value shows of itself: repr, str, pickle."""
    return f"{value!r} {value}".encode(errors="replace") + pickle.dumps(value)


def chain(error: BaseException) -> bytes:
    """Return all that an error shows: its values, and its traceback with local variables, causes included."""
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    inner = [chain(linked) for linked in (error.__cause__, error.__context__) if linked is not None]
    return b"".join([everything(error), repr(vars(error)).encode(), shown.encode(errors="replace"), *inner])


@define
class Program:
    """Use the client as a talkative program would, on each lane and with each kind of credential."""

    url: str
    calls: int
    shown: dict[str, bytes] = field(factory=dict, repr=False)

    def keep(self, name: str, *parts: bytes) -> None:
        """Keep what a place shows."""
        self.shown[name] = self.shown.get(name, b"") + b"".join(parts)

    async def run(self) -> None:
        """Make all calls."""
        for lane in ("own", "borrowed"):
            http = httpx.AsyncClient(timeout=10.0) if lane == "borrowed" else None
            for credential in ("key", "usersig", "signer"):
                # httpcore, of which a borrowed client is made, logs all headers of a reply at DEBUG
                extra = ["fault echo_header"] * (lane == "own")
                with sentry_sdk.start_transaction(name=f"{lane} {credential}"):
                    await self._with(self._client(http, credential), extra)
            if http is not None:
                await http.aclose()

    def _client(self, http: httpx.AsyncClient | None, credential: str) -> AsyncDeskClient:
        settings: dict[str, Any] = {"base_url": self.url, "rate_limit": None, "http_client": http, "hooks": [Watch()]}
        if credential == "key":
            return AsyncDeskClient(SDK_APP_ID, secret_key=Canary.key, **settings)
        if credential == "usersig":
            return AsyncDeskClient(SDK_APP_ID, usersig=Canary.usersig, **settings)
        return AsyncDeskClient(SDK_APP_ID, usersig=UserSigSigner(SDK_APP_ID, Canary.key), **settings)

    async def _with(self, desk: AsyncDeskClient, extra: list[str]) -> None:
        async with desk:
            texts = [f"single {number}" for number in range(self.calls // 12)]
            await asyncio.gather(*[self._single(desk, text) for text in texts + extra])
            await self._batch(desk)
            Canary.signed.add(desk._caller._signature.usersig.reveal())
            self.keep("the client", f"{desk!r} {vars(desk)!r} {desk._caller!r}".encode())
            self.keep("hooks", *map(everything, desk._caller.hooks[0].events))

    async def _single(self, desk: AsyncDeskClient, text: str) -> None:
        try:
            self.keep("results", everything(await desk.send_to_session("session", text, deadline=2.0)))
        except DeskError as error:
            self.keep("errors and their frames", chain(error))
            logging.getLogger("program").exception("it failed")
            sentry_sdk.capture_exception(error)

    async def _batch(self, desk: AsyncDeskClient) -> None:
        messages = [Message.to_session("session", f"item {number}") for number in range(self.calls // 12)]
        outcomes: list[Outcome] = []
        with tempfile.TemporaryDirectory() as folder:
            report = await desk.send_batch(
                messages, journal=f"{folder}/journal", max_outage=10.0, on_outcome=outcomes.append
            )
            self.keep("the journal", contents(folder))
        self.keep("the batch's report", everything(report), *map(everything, outcomes))
        try:
            report.raise_for_failures()
        except ExceptionGroup as group:
            self.keep("errors and their frames", chain(group))
            sentry_sdk.capture_exception(group)


def _controls(log: Log) -> Iterator[bool]:
    """Let the canary out on purpose, and yield whether it is seen: a search that finds nothing proves nothing."""
    logging.getLogger("control").debug("the key is %s", Canary.key)
    yield place(log.said.getvalue())["hits"] > 0
    try:
        _stumble(Canary.key)
    except ValueError as error:
        yield place(chain(error))["hits"] > 0
        sentry_sdk.capture_exception(error)
    sentry_sdk.flush()
    yield place(Sentry.kept.getvalue())["hits"] > 0


def _stumble(key: str) -> None:
    raise ValueError("no number")


async def _run(url: str, calls: str) -> dict[str, Any]:
    log = Log()
    logging.basicConfig(level=logging.DEBUG, handlers=[log])
    sentry_sdk.init(
        dsn="http://public@127.0.0.1:9/1",
        transport=Sentry,
        traces_sample_rate=1.0,
        send_default_pii=True,
        attach_stacktrace=True,
        max_value_length=100_000,
        event_scrubber=EventScrubber(denylist=[]),
    )
    program = Program(url, int(calls))
    await program.run()
    sentry_sdk.flush()
    program.keep("logs at DEBUG", log.said.getvalue().encode())
    program.keep("Sentry", Sentry.kept.getvalue())
    controls = list(_controls(log))
    places = {name: place(shown) for name, shown in program.shown.items()}
    return {"calls": program.calls, "places": places, "controls": sum(controls), "controls_of": len(controls)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(*sys.argv[1:]))))  # noqa: T201 - its parent reads it
