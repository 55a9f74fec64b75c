"""A page as the steps that its reader takes."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Final, Literal

from attrs import evolve, field, frozen

_COMMANDS: Final = {"bash", "console"}
_FENCE: Final = re.compile(r"```(\S*)\s*$")
_COMMENT: Final = re.compile(r"<!-- (.+?) -->")
_TERMINAL: Final = re.compile(r"(?:[Tt]erminal|终端) ?(\d)")
_CAPTION: Final = re.compile(r"`([\w./-]+\.\w+)`[:：]$")
_INTERRUPT: Final = re.compile(r"Ctrl-C in terminal (\d)")
_PORT: Final = re.compile(r"\bport[ =](\d{4,5})\b")


class PageError(Exception):
    """Report that a page cannot be followed, or says what is not so."""


@frozen
class Step:
    """Be one thing that the reader does or sees, in a terminal."""

    line: int
    kind: Literal["command", "file", "output", "interrupt"]
    terminal: str
    text: str = ""
    name: str = ""
    keeps_running: bool = False
    exit_code: int = 0


@frozen
class Fence:
    """Hold a block of code and what stands between it and the one before."""

    line: int
    language: str
    text: str
    paragraph: str
    comments: tuple[str, ...] = ()


@frozen
class Page:
    """Hold the steps of a page, and the environment that it asks for."""

    steps: tuple[Step, ...]
    environment: Mapping[str, str] = field(factory=dict[str, str])


def read(text: str) -> Page:
    """Return a page's steps; raises ``PageError`` for a program without a name."""
    comments = _COMMENT.findall(text)
    variables = [comment.partition("=") for comment in comments if re.fullmatch(r"[A-Z_]+=\S*", comment)]
    return Page(tuple(_steps(_fences(text))), {name: value for name, _, value in variables})


def with_free_ports(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps with a free port in the place of each that they name."""
    steps = tuple(steps)
    named = sorted({port for step in steps for port in _PORT.findall(step.text)})
    free = dict(zip(named, _free_ports(len(named)), strict=True))

    def moved(text: str) -> str:
        return re.sub(r"\b\d{4,5}\b", lambda found: free.get(found[0], found[0]), text)

    return tuple(evolve(step, text=moved(step.text)) for step in steps)


def _free_ports(count: int) -> list[str]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [str(one.getsockname()[1]) for one in sockets]


def _fences(text: str) -> Iterator[Fence]:
    """Give every block of code, and after them what follows the last one."""
    between: list[str] = []
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if opened := _FENCE.match(line):
            inside = list(_until_closed(lines))
            yield _fence(number, opened[1], inside, between)
            between = []
        else:
            between.append(line)
    yield _fence(len(text.splitlines()), "", [], [*between, "", "(the end)"])


def _until_closed(lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    for _, line in lines:
        if line == "```":
            return
        yield line


def _fence(line: int, language: str, inside: list[str], between: list[str]) -> Fence:
    comments = tuple(_COMMENT.findall("\n".join(between)))
    prose = _COMMENT.sub("", "\n".join(between)).strip()
    return Fence(line, language, "".join(f"{one}\n" for one in inside), prose.rpartition("\n\n")[2], comments)


def _steps(fences: Iterable[Fence]) -> Iterator[Step]:
    current = "1"
    for fence in fences:
        for comment in fence.comments:
            if found := _INTERRUPT.fullmatch(comment):
                current = found[1]
                yield Step(fence.line, "interrupt", current)
        if any(comment.startswith("not run: ") for comment in fence.comments):
            continue
        named = _TERMINAL.findall(fence.paragraph)
        step = _step(fence, named[-1] if named else current)
        if step is not None:
            yield step
            current = step.terminal if step.kind == "command" else current


def _step(fence: Fence, terminal: str) -> Step | None:
    if fence.language in _COMMANDS:
        return _command(fence, terminal)
    if caption := _CAPTION.search(fence.paragraph):
        return Step(fence.line, "file", terminal, fence.text, name=caption[1])
    if fence.language == "python":
        raise PageError(f"line {fence.line}: the paragraph before a program ends with its file: Save this as `bot.py`:")
    return Step(fence.line, "output", terminal, fence.text) if fence.language == "text" else None


def _command(fence: Fence, terminal: str) -> Step:
    codes = [int(comment.removeprefix("exit code ")) for comment in fence.comments if comment.startswith("exit code ")]
    keeps_running = "keeps running" in fence.comments
    return Step(
        fence.line, "command", terminal, fence.text, keeps_running=keeps_running, exit_code=codes[-1] if codes else 0
    )
