"""Train the network of `motion-tiny` on takes that the rule-based performer gave:

    python -m training.embedded.motion_net --folder runs/motion [--real FOLDER] [--threads 2]
    python -m training.embedded.motion_net --folder runs/motion --save

The first line makes the takes where there are none yet (see motion_set), trains, and goes on where it was
stopped; the second one writes the model's folder from what is trained so far.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from pipelines.portrait import _hearing as hearing
from pipelines.portrait import _motion_channels as channels
from pipelines.portrait import _motion_loss as motion_loss
from pipelines.portrait._motion_loading import scheduler
from pipelines.portrait._motion_network import MotionTransformer
from pipelines.portrait._motion_sampling import MotionDiffusionPipeline
from pipelines.portrait._motion_windows import WINDOW
from studio.catalog import ASSETS
from training.embedded import motion_set
from training.embedded._fit import Fit, Plan, load_average
from training.embedded.motion_set import Takes

MODEL = ASSETS / "models" / "motion-tiny"
ROWS = 32
SHORT = 0.25  # share of batches whose windows are half as long, so that short lines are known too
PLAN = Plan(steps=3000, learning_rate=2e-3, warmup_steps=100, weight_decay=0.01, ema=0.998)
LEAST_SPREAD = 0.01  # of a channel: what hardly ever moves is not blown up to unit variance
FELT_SPREAD = 0.6  # of what feelings add to it
# That of lids. By their own variance blinks would stand six units high, out of any noise: whether there is
# one would be decided in the first step of sampling, which hears almost nothing.
LID_SPREAD = 0.5


def new(seed: int, base: Takes, felt: Takes) -> MotionTransformer:
    """A fresh network that knows the channels' means without feeling, and their spread.

    Feelings move channels that speech hardly moves: their spread is taken with feelings, so that what an
    adapter will have to write is not far from unit variance.
    """
    torch.manual_seed(seed)
    net = MotionTransformer()
    still, moved = base.motion.float(), felt.motion.float()
    net.mean.copy_(still.mean(0))
    both = torch.cat([still[:: max(1, len(still) // len(moved))], moved])
    spread = torch.maximum(still.std(0), FELT_SPREAD * both.std(0))
    net.spread.copy_(spread.clamp(min=LEAST_SPREAD))
    net.spread[torch.from_numpy(channels.LIDS)] = LID_SPREAD
    return net


def roughened(sound: Tensor, generator: torch.Generator) -> Tensor:
    """Heard through another room and microphone: tilted bands, another level, a floor of hiss."""
    rows, frames, _ = sound.shape
    sound = sound.clone()
    mel = sound[..., hearing.MEL].view(rows, frames, hearing.HOPS, hearing.BANDS)
    place = torch.linspace(0, torch.pi, hearing.BANDS)
    waves = torch.stack([(place * order).cos() for order in range(5)])  # of the level and four tilts
    size = torch.tensor([0.1, 0.15, 0.1, 0.08, 0.06])
    tilt = (torch.randn(rows, 5, generator=generator) * size) @ waves
    hiss = torch.rand(rows, 1, 1, 1, generator=generator) * 1.4 - 1.4  # below -1 there is none
    mel.copy_(torch.maximum(mel + tilt[:, None, None], hiss).clamp(-1, 1.4))
    level = sound[..., hearing.LEVEL]
    level.copy_(torch.maximum(level, hiss[..., 0] - 0.2).clamp(-1, 1.4))
    return sound


def train(
    net: MotionTransformer,
    takes: Takes,
    folder: Path,
    seed: int,
    plan: Plan = PLAN,
    besides: Takes | None = None,
) -> None:
    """Half of the rows of every step are of `besides`, where there is such."""
    alphas = scheduler().alphas_cumprod
    sources = (takes,) if besides is None else (takes, besides)

    def loss_of(_step: int, generator: torch.Generator) -> Tensor:
        short = bool(torch.rand((), generator=generator) < SHORT)
        rows, frames = (2 * ROWS, WINDOW // 2) if short else (ROWS, WINDOW)
        parts = [motion_set.windows(one, rows // len(sources), frames, generator) for one in sources]
        windows = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        windows["sound"] = roughened(windows["sound"].float(), generator)
        asked = motion_loss.task(windows, net, alphas, generator)
        net.train()
        with torch.autocast("cpu", torch.bfloat16):
            guess = asked.guess(net)
        return motion_loss.loss(guess, asked)

    Fit(net, plan, folder, seed).run(loss_of, "motion network")


def save(net: MotionTransformer, folder: Path = MODEL) -> None:
    """Write the pipeline's folder, weights in half precision."""
    MotionDiffusionPipeline(net.half(), scheduler()).save_pretrained(folder, safe_serialization=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("training.embedded.motion_net", description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("runs/motion"))
    parser.add_argument("--real", type=Path, help="folder of recordings of speech, learnt from too")
    parser.add_argument("--lines", type=int, default=motion_set.LINES, help="lines that are performed")
    parser.add_argument("--steps", type=int, default=PLAN.steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--save", action="store_true", help=f"write {MODEL.name} from what is trained so far")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    asked = motion_set.Wanted(given.lines, given.seed, given.real)
    base, felt = (motion_set.takes(given.folder, asked, part) for part in ("base", "felt"))
    net = new(given.seed, base, felt)
    if given.save:
        load_average(net, given.folder / "network")
        save(net)
    else:
        plan = dataclasses.replace(PLAN, steps=given.steps)
        train(net, base, given.folder / "network", given.seed, plan)


if __name__ == "__main__":
    main()
