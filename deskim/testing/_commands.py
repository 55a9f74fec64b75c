"""Each of Desk's calls as a function of its state, the request's object and the time."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ._conversations import AGENT
from ._history_calls import describe_chat_messages, describe_im_cdr_list
from ._ledger import seen_message
from ._msg_body import check_msg_body
from ._reply import Accepted, Arrival, Refused
from ._session_calls import contact_user, end_session, get_session_state, transfer_to_human
from ._state import DeskState
from ._stream_calls import send_stream_msg, send_stream_msg_v2

Handler: TypeAlias = Callable[[DeskState, Mapping[str, Any], float], Accepted]

_MAX_MSG_RANDOM = 2**32 - 1


def handler_of(arrival: Arrival) -> Handler:
    """Return the function for a request; refuse another method or path (1047/34620, 679/131708)."""
    if arrival.method != "POST":
        raise Refused(60002, "only POST is taken")
    if arrival.path not in COMMANDS:
        raise Refused(60009, f"there is no {arrival.path}")
    return COMMANDS[arrival.path]


def send_msg(state: DeskState, body: Mapping[str, Any], now: float) -> Accepted:
    """Show a message to its recipient, once (1229/68821)."""
    _check_msg_random(body.get("MsgRandom"))
    content = check_msg_body(body.get("MsgBody"))
    sender = _check_addressee(body)
    _check_options(body)
    if "SessionId" in body:
        state.sessions.check(body["SessionId"])
    # 269/2282: sender, MsgRandom and a CRC32 of the content make a duplicate; the recipient does not count
    if state.recent.repeats((*sender, body["MsgRandom"], zlib.crc32(content)), now):
        return Accepted(duplicate=True)
    state.messages.append(seen_message(body, now))
    _remember(state, body, now)
    return Accepted()


def _remember(state: DeskState, body: Mapping[str, Any], now: float) -> None:
    """Add a message to the history of its session; one to a user belongs to the session that the user is in."""
    conversation = state.conversations.of_user(body["ToAccount"]) if "ToAccount" in body else None
    session_id = body.get("SessionId") or (conversation and conversation.session_id)
    if session_id:
        state.conversations.say(session_id, AGENT, body["MsgBody"], now)


def _check_msg_random(number: object) -> None:
    if not isinstance(number, int) or isinstance(number, bool):
        raise Refused(90005, "MsgRandom is missing or not an integer")
    if not 0 <= number <= _MAX_MSG_RANDOM:
        raise Refused(141004, "MsgRandom must be a 32-bit unsigned integer")


def _check_addressee(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return who sends: the session, or the customer service account."""
    to_user = [name for name in ("FromAccount", "ToAccount") if name in body]
    if "SessionId" in body:
        if to_user:
            raise Refused(141004, f"SessionId and {to_user[0]} exclude each other")
        return "session", _filled(body, "SessionId")
    _filled(body, "ToAccount")
    return "account", _filled(body, "FromAccount")


def _filled(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(141004, f"{name} must be text; SessionId, or FromAccount and ToAccount, must be given")
    return value


def _check_options(body: Mapping[str, Any]) -> None:
    if not isinstance(body.get("CloudCustomData", ""), str):
        raise Refused(141004, "CloudCustomData must be text")
    excluded = body.get("ExcludeFromUserRespTimeout", 0)
    if isinstance(excluded, bool) or excluded not in (0, 1):
        raise Refused(141004, "ExcludeFromUserRespTimeout must be 0 or 1")


#: What the fake Desk knows; a further call is a function and a line here.
COMMANDS: Mapping[str, Handler] = {
    "/v4/desk_http_svc/send_msg": send_msg,
    "/v4/desk_http_svc/send_stream_msg": send_stream_msg,
    "/v4/desk_http_svc/send_stream_msg_v2": send_stream_msg_v2,
    "/v4/desk_http_svc/transfer_to_human": transfer_to_human,
    "/v4/desk_http_svc/contact_user": contact_user,
    "/v4/desk_http_svc/end_session": end_session,
    "/v4/desk_http_svc/get_session_state": get_session_state,
    "/v4/desk_http_svc/describe_im_cdr_list": describe_im_cdr_list,
    "/v4/desk_http_svc/describe_chat_messages": describe_chat_messages,
}
