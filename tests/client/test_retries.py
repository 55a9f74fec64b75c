"""Every kind of failure, at every attempt."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import pytest
from attrs import evolve, frozen

from deskim import AsyncDeskClient, Delivery, Message, RetryPolicy, commands, errors
from deskim.errors import DeskError, RetryKind
from tests.client.stage import (
    FakeWorld,
    Notes,
    Script,
    Step,
    answer,
    fails,
    http,
    on_stage,
    randoms,
    throttled,
    transient,
)

pytestmark = pytest.mark.anyio
REJECTED, NOT_SENT, UNKNOWN = Delivery.REJECTED, Delivery.NOT_SENT, Delivery.UNKNOWN
NEVER, TRANSIENT, THROTTLED = RetryKind.NEVER, RetryKind.TRANSIENT, RetryKind.THROTTLED
LANES = pytest.mark.parametrize("lane", ["borrowed", "own"])


@frozen
class Kind:
    """One row of the table: what happens, and what it is to become."""

    name: str
    step: Step
    error: type[DeskError]
    delivery: Delivery
    retry: RetryKind
    wait: float | None = None

    def pauses(self, retries: int) -> list[float]:
        if self.wait is not None:
            return [self.wait] * retries
        return throttled(retries) if self.retry is THROTTLED else transient(retries)


def lost(*kinds: Callable[[str], Exception]) -> list[Kind]:
    """Return rows of exceptions after sending began."""
    return [Kind(k.__name__, fails(k), errors.ReplyLostError, UNKNOWN, TRANSIENT) for k in kinds]  # type: ignore[attr-defined]


def unconnected(*kinds: Callable[[str], Exception]) -> list[Kind]:
    """Return rows of exceptions before a byte was sent."""
    return [Kind(k.__name__, fails(k), errors.ConnectionFailedError, NOT_SENT, TRANSIENT) for k in kinds]  # type: ignore[attr-defined]


def codes(error: type[DeskError], delivery: Delivery, retry: RetryKind, *numbers: int) -> list[Kind]:
    """Return rows of ErrorCodes."""
    return [Kind(str(n), answer(n), error, delivery, retry) for n in numbers]


def statuses(delivery: Delivery, retry: RetryKind, *numbers: int) -> list[Kind]:
    """Return rows of HTTP statuses."""
    return [Kind(f"HTTP {n}", http(n), errors.ReplyError, delivery, retry) for n in numbers]


AGAIN = [
    *unconnected(httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError),
    *lost(httpx.ReadTimeout, httpx.ReadError, httpx.WriteTimeout, httpx.WriteError, httpx.RemoteProtocolError),
    *lost(RuntimeError, TimeoutError, OSError),
    *codes(errors.ServerError, UNKNOWN, TRANSIENT, 60008, 60013, 60014, 141002),
    *codes(errors.RateLimitError, REJECTED, THROTTLED, 60007, 60011, 60018, 60019),
    *statuses(UNKNOWN, TRANSIENT, 500, 502, 503, 504),
    *statuses(REJECTED, TRANSIENT, 408),
    Kind("200 HTML", http(200), errors.ReplyError, UNKNOWN, TRANSIENT),
    Kind("200 empty", Step(), errors.ReplyError, UNKNOWN, TRANSIENT),
    Kind("200 without ErrorCode", Step(b'{"ActionStatus":"OK"}'), errors.ReplyError, UNKNOWN, TRANSIENT),
    Kind("200 cut short", Step(b'{"ActionStatus":"OK","Err'), errors.ReplyError, UNKNOWN, TRANSIENT),
    Kind("HTTP 429", http(429), errors.RateLimitError, REJECTED, THROTTLED),
    Kind("HTTP 429 in 2 s", http(429, Retry_After="2"), errors.RateLimitError, REJECTED, THROTTLED, 2.0),
    Kind("HTTP 503 in 3 s", http(503, Retry_After="3"), errors.ReplyError, UNKNOWN, TRANSIENT, 3.0),
]
ONCE = [
    *codes(errors.BadRequestError, REJECTED, NEVER, 90001, 90002, 90005, 90007, 90010, 141004, 60002, 60009, 60012),
    *codes(errors.PermissionDeniedError, REJECTED, NEVER, 90009, 60010),
    *codes(errors.AuthenticationError, REJECTED, NEVER, 70003, 70009, 70013, 70014),
    *codes(errors.SessionNotFoundError, REJECTED, NEVER, 141005),
    *codes(errors.MessageTooLargeError, REJECTED, NEVER, 93000),
    *codes(errors.APIError, REJECTED, NEVER, 60022, 999999),
    *codes(errors.AuthenticationError, REJECTED, RetryKind.LOCKED, 70050),
    *statuses(REJECTED, NEVER, 301, 302, 307, 400, 401, 403, 404, 413),
]


def named(kinds: Sequence[Kind]) -> pytest.MarkDecorator:
    """Run a test for each row."""
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.name)


async def send(client: AsyncDeskClient) -> Any:
    """Send the one message of these tests."""
    return await client.send_to_session("session", "hello", msg_random=77)


async def failure(sending: Awaitable[object]) -> DeskError:
    """Return the error that a call ends with."""
    with pytest.raises(DeskError) as caught:
        await sending
    return caught.value


def check_attempts(script: Script, count: int) -> None:
    """Check that each attempt has the same bytes and MsgRandom, and a ``random`` of its own."""
    assert count == len(script.seen)
    assert 1 == len({seen.body for seen in script.seen})
    assert {77} == {seen.json["MsgRandom"] for seen in script.seen}
    assert [*range(1, count + 1)] == randoms(script.seen)


@LANES
@pytest.mark.parametrize("failures", [1, 2, 5])
@named(AGAIN)
async def test_a_passing_failure_is_followed_by_the_same_bytes_after_a_pause(
    kind: Kind, failures: int, lane: str
) -> None:
    """Until the sixth attempt, what may pass is tried again: same MsgRandom, fresh URL random, growing pauses."""
    async with on_stage(*[kind.step] * failures, lane=lane) as (client, script):
        result = await send(client)
    check_attempts(script, failures + 1)
    assert kind.pauses(failures) == script.world.pauses
    assert (failures + 1, 77) == (result.attempts, result.msg_random)
    assert (kind.delivery is UNKNOWN) == result.resent
    assert pytest.approx(sum(kind.pauses(failures))) == result.elapsed


@LANES
@named(AGAIN)
async def test_after_the_last_attempt_the_failure_says_what_is_known(kind: Kind, lane: str) -> None:
    """Six attempts, five pauses, then the error of the last one with all that is known."""
    async with on_stage(*[kind.step] * 6, lane=lane) as (client, script):
        error = await failure(send(client))
    check_attempts(script, 6)
    assert kind.pauses(5) == script.world.pauses
    assert (kind.error, kind.delivery, kind.wait) == (type(error), error.delivery, error.retry_after)
    assert (6, 77, True) == (error.attempts, error.msg_random, error.retryable)
    assert (kind.delivery is UNKNOWN) == error.resent


@LANES
@named(ONCE)
async def test_what_cannot_pass_is_raised_at_once(kind: Kind, lane: str) -> None:
    """A refusal is final: one attempt, no pause."""
    async with on_stage(kind.step, lane=lane) as (client, script):
        error = await failure(send(client))
    check_attempts(script, 1)
    assert [] == script.world.pauses
    assert (kind.error, kind.delivery, kind.retry) == (type(error), error.delivery, error.retry_kind)
    assert (1, 77, False) == (error.attempts, error.msg_random, error.resent)
    assert (kind.retry is not NEVER) == error.retryable


@named([*AGAIN, *ONCE])
async def test_without_a_policy_nothing_is_tried_again(kind: Kind) -> None:
    """``retry=None`` means one attempt, whatever happens."""
    async with on_stage(kind.step, retry=None) as (client, script):
        error = await failure(send(client))
    check_attempts(script, 1)
    assert (kind.error, kind.delivery, 1) == (type(error), error.delivery, error.attempts)


@pytest.mark.parametrize(
    ("steps", "cls", "attempts", "resent"),
    [
        ([fails(httpx.ReadTimeout), answer(141005)], errors.SessionNotFoundError, 2, True),
        ([fails(httpx.ReadTimeout), answer(93000)], errors.MessageTooLargeError, 2, True),
        ([http(502), http(404)], errors.ReplyError, 2, True),
        ([answer(141002), *[fails(httpx.ConnectError)] * 5], errors.ConnectionFailedError, 6, False),
        ([fails(httpx.ReadError), *[answer(60011)] * 5], errors.RateLimitError, 6, True),
        ([fails(httpx.ConnectError), fails(httpx.ReadError), answer(90001)], errors.BadRequestError, 3, True),
        ([fails(httpx.ReadError), answer(70050)], errors.AuthenticationError, 2, True),
    ],
)
async def test_one_attempt_of_unknown_outcome_leaves_the_whole_unknown(
    steps: list[Step],
    cls: type[DeskError],
    attempts: int,
    resent: bool,  # noqa: FBT001 - a column
) -> None:
    """Neither a later refusal nor a later connection that fails proves anything about an earlier attempt."""
    async with on_stage(*steps) as (client, _):
        error = await failure(send(client))
    assert (cls, UNKNOWN, attempts) == (type(error), error.delivery, error.attempts)
    assert resent == error.resent


async def test_a_refusal_before_an_unknown_outcome_changes_nothing() -> None:
    """What was throttled first and then lost is unknown; it was sent again, but not after an unknown attempt."""
    async with on_stage(answer(60011), fails(httpx.ReadError), retry=RetryPolicy(max_attempts=2)) as (client, _):
        error = await failure(send(client))
    assert (errors.ReplyLostError, UNKNOWN, False) == (type(error), error.delivery, error.resent)


async def test_without_retry_unknown_a_lost_reply_is_raised() -> None:
    """At most once: what may have been taken is not sent again, what was not is."""
    policy = RetryPolicy(retry_unknown=False)
    async with on_stage(fails(httpx.ConnectError), fails(httpx.ReadTimeout), retry=policy) as (client, script):
        error = await failure(send(client))
    assert (2, UNKNOWN) == (len(script.seen), error.delivery)


async def test_codes_of_ones_own_are_retried() -> None:
    """``retry_codes`` overrides the table, in both directions."""
    policy = RetryPolicy(retry_codes={60022: RetryKind.TRANSIENT, 60011: RetryKind.NEVER})
    async with on_stage(answer(60022), answer(60011), retry=policy) as (client, script):
        error = await failure(send(client))
    assert (2, 60011) == (len(script.seen), error.code)
    assert transient(1) == script.world.pauses


# The deduplication window


async def test_the_window_counts_from_the_first_attempt() -> None:
    """A lost reply is answered by another attempt only while Desk still recognises it as the same message."""
    policy = RetryPolicy(max_attempts=50, dedup_window=100.0)
    steps = [fails(httpx.ReadTimeout, took=30.0)] * 10
    async with on_stage(*steps, retry=policy, deadline=1000.0, timeout=30.0) as (client, script):
        error = await failure(send(client))
    assert 4 == len(script.seen)  # they began after about 0, 30, 60 and 90 seconds
    assert (UNKNOWN, 4, True) == (error.delivery, error.attempts, error.resent)


async def test_what_was_not_sent_has_no_window() -> None:
    """A connection that fails may be tried for as long as the deadline allows."""
    policy = RetryPolicy(max_attempts=50, dedup_window=100.0)
    async with on_stage(*[fails(httpx.ConnectError, took=30.0)] * 8, retry=policy, deadline=1000.0) as (client, script):
        await send(client)
    assert 9 == len(script.seen)


class SlowPacer:
    """Let the first call through and keep the others waiting until the window is over."""

    def __init__(self, world: FakeWorld, wait: float) -> None:
        self._world, self._wait = world, wait
        self.calls = 0

    async def acquire(self, lane: str) -> None:
        self.calls += 1
        self._world.now += self._wait if self.calls > 1 else 0.0

    def slow_down(self, retry_after: float | None) -> None:
        raise AssertionError(retry_after)


async def test_a_slot_that_comes_after_the_window_is_not_used() -> None:
    """Waiting for pacing does not stretch the window: the earlier error is raised, nothing is sent again."""
    world = FakeWorld()
    pacer = SlowPacer(world, 100.0)
    settings = {"rate_limit": pacer, "deadline": 1000.0}
    async with on_stage(fails(httpx.ReadTimeout), world=world, **settings) as (client, script):
        error = await failure(send(client))
    assert (1, 2) == (len(script.seen), pacer.calls)
    assert (errors.ReplyLostError, UNKNOWN, 1, False) == (type(error), error.delivery, error.attempts, error.resent)


async def test_signing_anew_does_not_stretch_the_window() -> None:
    """A UserSig that ran out while a message was in doubt is renewed, yet the message stays in doubt."""
    steps = [fails(httpx.ReadTimeout, took=60.0), Step(answer(70001).reply, took=60.0)]
    async with on_stage(*steps, deadline=1000.0, timeout=60.0) as (client, script):
        error = await failure(send(client))
    assert (2, 70001, UNKNOWN) == (len(script.seen), error.code, error.delivery)


async def test_an_earlier_run_starts_the_window() -> None:
    """A message that an earlier run may have sent is repeated inside the window that began then, and only there."""
    message = Message.to_session("session", "hello")
    async with on_stage() as (client, script):
        began = script.world.wall() - 99.0
        assert (await client._deliver(message, "interactive", None, began)).resent
        script.world.now += 1.0
        error = await failure(client._deliver(message, "interactive", None, began))
    assert 1 == len(script.seen)
    assert (UNKNOWN, 0, message.msg_random) == (error.delivery, error.attempts, error.msg_random)
    assert "100 s" in str(error)


async def test_a_clock_set_back_does_not_stretch_the_window_of_an_earlier_run() -> None:
    """An attempt that seems to lie ahead counts as made now."""
    message = Message.to_session("session", "hello")
    steps = [fails(httpx.ReadTimeout, took=60.0)] * 5
    async with on_stage(*steps, deadline=1000.0, timeout=60.0) as (client, script):
        error = await failure(client._deliver(message, "interactive", None, script.world.wall() + 500.0))
    assert (2, UNKNOWN) == (len(script.seen), error.delivery)


async def test_a_lost_reply_of_another_call_is_not_answered_by_a_repetition() -> None:
    """Only what Desk recognises as the same, or what may be asked twice, is sent again."""
    async with on_stage(answer(60011), http(502)) as (client, script):
        error = await failure(client.call(commands.RawCommand("desk_http_svc", "end_session")))
    assert (2, UNKNOWN, None, 2) == (len(script.seen), error.delivery, error.msg_random, error.attempts)


async def test_a_question_may_be_asked_again_at_any_time() -> None:
    """A repeatable call has no window."""
    question = commands.RawCommand("desk_http_svc", "get_session_state", repeatable=True)
    steps = [fails(httpx.ReadTimeout, took=60.0)] * 3
    async with on_stage(*steps, deadline=1000.0) as (client, script):
        reply = await client.call(question)
    assert (4, 0) == (len(script.seen), reply.raw["ErrorCode"])


# The deadline


@LANES
async def test_each_attempt_may_take_what_is_left(lane: str) -> None:
    """The time-outs handed to the transport never reach beyond the deadline."""
    steps = [fails(httpx.ConnectTimeout, took=10.0)] * 5
    async with on_stage(*steps, lane=lane, timeout=12.0, deadline=25.0) as (client, script):
        error = await failure(send(client))
    whole = [seen.timeouts["pool" if lane == "borrowed" else "total"] for seen in script.seen]
    assert pytest.approx([25.0, 14.95, 4.85]) == whole
    if lane == "borrowed":
        assert pytest.approx([12.0, 12.0, 4.85]) == [seen.timeouts["read"] for seen in script.seen]
    assert (3, NOT_SENT) == (error.attempts, error.delivery)


async def test_a_pause_that_would_end_too_late_is_not_made() -> None:
    """The error comes at once, instead of after a useless wait."""
    steps = [Step(http(503).reply, 503, took=9.95)]
    async with on_stage(*steps, deadline=10.0, world=FakeWorld(half=1.0)) as (client, script):
        error = await failure(send(client))
    assert ([], 1, UNKNOWN) == (script.world.pauses, error.attempts, error.delivery)


@pytest.mark.parametrize("wait", [30, 31, 121])
async def test_a_retry_after_beyond_the_deadline_is_raised_at_once(wait: int) -> None:
    """Whoever asks for more patience than there is, is told to the caller."""
    async with on_stage(http(429, Retry_After=str(wait)), deadline=30.0) as (client, script):
        error = await failure(send(client))
    assert ([], 1, wait) == (script.world.pauses, error.attempts, error.retry_after)
    assert (errors.RateLimitError, REJECTED, True) == (type(error), error.delivery, error.retryable)


async def test_a_retry_after_longer_than_the_policy_obeys_is_raised_at_once() -> None:
    """However long the deadline, ``max_retry_after`` bounds a single pause."""
    async with on_stage(http(429, Retry_After="121"), deadline=1000.0) as (client, script):
        error = await failure(send(client))
    assert ([], 121.0) == (script.world.pauses, error.retry_after)


async def test_a_deadline_that_passes_in_the_pause_raises_the_earlier_error() -> None:
    """An attempt that cannot begin any more tells less than the one before it."""
    async with on_stage(http(502), deadline=10.0) as (client, script):

        async def oversleep(seconds: float) -> None:
            script.world.now += seconds + 60.0

        client._caller.world = evolve(client._caller.world, sleep=oversleep)
        error = await failure(send(client))
    assert (errors.ReplyError, UNKNOWN, 1, 77) == (type(error), error.delivery, error.attempts, error.msg_random)


async def test_a_deadline_that_passes_before_the_first_attempt_says_so() -> None:
    """Nothing was sent, and the error says that."""
    world = FakeWorld()

    async def slow() -> str:
        world.now += 60.0
        return "signature"

    async with on_stage(world=world, usersig=slow) as (client, script):
        error = await failure(send(client))
    assert (errors.ConnectionFailedError, NOT_SENT) == (type(error), error.delivery)
    assert (0, 77, True, []) == (error.attempts, error.msg_random, error.retryable, script.seen)


# The budget


async def test_an_outage_drains_the_budget_of_the_whole_client() -> None:
    """500 tokens pay 35 retries at 14 each; then every call is tried once, until successes refill the budget."""
    async with on_stage(*[http(502)] * 100) as (client, script):
        tried = [(await failure(send(client))).attempts for _ in range(9)]
        assert [6, 6, 6, 6, 6, 6, 6, 1, 1] == tried
        script.steps.clear()
        for _ in range(3):
            await send(client)
        script.steps.append(http(502))
        assert 1 == (await failure(send(client))).attempts
        await send(client)
        script.steps.append(http(502))
        assert 2 == (await send(client)).attempts


async def test_a_success_gives_back_what_its_own_retries_took() -> None:
    """A steady share of faults never empties the budget."""
    async with on_stage() as (client, script):
        for _ in range(100):
            script.steps.append(http(502))
            assert 2 == (await send(client)).attempts
    assert 200 == len(script.seen)


async def test_being_throttled_costs_nothing() -> None:
    """An answer of "too many calls" is met with patience, not from the budget."""
    async with on_stage(*[answer(60011)] * 60) as (client, _):
        assert [6] * 10 == [(await failure(send(client))).attempts for _ in range(10)]


# What is told


@pytest.mark.parametrize(("key", "shown"), [("k1_2", "k1_2"), (7, None), (None, None)])
async def test_a_result_shows_the_message_key_and_the_whole_reply(key: object, shown: str | None) -> None:
    """Fields that no page names are kept, and a key of an unknown kind is left in the reply."""
    envelope = {"ActionStatus": "OK", "ErrorCode": 0, "MsgKey": key, "New": [1]}
    async with on_stage(Step(json.dumps(envelope).encode())) as (client, _):
        result = await send(client)
    assert (shown, envelope, 1, False) == (result.msg_key, result.raw, result.attempts, result.resent)


async def test_hooks_hear_of_every_attempt_retry_and_result() -> None:
    """The events carry the path, the attempt, the pause, the error and the MsgRandom."""
    notes = Notes()
    async with on_stage(http(502), answer(70001), answer(141005), hooks=[notes]) as (client, _):
        error = await failure(send(client))
    assert [1, 2, 3] == [event.attempt for event in notes.requests]
    assert [(1, 0.05), (2, 0.0)] == [(event.attempt, event.pause) for event in notes.retries]
    (result,) = notes.results
    assert (3, UNKNOWN, error) == (result.attempts, result.delivery, result.error)
    assert pytest.approx(0.05) == result.elapsed
    events = [*notes.requests, *notes.retries, *notes.results]
    assert {("/v4/desk_http_svc/send_msg", 77)} == {(event.path, event.msg_random) for event in events}


async def test_hooks_hear_of_a_success() -> None:
    """A message that was accepted is SENT."""
    notes = Notes()
    async with on_stage(hooks=[notes]) as (client, _):
        await send(client)
    assert [(1, Delivery.SENT, None)] == [(e.attempts, e.delivery, e.error) for e in notes.results]


async def test_a_hook_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Its mistake is logged; the message goes its way."""

    class Broken(Notes):
        def on_request(self, event: object, /) -> None:
            raise RuntimeError("my mistake")

        on_retry = on_result = on_request

    notes = Notes()
    async with on_stage(http(502), hooks=[Broken(), notes]) as (client, _):
        assert 2 == (await send(client)).attempts
    assert (2, 1, 1) == (len(notes.requests), len(notes.retries), len(notes.results))
    wanted = ["on_request of Broken failed", "on_retry of Broken failed", "on_request of Broken failed"]
    assert [*wanted, "on_result of Broken failed"] == [r.message for r in caplog.records if r.levelname == "ERROR"]
