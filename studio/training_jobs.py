"""Training runs as jobs of a ledger of their own: one at a time, each with a folder.

    <outputs>/training/.jobs/ledger.sqlite3
                       <name>/recipe.toml, log.jsonl, adapter/ ...      see training_files.py

    queued -> leased -> done | failed | cancelled (stopped by a person, or interrupted with the app)
    failed, cancelled --resume--> queued: goes on from the newest checkpoint

The queue is not the one of the renders, so pictures can be made while a run goes on. Knows what a run is
called and where it stands; how one is trained is the business of training_worker.py.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from studio import run_lock, training_files, training_plan
from studio.errors import InputError
from studio.ledger import CANCELLED, DONE, FAILED, LEASED, QUEUED, Job, Ledger, NewJob
from studio.settings import Settings
from studio.storage import write_atomically
from studio.toml_text import to_toml
from studio.training_files import ADAPTER, RECIPE, RunNews
from studio.training_plan import Plan
from studio.training_worker import INTERRUPTED, TrainingWorker, command

JOBS = ".jobs"
SHOWN = 50  # runs that a page lists
WORDS = {QUEUED: "waiting", LEASED: "training", DONE: "done", FAILED: "failed", CANCELLED: "stopped"}


@dataclass(frozen=True, slots=True)
class Run:
    """A run as a page shows it. `state` as in the ledger; `is_ending`: stopped, and still saving."""

    id: int
    name: str
    state: str
    steps: int
    batch_size: int
    values: Mapping[str, Any]
    news: RunNews
    error: str | None
    command: str
    is_ending: bool

    @property
    def is_open(self) -> bool:
        return self.state in {QUEUED, LEASED}

    @property
    def word(self) -> str:
        if self.is_ending:
            return "saving"
        return "interrupted" if self.error == INTERRUPTED else WORDS[self.state]

    @property
    def can_resume(self) -> bool:
        return self.state in {FAILED, CANCELLED} and not self.is_ending

    @property
    def progress(self) -> float:
        return min(1.0, self.news.step / self.steps)

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the newest speed."""
        speed = self.news.samples_per_s
        if self.state != LEASED or not speed:
            return None
        return max(0, self.steps - self.news.step) * self.batch_size / speed


class TrainingJobs:
    """The runs of an installation, and the thread that trains them. Raises StorageError where it cannot."""

    def __init__(self, settings: Settings) -> None:
        self.folder = (settings.outputs / "training").absolute()
        self.ledger = Ledger(self.folder / JOBS / "ledger.sqlite3")
        self.worker = TrainingWorker(self.ledger, self.folder, settings.device)
        self._naming = threading.Lock()

    def start(self) -> None:
        """Begin to train what is queued. What a dead app left behind is interrupted, not begun again."""
        self.worker.start()

    def stop(self) -> None:
        """End the run that is training, with a checkpoint; it can be resumed."""
        self.worker.stop()
        self.ledger.close()

    def submit(self, values: Mapping[str, Any], options: Mapping[str, Any]) -> int:
        """Check a plan and its dataset options, write the recipe, queue the run; the id of its job.

        Reads the labels of the dataset. Raises the StudioError family; nothing is queued then.
        """
        plan = Plan.parse(values)
        checked = training_plan.dataset_options(plan, options)
        examples = training_plan.count_examples(plan, checked)
        folder = self.folder / plan.name
        recipe = training_plan.recipe(plan, checked, examples, folder)
        with self._naming:
            self._refuse_taken(plan.name)
            _write(folder / RECIPE, to_toml(recipe))
            sizes = {name: recipe[name] for name in ("steps", "batch_size")}
            request = {"plan": dataclasses.asdict(plan), "dataset": checked, **sizes}
            text = json.dumps(request, ensure_ascii=False)
            job_id = self.ledger.add(NewJob(0, plan.name, "training", text))
        self.worker.wake()
        return job_id

    def cancel(self, job_id: int) -> bool:
        """Stop a run, which writes a checkpoint first; one that only waits is taken out of the queue."""
        return self.ledger.cancel(job_id)

    def resume(self, job_id: int) -> None:
        """Queue a stopped, interrupted or failed run again; it goes on from its newest checkpoint."""
        job = self._newest(self.known(job_id))
        if job.state in {FAILED, CANCELLED}:
            self.ledger.retry(job.id)
            self.worker.wake()

    def known(self, job_id: Any) -> Job:
        """The job of that id. Raises InputError for anything else."""
        is_id = isinstance(job_id, int) and not isinstance(job_id, bool) and 0 < job_id < 2**62
        job = self.ledger.job(job_id) if is_id else None
        if job is None:
            raise InputError("run", job_id, f"there is no run {str(job_id)[:40]!r}")
        return job

    def runs(self) -> list[Run]:
        """The newest runs, newest first; of several attempts under one name the last."""
        return [self._run(job) for job in islice(self._latest_of_each(), SHOWN)]

    def run(self, job_id: int) -> Run | None:
        job = self.ledger.job(job_id)
        return self._run(job) if job else None

    def _latest_of_each(self) -> Iterator[Job]:
        seen: set[str] = set()
        for job in self.ledger.jobs(newest=True):
            if job.content_key not in seen and (self.folder / job.content_key).is_dir():
                seen.add(job.content_key)
                yield job

    def _newest(self, job: Job) -> Job:
        return next((each for each in self._latest_of_each() if each.content_key == job.content_key), job)

    def _run(self, job: Job) -> Run:
        folder = self.folder / job.content_key
        ended = job.state in {FAILED, CANCELLED}
        return Run(
            id=job.id,
            name=job.content_key,
            state=job.state,
            steps=job.values["steps"],
            batch_size=job.values["batch_size"],
            values=job.values,
            news=training_files.read_news(folder),
            error=job.error,
            command=shlex.join(command(folder)),
            is_ending=ended and run_lock.is_held(folder),
        )

    def _refuse_taken(self, name: str) -> None:
        """A name may be used again as long as nothing was learnt under it."""
        folder = self.folder / name
        if not folder.exists() and not folder.is_symlink():
            return
        held = run_lock.is_held(folder) or any(
            job.state in {QUEUED, LEASED} for job in self._latest_of_each() if job.content_key == name
        )
        learnt = training_files.newest_checkpoint(folder) is not None or (folder / ADAPTER).exists()
        if held or learnt or folder.is_symlink() or not folder.is_dir():
            why = f"there is a run {name!r} already"
            raise InputError("name", name, why, _next_name(self.folder, name))


def _write(path: Path, text: str) -> None:
    def fill(file: BinaryIO) -> None:
        file.write(text.encode())

    write_atomically(path, fill)


def _next_name(folder: Path, name: str) -> str:
    stem, _, number = name.rpartition("-")
    if not (stem and number.isdecimal()):
        stem, number = name, "1"
    count = int(number[:6]) + 1
    while (folder / f"{stem}-{count}").exists():
        count += 1
    return f"{stem}-{count}"
