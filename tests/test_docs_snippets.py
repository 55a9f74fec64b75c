from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from sybil import Example, Sybil
from sybil.parsers.myst import PythonCodeBlockParser

from deskim.testing import FakeDesk

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FOLLOWED = ROOT / "docs" / "tutorial"  # its programs need each other and several terminals: tests.pages follows it
SYBIL = Sybil(parsers=[PythonCodeBlockParser()], path=str(ROOT))
EXAMPLES = [example for page in PAGES if FOLLOWED not in page.parents for example in SYBIL.parse(page)]


def _name(example: Example) -> str:
    return f"{Path(example.path).relative_to(ROOT)}:{example.line}"


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeDesk]:
    """Serve a fake Desk from a thread of its own and name it in the environment, as a reader's shell would."""
    fake = FakeDesk(secret_key="a made-up key")
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(fake.serve()) as served:
        monkeypatch.setenv("DESKIM_SDK_APP_ID", str(fake.sdk_app_id))
        monkeypatch.setenv("DESKIM_SECRET_KEY", "a made-up key")
        monkeypatch.setenv("DESKIM_BASE_URL", served.base_url)
        monkeypatch.chdir(tmp_path)  # what a program writes goes away with the test
        yield fake


def _run(example: Example) -> None:
    example.namespace.clear()  # a block is a program of its own: it knows nothing of those before it
    example.namespace["__name__"] = "__main__"
    example.evaluate()


@pytest.mark.parametrize("example", EXAMPLES, ids=_name)
def test_every_block_of_python_runs_as_pasted(
    example: Example, desk: FakeDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each block of the README and the documentation ends without an error and complains about nothing."""
    _run(example)
    assert "" == capsys.readouterr().err


def test_the_readme_sends_what_it_says(desk: FakeDesk, capsys: pytest.CaptureFixture[str]) -> None:
    """The first program of the README brings its own Desk, the second sends a card to the user."""
    for example in EXAMPLES:
        if Path(example.path) == ROOT / "README.md":
            _run(example)
    assert "attempts: 1, the user sees: Your parcel left our warehouse today.\n" == capsys.readouterr().out
    assert ["user45"] == [message.to_account for message in desk.messages]
