"""The fake Desk: settings, ledger and faults in front; checks, state and wire behind."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

from attrs import Attribute, Factory, define, field, setters, validators

from deskim._client import AsyncDeskClient
from deskim._messages import Content

from ._asgi import Receive, Scope, Send, exchange
from ._callbacks import Application, CallbackSender, sending, wire_of
from ._clients import ClientMaker, ServedDesk
from ._commands import handler_of
from ._conversations import AGENT, USER, Agents, Conversations, HistoryMessage
from ._faults import Fault, Faults
from ._ledger import ReceivedRequest, SeenMessage
from ._query import check_query, read_query
from ._reply import JSON_TYPE, Accepted, Answer, Arrival, Refused, accept, compact, parse, refuse
from ._signature import Identity
from ._state import DeskState, Recent, Sessions
from ._streams import SeenStream

_DEMO_KEY = "0123456789abcdef" * 4  # made up, in the form that the console shows


def _not_negative(_: object, setting: Attribute[Any], value: Any) -> None:
    if value is not None and not value >= 0:
        msg = f"{setting.name} must be a number from 0, or None, not {value!r}"
        raise ValueError(msg)


def _several(_: object, setting: Attribute[Any], value: Any) -> None:
    if isinstance(value, str):
        msg = f"{setting.name} must be a collection of ids, not one text"
        raise TypeError(msg)


def _fresh_state(desk: FakeDesk) -> DeskState:
    conversations = Conversations(desk.customer_service_account, Agents.of(desk.agents))
    return DeskState(Sessions.of(desk.sessions), Recent(desk.dedup_window), conversations)


@define(eq=False)
class FakeDesk:
    """Stand in for Desk in tests: check requests as Tencent's pages say, remember them, and fail when told to.

    It is an ASGI application; :meth:`client` gives a client that talks to it in memory, :meth:`serve` puts it on a
    socket. Replies have HTTP status 200 and the documented ErrorCodes (1229/68821, 679/131708). The UserSig is decoded
    and verified, every documented field of the body is checked, and a MsgBody over 12,288 bytes is refused.

    Raises ``ValueError`` or ``TypeError`` for settings that make no sense.

    :ivar sdk_app_id: the one application that it knows.
    :ivar secret_key: the key that UserSigs must be made with; no repr shows it.
    :ivar identifier: the one App administrator.
    :ivar customer_service_account: from whom its clients send to users; it takes any other sender, too.
    :ivar sessions: the ids of the sessions that exist; ``None``: every session exists until :meth:`end_session`.
    :ivar dedup_window: for how many seconds a message of the same sender, MsgRandom and content counts as a repetition:
        answered with success, not shown again (269/2282). 0 or ``None``: never.
    :ivar rate_limit: how many calls are taken in any one second before 60011; ``None``: any number. May be changed.
    :ivar clock: gives the time in Unix seconds.
    :ivar agents: the ids of the agents; they are free until :meth:`set_agent`.
    """

    sdk_app_id: int = field(default=1400000000, validator=validators.instance_of(int), on_setattr=setters.frozen)
    secret_key: str = field(default=_DEMO_KEY, repr=False, on_setattr=setters.frozen)
    identifier: str = field(default="administrator", on_setattr=setters.frozen)
    customer_service_account: str = field(default="@customer_service_account", on_setattr=setters.frozen)
    sessions: Collection[str] | None = field(default=None, validator=_several, repr=False, on_setattr=setters.frozen)
    dedup_window: float | None = field(default=120.0, validator=_not_negative, on_setattr=setters.frozen)
    rate_limit: float | None = field(default=None, validator=_not_negative)
    clock: Callable[[], float] = field(default=time.time, repr=False, on_setattr=setters.frozen)
    agents: Collection[str] = field(default=("test_agent@qq.com",), validator=_several, on_setattr=setters.frozen)
    _state: DeskState = field(default=Factory(_fresh_state, takes_self=True), init=False, repr=False)
    _faults: Faults = field(factory=Faults, init=False, repr=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application."""
        await exchange(scope, receive, send, self._respond)

    def client(self, **overrides: Any) -> AsyncDeskClient:
        """Return a client that talks to this fake in memory, without pacing.

        ``overrides`` are arguments of ``AsyncDeskClient``.
        """
        return self._clients().in_memory(self._respond, overrides)

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[ServedDesk, None]:
        """Listen on a socket of the running event loop while the ``async with`` block lasts; port 0 takes a free one.

        Leaving the block closes every connection. Raises ``ImportError`` without the extra ``deskim[testing]``, and
        ``OSError`` where it cannot listen.
        """
        from ._serve import serving

        async with serving(self, host, port) as base_url:
            yield ServedDesk(base_url, self._clients().make)

    def _served(self) -> Identity:
        return Identity(self.sdk_app_id, self.secret_key, self.identifier)

    def _clients(self) -> ClientMaker:
        return ClientMaker(self._served(), self.customer_service_account)

    @property
    def requests(self) -> list[ReceivedRequest]:
        """Every request that arrived, in order; those that were refused or spoilt are among them."""
        return self._state.requests

    @property
    def messages(self) -> list[SeenMessage]:
        """What users saw, in order, without repetitions."""
        return self._state.messages

    def sent_to(self, to_account: str) -> list[SeenMessage]:
        """Return what one user saw."""
        return [message for message in self.messages if message.to_account == to_account]

    def sent_to_session(self, session_id: str) -> list[SeenMessage]:
        """Return what was seen in one session."""
        return [message for message in self.messages if message.session_id == session_id]

    @property
    def streams(self) -> list[SeenStream]:
        """The messages that were streamed, in order, as they stand now."""
        return self._state.streams

    def begin_session(self, session_id: str, client_user_id: str = "") -> None:
        """Let a session exist, also one that had ended; it is with the bot."""
        self._state.sessions.begin(session_id)
        self._state.conversations.of(session_id, self.clock(), client_user_id)

    def end_session(self, session_id: str) -> None:
        """Let a session be over: messages to it get 141005, and its record is listed."""
        self._state.conversations.end(session_id, self.clock())
        self._state.sessions.end(session_id)

    def state_of(self, session_id: str) -> str:
        """Return with whom a session is: a CurrentState, such as ``Chatbot`` (1229/68825)."""
        known = self._state.conversations.known.get(session_id)
        return known.state if known else "Chatbot"

    def set_state(self, session_id: str, state: str, agent_id: str = "") -> None:
        """Let a session be with somebody: a CurrentState, and the agent where there is one (1229/68825)."""
        self._state.conversations.of(session_id, self.clock()).move(state, agent_id)

    def set_agent(self, agent_id: str, status: Literal["free", "busy", "rest", "offline"]) -> None:
        """Let an agent be free, busy, on a break or offline; one who is not known yet is added."""
        self._state.conversations.agents.status[agent_id] = status

    def user_says(self, session_id: str, *contents: Content) -> None:
        """Add a user's message to the history of a session; :meth:`callbacks_to` tells an application, too."""
        self._state.conversations.say(session_id, USER, wire_of(contents), self.clock())

    def agent_says(self, session_id: str, *contents: Content) -> None:
        """Add an agent's message to the history of a session."""
        self._state.conversations.say(session_id, AGENT, wire_of(contents), self.clock())

    def history(self, session_id: str) -> list[HistoryMessage]:
        """Return what was said in a session by user, bot and agents, the oldest first."""
        known = self._state.conversations.known.get(session_id)
        return [line.seen() for line in known.lines] if known else []

    def callbacks_to(
        self, target: Any, *, path: str = "/", token: str | None = None, attempts: int = 3
    ) -> AbstractAsyncContextManager[CallbackSender]:
        """Post callbacks to an application as Tencent does: to a URL, or in memory to ``path`` of an ASGI application.

        An ASGI application is started before and shut down after the block. With ``token`` the URLs are signed. A
        callback that is not answered with HTTP 200 is posted again with the same RequestID, ``attempts`` times at most.
        """
        application = Application(self.sdk_app_id, self.customer_service_account, token, attempts, self.clock)
        return sending(application, self._state.conversations, target, path)

    def reset(self) -> None:
        """Forget requests, messages and faults; sessions are those of the beginning."""
        self._state = _fresh_state(self)
        self._faults.clear()

    def fail_next(self, code: int, times: int = 1, *, info: str | None = None, command: str | None = None) -> None:
        """Answer the next requests with an ErrorCode, without looking at them.

        Faults happen in the order in which they were asked for, one a request. ``info`` is the ErrorInfo; ``command``
        limits the fault to one call, such as ``"send_msg"``. Raises ``TypeError`` or ``ValueError`` for what is no
        ErrorCode of a failure.
        """
        if isinstance(code, bool) or not isinstance(code, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            msg = f"code must be an ErrorCode, a whole number such as 60011, not {code!r}"
            raise TypeError(msg)
        if not code:
            msg = "code must be an ErrorCode other than 0, which says that all went well"
            raise ValueError(msg)
        self._faults.add(Fault(command, refuse(code, info)), times)

    def drop_replies(self, times: int = 1, *, command: str | None = None) -> None:
        """Process the next requests, then cut the connection instead of a reply: the client cannot know."""
        self._faults.add(Fault(command, cut=True), times)

    def delay_next(self, seconds: float, times: int = 1, *, command: str | None = None) -> None:
        """Process the next requests at once, but reply only ``seconds`` later."""
        self._faults.add(Fault(command, delay=seconds), times)

    def respond_next(
        self,
        status: int = 200,
        body: bytes | str | Mapping[str, Any] = b"",
        headers: Mapping[str, str] | None = None,
        times: int = 1,
        *,
        command: str | None = None,
    ) -> None:
        """Answer the next requests like a gateway in between, without looking at them.

        A mapping as ``body`` is sent as JSON.
        """
        sent = compact(body) if isinstance(body, Mapping) else body.encode() if isinstance(body, str) else body
        fixed = Answer(
            sent, status=status, headers={**(JSON_TYPE if isinstance(body, Mapping) else {}), **(headers or {})}
        )
        self._faults.add(Fault(command, fixed), times)

    def _respond(self, arrival: Arrival) -> Answer:
        now = self.clock()
        answer = self._faults.answer(arrival.command, lambda: self._decide(arrival, now))
        self.requests.append(_recorded(arrival, answer, now))
        return answer

    def _decide(self, arrival: Arrival, now: float) -> Answer:
        try:
            return accept(self._execute(arrival, now))
        except Refused as refused:
            return refuse(refused.code, refused.info)
        except RecursionError:
            return refuse(90001, "the request body is nested too deeply")

    def _execute(self, arrival: Arrival, now: float) -> Accepted:
        handler = handler_of(arrival)
        check_query(read_query(arrival.query), self._served(), now)
        self._state.quota.take(now, self.rate_limit)
        return handler(self._state, parse(arrival.body), now)


def _recorded(arrival: Arrival, answer: Answer, now: float) -> ReceivedRequest:
    return ReceivedRequest(
        method=arrival.method,
        path=arrival.path,
        query=read_query(arrival.query),
        headers=arrival.headers,
        body=arrival.body,
        time=now,
        status=answer.status,
        code=answer.code,
        duplicate=answer.duplicate,
        dropped=answer.cut,
    )
