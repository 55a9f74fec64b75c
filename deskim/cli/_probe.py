"""Ask a host whether it is there, what time it has, and whether it takes the signature."""

from __future__ import annotations

import random
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from deskim._lanes import Attempt, Failure, OwnLane
from deskim._protocol import SEND_MSG, Identity, Reply, Signature, decode
from deskim._transport import DeskTransport
from deskim._usersig import Secret
from deskim.cli._checks import SKEW, Finding
from deskim.cli._usersig import span
from deskim.cli._words import describe, language
from deskim.errors import AuthenticationError, DeskError, PermissionDeniedError, RateLimitError, ReplyError

UNSIGNED = Secret("no-usersig-at-hand")
TAKEN = "Desk takes the signature"


async def ask(base_url: str, who: Identity, usersig: Secret, timeout: float) -> Reply | Failure:
    """Return the reply to a send_msg that says nothing, which Desk refuses once it has checked the signature."""
    lane = OwnLane(DeskTransport())
    attempt = Attempt(base_url, SEND_MSG, random.getrandbits(32), b"{}", timeout, timeout)
    try:
        return await lane.post(attempt, Signature(who, usersig))
    finally:
        await lane.aclose()


async def probe(base_url: str, who: Identity, usersig: Secret | None, timeout: float, now: float) -> list[Finding]:
    """Return what one host shows of itself; without a UserSig its verdict on signatures is left out."""
    reply = await ask(base_url, who, usersig or UNSIGNED, timeout)
    if isinstance(reply, Failure):
        advice = (
            "Check DESKIM_BASE_URL and DESKIM_REGION, DNS, the firewall, and the proxy where one is set: HTTPS_PROXY, "
            "ALL_PROXY, or HTTP_PROXY for a fake Desk."
        )
        return [Finding("host", "fail", f"{base_url}: {describe(reply.error, language())}", advice)]
    findings = [Finding("host", "ok", f"{base_url} answers"), _clock(reply, now)]
    return [*findings, *(() if usersig is None else _verdict(reply))]


def _clock(reply: Reply, now: float) -> Finding:
    try:
        theirs = parsedate_to_datetime(reply.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return Finding("clock", "ok", "not compared: the host does not tell its time")
    behind = theirs - now
    if abs(behind) <= SKEW:
        return Finding("clock", "ok", "this machine and the host agree within a minute")
    where = "behind" if behind > 0 else "ahead of"
    text = f"this machine is {span(abs(behind))} {where} the host"
    return Finding("clock", "fail", text, "Set the clock (NTP): a UserSig counts from the time at which it was signed.")


def _verdict(reply: Reply) -> Iterator[Finding]:
    """Return what Desk's refusal says of the signature."""
    try:
        decode(reply)
    except (AuthenticationError, PermissionDeniedError, RateLimitError, ReplyError) as error:
        yield Finding("signature", "fail", describe(error, language()))
    except DeskError as error:
        yield Finding("signature", "ok", f"{TAKEN}; it refused the empty message ({error.code}), as it should")
    else:
        yield Finding("signature", "warn", f"{TAKEN}, but did not refuse an empty message")
