"""What a batch shows: a bar on a terminal, each bad line, the first failures, and one line at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from attrs import define, field
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from deskim._messages import Outcome
from deskim.cli._screen import complain, console
from deskim.cli._words import describe, language
from deskim.errors import ConfigurationError, Delivery, MessageError

SHOWN_FAILURES = 20
_EVERY = 0.1


@define
class Tally:
    """Count outcomes, and tell of those that are no success: of a bad line always, of others until there are many."""

    counts: dict[Delivery, int] = field(factory=lambda: dict.fromkeys(Delivery, 0))
    started: float = field(factory=time.monotonic)
    earlier: int = 0
    """How many an earlier run had sent."""
    _told: int = 0
    _reasons: dict[str, int] = field(factory=dict[str, int])

    @property
    def total(self) -> int:
        """Return how many outcomes there are."""
        return sum(self.counts.values())

    @property
    def failed(self) -> int:
        """Return how many of them are no success."""
        return self.total - self.counts[Delivery.SENT]

    def count(self, line: int, outcome: Outcome) -> None:
        """Count one outcome."""
        self.counts[outcome.delivery] += 1
        self.earlier += outcome.delivery is Delivery.SENT and outcome.result is None
        if outcome.message is None and isinstance(outcome.error, MessageError):
            complain(str(outcome.error))
        elif isinstance(outcome.error, ConfigurationError):
            return  # it ends the run, and is told then
        elif outcome.delivery is not Delivery.SENT:
            self._tell(line, outcome)

    def _tell(self, line: int, outcome: Outcome) -> None:
        self._told += 1
        if self._told <= SHOWN_FAILURES:
            complain(f"line {line}: {outcome.delivery.value.replace('_', ' ')}{self._reason(line, outcome)}", "yellow")
        elif self._told == SHOWN_FAILURES + 1:
            complain("further failures are not shown here: --output FILE has them all", "yellow")

    def _reason(self, line: int, outcome: Outcome) -> str:
        """Return the reason of a failure; one that was told before only as a line."""
        reason = describe(outcome.error, language()) if outcome.error else ""
        first = self._reasons.setdefault(reason, line)
        return f": as line {first}" if reason and first != line else reason and f": {reason}"

    def summary(self) -> str:
        """Return the counts, the time and the rate in one line."""
        elapsed = time.monotonic() - self.started
        rate = (self.total - self.earlier) / max(elapsed, 1e-9)
        kinds = (Delivery.SENT, Delivery.REJECTED, Delivery.NOT_SENT, Delivery.UNKNOWN)
        return f"{', '.join(map(self._named, kinds))} in {elapsed:.1f} s ({rate:.0f}/s)"

    def _named(self, kind: Delivery) -> str:
        text = f"{self.counts[kind]} {kind.value.replace('_', ' ')}"
        return f"{text} ({self.earlier} by an earlier run)" if kind is Delivery.SENT and self.earlier else text


@contextmanager
def bar(tally: Tally, total: Callable[[], int | None]) -> Generator[Callable[[], None], None, None]:
    """Show a bar while the block lasts, where somebody looks; give the function that moves it on."""
    screen = console(stderr=True)
    if not screen.is_terminal or screen.is_dumb_terminal:
        yield lambda: None
        return
    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} failed"),
    )
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task("", total=total(), rate=0, failed=0)
        seen = (time.monotonic(), 0)

        def move() -> None:
            nonlocal seen
            now = time.monotonic()
            if now - seen[0] >= _EVERY:
                rate = round((tally.total - seen[1]) / (now - seen[0]))
                progress.update(task, completed=tally.total, rate=rate, failed=tally.failed)
                seen = (now, tally.total)

        yield move
