"""The command line, which needs the extra `cli`: send, batch, call, explain, doctor, usersig, demo, fake."""

from __future__ import annotations

from deskim.cli._app import run

__all__ = ["run"]
