from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import pytest
from attrs import define
from hypothesis import given
from hypothesis import strategies as st

from deskim._stream._ending import FAREWELL
from deskim._stream._stream import BRIDGE_AFTER, MAX_WAITING, MessageStream, end_all
from deskim._stream._waiting import MAX_PIECE, Waiting
from deskim.errors import (
    BadRequestError,
    ClientClosedError,
    ConnectionFailedError,
    Delivery,
    MessageError,
    MessageTooLargeError,
    ReplyLostError,
    RetryKind,
    SessionNotFoundError,
    StreamError,
)

from .conftest import KEY, Account

pytestmark = pytest.mark.anyio


async def tokens(count: int, pause: float) -> AsyncIterator[str]:
    """Give tokens as a model would: short ones, at its own pace."""
    for number in range(count):
        yield f"{number} 字😀"
        await asyncio.sleep(pause)


async def test_a_short_message_is_one_call(account: Account) -> None:
    """What is written at once and finished is one call, which is the last one."""
    async with account.stream() as stream:
        await stream.write("Hello")
    assert (["Hello"], [True]) == (account.pieces, account.finishes)


async def test_nothing_written_is_nothing_sent(account: Account) -> None:
    """A stream without text makes no call: there is no message to finish."""
    async with account.stream() as stream:
        await stream.write("")
    assert ([], None) == (account.commands, stream.msg_key)


@pytest.mark.parametrize("markdown", [False, True])
async def test_the_key_of_the_first_reply_goes_with_all_further_pieces(account: Account, *, markdown: bool) -> None:
    """The first call has no MsgKey, the others have that of its reply, and only the last one finishes."""
    async with account.stream(markdown=markdown) as stream:
        for word in ("one ", "two ", "three"):
            await stream.write(word)
            await asyncio.sleep(1)
        key = stream.msg_key
    assert (KEY, [None, KEY, KEY, KEY]) == (key, [command.msg_key for command in account.commands])
    assert (["one ", "two ", "three", ""], [False, False, False, True]) == (account.pieces, account.finishes)


async def test_markdown_pieces_are_numbered_from_one(account: Account) -> None:
    """The second version counts its pieces, and shows older clients a text of their own."""
    async with account.stream(markdown=True) as stream:
        await stream.write_all(tokens(10, 0.5))
    contents = [command.msg_body[0].msg_content for command in account.commands]
    assert list(range(1, len(contents) + 1)) == [content["Chunks"][0]["Index"] for content in contents]
    assert {"old"} == {content["CompatibleText"] for content in contents}


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.5])
async def test_ten_thousand_tokens_take_five_calls_a_second(account: Account, delay: float) -> None:
    """However fast tokens come and Desk answers, no second has more than five calls, and the text is the same."""
    account.delay = delay
    async with account.stream() as stream:
        await stream.write_all(tokens(10_000, 0.001))
    assert "".join([f"{number} 字😀" for number in range(10_000)]) == account.text
    assert 5 >= account.busiest
    assert [False] * (len(account.commands) - 1) + [True] == account.finishes


async def test_text_of_any_size_goes_in_pieces(account: Account) -> None:
    """A huge text is cut, waits for its turns, and arrives whole; its writer waits while much is ahead."""
    text = "大" * 100_000
    async with account.stream() as stream:
        await stream.write(text)
        sent = len(account.text)
    assert text == account.text
    assert MAX_PIECE >= max(map(len, account.pieces))
    assert 100_000 - MAX_WAITING <= sent
    assert 5 >= account.busiest


async def test_a_long_pause_is_bridged(account: Account) -> None:
    """While the writer thinks, empty pieces keep the message open: never 15 seconds without a call."""
    async with account.stream() as stream:
        await stream.write("Let me think. ")
        await asyncio.sleep(100)
        await stream.write("42.")
    gaps = [later - earlier for earlier, later in zip(account.times, account.times[1:], strict=False)]
    assert BRIDGE_AFTER >= max(gaps)
    assert "Let me think. 42." == account.text


async def test_bridging_stops_where_desk_refuses_it(account: Account) -> None:
    """An empty piece that is refused is not tried again, and the message goes on."""
    account.failures[2] = BadRequestError("empty", code=141004)
    async with account.stream() as stream:
        await stream.write("one")
        await asyncio.sleep(60)
        await stream.write("two")
    assert ["one", "", "two"] == account.pieces


async def test_a_bridge_whose_reply_is_lost_does_no_harm(account: Account) -> None:
    """An empty piece of unknown fate changes nothing of the text; the next one is sent as before."""
    account.failures[2] = ReplyLostError("lost")
    async with account.stream() as stream:
        await stream.write("one")
        await asyncio.sleep(BRIDGE_AFTER * 2 + 1)
        await stream.write("two")
    assert ["one", "", "", "two"] == account.pieces


async def test_before_the_first_text_there_is_nothing_to_bridge(account: Account) -> None:
    """A stream that waits for its first word makes no call."""
    async with account.stream() as stream:
        await asyncio.sleep(100)
        before = len(account.commands)
        await stream.write("now")
    assert (0, ["now"]) == (before, account.pieces)


class OwnError(Exception):
    """Be the mistake of a bot."""


async def write(account: Account, *words: str, pauses: float = 1.0, error: Exception | None = None) -> None:
    """Write words with a pause after each, and fail then, if told so."""
    async with account.stream() as stream:
        for word in words:
            await stream.write(word)
            await asyncio.sleep(pauses)
        if error is not None:
            raise error


async def test_an_exception_leaves_a_finished_message(account: Account) -> None:
    """A bot that fails in the middle has its text sent, its message finished, and its own error raised."""
    with pytest.raises(OwnError):
        await write(account, "half an answ", pauses=0, error=OwnError())
    assert ("half an answ", True) == (account.text, account.finishes[-1])


async def cancel_task(work: Awaitable[None], seconds: float) -> None:
    """Cancel a task."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait({task})


async def cancel_twice(work: Awaitable[None], seconds: float) -> None:
    """Cancel a task, and again while it says farewell."""
    task = asyncio.ensure_future(work)
    for pause in (seconds, 0.001, 0.001):
        await asyncio.sleep(pause)
        task.cancel()
    await asyncio.wait({task})


async def cancel_scope(work: Awaitable[None], seconds: float) -> None:
    """Cancel by a scope of anyio."""
    with anyio.move_on_after(seconds):
        await work


async def cancel_group(work: Awaitable[None], seconds: float) -> None:
    """Cancel a task group of anyio."""

    async def run() -> None:
        await work

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await asyncio.sleep(seconds)
        group.cancel_scope.cancel()


async def cancel_timeout(work: Awaitable[None], seconds: float) -> None:
    """Cancel by a time-out of asyncio."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        pass


WAYS: list[Callable[[Awaitable[None], float], Awaitable[None]]] = [
    cancel_task,
    cancel_twice,
    cancel_scope,
    cancel_group,
    cancel_timeout,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_cancellation_anywhere_leaves_a_finished_message(way: Callable[..., Awaitable[None]]) -> None:
    """At forty random moments in each of five ways: the last call is Finish, the text a beginning of the whole."""
    whole = "".join([token async for token in tokens(200, 0)])
    seeds = random.Random(6)
    for _ in range(40):
        account = Account(delay=seeds.choice([0.0, 0.01, 0.1, 0.4]))

        async def answer(account: Account = account) -> None:
            async with account.stream() as stream:
                await stream.write_all(tokens(200, 0.01))

        moment = seeds.uniform(0.0, 3.0)
        await way(answer(), moment)
        assert whole.startswith(account.text), moment
        assert [True] == [f for f in account.finishes if f], moment
        assert account.finishes[-1], moment
    assert [] == [task for task in asyncio.all_tasks() if task.get_name() == "deskim stream"]


async def test_a_cancelled_task_is_cancelled(account: Account) -> None:
    """The cancellation goes on after the farewell, also one that comes during an ordinary end."""
    account.delay = 1.0

    async def answer() -> None:
        async with account.stream() as stream:
            await stream.write("text")

    task = asyncio.ensure_future(answer())
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.wait({task})
    assert (True, ["text"], [True]) == (task.cancelled(), account.pieces, account.finishes)


async def test_a_cancellation_during_the_farewell_of_a_failure_counts(account: Account) -> None:
    """Whoever is cancelled while leaving because of an error of their own is cancelled."""
    account.delay = 1.0

    async def answer() -> None:
        async with account.stream() as stream:
            await stream.write("text")
            raise OwnError

    task = asyncio.ensure_future(answer())
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.wait({task})
    assert (True, [True]) == (task.cancelled(), account.finishes)


async def test_the_farewell_is_bounded(account: Account) -> None:
    """A Desk that never answers keeps a cancelled writer for ten seconds, not longer."""
    account.delay = 10_000.0
    began = asyncio.get_running_loop().time()

    async def answer() -> None:
        async with account.stream() as stream:
            await stream.write("text")
            await asyncio.sleep(1)

    await cancel_task(answer(), 0.5)
    assert 0.5 + FAREWELL == pytest.approx(asyncio.get_running_loop().time() - began)


@pytest.mark.parametrize("go_on", [MessageStream.finish, lambda stream: stream.write("more")])
async def test_whoever_goes_on_after_an_unanswered_farewell_is_told(
    account: Account, go_on: Callable[[MessageStream], Awaitable[None]]
) -> None:
    """It is no cancellation that they meet, and what Desk did not answer is uncertain."""
    account.delay = 10_000.0
    stream = account.stream()

    async def answer() -> None:
        async with stream:
            await stream.write("text")
            await asyncio.sleep(1)
            raise OwnError

    with pytest.raises(OwnError):
        await answer()
    with pytest.raises(StreamError, match="Desk did not answer in time when the block was left") as caught:
        await go_on(stream)
    assert ("", "text") == (caught.value.delivered, caught.value.uncertain)


async def test_a_cancelled_writer_does_not_send_a_book(account: Account) -> None:
    """What is far ahead of the calls is dropped when its writer is cancelled."""

    async def answer() -> None:
        async with account.stream() as stream:
            await stream.write("x" * 1_000_000)

    await cancel_task(answer(), 0.5)
    assert MAX_WAITING + 4 * MAX_PIECE >= len(account.text)
    assert account.finishes[-1]


async def test_a_lost_reply_ends_the_stream_with_what_is_known(account: Account) -> None:
    """A piece whose reply is lost is not sent again: the error tells what arrived, what may have, and what did not."""
    account.failures[2] = ReplyLostError("the reply was lost")
    with pytest.raises(StreamError) as caught:
        await write(account, "one ", "x" * MAX_PIECE + "rest", pauses=0.1)
    error = caught.value
    assert (KEY, "one ", Delivery.UNKNOWN) == (error.msg_key, error.delivered, error.delivery)
    assert ("x" * MAX_PIECE, "rest") == (error.uncertain, error.unsent)
    assert isinstance(error.__cause__, ReplyLostError)
    assert ["one ", "x" * MAX_PIECE, ""] == account.pieces
    assert account.finishes[-1]


async def test_a_refused_piece_is_surely_not_with_the_user(account: Account) -> None:
    """Where Desk said no, nothing is uncertain; the text of the write that hears of it is unsent, too."""
    account.failures[2] = SessionNotFoundError("over", code=141005, info="ended")
    with pytest.raises(StreamError, match="4 characters") as caught:
        await write(account, "one ", "two", "three")
    error = caught.value
    assert ("one ", "", "twothree", 141005, "ended") == (
        error.delivered,
        error.uncertain,
        error.unsent,
        error.code,
        error.info,
    )


async def test_the_first_piece_may_fail(account: Account) -> None:
    """Without a MsgKey there is nothing to finish: one call, one error."""
    account.failures[1] = ReplyLostError("lost")
    with pytest.raises(StreamError) as caught:
        async with account.stream() as stream:
            await stream.write("one")
    assert (None, "", "one", 1) == (
        caught.value.msg_key,
        caught.value.delivered,
        caught.value.uncertain,
        len(account.commands),
    )


async def test_a_piece_that_did_not_leave_is_sent_again(account: Account) -> None:
    """While Desk waits for the next piece, the same one, of the same number, goes out once the way is free."""
    account.failures = {number: ConnectionFailedError("no route") for number in range(2, 9)}
    async with account.stream(markdown=True) as stream:
        await stream.write("one ")
        await asyncio.sleep(0.5)
        await stream.write("two")
    assert ["one ", *["two"] * 7, "two"] == account.pieces
    chunks = [command.msg_body[0].msg_content["Chunks"][0] for command in account.commands]
    assert [1, *[2] * 8] == [chunk["Index"] for chunk in chunks]


async def test_where_nothing_gets_through_no_farewell_is_tried(account: Account) -> None:
    """A way that stays closed ends the stream before Desk does, and is not tried once more for the sake of Finish."""
    account.failures = {number: ConnectionFailedError("no route") for number in range(2, 99)}
    with pytest.raises(StreamError) as caught:
        await write(account, "one ", "two")
    assert ("two", Delivery.NOT_SENT) == (caught.value.unsent, caught.value.delivery)
    assert ["one ", *["two"] * 14] == account.pieces
    assert 14.0 == account.times[-1] - account.times[0]


async def test_the_first_piece_is_tried_again_for_as_long(account: Account) -> None:
    """Nothing was begun that Desk could end, and still nobody waits for ever."""
    account.failures = {number: ConnectionFailedError("no route") for number in range(1, 99)}
    with pytest.raises(StreamError):
        await write(account, "one")
    assert 15 == len(account.commands)


async def test_a_failure_for_good_is_not_insisted_on(account: Account) -> None:
    """A wrong certificate does not get right within seconds."""
    account.failures[2] = ConnectionFailedError("certificate", retry=RetryKind.NEVER)
    with pytest.raises(StreamError):
        await write(account, "one ", "two")
    assert ["one ", "two"] == account.pieces


async def test_a_bridge_that_did_not_leave_is_made_again(account: Account) -> None:
    """So the message outlives a short fault in a pause."""
    account.failures = {2: ConnectionFailedError("no route"), 3: ConnectionFailedError("no route")}
    async with account.stream() as stream:
        await stream.write("one ")
        await asyncio.sleep(20.0)
    assert [0.0, 10.0, 11.0, 12.0, 20.0] == [at - account.times[0] for at in account.times]


async def test_a_pause_is_bridged_for_as_long_as_desk_waits(account: Account) -> None:
    """After 15 seconds without a way to Desk the message is over: nothing is tried until the writer goes on."""
    account.failures = {number: ConnectionFailedError("no route") for number in range(2, 99)}
    with pytest.raises(StreamError, match="100 s had passed"):
        await write(account, "one ", "two", pauses=100.0)
    assert [0.0, *range(10, 15), 100.0] == [at - account.times[0] for at in account.times]


async def test_a_client_that_is_closed_ends_the_stream_and_says_so(account: Account) -> None:
    """The writer hears of it at the next write, also when the pause was being bridged."""
    account.failures[2] = ClientClosedError("the client is closed")
    with pytest.raises(StreamError, match="the client was closed before the stream ended; 4 characters") as caught:
        await write(account, "one ", "two", pauses=12.0)
    assert ("one ", "two", Delivery.NOT_SENT) == (
        caught.value.delivered,
        caught.value.unsent,
        caught.value.delivery,
    )
    assert 2 == len(account.commands)


async def test_a_farewell_that_fails_changes_nothing(account: Account) -> None:
    """The error that broke the stream is the one that is told."""
    account.failures = {2: ReplyLostError("first"), 3: ReplyLostError("second")}
    with pytest.raises(StreamError, match="first"):
        await write(account, "one ", "two")


async def test_a_stream_that_ended_by_itself_is_explained(account: Account) -> None:
    """Where bridging did not work and 15 seconds went by, the error says that Desk ends such messages."""
    account.failures = {2: BadRequestError("no", code=141004), 3: BadRequestError("gone", code=141004)}
    with pytest.raises(StreamError, match="70 s had passed"):
        await write(account, "one ", "two", pauses=70)


async def test_whoever_was_told_may_go_on(account: Account) -> None:
    """A bot that catches the error inside the block can send the rest otherwise; leaving does not raise it again."""
    account.failures[1] = SessionNotFoundError("over")
    async with account.stream() as stream:
        await stream.write("one")
        await asyncio.sleep(1)
        with pytest.raises(StreamError):
            await stream.write("two")
        with pytest.raises(StreamError):
            await stream.finish()
    assert 1 == len(account.commands)


async def test_a_writer_who_waits_learns_of_the_failure(account: Account) -> None:
    """A write that waits for its turn ends when the stream breaks."""
    account.failures[2] = SessionNotFoundError("over")
    with pytest.raises(StreamError) as caught:
        async with account.stream() as stream:
            await stream.write("x" * 1_000_000)
    assert 1_000_000 == len(caught.value.delivered) + len(caught.value.unsent)


async def test_an_error_of_the_caller_beside_a_broken_stream_wins(account: Account) -> None:
    """The bot's own error is the one that is raised."""
    account.failures[1] = ReplyLostError("lost")
    with pytest.raises(OwnError):
        await write(account, "one", error=OwnError())


async def test_what_is_no_desk_error_is_raised_as_it_is(account: Account) -> None:
    """A mistake inside the calls is not dressed up."""
    account.failures[1] = OwnError()
    stream = account.stream()
    with pytest.raises(OwnError):
        async with stream:
            await stream.write("one")
    with pytest.raises(OwnError):
        await stream.finish()


async def test_finish_may_be_repeated(account: Account) -> None:
    """Finishing twice, and leaving then, makes one Finish."""
    async with account.stream() as stream:
        await stream.write("text")
        await stream.finish()
        await stream.finish()
        with pytest.raises(MessageError, match="finished"):
            await stream.write("more")
    assert [True] == account.finishes


async def test_a_stream_is_used_within_async_with(account: Account) -> None:
    """Writing outside the block, and entering twice, are refused with advice."""
    stream = account.stream()
    with pytest.raises(MessageError, match="async with"):
        await stream.write("text")
    async with stream:
        with pytest.raises(MessageError, match="once"):
            await stream.__aenter__()


async def test_only_text_is_written(account: Account) -> None:
    """Bytes and None are refused."""
    async with account.stream() as stream:
        for wrong in (b"text", None, 7):
            with pytest.raises(MessageError, match="takes text"):
                await stream.write(wrong)  # type: ignore[arg-type]
    assert [] == account.commands


async def test_markdown_stays_under_its_limit(account: Account) -> None:
    """The write that would go over 128 KB is refused before it is sent; what was written stands."""
    async with account.stream(markdown=True) as stream:
        await stream.write("字" * 40_000)
        with pytest.raises(MessageTooLargeError, match="131,100 bytes"):
            await stream.write("字" * 3_700)
        await stream.write(".")
    assert "字" * 40_000 + "." == account.text


@pytest.mark.parametrize("key", [None, ""])
async def test_a_reply_without_a_key_ends_the_stream(account: Account, key: str | None) -> None:
    """Another piece without the key would begin another message: what was shown is told, nothing is doubled."""
    account.key = key
    with pytest.raises(StreamError, match="without a MsgKey") as caught:  # noqa: PT012 - the block itself raises
        async with account.stream() as stream:
            await stream.write("one")
            await asyncio.sleep(1)
            await stream.write("two")
    assert ("one", "one", "two") == (account.text, caught.value.delivered, caught.value.unsent)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (["\ud83d", "\ude00"], "😀"),
        (["a\ud83d", "", "\ude00b"], "a😀b"),
        (["\ud83d"], "\ufffd"),
        (["\ude00a"], "\ufffda"),
        (["\ud83dx"], "\ufffdx"),
        (["\ud83d", "\ud83d\ude00"], "\ufffd😀"),
        (["👩‍", "👩‍👧"], "👩‍👩‍👧"),
    ],
)
async def test_split_characters_are_joined(account: Account, parts: list[str], expected: str) -> None:
    """Halves of surrogate pairs meet across writes; one that stays alone becomes the replacement character."""
    async with account.stream() as stream:
        for part in parts:
            await stream.write(part)
            await asyncio.sleep(0.5)
    assert expected == account.text


@given(st.lists(st.text(st.characters(codec="utf-8"))), st.integers(1, 50))
def test_what_waits_comes_out_whole(parts: list[str], most: int) -> None:
    """Whatever is put in comes out in pieces of the wanted size, in order, unchanged."""
    waiting = Waiting()
    for part in parts:
        half = part.encode("utf-16-le").decode("utf-16-le", "surrogatepass")
        waiting.add(half)
    waiting.close()
    size, pieces = waiting.size, []
    while piece := waiting.take(most):
        pieces.append(piece)
    assert ("".join(parts), 0) == ("".join(pieces), waiting.size)
    assert size == sum(map(len, pieces))
    assert most >= max(map(len, pieces), default=0)


@given(st.text(st.characters(codec="utf-8")), st.data())
def test_text_cut_between_any_two_code_units_is_joined(text: str, data: st.DataObject) -> None:
    """A text that a sender of UTF-16 cut anywhere, emoji included, comes out as it was."""
    units = text.encode("utf-16-le")
    at = 2 * data.draw(st.integers(0, len(units) // 2))
    waiting = Waiting()
    for half in (units[:at], units[at:]):
        waiting.add(half.decode("utf-16-le", "surrogatepass"))
    waiting.close()
    assert text == waiting.take(len(text) + 2)


@define
class Model:
    """Give tokens, and note when it was closed."""

    closed: bool = False

    async def tokens(self, count: int, pause: float = 0.0) -> AsyncGenerator[str, None]:
        try:
            for number in range(count):
                await asyncio.sleep(pause)
                yield f"{number} "
        finally:
            self.closed = True


class Answer:
    """Be an asynchronous iterable, which makes an iterator of its own each time."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def __aiter__(self) -> AsyncIterator[str]:
        return self._model.tokens(1000, 0.01)


async def test_the_source_is_closed_when_the_writer_is_cancelled(account: Account) -> None:
    """Nobody reads on: a model need not go on thinking, be the writer cancelled in it or between two tokens."""
    model, slow = Model(), Model()

    async def answer() -> None:
        async with account.stream() as stream:
            await stream.write_all(model.tokens(100_000))

    async def answer_slowly() -> None:
        async with account.stream() as stream:
            await stream.write_all(slow.tokens(10, 5.0))

    await cancel_task(answer(), 1.0)
    await cancel_task(answer_slowly(), 7.0)
    assert (True, True) == (model.closed, slow.closed)


async def test_a_source_without_aclose_is_read_all_the_same(account: Account) -> None:
    """Closing is for those who can be closed."""

    class Words:
        def __init__(self) -> None:
            self._words = iter(["a", "b"])

        def __aiter__(self) -> Words:
            return self

        async def __anext__(self) -> str:
            for word in self._words:
                return word
            raise StopAsyncIteration

    async with account.stream() as stream:
        await stream.write_all(Words())
    assert "ab" == account.text


async def test_the_rest_of_a_broken_stream_can_be_read_from_its_source(account: Account) -> None:
    """An iterator of the caller's stays open; one that nobody else could read is closed."""
    account.failures = {2: ReplyLostError("lost"), 5: ReplyLostError("lost")}
    model, hidden = Model(), Model()
    source = model.tokens(1000, 0.01)
    with pytest.raises(StreamError) as caught:
        async with account.stream() as stream:
            await stream.write_all(source)
    assert not model.closed
    told = caught.value.delivered + caught.value.uncertain + caught.value.unsent
    assert "".join(f"{number} " for number in range(1000)) == told + "".join([token async for token in source])

    with pytest.raises(StreamError):
        async with account.stream() as stream:
            await stream.write_all(Answer(hidden))
    assert hidden.closed


@pytest.mark.parametrize("source", ["a text", ["a", "list"]])
async def test_only_an_asynchronous_iterator_is_written_out(account: Account, source: Any) -> None:
    """What is none is named."""
    async with account.stream() as stream:
        with pytest.raises(MessageError, match="write_all takes an asynchronous iterator of text, not "):
            await stream.write_all(source)


async def test_closing_the_client_finishes_its_streams(account: Account) -> None:
    """What waits is sent with Finish; a writer who had no more to say sees nothing of it."""
    async with account.stream() as stream:
        await stream.write("one ")
        await asyncio.sleep(0.1)
        await stream.write("two")
        await end_all([stream, stream])
    assert (["one ", "two"], [False, True]) == (account.pieces, account.finishes)


async def test_a_writer_who_goes_on_after_the_client_was_closed_is_told(account: Account) -> None:
    """The error says what is with the user, who has a finished message."""
    async with account.stream() as stream:
        await stream.write("one ")
        await end_all([stream])
        with pytest.raises(StreamError, match="the client was closed before the stream ended; 4 characters") as caught:
            await stream.write("two")
    assert ("one ", "two", True) == (caught.value.delivered, caught.value.unsent, account.finishes[-1])


async def test_what_cannot_be_sent_before_the_client_closes_is_told(account: Account) -> None:
    """The farewell is bounded; the writer learns what is left."""
    account.delay = 60.0
    async with account.stream() as stream:
        await stream.write("one " * MAX_PIECE)
        await end_all([stream])
        with pytest.raises(StreamError, match="the client was closed") as caught:
            await stream.finish()
    assert (MAX_PIECE, 3 * MAX_PIECE) == (len(caught.value.uncertain), len(caught.value.unsent))


async def test_a_stream_that_is_not_open_is_not_ended(account: Account) -> None:
    """Neither one that was never begun nor one that is over."""
    stream = account.stream()
    await end_all([stream])
    async with stream:
        await stream.write("one")
    await end_all([stream])
    assert ["one"] == account.pieces
