"""The command `deskim`, also as `python -m deskim`."""

from __future__ import annotations

import sys

_EXTRA = {"cyclopts", "rich"}


def main() -> int:
    """Run the command line and return its exit code; without the extra `cli`, say what to install."""
    try:
        from deskim.cli import run
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _EXTRA:
            raise
        print('the command line is an extra: pip install "deskim[cli]"', file=sys.stderr)
        return 2
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
