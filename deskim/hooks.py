"""What the client tells while it works: for metrics, traces and logs of your own."""

from __future__ import annotations

from attrs import frozen

from deskim.errors import Delivery, DeskError

__all__ = ["Hooks", "RequestEvent", "ResultEvent", "RetryEvent"]


@frozen(kw_only=True)
class RequestEvent:
    """Tell that an attempt is about to be made; ``path`` is that of the URL, ``attempt`` counts from 1."""

    path: str
    attempt: int
    msg_random: int | None


@frozen(kw_only=True)
class RetryEvent:
    """Tell that an attempt failed with ``error`` and the next one follows after ``pause`` seconds."""

    path: str
    attempt: int
    pause: float
    error: DeskError
    msg_random: int | None


@frozen(kw_only=True)
class ResultEvent:
    """Tell how a call ended; ``elapsed`` in seconds, waiting included, ``error`` where it did not end well.

    ``error`` is ``None`` also for a call that was cancelled; ``delivery`` says what is known then.
    """

    path: str
    attempts: int
    elapsed: float
    delivery: Delivery
    error: DeskError | None
    msg_random: int | None


class Hooks:
    """Watch a client: subclass, override what you need, and give it as ``hooks=[...]``.

    The methods are called on the event loop and must not block. What they raise is logged and otherwise ignored: a
    mistake in a hook never changes what becomes of a message.
    """

    def on_request(self, event: RequestEvent, /) -> None:
        """Note that an attempt is about to be made."""

    def on_retry(self, event: RetryEvent, /) -> None:
        """Note that an attempt failed and the next one follows."""

    def on_result(self, event: ResultEvent, /) -> None:
        """Note how a call ended."""
