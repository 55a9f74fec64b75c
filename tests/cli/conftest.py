from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from anyio.from_thread import start_blocking_portal
from attrs import frozen

from deskim.cli import run
from deskim.testing import FakeDesk

SECRET = "c0ffee" + "5ec2e7ca" * 7 + "42"
"""A canary: shaped like a real key, and never to be seen in any output."""


@frozen
class Done:
    """Hold what a command did: its exit code, and what it printed."""

    code: int
    out: str
    err: str


Deskim: TypeAlias = Callable[..., Done]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no setting of the machine reach a command."""
    names = "SDK_APP_ID SECRET_KEY USERSIG IDENTIFIER REGION BASE_URL CUSTOMER_SERVICE_ACCOUNT DEBUG"
    # asyncio's debug mode tells on stderr what a busy machine delays
    others = "LC_ALL LC_MESSAGES NO_COLOR FORCE_COLOR PYTHONASYNCIODEBUG"
    for name in (*(f"DESKIM_{name}" for name in names.split()), *others.split()):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("deskim.cli._secrets._read", [])


@pytest.fixture
def deskim(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Deskim:
    """Run a command line in this process; nothing it prints may hold the canary."""

    def command(*argv: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        code = run(argv)
        printed = capsys.readouterr()
        assert SECRET not in printed.out + printed.err
        return Done(code, printed.out, printed.err)

    return command


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDesk]:
    """Serve a fake Desk from a thread of its own, and name it in the environment."""
    fake = FakeDesk(secret_key=SECRET)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(fake.serve()) as served:
        monkeypatch.setenv("DESKIM_SDK_APP_ID", str(fake.sdk_app_id))
        monkeypatch.setenv("DESKIM_SECRET_KEY", SECRET)
        monkeypatch.setenv("DESKIM_BASE_URL", served.base_url)
        monkeypatch.setenv("DESKIM_CUSTOMER_SERVICE_ACCOUNT", "@service")
        yield fake
