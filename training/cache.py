"""What a pipeline prepares from examples, computed once and kept on disk: latents and text embeddings.

    <run>/cache/<key>/shard-00000.safetensors   up to 256 rows of every prepared tensor, and their emotions
                      blank.safetensors         the tensors of an empty caption, where captions are dropped
                      index.json                rows of every shard, examples left out; written last

The key is a digest of the data's description and the base model's revision, so a changed picture, caption or
model makes a new cache. Shards are memory-mapped: a data set larger than memory is fine. This file is the one
place where a broken example is counted and left out. Knows no loss and no optimiser.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor
from tqdm import tqdm

from studio.emotion import VAD
from studio.errors import InputError, ModelError
from studio.ports import Example
from studio.storage import write_atomically

SHARD_ROWS = 256
PREPARE_ROWS = 8  # examples that go through the frozen models together
MAX_BAD_SHARE = 0.01
_EMOTION = "emotion"  # (rows, 3) float64 beside the pipeline's own tensors
_INDEX, _BLANK = "index.json", "blank.safetensors"

Prepare = Callable[[Sequence[Example]], Mapping[str, Tensor]]


def key(description: Mapping[str, Any], model_revision: str, dtype: str) -> str:
    """Short name of what is cached; equal for equal content."""
    text = json.dumps([description, model_revision, dtype], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def is_complete(folder: Path, blank: bool) -> bool:
    """Whether `finish` has closed this cache, with an empty caption where one is needed."""
    return (folder / _INDEX).is_file() and (not blank or (folder / _BLANK).is_file())


def fill(folder: Path, dataset: Any, prepare: Prepare, share: tuple[int, int] = (0, 1)) -> None:
    """Write the shards that are missing; `share` is (this process, all processes).

    Raises InputError when more than 1% of all examples are broken.
    """
    rank, processes = share
    starts = range(0, len(dataset), SHARD_ROWS)
    missing = [start for start in starts[rank::processes] if not _shard(folder, start).is_file()]
    bar = tqdm(missing, desc="preparing", unit="shard", disable=rank > 0 or not missing)
    bad: list[str] = []
    for start in bar:
        bad += _write_shard(folder, dataset, prepare, start)
        _refuse_many(bad, len(dataset))


def finish(folder: Path, dataset: Any, prepare: Prepare, blank: bool) -> list[str]:
    """Close the cache after all shards are there; returns what was left out and why. Raises InputError."""
    starts = range(0, len(dataset), SHARD_ROWS)
    rows: list[int] = []
    bad: list[str] = []
    for start in starts:
        with safe_open(_shard(folder, start), framework="pt") as shard:
            rows.append(shard.get_slice(_EMOTION).get_shape()[0])
            bad += json.loads(shard.metadata()["bad"])
    _refuse_many(bad, len(dataset))
    if blank:
        _write_blank(folder, dataset, prepare)
    index = json.dumps({"rows": rows, "left_out": bad}, indent=1)
    write_atomically(folder / _INDEX, lambda file: file.write(index.encode()))
    return bad


class Cache:
    """The rows of a finished cache. Row i is the i-th usable example."""

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / _INDEX).read_text("utf-8"))
        self._folder = folder
        self._places = [(shard, row) for shard, rows in enumerate(index["rows"]) for row in range(rows)]
        blank = folder / _BLANK
        self.blank: dict[str, Tensor] = load_file(blank) if blank.is_file() else {}
        self._open = lru_cache(maxsize=512)(self._open_shard)

    def __len__(self) -> int:
        return len(self._places)

    def rows(self, indices: Sequence[int]) -> tuple[dict[str, Tensor], list[VAD]]:
        """Tensors (rows, ...) on the CPU and the emotion of every row."""
        found = [self._row(index) for index in indices]
        tensors = {name: torch.stack([row[name] for row in found]) for name in found[0]}
        points = tensors.pop(_EMOTION).tolist()
        return tensors, [VAD(*point) for point in points]

    def _row(self, index: int) -> dict[str, Tensor]:
        shard, row = self._places[index]
        return {name: part[row] for name, part in self._open(shard).items()}

    def _open_shard(self, shard: int) -> dict[str, Any]:
        file = safe_open(_shard(self._folder, shard * SHARD_ROWS), framework="pt")
        return {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)


def _shard(folder: Path, start: int) -> Path:
    return folder / f"shard-{start // SHARD_ROWS:05d}.safetensors"


def _write_shard(folder: Path, dataset: Any, prepare: Prepare, start: int) -> list[str]:
    """One shard; returns what could not be read. A shard without any usable example keeps 0 rows."""
    examples, bad = _read(dataset, range(start, min(start + SHARD_ROWS, len(dataset))))
    chunks = [examples[at : at + PREPARE_ROWS] for at in range(0, len(examples), PREPARE_ROWS)]
    parts = [_prepared(prepare, chunk) for chunk in chunks]
    tensors = {name: _joined(name, [part[name] for part in parts]) for name in parts[0]} if parts else {}
    points = [example.emotion.vad.as_tuple() for example in examples]
    tensors[_EMOTION] = torch.tensor(points, dtype=torch.float64).reshape(len(points), 3)
    data = save(tensors, metadata={"bad": json.dumps(bad)})
    write_atomically(_shard(folder, start), lambda file: file.write(data))
    return bad


def _read(dataset: Any, indices: range) -> tuple[list[Example], list[str]]:
    examples, bad = [], []
    for index in indices:
        try:
            examples.append(dataset[index])
        except InputError as error:
            bad.append(f"example {index}: {error}")
    return examples, bad


def _prepared(prepare: Prepare, examples: Sequence[Example]) -> dict[str, Tensor]:
    with torch.no_grad():
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in prepare(examples).items()}
    for name, tensor in tensors.items():
        if len(tensor) != len(examples):
            raise ModelError(f"prepare: {name!r} has {len(tensor)} rows for {len(examples)} examples")
        if tensor.is_floating_point() and not tensor.isfinite().all():
            prompts = [example.prompt for example in examples]
            raise ModelError(f"prepare: {name!r} is not finite among {prompts}; try mixed_precision=no")
    return tensors


def _joined(name: str, parts: Sequence[Tensor]) -> Tensor:
    shapes = {tuple(part.shape[1:]) for part in parts}
    if len(shapes) > 1:
        raise InputError("dataset", shapes, f"{name!r} has rows of several shapes: {sorted(shapes)}")
    return torch.cat(list(parts))


def _refuse_many(bad: Sequence[str], total: int) -> None:
    if len(bad) > MAX_BAD_SHARE * total:
        first = "; ".join(bad[:5])
        why = f"{len(bad)} of {total} examples cannot be used (at most 1% may be left out): {first}"
        raise InputError("dataset", len(bad), why)


def _write_blank(folder: Path, dataset: Any, prepare: Prepare) -> None:
    """The tensors that come from the caption alone, for an empty caption.

    They are those that stay the same when only the picture differs; a pipeline need not name them.
    """
    examples, _ = _read(dataset, range(min(len(dataset), PREPARE_ROWS)))
    nothing_said = [dataclasses.replace(example, prompt="") for example in examples]
    tensors = _prepared(prepare, nothing_said)
    blank = {name: rows[0].clone() for name, rows in tensors.items() if _all_equal(rows)}
    if len(blank) == len(tensors):
        raise InputError("caption_dropout", len(dataset), "needs at least two different pictures")
    data = save(blank)
    write_atomically(folder / _BLANK, lambda file: file.write(data))


def _all_equal(rows: Tensor) -> bool:
    return bool((rows.double() - rows[0].double()).abs().max() < 1e-4)
