"""How a file of decisions is opened: its schema is made or compared, and what may be done with it is limited."""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path
from urllib.parse import quote

from arttl.errors import ArttlError

APPLICATION_ID = 0x61727464  # "artd"
VERSION = 1
LONGEST_CELL = 2**20
"""Bytes of a cell of the table."""

_SECONDS = 10.0  # that another process may take for a save
_TABLE = """CREATE TABLE decisions (
  id INTEGER PRIMARY KEY,
  time TEXT NOT NULL,
  object_number TEXT NOT NULL,
  key TEXT NOT NULL,
  institution TEXT NOT NULL,
  task TEXT NOT NULL,
  catalogued TEXT NOT NULL,
  suggested TEXT NOT NULL,
  probability REAL,
  verdict TEXT NOT NULL,
  labels TEXT NOT NULL,
  reviewer TEXT NOT NULL,
  model TEXT NOT NULL,
  blind INTEGER NOT NULL,
  undoes INTEGER UNIQUE REFERENCES decisions (id)
)"""
_INDEX = "CREATE INDEX decisions_of_object ON decisions (object_number, task, key)"
_SCHEMA = {
    ("table", "decisions", "decisions", _TABLE),
    ("index", "decisions_of_object", "decisions", _INDEX),
    ("index", "sqlite_autoindex_decisions_1", "decisions", None),
}
_ALLOWED = (
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_TRANSACTION,
    sqlite3.SQLITE_FUNCTION,
)


def check_header(path: Path, flag: str) -> None:
    """Refuse what is no database before SQLite touches it.

    Raises:
        ArttlError: if it is none.
    """
    try:
        with path.open("rb") as file:
            header = file.read(16)
    except OSError as error:
        raise ArttlError(f"{flag} {path} cannot be read: {error.strerror}") from error
    if header != b"SQLite format 3\0":
        raise ArttlError(f"{flag} {path} is not a file of decisions; name another")


def connected(path: Path, *, is_read_only: bool, flag: str) -> sqlite3.Connection:
    """A connection that may do nothing but select and insert; in a new or empty file the table is made.

    Args:
        path: of the file.
        is_read_only: whether nothing is written.
        flag: the one that named the file.

    Raises:
        ArttlError: if it is no file of decisions, or of another version.
        sqlite3.Error: if SQLite cannot open it.
    """
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            return _connected(path, is_read_only, flag)
        except sqlite3.OperationalError as error:
            # SQLite waits for other processes by itself, but not where a file becomes one with a write-ahead log.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _connected(path: Path, is_read_only: bool, flag: str) -> sqlite3.Connection:
    connection = _opened(path, is_read_only)
    try:
        _limit(connection)
        if not is_read_only:
            _make_table(connection)
        _check_table(connection, path, flag)
        if not is_read_only:
            if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
                raise ArttlError(
                    f"{flag} {path}: its file system cannot keep a write-ahead log; use a local disk"
                )
            connection.execute("PRAGMA synchronous=FULL")
        connection.set_authorizer(_authorize)
    except BaseException:
        connection.close()
        raise
    return connection


def _opened(path: Path, is_read_only: bool) -> sqlite3.Connection:
    address = f"file:{quote(str(path.absolute()))}?mode={'ro' if is_read_only else 'rwc'}"

    def connect(address: str) -> sqlite3.Connection:
        return sqlite3.connect(
            address, uri=True, timeout=_SECONDS, isolation_level=None, check_same_thread=False
        )

    connection = connect(address)
    if is_read_only and not path.with_name(path.name + "-wal").exists():
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema")
        except sqlite3.OperationalError:
            # The folder cannot be written, and has no log that would have to be read.
            connection.close()
            connection = connect(f"{address}&immutable=1")
    return connection


def _limit(connection: sqlite3.Connection) -> None:
    """Distrust what a stranger may have written."""
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW, False)
    if sys.version_info >= (3, 11):
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_CELL)


def _make_table(connection: sqlite3.Connection) -> None:
    """Make the table where there is none; another process may be doing so at the same time."""
    if _tables(connection):
        return
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    if not _tables(connection):
        connection.execute(_TABLE)
        connection.execute(_INDEX)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("COMMIT")


def _tables(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])


def _check_table(connection: sqlite3.Connection, path: Path, flag: str) -> None:
    (identity,) = connection.execute("PRAGMA application_id").fetchone()
    if identity != APPLICATION_ID:
        raise ArttlError(f"{flag} {path} is a database of another program; name another file")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise ArttlError(f"{flag} {path} has decisions of format {version}; this version reads {VERSION}")
    if {*connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")} != _SCHEMA:
        raise ArttlError(f"{flag} {path} has other tables than a file of decisions; it is not used")


def _authorize(
    action: int, first: str | None, second: str | None, schema: str | None, cause: str | None
) -> int:
    """Let a statement select and insert, and nothing else: nothing is deleted, by whatever mistake of ours."""
    return sqlite3.SQLITE_OK if action in _ALLOWED and cause is None else sqlite3.SQLITE_DENY
