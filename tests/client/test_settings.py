"""What the client takes, what it refuses, and what it says then."""

from __future__ import annotations

import copy
import pickle
import ssl
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests

from deskim import AsyncDeskClient, Message, RateLimit, RetryPolicy, UserSigSigner
from deskim._calls import Caller
from deskim._lanes import BorrowedLane, OwnLane
from deskim._pacing import LocalPacer
from deskim.errors import ConfigurationError, DeskError, MessageError
from deskim.hooks import Hooks
from tests.client.stage import APP_ID, KEY, on_stage

pytestmark = pytest.mark.anyio


class AsyncHook(Hooks):
    async def on_retry(self, event: object, /) -> None:  # type: ignore[override]
        raise AssertionError


class Pace:
    async def acquire(self, lane: str) -> None:
        raise AssertionError

    def slow_down(self, retry_after: float | None) -> None:
        raise AssertionError


async def provider() -> str:
    """Stand for a provider that nobody asks."""
    raise AssertionError


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"usersig": "signed"}, "exactly one of secret_key"),
    ({"secret_key": None}, "exactly one of secret_key"),
    ({"secret_key": 5}, "secret_key must be"),
    ({"secret_key": ""}, "secret_key"),
    ({"secret_key": None, "usersig": 5}, "usersig must be"),
    ({"secret_key": None, "usersig": UserSigSigner}, "usersig must be"),
    ({"secret_key": None, "usersig": ""}, "usersig is empty"),
    ({"sdk_app_id": True}, "sdk_app_id must be"),
    ({"sdk_app_id": "1400000000"}, "sdk_app_id must be"),
    ({"sdk_app_id": 0}, "sdk_app_id must be"),
    ({"identifier": ""}, "identifier must be"),
    ({"identifier": None}, "identifier must be"),
    ({"customer_service_account": ""}, "customer_service_account must be"),
    ({"customer_service_account": 7}, "customer_service_account must be"),
    ({"region": "mars"}, "region must be one of china"),
    ({"region": None}, "region must be one of china"),
    ({"base_url": "http://desk.example"}, "https"),
    ({"base_url": "desk.example"}, "base_url must be"),
    ({"base_url": "https://desk.example/v4"}, "base_url"),
    ({"base_url": "https://u:p@desk.example"}, "base_url"),
    ({"base_url": 7}, "base_url must be"),
    ({"http_client": httpx.Client}, "this is the synchronous httpx.Client"),
    ({"http_client": httpx.AsyncClient}, "make an object of it"),
    ({"http_client": requests.Session()}, "not requests.sessions.Session"),
    ({"http_client": 5}, "not builtins.int"),
    ({"http_client": httpx.AsyncClient(), "proxy": "http://proxy:3128"}, "set them there"),
    ({"http_client": httpx.AsyncClient(), "verify": False}, "set them there"),
    ({"signature_in": "body"}, "signature_in must be 'target' or 'url'"),
    ({"signature_in": "url"}, "for an http_client of your own"),
    ({"proxy": 5}, "proxy"),
    ({"proxy": "socks5://proxy:1080"}, "SOCKS"),
    ({"proxy": "ftp://proxy:1080"}, "proxy cannot be used"),
    ({"verify": "/etc/ca.pem"}, "verify is an ssl.SSLContext"),
    ({"max_connections": 0}, "max_connections is a whole number"),
    ({"max_connections": 1.5}, "max_connections is a whole number"),
    ({"max_connections": True}, "max_connections is a whole number"),
    *[({name: value}, f"{name} must be a number of seconds above 0") for name in ("timeout", "deadline") for value in
      (0, -1, True, "10", None, float("inf"), float("nan"))],
    ({"retry": 3}, "RetryPolicy"),
    ({"retry": RetryPolicy}, "RetryPolicy"),
    ({"rate_limit": 190}, "such as RateLimit(190)"),
    ({"rate_limit": RateLimit}, "such as RateLimit(190)"),
    ({"rate_limit": Pace}, "such as RateLimit(190)"),
    ({"hooks": Hooks()}, "hooks must be a list"),
    ({"hooks": [Hooks]}, "deskim.Hooks"),
    ({"hooks": [print]}, "deskim.Hooks"),
    ({"hooks": [AsyncHook()]}, "AsyncHook.on_retry must be a plain method"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "text"), WRONG, ids=[f"{n}-{next(iter(w))}" for n, (w, _) in enumerate(WRONG)])
def test_what_cannot_work_is_refused_at_once(settings: dict[str, Any], text: str) -> None:
    """The constructor raises ConfigurationError, whose text names the setting and what it takes."""
    with pytest.raises(ConfigurationError) as caught:
        AsyncDeskClient(**{"sdk_app_id": APP_ID, "secret_key": KEY, **settings})
    assert text in str(caught.value)
    assert (0, None) == (caught.value.attempts, caught.value.__cause__)


async def test_clients_of_other_libraries_are_refused_by_name() -> None:
    """Whoever hands over a synchronous or a foreign client is told which one fits."""
    with httpx.Client() as sync, httpx2.Client() as sync2:
        async with aiohttp.ClientSession() as session:
            for client, text in ((sync, "httpx.Client"), (sync2, "httpx2.Client"), (session, "ClientSession")):
                with pytest.raises(ConfigurationError, match=text):
                    AsyncDeskClient(APP_ID, secret_key=KEY, http_client=client)  # type: ignore[arg-type]


def caller(**settings: Any) -> Caller:
    """Return what a client of these settings works with."""
    known = {} if "usersig" in settings else {"secret_key": KEY}
    return AsyncDeskClient(APP_ID, **known, **settings)._caller


def test_every_kind_of_setting_is_taken() -> None:
    """Numbers may be whole or not, regions may be named, providers may be anything that can be awaited."""
    assert (5.0, None) == (caller(timeout=5).timeout, caller(retry=None).retry)
    assert "https://adminapisgp.im.qcloud.com" == caller(region="singapore").hosts.current(0.0)
    assert isinstance(caller().lane, OwnLane)
    assert isinstance(caller().pacer, LocalPacer)
    assert isinstance(caller(http_client=httpx2.AsyncClient()).lane, BorrowedLane)
    assert isinstance(caller(verify=ssl.create_default_context(), proxy="http://proxy:3128").lane, OwnLane)
    assert isinstance(caller(rate_limit=Pace()).pacer, Pace)
    assert 1 == len(caller(hooks=(Hooks(),)).hooks)
    for usersig in ("signed", provider, UserSigSigner(APP_ID, KEY)):
        assert caller(usersig=usersig).signatures.renewable == (usersig != "signed")


def test_the_constructor_needs_no_event_loop_and_leaves_nothing_open() -> None:
    """A client that was never used has nothing to close, and says nothing when it goes."""
    client = AsyncDeskClient(APP_ID, secret_key=KEY)
    assert f"AsyncDeskClient({APP_ID}, identifier='administrator')" == repr(client)
    del client


def test_a_client_is_neither_pickled_nor_copied() -> None:
    """It holds connections and a secret; its settings are what can be handed over."""
    client = AsyncDeskClient(APP_ID, secret_key=KEY)
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="hand over its settings"):
            duplicate(client)


# from_env


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Give an environment that names an application and its key, and nothing else of ours."""
    for name in ("USERSIG", "IDENTIFIER", "REGION", "BASE_URL", "CUSTOMER_SERVICE_ACCOUNT"):
        monkeypatch.delenv(f"DESKIM_{name}", raising=False)
    monkeypatch.setenv("DESKIM_SDK_APP_ID", str(APP_ID))
    monkeypatch.setenv("DESKIM_SECRET_KEY", KEY)
    return monkeypatch


def test_the_environment_names_the_settings(env: pytest.MonkeyPatch) -> None:
    """Each variable is one setting."""
    for name, value in (
        ("IDENTIFIER", "admin"),
        ("REGION", "seoul"),
        ("CUSTOMER_SERVICE_ACCOUNT", "@service"),
    ):
        env.setenv(f"DESKIM_{name}", value)
    client = AsyncDeskClient.from_env()
    assert f"AsyncDeskClient({APP_ID}, identifier='admin')" == repr(client)
    assert ("@service", "https://adminapikr.im.qcloud.com") == (client._account, client._caller.hosts.current(0.0))
    env.setenv("DESKIM_BASE_URL", "http://127.0.0.1:8000")
    assert "http://127.0.0.1:8000" == AsyncDeskClient.from_env()._caller.hosts.current(0.0)


def test_overrides_win_over_the_environment(env: pytest.MonkeyPatch) -> None:
    """A UserSig that is given takes the place of the key in the environment, and so on."""
    env.setenv("DESKIM_REGION", "seoul")
    client = AsyncDeskClient.from_env(usersig="signed", sdk_app_id=7, region="tokyo", timeout=3)
    assert (7, False, 3.0) == (
        client._identity.sdk_app_id,
        client._caller.signatures.renewable,
        client._caller.timeout,
    )
    assert "https://adminapijpn.im.qcloud.com" == client._caller.hosts.current(0.0)
    assert AsyncDeskClient.from_env(usersig=None)._caller.signatures.renewable


def test_empty_variables_count_as_missing(env: pytest.MonkeyPatch) -> None:
    """As in a compose file that passes on what is not set."""
    env.setenv("DESKIM_REGION", "")
    env.setenv("DESKIM_USERSIG", "")
    assert "https://console.tim.qq.com" == AsyncDeskClient.from_env()._caller.hosts.current(0.0)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"SDK_APP_ID": None}, "DESKIM_SDK_APP_ID is not set: it is the application's SDKAppID, a number"),
        ({"SDK_APP_ID": "desk"}, "it is 'desk'"),
        ({"SDK_APP_ID": "1e9"}, "it is '1e9'"),
        ({"SDK_APP_ID": "1" * 5000}, "DESKIM_SDK_APP_ID must be"),
        ({"SECRET_KEY": None}, "set DESKIM_SECRET_KEY (to sign with) or DESKIM_USERSIG"),
        (
            {"SDK_APP_ID": None, "SECRET_KEY": None},
            "it is the application's SDKAppID, a number; set DESKIM_SECRET_KEY (to sign with) or DESKIM_USERSIG",
        ),
        ({"USERSIG": "signed"}, "only one of DESKIM_SECRET_KEY and DESKIM_USERSIG"),
        ({"REGION": "mars"}, "region must be one of"),
        ({"BASE_URL": "http://desk.example"}, "base_url must be https"),
    ],
)
def test_what_is_missing_is_named(env: pytest.MonkeyPatch, changes: dict[str, str | None], text: str) -> None:
    """The error names the variable, or the setting."""
    for name, value in changes.items():
        if value is None:
            env.delenv(f"DESKIM_{name}")
        else:
            env.setenv(f"DESKIM_{name}", value)
    with pytest.raises(ConfigurationError) as caught:
        AsyncDeskClient.from_env()
    assert text in str(caught.value)


def test_an_unknown_override_is_a_mistake(env: pytest.MonkeyPatch) -> None:
    """As in any call."""
    with pytest.raises(TypeError, match="colour"):
        AsyncDeskClient.from_env(colour="blue")


# Wrong calls


@pytest.mark.parametrize("message", ["text", None, Message, {"SessionId": "s"}])
async def test_send_takes_a_message(message: Any) -> None:
    """Whoever gives it something else is pointed to the calls that take text."""
    async with on_stage() as (client, script):
        with pytest.raises(MessageError, match="send_to_session"):
            await client.send(message)
    assert [] == script.seen


@pytest.mark.parametrize("command", ["get_session_state", None, Message])
async def test_call_takes_a_command(command: Any) -> None:
    """Whoever gives it something else is shown a command."""
    async with on_stage() as (client, script):
        with pytest.raises(MessageError, match="RawCommand"):
            await client.call(command)
    assert [] == script.seen


@pytest.mark.parametrize("deadline", [0, -1, True, "5", float("nan"), float("inf")])
async def test_a_deadline_of_one_call_is_checked(deadline: Any) -> None:
    """It takes what the client's own deadline takes."""
    async with on_stage() as (client, script):
        with pytest.raises(ConfigurationError, match="deadline must be"):
            await client.send_to_session("session", "text", deadline=deadline)
    assert [] == script.seen


async def test_what_desk_would_refuse_is_not_sent() -> None:
    """A message that is empty, too long or without a sender fails before any I/O; a MsgRandom is named."""
    async with on_stage() as (client, script):
        for sending, msg_random in (
            (client.send_to_session("session"), None),
            (client.send_to_session("", "text"), None),
            (client.send_to_session("session", "x" * 12_288, msg_random=7), 7),
            (client.send_to_user("user45", "text", msg_random=8), 8),
        ):
            with pytest.raises(DeskError) as caught:
                await sending
            assert isinstance(caught.value, MessageError)
            assert (msg_random, 0) == (caught.value.msg_random, caught.value.attempts)
    assert [] == script.seen


async def test_the_clients_account_sends_to_users() -> None:
    """``customer_service_account`` is the sender, unless a call names another."""
    async with on_stage(customer_service_account="@service") as (client, script):
        await client.send_to_user("user45", "text")
        await client.send_to_user("user45", "text", from_account="@other")
    assert ["@service", "@other"] == [seen.json["FromAccount"] for seen in script.seen]
