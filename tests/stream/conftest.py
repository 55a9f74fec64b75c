"""A loop whose time passes only while everybody waits, and a Desk that keeps account of streams."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any, TypeVar, cast

import pytest
from attrs import define, field

from deskim._stream import MessageStream, writing
from deskim.commands import Command, SendStreamMsg, SendStreamMsgV2, StreamKey

R = TypeVar("R")
KEY = "124_1600045926_716f784b2bbd6ce9415027715"


class _LeapingSelector(selectors.DefaultSelector):
    """Instead of waiting, move the clock."""

    leapt = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is not None:
            self.leapt += timeout
        elif not ready:
            return super().select(timeout)
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    """A loop that never waits: where nothing can be done, its time leaps to the next timer."""

    def __init__(self) -> None:
        self._leaps = _LeapingSelector()
        super().__init__(self._leaps)

    def time(self) -> float:
        return 1000.0 + self._leaps.leapt


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run the tests of this folder on a loop that leaps."""
    return "asyncio", {"loop_factory": LeapingLoop}


@define
class Account:
    """Take the calls of a stream: note them, answer after ``delay`` seconds, or fail as told."""

    delay: float = 0.0
    failures: dict[int, BaseException] = field(factory=dict[int, BaseException])
    key: str | None = KEY
    commands: list[Any] = field(factory=list[Any])
    times: list[float] = field(factory=list[float])

    async def call(self, command: Command[R], /) -> R:
        self.commands.append(command)
        self.times.append(asyncio.get_running_loop().time())
        number = len(self.commands)
        await asyncio.sleep(self.delay)
        if number in self.failures:
            raise self.failures[number]
        return cast("R", StreamKey(msg_key=self.key if number == 1 else None))

    @property
    def pieces(self) -> list[str]:
        return [_text(command) for command in self.commands]

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def finishes(self) -> list[bool]:
        return [_last(command) for command in self.commands]

    @property
    def busiest(self) -> int:
        """Return the most calls that began within any one second, its ends included."""
        return max(sum(start <= t <= start + 1.0 for t in self.times) for start in self.times)

    def stream(self, *, markdown: bool = False) -> MessageStream:
        loop = asyncio.get_running_loop()
        way = writing("s", None, "old" if markdown else None)
        return MessageStream(way, self.call, clock=loop.time, sleep=asyncio.sleep)


def _chunk(command: SendStreamMsgV2) -> dict[str, Any]:
    (element,) = command.msg_body
    return cast("dict[str, Any]", element.msg_content["Chunks"][0])  # type: ignore[union-attr]


def _text(command: Any) -> str:
    return command.chunk if isinstance(command, SendStreamMsg) else _chunk(command)["Markdown"]


def _last(command: Any) -> bool:
    return bool(command.finish) if isinstance(command, SendStreamMsg) else _chunk(command)["IsLast"]


@pytest.fixture
def account() -> Account:
    """Return a Desk that takes everything."""
    return Account()
