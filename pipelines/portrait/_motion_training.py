"""What a family that moves faces hands to the trainer: windows as tensors, and how wrong the network is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from pipelines.portrait import _motion_loss as motion_loss
from pipelines.portrait._motion_sampling import MotionDiffusionPipeline
from studio.ports import Example, RowEmotion, SetEmotion

NAMES = ("sound", "motion", "first")


def prepare(examples: Sequence[Example]) -> dict[str, Tensor]:
    """Windows as tensors, rows first; sound and motion in half precision."""
    columns = {name: [getattr(example.media, name) for example in examples] for name in NAMES}
    stacked = {name: torch.from_numpy(np.stack(values)) for name, values in columns.items()}
    return {name: part if name == "first" else part.half() for name, part in stacked.items()}


def loss(
    pipe: MotionDiffusionPipeline,
    tensors: Mapping[str, Tensor],
    emotions: Sequence[RowEmotion],
    set_emotion: SetEmotion,
    generator: torch.Generator,
) -> Tensor:
    """How far motion guessed from noise is from the performer's."""
    net = pipe.transformer
    asked = motion_loss.task(tensors, net, pipe.scheduler.alphas_cumprod, generator)
    set_emotion(list(emotions))
    return motion_loss.loss(asked.guess(net), asked)
