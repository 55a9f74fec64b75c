"""Check a UserSig as Tencent's reference code makes it (github.com/Tencent-RTC/tls-sig-api-v2-python).

Written apart from the signer of the client, so that the two cannot be wrong together.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Mapping
from typing import Any, cast

from attrs import field, frozen

from ._reply import Refused

_MAX_CLAIMS = 64 * 1024
_CLAIMS = {"TLS.identifier": str, "TLS.sdkappid": int, "TLS.time": int, "TLS.expire": int, "TLS.sig": str}


@frozen
class Identity:
    """Hold the application that the fake Desk serves: its id, its key and its administrator's account."""

    sdk_app_id: int
    secret_key: str = field(repr=False)
    identifier: str


def check_usersig(usersig: str, account: str, served: Identity, now: float) -> None:
    """Refuse a UserSig that is not ``account``'s own, of this application, and valid ``now`` (679/131708)."""
    claims = _decode(usersig)
    if claims["TLS.sdkappid"] != served.sdk_app_id:
        raise Refused(70014, "the SDKAppID in the URL differs from the UserSig's")
    if claims["TLS.identifier"] != account:
        raise Refused(70013, "the identifier in the URL differs from the UserSig's")
    if not hmac.compare_digest(_sign(claims, served.secret_key), claims["TLS.sig"].encode("utf-8", "replace")):
        raise Refused(70009, "the UserSig was not made with this application's key")
    if claims["TLS.time"] + claims["TLS.expire"] <= now:
        raise Refused(70001, "the UserSig has expired")


def _decode(usersig: str) -> Mapping[str, Any]:
    try:
        claims: object = json.loads(_inflate(base64.b64decode(usersig.translate(_TO_BASE64), validate=True)))
    except (ValueError, zlib.error, RecursionError):
        claims = None
    known = cast("dict[str, Any]", claims if isinstance(claims, dict) else {})
    if not all(type(known.get(name)) is kind for name, kind in _CLAIMS.items()):
        raise Refused(70003, "the UserSig cannot be decoded; it may be cut short")
    return known


_TO_BASE64 = str.maketrans("*-_", "+/=")


def _inflate(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    claims = unpacker.decompress(packed, _MAX_CLAIMS)
    if not unpacker.eof:
        msg = "cut short, or far too long"
        raise ValueError(msg)
    return claims


def _sign(claims: Mapping[str, Any], key: str) -> bytes:
    names = ["TLS.identifier", "TLS.sdkappid", "TLS.time", "TLS.expire"]
    if "TLS.userbuf" in claims:
        names.append("TLS.userbuf")
    text = "".join(f"{name}:{claims[name]}\n" for name in names)
    return base64.b64encode(hmac.new(key.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest())
