"""Follow a page from its first step to its last."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.pages.judging import difference
from tests.pages.reading import Page, PageError, Step, with_free_ports
from tests.pages.terminals import Terminal

_PAUSE: Final = 0.05
_SHOWN_WITHIN: Final = 20.0  # seconds until a terminal must show what happened in another


class Reader:
    """Be a reader with some terminals, who believes nothing."""

    def __init__(self, stack: ExitStack, start: Path, memory: Path, environment: Mapping[str, str]) -> None:
        self._stack, self._memory, self._environment = stack, memory, environment
        self._start = f"cd {shlex.quote(str(start))}"
        self._terminals: dict[str, Terminal] = {}

    def take(self, step: Step, patience: float) -> None:
        """Take one step; raises ``PageError`` where it does not go as the page says."""
        if step.terminal not in self._terminals:
            place = self._terminals["1"].place if self._terminals else self._start
            self._terminals[step.terminal] = self._open(step.terminal, place)
        terminal = self._terminals[step.terminal]
        if step.kind == "file":
            terminal = self._open("editor", terminal.place)
        DO[step.kind](terminal, step, patience)

    def _open(self, name: str, place: str) -> Terminal:
        return self._stack.enter_context(Terminal(self._environment, self._memory / name, f"{place}\n"))


def walk(page: Page, start: Path, memory: Path, environment: Mapping[str, str], patience: float) -> None:
    """Take all steps from the directory ``start``; ``memory`` is a directory that the page does not see.

    A command may take ``patience`` seconds. Raises ``PageError`` at the first step that goes otherwise.
    """
    if not any(step.kind == "output" for step in page.steps):
        raise PageError("the page shows no output: there is nothing to compare")
    with ExitStack() as stack:
        reader = Reader(stack, start, memory, {**environment, **page.environment})
        for step in with_free_ports(page.steps):
            reader.take(step, patience)


def _run(terminal: Terminal, step: Step, patience: float) -> None:
    if terminal.running:
        raise PageError(f"line {step.line}: terminal {step.terminal} is still busy with the command before")
    terminal.run(step.text)
    if step.keeps_running:
        return
    code = terminal.wait(patience)
    if code != step.exit_code:
        ended = f"does not end within {patience:g} s" if code is None else f"ends with exit code {code}"
        raise PageError(f"line {step.line}: the command {ended} and shows\n{terminal.unseen}")


def _save(terminal: Terminal, step: Step, patience: float) -> None:
    terminal.run(f"cat > {shlex.quote(step.name)}", step.text)
    terminal.wait(patience)


def _look(terminal: Terminal, step: Step, patience: float) -> None:
    end = time.monotonic() + min(patience, _SHOWN_WITHIN)
    shown = terminal.unseen
    while terminal.running and difference(step.text, shown) and time.monotonic() < end:
        time.sleep(_PAUSE)
        shown = terminal.unseen
    if not terminal.running:
        terminal.wait(patience)
        shown = terminal.unseen
    if differs := difference(step.text, shown):
        raise PageError(f"line {step.line}: terminal {step.terminal} does not show what the page says\n{differs}")
    terminal.seen(shown)


def _interrupt(terminal: Terminal, step: Step, patience: float) -> None:
    if not terminal.running:
        raise PageError(f"line {step.line}: nothing runs in terminal {step.terminal} that Ctrl-C could end")
    terminal.interrupt()


DO: Final = {"command": _run, "file": _save, "output": _look, "interrupt": _interrupt}
