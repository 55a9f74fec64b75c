from __future__ import annotations

import asyncio
import importlib
import json
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from traceback import TracebackException
from typing import Any

import httpx
import pytest
from aiohttp import web
from fastapi import FastAPI

from deskim.callbacks import (
    MAX_BODY,
    AssignHuman,
    CallbackError,
    InterfaceInvocation,
    SessionEvent,
    UnknownCallback,
    acknowledge,
    assign,
    parse,
)
from deskim.contrib.aiohttp import add_callbacks
from deskim.contrib.asgi import CallbackApp
from deskim.contrib.fastapi import callback_router
from deskim.contrib.inbox import CallbackInbox
from deskim.errors import ConfigurationError
from deskim.testing import CallbackSender, FakeDesk

pytestmark = pytest.mark.anyio
APP = 1400000000


class Bot:
    """Note what was handled; wait, or fail, as told."""

    def __init__(self) -> None:
        self.handled: list[Any] = []
        self.may_go = asyncio.Event()
        self.may_go.set()

    async def handle(self, event: SessionEvent | UnknownCallback) -> None:
        await self.may_go.wait()
        self.handled.append(event)
        if isinstance(event, SessionEvent) and event.text == "fail":
            raise RuntimeError("a bot's own mistake")
        if isinstance(event, SessionEvent) and event.text == "be cancelled":
            raise asyncio.CancelledError

    async def choose(self, callback: AssignHuman) -> bytes:
        await self.may_go.wait()
        return assign("test_agent@qq.com")

    async def answer(self, callback: InterfaceInvocation) -> dict[str, Any]:
        return {"state": f"of {callback.body['order']}"}

    def inbox(self, **settings: Any) -> CallbackInbox:
        handlers: dict[str, Any] = {"on_assign": self.choose, "on_invocation": self.answer, "on_unknown": self.handle}
        return CallbackInbox(self.handle, sdk_app_id=APP, **{**handlers, **settings})


@pytest.fixture
async def bot() -> Bot:
    """Return a bot that does as it is told."""
    return Bot()


def over_asgi(inbox: CallbackInbox) -> AbstractAsyncContextManager[CallbackSender]:
    """Post to the plain ASGI application."""
    return FakeDesk().callbacks_to(CallbackApp(inbox))


def over_fastapi(inbox: CallbackInbox) -> AbstractAsyncContextManager[CallbackSender]:
    """Post to a FastAPI application with the router."""
    app = FastAPI()
    app.include_router(callback_router(inbox, "/tencent"))
    return FakeDesk().callbacks_to(app, path="/tencent")


@asynccontextmanager
async def over_aiohttp(inbox: CallbackInbox) -> AsyncIterator[CallbackSender]:
    """Post to an aiohttp application on a socket."""
    app = web.Application()
    add_callbacks(app, inbox, "/desk")
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        async with FakeDesk().callbacks_to(f"http://{host}:{port}/desk") as tencent:
            yield tencent
    finally:
        await runner.cleanup()


Over = Callable[[CallbackInbox], AbstractAsyncContextManager[CallbackSender]]


@pytest.fixture(params=[over_asgi, over_fastapi, over_aiohttp])
def over(request: pytest.FixtureRequest) -> Over:
    """Run a test over each adapter."""
    return request.param  # type: ignore[no-any-return]


async def test_an_event_is_acknowledged_and_then_handled(bot: Bot, over: Over) -> None:
    """The answer goes out while the handler still waits; leaving the application waits for the handler."""
    bot.may_go.clear()
    async with over(bot.inbox()) as tencent:
        delivery = await tencent.user_says("s", "Hello")
        before = list(bot.handled)
        bot.may_go.set()
    assert (200, json.loads(acknowledge()), []) == (delivery.status, delivery.reply, before)
    assert [("s", "Hello")] == [(event.session_id, event.text) for event in bot.handled]


async def test_a_repeated_delivery_is_handled_once(bot: Bot, over: Over) -> None:
    """The same RequestID again is acknowledged and not handled again."""
    async with over(bot.inbox()) as tencent:
        first = await tencent.session_begins("s")
        again = await tencent.post(first.fields, request_id=first.request_id)
    assert ([200, 200], 1) == ([first.status, again.status], len(bot.handled))


async def test_questions_are_answered_at_once(bot: Bot, over: Over) -> None:
    """Which agent, and what values: the handlers' answers are the answers to the callbacks."""
    async with over(bot.inbox()) as tencent:
        agent = await tencent.ask_for_agent("s")
        values = await tencent.invoke("s", order="7")
    assert (["test_agent@qq.com"], {"state": "of 7"}) == (agent.reply["AgentIdList"], values.reply["Body"])


@pytest.mark.parametrize(
    ("status", "fields", "changes"),
    [
        (403, {}, {"SdkAppid": "1"}),
        (400, {"SessionId": 7}, {}),
        (413, {"CloudCustomData": "x" * MAX_BODY}, {}),
    ],
)
async def test_what_is_no_callback_is_turned_away(
    bot: Bot, over: Over, status: int, fields: dict[str, Any], changes: dict[str, str]
) -> None:
    """Foreign, malformed and oversized requests get their HTTP status, and nothing is handled."""
    async with over(bot.inbox()) as tencent:
        body = {"CallbackCommand": "Desk.SessionEventNotify", "SessionId": "s", "Event": "SessionBegin", **fields}
        answer = await tencent._http.post(
            tencent._url, params={"SdkAppid": str(APP), **changes}, content=json.dumps(body).encode()
        )
    assert (status, "FAIL", []) == (answer.status_code, answer.json()["ActionStatus"], bot.handled)


async def test_only_posts_are_callbacks(bot: Bot, over: Over) -> None:
    """Another method is not allowed."""
    async with over(bot.inbox()) as tencent:
        assert 405 == (await tencent._http.get(tencent._url)).status_code


async def test_signed_callbacks_pass_and_others_do_not(bot: Bot) -> None:
    """With a token, the signature of the URL decides."""
    app = CallbackApp(bot.inbox(token="t"))
    desk = FakeDesk()
    async with desk.callbacks_to(app, token="t") as tencent:
        good = await tencent.session_begins("s")
        unsigned = await tencent._http.post("/", params={"SdkAppid": str(APP)}, content=b"{}")
    assert (200, 403) == (good.status, unsigned.status_code)


async def test_callbacks_of_tomorrow_have_their_handler(bot: Bot) -> None:
    """An unknown callback goes to on_unknown, or is acknowledged only."""
    for inbox, expected in ((bot.inbox(), 1), (bot.inbox(on_unknown=None), 1)):
        async with over_asgi(inbox) as tencent:
            delivery = await tencent.post({"CallbackCommand": "Desk.New"})
        assert (200, expected) == (delivery.status, len(bot.handled))


async def test_without_handlers_questions_are_acknowledged(bot: Bot) -> None:
    """Nobody to ask means a plain acknowledgement: Desk decides."""
    async with over_asgi(bot.inbox(on_assign=None, on_invocation=None)) as tencent:
        replies = [(await tencent.ask_for_agent("s")).reply, (await tencent.invoke("s")).reply]
    assert [json.loads(acknowledge())] * 2 == replies


@pytest.mark.parametrize("settings", [{"on_invocation": Bot().handle}, {"answer_within": 0.01}])
async def test_a_question_without_an_answer_is_asked_again(
    bot: Bot, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that fails, or takes too long, gives HTTP 500, so that Tencent posts again; the log tells why."""
    bot.may_go.clear()
    async with over_asgi(bot.inbox(**settings)) as tencent:
        ask: Callable[[], Awaitable[Any]] = lambda: tencent.ask_for_agent("s")  # noqa: E731
        delivery = await (tencent.invoke("s") if "on_invocation" in settings else ask())
    assert (500, 3) == (delivery.status, delivery.attempts)
    assert "callback failed" in caplog.text


async def test_an_assignment_that_is_none_is_no_answer(bot: Bot, over: Over, caplog: pytest.LogCaptureFixture) -> None:
    """A handler that returns an agent's id instead of what assign makes fails as any other, and the log says how."""

    async def choose(_: AssignHuman) -> Any:
        return "test_agent@qq.com"

    async with over(bot.inbox(on_assign=choose)) as tencent:
        delivery = await tencent.ask_for_agent("s")
    assert 500 == delivery.status
    assert "on_assign must return what deskim.callbacks.assign makes, not str" in caplog.text


async def test_a_handler_that_fails_is_logged_and_the_next_one_runs(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    """A bot's mistake ends one handler and nothing else."""
    async with over_asgi(bot.inbox(concurrency=1)) as tencent:
        for text in ("fail", "be cancelled", "go on"):
            await tencent.user_says("s", text)
    assert ["fail", "be cancelled", "go on"] == [event.text for event in bot.handled]
    assert "a bot's own mistake" in caplog.text
    assert "a handler of callbacks failed: on_event of 'ChatBot.UserSendMsg' in session 's'" in caplog.text
    assert "was cancelled: on_event of " in caplog.text


async def test_a_handler_of_unknown_callbacks_is_named_when_it_fails(
    bot: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    """With the command of the callback, there being no session."""

    async def handle(_: UnknownCallback) -> None:
        raise RuntimeError

    async with over_asgi(bot.inbox(on_unknown=handle)) as tencent:
        await tencent.post({"CallbackCommand": "Desk.New"})
    assert "a handler of callbacks failed: on_unknown of 'Desk.New'" in caplog.text


async def test_a_handler_without_async_is_named(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    """It has run, and there is nothing to await: the log says what it must be."""
    inbox: Any = CallbackInbox(bot.handled.append, sdk_app_id=APP)  # type: ignore[arg-type]
    async with over_asgi(inbox) as tencent:
        await tencent.user_says("s", "Hello")
    assert "on_event must be an async function: it returned NoneType" in caplog.text


async def test_what_is_too_much_is_posted_again(bot: Bot) -> None:
    """Beyond its capacity the inbox says 503 and forgets the delivery; later it takes it."""
    bot.may_go.clear()
    async with over_asgi(bot.inbox(capacity=2)) as tencent:
        taken = [(await tencent.user_says("s", str(number))).status for number in range(3)]
        refused = tencent.deliveries[-1]
        bot.may_go.set()
        while len(bot.handled) < 2:  # noqa: ASYNC110 - the bot has no event for it
            await asyncio.sleep(0)
        again = await tencent.post(refused.fields, request_id=refused.request_id)
    assert ([200, 200, 503], 200, 3) == (taken, again.status, len(bot.handled))


async def test_a_bounded_number_of_handlers_run_at_once(bot: Bot) -> None:
    """No more handlers than asked for run at the same time."""
    running, most = 0, 0

    async def handle(_: SessionEvent) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    inbox = CallbackInbox(handle, sdk_app_id=APP, concurrency=5)
    async with over_asgi(inbox) as tencent, asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(tencent.session_begins(str(number)))
    assert (5, 0) == (most, running)


async def test_shutting_down_does_not_wait_for_ever(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    """Handlers that hang are cancelled after the time to drain; the log says how many, and names the first of them."""
    bot.may_go.clear()
    with caplog.at_level(logging.WARNING):
        async with over_asgi(bot.inbox(drain=0.01, concurrency=6)) as tencent:
            for number in range(8):
                await tencent.user_says(f"s{number}", "Hello")
    named = "on_event of 'ChatBot.UserSendMsg' in session 's"
    assert "8 callbacks were not handled within 0.01 s of shutting down; under way: on_event" in caplog.text
    assert (5, True) == (caplog.text.count(named), caplog.text.rstrip().endswith(", …"))
    assert [] == [task for task in asyncio.all_tasks() if task.get_name() == "deskim callbacks"]


async def test_a_stopping_inbox_turns_callbacks_away(bot: Bot) -> None:
    """Once it leaves, an inbox takes nothing new."""
    inbox = bot.inbox()
    async with inbox:
        pass
    body = b'{"CallbackCommand": "Desk.SessionEventNotify", "SessionId": "s", "Event": "SessionBegin"}'
    assert 503 == (await inbox.receive(body, {"SdkAppid": str(APP)})).status


async def test_an_inbox_lives_once_within_a_lifespan(bot: Bot) -> None:
    """An inbox that was not started, or is started twice, says so."""
    inbox = bot.inbox()
    with pytest.raises(ConfigurationError, match="lifespan"):
        await inbox.receive(b"", {})
    async with inbox:
        with pytest.raises(ConfigurationError, match="once"):
            await inbox.__aenter__()
    assert "CallbackInbox(sdk_app_id=1400000000)" == repr(inbox)


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("concurrency", 0, "concurrency must be a whole number, at least 1, not 0"),
        ("concurrency", True, "concurrency must be a whole number, at least 1, not True"),
        ("capacity", 2.5, "capacity must be a whole number, at least 1, not 2.5"),
        ("answer_within", 0, "answer_within must be a number of seconds above 0, not 0"),
        ("answer_within", "3", "answer_within must be a number of seconds above 0, not '3'"),
        ("drain", -1, "drain must be a number of seconds from 0, not -1"),
        ("drain", None, "drain must be a number of seconds from 0, not None"),
        ("drain", False, "drain must be a number of seconds from 0, not False"),
        ("sdk_app_id", "1400000000", "sdk_app_id must be the SDKAppID, a positive whole number, not '1400000000'"),
        ("token", "", "token is empty"),
        ("token", b"canary", "token must be the text that callbacks are signed with, or None, not of type bytes"),
        ("on_event", None, "on_event must be an async function that takes the callback, not None"),
        ("on_event", Bot, "on_event must be an async function that takes the callback, not <class"),
        ("on_assign", "me", "on_assign must be an async function that takes the callback, not 'me'"),
    ],
)
def test_arguments_that_cannot_work_are_refused(setting: str, value: Any, reason: str) -> None:
    """The constructor names the argument and what it takes; the token is not shown."""
    with pytest.raises(ConfigurationError) as caught:
        CallbackInbox(**{"on_event": Bot().handle, "sdk_app_id": APP, setting: value})
    assert str(caught.value).startswith(reason)
    assert "canary" not in str(caught.value)


async def test_an_inbox_need_not_wait_for_its_handlers(bot: Bot) -> None:
    """``drain=0`` leaves at once."""
    bot.may_go.clear()
    async with over_asgi(bot.inbox(drain=0)) as tencent:
        await tencent.user_says("s", "Hello")
    assert [] == bot.handled


async def test_refused_callbacks_are_logged(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    """Forged and foreign ones among them, each with its reason and with nothing of the request or the token."""
    inbox = bot.inbox(token="canary-of-a-token")
    query = {"SdkAppid": str(APP), "Sign": "canary-of-a-sign", "RequestTime": "1"}
    async with inbox:
        await inbox.receive(b'{"canary": 1}', query)
        await inbox.receive(b"{}", {**query, "SdkAppid": "canary"})
    told = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    refused = "a callback was refused with HTTP 403: "
    assert [
        ("deskim", "WARNING", f"{refused}the signature of the URL is missing or wrong"),
        ("deskim", "WARNING", f"{refused}the SdkAppid of the URL is missing or another application's"),
    ] == told
    assert "canary" not in caplog.text


async def exchange(app: CallbackApp, *events: dict[str, Any], fail: bool = False) -> list[Any]:
    """Speak ASGI with an application, as a server does whose client goes away."""
    waiting, sent = list(events), []

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(event: Any) -> None:
        if fail:
            raise OSError("the client is gone")
        sent.append(event["type"])

    scope = {"type": "http", "method": "POST", "query_string": f"SdkAppid={APP}".encode(), "headers": []}
    await app(scope, receive, send)
    return sent


BODY = b'{"CallbackCommand": "Desk.SessionEventNotify", "SessionId": "s", "Event": "SessionBegin"}'


async def test_a_sender_who_goes_away_is_no_harm(bot: Bot) -> None:
    """Gone while posting: nothing happens. Gone before the answer: the event is handled all the same, once."""
    inbox = bot.inbox()
    async with inbox:
        app = CallbackApp(inbox)
        half = {"type": "http.request", "body": BODY[:10], "more_body": True}
        assert [] == await exchange(app, half, {"type": "http.disconnect"})
        with pytest.raises(OSError, match="gone"):
            await exchange(app, {"type": "http.request", "body": BODY}, fail=True)
    assert ["s"] == [event.session_id for event in bot.handled]


async def test_other_kinds_of_connections_are_none_of_ours(bot: Bot) -> None:
    """A WebSocket is left alone."""
    unused: Any = None
    assert await CallbackApp(bot.inbox())({"type": "websocket"}, unused, unused) is None


async def test_a_thousand_callbacks_are_all_acknowledged_and_handled(bot: Bot, over: Over) -> None:
    """A hundred at a time: every one of a thousand is acknowledged, and none is lost when the application stops."""
    numbers = iter(range(1000))

    async def post(tencent: CallbackSender) -> None:
        for number in numbers:
            await tencent.user_says(f"s{number}", str(number))

    async with over(bot.inbox()) as tencent, asyncio.TaskGroup() as group:
        for _ in range(100):
            group.create_task(post(tencent))
    assert [(200, 1)] * 1000 == [(delivery.status, delivery.attempts) for delivery in tencent.deliveries]
    assert {str(number) for number in range(1000)} == {event.text for event in bot.handled}


async def test_the_fake_posts_again_what_was_not_taken() -> None:
    """An application that is down, or answers with an error, gets the callback again, and the fake notes the end."""
    desk = FakeDesk()
    async with desk.callbacks_to("http://127.0.0.1:9/desk", attempts=2) as tencent:
        down = await tencent.user_opens_chat("s")

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"no JSON"})

    async with desk.callbacks_to(broken) as tencent:
        failed = await tencent.session_begins("s", "user45")
    assert ((None, 2, {}), (500, 3, {})) == (
        (down.status, down.attempts, down.reply),
        (failed.status, failed.attempts, failed.reply),
    )
    assert "user45" == failed.fields["ClientUserId"]


async def test_an_application_that_cannot_start_says_why() -> None:
    """A failed startup is the test's failure."""

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(RuntimeError, match="no database"):
        async with FakeDesk().callbacks_to(failing):
            raise AssertionError


@pytest.mark.parametrize("target", [web.Application(), 7])
async def test_what_is_no_asgi_application_is_refused(target: Any) -> None:
    """An application of aiohttp's has to be served, which the error says."""
    with pytest.raises(TypeError, match="is no ASGI application: serve it and give its URL"):
        async with FakeDesk().callbacks_to(target):
            raise AssertionError


async def test_an_application_that_does_not_end_is_ended() -> None:
    """An application that goes on after its shutdown does not keep the test."""
    ended: list[str] = []

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("now")

    async with FakeDesk().callbacks_to(endless):
        pass
    assert ["now"] == ended


async def test_the_token_shows_nowhere(bot: Bot) -> None:
    """Neither the inbox nor a traceback with local variables shows the token."""
    inbox = bot.inbox(token="canary-of-a-token")
    query = {"SdkAppid": str(APP), "Sign": "x", "RequestTime": "1"}
    with pytest.raises(CallbackError) as caught:
        parse(b"{}", query, sdk_app_id=APP, token="canary-of-a-token")
    shown = "".join(TracebackException.from_exception(caught.value, capture_locals=True).format())
    frames = shown[shown.index("_parse.py") :]  # what comes before are the frames of this test
    assert "canary" not in frames + repr(inbox) + repr(vars(inbox))


async def test_httpx_needs_no_environment(monkeypatch: pytest.MonkeyPatch, bot: Bot) -> None:
    """A proxy of the environment is not asked about the machine itself."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with over_aiohttp(bot.inbox()) as tencent:
        assert 200 == (await tencent.session_begins("s")).status
    assert isinstance(tencent._http, httpx.AsyncClient)


@pytest.mark.parametrize("framework", ["fastapi", "aiohttp"])
def test_a_missing_framework_is_named(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its framework, an adapter says what to install."""
    monkeypatch.setitem(sys.modules, framework, None)
    monkeypatch.delitem(sys.modules, f"deskim.contrib.{framework}")
    with pytest.raises(ImportError, match=f"pip install {framework}"):
        importlib.import_module(f"deskim.contrib.{framework}")
