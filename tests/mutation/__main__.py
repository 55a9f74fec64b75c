"""Judge what mutmut found: the score of each room, and every mutant that no test noticed, with the reason for it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from attrs import frozen
from mutmut.configuration import config
from mutmut.mutation.diff_apply import get_diff_for_mutant

_MUTANTS: Final = Path("mutants")
_REASONS: Final = Path(__file__).with_name("survivors.toml")
_KILLED: Final = {1: "by a test", 3: "by a test", -24: "by a time limit", 24: "by a time limit", 152: "by a time limit"}
_NOT_RUN: Final = 255  # pytest found no test to run, as when deskim or the tests cannot be imported
_WANTED: Final = 0.9
_CAST: Final = re.compile(r'cast\((?:None|"[^"]*"), ')


@frozen
class Mutant:
    """A mutation, and what ended it; ``None`` where nothing did."""

    room: str
    function: str
    was: str
    becomes: str
    killed: str | None


@frozen(kw_only=True)
class Reason:
    """Why mutants may live: those of a function and of a line; ``None`` stands for any."""

    why: str
    function: str | None = None
    was: str | None = None
    becomes: str | None = None
    types_alone: bool = False
    """Only what ``cast`` is told differs."""

    def fits(self, mutant: Mutant) -> bool:
        """Tell whether this reason is for this mutant."""
        if self.types_alone:
            return _CAST.sub("cast(", mutant.was) == _CAST.sub("cast(", mutant.becomes)
        pairs = ((self.function, mutant.function), (self.was, mutant.was), (self.becomes, mutant.becomes))
        return all(wanted in (None, found) for wanted, found in pairs)


def _mutants() -> Iterator[Mutant]:
    for meta in sorted(_MUTANTS.glob("deskim/**/*.meta")):
        path = meta.relative_to(_MUTANTS).with_suffix("")
        for name, code in json.loads(meta.read_text())["exit_code_by_key"].items():
            was, becomes = _changed(name, path)
            yield Mutant(_room(path), _function(name), was, becomes, _end(name, code))


def _room(path: Path) -> str:
    return path.with_suffix("").parts[1]


def _function(name: str) -> str:
    module, _, mangled = name.rpartition(".")
    plain = mangled.partition("__mutmut")[0].removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    return f"{module.removeprefix('deskim.')}.{plain}"


def _changed(name: str, path: Path) -> tuple[str, str]:
    lines = get_diff_for_mutant(name, path=path).splitlines()[2:]
    return tuple(" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")  # type: ignore[return-value]


def _end(name: str, code: int | None) -> str | None:
    if code == _NOT_RUN and not _collected(name):
        return "at import"
    if code is None or code in {5, 33, _NOT_RUN}:
        sys.exit(f"{name} was not tested: run mutmut again")
    return _KILLED.get(code)


def _collected(name: str) -> bool:
    tests = config().pytest_add_cli_args_test_selection
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", *tests]
    env = os.environ | {"MUTANT_UNDER_TEST": name}
    return not subprocess.run(
        command, cwd=_MUTANTS, env=env, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ).returncode


def _reasons() -> list[Reason]:
    return [Reason(**each) for each in tomllib.loads(_REASONS.read_text(encoding="utf-8"))["survivor"]]


def _scores(mutants: list[Mutant]) -> Iterator[tuple[str, Counter[str | None]]]:
    for room in sorted({mutant.room for mutant in mutants}):
        yield room, Counter(mutant.killed for mutant in mutants if mutant.room == room)


def _share(ends: Counter[str | None]) -> float:
    return 1 - ends[None] / ends.total()


def _table(mutants: list[Mutant]) -> str:
    ends = ("by a test", "by a time limit", "at import", None)
    head = "room", "mutants", "killed by a test", "by a time limit", "at import", "alive", "score"
    rows = [head, ("---",) * len(head)]
    for room, counts in _scores(mutants):
        rows.append((f"`{room}`", *map(str, (counts.total(), *(counts[end] for end in ends))), f"{_share(counts):.1%}"))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _explained(mutants: list[Mutant]) -> dict[str, list[Mutant]]:
    """Return the living by why they may live; under no text those for which no reason is known."""
    found: dict[str, list[Mutant]] = {reason.why: [] for reason in _reasons()} | {"": []}
    for mutant in mutants:
        if mutant.killed is None:
            found[next((reason.why for reason in _reasons() if reason.fits(mutant)), "")].append(mutant)
    return found


def _told(why: str, alive: list[Mutant]) -> str:
    lines = [f"- {why or 'No reason is known.'} ({len(alive)})"]
    for function, was in dict.fromkeys((each.function, each.was) for each in alive):
        becomes = [each.becomes for each in alive if (each.function, each.was) == (function, was)]
        lines.append(f"  - `{function}`: `{was}` → {', '.join(f'`{each}`' for each in becomes)}")
    return "\n".join(lines)


def _versions() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("mutmut", "pytest", "hypothesis", "cattrs", "orjson"))
    return f"CPython {platform.python_version()}, {packages}."


def _report(mutants: list[Mutant]) -> str:
    reasons = [_told(why, alive) for why, alive in _explained(mutants).items() if alive]
    return "\n\n".join((_table(mutants), "\n".join(reasons), _versions())) + "\n"


def _faults(mutants: list[Mutant]) -> Iterator[str]:
    yield from (f"{room} is under {_WANTED:.0%}" for room, ends in _scores(mutants) if _share(ends) < _WANTED)
    explained = _explained(mutants)
    yield from (f"no reason is known for {each.function}: {each.becomes}" for each in explained[""])
    yield from (
        f"nothing lives any longer for this reason: {why}" for why, alive in explained.items() if why and not alive
    )


def main() -> int:
    """Return 0 if each room has its score and each survivor its reason."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--write", type=Path, help="where to write the tables")
    target = parser.parse_args().write
    mutants = list(_mutants())
    report, faults = _report(mutants), list(_faults(mutants))
    if target is not None:
        target.write_text(report, encoding="utf-8")
    sys.stdout.write("\n".join((report, *faults)) + "\n")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
