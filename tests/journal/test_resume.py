"""Batches that are killed at any moment and taken up again, held against a model of what users may see."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from deskim._journal import Journal
from deskim._messages import Message, Outcome, SendResult
from deskim.errors import Delivery, from_code
from tests.batch.stand_ins import FakeSender, FakeTime, lost, messages, no_connection, send, text_of, throttled

WINDOW, SERVER_WINDOW = 100.0, 120.0
ANSWERS = ["sent", "sent", "sent", "lost", "lost before", "rejected", "refused connection", "throttled", "fatal"]


class Desk:
    """The model of the server: what arrived, and what users saw of it."""

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self._accepted: dict[tuple[str, int], float] = {}
        self.seen: Counter[str] = Counter()
        self.rejected: set[str] = set()

    def accept(self, message: Message) -> None:
        identity, now = (text_of(message), message.msg_random), self._time.wall()
        last = self._accepted.get(identity)
        if last is None or now - last >= SERVER_WINDOW:
            self._accepted[identity] = now
            self.seen[text_of(message)] += 1

    def answer(self, message: Message, kind: str) -> Any:
        if kind in {"sent", "lost"}:
            self.accept(message)
        if kind == "rejected":
            self.rejected.add(text_of(message))
        errors = {
            "lost": lost,
            "lost before": lost,
            "rejected": lambda: from_code(141005),
            "refused connection": no_connection,
            "throttled": throttled,
            "fatal": lambda: from_code(60020),
        }
        return errors[kind]() if kind in errors else None


class WatchfulSender(FakeSender):
    """Check of each send that it is allowed."""

    def __init__(self, answer: Any, time: FakeTime) -> None:
        super().__init__(answer)
        self._time = time

    async def send(self, message: Message, *, first_sent: float | None = None) -> SendResult:
        assert first_sent is None or 0 <= self._time.wall() - first_sent < WINDOW
        return await super().send(message, first_sent=first_sent)


class Resumed(RuleBasedStateMachine):
    """Run one batch again and again, with failures and kills, until a last run goes through."""

    @initialize(count=st.integers(1, 12), keyed=st.booleans())
    def begin(self, count: int, keyed: bool) -> None:  # noqa: FBT001
        self.folder = Path(tempfile.mkdtemp())
        self.runs = 0
        self.count, self.keyed = count, keyed
        self.time = FakeTime()
        self.desk = Desk(self.time)
        self.told: dict[str, Delivery] = {}

    @property
    def journal(self) -> Path:
        return self.folder / f"{self.runs}"

    @rule(seconds=st.sampled_from([1.0, 50.0, 99.0, 101.0, 130.0, 1_000.0]))
    def wait(self, seconds: float) -> None:
        self.time.now += seconds

    @rule(
        answers=st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=20),
        kill_at=st.none() | st.integers(1, 20),
        concurrency=st.integers(1, 4),
        stop_after=st.none() | st.integers(1, 3),
    )
    def run_batch(self, answers: list[str], kill_at: int | None, concurrency: int, stop_after: int | None) -> None:
        calls = 0

        def answer(message: Message, _: int) -> Any:
            nonlocal calls
            calls += 1
            said = self.desk.answer(message, answers[calls % len(answers)])
            return self._kill() if calls == kill_at else said

        asyncio.run(self._run(answer, concurrency=concurrency, stop_after_failures=stop_after, max_outage=40.0))

    def _kill(self) -> Any:
        """Keep the file as it is at this moment, for the next run, and end this one."""
        self.runs += 1
        for end in ("", "-wal"):
            shutil.copy(f"{self.folder / str(self.runs - 1)}{end}", f"{self.journal}{end}")
        return self._never()

    async def _never(self) -> None:
        self.killed.set()
        await asyncio.Event().wait()

    async def _run(self, answer: Any, **settings: Any) -> None:
        self.killed = asyncio.Event()
        self.outcomes: list[Outcome] = []
        sender = WatchfulSender(answer, self.time)
        record = Journal(self.journal, scope="s", encode=sender.encode, dedup_window=WINDOW, now=self.time.wall)
        items = messages(self.count, keyed=self.keyed)
        batch = send(sender, items, self.time, record, self.outcomes.append, grace=0.0, dedup_window=WINDOW, **settings)
        task, kill = asyncio.create_task(batch), asyncio.create_task(self.killed.wait())
        await asyncio.wait([task, kill], return_when=asyncio.FIRST_COMPLETED)
        if kill.done():
            self.outcomes = []
            task.cancel()
            await asyncio.wait([task])
        else:
            kill.cancel()
            self._check(task.result())

    def _check(self, report: Any) -> None:
        assert sorted(o.index for o in self.outcomes) == list(range(report.total))
        for outcome in self.outcomes:
            self._check_one(str(outcome.index), outcome)

    def _check_one(self, text: str, outcome: Outcome) -> None:
        if outcome.delivery is Delivery.SENT:
            assert self.desk.seen[text] == 1
        elif outcome.delivery in {Delivery.NOT_SENT, Delivery.REJECTED}:
            assert self.desk.seen[text] == 0
        assert self.told.get(text) is not Delivery.SENT or outcome.delivery is Delivery.SENT
        self.told[text] = outcome.delivery

    @invariant()
    def nobody_sees_a_message_twice(self) -> None:
        assert max(self.desk.seen.values(), default=0) <= 1 if hasattr(self, "desk") else True

    def teardown(self) -> None:
        if not hasattr(self, "desk"):
            return
        asyncio.run(self._run(lambda message, _: self.desk.answer(message, "sent")))
        assert len(self.outcomes) == self.count
        assert {o.delivery for o in self.outcomes} <= {Delivery.SENT, Delivery.REJECTED, Delivery.UNKNOWN}
        self.nobody_sees_a_message_twice()
        shutil.rmtree(self.folder)


class TestResumed(Resumed.TestCase):
    """Whatever fails and whenever it is killed: each item is seen at most once, and its outcome is true."""

    settings = settings(max_examples=40, stateful_step_count=8, deadline=None)
