"""`deskim call`: any call of Tencent's REST interface, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from deskim.cli._input import json_argument
from deskim.cli._screen import UsageError, say_json
from deskim.cli._settings import Connection, Settings
from deskim.commands import DESK, RawCommand


async def call(
    path: str,
    body: str = "{}",
    /,
    *,
    service: str = DESK,
    repeatable: bool = False,
    settings: Connection = None,
) -> None:
    """Make any other call, and print Desk's reply as JSON.

    :param path: The command, such as get_session_state.
    :param body: The body as JSON; `@FILE` or `-` reads it.
    :param service: The service in the path, such as openim for a call of Chat.
    :param repeatable: Whether a lost reply may be answered by making the call again.
    """
    value = json_argument(body)
    if not isinstance(value, Mapping):
        raise UsageError('the body must be a JSON object, such as {"SessionId": "..."}')
    command = RawCommand(service, path, cast("Mapping[str, Any]", value), repeatable=repeatable)
    async with (settings or Settings()).client() as desk:
        reply = await desk.call(command)
    say_json(reply.raw)
