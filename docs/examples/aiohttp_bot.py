"""A bot as a service of aiohttp. Run it with ``python aiohttp_bot.py 8000``; Desk posts to https://your.host/desk.

The environment holds DESKIM_SDK_APP_ID and DESKIM_SECRET_KEY.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator

from aiohttp import web
from answers import reply

from deskim import AsyncDeskClient
from deskim.callbacks import SessionEvent
from deskim.contrib.aiohttp import CallbackInbox, add_callbacks

DESK = web.AppKey("DESK", AsyncDeskClient)


def make() -> web.Application:
    """Return the service."""
    app = web.Application()

    async def life(app: web.Application) -> AsyncGenerator[None, None]:
        async with AsyncDeskClient.from_env() as app[DESK]:
            yield

    async def on_event(event: SessionEvent) -> None:
        await reply(app[DESK], event)

    app.cleanup_ctx.append(life)  # before the callbacks: what is opened first is closed last
    add_callbacks(app, CallbackInbox(on_event, sdk_app_id=int(os.environ["DESKIM_SDK_APP_ID"])), "/desk")
    return app


if __name__ == "__main__":
    web.run_app(make(), host="127.0.0.1", port=int(sys.argv[1]), print=None)
