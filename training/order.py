"""What a run does at which step, as functions of seed and step: order, learning rate, noise.

Nothing here keeps a state, so nothing of it has to be saved to go on from a step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from studio.errors import InputError
from training.config import Recipe

ORDER, DROPS, NOISE, VALIDATION = range(4)  # what a derived seed is for


class Order:
    """Which rows make which step: every epoch a new permutation, steps run across its end without a gap."""

    def __init__(self, rows: Sequence[int], batch_size: int, seed: int) -> None:
        self._rows, self._batch_size, self._seed = np.asarray(rows), batch_size, seed
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    def batch(self, step: int) -> list[int]:
        """Rows of step `step` (from 0), over all processes and micro-batches."""
        first = step * self._batch_size
        places = (divmod(place, len(self._rows)) for place in range(first, first + self._batch_size))
        return [int(self._epoch(epoch)[place]) for epoch, place in places]

    def _shuffled(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self._seed, ORDER, epoch]).permutation(self._rows)


def learning_rate(recipe: Recipe, step: int) -> float:
    """The rate of step `step` (from 0): linear warm-up, then constant or half a cosine down to 0."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    if recipe.schedule == "constant":
        return recipe.learning_rate
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def split(count: int, recipe: Recipe) -> tuple[list[int], list[int]]:
    """Rows held out for validation, and the rest."""
    if count <= recipe.validation_count:
        why = f"holds out {recipe.validation_count} of {count} usable examples; nothing is left to learn from"
        raise InputError("validation_count", recipe.validation_count, why, str(count // 10))
    rows = np.random.default_rng([recipe.seed, VALIDATION]).permutation(count).tolist()
    return rows[: recipe.validation_count], rows[recipe.validation_count :]


def generator_of(*words: int) -> torch.Generator:
    """A generator on the CPU, where a seed means the same on every machine; torch's own is seeded alike."""
    seed = int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> np.uint64(1))
    torch.manual_seed(seed)  # for whatever draws without a generator, such as dropout
    return torch.Generator().manual_seed(seed)
