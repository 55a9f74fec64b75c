"""What Desk knows of its sessions: with whom each one is, what was said in it, and which agents there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, field, frozen

from deskim._codec import load_body, payload_of, text_of
from deskim._elements import Elem
from deskim.payloads import Payload, StreamText

from ._reply import Refused

USER, AGENT, SYSTEM = 1, 2, 3  # 1229/68824
FREE, BUSY, REST, OFFLINE = "free", "busy", "rest", "offline"
#: What Desk answers for a wanted agent who cannot take a session (1229/68947, 679/117593).
_UNAVAILABLE = {OFFLINE: 141011, BUSY: 141012, REST: 141013}


@frozen(kw_only=True)
class HistoryMessage:
    """Show one message of a session's history, decoded.

    :ivar from_account: who wrote it.
    :ivar role: 1 the user, 2 an agent or the bot in its place, 3 the system (1229/68824).
    :ivar elements: its elements; those that deskim does not know are ``RawElem``.
    :ivar time: when it was sent, in Unix seconds by the fake's clock.
    """

    from_account: str
    role: int
    elements: tuple[Elem, ...]
    time: float

    @property
    def text(self) -> str:
        """Return what it says: its text elements line by line, or the text of a stream."""
        payload = self.payload
        return payload.text if isinstance(payload, StreamText) else text_of(self.elements)

    @property
    def payload(self) -> Payload | Mapping[str, Any] | None:
        """Return what its custom element carries: a ``Card`` or another payload, a mapping, or ``None``."""
        return payload_of(self.elements)


@define
class Line:
    """Keep one message as it goes over the wire; that of a stream grows."""

    from_account: str
    role: int
    body: list[Any]
    time: float

    def wire(self) -> dict[str, Any]:
        """Return the message as ``describe_chat_messages`` lists it (1229/68824)."""
        return {
            "FromAccount": self.from_account,
            "FromAccountRole": self.role,
            "MsgBody": self.body,
            "Timestamp": int(self.time * 1000),
        }

    def seen(self) -> HistoryMessage:
        """Return the message decoded."""
        return HistoryMessage(
            from_account=self.from_account, role=self.role, elements=load_body(self.body), time=self.time
        )


@define
class Conversation:
    """Keep one session."""

    session_id: str
    began: float
    client_user_id: str
    customer_service_id: str
    state: str = "Chatbot"
    agent_id: str = ""
    lines: list[Line] = field(factory=list[Line])
    ended: float | None = None

    def move(self, state: str, agent_id: str = "") -> None:
        """Let the session be with somebody else."""
        self.state, self.agent_id = state, agent_id

    def record(self) -> dict[str, Any]:
        """Return the session as ``describe_im_cdr_list`` lists it (1229/68823)."""
        return {
            "SessionId": self.session_id,
            "AgentGroupId": "",
            "AgentGroupName": "",
            "AgentId": self.agent_id,
            "ChannelType": "SDK",
            "ClientUserId": self.client_user_id,
            "ClientUserNickName": self.client_user_id,
            "Duration": int((self.ended or self.began) - self.began),
            "EndStatus": "AgentEndedSession",
            "SatisfactionSelected": 0,
            "Timestamp": int(self.began),
        }


@define
class Agents:
    """Know who could take a session."""

    status: dict[str, str]

    @classmethod
    def of(cls, agent_ids: Iterable[str]) -> Agents:
        """Return agents who are all free."""
        return cls(dict.fromkeys(agent_ids, FREE))

    def choose(self, wanted: Iterable[str] = (), *, also_busy: bool = False) -> str:
        """Return the first who can take a session, among the wanted ones if there are any; refuse where nobody can."""
        candidates = list(wanted) or list(self.status)
        takes = (FREE, BUSY) if also_busy else (FREE,)
        for agent_id in candidates:
            if self.status.get(agent_id, OFFLINE) in takes:
                return agent_id
        present = [self.status.get(agent_id, OFFLINE) for agent_id in candidates]
        if not wanted and not {FREE, BUSY} & set(present):
            raise Refused(141001, "no agent is online")
        raise Refused(_UNAVAILABLE[BUSY if BUSY in present else present[0]])


@define
class Conversations:
    """Keep the sessions that something has happened in, and the agents."""

    customer_service_account: str
    agents: Agents
    known: dict[str, Conversation] = field(factory=dict[str, Conversation])

    def of(self, session_id: str, now: float, client_user_id: str = "") -> Conversation:
        """Return a session; one that is new is with the bot."""
        found = self.known.get(session_id)
        if found is None or found.ended is not None:
            user = client_user_id or (found.client_user_id if found else f"user-{session_id}")
            lines = found.lines if found else []
            found = Conversation(session_id, now, user, self.customer_service_account, lines=lines)
            self.known[session_id] = found
        elif client_user_id:
            found.client_user_id = client_user_id
        return found

    def of_user(self, client_user_id: str) -> Conversation | None:
        """Return the session that a user is in."""
        mine = [c for c in self.known.values() if c.client_user_id == client_user_id and c.ended is None]
        return mine[-1] if mine else None

    def say(self, session_id: str, role: int, body: list[Any], now: float) -> Line:
        """Add a message to a session's history."""
        conversation = self.of(session_id, now)
        authors = {USER: conversation.client_user_id, AGENT: conversation.agent_id, SYSTEM: "administrator"}
        line = Line(authors[role] or conversation.customer_service_id, role, body, now)
        conversation.lines.append(line)
        return line

    def end(self, session_id: str, now: float) -> None:
        """Let a session be over; its history stays."""
        conversation = self.of(session_id, now)
        conversation.ended = now
        conversation.state = "NotInSession"
