"""Cancel many requests at random points and see whether the pool still serves every one afterwards.

    python tests/transport/churn.py --cancels 100000 --seed 1 [--tls] [--stock]

`--stock` does the same to httpx's own transport, for comparison; `--tls` encrypts. The server runs in a process of its
own.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import anyio
import attrs
import httpx
import trustme

from deskim._transport import DeskTransport

REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n" + b"x" * 200
BODY = b"y" * 300
CONNECTIONS, AT_ONCE, SHARE_CANCELLED, AFTERWARDS = 10, 20, 0.7, 100

Call = Callable[[], Awaitable[httpx.Response]]


@attrs.define
class Tally:
    """Count what became of the requests."""

    requests: int = 0
    cancelled: int = 0
    answered: int = 0
    failed: int = 0
    swallowed: int = 0
    served_afterwards: int = 0
    tasks_left: int = 0
    descriptors_left: int = 0
    failures: Counter[str] = attrs.field(factory=Counter)

    @property
    def sound(self) -> bool:
        """Whether nothing was lost."""
        left = self.failed or self.swallowed or self.tasks_left or self.descriptors_left
        return not left and self.served_afterwards == AFTERWARDS


class Server(asyncio.Protocol):
    """Answer at once, and every third time in two pieces with a pause between them."""

    turn = 0
    received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.received.endswith(b"\r\n\r\n" + BODY):
            return
        self.received = b""
        Server.turn += 1
        cut = len(REPLY) if Server.turn % 3 else 60
        self.transport.write(REPLY[:cut])
        if cut < len(REPLY):
            asyncio.get_running_loop().call_later(0.0005, self.finish, cut)

    def finish(self, cut: int) -> None:
        if not self.transport.is_closing():
            self.transport.write(REPLY[cut:])


async def listen(report: Callable[[int], object], context: ssl.SSLContext | None = None) -> None:
    """Serve until cancelled; report the port."""
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=1024, ssl=context)
    report(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def server_process(pipe: Any, certificate: bytes | None) -> None:
    """Serve in a process of its own, with TLS where there is a certificate."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with trustme.Blob(certificate).tempfile() as path:
            context.load_cert_chain(path)
    asyncio.run(listen(pipe.send, context))


# Four ways to cancel; each returns whether the cancellation came in time.


async def by_task(call: Call, delay: Callable[[], Awaitable[None]]) -> bool:
    """Cancel the task."""
    task = asyncio.ensure_future(call())
    await delay()
    task.cancel()
    await asyncio.wait([task])
    if task.cancelled():
        return True
    await task
    return False


async def by_scope(call: Call, delay: Callable[[], Awaitable[None]]) -> bool:
    """Cancel an anyio scope from a sibling task."""
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(_then_cancel, delay, scope)
            await call()
            group.cancel_scope.cancel()
    return scope.cancelled_caught


async def _then_cancel(delay: Callable[[], Awaitable[None]], scope: anyio.CancelScope) -> None:
    await delay()
    scope.cancel()


async def by_timeout(call: Call, delay: Callable[[], Awaitable[None]]) -> bool:
    """Let an asyncio.timeout expire."""

    async def expire(scope: asyncio.Timeout) -> None:
        await delay()
        if not scope.expired():
            scope.reschedule(0)

    expiry = None
    try:
        async with asyncio.timeout(None) as scope:
            expiry = asyncio.ensure_future(expire(scope))
            await call()
    except TimeoutError:
        return True
    finally:
        if expiry is not None:
            expiry.cancel()
            await asyncio.wait([expiry])
    return False


class _Stop(Exception):  # noqa: N818
    pass


async def by_group(call: Call, delay: Callable[[], Awaitable[None]]) -> bool:
    """Let a sibling task of an asyncio.TaskGroup fail."""

    async def stop() -> None:
        await delay()
        raise _Stop

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(stop())
            task = group.create_task(call())  # type: ignore[arg-type]
    except* _Stop:
        pass
    return task.cancelled()


WAYS = (by_task, by_scope, by_timeout, by_group)


async def churn(transport: httpx.AsyncBaseTransport, url: str, cancels: int, seed: int) -> Tally:
    """Go on until `cancels` requests were cancelled, or the pool is dead, and return the tally."""
    dice = random.Random(seed)
    tally = Tally()
    descriptors, tasks = _descriptors(), len(asyncio.all_tasks())
    async with httpx.AsyncClient(transport=transport, timeout=httpx.Timeout(5, pool=2)) as client:
        while tally.cancelled < cancels and tally.failed < AT_ONCE:
            await asyncio.gather(*[_one(client, url, dice, tally) for _ in range(AT_ONCE)])
        replies = await asyncio.gather(
            *[client.post(url, content=BODY) for _ in range(AFTERWARDS)], return_exceptions=True
        )
        tally.served_afterwards = sum(isinstance(reply, httpx.Response) for reply in replies)
    for _ in range(20):
        await asyncio.sleep(0)
    tally.tasks_left, tally.descriptors_left = len(asyncio.all_tasks()) - tasks, _descriptors() - descriptors
    return tally


async def _one(client: httpx.AsyncClient, url: str, dice: random.Random, tally: Tally) -> None:
    async def call() -> httpx.Response:
        response = await client.post(url, content=BODY)
        tally.answered += 1
        task = asyncio.current_task()
        tally.swallowed += task is None or task.cancelling() > 0
        return response

    tally.requests += 1
    try:
        if dice.random() > SHARE_CANCELLED:
            await call()
        else:
            arrived = await dice.choice(WAYS)(call, _delay(dice))
            tally.cancelled += arrived
    except (httpx.HTTPError, ExceptionGroup) as error:
        tally.failed += 1
        tally.failures[repr(error)] += 1


def _delay(dice: random.Random) -> Callable[[], Awaitable[None]]:
    """Wait some turns of the loop, or some time."""
    turns, seconds = dice.randrange(40), dice.random() * 0.004

    async def delay() -> None:
        if turns < 30:
            for _ in range(turns):
                await asyncio.sleep(0)
        else:
            await asyncio.sleep(seconds)

    return delay


def _descriptors() -> int:
    """Count sockets, for uvloop opens a file of its own at its first connection."""
    return sum(path.is_socket() for path in Path("/dev/fd").iterdir())


def _certificate() -> tuple[bytes, ssl.SSLContext]:
    """Return a server's key and certificate, and the context of a client that trusts them."""
    authority, context = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(context)
    return authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.bytes(), context


def main() -> int:
    """Run the churn that the command line asks for."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--cancels", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options.add_argument("--stock", action="store_true", help="churn httpx's own transport instead")
    options.add_argument("--tls", action="store_true", help="encrypt")
    chosen = options.parse_args()
    certificate, verify = _certificate() if chosen.tls else (None, ssl.create_default_context())
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=server_process, args=(theirs, certificate), daemon=True
    )
    server.start()
    url = f"{'https' if chosen.tls else 'http'}://127.0.0.1:{ours.recv()}/"
    transport: httpx.AsyncBaseTransport = (
        httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=CONNECTIONS), verify=verify)
        if chosen.stock
        else DeskTransport(max_connections=CONNECTIONS, trust_env=False, verify=verify)
    )
    sys.stdout.write(f"seed {chosen.seed}, {'httpx' if chosen.stock else 'DeskTransport'}\n")
    sys.stdout.flush()
    tally = asyncio.run(churn(transport, url, chosen.cancels, chosen.seed))
    server.terminate()
    sys.stdout.write(f"{tally}\n")
    return 0 if tally.sound else 1


if __name__ == "__main__":
    sys.exit(main())
