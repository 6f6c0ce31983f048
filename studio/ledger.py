"""Jobs in one SQLite file: what is to be rendered, who is at it, what came of it.

    queued --claim--> leased --finish--> done
                        |---fail-------> failed      (retry puts it back)
    queued, leased --cancel--> cancelled

It knows nothing of prompts or pipelines: a job is a request as plain values and a key that says which jobs
may share a batch. A worker holds its jobs on a lease; when it dies, they go back into the queue. Any number
of threads and processes on one machine may use the same file.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from studio._ledger_file import LedgerFile
from studio._ledger_job import CANCELLED, COLUMNS, DONE, FAILED, LEASED, QUEUED, STATES, Job, NewJob
from studio._ledger_owner import is_dead
from studio.request import RenderRequest

__all__ = ["CANCELLED", "DONE", "FAILED", "LEASED", "QUEUED", "STATES", "Job", "Ledger", "NewJob"]
MAX_ATTEMPTS = 3
LEASE_S = 60.0
PAGE_ROWS = 256

_BACK = "state='queued', owner=NULL, lease_until=NULL, progress=0, preview=NULL, finished=NULL"
# A row that was changed is rendered under the same number, perhaps over the old file.
_REPLACE = (  # "+" keeps SQLite from searching all that is done
    "UPDATE jobs SET state='cancelled', error='replaced by a changed row' "
    "WHERE number=? AND id<>? AND +state='done'"
)
_CURRENT = "generation=(SELECT MAX(generation) FROM jobs)"
_UPSERT = (
    "INSERT INTO jobs (number, line, content_key, batch_key, request, created, generation) "
    "SELECT number, line, content_key, batch_key, request, created, "
    "(SELECT COALESCE(MAX(generation), 0) + 1 FROM jobs) FROM incoming WHERE 1 "
    "ON CONFLICT (number, content_key) DO UPDATE SET line=excluded.line, generation=excluded.generation, "
    "attempts=CASE state WHEN 'cancelled' THEN 0 ELSE attempts END, "
    "error=CASE state WHEN 'cancelled' THEN NULL ELSE error END, "
    "state=CASE state WHEN 'cancelled' THEN 'queued' ELSE state END"
)


class Ledger(LedgerFile):
    """The jobs in the file at `path`, which is made when it is missing. Raises StorageError."""

    # ---- adding

    def enqueue(self, request: RenderRequest) -> int:
        """Add one request at the end of the queue; its number is its id, which is returned."""
        return self.add(NewJob.of(request))

    def add(self, job: NewJob) -> int:
        """Add one job at the end of the queue; its number is its id, which is returned."""
        with self._transaction() as database:
            top = "SELECT COALESCE(MAX(MAX(id), MAX(number)), 0) FROM jobs"
            highest = database.execute(top).fetchone()[0]
            database.execute(
                "INSERT INTO jobs (id, number, content_key, batch_key, request, created) "
                "VALUES (?,?,?,?,?,?)",
                (highest + 1, highest + 1, job.content_key, job.batch_key, job.request, time.time()),
            )
        return int(highest) + 1

    def sync(self, jobs: Iterable[NewJob]) -> int:
        """Make the jobs of a file the current ones, all at once, and return how many open ones it dropped.

        A job that is there already (same number and content) keeps its state, except that a cancelled one is
        queued again. A queued or leased job that is no longer named is cancelled, whoever holds it and
        whether they live or not; nothing is ever deleted. `jobs` may be a generator of any length; an error
        it raises leaves the ledger as it was.
        """
        now = time.time()
        rows = ((job.number, job.line, job.content_key, job.batch_key, job.request, now) for job in jobs)
        with self._staged(rows) as database:
            database.execute(_UPSERT)
            moved = database.execute(
                "UPDATE jobs SET state='cancelled', owner=NULL, lease_until=NULL, preview=NULL, "
                "error='no longer in the prompts file' "
                "WHERE state IN ('queued', 'leased') AND generation<(SELECT MAX(generation) FROM jobs)"
            )
            return moved.rowcount

    # ---- working

    def claim(self, owner: str, count: int, lease_s: float = LEASE_S) -> list[Job]:
        """Up to `count` queued jobs that share a batch key, now leased to `owner`; empty when none is queued.

        Jobs that were tried before come last and alone, so that a job which brings the process down takes
        no neighbour along.
        """
        with self._transaction() as database:
            first = database.execute(
                "SELECT attempts, batch_key FROM jobs WHERE state='queued' ORDER BY attempts, id LIMIT 1"
            ).fetchone()
            if first is None:
                return []
            limit = count if first[0] == 0 else 1
            found = database.execute(
                "UPDATE jobs SET state='leased', owner=?, lease_until=?, attempts=attempts+1, progress=0, "
                "preview=NULL, error=NULL, traceback=NULL WHERE id IN (SELECT id FROM jobs "
                "WHERE state='queued' AND attempts=? AND batch_key=? ORDER BY id LIMIT ?) "
                f"RETURNING {COLUMNS}",
                (owner, time.time() + lease_s, *first, limit),
            ).fetchall()
            database.executemany(_REPLACE, [(row[1], row[0]) for row in found])
        return sorted(map(Job.of_row, found), key=lambda job: job.id)

    def heartbeat(self, owner: str, lease_s: float = LEASE_S) -> None:
        """Hold on to everything leased to `owner` for another `lease_s` seconds."""
        self._write(
            "UPDATE jobs SET lease_until=? WHERE state='leased' AND owner=?", (time.time() + lease_s, owner)
        )

    def reclaim(self) -> int:
        """Put the jobs of dead workers back into the queue and return how many.

        A job whose worker died MAX_ATTEMPTS times is failed: it is what kills them.
        """
        with self._transaction() as database:
            gone, whose = _gone(database)
            why = f"the worker died {MAX_ATTEMPTS} times while rendering this"
            database.execute(
                f"UPDATE jobs SET state='failed', finished=?, error=? WHERE {gone} AND attempts>=?",
                (time.time(), why, *whose, MAX_ATTEMPTS),
            )
            moved = database.execute(f"UPDATE jobs SET {_BACK} WHERE {gone}", whose)
            return moved.rowcount

    def abandon(self, owner: str, why: str) -> int:
        """Cancel the jobs of dead workers other than `owner`, instead of queueing them again, and return how
        many: for long work, which a person takes up again with `retry`."""
        with self._transaction() as database:
            gone, whose = _gone(database)
            moved = database.execute(
                "UPDATE jobs SET state='cancelled', owner=NULL, lease_until=NULL, finished=?, error=? "
                f"WHERE {gone} AND owner<>?",
                (time.time(), why, *whose, owner),
            )
            return moved.rowcount

    def progress(self, ids: Sequence[int], fraction: float) -> None:
        """Note how far leased jobs have come, in [0, 1]."""
        marks = ",".join("?" * len(ids))
        self._write(f"UPDATE jobs SET progress=? WHERE state='leased' AND id IN ({marks})", (fraction, *ids))

    def preview(self, job_id: int, path: Path | str) -> None:
        """Note where the newest preview picture of a leased job is."""
        self._write("UPDATE jobs SET preview=? WHERE state='leased' AND id=?", (str(path), job_id))

    def finish(
        self, job_id: int, owner: str, result: Path | str, seconds: float | None, notes: Sequence[str] = ()
    ) -> bool:
        """Mark a job of `owner` as done. False when the job is no longer theirs (cancelled or lost)."""
        return self._write(
            "UPDATE jobs SET state='done', progress=1, preview=NULL, owner=NULL, lease_until=NULL, "
            "error=NULL, traceback=NULL, result=?, seconds=?, notes=?, finished=? "
            "WHERE id=? AND state='leased' AND owner=?",
            (str(result), seconds, json.dumps(list(notes)), time.time(), job_id, owner),
        )

    def render_again(self, job: Job, result: Path | str) -> bool:
        """Queue the current job of a row again, because the late result of `job`, which is no longer its
        owner's, may lie over its file. True when there is one that is done under that name, or under way."""
        return self._write(
            f"UPDATE jobs SET {_BACK}, result=NULL, attempts=MAX(attempts-1, 0) WHERE number=? AND id<>? "
            f"AND (state='leased' OR (state='done' AND result=?)) AND {_CURRENT}",
            (job.number, job.id, str(result)),
        )

    def fail(self, job_id: int, owner: str, error: str, traceback: str, again: bool = False) -> None:
        """Mark a job as failed; with `again` it is queued once more while it has attempts left."""
        left = f"AND attempts<{MAX_ATTEMPTS}" if again else "AND 0"
        with self._transaction() as database:
            what = (error, traceback, job_id, owner)
            mine = "WHERE id=? AND state='leased' AND owner=?"
            database.execute(f"UPDATE jobs SET {_BACK}, error=?, traceback=? {mine} {left}", what)
            database.execute(
                "UPDATE jobs SET state='failed', owner=NULL, lease_until=NULL, preview=NULL, error=?, "
                f"traceback=?, finished=? {mine}",
                (error, traceback, time.time(), job_id, owner),
            )

    def release(self, owner: str) -> int:
        """Put everything leased to `owner` back into the queue as if it had not been tried."""
        with self._transaction() as database:
            moved = database.execute(
                f"UPDATE jobs SET {_BACK}, attempts=MAX(attempts-1, 0) WHERE state='leased' AND owner=?",
                (owner,),
            )
            return moved.rowcount

    def owned(self, owner: str) -> set[int]:
        """The ids leased to `owner` now: what was cancelled meanwhile is not among them."""
        with self._reading() as database:
            found = database.execute("SELECT id FROM jobs WHERE state='leased' AND owner=?", (owner,))
            return {row[0] for row in found}

    # ---- asking for changes

    def cancel(self, job_id: int, why: str | None = None) -> bool:
        """Cancel a job that is queued or being rendered; its worker stops within a step."""
        return self._write(
            "UPDATE jobs SET state='cancelled', finished=?, preview=NULL, error=COALESCE(?, error) "
            "WHERE id=? AND state IN ('queued', 'leased')",
            (time.time(), why, job_id),
        )

    def retry(self, job_id: int) -> bool:
        """Queue a failed, cancelled or done job again, with all its attempts."""
        return self._write(
            f"UPDATE jobs SET {_BACK}, attempts=0, result=NULL, error=NULL, traceback=NULL WHERE id=? "
            "AND state IN ('failed', 'cancelled', 'done')",
            (job_id,),
        )

    def retry_failed(self) -> int:
        """Queue every failed job of the current generation again, and return how many."""
        with self._transaction() as database:
            moved = database.execute(
                f"UPDATE jobs SET {_BACK}, attempts=0, error=NULL, traceback=NULL WHERE state='failed' "
                f"AND {_CURRENT}"
            )
            return moved.rowcount

    # ---- looking

    def job(self, job_id: int) -> Job | None:
        """The job of that id."""
        with self._reading() as database:
            row = database.execute(f"SELECT {COLUMNS} FROM jobs WHERE id=?", (job_id,)).fetchone()
        return Job.of_row(row) if row else None

    def counts(self, current: bool = False) -> dict[str, int]:
        """How many jobs are in each state; `current`: only those of the file that was synced last."""
        where = f"WHERE {_CURRENT}" if current else ""
        with self._reading() as database:
            found = database.execute(f"SELECT state, COUNT(*) FROM jobs {where} GROUP BY state").fetchall()
        return {**dict.fromkeys(STATES, 0), **dict(found)}

    def is_busy(self) -> bool:
        """True while a job is queued or leased, whoever holds it."""
        with self._reading() as database:
            found = database.execute("SELECT 1 FROM jobs WHERE state IN ('queued', 'leased') LIMIT 1")
            return found.fetchone() is not None

    def jobs(self, state: str | None = None, newest: bool = False) -> Iterator[Job]:
        """Jobs by id (newest first if so asked), a page at a time, so that any number fits in memory."""
        after, sign, order = (2**62, "<", "DESC") if newest else (0, ">", "ASC")
        where = f"id{sign}:after AND (:state IS NULL OR state=:state) ORDER BY id {order}"
        return self._pages(where, {"after": after, "state": state}, key=0)

    def rows(self) -> Iterator[Job]:
        """The jobs of the file that was synced last, by number."""
        return self._pages(f"number>:after AND {_CURRENT} ORDER BY number", {"after": -1}, key=1)

    def left_over(self) -> Iterator[Job]:
        """Jobs of earlier files whose result is not that of a current job."""
        other = (
            f"SELECT 1 FROM jobs AS now WHERE now.number=jobs.number AND now.{_CURRENT} "
            "AND now.result=jobs.result"
        )
        where = f"id>:after AND result IS NOT NULL AND NOT {_CURRENT} AND NOT EXISTS ({other}) ORDER BY id"
        return self._pages(where, {"after": 0}, key=0)

    def _pages(self, where: str, values: dict[str, Any], key: int) -> Iterator[Job]:
        query = f"SELECT {COLUMNS} FROM jobs WHERE {where} LIMIT {PAGE_ROWS}"
        while True:
            with self._reading() as database:
                page = database.execute(query, values).fetchall()
            if not page:
                return
            yield from map(Job.of_row, page)
            values["after"] = page[-1][key]

    def _write(self, statement: str, values: Sequence[Any]) -> bool:
        with self._transaction() as database:
            return database.execute(statement, values).rowcount > 0


def _gone(database: sqlite3.Connection) -> tuple[str, list[Any]]:
    """The condition, with its values, that finds the jobs whose worker is dead."""
    owners = database.execute("SELECT DISTINCT owner FROM jobs WHERE state='leased'").fetchall()
    dead = [owner for (owner,) in owners if is_dead(owner)]
    marks = ",".join("?" * len(dead))
    return f"state='leased' AND (lease_until<? OR owner IN ({marks}))", [time.time(), *dead]
