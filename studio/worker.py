"""Takes jobs from a ledger and renders them: until it is empty (a batch run), or in the background (the app).

It knows leases, retries, progress and cancelling; what a job shows is the business of `Studio.render`. This
is the one place that catches every exception: a failed job is recorded with its traceback, the next begins.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from studio import naming
from studio._ledger_owner import new_owner
from studio._worker_watch import Watch
from studio.artifacts import read_provenance
from studio.companions import is_main, is_whole
from studio.errors import Cancelled, StorageError, StudioError
from studio.ledger import LEASE_S, LEASED, Job, Ledger
from studio.render import Studio, versions
from studio.request import RenderRequest
from studio.storage import TEMPORARY_PREFIX, sweep, write_atomically

log = logging.getLogger("studio")
PROBE_BYTES = 1 << 20
IDLE_S = 1.0  # how often an idle worker looks for jobs that other processes queued
Work = tuple[Job, RenderRequest]


class Worker:
    """Renders the jobs of `ledger` into `folder`.

    `previews`: also write a preview picture of each job, about twice a second, to a hidden folder.
    """

    def __init__(self, ledger: Ledger, studio: Studio, folder: Path, previews: bool = False) -> None:
        self.ledger, self.studio, self.folder = ledger, studio, folder
        self.owner = new_owner()
        self.trouble: str | None = None  # why the background thread cannot work right now
        self._previews = folder / ".previews" if previews else None
        self._suffixes: set[str] | None = None  # of what was rendered before; None: not looked yet
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    # ---- a batch run

    def run_until_empty(self, on_progress: Callable[[float], None] | None = None) -> None:
        """Render until no job is queued or leased, by this worker or any other of the same ledger.

        `on_progress` is called after every step and every job with the share of the current jobs that is
        rendered but not yet counted as done: 0 to their number; it must not raise. Raises Cancelled after
        `request_stop`, and StorageError when files can no longer be written; what was begun is queued again.
        """
        told = False
        with self._lease_kept():
            while True:
                jobs = self._next_jobs()
                if jobs:
                    self._render_jobs(jobs, on_progress)
                elif not self.ledger.is_busy():
                    break
                else:
                    told = told or self._say_who_is_awaited()
                    if self._stop.wait(0.25):
                        break
        if self._stop.is_set():
            raise Cancelled("stopped")

    def request_stop(self) -> None:
        """Stop after the current step; what was begun is queued again. Safe in a signal handler."""
        self._stop.set()
        self._wake.set()

    def _say_who_is_awaited(self) -> bool:
        held = self.ledger.counts()[LEASED]
        if held:
            log.info("waiting for %d row%s that another process holds", held, "s" if held > 1 else "")
        return held > 0

    # ---- the app

    def start(self) -> None:
        """Work in a background thread until `stop`."""
        if self._thread is None or not self._thread.is_alive():
            self._stop.clear()
            for folder in filter(None, (self.folder, self._previews)):
                sweep(folder)
            self._thread = threading.Thread(target=self._work, name="studio-worker", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop the background thread within a step; what was begun is queued again."""
        self.request_stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def enqueue(self, request: RenderRequest) -> int:
        """Queue a request and wake the background thread. Returns the job's id."""
        job_id = self.ledger.enqueue(request)
        self._wake.set()
        return job_id

    def _work(self) -> None:
        with self._lease_kept():
            while not self._stop.is_set():
                self._wake.clear()
                try:
                    jobs = self._next_jobs()
                    if jobs:
                        self._render_jobs(jobs, None)
                    self.trouble = None
                except Cancelled:
                    continue
                except StudioError as error:  # the disk is full or the ledger busy: say so and try again
                    jobs, self.trouble = [], str(error)
                    log.warning("%s", error)
                except Exception as error:  # a thread that dies would leave the queue standing, unexplained
                    jobs, self.trouble = [], _said(error)
                    log.exception("the worker goes on after")
                if not jobs:
                    self._wake.wait(IDLE_S)

    # ---- jobs

    def _next_jobs(self) -> list[Job]:
        if self._stop.is_set():
            return []
        if self.ledger.reclaim() or self._suffixes is None:
            self._suffixes = _suffixes_in(self.folder)
        return self.ledger.claim(self.owner, self.studio.settings.batch_size)

    def _render_jobs(self, jobs: Sequence[Job], on_progress: Callable[[float], None] | None) -> None:
        """Everything that `jobs` need, to a state of rest: done, failed, or back in the queue."""
        try:
            work = [job for job in map(self._prepared, jobs) if job]
            watch = Watch(self.ledger, self.owner, self._stop, self._previews, on_progress)
            if work and not self._attempt(work, watch, alone=len(work) == 1):
                for item in work:  # one bad row must not sink its neighbours
                    if item[0].id in self.ledger.owned(self.owner):
                        self._attempt([item], watch, alone=True)
        finally:
            self.ledger.release(self.owner)  # nothing is left, unless this was interrupted

    def _prepared(self, job: Job) -> Work | None:
        """The job with its request; None when it is settled already: no longer right, or rendered before."""
        try:
            request = RenderRequest.parse(job.values)
            finished = self._finished_file(job, request)
        except Exception as error:  # the item boundary
            self._record(job, error)
            return None
        if finished is None:
            return job, request
        self.ledger.finish(job.id, self.owner, finished.name, None)
        return None

    def _finished_file(self, job: Job, request: RenderRequest) -> Path | None:
        """The file of a job whose worker died after writing it and before saying so."""
        for suffix in self._suffixes or ():
            path = self.folder / naming.file_name(job.number, request.title, request.curve.text, suffix)
            if path.is_file() and _was_made_by(path, request):
                return path
        return None

    def _attempt(self, work: Sequence[Work], watch: Watch, alone: bool) -> bool:
        """Render `work`; False when it failed and its rows should be tried one by one."""
        watch.begin([job for job, _ in work])
        try:
            self._render(work, watch)
        except Cancelled:
            if self._stop.is_set():
                raise
        except StorageError as error:
            self._require_room(error)  # the disk, not the row, may be at fault
            return self._failed(work, error, alone)
        except Exception as error:  # the item boundary
            return self._failed(work, error, alone)
        finally:
            watch.end()
        return True

    def _render(self, work: Sequence[Work], watch: Watch) -> None:
        left = list(work)
        requests = [request for _, request in work]
        numbers = [job.number for job, _ in work]
        for result in self.studio.render(requests, self.folder, numbers, watch.on_step):
            at = next(index for index, (_, request) in enumerate(left) if request is result.request)
            job, _ = left.pop(at)
            name = result.path.name
            if not self.ledger.finish(job.id, self.owner, name, result.seconds, result.notes):
                self.ledger.render_again(job, name)
            watch.finished(job)

    def _failed(self, work: Sequence[Work], error: Exception, alone: bool) -> bool:
        if not alone:
            return False
        self._record(work[0][0], error)
        return True

    def _record(self, job: Job, error: Exception) -> None:
        """Note the error that is being handled as that of `job`."""
        again = not isinstance(error, StudioError)  # what a person wrote wrong does not get better by itself
        self.ledger.fail(job.id, self.owner, _said(error), traceback.format_exc(), again)

    def _require_room(self, error: StorageError) -> None:
        """Raise `error` when the folder takes no file of a picture's size."""
        probe = self.folder / f"{TEMPORARY_PREFIX}{os.getpid()}-probe"

        def fill(file: BinaryIO) -> None:
            file.write(bytes(PROBE_BYTES))

        try:
            write_atomically(probe, fill)
            probe.unlink()
        except (StorageError, OSError):
            raise error from None

    @contextlib.contextmanager
    def _lease_kept(self) -> Iterator[None]:
        """Renew the lease from a thread, because loading a model may take longer than the lease lasts."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(LEASE_S / 4):
                with contextlib.suppress(StudioError):  # the next beat is soon
                    self.ledger.heartbeat(self.owner)

        beat = threading.Thread(target=renew, name="studio-heartbeat", daemon=True)
        beat.start()
        try:
            yield
        finally:
            over.set()
            beat.join()


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, StudioError) else f"{type(error).__name__}: {error}"


def _suffixes_in(folder: Path) -> set[str]:
    """The suffixes that the rendered files of `folder` have, whatever the media; looked up once, because
    searching a folder of many thousand files for every job takes longer than some renders."""
    if not folder.is_dir():
        return set()
    return {path.suffix for path in folder.iterdir() if path.name[:1].isdecimal()} - {".json"}


def _was_made_by(path: Path, request: RenderRequest) -> bool:
    try:
        record = read_provenance(path)
    except StorageError:
        return False
    made_with, now = record["versions"], versions(request)
    same = all(made_with.get(name) == now[name] for name in ("model", "adapters"))
    return same and record["request"] == request.to_dict() and is_main(path, record) and is_whole(path)
