"""How well MIDI files are read, against what people heard: `python -m benchmarks.midi_in POP909_DIR`.

Songs 5, 35, 65, ... of POP909: beats from the notes in seconds alone (F-measure at 70 ms), key and chords at
the annotated beats (share of bars, of half bars), first beats and melody from the files as they are. These
songs were not used in setting the reader's weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import _report
from pipelines.music import _fields as fields
from pipelines.music import _midi_beats as midi_beats
from pipelines.music import _midi_harmony as harmony
from pipelines.music import _midi_in as midi_in
from pipelines.music import _midi_melody as midi_melody
from pipelines.music._grid import Grid, Notes, field
from training.data import _pop909_files as pop909

WITHIN_S = 0.07
Array = NDArray[np.float64]


def f_measure(true: Array, found: Array) -> float:
    """Each true moment counts for one found moment at most, both in order."""
    one = other = hits = 0
    while one < len(true) and other < len(found):
        if abs(true[one] - found[other]) <= WITHIN_S:
            hits, one, other = hits + 1, one + 1, other + 1
        elif true[one] < found[other]:
            one += 1
        else:
            other += 1
    return 2 * hits / (len(true) + len(found))


def beats(root: Path, name: str) -> dict[str, float]:
    song = pop909._song(root / name, name)
    notes = np.concatenate([song.melody, song.accompaniment])
    first, last = notes[:, 0].min() - 0.1, notes[:, 1].max()
    true, found = (row[(row >= first) & (row <= last)] for row in (song.beats_s, midi_beats.beats(notes)))
    double = np.sort(np.concatenate([found, (found[1:] + found[:-1]) / 2]))
    each = [f_measure(true, row) for row in (found, double, found[::2], found[1::2])]
    bars = f_measure(song.beats_s[song.bars], midi_in.read(root / name / f"{name}.mid").start_s)
    return {"beat_f": each[0], "beat_f_any_octave": max(each), "bar_f": bars}


def agreement(stretch: Grid) -> dict[str, list[bool]]:
    """Per bar or half bar whether it is what the annotators heard; per note whether it is the melody."""
    cells = fields.METERS[stretch.meter]
    leads, others = (_notes(stretch, name, cells) for name in ("melody", "voices"))
    notes = Notes(*(np.concatenate(pair) for pair in zip(leads, others, strict=True)))
    keys = harmony.keys(notes, len(stretch), cells)
    chords = harmony.chords(notes, keys, cells)
    root, quality = np.divmod(chords - 1, len(fields.QUALITIES))
    root = np.where(chords > 0, (root - keys.shift[:, None]) % 12, -1)  # back to the stretch's own signature
    true = field(stretch.tokens, "chord")[..., 0].astype(np.int64)
    true_root, true_quality = np.divmod(true - 1, len(fields.QUALITIES))
    same = root == np.where(true > 0, true_root, -1)
    signature = keys.shift == 0
    mode = keys.modes == field(stretch.tokens, "mode")[:, 0, 0]
    line = midi_melody.skyline(notes)
    return {
        "signature": list(signature),
        "mode": list(mode[signature]),
        "chord_root": list(same.ravel()),
        "chord": list((same & ((quality == true_quality) | (true == 0))).ravel()),
        "melody_precision": list((np.arange(len(line)) < len(leads[0]))[line]),
        "melody_recall": list(line[: len(leads[0])]),
    }


def _notes(stretch: Grid, name: str, cells: int) -> tuple[NDArray[np.int64], ...]:
    """Start, length, pitch and velocity of what a grid holds."""
    tokens, lengths = field(stretch.tokens, name), field(stretch.tokens, f"{name}_length")
    bar, cell, voice = np.nonzero(tokens)
    pitch = tokens[bar, cell, voice].astype(np.int64) + fields.LOWEST - 1
    length = np.array([*fields.LENGTHS, 1])[lengths[bar, cell, voice]]
    return bar * cells + cell, length, pitch, np.full(len(pitch), 80)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = pop909.songs(options.root)[4::30]
    timed = [beats(options.root, name) for name in names]
    rows = [agreement(one.grid) for name in names for one in pop909.read(options.root, name)]
    found = {key: float(np.mean([row[key] for row in timed])) for key in timed[0]}
    found["beat_f_median"] = float(np.median([row["beat_f"] for row in timed]))
    found |= {key: float(np.mean([value for row in rows for value in row[key]])) for key in rows[0]}
    found["songs"] = len(names)
    print(_report.text("Reading MIDI files", found, {}, "", options.json))


if __name__ == "__main__":
    main()
