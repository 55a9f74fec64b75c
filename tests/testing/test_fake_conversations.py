from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from deskim import Card, commands, errors
from deskim.commands import ContactUser, CurrentState, EndSession, GetSessionState, Role, TransferToHuman
from deskim.testing import FakeDesk
from tests.support.poster import Clock, in_memory

pytestmark = pytest.mark.anyio
AGENT = "test_agent@qq.com"
PATH = "/v4/desk_http_svc/"


async def code_of(desk: FakeDesk, command: str, **body: Any) -> int:
    """Return what the fake says to a call."""
    async with in_memory(desk) as poster:
        return await poster.code(body, path=PATH + command)


async def test_a_session_goes_from_the_bot_to_a_human_to_its_end(desk: FakeDesk) -> None:
    """State, hand-over, end and record fit together, through the client."""
    question = GetSessionState(session_id="s")
    async with desk.client() as client:
        states = [await client.call(question)]
        transfer = await client.call(TransferToHuman(session_id="s"))
        states.append(await client.call(question))
        await client.call(EndSession(session_id="s"))
        states.append(await client.call(question))
        now = datetime.fromtimestamp(desk.clock(), UTC)
        records = await client.call(commands.DescribeImCdrList(start_timestamp=now, end_timestamp=now))
    assert [CurrentState.CHATBOT, CurrentState.AGENT, CurrentState.NOT_IN_SESSION] == [s.current_state for s in states]
    assert (AGENT, False, AGENT) == (transfer.agent_id, transfer.is_in_queue, states[1].agent_id)
    assert [("s", AGENT, now)] == [(r.session_id, r.agent_id, r.timestamp) for r in records.im_cdr_list]


async def test_the_history_shows_all_that_was_said(desk: FakeDesk) -> None:
    """Messages of the user, of the bot, streams and messages of the agent stand in the history, page by page."""
    desk.begin_session("s", "user45")
    desk.user_says("s", "Hello")
    async with desk.client() as client:
        await client.send_to_session("s", Card(header="card"))
        await client.send_to_user("user45", "to you")
        async with client.stream_to_session("s") as stream:
            await stream.write("a stream")
        await client.call(TransferToHuman(session_id="s"))
        desk.agent_says("s", "I am here")
        question = commands.DescribeChatMessages(session_id="s", order=commands.Order.OLDEST_FIRST, limit=2)
        found = [message async for message in commands.paged(client, question)]
        newest = await client.call(commands.DescribeChatMessages(session_id="s", limit=1))
    assert [Role.USER, Role.AGENT, Role.AGENT, Role.AGENT, Role.AGENT] == [m.from_account_role for m in found]
    assert ["Hello", "", "to you", "a stream", "I am here"] == [m.text for m in desk.history("s")]
    assert ["user45", AGENT] == [found[0].from_account, found[-1].from_account]
    assert Card(header="card") == found[1].payload
    assert ("I am here", 5) == (newest.messages[0].text, newest.total_count)


async def test_messages_to_strangers_belong_to_no_session(desk: FakeDesk) -> None:
    """A user who is in no session sees a message, and no history has it."""
    async with desk.client() as client:
        await client.send_to_user("user45", "hi")
    assert (["hi"], []) == ([m.text for m in desk.sent_to("user45")], desk.history("s"))


@pytest.mark.parametrize(
    ("status", "flags", "expected"),
    [
        ("free", {}, 0),
        ("offline", {}, 141001),
        ("rest", {}, 141001),
        ("busy", {}, 0),
        ("busy", {"DisableQueuing": 1}, 141012),
        ("busy", {"AllowAssignBusyMember": 1}, 0),
        ("rest", {"AgentIdList": [AGENT]}, 141013),
        ("offline", {"AgentIdList": [AGENT]}, 141011),
        ("free", {"AgentIdList": ["nobody@qq.com"]}, 141011),
        ("busy", {"AgentIdList": [AGENT], "DisableQueuing": 1}, 141012),
        ("free", {"Priority": 10}, 141004),
        ("free", {"DisableQueuing": True}, 141004),
        ("free", {"AgentIdList": "x"}, 141004),
        ("free", {"AgentIdList": [7]}, 141004),
        ("free", {"AgentGroupId": "3067"}, 141004),
    ],
)
async def test_agents_take_sessions_as_they_can(desk: FakeDesk, status: Any, flags: Any, expected: int) -> None:
    """Who is free takes the session, who is busy means the queue or a refusal, and nobody means 141001."""
    desk.set_agent(AGENT, status)
    assert expected == await code_of(desk, "transfer_to_human", SessionId="s", **flags)


async def test_nobody_online_may_end_the_session(desk: FakeDesk) -> None:
    """The flag for it ends a session that nobody can take."""
    desk.set_agent(AGENT, "offline")
    await code_of(desk, "transfer_to_human", SessionId="s", EndSessionWhenNoMemberOnline=1)
    assert "NotInSession" == desk.state_of("s")


async def test_a_session_is_handed_over_once(desk: FakeDesk) -> None:
    """A session with a human cannot be handed over again."""
    assert [0, 141003] == [await code_of(desk, "transfer_to_human", SessionId="s") for _ in range(2)]


@pytest.mark.parametrize("command", ["transfer_to_human", "end_session", "send_stream_msg"])
async def test_an_ended_session_takes_nothing(desk: FakeDesk, command: str) -> None:
    """After the end every call to the session is refused."""
    desk.end_session("s")
    assert 141005 == await code_of(desk, command, SessionId="s", Chunk="x")


async def test_an_agent_contacts_a_user(desk: FakeDesk) -> None:
    """The call opens a session with a human, and only one; both spellings of the page are taken."""
    contact = ContactUser(im_agent_user_id="@customer_service_account", client_user_id="user45")
    async with desk.client() as client:
        found = await client.call(contact)
        state = await client.call(GetSessionState(client_user_id="user45", customer_service_id="@service"))
        with pytest.raises(errors.APIError, match="141016"):
            await client.call(contact)
    assert (AGENT, CurrentState.AGENT) == (found.member_id, state.current_state)
    other = {"IMAgentUserID": "@service", "ClientUserID": "user46", "MemberId": AGENT}
    assert 0 == await code_of(desk, "contact_user", **other)
    desk.set_agent(AGENT, "rest")
    assert 141013 == await code_of(desk, "contact_user", **{**other, "ClientUserID": "user47"})


async def test_a_user_in_no_session_is_told_so(desk: FakeDesk) -> None:
    """Asked for a stranger, the fake knows of no session; asked for nobody, it refuses."""
    async with desk.client() as client:
        state = await client.call(GetSessionState(client_user_id="user45", customer_service_id="@service"))
    assert CurrentState.NOT_IN_SESSION == state.current_state
    assert 141004 == await code_of(desk, "get_session_state")


@pytest.mark.parametrize("page", [{"Limit": 0}, {"Limit": 101}, {"Offset": -1}, {"Limit": "20"}, {"Order": 3}])
async def test_a_page_is_as_documented(desk: FakeDesk, page: Any) -> None:
    """Pages have 1 to 100 items, and there are two orders."""
    assert 141004 == await code_of(desk, "describe_chat_messages", SessionId="s", **page)


async def test_records_are_found_by_time_and_user(desk: FakeDesk, clock: Clock) -> None:
    """The window and the user choose among the sessions that ended."""
    for user in ("user1", "user2"):
        desk.begin_session(user, user)
        clock.now += 100
        desk.end_session(user)
    desk.begin_session("open")
    window = {"StartTimestamp": 1_700_000_000, "EndTimestamp": 1_700_000_100}
    async with in_memory(desk) as poster:
        path = PATH + "describe_im_cdr_list"
        both, second, first = [
            (await poster.post(body, path=path)).json()
            for body in (window, {**window, "ClientUserId": "user2"}, {**window, "EndTimestamp": 1_700_000_099})
        ]
    assert (2, 100) == (both["TotalCount"], both["IMCdrList"][0]["Duration"])
    assert ["user2"] == [record["SessionId"] for record in second["IMCdrList"]]
    assert ["user1"] == [record["SessionId"] for record in first["IMCdrList"]]


async def test_a_session_that_begins_again_keeps_its_history(desk: FakeDesk) -> None:
    """A session that had ended is with the bot again; what was said stays."""
    desk.user_says("s", "before")
    desk.end_session("s")
    desk.begin_session("s")
    assert ("Chatbot", ["before"], "Chatbot") == (
        desk.state_of("s"),
        [m.text for m in desk.history("s")],
        desk.state_of("new"),
    )


async def begin_stream(desk: FakeDesk, **fields: Any) -> str:
    """Begin a stream and return its key."""
    async with in_memory(desk) as poster:
        reply = await poster.post({"SessionId": "s", "Chunk": "one", **fields}, path=PATH + "send_stream_msg")
    key: str = reply.json()["MsgKey"]
    return key


async def test_a_stream_grows_until_it_is_finished(desk: FakeDesk) -> None:
    """Pieces are appended; after Finish, and after 15 silent seconds, nothing is."""
    key = await begin_stream(desk, CloudCustomData="c")
    assert 0 == await code_of(desk, "send_stream_msg", SessionId="s", Chunk=" two", MsgKey=key, Finish=1)
    assert 141004 == await code_of(desk, "send_stream_msg", SessionId="s", Chunk=" three", MsgKey=key)
    (seen,) = desk.streams
    assert ("one two", True, "c", key, False) == (
        seen.text,
        seen.finished,
        seen.cloud_custom_data,
        seen.msg_key,
        seen.markdown,
    )


async def test_a_silent_stream_ends_by_itself(desk: FakeDesk, clock: Clock) -> None:
    """A piece after 15 seconds is in time, one later is not."""
    key = await begin_stream(desk)
    clock.now += 15
    assert 0 == await code_of(desk, "send_stream_msg", SessionId="s", Chunk="2", MsgKey=key)
    clock.now += 15.1
    assert 141004 == await code_of(desk, "send_stream_msg", SessionId="s", Chunk="3", MsgKey=key)


async def test_a_stream_takes_five_calls_a_second(desk: FakeDesk, clock: Clock) -> None:
    """The sixth call within a second is refused; a second later there is room again."""
    key = await begin_stream(desk)
    calls = {"SessionId": "s", "Chunk": "x", "MsgKey": key}
    assert [0, 0, 0, 0, 141009] == [await code_of(desk, "send_stream_msg", **calls) for _ in range(5)]
    clock.now += 1
    assert 0 == await code_of(desk, "send_stream_msg", **calls)


@pytest.mark.parametrize(
    "fields", [{"MsgKey": "no"}, {"SessionId": "other"}, {"Chunk": None}, {"Finish": 2}, {"MsgKey": 7}]
)
async def test_a_piece_belongs_to_its_stream(desk: FakeDesk, fields: Any) -> None:
    """An unknown key, another session, a missing text and an odd Finish are refused."""
    key = await begin_stream(desk)
    assert 141004 == await code_of(desk, "send_stream_msg", **{"SessionId": "s", "Chunk": "x", "MsgKey": key, **fields})


def markdown(*chunks: Any, **content: Any) -> list[Any]:
    """Return the body of a piece of Markdown."""
    known = {"CompatibleText": "old", "Chunks": list(chunks), **content}
    return [{"MsgType": "TIMStreamElem", "MsgContent": known}]


def piece(index: Any = 1, text: Any = "x", **fields: Any) -> dict[str, Any]:
    """Return one chunk."""
    return {"EventType": "data", "Index": index, "Markdown": text, "IsLast": False, **fields}


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        (0, markdown(piece(), piece(2))),
        (90002, None),
        (90002, []),
        (90002, ["x"]),
        (90002, [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "x"}}]),
        (90010, markdown()),
        (90010, markdown("x")),
        (90010, markdown(piece(0))),
        (90010, markdown(piece("1"))),
        (90010, markdown(piece(1, None))),
        (90010, markdown(piece(IsLast=1))),
        (90010, markdown(piece(), CompatibleText=None)),
        (93000, markdown(piece(1, "x" * 131_072))),
    ],
)
async def test_markdown_is_as_documented(desk: FakeDesk, expected: int, body: Any) -> None:
    """The second version wants one TIMStreamElem with numbered pieces, under 128 KB."""
    assert expected == await code_of(desk, "send_stream_msg_v2", SessionId="s", MsgBody=body)
    assert (expected == 0) is bool(desk.streams)


async def test_the_pieces_of_markdown_rise(desk: FakeDesk) -> None:
    """A number that does not rise is refused; the two versions do not mix."""
    async with in_memory(desk) as poster:
        reply = await poster.post({"SessionId": "s", "MsgBody": markdown(piece(3))}, path=PATH + "send_stream_msg_v2")
    key = reply.json()["MsgKey"]
    known = {"SessionId": "s", "MsgKey": key}
    assert 141004 == await code_of(desk, "send_stream_msg_v2", **known, MsgBody=markdown(piece(3)))
    assert 0 == await code_of(desk, "send_stream_msg_v2", **known, MsgBody=markdown(piece(4, "y", IsLast=True)))
    assert 141004 == await code_of(desk, "send_stream_msg", **known, Chunk="z")
    assert ("xy", True) == (desk.streams[0].text, desk.streams[0].markdown)


async def test_the_client_streams_markdown(desk: FakeDesk) -> None:
    """The client's second version is what the fake takes."""
    async with desk.client() as client, client.stream_to_session("s", markdown=True, cloud_custom_data="c") as stream:
        await stream.write("**hello**")
    assert ("**hello**", True, "c") == (
        desk.streams[0].text,
        desk.streams[0].finished,
        desk.streams[0].cloud_custom_data,
    )
