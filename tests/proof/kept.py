"""What is shown by programs of their own: cancellation, kills, and the memory of a long batch."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator

from tests.proof.child import python
from tests.proof.rows import Row, Scale

_MOST_MEGABYTES = 20


async def prove(scale: Scale) -> AsyncIterator[Row]:
    """Run each of them."""
    yield await _cancel(scale, stock=False)
    yield await _cancel(scale, stock=True)
    yield await _kill(scale)
    yield await _memory(scale)


async def _cancel(scale: Scale, *, stock: bool) -> Row:
    began, cancels = time.monotonic(), scale.of(100_000, 2_000)
    options = ["--cancels", str(cancels), "--seed", str(scale.seed), *(["--stock"] if stock else [])]
    ended = await python("tests/transport/churn.py", *options)
    told = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", ended.out)}
    left = f"{told['tasks_left']} tasks and {told['descriptors_left']} descriptors left, {told['swallowed']} swallowed"
    return Row(
        promise=f"Safe to cancel: {'httpx 0.28 as it comes' if stock else 'DeskTransport'}",
        size=f"{cancels:,} cancellations at random points wanted",
        wanted="–" if stock else "100 of 100 served afterwards, nothing left or swallowed",
        measured=f"{told['cancelled']:,} cancelled, then {told['served_afterwards']} of 100 served; {left}",
        holds=None if stock else not ended.code and told["cancelled"] >= cancels,
        seed=scale.seed,
        seconds=time.monotonic() - began,
    )


async def _kill(scale: Scale) -> Row:
    began, kills, items = time.monotonic(), scale.of(50, 3), scale.of(10_000, 500)
    options = ["--kills", str(kills), "--items", str(items), "--seed", str(scale.seed)]
    ended = await python("tests/journal/kill_test.py", *options)
    return Row(
        promise="Resumes after being killed",
        size=f"a batch of {items:,} with a journal, SIGKILL at {kills} random moments",
        wanted="every message seen once; the report agrees",
        measured=ended.out.strip().partition(": ")[2].replace("{", "").replace("}", "").replace("'", ""),
        holds=not ended.code,
        seed=scale.seed,
        seconds=time.monotonic() - began,
    )


async def _memory(scale: Scale) -> Row:
    began, count = time.monotonic(), scale.of(1_000_000, 100_000)
    told = (await python("-m", "tests.proof.long_batch", str(count))).told()
    return Row(
        promise="Constant memory",
        size=f"a batch of {count:,} lines of JSON",
        wanted=f"at most {_MOST_MEGABYTES} MB more than at 10,000",
        measured=f"{told['megabytes']:.1f} MB more; {told['sent']:,} sent",
        holds=told["megabytes"] <= _MOST_MEGABYTES and told["sent"] == count,
        seconds=time.monotonic() - began,
    )
