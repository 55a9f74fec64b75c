from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskim._batch import BatchSettings
from deskim._messages import Message, Outcome, SendResult
from deskim.errors import ConfigurationError, Delivery, DeskError, MessageError, MessageTooLargeError, from_code
from tests.batch.stand_ins import FakeSender, by_number, counts, lost, messages, no_connection, send, text_of, throttled

pytestmark = pytest.mark.anyio


async def asynchronously(items: Any) -> AsyncIterator[Any]:
    """Yield items, each after a turn of the loop."""
    for item in items:
        await asyncio.sleep(0)
        yield item


@pytest.mark.parametrize("source", [list, iter, asynchronously])
async def test_every_item_is_sent_once_and_has_one_outcome(source: Any) -> None:
    """Lists, iterators and asynchronous iterators are sent to their end, whatever the order of the answers."""
    sender, outcomes = FakeSender(), list[Outcome]()
    items = messages(100, keyed=True)

    report = await send(sender, source(items), on_outcome=outcomes.append, concurrency=7)

    assert {"sent": 100} == counts(report)
    assert (100, None, None, ()) == (report.total, report.stopped_at, report.stop_reason, report.failures)
    assert [str(i) for i in range(100)] == sorted(sender.texts, key=int)
    assert list(enumerate(items)) == sorted((o.index, o.message) for o in outcomes)
    assert {(Delivery.SENT, None, 1, False)} == {(o.delivery, o.error, o.attempts, o.resent) for o in outcomes}
    assert [f"k{i}" for i in range(100)] == [o.key for o in sorted(outcomes, key=lambda o: o.index)]


@pytest.mark.parametrize("source", [list, asynchronously])
async def test_an_empty_source_gives_an_empty_report(source: Any) -> None:
    """Nothing to send is no failure."""
    report = await send(FakeSender(), source([]))

    assert (0, {}) == (report.total, counts(report))
    report.raise_for_failures()


@pytest.mark.parametrize("source", [list, asynchronously])
async def test_the_concurrency_is_reached_and_never_exceeded(source: Any) -> None:
    """A barrier that needs all workers at once is passed, and no more than they are ever inside."""
    barrier = asyncio.Barrier(8)
    sender = FakeSender(lambda *_: barrier.wait())

    report = await send(sender, source(messages(80)), concurrency=8)

    assert ({"sent": 80}, 8) == (counts(report), sender.peak)


async def test_the_source_is_never_read_ahead() -> None:
    """No more items are taken than there are workers beyond what is done."""
    ahead, taken = list[int](), 0
    done = list[Outcome]()

    def source() -> Iterator[Message]:
        nonlocal taken
        for message in messages(200):
            taken += 1
            ahead.append(taken - len(done))
            yield message

    await send(FakeSender(), source(), on_outcome=done.append, concurrency=5)

    assert 5 == max(ahead)


async def test_a_bad_item_is_an_outcome_and_the_rest_goes_on() -> None:
    """What is no message, what could not be read and what cannot be encoded are NOT_SENT, each with its reason."""
    unreadable, too_large = MessageError("line 3: not JSON"), MessageTooLargeError("MsgBody is 13,204 bytes")
    good = messages(2)
    outcomes = list[Outcome]()
    items = [good[0], "hello", unreadable, None, good[1]]

    report = await send(FakeSender(by_number({1: too_large})), items, on_outcome=outcomes.append, concurrency=2)

    assert {"sent": 1, "not_sent": 4} == counts(report)
    by_index = {o.index: o for o in outcomes}
    assert "item 1 is 'hello', not a Message" == str(by_index[1].error)
    assert (unreadable, too_large) == (by_index[2].error, by_index[4].error)
    assert (None, good[1]) == (by_index[3].message, by_index[4].message)
    assert set(report.failures) == {o for o in outcomes if o.error}


async def test_a_run_of_bad_items_leaves_the_loop_to_others() -> None:
    """Other tasks get their turn while many items are refused one after the other."""
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count_turns())
    await send(FakeSender(), [None] * 100, concurrency=1)
    other.cancel()

    assert turns > 50


@pytest.mark.parametrize(
    ("nonsense", "reason"),
    [
        (None, "not None: make them with Message.to_user"),
        (7, "not 7: make"),
        ("hello", "not 'hello': make them"),
        (b"hello", "not b'hello': make"),
        ({"to_account": "u"}, "not {'to_account': 'u'}: make"),
        (messages(1)[0], "and this is one Message: put it into a list"),
    ],
)
async def test_what_is_no_list_of_messages_is_refused(nonsense: Any, reason: str) -> None:
    """A single message, say, or a text, is an error of its own kind, before anything is sent."""
    with pytest.raises(ConfigurationError, match=f"a batch takes an iterable of messages, .*{reason}"):
        await send(FakeSender(), nonsense)


@pytest.mark.parametrize(
    "wrong",
    [{"concurrency": 0}, {"concurrency": True}, {"stop_after_failures": 0}, {"max_outage": -1}, {"grace": "5"}],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    """The error names the setting and what it takes."""
    with pytest.raises(ConfigurationError, match=f"{next(iter(wrong))} must be a"):
        BatchSettings(**wrong)


async def test_rejections_are_counted_and_told() -> None:
    """A refusal of Desk ends its own item only, and the report keeps the outcome."""
    report = await send(FakeSender(by_number({3: lambda: from_code(141005)})), messages(6))

    assert {"sent": 5, "rejected": 1} == counts(report)
    (failure,) = report.failures
    assert (3, Delivery.REJECTED, 141005, 1) == (failure.index, failure.delivery, failure.error.code, failure.attempts)  # type: ignore[union-attr]


async def test_an_unknown_outcome_that_must_not_be_repeated_is_final() -> None:
    """Without a window, a reply that was lost is reported and the item left alone."""
    sender = FakeSender(by_number({2: lost}))

    report = await send(sender, messages(5), dedup_window=0.0)

    assert {"sent": 4, "unknown": 1} == counts(report)
    assert 5 == len(sender.calls)
    assert None is report.failures[0].error.__traceback__  # type: ignore[union-attr]


async def test_what_was_sent_again_is_said() -> None:
    """``resent`` comes from the result and from the error alike."""
    error = lost()
    error.resent, error.attempts = True, 6
    answers = by_number({0: SendResult(1, 3, 0.5, resent=True), 1: error})
    outcomes = list[Outcome]()

    await send(FakeSender(answers), messages(3), on_outcome=outcomes.append, concurrency=1, dedup_window=0.0)

    assert [(3, True), (6, True), (1, False)] == [(o.attempts, o.resent) for o in outcomes]


async def test_too_many_failures_stop_the_batch() -> None:
    """The report says where and why, what is in flight is finished, and the source is not drained."""
    source = iter(messages(100))
    report = await send(FakeSender(lambda *_: from_code(141005)), source, concurrency=4, stop_after_failures=10)

    assert report.total == report.rejected
    assert 10 <= report.total < 14
    assert 9 == report.stopped_at
    assert str(report.stop_reason).startswith("10 items failed, the last one because: Desk answered with code 141005")
    assert report.total == int(text_of(next(source)))


@pytest.mark.parametrize("code", [60020, 70009, 141000, 60010])
async def test_codes_that_make_going_on_pointless_stop_at_once(code: int) -> None:
    """An expired plan, a wrong key, an application without Desk: no second item is tried in vain."""
    sender = FakeSender(by_number({5: lambda: from_code(code)}))

    report = await send(sender, messages(100), concurrency=1)

    assert {"sent": 5, "rejected": 1} == counts(report)
    assert (5, 6) == (report.stopped_at, len(sender.calls))
    assert f"code {code}" in str(report.stop_reason)


async def test_a_setting_that_cannot_work_stops_at_once() -> None:
    """A configuration error of the sender would meet every item."""
    report = await send(FakeSender(lambda *_: ConfigurationError("give proxy=")), messages(9), concurrency=1)

    assert ({"not_sent": 1}, "give proxy=") == (counts(report), report.stop_reason)


async def test_a_stop_does_not_wait_for_an_idle_source() -> None:
    """Workers that wait for the next item are let go; the item in flight is finished."""
    endless = asyncio.Event()

    async def source() -> AsyncIterator[Message]:
        yield messages(1)[0]
        yield messages(1, 1)[0]
        await endless.wait()

    report = await send(FakeSender(by_number({1: lambda: from_code(141005)})), source(), stop_after_failures=1)

    assert ({"sent": 1, "rejected": 1}, 1) == (counts(report), report.stopped_at)


async def test_stop_on_unknown_stops_at_the_first() -> None:
    """Who must look at an unknown outcome first can have the batch stop there."""
    report = await send(FakeSender(by_number({2: lost})), messages(9), concurrency=1, stop_on_unknown=True)

    assert ({"sent": 2, "unknown": 1}, 2) == (counts(report), report.stopped_at)


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_callback_hears_of_every_item(kind: str) -> None:
    """Plain and asynchronous callbacks both work."""
    heard = list[int]()

    def plainly(outcome: Outcome) -> None:
        heard.append(outcome.index)

    async def later(outcome: Outcome) -> None:
        await asyncio.sleep(0)
        heard.append(outcome.index)

    await send(FakeSender(), messages(20), on_outcome=plainly if kind == "plain" else later)

    assert list(range(20)) == sorted(heard)


class CallersError(Exception):
    pass


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_bug_in_the_callback_surfaces_as_itself(kind: str) -> None:
    """What is in flight is settled and told before; nothing more is taken."""
    heard, sender = list[int](), FakeSender()

    def plainly(outcome: Outcome) -> None:
        heard.append(outcome.index)
        if outcome.index == 3:
            raise CallersError

    async def later(outcome: Outcome) -> None:
        plainly(outcome)

    with pytest.raises(CallersError) as caught:
        await send(sender, messages(100), on_outcome=plainly if kind == "plain" else later, concurrency=4)

    assert len(sender.calls) == len(heard) < 100
    assert [f"raised in a batch; until then {len(heard)} sent"] == [n.split(",")[0] for n in caught.value.__notes__]


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_bug_in_the_source_surfaces_as_itself(asynchronous: bool) -> None:  # noqa: FBT001
    """What is in flight is settled before."""

    def source() -> Iterator[Message]:
        yield from messages(10)
        raise CallersError

    heard = list[Outcome]()
    with pytest.raises(CallersError):
        await send(FakeSender(), asynchronously(source()) if asynchronous else source(), on_outcome=heard.append)

    assert list(range(10)) == sorted(o.index for o in heard)


async def test_a_bug_in_the_sender_surfaces_as_itself() -> None:
    """An error that is none of deskim's leaves its item UNKNOWN and ends the batch."""
    heard = list[Outcome]()

    with pytest.raises(CallersError):
        await send(FakeSender(by_number({1: CallersError("x")})), messages(9), on_outcome=heard.append, concurrency=1)

    assert [Delivery.SENT, Delivery.UNKNOWN] == [o.delivery for o in heard]
    assert "CallersError while sending: x" == str(heard[1].error)


def test_items_are_let_go_when_they_are_done() -> None:
    """Of 10^5 messages, no more live at a time than are under way, but for the failures that the report keeps."""
    alive, most = weakref.WeakSet[Message](), 0

    def source() -> Iterator[Message]:
        nonlocal most
        for number in range(100_000):
            message = Message.to_user("u", "0", msg_random=number)
            alive.add(message)
            most = max(most, len(alive))
            yield message

    with asyncio.Runner(debug=False) as runner:
        report = runner.run(send(Forgetful(), source(), concurrency=32))

    assert (100_000, 2_000, 1_000) == (report.total, report.rejected, len(report.failures))
    assert most <= 1_000 + 32 + 1


class Forgetful(FakeSender):
    """Refuse every fiftieth message, and remember none."""

    async def send(self, message: Message, *, first_sent: float | None = None) -> SendResult:
        await asyncio.sleep(0)
        if message.msg_random % 50 == 0:
            raise from_code(141005)
        return SendResult(message.msg_random, 1, 0.0)


ANSWERS = {
    "sent": lambda: None,
    "rejected": lambda: from_code(141005),
    "unknown": lost,
    "refused connection": no_connection,
    "throttled": throttled,
    "invalid": lambda: MessageError("bad"),
}


@given(
    scripts=st.lists(st.lists(st.sampled_from(sorted(ANSWERS)), max_size=3), max_size=30),
    concurrency=st.integers(1, 8),
    asynchronous=st.booleans(),
)
async def test_each_item_ends_in_the_one_outcome_that_its_answers_mean(
    scripts: list[list[str]],
    concurrency: int,
    asynchronous: bool,  # noqa: FBT001
) -> None:
    """Held answers are tried again until another one comes; that one decides.

    A refusal after an unknown outcome proves nothing about the attempt before it.
    """

    def answer(message: Message, tried: int) -> DeskError | None:
        script = scripts[int(text_of(message))]
        return ANSWERS[script[tried - 1]]() if tried <= len(script) else None

    outcomes = list[Outcome]()
    items = messages(len(scripts))
    source = asynchronously(items) if asynchronous else items
    report = await send(
        FakeSender(answer),
        source,
        on_outcome=outcomes.append,
        concurrency=concurrency,
        max_outage=10_000.0,
        dedup_window=10_000.0,
    )

    ended = [o.delivery.value for o in sorted(outcomes, key=lambda o: o.index)]
    allowed = [_ends(script) for script in scripts]
    assert [] == [
        (end, may, script) for end, may, script in zip(ended, allowed, scripts, strict=True) if end not in may
    ]
    assert {name: ended.count(name) for name in set(ended)} == counts(report)


def _ends(script: list[str]) -> set[str]:
    """Return how an item may end; one that fails three times while others get through is given up as unknown."""
    held = {"refused connection", "throttled", "unknown"}
    last = next((answer for answer in script if answer not in held), "sent")
    before = script[: script.index(last)] if last in script else script
    if "unknown" not in before:
        return {"not_sent" if last == "invalid" else last}
    may = {"sent"} if last == "sent" else {"unknown"}
    return may | {"unknown"} if script == ["unknown"] * 3 else may
