"""`deskim usersig`: sign a UserSig, or show what one says."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

from deskim._usersig import Secret, UserSigClaims, decode_usersig, sign_usersig
from deskim.cli._input import read_stdin
from deskim.cli._screen import UsageError, console, say, say_exactly, say_json
from deskim.cli._settings import Connection, Settings

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def usersig(
    *,
    decode: bool = False,
    expire: str = "180d",
    json: bool = False,
    settings: Connection = None,
) -> int:
    """Sign a UserSig with the secret key and print it; with `--decode` read one and show what it says.

    :param decode: Read a UserSig from standard input and show its claims.
    :param expire: How long it is valid, such as 12h, 30m, or a number of seconds; 180d by default.
    :param json: With `--decode`: print the claims as JSON.
    """
    chosen = settings or Settings()
    if decode:
        return _show(_decoded(), chosen.credentials().get("secret_key"), as_json=json)
    key = chosen.credentials().get("secret_key")
    if key is None:
        raise UsageError("there is no key to sign with: set DESKIM_SECRET_KEY, or name a file with --secret-key-file")
    who = chosen.identity()
    say_exactly(sign_usersig(who.sdk_app_id, key.reveal(), who.identifier, expire=seconds(expire)))
    return 0


def seconds(text: str) -> int:
    """Return a span such as 12h in seconds; raises ``UsageError``."""
    found = re.fullmatch(r"([1-9][0-9]{0,9})([smhd]?)", text)
    if found is None:
        raise UsageError(f"{text!r} is no lifetime: write 180d, 12h, 30m, or seconds")
    return int(found[1]) * _UNITS[found[2]]


def _decoded() -> UserSigClaims:
    if console().is_terminal:
        console(stderr=True).print("paste a UserSig, then Enter and Ctrl-D:")
    held = Secret(read_stdin().strip())
    try:
        return decode_usersig(held.reveal())
    except ValueError as error:
        raise UsageError(f"{error}: it may be cut short, or be something else") from None


def _show(claims: UserSigClaims, key: Secret | None, *, as_json: bool) -> int:
    left = claims.expires_at - time.time()
    valid = None if key is None else claims.verify(key.reveal())
    facts = _facts(claims, left, valid)
    if as_json:
        say_json(facts)
    else:
        _print(claims, left, valid)
    return 1 if left <= 0 or valid is False else 0


def _facts(claims: UserSigClaims, left: float, valid: bool | None) -> dict[str, Any]:  # noqa: FBT001 - a fact
    return {
        "identifier": claims.identifier,
        "sdk_app_id": claims.sdk_app_id,
        "signed_at": moment(claims.time),
        "expires_at": moment(claims.expires_at),
        "expires_in": int(left),
        "userbuf": claims.userbuf is not None,
        "matches_key": valid,
    }


def _print(claims: UserSigClaims, left: float, valid: bool | None) -> None:  # noqa: FBT001 - a fact
    say(f"identifier  {claims.identifier}")
    say(f"SDKAppID    {claims.sdk_app_id}")
    say(f"signed      {moment(claims.time)}")
    ends = f"in {span(left)}" if left > 0 else f"{span(-left)} ago: it no longer counts"
    say(f"expires     {moment(claims.expires_at)}, {ends}", None if left > 0 else "red")
    if valid is not None:
        made = "made with the secret key that is set" if valid else "NOT made with the secret key that is set"
        say(f"signature   {made}", None if valid else "red")


def moment(unix: float) -> str:
    """Return a Unix time as ISO 8601 in UTC."""
    try:
        return datetime.fromtimestamp(unix, UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return f"@{unix:.0f}"


def span(length: float) -> str:
    """Return a span of seconds in its largest unit."""
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if length >= 2 * unit:
            return f"{length / unit:.0f} {name}"
    return f"{length:.0f} seconds"
