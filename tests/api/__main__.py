"""Tell what breaks callers since a commit; see the package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import griffe

from tests.api.breaks import breaks, may_break

ROOT: Final = Path(__file__).parents[2]


def _version(package: griffe.Module) -> str:
    return str(package["_version.__version__"].value).strip("'\"")


def main(ref: str) -> int:
    """Return 0 if nothing breaks, or if the version says that something may."""
    old = griffe.load_git("deskim", ref=ref, repo=ROOT)
    new = griffe.load("deskim", search_paths=[ROOT])
    assert isinstance(old, griffe.Module)
    assert isinstance(new, griffe.Module)
    found, was, now = breaks(old, new), _version(old), _version(new)
    print(*found, f"{len(found)} breaks between {ref} ({was}) and here ({now})", sep="\n")
    if found and not may_break(was, now):
        print("raise the first number of the version, or the second while the first is 0; or take the breaks back")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
