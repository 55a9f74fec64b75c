"""The faults, by name: each breaks one exchange, and returns whether the connection goes on."""

from __future__ import annotations

import asyncio
import gzip
import html
import zlib
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Final, TypeAlias

from attrs import frozen

from tests.chaos.codes import DOCUMENTED
from tests.chaos.exchange import OK, Line, Request, key_of, refusal, reply

_MEGABYTE: Final = 1024 * 1024
_GIGABYTE: Final = 1024
_BETWEEN_BYTES: Final = 0.05


@frozen
class Exchange:
    """Hold one exchange: the line, the request, and what the schedule drew for it."""

    line: Line
    request: Request
    accept: Callable[[], None]
    heads: bool
    pick: Callable[[int], int]
    codes: tuple[int, ...] = tuple(DOCUMENTED)

    def accept_perhaps(self) -> None:
        """Accept the message if the coin says so: what breaks may break before or after."""
        if self.heads:
            self.accept()


Fault: TypeAlias = Callable[[Exchange], Awaitable[bool]]


async def reset_before(x: Exchange) -> bool:
    """Read the message, do not accept it, reset."""
    x.line.reset()
    return False


async def reset_after(x: Exchange) -> bool:
    """Accept the message, reset without a word."""
    x.accept()
    x.line.reset()
    return False


async def half_reply(x: Exchange) -> bool:
    """Accept the message, send half of the reply, reset."""
    x.accept()
    whole = reply(OK)
    await x.line.write(whole[: x.pick(len(whole))])
    x.line.reset()
    return False


async def dribble(x: Exchange) -> bool:
    """Accept the message and send the reply byte by byte, slowly enough to outlast most deadlines."""
    x.accept()
    for byte in reply(OK):
        await x.line.write(bytes([byte]))
        await asyncio.sleep(_BETWEEN_BYTES)
    return True


async def stall(x: Exchange) -> bool:
    """Accept the message or not, and say nothing."""
    x.accept_perhaps()
    await x.line.until_gone()
    return False


async def close_quietly(x: Exchange) -> bool:
    """Answer, and close the connection that the client believes open."""
    x.accept()
    await x.line.write(reply(OK))
    return False


async def bad_gateway(x: Exchange) -> bool:
    """Answer 502 with a page; the message may have gone through."""
    x.accept_perhaps()
    await x.line.write(reply(b"<html><h1>502 Bad Gateway</h1></html>", "502 Bad Gateway", "text/html"))
    return True


async def echo(x: Exchange) -> bool:
    """Answer 502 with a page that shows the request line, signature and all."""
    page = f"<html>Bad gateway for <pre>{html.escape(x.request.line)}</pre> {x.request.line}</html>".encode()
    await x.line.write(reply(page, "502 Bad Gateway", "text/html"))
    return True


async def echo_header(x: Exchange) -> bool:
    """Answer with the request line in a header of the reply."""
    x.accept()
    await x.line.write(reply(OK, kind=f"application/json; of={x.request.line}", X_Request=x.request.line))
    return True


async def too_short(x: Exchange) -> bool:
    """Promise more bytes than come."""
    x.accept_perhaps()
    await x.line.write(reply(OK, Content_Length=len(OK) + 100))
    return False


async def too_long(x: Exchange) -> bool:
    """Promise fewer bytes than come."""
    x.accept()
    await x.line.write(reply(OK, Content_Length=len(OK) - 10))
    return False


async def not_json(x: Exchange) -> bool:
    """Answer 200 with a page that says it is JSON."""
    x.accept_perhaps()
    await x.line.write(reply(b"<html>Welcome to the hotel's Wi-Fi</html>"))
    return True


async def other_type(x: Exchange) -> bool:
    """Answer properly and call it text/html, as some proxies do."""
    x.accept()
    await x.line.write(reply(OK, kind="text/html; charset=gbk"))
    return True


async def garbage(x: Exchange) -> bool:
    """Answer with what is no HTTP at all."""
    x.accept_perhaps()
    await x.line.write(bytes(x.pick(256) ^ (n * 37 % 256) for n in range(300)) + b"\r\n\r\n")
    return False


async def packed(x: Exchange) -> bool:
    """Answer properly, in gzip that nobody asked for."""
    x.accept()
    await x.line.write(reply(gzip.compress(OK), Content_Encoding="gzip"))
    return True


async def huge(x: Exchange) -> bool:
    """Answer with a gigabyte."""
    x.accept()
    await x.line.write(reply(b"", Content_Length=_GIGABYTE * _MEGABYTE))
    piece = b" " * _MEGABYTE
    for _ in range(_GIGABYTE):
        await x.line.write(piece)
    return True


async def endless(x: Exchange) -> bool:
    """Answer in chunks without end."""
    x.accept()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    await x.line.write(head)
    chunk = b"100000\r\n" + b" " * _MEGABYTE + b"\r\n"
    for _ in range(_GIGABYTE):
        await x.line.write(chunk)
    return False


async def bomb(x: Exchange) -> bool:
    """Answer with a megabyte of gzip that unpacks to a gigabyte."""
    x.accept()
    await x.line.write(reply(_packed_gigabyte(), Content_Encoding="gzip"))
    return True


@cache
def _packed_gigabyte() -> bytes:
    pack = zlib.compressobj(6, zlib.DEFLATED, 31)
    zeros = bytes(_MEGABYTE)
    return b"".join([*[pack.compress(zeros) for _ in range(_GIGABYTE)], pack.flush()])


async def throttle(x: Exchange) -> bool:
    """Refuse: too many calls of this application."""
    await x.line.write(refusal(60011))
    return True


async def code(x: Exchange) -> bool:
    """Answer with one of the codes; those that prove no refusal may come after the message was accepted."""
    chosen = _named_code(x.request) or x.codes[x.pick(len(x.codes))]
    if DOCUMENTED[chosen]:
        x.accept_perhaps()
    await x.line.write(refusal(chosen))
    return True


def _named_code(request: Request) -> int | None:
    """Return the code that a message asks for by its text, such as "code 60011"."""
    word, number, *_ = [*key_of(request.message()).split(" "), ""]
    return int(number) if word == "code" else None


FAULTS: Final[dict[str, Fault]] = {
    fault.__name__: fault
    for fault in (
        reset_before, reset_after, half_reply, dribble, stall, close_quietly, bad_gateway, echo, echo_header, too_short,
        too_long, not_json, other_type, garbage, packed, huge, endless, bomb, throttle, code,
    )
}  # fmt: skip
