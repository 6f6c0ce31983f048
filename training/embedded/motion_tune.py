"""Teach a motion model how the people of recordings speak:

    python -m training.embedded.motion_tune --data FOLDER --folder runs/my-motion [--start motion-tiny]
    python -m studio render portrait/talker --model runs/my-motion/model --adapter vad-motion --say "Hello."

FOLDER has the layout of any data set of facial motion (Live Link Face, BEAT, EmoFace, MEAD or HDTF tracked by
training.track). The base speaks without feeling, so only calm takes are learnt from; what feelings do is an
adapter's matter (training.run with `data=FOLDER`). Half of every step are lines that the rules perform: few
recordings have phones, and what the model knows of them is to stay. One take in ten is only measured on.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from pipelines.portrait import _motion_channels as channels
from pipelines.portrait import _motion_loading as loading
from pipelines.portrait import _motion_loss as motion_loss
from pipelines.portrait._motion_network import MotionTransformer
from pipelines.portrait._motion_windows import WINDOW
from studio import catalog
from studio.errors import StudioError
from studio.params import build
from training import data_layout
from training.data._motion import MotionDataset
from training.embedded import motion_net, motion_set
from training.embedded._fit import Plan
from training.embedded.motion_set import Takes

PLAN = Plan(steps=600, learning_rate=4e-4, warmup_steps=50, weight_decay=0.01, ema=0.99)
PERFORMED = 200  # lines that are performed besides
CALM = 0.35  # intensity of a feeling up to which a take counts as plain
KEPT_OUT = 10  # one take in so many
MOST_SPREAD = 2.0  # standard deviations of the recordings that a channel's own spread may be short of theirs
_DRAWS, _ROWS = 8, 16  # of the windows that a network is measured on


def data_set(folder: str, name: str = "", taxonomy: str = "") -> MotionDataset:
    """The data set of facial motion that a folder holds, told by its layout or `name`. Raises InputError."""
    asked = {"name": name, "taxonomy": taxonomy, "phones": True}
    table = data_layout.dataset(folder, {"pipeline": "portrait/talker", "dataset": asked})
    made: MotionDataset = build(catalog.load("dataset", table.pop("name")).Dataset, table)
    return made


def recordings(folder: Path, data: MotionDataset, calm: float = CALM) -> tuple[Takes, Takes | None]:
    """Takes to learn from, and those to measure on where there are several; made once in `folder`."""
    learnt, kept = (folder / f"{part}.safetensors" for part in ("recorded", "kept_out"))
    if not learnt.exists():
        made = sorted(
            motion_set.recorded(data, calm), key=lambda take: -len(take[1])
        )  # the longest is learnt
        folder.mkdir(parents=True, exist_ok=True)
        aside = [take for take in made[1::KEPT_OUT] if len(take[1]) >= WINDOW // 2]
        if aside:
            save_file(motion_set.joined(aside)._asdict(), kept)
        taught = [take for number, take in enumerate(made) if number % KEPT_OUT != 1]
        save_file(motion_set.joined(taught)._asdict(), learnt)
    return Takes(**load_file(learnt)), Takes(**load_file(kept)) if kept.exists() else None


def begun(start: str, found: Takes) -> MotionTransformer:
    """The network of a model (name, folder or hub id), ready to learn from what moves as `found` does.

    People move channels that the rules hardly do: beside a spread of a hundredth these would be huge. The
    spread grows, and the weights around it shrink and grow, so that what is known stays. Raises ModelError.
    """
    net = loading.load(catalog.find_model(start), "cpu", "float32").transformer
    spread = torch.maximum(net.spread, found.motion.float().std(0) / MOST_SPREAD)
    grown = spread / net.spread
    net.embeddings["motion"].weight[:, : channels.COUNT] *= grown
    net.writers.weight /= grown[:, None]
    net.writers.bias /= grown
    net.spread.copy_(spread)
    return net.requires_grad_(True)


@torch.no_grad()
def miss(net: MotionTransformer, found: Takes) -> float:
    """The loss on windows of takes, the same ones for every network."""
    net.eval()
    alphas, generator = loading.scheduler().alphas_cumprod, torch.Generator().manual_seed(0)
    losses = []
    for _ in range(_DRAWS):
        windows = motion_set.windows(found, _ROWS, WINDOW // 2, generator)
        asked = motion_loss.task(windows, net, alphas, generator)
        losses.append(float(motion_loss.loss(asked.guess(net), asked)))
    return sum(losses) / len(losses)


def tuned(given: argparse.Namespace, data: MotionDataset) -> Path:
    """Train, or go on where it was stopped; the folder of the model."""
    learnt, kept_out = recordings(given.folder, data, given.calm)
    performed = motion_set.takes(given.folder, motion_set.Wanted(given.lines, given.seed), "base")
    net = begun(given.start, learnt)
    before = miss(net, kept_out) if kept_out else 0.0
    plan = dataclasses.replace(PLAN, steps=given.steps)
    motion_net.train(net, learnt, given.folder / "network", given.seed, plan, performed)
    if kept_out:
        print(
            f"{len(kept_out.frames)} takes kept out: loss {before:.3f} before, {miss(net, kept_out):.3f} now"
        )
    motion_net.save(net, given.folder / "model")
    return Path(given.folder / "model")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("training.embedded.motion_tune", description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of recordings: motion files with their sound")
    parser.add_argument(
        "--name", default="", help="its data set, where the layout does not tell: livelink ..."
    )
    parser.add_argument("--taxonomy", default="", help="of the labels in names and lines, such as mead")
    parser.add_argument("--folder", type=Path, default=Path("runs/my-motion"))
    parser.add_argument("--start", default=motion_net.MODEL.name, help="model to begin with")
    parser.add_argument("--calm", type=float, default=CALM, help="strongest feeling of a take, 0 to 1.7")
    parser.add_argument("--lines", type=int, default=PERFORMED, help="lines that are performed besides")
    parser.add_argument("--steps", type=int, default=PLAN.steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    try:
        made = tuned(given, data_set(given.data, given.name, given.taxonomy))
    except StudioError as error:
        parser.exit(1, f"{error}\n")
    print(f"{made}: a model for --model")


if __name__ == "__main__":
    main()
