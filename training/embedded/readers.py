"""A network that reads pictures: which scene, and which valence, arousal and dominance.

It learned on painter pictures only and so shares the painter's idea of what a feeling looks like. It serves
the benchmarks (does a generated picture show what was asked?); it is no judge of photographs or of people.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.embedded._fit import Fit, Plan
from training.embedded.autoencoder import as_tensor
from training.synthesis.spec import SCENES

if TYPE_CHECKING:  # painting needs packages that reading does not
    from training.embedded.paintings import Gallery

PLAN = Plan(steps=2500, learning_rate=2e-3, warmup_steps=100, weight_decay=0.02, ema=0.995)
BATCH = 48
GRID_PX = 64


class PictureReader(ModelMixin, ConfigMixin):
    """Pictures (N, 3, H, W) in [-1, 1] to scene logits (N, K) and VAD (N, 3)."""

    @register_to_config
    def __init__(self, scenes: Sequence[str] = SCENES, width: int = 32) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 6 * width)
        layers: list[nn.Module] = []
        before = 3
        for now in widths:
            for incoming, stride in ((before, 1), (now, 2)):
                kernel = nn.Conv2d(incoming, now, 3, stride=stride, padding=1, bias=False)
                layers += [kernel, nn.BatchNorm2d(now), nn.SiLU()]
            before = now
        self.trunk = nn.Sequential(*layers)
        self.scene = nn.Linear(before * 2, len(scenes))
        self.feeling = nn.Sequential(nn.Linear(before * 2, 128), nn.SiLU(), nn.Linear(128, 3))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        small = functional.interpolate(pictures, size=(GRID_PX, GRID_PX), mode="area")
        maps = self.trunk(small)
        pooled = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)
        return self.scene(pooled), self.feeling(pooled)

    @torch.no_grad()
    def read(self, pictures: NDArray[np.uint8]) -> tuple[list[str], NDArray[np.float32]]:
        """Scene names and VAD (N, 3) of (N, H, W, 3) uint8 pictures."""
        logits, feelings = [], []
        for start in range(0, len(pictures), 64):
            scene, feeling = self(as_tensor(pictures[start : start + 64]))
            logits.append(scene)
            feelings.append(feeling)
        names = list(self.config.scenes)
        return [names[i] for i in torch.cat(logits).argmax(1).tolist()], torch.cat(feelings).float().numpy()


def _worn(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures as a decoder might hand them over: sometimes blurred, always a little noisy."""
    blurred = functional.interpolate(functional.avg_pool2d(batch, 4), scale_factor=4, mode="bilinear")
    amount = torch.rand(len(batch), 1, 1, 1, generator=generator)
    amount = torch.where(amount < 0.5, torch.zeros(()), amount - 0.3)
    return batch.lerp(blurred, amount) + 0.04 * torch.randn(batch.shape, generator=generator)


def train(reader: PictureReader, gallery: Gallery, folder: Path, seed: int) -> None:
    """Cross-entropy on the scene plus squared error on the feeling."""
    scenes = torch.tensor([SCENES.index(name) for name in gallery.scenes])
    feelings = torch.from_numpy(gallery.feelings)

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(len(gallery), (BATCH,), generator=generator)
        batch = _worn(as_tensor(gallery.pictures[chosen.numpy()]), generator)
        with torch.autocast("cpu", torch.bfloat16):
            scene, feeling = reader(batch)
        named = functional.cross_entropy(scene.float(), scenes[chosen], label_smoothing=0.05)
        return named + 4 * functional.mse_loss(feeling.float(), feelings[chosen])

    reader.train()
    Fit(reader, PLAN, folder, seed).run(loss_of, "reader")
    reader.eval()


def quality(reader: PictureReader, gallery: Gallery) -> dict[str, float]:
    """Scene accuracy and the correlation of painted with read valence, arousal and dominance."""
    scenes, feelings = reader.read(gallery.pictures)
    right = np.mean([read == true for read, true in zip(scenes, gallery.scenes, strict=True)])
    axes = ("valence_r", "arousal_r", "dominance_r")
    pairs = zip(feelings.T, gallery.feelings.T, strict=True)
    found = {axis: float(np.corrcoef(*pair)[0, 1]) for axis, pair in zip(axes, pairs, strict=True)}
    return {"scene_accuracy": float(right), **found}
