from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from deskim import __version__, testing
from deskim.cli._app import COMMANDS
from deskim.cli._usage import explain_usage
from deskim.testing import FakeDesk

from .conftest import SECRET, Deskim

PROGRAM = [sys.executable, "-W", "error", "-m", "deskim"]


def test_the_demo_shows_what_users_saw(deskim: Deskim) -> None:
    """A text and a card arrive, the card once although it was sent twice; no settings are needed."""
    done = deskim("demo")
    assert (0, "") == (done.code, done.err)
    assert "Your parcel left our warehouse today." in done.out
    assert "sent with 2 attempts" in done.out
    assert 1 == done.out.count("[card] Presale")
    assert re.search(r"^\d+ requests came, \d+ messages were seen, each of them once\.$", done.out, re.MULTILINE)


def test_help_and_version(deskim: Deskim) -> None:
    """The help lists every command, the environment and the exit codes; so does running without arguments."""
    done = deskim("--help")
    assert (0, "") == (done.code, done.err)
    assert [] == [command.__name__ for command in COMMANDS if command.__name__ not in done.out]
    for part in ("DESKIM_SECRET_KEY", "0 done", "1 not sent", "2 usage", "130 interrupted"):
        assert part in done.out
    assert done.out == deskim().out
    assert f"{__version__}\n" == deskim("--version").out


@pytest.mark.parametrize("command", [command.__name__ for command in COMMANDS])
def test_every_option_is_explained(deskim: Deskim, command: str) -> None:
    """No line of a command's help has an option without a word on it."""
    done = deskim(command, "--help")
    options = re.findall(r"^│ (--[\w-]+(?: [A-Z.]+)?) +(\S*)", done.out, re.MULTILINE)
    assert 0 == done.code
    assert [] == [option for option, words in options if words in ("", "│")]


def test_an_unknown_command_is_a_mistake_of_usage(deskim: Deskim) -> None:
    """Exit code 2 and the place of help."""
    done = deskim("sned")
    assert (2, "") == (done.code, done.out)
    assert "error: there is no command 'sned': the commands are send, batch, " in done.err
    assert "; did you mean send?" in done.err
    assert "see deskim --help" in done.err


def test_a_mistake_without_words_of_ours_is_told_in_the_parsers() -> None:
    """Whatever kinds of mistakes the parser may learn to tell."""
    assert "as it is" == explain_usage(CycloptsError(msg="as it is"), "zh")


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_without_the_extra_one_line_says_what_to_install(missing: str) -> None:
    """Exit code 2, and nothing else on either stream."""
    program = f"import sys; sys.modules[{missing!r}] = None; from deskim.__main__ import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (2, "") == (done.returncode, done.stdout)
    assert 'the command line is an extra: pip install "deskim[cli]"\n' == done.stderr


def test_without_uvicorn_the_demo_names_the_extra(deskim: Deskim, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake Desk on a socket is an extra of its own."""

    def without(*_: object, **__: object) -> None:
        raise ImportError('FakeDesk.serve() needs uvicorn: pip install "deskim[testing]"')

    monkeypatch.setattr(testing.FakeDesk, "serve", without)
    for command in ("demo", "fake"):
        done = deskim(command)
        assert 2 == done.code
        assert 'error: this command needs an extra: pip install "deskim[testing]"\n' == done.err


def test_a_missing_module_of_ours_is_no_missing_extra() -> None:
    """A bug is not explained away."""
    program = "import sys; sys.modules['deskim.cli'] = None; from deskim.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    assert "ModuleNotFoundError" in done.stderr


def test_ctrl_c_is_exit_code_130(desk: FakeDesk) -> None:
    """A send that waits for its reply ends at once, with one line."""
    desk.delay_next(30)
    with subprocess.Popen([*PROGRAM, "send", "x", "--session", "s"], stderr=subprocess.PIPE, text=True) as program:
        while not desk.requests:
            time.sleep(0.02)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=20)
    assert (130, "interrupted\n") == (program.returncode, err)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"explain {'70009 ' * 3000}", "70009  AuthenticationError\n"),
        (f"explain --json {'70009 ' * 3000}", '{"code":70009,'),
        ("batch in.jsonl --rate none --output -", '{"line":'),
    ],
)
def test_a_reader_that_leaves_is_no_error(desk: FakeDesk, tmp_path: Path, command: str, expected: str) -> None:
    """`deskim … | head` prints no traceback."""
    (tmp_path / "in.jsonl").write_text('{"session": "s", "text": "x"}\n' * 3000)
    piped = f"{sys.executable} -m deskim {command} | head -1"
    done = subprocess.run(["/bin/sh", "-c", piped], capture_output=True, text=True, check=True)
    assert (1, True, "") == (done.stdout.count("\n"), done.stdout.startswith(expected), done.stderr)


def _on_a_terminal(*argv: str, **environment: str) -> str:
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm-256color", "COLUMNS": "100", **environment})
        os.execv(sys.executable, [*PROGRAM, *argv])  # noqa: S606
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:  # how Linux says that the other side has closed
        pass
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown.decode()


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets them, unless NO_COLOR is set; a pipe never does."""
    coloured, plain = _on_a_terminal("explain", "70009"), _on_a_terminal("explain", "70009", NO_COLOR="1")
    piped = subprocess.run([*PROGRAM, "explain", "70009"], capture_output=True, text=True, check=True).stdout
    assert "\x1b[1m70009" in coloured
    assert "\x1b" not in plain
    assert piped == plain.replace("\r\n", "\n")


def test_the_demo_frames_messages_on_a_terminal() -> None:
    """What the user sees stands in a frame there."""
    shown = _on_a_terminal("demo", NO_COLOR="1")
    assert "╭─ user user45, from @customer_service_account" in shown
    assert "│ [card] Presale" in shown


def test_a_forced_terminal_frames_messages_too(deskim: Deskim, monkeypatch: pytest.MonkeyPatch) -> None:
    """FORCE_COLOR makes a terminal of any stream."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "─ user user45" in deskim("demo").out


def test_a_stream_that_cannot_write_chinese_escapes_it(tmp_path: Path) -> None:
    """An ASCII terminal gets escapes, not a failure."""
    done = subprocess.run(
        [*PROGRAM, "explain", "70009"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert "\\u5bc6\\u94a5" in done.stdout


def test_the_secret_is_in_no_output_of_a_process(desk: FakeDesk) -> None:
    """Neither stream of a real process shows the key, with the traceback asked for."""
    done = subprocess.run(
        [*PROGRAM, "send", "x", "--session", "s", "--region", "mars"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DESKIM_DEBUG": "1", "DESKIM_BASE_URL": "http://nowhere.example"},
    )
    assert 2 == done.returncode
    assert "Traceback" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_an_interrupted_command_speaks_the_language_of_the_user(
    deskim: Deskim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 130 and one word."""

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deskim.cli._app.refuse_secrets", interrupted)
    monkeypatch.setenv("LANG", "zh_TW.UTF-8")
    done = deskim("demo")
    assert (130, "", "已中断\n") == (done.code, done.out, done.err)
