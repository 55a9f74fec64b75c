"""From a request to the callback that it is."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from deskim._codec import load_value, loads
from deskim._usersig import Secret
from deskim.callbacks._events import AnyCallback, AssignHuman, InterfaceInvocation, SessionEvent, UnknownCallback
from deskim.callbacks._fault import CallbackError, Fault

MAX_BODY: Final = 1024 * 1024
"""The most that the body of a callback may have, in bytes; Tencent's messages are far smaller (269/129279: 128 KB)."""

_ASSIGN: Final = ("chatbot.onassignhuman", "chatbot.onassignagent")  # the older name stands on 1047/63270
_MAX_DIGITS: Final = 20


def parse(
    raw_body: bytes,
    query: Mapping[str, str],
    *,
    sdk_app_id: int,
    token: str | None = None,
    window: float = 300.0,
    clock: Callable[[], float] = time.time,  # noqa: TID251 - a verification that is given no clock needs this one
) -> AnyCallback:
    """Return the callback that a request is.

    ``raw_body`` is the body as it came, ``query`` the parameters of the URL. With ``token`` the signature is verified
    as Chat's webhooks do it (1047/34354): ``Sign`` is the SHA-256 hex digest of the token and ``RequestTime``, which
    may be up to ``window`` seconds from what ``clock`` says. Desk's pages do not say that its callbacks are signed so,
    hence nothing is verified without a token.

    Raises ``CallbackError`` for whatever is no callback to this application, and ``TypeError`` for a body that is not
    bytes and a query that is no mapping.
    """
    secret = Secret(token)
    del token  # a traceback that shows locals must not show it
    if not isinstance(raw_body, bytes | bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"raw_body must be the body as it came, in bytes, not {type(raw_body).__name__}")
    if not hasattr(query, "get"):
        raise TypeError(f"query must be the parameters of the URL, a mapping, not {type(query).__name__}")
    if len(raw_body) > MAX_BODY:
        raise CallbackError(f"the body has more than {MAX_BODY:,} bytes", Fault.TOO_LARGE)
    _check_application(query, sdk_app_id)
    if secret.reveal() is not None:
        _check_signature(query, secret, window, clock())
    return _read(bytes(raw_body), query)


def _check_application(query: Mapping[str, str], sdk_app_id: int) -> None:
    if _parameter(query, "SdkAppid") != str(sdk_app_id):  # the URL spells it so (1229/68989)
        raise CallbackError("the SdkAppid of the URL is missing or another application's", Fault.FOREIGN)


def _check_signature(query: Mapping[str, str], token: Secret, window: float, now: float) -> None:
    requested = _parameter(query, "RequestTime")
    if not _is_genuine(_parameter(query, "Sign"), requested, token):
        raise CallbackError("the signature of the URL is missing or wrong", Fault.FORGED)
    digits = requested.isascii() and requested.isdecimal() and len(requested) <= _MAX_DIGITS
    if not digits or abs(now - int(requested)) > window:
        raise CallbackError("the RequestTime of the URL is too far from now", Fault.FORGED)


def _is_genuine(sign: str, requested: str, token: Secret) -> bool:
    expected = hashlib.sha256(f"{token.reveal()}{requested}".encode("utf-8", "surrogatepass")).hexdigest()
    return hmac.compare_digest(expected.encode(), sign.lower().encode("utf-8", "surrogatepass"))


def _parameter(query: Mapping[str, str], name: str) -> str:
    value: object = query.get(name)
    return value if isinstance(value, str) else ""


def _read(body: bytes, query: Mapping[str, str]) -> AnyCallback:
    wire = _object(body)
    kind = wire.setdefault("CallbackCommand", _parameter(query, "CallbackCommand"))
    wire["RequestId"] = _parameter(query, "RequestID") or wire.get("RequestId")
    cls = _class_of(kind.lower() if isinstance(kind, str) else "")
    try:
        return load_value(cls, wire)
    except (TypeError, KeyError, ValueError):
        pass  # raised outside, so that the error carries nothing of the body
    raise CallbackError("the body lacks what a callback of its kind cannot do without")


def _object(body: bytes) -> dict[str, Any]:
    try:
        wire = loads(body)
    except ValueError:
        wire = None
    if not isinstance(wire, dict):
        raise CallbackError("the body is no JSON object")
    return cast("dict[str, Any]", wire)


def _class_of(kind: str) -> type[AnyCallback]:
    if kind == "desk.sessioneventnotify":
        return SessionEvent
    if kind in _ASSIGN:
        return AssignHuman
    # Chatbot. here, ChatBot. there: the pages differ in the case of a letter (1229/68990, 1229/68988)
    return InterfaceInvocation if kind == "chatbot.interfaceinvocation" else UnknownCallback
