"""What a batch and its journal need of a client: its way to send, its clocks, and who it is."""

from __future__ import annotations

import os
from collections.abc import Awaitable
from typing import Any, Protocol

from attrs import Attribute, field, frozen

from deskim._batch import Batch, BatchReport, BatchSettings, Messages, OnOutcome, Record, Times, run_batch
from deskim._calls import World
from deskim._checks import checked_seconds, shown
from deskim._journal import Journal, OnUnknown
from deskim._messages import Message, SendResult
from deskim._protocol import Identity, encode_message
from deskim._retry import RetryPolicy
from deskim.errors import ConfigurationError


class Deliver(Protocol):
    """Send one message of a batch; ``deadline`` in seconds from its slot, ``first_sent`` as an earlier run has it."""

    def __call__(self, message: Message, deadline: float | None, first_sent: float | None) -> Awaitable[SendResult]:
        """Return what Desk accepted; raises ``DeskError``."""
        ...


@frozen
class Sender:
    """Send the items of one batch."""

    deliver: Deliver
    deadline: float | None

    async def send(self, message: Message, *, first_sent: float | None = None) -> SendResult:
        """Return what Desk accepted; raises ``DeskError``."""
        return await self.deliver(message, self.deadline, first_sent)


def _path(_: object, __: object, value: Any) -> None:
    if value is not None and not isinstance(value, str | os.PathLike):
        raise ConfigurationError(f"journal must be the path of a file, not {shown(value)}")


def _seconds(_: object, attribute: Attribute[Any], value: Any) -> None:
    if value is not None:
        checked_seconds(attribute.name, value)


@frozen(kw_only=True)
class Options:
    """Hold how one batch is to run, as the caller of ``send_batch`` or ``batch`` said."""

    concurrency: int
    journal: str | os.PathLike[str] | None = field(validator=_path)
    on_unknown: OnUnknown
    stop_after_failures: int | None
    max_outage: float
    deadline: float | None = field(validator=_seconds)


@frozen
class Batching:
    """Make the batches of one client."""

    identity: Identity
    account: str | None
    retry: RetryPolicy | None
    world: World
    deliver: Deliver

    async def run(self, messages: Messages, options: Options, on_outcome: OnOutcome | None) -> BatchReport:
        """Send all messages and report on them."""
        if on_outcome is not None and not callable(on_outcome):
            raise ConfigurationError(f"on_outcome must be a function that takes an Outcome, not {shown(on_outcome)}")
        return await run_batch(
            self._sender(options),
            messages,
            settings=self._settings(options),
            times=self._times(),
            record=self._record(options),
            on_outcome=on_outcome,
        )

    def stream(self, messages: Messages, options: Options) -> Batch:
        """Return the batch whose outcomes are read while it runs."""
        return Batch(
            self._sender(options),
            messages,
            settings=self._settings(options),
            times=self._times(),
            record=self._record(options),
        )

    def _sender(self, options: Options) -> Sender:
        return Sender(self.deliver, options.deadline)

    def _times(self) -> Times:
        return Times(self.world.clock, self.world.wall, self.world.sleep)

    def _settings(self, options: Options) -> BatchSettings:
        return BatchSettings(
            concurrency=options.concurrency,
            stop_after_failures=options.stop_after_failures,
            stop_on_unknown=_checked(options.on_unknown) == "stop",
            max_outage=options.max_outage,
            dedup_window=self._window(),
        )

    def _window(self) -> float:
        return self.retry.dedup_window if self.retry is not None and self.retry.retry_unknown else 0.0

    def _record(self, options: Options) -> Record | None:
        if options.journal is None:
            return None
        return Journal(
            options.journal,
            scope=f"{self.identity.sdk_app_id} {self.identity.identifier} {self.account or ''}",
            encode=self._encode,
            dedup_window=self._window(),
            on_unknown=options.on_unknown,
            now=self.world.wall,
        )

    def _encode(self, message: Message) -> bytes:
        return encode_message(message, self.account)


def _checked(on_unknown: OnUnknown) -> OnUnknown:
    if on_unknown not in ("report", "resend", "stop"):
        raise ConfigurationError(f'on_unknown must be "report", "resend" or "stop", not {on_unknown!r}')
    return on_unknown
