"""No call outlasts its deadline, whatever the server does not do."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Iterator
from typing import Final

from deskim import AsyncDeskClient, DeskError
from tests.chaos.lag import watched
from tests.proof.again import measured
from tests.proof.rows import Row, Scale
from tests.proof.server import chaos, client

_FAULTS: Final = {"stall": 0.5, "dribble": 0.5}
_CALLERS: Final = 64
_SHORTEST, _LONGEST = 0.1, 1.5
_SCHEDULING: Final = 0.050


async def prove(scale: Scale) -> AsyncIterator[Row]:
    """Send with deadlines of many lengths."""
    yield await measured(_lateness, scale)


async def _lateness(scale: Scale) -> Row:
    """Keep by how much the worst call was late."""
    began, count = time.monotonic(), scale.of(10_000, 500)
    dice = random.Random(scale.seed)
    deadlines = (dice.uniform(_SHORTEST, _LONGEST) for _ in range(count))
    late: list[float] = []
    async with chaos(scale.seed, shares=_FAULTS) as server, client(server) as desk, watched() as lag:
        await asyncio.gather(*[_work(desk, deadlines, late) for _ in range(_CALLERS)])
    worst = max(late)
    return Row(
        promise="No call outlasts its deadline",
        size=f"{len(late):,} calls, half stalls, half dribbled bytes",
        wanted="at most 50 ms late",
        measured=f"worst {worst * 1e3:.1f} ms late; a bare sleep beside it {lag.worst * 1e3:.1f} ms",
        holds=worst <= _SCHEDULING and len(late) == count,
        seed=scale.seed,
        seconds=time.monotonic() - began,
    )


async def _work(desk: AsyncDeskClient, deadlines: Iterator[float], late: list[float]) -> None:
    for deadline in deadlines:
        began = time.perf_counter()
        with contextlib.suppress(DeskError):
            await desk.send_to_session("session", f"message {began}", deadline=deadline)
        late.append(time.perf_counter() - began - deadline)
