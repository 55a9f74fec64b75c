"""A stage for the client: a clock that a test moves, and a Desk that follows a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import httpx
from attrs import define, field, frozen

from deskim import AsyncDeskClient
from deskim._calls import World
from deskim._lanes import OwnLane
from deskim._transport import Origin, Timeouts, WireRequest
from deskim.hooks import Hooks, RequestEvent, ResultEvent, RetryEvent

APP_ID = 1400000000
KEY = "5e1f0a7c" * 8
OK: dict[str, Any] = {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}


@define
class FakeWorld:
    """Stand still but for pauses, which pass at once, and for what a test lets pass; randomness is as told."""

    now: float = 1000.0
    ahead: float = 1_700_000_000.0
    half: float = 0.5
    numbers: list[int] = field(factory=list)
    pauses: list[float] = field(factory=list)
    drawn: int = 0

    def clock(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.ahead

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def bits(self, count: int) -> int:
        assert 32 == count
        self.drawn += 1
        return self.numbers.pop(0) if self.numbers else self.drawn

    def world(self) -> World:
        return World(self.clock, self.wall, self.sleep, lambda: self.half, self.bits)


@frozen
class Step:
    """Say what one attempt meets: a reply, or an exception; after ``took`` seconds."""

    reply: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    raises: Callable[[str], Exception] | None = None
    took: float = 0.0

    def act(self) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        if self.raises is not None:
            raise self.raises("as the script says")
        return self.status, [(name.lower().encode(), value.encode()) for name, value in self.headers], self.reply


def answer(code: int = 0, info: str = "", **settings: Any) -> Step:
    """Return a step in which Desk answers with a code."""
    envelope = {"ActionStatus": "FAIL" if code else "OK", "ErrorInfo": info, "ErrorCode": code}
    return Step(json.dumps(envelope).encode(), **settings)


def http(status: int, text: str = "<html>no Desk</html>", **headers: str) -> Step:
    """Return a step in which something else than Desk answers."""
    fields = {"Content-Type": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Step(text.encode(), status, tuple(fields.items()))


def fails(kind: Callable[[str], Exception], took: float = 0.0) -> Step:
    """Return a step that ends with an exception of the transport."""
    return Step(raises=kind, took=took)


@frozen
class Seen:
    """Hold one attempt as it arrived."""

    url: str
    target: str
    body: bytes
    timeouts: dict[str, float]

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.target.partition("?")[2]).items()}

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value


@define
class Script:
    """Play the steps in their order, then succeed; remember every attempt."""

    steps: list[Step]
    world: FakeWorld = field(factory=FakeWorld)
    seen: list[Seen] = field(factory=list)

    def next(self, seen: Seen) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        self.seen.append(seen)
        step = self.steps.pop(0) if self.steps else answer()
        self.world.now += step.took
        return step.act()


class ScriptedTransport(httpx.AsyncBaseTransport):
    """Play a script under an httpx client."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        target = request.extensions.get("target", request.url.raw_path).decode()
        seen = Seen(str(request.url), target, body, request.extensions["timeout"])
        status, fields, content = self._script.next(seen)
        return httpx.Response(status, headers=fields, stream=httpx.ByteStream(content))


class ScriptedWire:
    """Play a script in the place of our own transport."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.closed = 0

    async def roundtrip(self, origin: Origin, request: WireRequest, timeouts: Timeouts) -> Any:
        assert timeouts.total is not None
        assert timeouts.read is not None
        assert isinstance(request.body, bytes)
        waits = {"read": timeouts.read, "total": timeouts.total}
        url = f"{origin.scheme}://{origin.host}:{origin.port}"
        return self._script.next(Seen(url, request.target.decode(), request.body, waits))

    async def aclose(self) -> None:
        self.closed += 1


def client_class(world: FakeWorld) -> type[AsyncDeskClient]:
    """Return the class of clients that live in ``world``: by its clocks, its sleep and its draws."""
    return type("StagedClient", (AsyncDeskClient,), {"_world": world.world()})


@asynccontextmanager
async def on_stage(
    *steps: Step, lane: str = "borrowed", world: FakeWorld | None = None, **settings: Any
) -> AsyncIterator[tuple[AsyncDeskClient, Script]]:
    """Give a client and the script that its attempts follow."""
    script = Script(list(steps), world or FakeWorld())
    known: dict[str, Any] = {"rate_limit": None, "base_url": "https://desk.test"}
    make = client_class(script.world)
    if "usersig" not in settings:
        known["secret_key"] = KEY
    if lane == "own":
        client = make(APP_ID, **{**known, **settings})
        client._caller.lane = OwnLane(ScriptedWire(script))  # type: ignore[arg-type]
    else:
        known["http_client"] = httpx.AsyncClient(transport=ScriptedTransport(script))
        client = make(APP_ID, **{**known, **settings})
    async with client:
        yield client, script


@define
class Notes(Hooks):
    """Note every event."""

    requests: list[RequestEvent] = field(factory=list)
    retries: list[RetryEvent] = field(factory=list)
    results: list[ResultEvent] = field(factory=list)

    def on_request(self, event: RequestEvent, /) -> None:
        self.requests.append(event)

    def on_retry(self, event: RetryEvent, /) -> None:
        self.retries.append(event)

    def on_result(self, event: ResultEvent, /) -> None:
        self.results.append(event)


def transient(retries: int, base: float = 0.1, cap: float = 5.0, share: float = 0.5) -> list[float]:
    """Return the pauses after so many passing faults."""
    return [share * min(base * 2.0**n, cap) for n in range(retries)]


def throttled(retries: int) -> list[float]:
    """Return the pauses after so many answers of "too many calls"."""
    return transient(retries, 1.0, 20.0)


def randoms(seen: Sequence[Seen]) -> list[int]:
    """Return the ``random`` of each attempt's URL."""
    return [int(each.query["random"]) for each in seen]
