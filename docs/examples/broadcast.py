"""Send a line to each user of a CSV file with the columns ``user`` and ``name``: ``python broadcast.py users.csv``.

Ctrl-C and SIGTERM stop it; the same command goes on where it was. The environment holds DESKIM_SDK_APP_ID,
DESKIM_SECRET_KEY and DESKIM_CUSTOMER_SERVICE_ACCOUNT.
"""

from __future__ import annotations

import asyncio
import csv
import signal
import sys
from collections.abc import Generator, Iterable
from contextlib import closing
from pathlib import Path

from deskim import AsyncDeskClient, Batch, BatchReport, Message


def messages(path: Path) -> Generator[Message, None, None]:
    """Make the messages, one when it is wanted."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield Message.to_user(row["user"], f"Hello {row['name']}, the shop opens at nine.", key=row["user"])


async def main(path: Path) -> int:
    """Send them and return the exit code."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in a task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # as asyncio.run does for Ctrl-C
    with closing(messages(path)) as items:
        async with AsyncDeskClient.from_env() as desk:
            report = await send(desk, items, path.with_suffix(".journal"))
    return 0 if report.sent == report.total else 1


async def send(desk: AsyncDeskClient, items: Iterable[Message], journal: Path) -> BatchReport:
    """Send the messages; a call that is cancelled tells what became of them, too."""
    batch: Batch | None = None
    try:
        async with desk.batch(items, journal=journal) as batch:
            async for outcome in batch:
                if outcome.error is not None:
                    print(outcome.key, outcome.delivery, outcome.error, file=sys.stderr)
        return batch.report
    finally:
        if batch is not None:  # its report is final once the block is left
            print(f"{batch.report.summary()}; {batch.report.resumed} were settled by earlier runs", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(Path(sys.argv[1]))))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
