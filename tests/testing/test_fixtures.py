from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deskim import AsyncDeskClient
from deskim.testing import FakeDesk

PROGRAM = """
import pytest

@pytest.mark.anyio
async def test_greeting(desk_client, desk_server):
    await desk_client.send_to_session("s", "Hello")
    assert ["Hello"] == [message.text for message in desk_server.messages]

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


@pytest.mark.anyio
async def test_the_client_talks_to_the_server(desk_client: AsyncDeskClient, desk_server: FakeDesk) -> None:
    """What the client of the fixtures sends is what their server shows."""
    await desk_client.send_to_session("s", "Hello")
    assert ["Hello"] == [message.text for message in desk_server.messages]


def test_a_program_of_its_own_finds_the_fixtures(tmp_path: Path) -> None:
    """In another project, warnings being errors, the fixtures are there without any import."""
    tmp_path.joinpath("test_bot.py").write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_plugin_imports_nothing_before_it_is_used() -> None:
    """Whoever has deskim installed and does not use the fixtures pays nothing for them."""
    heavy = ("deskim.testing", "deskim._client", "httpx")
    program = f"import sys, deskim._pytest; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()
