"""A prompts file rendered into a folder, as a run that can be stopped at any moment and started again.

The folder has the pictures, `ledger.sqlite` (what is done), `manifest.jsonl` (a line for each row) and
`index.html` (a contact sheet). It knows how a file becomes jobs and a folder becomes a run; how a job is
rendered, it does not.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from studio.companions import is_whole
from studio.contact_sheet import write_contact_sheet
from studio.errors import Cancelled, InputError, StorageError
from studio.ledger import DONE, FAILED, QUEUED, STATES, Ledger, NewJob
from studio.manifest import write_manifest
from studio.prompts import Problem, check_prompts, checked_rows, require_good
from studio.render import Studio
from studio.settings import Settings
from studio.storage import sweep
from studio.worker import Worker

LEDGER_NAME, MANIFEST_NAME, SHEET_NAME = "ledger.sqlite", "manifest.jsonl", "index.html"
REPORT_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a run is. `rendered` counts parts of pictures too; `eta_s` is None until there is a speed."""

    total: int
    done: int
    failed: int
    rendered: float
    seconds: float
    eta_s: float | None

    def line(self, columns: int = 79) -> str:
        """The progress as one line of text with a bar."""
        eta = "" if self.eta_s is None else f"  {_clock(self.eta_s)} left"
        failed = f"  {self.failed} failed" if self.failed else ""
        tail = f" {self.done}/{self.total}{failed}  {_clock(self.seconds)}{eta}"
        room = max(columns - len(tail) - 2, 4)
        full = round(room * min(self.rendered / max(self.total, 1), 1.0))
        return f"[{'#' * full}{'.' * (room - full)}]{tail}"[:columns]


OnProgress = Callable[[BatchProgress], None]


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """`defaults`: fields for rows that leave them open. `keep_going`: render the good rows of a file that has
    bad ones. `retry_failed`: try again what failed in an earlier run of the same folder."""

    defaults: Mapping[str, Any] = field(default_factory=dict)
    keep_going: bool = False
    retry_failed: bool = False


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What came of a run. `rendered`: pictures made by this call; `done`: all that are there now.
    `left_over`: files of rows that the prompts file no longer has; they are kept."""

    folder: Path
    total: int
    done: int
    failed: int
    cancelled: int
    rendered: int
    left_over: int
    seconds: float
    problem_count: int
    problems: tuple[Problem, ...]


def run_batch(
    path: Path | str,
    out: Path | str,
    settings: Settings | None = None,
    options: BatchOptions | None = None,
    on_progress: OnProgress | None = None,
    studio: Studio | None = None,
) -> BatchSummary:
    """Render every row of a prompts file into the folder `out`; what is there already is not rendered again.

    May be called from several processes at once. Raises PromptsFileError before anything is written;
    Cancelled after Ctrl-C (once: stops after the current step) and StorageError when the disk is full, both
    with a folder that the same call continues. A row that fails does not stop the run: see the summary.
    What `on_progress` raises does: the run ends as after Ctrl-C, and that exception comes out.
    """
    options = options or BatchOptions()
    check = check_prompts(path, options.defaults)
    require_good(path, check, options.keep_going)
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError("out", out, f"{str(folder)!r} is a file; name a folder")
    started = time.monotonic()
    with Ledger(folder / LEDGER_NAME) as ledger:
        _prepare(ledger, folder, path, options)
        before = ledger.counts(current=True)[DONE]
        worker = Worker(ledger, studio or Studio(settings), folder)
        with _stop_on_ctrl_c(worker):
            _Run(worker, on_progress, started).work()
        counts = ledger.counts(current=True)
        left_over = sum((folder / str(job.result)).is_file() for job in ledger.left_over())
    return BatchSummary(
        folder=folder,
        total=sum(counts.values()),
        done=counts[DONE],
        failed=counts[FAILED],
        cancelled=counts["cancelled"],
        rendered=counts[DONE] - before,
        left_over=left_over,
        seconds=time.monotonic() - started,
        problem_count=check.problem_count,
        problems=check.problems,
    )


def _prepare(ledger: Ledger, folder: Path, path: Path | str, options: BatchOptions) -> None:
    """Bring the ledger in line with the prompts file and with what really is in the folder."""
    rows = checked_rows(path, options.defaults, (lambda problem: None) if options.keep_going else None)
    ledger.sync(NewJob.of(row.request, row.number, row.line) for row in rows)
    ledger.reclaim()
    if options.retry_failed:
        ledger.retry_failed()
    for job in ledger.rows():
        if job.state == DONE and not is_whole(folder / str(job.result)):
            ledger.retry(job.id)
    sweep(folder)


class _Run:
    """The visible side of a run: progress for the caller, manifest and contact sheet for the folder."""

    def __init__(self, worker: Worker, on_progress: OnProgress | None, started: float) -> None:
        self._worker, self._on_progress, self._started = worker, on_progress, started
        self._ledger, self._folder = worker.ledger, worker.folder
        self._raised: Exception | None = None  # by the caller's function
        self._first: tuple[float, float] | None = None  # when rendering began, and how much was there then
        self._counts = dict.fromkeys(STATES, 0)
        self._counted = self._count_s = self._reported = self._report_s = 0.0

    def work(self) -> None:
        """Render everything; whatever stops it, leave a report and say how to go on."""
        try:
            self._report_if_possible()
            self._worker.run_until_empty(self.progress)
        except (Cancelled, StorageError) as error:
            self._report_if_possible()
            if self._raised is not None:
                raise self._raised from None
            done, total = self._counts[DONE], sum(self._counts.values())
            where = f"{done} of {total} are done, the same command goes on from there"
            raise type(error)(f"{error}; {where}") from error
        self.report()
        if self._raised is not None:
            raise self._raised

    def progress(self, under_way: float) -> None:
        """Called by the worker after every step, with the share of its jobs that is rendered."""
        now = time.monotonic()
        if now - self._counted > max(0.1, 20 * self._count_s):
            with contextlib.suppress(StorageError):
                self._count()
            self._tell(under_way, now)
        if now - self._reported > max(REPORT_EVERY_S, 20 * self._report_s):  # at most a twentieth of the time
            self._report_if_possible()

    def _report_if_possible(self) -> None:
        """Report on the way: a sheet that cannot be written now is no reason to give up a picture."""
        with contextlib.suppress(StorageError):
            self.report()

    def report(self) -> None:
        """Write manifest and contact sheet as things stand, and tell the caller."""
        started = self._reported = time.monotonic()  # also when it fails: the next try waits its turn
        self._count()
        write_manifest(self._folder / MANIFEST_NAME, self._ledger)
        write_contact_sheet(self._folder / SHEET_NAME, self._ledger, self._folder.resolve().name)
        self._report_s = time.monotonic() - started
        self._tell(0.0, started + self._report_s)

    def _count(self) -> None:
        started = time.monotonic()
        self._counts = self._ledger.counts(current=True)
        self._counted = time.monotonic()
        self._count_s = self._counted - started

    def _tell(self, under_way: float, now: float) -> None:
        if self._on_progress is None or self._raised is not None:
            return
        total, done, failed = sum(self._counts.values()), self._counts[DONE], self._counts[FAILED]
        settled = total - self._counts[QUEUED] - self._counts["leased"]
        rendered = min(settled + under_way, total)
        if self._first is None:
            self._first = (now, rendered)
        since, gained = now - self._first[0], rendered - self._first[1]
        eta = (total - rendered) * since / gained if gained > 0 else None
        try:
            self._on_progress(BatchProgress(total, done, failed, rendered, now - self._started, eta))
        except Exception as error:  # foreign code, called in the middle of a render that is not to blame
            self._raised = error
            self._worker.request_stop()


@contextlib.contextmanager
def _stop_on_ctrl_c(worker: Worker) -> Iterator[None]:
    """The first Ctrl-C stops after the current step, a second one at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        worker.request_stop()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
