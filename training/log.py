"""What a run tells while it goes: a progress bar, `log.jsonl`, and TensorBoard where it is installed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate.utils import is_tensorboard_available
from tqdm import tqdm

from studio.errors import StorageError
from studio.storage import write_atomically
from studio.training_files import LOG


class RunLog:
    """One line of `log.jsonl` per `write`; `advance` moves the bar. Only the first process speaks."""

    def __init__(self, folder: Path, steps: int, done: int, batch_size: int, speaks: bool) -> None:
        self._file = folder / LOG
        self._speaks = speaks
        self._batch_size = batch_size
        self._losses: list[float] = []
        self._since = time.perf_counter()
        if speaks:
            _cut(self._file, done)
        self._board = _tensorboard(folder) if speaks else None
        patience_s = 0.2 if sys.stderr.isatty() else 30.0  # a log file needs no animation
        self._bar = tqdm(total=steps, initial=done, unit="step", mininterval=patience_s, disable=not speaks)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.close()
        if self._board:
            self._board.close()

    def advance(self, loss: float) -> None:
        """One optimiser step is done."""
        self._losses.append(loss)
        self._bar.update()

    def write_step(self, step: int, values: Mapping[str, float]) -> None:
        """A line with the mean loss and the speed since the last one."""
        now = time.perf_counter()
        speed = len(self._losses) * self._batch_size / max(now - self._since, 1e-9)
        loss = sum(self._losses) / len(self._losses)
        self._bar.set_postfix({"loss": f"{loss:.4f}", "samples/s": f"{speed:.1f}"}, refresh=False)
        self.write(step, {"loss": loss, "samples_per_s": round(speed, 2), **values})
        self._losses, self._since = [], now

    def waited(self, seconds: float) -> None:
        """Time that went into something else than steps and does not count as their speed."""
        self._since += seconds

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """A line of `log.jsonl`; numbers go to TensorBoard too."""
        if not self._speaks:
            return
        try:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **values}, ensure_ascii=False) + "\n")
        except OSError as error:
            raise StorageError(f"{self._file}: cannot be written ({error.strerror})") from error
        numbers = {name: value for name, value in values.items() if isinstance(value, int | float)}
        for name, value in numbers.items() if self._board else ():
            self._board.add_scalar(name, value, step)


def read(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log."""
    return _lines(folder / LOG)


def _lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines only: a killed process may have left half of the last one."""
    if not path.is_file():
        return []
    text = path.read_text("utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def _cut(path: Path, step: int) -> None:
    """Forget what came after the checkpoint that the run goes on from; everything where there is none."""
    before = [line for line in _lines(path) if step and line["step"] <= step]
    kept = [json.dumps(line, ensure_ascii=False) + "\n" for line in before]
    write_atomically(path, lambda file: file.write("".join(kept).encode()))


def _tensorboard(folder: Path) -> Any:
    if not is_tensorboard_available():
        return None
    from torch.utils.tensorboard import SummaryWriter  # optional, and slow to import

    return SummaryWriter(folder / "tensorboard")
