"""Terminals: bash on a pseudo-terminal, with a memory for its directory and its variables."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_SCRIPT: Final = """source "$0"
{}
{{ export -p; printf 'cd %q\\n' "$PWD"; }} > "$0"
"""
_PATIENCE: Final = 10.0
_CHUNK: Final = 65536


class Terminal:
    """Be a terminal that runs one command after the other and keeps what they print."""

    def __init__(self, environment: Mapping[str, str], memory: Path, start: str) -> None:
        self._environment = {**environment, "TERM": "dumb"}  # colours and bars would come as escape sequences
        self._memory = memory
        self._memory.write_text(start)
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._shown = bytearray()
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self.wait(_PATIENCE)

    def run(self, command: str, given: str = "") -> None:
        """Start a command, or several lines of them; ``given`` is what they read."""
        self._seen = len(self._shown)
        ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            ["bash", "-ec", _SCRIPT.format(command), str(self._memory)],  # noqa: S607 - bash, wherever it is
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, args=(ours,))
        self._reader.start()
        self._give(given)

    def _give(self, text: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(text.encode())

    def _read(self, ours: int) -> None:
        with suppress(OSError), os.fdopen(ours, "rb", buffering=0) as screen:  # Linux: an error, where nobody is left
            while chunk := screen.read(_CHUNK):
                self._shown += chunk

    @property
    def running(self) -> bool:
        """Tell whether a command is under way."""
        return self._process is not None and self._process.poll() is None

    def wait(self, seconds: float) -> int | None:
        """Wait for the command's end and return its exit code; nothing where it does not end."""
        assert self._process is not None
        assert self._reader is not None
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        if self._reader.is_alive():
            self._signal(signal.SIGKILL)  # what it has left behind would keep the terminal open
            self._reader.join(_PATIENCE)
        return code

    def interrupt(self) -> int | None:
        """Press Ctrl-C, and wait for the command's end."""
        self._seen = len(self._shown)
        self._signal(signal.SIGINT)
        return self.wait(_PATIENCE)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    @property
    def place(self) -> str:
        """Return the command that leads to where the terminal stands."""
        return self._memory.read_text().splitlines()[-1]

    @property
    def unseen(self) -> str:
        """Return what was printed since it was last looked at."""
        return self._shown[self._seen :].decode(errors="replace").replace("\r\n", "\n")

    def seen(self, text: str) -> None:
        """Take note that this much was looked at."""
        self._seen += len(text.replace("\n", "\r\n").encode())
