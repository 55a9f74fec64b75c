from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deskim import AsyncDeskClient
from deskim.testing import FakeDesk

pytestmark = pytest.mark.anyio
EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"
BOTS = {
    "fastapi": ["-m", "uvicorn", "fastapi_bot:app", "--log-level", "warning", "--port"],
    "aiohttp": ["aiohttp_bot.py"],
}


@asynccontextmanager
async def serving(desk: FakeDesk) -> AsyncIterator[dict[str, str]]:
    """Serve a fake Desk and give the environment of a program that uses it."""
    async with desk.serve() as served:
        yield {
            **os.environ,
            "DESKIM_SDK_APP_ID": str(desk.sdk_app_id),
            "DESKIM_SECRET_KEY": desk.secret_key,
            "DESKIM_BASE_URL": served.base_url,
            "PYTHONWARNINGS": "error::ResourceWarning",
            "PYTHONASYNCIODEBUG": "",  # in debug mode aiohttp logs every access
        }


@asynccontextmanager
async def running(environment: dict[str, str], *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an example as a process of its own."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=EXAMPLES, env=environment, stdout=pipe, stderr=pipe
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until(happened: Callable[[], object], process: asyncio.subprocess.Process) -> None:
    """Wait until something has happened, as long as the program runs."""
    while not happened():
        assert process.returncode is None, await process.communicate()
        await asyncio.sleep(0.01)


async def listening(port: int, process: asyncio.subprocess.Process) -> None:
    """Wait until a program takes connections."""

    def connects() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    await until(connects, process)


async def stopped(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    """Stop a program as a service manager would; return its code and what it printed."""
    process.send_signal(signal.SIGTERM)
    output, complaints = await process.communicate()
    return process.returncode, output.decode(), complaints.decode()


@pytest.mark.parametrize("bot", BOTS)
async def test_a_bot_answers_streams_and_hands_over(bot: str) -> None:
    """Callback in, streamed answer out, hand-over to a human; the history shows it, and the service stops cleanly."""
    desk, port = FakeDesk(), free_port()
    async with serving(desk) as environment, running(environment, *BOTS[bot], str(port)) as process:
        await listening(port, process)
        async with desk.callbacks_to(f"http://127.0.0.1:{port}/desk") as tencent:
            await tencent.session_begins("s", "user45")
            await tencent.user_opens_chat("s")
            await until(lambda: desk.messages, process)
            await tencent.user_says("s", "Where is my parcel?")
            await until(lambda: desk.streams and desk.streams[0].finished, process)
            await tencent.user_says("s", "human")
            await until(lambda: desk.state_of("s") == "Agent", process)
            statuses = {delivery.status for delivery in tencent.deliveries}
        code, output, complaints = await stopped(process)
    assert ({200}, "") == (statuses, complaints)
    assert code in (0, -signal.SIGTERM)
    assert "handed over to test_agent@qq.com" in output
    assert [
        "Hello! Ask me anything, or write: human",
        "Where is my parcel?",
        "You asked: Where is my parcel? I am only an example, and say so word by word. ",
        "human",
    ] == [message.text for message in desk.history("s")]


@pytest.mark.parametrize("bot", BOTS)
async def test_a_bot_that_is_stopped_finishes_what_it_says(bot: str) -> None:
    """A service that is told to stop in the middle of an answer ends it properly."""
    desk, port = FakeDesk(), free_port()
    async with serving(desk) as environment, running(environment, *BOTS[bot], str(port)) as process:
        await listening(port, process)
        async with desk.callbacks_to(f"http://127.0.0.1:{port}/desk") as tencent:
            await tencent.user_says("s", "Where is my parcel?")
            await until(lambda: desk.streams, process)
        _, _, complaints = await stopped(process)
    assert ([True], "") == ([stream.finished for stream in desk.streams], complaints)


async def test_the_patient_bot_comforts_and_stops() -> None:
    """A user in the queue hears of the bot; SIGTERM ends it cleanly, and so does the end of its sessions."""
    desk = FakeDesk()
    desk.begin_session("s")
    desk.set_state("s", "Queueing")
    async with serving(desk) as environment:
        async with running(environment, "patience_bot.py", "0.05", "s", "other") as process:
            await until(lambda: len(desk.messages) > 1, process)
            assert (0, "stopped\n", "") == await stopped(process)
        desk.end_session("s")
        async with running(environment, "patience_bot.py", "0.01", "s") as process:
            output, complaints = await process.communicate()
    assert (0, b"all sessions have ended\n", b"") == (process.returncode, output, complaints)


async def test_the_export_writes_every_conversation() -> None:
    """Each session of the last week is a line with its messages in order; more than a page of them is no matter."""
    desk = FakeDesk()
    for number in range(3):
        desk.begin_session(f"s{number}", f"user{number}")
        for line in range(150):
            desk.user_says(f"s{number}", f"{line}")
        desk.end_session(f"s{number}")
    async with serving(desk) as environment, running(environment, "export_week.py") as process:
        output, complaints = await process.communicate()
    written = [json.loads(line) for line in output.splitlines()]
    assert (0, b"") == (process.returncode, complaints)
    assert ["user0", "user1", "user2"] == [conversation["user"] for conversation in written]
    assert [[str(line) for line in range(150)]] * 3 == [
        [message["text"] for message in conversation["messages"]] for conversation in written
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_broadcast_that_was_stopped_goes_on(number: signal.Signals, tmp_path: Path) -> None:
    """A broadcast that is stopped tells how far it came; run again, it sends the rest, and nobody hears twice."""
    desk, users = FakeDesk(), [f"user{index}" for index in range(300)]
    table = tmp_path / "users.csv"
    table.write_text("user,name\n" + "".join(f"{user},{user.title()}\n" for user in users), encoding="utf-8")
    async with serving(desk) as environment:
        environment["DESKIM_CUSTOMER_SERVICE_ACCOUNT"] = "@shop"
        async with running(environment, "broadcast.py", str(table)) as process:
            await until(lambda: len(desk.messages) > 20, process)
            process.send_signal(number)
            output, complaints = await process.communicate()
        assert (130, b"") == (process.returncode, complaints)
        assert b"0 unknown; stopped at item" in output
        sent = int(output.split()[0])
        assert sent < len(users)
        async with running(environment, "broadcast.py", str(table)) as process:
            output, complaints = await process.communicate()
    assert (0, b"") == (process.returncode, complaints)
    assert f"300 sent, 0 rejected, 0 not sent, 0 unknown; {sent} were settled by earlier runs\n".encode() == output
    assert users == sorted((message.to_account for message in desk.messages), key=users.index)


async def test_a_cancelled_stream_leaves_a_healthy_pool() -> None:
    """Over a socket, streams that are cancelled in the middle are finished, and the client goes on sending."""
    desk = FakeDesk()

    async def answer(client: AsyncDeskClient, session_id: str) -> None:
        async with client.stream_to_session(session_id) as stream:
            while True:
                await stream.write("word ")
                await asyncio.sleep(0.01)

    async with desk.serve() as served, served.client(max_connections=4) as client:
        tasks = [asyncio.create_task(answer(client, f"s{number}")) for number in range(20)]
        while len(desk.streams) < 20:  # noqa: ASYNC110 - the fake has no event for it
            await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for number in range(20):
            await client.send_to_session(f"s{number}", "still here")
    assert [True] * 20 == [stream.finished for stream in desk.streams]
    assert 20 == len(desk.messages)
