r"""Strict JSON: the same bytes with orjson and without, and nothing that JSON cannot say.

UTF-8 is not escaped: ``\u``-escaped Chinese is up to three times the size, against a limit of 12 KB (1229/68821).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn, cast

from deskim._checks import plain
from deskim.errors import MessageError


def _find_orjson() -> Any:
    """Return the module that the extra ``fast`` brings, or ``None``."""
    try:
        import orjson
    except ImportError:
        return None
    return orjson


_orjson = _find_orjson()
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_DIGITS_AS_ZEROS = bytes(0x30 if chr(n) in "0123456789" else 0x20 for n in range(256))
_LONG_NUMBER = b"0" * 19  # orjson reads integers beyond 64 bits as floats
_stdlib_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode


def _stdlib_dumps(value: object) -> bytes:
    return _stdlib_encode(value).encode()


_fast_dumps: Callable[[object], bytes] = _orjson.dumps if _orjson else _stdlib_dumps

dumps_text: Callable[[object], bytes] = _fast_dumps
"""Return the JSON of a text, or of a dict of texts; raises one of ``NO_CHARACTER`` for lone surrogates."""
NO_CHARACTER: Final = (UnicodeEncodeError, TypeError)


def encode_plain(value: object, *, portable: bool) -> bytes:
    """Return compact UTF-8 JSON of a value that is plain already; raises one of ``NO_CHARACTER``.

    ``portable`` says that the value holds nothing that orjson and json write differently.
    """
    return _fast_dumps(value) if portable else _stdlib_dumps(value)


def dumps_plain(value: object, *, portable: bool = True) -> bytes:
    """Return what :func:`encode_plain` returns; raises ``MessageError`` that says where a lone surrogate is."""
    try:
        return encode_plain(value, portable=portable)
    except NO_CHARACTER:
        path = (surrogate_path(value) or "a value").encode(errors="backslashreplace").decode()
    raise MessageError(
        f"{path} holds half of a surrogate pair, which is no character: remove it or join it with its pair"
    )


def dumps(value: object) -> bytes:
    """Return compact UTF-8 JSON of any value; raises ``MessageError`` for what JSON cannot say."""
    copy = plain(value)
    return dumps_plain(copy, portable=is_portable(copy))


def is_portable(value: object) -> bool:
    """Tell whether orjson and json write a plain value alike.

    They differ on floats in exponent notation (1e-7, 1e-07) and on integers beyond 64 bits.
    """
    if isinstance(value, dict):
        return all(map(is_portable, cast("dict[str, object]", value).values()))
    if isinstance(value, list):
        return all(map(is_portable, cast("list[object]", value)))
    if isinstance(value, float):
        return "e" not in repr(value)
    return not isinstance(value, int) or _INT64_MIN <= value <= _INT64_MAX


def surrogate_path(value: object, path: str = "") -> str | None:
    """Return where a plain value holds a lone surrogate, or ``None``."""
    if isinstance(value, str):
        return (path or "the value") if any("\ud800" <= c <= "\udfff" for c in value) else None
    items: Iterable[tuple[str, object]] = ()
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        items = [(f"{path}.{k}" if path else k, each) for k, v in pairs for each in (k, v)]
    elif isinstance(value, list):
        items = [(f"{path}[{i}]", v) for i, v in enumerate(cast("list[object]", value))]
    return next((found for where, item in items if (found := surrogate_path(item, where))), None)


def loads(data: bytes | str) -> Any:
    """Return the value of a JSON text in UTF-8; raises ``ValueError`` for anything else, NaN among it."""
    text = data if isinstance(data, str) else data.decode().removeprefix("\ufeff")
    try:
        return _stdlib_decode(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _finite(digits: str) -> float:
    return number if math.isfinite(number := float(digits)) else _no_constant(digits)


_stdlib_decode = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite).decode


def loads_reply(data: bytes) -> Any:
    """Return the value of a reply: like :func:`loads`, and faster where orjson is installed."""
    if _orjson and _LONG_NUMBER not in data.translate(_DIGITS_AS_ZEROS):
        try:
            return _orjson.loads(data)
        except ValueError:  # what it refuses beyond JSON (lone surrogates, depth), the standard library decides
            pass
    return loads(data)
