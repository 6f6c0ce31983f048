"""The autoencoder of the embedded image model: 128 px pictures to 16x16 latents and back.

Loss: squared error, which is what PSNR measures, plus a little absolute error of the gradients, which
keeps edges crisp. Only the mean of the posterior is trained; a little noise on it keeps the latents smooth.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.embedded._fit import Fit, Plan

LATENT_CHANNELS = 12
CROP_PX = 64
PLAN = Plan(steps=1000, learning_rate=4e-3, warmup_steps=100, weight_decay=0.0, ema=0.99)


def new(seed: int) -> AutoencoderKL:
    torch.manual_seed(seed)
    model = AutoencoderKL(
        block_out_channels=(16, 32, 64, 128),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=LATENT_CHANNELS,
        layers_per_block=1,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=128,
        scaling_factor=1.0,
    )
    return model.to(memory_format=torch.channels_last)


def as_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def crops(pictures: NDArray[np.uint8], count: int, size_px: int, generator: torch.Generator) -> Tensor:
    """Random crops on the 8 px lattice, half of them mirrored: (count, 3, size_px, size_px)."""
    chosen = torch.randint(len(pictures), (count,), generator=generator).tolist()
    span = (pictures.shape[1] - size_px) // 8 + 1
    corners = torch.randint(span, (count, 2), generator=generator).mul(8).tolist()
    cut = np.stack(
        [pictures[i, y : y + size_px, x : x + size_px] for i, (y, x) in zip(chosen, corners, strict=True)]
    )
    batch = as_tensor(cut)
    mirrored = torch.rand(count, generator=generator) < 0.5
    batch[mirrored] = batch[mirrored].flip(-1)
    return batch.contiguous(memory_format=torch.channels_last)


def difference(painted: Tensor, wanted: Tensor) -> Tensor:
    squared = functional.mse_loss(painted, wanted)
    across = functional.l1_loss(painted.diff(dim=-1), wanted.diff(dim=-1))
    down = functional.l1_loss(painted.diff(dim=-2), wanted.diff(dim=-2))
    return squared + 0.05 * (across + down)


def train(model: AutoencoderKL, pictures: NDArray[np.uint8], folder: Path, seed: int) -> None:
    """Learn on crops. A light pull keeps the latents near zero mean and unit size."""

    def loss_of(step: int, generator: torch.Generator) -> Tensor:
        batch = crops(pictures, 16, CROP_PX, generator)
        with torch.autocast("cpu", torch.bfloat16):
            posterior = model.encode(batch).latent_dist
            mean = posterior.mean.float()
            latents = mean + 0.05 * torch.randn(mean.shape, generator=generator)
            painted = model.decode(latents).sample
        return difference(painted.float(), batch) + 1e-4 * mean.square().mean()

    Fit(model, PLAN, folder, seed).run(loss_of, "autoencoder")


@torch.no_grad()
def psnr_db(model: AutoencoderKL, pictures: NDArray[np.uint8]) -> float:
    """Mean over pictures of 10 log10(255^2 / mse), decoded values rounded to 8 bits as a file holds them."""
    found = []
    for start in range(0, len(pictures), 16):
        part = pictures[start : start + 16]
        painted = model.decode(model.encode(as_tensor(part)).latent_dist.mean).sample
        pixels = painted.add(1).mul(127.5).round().clamp(0, 255).permute(0, 2, 3, 1).numpy()
        error = ((pixels - part.astype(np.float32)) ** 2).mean(axis=(1, 2, 3))
        found.append(10 * np.log10(255.0**2 / np.maximum(error, 1e-6)))
    return float(np.concatenate(found).mean())


@torch.no_grad()
def encode(model: AutoencoderKL, pictures: NDArray[np.uint8]) -> Tensor:
    """Latent means of (N, 128, 128, 3) pictures: (N, C, 16, 16) float32, unscaled."""
    parts = []
    for start in range(0, len(pictures), 32):
        batch = as_tensor(pictures[start : start + 32]).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            parts.append(model.encode(batch).latent_dist.mean.float())
    return torch.cat(parts)
