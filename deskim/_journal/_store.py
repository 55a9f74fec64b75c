"""The journal's file: an SQLite database that one process at a time may open. Nothing here is asynchronous.

WAL with synchronous=FULL: what a commit returned for survives a killed process and a power cut. The exclusive locking
mode keeps a second process out, and its lock goes with the process that holds it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from attrs import field, frozen

from deskim.errors import ConfigurationError, DeskError, MessageError

APPLICATION_ID = 0x6465736B  # "desk", in the header of the file
VERSION = 1

SCHEMA = f"""
CREATE TABLE journal (scope TEXT NOT NULL, run INTEGER NOT NULL);
CREATE TABLE items (
    id NOT NULL PRIMARY KEY,    -- the item's key (text), or its position (integer)
    position INTEGER NOT NULL,
    run INTEGER NOT NULL,
    digest BLOB NOT NULL,
    msg_random INTEGER NOT NULL,
    state TEXT NOT NULL,
    first_sent REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    code INTEGER,
    info TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX items_position ON items (position);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""  # an item without a row is queued

Id: TypeAlias = "str | int"


class State(StrEnum):
    """Say how far an item got."""

    SENDING = "sending"
    SENT = "sent"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


@frozen
class Entry:
    """Name an item: its key or position, and what it says apart from the MsgRandom."""

    id: Id
    position: int
    digest: bytes
    msg_random: int


@frozen
class Row:
    """Tell what earlier runs left of an item; ``first_sent`` is wall-clock time in seconds."""

    digest: bytes
    run: int
    msg_random: int
    state: State = field(converter=State)
    first_sent: float
    attempts: int
    code: int | None
    info: str
    error: str


@frozen(kw_only=True)
class Result:
    """Say what to write down about an item."""

    state: State
    attempts: int = 0
    code: int | None = None
    info: str = ""
    error: str = ""


class Store:
    """Read and write one journal; to be used by one thread."""

    def __init__(self, path: str, scope: str) -> None:
        self._path, self._scope = path, scope
        self._run = 0
        self._db: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, make it if need be, and lock it; raises ``ConfigurationError`` for what cannot be used."""
        if not self._path or not Path(self._path).parent.is_dir():
            raise ConfigurationError(f"the journal {self._path!r} cannot be made: there is no such directory")
        try:
            self._db = self._prepared(sqlite3.connect(self._path, isolation_level=None, timeout=0))
        except sqlite3.Error as error:
            raise ConfigurationError(f"the journal {self._path!r} cannot be used: {_plain(error)}") from None

    def _prepared(self, db: sqlite3.Connection) -> sqlite3.Connection:
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA journal_mode = WAL").fetchone()
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            self._check(db)
            db.execute("UPDATE journal SET run = run + 1")
            self._run = db.execute("SELECT run FROM journal").fetchone()[0]
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _check(self, db: sqlite3.Connection) -> None:
        empty = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        mine = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        if not empty and not mine:
            raise ConfigurationError(f"{self._path!r} is another program's database: give another path for the journal")
        if empty:
            for statement in SCHEMA.split(";\n"):
                db.execute(statement)
            db.execute("INSERT INTO journal VALUES (?, 0)", (self._scope,))
        self._check_content(db)

    def _check_content(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            raise ConfigurationError(
                f"the journal {self._path!r} is of version {version}; this deskim writes {VERSION}"
            )
        if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("database disk image is malformed")
        scope = db.execute("SELECT scope FROM journal").fetchone()[0]
        if scope != self._scope:
            raise ConfigurationError(f"the journal {self._path!r} belongs to {scope}, and this client is {self._scope}")

    def apply(self, steps: Sequence[Callable[[], Any]]) -> list[Any]:
        """Take steps as one transaction; return what each returned, or the ``DeskError`` that it raised."""
        db = self._opened()
        try:
            db.execute("BEGIN")
            results = [_outcome_of(step) for step in steps]
            db.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, the file's last transaction did not come about
            self.abandon()
            raise DeskError(f"the journal {self._path!r} cannot be written: {_plain(error)}") from None
        return results

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            raise DeskError(f"the journal {self._path!r} is closed")
        return self._db

    def claim(self, entry: Entry, now: float) -> Row | None:
        """Put an item down as being sent, and return ``None``; or return what earlier runs left of it, unchanged."""
        row = self._find(entry.id)
        if row is None:
            self._insert(entry, now)
            return None
        if row.run == self._run:
            raise MessageError(
                f"the key {entry.id!r} stands in the input more than once: an item needs a key of its own"
            )
        if row.digest != entry.digest:
            raise self._other_input(entry)
        self._opened().execute(
            "UPDATE items SET run = ?, position = ? WHERE id = ?", (self._run, entry.position, entry.id)
        )
        return row

    def _find(self, id_: Id) -> Row | None:
        columns = "digest, run, msg_random, state, first_sent, attempts, code, info, error"
        found: Any = self._opened().execute(f"SELECT {columns} FROM items WHERE id = ?", (id_,)).fetchone()  # noqa: S608 - constants
        return None if found is None else Row(*found)

    def _insert(self, entry: Entry, now: float) -> None:
        db, other_kind = self._opened(), "integer" if isinstance(entry.id, str) else "text"
        query = "SELECT 1 FROM items WHERE position = ? AND run < ? AND typeof(id) = ?"
        if db.execute(query, (entry.position, self._run, other_kind)).fetchone():
            raise self._other_input(entry)
        columns = "id, position, run, digest, msg_random, state, first_sent"
        values = (entry.id, entry.position, self._run, entry.digest, entry.msg_random, State.SENDING, now)
        db.execute(f"INSERT INTO items ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608 - constants

    def _other_input(self, entry: Entry) -> ConfigurationError:
        return ConfigurationError(
            f"the journal {self._path!r} belongs to another input: it holds another message for item {entry.position} "
            f"({entry.id!r}); give each input a journal of its own"
        )

    def reopen(self, id_: Id, first_sent: float) -> None:
        """Put an item down as being sent, its first attempt having begun at ``first_sent``."""
        statement = "UPDATE items SET state = ?, first_sent = ? WHERE id = ?"
        self._opened().execute(statement, (State.SENDING, first_sent, id_))

    def write(self, id_: Id, result: Result) -> None:
        """Put down what became of an item."""
        statement = "UPDATE items SET state = ?, attempts = attempts + ?, code = ?, info = ?, error = ? WHERE id = ?"
        values = (result.state, result.attempts, result.code, result.info, result.error, id_)
        self._opened().execute(statement, values)

    def abandon(self) -> None:
        """Close the file as it is; what was not committed is gone."""
        db, self._db = self._db, None
        if db is not None:
            db.close()


def _outcome_of(step: Callable[[], Any]) -> Any:
    try:
        return step()
    except DeskError as error:
        return error


_MEANINGS = {
    sqlite3.SQLITE_BUSY: "another process has it open; wait for that one, or give another path",
    sqlite3.SQLITE_NOTADB: "the file is not a journal; give another path",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; put it aside and keep it: it tells what was sent",
    sqlite3.SQLITE_FULL: "the disk is full; make room and run the batch again with the same journal",
    sqlite3.SQLITE_READONLY: "the file or its directory is read-only; give a path that can be written",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; give a path that can be read and written",
}


def _plain(error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        code = sqlite3.SQLITE_CORRUPT if "malformed" in str(error) else 0
    return f"{_MEANINGS.get(code & 0xFF, 'SQLite failed')} ({error})"  # the low byte is the primary code
