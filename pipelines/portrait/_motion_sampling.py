"""Performing by diffusion: noise becomes the motion of a face, window by window, given what is heard.

A diffusers pipeline of a transformer and a scheduler. Every window begins with the last frames of the one
before it, so any length is one movement. Two guidances, one on top of the other (as DiffPoseTalk, Sun et al.
2024): for speech, beside a face that hears nothing, and for the feeling, beside an unfelt performance. Early
steps follow the feeling as a whole, late ones muscle by muscle (after Think-Before-Draw, 2025).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from pipelines.portrait import _hearing as hearing
from pipelines.portrait import _motion_channels as channels
from pipelines.portrait import _motion_eyes as eyes
from pipelines.portrait import _motion_finish as finish
from pipelines.portrait._hearing import Array
from pipelines.portrait._motion_network import MotionTransformer
from pipelines.portrait._motion_windows import CARRIED, MARGIN, WINDOW
from studio.emotion import NEUTRAL, VAD
from studio.ports import RowEmotion, SetEmotion

STEPS = 6
FREER = {"brow": 1.1, "head": 1.5}  # noise beside the rest's: few steps shrink a slow sway most
REGIONS = ("brow", "eye", "mouth")

OnStep = Callable[[int, int], None]  # (steps done, all steps)


@dataclass(frozen=True, slots=True)
class Way:
    """How a line is performed. Scales: 0 is not at all, 1 as learnt, more is emphasised.

    `emotion` holds for the whole face in the first half of the steps; in the second half `brow`, `eye` and
    `mouth` multiply it for their parts. `finished`: lips are sealed and still where they must be. `eyes`:
    blinks and looks come from rules (see _motion_eyes). `freedom`: size of the noise that takes begin with;
    a few steps shrink what differs between them, more than 1 makes up for it.
    """

    steps: int = STEPS
    speech: float = 1.0
    emotion: float = 1.0
    brow: float = 1.0
    eye: float = 1.0
    mouth: float = 1.0
    finished: bool = True
    eyes: bool = True
    freedom: float = 1.0

    def follows(self, late: bool) -> Tensor:
        """(COUNT,) how much each channel follows the feeling in early or `late` steps."""
        scales = torch.full((channels.COUNT,), float(self.emotion))
        for name in REGIONS if late else ():
            scales[torch.from_numpy(channels.region(name))] *= getattr(self, name)
        return scales

    def noise(self, frames: int, generator: torch.Generator) -> Tensor:
        """(frames, COUNT) what a take begins with."""
        made = self.freedom * torch.randn(frames, channels.COUNT, generator=generator)
        for name, scale in FREER.items():
            made[:, channels.region(name)] *= scale
        return made

    def rows(self, felt: bool) -> tuple[str, ...]:
        """Which performances must be guessed: "deaf", "unfelt", "felt"; none that cancels out."""
        guided = self.speech != 1 or any(scale != 1 for scale in (self.emotion, *self._regions()))
        deaf = ("deaf",) if self.speech != 1 else ()
        return (*deaf, *(("unfelt",) if guided or not felt else ()), *(("felt",) if felt else ()))

    def _regions(self) -> tuple[float, ...]:
        return self.brow, self.eye, self.mouth

    def blended(self, guessed: dict[str, Tensor], late: bool) -> Tensor:
        """One performance of those of `rows`."""
        if set(guessed) == {"felt"}:
            return guessed["felt"]
        made = unfelt = guessed["unfelt"]
        if "deaf" in guessed:
            made = guessed["deaf"] + self.speech * (unfelt - guessed["deaf"])
        if "felt" in guessed:
            made = made + self.follows(late).to(made) * (guessed["felt"] - unfelt)
        return made


@dataclass(frozen=True, slots=True)
class Line:
    """What is performed: `sound` (frames, WIDTH) of _hearing, and a feeling for each frame.

    `held` (frames, COUNT): values of channels that are set by hand, NaN where they are free.
    """

    sound: Array
    moods: Sequence[VAD]
    held: Array | None = None

    def __len__(self) -> int:
        return len(self.sound)


class MotionDiffusionPipeline(DiffusionPipeline):
    """Takes of a line. The scheduler is any of diffusers' that works with `prediction_type="sample"`."""

    def __init__(self, transformer: MotionTransformer, scheduler: Any) -> None:
        super().__init__()
        self.register_modules(transformer=transformer, scheduler=scheduler)

    @torch.no_grad()
    def __call__(
        self,
        line: Line,
        generator: torch.Generator,
        way: Way = Way(),
        set_emotion: SetEmotion = lambda rows: None,
        on_step: OnStep = lambda done, total: None,
    ) -> Array:
        """(frames, COUNT) float32: channels of _motion_channels in their own units.

        `set_emotion` hears of the frames of every window before the network sees them. The generator, on the
        CPU, decides the take.
        """
        seed = int(torch.randint(2**31, (), generator=generator))
        made = torch.zeros(len(line), channels.COUNT)
        held = self._held(line)
        starts = range(0, max(1, len(line) - CARRIED), WINDOW - CARRIED)
        for number, start in enumerate(starts):
            frames = slice(start, min(start + WINDOW, len(line)))
            fixed = held[frames].clone()
            before = min(CARRIED, start)
            fixed[:before] = made[frames][:before]
            rows = way.rows(any(mood != NEUTRAL for mood in line.moods[frames]))
            feeling = _row(line.moods[frames])
            set_emotion([feeling if row == "felt" else NEUTRAL for row in rows])
            speech = self._heard(line.sound, frames)
            window = _Window(fixed, before, {row: self._speech(row, speech) for row in rows})

            def report(done: int, before: int = number * way.steps) -> None:
                on_step(before + done, len(starts) * way.steps)

            made[frames] = self._sampled(window, way, generator, report)
        raw = (made * self._float("spread") + self._float("mean")).numpy()
        if way.finished:
            raw = finish.finished(raw, line.sound)
        if way.eyes:
            raw = eyes.with_eyes(raw, line.sound, line.moods, seed)
        return raw if line.held is None else np.where(np.isnan(line.held), raw, line.held)

    def _sampled(
        self, window: _Window, way: Way, generator: torch.Generator, on_step: Callable[[int], None]
    ) -> Tensor:
        """(T, COUNT), standardised, on the CPU."""
        net = self.transformer
        noise = way.noise(len(window.fixed), generator)
        speech = torch.cat(list(window.speech.values()))
        rows = len(speech)
        device, dtype = net.mean.device, net.dtype
        known = torch.zeros(rows, len(noise), device=device)
        known[:, : window.before] = 1
        is_fixed = window.fixed.isfinite()
        fixed, x = window.fixed.nan_to_num(), noise
        self.scheduler.set_timesteps(way.steps)
        for done, moment in enumerate(self.scheduler.timesteps, start=1):
            x[: window.before] = fixed[: window.before]
            seen = x.to(device, dtype).expand(rows, -1, -1)
            guessed = net(seen, known, torch.full((rows,), float(moment), device=device), speech)
            each = dict(zip(window.speech, guessed.float().cpu(), strict=True))
            late = float(moment) < self.scheduler.config.num_train_timesteps / 2
            clean = torch.where(is_fixed, fixed, way.blended(each, late))
            x = self.scheduler.step(clean, moment, x).prev_sample
            on_step(done)
        return clean

    def _heard(self, sound: Array, frames: slice) -> Tensor:
        """(1, T, C) on the device, of those frames of a line; no more is heard at a time, so that a long line
        takes no more memory."""
        net = self.transformer
        around = torch.from_numpy(hearing.around(sound, frames, MARGIN))[None]
        return net.hear(around.to(net.mean.device, net.dtype))

    def _speech(self, row: str, speech: Tensor) -> Tensor:
        return self.transformer.unheard.expand_as(speech) if row == "deaf" else speech

    def _held(self, line: Line) -> Tensor:
        """(frames, COUNT), standardised, NaN where channels are free."""
        if line.held is None:
            return torch.full((len(line), channels.COUNT), torch.nan)
        return (torch.from_numpy(np.array(line.held)) - self._float("mean")) / self._float("spread")

    def _float(self, name: str) -> Tensor:
        return getattr(self.transformer, name).detach().cpu().float()


@dataclass(frozen=True, slots=True)
class _Window:
    """`fixed` (T, COUNT): standardised values that stay, NaN where channels are free; of its frames the first

    `before` are known throughout. `speech`: row -> (1, T, C)."""

    fixed: Tensor
    before: int
    speech: dict[str, Tensor]


def _row(moods: Sequence[VAD]) -> RowEmotion:
    return moods[0] if len(set(moods)) == 1 else tuple(moods)
