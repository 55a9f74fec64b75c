"""Write what was measured: one JSON with everything, one Markdown page for the documentation."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from attrs import asdict, frozen

from benchmarks.cells import LATENCY, Cell, Measured, Plan, Sample
from benchmarks.judge import Target, of_peer, per_cpu, share_of_ceiling

NAMES: Final = {
    "floor": "raw asyncio protocol, prepared bytes",
    "aiohttp": "aiohttp, `session.post(params=, json=)`",
    "pyreqwest": "pyreqwest",
    "httpx2": "httpx2, `client.post(params=, json=)`",
    "httpx": "httpx, `client.post(params=, json=)`",
    "deskim": "**deskim[fast]**",
    "deskim-plain": "**deskim**",
    "deskim-borrowed": "deskim on a borrowed `httpx.AsyncClient()`",
    "deskim-transport": "deskim on a borrowed client with `DeskTransport`",
    "floor+uvloop": "raw protocol, on uvloop",
    "aiohttp+uvloop": "aiohttp, on uvloop",
    "deskim+uvloop": "**deskim[fast]**, on uvloop",
}


@frozen
class Run:
    """Hold a whole run."""

    plan: Plan
    machine: dict[str, Any]
    measured: Measured
    encoding: dict[str, Any]
    importing: dict[str, float]
    targets: list[Target]
    doubts: list[str]


def as_json(run: Run) -> dict[str, Any]:
    """Return the run as plain values."""
    cells = [
        {
            **asdict(cell),
            "rounds": [{**asdict(each.figures), "connections": each.connections} for each in rounds.values()],
        }
        for cell, rounds in run.measured.samples.items()
    ]
    return {
        "machine": run.machine,
        "settings": {"rounds": run.plan.rounds, "seconds": run.plan.seconds},
        "doubts": run.doubts,
        "targets": [{**asdict(target), "met": target.met()} for target in run.targets],
        "cells": cells,
        "encoding": run.encoding,
        "importing": run.importing,
        "failures": run.measured.failures,
    }


def as_markdown(run: Run) -> str:
    """Return the run as tables."""
    parts = [
        _circumstances(run),
        "## Messages per second, as a multiple of aiohttp's\n",
        _against_aiohttp(run),
        "## At 64 requests under way\n",
        _details(run, 64),
        "## With replies 50 ms late: share of the ceiling\n",
        _under_latency(run),
        "## Encoding and importing\n",
        _small_things(run),
        "## Asked and reached\n",
        _targets(run),
    ]
    return "\n".join(parts)


def _circumstances(run: Run) -> str:
    machine = run.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    text = (
        f"Measured on {machine['date']}: {machine['cpu']}, {machine['cores']} cores, {machine['system']}; "
        f"{machine['python']}, {machine['openssl']}; server {machine['server']}; {versions}. "
        f"{run.plan.rounds} rounds of {run.plan.seconds} s, every third with all clients, the others with those that "
        "targets compare; over TLS on the loopback; the client has one core, the server another.\n"
    )
    return text + "".join(f"\n:::{{warning}}\n{doubt}\n:::\n" for doubt in run.doubts)


def _peers(run: Run, latency: float = 0.0) -> list[str]:
    present = {cell.peer for cell in run.measured.samples if cell.latency == latency}
    return [peer for peer in NAMES if peer in present]


def _concurrencies(run: Run, latency: float = 0.0) -> list[int]:
    return sorted({cell.concurrency for cell in run.measured.samples if cell.latency == latency})


def _grid(run: Run, latency: float, show: Callable[[Cell], object]) -> str:
    numbers = _concurrencies(run, latency)
    rows = [
        [NAMES[peer], *(_or_dash(show(Cell(peer, number, latency))) for number in numbers)]
        for peer in _peers(run, latency)
    ]
    return table(["client", *(f"c={number}" for number in numbers)], rows)


def _against_aiohttp(run: Run) -> str:
    return _grid(run, 0.0, lambda cell: of_peer(run.measured, cell, "aiohttp"))


def _under_latency(run: Run) -> str:
    return _grid(run, LATENCY, lambda cell: share_of_ceiling(run.measured, cell))


def _details(run: Run, number: int) -> str:
    head = [
        "client",
        "messages/s",
        "CPU µs/message",
        "CPU against aiohttp",
        "p50 ms",
        "p99 ms",
        "memory MB",
        "connections",
    ]
    return table(head, [row for peer in _peers(run) if (row := _detail(run, Cell(peer, number)))])


def _detail(run: Run, cell: Cell) -> list[str]:
    samples = list(run.measured.samples.get(cell, {}).values())
    if not samples:
        return []
    return [
        NAMES[cell.peer],
        f"{_median(samples, lambda each: each.figures.per_second):,.0f}",
        f"{_median(samples, lambda each: 1e6 / per_cpu(each)):.0f}",
        _or_dash(of_peer(run.measured, cell, "aiohttp", per_cpu)),
        f"{_median(samples, lambda each: each.figures.p50) * 1e3:.1f}",
        f"{_median(samples, lambda each: each.figures.p99) * 1e3:.1f}",
        f"{_median(samples, lambda each: each.figures.rss) / 1e6:.0f}",
        f"{_median(samples, lambda each: each.connections):.0f}",
    ]


def _median(samples: Iterable[Sample], of: Callable[[Sample], float]) -> float:
    return statistics.median(map(of, samples))


def _small_things(run: Run) -> str:
    names = {"fast": "with `fast`", "plain": "base install"}
    rows = [
        [
            f"encode a {kind} of {found['bytes']} bytes, {names[speed]}",
            f"{found['us']:.1f} µs",
            f"{found['by_hand_us']:.1f} µs",
            _range(found),
        ]
        for speed, kinds in run.encoding.items()
        for kind, found in kinds.items()
    ]
    found = run.importing
    rows.append(["`import deskim`", f"{found['ms']:.0f} ms", f"{found['packages_ms']:.0f} ms", _range(found)])
    return table(["", "deskim", "by hand; its four packages", "ratio"], rows)


def _range(found: dict[str, float]) -> str:
    return f"{found['ratio']:.2f} ({found['least']:.2f} to {found['most']:.2f})"


def _targets(run: Run) -> str:
    rows = [
        [
            each.name,
            f"{'at most' if each.at_most else 'at least'} {each.limit:.2f}",
            _number(each.value),
            "yes" if each.met() else "no",
        ]
        for each in run.targets
    ]
    return table(["quantity", "asked", "measured", "reached"], rows)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _or_dash(value: object) -> str:
    return "–" if value is None else str(value)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; every column but the first is set to the right."""
    rule = ["---", *("---:" for _ in head[1:])]
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, rule, *rows])
