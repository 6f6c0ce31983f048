"""What a run does at which step, as functions of seed and step: order, learning rate, noise.

Nothing here keeps a state, so nothing of it has to be saved to go on from a step.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from studio.errors import InputError
from training.config import Recipe

ORDER, DROPS, NOISE, VALIDATION, EXTRAS, TURNS = range(6)  # what a derived seed is for


class Order:
    """Which rows make which step: all rows of a step have one size, and every epoch is a new permutation.

    Each size has an endless row of its own that runs across the end of an epoch without a gap, and is cut
    into batches. A batch belongs to the epoch in which it is full: what is left of a size at the end of an
    epoch begins its first batch of a later one, so no row is dropped and none is seen more than another.
    With `labels` every label comes as often as the largest one: its rows are repeated, the odd ones in turn.
    """

    def __init__(
        self,
        rows: Sequence[int],
        batch_size: int,
        seed: int,
        sizes: Sequence[Any] | None = None,
        labels: Sequence[Any] | None = None,
    ) -> None:
        """`sizes` and `labels` of each of `rows`: without them all rows are of one size, as they are."""
        quotas = _quotas(rows, sizes or [0] * len(rows), labels)
        self._buckets = [_Bucket(groups, seed, number) for number, groups in enumerate(quotas)]
        self._batch_size, self._seed = batch_size, seed
        self._turns = lru_cache(maxsize=2)(self._shuffled_turns)

    def batch(self, step: int) -> list[int]:
        """Rows of step `step` (from 0), over all processes and micro-batches."""
        epoch = self._epoch_of(step)
        bucket, number = self._turns(epoch)[step - self._steps_before(epoch)]
        first = number * self._batch_size
        return [self._buckets[bucket].row(place) for place in range(first, first + self._batch_size)]

    def _epoch_of(self, step: int) -> int:
        """The epoch in which the batch of that step is full."""
        epoch = step * self._batch_size // sum(bucket.length for bucket in self._buckets)
        while self._steps_before(epoch + 1) <= step:  # a few times at most: each size may wait for one batch
            epoch += 1
        return epoch

    def _steps_before(self, epoch: int) -> int:
        return sum(self._batches_before(bucket, epoch) for bucket in self._buckets)

    def _batches_before(self, bucket: _Bucket, epoch: int) -> int:
        return epoch * bucket.length // self._batch_size

    def _shuffled_turns(self, epoch: int) -> list[tuple[int, int]]:
        """(size, number of its batch) of every step of an epoch; the batches of a size stay in order."""
        first = [self._batches_before(bucket, epoch) for bucket in self._buckets]
        after = [self._batches_before(bucket, epoch + 1) for bucket in self._buckets]
        turns = np.repeat(np.arange(len(first)), np.subtract(after, first))
        shuffled = np.random.default_rng([self._seed, TURNS, epoch]).permutation(turns).tolist()
        seen: Counter[int] = Counter()
        numbered = []
        for bucket in shuffled:
            numbered.append((bucket, first[bucket] + seen[bucket]))
            seen[bucket] += 1
        return numbered


class _Bucket:
    """The endless row of one size: `length` places an epoch, shuffled anew in each."""

    def __init__(self, groups: Sequence[tuple[np.ndarray, int]], seed: int, number: int) -> None:
        """`groups`: rows and how many places they fill in an epoch, at least one each."""
        self._groups, self._seed, self._number = groups, seed, number
        self.length = sum(quota for _, quota in groups)
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    def row(self, place: int) -> int:
        epoch, within = divmod(place, self.length)
        return int(self._epoch(epoch)[within])

    def _shuffled(self, epoch: int) -> np.ndarray:
        drawn = [self._drawn(group, epoch) for group in range(len(self._groups))]
        return np.random.default_rng([self._seed, ORDER, epoch, self._number]).permutation(
            np.concatenate(drawn)
        )

    def _drawn(self, group: int, epoch: int) -> np.ndarray:
        """Every row of a group as often as fits, and the rest of its places to the rows whose turn it is."""
        rows, quota = self._groups[group]
        repeats, odd = divmod(quota, len(rows))
        lap, start = divmod(epoch * odd, len(rows))
        laps = [self._lap(group, number) for number in ((lap, lap + 1) if odd else ())]
        extra = np.concatenate([rows[:0], *laps])[start : start + odd]
        return np.concatenate([np.repeat(rows, repeats), extra])

    def _lap(self, group: int, number: int) -> np.ndarray:
        rows, _ = self._groups[group]
        return np.random.default_rng([self._seed, EXTRAS, number, self._number, group]).permutation(rows)


def _quotas(
    rows: Sequence[int], sizes: Sequence[Any], labels: Sequence[Any] | None
) -> list[list[tuple[np.ndarray, int]]]:
    """For every size its groups of rows, each with its places in an epoch; a group has one label."""
    members: dict[Any, dict[Any, list[int]]] = defaultdict(lambda: defaultdict(list))  # label, size: rows
    for row, size, label in zip(rows, sizes, labels or [""] * len(rows), strict=True):
        members[label][size].append(row)
    counts = Counter(labels) if labels else {"": len(rows)}
    largest = max(counts.values())
    buckets: dict[Any, list[tuple[np.ndarray, int]]] = {size: [] for size in sorted(set(sizes))}
    for label in sorted(members):
        shares = _shares([len(group) for group in members[label].values()], largest)
        for (size, group), quota in zip(members[label].items(), shares, strict=True):
            buckets[size].append((np.asarray(group), quota))
    return list(buckets.values())


def _shares(counts: Sequence[int], total: int) -> list[int]:
    """`total` divided as `counts` are, in whole numbers: what is over goes to the largest remainders."""
    whole = sum(counts)
    shares = [count * total // whole for count in counts]
    by_remainder = sorted(range(len(counts)), key=lambda index: -(counts[index] * total % whole))
    for index in by_remainder[: total - sum(shares)]:
        shares[index] += 1
    return shares


def learning_rate(recipe: Recipe, step: int) -> float:
    """The rate of step `step` (from 0): linear warm-up, then constant or half a cosine down to 0."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    if recipe.schedule == "constant":
        return recipe.learning_rate
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def split(count: int, recipe: Recipe, files: Sequence[str] = ()) -> tuple[list[int], list[int]]:
    """Rows held out for validation, and the rest. `files`: of each row; no file is in both, "" is none."""
    rows = np.random.default_rng([recipe.seed, VALIDATION]).permutation(count).tolist()
    chosen = rows
    if any(files):  # the rows of a file together, files in the order of their first row
        first = {files[row] or row: place for place, row in reversed(list(enumerate(rows)))}
        chosen = sorted(rows, key=lambda row: first[files[row] or row])
    held_out = set(chosen[: recipe.validation_count])
    known = {files[row] for row in held_out if files and files[row]}
    rest = (row for row in rows if row not in held_out)
    learnt = [row for row in rest if not files or files[row] not in known]
    if not learnt:
        why = f"holds out {recipe.validation_count} of {count} usable examples; nothing is left to learn from"
        raise InputError("validation_count", recipe.validation_count, why, str(count // 10))
    return [row for row in rows if row in held_out], learnt


def chunks(sizes: Sequence[Any], longest: int) -> Iterator[slice]:
    """Slices of at most `longest` neighbours of one size."""
    start = 0
    for stop in range(1, len(sizes) + 1):
        if stop == len(sizes) or stop - start == longest or sizes[stop] != sizes[start]:
            yield slice(start, stop)
            start = stop


def generator_of(*words: int) -> torch.Generator:
    """A generator on the CPU, where a seed means the same on every machine; torch's own is seeded alike."""
    seed = int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> np.uint64(1))
    torch.manual_seed(seed)  # for whatever draws without a generator, such as dropout
    return torch.Generator().manual_seed(seed)
