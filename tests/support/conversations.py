"""Bring the fake Desk into the state that a documented reply presupposes, and compare what is not its own choice."""

from __future__ import annotations

from typing import Any

from deskim.testing import FakeDesk
from deskim.testing._conversations import AGENT, USER, Conversation
from deskim.testing._streams import SeenStream

#: Replies that hold keys, times or counts of the server's own: of these the names and the types count.
_OWN = {"send_stream_msg", "send_stream_msg_v2", "describe_im_cdr_list", "describe_chat_messages"}


def prepare(desk: FakeDesk, path: str, sample: dict[str, Any]) -> None:
    """Let that have happened which the documented reply presupposes."""
    command, request, reply = path.rpartition("/")[2], sample["request"], sample["reply"]
    if command == "get_session_state":
        _be_with(desk, request, reply)
    elif command == "transfer_to_human" and reply["IsInQueue"]:
        desk.set_agent("test_agent@qq.com", "busy")
    elif "MsgKey" in request:
        _have_begun(desk, request)
    elif reply.get("IMCdrList"):
        desk._state.conversations.known["earlier"] = Conversation(
            "earlier", request["StartTimestamp"] + 1.0, request["ClientUserId"], "@service", ended=2e9
        )
    elif reply.get("Messages"):
        for role in (USER, AGENT):
            desk._state.conversations.say(request["SessionId"], role, reply["Messages"][0]["MsgBody"], 1.7e9)


def _be_with(desk: FakeDesk, request: dict[str, Any], reply: dict[str, Any]) -> None:
    desk.begin_session(reply["SessionId"], request.get("ClientUserId", "user"))
    desk.set_state(reply["SessionId"], reply["CurrentState"], reply["AgentId"])
    if reply["CurrentState"] == "NotInSession":
        desk.end_session(reply["SessionId"])


def _have_begun(desk: FakeDesk, request: dict[str, Any]) -> None:
    line = desk._state.conversations.say(request["SessionId"], AGENT, [], desk.clock())
    desk.streams.append(
        SeenStream(
            session_id=request["SessionId"],
            msg_key=request["MsgKey"],
            markdown="MsgBody" in request,
            time=desk.clock(),
            line=line,
        )
    )


def comparable(path: str, reply: dict[str, Any]) -> Any:
    """Return the reply, or its shape where its values are the server's own."""
    return _shape(reply) if path.rpartition("/")[2] in _OWN else reply


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    return [_shape(inner) for inner in value] if isinstance(value, list) else type(value).__name__
