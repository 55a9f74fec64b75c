"""Keep what was measured beside the table of it, so that a proof can be run again alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import asdict

from tests.proof.rows import Row
from tests.proof.table import lines, with_what


def write(table: Path, found: dict[str, list[Row]], order: Iterable[str]) -> None:
    """Write the rows of these proofs into the records and the table; rows of other proofs stay as they are."""
    records = table.with_suffix(".json")
    kept: dict[str, Any] = json.loads(records.read_text(encoding="utf-8")) if records.exists() else {}
    kept |= {name: {"with": with_what(), "rows": list(map(asdict, rows))} for name, rows in found.items()}
    kept = {name: kept[name] for name in order if name in kept}
    records.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    rows = [Row(**row) for proof in kept.values() for row in proof["rows"]]
    machines = dict.fromkeys(proof["with"] for proof in kept.values())
    table.write_text("\n".join([*lines(rows), "", *machines, ""]), encoding="utf-8")
