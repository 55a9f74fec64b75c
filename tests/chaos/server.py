"""The server: connections, what each request meets, and the orders that it takes while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, TypeAlias

from attrs import define, field

from tests.chaos.codes import DOCUMENTED
from tests.chaos.exchange import OK, Line, MalformedError, Request, key_of, refusal, reply
from tests.chaos.faults import FAULTS, Exchange
from tests.chaos.ledger import Ledger
from tests.chaos.schedule import MIDWAY, Schedule

_HEAD_END = b"\r\n\r\n"
Down: TypeAlias = Literal["", "refuse", "error", "silent"]


@define
class ChaosServer:
    """Serve send_msg, badly.

    `limit`: accepted calls in a sliding second, `latency`: seconds before each answer, `down`: how the service is out.
    """

    schedule: Schedule
    ledger: Ledger
    codes: tuple[int, ...] = tuple(DOCUMENTED)
    limit: float | None = None
    latency: float = 0.0
    down: Down = ""
    port: int = 0
    _listening: asyncio.Server | None = None
    _lines: set[Line] = field(factory=set)

    async def listen(self) -> None:
        """Open the port; the same one again after an outage."""
        self._listening = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=1024)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def change(self, **changes: Any) -> None:
        """Change what the orders name."""
        if "down" in changes:
            await self._go(changes.pop("down"))
        if "shares" in changes:
            self.schedule = Schedule(self.schedule.seed, checked(changes.pop("shares")))
        for name, value in changes.items():
            setattr(self, name, value)

    async def _go(self, down: Down) -> None:
        """Go down, or up again as a restarted service would: with none of the old connections."""
        if down in ("", "refuse"):
            for line in list(self._lines):
                line.reset()
        if down == "refuse" and self._listening is not None:
            self._listening.close()
            self._listening = None
        elif self._listening is None:
            await self.listen()
        self.down = down

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(reader, writer)
        self.ledger.connections += 1
        self._lines.add(line)
        self.ledger.most_at_once = max(self.ledger.most_at_once, len(self._lines))
        try:
            await self._serve(line, self.ledger.connections)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError, asyncio.CancelledError):
            pass
        finally:
            self._lines.discard(line)
            writer.close()

    async def _serve(self, line: Line, connection: int) -> None:
        request, goes_on = 0, True
        while goes_on:
            head = await line.reader.readuntil(_HEAD_END)
            request += 1
            if not self.down and self.schedule.cuts_midway(connection, request):
                self.ledger.faults[MIDWAY] += 1
                line.reset()
                return
            goes_on = await self._answer(line, await Request.read(line.reader, head[: -len(_HEAD_END)]))

    async def _answer(self, line: Line, request: Request) -> bool:
        try:
            message = request.message()
        except MalformedError:
            self.ledger.malformed += 1
            await line.write(refusal(60002))
            return True
        arrival = self.ledger.arrive(key_of(message))
        if self.latency:
            await asyncio.sleep(self.latency)
        return await (self._out(line) if self.down else self._exchange(line, request, message, arrival))

    async def _out(self, line: Line) -> bool:
        if self.down == "silent":
            await line.until_gone()
            return False
        await line.write(reply(b"<html>service unavailable</html>", "503 Service Unavailable", "text/html"))
        return True

    async def _exchange(self, line: Line, request: Request, message: Mapping[str, Any], arrival: int) -> bool:
        key = key_of(message)
        if self.ledger.over(self.limit):
            self.ledger.faults["over the limit"] += 1
            await line.write(refusal(60011))
            return True
        accept = partial(self.ledger.accept, key, message)
        fault = self.schedule.fault(key, arrival)
        if fault is None:
            accept()
            await line.write(reply(OK))
            return True
        self.ledger.faults[fault] += 1
        pick = partial(self.schedule.pick, key, arrival)
        heads = self.schedule.heads(key, arrival)
        return await FAULTS[fault](Exchange(line, request, accept, heads, pick, self.codes))

    def report(self) -> dict[str, Any]:
        """Return the books."""
        books = self.ledger
        return {
            "shown": books.shown,
            "arrivals": books.arrived.total(),
            "faults": books.faults,
            "times": books.times,
            "worst_second": books.worst_second(),
            "malformed": books.malformed,
            "connections": books.connections,
            "most_at_once": books.most_at_once,
        }


def checked(shares: Mapping[str, float]) -> Mapping[str, float]:
    """Return the shares, if all of their names are faults."""
    unknown = shares.keys() - FAULTS.keys() - {MIDWAY}
    if unknown or sum(shares.values()) > 1:
        raise ValueError(f"no such faults, or more than all requests: {sorted(unknown)}, {sum(shares.values())}")
    return shares
