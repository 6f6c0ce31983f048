"""What the folder of a training run says: how far it is, its losses and figures, pictures, how it ended.

    <run>/log.jsonl       a line of numbers every few steps          <run>/checkpoints/step-00000500/
          grids/step-*.png  what the adapter paints so far                 adapter/, report.html
          training.log    what the trainer said

The files are the trainer's, which has its names from here; this side only reads them, also while they are
written. Knows no process.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

LOG, SAID, RECIPE, ADAPTER, GRIDS = "log.jsonl", "training.log", "recipe.toml", "adapter", "grids"
GRID = re.compile(r"step-\d{1,12}\.png")
CHECKPOINT = re.compile(r"step-\d{8}")
_ERROR = re.compile(r"(?m)^error: (.+(?:\n[ \t]+\S.*)*)")
_RAISED = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt)\b.*|^[\w.]+: .+|^Killed$")
_PROGRESS = frozenset({"step", "loss", "learning_rate", "gradient_norm", "samples_per_s"})
_TAIL = 1 << 16


@dataclass(frozen=True, slots=True)
class RunNews:
    """A run so far. `losses`: (step, training loss); `checks`: (step, figures of a validation), oldest
    first; `checkpoint`: step that a resumed run goes on from."""

    step: int
    losses: tuple[tuple[int, float], ...]
    checks: tuple[tuple[int, Mapping[str, float]], ...]
    samples_per_s: float | None
    checkpoint: int | None
    grid: Path | None
    report: Path | None
    has_adapter: bool

    @property
    def figures(self) -> Mapping[str, float]:
        """Every figure of the validations, each at its newest value."""
        newest: dict[str, float] = {}
        for _, values in self.checks:
            newest.update(values)
        return newest


def step_name(step: int) -> str:
    """`step-00000500`: a checkpoint, and with its suffix a grid."""
    return f"step-{step:08d}"


def step_of(path: Path) -> int:
    """The step of what has such a name."""
    return int(path.stem.removeprefix("step-"))


def read_news(folder: Path) -> RunNews:
    """What `folder` says now; nothing but empty values while there is nothing."""
    lines = _read_lines(folder / LOG)
    losses = tuple((line["step"], line["loss"]) for line in lines if "loss" in line)
    checks = [(line["step"], _figures(line)) for line in lines if "loss" not in line]
    speeds = [line["samples_per_s"] for line in lines if "samples_per_s" in line]
    report = folder / "report.html"
    return RunNews(
        step=max((line["step"] for line in lines), default=0),
        losses=losses,
        checks=tuple(check for check in checks if check[1]),
        samples_per_s=speeds[-1] if speeds else None,
        checkpoint=newest_checkpoint(folder),
        grid=max(_matching(folder / GRIDS, GRID), default=None),
        report=report if report.is_file() else None,
        has_adapter=(folder / ADAPTER / "adapter.json").is_file(),
    )


def newest_checkpoint(folder: Path) -> int | None:
    """The step of the newest checkpoint."""
    return max(map(step_of, _matching(folder / "checkpoints", CHECKPOINT)), default=None)


def said_size(folder: Path) -> int:
    """How much the trainer has said so far, in bytes: where a new start begins."""
    path = folder / SAID
    return path.stat().st_size if path.is_file() else 0


def said_since(folder: Path, start: int) -> str:
    """The end of what the trainer said after the first `start` bytes."""
    try:
        with (folder / SAID).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(start, size - _TAIL))
            return file.read().decode("utf-8", "replace").replace("\r", "\n")
    except OSError:
        return ""


def reason_in(text: str) -> str | None:
    """Why the trainer gave up, in one line: its own words if it had any, else what broke it."""
    told = list(_ERROR.finditer(text))
    if told:
        return "; ".join(line.strip() for line in told[-1][1].splitlines())
    lines = [line for line in text.splitlines() if _RAISED.match(line) and "CalledProcessError" not in line]
    return lines[-1] if lines else None


def _figures(line: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in line.items() if _is_number(value) and name not in _PROGRESS}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _matching(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))
    except OSError:
        return []


def _read_lines(path: Path) -> tuple[dict[str, Any], ...]:
    try:
        stat = path.stat()
        return _lines(path, stat.st_size, stat.st_mtime_ns)
    except OSError:
        return ()


@lru_cache(maxsize=8)
def _lines(path: Path, _size: int, _mtime_ns: int) -> tuple[dict[str, Any], ...]:
    """Whole lines only: the last one may be half written."""
    text = path.read_text("utf-8", "replace")
    found = []
    for written in text[: text.rfind("\n") + 1].splitlines():
        try:
            line = json.loads(written)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int) and _is_number(line.get("loss", 0)):
            found.append(line)
    return tuple(found)
