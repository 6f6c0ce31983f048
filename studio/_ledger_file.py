"""The SQLite file behind a ledger: its tables, a connection a thread, transactions, errors in plain words.

It knows SQLite and nothing of what the jobs mean.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from studio.errors import StorageError

BUSY_TIMEOUT_S = 30.0
VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  id INTEGER PRIMARY KEY, number INTEGER NOT NULL, line INTEGER NOT NULL DEFAULT 0,
  content_key TEXT NOT NULL, batch_key TEXT NOT NULL, request TEXT NOT NULL,
  generation INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'queued',
  attempts INTEGER NOT NULL DEFAULT 0, owner TEXT, lease_until REAL,
  progress REAL NOT NULL DEFAULT 0, preview TEXT, result TEXT, seconds REAL,
  notes TEXT NOT NULL DEFAULT '[]', error TEXT, traceback TEXT, created REAL NOT NULL, finished REAL,
  UNIQUE (number, content_key));
CREATE INDEX IF NOT EXISTS by_turn ON jobs (state, attempts, id);
CREATE INDEX IF NOT EXISTS by_batch ON jobs (state, attempts, batch_key, id);
CREATE INDEX IF NOT EXISTS by_number ON jobs (generation, number);
CREATE INDEX IF NOT EXISTS by_state ON jobs (generation, state);
"""
_STAGE = """
CREATE TEMP TABLE incoming (number INTEGER, line INTEGER, content_key TEXT, batch_key TEXT, request TEXT,
  created REAL)
"""


class LedgerFile:
    """The file at `path`, which is made when it is missing. Raises StorageError when it cannot be used."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._local = threading.local()
        self._open: weakref.WeakSet[_Connection] = weakref.WeakSet()
        with self._transaction() as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise StorageError(f"{self.path}: was written by another version of the studio")
            for statement in filter(str.strip, _SCHEMA.split(";")):
                database.execute(statement)
            database.execute(f"PRAGMA user_version={VERSION}")

    def close(self) -> None:
        """Close every thread's connection. They open again when they are used again."""
        for connection in list(self._open):
            connection.close()
        self._local = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection()
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {_reason(error)}") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back already
                    database.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _staged(self, rows: Iterable[Sequence[Any]]) -> Iterator[sqlite3.Connection]:
        """A transaction with `rows` in the table `incoming`. They are collected there first, because making
        them may take long and others wait while a transaction is open."""
        with self._reading() as database:
            database.execute("DROP TABLE IF EXISTS temp.incoming")
            database.execute(_STAGE)
            try:
                database.executemany("INSERT INTO incoming VALUES (?,?,?,?,?,?)", rows)
                with self._transaction():
                    yield database
            finally:
                database.execute("DROP TABLE temp.incoming")

    def _connection(self) -> sqlite3.Connection:
        held: _Connection | None = getattr(self._local, "held", None)
        if held is None:
            held = self._local.held = _Connection(self.path)
            self._open.add(held)
        return held.database


class _Connection:
    """One thread's connection; it closes when its thread ends."""

    def __init__(self, path: Path) -> None:
        self.database = _connected(path)

    def close(self) -> None:
        self.database.close()

    def __del__(self) -> None:
        if hasattr(self, "database"):
            self.database.close()


def _connected(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path.parent}: cannot be made ({error.strerror or error})") from error
    database = sqlite3.connect(path, BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")  # a power cut may undo the last commits
    except sqlite3.Error:
        database.close()
        raise
    return database


def _reason(error: sqlite3.Error) -> str:
    text = str(error)
    return {"database or disk is full": "cannot be written (disk full)"}.get(text, text)
