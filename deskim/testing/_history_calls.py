"""The calls about what has been: session records, and the messages of a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._fields import filled, text, whole
from ._reply import Accepted
from ._state import DeskState

_MAX_PAGE, _PAGE = 100, 20
_OLDEST_FIRST, _NEWEST_FIRST = 1, 2


def _page(body: Mapping[str, Any], items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    limit, offset = whole(body, "Limit", _PAGE, 1, _MAX_PAGE), whole(body, "Offset", 0)
    return items[offset : offset + limit]


def describe_im_cdr_list(state: DeskState, body: Mapping[str, Any], _: float) -> Accepted:
    """List the sessions that ended, by when they began (1229/68823)."""
    start, end, user = whole(body, "StartTimestamp"), whole(body, "EndTimestamp"), text(body, "ClientUserId")
    found = [
        conversation.record()
        for conversation in state.conversations.known.values()
        if conversation.ended is not None
        and start <= int(conversation.began) <= end
        and user in ("", conversation.client_user_id)
    ]
    return Accepted({"TotalCount": len(found), "IMCdrList": _page(body, found)})


def describe_chat_messages(state: DeskState, body: Mapping[str, Any], _: float) -> Accepted:
    """List the messages of a session, those of an ended one too (1229/68824)."""
    conversation = state.conversations.known.get(filled(body, "SessionId"))
    found = [line.wire() for line in conversation.lines] if conversation else []
    if whole(body, "Order", _NEWEST_FIRST, _OLDEST_FIRST, _NEWEST_FIRST) == _NEWEST_FIRST:
        found.reverse()
    return Accepted({"TotalCount": len(found), "Messages": _page(body, found)})
