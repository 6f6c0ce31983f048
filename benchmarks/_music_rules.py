"""A rule-only composer of feelings, to compare with: a neutral piece, made to feel by fixed rules.

The rules are those of the literature that need no model (Livingstone et al. 2010; EMelodyGen's template):
parallel mode without a change of pitch height, louder and faster with energy, fewer or repeated onsets.
What a model adds must show beyond them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music import _grid as grid
from pipelines.music._fields import CELLS, FIELDS
from studio.emotion import VAD

Tokens = NDArray[np.int16]
TURN = 0.2  # valence from which the mode is the feeling's, beyond which it is the piece's
LEVELS_PER_ENERGY = 1.5  # levels of loudness that arousal and dominance each move
DENSE, SPARSE, BARE = 0.33, 0.0, -0.5  # arousal above which onsets double, below which weak ones fall
# Degrees that differ between A minor and A major, C major and C minor: pitch class -> semitones.
BRIGHTER = {0: 1, 5: 1, 7: 1}
DARKER = {4: -1, 9: -1, 11: -1}


def apply(tokens: Tokens, mood: VAD) -> Tokens:
    """A copy of tokens (bars, WIDTH) that are neutral, as `mood` wants them."""
    changed = tokens.copy()
    _mode(changed, mood.valence)
    _loudness(changed, mood)
    _density(changed, mood.arousal)
    return changed


def _mode(tokens: Tokens, valence: float) -> None:
    minor = tokens[:, FIELDS["mode"].start] == 1
    turned = minor if valence > TURN else ~minor if valence < -TURN else np.zeros_like(minor)
    moves = BRIGHTER if valence > 0 else DARKER
    by = np.array([moves.get(pitch_class, 0) for pitch_class in range(12)])
    for name in ("melody", "voices"):
        pitches = tokens[:, FIELDS[name].tokens]
        keys = pitches + fields.LOWEST - 1
        moved = np.clip(pitches + by[keys % 12], 1, fields.PITCHES - 1)
        pitches[:] = np.where((pitches > 0) & turned[:, None], moved, pitches)
    chords = np.array([_moved(chord, by) for chord in range(fields.CHORDS)])
    part = tokens[:, FIELDS["chord"].tokens]
    part[turned] = chords[part[turned]]
    tokens[turned, FIELDS["mode"].start] = int(valence < 0)


def _moved(chord: int, by: NDArray[np.int64]) -> int:
    """The chord of the moved tones; the moved root with its old quality where no chord has them."""
    tones = fields.chord_tones(chord)
    if not tones:
        return chord
    root = (tones[0] + by[tones[0]]) % 12
    steps = tuple(sorted((tone + by[tone] - root) % 12 for tone in tones))
    qualities = list(fields.QUALITIES.values())
    quality = qualities.index(steps) if steps in qualities else (chord - 1) % len(qualities)
    return int(1 + root * len(qualities) + quality)


def _loudness(tokens: Tokens, mood: VAD) -> None:
    by = round(LEVELS_PER_ENERGY * (mood.arousal + mood.dominance))
    part = tokens[:, FIELDS["velocity"].tokens]
    part[:] = np.clip(part + by, 0, fields.LOUDNESS_LEVELS - 1)


def _density(tokens: Tokens, arousal: float) -> None:
    """Drops what begins off the eighths (barer: quarters), or strikes chords again an eighth later."""
    voices, lengths = grid.field(tokens, "voices"), grid.field(tokens, "voices_length")
    if arousal < SPARSE:
        kept = 4 if arousal < BARE else 2
        weak = np.arange(CELLS) % kept != 0
        voices[:, weak], lengths[:, weak] = 0, fields.NO_LENGTH
    elif arousal > DENSE:
        struck = (voices > 0).any(axis=2)
        for cell in range(CELLS - 2):
            again = struck[:, cell] & ~struck[:, cell + 2] & (cell % 4 == 0)
            voices[again, cell + 2], lengths[again, cell + 2] = voices[again, cell], lengths[again, cell]
