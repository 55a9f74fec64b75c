"""A message that grows: text in, pieces out, at most five calls a second, and Finish as the last of them.

Text is collected and sent by one task, so that calls follow each other in order and no pause of the writer outlasts the
server's patience. A piece has no MsgRandom: one whose reply is lost is never sent again (1229/68822); one that surely
did not leave is, while Desk still waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Final, Self, TypeAlias

from deskim._checks import shown
from deskim._stream._ending import FAREWELL, PATIENCE, close, did_not_leave, explained, keyless, outlast, unanswered
from deskim._stream._waiting import MAX_PIECE, Waiting
from deskim._stream._writing import Writing
from deskim.commands import Command, StreamKey
from deskim.errors import (
    ClientClosedError,
    Delivery,
    DeskError,
    MessageError,
    MessageTooLargeError,
    StreamError,
)

MAX_WAITING: Final = 16_000
"""How many characters may wait to be sent before a writer has to wait."""
SPACING: Final = 0.22
"""Seconds between two calls: never more than the five a second that a message may have (269/129279)."""
BRIDGE_AFTER: Final = 10.0
"""Seconds without text after which an empty piece is sent."""
AGAIN: Final = 1.0
"""Seconds after which a call that did not leave is made again."""

MakeCall: TypeAlias = Callable[[Command[StreamKey]], Awaitable[StreamKey]]


class MessageStream:
    """Write a message that grows before the user's eyes; ``stream_to_session`` of the client makes it.

    Use it with ``async with``: leaving the block sends what waits and finishes the message, also after an exception
    or a cancellation, within ten seconds then. A writer who is more than 16,000 characters ahead of the five calls a
    second has to wait; a pause of the writer is bridged by empty pieces, for Desk ends a message after 15 silent
    seconds (269/129279). Halves of surrogate pairs may come in two writes; one that stays alone becomes U+FFFD.

    When a call fails, the next method raises ``StreamError``, which tells what is surely with the user.
    """

    def __init__(
        self,
        writing: Writing,
        call: MakeCall,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._writing = writing
        self._call = call
        self._clock = clock
        self._sleep = sleep
        self._waiting = Waiting()
        self._something, self._moved = asyncio.Event(), asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._last_call: float | None = None
        self._last_taken: float | None = None
        self._taken = 0
        self._msg_key: str | None = None
        self._delivered: list[str] = []
        self._unanswered = ""
        self._size = 0
        self._bridging = True
        self._ending = self._finishing = self._done = self._told = self._closed = False
        self._failure: StreamError | None = None

    @property
    def msg_key(self) -> str | None:
        """The key that Desk gave the message; ``None`` until the first piece was answered."""
        return self._msg_key

    async def write(self, text: str) -> None:
        """Append text; it is sent together with what comes within the next fifth of a second.

        Raises ``StreamError`` when a call has failed, and ``MessageError`` for what is no text, after the end, or, in
        Markdown, beyond 128 KB (269/129279).
        """
        self._check(text)
        self._waiting.add(text)
        self._something.set()
        while self._waiting.size > MAX_WAITING and not self._sending_over():
            self._moved.clear()
            await self._moved.wait()
        self._raise_failure()

    async def write_all(self, source: AsyncIterable[str]) -> None:
        """Append all that an async iterator gives, e.g. the tokens of a model; raises what :meth:`write` raises.

        At the end, after an exception and when cancelled, the iterator is closed, where it has ``aclose``. When the
        stream broke it is left open: what it has yet to give can be read from it.
        """
        if not hasattr(source, "__aiter__"):
            raise MessageError(f"write_all takes an asynchronous iterator of text, not {shown(source)}")
        texts, rest_is_wanted = aiter(source), False
        try:
            async for text in texts:
                await self.write(text)
        except DeskError:
            rest_is_wanted = texts is source
            raise
        finally:
            if not rest_is_wanted:
                await close(texts)

    async def finish(self) -> None:
        """Send what waits and finish the message; raises ``StreamError`` when a call has failed. May be repeated."""
        sender = self._started()
        self._end()
        await asyncio.wait({sender})
        self._raise_failure()

    async def __aenter__(self) -> Self:
        if self._sender is not None:
            raise MessageError("a stream is written once: make another one")
        self._sender = asyncio.create_task(self._send_all(), name="deskim stream")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None and not self._told:
            try:
                await self.finish()
            except asyncio.CancelledError:
                await self._take_leave()
                raise
        else:
            await self._take_leave(interrupted=isinstance(error, asyncio.CancelledError))

    async def _end_with_client(self) -> None:
        """Finish the message, for its client is about to be closed; a writer who goes on is told."""
        sender = self._sender
        if sender is None or sender.done() or sender.get_loop() is not asyncio.get_running_loop():
            return
        self._end()
        cancelled = await outlast(sender, FAREWELL, self._clock)
        if self._failure is None and not self._done:
            self._fail_closed()
        self._closed = True
        if cancelled is not None:
            raise cancelled

    def _fail_closed(self) -> StreamError:
        self._failure = self._broken(ClientClosedError("the client was closed"), "")
        return self._failure

    def _started(self) -> asyncio.Task[None]:
        if self._sender is None:
            raise MessageError("a stream is used with `async with desk.stream_to_session(...) as stream:`")
        return self._sender

    def _check(self, text: object) -> None:
        self._started()
        if not isinstance(text, str):
            raise MessageError(f"a stream takes text, not {shown(text)}")
        self._raise_failure(text)
        if self._closed:
            self._fail_closed()
            self._raise_failure(text)
        if self._ending:
            raise MessageError("the stream is finished: write to another one, or send a message")
        self._count(len(text.encode("utf-8", "replace")))

    def _count(self, added: int) -> None:
        size, limit = self._size + added, self._writing.max_bytes
        if limit is not None and size >= limit:
            raise MessageTooLargeError(
                f"the message would have {size:,} bytes; Desk allows under {limit:,}: "
                "finish this one and write the rest to another"
            )
        self._size = size

    def _raise_failure(self, text: str = "") -> None:
        """Raise what has happened; the first time, with the text of the writer who hears of it as unsent."""
        if self._failure is not None:
            if not self._told:
                self._waiting.add(text)
                self._failure.unsent += self._waiting.take(self._waiting.size)
            self._told = True
            raise self._failure
        if self._started().done():
            self._started().result()

    def _sending_over(self) -> bool:
        return self._failure is not None or self._started().done()

    def _end(self) -> None:
        self._waiting.close()
        self._ending = True
        self._something.set()

    async def _take_leave(self, *, interrupted: bool = True) -> None:
        """Let the sender make the last call, whoever cancels meanwhile, but not for longer than the farewell."""
        sender = self._started()
        self._waiting.cut(MAX_WAITING)
        self._end()
        cancelled = await outlast(sender, FAREWELL, self._clock)
        if sender.cancelled():
            self._failure = self._failure or self._broken(unanswered(), "")
        else:
            sender.exception()  # seen; what brought us here is what the caller learns
        if cancelled is not None and not interrupted:
            raise cancelled

    async def _send_all(self) -> None:
        try:
            while not self._done:
                await self._until_due()
                await self._send_next()
        except StreamError as failure:
            self._failure = failure
            self._moved.set()
            await self._close_broken(failure)
        finally:
            self._moved.set()

    async def _until_due(self) -> None:
        """Wait for text, the end, or the moment to bridge a pause; and for the next call's turn."""
        while not self._waiting.size and not self._ending:
            self._something.clear()
            try:
                async with asyncio.timeout(self._until_bridge()):
                    await self._something.wait()
            except TimeoutError:
                return
        if self._last_call is not None:
            await self._sleep(max(0.0, self._last_call + SPACING - self._clock()))

    def _until_bridge(self) -> float | None:
        """Return how long to wait before an empty piece, in seconds; ``None`` where there is nothing to bridge."""
        if self._last_call is None or self._last_taken is None or not self._bridging:
            return None
        due = max(self._last_taken + BRIDGE_AFTER, self._last_call + AGAIN)
        return None if due >= self._last_taken + PATIENCE else max(0.0, due - self._clock())

    def _silence(self) -> float:
        """Return how long it is since Desk took a piece, in seconds."""
        return 0.0 if self._last_taken is None else self._clock() - self._last_taken

    async def _send_next(self) -> None:
        text = self._waiting.take(MAX_PIECE)
        last = self._ending and not self._waiting.size
        if text or (last and self._last_call is not None):
            await self._send(text, last=last)
        elif not last:
            await self._bridge()
        self._done = last
        self._moved.set()

    async def _send(self, text: str, *, last: bool) -> None:
        try:
            self._take_key(await self._insist(text, last=last))
        except asyncio.CancelledError:
            self._unanswered = text
            raise
        except DeskError as error:
            failure = self._broken(error, text)
        else:
            self._delivered.append(text)
            if last or self._msg_key:
                return
            failure = self._broken(keyless(), "")
        raise failure

    async def _insist(self, text: str, *, last: bool) -> StreamKey:
        """Make a call; while it surely does not leave, make it again for as long as Desk waits for a piece."""
        ends = self._clock() - self._silence() + PATIENCE
        while True:
            try:
                return await self._make_call(text, last=last)
            except DeskError as error:
                if not did_not_leave(error) or self._clock() + AGAIN >= ends:
                    raise
            await self._sleep(AGAIN)

    async def _bridge(self) -> None:
        """Send an empty piece; no harm is done where it fails, and where Desk refuses it, it is not tried again."""
        try:
            await self._make_call("", last=False)
        except ClientClosedError as error:
            failure = self._broken(error, "")
        except DeskError as error:
            self._bridging = error.delivery is not Delivery.REJECTED
            return
        else:
            return
        raise failure

    async def _make_call(self, text: str, *, last: bool) -> StreamKey:
        self._last_call = self._clock()
        self._finishing = last
        command = self._writing.command(text, self._msg_key, index=self._taken + 1, last=last)
        try:
            reply = await self._call(command)
        except DeskError as error:
            if error.delivery is Delivery.UNKNOWN:  # it counts as taken: another of its number might be a second one
                self._take_note()
            raise
        self._take_note()
        return reply

    def _take_note(self) -> None:
        self._last_taken = self._last_call
        self._taken += 1

    def _take_key(self, reply: StreamKey) -> None:
        if self._msg_key is None:
            self._msg_key = reply.msg_key or None

    def _broken(self, error: DeskError, text: str) -> StreamError:
        delivered = "".join(self._delivered)
        failure = StreamError(explained(error, len(delivered), self._silence()), code=error.code, info=error.info)
        failure.delivery, failure.attempts = error.delivery, error.attempts
        failure.retry_after = error.retry_after
        failure.msg_key, failure.delivered = self._msg_key, delivered
        known = error.delivery in (Delivery.REJECTED, Delivery.NOT_SENT)
        failure.uncertain = self._unanswered + ("" if known else text)
        failure.unsent = (text if known else "") + self._waiting.take(self._waiting.size)
        failure.__cause__ = error
        return failure

    async def _close_broken(self, failure: StreamError) -> None:
        """Finish a message that broke, if it can be: its text stays as it is."""
        if self._msg_key is None or self._finishing or failure.delivery is Delivery.NOT_SENT:
            return
        with contextlib.suppress(DeskError):  # Desk ends it by itself
            await self._make_call("", last=True)


async def end_all(streams: Iterable[MessageStream]) -> None:
    """Finish the messages that are being written, all at once, within the time of a farewell."""
    ends = [stream._end_with_client() for stream in list(streams)]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    for ended in await asyncio.gather(*ends, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
