"""Trains the runs of a ledger, one after the other: starts the trainer, stands beside it, notes how it ended.

The trainer is started as the command line would start it, under a guard (studio/_guard.py) that ends it when
this process lets go or dies. Knows commands, signals and exit codes; knows no model and no recipe.

It is one process, so no launcher stands in between: `accelerate launch` would give it a single thread on a
CPU, overrule the choice of a device, and apply whatever configuration it was last given for other work.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from studio import catalog, run_lock, training_files
from studio._ledger_owner import new_owner
from studio.errors import StorageError, StudioError
from studio.ledger import LEASE_S, LEASED, Job, Ledger
from studio.training_files import ADAPTER, RECIPE, SAID

log = logging.getLogger("studio")
IDLE_S, LOOK_S = 1.0, 0.5  # how often an idle worker looks for runs, and a busy one at its trainer
LOCK_PATIENCE_S = 330.0  # longer than a stopped trainer may take to save
INTERRUPTED = "interrupted: the app ended while this was training"


def command(folder: Path) -> list[str]:
    """The command that trains the run in `folder`, or goes on with it; the studio's folder is its own."""
    return [sys.executable, "-m", "training.run", str(folder / RECIPE)]


class TrainingWorker:
    """A thread that takes runs from the ledger, one after the other, and stands beside each."""

    def __init__(self, ledger: Ledger, folder: Path, device: str = "auto") -> None:
        self.ledger, self.folder, self.device = ledger, folder, device
        self.owner = new_owner()
        self.trouble: str | None = None
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._work, name="studio-training", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop the thread, after the run that is training has saved a checkpoint."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def wake(self) -> None:
        self._wake.set()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                if job := self._next():
                    self._train(job)
                    continue
                self.trouble = None
            except StudioError as error:  # the disk is full or the ledger busy: say so and try again
                self.trouble = str(error)
                log.warning("training: %s", error)
            except Exception as error:  # a thread that dies would leave the queue standing, unexplained
                self.trouble = f"{type(error).__name__}: {error}"
                log.exception("training goes on after")
            self._wake.wait(IDLE_S)

    def _next(self) -> Job | None:
        """The next run, unless another app on this machine is training one."""
        self.ledger.abandon(self.owner, INTERRUPTED)
        if self.ledger.counts()[LEASED]:
            return None
        found = self.ledger.claim(self.owner, 1)
        return found[0] if found else None

    def _train(self, job: Job) -> None:
        """Run the trainer to its end, whatever that is, and note it."""
        folder, begun = self.folder / job.content_key, time.monotonic()
        try:
            if not self._await_free(job, folder):
                return
            start = training_files.said_size(folder)
            code = self._watch(job, folder, self._spawn(folder))
        except StudioError as error:
            self.ledger.fail(job.id, self.owner, str(error), "")
            return
        if code == 0 and (folder / ADAPTER / "adapter.json").is_file():
            self.ledger.finish(job.id, self.owner, ADAPTER, time.monotonic() - begun)
        elif self._stop.is_set():
            self.ledger.cancel(job.id, INTERRUPTED)
        else:
            text = training_files.said_since(folder, start)
            why = training_files.reason_in(text) or f"the trainer ended with code {code}; see {SAID}"
            self.ledger.fail(job.id, self.owner, why, text[-4000:])

    def _await_free(self, job: Job, folder: Path) -> bool:
        """Wait for a trainer that is about to end. False when the run is no longer wanted meanwhile."""
        end = time.monotonic() + LOCK_PATIENCE_S
        while run_lock.is_held(folder):
            if time.monotonic() > end:
                raise StorageError(f"{folder}: another process is training this run")
            if self._stop.wait(LOOK_S) or not self._is_wanted(job):
                self.ledger.cancel(job.id, INTERRUPTED)
                return False
        return True

    def _spawn(self, folder: Path) -> subprocess.Popen[bytes]:
        guard = [sys.executable, "-m", "studio._guard", str(folder / SAID), *command(folder)]
        null = subprocess.DEVNULL
        try:
            return subprocess.Popen(
                guard,
                cwd=catalog.ROOT,
                env={**os.environ, **_environment(self.device)},
                stdin=subprocess.PIPE,
                stdout=null,
                stderr=null,
                start_new_session=True,  # Ctrl-C in the terminal is for the app, which then stops this
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise StorageError(f"the trainer cannot be started ({error.strerror or error})") from error

    def _watch(self, job: Job, folder: Path, process: subprocess.Popen[bytes]) -> int:
        """Keep the lease, note progress, hand on the wish to stop; the exit code."""
        assert process.stdin is not None
        beaten = time.monotonic()
        with process:
            while process.poll() is None:
                with suppress(StudioError):  # a busy ledger must not end hours of work
                    if self._stop.is_set() or not self._is_wanted(job):
                        process.stdin.close()
                    if time.monotonic() - beaten > LEASE_S / 4:
                        beaten = time.monotonic()
                        self.ledger.heartbeat(self.owner)
                    step = training_files.read_news(folder).step
                    self.ledger.progress([job.id], min(1.0, step / job.values["steps"]))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK_S)
        return process.returncode

    def _is_wanted(self, job: Job) -> bool:
        return job.id in self.ledger.owned(self.owner)


def _environment(device: str) -> dict[str, str]:
    """What tells the trainer which device the app was told to use."""
    if device == "cpu":
        return {"ACCELERATE_USE_CPU": "true"}
    kind, _, index = device.partition(":")
    return {"CUDA_VISIBLE_DEVICES": index} if kind == "cuda" and index else {}
