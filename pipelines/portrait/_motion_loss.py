"""What the network of motion learns from: windows with noise on them, and how far its guess is off.

Weighed are places, velocities and accelerations (as Audio2Face-3D, NVIDIA 2025, and DiffPoseTalk, Sun et al.
2024); lips that nearly touch count more than open ones, and so does stillness in silence. R rows, T frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.portrait import _hearing as hearing
from pipelines.portrait import _motion_channels as channels
from pipelines.portrait._motion_network import MotionTransformer
from pipelines.portrait._motion_sampling import CARRIED
from pipelines.portrait._motion_windows import MARGIN

DEAF = 0.1  # share of rows that hear nothing
UNSPOKEN = 0.4  # share of rows that hear sound alone, no phones
ALONE = 0.25  # share of rows that know nothing before them; a line's first windows always do
VELOCITY, ACCELERATION = 2.0, 1.0
LIDS = 0.3  # weight of blinks, which are large and come when they like
CLOSURE, CLOSED = 2.0, 0.06  # weight of lips that touch, and at which opening it has fallen to a third
SILENCE = 1.0
_KNEE = 0.3  # from where on a lip's miss counts by its size, in standard deviations


@dataclass(frozen=True, slots=True)
class Task:
    """What a network is asked: see MotionTransformer.forward; `deaf` (R,), `truth` and `weight` (R, T, H)."""

    noised: Tensor
    known: Tensor
    moment: Tensor
    sound: Tensor
    deaf: Tensor
    truth: Tensor
    weight: Tensor

    def guess(self, net: MotionTransformer) -> Tensor:
        speech = net.hear(self.sound.to(net.dtype))
        speech = torch.where(self.deaf[:, None, None], net.unheard.to(speech.dtype), speech)
        return net(self.noised.to(net.dtype), self.known, self.moment, speech)


def task(
    windows: Mapping[str, Tensor], net: MotionTransformer, alphas: Tensor, generator: torch.Generator
) -> Task:
    """`windows`: `sound` (R, T + 2 * MARGIN, F), `motion` (R, T, H) in its own units, `first` (R,) whether a

    row begins its line. `alphas` (timesteps,): cumulative, of the scheduler. The generator is on the CPU.
    """
    motion, sound = windows["motion"].float(), windows["sound"].float()
    rows, frames, _ = motion.shape
    device = motion.device

    def chance(share: float) -> Tensor:
        return (torch.rand(rows, generator=generator) < share).to(device)

    truth = (motion - net.mean) / net.spread
    moment = torch.randint(len(alphas), (rows,), generator=generator).to(device)
    level = alphas.to(device)[moment][:, None, None]
    noise = torch.randn(truth.shape, generator=generator).to(device)
    alone = chance(ALONE) | windows["first"].bool()
    known = (torch.arange(frames, device=device) < CARRIED) & ~alone[:, None]
    noised = torch.where(known[..., None], truth, level.sqrt() * truth + (1 - level).sqrt() * noise)
    bare = chance(UNSPOKEN)[:, None] & (torch.arange(sound.shape[-1], device=device) >= hearing.PHONES.start)
    weight = weights(motion, sound[:, MARGIN:-MARGIN]) * ~known[..., None]
    deaf = chance(DEAF)
    return Task(noised, known.float(), moment, sound.masked_fill(bare[:, None], 0), deaf, truth, weight)


def weights(motion: Tensor, sound: Tensor) -> Tensor:
    """(R, T, H): more for lips that are nearly closed in speech, and for a mouth in silence."""
    jaw, close = channels.at("jawOpen", "mouthClose")
    opening = (motion[..., jaw] - motion[..., close]).clamp(min=0)
    silent = torch.where(
        sound[..., hearing.KNOWN] > 0, sound[..., hearing.VISEME.start], sound[..., hearing.SILENT]
    )
    extra = CLOSURE * torch.exp(-opening / CLOSED) * (1 - silent) + SILENCE * silent
    lips, lids = (
        torch.from_numpy(part).to(motion.device, motion.dtype) for part in (channels.LIPS, channels.LIDS)
    )
    return 1 + extra[..., None] * lips - (1 - LIDS) * lids


def loss(guess: Tensor, asked: Task) -> Tensor:
    """Scalar."""
    miss = guess.float() - asked.truth
    total = _mean(_cost(miss), asked.weight)
    for order, share in ((1, VELOCITY), (2, ACCELERATION)):
        late = asked.weight[:, order:]  # the step from what is known counts: there a seam would show
        total = total + share * _mean(_cost(torch.diff(miss, n=order, dim=1)), late)
    return total


def _cost(miss: Tensor) -> Tensor:
    """Smooth L1 for lips, which follow from what is heard; half the square for all that is chance besides:

    only then is the best guess the mean, which sampling needs; the likeliest single course has no blink.
    """
    size = miss.abs()
    near = size.square() / 2
    lips = torch.from_numpy(channels.LIPS).to(miss.device)
    return torch.where(lips, torch.where(size < _KNEE, near / _KNEE, size - _KNEE / 2), near)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1)
