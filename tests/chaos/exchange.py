"""One request on the wire, read by hand, and the pieces of which replies and faults are made."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from typing import Any, Self

from attrs import define, frozen

OK = b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}'
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class MalformedError(Exception):
    """Tell that a request is not what Desk's page asks for."""


@frozen
class Request:
    """Hold one request as it came."""

    line: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    async def read(cls, reader: asyncio.StreamReader, head: bytes) -> Self:
        """Return the request whose head was read."""
        line, *rest = head.decode("latin-1").split("\r\n")
        pairs = (field.partition(":") for field in rest if field)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        return cls(line, headers, await reader.readexactly(int(headers.get("content-length", "0"))))

    def message(self) -> dict[str, Any]:
        """Return the message; raises `MalformedError` for what Desk would refuse (1229/68821)."""
        method, target, version = self.line.split(" ")
        named = all(f"{name}=" in target for name in ("sdkappid", "identifier", "usersig", "random"))
        if method != "POST" or version != "HTTP/1.1" or not named or "content-type" not in self.headers:
            raise MalformedError(self.line.split("?")[0])
        try:
            message: dict[str, Any] = json.loads(self.body)
            key_of(message)
        except (ValueError, LookupError, TypeError) as error:
            raise MalformedError(str(error)) from None
        return message


def key_of(message: Mapping[str, Any]) -> str:
    """Return what a message is known by: its text."""
    return str(message["MsgBody"][0]["MsgContent"]["Text"])


def reply(body: bytes, status: str = "200 OK", kind: str = "application/json", **headers: object) -> bytes:
    """Return a reply on the wire."""
    fields = {"Content-Length": len(body), "Content-Type": kind}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def refusal(code: int) -> bytes:
    """Return Desk's way to say no: HTTP 200 with a code."""
    return reply(json.dumps({"ActionStatus": "FAIL", "ErrorInfo": "chaos", "ErrorCode": code}).encode())


@define(eq=False)
class Line:
    """Write to one connection, or break it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def write(self, data: bytes) -> None:
        """Write, at the pace at which the client reads."""
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Break the connection with an RST, whatever is unread or unwritten."""
        sock = self.writer.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.writer.transport.abort()

    async def until_gone(self) -> None:
        """Say nothing until the client hangs up."""
        while await self.reader.read(65536):
            pass
