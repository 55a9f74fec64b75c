from __future__ import annotations

import traceback
from typing import Any

import httpx
import pytest

from deskim import errors
from deskim._client import AsyncDeskClient
from deskim._retry import RetryPolicy
from deskim._usersig import sign_usersig
from deskim.payloads import Card
from deskim.testing import FakeDesk
from tests.support.poster import shown

pytestmark = pytest.mark.anyio

CARD = Card(header="tea", desc="green", pic="https://example.com/tea.png", url="https://example.com")


async def test_a_client_sends_in_memory() -> None:
    """The client of the fake signs, sends and is understood."""
    desk = FakeDesk(secret_key="a key of the test")
    async with desk.client() as client:
        await client.send_to_user("user45", "hello", CARD)
        await client.send_to_session("session", "hello")
    (to_user,) = desk.sent_to("user45")
    assert ("hello", CARD, "@customer_service_account") == (to_user.text, to_user.payload, to_user.from_account)
    assert ["hello"] == [seen.text for seen in desk.sent_to_session("session")]
    assert [0, 0] == [request.code for request in desk.requests]


async def test_a_client_sends_over_the_socket() -> None:
    """What serves the fake gives clients for it, too."""
    desk = FakeDesk()
    async with desk.serve() as served, served.client() as client:
        await client.send_to_user("user45", CARD)
    assert [CARD] == [seen.payload for seen in desk.messages]


async def test_settings_of_the_client_can_be_overridden() -> None:
    """Any argument of the client may be given, the signature and the sender among them."""
    desk = FakeDesk(identifier="root")
    usersig = sign_usersig(desk.sdk_app_id, desk.secret_key, "root")
    async with desk.client(usersig=usersig, customer_service_account="@sales") as client:
        await client.send_to_user("user45", "hello")
    async with desk.client(secret_key="another key") as client:
        with pytest.raises(errors.AuthenticationError):
            await client.send_to_user("user45", "hello")
    assert ["@sales"] == [seen.from_account for seen in desk.messages]
    assert [0, 70009] == [request.code for request in desk.requests]


async def test_a_transport_that_ignores_the_target_is_told_apart() -> None:
    """Without the target extension no parameter arrives: Desk names the first, the client names the remedy."""
    desk = FakeDesk()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(desk)) as http, desk.client(http_client=http) as client:
        with pytest.raises(errors.DeskError, match='signature_in="url"'):
            await client.send_to_session("session", "hello")
    assert [({}, 60012)] == [(request.query, request.code) for request in desk.requests]


async def test_a_signature_in_the_url_is_found_as_well() -> None:
    """The same transport works with the signature in the URL."""
    desk = FakeDesk()
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(desk)) as http,
        desk.client(http_client=http, signature_in="url") as client,
    ):
        await client.send_to_session("session", "hello")
    assert [0] == [request.code for request in desk.requests]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"dedup_window": 120}, ["hello"]), ({"dedup_window": 0}, ["hello", "hello"])],
    ids=["deduplicating", "not deduplicating"],
)
async def test_a_retry_after_a_lost_reply_shows_whether_desk_deduplicates(
    settings: dict[str, Any], expected: list[str]
) -> None:
    """A dropped reply makes the client send again, the same message; users see it once, or not."""
    desk = FakeDesk(**settings)
    desk.drop_replies()
    async with desk.client() as client:
        await client.send_to_session("session", "hello")
    assert expected == [seen.text for seen in desk.messages]
    assert 1 == len({request.body for request in desk.requests})


async def test_a_late_reply_ends_in_what_is_unknown() -> None:
    """The client's timeout counts in memory as on a socket."""
    desk = FakeDesk()
    desk.delay_next(30)
    async with desk.client(timeout=0.05, retry=None) as client:
        with pytest.raises(errors.ReplyLostError):
            await client.send_to_session("session", "hello")
    await shown(desk)


async def test_no_traceback_shows_the_signature_or_the_key() -> None:
    """Neither the fake's frames nor the client's hold a secret in a variable while something fails."""
    desk = FakeDesk(secret_key="canary key of the test")
    desk.drop_replies()
    async with desk.client(retry=RetryPolicy(max_attempts=1)) as client:
        with pytest.raises(errors.ReplyLostError) as lost:
            await client.send_to_session("session", "hello")
    with pytest.raises(TypeError) as wrong:
        desk.client(no_such_setting=1)
    told = "".join(_with_locals(error) for error in (lost.value, wrong.value))
    assert [] == [word for word in (desk.secret_key, desk.requests[0].query["usersig"]) if word in told]


def _with_locals(error: BaseException) -> str:
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def test_a_client_of_another_name_is_the_same_class() -> None:
    """The fake gives the one client there is."""
    assert AsyncDeskClient is type(FakeDesk().client())
