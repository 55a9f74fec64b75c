"""How `deskim batch` reads and sends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, TypeAlias

from attrs import asdict, frozen
from cyclopts import Group, Parameter

from deskim._client import AsyncDeskClient
from deskim._rate import RateLimit
from deskim.cli._items import Columns, CsvRows, Items, JsonLines, Template
from deskim.cli._lines import LineReader, check_encoding
from deskim.cli._screen import UsageError
from deskim.cli._settings import Settings
from deskim.cli._source import Source

READING = Group("Reading", sort_key=1)
SENDING = Group("Sending", sort_key=2)


def _reading(text: str) -> Parameter:
    return Parameter(help=text, group=READING)


def _sending(text: str) -> Parameter:
    return Parameter(help=text, group=SENDING)


@frozen(kw_only=True)
class Reading:
    """Say what the lines of the file are."""

    text: Annotated[str | None, _reading("For CSV: the text, with columns in braces, such as 'Hello {name}'.")] = None
    to_column: Annotated[str | None, _reading("For CSV: the column of the user to send to.")] = None
    session_column: Annotated[str | None, _reading("For CSV: the column of the session to send into.")] = None
    key_column: Annotated[str | None, _reading("For CSV: the column of your own id of the message.")] = None
    delimiter: Annotated[str, _reading("For CSV: what separates the fields; a comma by default.")] = ","
    encoding: Annotated[str, _reading("The encoding: utf-8 by default, with or without a byte order mark.")] = "utf-8"

    def check(self, file: str) -> None:
        """Raise ``UsageError`` for a table without what makes messages of its rows."""
        if self.text is None and Path(file).suffix.lower() in (".csv", ".tsv"):
            raise UsageError(f"{file} looks like a table: for CSV give --text and --to-column (or --session-column)")

    def source(self, file: BinaryIO) -> Source:
        """Return what reads messages from a file; raises ``UsageError`` for options that do not go together."""
        return Source(file, LineReader(check_encoding(self.encoding)), self.items())

    def items(self) -> Items:
        """Return what makes messages of lines: a table where a text is given, else JSON."""
        columns = Columns(self.to_column, self.session_column, self.key_column)
        if self.text is None:
            if columns.names():
                raise UsageError("a CSV file needs the text: --text 'Hello {name}'")
            return JsonLines()
        if (self.to_column is None) == (self.session_column is None):
            raise UsageError("say which column names the recipient: --to-column or --session-column")
        if len(self.delimiter) != 1:
            raise UsageError("--delimiter takes one character")
        return CsvRows(columns, Template.read(self.text), self.delimiter)


@frozen(kw_only=True)
class Sending:
    """Say how the messages are sent."""

    from_account: Annotated[
        str | None,
        Parameter(
            name="--from",
            help="The customer service account that sends to users [env DESKIM_CUSTOMER_SERVICE_ACCOUNT].",
            group=SENDING,
        ),
    ] = None
    concurrency: Annotated[int, _sending("How many are under way at a time; 32 by default.")] = 32
    rate: Annotated[str, _sending("How many start in a second, or `none`; 190 by default.")] = "190"
    journal: Annotated[
        Path | None, _sending("A file that records each message, so that a run that ended early can go on.")
    ] = None
    on_unknown: Annotated[
        Literal["report", "resend", "stop"],
        _sending("What to do about a message whose fate is unknown and that is too old to be repeated safely."),
    ] = "report"
    stop_after_failures: Annotated[int | None, _sending("Stop after so many failed messages.")] = None
    max_outage: Annotated[
        float, _sending("How long nothing may get through before the batch stops, in seconds; 300 by default.")
    ] = 300.0
    deadline: Annotated[float | None, _sending("How long one message may take, in seconds.")] = None

    def limit(self) -> RateLimit | None:
        """Return the pace; raises ``UsageError``."""
        if self.rate == "none":
            return None
        try:
            return RateLimit(float(self.rate))
        except ValueError:
            raise UsageError(f"--rate takes a number of messages a second, or none, not {self.rate!r}") from None

    def options(self) -> dict[str, Any]:
        """Return the settings of the batch itself."""
        return asdict(self, filter=lambda attribute, _: attribute.name not in {"rate", "from_account"})

    def sender(self, settings: Settings) -> str | None:
        """Return who sends to users where a message does not say it."""
        return self.from_account or settings.value("customer_service_account")

    def client(self, settings: Settings) -> AsyncDeskClient:
        """Return a client of this pace, with a connection for each message under way."""
        return settings.client(
            customer_service_account=self.sender(settings),
            rate_limit=self.limit(),
            max_connections=max(64, self.concurrency),
        )


ReadingOptions: TypeAlias = Annotated[Reading | None, Parameter(name="*")]
SendingOptions: TypeAlias = Annotated[Sending | None, Parameter(name="*")]
