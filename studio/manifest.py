"""`manifest.jsonl`: what a run is made of, one JSON object a row, for programs.

    {"number": 7, "line": 3, "state": "done", "file": "00007-a-harbour-awe.png", "companions": [],
     "prompt": "a harbour", "negative_prompt": "", "emotion": "awe", "vad": [0.4, 0.2, -0.1], "seed": 7,
     "seconds": 1.2, "notes": [], "error": null, "request": {...}}

`companions`: files beside it that belong to it, such as the sound and the picture of a score.
It knows the ledger's jobs and how an emotion text becomes a point; it reads no picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from studio.companions import companions
from studio.emotion import parse_curve
from studio.errors import StudioError
from studio.ledger import DONE, Job, Ledger
from studio.storage import write_atomically

_CURVE_SAMPLES = 16


def write_manifest(path: Path, ledger: Ledger) -> None:
    """Write a line for each current row, whole or not at all, a row in memory at a time."""

    def write(file: BinaryIO) -> None:
        for entry in entries(ledger, path.parent):
            file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")

    write_atomically(path, write)


def entries(ledger: Ledger, folder: Path) -> Iterator[dict[str, Any]]:
    """What the manifest says of each current row, by number. `folder`: where its files are."""
    return (_entry(job, folder) for job in ledger.rows())


def _entry(job: Job, folder: Path) -> dict[str, Any]:
    values = job.values
    file = str(job.result) if job.state == DONE else None
    return {
        "number": job.number,
        "line": job.line,
        "state": job.state,
        "file": file,
        "companions": [path.name for path in companions(folder / file)] if file else [],
        "prompt": values["prompt"],
        "negative_prompt": values["negative_prompt"],
        "emotion": values["emotion"],
        "vad": mean_vad(values["emotion"]),
        "seed": values["seed"],
        "seconds": None if job.seconds is None else round(job.seconds, 3),
        "notes": list(job.notes),
        "error": job.error if job.state != DONE else None,
        "request": values,
    }


@lru_cache(maxsize=4096)
def mean_vad(emotion: str) -> tuple[float, ...] | None:
    """Valence, arousal, dominance of an emotion text; the mean over time of a curve, of one in seconds up to
    its last key: the text does not say how long the file is."""
    try:
        curve = parse_curve(emotion)
        end_s = curve.keys[-1].at or 1.0
        points = [curve.keys[0].emotion.vad] if curve.is_constant else curve.sample(_CURVE_SAMPLES, end_s)
    except StudioError:  # words of a lexicon that has changed since
        return None
    sums = (sum(point) for point in zip(*((p.valence, p.arousal, p.dominance) for p in points), strict=True))
    return tuple(round(total / len(points), 4) for total in sums)
