"""Do the other two gate bases work, and do baked files say the same as the adapter?

    python -m benchmarks.adapters [--json]

`axes-image` is measured like `vad-image` in benchmarks/image_quality.py: 200 unseen (prompt, seed, VAD),
asked against read. `labels-image`: a classifier trained here on painted pictures (never on generated ones)
names the Mikels label of 400 pictures, 50 a label; chance is 12.5%, and its score on held-out painted
pictures is the ceiling. `vad-image` is baked at one emotion in every format, loaded by plain diffusers and
compared with the gated adapter, pixel by pixel.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from numpy.typing import NDArray
from torch import Tensor, nn

from adapters import lora_files
from adapters.emotion_lora import Adapter
from benchmarks import _report, image_quality
from studio.catalog import ASSETS, find_adapter, find_model
from studio.emotion import VAD, lexicon, parse_emotion
from training.data.painter import Dataset
from training.embedded.autoencoder import as_tensor
from training.embedded.readers import PictureReader

TAXONOMY = "mikels"
PER_LABEL = 50
PAINTED, PAINTED_HELD_OUT = 3200, 800
BARS = {
    "axes_valence_r": ("at least", 0.85),
    "axes_arousal_r": ("at least", 0.80),
    "axes_dominance_r": ("at least", 0.60),
    "axes_scene_accuracy_drop": ("at most", 0.05),
    "labels_accuracy": ("at least", 0.60),
    "bake_max_difference": ("at most", 2),
}

Classifier = Callable[[NDArray[np.uint8]], NDArray[np.int64]]  # (N, H, W, 3) -> label numbers (N,)


def axes_figures(reader: PictureReader) -> _report.Figures:
    """Asked against read emotion with `axes-image`, and what it costs in recognised scenes."""
    texts, scenes = image_quality.prompts(image_quality.PICTURES)
    points = image_quality.feelings(image_quality.PICTURES)
    felt = zip(texts, points, strict=True)
    asked = [image_quality.request(text, i, p, adapters="axes-image") for i, (text, p) in enumerate(felt)]
    calm = [image_quality.request(text, i) for i, text in enumerate(texts)]
    moved, read = reader.read(image_quality.pictures(asked))
    plain, _ = reader.read(image_quality.pictures(calm))
    accuracy = [float(np.mean(np.array(found) == scenes)) for found in (plain, moved)]
    axes = enumerate(VAD.__slots__)
    return {
        **{f"axes_{axis}_r": image_quality.correlation(points[:, i], read[:, i]) for i, axis in axes},
        "axes_scene_accuracy": accuracy[1],
        "axes_scene_accuracy_drop": accuracy[0] - accuracy[1],
    }


def label_words() -> list[str]:
    return [kernel.word for kernel in lexicon().kernels(TAXONOMY)]


def features(reader: PictureReader, pictures: NDArray[np.uint8]) -> Tensor:
    """What the reader's trunk sees in each picture: (N, 2C)."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(pictures), 64):
            small = nn.functional.interpolate(as_tensor(pictures[start : start + 64]), (64, 64), mode="area")
            maps = reader.trunk(small)
            parts.append(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))
    return torch.cat(parts)


def painted(count: int, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Painted pictures around the labels, and the number of each one's label."""
    words = label_words()
    examples = list(Dataset(count=count, seed=71, law="labels", taxonomy=TAXONOMY, split=split))
    labels = [words.index(example.attributes["label"]) for example in examples]
    return np.stack([example.media for example in examples]), np.array(labels)


def label_classifier(reader: PictureReader) -> Classifier:
    """Logistic regression on the trunk's features of painted pictures."""
    pictures, labels = painted(PAINTED, "train")
    seen = features(reader, pictures)
    mean, deviation = seen.mean(0), seen.std(0) + 1e-5
    seen, wanted = (seen - mean) / deviation, torch.from_numpy(labels)
    torch.manual_seed(0)
    linear = nn.Linear(seen.shape[1], len(label_words()))
    optimizer = torch.optim.LBFGS(linear.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = nn.functional.cross_entropy(linear(seen), wanted) + 0.01 * linear.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return lambda shown: linear((features(reader, shown) - mean) / deviation).argmax(1).numpy()


def labels_figures(reader: PictureReader) -> _report.Figures:
    """How often the label that was asked of `labels-image` is the one a classifier names."""
    words = label_words()
    classify = label_classifier(reader)
    pictures, labels = painted(PAINTED_HELD_OUT, "held-out")
    texts, _ = image_quality.prompts(PER_LABEL * len(words))
    asked = np.arange(len(texts)) % len(words)
    points = [parse_emotion(f"{TAXONOMY}/{words[label]}").vad.as_tuple() for label in asked]
    rows = enumerate(zip(texts, points, strict=True))
    made = image_quality.pictures(
        [image_quality.request(text, 10_000 + i, point, adapters="labels-image") for i, (text, point) in rows]
    )
    named = classify(made)
    return {
        "labels_accuracy": float(np.mean(named == asked)),
        "labels_accuracy_painted": float(np.mean(classify(pictures) == labels)),
        "labels_majority": float(np.bincount(named).max() / len(named)),
    }


def bake_figures(emotion: str = "awe", seeds: Sequence[int] = (1, 2, 3, 4)) -> _report.Figures:
    """Largest difference, of 255, between the gated adapter and its baked files in plain diffusers."""
    vad = parse_emotion(emotion).vad
    pipe = StableDiffusionPipeline.from_pretrained(find_model("emotion-tiny"), dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    adapter, differences = Adapter.load(find_adapter("vad-image")), []
    with adapter.applied({"unet": pipe.unet}) as feel:
        feel([vad, vad])  # a file cannot spare the unguided row, so here the gates do not either
        gated = [draw(pipe, seed) for seed in seeds]
    with tempfile.TemporaryDirectory() as folder:
        for dialect in lora_files.DIALECTS:
            file = Path(folder) / f"{dialect}.safetensors"
            adapter.export(file, dialect, vad, modules={"unet": pipe.unet})
            pipe.load_lora_weights(str(file))
            baked = [draw(pipe, seed) for seed in seeds]
            pipe.unload_lora_weights()
            differences += [int(np.abs(a - b).max()) for a, b in zip(gated, baked, strict=True)]
    return {"bake_max_difference": max(differences)}


def draw(pipe: StableDiffusionPipeline, seed: int) -> NDArray[np.int64]:
    """One guided picture of plain diffusers."""
    generator = torch.Generator().manual_seed(seed)
    made = pipe(
        "a lighthouse by the sea, oil painting",
        num_inference_steps=20,
        guidance_scale=3.0,
        generator=generator,
    )
    return np.asarray(made.images[0]).astype(int)


def measure() -> _report.Figures:
    reader = PictureReader.from_pretrained(ASSETS / "models" / "picture-reader").eval()
    return {**axes_figures(reader), **labels_figures(reader), **bake_figures()}


if __name__ == "__main__":
    _report.main("The other gate bases, and baked files", measure, BARS)
