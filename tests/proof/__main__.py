"""Run the proofs and write their table."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
import time
from pathlib import Path
from typing import Final

from tests.proof import records
from tests.proof.rows import Row, Scale
from tests.proof.table import table, told

PROOFS: Final = "lost honest outage held deadlines pacing yielding garbage secrets kept cli suite".split()
_WAITING: Final = "lost honest outage held yielding".split()
"""Proofs that mostly wait: small ones can run at the same time."""
_ROOMS: Final = {"cli": "long_cli"}
_SEED: Final = 7


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: under three minutes")
    parser.add_argument("--seed", type=int, default=_SEED)
    parser.add_argument("--only", default=",".join(PROOFS), help=f"some of {', '.join(PROOFS)}")
    parser.add_argument("--write", type=Path, help="the table to write; of proofs that are not run its rows stay")
    return parser.parse_args()


async def _prove(names: list[str], scale: Scale) -> dict[str, list[Row]]:
    together = [name for name in names if scale.quick and name in _WAITING]
    found = dict(zip(together, await asyncio.gather(*[_one(name, scale) for name in together]), strict=True))
    for name in names:
        if name not in together:
            found[name] = await _one(name, scale)
    return {name: found[name] for name in names}


async def _one(name: str, scale: Scale) -> list[Row]:
    rows: list[Row] = []
    began = time.monotonic()
    async for row in importlib.import_module(f"tests.proof.{_ROOMS.get(name, name)}").prove(scale):
        print(told(row), flush=True)
        rows.append(row)
    print(f"[{name}: {time.monotonic() - began:.1f} s]", flush=True)
    return rows


def main() -> int:
    """Return 0 if every promise held."""
    options = _options()
    print(f"seed {options.seed}, {'quick' if options.quick else 'full size'}", flush=True)
    found = asyncio.run(_prove(options.only.split(","), Scale(options.seed, options.quick)))
    if options.write is not None:
        records.write(options.write, found, PROOFS)
    rows = [row for each in found.values() for row in each]
    print(table(rows))
    return int(any(row.holds is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
