"""The tests themselves: no warning, no task left behind, no call that blocks the event loop."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import AsyncIterator
from typing import Final

from tests.proof.child import python
from tests.proof.rows import Row, Scale

_QUICK: Final = ("tests/client/test_batches.py", "tests/client/test_lanes.py", "tests/journal/test_journal.py")
"""What touches sockets and files."""
_CONTROL: Final = """
import pytest
from deskim._journal._store import Store

pytestmark = pytest.mark.anyio

async def test_blocks(tmp_path):
    Store(str(tmp_path / "journal"), "control").open()
"""


async def prove(scale: Scale) -> AsyncIterator[Row]:
    """Run the tests in asyncio's debug mode, every warning an error, and watched for blocking calls."""
    began = time.monotonic()
    tests = _QUICK if scale.quick else ("tests",)
    ended = await python(*_PYTEST, *tests, environment=_ENVIRONMENT)
    passed, failed = _count("passed", ended.out), _count("failed", ended.out) + _count("error", ended.out)
    bites = await _control()
    yield Row(
        promise="No warning, nothing left open, no blocking call on the loop",
        size=f"{' '.join(tests)}: -W error, asyncio debug, blockbuster",
        wanted="0 failed; a control that blocks fails",
        measured=f"{passed:,} passed, {failed} failed; the control {'failed' if bites else 'passed'}",
        holds=not ended.code and passed > 0 and bites,
        seconds=time.monotonic() - began,
    )


_PYTEST: Final = ("-X", "dev", "-m", "pytest", "-q", "-W", "error", "-p", "tests.proof.blocking", "--no-header")
_ENVIRONMENT: Final = {"PYTHONASYNCIODEBUG": "1", "HYPOTHESIS_PROFILE": "ci"}


def _count(word: str, printed: str) -> int:
    found = re.findall(rf"(\d+) {word}", printed)
    return int(found[-1]) if found else 0


async def _control() -> bool:
    """Tell whether a test that opens a journal on the loop fails: a guard that never bites proves nothing."""
    with tempfile.NamedTemporaryFile("w", prefix="test_", suffix=".py", dir="tests/proof") as file:
        file.write(_CONTROL)
        file.flush()
        ended = await python(*_PYTEST, file.name, environment=_ENVIRONMENT)
    return "BlockingError" in ended.out
