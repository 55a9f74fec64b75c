"""Tencent's callbacks: what they say, and the bytes to answer with. No framework, no I/O.

``parse`` takes the raw body and the parameters of the URL; the adapters in ``deskim.contrib`` do the rest. Events are
acknowledged at once and handled afterwards; a delivery may be repeated (269/111212), see :class:`SeenRequests`.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeAlias, cast

from attrs import field, frozen

from deskim._checks import json_mapping
from deskim._codec import (
    Flag,
    JsonObject,
    Milliseconds,
    MsgBody,
    OpenText,
    OpenValue,
    dumps,
    load_value,
    loads,
    payload_of,
    text_of,
)
from deskim.errors import MessageError
from deskim.payloads import Payload

__all__ = [
    "MAX_BODY",
    "AnyCallback",
    "AssignHuman",
    "Callback",
    "CallbackError",
    "Event",
    "Fault",
    "InterfaceInvocation",
    "SeenRequests",
    "SessionEvent",
    "UnknownCallback",
    "acknowledge",
    "answer",
    "assign",
    "decline",
    "parse",
]

MAX_BODY = 1024 * 1024
"""The most that the body of a callback may have, in bytes; Tencent's messages are far smaller (269/129279: 128 KB)."""

_ASSIGN = ("chatbot.onassignhuman", "chatbot.onassignagent")  # the older name stands on 1047/63270
_MAX_DIGITS = 20


class Fault(StrEnum):
    """Say why a callback is refused."""

    TOO_LARGE = "too_large"
    """The body has more than ``MAX_BODY`` bytes."""
    MALFORMED = "malformed"
    """The body is no callback: no JSON object, or without what its kind cannot do without."""
    FOREIGN = "foreign"
    """The SdkAppid of the URL is missing, or another application's."""
    FORGED = "forged"
    """The signature is missing or wrong, or its time is too far from now."""


_STATUS = {Fault.TOO_LARGE: 413, Fault.MALFORMED: 400, Fault.FOREIGN: 403, Fault.FORGED: 403}


class CallbackError(ValueError):
    """Report a request that is no callback to this application; the text holds nothing of the request.

    :ivar fault: what is wrong with it.
    :ivar status: the HTTP status to answer with.
    """

    def __init__(self, message: str = "", fault: Fault = Fault.MALFORMED) -> None:
        super().__init__(message, fault)
        self.fault = fault
        self.status: int = _STATUS[fault]

    def __str__(self) -> str:
        """Return the message."""
        return str(self.args[0])


class Event(OpenText):
    """Say what happened in a session (1229/68989).

    The page names three; further ones exist, for the human phase of a session, and are values of this class, too.
    """

    SESSION_BEGIN = "SessionBegin"
    USER_MESSAGE = "ChatBot.UserSendMsg"
    """The user wrote while the session is with the bot."""
    ROBOT_MESSAGE = "ChatBot.RobotSendMsg"


@frozen(kw_only=True)
class Callback(OpenValue):
    """Be any callback.

    ``extra`` holds the fields that deskim does not know, and those whose value is not as documented.

    :ivar callback_command: its kind, as it stands in the body.
    :ivar event_time: when it happened.
    :ivar request_id: the id of this delivery, from the URL; equal for repetitions (269/111212). Empty where the URL
        has none.
    """

    callback_command: str = ""
    event_time: Milliseconds | None = None
    request_id: str = ""


@frozen(kw_only=True)
class SessionEvent(Callback):
    """Tell what happened in a session (``Desk.SessionEventNotify``, 1229/68989).

    :ivar session_id: the session: what ``send_to_session`` wants.
    :ivar event: what happened.
    :ivar channel_type: such as ``SDK``.
    :ivar client_user_id: the user.
    :ivar customer_service_id: the customer service account, e.g. ``@customer_service_account``.
    :ivar agent_id: the agent.
    :ivar msg_key: the key of the message, for messages.
    :ivar msg_body: the elements of the message, for messages.
    :ivar cloud_custom_data: the CloudCustomData of the message.
    :ivar is_contact_user: whether an agent opened the session.
    :ivar satisfaction_selected: the user's rating, 1 to 5.
    :ivar forward_from_agent_id: the agent who passed the session on (269/111212).
    """

    session_id: str
    event: Event
    channel_type: str = ""
    client_user_id: str = ""
    customer_service_id: str = ""
    agent_id: str = ""
    msg_key: str = ""
    msg_body: MsgBody = ()
    cloud_custom_data: str = ""
    is_contact_user: Flag = False
    satisfaction_selected: int | None = None
    forward_from_agent_id: str = ""

    @property
    def text(self) -> str:
        """Return what the text elements of the message say, line by line."""
        return text_of(self.msg_body)

    @property
    def payload(self) -> Payload | Mapping[str, Any] | None:
        """Return what the message's custom element carries: a payload, a mapping for other kinds, or ``None``.

        A user who opens the chat shows as a message with the mapping ``{"src": "7", ...}`` (269/110624).
        """
        return payload_of(self.msg_body)


@frozen(kw_only=True)
class AssignHuman(Callback):
    """Ask which agent takes a session (``ChatBot.OnAssignHuman``, 1229/68988); :func:`assign` answers.

    :ivar session_id: the session.
    :ivar client_user_id: the user.
    :ivar customer_service_id: the customer service account (679/116643).
    """

    session_id: str
    client_user_id: str = ""
    customer_service_id: str = ""


@frozen(kw_only=True)
class InterfaceInvocation(Callback):
    """Ask for the values of an API node in a task flow (``Chatbot.InterfaceInvocation``, 1229/68990).

    :func:`answer` answers.

    :ivar body: the node's variables by name.
    """

    body: JsonObject = field(factory=dict[str, Any], hash=False)

    @property
    def session_id(self) -> str:
        """Return the session, from the system variable SystemSessionID; empty where the node does not send it."""
        return self._variable("SystemSessionID")

    @property
    def client_user_id(self) -> str:
        """Return the user, from the system variable SystemClientUserID; empty where the node does not send it."""
        return self._variable("SystemClientUserID")

    def _variable(self, name: str) -> str:
        value = self.body.get(name)
        return value if isinstance(value, str) else ""


@frozen(kw_only=True)
class UnknownCallback(Callback):
    """Be a callback of a kind that deskim does not know; ``extra`` holds its fields."""


AnyCallback: TypeAlias = SessionEvent | AssignHuman | InterfaceInvocation | UnknownCallback
"""What :func:`parse` returns."""


def parse(
    raw_body: bytes,
    query: Mapping[str, str],
    *,
    sdk_app_id: int,
    token: str | None = None,
    window: float = 300.0,
    clock: Callable[[], float] = time.time,  # noqa: TID251 - a verification that is given no clock needs this one
) -> AnyCallback:
    """Return the callback that a request is.

    ``raw_body`` is the body as it came, ``query`` the parameters of the URL. With ``token`` the signature is verified
    as Chat's webhooks do it (1047/34354): ``Sign`` is the SHA-256 hex digest of the token and ``RequestTime``, which
    may be up to ``window`` seconds from what ``clock`` says. Desk's pages do not say that its callbacks are signed so,
    hence nothing is verified without a token.

    Raises ``CallbackError`` for whatever is no callback to this application, and ``TypeError`` for a body that is not
    bytes.
    """
    if not isinstance(raw_body, bytes | bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"raw_body must be the body as it came, in bytes, not {type(raw_body).__name__}")
    if len(raw_body) > MAX_BODY:
        raise CallbackError(f"the body has more than {MAX_BODY:,} bytes", Fault.TOO_LARGE)
    _check_application(query, sdk_app_id)
    if token is not None:
        _check_signature(query, token, window, clock())
    return _read(bytes(raw_body), query)


def _check_application(query: Mapping[str, str], sdk_app_id: int) -> None:
    if _parameter(query, "SdkAppid") != str(sdk_app_id):  # the URL spells it so (1229/68989)
        raise CallbackError("the SdkAppid of the URL is missing or another application's", Fault.FOREIGN)


def _check_signature(query: Mapping[str, str], token: str, window: float, now: float) -> None:
    requested, sign = _parameter(query, "RequestTime"), _parameter(query, "Sign")
    expected = hashlib.sha256((token + requested).encode("utf-8", "surrogatepass")).hexdigest()
    if not hmac.compare_digest(expected.encode(), sign.lower().encode("utf-8", "surrogatepass")):
        raise CallbackError("the signature of the URL is missing or wrong", Fault.FORGED)
    digits = requested.isascii() and requested.isdecimal() and len(requested) <= _MAX_DIGITS
    if not digits or abs(now - int(requested)) > window:
        raise CallbackError("the RequestTime of the URL is too far from now", Fault.FORGED)


def _parameter(query: Mapping[str, str], name: str) -> str:
    value: object = query.get(name)
    return value if isinstance(value, str) else ""


def _read(body: bytes, query: Mapping[str, str]) -> AnyCallback:
    wire = _object(body)
    kind = wire.setdefault("CallbackCommand", _parameter(query, "CallbackCommand"))
    wire["RequestId"] = _parameter(query, "RequestID") or wire.get("RequestId")
    cls = _class_of(kind.lower() if isinstance(kind, str) else "")
    try:
        return load_value(cls, wire)
    except (TypeError, KeyError, ValueError):
        pass  # raised outside, so that the error carries nothing of the body
    raise CallbackError("the body lacks what a callback of its kind cannot do without")


def _object(body: bytes) -> dict[str, Any]:
    try:
        wire = loads(body)
    except ValueError:
        wire = None
    if not isinstance(wire, dict):
        raise CallbackError("the body is no JSON object")
    return cast("dict[str, Any]", wire)


def _class_of(kind: str) -> type[AnyCallback]:
    if kind == "desk.sessioneventnotify":
        return SessionEvent
    if kind in _ASSIGN:
        return AssignHuman
    # Chatbot. here, ChatBot. there: the pages differ in the case of a letter (1229/68990, 1229/68988)
    return InterfaceInvocation if kind == "chatbot.interfaceinvocation" else UnknownCallback


def acknowledge() -> bytes:
    """Return the answer that takes note of a callback (1229/68989)."""
    return _reply({})


def assign(*agent_ids: str, agent_group_id: int | None = None) -> bytes:
    """Return the answer to :class:`AssignHuman`: these agents, or somebody of this group (1229/68988).

    Raises ``MessageError`` where neither is given.
    """
    if not agent_ids and agent_group_id is None:
        raise MessageError("name at least one agent, or a group of agents")
    group = {} if agent_group_id is None else {"AgentGroupId": agent_group_id}
    return _reply({**group, **({"AgentIdList": list(agent_ids)} if agent_ids else {})})


def answer(body: Mapping[str, Any]) -> bytes:
    """Return the answer to :class:`InterfaceInvocation`: values by name, for the session's variables (1229/68990).

    Raises ``MessageError`` for what JSON cannot say.
    """
    return _reply({"Body": json_mapping(body)})


def decline(info: str = "") -> bytes:
    """Return the answer that says that a callback was not taken; ``info`` is shown to Tencent."""
    return dumps({"ActionStatus": "FAIL", "ErrorInfo": info, "ErrorCode": 1})


def _reply(fields: Mapping[str, Any]) -> bytes:
    return dumps({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, **fields})


class SeenRequests:
    """Recognise repeated deliveries by their RequestID; remembers the last ``capacity`` of them."""

    def __init__(self, capacity: int = 10_000) -> None:
        if capacity < 1:
            raise MessageError(f"capacity must be at least 1, not {capacity}")
        self._capacity = capacity
        self._seen: OrderedDict[str, None] = OrderedDict()

    def repeats(self, callback: Callback) -> bool:
        """Tell whether a delivery came before, and remember it; one without a RequestID never did."""
        if not callback.request_id:
            return False
        if callback.request_id in self._seen:
            self._seen.move_to_end(callback.request_id)
            return True
        self._seen[callback.request_id] = None
        if len(self._seen) > self._capacity:
            self._seen.popitem(last=False)
        return False

    def forget(self, callbacks: Iterable[Callback]) -> None:
        """Forget deliveries that were not handled, so that their repetition is."""
        for callback in callbacks:
            self._seen.pop(callback.request_id, None)
