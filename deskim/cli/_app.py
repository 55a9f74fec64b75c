"""From arguments to an exit code: parse, run, and say what went wrong."""

from __future__ import annotations

import asyncio
import inspect
import os
import traceback
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

from cyclopts import App, CycloptsError, Parameter

from deskim._version import __version__
from deskim.cli._batch import batch
from deskim.cli._call import call
from deskim.cli._demo import demo
from deskim.cli._doctor import doctor
from deskim.cli._explain import explain
from deskim.cli._fake import fake
from deskim.cli._input import with_stdin
from deskim.cli._screen import MissingExtraError, UsageError, complain, forgive_odd_characters, nobody_reads
from deskim.cli._secrets import masked, refuse_secrets
from deskim.cli._send import send
from deskim.cli._usage import explain_usage
from deskim.cli._usersig import usersig
from deskim.cli._words import WORDS, advice, describe, known, language
from deskim.errors import ConfigurationError, DeskError, MessageError

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

HELP = """Send messages through Tencent Cloud Desk, and look after them.

Settings come from the environment: DESKIM_SDK_APP_ID, DESKIM_SECRET_KEY or
DESKIM_USERSIG, DESKIM_IDENTIFIER, DESKIM_REGION, DESKIM_BASE_URL,
DESKIM_CUSTOMER_SERVICE_ACCOUNT. A secret may stand in a file, never in an
argument. DESKIM_DEBUG=1 shows the traceback of an error.

Exit codes: 0 done, 1 not sent or failed, 2 usage or configuration:
nothing was tried, 130 interrupted.
"""

COMMANDS = (send, batch, call, explain, doctor, usersig, demo, fake)


def make_app() -> App:
    """Return the parser of the command line."""
    app = App(
        name="deskim",
        help=HELP,
        version=__version__,
        help_format="plaintext",
        default_parameter=Parameter(negative=(), show_default=False),
    )
    for command in COMMANDS:
        app.command(command)
    return app


def run(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code; nothing but a bug of Python's own gets past it."""
    forgive_odd_characters()
    try:
        return _run(list(argv))
    except KeyboardInterrupt:
        complain(WORDS[language()].interrupted)
        return INTERRUPTED
    except BrokenPipeError:
        nobody_reads()
        return FAILED
    except Exception as error:  # noqa: BLE001 - the last place where it can be said in one line
        return _report(error, argv)


def _run(argv: list[str]) -> int:
    refuse_secrets(argv)
    command, bound, *_ = make_app().parse_args(with_stdin(argv), exit_on_error=False, print_error=False)
    result = cast("Callable[..., object]", command)(*bound.args, **bound.kwargs)
    if inspect.iscoroutine(result):
        result = asyncio.run(cast("Coroutine[Any, Any, object]", result))
    return result if isinstance(result, int) else DONE


def _report(error: Exception, argv: Sequence[str]) -> int:
    """Say what went wrong, without a traceback unless DESKIM_DEBUG asks for it; return the exit code."""
    if os.environ.get("DESKIM_DEBUG"):
        complain(masked("".join(traceback.format_exception(error))).rstrip())
    if isinstance(error, DeskError):
        return _report_desk_error(error)
    if isinstance(error, UsageError | CycloptsError):
        tongue = language()
        words, text = WORDS[tongue], explain_usage(error, tongue) if isinstance(error, CycloptsError) else str(error)
        complain(masked(f"{words.failed}{text}"), "red")
        if not isinstance(error, MissingExtraError):
            complain(words.usage.format(" ".join(["deskim", *_command_name(argv)])))
        return USAGE
    complain(masked(f"error inside deskim: {type(error).__name__}: {error} (DESKIM_DEBUG=1 shows more)"), "red")
    return FAILED


def _command_name(argv: Sequence[str]) -> list[str]:
    return [word for word in argv[:1] if word in {command.__name__ for command in COMMANDS}]


def _report_desk_error(error: DeskError) -> int:
    tongue = language()
    complain(masked(WORDS[tongue].failed + describe(error, tongue)), "red")
    if isinstance(error, ConfigurationError):
        return USAGE
    complain(known(error, tongue))
    if more := advice(error, tongue):
        complain(more)
    untried = isinstance(error, MessageError) and error.code is None
    return USAGE if untried else FAILED
