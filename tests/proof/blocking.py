"""A plugin for pytest: a call of deskim's that blocks the event loop fails its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx

import deskim.testing._serve  # noqa: F401 - importing uvicorn reads files, and the fake does so at its first use


@pytest.fixture(autouse=True)
def _never_block() -> Iterator[None]:
    with blockbuster_ctx(scanned_modules="deskim"):
        yield


def pytest_report_header() -> str:
    """Tell that the guard is there."""
    return "blockbuster watches deskim"
