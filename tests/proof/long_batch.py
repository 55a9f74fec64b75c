"""In a process of its own: run a long batch over a file of lines, and print by how much the peak of memory grew."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deskim import Message, SendResult
from deskim._batch import BatchSettings, Times, run_batch
from tests.proof.memory import peak

_EARLY = 10_000
_RESULT = SendResult(1, 1, 0.0)


class Sender:
    """Give the loop one turn, and call it sent."""

    async def send(self, message: Message, *, first_sent: float | None = None) -> SendResult:
        await asyncio.sleep(0)
        return _RESULT


def _write(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            message = Message.to_session("session", f"line {number}", key=str(number))
            file.write(json.dumps(message.to_dict()) + "\n")


def _messages(path: Path, peaks: list[float]) -> Iterator[Message]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            if number == _EARLY:
                peaks.append(peak())
            yield Message.from_dict(json.loads(line))


def _run(count: int) -> dict[str, Any]:
    peaks: list[float] = []
    times = Times(time.monotonic, time.time, asyncio.sleep)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.jsonl"
        _write(path, count)
        report = asyncio.run(run_batch(Sender(), _messages(path, peaks), settings=BatchSettings(), times=times))
    return {"sent": report.sent, "megabytes": peak() - peaks[0]}


print(json.dumps(_run(int(sys.argv[1]))))  # noqa: T201 - its parent reads it
