"""Fixtures for pytest: a fake Desk and a client of it. Nothing is imported or done before a test asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from deskim._client import AsyncDeskClient
    from deskim.testing import FakeDesk


@pytest.fixture
def desk_server() -> FakeDesk:
    """Return a fake Desk of this test's own; see ``deskim.testing.FakeDesk``."""
    from deskim.testing import FakeDesk

    return FakeDesk()


@pytest.fixture
def desk_client(desk_server: FakeDesk) -> AsyncDeskClient:
    """Return a client of ``desk_server``, in memory and without pacing; it has nothing open that must be closed."""
    return desk_server.client()
