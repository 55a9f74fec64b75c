"""From samples to ratios and verdicts. A ratio is taken within a round; the median of the rounds counts."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from benchmarks.cells import LATENCY, Cell, Measured, Sample

MAX_SPREAD: Final = 1.25
MIN_BUSY: Final = 0.9
SERVER_MARGIN: Final = 1.5
_JUDGED: Final = ("deskim", "deskim-plain")


@frozen
class Ratio:
    """Hold a ratio: its median over the rounds, the least and the most."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def per_second(sample: Sample) -> float:
    """Return the messages per second."""
    return sample.figures.per_second


def per_cpu(sample: Sample) -> float:
    """Return the messages per second of CPU time."""
    return sample.figures.done / sample.figures.cpu


def ratio(measured: Measured, cell: Cell, base: Cell, of: Callable[[Sample], float] = per_second) -> Ratio | None:
    """Return how much more `cell` did than `base`, round by round."""
    samples, others = measured.samples.get(cell, {}), measured.samples.get(base, {})
    return _ratio([of(sample) / of(others[number]) for number, sample in samples.items() if number in others])


def share_of_ceiling(measured: Measured, cell: Cell) -> Ratio | None:
    """Return the share of what so many requests under way can reach, each lasting as long as the server waits."""
    ceiling = cell.concurrency / cell.latency
    return _ratio([per_second(sample) / ceiling for sample in measured.samples.get(cell, {}).values()])


def _ratio(values: list[float]) -> Ratio | None:
    return Ratio(statistics.median(values), min(values), max(values)) if values else None


def of_peer(measured: Measured, cell: Cell, base: str, of: Callable[[Sample], float] = per_second) -> Ratio | None:
    """Return the ratio to another peer in the same circumstances."""
    return ratio(measured, cell, Cell(base, cell.concurrency, cell.latency), of)


def spread(measured: Measured, cell: Cell) -> float:
    """Return how far the CPU time per message of a cell lies apart between rounds."""
    values = [per_cpu(sample) for sample in measured.samples.get(cell, {}).values()]
    return max(values) / min(values) if values else float("inf")


def doubts(measured: Measured) -> list[str]:
    """Return what speaks against the run: a slow server, errors, noise."""
    found = [f"errors: {failure}" for failure in measured.failures]
    alone = max((_median(measured, Cell(peer, 64)) for peer in ("floor", "floor+uvloop")), default=0.0)
    fastest = max(_median(measured, Cell(peer, 64)) for peer in _JUDGED)
    if alone < SERVER_MARGIN * fastest:
        found.append(f"the server carried {alone:,.0f} messages/s alone, under 1.5 times deskim's {fastest:,.0f}")
    apart = spread(measured, Cell("floor", 64))
    if apart > MAX_SPREAD:
        found.append(f"noisy: the floor's CPU time per message varied {apart:.2f} times between rounds")
    return (
        found
        + _idle(measured)
        + [
            f"errors: {cell.peer} at {cell.concurrency}: {sample.figures.first_error}"
            for cell, samples in measured.samples.items()
            for sample in samples.values()
            if sample.figures.errors and cell.peer.partition("+")[0] in (*_JUDGED, "floor", "aiohttp")
        ]
    )


def _idle(measured: Measured) -> list[str]:
    """Return where a client that should keep its core busy did not: others took the core, or the server's."""
    busy = {
        f"{cell.peer} at {cell.concurrency}": statistics.median(
            each.figures.cpu / each.figures.seconds for each in rounds.values()
        )
        for cell, rounds in measured.samples.items()
        if cell.peer in (*_JUDGED, "floor", "aiohttp") and cell.concurrency > 1 and not cell.latency
    }
    return [f"noisy: {name} had {share:.0%} of its core" for name, share in busy.items() if share < MIN_BUSY]


def _median(measured: Measured, cell: Cell) -> float:
    return statistics.median([per_second(each) for each in measured.samples.get(cell, {}).values()] or [0.0])


@frozen
class Target:
    """Hold what was to be reached and what was: at least so much, or at most."""

    name: str
    limit: float
    value: float | None
    at_most: bool = False

    def met(self, slack: float = 1.0) -> bool:
        """Tell whether it was reached; `slack` below 1 asks for that share of it only."""
        if self.value is None:
            return False
        return self.value <= self.limit / slack if self.at_most else self.value >= self.limit * slack


def targets(measured: Measured, encoding: dict[str, Any], importing: dict[str, float]) -> list[Target]:
    """Return every target with what was measured."""
    return [
        *_against_aiohttp(measured),
        *_share(measured),
        *_under_latency(measured),
        *_encoding(encoding),
        Target("import deskim, against the four packages it needs", 1.10, importing["ratio"], at_most=True),
    ]


_AGAINST_AIOHTTP: Final = {
    "deskim": {1: 1.5, 64: 2.3, 256: 2.6},
    "deskim-plain": {1: 1.0, 64: 1.0, 256: 1.1},
}
_SHARE_OF_CEILING: Final = {"deskim": {64: 0.96, 256: 0.95}, "deskim-plain": {64: 0.95, 256: 0.90}}
_KINDS: Final = {"deskim": "with fast", "deskim-plain": "base install"}
_ENCODING: Final = {("fast", "text"): 1.5, ("fast", "card"): 1.4, ("plain", "text"): 1.5, ("plain", "card"): 1.5}


def _against_aiohttp(measured: Measured) -> list[Target]:
    return [
        Target(f"messages/s against aiohttp, c={number}, {_KINDS[peer]}", limit, _value(found))
        for peer, limits in _AGAINST_AIOHTTP.items()
        for number, limit in limits.items()
        for found in [of_peer(measured, Cell(peer, number), "aiohttp")]
    ]


def _share(measured: Measured) -> list[Target]:
    found = of_peer(measured, Cell("deskim", 64), "floor")
    return [Target("share of the raw asyncio floor, c=64, with fast", 0.45, _value(found))]


def _under_latency(measured: Measured) -> list[Target]:
    return [
        Target(f"share of the ceiling with 50 ms latency, c={number}, {_KINDS[peer]}", limit, _value(found))
        for peer, limits in _SHARE_OF_CEILING.items()
        for number, limit in limits.items()
        for found in [share_of_ceiling(measured, Cell(peer, number, LATENCY))]
    ]


def _encoding(encoding: dict[str, Any]) -> list[Target]:
    names = {"fast": "with fast", "plain": "base install"}
    return [
        Target(f"encode a {kind}, against a dict by hand, {names[speed]}", limit, encoding[speed][kind]["ratio"], True)  # noqa: FBT003
        for (speed, kind), limit in _ENCODING.items()
    ]


def _value(found: Ratio | None) -> float | None:
    return None if found is None else found.median
