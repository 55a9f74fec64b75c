"""Every other call to Desk as a value that names its path and its reply: ``await desk.call(GetSessionState(...))``.

Times are datetimes with a time zone; the wire's seconds and milliseconds stay on the wire. Enumerations are open: what
Tencent adds later is a value, too. What is left at ``None`` is not sent.
"""

from __future__ import annotations

from deskim.commands._core import DESK, Command, RawCommand, RawReply, Reply
from deskim.commands._paging import Calls, Page, PagedCommand, paged
from deskim.commands._records import (
    ChatMessage,
    ChatMessages,
    DescribeChatMessages,
    DescribeImCdrList,
    Order,
    Role,
    SessionRecord,
    SessionRecords,
)
from deskim.commands._sessions import (
    Contact,
    ContactUser,
    CurrentState,
    EndSession,
    GetSessionState,
    SessionState,
    Transfer,
    TransferToHuman,
)
from deskim.commands._streams import SendStreamMsg, SendStreamMsgV2, StreamKey, stream_elem

__all__ = [
    "DESK",
    "Calls",
    "ChatMessage",
    "ChatMessages",
    "Command",
    "Contact",
    "ContactUser",
    "CurrentState",
    "DescribeChatMessages",
    "DescribeImCdrList",
    "EndSession",
    "GetSessionState",
    "Order",
    "Page",
    "PagedCommand",
    "RawCommand",
    "RawReply",
    "Reply",
    "Role",
    "SendStreamMsg",
    "SendStreamMsgV2",
    "SessionRecord",
    "SessionRecords",
    "SessionState",
    "StreamKey",
    "Transfer",
    "TransferToHuman",
    "paged",
    "stream_elem",
]
