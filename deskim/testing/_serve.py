"""The fake Desk on a socket: uvicorn's HTTP protocol, without its signals, its logging and its main loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from ._asgi import CUT

try:
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol
    from uvicorn.server import ServerState
except ImportError:
    raise ImportError('FakeDesk.serve() needs uvicorn: pip install "deskim[testing]"') from None

_KEEP_ALIVE = 75  # seconds, so that a client's pool decides and not the server


class _Connection(H11Protocol):
    """Serve one connection; its requests can cut it, and no access log shows their UserSig."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.access_log = False
        app = self.app

        async def cuttable(scope: Any, receive: Any, send: Any) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), CUT: transport.abort}
            await app(scope, receive, send)

        self.app = cuttable


@asynccontextmanager
async def serving(app: Any, host: str, port: int) -> AsyncGenerator[str, None]:
    """Serve ``app`` in the running loop and give the URL; at the end every connection is closed."""
    config = uvicorn.Config(
        app,
        http=_Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        proxy_headers=False,
        log_config=None,
        timeout_keep_alive=_KEEP_ALIVE,
        server_header=False,
        date_header=False,
    )
    config.load()
    config.loaded_app = app  # without the middleware that logs each scope, UserSig included
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(config, state, {}), host, port)
    try:
        yield _url(server)
    finally:
        await _stop(server, state)


def _url(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _stop(server: asyncio.Server, state: ServerState) -> None:
    server.close()
    await asyncio.sleep(0)  # for a connection that was just accepted
    while state.connections:
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
    if state.tasks:
        await asyncio.wait(state.tasks)
    await server.wait_closed()
