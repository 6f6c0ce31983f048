"""What the training loop saves: samples per second and peak memory against a plain loop.

    python -m benchmarks.training [--json]

The plain side is written the way diffusers' own text-to-image LoRA example works: PEFT's LoRA on the UNet,
pictures opened, cut, encoded by the VAE and captions encoded by the text encoder anew in every step, AdamW,
float32. Same model, same pictures, same adapted layers and rank, same batch, same threads, same machine, in
turn, each in a process of its own so that peak memory is its own. The pictures have the model's own size
already: larger ones cost the plain loop more still.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import _report

BATCH, STEPS, WARM = 16, 36, 6  # the first WARM steps count for neither side
ROUNDS = 3
PICTURES = 96
RANK = 16
BARS = {"speed_ratio": ("at least", 1.5), "memory_ratio": ("at most", 1.0)}


def write_pictures(folder: Path) -> None:
    """A small imagefolder of painted pictures with captions and feelings."""
    from training.data.painter import Dataset

    lines = []
    for number, example in enumerate(Dataset(count=PICTURES, seed=5)):
        name = f"{number:04d}.png"
        Image.fromarray(example.media).save(folder / name)
        point = dict(zip(("valence", "arousal", "dominance"), example.emotion.vad.as_tuple(), strict=True))
        lines.append(json.dumps({"file_name": name, "text": example.prompt, **point}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")


def ours(folder: Path) -> Callable[[Callable[[], None]], None]:
    """Our loop on the folder; the caches are filled by a run of one step before the clock starts."""
    from training import config
    from training.run import train

    values: dict[str, Any] = {
        "model": "emotion-tiny",
        "output": str(folder / "run"),
        "steps": STEPS,
        "batch_size": BATCH,
        "schedule": "constant",
        "checkpoint_every": 10_000,
        "log_every": 10_000,
        "dataset": {"name": "folder", "root": str(folder), "size_px": 128},
        "adapter": {"kind": "emotion_lora", "rank": RANK, "targets": "standard"},
    }
    return lambda tick: void(train(config.parse(values), lambda step, loss: tick()))


def plain(folder: Path) -> Callable[[Callable[[], None]], None]:
    """The same work the way diffusers' example does it."""
    import torch
    from diffusers import DDPMScheduler, StableDiffusionPipeline
    from peft import LoraConfig

    from adapters.emotion_lora import PRESETS
    from studio.catalog import find_model

    pipe = StableDiffusionPipeline.from_pretrained(find_model("emotion-tiny"), dtype=torch.float32)
    noise = DDPMScheduler.from_config(pipe.scheduler.config)
    for module in (pipe.vae, pipe.text_encoder, pipe.unet):
        module.requires_grad_(False)
    pipe.unet.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=PRESETS["standard"]["unet"]))
    weights = [weight for weight in pipe.unet.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-4)
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    generator = np.random.default_rng(0)

    def step() -> None:
        chosen = [rows[int(i)] for i in generator.integers(len(rows), size=BATCH)]
        pictures = [np.asarray(Image.open(folder / row["file_name"]).convert("RGB")) for row in chosen]
        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
        latents = pipe.vae.encode(pixels).latent_dist.sample() * pipe.vae.config.scaling_factor
        tokens = pipe.tokenizer(
            [row["text"] for row in chosen], padding="max_length", truncation=True, return_tensors="pt"
        )
        text = pipe.text_encoder(tokens.input_ids)[0]
        drawn = torch.randn_like(latents)
        times = torch.randint(0, noise.config.num_train_timesteps, (BATCH,))
        made = pipe.unet(noise.add_noise(latents, drawn, times), times, text).sample
        loss = torch.nn.functional.mse_loss(made, noise.get_velocity(latents, drawn, times))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    def run(tick: Callable[[], None]) -> None:
        for _ in range(STEPS):
            step()
            tick()

    return run


def void(_value: object) -> None:
    """For a call whose result nobody needs."""


def timed(run: Callable[[Callable[[], None]], None]) -> float:
    """Samples per second over the steps after the first WARM."""
    moments: list[float] = []
    run(lambda: moments.append(time.perf_counter()))
    return BATCH * (len(moments) - WARM) / (moments[-1] - moments[WARM - 1])


def peak_mb() -> float:
    """Most memory this process ever held (the kernel's count; not on Windows)."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def child(side: str, folder: Path) -> dict[str, float]:
    """One side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.training", "--side", side, str(folder)]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{side} failed:\n{done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def measure() -> _report.Figures:
    """Medians over ROUNDS of both sides in turn; the first run of ours fills the cache and does not count."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder)
        child("ours", folder)
        rounds = [(afresh(folder), child("plain", folder)) for _ in range(ROUNDS)]
    found = {
        key + side: median(pair[index][key] for pair in rounds)
        for key in ("samples_per_s", "peak_mb")
        for index, side in enumerate(("", "_plain"))
    }
    speed_ratio = found["samples_per_s"] / found["samples_per_s_plain"]
    return {**found, "speed_ratio": speed_ratio, "memory_ratio": found["peak_mb"] / found["peak_mb_plain"]}


def afresh(folder: Path) -> dict[str, float]:
    """Our side from step 0 again, of the last run only the cache is kept."""
    for left in ("checkpoints", "adapter"):
        shutil.rmtree(folder / "run" / left)
    return child("ours", folder)


def side(name: str, folder: Path) -> None:
    run = {"ours": ours, "plain": plain}[name](folder)
    print(json.dumps({"samples_per_s": timed(run), "peak_mb": peak_mb()}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        side(sys.argv[2], Path(sys.argv[3]))
    else:
        _report.main("Training loop against a plain diffusers loop", measure, BARS)
