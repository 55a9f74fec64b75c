"""A long file through the command line: `deskim batch` in a process of its own, and what its memory came to."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from attrs import define

from deskim.cli import run
from tests.proof.child import python
from tests.proof.memory import peak
from tests.proof.rows import Row, Scale
from tests.proof.server import SDK_APP_ID, SECRET_KEY

_MOST_MEGABYTES: Final = 20
_SIZES: Final = (10_000, 100_000, 1_000_000)
_SMALL: Final = (1_000, 10_000)
_DONE: Final = b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}'
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_REPLY: Final = _HEAD % len(_DONE) + _DONE
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


async def prove(scale: Scale) -> AsyncIterator[Row]:
    """Send files of growing length, and write down what became of each line."""
    began, sizes = time.monotonic(), _SMALL if scale.quick else _SIZES
    with tempfile.TemporaryDirectory() as folder:
        told = [await _send(Path(folder), count) for count in sizes]
    peaks = [each["megabytes"] for each in told]
    whole = all(
        each["code"] == 0 and each["lines"] == each["came"] == count for each, count in zip(told, sizes, strict=True)
    )
    yield Row(
        promise="Constant memory of the command line",
        size=f"deskim batch --output over {', '.join(f'{count:,}' for count in sizes)} lines of JSON",
        wanted=f"at most {_MOST_MEGABYTES} MB more than for the shortest; every line sent and told of",
        measured=f"peaks of {', '.join(f'{each:.1f}' for each in peaks)} MB; {_rest(told)}",
        holds=whole and max(peaks) - peaks[0] <= _MOST_MEGABYTES,
        seconds=time.monotonic() - began,
    )


def _rest(told: list[dict[str, Any]]) -> str:
    came, lines = sum(each["came"] for each in told), sum(each["lines"] for each in told)
    return f"{came:,} calls came, {lines:,} results written"


async def _send(folder: Path, count: int) -> dict[str, Any]:
    """Send a file of so many lines; return what its process told, and how many calls came."""
    source, results = folder / "in.jsonl", folder / "out.jsonl"
    with source.open("w", encoding="utf-8") as file:
        for number in range(count):
            file.write(json.dumps({"session": "session", "text": f"line {number}", "key": str(number)}) + "\n")
    async with canned() as server:
        environment = {
            "DESKIM_SDK_APP_ID": str(SDK_APP_ID),
            "DESKIM_SECRET_KEY": SECRET_KEY,
            "DESKIM_BASE_URL": server.url,
        }
        ended = await python("-m", "tests.proof.long_cli", str(source), str(results), environment=environment)
    with results.open("rb") as file:
        lines = sum(b'"delivery":"sent"' in line for line in file)
    return {**ended.told(), "lines": lines, "came": server.came}


@define
class Canned:
    """Answer each call with success, at once; ``came`` counts them."""

    url: str = ""
    came: int = 0


class _Exchange(asyncio.Protocol):
    """Be one connection; a client of HTTP/1.1 that waits for each answer sends one request at a time."""

    def __init__(self, server: Canned) -> None:
        self._server, self._got = server, b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        head, end, body = (self._got + data).partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or length is None or len(body) < int(length[1]):
            self._got += data
            return
        self._got = b""
        self._server.came += 1
        self._transport.write(_REPLY)


@asynccontextmanager
async def canned() -> AsyncIterator[Canned]:
    """Serve in this process, which is not the one that is looked at."""
    told = Canned()
    server = await asyncio.get_running_loop().create_server(lambda: _Exchange(told), "127.0.0.1", 0)
    told.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield told
    finally:
        server.close()


def main() -> None:
    """Run the command line over a file, and print its exit code and the peak of this process's memory."""
    code = run(["batch", sys.argv[1], "--output", sys.argv[2], "--rate", "none"])
    print(json.dumps({"code": code, "megabytes": peak()}))  # noqa: T201 - its parent reads it


if __name__ == "__main__":
    main()
