from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deskim._journal import Journal
from deskim._journal._store import Store
from deskim._messages import Message, Outcome
from deskim.errors import ConfigurationError, Delivery, DeskError, ReplyError, from_code
from tests.batch.stand_ins import (
    FakeSender,
    FakeTime,
    by_number,
    counts,
    lost,
    messages,
    no_connection,
    send,
    text_of,
    throttled,
)

pytestmark = pytest.mark.anyio


class Bench:
    """One journal, and what its runs need."""

    def __init__(self, path: Path) -> None:
        self.path, self.time = path, FakeTime()
        self.outcomes: list[Outcome] = []

    def journal(self, sender: FakeSender, **settings: Any) -> Journal:
        scope = settings.pop("scope", sender.scope)
        return Journal(self.path, scope=scope, encode=sender.encode, now=self.time.wall, **settings)

    async def run(self, sender: FakeSender, items: Any, journal: dict[str, Any] | None = None, **settings: Any) -> Any:
        self.outcomes = []
        record = self.journal(sender, **(journal or {}))
        return await send(sender, items, self.time, record, self.outcomes.append, **settings)

    def rows(self) -> dict[Any, str]:
        with sqlite3.connect(self.path) as db:
            found = dict(db.execute("SELECT id, state FROM items").fetchall())
        db.close()
        return found

    async def now_on_disk(self) -> dict[Any, str]:
        """Return what a kill at this moment would leave, while another has the file open."""
        return await asyncio.to_thread(self._copied_rows)

    def _copied_rows(self) -> dict[Any, str]:
        copied = Bench(self.path.with_name("copy"))
        for end in ("", "-wal"):
            Path(f"{copied.path}{end}").write_bytes(Path(f"{self.path}{end}").read_bytes())
        return copied.rows()

    def change(self, statement: str, *values: Any) -> None:
        with sqlite3.connect(self.path) as db:
            db.execute(statement, values)
        db.close()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Make a bench with a journal of its own."""
    return Bench(tmp_path / "batch.journal")


async def interrupted(bench: Bench, sender: FakeSender, items: Any, **settings: Any) -> None:
    """Run a batch and leave the journal as a kill would: what was in flight stays so."""
    await bench.run(sender, items, dedup_window=0.0, **settings)
    bench.change("UPDATE items SET state = 'sending' WHERE state = 'unknown'")


@pytest.mark.parametrize("keyed", [False, True])
async def test_what_was_sent_is_not_sent_again(bench: Bench, keyed: bool) -> None:  # noqa: FBT001
    """A second run over the same input sends the rest only, and counts all as sent."""
    await bench.run(FakeSender(by_number({6: lambda: from_code(60020)})), messages(10, keyed=keyed), concurrency=1)
    sender = FakeSender()

    report = await bench.run(sender, messages(10, keyed=keyed), concurrency=1)

    assert ["6", "7", "8", "9"] == sender.texts
    assert ({"sent": 10}, 6) == (counts(report), report.resumed)
    assert [(i, Delivery.SENT, i < 6) for i in range(10)] == [
        (o.index, o.delivery, o.result is None) for o in bench.outcomes
    ]


async def test_keys_allow_another_order(bench: Bench) -> None:
    """Items that have keys may be moved, left out and added."""
    items = messages(6, keyed=True)
    await bench.run(FakeSender(), items[:4])
    sender = FakeSender()

    report = await bench.run(sender, [items[5], items[2], items[4], items[0]])

    assert (["4", "5"], {"sent": 4}, 2) == (sorted(sender.texts), counts(report), report.resumed)


async def test_a_refusal_is_told_again_and_not_sent_again(bench: Bench) -> None:
    """What Desk refuses for the message's own sake it would refuse again; it does not count towards a stop."""
    await bench.run(FakeSender(by_number({1: lambda: from_code(141005, "gone"), 2: bad_request})), messages(3))
    sender = FakeSender()

    report = await bench.run(sender, messages(3), stop_after_failures=1)

    assert ([], {"sent": 1, "rejected": 2}, None) == (sender.texts, counts(report), report.stop_reason)
    first, second = sorted(report.failures, key=lambda o: o.index)
    assert (141005, "gone", Delivery.REJECTED) == (first.error.code, first.error.info, first.error.delivery)  # type: ignore[union-attr]
    assert ("HTTP 413 Content Too Large", 1) == (Exception.__str__(second.error), second.attempts)  # type: ignore[arg-type]


def bad_request() -> ReplyError:
    """Return the error of a gateway that refused the request."""
    return ReplyError("HTTP 413 Content Too Large", delivery=Delivery.REJECTED)


@pytest.mark.parametrize(
    "error",
    [lambda: from_code(60020), lambda: from_code(70009), throttled, no_connection],
    ids=["expired plan", "wrong key", "limit", "line down"],
)
async def test_what_another_day_may_mend_is_sent_then(bench: Bench, error: Any) -> None:
    """An expired plan, a wrong key, a limit, a line that is down: the item is sent by the next run."""
    await bench.run(FakeSender(by_number({0: error})), messages(1), max_outage=0)
    assert {0: "not_sent"} == bench.rows()

    assert {"sent": 1} == counts(await bench.run(FakeSender(), messages(1)))


@pytest.mark.parametrize("state", ["sending", "unknown"])
async def test_inside_the_window_it_is_sent_again_as_it_was(bench: Bench, state: str) -> None:
    """The stored MsgRandom gives the same bytes; the first attempt's time goes along."""
    first = FakeSender(lambda *_: lost())
    await bench.run(first, messages(1), dedup_window=0.0)
    bench.change("UPDATE items SET state = ?", state)
    began = bench.time.wall()
    bench.time.now += 60.0
    second = FakeSender()

    report = await bench.run(second, messages(1))

    assert [(first.encode(first.calls[0][0]), began)] == [(second.encode(m), at) for m, at in second.calls]
    assert ([True], {"sent": 1}, 0) == ([o.resent for o in bench.outcomes], counts(report), report.resumed)
    assert first.calls[0][0].msg_random == bench.outcomes[0].message.msg_random  # type: ignore[union-attr]


@pytest.mark.parametrize("seconds", [100.0, -5.0])
async def test_outside_of_the_window_it_is_unknown(bench: Bench, seconds: float) -> None:
    """So it is when the wall clock was turned back: its age is not known then."""
    await interrupted(bench, FakeSender(by_number({1: lost})), messages(3))
    bench.time.now += seconds
    sender = FakeSender()

    report = await bench.run(sender, messages(3))

    assert ([], {"sent": 2, "unknown": 1}) == (sender.texts, counts(report))
    assert "an earlier run ended before Desk answered" in str(report.failures[0].error)
    assert "unknown" == bench.rows()[1]


async def test_attempts_are_counted_once_however_often_a_batch_is_resumed(bench: Bench) -> None:
    """A run that only tells of an unknown outcome made no attempt of its own."""
    await bench.run(FakeSender(lambda *_: lost()), messages(1))
    first = bench.outcomes[0].attempts
    bench.time.now += 1_000.0

    later: list[int] = []
    for _ in range(3):
        await bench.run(FakeSender(), messages(1))
        later += [outcome.attempts for outcome in bench.outcomes]

    assert [first] * 3 == later
    assert first > 0


async def test_when_an_outage_outlasts_the_window_it_is_unknown(bench: Bench) -> None:
    """An item that waits behind a probe is not sent when its turn comes too late."""
    await interrupted(bench, FakeSender(lambda *_: lost()), messages(1), concurrency=1)
    bench.time.now += 95.0
    sender = FakeSender(lambda _, tried: no_connection() if len(sender.calls) < 12 else None)

    report = await bench.run(sender, messages(3), concurrency=3)

    assert {"sent": 2, "unknown": 1} == counts(report)
    assert sender.texts.count("0") < 3


async def test_on_request_it_is_sent_all_the_same(bench: Bench) -> None:
    """``on_unknown="resend"`` takes the risk of a second copy, and says which items took it."""
    await interrupted(bench, FakeSender(by_number({1: lost})), messages(3))
    bench.time.now += 1_000.0
    sender = FakeSender()

    report = await bench.run(sender, messages(3), {"on_unknown": "resend"})

    assert (["1"], {"sent": 3}) == (sender.texts, counts(report))
    assert [1] == [o.index for o in bench.outcomes if o.resent]


async def test_on_request_it_stops_the_batch(bench: Bench) -> None:
    """``on_unknown="stop"`` leaves the rest for later."""
    await interrupted(bench, FakeSender(by_number({1: lost})), messages(3))
    bench.time.now += 1_000.0

    report = await bench.run(FakeSender(), messages(9), {"on_unknown": "stop"}, stop_on_unknown=True, concurrency=1)

    assert ({"sent": 1, "unknown": 1}, 1) == (counts(report), report.stopped_at)


def test_another_policy_is_refused(bench: Bench) -> None:
    """The error names the three."""
    with pytest.raises(ConfigurationError, match='"report", "resend" or "stop"'):
        bench.journal(FakeSender(), on_unknown="ignore")


async def test_an_item_is_on_disk_before_it_is_sent(bench: Bench) -> None:
    """Whoever kills the process during the send finds it as being sent."""
    states = list[str]()

    async def look(message: Message, _: int) -> None:
        states.append((await bench.now_on_disk())[int(text_of(message))])

    await bench.run(FakeSender(look), messages(5), concurrency=1)

    assert ["sending"] * 5 == states


async def test_a_held_item_is_on_disk_as_not_sent_until_it_is_tried(bench: Bench) -> None:
    """A kill during an outage leaves nothing in doubt that was not."""
    states = list[str]()
    real, at_rest = bench.time.sleep, bench.time.times

    async def sleep(seconds: float) -> None:
        if seconds:
            await asyncio.sleep(0.2)  # more than a result may linger
            states.extend((await bench.now_on_disk()).values())
        await real(seconds)

    bench.time.sleep = sleep  # type: ignore[method-assign]
    assert at_rest.clock() == bench.time.now
    await bench.run(FakeSender(lambda _, tried: no_connection() if tried < 3 else None), messages(1), concurrency=1)

    assert ["not_sent", "not_sent"] == states
    assert {0: "sent"} == bench.rows()


async def test_a_key_that_stands_twice_is_refused_at_its_second_place(bench: Bench) -> None:
    """The first item is sent; a resumed run says the same."""
    items = [Message.to_user("u", "a", key="k"), Message.to_user("u", "b", key="k")]
    for resumed in (0, 1):
        report = await bench.run(FakeSender(), items, concurrency=1)

        assert ({"sent": 1, "not_sent": 1}, resumed) == (counts(report), report.resumed)
        assert "the key 'k' stands in the input more than once" in str(report.failures[0].error)


async def test_a_message_that_cannot_be_encoded_is_no_row(bench: Bench) -> None:
    """It is refused before it is put on disk; so is a key that is no text."""
    items = [*messages(1), Message.to_user("u", "b", key="\ud800"), None]

    report = await bench.run(FakeSender(), items)

    assert ({"sent": 1, "not_sent": 2}, {0: "sent"}) == (counts(report), bench.rows())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (messages(3), messages(3, start=1)),
        (messages(3, keyed=True), messages(3)),
        (messages(3), messages(3, keyed=True)),
        (messages(3), [Message.to_user("someone else", "0")]),
        ([Message.to_user("u", "Sale!", key="u")], [Message.to_user("u", "Another sale!", key="u")]),
    ],
)
async def test_the_journal_of_another_input_is_refused(bench: Bench, first: Any, second: Any) -> None:
    """Nothing is sent then: to take one campaign's journal for another's would lose messages silently."""
    await bench.run(FakeSender(), first)
    sender = FakeSender()

    with pytest.raises(ConfigurationError, match="belongs to another input"):
        await bench.run(sender, second)

    assert [] == sender.calls


async def test_the_journal_of_another_application_is_refused(bench: Bench) -> None:
    """Its items were sent by somebody else."""
    await bench.run(FakeSender(), messages(1))

    with pytest.raises(ConfigurationError, match="belongs to application 1, administrator, and this client is other"):
        await bench.run(FakeSender(), messages(1), {"scope": "other"})


async def test_a_second_opener_is_refused(bench: Bench) -> None:
    """While a batch has the journal open, another one in the same process is told so."""
    first = bench.journal(FakeSender())
    await first.open()

    with pytest.raises(ConfigurationError, match="another process has it open"):
        await bench.run(FakeSender(), messages(1))
    await first.close()

    assert {"sent": 1} == counts(await bench.run(FakeSender(), messages(1)))


async def test_a_second_process_is_refused(bench: Bench) -> None:
    """So is another process; the first one is not disturbed."""
    program = f"""
import asyncio
from pathlib import Path
from tests.batch.stand_ins import FakeSender, messages
from tests.journal.test_journal import Bench
asyncio.run(Bench(Path({str(bench.path)!r})).run(FakeSender(), messages(1)))
"""

    async def try_it() -> None:
        command = [sys.executable, "-c", program]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        errors.append(done.stderr.strip().splitlines()[-1])

    errors = list[str]()
    report = await bench.run(FakeSender(lambda *_: try_it()), messages(1))

    assert {"sent": 1} == counts(report)
    assert ["another process has it open" in error for error in errors] == [True]


def unusable(kind: str, path: Path) -> Path:
    """Return a path where no journal can be."""
    if kind == "no directory":
        return path / "missing" / "journal"
    if kind == "directory":
        return path
    if kind == "read-only directory":
        return Path("/proc/deskim.journal")
    file = path / "journal"
    file.write_bytes(b"SQLite format 3\0" + bytes(4096) if kind == "damaged" else b"Dear diary, " * 100)
    return file


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("no directory", "no such directory"),
        ("directory", "cannot be opened"),
        ("read-only directory", "cannot be opened|read-only"),
        ("damaged", "not a journal|damaged"),
        ("text", "not a journal"),
    ],
)
async def test_what_cannot_be_a_journal_is_refused(tmp_path: Path, kind: str, reason: str) -> None:
    """The error says why, and nothing is sent."""
    sender = FakeSender()
    with pytest.raises(ConfigurationError, match=reason):
        await Bench(unusable(kind, tmp_path)).run(sender, messages(3))

    assert [] == sender.calls


async def test_an_empty_path_is_refused() -> None:
    """SQLite would take it for a database in memory."""
    with pytest.raises(ConfigurationError, match="no such directory"):
        await Journal("", scope="", encode=FakeSender().encode).open()


async def test_another_programs_database_is_refused(bench: Bench) -> None:
    """And left as it is."""
    bench.change("CREATE TABLE birds (name)")

    with pytest.raises(ConfigurationError, match="another program's database"):
        await bench.run(FakeSender(), messages(1))

    db = sqlite3.connect(bench.path)
    assert [("birds",)] == db.execute("SELECT name FROM sqlite_schema").fetchall()
    db.close()


async def test_a_journal_of_a_later_version_is_refused(bench: Bench) -> None:
    """What its columns mean is not known here."""
    await bench.run(FakeSender(), messages(1))
    bench.change("PRAGMA user_version = 99")

    with pytest.raises(ConfigurationError, match="is of version 99"):
        await bench.run(FakeSender(), messages(1))


async def test_a_damaged_journal_is_refused(bench: Bench) -> None:
    """Pages that do not fit together are found before anything is sent."""
    await bench.run(FakeSender(), messages(2_000))
    content = bytearray(bench.path.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 64] = bytes(64)
    bench.path.write_bytes(content)
    sender = FakeSender()

    with pytest.raises(ConfigurationError, match="damaged"):
        await bench.run(sender, messages(2_000))

    assert [] == sender.calls


async def test_a_full_disk_stops_the_batch(bench: Bench) -> None:
    """No message is sent that is not on disk; the error says what to do, and the rest is sent once there is room."""
    sender = FakeSender()
    record = bench.journal(sender)
    await record.open()
    await record._disk.run(lambda: record._store._opened().execute("PRAGMA max_page_count = 10").fetchone())

    async def already_open() -> None:
        pass

    record.open = already_open  # type: ignore[method-assign]
    outcomes = list[Outcome]()
    with pytest.raises(DeskError, match="the disk is full; make room and run the batch again"):
        await send(sender, messages(1_500), bench.time, record, outcomes.append)

    on_disk = bench.rows()
    assert set(map(int, sender.texts)) <= on_disk.keys()
    assert len(outcomes) == len({o.index for o in outcomes}) < 1_500
    assert {"sent": 1_500} == counts(await bench.run(FakeSender(), messages(1_500)))


async def test_results_that_cannot_be_written_are_an_error(bench: Bench) -> None:
    """The batch ended well, and yet the journal is not complete: that is said."""
    sender = FakeSender()
    record = bench.journal(sender)
    record._store.write = _fails  # type: ignore[method-assign]

    with pytest.raises(DeskError, match="cannot be written"):
        await send(sender, messages(1), bench.time, record)

    assert {0: "sending"} == bench.rows()


def _fails(*_: object) -> None:
    raise sqlite3.OperationalError("disk I/O error")


async def test_a_journal_that_breaks_in_an_outage_stops_the_batch(bench: Bench) -> None:
    """A held item is not tried again when it cannot be put on disk as being sent."""
    sender = FakeSender(lambda *_: no_connection())
    record = bench.journal(sender)
    record._store.reopen = _fails  # type: ignore[method-assign]

    with pytest.raises(DeskError, match="disk I/O error"):
        await send(sender, messages(3), bench.time, record, concurrency=1)

    assert 1 == len(sender.calls)


async def test_a_cancellation_while_a_held_item_is_put_on_disk_leaves_it_unsent(bench: Bench) -> None:
    """It is known not to have been taken, and stays so."""
    sender, reopening = FakeSender(lambda *_: no_connection()), asyncio.Event()
    record, outcomes = bench.journal(sender), list[Outcome]()

    async def hang(*_: object) -> None:
        reopening.set()
        await asyncio.Event().wait()

    record.reopen = hang  # type: ignore[method-assign]
    items = messages(3)
    batch = asyncio.create_task(send(sender, items, bench.time, record, outcomes.append, concurrency=1, grace=0.0))
    await reopening.wait()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch

    assert [Delivery.NOT_SENT] == [o.delivery for o in outcomes]
    assert {0: "not_sent"} == bench.rows()


async def test_a_cancellation_while_an_item_is_claimed_leaves_its_row_alone(bench: Bench) -> None:
    """What an earlier run wrote of it is not known here, so nothing is written over it."""
    await bench.run(FakeSender(), messages(1))
    record, claiming, outcomes = bench.journal(FakeSender()), asyncio.Event(), list[Outcome]()

    async def hang(*_: object) -> Any:
        claiming.set()
        await asyncio.Event().wait()

    record.claim = hang  # type: ignore[method-assign]
    batch = asyncio.create_task(send(FakeSender(), messages(1), bench.time, record, outcomes.append, grace=0.0))
    await claiming.wait()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch

    assert ([Delivery.NOT_SENT], {0: "sent"}) == ([o.delivery for o in outcomes], bench.rows())


async def test_nothing_is_written_after_a_failure(bench: Bench) -> None:
    """The order of the steps would be lost."""
    steps, record = list[str](), bench.journal(FakeSender())
    await record.open()

    with pytest.raises(DeskError, match="cannot be written"):
        await record._disk.do(_fails)
    with pytest.raises(DeskError, match="cannot be written"):
        await record._disk.do(lambda: steps.append("later"))
    with pytest.raises(DeskError, match="cannot be written"):
        await record.close()

    assert [] == steps


def test_a_closed_store_says_so() -> None:
    """Nobody writes into the void."""
    with pytest.raises(DeskError, match="is closed"):
        Store("journal", "scope").apply([])


async def test_any_error_can_be_put_down(bench: Bench) -> None:
    """Codes beyond SQLite's integers and texts that are no Unicode do not break the journal."""
    await bench.run(FakeSender(lambda *_: from_code(10**30, "\ud800")), messages(2))

    report = await bench.run(FakeSender(), messages(2))

    assert {"rejected": 2} == counts(report)
    assert f"code {10**30}" in str(report.failures[0].error)


async def test_a_cancelled_batch_can_be_resumed(bench: Bench) -> None:
    """What finished within the grace is sent, what was cut off is unknown, and the rest is untouched."""
    in_flight = asyncio.Event()

    async def hang() -> None:
        in_flight.set()
        await asyncio.Event().wait()

    stuck = FakeSender(lambda m, _: hang() if text_of(m) == "2" else None)
    batch = asyncio.create_task(bench.run(stuck, messages(5), concurrency=1, grace=0.0))
    await in_flight.wait()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch

    assert {0: "sent", 1: "sent", 2: "unknown"} == bench.rows()
    report = await bench.run(FakeSender(), messages(5))
    assert ({"sent": 5}, 2) == (counts(report), report.resumed)


async def test_the_file_tells_nothing_but_keys_and_digests(bench: Bench) -> None:
    """Neither the text nor the recipient stands in it."""
    item = Message.to_user("recipient-7", "the content", key="order-1")
    await bench.run(FakeSender(), [item])

    content = bench.path.read_bytes()
    assert (True, False, False) == (b"order-1" in content, b"recipient-7" in content, b"the content" in content)


async def test_a_path_may_be_text_or_a_path(tmp_path: Path) -> None:
    """Both kinds name the same file."""
    for path in (tmp_path / "j", os.fspath(tmp_path / "j")):
        record = Journal(path, scope="s", encode=FakeSender().encode)
        await record.open()
        await record.close()

    assert ["j"] == [file.name for file in tmp_path.glob("*")]  # noqa: ASYNC240 - in a folder of its own


async def test_items_of_one_moment_share_a_transaction(bench: Bench) -> None:
    """Many workers need few commits."""
    sender, groups = FakeSender(), list[int]()
    record = bench.journal(sender)
    apply = record._disk._apply
    record._disk._apply = lambda steps: (groups.append(len(steps)), apply(steps))[1]

    await send(sender, messages(320), bench.time, record, concurrency=32)

    assert 640 <= sum(groups)
    assert len(groups) <= 640 / 8
