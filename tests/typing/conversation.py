"""Make every other call as a program would; type checkers read this file, nothing runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import assert_type

from deskim import AsyncDeskClient, commands


async def calls(desk: AsyncDeskClient, start: datetime, end: datetime) -> None:
    """Get from each command the reply that it names."""
    state = await desk.call(commands.GetSessionState(session_id="session"))
    assert_type(state, commands.SessionState)
    assert_type(state.current_state, commands.CurrentState)
    transfer = commands.TransferToHuman(session_id="session", agent_id_list=("agent@qq.com",), disable_queuing=True)
    assert_type(await desk.call(transfer), commands.Transfer)
    contact = commands.ContactUser(im_agent_user_id="@service", client_user_id="user45")
    assert_type(await desk.call(contact), commands.Contact)
    assert_type(await desk.call(commands.EndSession(session_id="session")), commands.Reply)
    assert_type(await desk.call(commands.SendStreamMsg(session_id="session", chunk="text")), commands.StreamKey)
    assert_type(await desk.call(commands.RawCommand("desk_http_svc", "get_im_agent_list")), commands.RawReply)
    records = await desk.call(commands.DescribeImCdrList(start_timestamp=start, end_timestamp=end))
    assert_type(records.im_cdr_list[0].timestamp, datetime | None)


async def history(desk: AsyncDeskClient, start: datetime, end: datetime) -> None:
    """Get from a list the items that it is made of."""
    question = commands.DescribeChatMessages(session_id="session", order=commands.Order.OLDEST_FIRST)
    assert_type(await desk.call(question), commands.ChatMessages)
    assert_type(commands.paged(desk, question), AsyncIterator[commands.ChatMessage])
    async for message in commands.paged(desk, question):
        assert_type(message, commands.ChatMessage)
    async for record in commands.paged(desk, commands.DescribeImCdrList(start_timestamp=start, end_timestamp=end)):
        assert_type(record, commands.SessionRecord)
