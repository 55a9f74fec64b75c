"""The pages of the reference, held against the code."""

from __future__ import annotations

import json
import re
import ssl
import tomllib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import attrs
import httpx
import pytest
from sybil import Sybil
from sybil.parsers.myst import CodeBlockParser

import deskim
from deskim import (
    AsyncDeskClient,
    CustomElem,
    DeskError,
    Message,
    Payload,
    RateLimit,
    RetryPolicy,
    errors,
    hooks,
    payloads,
)
from deskim._elements import KNOWN_TYPES
from deskim._settings import _ENVIRONMENT
from deskim.errors import CODES, ConfigurationError
from deskim.testing import FakeDesk
from tests.support import reference

ROOT = Path(__file__).parent.parent
HOW_TO = ROOT / "docs" / "how-to"
NAMES: dict[str, Any] = {
    **{name: getattr(payloads, name) for name in payloads.__all__},
    **{name: getattr(deskim, name) for name in deskim.__all__},
}
FORMS = {"Card", "Message", "RawElem"} | {f"{kind[3:]}" for kind in KNOWN_TYPES}


def page(name: str, folder: Path = reference.REFERENCE) -> str:
    """Return the text of a page."""
    return (folder / f"{name}.md").read_text(encoding="utf-8")


def rows(text: str) -> dict[str, list[str]]:
    """Return the rows of all tables by their first cell, without its marks of code."""
    cells = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|")
    return {first.strip("`"): rest for first, *rest in cells}


# Tables that are drawn from the code


@pytest.mark.parametrize("name", ["settings", "errors", "cli"])
def test_tables_are_what_the_code_says(name: str) -> None:
    """`python -m tests.support.reference` would change nothing on the page."""
    assert reference.written(page(name)) == page(name), "run `python -m tests.support.reference`"


@pytest.mark.parametrize("name", ["settings", "errors", "cli"])
def test_every_row_is_one_line(name: str) -> None:
    """A row that goes on in a second line would end the table on the page."""
    tables = re.findall(r"<!-- table: .+? -->\n(.*?)<!-- end of table -->", page(name), re.DOTALL)
    assert tables
    assert [] == [line for table in tables for line in table.splitlines() if not re.fullmatch(r"\|.*\|", line)]


def test_every_setting_has_its_row() -> None:
    """The constructor's settings, those of a retry policy and those of a batch are all on the page."""
    known = [*reference.client_settings(), *attrs.fields_dict(RetryPolicy), *attrs.fields_dict(RateLimit)]
    known += [*reference.documented(AsyncDeskClient.send_batch)]
    assert set(known) == rows(page("settings")).keys() & set(known)


def test_every_code_has_its_row() -> None:
    """Each ErrorCode of the table stands on the page once."""
    found = re.findall(r"^\| (\d+) \|", page("errors"), re.MULTILINE)
    assert sorted(CODES) == sorted(map(int, found))


@pytest.mark.parametrize("command", reference.NAMES)
def test_every_option_has_its_row(command: str) -> None:
    """Each command has a section, and each of its arguments and options is in it or among those that most share."""
    sections = dict(re.findall(r"^## ([\w ]+)\n(.*?)(?=^## |\Z)", page("cli"), re.MULTILINE | re.DOTALL))
    wanted = {argument.name for argument in reference.arguments(command)}
    assert wanted <= rows(sections[command]).keys() | rows(sections["Settings"]).keys()
    assert re.search(rf"^\| \[`{command}`\]", page("cli"), re.MULTILINE)


def test_exit_codes_are_on_the_page() -> None:
    """The page lists the exit codes that the command line knows."""
    from deskim.cli import _app

    known = {str(code) for code in (_app.DONE, _app.FAILED, _app.USAGE, _app.INTERRUPTED)}
    assert known == {code for code in rows(page("cli")) if code.isdigit()}


# What settings take

CONTEXT = ssl.create_default_context()
GOOD: dict[str, list[Any]] = {
    "sdk_app_id": [1],
    "secret_key": ["k"],
    "identifier": ["a b"],
    "customer_service_account": ["@a", None],
    "region": ["tokyo", deskim.Region.SEOUL],
    "base_url": ["https://a.example", "http://127.0.0.1:1", "http://localhost", "http://[::1]:1", None],
    "http_client": [httpx.AsyncClient()],
    "signature_in": ["target"],
    "proxy": ["http://user:password@a.example:1", "https://a.example", None],
    "verify": [True, False, CONTEXT],
    "max_connections": [1],
    "timeout": [1e-9],
    "deadline": [1e-9],
    "retry": [RetryPolicy(), None],
    "rate_limit": [RateLimit(0.001), RateLimit(1_000_000), None],
    "hooks": [[hooks.Hooks()]],
}
BAD: dict[str, list[Any]] = {
    "sdk_app_id": [0, "1", 1.0, True],
    "secret_key": ["", " k", 1, None],
    "identifier": ["", "a\nb", None],
    "customer_service_account": ["", 1],
    "region": ["mars", None],
    "base_url": ["http://a.example", "https://a.example/v4", "a.example", 1],
    "http_client": [httpx.Client(), httpx.AsyncClient, 1],
    "signature_in": ["url", "header"],
    "proxy": ["socks5://a.example", "", 1],
    "verify": ["ca.pem", None],
    "max_connections": [0, 1.5, True],
    "timeout": [0, -1, float("inf"), float("nan"), "1", None],
    "deadline": [0, -1, float("inf"), float("nan"), "1", None],
    "retry": [3, RetryPolicy],
    "rate_limit": [190, RateLimit],
    "hooks": [[object()], hooks.Hooks()],
}


def client(**setting: Any) -> AsyncDeskClient:
    """Return a client with one setting of the caller's."""
    return AsyncDeskClient(**{"sdk_app_id": 1, "secret_key": "k", **setting})


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_settings_take_what_the_page_says(name: str, value: Any) -> None:
    """What stands under "takes" is taken, its ends included."""
    assert isinstance(client(**{name: value}), AsyncDeskClient)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_settings_refuse_what_is_beyond(name: str, value: Any) -> None:
    """What is beyond the ends that stand under "takes" is refused, and so is what is of another kind."""
    with pytest.raises(ConfigurationError):
        client(**{name: value})


def test_what_is_tried_is_every_setting() -> None:
    """No setting of the constructor is left out of the two tests above, but `usersig`, which is tried elsewhere."""
    assert set(reference.client_settings()) - {"usersig"} == GOOD.keys() == BAD.keys()


# The environment


def test_every_variable_of_from_env_is_on_the_page() -> None:
    """Each stands in a row with the argument that it is for, and there are no others."""
    found = {name: cells[0].strip("`") for name, cells in rows(page("environment")).items() if len(cells) == 3}
    assert _ENVIRONMENT == {name: argument for name, argument in found.items() if name != "variable"}


def test_every_variable_that_the_package_names_is_on_the_page() -> None:
    """No DESKIM_ variable is read anywhere that the page does not tell of."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "deskim").rglob("*.py"))
    assert set(re.findall(r"\bDESKIM_[A-Z_]*[A-Z]\b", text)) == set(re.findall(r"`(DESKIM_\w+)`", page("environment")))


def test_every_variable_that_is_read_by_name_is_on_the_page() -> None:
    """What the source takes from os.environ by a literal name stands on the page, too."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "deskim").rglob("*.py"))
    named = re.findall(r'environ(?:\.get\(|\[)"(\w+)"', text)
    assert {"NO_COLOR", "DESKIM_DEBUG"} <= set(named)
    assert set(named) <= rows(page("environment")).keys()


# Errors


def test_every_class_of_error_has_its_row() -> None:
    """Each class that users can catch is in the table, with the delivery that it has unless it says otherwise."""
    known = {name: value for name in errors.__all__ if isinstance(value := getattr(errors, name), type)}
    classes = {name: cls for name, cls in known.items() if issubclass(cls, DeskError) and cls is not DeskError}
    found = {name: cells[0] for name, cells in rows(page("errors")).items() if name in classes}
    deliveries = {name: cls.default_delivery.value.replace("_", " ") for name, cls in classes.items()}
    deliveries["StreamError"] = "of the piece"  # it takes over what is known of the call that failed
    assert deliveries.keys() == found.keys()
    assert {name: text[: len(deliveries[name])] for name, text in found.items()} == deliveries


# The wire

BLOCKS = Sybil(parsers=[CodeBlockParser("py", evaluator=None), CodeBlockParser("json", evaluator=None)], path=str(ROOT))
PAIRS = [example.parsed for example in BLOCKS.parse(reference.REFERENCE / "wire.md")]


@pytest.mark.parametrize(("source", "wire"), [*zip(PAIRS[::2], PAIRS[1::2], strict=True)], ids=lambda text: text[:20])
def test_each_form_is_on_the_wire_as_shown(source: str, wire: str) -> None:
    """What a line of the page makes is sent as the JSON below it, and is read back from it."""
    made, shown = eval(source, dict(NAMES)), json.loads(wire)  # noqa: S307 - our own page
    message = made if isinstance(made, Message) else Message.to_session("s", made)
    read = Message.from_dict(message.to_dict())
    assert message.to_dict() == read.to_dict()
    if isinstance(made, Payload):
        assert shown == json.loads(message.to_dict()["MsgBody"][0]["MsgContent"]["Data"])
        assert [made] == [element.payload() for element in read.elements if isinstance(element, CustomElem)]
    else:
        assert shown == (message.to_dict() if message is made else message.to_dict()["MsgBody"][0])


def test_every_class_of_the_wire_is_shown() -> None:
    """Each element and each kind of payload has an example."""
    kinds = {cls.__name__ for cls in NAMES.values() if isinstance(cls, type) and issubclass(cls, Payload)}
    wanted = FORMS | kinds - {"Payload", "BotChoices"}
    assert wanted == {source.partition("(")[0].partition(".")[0] for source in PAIRS[::2]}


# The fake Desk


def test_every_fault_and_setting_of_the_fake_is_on_the_page() -> None:
    """The guide to testing names each setting of FakeDesk and each of its methods."""
    public = {name for name in vars(FakeDesk) if not name.startswith("_")} - {"client", "serve"}
    settings = {each.name for each in attrs.fields(FakeDesk) if each.init}
    text = page("testing", HOW_TO)
    assert set() == {name for name in public if f"fake.{name}" not in text and f"{name}=" not in text}
    assert set() == {name for name in settings if f"{name}=" not in text}


# Pieces that need a package which the tests do not have


class Stream:
    """Be what the packages of language models give: an async context manager over pieces."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = pieces

    @property
    def text_stream(self) -> Stream:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def __aiter__(self) -> AsyncIterator[Any]:
        for piece in self.pieces:
            yield piece


async def _completions(**_: object) -> Stream:
    choices = [[SimpleNamespace(delta=SimpleNamespace(content=text))] for text in ("one ", None, "two")]
    return Stream(*[SimpleNamespace(choices=each) for each in (*choices, [])])


CLIENT = SimpleNamespace(
    chat=SimpleNamespace(completions=SimpleNamespace(create=_completions)),
    messages=SimpleNamespace(stream=lambda **_: Stream("one ", "two")),
)
MODELS = [example.parsed for example in BLOCKS.parse(HOW_TO / "llm.md")]


@pytest.mark.anyio
@pytest.mark.parametrize("source", MODELS, ids=["openai", "anthropic"])
async def test_a_model_of_each_package_gives_its_text(source: str) -> None:
    """What the page puts in the place of the stand-in yields the text of chunks that have the package's shape."""
    namespace: dict[str, Any] = {"AsyncGenerator": AsyncGenerator, "client": CLIENT, "MODEL": "a model"}
    exec(source, namespace)  # noqa: S102 - our own page
    assert "one two" == "".join([text async for text in namespace["ask_model"]("Where is my parcel?")])


# The picture of the rooms


def test_the_picture_shows_every_room_in_the_order_of_its_imports() -> None:
    """From top to bottom it has the layers that the linter holds, the rooms of each in the linter's order."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    picture = (ROOT / "docs" / "explanation" / "rooms.svg").read_text(encoding="utf-8")
    shown = [re.split(r" · | → ", line) for line in re.findall(r'class="room name"[^>]*>(.+?)<', picture)]
    wanted = [re.findall(r"\w+", layer) for layer in layers]
    place = {room: number for number, rooms in enumerate(wanted) for room in rooms}
    assert sorted(place) == sorted(room for line in shown for room in line)
    places = [place[room] for line in shown for room in line]
    assert sorted(places) == places
