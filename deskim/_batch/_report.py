"""What became of a batch: counts that always add up, and the first failures in full."""

from __future__ import annotations

from attrs import define, field, frozen

from deskim._messages import Outcome
from deskim.errors import Delivery, DeskError

KEPT_FAILURES = 1_000


@frozen(kw_only=True)
class BatchReport:
    """Report what became of the items of a batch; ``total`` is the sum of the four deliveries.

    :ivar total: how many items were taken from the source; each has one outcome.
    :ivar sent: how many Desk accepted, those of earlier runs with the same journal among them.
    :ivar rejected: how many Desk refused.
    :ivar not_sent: how many never left: invalid items, and those left over when the batch stopped.
    :ivar unknown: how many left without an answer that proves what became of them.
    :ivar failures: the first 1,000 outcomes other than SENT.
    :ivar stopped_at: the index of the item at which the batch stopped early; ``None`` if it did not.
    :ivar stop_reason: why it stopped early; ``None`` if it did not.
    :ivar elapsed: how long it took, in seconds.
    :ivar resumed: how many of the items earlier runs had settled.
    """

    total: int
    sent: int
    rejected: int
    not_sent: int
    unknown: int
    failures: tuple[Outcome, ...] = ()
    stopped_at: int | None = None
    stop_reason: str | None = None
    elapsed: float = 0.0
    resumed: int = 0

    def __attrs_post_init__(self) -> None:
        """Check that every item is counted once."""
        if self.total != self.sent + self.rejected + self.not_sent + self.unknown:
            raise ValueError(f"{self.total} items, but {self.summary()}")

    def summary(self) -> str:
        """Return the counts in one line."""
        counts = f"{self.sent} sent, {self.rejected} rejected, {self.not_sent} not sent, {self.unknown} unknown"
        return f"{counts}; stopped at item {self.stopped_at}: {self.stop_reason}" if self.stop_reason else counts

    def raise_for_failures(self) -> None:
        """Return if every item was sent; otherwise raise an ``ExceptionGroup`` of the first 1,000 errors."""
        errors = [outcome.error for outcome in self.failures if outcome.error is not None]
        if self.stop_reason is not None and not errors:
            errors = [DeskError(f"the batch stopped at item {self.stopped_at}: {self.stop_reason}")]
        if errors:
            raise ExceptionGroup(f"not every item was sent: {self.summary()}", errors)


@define
class Tally:
    """Count outcomes while a batch runs."""

    sent: int = 0
    rejected: int = 0
    not_sent: int = 0
    unknown: int = 0
    resumed: int = 0
    fresh_failures: int = 0
    failures: list[Outcome] = field(factory=list[Outcome])

    def count(self, outcome: Outcome, *, resumed: bool = False) -> None:
        """Count one outcome; ``resumed`` says that an earlier run had settled it."""
        self.resumed += resumed
        if outcome.delivery is Delivery.SENT:
            self.sent += 1
            return
        setattr(self, outcome.delivery.value, getattr(self, outcome.delivery.value) + 1)
        self.fresh_failures += not resumed
        if len(self.failures) < KEPT_FAILURES:
            self.failures.append(outcome)

    def report(self, stop: Stop | None, elapsed: float) -> BatchReport:
        """Return the counts as they stand."""
        total = self.sent + self.rejected + self.not_sent + self.unknown
        return BatchReport(
            total=total,
            sent=self.sent,
            rejected=self.rejected,
            not_sent=self.not_sent,
            unknown=self.unknown,
            failures=tuple(self.failures),
            stopped_at=None if stop is None else total if stop.at is None else stop.at,
            stop_reason=None if stop is None else stop.reason,
            elapsed=elapsed,
            resumed=self.resumed,
        )


@frozen
class Stop:
    """Say why a batch stopped early, and at which item; ``None``: at the first that was not taken."""

    reason: str
    at: int | None = None
