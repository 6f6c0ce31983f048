"""Pieces that a run is judged by: composed at fixed seeds, drawn as piano rolls, read by their musical cues.

Composed through the pipeline's own `compose`, so what is read is what a person would get; only what the
network wrote is read. How the performance plays a feeling is a rule, and counting it would flatter every
adapter. Knows a composer by its contract; knows no adapter and no recipe.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music import _performance as performance
from pipelines.music._fields import FIELDS
from pipelines.music._grid import Grid
from studio import midi_files, params
from studio.emotion import Emotion, EmotionCurve
from studio.ports import OnStep, SetEmotion
from studio.request import RenderRequest
from training import _music_bars as bars_of
from training import music_cues
from training.medium import Reading, Shot, unfelt

BARS = 8  # of a piece: two phrases
CUES, NONE = "music-cues", "none"
# What 99 of 100 bars of POP909's training songs have: shares of notes in the key and in their chord, and
# onset moments a beat. Measured over windows of 8 bars, each bar with its neighbours.
IN_KEY, IN_CHORD, DENSITY = 0.79, 0.57, (0.97, 6.44)
_LOWEST, _HIGHEST = 33, 93  # what a roll shows: nearly every note
_SEMITONE_PX = 2
_PAPER, _LINE, _CHORD, _TUNE = (244, 245, 248), (228, 230, 236), (66, 116, 178), (206, 84, 46)
_SEED = 40_009


class Written(NamedTuple):
    """What was composed, and how it is to be played."""

    grid: Grid
    manner: performance.Manner


class Camera:
    """Has shots composed, BARS each."""

    def __init__(self, pipeline: Any, on_step: OnStep = lambda step: None) -> None:
        """`on_step` hears of every step; whatever it raises ends the composing."""
        family = sys.modules[type(pipeline).__module__]
        self._pipeline, self._on_step = pipeline, on_step
        self._params = params.build(family.Params, {"bars": BARS})

    def take(self, shots: Sequence[Shot], set_emotion: SetEmotion | None = None) -> list[Written]:
        feel = set_emotion or unfelt
        return [Written(*self._pipeline.compose(self._request(shot), feel, self._on_step)) for shot in shots]

    def _request(self, shot: Shot) -> RenderRequest:
        """Not parsed: a model in training has no name that could be looked up."""
        curve = EmotionCurve.constant(Emotion(shot.emotion))
        return RenderRequest("", "", shot.prompt, "", curve, shot.seed, (), self._params)


class CueReader:
    """Feelings by published cues (see music_cues); `keeps` is the share of bars that are music."""

    name = CUES

    def read(self, made: Sequence[Written], prompts: Sequence[str]) -> Reading:
        """The mean over a piece's bars; the tempo is the one that its tokens name."""
        points = [_feeling(one.grid) for one in made]
        return Reading(np.array(points), np.array([is_music(one.grid).mean() for one in made]))


def _feeling(written: Grid) -> NDArray[np.float64]:
    tempo = music_cues.tempo_bpm(written.tokens)
    return np.asarray(music_cues.feelings(written.tokens, tempo, written.meter).mean(axis=0))


def is_music(written: Grid) -> NDArray[np.bool_]:
    """(bars,) whether a bar, with its neighbours, is as consonant and as busy as bars of real songs are.

    A bar without a note and without any beside it is none.
    """
    tokens, meter, count = written.tokens, written.meter, len(written)
    notes = bars_of.onsets(tokens, meter)
    number = bars_of.near(bars_of.bar_sum(np.ones(len(notes)), notes.bar, count))

    def share(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        return bars_of.near(bars_of.bar_sum(chosen, notes.bar, count)) / np.maximum(number, 1e-9)

    in_key = share(np.isin(notes.pitch % 12, fields.WHITE_KEYS)) >= IN_KEY
    in_chord = share(bars_of.in_chord(notes, tokens, meter)) >= IN_CHORD
    density = bars_of.near(_moments(notes, count, fields.METERS[meter]))
    return np.asarray(in_key & in_chord & (density >= DENSITY[0]) & (density <= DENSITY[1]))


def _moments(notes: bars_of.Onsets, count: int, cells: int) -> NDArray[np.float64]:
    """(bars,) onset moments a beat, those of melody and accompaniment added, as music_cues counts them."""
    of_parts = [bars_of.moments(notes.part(notes.melody == melody)) // cells for melody in (True, False)]
    return np.bincount(np.concatenate(of_parts), minlength=count) * bars_of.BEAT / cells


def spoiled(made: Sequence[Written]) -> list[Written]:
    """The same rhythms with every pitch drawn by lot: what is left when all that makes it music is lost."""
    rng, found = np.random.default_rng(_SEED), []
    for one in made:
        tokens = one.grid.tokens.copy()
        for name in ("melody", "voices"):
            pitches = tokens[:, FIELDS[name].tokens]
            sounding = pitches > 0
            pitches[sounding] = rng.integers(1, fields.PITCHES, sounding.sum())
        found.append(Written(Grid(tokens, one.grid.meter), one.manner))
    return found


def roll(one: Written) -> NDArray[np.uint8]:
    """(height, sixteenths, 3): a pixel a sixteenth, accompaniment blue and melody orange, bars marked."""
    cells = fields.METERS[one.grid.meter]
    picture = np.full((_HIGHEST - _LOWEST + 1, cells * len(one.grid), 3), _PAPER, dtype=np.uint8)
    picture[:, ::cells] = _LINE
    notes = bars_of.onsets(one.grid.tokens, one.grid.meter)
    for melody, colour in ((False, _CHORD), (True, _TUNE)):
        part = notes.part(notes.melody == melody)
        for pitch, start, length in zip(part.pitch, part.cell, part.length, strict=True):
            if _LOWEST <= pitch <= _HIGHEST:  # the last pixel of a long note stays free, so repeats show
                picture[_HIGHEST - pitch, start : start + max(1, length - 1)] = colour
    return np.repeat(picture, _SEMITONE_PX, axis=0)


def midi(one: Written) -> bytes:
    """As a MIDI file."""
    return midi_files.midi_bytes(performance.perform(one.grid, one.manner))
