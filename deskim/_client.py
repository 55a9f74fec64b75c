"""The client: its settings, its life from first use to close, and the calls that users make."""

from __future__ import annotations

import os
import ssl
import warnings
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, ClassVar, Literal, NoReturn, Self, TypeVar
from weakref import WeakSet

from deskim import _settings
from deskim._batch import Batch, BatchReport, Messages
from deskim._batching import Batching, Options
from deskim._calls import Caller, World
from deskim._checks import shown
from deskim._lanes import HTTPClient, mask_httpx_logs
from deskim._life import Life
from deskim._messages import Content, Message, Outcome, SendResult
from deskim._progress import Request
from deskim._protocol import SEND_MSG, Identity, decode_reply, encode_command, encode_message, path_of
from deskim._rate import Lane as Queue
from deskim._rate import Pacer, RateLimit
from deskim._regions import HostChooser, Region, base_urls
from deskim._retry import RetryPolicy
from deskim._stream import COMPATIBLE_TEXT, MessageStream, end_all, writing
from deskim._usersig import Secret, UserSigCache, UserSigProvider, check_identity
from deskim.commands import Command
from deskim.errors import DeskError, MessageError
from deskim.hooks import Hooks

R = TypeVar("R")


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

    _world: ClassVar[World] = World()

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
    ) -> None:
        credentials, through = Secret((secret_key, usersig)), Secret(proxy)
        del secret_key, usersig, proxy  # a traceback that shows locals must not show these
        self._identity = Identity(sdk_app_id, identifier)
        check_identity(sdk_app_id, identifier)
        self._streams = WeakSet[MessageStream]()
        self._account = _settings.checked_account(customer_service_account)
        self._deadline = _settings.checked_seconds("deadline", deadline)
        self._owns_lane = http_client is None
        in_url = _settings.signature_in_url(signature_in, http_client)
        self._life = Life(mask_httpx_logs if in_url else None)
        self._caller = Caller(
            identity=self._identity,
            signatures=UserSigCache(_settings.provider(self._identity, credentials, self._world), self._world.wall),
            lane=_settings.lane(
                http_client, in_url=in_url, proxy=through, verify=verify, max_connections=max_connections
            ),
            hosts=HostChooser(base_urls(region, base_url)),
            timeout=_settings.checked_seconds("timeout", timeout),
            retry=_settings.checked_retry(retry),
            pacer=_settings.pacer(rate_limit, self._world),
            hooks=_settings.checked_hooks(hooks),
            world=self._world,
            life=self._life,
        )

    def __repr__(self) -> str:
        return f"AsyncDeskClient({self._identity.sdk_app_id}, identifier={self._identity.identifier!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client does not pickle, nor does it copy: hand over its settings and make another one")

    @classmethod
    def from_env(cls, **overrides: Any) -> AsyncDeskClient:
        """Return a client with its settings from the environment; ``overrides`` win.

        Reads DESKIM_SDK_APP_ID, DESKIM_SECRET_KEY or DESKIM_USERSIG, DESKIM_IDENTIFIER, DESKIM_REGION,
        DESKIM_BASE_URL and DESKIM_CUSTOMER_SERVICE_ACCOUNT. Raises ``ConfigurationError`` naming what is missing.
        """
        held = Secret(overrides)
        del overrides  # a traceback that shows locals must not show the secrets among them
        return cls(**_settings.from_environment(held))

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
        return await self._deliver(message, "interactive", deadline)

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
        return await self._deliver(message, "interactive", deadline)

    async def send(self, message: Message, *, deadline: float | None = None) -> SendResult:
        """Send a message that was made before; sending the same one again is a repetition to Desk.

        Raises what :meth:`send_to_session` raises. Source: 1229/68821.
        """
        return await self._deliver(message, "interactive", deadline)

    def stream_to_session(
        self,
        session_id: str,
        *,
        markdown: bool = False,
        compatible_text: str = COMPATIBLE_TEXT,
        cloud_custom_data: str | None = None,
    ) -> AbstractAsyncContextManager[MessageStream]:
        """Write a message that grows: ``async with desk.stream_to_session(...) as stream: await stream.write("...")``.

        With ``markdown`` it is a Markdown message, which works in China alone and stays under 128 KB;
        ``compatible_text`` is what clients show that are too old for it. Raises ``MessageError`` at once for what
        Desk would refuse; leaving the block raises ``StreamError`` when a call has failed. Source: 1229/68822,
        269/129279.
        """
        way, world = writing(session_id, cloud_custom_data, compatible_text if markdown else None), self._caller.world
        stream = MessageStream(way, self.call, clock=world.clock, sleep=world.sleep)
        self._streams.add(stream)
        return stream

    async def call(self, command: Command[R]) -> R:
        """Make another call of Desk: ``await desk.call(commands.GetSessionState(session_id=...))``.

        Returns the reply that the command names. Raises ``DeskError``, and ``MessageError`` for what is no command.
        """
        if isinstance(command, type) or not hasattr(command, "reply"):
            raise MessageError(f"call takes a command such as commands.RawCommand(...), not {shown(command)}")
        request = Request(path_of(command), encode_command(command), repeatable=command.repeatable)
        answer = await self._caller.call(request, self._deadline)
        try:
            return decode_reply(command, answer.envelope)
        except DeskError as error:
            error.attempts, error.resent = answer.attempts, answer.resent
            raise

    async def send_batch(
        self,
        messages: Messages,
        *,
        concurrency: int = 32,
        journal: str | os.PathLike[str] | None = None,
        on_unknown: Literal["report", "resend", "stop"] = "report",
        on_outcome: Callable[[Outcome], object] | None = None,
        stop_after_failures: int | None = None,
        max_outage: float = 300.0,
        deadline: float | None = None,
    ) -> BatchReport:
        """Send many messages, so many at a time, and report what became of each.

        :param messages: any iterable of :class:`Message`, sync or async; it is read as it is sent.
        :param concurrency: how many messages are under way at a time.
        :param journal: a file that records each message, so that a run that was killed can be started again.
        :param on_unknown: what to do about a message whose fate is unknown and that is too old to be repeated safely.
        :param on_outcome: called with each :class:`Outcome`, in the order in which they end; plain or ``async``.
        :param stop_after_failures: stop after so many failed items.
        :param max_outage: how long nothing may get through before the batch stops, in seconds.
        :param deadline: the longest that one message may take from its slot on, in seconds.

        A message that fails is counted and does not stop the rest, unless its reason concerns them all, such as a wrong
        key. Raises ``ConfigurationError`` before anything is sent, and what ``messages`` or ``on_outcome`` raised, once
        the messages under way are settled. Source: 1229/68821.
        """
        options = Options(
            concurrency=concurrency,
            journal=journal,
            on_unknown=on_unknown,
            stop_after_failures=stop_after_failures,
            max_outage=max_outage,
            deadline=deadline,
        )
        return await self._batching().run(messages, options, on_outcome)

    def batch(
        self,
        messages: Messages,
        *,
        concurrency: int = 32,
        journal: str | os.PathLike[str] | None = None,
        on_unknown: Literal["report", "resend", "stop"] = "report",
        stop_after_failures: int | None = None,
        max_outage: float = 300.0,
        deadline: float | None = None,
    ) -> AbstractAsyncContextManager[Batch]:
        """Send many messages and read each outcome while it runs: ``async with desk.batch(…) as batch``.

        ``batch`` is an asynchronous iterator of :class:`Outcome` with a ``report``. The settings are those of
        :meth:`send_batch`. Leaving the block early stops the batch. Source: 1229/68821.
        """
        options = Options(
            concurrency=concurrency,
            journal=journal,
            on_unknown=on_unknown,
            stop_after_failures=stop_after_failures,
            max_outage=max_outage,
            deadline=deadline,
        )
        return self._batching().stream(messages, options)

    async def aclose(self) -> None:
        """Close the client: streams are finished, calls under way may end within the time of one attempt.

        May be called again, and from several tasks. Raises ``ConfigurationError`` on another event loop than the
        client's, while that is open.
        """
        patience = 0.0
        try:
            await end_all(self._streams)
            patience = self._caller.timeout
        finally:
            await self._end(patience)

    async def _end(self, patience: float) -> None:
        self._life.close()
        try:
            await self._life.drain(patience)
        finally:
            await self._caller.aclose()

    async def __aenter__(self) -> Self:
        self._life.bind()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        life: Life | None = getattr(self, "_life", None)  # missing where the constructor refused a setting
        if life is not None and life.needs_closing and self._owns_lane:
            text = f"{self!r} was not closed: use `async with`, or await aclose()"
            warnings.warn(text, ResourceWarning, stacklevel=2, source=self)

    def _batching(self) -> Batching:
        self._life.bind()
        caller = self._caller
        return Batching(self._identity, self._account, caller.retry, caller.world, self._deliver_of_batch)

    def _deliver_of_batch(
        self, message: Message, deadline: float | None, first_sent: float | None
    ) -> Coroutine[Any, Any, SendResult]:
        return self._deliver(message, "batch", deadline, first_sent)

    async def _deliver(
        self, message: Message, queue: Queue, deadline: float | None, first_sent: float | None = None
    ) -> SendResult:
        if not isinstance(message, Message):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise MessageError(f"send takes a Message, not {shown(message)}: see send_to_session and send_to_user")
        try:
            seconds = self._deadline if deadline is None else _settings.checked_seconds("deadline", deadline)
            body = encode_message(message, self._account)
            request = Request(SEND_MSG, body, queue, msg_random=message.msg_random, first_sent=first_sent)
            return (await self._caller.call(request, seconds)).of_message(message.msg_random)
        except DeskError as error:
            error.msg_random = message.msg_random
            raise
