from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.pages import walking
from tests.pages.judging import difference
from tests.pages.reading import PageError, read
from tests.pages.walking import walk

Follow: TypeAlias = Callable[[str], None]
ROOT = Path(__file__).parents[2]
PATIENCE = 20.0  # a page that is right never waits for it


@pytest.fixture
def follow(tmp_path: Path) -> Follow:
    """Follow a page from an empty directory."""
    desk, memory = tmp_path / "a desk", tmp_path / "memory"
    desk.mkdir()
    memory.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    return lambda page: walk(read(page), desk, memory, environment, PATIENCE)


HONEST = """
Save this as `hello.sh`:

```sh
echo "hello, $NAME"
```

```bash
export NAME=world
mkdir bot && cd bot
```

The name is kept, and so is the directory:

```bash
sh ../hello.sh; basename "$PWD"
```

```text
hello, world
bot
```
"""


def test_an_honest_page_is_believed(follow: Follow) -> None:
    """Files are saved, and a terminal keeps its directory and its variables."""
    follow(HONEST)


@pytest.mark.parametrize(
    ("truth", "lie"),
    [
        ("hello, world", "hello, word"),
        ("\nbot\n", "\n"),
        ("\nbot\n", "\nbot\nand more\n"),
        ("export NAME=world", "export NAME=another"),
        ("`hello.sh`:", "`hallo.sh`:"),
        ("mkdir bot", "mkdir missing/bot"),
    ],
)
def test_a_lie_is_found(follow: Follow, truth: str, lie: str) -> None:
    """A page that shows another output, or whose commands or files are others, is not believed."""
    with pytest.raises(PageError):
        follow(HONEST.replace(truth, lie, 1))


def test_a_lie_is_shown_line_by_line(follow: Follow) -> None:
    """The error names the line of the page, and what it says beside what is shown."""
    with pytest.raises(PageError) as caught:
        follow(HONEST.replace("hello, world", "hello, word"))
    told = str(caught.value)
    assert told.startswith("line 19: terminal 1 does not show what the page says")
    assert "-hello, word\n+hello, world\n bot" in told


SERVER = """
Terminal 1 serves:

<!-- keeps running -->
```bash
trap 'echo "bye"; exit' INT
echo ready; while true; do sleep 0.01; test -e ../letter && cat ../letter && rm ../letter; done
```

```text
ready
```

In terminal 2:

```bash
echo "dear bot" > letter.new && mv letter.new ../letter
```

Terminal 1 shows:

```text
dear bot
```

<!-- Ctrl-C in terminal 1 -->

```text
bye
```
"""


def test_a_server_is_watched_from_another_terminal(follow: Follow) -> None:
    """A command that keeps running shows what happens to it, until Ctrl-C ends it."""
    follow(SERVER)


def test_what_the_server_does_not_show_is_missed(follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is not believed when the other terminal shows something else."""
    monkeypatch.setattr(walking, "_SHOWN_WITHIN", 0.5)
    with pytest.raises(PageError, match="terminal 1 does not show"):
        follow(SERVER.replace("```text\ndear bot", "```text\ndear cat"))


def test_an_exit_code_must_be_announced(follow: Follow) -> None:
    """A command may fail only where the page says so, and then it must."""
    page = "<!-- exit code 3 -->\n```bash\necho no; exit 3\n```\n```text\nno\n```\n"
    follow(page)
    with pytest.raises(PageError, match="ends with exit code 3 and shows\nno"):
        follow(page.replace("<!-- exit code 3 -->", ""))
    with pytest.raises(PageError, match="ends with exit code 0"):
        follow(page.replace("exit 3", "exit 0"))


def test_what_is_not_run_says_why(follow: Follow) -> None:
    """A block is left out with a reason; a bare marker leaves nothing out."""
    page = "{}\n```bash\nfalse\n```\n\n```bash\necho yes\n```\n```text\nyes\n```\n"
    follow(page.format("<!-- not run: it fails -->"))
    with pytest.raises(PageError, match="line 2: the command ends with exit code 1"):
        follow(page.format("<!-- not run -->"))


def test_a_page_without_output_is_refused(follow: Follow) -> None:
    """Nothing compared is nothing shown."""
    with pytest.raises(PageError, match="nothing to compare"):
        follow("```bash\ntrue\n```\n")


def test_a_program_without_a_name_is_refused() -> None:
    """A reader would not know where to put it."""
    with pytest.raises(PageError, match="line 3: the paragraph before a program"):
        read("Look at `bot.py`, it is short.\n\n```python\nprint()\n```\n")


def test_ports_of_a_page_are_free_ones(follow: Follow) -> None:
    """A port that the page names is replaced by one and the same free one, wherever it stands."""
    follow(
        "```bash\necho serve --port 8000\necho http://host:8000\n```\n```text\nserve --port 8000\nhttp://host:8000\n```\n"
    )


def test_the_environment_is_the_readers(follow: Follow) -> None:
    """A page sets variables, and nothing of the tests' own environment is known."""
    follow('<!-- LANG=zh_CN.UTF-8 -->\n```bash\necho "$LANG $PYTEST_CURRENT_TEST."\n```\n```text\nzh_CN.UTF-8 .\n```\n')


SAYS = """
10:15:42  sent: 1 attempt, 12 ms, MsgRandom 2871938231
3 sent in 0.3 s (12/s)
...
the end
"""


@pytest.mark.parametrize("between", ["", "one\n", "one\ntwo\n"])
def test_what_differs_from_run_to_run_is_not_compared(between: str) -> None:
    """Times, durations, rates and random numbers may differ, and dots stand for any lines."""
    shows = f"23:59:59  sent: 1 attempt, 7 ms, MsgRandom 1\n3 sent in 11.0 s (1/s)\n{between}the end\n"
    assert difference(SAYS, shows) == ""


@pytest.mark.parametrize(
    ("said", "shown"),
    [("1 attempt,", "2 attempts,"), ("3 sent", "2 sent"), (" ms", " s"), ("the end", ""), ("MsgRandom", "MsgKey")],
)
def test_what_matters_is_compared(said: str, shown: str) -> None:
    """Counts, units and words may not differ."""
    assert difference(SAYS, SAYS.replace(said, shown)) != ""


@pytest.mark.parametrize(
    ("english", "chinese"), [("README.md", "README.zh.md"), ("docs/tutorial/index.md", "docs/tutorial/zh.md")]
)
def test_both_languages_show_the_same_code(english: str, chinese: str) -> None:
    """The commands, the programs and what they print are equal, and so is where they run and which file is which."""
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in (english, chinese)]
    blocks = [re.findall(r"^```.+?^```$", page, re.DOTALL | re.MULTILINE) for page in pages]
    assert blocks[0] == blocks[1]
    steps = [[(step.kind, step.terminal, step.name, step.text) for step in read(page).steps] for page in pages]
    assert steps[0] == steps[1]
