from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from deskim.testing import FakeDesk
from tests.support.poster import Poster, in_memory, message, shown

pytestmark = pytest.mark.anyio


async def test_the_next_calls_fail_with_a_code_and_then_no_more(poster: Poster) -> None:
    """A scripted code is answered as often as asked, before the message is accepted."""
    poster.desk.fail_next(60011, times=2)
    assert [60011, 60011, 0] == [await poster.code(message()) for _ in range(3)]
    assert 1 == len(poster.desk.messages)


@pytest.mark.parametrize(("info", "expected"), [(None, True), ("so it is", "so it is"), ("", "")])
async def test_a_scripted_code_explains_itself(desk: FakeDesk, info: str | None, expected: object) -> None:
    """The ErrorInfo is the caller's, or else what the tables say of the code."""
    desk.fail_next(141002, info=info)
    async with in_memory(desk) as poster:
        said = (await poster.post(message())).json()["ErrorInfo"]
    assert expected == (bool(said) if info is None else said)


@pytest.mark.parametrize(("code", "error"), [("x", TypeError), (True, TypeError), (None, TypeError), (0, ValueError)])
async def test_only_the_code_of_a_failure_is_scripted(desk: FakeDesk, code: Any, error: type[Exception]) -> None:
    """What no reply of Desk's could say is refused at once, not when the reply is read."""
    with pytest.raises(error, match="code must be an ErrorCode"):
        desk.fail_next(code=code)


async def test_a_code_that_no_page_names_can_be_scripted(desk: FakeDesk) -> None:
    """Tencent adds codes; nothing is said of them."""
    desk.fail_next(99999)
    async with in_memory(desk) as poster:
        assert {"ActionStatus": "FAIL", "ErrorInfo": "", "ErrorCode": 99999} == (await poster.post(message())).json()


async def test_a_dropped_reply_cuts_the_connection_after_the_message_was_taken(poster: Poster) -> None:
    """The sender learns nothing, the user sees the message, and a repetition is recognised."""
    poster.desk.drop_replies()
    with pytest.raises(httpx.RemoteProtocolError):
        await poster.post(message())
    assert ["hi"] == [seen.text for seen in poster.desk.messages]
    assert 0 == await poster.code(message())
    assert [(0, False, True), (0, True, False)] == [(r.code, r.duplicate, r.dropped) for r in poster.desk.requests]
    assert 1 == len(poster.desk.messages)


async def test_a_gateway_answers_instead(poster: Poster) -> None:
    """Any status, body and headers can stand in for Desk's reply."""
    poster.desk.respond_next(502, "<h1>Bad Gateway</h1>", {"Content-Type": "text/html", "Retry-After": "2"})
    reply = await poster.post(message())
    assert (502, "<h1>Bad Gateway</h1>") == (reply.status_code, reply.text)
    assert ("text/html", "2", "20") == tuple(
        reply.headers[n] for n in ("content-type", "retry-after", "content-length")
    )
    assert [] == poster.desk.messages
    assert [(502, None)] == [(request.status, request.code) for request in poster.desk.requests]


async def test_a_gateway_may_say_nothing(poster: Poster) -> None:
    """Without arguments the reply is an empty 200."""
    poster.desk.respond_next()
    reply = await poster.post(message())
    assert (200, b"") == (reply.status_code, reply.content)


async def test_a_reply_of_ones_own_is_sent_as_json(desk: FakeDesk) -> None:
    """A mapping as body becomes JSON: the way to answer calls that the fake does not know."""
    desk.respond_next(body={"ErrorCode": 0, "CurrentState": "Agent"}, times=2)
    async with in_memory(desk) as poster:
        replies = [await poster.post({}, path="/v4/desk_http_svc/get_session_state") for _ in range(2)]
    assert [{"ErrorCode": 0, "CurrentState": "Agent"}] * 2 == [reply.json() for reply in replies]
    assert "application/json; charset=utf-8" == replies[0].headers["content-type"]


async def test_a_late_reply_comes_after_the_message_was_shown(poster: Poster) -> None:
    """A delay holds back the reply, not the message."""
    poster.desk.delay_next(0.2)
    sending = asyncio.create_task(poster.post(message()))
    await shown(poster.desk)
    assert not sending.done()
    assert 0 == (await sending).json()["ErrorCode"]


async def test_a_reply_that_is_too_late_is_a_timeout(poster: Poster) -> None:
    """The client's own read timeout ends the waiting; the message was taken all the same."""
    poster.desk.delay_next(30)
    with pytest.raises(httpx.ReadTimeout):
        await poster.post(message(), timeout=0.05)
    assert 1 == len(poster.desk.messages)
    assert 0 == await poster.code(message())


async def test_a_call_that_waits_can_be_cancelled(poster: Poster) -> None:
    """Cancelling the sender leaves nothing behind."""
    poster.desk.delay_next(30)
    sending = asyncio.create_task(poster.post(message()))
    await shown(poster.desk)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert 0 == await poster.code(message())


async def test_faults_happen_in_the_order_in_which_they_were_asked_for(desk: FakeDesk) -> None:
    """One fault a request, first come, first served."""
    desk.fail_next(60007)
    desk.drop_replies()
    desk.respond_next(body={"ErrorCode": 7})
    desk.fail_next(60018)
    async with in_memory(desk) as poster:
        first = await poster.code(message())
        with pytest.raises(httpx.RemoteProtocolError):
            await poster.post(message())
        assert [60007, 7, 60018, 0] == [first, *[await poster.code(message()) for _ in range(3)]]


async def test_a_fault_can_wait_for_one_call(desk: FakeDesk) -> None:
    """A fault for one command leaves the others alone, and later faults go first where it does not apply."""
    desk.fail_next(141001, command="contact_user")
    desk.fail_next(141002)
    async with in_memory(desk) as poster:
        found = [await poster.code(message()) for _ in range(2)]
        found += [await poster.code({}, path="/v4/desk_http_svc/contact_user") for _ in range(2)]
    assert [141002, 0, 141001, 141004] == found


@pytest.mark.parametrize("times", [0, -1])
def test_a_fault_happens_at_least_once(desk: FakeDesk, times: int) -> None:
    """A fault that would never happen is a mistake in the test."""
    with pytest.raises(ValueError, match="times must be at least 1"):
        desk.drop_replies(times)
