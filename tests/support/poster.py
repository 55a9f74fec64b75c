"""Speak to the fake Desk with plain httpx, without our client."""

from __future__ import annotations

import asyncio
import base64
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from attrs import define, frozen

from deskim._usersig import sign_usersig
from deskim.testing import FakeDesk
from deskim.testing._memory import MemoryTransport
from tests.support.wire import read

SEND_MSG = "/v4/desk_http_svc/send_msg"
PARAMETERS: Mapping[str, str] = read("_url")["parameters"]


@define
class Clock:
    """Stand still until told otherwise."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def message(text: str = "hi", **fields: Any) -> dict[str, Any]:
    """Return the body of a message; a field that is None is left out."""
    body = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]
    known = {"SessionId": "session", "MsgRandom": 1, "MsgBody": body, **fields}
    return {name: value for name, value in known.items() if value is not None}


def pack(claims: Mapping[str, Any]) -> str:
    """Return a UserSig of these claims, signed or not."""
    text = base64.b64encode(zlib.compress(json.dumps(claims).encode())).decode()
    return text.translate(str.maketrans("+/=", "*-_"))


def parameters_for(desk: FakeDesk) -> dict[str, str]:
    """Return parameters that a fake takes."""
    usersig = sign_usersig(desk.sdk_app_id, desk.secret_key, desk.identifier, now=int(desk.clock()))
    return {**PARAMETERS, "usersig": usersig}


@frozen
class Poster:
    """Post to a fake Desk."""

    desk: FakeDesk
    http: httpx.AsyncClient

    def query(self, changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Return parameters that are in order, but for the changes; None leaves one out."""
        known = {**parameters_for(self.desk), **(changes or {})}
        return {name: value for name, value in known.items() if value is not None}

    async def post(self, body: Any, changes: Mapping[str, str | None] | None = None, **options: Any) -> httpx.Response:
        """Return the reply to a body: bytes, or what is written as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        path, method = options.pop("path", SEND_MSG), options.pop("method", "POST")
        return await self.http.request(method, path, params=self.query(changes), content=content, **options)

    async def code(self, body: Any, changes: Mapping[str, str | None] | None = None, **options: Any) -> int:
        """Return the ErrorCode of the reply."""
        code: int = (await self.post(body, changes, **options)).json()["ErrorCode"]
        return code


@asynccontextmanager
async def in_memory(desk: FakeDesk) -> AsyncIterator[Poster]:
    """Give a poster that needs no socket."""
    async with httpx.AsyncClient(transport=MemoryTransport(desk._respond), base_url="https://fake.desk") as http:
        yield Poster(desk, http)


async def shown(desk: FakeDesk) -> None:
    """Wait until users saw something."""
    while not desk.messages:  # noqa: ASYNC110 - the fake has no event for it
        await asyncio.sleep(0.001)


@asynccontextmanager
async def on_a_socket(desk: FakeDesk) -> AsyncIterator[Poster]:
    """Give a poster that talks to the fake's socket."""
    async with (
        desk.serve() as served,
        httpx.AsyncClient(base_url=served.base_url) as http,
    ):
        yield Poster(desk, http)
