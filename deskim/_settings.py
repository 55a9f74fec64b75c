"""The client's settings: checked at once, and turned into what does the work."""

from __future__ import annotations

import inspect
import os
import ssl
from collections.abc import Mapping
from typing import Any, Final, cast

from deskim._calls import World
from deskim._checks import checked_seconds as checked_seconds  # noqa: PLC0414 - one of the client's settings
from deskim._lanes import BorrowedLane, HTTPClient, Lane, OwnLane
from deskim._pacing import LocalPacer
from deskim._protocol import Identity
from deskim._rate import Pacer, RateLimit
from deskim._retry import RetryPolicy
from deskim._transport import DeskTransport
from deskim._usersig import ReadyUserSig, Secret, UserSigProvider, UserSigSigner, check_key
from deskim.errors import ConfigurationError
from deskim.hooks import Hooks

_ENVIRONMENT: Final = {
    "DESKIM_SDK_APP_ID": "sdk_app_id",
    "DESKIM_SECRET_KEY": "secret_key",
    "DESKIM_USERSIG": "usersig",
    "DESKIM_IDENTIFIER": "identifier",
    "DESKIM_REGION": "region",
    "DESKIM_BASE_URL": "base_url",
    "DESKIM_CUSTOMER_SERVICE_ACCOUNT": "customer_service_account",
}
_CREDENTIALS: Final = frozenset({"secret_key", "usersig"})
_EVENTS: Final = ("on_request", "on_retry", "on_result")
_MAX_DIGITS: Final = 20


def checked_account(value: object) -> str | None:
    """Return the customer service account, where there is one."""
    if value is not None and (not isinstance(value, str) or not value):
        raise ConfigurationError(
            f"customer_service_account must be a name such as '@customer_service_account', not {value!r}"
        )
    return value


def checked_retry(value: object) -> RetryPolicy | None:
    """Return the retry policy, where there is one."""
    if value is not None and not isinstance(value, RetryPolicy):
        raise ConfigurationError(f"retry must be RetryPolicy(...), or None to try once, not {value!r}")
    return value


def provider(identity: Identity, credentials: Secret, world: World) -> UserSigProvider:
    """Return what gives UserSigs; ``credentials`` hold the secret key and what was given as ``usersig``."""
    key, usersig = (Secret(value) for value in credentials.reveal())
    if (key.reveal() is None) == (usersig.reveal() is None):
        raise ConfigurationError("give exactly one of secret_key (to sign with) and usersig (signed elsewhere)")
    if key.reveal() is not None:
        check_key(key)
        return UserSigSigner(identity.sdk_app_id, key.reveal(), identity.identifier, clock=world.wall)
    if isinstance(usersig.reveal(), str):
        return ReadyUserSig(usersig)
    if isinstance(usersig.reveal(), type) or not callable(usersig.reveal()):
        raise ConfigurationError("usersig must be text, a UserSigSigner, or an async function that returns text")
    return cast("UserSigProvider", usersig.reveal())


def lane(
    client: HTTPClient | None, *, in_url: bool, proxy: Secret, verify: ssl.SSLContext | bool, max_connections: int
) -> Lane:
    """Return the way to the network: over the caller's client, or over a transport of our own."""
    if client is None:
        return _own_lane(proxy, verify=verify, max_connections=max_connections)
    _check_client(client)
    if proxy.reveal() is not None or verify is not True:
        raise ConfigurationError("proxy and verify have no effect on an http_client of your own: set them there")
    return BorrowedLane(client, in_url=in_url)


def signature_in_url(value: object, http_client: object) -> bool:
    """Tell where the signature goes: ``"url"``, or the request target that is set apart from it."""
    if value not in ("target", "url"):
        raise ConfigurationError(f"signature_in must be 'target' or 'url', not {value!r}")
    if value == "url" and http_client is None:
        raise ConfigurationError('signature_in="url" is for an http_client of your own; our transport never needs it')
    return value == "url"


def _own_lane(proxy: Secret, *, verify: ssl.SSLContext | bool, max_connections: int) -> Lane:
    if isinstance(max_connections, bool):  # which Python counts among the whole numbers
        raise ConfigurationError(f"max_connections is a whole number from 1 up, not {max_connections!r}")
    try:
        return OwnLane(DeskTransport(verify=verify, proxy=proxy.reveal(), max_connections=max_connections))
    except (ValueError, TypeError) as exc:
        reason = str(exc)
    raise ConfigurationError(reason)


def _check_client(client: object) -> None:
    cls = client if isinstance(client, type) else type(client)
    wanted = "http_client must be an httpx.AsyncClient, or httpx2's"
    if cls.__name__ == "Client" and cls.__module__.partition(".")[0] in ("httpx", "httpx2"):
        raise ConfigurationError(f"{wanted}; this is the synchronous {cls.__module__}.Client")
    if client is cls:
        raise ConfigurationError(f"{wanted}; this is the class {cls.__name__}, make an object of it")
    if not all(hasattr(client, name) for name in ("build_request", "send", "is_closed")):
        raise ConfigurationError(f"{wanted}, not {cls.__module__}.{cls.__name__}")


def pacer(rate_limit: object, world: World) -> Pacer | None:
    """Return what paces the calls, where anything does."""
    if rate_limit is None:
        return None
    if isinstance(rate_limit, RateLimit):
        return LocalPacer(rate_limit, world.clock)
    if isinstance(rate_limit, Pacer) and not isinstance(rate_limit, type):
        return rate_limit
    raise ConfigurationError(
        f"rate_limit must be a RateLimit such as RateLimit(190), a Pacer, or None for no pacing, not {rate_limit!r}"
    )


def checked_hooks(hooks: object) -> tuple[Hooks, ...]:
    """Return the hooks; they are plain functions, for nobody would await them."""
    given = cast("tuple[object, ...]", (*hooks,) if isinstance(hooks, list | tuple) else (None,))
    for hook in given:
        if not isinstance(hook, Hooks):
            raise ConfigurationError("hooks must be a list of objects of deskim.Hooks, or of subclasses of it")
        for name in _EVENTS:
            if inspect.iscoroutinefunction(getattr(hook, name)):
                raise ConfigurationError(f"{type(hook).__name__}.{name} must be a plain method, without async")
    return cast("tuple[Hooks, ...]", given)


def from_environment(overrides: Secret) -> dict[str, Any]:
    """Return the settings that the environment names, but for those that ``overrides`` give."""
    given: Mapping[str, Any] = overrides.reveal()
    ours = any(given.get(name) is not None for name in _CREDENTIALS)
    settings: dict[str, Any] = {
        name: os.environ[variable]
        for variable, name in _ENVIRONMENT.items()
        if os.environ.get(variable) and not (ours and name in _CREDENTIALS)
    }
    settings.update(given)
    problem = "; ".join(filter(None, (_app_id_problem(settings.get("sdk_app_id")), _credentials_problem(settings))))
    if problem:
        del given, settings  # a traceback that shows locals must not show the secrets among them
        raise ConfigurationError(problem)
    settings["sdk_app_id"] = _number(settings["sdk_app_id"])
    return settings


def _app_id_problem(app_id: object) -> str | None:
    if app_id is None:
        return "DESKIM_SDK_APP_ID is not set: it is the application's SDKAppID, a number"
    if isinstance(_number(app_id), str):
        return f"DESKIM_SDK_APP_ID must be the application's SDKAppID, a number; it is {app_id!r}"
    return None


def _credentials_problem(settings: Mapping[str, Any]) -> str | None:
    given = sum(settings.get(name) is not None for name in _CREDENTIALS)
    if not given:
        return "set DESKIM_SECRET_KEY (to sign with) or DESKIM_USERSIG (signed elsewhere)"
    return None if given == 1 else "set only one of DESKIM_SECRET_KEY and DESKIM_USERSIG"


def _number(app_id: Any) -> Any:
    """Return an SDKAppID as a number, where it is the text of one."""
    return int(app_id) if isinstance(app_id, str) and app_id.isdecimal() and len(app_id) <= _MAX_DIGITS else app_id
