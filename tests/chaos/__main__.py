"""Run the server as a process of its own; see the package."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from tests.chaos.lag import watched
from tests.chaos.ledger import Ledger
from tests.chaos.schedule import Schedule
from tests.chaos.server import ChaosServer, checked


def _made(settings: dict[str, Any]) -> ChaosServer:
    schedule = Schedule(settings.pop("seed"), checked(settings.pop("shares", {})))
    return ChaosServer(schedule, Ledger(settings.pop("dedup_window", 120.0)), **settings)


async def _orders() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def _run(server: ChaosServer) -> None:
    await server.listen()
    _say({"port": server.port, "seed": server.schedule.seed, "shares": server.schedule.shares})
    async with watched() as lag:
        async for line in await _orders():
            order = json.loads(line)
            if "set" in order:
                await server.change(**order["set"])
            _say({**server.report(), "lag": lag.worst} if "report" in order else {})


asyncio.run(_run(_made(json.loads(sys.argv[1]))))
