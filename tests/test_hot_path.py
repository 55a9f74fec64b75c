from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
import pytest

import deskim
from deskim import AsyncDeskClient, Message

pytestmark = pytest.mark.anyio

OURS = str(Path(deskim.__file__).parent)
SLOW = ("/anyio/", "/http/cookiejar.py", "/httpx/_urlparse.py")
MESSAGES = 50
ENVELOPE = b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"MsgKey":"89541_2574206_1572870301"}'
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(ENVELOPE), ENVELOPE)

# Frames of deskim's own files per message: 76 with the extra `fast`, 77 without, on CPython 3.11; later versions
# enter fewer. Lower this when the path gets shorter; raise it only for what every message needs.
MOST_FRAMES = 78


class Server(asyncio.Protocol):
    """Answer requests of one segment each; hold the first ones back until `together` of them are there."""

    accepted = 0
    together = 1
    held: list[asyncio.Transport]

    def connection_made(self, transport: Any) -> None:
        type(self).accepted += 1
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, _, body = self.received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) == length:
            self.received = b""
            self.answer()

    def answer(self) -> None:
        self.held.append(self.transport)
        if len(self.held) >= self.together:
            for transport in self.held:
                transport.write(REPLY)
            self.held.clear()
            type(self).together = 1


@asynccontextmanager
async def serving(together: int = 1) -> AsyncIterator[tuple[type[Server], str]]:
    """Run a server; return its class, which counts, and its URL."""
    kind = type("Counted", (Server,), {"together": together, "held": []})
    server = await asyncio.get_running_loop().create_server(kind, "127.0.0.1", 0)
    async with server:
        yield kind, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def client(base_url: str, **settings: Any) -> AsyncDeskClient:
    """Return a client that paces nothing."""
    return AsyncDeskClient(1400000000, secret_key="k", base_url=base_url, rate_limit=None, **settings)


async def entered(desk: AsyncDeskClient) -> Counter[str]:
    """Count the frames that are entered while messages are sent one by one, by file."""
    files: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            files[frame.f_code.co_filename] += 1

    async def send() -> None:
        for _ in range(3):
            await desk.send_to_session("s", "warm")
        sys.setprofile(count)
        try:
            for _ in range(MESSAGES):
                await desk.send_to_session("s", "Your parcel is on its way.")
        finally:
            sys.setprofile(None)

    await asyncio.create_task(send())  # a task of its own: the test runner's frames stay out
    return files


def slow(files: Iterable[str]) -> set[str]:
    """Return which of the slow libraries are among the files."""
    return {part for part in SLOW for file in files if part in file}


async def test_fast_lane_enters_no_slow_library() -> None:
    """A message on our own transport enters no frame of anyio, of cookies or of URL parsing."""
    async with serving() as (_, url), client(url) as desk:
        files = await entered(desk)
    assert set() == slow(files)


async def test_borrowed_client_does_enter_them() -> None:
    """The same count over a stock httpx client finds all three, so it would find them on the fast lane."""
    async with serving() as (_, url), httpx.AsyncClient() as http, client(url, http_client=http) as desk:
        files = await entered(desk)
    assert set(SLOW) == slow(files)


async def test_few_frames_per_message() -> None:
    """A message passes through no more frames of deskim's own than were counted when this was pinned."""
    async with serving() as (_, url), client(url) as desk:
        files = await entered(desk)
    own = sum(number for file, number in files.items() if file.startswith(OURS))
    assert MOST_FRAMES >= own / MESSAGES


async def test_as_many_connections_as_messages_under_way() -> None:
    """A thousand messages, sixteen at a time, open sixteen connections and no more."""
    messages = iter([Message.to_session("s", f"message {number}") for number in range(1000)])
    async with serving(together=16) as (server, url), client(url) as desk:

        async def work() -> int:
            return len([await desk.send(message) for message in messages])

        done = await asyncio.gather(*[work() for _ in range(16)])
    assert (1000, 16) == (sum(done), server.accepted)
