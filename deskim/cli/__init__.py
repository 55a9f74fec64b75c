"""The command line: `deskim send`, `batch`, `call`, `explain`, `doctor`, `usersig`, `demo`, `fake`. Needs the extra `cli`."""

from __future__ import annotations

from deskim.cli._app import run

__all__ = ["run"]
