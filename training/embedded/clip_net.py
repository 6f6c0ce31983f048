"""Train `video-tiny`, the motion adapter of the embedded video model, on painted clips:

    python -m training.embedded.clip_net --folder runs/video [--threads 2]
    python -m training.embedded.clip_net --folder runs/video --save

The first line films the clips where there are none yet (see clip_set), trains, and goes on where it was
stopped; the second one writes the adapter's folder from what is trained so far. The layers of `emotion-tiny`
stay as they are: what moves is learnt in diffusers' motion modules (AnimateDiff, Guo et al. 2024, arXiv
2307.04725) alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import MotionAdapter, StableDiffusionPipeline, UNetMotionModel
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from pipelines.video._clip_noise import ClipNoise
from studio.catalog import ASSETS
from training.embedded import clip_set, painter_net
from training.embedded._fit import Fit, Plan, load_average
from training.embedded.clip_set import Clips

BASE = ASSETS / "models" / "emotion-tiny"
MODEL = ASSETS / "models" / "video-tiny"
WINDOW = 16  # frames, as AnimateDiff's
ROWS = 4
# What frames have in common of their noise: a clip shows the same in all of them, and goes smoothly from one
# to the next, before anything is learnt; the modules learn what moves.
NOISE = ClipNoise(share=0.85, carried=0.9)
CAPTION_DROPOUT = 0.1
PLAN = Plan(steps=1600, learning_rate=2e-3, warmup_steps=60, ema=0.997)


def modules_for(base: Any) -> MotionAdapter:
    """Motion modules for every block of `base`."""
    return MotionAdapter(
        block_out_channels=tuple(base.config.block_out_channels),
        motion_layers_per_block=base.config.layers_per_block,
        motion_num_attention_heads=4,
        motion_norm_num_groups=base.config.norm_num_groups,
        motion_max_seq_length=2 * WINDOW,
    )


def new(base: Any, seed: int) -> Any:
    """The UNet `base` with fresh motion modules that add nothing yet; they alone can be trained."""
    torch.manual_seed(seed)
    net = UNetMotionModel.from_unet2d(base, modules_for(base)).float()
    for name, weight in net.named_parameters():
        weight.requires_grad_("motion_modules" in name)
        if "motion_modules" in name and ".proj_out." in name:
            nn.init.zeros_(weight)
    return net


def windows(clips: Clips, rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Latents (rows, WINDOW, C, 16, 16) and text (rows, L, width) of windows from anywhere."""
    chosen = torch.randint(len(clips.latents), (rows,), generator=generator).tolist()
    last = clips.latents.shape[1] - WINDOW
    starts = torch.randint(last + 1, (rows,), generator=generator).tolist()
    cut = [clips.latents[clip, start : start + WINDOW] for clip, start in zip(chosen, starts, strict=True)]
    return torch.stack(cut).float(), clips.text[chosen].float()


def train(net: Any, clips: Clips, empty: Tensor, folder: Path, seed: int, plan: Plan = PLAN) -> None:
    """`empty` (L, width): what the text encoder says of no caption."""
    schedule = painter_net.noise_schedule()

    def loss_of(_step: int, generator: torch.Generator) -> Tensor:
        clean, text = windows(clips, ROWS, generator)
        text[torch.rand(ROWS, generator=generator) < CAPTION_DROPOUT] = empty
        times = ((torch.arange(ROWS) + torch.rand(ROWS, generator=generator)) * 1000 / ROWS).long()
        noise = NOISE.drawn(clean.shape, generator)
        noisy = schedule.add_noise(clean, noise, times)
        # torch's fused attention is slow backwards for so many so short sequences
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            seen = net(noisy.transpose(1, 2), times, text.repeat_interleave(WINDOW, 0)).sample
        missed = seen.transpose(1, 2).float() - schedule.get_velocity(clean, noise, times)
        return NOISE.missed(missed).mean()

    Fit(net, plan, folder, seed).run(loss_of, "motion modules")


def save(net: Any, base: Any, folder: Path = MODEL) -> None:
    """Write what plain diffusers loads with `MotionAdapter.from_pretrained`, in half precision."""
    modules = modules_for(base)
    own = {name: weight for name, weight in net.state_dict().items() if "motion_modules" in name}
    modules.load_state_dict(own)
    modules.half().save_pretrained(folder, safe_serialization=True)
    noise = {"noise_share": NOISE.share, "noise_carried": NOISE.carried}
    said = {**noise, "window": WINDOW, "fps": int(clip_set.FPS), "base_model": BASE.name}
    (folder / "studio.json").write_text(json.dumps(said) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("training.embedded.clip_net", description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("runs/video"))
    parser.add_argument("--clips", type=int, default=clip_set.Wanted.count, help="clips that are filmed")
    parser.add_argument("--start", type=Path, help="folder of another training whose weights to begin with")
    parser.add_argument("--steps", type=int, default=PLAN.steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--save", action="store_true", help=f"write {MODEL.name} from what is trained so far")
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    model = StableDiffusionPipeline.from_pretrained(BASE, dtype=torch.float32, safety_checker=None)
    net = new(model.unet, given.seed)
    if given.start:
        load_average(net, given.start / "network")
    if given.save:
        load_average(net, given.folder / "network")
        return save(net, model.unet)
    asked = clip_set.Wanted(given.clips, given.seed)
    clips = clip_set.clips(given.folder / "clips", asked, model)
    with torch.no_grad():
        empty = clip_set.told(model, [""])[0]
    train(
        net, clips, empty, given.folder / "network", given.seed, dataclasses.replace(PLAN, steps=given.steps)
    )


if __name__ == "__main__":
    main()
