"""Draw the pictures that the README and docs show: `python -m benchmarks.pictures [FOLDER]`.

Same prompt and seed along a row; only the emotion differs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from studio.render import Studio
from studio.request import RenderRequest

PROMPTS = (
    "a white lighthouse by the sea, oil painting",
    "a mountain lake, gouache",
    "an oak tree on a hill, watercolour",
    "a portrait of a woman, impressionist",
    "a couple walking, pastel",
)
EMOTIONS = ("neutral", "joy", "calm", "sadness", "anger", "fear")
LABELS = ("amusement", "awe", "contentment", "excitement", "anger", "disgust", "fear", "sadness")
LEVELS = (-0.9, -0.45, 0.0, 0.45, 0.9)
SEED = 11


def row(studio: Studio, prompt: str, emotions: Sequence[str], **more: str) -> np.ndarray:
    """(H, n * W, 3): one prompt and seed under each emotion."""
    fields = {"prompt": prompt, "seed": SEED, **more}
    requests = [RenderRequest.parse({**fields, "emotion": emotion}) for emotion in emotions]
    return np.hstack([np.asarray(picture.image) for picture in studio.make(requests)])


def titled(rows: Sequence[np.ndarray], titles: Sequence[str]) -> Image.Image:
    """The rows below one line of column titles."""
    body = np.vstack(rows)
    sheet = Image.new("RGB", (body.shape[1], body.shape[0] + 18), "white")
    sheet.paste(Image.fromarray(body), (0, 18))
    draw, width = ImageDraw.Draw(sheet), body.shape[1] // len(titles)
    for index, title in enumerate(titles):
        draw.text((index * width + width // 2, 9), title, fill="black", anchor="mm")
    return sheet


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    studio = Studio()
    titled([row(studio, prompt, EMOTIONS) for prompt in PROMPTS], EMOTIONS).save(folder / "emotions.png")
    plane = [
        row(studio, PROMPTS[1], [f"v={v} a={a} d=0" for v in LEVELS]) for a in reversed(LEVELS)
    ]  # arousal upwards
    titled(plane, [f"valence {v:+}" for v in LEVELS]).save(folder / "plane.png")
    strength = [row(studio, prompt, [f"v=0 a=0 d={d}" for d in LEVELS]) for prompt in PROMPTS[:3]]
    titled(strength, [f"dominance {d:+}" for d in LEVELS]).save(folder / "dominance.png")
    asked = [f"mikels/{label}" for label in LABELS]
    labels = [row(studio, prompt, asked, adapters="labels-image") for prompt in PROMPTS[:3]]
    titled(labels, LABELS).save(folder / "labels.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures"))
