"""The calls about sessions: their state, the way to a human, their end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._conversations import Agents, Conversation
from ._fields import filled, flag, text, texts, whole
from ._reply import Accepted, Refused
from ._state import DeskState

_FLAGS = (
    "SendTipIfNoAgentOnline",
    "CheckIfDuringWorkingHours",
    "SendPromptNotDuringWorkingHours",
    "EndSessionWhenNoMemberOnline",
    "DisableQueuing",
    "AllowAssignBusyMember",
)
_LOWEST_PRIORITY = 9
_BUSY = 141012
_NOBODY = 141001


def transfer_to_human(state: DeskState, body: Mapping[str, Any], now: float) -> Accepted:
    """Hand a session to an agent, or to the queue (1229/68820, 269/110581, 679/116634)."""
    conversation = _conversation(state, body, now)
    wanted, flags = texts(body, "AgentIdList"), {name: flag(body, name) for name in _FLAGS}
    whole(body, "AgentGroupId", 0)
    whole(body, "Priority", 0, 0, _LOWEST_PRIORITY)
    whole(body, "QueueTimeout", 0)
    if conversation.state == "Agent":
        raise Refused(141003, "the session is with a human already")
    try:
        agent_id = _choose(state.conversations.agents, wanted, flags)
    except Refused as refused:
        if refused.code == _NOBODY and flags["EndSessionWhenNoMemberOnline"]:
            _end(state, conversation.session_id, now)
        raise
    conversation.move("Agent" if agent_id else "Queueing", agent_id)
    return Accepted({"AgentId": agent_id, "IsInQueue": int(not agent_id)})


def _choose(agents: Agents, wanted: list[str], flags: Mapping[str, bool]) -> str:
    """Return the agent; an empty text is the queue."""
    try:
        return agents.choose(wanted, also_busy=flags["AllowAssignBusyMember"])
    except Refused as refused:
        if refused.code != _BUSY or flags["DisableQueuing"]:
            raise
    return ""


def contact_user(state: DeskState, body: Mapping[str, Any], now: float) -> Accepted:
    """Open a session with a user for an agent (1229/68947); both spellings of the page are taken."""
    account = "IMAgentUserID" if "IMAgentUserID" in body else "IMAgentUserId"
    client = "ClientUserID" if "ClientUserID" in body else "ClientUserId"
    filled(body, account)
    user, wanted = filled(body, client), text(body, "MemberId")
    whole(body, "GroupId", 0)
    earlier = state.conversations.of_user(user)
    if earlier is not None and earlier.state == "Agent":
        raise Refused(141016, "the user is in a session with a human already")
    member = state.conversations.agents.choose([wanted] if wanted else [])
    session_id = f"contact-{len(state.conversations.known) + 1}"
    state.sessions.begin(session_id)
    state.conversations.of(session_id, now, user).move("Agent", member)
    return Accepted({"MemberId": member})


def end_session(state: DeskState, body: Mapping[str, Any], now: float) -> Accepted:
    """Let a session be over (1229/68948)."""
    _end(state, _conversation(state, body, now).session_id, now)
    return Accepted()


def _end(state: DeskState, session_id: str, now: float) -> None:
    state.conversations.end(session_id, now)
    state.sessions.end(session_id)


def _conversation(state: DeskState, body: Mapping[str, Any], now: float) -> Conversation:
    session_id = filled(body, "SessionId")
    state.sessions.check(session_id)
    return state.conversations.of(session_id, now)


def get_session_state(state: DeskState, body: Mapping[str, Any], now: float) -> Accepted:
    """Tell with whom a session is, or a user (1229/68825)."""
    if "SessionId" in body:
        return _state_of_session(state, filled(body, "SessionId"), now)
    user, _ = filled(body, "ClientUserId"), filled(body, "CustomerServiceId")
    return _told(state.conversations.of_user(user), "")


def _state_of_session(state: DeskState, session_id: str, now: float) -> Accepted:
    try:
        state.sessions.check(session_id)
    except Refused:
        return _told(None, session_id)
    return _told(state.conversations.of(session_id, now), session_id)


def _told(conversation: Conversation | None, session_id: str) -> Accepted:
    if conversation is None:
        return Accepted({"SessionId": session_id, "CurrentState": "NotInSession", "AgentId": ""})
    with_agent = conversation.state in ("WaitingForAgentAnswering", "Agent")
    return Accepted(
        {
            "SessionId": conversation.session_id,
            "CurrentState": conversation.state,
            "AgentId": conversation.agent_id if with_agent else "",
        }
    )
