"""A grid played: which tempo, how long and how loud each note is, when the pedal is down.

Notes begin exactly on their sixteenths, so that the score stays readable; feeling moves tempo, articulation
and pedal, in the published directions: activity is fast (Gabrielsson & Lindström 2010), sadness and
tenderness are legato, joy and anger detached (Bresin & Friberg 2011). How much is our choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music import _grid as grid
from pipelines.music import _notation as notation
from studio.emotion import VAD
from studio.score import KEYS, LEAST_BPM, MOST_BPM, Bar, Note, Part, Piece

TEMPO_CENTRES = (57.0, 63.0, 66.5, 70.0, 76.0, 86.0, 101.0, 122.0)  # of the bins in grid.EDGES
TEMPO_SMOOTH_BARS = 4
TEMPO_PER_AROUSAL, TEMPO_PER_VALENCE = 0.5, 0.1  # octaves
SLOWEST, FASTEST = 36.0, 200.0  # where nobody asked for a tempo
LAST_BAR = 0.88  # a piece slows down into its last bar
ACCENT = (6, 0, 2, 0)  # velocity on the first, second, third and fourth quarter of a bar
MELODY_BOOST = 6
BASS_BELOW = 50  # the lowest note of a chord that is lower than this goes to the bass part
PEDAL_AROUSAL = 0.25  # calmer than this, the pedal joins the notes of a half bar
_MAJOR_NAMES = KEYS[:12]
_MINOR_NAMES = KEYS[12:]


@dataclass(frozen=True, slots=True)
class Manner:
    """What the piece should be played as. `shift`: semitones from C; `modulations` those of every bar, where
    they differ. `tempo_bpm` None: as it was written; `tempi_bpm`: of every bar, where they are known already.
    `notes`: what a person should know of the piece, in plain words."""

    emotions: Sequence[VAD]  # one a bar
    shift: int = 0
    tempo_bpm: float | None = None
    title: str = ""
    turns: tuple[tuple[int, str], ...] = ()  # see Piece.emotions
    modulations: tuple[int, ...] = ()
    tempi_bpm: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    def shift_of(self, bar: int) -> int:
        return self.modulations[bar] if self.modulations else self.shift


def perform(written: grid.Grid, manner: Manner) -> Piece:
    """`written` as parts "Melody", "Accompaniment" and "Bass"; parts without a note are left out."""
    tempos = manner.tempi_bpm or tempos_bpm(written.tokens, manner.emotions, manner.tempo_bpm)
    per_bar = fields.METERS[written.meter] / 4
    chords = grid.field(written.tokens, "chord")[..., 0]
    names = [
        tuple(chord_name(int(chord), manner.shift_of(number)) for chord in bar)
        for number, bar in enumerate(chords)
    ]
    bars = tuple(
        Bar(written.meter, round(float(tempo), 2), emotion, said)
        for tempo, emotion, said in zip(tempos, manner.emotions, names, strict=True)
    )
    melody = _notes(written, "melody", manner)
    chordal = _notes(written, "voices", manner)
    bass = tuple(note for note, is_bass in chordal if is_bass)
    upper = tuple(note for note, is_bass in chordal if not is_bass)
    pedal = _pedal(manner.emotions, per_bar)
    parts = (
        Part("Melody", 0, _monophonic([note for note, _ in melody])),
        Part("Accompaniment", 0, upper, pedal),
        Part("Bass", 0, bass, pedal),
    )
    sounding = tuple(part for part in parts if part.notes)
    own = notation.to_text(
        notation.Notation(
            written, manner.shift, manner.tempo_bpm, manner.modulations, tuple(manner.emotions), manner.turns
        )
    )
    return Piece(bars, sounding, key_name(written, manner.shift), manner.title, manner.turns, own)


def tempos_bpm(
    tokens: NDArray[np.integer], emotions: Sequence[VAD], asked_bpm: float | None
) -> NDArray[np.float64]:
    """(bars,) quarters a minute: what was written, smoothed, and the feeling's share; `asked_bpm` is met on

    average."""
    if asked_bpm is not None:
        return felt_bpm(emotions, asked_bpm)
    classes = tokens[:, fields.FIELDS["tempo"].start]
    written = np.log2(np.asarray(TEMPO_CENTRES)[np.minimum(classes, len(TEMPO_CENTRES) - 1)])
    felt = np.array([octaves(emotion) for emotion in emotions])
    return _ending(np.clip(2 ** (_smooth(written) + felt), SLOWEST, FASTEST))


def felt_bpm(emotions: Sequence[VAD], mean_bpm: float) -> NDArray[np.float64]:
    """(bars,) quarters a minute of one tempo that feelings move."""
    felt = np.array([octaves(emotion) for emotion in emotions])
    return _ending(np.clip(mean_bpm * 2 ** (felt - felt.mean()), LEAST_BPM / LAST_BAR, MOST_BPM))


def _ending(tempos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slower in the last bar."""
    return np.append(tempos[:-1], tempos[-1] * LAST_BAR) if len(tempos) > 2 else tempos


def octaves(emotion: VAD) -> float:
    """By how much a feeling moves the tempo."""
    return TEMPO_PER_AROUSAL * emotion.arousal + TEMPO_PER_VALENCE * emotion.valence


def tempo_class(tempo_bpm: float) -> int:
    return int(np.digitize(tempo_bpm, grid.EDGES["tempo"]))


def chord_name(chord: int, shift: int) -> str:
    """ "F#m7" or "N" for none."""
    if chord == 0:
        return "N"
    root, quality = divmod(chord - 1, len(fields.QUALITIES))
    word = list(fields.QUALITIES)[quality]
    tonic = _MAJOR_NAMES[(root + shift) % 12].split()[0]
    return tonic + {"maj": "", "min": "m", "min7": "m7"}.get(word, word)


def key_name(written: grid.Grid, shift: int) -> str:
    """The key of most bars; A minor is what a minor bar is written in."""
    minor = written.tokens[:, fields.FIELDS["mode"].start].mean() > 0.5
    return _MINOR_NAMES[(9 + shift) % 12] if minor else _MAJOR_NAMES[shift % 12]


def _notes(written: grid.Grid, name: str, manner: Manner) -> list[tuple[Note, bool]]:
    """Notes of a field in order, each with whether it is the lowest at its moment, and low."""
    pitches = grid.field(written.tokens, name)
    lengths = grid.field(written.tokens, f"{name}_length")
    levels = grid.field(written.tokens, "velocity")[..., 0 if name == "melody" else 1]
    cells = fields.METERS[written.meter]
    found = []
    for bar, cell, voice in zip(*np.nonzero(pitches), strict=True):
        emotion = manner.emotions[bar]
        start = (bar * cells + cell) / 4
        cells_long = fields.LENGTHS[min(int(lengths[bar, cell, voice]), len(fields.LENGTHS) - 1)]
        in_c = int(pitches[bar, cell, voice]) + fields.LOWEST - 1
        pitch = in_c + manner.shift_of(bar)
        level = float(fields.velocity_of(levels[bar, cell // 4]))
        accent = ACCENT[cell // 4] if cell % 4 == 0 else -2
        loud = level + accent + (MELODY_BOOST if name == "melody" else 0)
        note = Note(
            float(start),
            cells_long / 4 * articulation(emotion, cells_long),
            min(max(pitch, 0), 127),
            int(min(max(round(loud), 1), 127)),
        )
        found.append((note, voice == 0 and in_c < BASS_BELOW))
    return found


def articulation(emotion: VAD, cells: int) -> float:
    """Share of its written length that a note sounds: short notes are detached by energy, long ones sing."""
    detached = max(0.0, 0.5 * emotion.arousal + 0.25 * emotion.valence)
    return 0.97 - 0.45 * min(detached, 1.0) * (1.0 if cells <= 4 else 0.35)


def _monophonic(notes: list[Note]) -> tuple[Note, ...]:
    """Each note of a melody ends when the next begins."""
    ends = [*(note.start_beats for note in notes[1:]), np.inf][: len(notes)]
    return tuple(
        Note(note.start_beats, min(note.length_beats, end - note.start_beats), note.pitch, note.velocity)
        for note, end in zip(notes, ends, strict=True)
    )


def _pedal(emotions: Sequence[VAD], beats_per_bar: float) -> tuple[tuple[float, float], ...]:
    """Down through each half bar of the calm bars, up just before the next chord."""
    half = beats_per_bar / 2
    return tuple(
        (bar * beats_per_bar + part * half, bar * beats_per_bar + (part + 1) * half - 1 / 16)
        for bar, emotion in enumerate(emotions)
        if emotion.arousal < PEDAL_AROUSAL
        for part in (0, 1)
    )


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the bars around each, fewer at the ends."""
    reach = TEMPO_SMOOTH_BARS
    return np.array([values[max(0, i - reach) : i + reach + 1].mean() for i in range(len(values))])
