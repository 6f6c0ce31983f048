"""Where a trained performer comes from: a folder in diffusers' layout, or the hub. Safetensors only."""

from __future__ import annotations

from typing import Any

import diffusers
import torch
from diffusers import DDIMScheduler, DiffusionPipeline, SchedulerMixin

from pipelines._loading import foreign_errors, quiet, torch_device, torch_dtype
from pipelines.portrait._motion_network import MotionTransformer
from pipelines.portrait._motion_sampling import MotionDiffusionPipeline
from studio.errors import ModelError


def load(model: str, device: str = "auto", dtype: str = "auto") -> MotionDiffusionPipeline:
    """The pipeline on its device, frozen. Raises ModelError and InputError."""
    device = torch_device(device)
    quiet()
    with foreign_errors(model):
        index = DiffusionPipeline.load_config(model)
        if index["_class_name"] != MotionDiffusionPipeline.__name__:
            why = f"is a {index['_class_name']}; portrait/talker takes a {MotionDiffusionPipeline.__name__}"
            raise ModelError(f"model: {model!r} {why}")
        transformer = MotionTransformer.from_pretrained(
            model, subfolder="transformer", use_safetensors=True, torch_dtype=torch_dtype(dtype, device)
        )
        kind = _scheduler(model, index["scheduler"][1])
        pipe = MotionDiffusionPipeline(transformer, kind.from_pretrained(model, subfolder="scheduler"))
    return ready(pipe, device)


def toy(seed: int) -> MotionDiffusionPipeline:
    """Two narrow layers of random weights that move the whole face a little."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = MotionTransformer(32, 2, 2)
        torch.nn.init.normal_(net.writers.weight, std=0.2)
        torch.nn.init.normal_(net.unheard)
        net.mean.fill_(0.2)
        net.spread.fill_(0.1)
        return ready(MotionDiffusionPipeline(net, scheduler()), "cpu")


def scheduler() -> DDIMScheduler:
    """The noise that the embedded model was trained with."""
    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="sample",
        clip_sample=False,
        timestep_spacing="trailing",
    )


def ready(pipe: MotionDiffusionPipeline, device: str) -> MotionDiffusionPipeline:
    pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    pipe.transformer.eval().requires_grad_(False)
    return pipe


def _scheduler(model: str, name: str) -> Any:
    kind = getattr(diffusers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, SchedulerMixin)):
        raise ModelError(f"model: {model!r} names {name!r}, which is no scheduler of diffusers")
    return kind
