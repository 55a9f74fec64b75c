from __future__ import annotations

from typing import Any

import pytest

from deskim import Message
from deskim.errors import ConfigurationError
from deskim.testing import FakeDesk

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"deadline": 0}, "deadline must be a number of seconds above 0, not 0"),
        ({"deadline": "5"}, "deadline must be a number of seconds above 0, not '5'"),
        ({"journal": 5}, "journal must be the path of a file, not 5"),
        ({"concurrency": 0}, "concurrency must be a whole number from 1, not 0"),
        ({"stop_after_failures": 0}, "stop_after_failures must be a whole number from 1, not 0"),
        ({"max_outage": -1}, "max_outage must be a number of seconds from 0, not -1"),
        ({"on_unknown": "ask"}, "on_unknown must be "),
        ({"on_outcome": []}, "on_outcome must be a function that takes an Outcome, not []"),
    ],
)
async def test_settings_that_cannot_work_are_refused_before_an_item_is_taken(
    settings: dict[str, Any], words: str
) -> None:
    """A mistake in the settings costs no message."""
    desk, messages = FakeDesk(), iter([Message.to_session("session", "text")])
    async with desk.client() as client:
        with pytest.raises(ConfigurationError) as caught:
            await client.send_batch(messages, **settings)
    assert str(caught.value).startswith(words)
    assert (1, 0) == (len(list(messages)), len(desk.requests))


async def test_a_batch_that_is_read_refuses_them_when_it_is_made() -> None:
    """It is too late to say so inside the block."""
    async with FakeDesk().client() as client:
        with pytest.raises(ConfigurationError, match="deadline must be"):
            client.batch([], deadline=-1.0)
