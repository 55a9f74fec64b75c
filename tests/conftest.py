from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("dev", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


LOOP = os.environ.get("DESKIM_TEST_LOOP", "asyncio")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run asynchronous tests in debug mode, on the loop that DESKIM_TEST_LOOP names: asyncio's or uvloop's."""
    return "asyncio", {"debug": True, "use_uvloop": {"asyncio": False, "uvloop": True}[LOOP]}


def pytest_report_header() -> str:
    """Tell which loop it is."""
    return f"event loop: {LOOP}"


@pytest.fixture(autouse=True)
def leave_no_task_behind(request: pytest.FixtureRequest) -> None:
    """Guard every asynchronous test; a plain one has no loop to look at."""
    if "anyio_backend" in request.fixturenames:
        request.getfixturevalue("_task_guard")


@pytest.fixture
async def _task_guard(anyio_backend: object) -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = await _unfinished(before)
    assert [] == [repr(task) for task in left], "the test left tasks behind"


async def _unfinished(before: set[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
    for _ in range(10):  # what was told to end may need some turns of the loop to do so
        await asyncio.sleep(0)
    return [task for task in asyncio.all_tasks() - before if not _belongs_to_the_runner(task)]


def _belongs_to_the_runner(task: asyncio.Task[Any]) -> bool:
    return getattr(task.get_coro(), "__qualname__", "").startswith("TestRunner.")
