"""Run every check of the project; `nox` alone runs what a change must pass."""

from __future__ import annotations

import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"  # an interpreter that is not here is skipped, not fetched
nox.options.error_on_missing_interpreters = False  # not even where CI is set
nox.options.reuse_venv = "yes"

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
HERE, NEWEST = f"3.{sys.version_info.minor}", "3.13"
PYTHONS = list(dict.fromkeys(["3.11", "3.12", NEWEST, HERE]))
# This Python with `fast` and without, the newest with it; `nox -s tests` runs all combinations.
also = "" if HERE == NEWEST else f"tests-{NEWEST}(speed='fast')"
nox.options.sessions = f"lint types api tests-{HERE} {also} coverage docs pages proof-quick".split()
EXTRAS = sorted(PYPROJECT["project"]["optional-dependencies"])
TEST_ENV = {"PYTHONASYNCIODEBUG": "1"}

# In these rooms every branch is tested: they decide what is sent, what is repeated and what is said to have happened.
FULLY_COVERED = """
    errors _checks _elements payloads _usersig _retry _rate _regions _codec _messages commands _protocol callbacks
    _batch _journal _calls _lanes _progress _life _settings _pacing hooks
""".split()


def _install(session: nox.Session, *groups: str, extras: list[str] = EXTRAS, options: tuple[str, ...] = ()) -> None:
    tools = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install("-e", f".[{','.join(extras)}]", *tools, *options)


def _pytest(session: nox.Session, data_file: str) -> None:
    """Run the tests; on this Python, measure what they cover."""
    measure = ["coverage", "run", "-m"] if session.python == HERE else []
    session.run(*measure, "pytest", *session.posargs, env=TEST_ENV | {"COVERAGE_FILE": data_file})


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and who imports whom."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package and of a file that uses its public names."""
    _install(session, "types", "tests", "neighbours")
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "deskim", "--ignoreexternal")
    session.run("ty", "check", "--python", session.virtualenv.location, "tests/typing")


@nox.session
def api(session: nox.Session) -> None:
    """Compare the public names with the newest release, or with `-- REF`: a break needs a version that says so."""
    tags = session.run("git", "tag", "--list", "v*", "--sort=-version:refname", external=True, silent=True)
    ref = [*session.posargs, *str(tags).split()][:1]
    if not ref:
        session.log("no release yet, so nothing to compare with; `nox -s api -- REF` takes any commit")
        return
    session.install(*nox.project.dependency_groups(PYPROJECT, "api"))
    session.run("python", "-m", "tests.api", *ref)


@nox.session
def dev(session: nox.Session) -> None:
    """Make .nox/dev, an environment to work in that holds every tool, and run the tests in it."""
    _install(session, "dev")
    session.run("pytest", *session.posargs, env=TEST_ENV)


@nox.session(python=PYTHONS)
@nox.parametrize("speed", ["fast", "plain"])
def tests(session: nox.Session, speed: str) -> None:
    """Run the tests, with the packages of the extra `fast` and without them."""
    extras = [extra for extra in EXTRAS if extra != "fast" or speed == "fast"]
    _install(session, "tests", "neighbours", extras=extras)
    if speed == "plain":
        _refuse(session, "orjson", "httptools")
    _pytest(session, f".coverage.{session.python}-{speed}")


def _refuse(session: nox.Session, *packages: str) -> None:
    found = f"[name for name in {packages!r} if importlib.util.find_spec(name)]"
    session.run("python", "-c", f"import importlib.util, sys; sys.exit(str({found}) if {found} else 0)")


@nox.session
def coverage(session: nox.Session) -> None:
    """Judge the branch coverage of what `tests` ran: 95 % everywhere, 100 % where it decides."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "tests"))
    session.run("coverage", "combine", "--keep", "-q")
    session.run("coverage", "report")
    session.run("coverage", "report", f"--include={_files(session, '_transport')}", "--fail-under=95")
    session.run("coverage", "report", f"--include={_files(session, *FULLY_COVERED)}", "--fail-under=100")


def _files(session: nox.Session, *rooms: str) -> str:
    missing = [room for room in rooms if not list(ROOT.glob(f"deskim/{room}*"))]
    if missing:
        session.error(f"no such room: {', '.join(missing)}")
    return ",".join(f"deskim/{room}.py,deskim/{room}/*" for room in rooms)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning or a reference that leads nowhere fails."""
    _install(session, "docs", "neighbours")
    shutil.rmtree("docs/_build", ignore_errors=True)
    session.run("sphinx-build", "-n", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure speed beside other clients: in full, or `-- --quick` in under two minutes."""
    _install(session, "bench", extras=["fast"])
    session.run("python", "-m", "benchmarks", *session.posargs)
    if "--quick" not in session.posargs:
        session.run("python", "-m", "benchmarks.batch_overhead")


@nox.session
def proof(session: nox.Session) -> None:
    """Show every promise of the page on reliability: full size, or `-- --quick` in under three minutes."""
    _install(session, "tests", "neighbours", "fuzz")
    table = [] if session.posargs else ["--write", "docs/explanation/reliability.inc"]
    session.run("python", "-m", "tests.proof", *(session.posargs or table))


@nox.session(name="proof-quick")
def proof_quick(session: nox.Session) -> None:
    """Show every promise of the page on reliability, small."""
    _install(session, "tests", "neighbours")
    session.run("python", "-m", "tests.proof", "--quick")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz what reads replies and elements, a million runs each unless told otherwise."""
    _install(session, "fuzz")
    for target in ("replies", "elements"):
        session.run("python", "-m", "tests.fuzz", target, *(session.posargs or ["-runs=1000000"]))


@nox.session
def mutation(session: nox.Session) -> None:
    """Change what decides about retries, pacing and the wire, and see whether a test notices each change."""
    # Without deskim itself: what is to be imported is mutmut's copy.
    tools = nox.project.dependency_groups(PYPROJECT, "tests", "mutation")
    session.install(*PYPROJECT["project"]["dependencies"], *_extras(), *tools)
    some = any("deskim" in each for each in session.posargs)
    if not some:
        shutil.rmtree("mutants", ignore_errors=True)
    session.run("mutmut", "run", *session.posargs, env={"HYPOTHESIS_PROFILE": "mutation"})
    if not some:
        session.run("python", "-m", "tests.mutation", "--write", "docs/explanation/mutants.inc")


def _extras() -> list[str]:
    return [package for extra in EXTRAS for package in PYPROJECT["project"]["optional-dependencies"][extra]]


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """Run the tests with the oldest releases that the package claims to work with."""
    pins = Path(session.create_tmp()) / "lowest.txt"
    session.install("uv")
    compile_ = ["uv", "pip", "compile", "pyproject.toml", "--resolution", "lowest-direct", "--python-version", "3.11"]
    session.run(*compile_, "--all-extras", "--quiet", "--no-header", "-o", str(pins))
    _install(session, "tests", "neighbours", options=("-c", str(pins)))
    session.run("pytest", *session.posargs, env=TEST_ENV)


@nox.session
@nox.parametrize("loop", ["asyncio", "uvloop"])
def newest(session: nox.Session, loop: str) -> None:
    """Run the tests with the newest releases of everything, on asyncio's own loop and on uvloop's."""
    _install(session, "tests", "neighbours", "loop", options=("--upgrade",))
    session.run("pytest", *session.posargs, env=TEST_ENV | {"DESKIM_TEST_LOOP": loop})


@nox.session
def audit(session: nox.Session) -> None:
    """Ask PyPI for known weaknesses of what the package installs with all extras; what it does not know fails too."""
    pins = Path(session.create_tmp()) / "newest.txt"
    session.install("uv", "pip-audit")
    session.run("uv", "pip", "compile", "pyproject.toml", "--all-extras", "--quiet", "--no-header", "-o", str(pins))
    session.run("pip-audit", "--requirement", str(pins), "--no-deps", "--disable-pip", "--strict", *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Build both archives, look into them, and import what is installed from the wheel."""
    dist = Path(session.create_tmp()).resolve() / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.install("build[uv]" if session.venv_backend == "uv" else "build", "twine")
    session.run("python", "-m", "build", "--outdir", str(dist))
    session.run("twine", "check", "--strict", *map(str, dist.iterdir()))
    _look_into(session, dist)
    session.install("--force-reinstall", *map(str, dist.glob("*.whl")))
    session.chdir(dist)  # away from the sources
    session.run("python", "-W", "error", "-c", "import deskim; print(deskim.__file__, deskim.__version__)")


def _look_into(session: nox.Session, dist: Path) -> None:
    with (
        zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel_file,
        tarfile.open(next(dist.glob("*.tar.gz"))) as source_file,
    ):
        wheel, source = wheel_file.namelist(), source_file.getnames()
    strays = [name for name in wheel if not name.startswith(("deskim/", "deskim-"))]
    allowed = (
        "deskim/",
        "PKG-INFO",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "pyproject.toml",
        ".gitignore",
    )
    strays += [name for name in source if not name.split("/", 1)[-1].startswith(allowed)]
    if strays or "deskim/py.typed" not in wheel:
        session.error(f"the archives hold {strays or 'no py.typed'}")


@nox.session
def pages(session: nox.Session) -> None:
    """Do what the README and the tutorial say, in a clone of the last commit, and compare what is seen."""
    told = ["README.md", "README.zh.md", "docs/tutorial/index.md", "docs/tutorial/zh.md"]
    session.install("attrs")
    session.run("python", "-m", "tests.pages", *(session.posargs or told))
