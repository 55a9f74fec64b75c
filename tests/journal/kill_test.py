"""Kill a batch with a journal again and again, and hold what users saw against what the last run reports.

    python tests/journal/kill_test.py --kills 50 --items 10000

The server is a FakeDesk in a process of its own; the batch is killed with SIGKILL at random moments, its start and its
end among them, and started again with the same journal until it goes through.
"""

# ruff: noqa: T201 - a script, whose processes speak by printing

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from attrs import define, field, frozen

from deskim import AsyncDeskClient, Message
from deskim.testing import FakeDesk

Process: TypeAlias = "subprocess.Popen[str]"
ROOT = Path(__file__).resolve().parents[2]


async def _serve() -> None:
    """Answer until standard input ends; to each line of it, say what users saw."""
    desk = FakeDesk()
    async with desk.serve() as served:
        print(served.base_url, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            copies = Counter(message.text for message in desk.messages)
            seen = {"messages": len(desk.messages), "texts": len(copies), "requests": len(desk.requests)}
            print(json.dumps(seen), flush=True)


def _messages(count: int) -> Iterator[Message]:
    return (Message.to_user("u", f"message {number}") for number in range(count))


async def _send(base_url: str, journal: str, count: int) -> None:
    """Run the batch to its end and print what it reports."""
    desk = FakeDesk()
    print("begun", flush=True)
    async with AsyncDeskClient(
        desk.sdk_app_id,
        secret_key=desk.secret_key,
        customer_service_account=desk.customer_service_account,
        base_url=base_url,
        rate_limit=None,
    ) as client:
        report = await client.send_batch(_messages(count), journal=journal)
    print(json.dumps({"total": report.total, "sent": report.sent, "resumed": report.resumed}), flush=True)


@frozen(kw_only=True)
class Result:
    """Tell how often the batch was killed, what the last run reports, and what users saw."""

    kills: int
    report: dict[str, int]
    seen: dict[str, int]


@define
class Trial:
    """Kill one batch and start it again."""

    kills: int
    items: int
    journal: Path
    choose: random.Random
    server: Process
    killed: int = 0
    working: float = 0.0
    seen: dict[str, int] = field(factory=dict[str, int])

    def run(self) -> Result:
        base_url = _line(self.server)
        command = ["--send", base_url, "--journal", str(self.journal), "--items", str(self.items)]
        while self.killed < self.kills:
            with start(*command) as batch:
                self._kill(batch)
        with start(*command) as batch:
            _line(batch)
            report = json.loads(_line(batch))
        return Result(kills=self.killed, report=report, seen=self._look())

    def _kill(self, batch: Process) -> None:
        """Kill the batch after a random part of what is left for each kill."""
        if self.choose.random() < 0.1:
            time.sleep(self.choose.random() * 0.5)  # while it starts
        else:
            _line(batch)
            began = time.monotonic()
            time.sleep(self.choose.random() * 2 * self._share())
            self.working += time.monotonic() - began
        batch.kill()
        ended = batch.wait()
        assert ended in {-signal.SIGKILL, 0}, f"the batch ended with {ended}"
        self.killed += ended != 0
        self._look()

    def _share(self) -> float:
        """Return the seconds that the batch may work before each of the kills left, at the speed seen so far."""
        speed = self.seen["messages"] / self.working if self.working and self.seen.get("messages") else 500.0
        left = self.items - self.seen.get("messages", 0)
        return 0.05 + left / (self.kills - self.killed + 3) / speed

    def _look(self) -> dict[str, int]:
        assert self.server.stdin is not None
        self.server.stdin.write("\n")
        self.server.stdin.flush()
        self.seen = json.loads(_line(self.server))
        return self.seen


def _line(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def start(*arguments: str) -> Process:
    """Start this program in another role."""
    command = [sys.executable, __file__, *arguments]
    environment = {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def trial(kills: int, items: int, seed: int) -> Result:
    """Kill a batch of ``items`` so many times; return what came of it."""
    with tempfile.TemporaryDirectory() as folder, start("--serve") as server:
        try:
            return Trial(kills, items, Path(folder) / "journal", random.Random(seed), server).run()
        finally:
            server.stdin.close() if server.stdin else None


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--send", help=argparse.SUPPRESS)
    parser.add_argument("--journal", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Play the part that the arguments name."""
    chosen = _arguments()
    if chosen.serve:
        return asyncio.run(_serve())
    if chosen.send:
        return asyncio.run(_send(chosen.send, chosen.journal, chosen.items))
    result = trial(chosen.kills, chosen.items, chosen.seed)
    good = result.seen["messages"] == result.seen["texts"] == result.report["sent"] == chosen.items
    print(f"seed {chosen.seed}: {result.kills} kills, {result.report}, users saw {result.seen}")
    return sys.exit(not good)


if __name__ == "__main__":
    main()
