"""Post callbacks to an application, as Tencent does (1229/68989, 1229/68988, 1229/68990)."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
from attrs import define, field, frozen

from deskim._codec import dump_body
from deskim._messages import Content, as_element
from deskim._transport import DeskTransport

from ._conversations import USER, Conversations
from ._lifespan import lifespan
from ._reply import compact

_TIMEOUT = 10.0
_OK = 200


def wire_of(contents: Iterable[Content]) -> list[Any]:
    """Return the MsgBody of text, elements or payloads."""
    return dump_body(map(as_element, contents))


@frozen
class Application:
    """Say for whom callbacks are, and how they are posted."""

    sdk_app_id: int
    customer_service_account: str
    token: str | None = field(repr=False)
    attempts: int
    clock: Callable[[], float]


@frozen
class CallbackDelivery:
    """Show one callback and what the application answered.

    :ivar request_id: its RequestID; equal in all attempts.
    :ivar fields: its body.
    :ivar status: the HTTP status of the last attempt; ``None`` where no answer came.
    :ivar reply: the body of the answer, decoded; empty where it is no JSON object.
    :ivar attempts: how often it was posted.
    """

    request_id: str
    fields: Mapping[str, Any]
    status: int | None
    reply: Mapping[str, Any]
    attempts: int


@define
class CallbackSender:
    """Play Tencent's part towards an application; :meth:`FakeDesk.callbacks_to` makes it.

    :ivar deliveries: all callbacks so far.
    """

    _application: Application
    _conversations: Conversations
    _http: httpx.AsyncClient
    _url: str
    deliveries: list[CallbackDelivery] = field(factory=list[CallbackDelivery])

    async def session_begins(self, session_id: str, client_user_id: str = "") -> CallbackDelivery:
        """Tell that a session begins."""
        self._conversations.of(session_id, self._application.clock(), client_user_id)
        return await self.event(session_id, "SessionBegin")

    async def user_says(self, session_id: str, *contents: Content) -> CallbackDelivery:
        """Tell that the user wrote while the session is with the bot; the message is added to the history, too."""
        body = wire_of(contents)
        self._conversations.say(session_id, USER, body, self._application.clock())
        key = f"{uuid.uuid4().int % 1000}_{int(self._application.clock())}_fake"
        return await self.event(session_id, "ChatBot.UserSendMsg", MsgKey=key, MsgBody=body)

    async def user_opens_chat(self, session_id: str) -> CallbackDelivery:
        """Tell that the user opened the chat: a message with ``src`` 7 (269/110624)."""
        body = [{"MsgType": "TIMCustomElem", "MsgContent": {"Data": '{"customerServicePlugin":0,"src":"7"}'}}]
        return await self.event(session_id, "ChatBot.UserSendMsg", MsgBody=body)

    async def event(self, session_id: str, event: str, **fields: Any) -> CallbackDelivery:
        """Tell of any event, with further fields by their wire names (1229/68989)."""
        known = {"CallbackCommand": "Desk.SessionEventNotify", **self._about(session_id)}
        return await self.post({**known, "Event": event, "ChannelType": "SDK", **fields})

    async def ask_for_agent(self, session_id: str) -> CallbackDelivery:
        """Ask which agent takes a session; ``reply`` of what is returned holds the answer (1229/68988)."""
        return await self.post({"CallbackCommand": "ChatBot.OnAssignHuman", **self._about(session_id)})

    async def invoke(self, session_id: str, **variables: Any) -> CallbackDelivery:
        """Ask for the values of an API node in a task flow; ``reply`` holds the answer (1229/68990)."""
        about = self._about(session_id)
        system = {"SystemSessionID": session_id, "SystemClientUserID": about["ClientUserId"]}
        body = {"CallbackCommand": "Chatbot.InterfaceInvocation", "Body": {**system, **variables}}
        return await self.post({**body, "EventTime": about["EventTime"]})

    async def post(self, fields: Mapping[str, Any], *, request_id: str | None = None) -> CallbackDelivery:
        """Post a callback of any body, again with the same RequestID where it is not taken (269/111212)."""
        known = request_id or str(uuid.uuid4())
        delivery = await self._attempt(fields, known, 1)
        while delivery.status != _OK and delivery.attempts < self._application.attempts:
            delivery = await self._attempt(fields, known, delivery.attempts + 1)
        self.deliveries.append(delivery)
        return delivery

    async def _attempt(self, fields: Mapping[str, Any], request_id: str, attempt: int) -> CallbackDelivery:
        query = self._query(str(fields.get("CallbackCommand", "")), request_id)
        try:
            answer = await self._http.post(self._url, params=query, content=compact(fields))
        except httpx.TransportError:
            return CallbackDelivery(request_id, fields, None, {}, attempt)
        return CallbackDelivery(request_id, fields, answer.status_code, _object(answer.content), attempt)

    def _about(self, session_id: str) -> dict[str, Any]:
        now = self._application.clock()
        conversation = self._conversations.of(session_id, now)
        return {
            "SessionId": session_id,
            "ClientUserId": conversation.client_user_id,
            "CustomerServiceId": conversation.customer_service_id,
            "EventTime": int(now * 1000),
        }

    def _query(self, command: str, request_id: str) -> dict[str, str]:
        known = {
            "SdkAppid": str(self._application.sdk_app_id),  # spelt so in callbacks (1229/68989)
            "CallbackCommand": command,
            "contenttype": "json",
            "ClientIP": "127.0.0.1",
            "OptPlatform": "RESTAPI",
            "RequestID": request_id,
        }
        return {**known, **self._signature()}

    def _signature(self) -> dict[str, str]:
        if self._application.token is None:
            return {}
        requested = str(int(self._application.clock()))
        sign = hashlib.sha256(f"{self._application.token}{requested}".encode()).hexdigest()
        return {"RequestTime": requested, "Sign": sign}


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        value: object = json.loads(content)
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


@asynccontextmanager
async def sending(
    application: Application, conversations: Conversations, target: Any, path: str
) -> AsyncGenerator[CallbackSender, None]:
    """Give a sender to a URL, or to an ASGI application, which lives as long as the block."""
    if isinstance(target, str):
        transport = DeskTransport(trust_env=False)
        async with httpx.AsyncClient(transport=transport, timeout=_TIMEOUT) as http:
            yield CallbackSender(application, conversations, http, target)
        return
    in_memory = httpx.ASGITransport(target)
    async with lifespan(target), httpx.AsyncClient(transport=in_memory, base_url="https://bot.test") as http:
        yield CallbackSender(application, conversations, http, path)
