"""A reply without end, or one that unpacks to a gigabyte, costs bounded memory; bytes of any kind give a DeskError."""

from __future__ import annotations

import importlib.util
import re
import time
from collections.abc import AsyncIterator
from typing import Final

from tests.proof.child import python
from tests.proof.rows import Row, Scale
from tests.proof.server import chaos

_KINDS: Final = {
    "huge": "a reply of 1 GB",
    "endless": "chunks without end",
    "bomb": "1 GB packed into 1 MB of gzip",
}
_LANES: Final = {"own": "our transport", "borrowed": "a borrowed httpx client"}
_MOST_MEGABYTES: Final = 32


async def prove(scale: Scale) -> AsyncIterator[Row]:
    """Meet each kind on each lane, in a fresh process; then fuzz."""
    for kind, what in _KINDS.items():
        for lane, name in _LANES.items():
            yield await _swallow(scale, kind, lane, f"{what}, {name}")
    if importlib.util.find_spec("atheris") is not None:
        for target in ("replies", "elements"):
            yield await _fuzz(scale, target)


async def _swallow(scale: Scale, kind: str, lane: str, size: str) -> Row:
    began = time.monotonic()
    async with chaos(scale.seed) as server:
        told = (await python("-m", "tests.proof.swallow", server.url, lane, kind)).told()
    return Row(
        promise="Bounded memory whatever the reply",
        size=size,
        wanted=f"at most {_MOST_MEGABYTES} MB more, and a DeskError",
        measured=f"{told['megabytes']:.1f} MB more; {told['error']} after {told['attempts']} attempts",
        holds=told["megabytes"] <= _MOST_MEGABYTES and told["is_desk_error"],
        seconds=time.monotonic() - began,
    )


async def _fuzz(scale: Scale, target: str) -> Row:
    began, runs = time.monotonic(), scale.of(1_000_000, 20_000)
    ended = await python("-m", "tests.fuzz", target, f"-runs={runs}", f"-seed={scale.seed}")
    done = re.search(r"Done (\d+) runs", ended.err)
    count = int(done[1]) if done and not ended.code else 0
    return Row(
        promise="Garbage gives a DeskError and nothing else",
        size=f"fuzzed with atheris: {target}",
        wanted=f"{runs:,} runs",
        measured=f"{count:,} runs, {'nothing else found' if count else 'broken: ' + ended.err[-300:]}",
        holds=count >= runs,
        seed=scale.seed,
        seconds=time.monotonic() - began,
    )
