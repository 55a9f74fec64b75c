"""Run a part of a proof in a fresh process: one whose memory, logs and patches are its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from tests.proof.server import ROOT


@frozen
class Ended:
    """Hold what a process printed, and how it ended."""

    code: int
    out: str
    err: str

    def told(self) -> dict[str, Any]:
        """Return the JSON object of its last line; raises where it failed."""
        if self.code:
            raise RuntimeError(f"a process of the proof ended with {self.code}: {self.err[-2000:]}")
        told: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return told


async def python(*arguments: str, environment: Mapping[str, str] | None = None, stdin: str = "") -> Ended:
    """Run Python with these arguments to its end."""
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, env=environment, **pipes)
    try:
        out, err = await process.communicate(stdin.encode())
    finally:
        if process.returncode is None:
            process.kill()
    return Ended(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))
