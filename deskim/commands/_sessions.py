"""Sessions: their state, the way to a human, their end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from attrs import field, frozen

from deskim._checks import filled, flag, optional, whole
from deskim._codec import Flag, OpenText
from deskim.commands._core import DESK, Reply
from deskim.commands._fields import all_filled, maybe_sequence
from deskim.errors import MessageError

_LOWEST_PRIORITY = 9


@frozen(kw_only=True)
class Transfer(Reply):
    """Tell who got a session: the agent's id, or an empty text while the user waits in the queue."""

    agent_id: str = ""
    is_in_queue: Flag = False


@frozen(kw_only=True)
class TransferToHuman:
    """Hand a session to a human (1229/68820, 269/110581, 679/116634).

    A repetition might route the user anew, so it is not repeated when its reply is lost.

    :ivar session_id: the session.
    :ivar agent_id_list: the wanted agents; an agent's id looks like an e-mail address.
    :ivar agent_group_id: the wanted group; without it the application's routing decides.
    :ivar send_tip_if_no_agent_online: whether the user is told when nobody is there.
    :ivar check_if_during_working_hours: whether working hours count.
    :ivar send_prompt_not_during_working_hours: whether the user is told outside them.
    :ivar end_session_when_no_member_online: whether the session ends when nobody is there.
    :ivar disable_queuing: whether busy agents mean a refusal instead of a queue.
    :ivar allow_assign_busy_member: whether agents who are set to busy may be chosen.
    :ivar priority: the rank in the queue: 0 comes first, 9 last.
    :ivar queue_timeout: how long the user may wait in the queue; seconds, by Tencent's sample of 3600.
    """

    service = DESK
    path = "transfer_to_human"
    repeatable = False
    reply = Transfer

    session_id: str = field(validator=filled)
    agent_id_list: tuple[str, ...] | None = field(
        default=None, converter=maybe_sequence, validator=optional(all_filled)
    )
    agent_group_id: int | None = field(default=None, validator=optional(whole()))
    send_tip_if_no_agent_online: Flag | None = field(default=None, validator=optional(flag))
    check_if_during_working_hours: Flag | None = field(default=None, validator=optional(flag))
    send_prompt_not_during_working_hours: Flag | None = field(default=None, validator=optional(flag))
    end_session_when_no_member_online: Flag | None = field(default=None, validator=optional(flag))
    disable_queuing: Flag | None = field(default=None, validator=optional(flag))
    allow_assign_busy_member: Flag | None = field(default=None, validator=optional(flag))
    priority: int | None = field(default=None, validator=optional(whole(0, _LOWEST_PRIORITY)))
    queue_timeout: int | None = field(default=None, validator=optional(whole()))


@frozen(kw_only=True)
class Contact(Reply):
    """Tell which agent was assigned to a user."""

    member_id: str = ""


@frozen(kw_only=True)
class ContactUser:
    """Let an agent open a session with a user of the application/client integration (1229/68947, 679/117593).

    :ivar im_agent_user_id: the customer service account, e.g. ``@customer_service_account``.
    :ivar client_user_id: the user.
    :ivar group_id: the wanted group of agents; without it the application's routing decides.
    :ivar member_id: the wanted agent.
    """

    service = DESK
    path = "contact_user"
    repeatable = False
    reply = Contact
    # The page's table has these spellings; its sample ends both names in ID (1229/68947)
    spellings: ClassVar[Mapping[str, str]] = {"im_agent_user_id": "IMAgentUserId"}

    im_agent_user_id: str = field(validator=filled)
    client_user_id: str = field(validator=filled)
    group_id: int | None = field(default=None, validator=optional(whole()))
    member_id: str | None = field(default=None, validator=optional(filled))


@frozen(kw_only=True)
class EndSession:
    """End a session that is with a human (1229/68948).

    It may be repeated: the repetition finds that the session has ended, and ``SessionNotFoundError`` says so.
    """

    service = DESK
    path = "end_session"
    repeatable = True
    reply = Reply

    session_id: str = field(validator=filled)


class CurrentState(OpenText):
    """Say with whom a session is (1229/68825); a state that deskim does not know is one, too."""

    NOT_IN_SESSION = "NotInSession"
    CHATBOT = "Chatbot"
    WAITING_FOR_AGENT_ANSWERING = "WaitingForAgentAnswering"
    """An agent is found and has to accept."""
    QUEUEING = "Queueing"
    """The user waits in the queue for a human."""
    AGENT = "Agent"


@frozen(kw_only=True)
class SessionState(Reply):
    """Tell with whom a session is; ``agent_id`` is filled while one answers or is about to."""

    current_state: CurrentState
    session_id: str = ""
    agent_id: str = ""


@frozen(kw_only=True)
class GetSessionState:
    """Ask with whom a session is (1229/68825).

    Give ``session_id``; or, in the application/client integration, ``client_user_id`` and ``customer_service_id``.
    """

    service = DESK
    path = "get_session_state"
    repeatable = True
    reply = SessionState

    session_id: str | None = field(default=None, validator=optional(filled))
    client_user_id: str | None = field(default=None, validator=optional(filled))
    customer_service_id: str | None = field(default=None, validator=optional(filled))

    def __attrs_post_init__(self) -> None:
        """Check that one of the two ways was chosen."""
        by_user = {self.client_user_id, self.customer_service_id}
        if (self.session_id is None) == (by_user == {None}) or (self.session_id is None and None in by_user):
            raise MessageError("ask either by session_id, or by client_user_id and customer_service_id together")
