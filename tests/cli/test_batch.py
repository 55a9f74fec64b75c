from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deskim.cli._progress import SHOWN_FAILURES
from deskim.testing import FakeDesk

from .conftest import SECRET, Deskim

PROGRAM = [sys.executable, "-W", "error", "-m", "deskim"]


def _write(path: Path, rows: Sequence[object]) -> None:
    text = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(f"{line}\n" for line in text), encoding="utf-8")


def _users(count: int) -> list[dict[str, str]]:
    return [{"to": f"user{number}", "text": f"hello {number}"} for number in range(count)]


def _rows(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def jsonl(tmp_path: Path) -> Path:
    """Have a file of 20 messages."""
    path = tmp_path / "in.jsonl"
    _write(path, _users(20))
    return path


def test_a_file_is_sent(deskim: Deskim, desk: FakeDesk, jsonl: Path) -> None:
    """Each line once, and one line of summary on stdout."""
    done = deskim("batch", "in.jsonl", "--rate", "none")
    assert (0, "") == (done.code, done.err)
    assert re.fullmatch(r"20 sent, 0 rejected, 0 not sent, 0 unknown in \d+\.\d s \(\d+/s\)\n", done.out)
    assert [row["to"] for row in _users(20)] == sorted(
        (m.to_account or "" for m in desk.messages), key=lambda u: int(u[4:])
    )
    assert {"@service"} == {message.from_account for message in desk.messages}


def test_bad_lines_and_refusals_are_told_and_the_rest_is_sent(deskim: Deskim, desk: FakeDesk, tmp_path: Path) -> None:
    """Exit code 1; each bad line has its number and reason, each refusal its line."""
    _write(tmp_path / "in.jsonl", [*_users(2), "nonsense", "", {"to": "u", "txt": "x"}, {"to": "late", "text": "x"}])
    desk.fail_next(141005)
    done = deskim("batch", "in.jsonl", "--concurrency", "1")
    assert 1 == done.code
    assert "line 3: not JSON: " in done.err
    assert "line 5: unknown field 'txt'" in done.err
    assert "line 1: rejected: Desk answered with code 141005" in done.err
    assert done.out.startswith("2 sent, 1 rejected, 2 not sent, 0 unknown in ")
    assert ["user1", "late"] == [message.to_account for message in desk.messages]


def test_results_are_written(deskim: Deskim, desk: FakeDesk, tmp_path: Path) -> None:
    """One object a line: where it stood, to whom, what is known, and the error where there is one."""
    _write(tmp_path / "in.jsonl", ["", {"session": "s", "text": "a", "key": "k1", "msg_random": 5}, "bad", *_users(1)])
    desk.fail_next(141005, info="gone")
    deskim("batch", "in.jsonl", "--output", "out.jsonl", "--concurrency", "1")
    first, second, third = sorted(_rows("out.jsonl"), key=lambda row: row["line"])
    assert {"line": 2, "key": "k1", "session": "s", "delivery": "rejected", "msg_random": 5, "code": 141005} == {
        name: first[name] for name in ("line", "key", "session", "delivery", "msg_random", "code")
    }
    assert "Desk says: gone" in first["error"]
    assert (3, "not_sent", True) == (second["line"], second["delivery"], second["error"].startswith("line 3: not JSON"))
    assert (4, "user0", "sent", 1, False) == tuple(third[n] for n in ("line", "to", "delivery", "attempts", "resent"))
    assert "error" not in third


def test_results_on_standard_output(deskim: Deskim, desk: FakeDesk, jsonl: Path) -> None:
    """Then the summary goes to stderr."""
    done = deskim("batch", "in.jsonl", "--output", "-", "--rate", "none")
    assert [*range(1, 21)] == sorted(json.loads(line)["line"] for line in done.out.splitlines())
    assert done.err.startswith("20 sent, ")


def test_a_table_is_sent(deskim: Deskim, desk: FakeDesk, tmp_path: Path) -> None:
    """The columns fill the text; the encoding is the one that was named."""
    (tmp_path / "in.csv").write_bytes("to,name\r\nu1,张三\r\nu2,李四\r\n".encode("gb18030"))
    done = deskim(
        "batch", "in.csv", "--text", "你好 {name}", "--to-column", "to", "--encoding", "gb18030", "--from", "@me"
    )
    assert 0 == done.code
    assert {("u1", "@me", "你好 张三"), ("u2", "@me", "你好 李四")} == {
        (message.to_account, message.from_account, message.text) for message in desk.messages
    }


def test_standard_input_is_sent(deskim: Deskim, desk: FakeDesk) -> None:
    """`-` reads it."""
    assert 0 == deskim("batch", "-", stdin=b'{"session": "s", "text": "x"}').code
    assert ["x"] == [message.text for message in desk.messages]


def test_a_pipe_is_sent_as_it_comes(desk: FakeDesk) -> None:
    """A line is on its way before the next is written; the summary comes when the pipe ends."""
    with subprocess.Popen([*PROGRAM, "batch", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        for number in range(3):
            program.stdin.write(b'{"session": "s", "text": "x"}\n')
            program.stdin.flush()
            while len(desk.messages) <= number:
                time.sleep(0.01)
        out, _ = program.communicate(timeout=20)
    assert out.startswith(b"3 sent, ")
    assert 0 == program.returncode


def test_a_dry_run_sends_nothing_and_finds_everything(deskim: Deskim, desk: FakeDesk, tmp_path: Path) -> None:
    """Bad lines, messages that are too large, and users without a sender; no credentials are needed."""
    _write(tmp_path / "in.jsonl", [*_users(2), "bad", {"session": "s", "text": "x" * 13_000}])
    done = deskim("batch", "in.jsonl", "--dry-run")
    assert (1, "2 messages can be sent, 2 cannot; nothing was sent\n") == (done.code, done.out)
    assert "line 3: not JSON" in done.err
    assert "line 4: MsgBody is 13," in done.err
    _write(tmp_path / "in.jsonl", _users(2))
    assert (0, "2 messages can be sent, 0 cannot; nothing was sent\n") == (
        (again := deskim("batch", "in.jsonl", "--dry-run")).code,
        again.out,
    )
    assert [] == desk.requests


def test_a_dry_run_without_a_sender(deskim: Deskim, tmp_path: Path) -> None:
    """Messages to users need one: `--from`, or the environment."""
    _write(tmp_path / "in.jsonl", _users(1))
    assert "line 1: a message to a user has a customer service account" in deskim("batch", "in.jsonl", "--dry-run").err
    assert 0 == deskim("batch", "in.jsonl", "--dry-run", "--from", "@me").code


def test_strict_refuses_to_start(deskim: Deskim, desk: FakeDesk, tmp_path: Path) -> None:
    """With one bad line nothing is sent, exit code 2; without one, everything is."""
    _write(tmp_path / "in.jsonl", [*_users(3), "bad"])
    done = deskim("batch", "in.jsonl", "--strict")
    assert (2, "") == (done.code, done.out)
    assert "line 4: not JSON" in done.err
    assert "1 of 4 messages cannot be sent: nothing was sent" in done.err
    assert [] == desk.requests
    _write(tmp_path / "in.jsonl", _users(3))
    assert 0 == deskim("batch", "in.jsonl", "--strict").code
    assert 3 == len(desk.messages)


def test_many_failures_are_not_all_told(deskim: Deskim, desk: FakeDesk, tmp_path: Path) -> None:
    """After some, a line says where the others are; bad lines are told all the same."""
    count = SHOWN_FAILURES + 10
    _write(tmp_path / "in.jsonl", [*_users(count), *["bad"] * count])
    desk.fail_next(141005, times=count)
    done = deskim("batch", "in.jsonl", "--output", "out.jsonl")
    assert SHOWN_FAILURES == done.err.count(": rejected: ")
    assert 1 == done.err.count("--output FILE has them all")
    assert count == done.err.count(": not JSON: ")
    assert 2 * count == len(_rows("out.jsonl"))


def test_a_journal_lets_the_same_command_go_on(deskim: Deskim, desk: FakeDesk, jsonl: Path) -> None:
    """What stopped early says why and how to go on; the second run sends the rest alone, and a third nothing."""
    command = ("batch", "in.jsonl", "--journal", "j.db", "--concurrency", "1", "--stop-after-failures", "1")
    assert 0 == deskim("send", "warm", "--session", "s").code
    desk.delay_next(0, times=5)
    desk.fail_next(141005)
    first = deskim(*command)
    assert 1 == first.code
    assert "stopped early: 1 items failed" in first.err
    assert "j.db knows what was sent: the same command goes on from there" in first.err
    second = deskim(*command)
    assert (1, 19) == (second.code, len(desk.messages) - 1)
    assert re.match(r"19 sent( \(\d+ by an earlier run\))?, 1 rejected, 0 not sent, 0 unknown", second.out)
    assert 20 == len({message.to_account for message in desk.messages})
    before = len(desk.requests)
    assert deskim(*command).out.startswith("19 sent (19 by an earlier run), 1 rejected")
    assert before == len(desk.requests)


def test_a_journal_of_another_input_is_told_once(deskim: Deskim, desk: FakeDesk, jsonl: Path) -> None:
    """The reason concerns the file, not each of its lines."""
    assert 0 == deskim("batch", "in.jsonl", "--journal", "j.db", "--rate", "none").code
    _write(jsonl, [{"to": f"user{number}", "text": "another"} for number in range(20)])
    done = deskim("batch", "in.jsonl", "--journal", "j.db", "--rate", "none")
    assert (2, "", 1) == (done.code, done.out, done.err.count("\n"))
    assert "error: the journal 'j.db' belongs to another input: " in done.err
    assert 20 == len(desk.messages)


def test_a_reason_that_many_share_is_told_once(deskim: Deskim, desk: FakeDesk, jsonl: Path) -> None:
    """Further lines name the first one that has it; another reason is told in full."""
    assert 0 == deskim("send", "warm", "--session", "s").code
    desk.fail_next(141005, times=3)
    desk.fail_next(80001)
    done = deskim("batch", "in.jsonl", "--concurrency", "1")
    first, second, third, other, *_ = done.err.splitlines()
    assert first.startswith("line 1: rejected: Desk answered with code 141005")
    assert ["line 2: rejected: as line 1", "line 3: rejected: as line 1"] == [second, third]
    assert other.startswith("line 4: rejected: Desk answered with code 80001")


def test_what_concerns_every_message_stops_the_batch(
    deskim: Deskim, desk: FakeDesk, jsonl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong key does not fail twenty times; without a journal the hint says so."""
    monkeypatch.setenv("DESKIM_SECRET_KEY", "not the key")
    done = deskim("batch", "in.jsonl", "--concurrency", "1")
    assert (1, 1) == (done.code, len(desk.requests))
    assert "stopped early: Desk answered with code 70009" in done.err
    assert "without --journal there is no record" in done.err


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["none.jsonl"], "cannot read none.jsonl: No such file"),
        (["."], "cannot read .: Is a directory"),
        (["in.jsonl", "--to-column", "to"], "a CSV file needs the text: --text"),
        (["in.jsonl", "--text", "x"], "--to-column or --session-column"),
        (["in.jsonl", "--text", "x", "--to-column", "a", "--session-column", "b"], "--to-column or --session-column"),
        (["in.jsonl", "--text", "x", "--to-column", "a", "--delimiter", "ab"], "--delimiter takes one character"),
        (["in.jsonl", "--text", "{a:9}", "--to-column", "a"], "names of columns in braces"),
        (["in.jsonl", "--text", "{a}", "--to-column", "a"], "there is no column a"),
        (["in.jsonl", "--encoding", "klingon"], "'klingon' is no encoding"),
        (["in.jsonl", "--rate", "fast"], "--rate takes a number"),
        (["in.jsonl", "--rate", "-1"], "per_second"),
        (["in.jsonl", "--concurrency", "0"], "concurrency"),
        (["in.jsonl", "--output", "no/where"], "cannot write no/where: No such file"),
        (["-", "--strict"], "--strict reads the input twice: give a file, not a pipe"),
        (["in.jsonl", "--journal", "no/where.db"], "no/where.db"),
        (["in.jsonl", "--max-outage", "-1"], "error: --max-outage must be a number of seconds from 0"),
        (["in.jsonl", "--deadline", "-1"], "error: --deadline must be a number of seconds above 0"),
        (["in.jsonl", "--on-unknown", "ask"], "--on-unknown takes one of report, resend, stop, not 'ask'"),
        (["in.jsonl", "in.jsonl"], "error: batch does not take: in.jsonl (it takes one file)"),
        (["users.csv"], "users.csv looks like a table: for CSV give --text and --to-column (or --session-column)"),
        (["Users.TSV"], "Users.TSV looks like a table"),
        ([], "FILE needs a value"),
    ],
)
def test_a_batch_that_cannot_be_run(deskim: Deskim, desk: FakeDesk, jsonl: Path, argv: list[str], reason: str) -> None:
    """Exit code 2, the reason, and nothing sent."""
    done = deskim("batch", *argv)
    assert (2, "") == (done.code, done.out)
    assert reason in done.err
    assert "Traceback" not in done.err
    assert [] == desk.requests


def _interrupted(desk: FakeDesk, argv: list[str], after: int) -> tuple[int, str]:
    """Run a batch as a program of its own and press Ctrl-C once so many messages have arrived."""
    with subprocess.Popen([*PROGRAM, "batch", *argv], stderr=subprocess.PIPE, text=True) as program:
        while len(desk.messages) < after:
            time.sleep(0.01)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=30)
    return program.returncode, err


def test_ctrl_c_says_how_to_go_on(deskim: Deskim, desk: FakeDesk, tmp_path: Path) -> None:
    """Exit code 130, the counts and the hint; the same command then sends the rest, and nobody is sent to twice."""
    _write(tmp_path / "in.jsonl", _users(120))
    argv = ["in.jsonl", "--journal", "j.db", "--rate", "60"]
    code, err = _interrupted(desk, argv, after=10)
    assert 130 == code
    assert re.search(r"^\d+ sent, 0 rejected, \d+ not sent, 0 unknown in ", err, re.MULTILINE)
    assert "j.db knows what was sent: the same command goes on from there\ninterrupted\n" in err
    assert "Traceback" not in err
    assert len(desk.messages) < 120
    done = deskim("batch", "in.jsonl", "--journal", "j.db", "--rate", "none")
    assert 0 == done.code
    assert re.match(r"120 sent \(\d+ by an earlier run\), ", done.out)
    assert sorted(row["to"] for row in _users(120)) == sorted(message.to_account or "" for message in desk.messages)


def test_ctrl_c_in_this_process(deskim: Deskim, desk: FakeDesk, tmp_path: Path) -> None:
    """What is under way is brought to its end and counted."""
    _write(tmp_path / "in.jsonl", _users(120))

    def press() -> None:
        while len(desk.messages) < 5:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    finger = threading.Thread(target=press)
    finger.start()
    done = deskim("batch", "in.jsonl", "--rate", "60", "--output", "out.jsonl")
    finger.join()
    sent = sum(row["delivery"] == "sent" for row in _rows("out.jsonl"))
    assert 130 == done.code
    assert done.err.splitlines()[-3].startswith(f"{sent} sent, 0 rejected, ")
    assert len(desk.messages) == sent


def test_ctrl_c_without_a_journal_warns(desk: FakeDesk, tmp_path: Path) -> None:
    """There is no record to go on from, and it says so."""
    _write(tmp_path / "in.jsonl", _users(120))
    code, err = _interrupted(desk, ["in.jsonl", "--rate", "60"], after=5)
    assert 130 == code
    assert "without --journal there is no record of what was sent" in err


def test_a_terminal_shows_a_bar(desk: FakeDesk, tmp_path: Path) -> None:
    """With counts, rate and the time left; bad lines stand above it, the summary below."""
    _write(tmp_path / "in.jsonl", [*_users(60), "bad"])
    shown = _on_a_terminal([*PROGRAM, "batch", "in.jsonl", "--rate", "60"])
    assert re.search(r"━ *\d+/61 \d+/s \d:\d\d:\d\d \d failed", shown)
    assert "line 61: not JSON" in shown
    assert "60 sent, 0 rejected, 1 not sent, 0 unknown in " in shown


def test_the_bar_in_this_process(
    deskim: Deskim, desk: FakeDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that counts as a terminal gets the bar, and the summary on stdout is as ever; so it is for a pipe."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    _write(tmp_path / "in.jsonl", _users(30))
    done = deskim("batch", "in.jsonl", "--rate", "100")
    assert "/30" in done.err
    assert "30 sent, " in done.out
    stdin = "".join(json.dumps(row) + "\n" for row in _users(30)).encode()
    assert "/?" in deskim("batch", "-", "--rate", "100", stdin=stdin).err


def _on_a_terminal(command: list[str]) -> str:
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm-256color", "COLUMNS": "100", "NO_COLOR": "1"})
        os.execv(command[0], command)  # noqa: S606
    shown = b""
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:  # how Linux says that the other side has closed
        pass
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown.decode()


def test_a_file_is_read_as_it_is_sent(desk: FakeDesk, deskim: Deskim, tmp_path: Path) -> None:
    """A named pipe that is never closed shows it: what was written so far arrives."""
    os.mkfifo(tmp_path / "pipe")

    def write() -> None:
        with (tmp_path / "pipe").open("w") as pipe:
            for number in range(3):
                pipe.write(json.dumps({"to": f"u{number}", "text": "x"}) + "\n")
                pipe.flush()
                while len(desk.messages) <= number:
                    time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    assert 0 == deskim("batch", "pipe").code
    writer.join()
    assert ["u0", "u1", "u2"] == [message.to_account for message in desk.messages]


def test_no_output_of_a_batch_holds_the_secret(desk: FakeDesk, tmp_path: Path, deskim: Deskim) -> None:
    """Neither the results nor the journal do, when Desk echoes what it got."""
    _write(tmp_path / "in.jsonl", _users(3))
    desk.fail_next(70003, info=f"cannot read usersig={SECRET}")
    deskim("batch", "in.jsonl", "--output", "out.jsonl", "--journal", "j.db")
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert SECRET.encode() not in written
    assert b"usersig=***" in written
