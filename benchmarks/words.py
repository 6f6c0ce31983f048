"""Words alone against a trained adapter: does a feeling said in the prompt move what is read of a picture?

    python -m benchmarks.words [--json]

The embedded model, Mikels' eight feelings, three prompts each, unseen seeds, eight steps. `..._words`: the
feeling stands as a sentence in the prompt (`--adapter words`), `..._vad`: `vad-image` is worn, `..._nothing`:
neither. Correlations are of the asked axis with what picture-reader reads, over 24 pictures: within 0.4 of
0 they are chance. `moved_...`: mean difference to the bare model's picture, of 255.
"""

from __future__ import annotations

import numpy as np

from benchmarks import _report
from benchmarks.image_quality import correlation, pictures, request
from studio.catalog import ASSETS
from studio.emotion import lexicon
from studio.emotion.vad import AXES
from training.embedded.readers import PictureReader

PROMPTS = ("waves at sea", "a city skyline", "a portrait of a woman")
WORN = {"words": "words", "vad": "vad-image", "nothing": "none"}
UNSEEN = 60_000  # first seed


def measure() -> _report.Figures:
    points = [label.point.as_tuple() for label in lexicon().labels("mikels") for _ in PROMPTS]
    texts = list(PROMPTS) * (len(points) // len(PROMPTS))
    reader = PictureReader.from_pretrained(ASSETS / "models" / "picture-reader").eval()
    made = {
        name: pictures(
            [
                request(text, UNSEEN + number, point, adapters=adapter, steps=8)
                for number, (text, point) in enumerate(zip(texts, points, strict=True))
            ]
        )
        for name, adapter in WORN.items()
    }
    found: _report.Figures = {}
    for name, some in made.items():
        read = reader.read(some)[1]
        for axis, label in enumerate(AXES):
            found[f"{label}_r_{name}"] = correlation(np.array(points)[:, axis], read[:, axis])
        found[f"moved_{name}"] = float(np.abs(some.astype(int) - made["nothing"].astype(int)).mean())
    return found


if __name__ == "__main__":
    _report.main("Words alone against a trained adapter", measure, {})
