"""The command line: `deskim send`, `fake`, `demo`, `explain`, `usersig`, `doctor`, `call`. Needs the extra `cli`."""

from __future__ import annotations

from deskim.cli._app import run

__all__ = ["run"]
