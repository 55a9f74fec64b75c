from __future__ import annotations

from pathlib import Path

import griffe
import pytest

from tests.api.breaks import breaks, may_break

ROOT = """
from shop._room import Order, send
from shop import extra
__all__ = ["Order", "extra", "send"]
"""
ROOM = """
from attrs import field, frozen

@frozen
class Order:
    number: int
    pieces: int = field(default=1)

def send(order, *, twice=False): ...
"""
EXTRA = """
__all__ = ["Gift"]
class Gift: ...
"""


def version(folder: Path, changes: dict[str, tuple[str, str]]) -> griffe.Module:
    """Write a package, changed as told, and read it."""
    files = {"__init__": ROOT, "_room": ROOM, "extra": EXTRA}
    folder.joinpath("shop").mkdir(parents=True)
    for name, text in files.items():
        before, after = changes.get(name, ("", ""))
        assert before in text
        folder.joinpath("shop", f"{name}.py").write_text(text.replace(before, after), encoding="utf-8")
    package = griffe.load("shop", search_paths=[folder])
    assert isinstance(package, griffe.Module)
    return package


@pytest.mark.parametrize(
    ("file", "before", "after", "expected"),
    [
        ("__init__", ', "send"', "", ["shop.send: no longer in __all__"]),
        ("__init__", ', "extra"', "", ["shop.extra: no longer in __all__"]),
        ("extra", '"Gift"', "", ["shop.extra.Gift: no longer in __all__"]),
        ("_room", ", *, twice=False", "", ["shop._room.send(twice): Parameter was removed"]),
        ("_room", "pieces: int", "count: int", ["shop._room.Order.pieces: Public object was removed"]),
        ("_room", "class Order", "class Another", ["shop.Order: leads nowhere"]),
        ("_room", "number: int", "number: int\n    to: str", ["shop.Order.to: a new field without a default"]),
        (
            "_room",
            "number: int",
            "number: int\n    to: str = field()",
            ["shop.Order.to: a new field without a default"],
        ),
        ("_room", "number: int", "number: int\n    to: str = field(default='')", []),
        ("_room", "number: int", "number: int\n    to: str = field(init=False)", []),
        ("_room", "number: int", "number: int\n    to: str = ''", []),
        ("_room", "\ndef send", "    @property\n    def to(self) -> str: ...\ndef send", []),
        ("_room", "def send", "def other(): ...\ndef send", []),
    ],
)
def test_what_callers_would_miss(tmp_path: Path, file: str, before: str, after: str, expected: list[str]) -> None:
    """Names, parameters and fields that are gone, and fields that are newly asked for; more of anything is no break."""
    old, new = version(tmp_path / "old", {}), version(tmp_path / "new", {file: (before, after)})
    assert expected == breaks(old, new)


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ("0.1.0", "0.1.1", False),
        ("0.1.0", "0.2.0", True),
        ("0.9.9", "1.0.0", True),
        ("1.0.0", "1.1.0", False),
        ("1.9.0", "2.0.0", True),
        ("1.0.0", "1.0.0", False),
    ],
)
def test_which_versions_may_break(was: str, now: str, expected: bool) -> None:  # noqa: FBT001
    """A new first number may, and before 1.0 a new second one."""
    assert expected == may_break(was, now)
