"""The client that many write first: httpx, a few attempts, each of them a new request with a new MsgRandom."""

from __future__ import annotations

import asyncio
import random
from types import TracebackType
from typing import Any, Final, Self

import httpx

_ATTEMPTS: Final = 6
_QUERY: Final = "/v4/desk_http_svc/send_msg?sdkappid=1400000000&identifier=administrator&usersig=naive&random=1"


class NaiveClient:
    """Send messages and hope."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=10.0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def send(self, text: str) -> bool:
        """Tell whether an attempt was answered with code 0."""
        for attempt in range(_ATTEMPTS):
            try:
                response = await self._http.post(_QUERY, json=_message(text))
                if response.json()["ErrorCode"] == 0:
                    return True
            except (httpx.HTTPError, ValueError):
                pass
            await asyncio.sleep(random.random() * 0.1 * 2**attempt)
        return False


def _message(text: str) -> dict[str, Any]:
    body = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]
    return {"SessionId": "session", "MsgRandom": random.getrandbits(32), "MsgBody": body}
