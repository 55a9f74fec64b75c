"""The client's life: its loop, its end, and cancellation at any point in between."""

from __future__ import annotations

import asyncio
import gc
import logging
import warnings
from typing import Any

import anyio
import httpx
import pytest
from attrs import evolve

from deskim import AsyncDeskClient, Delivery, Message, RateLimit, errors
from deskim.errors import ClientClosedError, ConfigurationError
from deskim.testing import FakeDesk
from tests.client.stage import APP_ID, KEY, FakeWorld, Notes, answer, fails, http, on_stage
from tests.client.test_retries import failure, send

pytestmark = pytest.mark.anyio
DESK_KEY = "0123456789abcdef" * 4


class Gate:
    """Hold up what passes until it is opened."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, *_: object) -> str:
        self.reached.set()
        await self.open.wait()
        return "signature"

    acquire = __call__

    def slow_down(self, retry_after: float | None) -> None:
        raise AssertionError(retry_after)


class GatedTransport(httpx.AsyncBaseTransport):
    """Answer when the gate is open."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._gate()
        return httpx.Response(200, json={"ErrorCode": 0})


def gated(gate: Gate, **settings: Any) -> AsyncDeskClient:
    """Return a client whose attempts stop at a gate."""
    return AsyncDeskClient(
        APP_ID,
        secret_key=KEY,
        rate_limit=None,
        http_client=httpx.AsyncClient(transport=GatedTransport(gate)),
        **settings,
    )


# The end


async def test_a_closed_client_refuses_calls_and_may_be_closed_again() -> None:
    """Every way to use it raises ClientClosedError, and nothing is sent."""
    async with on_stage() as (client, script):
        await client.aclose()
        await client.aclose()
        error = await failure(send(client))
        assert (ClientClosedError, Delivery.NOT_SENT, 0, 77) == (
            type(error),
            error.delivery,
            error.attempts,
            error.msg_random,
        )
        with pytest.raises(ClientClosedError):
            async with client:
                pass
    assert [] == script.seen


async def test_closing_waits_for_calls_under_way() -> None:
    """Several tasks may close it at once; all return when the calls are done."""
    gate = Gate()
    client = gated(gate, timeout=3600.0)
    sending = asyncio.create_task(send(client))
    await gate.reached.wait()
    closing = [asyncio.create_task(client.aclose()) for _ in range(3)]
    await asyncio.sleep(0)
    assert [False] * 3 == [task.done() for task in closing]
    assert isinstance(await failure(send(client)), ClientClosedError)
    gate.open.set()
    assert 1 == (await sending).attempts
    async with asyncio.timeout(30.0):  # so that a failure shows as one, an hour before the client's own patience ends
        await asyncio.gather(*closing)


async def test_closing_waits_no_longer_than_one_attempt() -> None:
    """What hangs does not keep the program from ending."""
    gate = Gate()
    client = gated(gate, timeout=0.01)
    sending = asyncio.create_task(send(client))
    await gate.reached.wait()
    await client.aclose()
    assert not sending.done()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_a_call_that_outlives_the_client_learns_what_is_known() -> None:
    """The connections are closed under it: its reply is lost, and no further attempt is made."""
    desk, notes = FakeDesk(secret_key=DESK_KEY), Notes()
    desk.delay_next(30.0)
    async with desk.serve() as served:
        client = served.client(timeout=30.0, deadline=60.0, hooks=[notes])
        sending = asyncio.create_task(client.send_to_session("session", "text", msg_random=5))
        while not desk.requests:  # noqa: ASYNC110 - the fake has no event for it
            await asyncio.sleep(0.001)
        await client._caller.aclose()
        error = await failure(sending)
        await client.aclose()
    assert (errors.ReplyLostError, Delivery.UNKNOWN, 1, 5) == (
        type(error),
        error.delivery,
        error.attempts,
        error.msg_random,
    )
    assert (1, []) == (len(desk.requests), notes.retries)


async def test_a_call_that_waited_while_the_client_was_closed_sends_nothing() -> None:
    """It was not sent, and the error says why."""
    gate = Gate()
    async with on_stage(rate_limit=gate) as (client, script):
        sending = asyncio.create_task(send(client))
        await gate.reached.wait()
        await client._caller.aclose()
        gate.open.set()
        error = await failure(sending)
    assert (ClientClosedError, Delivery.NOT_SENT, []) == (type(error), error.delivery, script.seen)


async def test_a_call_between_two_attempts_keeps_its_error_when_the_client_is_closed() -> None:
    """The failure of the attempt that was made tells more than the closing."""
    async with on_stage(http(502)) as (client, _):

        async def close(seconds: float) -> None:
            await client._caller.aclose()

        client._caller.world = evolve(client._caller.world, sleep=close)
        error = await failure(send(client))
    assert (errors.ReplyError, Delivery.UNKNOWN, 1) == (type(error), error.delivery, error.attempts)


async def test_an_exception_in_the_block_closes_the_client_and_passes() -> None:
    """``async with`` closes whatever happens."""
    with pytest.raises(ZeroDivisionError):
        async with AsyncDeskClient(APP_ID, secret_key=KEY) as client:
            raise ZeroDivisionError
    assert client._life._closed


async def test_the_borrowed_client_stays_open() -> None:
    """It belongs to the caller; closed by the caller, it is named."""
    async with httpx.AsyncClient(transport=GatedTransport(Gate())) as wire:
        async with AsyncDeskClient(APP_ID, secret_key=KEY, http_client=wire):
            pass
        assert not wire.is_closed
    async with AsyncDeskClient(APP_ID, secret_key=KEY, http_client=wire) as client:
        error = await failure(send(client))
    assert (ClientClosedError, Delivery.NOT_SENT) == (type(error), error.delivery)
    assert "keep it open" in str(error)


def test_a_client_that_was_used_and_not_closed_warns() -> None:
    """A forgotten aclose() shows as a ResourceWarning that says what to do; a borrowed client has nothing to close."""

    async def use(client: AsyncDeskClient) -> None:
        await client.__aenter__()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for settings in ({}, {"http_client": httpx.AsyncClient()}):
            client = AsyncDeskClient(APP_ID, secret_key=KEY, **settings)
            asyncio.run(use(client))
            del client
            gc.collect()
    assert [(ResourceWarning, True)] == [(w.category, "use `async with`" in str(w.message)) for w in caught]


# The loop


def test_one_client_serves_one_loop() -> None:
    """On another loop it says so, before anything is sent, whether the first one is still open or not."""
    client = AsyncDeskClient(APP_ID, secret_key=KEY)
    first = asyncio.new_event_loop()
    first.run_until_complete(client.__aenter__())

    async def misuse() -> None:
        assert isinstance(await failure(send(client)), ConfigurationError)
        with pytest.raises(ConfigurationError, match="another event loop"):
            await client.aclose()

    asyncio.run(misuse())
    first.run_until_complete(client.aclose())
    first.close()


def test_a_client_whose_loop_is_gone_can_be_closed() -> None:
    """What is left of it is given up on any loop."""
    client = AsyncDeskClient(APP_ID, secret_key=KEY)
    asyncio.run(client.__aenter__())
    asyncio.run(client.aclose())
    assert client._life._closed


# Cancellation


@pytest.mark.parametrize(
    ("where", "known"),
    [
        ("pacing", Delivery.NOT_SENT),
        ("signing", Delivery.NOT_SENT),
        ("sending", Delivery.UNKNOWN),
        ("pause after 60011", Delivery.REJECTED),
        ("pause after 502", Delivery.UNKNOWN),
    ],
)
async def test_a_call_may_be_cancelled_at_any_point(where: str, known: Delivery) -> None:
    """CancelledError passes, the hooks hear what is known, and the client goes on working."""
    gate, notes, world = Gate(), Notes(), FakeWorld()
    settings: dict[str, Any] = {"pacing": {"rate_limit": gate}, "signing": {"usersig": gate}}.get(where, {})
    steps = {"pause after 60011": [answer(60011)], "pause after 502": [http(502)]}.get(where, [])
    async with on_stage(*steps, world=world, hooks=[notes], **settings) as (client, _):
        if where.startswith("pause"):
            client._caller.world = evolve(client._caller.world, sleep=gate)
        if where == "sending":
            client._caller.lane._client._transport = GatedTransport(gate)  # type: ignore[attr-defined]
        sending = asyncio.create_task(send(client))
        await gate.reached.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert [(known, None, 77)] == [(e.delivery, e.error, e.msg_random) for e in notes.results]
        gate.open.set()
        assert 1 == (await send(client)).attempts
        assert 0 == client._life._calls


async def test_an_item_of_a_batch_may_be_cancelled_while_it_waits_for_its_slot() -> None:
    """Its deadline has not even begun."""
    gate, notes = Gate(), Notes()
    async with on_stage(rate_limit=gate, hooks=[notes]) as (client, script):
        sending = asyncio.create_task(client._deliver(Message.to_session("s", "text"), "batch", 1.0))
        await gate.reached.wait()
        script.world.now += 3600.0
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert [(Delivery.NOT_SENT, 0)] == [(e.delivery, e.attempts) for e in notes.results]
        gate.open.set()
        assert 1 == (await client._deliver(Message.to_session("s", "text"), "batch", 1.0)).attempts


async def test_scopes_that_give_up_leave_a_working_client() -> None:
    """Cancel scopes of anyio and task groups of asyncio end sends at any moment, and the next ones go through."""
    desk = FakeDesk(secret_key=DESK_KEY)
    async with desk.serve() as served, served.client(max_connections=2) as client:
        for n in range(6):
            desk.delay_next(5.0)
            with anyio.move_on_after(0.002 * n) as scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(client.send_to_session, "session", "anyio")
            assert scope.cancelled_caught
            desk.delay_next(5.0)
            with pytest.raises(ExceptionGroup):  # noqa: PT012 - the group itself raises
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(client.send_to_session("session", "asyncio"))
                    await asyncio.sleep(0.002 * n)
                    raise ZeroDivisionError
        desk._faults.clear()
        sent = await asyncio.gather(*[client.send_to_session("session", f"after {n}") for n in range(10)])
    assert [1] * 10 == [result.attempts for result in sent]


# Pacing


async def test_a_slot_that_does_not_come_in_time_is_named() -> None:
    """The deadline covers the wait for pacing: nothing was sent, and the error says what to do."""
    gate = Gate()
    async with on_stage(rate_limit=gate) as (client, script):
        error = await failure(client.send_to_session("session", "text", msg_random=77, deadline=0.01))
    assert (errors.RateLimitError, Delivery.NOT_SENT, 0, 77, True) == (
        type(error),
        error.delivery,
        error.attempts,
        error.msg_random,
        error.retryable,
    )
    assert "raise rate_limit" in str(error)
    assert [] == script.seen


async def test_a_second_slot_that_does_not_come_in_time_leaves_the_earlier_error() -> None:
    """What the first attempt met tells more than the wait for the second."""

    class OneSlot(Gate):
        async def acquire(self, *_: object) -> None:
            if self.reached.is_set():
                await self.open.wait()
            self.reached.set()

    async with on_stage(fails(httpx.ReadTimeout), rate_limit=OneSlot()) as (client, _):
        error = await failure(client.send_to_session("session", "text", msg_random=77, deadline=0.06))
    assert (errors.ReplyLostError, Delivery.UNKNOWN, 1, 77) == (
        type(error),
        error.delivery,
        error.attempts,
        error.msg_random,
    )


@pytest.mark.parametrize("failing", [OSError("redis is away"), TimeoutError("redis is slow")])
async def test_a_pacer_that_fails_is_named(failing: Exception) -> None:
    """Its error is kept as the cause, and nothing is sent; its own time-out is not ours."""

    class Failing(Gate):
        async def acquire(self, *_: object) -> None:
            raise failing

    async with on_stage(rate_limit=Failing()) as (client, script):
        for queue in ("interactive", "batch"):
            error = await failure(client._deliver(Message.to_session("s", "text"), queue, None))  # type: ignore[arg-type]
            assert (ConfigurationError, Delivery.NOT_SENT, failing) == (type(error), error.delivery, error.__cause__)
    assert [] == script.seen


async def test_a_pacer_hears_that_desk_throttles(caplog: pytest.LogCaptureFixture) -> None:
    """Only of what Desk itself said, with its Retry-After; a mistake in the pacer changes nothing."""
    heard: list[float | None] = []

    class Listening(Gate):
        async def acquire(self, *_: object) -> None:
            pass

        def slow_down(self, retry_after: float | None) -> None:
            heard.append(retry_after)
            raise RuntimeError("my mistake")

    async with on_stage(answer(60011), http(429, Retry_After="2"), http(502), rate_limit=Listening()) as (client, _):
        assert 4 == (await send(client)).attempts
    assert [None, 2.0] == heard
    failed = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert ["slow_down of the pacer failed"] * 2 == [record.getMessage() for record in failed]


async def test_our_own_pacing_holds_calls_back() -> None:
    """The third call waits until its slot falls due by the client's clock."""
    async with on_stage(rate_limit=RateLimit(100, burst=2)) as (client, script):
        await send(client)
        await send(client)
        third = asyncio.create_task(send(client))
        await asyncio.sleep(0)
        assert not third.done()
        script.world.now += 1.0
        assert 1 == (await third).attempts
        script.world.now += 1.0
        result = await client._deliver(Message.to_session("s", "text"), "batch", None)
    assert (4, 0.0) == (len(script.seen), result.elapsed)


# Many calls


async def test_a_thousand_calls_at_once_over_a_socket() -> None:
    """Each message is seen once, no more connections are open than allowed, and nothing is left when it is closed."""
    desk = FakeDesk(secret_key=DESK_KEY)
    async with desk.serve() as served:
        async with served.client(max_connections=32) as client:
            sent = await asyncio.gather(*[client.send_to_session("session", f"{n}") for n in range(1000)])
            transport = client._caller.lane._transport  # type: ignore[attr-defined]
            assert transport.stats().opened <= 32
        assert (0, 0) == (transport.stats().open, transport.stats().waiting)
    assert {f"{n}" for n in range(1000)} == {message.text for message in desk.messages}
    assert 1000 == len({result.msg_random for result in sent}) == len(desk.requests)


async def test_the_deadline_of_an_item_of_a_batch_begins_with_its_slot() -> None:
    """However long the batch waits for pacing, each item has all of its time."""

    class Slow(Gate):
        async def acquire(self, *_: object) -> None:
            script.world.now += 3600.0

    async with on_stage(rate_limit=Slow()) as (client, script):
        result = await client._deliver(Message.to_session("s", "text"), "batch", 5.0)
    assert (1, 0.0) == (result.attempts, result.elapsed)
    assert 5.0 == script.seen[0].timeouts["pool"]
