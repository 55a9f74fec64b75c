"""Start and ask the chaos server, and make the client that all proofs share."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from attrs import define, frozen

from deskim import AsyncDeskClient

ROOT: Final = Path(__file__).parents[2]
SDK_APP_ID: Final = 1400000000
SECRET_KEY: Final = "5f1d" * 16
_LONGEST_LINE: Final = 1 << 28


@define
class Chaos:
    """Talk to a chaos server in another process."""

    process: asyncio.subprocess.Process
    url: str

    async def set(self, **changes: Any) -> None:
        """Change its ways."""
        await self._ask({"set": changes})

    async def report(self) -> Books:
        """Return its books."""
        return Books(**await self._ask({"report": True}))

    async def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        return await _line(self.process)


@frozen(kw_only=True)
class Books:
    """Hold what the server wrote down."""

    shown: Mapping[str, int]
    """How often users saw each message."""
    arrivals: int
    faults: Mapping[str, int]
    times: list[float]
    worst_second: int
    malformed: int
    connections: int
    most_at_once: int
    lag: float
    """By how many seconds the server's process was kept from running at worst."""

    def copies(self, key: str) -> int:
        """Return how often users saw a message."""
        return self.shown.get(key, 0)


@asynccontextmanager
async def chaos(seed: int, **settings: Any) -> AsyncIterator[Chaos]:
    """Run a chaos server; its settings are those of `tests.chaos`."""
    command = [sys.executable, "-m", "tests.chaos", json.dumps({"seed": seed, **settings})]
    pipes: dict[str, Any] = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, limit=_LONGEST_LINE, **pipes)
    try:
        told = await _line(process)
        yield Chaos(process, f"http://127.0.0.1:{told['port']}")
    finally:
        await _end(process)


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the chaos server ended")
    told: dict[str, Any] = json.loads(line)
    return told


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(5):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def client(server: Chaos, **overrides: Any) -> AsyncDeskClient:
    """Return the client of all proofs: the defaults, pacing aside."""
    settings: dict[str, Any] = {"secret_key": SECRET_KEY, "base_url": server.url, "rate_limit": None, **overrides}
    return AsyncDeskClient(SDK_APP_ID, **settings)
