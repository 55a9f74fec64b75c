"""Measure how soon callbacks are acknowledged, beside a bare route of the same application in the same run.

``python -m tests.contrib.acknowledge --callbacks 1000 --concurrent 100 --rounds 5``: an application of FastAPI under
uvicorn runs in a process of its own, gets callbacks and bare posts in turns, and is stopped while handlers still run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
from fastapi import FastAPI, Request, Response

from deskim import DeskTransport
from deskim.callbacks import SessionEvent, acknowledge
from deskim.contrib.fastapi import CallbackInbox, callback_router

_APP: Final = 1400000000
_BODY: Final = b"""{"CallbackCommand": "Desk.SessionEventNotify", "SessionId": "s", "Event": "ChatBot.UserSendMsg",
"EventTime": 1730443136123, "ChannelType": "SDK", "ClientUserId": "user45", "CustomerServiceId": "@service",
"MsgKey": "152_1600012345_abcdefg", "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "Where is it?"}}]}"""
_HANDLING: Final = 0.05
_ALLOWED: Final = 3.0


def make() -> FastAPI:
    """Return the application: callbacks at /desk, and a bare route at /bare; at its end it says what it handled."""
    handled: list[str] = []

    async def on_event(event: SessionEvent) -> None:
        await asyncio.sleep(_HANDLING)
        handled.append(event.request_id)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        print(len(handled), len(set(handled)), flush=True)  # noqa: T201 - the other process reads it

    app = FastAPI(lifespan=life)
    app.include_router(callback_router(CallbackInbox(on_event, sdk_app_id=_APP), "/desk"))

    async def bare(request: Request) -> Response:
        await request.body()
        return Response(acknowledge(), media_type="application/json")

    app.add_route("/bare", bare, methods=["POST"])  # Starlette's own: nothing of FastAPI's models in its way
    return app


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def _served(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = [
        "-m",
        "uvicorn",
        "--factory",
        "tests.contrib.acknowledge:make",
        "--log-level",
        "warning",
        "--port",
        str(port),
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, env=os.environ
    )
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _post_all(http: httpx.AsyncClient, url: str, ids: Iterator[str], concurrent: int) -> list[float]:
    times: list[float] = []

    async def post() -> None:
        for request_id in ids:
            began = time.perf_counter()
            answer = await http.post(url, params={"SdkAppid": str(_APP), "RequestID": request_id}, content=_BODY)
            times.append(time.perf_counter() - began)
            if answer.status_code != httpx.codes.OK:
                raise RuntimeError(f"HTTP {answer.status_code}")

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrent):
            group.create_task(post())
    return times


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)] * 1000


async def measure(callbacks: int, concurrent: int, rounds: int) -> bool:
    """Print what came out; return whether all callbacks were handled once and acknowledged soon enough."""
    port, bare, ours = _port(), list[float](), list[float]()
    async with _served(port) as process:
        transport = DeskTransport(trust_env=False, max_connections=concurrent)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
            await _post_all(
                http, "/bare", map(str, range(callbacks)), concurrent
            )  # the connections are open from here on
            for number in range(rounds):
                turns = (("/bare", bare), ("/desk", ours))
                for path, times in turns if number % 2 else reversed(turns):
                    ids = (f"{number}-{each}" for each in range(callbacks))
                    times.extend(await _post_all(http, path, ids, concurrent))
        process.send_signal(signal.SIGTERM)
        output, _ = await process.communicate()
    handled, distinct = map(int, output.split())
    ratio = _p99(ours) / _p99(bare)
    told = f"{handled} handled, {handled - distinct} twice"
    print(f"{len(ours)} callbacks, {concurrent} at once: all acknowledged; {told}")  # noqa: T201
    print(f"p99: a bare route {_p99(bare):.1f} ms, an acknowledgement {_p99(ours):.1f} ms, {ratio:.2f} times")  # noqa: T201
    return handled == distinct == len(ours) and ratio <= _ALLOWED


def main() -> int:
    """Return 0 if the promise held."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("callbacks", 1000), ("concurrent", 100), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    return int(not asyncio.run(measure(options.callbacks, options.concurrent, options.rounds)))


if __name__ == "__main__":
    sys.exit(main())
