"""Signing and reading a UserSig: TLSSigAPIv2, github.com/Tencent-RTC/tls-sig-api-v2-python."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
import zlib
from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import field, frozen

from deskim._checks import shown
from deskim._usersig._secret import Secret, is_text
from deskim.errors import ConfigurationError

DEFAULT_EXPIRE = 180 * 86400
"""The lifetime of a UserSig in seconds, as Tencent's own code has it."""

Clock: TypeAlias = Callable[[], float]
WALL: Clock = time.time  # noqa: TID251 - the clock of those who sign without a client

_TO_URL = str.maketrans("+/=", "*-_")
_FROM_URL = str.maketrans("*-_", "+/=")
_NO_NAME = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # lines are signed: a line break would forge one
_MAX_JSON = 64 * 1024
_MAX_SECONDS = 2**53


def sign_usersig(
    sdk_app_id: int,
    secret_key: str,
    identifier: str,
    *,
    expire: int = DEFAULT_EXPIRE,
    now: float | None = None,
    userbuf: bytes | None = None,
) -> str:
    """Sign a UserSig for an account.

    ``expire`` is its lifetime in seconds, ``now`` the Unix time of signing (the clock's by default), ``userbuf`` rarely
    used rights data. Raises ``ConfigurationError`` for settings that cannot be signed. Source: TLSSigAPIv2.
    """
    key = Secret(secret_key)
    del secret_key  # a traceback that shows locals must not show this one
    check_identity(sdk_app_id, identifier)
    check_key(key)
    check_seconds("expire", expire, 1)
    signed_at = WALL() if now is None else now
    check_seconds("now", signed_at, 0)
    if userbuf is not None and not isinstance(userbuf, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"userbuf must be bytes, not {type(userbuf).__name__}")
    return sign(claims_of(sdk_app_id, identifier, int(signed_at), int(expire), userbuf), key)


def check_identity(sdk_app_id: object, identifier: object) -> None:
    """Check the two names that a UserSig is bound to; raises ``ConfigurationError``."""
    if isinstance(sdk_app_id, bool) or not isinstance(sdk_app_id, int) or not 0 < sdk_app_id < _MAX_SECONDS:
        raise ConfigurationError(f"sdk_app_id must be the SDKAppID, a positive whole number, not {shown(sdk_app_id)}")
    if not isinstance(identifier, str) or not identifier or _NO_NAME.search(identifier):
        raise ConfigurationError("identifier must be the name of an App administrator account, a text of one line")


def check_key(key: Secret) -> None:
    """Check that a secret key is text; raises ``ConfigurationError``."""
    if not isinstance(key.reveal(), str) or not key.reveal():
        raise ConfigurationError("secret_key must be the SDKAppID's key as the console shows it, a text")
    if not is_text(key) or key.reveal() != key.reveal().strip():
        raise ConfigurationError("secret_key has white space around it, or what is no text: copy it from the console")


def check_seconds(name: str, value: object, least: int) -> None:
    """Check a time in seconds; raises ``ConfigurationError``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < _MAX_SECONDS:
        raise ConfigurationError(f"{name} must be a number of seconds from {least}, not {shown(value)}")


def claims_of(sdk_app_id: int, identifier: str, signed_at: int, expire: int, userbuf: bytes | None) -> dict[str, Any]:
    """Return what a UserSig says, in the order of Tencent's own code."""
    claims: dict[str, Any] = {
        "TLS.ver": "2.0",
        "TLS.identifier": identifier,
        "TLS.sdkappid": sdk_app_id,
        "TLS.expire": expire,
        "TLS.time": signed_at,
    }
    return claims if userbuf is None else {**claims, "TLS.userbuf": base64.b64encode(userbuf).decode()}


def sign(claims: dict[str, Any], key: Secret) -> str:
    """Return the UserSig that says this; its characters need no quoting in a URL."""
    packed = zlib.compress(json.dumps({**claims, "TLS.sig": _hmac(claims, key)}).encode())
    return base64.b64encode(packed).decode().translate(_TO_URL)


def _hmac(claims: dict[str, Any], key: Secret) -> str:
    names = ("identifier", "sdkappid", "time", "expire", "userbuf")
    lines = [f"TLS.{name}:{claims[f'TLS.{name}']}\n" for name in names if f"TLS.{name}" in claims]
    # the key is text as it stands, not hex to be decoded
    digest = hmac.new(key.reveal().encode(), "".join(lines).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@frozen(kw_only=True)
class UserSigClaims:
    """Show what a UserSig says: whose it is, and from when it is valid for how long (Unix time and seconds)."""

    identifier: str
    sdk_app_id: int
    time: int
    expire: int
    userbuf: bytes | None = None
    sig: str = field(repr=False)

    @property
    def expires_at(self) -> int:
        """Return the Unix time at which it runs out."""
        return self.time + self.expire

    def verify(self, secret_key: str) -> bool:
        """Tell whether it was signed with this key; its expiry is another matter."""
        key = Secret(secret_key)
        del secret_key  # a traceback that shows locals must not show this one
        check_key(key)
        claims = claims_of(self.sdk_app_id, self.identifier, self.time, self.expire, self.userbuf)
        return hmac.compare_digest(_hmac(claims, key).encode(), self.sig.encode())


def decode_usersig(usersig: str) -> UserSigClaims:
    """Decode a UserSig without checking its signature; raises ``ValueError`` for anything that is none."""
    held = Secret(usersig)
    del usersig  # a traceback that shows locals must not show this one
    try:
        return _claims(_unpack(held))
    except (ValueError, TypeError, KeyError, AttributeError, zlib.error, RecursionError):
        pass
    msg = "this is no UserSig: it does not decode"
    raise ValueError(msg)


def _unpack(usersig: Secret) -> Any:
    inflater = zlib.decompressobj()
    text = inflater.decompress(base64.b64decode(usersig.reveal().translate(_FROM_URL), validate=True), _MAX_JSON)
    return json.loads(text)


def _claims(wire: Any) -> UserSigClaims:
    userbuf = wire.get("TLS.userbuf")
    return UserSigClaims(
        identifier=_text(wire["TLS.identifier"]),
        sdk_app_id=_number(wire["TLS.sdkappid"]),
        time=_number(wire["TLS.time"]),
        expire=_number(wire["TLS.expire"]),
        userbuf=None if userbuf is None else base64.b64decode(userbuf),
        sig=_text(wire["TLS.sig"]),
    )


def _text(value: Any) -> str:
    text = str(value)
    text.encode()  # half of a surrogate pair is no text
    return text


def _number(value: Any) -> int:
    """Return a whole number; some of Tencent's own code writes the SDKAppID as text."""
    number = int(value) if isinstance(value, str | int) else -1
    if not 0 <= number < _MAX_SECONDS:
        raise ValueError
    return number
