"""A recipe of a few seconds with everything switched on that draws at random, and how to start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from training import config, log

ROOT = Path(config.__file__).resolve().parent.parent
STEPS = 12
PICTURES = {"name": "painter", "count": 18, "size_px": 64}
LIGHT = {"kind": "emotion_lora", "rank": 4, "targets": "light"}


@pytest.fixture(autouse=True)
def one_quiet_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Bit equality is promised for a CPU with the same number of threads."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def recipe(output: Path, **changed: Any) -> config.Recipe:
    values: dict[str, Any] = {
        "model": "tiny:0",
        "output": str(output),
        "steps": STEPS,
        "batch_size": 4,
        "gradient_accumulation": 2,
        "learning_rate": 1e-2,
        "warmup_steps": 2,
        "ema_decay": 0.8,
        "emotion_dropout": 0.2,
        "caption_dropout": 0.2,
        "checkpoint_every": 3,
        "log_every": 1,
        "validation_pictures": 0,
        "dataset": PICTURES,
        "adapter": LIGHT,
    }
    return config.parse(values | changed)


def pictures_of_three_shapes(root: Path) -> dict[str, Any]:
    """A dataset table for forty pictures, wide, tall and square, 30 of them calm."""
    root.mkdir()
    lines = []
    rng = np.random.default_rng(0)
    for index in range(40):
        width, height = ((160, 80), (60, 100), (90, 90))[index % 3]
        pixels = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{index}.png")
        feeling = "calm" if index % 4 else "fear"
        lines.append(json.dumps({"file_name": f"{index}.png", "text": "a thing", "emotion": feeling}))
    (root / "metadata.jsonl").write_text("\n".join(lines), "utf-8")
    return {"name": "folder", "root": str(root), "size_px": 0}


def weights(run: Path) -> bytes:
    return (run / "adapter" / "adapter.safetensors").read_bytes()


def launch(work: config.Recipe, processes: int = 1) -> subprocess.Popen[bytes]:
    """The command that people type, in a process group of its own."""
    path = Path(work.output).with_suffix(".toml")
    path.write_text(work.to_toml(), "utf-8")
    several = ["--multi_gpu"] if processes > 1 else []  # Accelerate's word for several processes, CPUs too
    command = ["-m", "accelerate.commands.launch", *several, "--num_processes", str(processes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "true"}
    return subprocess.Popen(
        [sys.executable, *command, "-m", "training.run", str(path)],
        env=environment,
        cwd=path.parent,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for_step(run: Path, step: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 300
    while len(log.read(run)) < step and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(log.read(run)) >= step, "the run never got as far"
