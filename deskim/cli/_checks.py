"""What a doctor can tell from the settings alone: each check says what it found and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from attrs import frozen

from deskim._protocol import Identity
from deskim._usersig import Secret, UserSigClaims, decode_usersig
from deskim.cli._settings import NO_CREDENTIALS
from deskim.cli._usersig import moment, span

State: TypeAlias = Literal["ok", "warn", "fail"]

SKEW = 60.0
"""From how many seconds on a wrong clock is worth a word."""
SOON = 7 * 86400


@frozen
class Finding:
    """Hold what one check found, and what to do about it."""

    check: str
    state: State
    text: str
    advice: str = ""


def check_credentials(found: Mapping[str, Secret], who: Identity, now: float) -> Iterator[Finding]:
    """Check the secret key or the UserSig, whichever is set."""
    if len(found) == 1:
        if "secret_key" in found:
            yield _check_key(found["secret_key"])
        else:
            yield from _check_usersig(found["usersig"], who, now)
    elif found:
        yield Finding("credentials", "fail", "both a secret key and a UserSig are set", "Keep one of the two.")
    else:
        yield Finding("credentials", "fail", NO_CREDENTIALS)


def _check_key(key: Secret) -> Finding:
    text: str = key.reveal()
    if text != text.strip():
        return Finding("secret key", "fail", "it has spaces or line ends around it", "Set it again without them.")
    if not re.fullmatch("[0-9a-f]{64}", text):
        odd = f"it has {len(text)} characters; the console shows keys of 64 hexadecimal digits"
        return Finding(
            "secret key", "warn", odd, "If Desk answers 70003 or 70009, copy the key whole from the console."
        )
    return Finding("secret key", "ok", "64 hexadecimal digits, as the console shows them")


def _check_usersig(usersig: Secret, who: Identity, now: float) -> Iterator[Finding]:
    try:
        claims = decode_usersig(usersig.reveal())
    except ValueError:
        yield Finding(
            "UserSig",
            "fail",
            "it does not decode",
            "It may be cut short or hold a line end: copy it whole (code 70003).",
        )
        return
    yield Finding("UserSig", "ok", f"it decodes; signed {moment(claims.time)}")
    yield _check_account(claims, who)
    yield _check_application(claims, who)
    yield _check_expiry(claims, now)


def _check_account(claims: UserSigClaims, who: Identity) -> Finding:
    if claims.identifier == who.identifier:
        return Finding("identifier", "ok", f"{who.identifier}, in the UserSig too")
    text = f"the UserSig was signed for {claims.identifier!r}, the calls are made as {who.identifier!r}"
    advice = f"Set DESKIM_IDENTIFIER={claims.identifier}, or sign a UserSig for {who.identifier} (code 70013)."
    return Finding("identifier", "fail", text, advice)


def _check_application(claims: UserSigClaims, who: Identity) -> Finding:
    if claims.sdk_app_id == who.sdk_app_id:
        return Finding("SDKAppID", "ok", f"{who.sdk_app_id}, in the UserSig too")
    text = f"the UserSig was signed for {claims.sdk_app_id}, the calls are made for {who.sdk_app_id}"
    advice = "Take DESKIM_SDK_APP_ID and the UserSig from the same application (code 70014)."
    return Finding("SDKAppID", "fail", text, advice)


def _check_expiry(claims: UserSigClaims, now: float) -> Finding:
    left = claims.expires_at - now
    when = f"it expires {moment(claims.expires_at)}"
    if left <= 0:
        text = f"it expired {span(-left)} ago, by this machine's clock"
        return Finding("expiry", "fail", text, "Sign a new one, or set DESKIM_SECRET_KEY instead (code 70001).")
    if claims.time > now + SKEW:
        text = f"it was signed {span(claims.time - now)} in the future, by this machine's clock"
        return Finding("expiry", "warn", text, "One of the two clocks is wrong: see the check of the clock below.")
    if left < SOON:
        return Finding(
            "expiry", "warn", f"{when}, in {span(left)}", "Sign a new one, or set DESKIM_SECRET_KEY instead."
        )
    return Finding("expiry", "ok", f"{when}, in {span(left)}")
