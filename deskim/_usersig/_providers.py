"""Where UserSigs come from, and keeping them until they have to be renewed."""

from __future__ import annotations

import asyncio
import inspect
import math
import re
from collections.abc import Awaitable
from typing import Protocol, runtime_checkable

from deskim._usersig._secret import Secret
from deskim._usersig._sign import (
    DEFAULT_EXPIRE,
    WALL,
    Clock,
    check_identity,
    check_key,
    check_seconds,
    claims_of,
    decode_usersig,
    sign,
)
from deskim.errors import ConfigurationError

RENEW_AT = 0.8
"""The share of its lifetime after which a UserSig is renewed."""

_ASK_AGAIN = 60.0
_NO_USERSIG = re.compile(r"[^!-~]")


@runtime_checkable
class UserSigProvider(Protocol):
    """Give the UserSig to sign calls with: any ``async`` function that takes nothing and returns the text.

    The client keeps what it got until 80 % of its lifetime, and asks again early when Desk says that it expired.
    """

    def __call__(self) -> Awaitable[str]:
        """Return a UserSig of the client's identifier."""
        ...


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
        clock: Clock = WALL,
    ) -> None:
        self._key = Secret(secret_key)
        del secret_key  # a traceback that shows locals must not show this one
        self.sdk_app_id = sdk_app_id
        self.identifier = identifier
        self._expire = expire
        check_identity(sdk_app_id, identifier)
        check_key(self._key)
        check_seconds("expire", expire, 1)
        self._clock = clock
        self._current: Secret | None = None
        self._renew_at = 0.0

    def __repr__(self) -> str:
        return f"UserSigSigner({self.sdk_app_id!r}, '***', {self.identifier!r}, expire={self._expire!r})"

    async def __call__(self) -> str:
        """Return a UserSig that is valid for at least a fifth of its lifetime."""
        return self.current()

    def current(self) -> str:
        """Return a UserSig that is valid for at least a fifth of its lifetime; without waiting: one serves all."""
        now = self._clock()
        if self._current is None or now >= self._renew_at:
            claims = claims_of(self.sdk_app_id, self.identifier, int(now), int(self._expire), None)
            self._current = Secret(sign(claims, self._key))
            self._renew_at = int(now) + RENEW_AT * int(self._expire)
        usersig: str = self._current.reveal()
        return usersig

    def invalidate(self) -> None:
        """Forget the current UserSig, so that the next call signs anew."""
        self._current = None


class ReadyUserSig:
    """Provide a UserSig that was signed elsewhere; when it has run out, Desk says so."""

    def __init__(self, usersig: Secret) -> None:
        self._usersig = _checked(usersig, "usersig")

    async def __call__(self) -> str:
        """Return it."""
        text: str = self._usersig.reveal()
        return text


class UserSigCache:
    """Keep what a provider gave until 80 % of its lifetime, and ask it once for all who wait."""

    def __init__(self, provider: UserSigProvider, clock: Clock) -> None:
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
        """Return a valid UserSig; ``instead_of`` names one that Desk no longer takes.

        Raises ``ConfigurationError`` where the provider gives none, and what the provider raises.
        """
        async with self._lock:
            self._drop(instead_of)
            if (current := self.fresh()) is not None:
                return current
            self._current = await self._asked()
            self._renew_at = self._renewal(self._current)
            return self._current

    async def _asked(self) -> Secret:
        coming = Secret(self._provider())
        if not inspect.isawaitable(coming.reveal()):
            raise ConfigurationError("the usersig provider must be an async function: what it returns is not awaitable")
        return _checked(Secret(await coming.reveal()), "what the usersig provider returns")

    def _drop(self, stale: Secret | None) -> None:
        if stale is not None and stale is self._current:
            self._current, self._renew_at = None, 0.0
            if isinstance(self._provider, UserSigSigner):
                self._provider.invalidate()

    def _renewal(self, usersig: Secret) -> float:
        try:
            claims = decode_usersig(usersig.reveal())
        except ValueError:
            return math.inf  # Desk is the judge of what we cannot read
        if not self.renewable:
            return math.inf
        # a provider may have its own idea of when to renew: then it is asked once a minute, not at each call
        return max(claims.time + RENEW_AT * claims.expire, min(self._clock() + _ASK_AGAIN, claims.expires_at))


def _checked(usersig: Secret, name: str) -> Secret:
    if not isinstance(usersig.reveal(), str):
        raise ConfigurationError(f"{name} must be a text, not {type(usersig.reveal()).__name__}")
    if not usersig.reveal():
        raise ConfigurationError(f"{name} is empty")
    if _NO_USERSIG.search(usersig.reveal()):
        raise ConfigurationError(
            f"{name} holds white space or letters that no UserSig has: copy it whole, without them"
        )
    return usersig
