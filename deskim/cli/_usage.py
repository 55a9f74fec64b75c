"""What is wrong with a command line, in the user's own language."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

from attrs import frozen
from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from deskim.cli._words import Language


@frozen
class Said:
    """Hold the sentences of one language."""

    unused: str
    unknown_option: str
    meant: str
    unknown_command: str
    not_taken: str
    choices: str
    missing: str
    repeated: str
    kinds: Mapping[object, str]
    hints: Mapping[str, str]


SAID: Mapping[Language, Said] = {
    "en": Said(
        unused="{0} does not take: {1}",
        unknown_option="there is no option {0}",
        meant="; did you mean {0}?",
        unknown_command="there is no command {0!r}: the commands are {1}",
        not_taken="{0} takes {1}, not {2!r}",
        choices="one of {0}",
        missing="{0} needs a value",
        repeated="{0} is given more than once",
        kinds={int: "a whole number", float: "a number"},
        hints={
            "send": " (put a text of several words in quotes)",
            "usersig": " (whose UserSig it is, --identifier says)",
            "batch": " (it takes one file)",
        },
    ),
    "zh": Said(
        unused="{0} 不接受：{1}",
        unknown_option="没有选项 {0}",
        meant="；是否指 {0}？",
        unknown_command="没有命令 {0!r}：可用命令为 {1}",
        not_taken="{0} 需要{1}，而不是 {2!r}",
        choices="以下之一：{0}",
        missing="{0} 需要一个值",
        repeated="{0} 重复给出",
        kinds={int: "整数", float: "数字"},
        hints={
            "send": "（含多个词的文本请加引号）",
            "usersig": "（账号用 --identifier 指定）",
            "batch": "（只接受一个文件）",
        },
    ),
}


def explain_usage(error: CycloptsError, tongue: Language) -> str:
    """Return what is wrong with a command line; what has no words here is said in the parser's own."""
    for kind, say in _SAY.items():
        if isinstance(error, kind):
            return say(error, SAID[tongue]) or str(error)
    return str(error)


def _unused(error: Any, said: Said) -> str:
    command = " ".join(error.command_chain or ())
    return said.unused.format(command or "deskim", " ".join(error.unused_tokens)) + said.hints.get(command, "")


def _unknown_option(error: Any, said: Said) -> str:
    option = error.token.keyword or error.token.value
    names = [name for argument in error.argument_collection for name in argument.names]
    return said.unknown_option.format(option) + _meant(option, names, said)


def _unknown_command(error: Any, said: Said) -> str:
    names = [name for name in error.app if not name.startswith("-")]
    word = error.unused_tokens[0]
    return said.unknown_command.format(word, ", ".join(names)) + _meant(word, names, said)


def _meant(word: str, names: Collection[str], said: Said) -> str:
    meant = get_close_matches(word, names, n=1)
    return said.meant.format(meant[0]) if meant else ""


def _not_taken(error: Any, said: Said) -> str:
    """Return what an option takes; nothing for a kind of value that has no words here."""
    if get_origin(error.target_type) is Literal:
        kind = said.choices.format(", ".join(map(str, get_args(error.target_type))))
    else:
        kind = said.kinds.get(error.target_type, "")
    return said.not_taken.format(_name(error), kind, error.token.value) if kind and error.token else ""


def _missing(error: Any, said: Said) -> str:
    return said.missing.format(error.argument.name)


def _repeated(error: Any, said: Said) -> str:
    return said.repeated.format(error.token.keyword) if error.token.keyword else ""


def _name(error: Any) -> str:
    keyword: str | None = error.token and error.token.keyword
    return keyword or error.argument.name.lstrip("-").upper()


_SAY: Mapping[type[CycloptsError], Callable[[Any, Said], str]] = {
    UnusedCliTokensError: _unused,
    UnknownOptionError: _unknown_option,
    UnknownCommandError: _unknown_command,
    CoercionError: _not_taken,
    MissingArgumentError: _missing,
    RepeatArgumentError: _repeated,
}
