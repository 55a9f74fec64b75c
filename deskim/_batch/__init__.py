"""Many messages with a bounded number under way, and one account of what became of each.

The batch is handed the coroutine that sends, the time and the journal; it knows no client.
"""

from __future__ import annotations

from ._report import BatchReport
from ._results import Batch
from ._run import Run
from ._settings import BatchSettings, OnOutcome, Record, Sender, Times
from ._source import Messages

__all__ = [
    "Batch",
    "BatchReport",
    "BatchSettings",
    "Messages",
    "OnOutcome",
    "Record",
    "Sender",
    "Times",
    "run_batch",
]


async def run_batch(
    sender: Sender,
    messages: object,
    *,
    settings: BatchSettings,
    times: Times,
    record: Record | None = None,
    on_outcome: OnOutcome | None = None,
) -> BatchReport:
    """Send every item and return what became of them; errors of the caller's own code surface as themselves."""
    run = Run(sender, messages, settings=settings, times=times, record=record, on_outcome=on_outcome)
    await run.open()
    return await run.run()
