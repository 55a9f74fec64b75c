"""A bot under FastAPI. Run it with ``uvicorn fastapi_bot:app``; Desk posts its callbacks to https://your.host/desk.

The environment holds DESKIM_SDK_APP_ID and DESKIM_SECRET_KEY.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from answers import reply
from fastapi import FastAPI

from deskim import AsyncDeskClient
from deskim.callbacks import SessionEvent
from deskim.contrib.fastapi import CallbackInbox, callback_router

desk = AsyncDeskClient.from_env()


async def on_event(event: SessionEvent) -> None:
    """Handle an event, after its acknowledgement."""
    await reply(desk, event)


@asynccontextmanager
async def life(_: FastAPI) -> AsyncGenerator[None, None]:
    """Keep the client open for as long as the application runs."""
    async with desk:
        yield


app = FastAPI(lifespan=life)
app.include_router(callback_router(CallbackInbox(on_event, sdk_app_id=int(os.environ["DESKIM_SDK_APP_ID"])), "/desk"))
