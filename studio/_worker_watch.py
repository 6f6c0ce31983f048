"""What happens between two steps of a render: progress noted, previews written, cancelling noticed.

It writes to the ledger a few times a second at most, however fast the steps come.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from studio.errors import Cancelled, StorageError
from studio.ledger import Job, Ledger
from studio.ports import Step
from studio.storage import write_atomically

log = logging.getLogger("studio")
PROGRESS_S = 0.25
PREVIEW_S = 0.5
PREVIEW_SHARE = 10  # a preview may cost this part of the time since the one before


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
        self._pause_s = PREVIEW_S

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
        due = now - self._pictured >= self._pause_s
        if self._previews and step.preview and due and step.done < step.total:
            possible = self._picture_if_possible(step)
            self._pictured = time.monotonic()
            cost_s = self._pictured - now if possible else math.inf
            self._pause_s = max(PREVIEW_S, PREVIEW_SHARE * cost_s)

    def _picture_if_possible(self, step: Step) -> bool:
        try:
            self._picture(step)
        except Exception as error:  # foreign code; what is rendered is worth more than its preview
            log.warning("no more previews of these: %s: %s", type(error).__name__, error)
            return False
        return True

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
