"""One cell: a client in a fresh process, pinned to a core; its settings come in as JSON, its figures go out as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from attrs import asdict, define, field

WITHOUT_FAST: Final = ("orjson", "httptools")
_LONGEST_WARM_UP: Final = 10.0


@define
class Tally:
    """Count what is done; latencies are kept while it records."""

    done: int = 0
    errors: int = 0
    recording: bool = False
    over: bool = False
    first_error: str = ""
    latencies: array[float] = field(factory=lambda: array("d"))


@define
class Figures:
    """Hold what one cell showed: seconds of CPU and wall in the window, and what was done in it."""

    done: int
    errors: int
    seconds: float
    cpu: float
    p50: float
    p99: float
    rss: int
    first_error: str

    @property
    def per_second(self) -> float:
        """Return the messages per second."""
        return self.done / self.seconds


async def _work(send: Callable[[int], Any], tally: Tally, start: int) -> None:
    number = start
    while not tally.over:
        begun = time.perf_counter()
        try:
            await send(number)
        except Exception as error:  # noqa: BLE001 - a failure is a figure here
            tally.errors += 1
            tally.first_error = tally.first_error or f"{type(error).__name__}: {error}"
        else:
            tally.done += 1
            if tally.recording:
                tally.latencies.append(time.perf_counter() - begun)
        number += 1


async def _warm_up(tally: Tally, concurrency: int, seconds: float) -> None:
    begun = time.perf_counter()
    while (passed := time.perf_counter() - begun) < _LONGEST_WARM_UP:
        if passed >= seconds and tally.done + tally.errors >= 2 * concurrency:
            return
        await asyncio.sleep(0.02)


async def _window(tally: Tally, seconds: float) -> Figures:
    """Look twice while the work goes on, so that neither its beginning nor its end counts."""
    tally.recording = True
    done, errors, cpu, begun = tally.done, tally.errors, time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    passed, cpu = time.perf_counter() - begun, time.process_time() - cpu
    done, errors = tally.done - done, tally.errors - errors
    tally.recording = False
    latencies = sorted(tally.latencies) or [float("nan")]
    p50, p99 = (latencies[int(len(latencies) * share)] for share in (0.5, 0.99))
    return Figures(done, errors, passed, cpu, p50, p99, peak_memory(), tally.first_error)


def peak_memory() -> int:
    """Return the most memory held so far; `getrusage` would tell the parent's, inherited at the fork."""
    with contextlib.suppress(OSError):
        return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


async def measure(cell: dict[str, Any]) -> Figures:
    """Run one peer at one concurrency and return its figures."""
    from benchmarks.peers import PEERS, Target

    target = Target(cell["base_url"], cell["ca"], cell["concurrency"])
    tally = Tally()
    async with PEERS[cell["peer"].removesuffix("+uvloop")](target) as send:
        workers = [asyncio.create_task(_work(send, tally, i * 10**6)) for i in range(target.concurrency)]
        await _warm_up(tally, target.concurrency, cell["warm_up"])
        figures = await _window(tally, cell["seconds"])
        tally.over = True
        _, slow = await asyncio.wait(workers, timeout=2)
        for worker in slow:
            worker.cancel()
    return figures


def _prepare(cell: dict[str, Any]) -> None:
    """Take a core and enough file descriptors; leave the extra `fast` out where it is not to be had."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {cell["core"]})
    if cell["peer"].startswith("deskim-plain"):
        for name in WITHOUT_FAST:
            sys.modules[name] = None  # type: ignore[assignment]


def _run(cell: dict[str, Any]) -> Figures:
    if not cell["peer"].endswith("+uvloop"):
        return asyncio.run(measure(cell))
    import uvloop

    return uvloop.run(measure(cell))


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    _prepare(settings)
    print(json.dumps(asdict(_run(settings))), flush=True)
    os._exit(0)  # some peers do not end well at a thousand connections; their figures are in
