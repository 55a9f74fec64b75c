"""Callbacks as a router of FastAPI."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

try:
    from fastapi import APIRouter
except ImportError:
    raise ImportError("deskim.contrib.fastapi needs FastAPI: pip install fastapi") from None

from deskim.contrib.asgi import CallbackApp
from deskim.contrib.inbox import CallbackInbox

__all__ = ["CallbackInbox", "callback_router"]


def callback_router(inbox: CallbackInbox, path: str = "/desk") -> APIRouter:
    """Return a router that takes Tencent's callbacks at ``path``: ``app.include_router(callback_router(inbox))``.

    The application's lifespan opens the inbox and closes it, after its handlers have finished.
    """

    @asynccontextmanager
    async def life(_: Any) -> AsyncGenerator[None, None]:
        async with inbox:
            yield

    router = APIRouter(lifespan=life)
    endpoint: Any = CallbackApp(inbox)  # Starlette's routes take an ASGI application, too; its types do not say so
    router.add_route(path, endpoint, methods=["POST"], include_in_schema=False)
    return router
