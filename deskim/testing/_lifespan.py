"""Start and stop an ASGI application, as a server does."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast


@asynccontextmanager
async def lifespan(app: Any) -> AsyncGenerator[None, None]:
    """Run the application's lifespan around a block; one that knows of none is let be.

    Raises ``TypeError`` for what is no ASGI application.
    """
    _check(app)
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    life = asyncio.create_task(app(scope, to_app.get, from_app.put))
    try:
        started = await _step("startup", life, to_app, from_app)
        yield
        if started:
            await _step("shutdown", life, to_app, from_app)
    finally:
        life.cancel()
        await asyncio.wait({life})
        if not life.cancelled():
            life.exception()


def _check(app: Any) -> None:
    try:
        inspect.signature(app).bind("scope", "receive", "send")
    except TypeError:
        kind = cast("type[object]", type(app))
        msg = f"{kind.__module__}.{kind.__qualname__} is no ASGI application: serve it and give its URL"
    else:
        return
    raise TypeError(msg)


async def _step(
    phase: str, life: asyncio.Task[None], to_app: asyncio.Queue[dict[str, Any]], from_app: asyncio.Queue[dict[str, Any]]
) -> bool:
    """Return whether the application took part; raises what it failed with."""
    await to_app.put({"type": f"lifespan.{phase}"})
    answer = asyncio.create_task(from_app.get())
    await asyncio.wait({answer, life}, return_when=asyncio.FIRST_COMPLETED)
    if not answer.done():
        answer.cancel()
        return False
    event = answer.result()
    if event["type"] == f"lifespan.{phase}.failed":
        msg = f"the application failed at {phase}: {event.get('message', '')}"
        raise RuntimeError(msg)
    return True
