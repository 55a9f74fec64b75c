"""A plugin for pytest: a call of deskim's that blocks the event loop fails its test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from blockbuster import blockbuster_ctx

import deskim.testing._serve  # noqa: F401 - importing uvicorn reads files, and the fake does so at its first use

_ON_PURPOSE: Final = {
    "deskim/cli/_input.py": {"read_stdin", "_read_file"},  # a command reads its arguments before it sends anything
    "deskim/cli/_secrets.py": {"read_secret"},  # the same
    "deskim/cli/_results.py": {"results", "write"},  # its loop is its own, and its results belong on disk at once
    "tests/journal/test_resume.py": {"_kill"},  # a kill stops everything, the loop too
}


@pytest.fixture(autouse=True)
def _never_block() -> Iterator[None]:
    with blockbuster_ctx(scanned_modules="deskim") as guard:
        for watched in guard.functions.values():
            for file, functions in _ON_PURPOSE.items():
                watched.can_block_in(file, functions)
        yield


def pytest_report_header() -> str:
    """Tell that the guard is there."""
    return "blockbuster watches deskim"
