"""The UserSig: asked for once, renewed once, and the minute after too many wrong ones."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from deskim import Delivery, Message, RetryPolicy, UserSigSigner, errors, sign_usersig
from tests.client.stage import APP_ID, KEY, FakeWorld, Notes, answer, fails, http, on_stage
from tests.client.test_retries import failure, send

pytestmark = pytest.mark.anyio


class Provider:
    """Give numbered UserSigs; fail or dawdle when told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.fails: Exception | None = None
        self.waits = False

    async def __call__(self) -> str:
        self.calls += 1
        await asyncio.sleep(0)
        if self.fails is not None:
            raise self.fails
        if self.waits:
            await asyncio.Event().wait()
        return f"signature-{self.calls}"


async def test_an_expired_usersig_is_renewed_once() -> None:
    """70001 is answered by one more attempt with a new UserSig, at once and with the same bytes."""
    provider = Provider()
    async with on_stage(answer(70001), usersig=provider) as (client, script):
        assert 2 == (await send(client)).attempts
    assert ["signature-1", "signature-2"] == [seen.query["usersig"] for seen in script.seen]
    assert 1 == len({seen.body for seen in script.seen})
    assert [0.0] == script.world.pauses


async def test_a_second_70001_is_raised() -> None:
    """Signing again helps once or not at all, as with a clock that is wrong."""
    async with on_stage(answer(70001), answer(70001)) as (client, script):
        error = await failure(send(client))
    assert (errors.AuthenticationError, 70001, Delivery.REJECTED, 2) == (
        type(error),
        error.code,
        error.delivery,
        error.attempts,
    )
    assert 2 == len(script.seen)


async def test_renewing_does_not_use_up_the_attempts() -> None:
    """A failure that passes is still tried again after a renewal, and the renewal after it."""
    async with on_stage(http(502), answer(70001), http(502)) as (client, script):
        assert 4 == (await send(client)).attempts
    assert [0.05, 0.0, 0.2] == script.world.pauses


async def test_the_signer_signs_anew() -> None:
    """A signer forgets the UserSig that Desk did not take."""
    world = FakeWorld()
    signer = UserSigSigner(APP_ID, KEY, clock=iter(range(1, 10)).__next__)
    async with on_stage(answer(70001), usersig=signer, world=world) as (client, script):
        await send(client)
    assert 2 == len({seen.query["usersig"] for seen in script.seen})


@pytest.mark.parametrize("settings", [{"usersig": "ready"}, {"retry": None}])
async def test_what_cannot_be_renewed_is_raised(settings: dict[str, object]) -> None:
    """A ready-made UserSig is all there is, and ``retry=None`` is one attempt."""
    async with on_stage(answer(70001), **settings) as (client, script):
        error = await failure(send(client))
    assert (70001, 1, 1) == (error.code, error.attempts, len(script.seen))


async def test_a_hundred_calls_with_one_expired_usersig_renew_it_once() -> None:
    """Whoever learns late that the UserSig had expired uses the one that was renewed meanwhile."""
    provider = Provider()
    async with on_stage(*[answer(70001)] * 100, usersig=provider) as (client, script):
        results = await asyncio.gather(*[client.send_to_session("s", f"{n}") for n in range(100)])
        assert {2} == {result.attempts for result in results}
    assert (200, 2) == (len(script.seen), provider.calls)


async def test_stragglers_do_not_discard_a_usersig_that_was_just_renewed() -> None:
    """Who learns late that the old one expired drops the one that was refused, not the one that is current."""
    provider, held, late = Provider(), asyncio.Event(), asyncio.Event()

    async def handle(request: httpx.Request) -> httpx.Response:
        expired = b"signature-1" in request.extensions["target"]
        if b"late" in request.content and expired:
            held.set()
            await late.wait()
        return httpx.Response(200, json={"ErrorCode": 70001 if expired else 0})

    wire = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    async with on_stage(usersig=provider, http_client=wire) as (client, _):
        straggler = asyncio.create_task(client.send_to_session("s", "late"))
        await held.wait()
        assert 2 == (await send(client)).attempts
        late.set()
        assert 2 == (await straggler).attempts
    assert 2 == provider.calls


async def test_a_renewal_that_fails_raises_the_refusal(caplog: pytest.LogCaptureFixture) -> None:
    """The caller learns that the UserSig expired; why there is no new one stands in the log."""
    provider = Provider()
    async with on_stage(answer(70001), usersig=provider) as (client, _):
        await client._caller.signatures.get()
        provider.fails = RuntimeError("the key server is away")
        error = await failure(send(client))
    assert (70001, 1) == (error.code, error.attempts)
    assert ["signing again failed: the usersig provider failed (RuntimeError); nothing was sent"] == [
        record.getMessage() for record in caplog.records if record.name == "deskim"
    ]


async def test_a_renewal_that_takes_too_long_raises_the_refusal() -> None:
    """The deadline bounds the provider, too."""
    provider = Provider()
    async with on_stage(usersig=provider) as (client, script):
        await send(client)
        provider.waits = True
        script.steps.append(answer(70001))
        error = await failure(client.send_to_session("s", "text", deadline=0.01))
    assert (70001, 1) == (error.code, error.attempts)


async def test_a_provider_that_fails_is_named_and_nothing_is_sent() -> None:
    """The cause is kept for whoever wrote the provider."""
    provider = Provider()
    provider.fails = KeyError("vault")
    notes = Notes()
    async with on_stage(usersig=provider, hooks=[notes]) as (client, script):
        error = await failure(send(client))
    assert (errors.ConfigurationError, Delivery.NOT_SENT, 0, 77) == (
        type(error),
        error.delivery,
        error.attempts,
        error.msg_random,
    )
    assert ([], provider.fails) == (script.seen, error.__cause__)
    assert "KeyError" in str(error)
    assert [error] == [event.error for event in notes.results]


async def test_a_provider_that_fails_after_a_lost_reply_leaves_the_message_unknown() -> None:
    """Nothing that comes later makes an unknown outcome known."""
    world = FakeWorld()
    calls = 0

    async def provider() -> str:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError("away")
        return sign_usersig(APP_ID, KEY, "administrator", expire=10, now=int(world.wall()))

    async with on_stage(fails(httpx.ReadTimeout, took=11.0), usersig=provider, world=world) as (client, _):
        error = await failure(send(client))
    assert (errors.ConfigurationError, Delivery.UNKNOWN, 1) == (type(error), error.delivery, error.attempts)


async def test_a_provider_that_gives_nothing_in_time_is_named() -> None:
    """The deadline counts from the beginning of the call, whatever it waits for."""
    provider = Provider()
    provider.waits = True
    async with on_stage(usersig=provider) as (client, script):
        error = await failure(client.send_to_session("s", "text", msg_random=77, deadline=0.01))
    assert (errors.ConfigurationError, Delivery.NOT_SENT, 0, 77, []) == (
        type(error),
        error.delivery,
        error.attempts,
        error.msg_random,
        script.seen,
    )
    assert "before the deadline" in str(error)


@pytest.mark.parametrize("given", [b"bytes", None, 7])
async def test_a_provider_that_gives_no_text_is_told_so(given: object) -> None:
    """What it gave instead is named by its type alone."""

    async def provider() -> object:
        return given

    async with on_stage(usersig=provider) as (client, script):
        error = await failure(send(client))
    assert (errors.ConfigurationError, [], None) == (type(error), script.seen, error.__cause__)
    assert type(given).__name__ in str(error)


# 70050


async def test_after_70050_every_call_fails_for_a_minute_without_io() -> None:
    """More wrong signatures would only keep the lock closed; when the minute is over, calls are made again."""
    async with on_stage(answer(70050)) as (client, script):
        first = await failure(send(client))
        assert (errors.AuthenticationError, Delivery.REJECTED, 60.0) == (type(first), first.delivery, first.retry_after)
        script.world.now += 45.0
        error = await failure(send(client))
        assert (errors.AuthenticationError, 70050, Delivery.NOT_SENT) == (type(error), error.code, error.delivery)
        assert (0, 77, 15.0, True) == (error.attempts, error.msg_random, error.retry_after, error.retryable)
        assert 1 == len(script.seen)
        script.world.now += 15.0
        assert 1 == (await send(client)).attempts


async def test_the_lock_holds_without_a_policy_and_for_batches() -> None:
    """Neither ``retry=None`` nor the batch's queue goes past it."""
    async with on_stage(answer(70050), retry=None) as (client, script):
        await failure(send(client))
        error = await failure(client._deliver(Message.to_session("s", "text"), "batch", None))
    assert (70050, Delivery.NOT_SENT, 1) == (error.code, error.delivery, len(script.seen))


async def test_a_call_that_waited_for_its_turn_finds_the_lock() -> None:
    """The lock is looked at again right before the attempt."""

    class Turn:
        async def acquire(self, lane: str) -> None:
            client._caller._locked_until = client._caller.world.clock() + 60.0

        def slow_down(self, retry_after: float | None) -> None:
            raise AssertionError(retry_after)

    async with on_stage(rate_limit=Turn()) as (client, script):
        error = await failure(send(client))
    assert (70050, Delivery.NOT_SENT, []) == (error.code, error.delivery, script.seen)


async def test_a_lock_of_ones_own_making_does_not_lock() -> None:
    """Whoever calls 70050 transient in ``retry_codes`` has it tried again."""
    policy = RetryPolicy(retry_codes={70050: "transient"})  # type: ignore[dict-item]
    async with on_stage(answer(70050), retry=policy) as (client, _):
        assert 2 == (await send(client)).attempts
