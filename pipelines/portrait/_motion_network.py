"""The network of motion: a small transformer that guesses a face's motion from a noised one and from speech.

Shapes: R rows, T frames, H channels of motion (see _motion_channels), F columns of speech (see _hearing),
C hidden channels. Speech is heard once for a whole line; only the rest runs at every step of sampling.
"""

from __future__ import annotations

import math

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from pipelines.portrait import _hearing as hearing
from pipelines.portrait import _motion_channels as channels
from pipelines.portrait._motion_windows import EARS, REACH

MOMENT = 64  # channels that say how much noise there is


class Near(nn.Module):
    """Each channel filtered over 2 * REACH + 1 frames by its own kernel; a sum of shifts, faster on a CPU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(2 * REACH + 1, 1, width) * 0.2)

    def forward(self, x: Tensor) -> Tensor:
        """(R, T, C) -> (R, T - 2 * REACH, C)"""
        count = x.shape[1] - 2 * REACH
        kernel = self.kernel.to(x.dtype)
        total = x[:, :count] * kernel[0]
        for shift in range(1, len(kernel)):
            total = total + x[:, shift : shift + count] * kernel[shift]
        return total


class Ear(nn.Module):
    """One layer of hearing: neighbouring frames, then all channels of a frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.near = Near(width)
        self.wide = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        near = self.near(self.norm(x))
        return x[:, REACH:-REACH] + self.narrow(nn.functional.gelu(self.wide(near)))


class Attention(nn.Module):
    """Self-attention over the frames of a window, with rotary positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(width, width, bias=False)
        self.to_v = nn.Linear(width, width, bias=False)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        rows, frames, width = x.shape
        q, k, v = (
            part(x).view(rows, frames, self.heads, -1).transpose(1, 2)
            for part in (self.to_q, self.to_k, self.to_v)
        )
        scores = _turned(q, turns) @ _turned(k, turns).transpose(-1, -2) * (width // self.heads) ** -0.5
        mixed = scores.softmax(dim=-1) @ v
        return self.to_out(mixed.transpose(1, 2).reshape(rows, frames, width))


class Block(nn.Module):
    """Speech again at every layer, then frames among each other, then each frame by itself."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.moment = nn.Linear(MOMENT, 4 * width)
        self.speech = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.ff_in = nn.Linear(width, 3 * width)
        self.ff_out = nn.Linear(3 * width, width)

    def forward(self, x: Tensor, speech: Tensor, moment: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        scale1, shift1, scale2, shift2 = self.moment(moment)[:, None].chunk(4, dim=-1)
        x = x + self.speech(speech)
        x = x + self.attn(self.norm1(x) * (1 + scale1) + shift1, turns)
        wide = self.ff_in(self.norm2(x) * (1 + scale2) + shift2)
        return x + self.ff_out(nn.functional.gelu(wide))


class MotionTransformer(ModelMixin, ConfigMixin):
    """The motion without its noise. `mean` and `spread` (H,) standardise channels; they travel with it."""

    @register_to_config
    def __init__(self, width: int = 192, layers: int = 4, heads: int = 4) -> None:
        super().__init__()
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("mean", torch.zeros(channels.COUNT))
        self.register_buffer("spread", torch.ones(channels.COUNT))
        self.embeddings = nn.ModuleDict(
            {"sound": nn.Linear(hearing.WIDTH, width), "motion": nn.Linear(channels.COUNT + 1, width)}
        )
        self.ears = nn.ModuleList([Ear(width) for _ in range(EARS)])
        self.heard = nn.LayerNorm(width)
        self.unheard = nn.Parameter(torch.zeros(width))
        self.moments = nn.Sequential(
            nn.Linear(MOMENT, MOMENT), nn.SiLU(), nn.Linear(MOMENT, MOMENT), nn.SiLU()
        )
        self.near = Near(width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.writers = nn.Linear(width, channels.COUNT)
        for block in self.blocks:
            nn.init.zeros_(block.moment.weight)
            nn.init.zeros_(block.moment.bias)
        nn.init.zeros_(self.writers.weight)

    def hear(self, sound: Tensor) -> Tensor:
        """(R, T + 2 * MARGIN, F) -> (R, T, C)."""
        x = self.embeddings["sound"](sound)
        for ear in self.ears:
            x = ear(x)
        return self.heard(x)

    def forward(self, motion: Tensor, known: Tensor, moment: Tensor, speech: Tensor) -> Tensor:
        """`motion` (R, T, H): noised, but clean where `known` (R, T) is 1; both standardised.

        `moment` (R,): timestep in [0, 1000). `speech` (R, T, C) as `hear` gives it, or `unheard` in its
        place. Returns (R, T, H), standardised.
        """
        x = self.embeddings["motion"](torch.cat([motion, known[..., None].to(motion.dtype)], dim=-1))
        x = x + self.near(nn.functional.pad(x, (0, 0, REACH, REACH)))
        waves = self.moments(_waves(moment).to(motion.dtype))
        turns = _turns(x.shape[1], x.shape[2] // self.config.heads, x)
        for block in self.blocks:
            x = block(x, speech, waves, turns)
        return self.writers(self.norm(x))


def _waves(moment: Tensor) -> Tensor:
    """(R, MOMENT) sines and cosines of a timestep."""
    rates = torch.exp(-math.log(2000) * torch.arange(MOMENT // 2, device=moment.device) / (MOMENT // 2))
    angles = moment.float()[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def _turns(frames: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (frames, width) of rotary positions (Su et al. 2021), waves of up to 512 frames."""
    rates = torch.exp(-math.log(512 / math.tau) * torch.arange(0, width, 2, device=like.device) / width)
    angles = torch.arange(frames, device=like.device)[:, None] * rates
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def _turned(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = (part.to(x.dtype) for part in turns)
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
