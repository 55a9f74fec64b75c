"""Read the samples in tests/wire."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WIRE = Path(__file__).parent.parent / "wire"

#: The calls that have a file; what holds for every call starts with an underscore.
CALLS = sorted(path.stem for path in WIRE.glob("[!_]*.json"))


def read(name: str) -> dict[str, Any]:
    """Return one file."""
    wire: dict[str, Any] = json.loads(WIRE.joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return wire


def body_of(case: dict[str, Any]) -> bytes:
    """Return the body of a sample or of an error, as bytes."""
    return case["body"].encode() if "body" in case else json.dumps(case["request"], ensure_ascii=False).encode()
