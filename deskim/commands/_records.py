"""What has been: session records, and the messages of a session, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from attrs import evolve, field, frozen

from deskim._checks import filled, optional, shown, whole
from deskim._codec import Milliseconds, MsgBody, OpenNumber, OpenValue, Seconds, payload_of, text_of
from deskim.commands._core import DESK, Reply
from deskim.commands._fields import MAX_PAGE, aware
from deskim.errors import MessageError
from deskim.payloads import Payload


@frozen(kw_only=True)
class SessionRecord(OpenValue):
    """Describe one session of the past (1229/68823); the types after ``agent_id`` are those of Tencent's sample.

    :ivar session_id: the session.
    :ivar agent_group_id: the group of agents; text here, a number in requests.
    :ivar channel_type: such as ``SDK``.
    :ivar duration: how long it lasted; seconds, by Tencent's sample.
    :ivar end_status: such as ``AgentEndedSession``.
    :ivar satisfaction_selected: the user's rating.
    :ivar timestamp: when it was.
    """

    session_id: str
    agent_group_id: str = ""
    agent_group_name: str = ""
    agent_id: str = ""
    channel_type: str = ""
    client_user_id: str = ""
    client_user_nick_name: str = ""
    duration: int | None = None
    end_status: str = ""
    satisfaction_selected: int | None = None
    timestamp: Seconds | None = None


@frozen(kw_only=True)
class SessionRecords(Reply):
    """Hold one page of session records; ``total_count`` counts those of all pages."""

    spellings: ClassVar[Mapping[str, str]] = {"im_cdr_list": "IMCdrList"}

    total_count: int | None = None
    im_cdr_list: tuple[SessionRecord, ...] = ()

    @property
    def items(self) -> tuple[SessionRecord, ...]:
        """Return what the page lists."""
        return self.im_cdr_list


@frozen(kw_only=True)
class DescribeImCdrList:
    """Ask for the records of past sessions (1229/68823); :func:`paged` fetches them all.

    :ivar start_timestamp: the first moment of the window, a datetime with a time zone; whole seconds count.
    :ivar end_timestamp: its last moment.
    :ivar limit: the size of a page, 1 to 100; Desk takes 20 where it is not given.
    :ivar offset: how many records to pass over.
    :ivar client_user_id: whose sessions; everybody's where it is not given.
    """

    service = DESK
    path = "describe_im_cdr_list"
    repeatable = True
    reply = SessionRecords

    start_timestamp: Seconds = field(validator=aware)
    end_timestamp: Seconds = field(validator=aware)
    limit: int | None = field(default=None, validator=optional(whole(1, MAX_PAGE)))
    offset: int | None = field(default=None, validator=optional(whole()))
    client_user_id: str | None = field(default=None, validator=optional(filled))

    def __attrs_post_init__(self) -> None:
        """Check that the window does not end before it begins."""
        if self.end_timestamp < self.start_timestamp:
            raise MessageError("end_timestamp lies before start_timestamp")

    def at(self, offset: int, limit: int) -> Self:
        """Return the same question for another page."""
        return evolve(self, offset=offset, limit=limit)


class Role(OpenNumber):
    """Say who wrote a message (1229/68824)."""

    USER = 1
    AGENT = 2
    SYSTEM = 3


@frozen(kw_only=True)
class ChatMessage(OpenValue):
    """Show one message of a session (1229/68824).

    :ivar from_account: who wrote it.
    :ivar from_account_role: as what: user, agent or system.
    :ivar msg_body: its elements; those that deskim does not know are ``RawElem``.
    :ivar timestamp: when it was sent.
    """

    from_account: str = ""
    from_account_role: Role | None = None
    msg_body: MsgBody = ()
    timestamp: Milliseconds | None = None

    @property
    def text(self) -> str:
        """Return what its text elements say, line by line."""
        return text_of(self.msg_body)

    @property
    def payload(self) -> Payload | Mapping[str, Any] | None:
        """Return what its custom element carries: a ``Card`` or another payload, a mapping, or ``None``."""
        return payload_of(self.msg_body)


@frozen(kw_only=True)
class ChatMessages(Reply):
    """Hold one page of a session's messages; ``total_count`` counts those of all pages."""

    total_count: int | None = None
    messages: tuple[ChatMessage, ...] = ()

    @property
    def items(self) -> tuple[ChatMessage, ...]:
        """Return what the page lists."""
        return self.messages


class Order(OpenNumber):
    """Say in which order messages are listed (1229/68824)."""

    OLDEST_FIRST = 1
    NEWEST_FIRST = 2


def _order(value: int | None) -> Order | None:
    if value is not None and type(value) not in (int, Order):
        raise MessageError(f"order must be an Order or a whole number, not {shown(value)}")
    return None if value is None else Order(value)


@frozen(kw_only=True)
class DescribeChatMessages:
    """Ask for the messages of a session (1229/68824); :func:`paged` fetches them all.

    :ivar limit: the size of a page, 1 to 100; Desk takes 20 where it is not given.
    :ivar offset: how many messages to pass over.
    :ivar order: oldest first or newest first; Desk takes newest first where it is not given. While messages arrive,
        pages of the newest first overlap.
    """

    service = DESK
    path = "describe_chat_messages"
    repeatable = True
    reply = ChatMessages

    session_id: str = field(validator=filled)
    limit: int | None = field(default=None, validator=optional(whole(1, MAX_PAGE)))
    offset: int | None = field(default=None, validator=optional(whole()))
    order: Order | None = field(default=None, converter=_order)

    def at(self, offset: int, limit: int) -> Self:
        """Return the same question for another page."""
        return evolve(self, offset=offset, limit=limit)
