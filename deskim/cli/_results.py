"""Each outcome of a batch as one line of JSON."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from attrs import frozen

from deskim._codec import dumps
from deskim._messages import Outcome
from deskim.cli._input import STDIN
from deskim.cli._screen import UsageError


@frozen
class Results:
    """Write outcomes, or nothing where nobody asked for them."""

    file: TextIO | None

    def write(self, line: int, outcome: Outcome) -> None:
        """Write one outcome; its order is that in which they ended."""
        if self.file is not None:
            self.file.write(dumps(_row(line, outcome)).decode() + "\n")


def _row(line: int, outcome: Outcome) -> dict[str, Any]:
    message, result, error = outcome.message, outcome.result, outcome.error
    row = {
        "line": line,
        "key": outcome.key,
        "to": message and message.to_account,
        "session": message and message.session_id,
        "delivery": outcome.delivery.value,
        "msg_random": message and message.msg_random,
        "msg_key": result and result.msg_key,
        "attempts": outcome.attempts,
        "resent": outcome.resent,
        "code": error and error.code,
        "error": error and str(error),
    }
    return {name: value for name, value in row.items() if value is not None}


@contextmanager
def results(name: str | None) -> Generator[Results, None, None]:
    """Open the file of the results, `-` being standard output; raises ``UsageError``."""
    if name is None or name == STDIN:
        yield Results(sys.stdout if name else None)
        return
    try:
        file = Path(name).open("w", encoding="utf-8")  # noqa: SIM115 - closed below; an error of its use is no error of opening
    except OSError as error:
        raise UsageError(f"cannot write {name}: {error.strerror}") from None
    with file:
        yield Results(file)
