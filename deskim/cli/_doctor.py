"""`deskim doctor`: what is wrong with the settings, the UserSig, the clock or the way to Desk."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator

from attrs import asdict

from deskim._checks import checked_seconds
from deskim._protocol import Identity
from deskim._regions import base_urls
from deskim._usersig import Secret, sign_usersig
from deskim.cli._checks import Finding, State, check_credentials
from deskim.cli._probe import probe
from deskim.cli._screen import console, say, say_json
from deskim.cli._settings import Connection, Settings

_INDENT, _WIDEST = 19, 100
_STYLES: dict[State, str] = {"ok": "green", "warn": "yellow", "fail": "red"}


async def doctor(
    *,
    offline: bool = False,
    timeout: float = 10.0,
    json: bool = False,
    settings: Connection = None,
) -> int:
    """Check the settings, the UserSig, the clock and the way to Desk; say what is wrong and how to mend it.

    The last check makes one call, an empty message, which Desk refuses; no user sees anything.

    :param offline: Leave out what needs the network.
    :param timeout: How long to wait for each host, in seconds; 10 by default.
    :param json: Print each finding as one line of JSON.
    """
    chosen = settings or Settings()
    who, found = chosen.identity(), chosen.credentials()
    with chosen.named():
        hosts = base_urls(chosen.value("region", "china") or "", chosen.value("base_url"))
        checked_seconds("timeout", timeout)
    findings = list(_settings(who, hosts))
    findings += check_credentials(found, who, time.time())
    if not offline:
        findings += await _network(hosts, who, _signature(found, who), timeout)
    for finding in findings:
        say_json(asdict(finding)) if json else _show(finding)
    return 1 if any(finding.state == "fail" for finding in findings) else 0


def _settings(who: Identity, hosts: tuple[str, ...]) -> Iterator[Finding]:
    yield Finding("settings", "ok", f"SDKAppID {who.sdk_app_id}, identifier {who.identifier}, {' and '.join(hosts)}")


def _signature(found: dict[str, Secret], who: Identity) -> Secret | None:
    """Return the UserSig to try; nothing where it is not clear which."""
    if len(found) != 1:
        return None
    key = found.get("secret_key")
    return found["usersig"] if key is None else Secret(sign_usersig(who.sdk_app_id, key.reveal(), who.identifier))


async def _network(hosts: tuple[str, ...], who: Identity, usersig: Secret | None, timeout: float) -> list[Finding]:
    findings = await probe(hosts[0], who, usersig, timeout, time.time())
    for standby in hosts[1:]:
        for finding in await probe(standby, who, None, timeout, time.time()):
            if finding.check == "host":
                state: State = "warn" if finding.state == "fail" else "ok"
                findings.append(Finding("standby", state, finding.text, finding.advice))
    return findings


def _show(finding: Finding) -> None:
    first, *more = _lines(finding.text)
    say(f"{finding.state:<4}  {finding.check:<11}  {first}", _STYLES[finding.state])
    for line in (*more, *_lines(finding.advice)):
        say(f"{'':<{_INDENT}}{line}")


def _lines(text: str) -> list[str]:
    """Return text in lines that stand beside the name of a check."""
    screen = console()
    width = min(screen.width, _WIDEST) if screen.is_terminal else _WIDEST
    return textwrap.wrap(text, max(width - _INDENT, 20), break_on_hyphens=False, break_long_words=False)
