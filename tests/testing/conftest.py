from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deskim.testing import FakeDesk
from tests.support.poster import Clock, Poster, in_memory, on_a_socket


@pytest.fixture
def clock() -> Clock:
    """Give a clock that the test moves."""
    return Clock()


@pytest.fixture
def desk(clock: Clock) -> FakeDesk:
    """Give a fake Desk by that clock."""
    return FakeDesk(clock=clock)


@pytest.fixture(params=[in_memory, on_a_socket])
async def poster(request: pytest.FixtureRequest, desk: FakeDesk) -> AsyncIterator[Poster]:
    """Post to the fake in memory, and again on a socket."""
    async with request.param(desk) as made:
        yield made
