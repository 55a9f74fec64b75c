"""Callbacks as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import field, frozen

from deskim._codec import Flag, JsonObject, Milliseconds, MsgBody, OpenText, OpenValue, payload_of, text_of
from deskim.payloads import Payload


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
