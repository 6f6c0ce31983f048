"""What happens between two steps of a render: progress noted, previews written, cancelling noticed.

It writes to the ledger a few times a second at most, however fast the steps come.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from studio.errors import Cancelled, StorageError
from studio.ledger import Job, Ledger
from studio.ports import Step
from studio.storage import write_atomically

PROGRESS_S = 0.25
PREVIEW_S = 0.5


class Watch:
    """Stands beside the rendering of some jobs of `owner`; `on_step` raises Cancelled to stop it.

    Cancelling one of several jobs only drops its result; the render stops when all of them are cancelled.
    """

    def __init__(
        self,
        ledger: Ledger,
        owner: str,
        stop: threading.Event,
        previews: Path | None,
        on_progress: Callable[[float], None] | None,
    ) -> None:
        self._ledger, self._owner, self._stop = ledger, owner, stop
        self._previews, self._on_progress = previews, on_progress
        self._jobs: list[Job] = []
        self._noted = self._pictured = 0.0

    def begin(self, jobs: Sequence[Job]) -> None:
        """`jobs` are rendered from now on, as rows in this order."""
        self._jobs = list(jobs)
        self._noted = self._pictured = time.monotonic()

    def finished(self, job: Job) -> None:
        """`job` is done: its preview goes, and only the others count as under way."""
        self._forget(job)
        self._jobs.remove(job)
        if self._on_progress:
            self._on_progress(float(len(self._jobs)))

    def end(self) -> None:
        """Nothing is under way any more, whatever became of it."""
        for job in self._jobs:
            self._forget(job)
        self._jobs = []
        if self._on_progress:
            self._on_progress(0.0)

    def on_step(self, step: Step) -> None:
        """Note a step of the render. Raises Cancelled when nobody wants the result any more."""
        if self._stop.is_set():
            raise Cancelled("stopped")
        ids = [job.id for job in self._jobs]
        if not self._ledger.owned(self._owner).intersection(ids):
            raise Cancelled("cancelled")
        fraction = step.done / step.total if step.total else 0.0
        if self._on_progress:
            self._on_progress(fraction * len(self._jobs))
        now = time.monotonic()
        if now - self._noted >= PROGRESS_S:
            self._noted = now
            self._ledger.progress(ids, fraction)
        if self._previews and step.preview and now - self._pictured >= PREVIEW_S and step.done < step.total:
            self._picture(step)
            self._pictured = time.monotonic()

    def _picture(self, step: Step) -> None:
        assert self._previews is not None and step.preview is not None
        pictures = step.preview()
        if len(pictures) != len(self._jobs):  # memory was short and only a part of the rows is under way
            return
        for job, picture in zip(self._jobs, pictures, strict=True):
            path = self._previews / f"{job.id}.png"
            with contextlib.suppress(StorageError):  # a preview is not worth a failure
                write_atomically(path, lambda file, picture=picture: picture.save(file, "PNG"))  # type: ignore[misc]
                self._ledger.preview(job.id, path)

    def _forget(self, job: Job) -> None:
        if self._previews:
            with contextlib.suppress(OSError):
                (self._previews / f"{job.id}.png").unlink(missing_ok=True)
