"""Secrets come from the environment or from a file; an argument would show them to every user of the machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from deskim._protocol import mask_urls
from deskim._usersig import Secret
from deskim.cli._screen import UsageError

VARIABLES = ("DESKIM_SECRET_KEY", "DESKIM_USERSIG")

_OPTION = re.compile(r"--?(secret|secret[-_]?key|key|user[-_]?sig)(?![-_]file)(?![\w-])", re.IGNORECASE)
_KEY = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
# A UserSig is base64 of a zlib stream, whose first byte is 0x78, with + / = written * - _ (TLSSigAPIv2)
_USERSIG = re.compile(r"\beJ[\w*-]{80,}")
_REFUSED = (
    "{} looks like a secret, which an argument would show to every user of this machine: put it into "
    "DESKIM_SECRET_KEY or DESKIM_USERSIG, or into a file (--secret-key-file, --usersig-file)"
)
_TELLING = 8
_read: list[Secret] = []


def refuse_secrets(tokens: Iterable[str]) -> None:
    """Raise ``UsageError`` where an argument is a secret or looks like one; it does not show it."""
    for number, token in enumerate(tokens, start=1):
        if option := _OPTION.match(token):
            raise UsageError(_REFUSED.format(option[0]))
        if _looks_secret(token):
            raise UsageError(_REFUSED.format(f"argument {number}"))


def _looks_secret(token: str) -> bool:
    value = token.partition("=")[2] if token.startswith("--") else token
    return bool(_KEY.fullmatch(value) or _USERSIG.search(value)) or any(secret.reveal() in token for secret in _known())


def _known() -> list[Secret]:
    """Return the secrets at hand; one of a few letters would be found in any text."""
    known = [Secret(os.environ[name]) for name in VARIABLES if os.environ.get(name)] + _read
    return [secret for secret in known if len(secret.reveal()) >= _TELLING]


def read_secret(path: Path) -> Secret:
    """Return the secret that a file holds, without the line end; raises ``UsageError``."""
    try:
        held = Secret(path.read_text(encoding="utf-8-sig").strip())
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} holds no text") from None
    if not held.reveal():
        raise UsageError(f"{path} is empty")
    _read.append(held)
    return held


def masked(text: str) -> str:
    """Return a text without any secret that is known, or looks like one."""
    for secret in _known():
        text = text.replace(secret.reveal(), "***")
    return _USERSIG.sub("***", mask_urls(text))
