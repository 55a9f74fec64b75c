"""Tables of the reference that are drawn from the code: ``python -m tests.support.reference`` writes them anew.

On a page, a table stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
from cyclopts import Argument

from deskim import AsyncDeskClient, RateLimit, RetryPolicy
from deskim.cli._app import COMMANDS, make_app
from deskim.cli._settings import GROUP
from deskim.errors import CODES, ErrorCode, RetryKind, from_code

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

_PLACE = re.compile(r"(<!-- table: (.+?) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)
_FIELD = re.compile(r"^ *:(?:param|ivar) (\w+): (.*?)(?=^ *:(?:param|ivar)|\n\n|\Z)", re.DOTALL | re.MULTILINE)
NAMES = [command.__name__ for command in COMMANDS]


def written(page: str) -> str:
    """Return a page with its tables as the code says."""
    return _PLACE.sub(lambda place: f"{place[1]}{_table(place[2])}{place[4]}", page)


def _table(name: str) -> str:
    kind, _, of = name.partition(" ")
    return TABLES[kind](of)


def _rows(head: str, rows: Iterable[Iterable[str]]) -> str:
    titles = head.split(" | ")
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


# Settings; what they take is tried in tests/test_docs_reference.py

_SECONDS, _SECONDS_0, _COUNT = "seconds above 0", "seconds from 0", "a whole number from 1"
TAKES: Mapping[str, str] = {
    "sdk_app_id": _COUNT,
    "secret_key": "text without white space around it, or none where `usersig` is given",
    "usersig": "text or what is awaited for it, or none where `secret_key` is given",
    "identifier": "text of one line",
    "customer_service_account": "text",
    "region": "a {class}`~deskim.Region` or its name",
    "base_url": "scheme and host: `https`, or `http` for this machine",
    "http_client": "an `AsyncClient`, open for as long as it is used",
    "signature_in": '`"target"`; `"url"` with `http_client` alone',
    "proxy": "an `http` or `https` URL; not with `http_client`",
    "verify": "`True`, `False`, an `SSLContext`; not with `http_client`",
    "max_connections": _COUNT,
    "timeout": _SECONDS,
    "deadline": _SECONDS,
    "retry": "a {class}`~deskim.RetryPolicy`, or `None`",
    "rate_limit": "a {class}`~deskim.RateLimit`, a {class}`~deskim.Pacer`, or `None`",
    "hooks": "a list of {class}`~deskim.hooks.Hooks`, whose methods are not `async`",
}
RETRY_TAKES: Mapping[str, str] = {
    "max_attempts": _COUNT,
    "dedup_window": _SECONDS_0,
    "retry_unknown": "`True` or `False`",
    "transient_base": _SECONDS_0,
    "transient_cap": _SECONDS_0,
    "throttle_base": _SECONDS_0,
    "throttle_cap": _SECONDS_0,
    "max_retry_after": _SECONDS_0,
    "retry_codes": "a mapping of codes to {class}`~deskim.errors.RetryKind`",
}
BATCH_TAKES: Mapping[str, str] = {
    "messages": "any iterable of {class}`~deskim.Message`",
    "concurrency": _COUNT,
    "journal": "a path",
    "on_unknown": '`"report"`, `"resend"` or `"stop"`',
    "on_outcome": "a function, plain or `async`",
    "stop_after_failures": _COUNT,
    "max_outage": _SECONDS_0,
    "deadline": _SECONDS,
}


def documented(cls: Any) -> dict[str, str]:
    """Return what the docstring of a class or a function says of each parameter or field."""
    return {name: _markdown(" ".join(text.split())) for name, text in _FIELD.findall(inspect.getdoc(cls) or "")}


def _markdown(text: str) -> str:
    text = re.sub(r":(\w+):`([A-Z]\w+)`", r"{\1}`~deskim.\2`", text).replace("``", "`")
    return text.removesuffix("; or").rstrip(".;")


def client_settings() -> Mapping[str, inspect.Parameter]:
    """Return the settings of the client by name."""
    return inspect.signature(AsyncDeskClient).parameters


def _settings(_: str) -> str:
    said = documented(AsyncDeskClient)
    rows = ([f"`{name}`", _default(each), _meaning(said, TAKES, name)] for name, each in client_settings().items())
    return _rows("setting | default | meaning, and what it takes", rows)


def _meaning(said: Mapping[str, str], takes: Mapping[str, str], name: str) -> str:
    return f"{said[name][0].upper()}{said[name][1:]}. Takes {takes[name]}."


def _default(setting: inspect.Parameter) -> str:
    default = setting.default
    if default is inspect.Parameter.empty:
        return "required"
    if default in (RetryPolicy(), RateLimit(190)):
        return f"`{type(default).__name__}({'' if default == RetryPolicy() else 190})`"
    return f'`"{default}"`' if isinstance(default, str) else f"`{default!r}`"


def _retry(_: str) -> str:
    said, empty = documented(RetryPolicy), RetryPolicy()
    names = attrs.fields_dict(RetryPolicy)
    rows = ([f"`{name}`", f"`{getattr(empty, name)!r}`", _meaning(said, RETRY_TAKES, name)] for name in names)
    return _rows("setting | default | meaning, and what it takes", rows)


def _batch(_: str) -> str:
    said, known = documented(AsyncDeskClient.send_batch), inspect.signature(AsyncDeskClient.send_batch).parameters
    rows = ([f"`{name}`", _default(known[name]), _meaning(said, BATCH_TAKES, name)] for name in said)
    return _rows("argument | default | meaning, and what it takes", rows)


# Errors

_KINDS: Mapping[RetryKind, str] = {
    RetryKind.NEVER: "no",
    RetryKind.TRANSIENT: "yes, soon",
    RetryKind.THROTTLED: "yes, slower",
    RetryKind.RENEW: "once, signed anew",
    RetryKind.LATER: "no; in minutes",
    RetryKind.LOCKED: "no; after 60 s",
}


def _codes(numbers: str) -> str:
    first, last = map(int, numbers.split("-"))
    rows = (_code(row) for code, row in sorted(CODES.items()) if first <= code <= last)
    return _rows("code | meaning, and what to do | error | delivery | tried again", rows)


def _code(row: ErrorCode) -> list[str]:
    what = f"{row.meaning[0].upper()}{row.meaning[1:]}. {row.advice} ({row.page})"
    again = _KINDS[row.retry] + ("; ends a batch" if row.fatal else "")
    return [str(row.code), what, f"`{row.error.__name__}`", from_code(row.code).delivery.value.replace("_", " "), again]


# Command line


def arguments(command: str) -> list[Argument]:
    """Return the arguments and options of a command that `--help` shows."""
    return [each for each in make_app()[command].assemble_argument_collection(parse_docstring=True) if each.show]


def _is_shared(argument: Argument) -> bool:
    return GROUP in (argument.parameter.group or ())


def _options(command: str) -> str:
    return _explained("argument", (each for each in arguments(command) if not _is_shared(each)))


def _connection(_: str) -> str:
    tables = {_explained("option", filter(_is_shared, arguments(name))) for name in NAMES} - {_explained("option", ())}
    assert 1 == len(tables), "the commands differ in how they connect"
    return tables.pop()


def _explained(head: str, given: Iterable[Argument]) -> str:
    rows = (
        [f"`{each.name}`", f"{_line(each.parameter.help)}{' Required.' if each.required else ''}"] for each in given
    )
    return _rows(f"{head} | meaning", rows)


def _line(text: str | None) -> str:
    return " ".join(str(text).split())  # a row ends where its line does


TABLES: Mapping[str, Callable[[str], str]] = {
    "settings": _settings,
    "retry": _retry,
    "batch": _batch,
    "codes": _codes,
    "options": _options,
    "connection": _connection,
}


def main() -> None:
    """Write the tables into the pages."""
    for page in REFERENCE.glob("*.md"):
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
