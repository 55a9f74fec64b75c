"""UserSig: the signature that every call to Desk carries (TLSSigAPIv2, github.com/Tencent-RTC/tls-sig-api-v2-python)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, Protocol, runtime_checkable

from attrs import field, frozen

from deskim.errors import ConfigurationError

DEFAULT_EXPIRE = 180 * 86400
"""The lifetime of a UserSig in seconds, as Tencent's own code has it."""
RENEW_AT = 0.8
"""The share of its lifetime after which a UserSig is renewed."""

_TO_URL = str.maketrans("+/=", "*-_")
_FROM_URL = str.maketrans("*-_", "+/=")
_MAX_JSON = 64 * 1024


class Secret:
    """Hold a credential so that no repr, traceback or pickle shows it."""

    __slots__ = ("__value",)

    def __init__(self, value: Any) -> None:
        self.__value = value

    def reveal(self) -> Any:
        """Return the credential itself."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __reduce__(self) -> NoReturn:
        msg = "a secret does not pickle: hand the settings to the other process and make the client there"
        raise TypeError(msg)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self.__value == other.reveal())

    def __hash__(self) -> int:
        return hash(self.__value)


@runtime_checkable
class UserSigProvider(Protocol):
    """Give the UserSig to sign calls with: any ``async`` function that takes nothing and returns the text.

    The client keeps what it got until 80 % of its lifetime, and asks again early when Desk says that it expired.
    """

    def __call__(self) -> Awaitable[str]:
        """Return a UserSig of the client's identifier."""
        ...


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
    return _sign(sdk_app_id, key, identifier, expire, int(time.time() if now is None else now), userbuf)


def check_identity(sdk_app_id: object, identifier: object) -> None:
    """Check the two names that a UserSig is bound to; raises ``ConfigurationError``."""
    if isinstance(sdk_app_id, bool) or not isinstance(sdk_app_id, int) or sdk_app_id <= 0:
        raise ConfigurationError(f"sdk_app_id must be the SDKAppID, a positive whole number, not {sdk_app_id!r}")
    if not isinstance(identifier, str) or not identifier or "\n" in identifier:
        raise ConfigurationError("identifier must be the name of an App administrator account, a text of one line")


def check_key(key: Secret) -> None:
    """Check that a secret key is text; raises ``ConfigurationError``."""
    if not isinstance(key.reveal(), str) or not key.reveal():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError("secret_key must be the SDKAppID's key as the console shows it, a text")


def _sign(sdk_app_id: int, key: Secret, identifier: str, expire: int, now: int, userbuf: bytes | None) -> str:
    claims: dict[str, Any] = {
        "TLS.ver": "2.0",
        "TLS.identifier": identifier,
        "TLS.sdkappid": sdk_app_id,
        "TLS.expire": expire,
        "TLS.time": now,
    }
    if userbuf is not None:
        claims["TLS.userbuf"] = base64.b64encode(userbuf).decode()
    claims["TLS.sig"] = _hmac(claims, key)
    packed = zlib.compress(json.dumps(claims).encode())
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
        claims: dict[str, Any] = {
            "TLS.identifier": self.identifier,
            "TLS.sdkappid": self.sdk_app_id,
            "TLS.time": self.time,
            "TLS.expire": self.expire,
        }
        if self.userbuf is not None:
            claims["TLS.userbuf"] = base64.b64encode(self.userbuf).decode()
        return hmac.compare_digest(_hmac(claims, Secret(secret_key)).encode(), self.sig.encode())


def decode_usersig(usersig: str) -> UserSigClaims:
    """Decode a UserSig without checking its signature; raises ``ValueError`` for anything that is none."""
    held = Secret(usersig)
    del usersig  # a traceback that shows locals must not show this one
    try:
        return _claims(_unpack(held))
    except (ValueError, TypeError, KeyError, AttributeError, zlib.error, binascii.Error, RecursionError):
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
        identifier=str(wire["TLS.identifier"]),
        sdk_app_id=int(wire["TLS.sdkappid"]),
        time=int(wire["TLS.time"]),
        expire=int(wire["TLS.expire"]),
        userbuf=None if userbuf is None else base64.b64decode(userbuf),
        sig=str(wire["TLS.sig"]),
    )


class UserSigSigner:
    """Sign UserSigs with the secret key, and sign anew at 80 % of their lifetime.

    Give it as ``usersig=`` where the lifetime matters; ``secret_key=`` does the same with 180 days. ``expire`` is in
    seconds. Raises ``ConfigurationError`` for settings that cannot be signed. Source: TLSSigAPIv2.
    """

    def __init__(
        self,
        sdk_app_id: int,
        secret_key: str,
        identifier: str = "administrator",
        *,
        expire: int = DEFAULT_EXPIRE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = Secret(secret_key)
        del secret_key  # a traceback that shows locals must not show this one
        check_identity(sdk_app_id, identifier)
        check_key(self._key)
        if expire <= 0:
            raise ConfigurationError(f"expire must be a lifetime in seconds, not {expire!r}")
        self.sdk_app_id = sdk_app_id
        self.identifier = identifier
        self._expire = expire
        self._clock = clock
        self._current: Secret | None = None
        self._renew_at = 0.0

    def __repr__(self) -> str:
        return f"UserSigSigner({self.sdk_app_id}, '***', {self.identifier!r}, expire={self._expire})"

    async def __call__(self) -> str:
        """Return a UserSig that is valid for at least a fifth of its lifetime."""
        return self.current()

    def current(self) -> str:
        """Return a UserSig that is valid for at least a fifth of its lifetime; no waiting, so one signing serves all."""
        now = self._clock()
        if self._current is None or now >= self._renew_at:
            self._current = Secret(_sign(self.sdk_app_id, self._key, self.identifier, self._expire, int(now), None))
            self._renew_at = int(now) + RENEW_AT * self._expire
        return self._current.reveal()

    def invalidate(self) -> None:
        """Forget the current UserSig, so that the next call signs anew."""
        self._current = None


class ReadyUserSig:
    """Provide a UserSig that was signed elsewhere; when it has run out, Desk says so."""

    def __init__(self, usersig: Secret) -> None:
        if not usersig.reveal():
            raise ConfigurationError("usersig is empty")
        self._usersig = usersig

    async def __call__(self) -> str:
        """Return it."""
        text: str = self._usersig.reveal()
        return text


class UserSigCache:
    """Keep what a provider gave until 80 % of its lifetime, and ask it once for all who wait."""

    def __init__(self, provider: UserSigProvider, clock: Callable[[], float]) -> None:
        self._provider = provider
        self._clock = clock
        self._current: Secret | None = None
        self._renew_at = 0.0
        self._lock = asyncio.Lock()

    @property
    def renewable(self) -> bool:
        """Tell whether asking again can give another UserSig."""
        return not isinstance(self._provider, ReadyUserSig)

    def fresh(self) -> Secret | None:
        """Return the UserSig at hand, or ``None`` when :meth:`get` must ask for one."""
        return self._current if self._clock() < self._renew_at else None

    async def get(self, *, instead_of: Secret | None = None) -> Secret:
        """Return a valid UserSig; ``instead_of`` names one that Desk no longer takes."""
        async with self._lock:
            self._drop(instead_of)
            if (current := self.fresh()) is not None:
                return current
            self._current = Secret(_checked(await self._provider()))
            self._renew_at = _renewal(self._current)
            return self._current

    def _drop(self, stale: Secret | None) -> None:
        if stale is not None and stale is self._current:
            self._current, self._renew_at = None, 0.0
            if isinstance(self._provider, UserSigSigner):
                self._provider.invalidate()


def _checked(usersig: object) -> str:
    if not isinstance(usersig, str) or not usersig:
        raise ConfigurationError(f"the usersig provider must return a text, not {type(usersig).__name__}")
    return usersig


def _renewal(usersig: Secret) -> float:
    try:
        claims = decode_usersig(usersig.reveal())
    except ValueError:
        return float("inf")  # Desk is the judge of what we cannot read
    return claims.time + RENEW_AT * claims.expire
