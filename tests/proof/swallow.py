"""In a process of its own: meet one kind of reply, and print by how much the peak of memory grew."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import httpx

from deskim import AsyncDeskClient, DeskError
from tests.proof.memory import peak
from tests.proof.server import SDK_APP_ID, SECRET_KEY


async def _meet(desk: AsyncDeskClient, kind: str) -> dict[str, Any]:
    for _ in range(20):
        await desk.send_to_session("session", "warm up")
    before, error = peak(), None
    try:
        await desk.send_to_session("session", f"fault {kind}")
    except Exception as exc:  # noqa: BLE001 - which one is what this is about
        error = exc
    told = {"error": type(error).__name__, "is_desk_error": isinstance(error, DeskError)}
    return {**told, "attempts": getattr(error, "attempts", 0), "megabytes": peak() - before}


async def _run(url: str, lane: str, kind: str) -> dict[str, Any]:
    http = httpx.AsyncClient(timeout=10.0) if lane == "borrowed" else None
    try:
        async with AsyncDeskClient(
            SDK_APP_ID, secret_key=SECRET_KEY, base_url=url, rate_limit=None, http_client=http
        ) as desk:
            return await _meet(desk, kind)
    finally:
        if http is not None:
            await http.aclose()


print(json.dumps(asyncio.run(_run(*sys.argv[1:]))))  # noqa: T201 - its parent reads it
