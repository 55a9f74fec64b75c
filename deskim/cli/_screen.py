"""The two streams: results on stdout, everything else on stderr; colours on a terminal only."""

from __future__ import annotations

import os
import re
import sys

from rich.console import Console

from deskim._codec import dumps

# Escape sequences and marks that turn the writing direction could disguise what a stranger wrote
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class UsageError(Exception):
    """Report a command line or settings that cannot work: exit code 2."""


class MissingExtraError(UsageError):
    """Report a command whose extra is not installed: exit code 2."""

    def __init__(self, extra: str) -> None:
        super().__init__(f'this command needs an extra: pip install "deskim[{extra}]"')


def console(*, stderr: bool = False) -> Console:
    """Return the console of a stream; NO_COLOR makes it wholly plain."""
    plain = bool(os.environ.get("NO_COLOR"))
    return Console(stderr=stderr, highlight=False, emoji=False, color_system=None if plain else "auto")


def safe(text: str) -> str:
    """Return text that cannot steer the terminal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def say(text: str = "", style: str | None = None) -> None:
    """Print a result."""
    console().print(safe(text), style=style, markup=False, soft_wrap=True)


def complain(text: str, style: str | None = None) -> None:
    """Print what is no result."""
    console(stderr=True).print(safe(text), style=style, markup=False, soft_wrap=True)


def say_json(value: object) -> None:
    """Print a value as one line of JSON."""
    say_exactly(dumps(value).decode())


def say_exactly(text: str) -> None:
    """Print text for another program, not a character of it changed."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        nobody_reads()
        raise SystemExit(1) from None


def nobody_reads() -> None:
    """Send what is still to be printed nowhere: whoever read our output has left, as `head` does."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def forgive_odd_characters() -> None:
    """Let a stream that cannot write a character escape it instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
