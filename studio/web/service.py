"""What stands behind the page: a ledger of jobs, the worker that renders them, what a page may know.

Jobs live in the ledger, never in the page: closing a tab loses nothing, and every tab sees the same jobs.
Knows nothing of gradio.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from studio import catalog, naming
from studio.companions import PICTURE, companions
from studio.errors import InputError, StorageError, StudioError
from studio.ledger import CANCELLED, DONE, FAILED, LEASED, QUEUED, Job, Ledger
from studio.render import Studio
from studio.request import RenderRequest
from studio.settings import Settings
from studio.storage import write_atomically
from studio.training_jobs import TrainingJobs
from studio.worker import Worker

log = logging.getLogger("studio")
RUN, JOBS = "web", ".jobs"  # folder of what is made in `outputs`; folder of the ledger in it
INPUTS = "inputs"  # folder of the files that people gave, in it too
HISTORY, SEARCHED = 24, 500  # jobs that are shown; jobs among which those of one medium are looked for
WORDS = {
    QUEUED: "waiting",
    LEASED: "rendering",
    DONE: "done",
    FAILED: "failed",
    CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as a page shows it. `files`: what was made, the main file first; `picture`: what can be looked at

    of it, or the newest preview; `eta_s`: seconds left."""

    id: int
    state: str
    progress: float
    values: dict[str, Any]
    picture: Path | None
    eta_s: float | None
    seconds: float | None
    notes: tuple[str, ...]
    error: str | None
    files: tuple[Path, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.state in {QUEUED, LEASED}

    @property
    def is_done(self) -> bool:
        return self.state == DONE

    @property
    def word(self) -> str:
        return WORDS[self.state]

    @property
    def steps(self) -> tuple[int, int] | None:
        """Steps done and in all, where the pipeline counts in steps."""
        total = self.values.get("steps")
        return (round(self.progress * total), total) if isinstance(total, int) else None


class Service:
    """One ledger, one worker, one Studio; the pictures are in `folder`."""

    def __init__(self, settings: Settings) -> None:
        self.folder = (settings.outputs / RUN).resolve()
        self.private = self.folder / JOBS  # never served to a browser
        self.ledger = Ledger(self.private / "ledger.sqlite3")
        self.studio = Studio(settings)
        self.worker = Worker(self.ledger, self.studio, self.folder, previews=True)
        self.training = TrainingJobs(settings)
        self.notice: str | None = None
        self._clock = _Clock()

    def start(self) -> None:
        """Begin to work: jobs that an earlier run left are rendered now."""
        self.worker.start()
        self.training.start()

    def stop(self) -> None:
        """Stop within a step; what was begun is queued again, and a training run saves a checkpoint."""
        self.training.stop()
        self.worker.stop()
        self.ledger.close()

    def warm(self) -> None:
        """Render a throw-away picture, so that the first real one waits for no library and no weights."""
        started = time.perf_counter()
        try:
            self.studio.make([_smallest_request()])
        except StudioError as error:
            self.notice = str(error)
            log.warning("%s", error)
            return
        log.info("the model is ready (%.1f s)", time.perf_counter() - started)

    def warm_soon(self, delay_s: float = 1.0) -> None:
        """`warm` in the background, after the page had its turn."""
        timer = threading.Timer(delay_s, self.warm)
        timer.daemon = True
        timer.start()

    def submit(self, requests: Iterable[RenderRequest]) -> list[int]:
        """Queue requests; the ids of their jobs."""
        self.notice = None  # from here on a job says itself what is wrong
        return [self.worker.enqueue(request) for request in requests]

    def made_now(self, request: RenderRequest) -> Any:
        """What a request makes, at once and without a job: for previews that change with every touch.

        None while a job is being rendered, which is not to wait for it. Raises StudioError.
        """
        return None if self.ledger.counts()[LEASED] else self.studio.make([request])[0]

    def cancel(self, ids: Iterable[int]) -> int:
        """Cancel those of the jobs that are not finished, and return how many."""
        return sum(self.ledger.cancel(job_id) for job_id in ids)

    def views(self, ids: Sequence[int]) -> list[JobView]:
        """The jobs of these ids that exist, in that order."""
        return [self._view(job) for job in map(self.ledger.job, ids) if job]

    def history(self, medium: str = "") -> list[JobView]:
        """The newest jobs, newest first, without those that were cancelled; of one medium, or of all."""
        searched = islice(self.ledger.jobs(newest=True), SEARCHED)
        kept = (job for job in searched if job.state != CANCELLED)
        shown = (job for job in kept if str(job.values.get("pipeline", "")).startswith(medium))
        return [self._view(job) for job in islice(shown, HISTORY)]

    def has(self, path: str | Path) -> bool:
        """Whether a file is one that this service made or keeps."""
        return Path(path).resolve().is_relative_to(self.folder)

    def kept(self, path: str | Path) -> Path:
        """A file that a person gave, where it stays as long as what was made of it. Raises StorageError."""
        given = Path(path).resolve()
        if self.has(given):
            return given
        try:
            with given.open("rb") as content:
                mark = hashlib.file_digest(content, partial(hashlib.blake2b, digest_size=6)).hexdigest()
                copy = self.folder / INPUTS / f"{naming.slug(given.stem)}-{mark}{given.suffix.lower()}"
                if not copy.is_file():
                    content.seek(0)
                    write_atomically(copy, partial(shutil.copyfileobj, content))
        except OSError as error:
            why = f"{str(path)!r} cannot be read ({error.strerror or error})"
            raise StorageError(why) from error
        return copy

    def known(self, job_id: Any) -> int:
        """`job_id` as the id of a job. Raises InputError for anything else."""
        is_id = isinstance(job_id, int) and not isinstance(job_id, bool) and 0 < job_id < 2**62
        if is_id and self.ledger.job(job_id):
            return int(job_id)
        raise InputError("job", job_id, f"there is no job {str(job_id)[:40]!r}")

    @property
    def trouble(self) -> str | None:
        """Why nothing can be rendered right now, in one line."""
        return self.worker.trouble or self.notice

    def _view(self, job: Job) -> JobView:
        files = self._files(job)
        return JobView(
            id=job.id,
            state=job.state,
            progress=job.progress,
            values=job.values,
            picture=next((path for path in files if path.suffix == PICTURE), _preview(job)),
            eta_s=self._clock.eta_s(job),
            seconds=job.seconds,
            notes=job.notes,
            error=job.error,
            files=files,
        )

    def _files(self, job: Job) -> tuple[Path, ...]:
        if job.state != DONE or not job.result:
            return ()
        main = self.folder / Path(job.result).name
        return (main, *companions(main))


def _preview(job: Job) -> Path | None:
    return Path(job.preview) if job.state == LEASED and job.preview else None


class _Clock:
    """Guesses when a job is finished, from how its progress moved since it was first seen."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def eta_s(self, job: Job) -> float | None:
        now = time.monotonic()
        with self._lock:
            if job.state != LEASED:
                self._seen.pop(job.id, None)
                return None
            first_progress, first_time = self._seen.setdefault(job.id, (job.progress, now))
        moved = job.progress - first_progress
        return (now - first_time) * (1 - job.progress) / moved if moved > 0 else None


def _smallest_request() -> RenderRequest:
    """The default request, with as few steps as its pipeline takes."""
    request = RenderRequest.parse({"prompt": "a first picture", "seed": 0})
    fewest = {spec.name: spec.min for spec in catalog.param_specs(request.pipeline) if spec.name == "steps"}
    return RenderRequest.parse({**request.to_dict(), **fewest})
