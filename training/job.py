"""What a training run works on, where it stands, and how its data are weighed without learning from them.

Knows a pipeline by its loss and a cache by its rows; takes no step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from studio.emotion import NEUTRAL, VAD
from studio.ports import RowEmotion
from training.cache import Cache
from training.config import Recipe
from training.order import VALIDATION, chunks, generator_of

CHECKPOINTS = "checkpoints"
OnStep = Callable[[int, float], None]  # (steps done, loss); raises Cancelled to stop the run


@dataclass(frozen=True, slots=True)
class Job:
    """What a run works on. `adapter` is worn by the pipeline already, and `set_emotion` came from that.

    `identity`: what the weights depend on, kept with every checkpoint. `awake()`: a block in which the whole
    pipeline is on the device and can render; between steps only the network that learns is there. `shards`:
    counts of `sharding.shard`; where there are any, no process can run the network without the others.
    """

    recipe: Recipe
    pipeline: Any
    adapter: Any
    set_emotion: Any
    cache: Cache
    data: str  # key of the cache
    identity: Mapping[str, Any]
    awake: Callable[[], AbstractContextManager[None]] = nullcontext
    show: Callable[[int], Mapping[str, float]] | None = None  # renders at a step; figures for the log
    lesson: Any = None  # what gives the loss in place of the pipeline: a slider's
    shards: Mapping[str, int] = field(default_factory=dict)

    @property
    def loss(self) -> Callable[..., Tensor]:
        """(tensors, emotions, set_emotion, generator) -> scalar."""
        loss: Callable[..., Tensor] = (self.lesson or self.pipeline).loss
        return loss


@dataclass(slots=True)
class Progress:
    """Where a run is. `figures` holds the latest validation."""

    step: int = 0
    seconds: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)


def held_out_losses(job: Job, rows: Sequence[int], device: Any) -> dict[str, float]:
    """Losses on held-out rows with fixed noise: with their own emotions, each other's, and none.

    An adapter that has learnt feelings has the first below the second, and below the third, which is the
    base model's own.
    """
    emotions = job.cache.emotions(rows)
    moved = [
        _lasting(other, own) for other, own in zip([*emotions[1:], *emotions[:1]], emotions, strict=True)
    ]
    return {
        "validation_loss": _mean_loss(job, rows, emotions, device),
        "validation_loss_other_emotions": _mean_loss(job, rows, moved, device),
        "validation_loss_base": _mean_loss(job, rows, [NEUTRAL] * len(emotions), device),
    }


def _lasting(mood: RowEmotion, like: RowEmotion) -> RowEmotion:
    """`mood` for as many bars as `like` has: each bar feels as the one at its share of the piece."""
    if isinstance(mood, VAD):
        return mood
    if isinstance(like, VAD):
        return mood[0]
    return tuple(mood[bar * len(mood) // len(like)] for bar in range(len(like)))


def _mean_loss(job: Job, rows: Sequence[int], emotions: Sequence[RowEmotion], device: Any) -> float:
    longest, total = max(1, job.recipe.batch_size // job.recipe.gradient_accumulation), 0.0
    for part in chunks([job.cache.sizes[row] for row in rows], longest):
        tensors, _ = job.cache.rows(rows[part])
        moved = {name: tensor.to(device) for name, tensor in tensors.items()}
        generator = generator_of(job.recipe.seed, VALIDATION, part.start)
        loss = job.loss(moved, list(emotions[part]), job.set_emotion, generator)
        total += float(loss) * len(rows[part])
    return total / len(rows)
