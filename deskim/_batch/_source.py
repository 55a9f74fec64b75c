"""Where the items come from: one iterable, shared by all workers, each item numbered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any, TypeAlias

from deskim._checks import is_list, shown
from deskim._messages import Message
from deskim.errors import ConfigurationError, MessageError

Messages: TypeAlias = "Iterable[Message | MessageError] | AsyncIterable[Message | MessageError]"


class AsyncSource:
    """Number the items of an asynchronous iterable, which is asked for one at a time."""

    def __init__(self, items: AsyncIterable[Any]) -> None:
        self._items: AsyncIterator[Any] = aiter(items)
        self._next = 0
        self._ended = False
        self._turn = asyncio.Lock()

    async def take(self) -> tuple[int, Any] | None:
        """Return the next item and its index, or ``None`` at the end."""
        async with self._turn:
            if self._ended:
                return None
            try:
                item = await anext(self._items)
            except StopAsyncIteration:
                self._ended = True
                return None
            self._next += 1
            return self._next - 1, item


def open_source(messages: Any) -> AsyncSource | Iterator[tuple[int, Any]]:
    """Return the numbered items; raises ``ConfigurationError`` for what is no list of messages."""
    if hasattr(messages, "__aiter__"):
        return AsyncSource(messages)
    if isinstance(messages, Message):
        raise ConfigurationError("a batch takes an iterable of messages, and this is one Message: put it into a list")
    if not is_list(messages):
        raise ConfigurationError(
            f"a batch takes an iterable of messages, sync or async, not {shown(messages)}: "
            "make them with Message.to_user, Message.to_session or Message.from_dict"
        )
    return enumerate(messages)


def refusal(index: int, item: object) -> MessageError:
    """Return the reason why an item is no message; a source may also yield the reason itself."""
    if isinstance(item, MessageError):
        return item
    return MessageError(f"item {index} is {shown(item)}, not a Message")
