"""`deskim call`: any call of Tencent's REST interface, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from deskim.cli._input import json_argument
from deskim.cli._screen import UsageError, complain, say_json
from deskim.cli._settings import Connection, Settings
from deskim.commands import DESK, RawCommand
from deskim.errors import BadRequestError, SessionNotFoundError


async def call(
    path: str,
    body: str | None = None,
    /,
    *,
    service: str | None = None,
    repeatable: bool = False,
    settings: Connection = None,
) -> None:
    """Make any other call, and print Desk's reply as JSON.

    :param path: The command, such as get_session_state, or its path, such as v4/openim/querystate.
    :param body: The body as JSON, an empty object where it is left out; `@FILE` or `-` reads it.
    :param service: The service in the path, such as openim for a call of Chat; Desk's own by default.
    :param repeatable: Whether a lost reply may be answered by making the call again.
    """
    value = json_argument("{}" if body is None else body)
    if not isinstance(value, Mapping):
        raise UsageError('the body must be a JSON object, such as {"SessionId": "..."}')
    service, path = _parts(service, path)
    command = RawCommand(service, path, cast("Mapping[str, Any]", value), repeatable=repeatable)
    async with (settings or Settings()).client() as desk:
        try:
            reply = await desk.call(command)
        except (BadRequestError, SessionNotFoundError):
            if body is None:
                complain("BODY was left out, and so an empty one was sent")
            raise
    say_json(reply.raw)


def _parts(service: str | None, path: str) -> tuple[str, str]:
    """Return the service and the command of a call; raises ``UsageError`` where two services are named."""
    *before, command = path.strip("/").removeprefix("v4/").split("/")
    if len(before) > 1:
        raise UsageError(f"{path!r} is no path of a call: write v4/SERVICE/COMMAND, or the command alone")
    if before and service not in (None, before[0]):
        raise UsageError(f"{path!r} names another service than --service {service}: leave one of them out")
    return (before[0] if before else service or DESK), command
