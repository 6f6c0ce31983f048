"""How well a voice is read: `python -m benchmarks.voice_reading EMODB_DIR [--json]`.

Every speaker of Emo-DB is read by a reader that never heard that speaker: accuracy among seven acted emotions
beside the share of the most frequent one, and correlation and concordance of valence, arousal and dominance
with the points of the labels. `window_`: stretches of 1.5 s; `worn_`: through made-up microphones and noise.
The ten sentences are the same for all speakers. The studio's own voices are learnt from, as in the shipped
reader, and not measured.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks import _report
from training.embedded import voice_reader

BARS: _report.Bars = {
    "accuracy": ("at least", 0.65),
    "arousal_r": ("at least", 0.85),
    "dominance_r": ("at least", 0.75),
    "valence_r": ("at least", 0.5),
    "worn_arousal_r": ("at least", 0.8),
}


def measure(root: Path, seed: int = 0) -> _report.Figures:
    people = voice_reader.read_folder(root)
    labels = np.array([each.label for each in people])
    speakers = {each.speaker for each in people}
    rows = voice_reader.examples([*people, *voice_reader.our_voices()], seed)
    found: _report.Figures = {"utterances": len(labels), "speakers": len(speakers)}
    found["most_frequent"] = float(np.unique(labels, return_counts=True)[1].max() / len(labels))
    found["chance"] = 1 / len(np.unique(labels))
    return found | voice_reader.cross_validated(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--json", action="store_true", help="one flat JSON object")
    options = parser.parse_args()
    print(_report.text("Reading voices, speaker by speaker", measure(options.root), BARS, "", options.json))


if __name__ == "__main__":
    main()
