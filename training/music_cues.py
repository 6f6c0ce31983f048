"""Musical cues of each bar of a token grid, and the feeling that they express together.

Cues are measured on what sounds, in natural units; each is compared with POP909's training songs and summed
by the published directions (training/_music_axes.py). The average bar of those songs is NEUTRAL, 95% of them
lie within about +-0.8 on each axis. What this is not: a listener. It knows no timbre, no words and no style.

The scale (music_cues.json) is made by `python -m training.music_scale`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music import _grid as grid
from pipelines.music._performance import TEMPO_CENTRES
from training import _music_bars as bars_of
from training._music_axes import AXES, MAIN
from training._music_bars import BEAT, Floats, Onsets

__all__ = ["AXES", "CUES", "MAIN", "cues", "feelings", "tempo_bpm"]

SCALE = Path(__file__).with_name("music_cues.json")
CUES = {  # name: unit
    "mode": "majorness, -1..1",
    "tempo": "quarters a minute",
    "density": "onset moments a beat, melody and accompaniment added",
    "register": "mean MIDI pitch",
    "loudness": "mean velocity, 1..127",
    "articulation": "length over the time to the next onset, 1 is legato",
    "roughness": "dissonance of what sounds together, -1..1",
    "complexity": "notes outside their chord and tension of the chords, 0..1",
    "syncopation": "metrical levels an onset is ahead of a silent stronger one",
    "regularity": "equal onsets of both halves of a bar, 0..1",
    "firmness": "accompaniment notes struck together",
    "leaps": "mean melody interval, semitones",
    "contour": "rise of the melody, semitones a note",
    "ambitus": "range of the melody, semitones",
    "repetition": "melody intervals that are unisons or octaves, 0..1",
}
# Krumhansl & Kessler 1982, from the tonic up.
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
# The two keys of the grid's signature and their parallels, which a darkened or brightened piece turns to.
MAJORS = (np.array(MAJOR), np.roll(MAJOR, 9))  # C, A
MINORS = (np.roll(MINOR, 9), np.array(MINOR))  # A, C
MODE_SHARES = (0.2, 0.4, 0.4)  # of the mode token, the chords and the profiles; our choice
PROFILE_SPAN = 0.5  # difference of correlations that counts as wholly major; our choice
QUALITY_MODE = {"maj": 1, "7": 1, "maj7": 1, "min": -1, "min7": -1, "dim": -1}  # the others 0
# How far from rest a chord is, by the dissonances it holds; the order is Hevner's, numbers are our choice.
QUALITY_TENSION = {"sus2": 0.2, "sus4": 0.3, "min7": 0.3, "maj7": 0.4, "7": 0.5, "aug": 1.0, "dim": 1.0}
# Consonance of interval classes 1..6: Schwartz, Howe & Purves 2003, an interval and its inversion averaged.
CONSONANCE = (-0.9, -0.4, 0.2, 0.3, 0.7, -0.2)
# Strength of sixteenths after Longuet-Higgins & Lee 1984.
METRE = {
    "4/4": (0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4),
    "6/8": (0, -3, -2, -3, -2, -3, -1, -3, -2, -3, -2, -3),
}
FARTHEST = 3.0  # standard deviations: what lies beyond says no more


def tempo_bpm(tokens: NDArray[np.integer]) -> Floats:
    """(bars,) the tempo that a grid's own tokens (bars, WIDTH) name, to the middle of their bins."""
    return np.array(TEMPO_CENTRES)[grid.field(tokens, "tempo")[:, 0, 0]]


def cues(tokens: NDArray[np.integer], tempo: float | Floats, meter: str = "4/4") -> dict[str, Floats]:
    """Each cue of CUES in its unit, (bars,), of tokens (bars, WIDTH), all written.

    `tempo`: quarters a minute of the piece or of each bar. A bar without notes takes the last value before
    it (density is 0); a cue that the whole piece lacks is NaN.
    """
    notes = bars_of.onsets(tokens, meter)
    return (
        {"tempo": np.broadcast_to(np.asarray(tempo, dtype=np.float64), len(tokens)).copy()}
        | _sound(tokens, notes)
        | _rhythm(tokens, notes, meter)
        | _harmony(tokens, notes, meter)
        | _melody(tokens, notes, meter)
    )


def feelings(
    tokens: NDArray[np.integer],
    tempo: float | Floats,
    meter: str = "4/4",
    without: Collection[str] = (),
) -> Floats:
    """(bars, 3) valence, arousal, dominance within -1..1; arguments as for `cues`.

    Neighbouring bars (two on either side) share, for a feeling does not jump. `without`: cues that are left
    out, as if they were average in every bar; "loudness" compares pieces as if all were equally loud.
    """
    scores = standard(cues(tokens, tempo, meter), _scale()["cues"])
    silent = dict.fromkeys(without, np.zeros(len(tokens)))
    mean, spread = np.array([_scale()["axes"][axis] for axis in AXES]).T
    return np.asarray(np.tanh((sums(scores | silent) - mean) / spread))


def standard(found: dict[str, Floats], scale: Mapping[str, Sequence[float]]) -> dict[str, Floats]:
    """Cues of neighbouring bars as deviations from the mean, within +-FARTHEST; 0 where unknown.

    `scale`: mean and deviation of each cue as `compared` gives it, so that a cue which jumps from bar to bar
    counts as much as one that lasts.
    """
    scores = {}
    for name, values in found.items():
        mean, deviation = scale[name]
        z = (compared(name, values) - mean) / deviation
        scores[name] = np.clip(np.nan_to_num(z, nan=0.0), -FARTHEST, FARTHEST)
    return scores


def compared(name: str, values: Floats) -> Floats:
    """A cue as it is compared: over neighbouring bars; tempo in octaves, all else in its unit."""
    return bars_of.near(np.log2(values) if name == "tempo" else values)


def sums(scores: Mapping[str, Floats]) -> Floats:
    """(bars, 3): weighted sums of standard scores, before they are squashed."""
    axes = [sum(weight.share * scores[weight.cue] for weight in AXES[axis]) for axis in AXES]
    return np.stack([np.asarray(axis) for axis in axes], axis=1)


@cache
def _scale() -> dict[str, dict[str, list[float]]]:
    return dict(json.loads(SCALE.read_text("utf-8")))


def _sound(tokens: NDArray[np.integer], notes: Onsets) -> dict[str, Floats]:
    count = len(tokens)
    chords = notes.part(~notes.melody)
    _, first, together = np.unique(chords.cell, return_index=True, return_counts=True)
    return {
        "register": bars_of.bar_mean(notes.pitch, notes.bar, count),
        "loudness": bars_of.bar_mean(notes.velocity, notes.bar, count),
        "firmness": bars_of.bar_mean(together, chords.bar[first], count),
    }


def _rhythm(tokens: NDArray[np.integer], notes: Onsets, meter: str) -> dict[str, Floats]:
    count, cells = len(tokens), fields.METERS[meter]
    density = np.zeros(count)
    points: list[tuple[Floats, NDArray[np.int64]]] = []
    legato = np.zeros(len(notes))
    for melody in (True, False):
        of_part = notes.melody == melody
        part = notes.part(of_part)
        moments = bars_of.moments(part)
        following = np.append(moments, count * cells)[1:]  # the last lasts until the end
        density += np.bincount(moments // cells, minlength=count)
        points.append((_ahead(moments, following, METRE[meter]), moments // cells))
        gap = np.minimum(following[np.searchsorted(moments, part.cell)] - part.cell, BEAT)
        legato[of_part] = np.minimum(part.length / np.maximum(gap, 1), 2)
    values, where = (np.concatenate(each) for each in zip(*points, strict=True))
    return {
        "density": density * BEAT / cells,
        "articulation": bars_of.bar_mean(legato, notes.bar, count),
        "syncopation": bars_of.bar_mean(values, where, count),
        "regularity": _regularity(notes.part(~notes.melody), count, cells),
    }


def _ahead(moments: NDArray[np.int64], following: NDArray[np.int64], metre: tuple[int, ...]) -> Floats:
    """Levels by which each onset is weaker than the strongest sixteenth that it sounds across."""
    strength = np.array(metre)
    own = strength[moments % len(metre)]
    strongest = own.copy()
    for step in range(1, len(metre)):
        reached = np.where(moments + step < following, strength[(moments + step) % len(metre)], own)
        strongest = np.maximum(strongest, reached)
    return (strongest - own).astype(np.float64)


def _regularity(chords: Onsets, count: int, cells: int) -> Floats:
    struck = np.zeros(count * cells, dtype=bool)
    struck[chords.cell] = True
    halves = struck.reshape(count, 2, cells // 2)
    either = halves.sum(axis=(1, 2))
    alike = 2 * halves.all(axis=1).sum(axis=1) / np.maximum(either, 1)
    known = np.flatnonzero(either)
    return bars_of.bar_mean(alike[known], known, count)


def _harmony(tokens: NDArray[np.integer], notes: Onsets, meter: str) -> dict[str, Floats]:
    count, cells = len(tokens), fields.METERS[meter]
    classes = bars_of.pitch_classes(bars_of.sounding(notes, count * cells)).astype(np.float64)
    tension, majors = _qualities(tokens)
    outside = bars_of.bar_mean(~bars_of.in_chord(notes, tokens, meter), notes.bar, count)
    lasting = classes.reshape(count, cells, 12).sum(axis=1)
    token = 1.0 - 2.0 * grid.field(tokens, "mode")[:, 0, 0]
    parts = (token, bars_of.near(majors), _profile(bars_of.near(lasting)))
    mode = np.sum([share * part for share, part in zip(MODE_SHARES, parts, strict=True)], axis=0)
    return {
        "mode": mode,
        "roughness": _roughness(classes, count),
        "complexity": (outside + tension) / 2,
    }


def _qualities(tokens: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """(bars,) mean tension and mean majorness of a bar's two chords."""
    names = list(fields.QUALITIES)
    tensions = np.array([0.0, *(QUALITY_TENSION.get(name, 0.0) for name in names)])
    majors = np.array([0.0, *(QUALITY_MODE.get(name, 0) for name in names)])
    chord = grid.field(tokens, "chord")[..., 0]
    quality = np.where(chord > 0, (chord - 1) % len(names) + 1, 0)
    return tensions[quality].mean(axis=1), majors[quality].mean(axis=1)


def _profile(sound: Floats) -> Floats:
    """(bars, 12) how long pitch classes sound -> -1..1, how much better major fits than minor."""
    centred = sound - sound.mean(axis=1, keepdims=True)
    size = np.maximum(np.linalg.norm(centred, axis=1), 1e-9)

    def fit(profile: Floats) -> Floats:
        shape = profile - profile.mean()
        return np.asarray(centred @ shape / (size * np.linalg.norm(shape)))

    major, minor = (np.max([fit(profile) for profile in keys], axis=0) for keys in (MAJORS, MINORS))
    return np.asarray(np.clip((major - minor) / PROFILE_SPAN, -1, 1))


def _roughness(classes: Floats, count: int) -> Floats:
    """Mean dissonance of the pairs of pitch classes (cells, 12) that sound together, over the cells."""
    pairs, rough = np.zeros(len(classes)), np.zeros(len(classes))
    for interval, consonance in enumerate(CONSONANCE, start=1):
        number = (classes * np.roll(classes, -interval, axis=1)).sum(axis=1) / (1 + (interval == 6))
        pairs += number
        rough -= consonance * number
    heard = np.flatnonzero(pairs)
    return bars_of.bar_mean(rough[heard] / pairs[heard], heard * count // len(classes), count)


def _melody(tokens: NDArray[np.integer], notes: Onsets, meter: str) -> dict[str, Floats]:
    count, cells = len(tokens), fields.METERS[meter]
    melody = notes.part(notes.melody)
    rise = np.diff(melody.pitch)
    joined = np.diff(melody.cell) <= cells  # what lies further apart is no interval
    rise, bar = rise[joined], melody.bar[1:][joined]
    highest, lowest = np.full(count, -np.inf), np.full(count, np.inf)
    np.maximum.at(highest, melody.bar, melody.pitch)
    np.minimum.at(lowest, melody.bar, melody.pitch)
    wide = highest - lowest
    sung = np.flatnonzero(np.isfinite(wide))
    return {
        "leaps": bars_of.bar_mean(np.abs(rise), bar, count),
        "contour": bars_of.bar_mean(rise, bar, count),
        "ambitus": bars_of.bar_mean(wide[sung], sung, count),
        "repetition": bars_of.bar_mean(rise % 12 == 0, bar, count),
    }
