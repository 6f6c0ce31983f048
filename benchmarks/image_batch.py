"""N requests with N different emotions: one mixed batch against the plain diffusers way, in the same run.

    python -m benchmarks.image_batch [--json]

The plain way loads one baked LoRA per emotion and calls the pipeline once per request, batch 1, as diffusers
documents it. Both sides draw the same prompts with the same steps and guidance. Also: what the gate costs
over a plain LoRA, the adapter over the bare network, start-up time and ledger cost.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from adapters.emotion_lora import Adapter
from benchmarks import _report
from studio.catalog import default_adapters, find_adapter, find_model
from studio.emotion import NEUTRAL, VAD, Emotion, EmotionCurve
from studio.ledger import Ledger, NewJob
from studio.render import Studio
from studio.request import RenderRequest
from studio.settings import Settings

ROWS = 8
STEPS, GUIDANCE = 20, 3.0
MODEL = "emotion-tiny"
BARS = {
    "mixed_batch_ratio": ("at least", 2.0),
    "mixed_batch_ratio_same_dtype": ("at least", 1.4),
    "gating_overhead": ("at most", 0.05),
    "adapter_overhead": ("at most", 0.20),
    "ledger_ms_per_row": ("at most", 5.0),
    "help_s": ("at most", 0.5),
}
EMOTIONS = [VAD(v, a, d) for v in (-0.7, 0.7) for a in (-0.6, 0.6) for d in (-0.5, 0.5)][:ROWS]


def requests() -> list[RenderRequest]:
    shared = {"model": MODEL, "steps": STEPS, "guidance": GUIDANCE}
    return [
        RenderRequest.parse(
            {"prompt": "a lighthouse by the sea", "seed": seed, "emotion": _constant(point), **shared}
        )
        for seed, point in enumerate(EMOTIONS)
    ]


def _constant(point: VAD) -> EmotionCurve:
    return EmotionCurve.constant(Emotion(point))


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each work; rounds take turns, so that a busy machine slows all alike."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work))
    return {name: statistics.median(found) for name, found in times.items()}


def plain_way(adapter: Adapter, dtype: torch.dtype | None) -> Callable[[], object]:
    """diffusers alone: a baked LoRA per emotion, switched per request."""
    options = {} if dtype is None else {"dtype": dtype}
    pipe = StableDiffusionPipeline.from_pretrained(find_model(MODEL), safety_checker=None, **options)
    pipe.set_progress_bar_config(disable=True)
    for index, point in enumerate(EMOTIONS):
        pipe.load_lora_weights(adapter.bake(point), adapter_name=f"emotion_{index}")

    def draw() -> None:
        for index in range(ROWS):
            pipe.set_adapters([f"emotion_{index}"])
            generator = torch.Generator().manual_seed(index)
            pipe(
                "a lighthouse by the sea",
                num_inference_steps=STEPS,
                guidance_scale=GUIDANCE,
                generator=generator,
            )

    return draw


def mixed_way(settings: Settings) -> Callable[[], object]:
    studio, batch = Studio(settings), requests()
    return lambda: studio.make(batch, lambda step: None)


def batch_figures(adapter: Adapter) -> _report.Figures:
    ours = Settings()
    works = {
        "mixed": mixed_way(ours),
        "mixed_fp32": mixed_way(replace(ours, dtype="float32")),
        "plain": plain_way(adapter, None),
        "plain_fp32": plain_way(adapter, torch.float32),
    }
    found = interleaved(works, rounds=5)
    return {
        "images_per_s_mixed": ROWS / found["mixed"],
        "images_per_s_plain": ROWS / found["plain"],
        "mixed_batch_ratio": found["plain"] / found["mixed"],
        "mixed_batch_ratio_same_dtype": found["plain_fp32"] / found["mixed_fp32"],
    }


def overhead_figures(adapter: Adapter) -> _report.Figures:
    """One UNet call with 2 x ROWS rows (guidance): bare, plain LoRA of the same shape, gated."""
    load = StableDiffusionPipeline.from_pretrained
    nets = {
        name: load(find_model(MODEL), safety_checker=None, dtype=torch.float32)
        for name in ("bare", "plain", "gated")
    }
    nets["plain"].load_lora_weights(adapter.bake(EMOTIONS[0]), adapter_name="plain")
    unet = nets["bare"].unet
    size, width = unet.config.sample_size, unet.config.cross_attention_dim
    latents = torch.randn(2 * ROWS, unet.config.in_channels, size, size)
    text, when = torch.randn(2 * ROWS, nets["bare"].tokenizer.model_max_length, width), torch.tensor(500)
    works = {name: _call(pipe.unet, latents, when, text) for name, pipe in nets.items()}
    with adapter.applied({"unet": nets["gated"].unet}) as set_emotion:
        set_emotion([NEUTRAL] * ROWS + EMOTIONS)
        found = interleaved(works, rounds=40)
    return {
        "gating_overhead": found["gated"] / found["plain"] - 1,
        "adapter_overhead": found["gated"] / found["bare"] - 1,
    }


def _call(unet: torch.nn.Module, *inputs: torch.Tensor) -> Callable[[], object]:
    def call() -> object:
        with torch.no_grad():
            return unet(*inputs)

    return call


def ledger_ms_per_row(rows: int = 2000) -> float:
    """Content key, queue, claim and finish, without rendering."""
    request = requests()[0]
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "jobs.db")

        def work() -> None:
            ledger.sync(NewJob.of(replace(request, seed=n), n, n) for n in range(1, rows + 1))
            while claimed := ledger.claim("bench", ROWS):
                for job in claimed:
                    ledger.finish(job.id, "bench", Path("x.png"), 0.1, ())

        return seconds(work) * 1000 / rows


def help_s() -> float:
    command = [sys.executable, "-m", "studio", "--help"]
    return statistics.median(
        seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)) for _ in range(5)
    )


def measure() -> _report.Figures:
    adapter = Adapter.load(find_adapter(default_adapters(MODEL)[0]))
    return {
        **batch_figures(adapter),
        **overhead_figures(adapter),
        "ledger_ms_per_row": ledger_ms_per_row(),
        "help_s": help_s(),
    }


if __name__ == "__main__":
    _report.main(f"{ROWS} requests, {ROWS} emotions, 128 px, {STEPS} steps", measure, BARS)
