"""Short songs as MIDI files with a feeling for each bar, and a recipe that learns from them in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipelines.music import _fields as fields
from pipelines.music import _grid as grid
from pipelines.music import _performance as performance
from studio.emotion import NEUTRAL, Emotion
from studio.midi_files import midi_bytes
from studio.ports import Example
from training import config
from training.data._music import made_song

STEPS = 6
LIGHT = {"kind": "emotion_lora", "rank": 2, "targets": "light"}
CHORDS = (("maj", 0), ("min", 9), ("maj", 5), ("maj", 7))  # C Am F G


def song(seed: int, bars: int = 16, busy: bool = False) -> grid.Grid:
    """A tune of the scale over broken chords, two in a bar; `busy` has twice as many notes."""
    rng = np.random.default_rng(seed)
    names, step = list(fields.QUALITIES), 2 if busy else 4
    chords = np.zeros((bars, 2), dtype=np.int64)
    melody: list[tuple[int, int, int, int]] = []
    below: list[tuple[int, int, int, int]] = []
    for half in range(2 * bars):
        quality, root = CHORDS[(half // 2 + seed) % len(CHORDS)]
        chords[half // 2, half % 2] = 1 + root * len(names) + names.index(quality)
        tones = [root + tone for tone in fields.QUALITIES[quality]]
        for place in range(0, 8, step):
            start = half * 8 + place
            below.append((start, step, 48 + tones[place // step % 3], 60))
            melody.append((start, step, 72 + int(rng.choice(tones)), 80))
    frame = grid.Frame(chords, np.zeros(bars, dtype=np.int64), np.full(bars, 90.0))
    return grid.encode(_notes(melody), _notes(below), frame)


def _notes(rows: list[tuple[int, int, int, int]]) -> grid.Notes:
    return grid.Notes(*np.array(rows, dtype=np.int64).T)


def windows(count: int = 3) -> list[Example]:
    """Four bars of as many songs."""
    places = (np.arange(16), np.arange(16.0), np.arange(16.0) + 1)
    made = [made_song(song(seed), np.full(16, 90.0), (), places, (True, True)) for seed in range(count)]
    return [Example(one.window(slice(0, 4)), "a song", Emotion(NEUTRAL), {}) for one in made]


def write_songs(root: Path, count: int = 6) -> dict[str, Any]:
    """A dataset table for `count` songs, each a calm half, a busy half and a valence of its own; the last is

    half as long."""
    root.mkdir(parents=True)
    lines = ["file_name,bar,valence,arousal,dominance"]
    for number in range(count):
        bars = 8 if number == count - 1 else 16
        halves = [song(number, bars // 2, busy).tokens for busy in (False, True)]
        written = grid.Grid(np.concatenate(halves))
        manner = performance.Manner([NEUTRAL] * bars, tempo_bpm=90.0)
        (root / f"{number}.mid").write_bytes(midi_bytes(performance.perform(written, manner)))
        valence = number / 10
        lines += [f"{number}.mid,1,{valence},-0.5,0", f"{number}.mid,{bars // 2 + 1},{valence},0.7,0.1"]
    (root / "metadata.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return {"name": "midi_folder", "root": str(root), "windows": 3}


def recipe(output: Path, dataset: dict[str, Any], **changed: Any) -> config.Recipe:
    values: dict[str, Any] = {
        "pipeline": "music/score",
        "model": "tiny:0",
        "output": str(output),
        "steps": STEPS,
        "batch_size": 4,
        "gradient_accumulation": 2,
        "learning_rate": 1e-2,
        "ema_decay": 0.8,
        "emotion_dropout": 0.3,
        "checkpoint_every": 2,
        "log_every": 1,
        "validation_pictures": 0,
        "dataset": dataset,
        "adapter": LIGHT,
    }
    return config.parse(values | changed)
