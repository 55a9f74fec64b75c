"""Follow the pages named on the command line: ``python -m tests.pages README.md docs/tutorial/index.md``.

Each is followed from a fresh clone of this repository, as it was last committed, in an otherwise empty directory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.pages.reading import Page, PageError, read
from tests.pages.walking import walk

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 600.0  # an installation may have to fetch everything
KEPT: Final = ("PIP_", "SSL_", "HTTP_", "HTTPS_", "NO_PROXY", "ALL_PROXY", "HOME", "LANG", "TMPDIR", "PYENV_")


def main() -> int:
    """Return 0 if no page lies."""
    return max(map(_follow, sys.argv[1:]))


def _follow(name: str) -> int:
    began = time.monotonic()
    try:
        page = read((ROOT / name).read_text(encoding="utf-8"))
        _walk(page)
    except PageError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 1
    kinds = Counter(step.kind for step in page.steps)
    counts = f"{kinds['command']} commands, {kinds['file']} files, {kinds['output']} outputs"
    sys.stdout.write(f"{name}: {counts}, all as it says ({time.monotonic() - began:.0f} s)\n")
    return 0


def _walk(page: Page) -> None:
    with TemporaryDirectory() as desk, TemporaryDirectory() as memory:
        clone = Path(desk) / "deskim"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)  # noqa: S607 - git, wherever it is
        walk(page, clone, Path(memory), _environment(), PATIENCE)


def _environment() -> dict[str, str]:
    """Return what a reader's shell knows: nothing of the environment that this program runs in."""
    known = {name: value for name, value in os.environ.items() if name.upper().startswith(KEPT)}
    inside = sys.prefix != sys.base_prefix
    paths = [path for path in os.environ["PATH"].split(":") if not (inside and path.startswith(sys.prefix))]
    return {**known, "PATH": ":".join(paths)}


if __name__ == "__main__":
    sys.exit(main())
