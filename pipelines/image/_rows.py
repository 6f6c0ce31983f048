"""What every row of a batch has for itself: its noise and its emotion over the steps. Knows no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from studio.emotion import NEUTRAL
from studio.errors import EmotionError
from studio.lazy import lazy
from studio.ports import RowEmotion, SetEmotion
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")


def refuse_seconds(request: RenderRequest) -> None:
    """What a picture family cannot do. Raises EmotionError: a still picture has no seconds."""
    if request.curve.unit == "seconds" and not request.curve.is_constant:
        text = request.curve.text
        why = f"a still picture has no seconds, got {text!r}; place the keys by progress"
        raise EmotionError("emotion", text, why, "fear@0%, relief@100%")


def row_noise(seeds: Sequence[int], shape: tuple[int, ...]) -> tuple[Tensor, list[torch.Generator]]:
    """(R, *shape) of noise, each row from its own seed, and the generators for noise added later.

    Always drawn on the CPU: a seed means the same picture on every device."""
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    rows = [torch.randn(shape, generator=generator) for generator in generators]
    return torch.stack(rows), generators


def feeler(batch: Sequence[RenderRequest], set_emotion: SetEmotion, guided: bool) -> Callable[[float], None]:
    """Sets the rows' emotions for a progress in [0, 1]; once only when none of them changes.

    `guided`: the unguided half runs in the same pass, comes first, and stays neutral.
    """
    unguided: list[RowEmotion] = [NEUTRAL] * len(batch) if guided else []
    curves = [request.curve for request in batch]
    constant = all(curve.is_constant for curve in curves)

    def feel(progress: float) -> None:
        if progress == 0 or not constant:  # 1.0: the seconds of a constant curve do not matter
            set_emotion([*unguided, *(curve.at(progress, 1.0) for curve in curves)])

    return feel
