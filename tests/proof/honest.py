"""Honest about the unknown: the server drops no repetition, and whatever it shows twice was marked by the client."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from attrs import evolve

from deskim import Delivery, DeskError
from tests.chaos.codes import DOCUMENTED
from tests.proof.lost import Fate, as_batch, misreported
from tests.proof.rows import Row, Scale
from tests.proof.server import Books, Chaos, chaos, client

FAULTS: Final = {
    "reset_midway": 0.01,
    "reset_before": 0.01,
    "reset_after": 0.02,
    "half_reply": 0.02,
    "dribble": 0.002,
    "stall": 0.005,
    "close_quietly": 0.01,
    "bad_gateway": 0.04,
    "too_short": 0.01,
    "too_long": 0.01,
    "not_json": 0.01,
    "other_type": 0.01,
    "garbage": 0.01,
    "packed": 0.01,
    "throttle": 0.01,
    "code": 0.05,
}
#: Codes that concern one message; the others stop a batch, as they should.
CODES: Final = [60008, 60011, 60014, 80001, 90001, 91000, 93000, 141002, 141004, 141005]
_EACH_CODE: Final = 4


async def prove(scale: Scale) -> AsyncIterator[Row]:
    """Send a batch at a server without deduplication; then meet every documented code."""
    for row in await asyncio.gather(_batch(scale), _codes(scale)):
        yield row


async def _batch(scale: Scale) -> Row:
    began = time.monotonic()
    async with chaos(scale.seed, shares=FAULTS, dedup_window=0, codes=CODES) as server:
        fates = await as_batch(server, scale.of(100_000, 1_500))
        books = await server.report()
    size = f"{len(fates):,} messages; {sum(FAULTS.values()):.0%} faults of {len(FAULTS)} kinds, no deduplication"
    row = _row("Honest about the unknown", size, fates, books)
    return evolve(row, seed=scale.seed, seconds=time.monotonic() - began)


async def _codes(scale: Scale) -> Row:
    began = time.monotonic()
    texts = [f"code {code} {number}" for code in DOCUMENTED for number in range(_EACH_CODE)]
    async with chaos(scale.seed, shares={"code": 1.0}, dedup_window=0) as server:
        fates = await asyncio.gather(*[_meet(server, text) for text in texts])
        books = await server.report()
    row = _row(
        "Honest about every documented code", f"{len(DOCUMENTED)} codes, {_EACH_CODE} messages each", fates, books
    )
    return evolve(row, seed=scale.seed, seconds=time.monotonic() - began)


async def _meet(server: Chaos, text: str) -> Fate:
    """Send a message that is answered with the code in its text each time."""
    async with client(server) as desk:
        try:
            result = await desk.send_to_session("session", text)
        except DeskError as error:
            return Fate(text, error.delivery, error.resent)
        return Fate(text, Delivery.SENT, result.resent)


def _row(promise: str, size: str, fates: list[Fate], books: Books) -> Row:
    told = Counter(fate.delivery for fate in fates)
    doubled = [fate for fate in fates if books.copies(fate.key) > 1]
    unmarked = sum(not (fate.resent or fate.delivery is Delivery.UNKNOWN) for fate in doubled)
    wrong = unmarked + sum(misreported(fate, books) for fate in fates)
    counts = ", ".join(f"{told[delivery]:,} {delivery.value.replace('_', ' ')}" for delivery in Delivery)
    return Row(
        promise=promise,
        size=size,
        wanted="0 misclassified; all doubled ones marked re-sent or unknown",
        measured=f"{wrong} misclassified; {len(doubled):,} doubled, {unmarked} of them unmarked; {counts}",
        holds=not wrong and told.total() == len(fates),
    )
