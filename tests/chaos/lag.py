"""How long a process was kept from running: what makes requests bunch that were sent apart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import define

_EVERY = 0.001


@define
class Lag:
    """Hold by how many seconds a bare sleep was late at worst."""

    worst: float = 0.0

    async def watch(self) -> None:
        """Sleep again and again, until cancelled."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(_EVERY)
            self.worst = max(self.worst, time.perf_counter() - began - _EVERY)


@asynccontextmanager
async def watched() -> AsyncIterator[Lag]:
    """Measure it in the background."""
    lag = Lag()
    watching = asyncio.create_task(lag.watch())
    try:
        yield lag
    finally:
        watching.cancel()
