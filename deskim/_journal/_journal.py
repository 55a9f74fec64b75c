"""What an earlier run left of an item decides what this run does with it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from attrs import evolve

from deskim._messages import Message, Outcome
from deskim.errors import (
    ConfigurationError,
    Delivery,
    DeskError,
    MessageError,
    ReplyLostError,
    RetryKind,
    from_code,
    lookup,
)

from ._store import Entry, Id, Result, Row, State, Store
from ._thread import GroupCommit

OnUnknown: TypeAlias = Literal["report", "resend", "stop"]
#: The message to send, when an earlier attempt of unknown outcome began (wall clock), and whether there was one.
Start: TypeAlias = "tuple[Message, float | None, bool]"


class Journal:
    """Keep what becomes of each item of a batch in a file.

    ``scope`` names the application and the sender, ``encode`` gives the bytes that are sent for a message. An item that
    an earlier run left in flight is sent again, with its MsgRandom, for ``dedup_window`` seconds; after that
    ``on_unknown`` decides. The file holds keys and digests of the messages, no content and no secret.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        scope: str,
        encode: Callable[[Message], bytes],
        dedup_window: float = 100.0,
        on_unknown: OnUnknown = "report",
        now: Callable[[], float] = time.time,
    ) -> None:
        if on_unknown not in {"report", "resend", "stop"}:
            raise ConfigurationError(f'on_unknown must be "report", "resend" or "stop", not {on_unknown!r}')
        self._store = Store(os.fspath(path), scope)
        self._disk = GroupCommit(self._store.apply)
        self._encode, self._now = encode, now
        self._window, self._on_unknown = dedup_window, on_unknown

    async def open(self) -> None:
        """Open the file and lock it; raises ``ConfigurationError`` if it cannot be used."""
        try:
            await self._disk.run(self._store.open)
        except BaseException:
            await self._disk.close(self._store.abandon)
            raise

    async def claim(self, index: int, message: Message) -> Outcome | Start:
        """Return the outcome of an earlier run, or, once the item is on disk as being sent, how to start.

        Raises ``MessageError`` for a message that cannot be encoded and for a key that stands in the input twice,
        ``ConfigurationError`` when the journal belongs to another input, and ``DeskError`` when it cannot be written.
        """
        entry = self._entry(index, message)
        row: Row | None = await self._disk.do(lambda: self._store.claim(entry, self._now()))
        if row is None:
            return message, None, False
        message = evolve(message, msg_random=row.msg_random)
        if row.state in {State.SENT, State.REJECTED}:
            return _settled(index, message, row)
        if row.state is State.NOT_SENT:
            await self.reopen(index, message)
            return message, None, False
        return await self._resume(index, message, row)

    def _entry(self, index: int, message: Message) -> Entry:
        digest = hashlib.sha256(self._encode(evolve(message, msg_random=0))).digest()
        try:
            (message.key or "").encode()
        except UnicodeEncodeError:
            raise MessageError(f"the key {message.key!r} holds half of a surrogate pair: remove it") from None
        return Entry(_id(index, message.key), index, digest, message.msg_random)

    async def _resume(self, index: int, message: Message, row: Row) -> Outcome | Start:
        """Decide about an item that was in flight when an earlier run ended, or whose outcome it did not learn."""
        age = self._now() - row.first_sent
        if 0 <= age < self._window:
            await self._reopen(_id(index, message.key), row.first_sent)
            return message, row.first_sent, True
        if self._on_unknown == "resend":
            await self.reopen(index, message)
            return message, None, True
        outcome = _unknown(index, message, row, age)
        self._write(_id(index, message.key), evolve(_result(outcome), attempts=0))  # its attempts are counted already
        return outcome

    async def reopen(self, index: int, message: Message) -> None:
        """Put an item on disk as being sent, from now on."""
        await self._reopen(_id(index, message.key), self._now())

    async def _reopen(self, id_: Id, first_sent: float) -> None:
        await self._disk.do(lambda: self._store.reopen(id_, first_sent))

    def release(self, index: int, message: Message) -> None:
        """Note that an item was not taken by Desk and is waiting."""
        self._write(_id(index, message.key), Result(state=State.NOT_SENT))

    def settle(self, outcome: Outcome) -> None:
        """Note what became of an item that was claimed; it is written soon."""
        self._write(_id(outcome.index, outcome.key), _result(outcome))

    def _write(self, id_: Id, result: Result) -> None:
        self._disk.do_later(lambda: self._store.write(id_, result))

    async def close(self) -> None:
        """Write what is left to write, and close the file; raises ``DeskError`` if something could not be written."""
        await self._disk.close(self._store.abandon)


def _id(index: int, key: str | None) -> Id:
    return index if key is None else key


def _result(outcome: Outcome) -> Result:
    error = outcome.error
    if error is None:
        return Result(state=State.SENT, attempts=outcome.attempts)
    state = State(outcome.delivery.value)
    if state is State.REJECTED and not _is_final(error):
        state = State.NOT_SENT
    info, text = _storable(error.info), _storable(Exception.__str__(error))
    return Result(state=state, attempts=outcome.attempts, code=_storable_code(error.code), info=info, error=text)


def _storable_code(code: int | None) -> int | None:
    return code if code is not None and -(2**63) <= code < 2**63 else None


def _storable(text: str) -> str:
    return text.encode(errors="replace").decode()


def _is_final(error: DeskError) -> bool:
    """Tell whether a refusal is about the message itself, so that a later run would meet it again."""
    row = None if error.code is None else lookup(error.code)
    passing = error.retry_kind in {RetryKind.THROTTLED, RetryKind.RENEW, RetryKind.LOCKED, RetryKind.TRANSIENT}
    return not passing and not (row is not None and row.fatal)


def _settled(index: int, message: Message, row: Row) -> Outcome:
    delivery = Delivery.SENT if row.state is State.SENT else Delivery.REJECTED
    error = _error(message, row) if delivery is Delivery.REJECTED else None
    return Outcome(index=index, delivery=delivery, key=message.key, message=message, error=error, attempts=row.attempts)


def _error(message: Message, row: Row) -> DeskError:
    error = DeskError(row.error) if row.code is None else from_code(row.code, row.info)
    error.delivery, error.attempts, error.msg_random = Delivery.REJECTED, row.attempts, message.msg_random
    return error


def _unknown(index: int, message: Message, row: Row, age: float) -> Outcome:
    error = ReplyLostError(
        f"an earlier run ended before Desk answered, {age:.0f} s ago; Desk drops repetitions for a limited time only,"
        ' so the message was not sent again: check whether it arrived, or give on_unknown="resend"'
    )
    error.attempts, error.msg_random = row.attempts, message.msg_random
    values: dict[str, Any] = {"key": message.key, "message": message, "error": error, "attempts": row.attempts}
    return Outcome(index=index, delivery=Delivery.UNKNOWN, **values)
