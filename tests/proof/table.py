"""Write rows as Markdown, and say with what they were measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from tests.proof.rows import Row

_PACKAGES = "deskim httpx attrs cattrs anyio httptools orjson".split()


def table(rows: Iterable[Row]) -> str:
    """Return the table of a run."""
    return "\n".join([*lines(rows), "", with_what(), ""])


def lines(rows: Iterable[Row]) -> list[str]:
    """Return the lines of a table."""
    head = ["| promise | size | to reach | measured | holds | seed | time |", "|---|---|---|---|---|---|---|"]
    return [*head, *map(_line, rows)]


def _line(row: Row) -> str:
    cells = [row.promise, row.size, row.wanted, row.measured, _holds(row), _seed(row), f"{row.seconds:.0f} s"]
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _holds(row: Row) -> str:
    return "–" if row.holds is None else ("yes" if row.holds else "**no**")


def _seed(row: Row) -> str:
    return "–" if row.seed is None else str(row.seed)


def told(row: Row) -> str:
    """Return a row for a terminal."""
    return f"{_holds(row):>6}  {row.promise} [{row.size}]: {row.measured} (to reach: {row.wanted}) {row.seconds:.1f} s"


def with_what() -> str:
    """Return the machine and the versions."""
    found = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"Measured over loopback on {os.cpu_count()} cores, {platform.system()}, {python}; {found}."


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
