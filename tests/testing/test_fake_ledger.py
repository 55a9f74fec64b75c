from __future__ import annotations

import json

import pytest

from deskim import payloads
from deskim._elements import RawElem, TextElem
from deskim.testing import FakeDesk
from tests.support.poster import SEND_MSG, Clock, Poster, in_memory, message

pytestmark = pytest.mark.anyio

CARD = {"src": "22", "content": {"header": "tea", "desc": "green", "pic": "", "url": ""}, "customerServicePlugin": 0}


def custom(data: str) -> list[dict[str, object]]:
    """Return a MsgBody of one custom element."""
    return [{"MsgType": "TIMCustomElem", "MsgContent": {"Data": data}}]


async def test_every_request_is_on_record(poster: Poster, clock: Clock) -> None:
    """The ledger shows what arrived and what was answered, refusals included."""
    clock.now = 1_700_000_123.0
    await poster.post(message(), headers={"X-Trace": "7"})
    await poster.post(b"{", {"contenttype": None})
    taken, refused = poster.desk.requests
    assert ("POST", SEND_MSG, "send_msg", 1_700_000_123.0) == (taken.method, taken.path, taken.command, taken.time)
    assert (message(), "7", "administrator") == (taken.json, taken.headers["x-trace"], taken.query["identifier"])
    assert (0, 200, False, False) == (taken.code, taken.status, taken.duplicate, taken.dropped)
    assert (b"{", 60002, False) == (refused.body, refused.code, "contenttype" in refused.query)
    with pytest.raises(ValueError, match="Expecting"):
        refused.json  # noqa: B018 - reading it is the test


async def test_no_repr_shows_a_secret(desk: FakeDesk) -> None:
    """The UserSig and the key can be read, but are not shown by accident."""
    async with in_memory(desk) as poster, desk.serve() as served:
        usersig = poster.query()["usersig"]
        await poster.post(message())
        shown = f"{desk!r} {desk.requests!r} {desk.messages!r} {served!r}"
    assert usersig == desk.requests[0].query["usersig"]
    assert [] == [secret for secret in (usersig, desk.secret_key) if secret in shown]
    assert "'usersig': '***'" in shown


async def test_a_long_body_is_shown_in_part(desk: FakeDesk) -> None:
    """The repr of a request stays readable; its body is complete."""
    async with in_memory(desk) as poster:
        await poster.post(message("x" * 1000))
    assert "x" * 1000 in desk.requests[0].body.decode()
    assert 500 > len(repr(desk.requests[0]))


async def test_messages_are_found_by_recipient(desk: FakeDesk) -> None:
    """What one user or one session saw can be asked for."""
    account = {"SessionId": None, "FromAccount": "@customer_service_account"}
    async with in_memory(desk) as poster:
        await poster.post(message("one", **account, ToAccount="user45"))
        await poster.post(message("two", **account, ToAccount="user46"))
        await poster.post(message("three"))
    assert ["one"] == [seen.text for seen in desk.sent_to("user45")]
    assert ["three"] == [seen.text for seen in desk.sent_to_session("session")]
    assert [] == [*desk.sent_to("session"), *desk.sent_to_session("user45")]


async def test_a_message_tells_its_text_and_its_card(desk: FakeDesk) -> None:
    """Texts are joined line by line; the card is decoded."""
    texts = [*message("a")["MsgBody"], *custom(json.dumps(CARD)), *message("b")["MsgBody"]]
    async with in_memory(desk) as poster:
        await poster.post(message(MsgBody=texts))
    (seen,) = desk.messages
    assert "a\nb" == seen.text
    assert payloads.Card(header="tea", desc="green", pic="", url="") == seen.payload
    assert (TextElem("a"), TextElem("b")) == seen.elements[::2]


async def test_a_message_may_carry_no_payload(desk: FakeDesk) -> None:
    """Text of one's own in a custom element is no payload, and neither is a plain message."""
    async with in_memory(desk) as poster:
        await poster.post(message())
        await poster.post(message(MsgBody=custom("plain words")))
    assert [None, None] == [seen.payload for seen in desk.messages]


async def test_an_element_that_nobody_knows_is_shown_raw(desk: FakeDesk) -> None:
    """Types that Tencent may add are taken and kept as they came."""
    async with in_memory(desk) as poster:
        await poster.post(message(MsgBody=[{"MsgType": "TIMNewElem", "MsgContent": {"Any": [1]}}]))
    assert (RawElem("TIMNewElem", {"Any": [1]}),) == desk.messages[0].elements


async def test_reset_forgets_everything() -> None:
    """After a reset the fake is as it was made: ledger, faults, sessions, repetitions and quota."""
    desk = FakeDesk(rate_limit=1, sessions=["session"], clock=Clock())
    async with in_memory(desk) as poster:
        await poster.post(message())
        desk.end_session("session")
        desk.fail_next(141002)
        desk.reset()
        assert ([], []) == (desk.requests, desk.messages)
        assert 0 == await poster.code(message())
    assert 1 == len(desk.messages)
