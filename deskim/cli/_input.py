"""What a command reads: an argument, a file, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from deskim._codec import loads
from deskim.cli._screen import UsageError

STDIN = "<stdin>"
"""What a lone `-` on the command line becomes, so that no parser takes it for an option."""


def with_stdin(words: list[str]) -> list[str]:
    """Return the arguments with each lone `-` before `--` made a name of standard input."""
    end = words.index("--") if "--" in words else len(words)
    return [STDIN if word == "-" else word for word in words[:end]] + words[end:]


def read_stdin() -> str:
    """Return standard input as text; raises ``UsageError`` where it is not UTF-8."""
    return _decoded(sys.stdin.buffer.read(), "standard input")


def text_argument(value: str) -> str:
    """Return the text of an argument, or that of standard input without its last line end; empty is a mistake."""
    text = read_stdin().removesuffix("\n").removesuffix("\r") if value == STDIN else value
    if not text:
        raise UsageError("the text is empty: there is nothing to send")
    return text


def json_argument(value: str) -> Any:
    """Return the JSON value of an argument: the JSON itself, `@` and a file's name, or `-`."""
    source = "the argument"
    if value == STDIN:
        value, source = read_stdin(), "standard input"
    elif value.startswith("@"):
        value, source = _read_file(Path(value[1:])), value[1:]
    try:
        return loads(value)
    except ValueError as error:
        raise UsageError(f"{source} is not JSON: {error}") from None


def _read_file(path: Path) -> str:
    try:
        return _decoded(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _decoded(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is not UTF-8: byte {error.start} is {content[error.start]:#04x}") from None
