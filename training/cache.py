"""What a pipeline prepares from examples, computed once and kept on disk: latents, text embeddings, tokens.

    <run>/cache/<key>/shard-00000.safetensors   up to 256 rows of every prepared tensor, and their emotions
                      blank.safetensors         the tensors of an empty caption, where captions are dropped
                      index.json                place, size and label of every row, examples left out, how
                                                many captions were too long for the model; written last

Rows of one tensor have one shape, so each size has tensors of its own in a shard: `128x96/latents` of
pictures, `128x96x16/latents` of clips of 16 frames, `16/tokens` of sixteen bars. Examples with a feeling for
each bar or frame have it there: `16/emotion`.
The key is a digest of the data's description and the base model's revision, so a changed picture, caption or
model makes a new cache. Shards are memory-mapped: a data set larger than memory is fine. This file is the one
place where a broken example is counted and left out. Knows no loss and no optimiser.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor
from tqdm import tqdm

from studio.emotion import VAD, lexicon
from studio.errors import InputError, ModelError
from studio.ports import Example, RowEmotion
from studio.storage import write_atomically
from training.medium import Fit, Size

SHARD_ROWS = 256
PREPARE_ROWS = 8  # examples that go through the frozen models together
MAX_BAD_SHARE = 0.01
FORMAT = 2  # of the files; a cache in another one is made anew
_EMOTION = "emotion"  # (rows, 3) float64 beside the pipeline's own tensors, (rows, bars, 3) in a size
_INDEX, _BLANK = "index.json", "blank.safetensors"

Prepare = Callable[[Sequence[Example], Size], Mapping[str, Tensor]]
PrepareText = Callable[[Sequence[str]], Mapping[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from. `fit` gives each example its size; `prepare_text` where captions are dropped;

    `unread`: of each caption the end that the model does not read."""

    dataset: Any
    prepare: Prepare
    fit: Fit
    prepare_text: PrepareText | None = None
    unread: Callable[[Sequence[str]], list[str]] = lambda prompts: []


def key(description: Mapping[str, Any], model_revision: str, dtype: str) -> str:
    """Short name of what is cached; equal for equal content."""
    text = json.dumps([FORMAT, description, model_revision, dtype], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def is_complete(folder: Path, blank: bool) -> bool:
    """Whether `finish` has closed this cache, with an empty caption where one is needed."""
    return (folder / _INDEX).is_file() and (not blank or (folder / _BLANK).is_file())


def fill(folder: Path, source: Source, share: tuple[int, int] = (0, 1)) -> None:
    """Write the shards that are missing; `share` is (this process, all processes).

    A shard that leaves out examples is made again: what could not be read then may be there now.
    Raises InputError when more than 1% of all examples are broken.
    """
    rank, processes = share
    starts = _starts(source)
    missing = [start for start in starts[rank::processes] if not _is_whole(_shard(folder, start))]
    bar = tqdm(missing, desc="preparing", unit="shard", disable=rank > 0 or not missing)
    bad: list[str] = []
    for start in bar:
        bad += _write_shard(folder, source, start)
        _refuse_many(bad, len(source.dataset))


def finish(folder: Path, source: Source) -> list[str]:
    """Close the cache after all shards are there; returns what was left out and why. Raises InputError."""
    shards: list[list[Any]] = []
    bad: list[str] = []
    too_long = 0
    for start in _starts(source):
        examples = _examples(_shard(folder, start))
        shards.append(examples["rows"])
        bad += examples["left_out"]
        too_long += examples.get("too_long", 0)
    _refuse_many(bad, len(source.dataset))
    if not any(shards):
        raise InputError("dataset", 0, "has no usable example")
    if source.prepare_text:
        _write_blank(folder, source.prepare_text)
    index = json.dumps({"shards": shards, "left_out": bad, "too_long": too_long})
    write_atomically(folder / _INDEX, lambda file: file.write(index.encode()))
    return bad


def _examples(shard: Path) -> dict[str, Any]:
    """What a shard says of its examples: `rows`, `left_out`, `too_long`."""
    with safe_open(shard, framework="pt") as file:
        found: dict[str, Any] = json.loads(file.metadata()["examples"])
    return found


def _is_whole(shard: Path) -> bool:
    return shard.is_file() and not _examples(shard)["left_out"]


class Cache:
    """The rows of a finished cache. Row i is the i-th usable example.

    By row: `sizes` ("512x640", width first; "16" bars), `labels`, `numbers` (of the example in its data set)
    and `files` (of which several examples are parts; "" where none). `too_long`: how many captions the model
    does not read to their end.
    """

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / _INDEX).read_text("utf-8"))
        self._folder = folder
        self.numbers, self.sizes, self.labels, self.files = _columns(index["shards"])
        self.too_long: int = index.get("too_long", 0)
        self._places = list(_places(index["shards"]))
        blank = folder / _BLANK
        self.blank: dict[str, Tensor] = load_file(blank) if blank.is_file() else {}
        self._open = lru_cache(maxsize=512)(self._open_shard)

    def __len__(self) -> int:
        return len(self._places)

    def rows(self, indices: Sequence[int]) -> tuple[dict[str, Tensor], list[RowEmotion]]:
        """Tensors (rows, ...) on the CPU and the emotion of every row; the rows must have one size."""
        found = [self._row(index) for index in indices]
        with torch.autocast("cpu", enabled=False):  # which knows no float16, and here nothing is computed
            tensors = {name: torch.stack([row[name] for row in found]) for name in found[0]}
        return tensors, self.emotions(indices)

    def emotions(self, indices: Sequence[int]) -> list[RowEmotion]:
        """The emotion of every row, or one for each of its bars; of any sizes."""
        return [self._emotion(index) for index in indices]

    def _row(self, index: int) -> dict[str, Tensor]:
        shard, _, place = self._places[index]
        parts = self._open(shard)[self.sizes[index]]
        return {name: part[place] for name, part in parts.items() if name != _EMOTION}

    def _emotion(self, index: int) -> RowEmotion:
        shard, row, place = self._places[index]
        parts = self._open(shard)
        if _EMOTION in parts[self.sizes[index]]:
            return tuple(VAD(*point) for point in parts[self.sizes[index]][_EMOTION][place].tolist())
        return VAD(*parts[""][_EMOTION][row].tolist())

    def _open_shard(self, shard: int) -> dict[str, dict[str, Any]]:
        """The tensors of every size by name; emotions, which have no size, under ""."""
        file = safe_open(_shard(self._folder, shard * SHARD_ROWS), framework="pt")
        parts: dict[str, dict[str, Any]] = defaultdict(dict)
        for path in file.keys():  # noqa: SIM118 (not a mapping)
            size, _, name = path.rpartition("/")
            parts[size][name] = file.get_slice(path)
        return parts


def _columns(
    shards: Sequence[Sequence[Sequence[Any]]],
) -> tuple[list[int], list[str], list[str], list[str]]:
    rows = [row for shard in shards for row in shard]
    files = [row[3] if len(row) > 3 else "" for row in rows]
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows], files


def _places(shards: Sequence[Sequence[Sequence[Any]]]) -> Iterator[tuple[int, int, int]]:
    """(shard, row in it, row among those of its size) of every row."""
    for number, shard in enumerate(shards):
        seen: dict[str, int] = defaultdict(int)
        for row, (_, size, *_) in enumerate(shard):
            yield number, row, seen[size]
            seen[size] += 1


def _starts(source: Source) -> range:
    return range(0, len(source.dataset), SHARD_ROWS)


def _shard(folder: Path, start: int) -> Path:
    return folder / f"shard-{start // SHARD_ROWS:05d}.safetensors"


def _write_shard(folder: Path, source: Source, start: int) -> list[str]:
    """One shard; returns what could not be read. A shard without any usable example keeps 0 rows."""
    bad: list[str] = []
    rows: list[tuple[int | str, ...]] = []
    points: list[tuple[float, float, float]] = []
    too_long = 0
    waiting: dict[Size, list[Example]] = defaultdict(list)
    moods: dict[Size, list[RowEmotion]] = defaultdict(list)
    parts: dict[Size, list[dict[str, Tensor]]] = defaultdict(list)
    for index, example, size in _read(source, start, bad):
        rows.append((index, _text(size), _label(example), *_file(example)))
        points.append(example.emotion.vad.as_tuple())
        moods[size].append(example.attributes.get("bars") or example.emotion.vad)
        too_long += any(source.unread([example.prompt]))
        waiting[size].append(example)
        if len(waiting[size]) == PREPARE_ROWS:
            parts[size].append(_prepared(source.prepare, waiting.pop(size), size))
    for size, examples in waiting.items():
        parts[size].append(_prepared(source.prepare, examples, size))
    tensors = {_EMOTION: torch.tensor(points, dtype=torch.float64).reshape(len(points), 3)}
    tensors |= {
        f"{_text(size)}/{_EMOTION}": bars
        for size, rows in moods.items()
        if (bars := _by_bar(rows)) is not None
    }
    for size, prepared in parts.items():
        for name in prepared[0]:
            tensors[f"{_text(size)}/{name}"] = _joined(name, [part[name] for part in prepared])
    examples = json.dumps({"rows": rows, "left_out": bad, "too_long": too_long})
    data = save(tensors, metadata={"examples": examples})  # one key: several come in any order
    write_atomically(_shard(folder, start), lambda file: file.write(data))
    return bad


def _read(source: Source, start: int, bad: list[str]) -> Iterator[tuple[int, Example, Size]]:
    """The usable examples of a shard with their numbers and sizes; what is wrong with the others to `bad`."""
    for index in range(start, min(start + SHARD_ROWS, len(source.dataset))):
        try:
            yield index, *source.fit(source.dataset[index])
        except InputError as error:
            bad.append(f"example {index}: {error}")


def _by_bar(moods: Sequence[RowEmotion]) -> Tensor | None:
    """(rows, bars, 3); one that is the same throughout stands in every bar. None where all are."""
    bars = max((len(mood) for mood in moods if not isinstance(mood, VAD)), default=0)
    if not bars:
        return None
    each = [[mood] * bars if isinstance(mood, VAD) else mood for mood in moods]
    return torch.tensor([[vad.as_tuple() for vad in row] for row in each], dtype=torch.float64)


def _text(size: Size) -> str:
    return "x".join(map(str, size))


def _label(example: Example) -> str:
    """What the data set calls it; else the strongest label of its emotion."""
    given = example.attributes.get("label")
    if given is not None:
        return str(given)
    weights = example.emotion.weights or lexicon().emotion(example.emotion.vad).weights
    return max(weights, key=lambda weight: weight[1])[0]


def _file(example: Example) -> tuple[str, ...]:
    """The file that this and other examples are parts of, where there is one."""
    file = example.attributes.get("file")
    return () if file is None else (str(file),)


def _prepared(prepare: Prepare, examples: Sequence[Example], size: Size) -> dict[str, Tensor]:
    with torch.no_grad():
        found = prepare(examples, size[:2])  # of clips, what is beyond is how many frames they have already
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in found.items()}
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


def _write_blank(folder: Path, prepare_text: PrepareText) -> None:
    """The tensors that come from the caption alone, for an empty caption."""
    with torch.no_grad():
        blank = {name: rows[0].detach().cpu().clone() for name, rows in prepare_text([""]).items()}
    data = save(blank)
    write_atomically(folder / _BLANK, lambda file: file.write(data))
