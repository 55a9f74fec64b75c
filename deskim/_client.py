"""The client: its settings, its life from first use to close, and the calls that users make."""

from __future__ import annotations

import asyncio
import os
import ssl
import warnings
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar, cast

import httpx

from deskim._calls import Answer, Caller, Request, World
from deskim._lanes import BorrowedLane, HTTPClient, Lane, OwnLane, mask_httpx_logs
from deskim._messages import Content, Message, SendResult
from deskim._pacing import LocalPacer
from deskim._protocol import SEND_MSG, Identity, decode_reply, encode_command, encode_message, path_of
from deskim._rate import Lane as Queue
from deskim._rate import Pacer, RateLimit
from deskim._regions import HostChooser, Region, base_urls
from deskim._retry import RetryPolicy
from deskim._transport import DeskTransport
from deskim._usersig import (
    ReadyUserSig,
    Secret,
    UserSigCache,
    UserSigProvider,
    UserSigSigner,
    check_identity,
    check_key,
)
from deskim.commands import Command
from deskim.errors import ClientClosedError, ConfigurationError, MessageError
from deskim.hooks import Hooks

R = TypeVar("R")

_ENVIRONMENT: Final = {
    "DESKIM_SDK_APP_ID": "sdk_app_id",
    "DESKIM_SECRET_KEY": "secret_key",
    "DESKIM_USERSIG": "usersig",
    "DESKIM_IDENTIFIER": "identifier",
    "DESKIM_REGION": "region",
    "DESKIM_BASE_URL": "base_url",
    "DESKIM_CUSTOMER_SERVICE_ACCOUNT": "customer_service_account",
}


class AsyncDeskClient:
    """Send messages through Tencent Cloud Desk, and make its other calls.

    One client serves one application; share it among all tasks of one event loop. Use it with ``async with``, or close
    it with :meth:`aclose`. The constructor checks its settings and does nothing else.

    :param sdk_app_id: the application's SDKAppID.
    :param secret_key: its key, to sign with; or
    :param usersig: a ready UserSig, a :class:`UserSigSigner`, or an ``async`` function that returns a UserSig.
    :param identifier: the App administrator in whose name calls are made.
    :param customer_service_account: the sender of messages to users, e.g. ``@customer_service_account``.
    :param region: the application's data centre; its standby host is used when the main one cannot be reached.
    :param base_url: another host, e.g. ``http://127.0.0.1:8000`` for a fake Desk.
    :param http_client: an ``httpx.AsyncClient`` (or httpx2's) to use; it is borrowed and never closed.
    :param signature_in: ``"url"`` for a borrowed client whose transport ignores the ``target`` extension, such as a
        mock; the signature is then in the URL that others may log.
    :param proxy: the URL of an HTTP proxy; it sees the host, not the signature.
    :param verify: ``False``, or an ``ssl.SSLContext`` of your own.
    :param max_connections: the most connections that are open at once.
    :param timeout: the longest that connecting, writing and reading may take in one attempt, in seconds.
    :param deadline: the longest that a whole call may take: waiting, attempts and pauses, in seconds.
    :param retry: what is tried again; ``None`` for nothing.
    :param rate_limit: how many calls a second; ``None`` for no pacing, or a :class:`Pacer` of your own.
    :param hooks: watchers of what the client does.

    Raises ``ConfigurationError`` for settings that cannot work. Source: 1229/68821.
    """

    def __init__(
        self,
        sdk_app_id: int,
        *,
        secret_key: str | None = None,
        usersig: str | UserSigProvider | None = None,
        identifier: str = "administrator",
        customer_service_account: str | None = None,
        region: Region | str = Region.CHINA,
        base_url: str | None = None,
        http_client: HTTPClient | None = None,
        signature_in: Literal["target", "url"] = "target",
        proxy: str | None = None,
        verify: ssl.SSLContext | bool = True,
        max_connections: int = 64,
        timeout: float = 10.0,
        deadline: float = 30.0,
        retry: RetryPolicy | None = RetryPolicy(),  # noqa: B008 - frozen
        rate_limit: RateLimit | Pacer | None = RateLimit(190),  # noqa: B008 - frozen
        hooks: Sequence[Hooks] = (),
        _world: World = World(),  # noqa: B008 - frozen
    ) -> None:
        credentials, through = Secret((secret_key, usersig)), Secret(proxy)
        del secret_key, usersig, proxy  # a traceback that shows locals must not show these
        check_identity(sdk_app_id, identifier)
        if retry is not None and not isinstance(retry, RetryPolicy):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(f"retry must be a RetryPolicy or None, not {type(retry).__name__}")
        self._identity = Identity(sdk_app_id, identifier)
        self._account = _text_or_none("customer_service_account", customer_service_account)
        self._deadline = _seconds("deadline", deadline)
        self._in_url = _signature_in(signature_in, http_client)
        self._owns_lane = http_client is None
        self._base_urls = base_urls(region, base_url)
        self._caller = Caller(
            identity=self._identity,
            signatures=UserSigCache(_provider(self._identity, credentials, _world), _world.wall),
            lane=(
                _own_lane(through, verify, max_connections)
                if http_client is None
                else _borrowed_lane(http_client, signature_in, through, verify)
            ),
            hosts=HostChooser(self._base_urls),
            timeout=_seconds("timeout", timeout),
            retry=retry,
            pacer=_pacer(rate_limit, _world),
            hooks=_hooks(hooks),
            world=_world,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._busy = 0
        self._all_done: asyncio.Event | None = None

    def __repr__(self) -> str:
        return f"AsyncDeskClient({self._identity.sdk_app_id}, identifier={self._identity.identifier!r})"

    @classmethod
    def from_env(cls, **overrides: Any) -> AsyncDeskClient:
        """Return a client with its settings from the environment; ``overrides`` win.

        Reads DESKIM_SDK_APP_ID, DESKIM_SECRET_KEY or DESKIM_USERSIG, DESKIM_IDENTIFIER, DESKIM_REGION,
        DESKIM_BASE_URL and DESKIM_CUSTOMER_SERVICE_ACCOUNT. Raises ``ConfigurationError`` naming what is missing.
        """
        held = Secret(overrides)
        del overrides  # a traceback that shows locals must not show the secrets among them
        return cls(**_from_environment(held))

    async def send_to_session(
        self,
        session_id: str,
        *elements: Content,
        cloud_custom_data: str | None = None,
        exclude_from_user_resp_timeout: bool | None = None,
        msg_random: int | None = None,
        deadline: float | None = None,
    ) -> SendResult:
        """Send a message into a session, whatever its channel.

        ``elements`` are text, elements, or one payload such as ``Card``. ``deadline`` bounds the whole call, in
        seconds. Raises ``MessageError`` before anything is sent, and other ``DeskError`` with what is known of the
        message in ``delivery``; ``SessionNotFoundError`` where the session has ended. Source: 1229/68821.
        """
        message = Message.to_session(
            session_id,
            *elements,
            cloud_custom_data=cloud_custom_data,
            exclude_from_user_resp_timeout=exclude_from_user_resp_timeout,
            msg_random=msg_random,
        )
        return await self.send(message, deadline=deadline)

    async def send_to_user(
        self,
        to_account: str,
        *elements: Content,
        from_account: str | None = None,
        cloud_custom_data: str | None = None,
        exclude_from_user_resp_timeout: bool | None = None,
        msg_random: int | None = None,
        deadline: float | None = None,
    ) -> SendResult:
        """Send a message from a customer service account to a user of the application/client integration.

        Without ``from_account`` the client's ``customer_service_account`` is the sender; the rest is as for
        :meth:`send_to_session`. Source: 1229/68821.
        """
        message = Message.to_user(
            to_account,
            *elements,
            from_account=from_account,
            cloud_custom_data=cloud_custom_data,
            exclude_from_user_resp_timeout=exclude_from_user_resp_timeout,
            msg_random=msg_random,
        )
        return await self.send(message, deadline=deadline)

    async def send(self, message: Message, *, deadline: float | None = None) -> SendResult:
        """Send a message that was made before; sending the same one again is a repetition to Desk.

        Raises what :meth:`send_to_session` raises. Source: 1229/68821.
        """
        return await self._deliver(message, "interactive", deadline)

    async def call(self, command: Command[R]) -> R:
        """Make another call of Desk: ``await desk.call(commands.GetSessionState(session_id=...))``.

        Returns the reply that the command names. Raises ``DeskError``.
        """
        path = path_of(command)
        request = Request(path, encode_command(command), repeatable=command.repeatable)
        answer = await self._make(request, None)
        return decode_reply(command, answer.envelope)

    async def aclose(self) -> None:
        """Close the client: calls under way may finish within the time of one attempt, new ones are refused.

        May be called again, and from several tasks.
        """
        self._closed = True
        try:
            await self._wait_for_calls()
        finally:
            await self._caller.lane.aclose()

    async def __aenter__(self) -> Self:
        self._bind()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if getattr(self, "_owns_lane", False) and self._loop is not None and not self._closed:
            warnings.warn(f"{self!r} was not closed: use `async with`, or await aclose()", ResourceWarning, source=self)

    async def _deliver(
        self, message: Message, queue: Queue, deadline: float | None, first_sent: float | None = None
    ) -> SendResult:
        if not isinstance(message, Message):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise MessageError(f"send takes a Message, not {type(message).__name__}: see send_to_session, send_to_user")
        body = encode_message(message, self._account)
        request = Request(SEND_MSG, body, queue, msg_random=message.msg_random, first_sent=first_sent)
        answer = await self._make(request, deadline)
        key = answer.envelope.get("MsgKey")
        return SendResult(
            message.msg_random,
            answer.attempts,
            answer.elapsed,
            key if isinstance(key, str) else None,
            answer.envelope,
            answer.resent,
        )

    async def _make(self, request: Request, deadline: float | None) -> Answer:
        self._bind()
        seconds = self._deadline if deadline is None else _seconds("deadline", deadline)
        self._busy += 1
        try:
            return await self._caller.call(request, seconds)
        finally:
            self._busy -= 1
            if self._all_done is not None and not self._busy:
                self._all_done.set()

    def _bind(self) -> None:
        """Check that the client is open and belongs to the running loop; the first use decides which that is."""
        if self._closed:
            raise ClientClosedError("the client is closed; make a new one, or close it later")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            if self._in_url:
                mask_httpx_logs()
        elif self._loop is not loop:
            raise ConfigurationError("the client belongs to another event loop: make one client for each loop")

    async def _wait_for_calls(self) -> None:
        if not self._busy:
            return
        self._all_done = self._all_done or asyncio.Event()
        try:
            async with asyncio.timeout(self._caller.timeout):
                await self._all_done.wait()
        except TimeoutError:
            pass  # closing the lane ends what is left; each caller learns that its reply was lost


def _seconds(name: str, value: object) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < cast("float", value) < float("inf"):
        raise ConfigurationError(f"{name} must be a number of seconds above 0, not {value!r}")
    return float(cast("float", value))


def _text_or_none(name: str, value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise ConfigurationError(f"{name} must be a name such as '@customer_service_account', not {value!r}")
    return value


def _signature_in(value: object, http_client: object) -> bool:
    if value not in ("target", "url"):
        raise ConfigurationError(f"signature_in must be 'target' or 'url', not {value!r}")
    if value == "url" and http_client is None:
        raise ConfigurationError('signature_in="url" is for an http_client of your own; our transport never needs it')
    return value == "url"


def _provider(identity: Identity, credentials: Secret, world: World) -> UserSigProvider:
    key, usersig = Secret(credentials.reveal()[0]), Secret(credentials.reveal()[1])
    if (key.reveal() is None) == (usersig.reveal() is None):
        raise ConfigurationError("give exactly one of secret_key (to sign with) and usersig (signed elsewhere)")
    if key.reveal() is not None:
        check_key(key)
        return UserSigSigner(identity.sdk_app_id, key.reveal(), identity.identifier, clock=world.wall)
    if isinstance(usersig.reveal(), str):
        return ReadyUserSig(usersig)
    if not callable(usersig.reveal()):
        raise ConfigurationError("usersig must be text, a UserSigSigner, or an async function that returns text")
    return cast("UserSigProvider", usersig.reveal())


def _own_lane(proxy: Secret, verify: ssl.SSLContext | bool, max_connections: int) -> Lane:
    try:
        return OwnLane(DeskTransport(verify=verify, proxy=proxy.reveal(), max_connections=max_connections))
    except (ValueError, TypeError) as exc:
        reason = str(exc)
    raise ConfigurationError(reason)


def _borrowed_lane(
    client: HTTPClient, signature_in: Literal["target", "url"], proxy: Secret, verify: ssl.SSLContext | bool
) -> Lane:
    if isinstance(client, httpx.Client):
        raise ConfigurationError("http_client must be an httpx.AsyncClient; this is the synchronous httpx.Client")
    if not all(hasattr(client, name) for name in ("build_request", "send", "is_closed")):
        raise ConfigurationError(f"http_client must be an httpx.AsyncClient, not {type(client).__name__}")
    if proxy.reveal() is not None or verify is not True:
        raise ConfigurationError("proxy and verify have no effect on an http_client of your own: set them there")
    return BorrowedLane(client, signature_in)


def _pacer(rate_limit: object, world: World) -> Pacer | None:
    if rate_limit is None:
        return None
    if isinstance(rate_limit, RateLimit):
        return LocalPacer(rate_limit, world.clock)
    if isinstance(rate_limit, Pacer):
        return rate_limit
    raise ConfigurationError(f"rate_limit must be a RateLimit, a Pacer or None, not {rate_limit!r}")


def _hooks(hooks: object) -> tuple[Hooks, ...]:
    if not isinstance(hooks, list | tuple) or not all(isinstance(hook, Hooks) for hook in hooks):
        raise ConfigurationError("hooks must be a list of Hooks objects")
    return tuple(hooks)


def _from_environment(overrides: Secret) -> dict[str, Any]:
    given: Mapping[str, Any] = overrides.reveal()
    found = {name: os.environ[variable] for variable, name in _ENVIRONMENT.items() if os.environ.get(variable)}
    if {"secret_key", "usersig"} & given.keys():
        found = {name: value for name, value in found.items() if name not in ("secret_key", "usersig")}
    settings: dict[str, Any] = {**found, **given}
    app_id = settings.get("sdk_app_id")
    if isinstance(app_id, str) and app_id.isdecimal():
        settings["sdk_app_id"] = int(app_id)
    elif app_id is None or isinstance(app_id, str):
        del found, given, settings  # a traceback that shows locals must not show the secrets among them
        raise ConfigurationError(f"DESKIM_SDK_APP_ID must be the application's SDKAppID, a number; it is {app_id!r}")
    return settings
