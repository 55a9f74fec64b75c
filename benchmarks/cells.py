"""What is measured in a run, and the measuring: rounds in shuffled order, every cell in a process of its own."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from attrs import define, evolve, field, frozen

from benchmarks.client import Figures
from benchmarks.servers import Server, serving

LATENCY: Final = 0.05
_LONGEST: Final = 120.0
_EVERYBODY: Final = (
    "floor",
    "aiohttp",
    "pyreqwest",
    "httpx2",
    "httpx",
    "deskim",
    "deskim-plain",
    "deskim-borrowed",
    "deskim-transport",
)
_SOME: Final = ("floor", "aiohttp", "httpx", "deskim", "deskim-plain")
_COMPARED: Final = frozenset({"floor", "aiohttp", "deskim", "deskim-plain"})
_MOST_COMPARED: Final = 256
_OTHERS_EVERY: Final = 3
_ON_UVLOOP: Final = ("floor+uvloop", "aiohttp+uvloop", "deskim+uvloop")


@frozen
class Cell:
    """Name one measurement: who, how many requests under way, how late the replies are (seconds)."""

    peer: str
    concurrency: int
    latency: float = 0.0


@frozen
class Plan:
    """Say how much is measured: cells, rounds, seconds for each."""

    cells: tuple[Cell, ...]
    rounds: int
    seconds: float
    warm_up: float
    micro_rounds: int

    @classmethod
    def full(cls, rounds: int = 9, seconds: float = 1.0) -> Plan:
        """Return the plan of the published figures."""
        cells = [Cell(peer, number) for number in (1, 64, 256, 1000) for peer in _EVERYBODY]
        cells += [Cell(peer, number) for number in (1, 64, 256) for peer in _ON_UVLOOP]
        cells += [Cell(peer, number, LATENCY) for number in (64, 256, 1000) for peer in _EVERYBODY]
        return cls(tuple(cells), rounds, seconds, 0.5, 9)

    @classmethod
    def quick(cls, rounds: int = 2, seconds: float = 0.5) -> Plan:
        """Return the plan for a look, under two minutes."""
        cells = [Cell(peer, number) for number in (1, 64, 256) for peer in _SOME]
        cells += [Cell("floor+uvloop", 64)]
        cells += [Cell(peer, number, LATENCY) for number in (64, 256) for peer in ("aiohttp", "deskim", "deskim-plain")]
        return cls(tuple(cells), rounds, seconds, 0.3, 5)

    def of_round(self, number: int) -> list[Cell]:
        """Return the cells of a round: in two of three, the ones alone that targets compare (noise asks for many)."""
        cells = self.cells if number % _OTHERS_EVERY == 0 else tuple(filter(_compared, self.cells))
        return _shuffled(cells)

    def only(self, peers: set[str]) -> Plan:
        """Return the plan for some of the clients."""
        return evolve(self, cells=tuple(cell for cell in self.cells if cell.peer in peers))


@define
class Sample:
    """Hold what one cell showed in one round, and the connections that the server saw for it."""

    figures: Figures
    connections: int


@define
class Measured:
    """Hold all rounds of all cells; a round that failed is missing from its cell."""

    server: str
    samples: dict[Cell, dict[int, Sample]] = field(factory=dict)
    failures: list[str] = field(factory=list)


def measure(plan: Plan, tell: Callable[[str], None]) -> Measured:
    """Measure every cell of the plan in every round."""
    latencies = sorted({cell.latency for cell in plan.cells})
    with _servers(latencies) as servers:
        measured = Measured(servers[0.0].name)
        for number in range(plan.rounds):
            cells = plan.of_round(number)
            tell(f"round {number + 1} of {plan.rounds}: {len(cells)} cells")
            for cell in cells:
                _measure_one(cell, number, servers[cell.latency], plan, measured)
    return measured


def _compared(cell: Cell) -> bool:
    return cell.peer in _COMPARED and cell.concurrency <= _MOST_COMPARED


def _shuffled(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells in random order, those that are compared one after the other: machines change their pace."""
    circumstances = list({(cell.concurrency, cell.latency) for cell in cells})
    together = [
        [cell for cell in cells if (cell.concurrency, cell.latency) == each]
        for each in random.sample(circumstances, len(circumstances))
    ]
    return [cell for group in together for cell in random.sample(group, len(group))]


@contextmanager
def _servers(latencies: Sequence[float]) -> Iterator[dict[float, Server]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield {delay: stack.enter_context(serving(folder, delay, _cores()[1])) for delay in latencies}


def _cores() -> tuple[int, int]:
    """Return the core for the clients and the one for the servers."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    return usable[0], usable[-1]


def _measure_one(cell: Cell, number: int, server: Server, plan: Plan, measured: Measured) -> None:
    before = server.accepted()
    settings: dict[str, Any] = {
        "peer": cell.peer,
        "concurrency": cell.concurrency,
        "base_url": server.base_url,
        "ca": server.ca,
        "core": _cores()[0],
        "seconds": plan.seconds,
        "warm_up": plan.warm_up,
    }
    try:
        figures = _run(settings)
    except (subprocess.SubprocessError, ValueError) as error:
        detail = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
        measured.failures.append(f"{cell.peer} at {cell.concurrency}: {' '.join(detail)}")
    else:
        measured.samples.setdefault(cell, {})[number] = Sample(figures, server.accepted() - before)


def _run(settings: dict[str, Any]) -> Figures:
    command = [sys.executable, "-m", "benchmarks.client", json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_LONGEST)  # noqa: S603
    return Figures(**json.loads(done.stdout))
