"""Measurements that need fresh processes but no server: encoding, with `fast` and without, and importing."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import Any, Final

_PACKAGES: Final = "httpx, attrs, cattrs, anyio"
_TIMED: Final = "import time; begun = time.process_time(); import {}; print(time.process_time() - begun)"


def encoding(rounds: int) -> dict[str, Any]:
    """Return the comparison of `benchmarks.micro`, by kind of installation and kind of message."""
    return {speed: json.loads(_output("-m", "benchmarks.micro", speed, str(rounds))) for speed in ("fast", "plain")}


def importing(rounds: int) -> dict[str, float]:
    """Return how much longer importing deskim takes than importing what it depends on, in CPU time."""
    for names in ("deskim", _PACKAGES):
        _import_seconds(names)  # byte code is written
    pairs = [(_import_seconds("deskim"), _import_seconds(_PACKAGES)) for _ in range(rounds)]
    ratios = sorted(ours / theirs for ours, theirs in pairs)
    return {
        "ratio": statistics.median(ratios),
        "least": ratios[0],
        "most": ratios[-1],
        "ms": statistics.median(ours for ours, _ in pairs) * 1e3,
        "packages_ms": statistics.median(theirs for _, theirs in pairs) * 1e3,
    }


def _import_seconds(names: str) -> float:
    return float(_output("-c", _TIMED.format(names)))


def _output(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True).stdout  # noqa: S603
