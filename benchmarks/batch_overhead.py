"""What a batch costs of its own: CPU per item against bare workers over the same source, and memory against its length.

    python -m benchmarks.batch_overhead

Every measurement has a process of its own; the sender does nothing but give the loop one turn. Prints one line of JSON
a shape, and ends with status 1 when a target is missed: 1.6 times the CPU of bare workers, 5 MB between 10^4 and 10^6
items.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

from attrs import frozen

from benchmarks.client import peak_memory
from deskim._batch import Batch, BatchSettings, Times, run_batch
from deskim._messages import Message, SendResult

CONCURRENCY: Final = 64
MOST_CPU: Final = 1.6
MOST_GROWTH: Final = 5.0  # MB
FEW: Final = 10_000
RESULT: Final = SendResult(1, 1, 0.0)
TIMES: Final = Times(time.monotonic, time.time, asyncio.sleep)

Work = Callable[[Any], Awaitable[int]]


class NoSender:
    """Send nothing."""

    async def send(self, message: Message, *, first_sent: float | None = None) -> SendResult:  # noqa: ARG002 - the contract
        """Give the loop one turn, as a send does that has to wait."""
        await asyncio.sleep(0)
        return RESULT


def made(count: int) -> Iterator[Message]:
    """Make each message, as a program does that sends to many."""
    return (Message.to_user(f"user{number}", "Your parcel is on its way.") for number in range(count))


def ready(count: int) -> Iterator[Message]:
    """Give the same message again and again: a source that costs nothing, the hardest case for a ratio."""
    return itertools.repeat(Message.to_user("user45", "Your parcel is on its way."), count)


async def asynchronous(count: int) -> AsyncIterator[Message]:
    for message in made(count):
        yield message


async def bare(source: Any) -> int:
    """Do what is left of a batch without its account of anything."""
    send, done = NoSender().send, 0

    async def work() -> None:
        nonlocal done
        for message in source:
            await send(message)
            done += 1

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return done


async def bare_async(source: Any) -> int:
    send, turn, done = NoSender().send, asyncio.Lock(), 0

    async def work() -> None:
        nonlocal done
        while True:
            async with turn:
                try:
                    message = await anext(source)
                except StopAsyncIteration:
                    return
            await send(message)
            done += 1

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return done


SETTINGS: Final = BatchSettings(concurrency=CONCURRENCY)


async def batch(source: Any) -> int:
    return (await run_batch(NoSender(), source, settings=SETTINGS, times=TIMES)).sent


async def callback(source: Any) -> int:
    heard = 0

    def hear(_: object) -> None:
        nonlocal heard
        heard += 1

    await run_batch(NoSender(), source, settings=SETTINGS, times=TIMES, on_outcome=hear)
    return heard


async def stream(source: Any) -> int:
    read = 0
    async with Batch(NoSender(), source, settings=SETTINGS, times=TIMES) as outcomes:
        async for _ in outcomes:
            read += 1
    return read


SOURCES: Final[dict[str, Callable[[int], Any]]] = {"made": made, "ready": ready, "async": asynchronous}
WORKS: Final[dict[str, Work]] = {
    "bare": bare,
    "bare_async": bare_async,
    "batch": batch,
    "callback": callback,
    "stream": stream,
}


@frozen
class Shape:
    """Name what is measured, against which bare workers, and whether the target of the CPU holds for it."""

    work: str
    source: str
    floor: str = "bare"
    judged: bool = True


SHAPES: Final = (
    Shape("batch", "made"),
    Shape("callback", "made"),
    Shape("stream", "made"),
    Shape("batch", "async", floor="bare_async"),
    Shape("batch", "ready"),
    Shape("callback", "ready", judged=False),  # an Outcome for each item, and nothing else to hide it
)


def measure_here(work: str, source: str, count: int) -> None:
    """Print the CPU per item, in microseconds, and the highest resident memory, in MB."""
    items = SOURCES[source](count)
    gc.collect()
    began = time.process_time()
    assert count == asyncio.run(_as_coroutine(WORKS[work](items)))
    cpu = (time.process_time() - began) / count * 1e6
    print(json.dumps({"cpu": cpu, "rss": peak_memory() / 2**20}))


async def _as_coroutine(work: Awaitable[int]) -> int:
    return await work


def measure(work: str, source: str, count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.batch_overhead", "--here", work, source, str(count)]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)  # noqa: S603
    return found


def compare(shape: Shape, count: int, rounds: int) -> dict[str, Any]:
    """Measure a shape and its floor in turn, so that both see the same machine."""
    pairs = [
        (measure(shape.floor, shape.source, count), measure(shape.work, shape.source, count)) for _ in range(rounds)
    ]
    few = measure(shape.work, shape.source, FEW)
    ratio = statistics.median(ours["cpu"] / floor["cpu"] for floor, ours in pairs)
    growth = min(ours["rss"] for _, ours in pairs) - few["rss"]
    return {
        "shape": f"{shape.work} over {shape.source}",
        "items": count,
        "floor_us": round(statistics.median(floor["cpu"] for floor, _ in pairs), 2),
        "us": round(statistics.median(ours["cpu"] for _, ours in pairs), 2),
        "ratio": round(ratio, 2),
        "growth_mb": round(growth, 2),
        "met": growth <= MOST_GROWTH and (ratio <= MOST_CPU or not shape.judged),
    }


def main() -> None:
    """Measure every shape."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--here", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        work, source, count = given.here
        return measure_here(work, source, int(count))
    met = True
    for shape in SHAPES:
        found = compare(shape, given.items, given.rounds)
        print(json.dumps(found), flush=True)
        met = met and found["met"]
    return sys.exit(not met)


if __name__ == "__main__":
    main()
