"""`deskim fake`: a fake Desk to develop against, which shows what users see."""

from __future__ import annotations

import asyncio
import errno
import random
import secrets
import shlex
import signal
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager

from deskim.cli._faults import ChancyDesk, read_faults
from deskim.cli._message_text import addressee, as_json, lines
from deskim.cli._screen import MissingExtraError, UsageError, complain, say, say_json
from deskim.errors import lookup
from deskim.testing import ReceivedRequest, SeenMessage, SeenStream

_LAST_PORT = 65535


async def fake(
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    seed: int | None = None,
    fault: tuple[str, ...] = (),
    rate_limit: float | None = None,
    dedup_window: float = 120.0,
    json: bool = False,
) -> None:
    """Serve a fake Desk until Ctrl-C, and show each message as its user sees it.

    Its settings are printed first, ready to be pasted into another shell.

    :param port: The port; a free one by default.
    :param host: The address to listen at; 127.0.0.1 by default.
    :param seed: The seed of the faults, to have the same ones again.
    :param fault: Spoil a share of the requests, e.g. drop=0.05 (the reply is lost), code=60011:0.02, status=502:0.01,
        delay=2.5:0.1 (seconds); several with commas, or by giving it again.
    :param rate_limit: How many calls are taken in any one second; no limit by default.
    :param dedup_window: For how many seconds a repeated message is not shown again; 120 by default.
    :param json: Print each message as one line of JSON.
    """
    if not 0 <= port <= _LAST_PORT:
        raise UsageError(f"--port takes a number from 0 to {_LAST_PORT}, not {port}; 0 takes a free one")
    for name, number in {"--rate-limit": rate_limit, "--dedup-window": dedup_window}.items():
        if number is not None and not number >= 0:
            raise UsageError(f"{name} takes a number from 0, not {number:g}")
    chosen = secrets.randbits(32) if seed is None else seed
    faults = read_faults(fault)
    desk = ChancyDesk(
        faults=faults,
        draw=random.Random(chosen).random,
        rate_limit=rate_limit,
        dedup_window=dedup_window,
        on_message=_print_json if json else _print,
        on_stream=_print_stream_json if json else _print_stream,
        on_request=_note,
    )
    try:
        with _end_signals() as told:
            async with desk.serve(host, port) as served:
                _print_settings(desk, served.base_url, stderr=json)
                if faults:
                    complain(f"# faults by chance, --seed {chosen}")
                complain("# Ctrl-C ends it")
                await told.wait()
    except BrokenPipeError:
        raise
    except ImportError:
        raise MissingExtraError("testing") from None
    except OSError as error:
        raise UsageError(_why_not(error, host, port)) from None
    complain(_count(desk))


def _count(desk: ChancyDesk) -> str:
    came = "1 request came" if desk.requests_seen == 1 else f"{desk.requests_seen} requests came"
    shown = "1 message was shown" if desk.messages_seen == 1 else f"{desk.messages_seen} messages were shown"
    return f"# {came}, {shown}"


def _why_not(error: OSError, host: str, port: int) -> str:
    """Return why nothing can listen there, and what to give instead."""
    if isinstance(error, socket.gaierror) or error.errno in {errno.EADDRNOTAVAIL, None}:  # none: asyncio of Python 3.13
        return f"{host!r} is no address of this machine: --host takes one, such as 127.0.0.1"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken: give another --port, or none to get a free one"
    if error.errno == errno.EACCES:
        return f"port {port} is not for every user: give a --port above 1023, or none to get a free one"
    return f"cannot listen at port {port} of {host}: {error}"


def _print_settings(desk: ChancyDesk, base_url: str, *, stderr: bool) -> None:
    settings = {
        "DESKIM_SDK_APP_ID": str(desk.sdk_app_id),
        "DESKIM_SECRET_KEY": desk.secret_key,  # the fake's own, made up
        "DESKIM_IDENTIFIER": desk.identifier,
        "DESKIM_CUSTOMER_SERVICE_ACCOUNT": desk.customer_service_account,
        "DESKIM_BASE_URL": base_url,
    }
    for name, value in settings.items():
        (complain if stderr else say)(f"export {name}={shlex.quote(value)}")


@contextmanager
def _end_signals() -> Generator[asyncio.Event, None, None]:
    """Give the event that Ctrl-C or a polite kill sets."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    try:
        yield told
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _print(message: SeenMessage) -> None:
    say(f"{_clock(message.time)}  to {addressee(message)}", "bold")
    for line in lines(message):
        say(f"          {line}")


def _print_stream(stream: SeenStream) -> None:
    pieces = "1 piece" if len(stream.chunks) == 1 else f"{len(stream.chunks)} pieces"
    say(f"{_clock(stream.time)}  to session {stream.session_id}, streamed in {pieces}", "bold")
    for line in stream.text.splitlines():
        say(f"          {line}")


def _print_stream_json(stream: SeenStream) -> None:
    say_json(
        {
            "SessionId": stream.session_id,
            "MsgKey": stream.msg_key,
            "Text": stream.text,
            "Chunks": stream.chunks,
            "Time": stream.time,
        }
    )


def _print_json(message: SeenMessage) -> None:
    say_json(as_json(message))


def _note(request: ReceivedRequest) -> None:
    """Tell of a request that showed nothing to a user, or whose reply was lost."""
    if request.code is None:
        complain(f"{_clock(request.time)}  {request.command}: answered with HTTP {request.status}", "yellow")
    elif request.code:
        row = lookup(request.code)
        meaning = f", {row.meaning}" if row else ""
        complain(f"{_clock(request.time)}  {request.command}: refused with {request.code}{meaning}", "yellow")
    elif request.duplicate:
        complain(f"{_clock(request.time)}  {request.command}: a repetition, not shown again", "yellow")
    if request.dropped:
        complain(f"{_clock(request.time)}  {request.command}: the reply was lost", "yellow")


def _clock(unix: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(unix))
