"""What an exchange with the fake Desk consists of: what arrived, what goes back, and the refusal in between."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from attrs import field, frozen

from deskim.errors import lookup

JSON_TYPE = {"content-type": "application/json; charset=utf-8"}


class Refused(Exception):  # noqa: N818 - an answer on its way out, not a failure of the fake
    """Carry the ErrorCode and the ErrorInfo that Desk answers with."""

    def __init__(self, code: int, info: str = "") -> None:
        self.code = code
        self.info = info or meaning(code)
        super().__init__(f"{code}: {self.info}")


@frozen
class Arrival:
    """Hold one request as it arrived; its query string is a secret, so no repr shows it."""

    method: str
    path: str
    query: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def command(self) -> str:
        """Return the last part of the path, e.g. ``send_msg``."""
        return self.path.rpartition("/")[2]


@frozen
class Answer:
    """Hold what goes back: ``delay`` seconds later, or never when the connection is ``cut``."""

    body: bytes
    code: int | None = None
    status: int = 200
    headers: Mapping[str, str] = JSON_TYPE
    delay: float = 0.0
    cut: bool = False
    duplicate: bool = False


@frozen
class Accepted:
    """Hold what a command adds to the envelope of its reply, and whether it had been accepted before."""

    fields: Mapping[str, Any] = field(factory=dict[str, Any])
    duplicate: bool = False


def accept(accepted: Accepted) -> Answer:
    """Return the reply of a success (1229/68821)."""
    envelope = {"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, **accepted.fields}
    return Answer(compact(envelope), code=0, duplicate=accepted.duplicate)


def refuse(code: int, info: str | None = None) -> Answer:
    """Return the reply of a failure: HTTP 200 with the code in the body (1229/68821)."""
    envelope = {"ActionStatus": "FAIL", "ErrorInfo": meaning(code) if info is None else info, "ErrorCode": code}
    return Answer(compact(envelope), code=code)


def meaning(code: int) -> str:
    """Return what the tables say of a code; nothing for a code that they lack."""
    row = lookup(code)
    return row.meaning if row else ""


def compact(value: object) -> bytes:
    """Return JSON as short as it gets: UTF-8, no escapes, no spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def parse(body: bytes) -> dict[str, Any]:
    """Return the object that a request's body is; an empty body is none (1047/34620)."""
    try:
        value: object = json.loads(body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused(90001, "the request body is not valid JSON") from None
    if not isinstance(value, dict):
        raise Refused(90010, "the request body must be a JSON object")
    return cast("dict[str, Any]", value)


def _no_constant(name: str) -> object:
    msg = f"{name} is not JSON"
    raise ValueError(msg)
