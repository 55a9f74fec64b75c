"""A batch that takes all that pacing allows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from deskim import AsyncDeskClient, Message, RateLimit

DEFAULT: Final = RateLimit(190)
"""The pacing that a client has unless told otherwise."""
_WORKERS: Final = 64


async def saturate(desk: AsyncDeskClient, ends: float) -> None:
    """Send a batch as fast as pacing lets it, until then."""

    def messages() -> Iterator[Message]:
        number = 0
        while time.monotonic() < ends:
            yield Message.to_session("batch", f"batch {(number := number + 1)}")

    await desk.send_batch(messages(), concurrency=_WORKERS)
