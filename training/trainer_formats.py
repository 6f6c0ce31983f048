"""What trainers of large video models read: lists of clips with captions, written and read again.

musubi-tuner: `dataset.toml` with one list `captions-24hz.jsonl` {"video_path", "caption"} for each frame
rate, because `source_fps` is a setting of a whole list. It takes paths as they stand, from the folder it is
started in. DiffSynth-Studio: `metadata.csv` with the columns video, prompt; paths from the folder on that is
its `--dataset_base_path`. Knows these files. Knows no data set and no codec.
"""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from studio.errors import InputError
from studio.storage import write_atomically
from studio.toml_text import to_toml
from studio.video_files import probe
from training.data._tables import collect, csv_rows, jsonl_rows, read_text

TOML, CSV = "dataset.toml", "metadata.csv"
VIDEO, PROMPT = "video", "prompt"  # DiffSynth's columns
SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi"})  # that both open


@dataclass(frozen=True, slots=True)
class Entry:
    """A clip in the folder, by its path inside it, and what is said of it."""

    video: str
    caption: str
    rate_hz: float


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of musubi-tuner's lists; DiffSynth takes its own on the command line.

    `size`: (width, height) in px that buckets are made around; `frames`: lengths of what is cut from a clip.
    """

    size: tuple[int, int] = (832, 480)
    frames: tuple[int, ...] = (25,)

    def __post_init__(self) -> None:
        for side in self.size:
            if side < 16 or side % 16:
                near = f"{max(16, round(side / 16) * 16)}"
                raise InputError("size", side, f"sides must be multiples of 16 px, got {side}", near)
        for count in self.frames:
            if count < 1 or count % 4 != 1:
                near = f"{max(0, round((count - 1) / 4)) * 4 + 1}"
                raise InputError("frames", count, f"lengths must be 4 n + 1, got {count}", near)
        if not self.frames:
            raise InputError("frames", self.frames, "needs one length at least", "25")


def write_musubi(folder: Path, entries: Sequence[Entry], options: Options) -> Path:
    """A list for each frame rate and what names them all. Raises StorageError."""
    width, height = options.size
    general = {"resolution": [width, height], "batch_size": 1, "enable_bucket": True}
    parts = [to_toml({"general": general})]
    for rate_hz in sorted({entry.rate_hz for entry in entries}):
        name = f"{rate_hz:g}hz"
        lines = [
            json.dumps({"video_path": entry.video, "caption": entry.caption}, ensure_ascii=False)
            for entry in entries
            if entry.rate_hz == rate_hz
        ]
        _write(folder / f"captions-{name}.jsonl", "\n".join([*lines, ""]))
        table = {
            "video_jsonl_file": f"captions-{name}.jsonl",
            "cache_directory": f"cache-{name}",  # musubi-tuner wants one of its own for each list
            "source_fps": float(rate_hz),
            "target_frames": list(options.frames),
            "frame_extraction": "head",
        }
        parts.append(f"[[datasets]]\n{to_toml(table)}")
    return _write(folder / TOML, "\n".join(parts))


def write_diffsynth(folder: Path, entries: Sequence[Entry], _options: Options) -> Path:
    """Raises StorageError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((VIDEO, PROMPT))
    writer.writerows((entry.video, entry.caption) for entry in entries)
    return _write(folder / CSV, text.getvalue())


def read_musubi(folder: Path) -> list[Entry]:
    """What musubi-tuner would find. InputError with every line that it could not use."""
    path = folder / TOML
    try:
        tables = tomllib.loads(read_text(path)).get("datasets", [])
    except tomllib.TOMLDecodeError as error:
        raise InputError(TOML, str(path), f"{str(path)!r} is not TOML: {error}") from None
    found: list[Entry] = []
    for table in tables:
        named = folder / table["video_jsonl_file"]
        make = partial(_of_line, folder, rate_hz=table["source_fps"])
        found += collect(named, jsonl_rows(named), make, "line")
    return found


def read_diffsynth(folder: Path) -> list[Entry]:
    """What DiffSynth-Studio would find. InputError with every line that it could not use."""
    path = folder / CSV
    return collect(path, csv_rows(path), partial(_entry, folder, (VIDEO, PROMPT)), "line")


WRITERS: Mapping[str, Callable[[Path, Sequence[Entry], Options], Path]] = {
    "musubi": write_musubi,
    "diffsynth": write_diffsynth,
}
READERS: Mapping[str, Callable[[Path], list[Entry]]] = {
    "musubi": read_musubi,
    "diffsynth": read_diffsynth,
}


def checked(folder: Path, format: str, entries: Iterable[Entry]) -> list[Entry]:
    """What stands in the folder, read as its trainer would. InputError where that is not what was meant."""
    found = READERS[format](folder)
    if (there := {*found}) != (meant := {*entries}):
        odd = sorted(there ^ meant, key=lambda entry: entry.video)[0]
        why = f"{odd.video!r} is not read as it was written"
        raise InputError("folder", str(folder), why)
    return found


def _of_line(folder: Path, line: str, rate_hz: float) -> Entry:
    entry = _entry(folder, ("video_path", "caption"), json.loads(line))
    if entry.rate_hz != rate_hz:
        why = f"{entry.video!r} has {entry.rate_hz:g} frames a second, its list says {rate_hz:g}"
        raise InputError("source_fps", rate_hz, why)
    return entry


def _entry(folder: Path, columns: tuple[str, str], values: Mapping[str, Any]) -> Entry:
    video, caption = (str(values.get(name, "")).strip() for name in columns)
    if not caption:
        raise InputError(columns[1], caption, f"{video!r} has no caption")
    if not video or Path(video).is_absolute():
        raise InputError(columns[0], video, f"needs a path inside the folder, got {video!r}")
    return Entry(video, caption, probe(folder / video).rate_hz)


def _write(path: Path, text: str) -> Path:
    write_atomically(path, lambda file: file.write(text.encode()))
    return path
