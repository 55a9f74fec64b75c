"""What the client tells its watchers."""

from __future__ import annotations

import pytest
from attrs.exceptions import FrozenInstanceError

from deskim import hooks
from deskim.errors import Delivery
from deskim.hooks import Hooks, RequestEvent, ResultEvent, RetryEvent


def test_hooks_do_nothing_by_themselves() -> None:
    """A watcher overrides what it needs; the rest is silent."""
    watcher = Hooks()
    request = RequestEvent(path="send_msg", attempt=1, msg_random=7)
    retry = RetryEvent(path="send_msg", attempt=1, pause=0.5, error=hooks.DeskError("x"), msg_random=7)
    result = ResultEvent(path="send_msg", attempts=1, elapsed=0.1, delivery=Delivery.SENT, error=None, msg_random=7)
    told = [watcher.on_request(request), watcher.on_retry(retry), watcher.on_result(result)]  # type: ignore[func-returns-value]
    assert [None, None, None] == told


def test_events_cannot_be_changed() -> None:
    """Several watchers see the same event."""
    event = RequestEvent(path="send_msg", attempt=1, msg_random=None)
    with pytest.raises(FrozenInstanceError):
        event.attempt = 2  # type: ignore[misc]
