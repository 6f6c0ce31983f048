"""The emotion that a speech shows by itself: read from its words, from its voice, or from both, as a curve.

Words tell valence better, a voice arousal; where both are read, each axis follows the one that reads it
better, as far as it is sure. What they disagree on is said in words and never hidden. Knows no face. The idea
of an emotion from text and sound together is SynchroRaMa's (arXiv 2509.19965); the readers are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipelines.portrait import _word_features as word_features
from pipelines.portrait._read_voice import Moment, VoiceReading, read_voice
from pipelines.portrait._read_words import Sentence, WordReading, read_words
from studio.emotion import VAD, EmotionCurve, Key, lexicon
from studio.errors import EmotionError, InputError
from studio.speech import Speech

# How far each axis is to be believed: squared correlation on what the readers never saw (their cards).
WORDS_TELL = (0.50, 0.26, 0.41)
VOICE_TELLS = (0.30, 0.82, 0.64)
GRID_S = 0.5
EDGE_S = 0.25  # a sentence's feeling is whole this long after its start
CONFLICT = 0.6  # distance from which the two are said to disagree
CLAIM, SURE = 0.25, 0.3  # intensity and confidence below which a reading claims nothing
QUIET, LOUD = 0.3, 0.5  # weight of a reading at neutral, and the intensity from which it is whole
PLAIN = "neutral"
NAMED = 0.4  # share from which a reader's own label names its reading
TOLERANCE = 0.03  # keys that the line between their neighbours misses by less are left out

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reading:
    """`curve` in seconds; `conflict` is a sentence for people, or empty; `notes` what they should know.

    `words`, `voice`: what each reader said, None where it was not asked.
    """

    curve: EmotionCurve
    vad: VAD
    confidence: float
    conflict: str = ""
    notes: tuple[str, ...] = ()
    words: WordReading | None = None
    voice: VoiceReading | None = None

    @property
    def text(self) -> str:
        """One line for people: what was read in what, and where both differ."""
        parts = []
        if self.words is not None:
            parts.append(_told("the words say", "the words are", self.words))
        if self.voice is not None:
            parts.append(_told("the voice sounds like", "the voice sounds", self.voice))
        return self.conflict or ", ".join(parts)


def read(speech: Speech, words: bool = True, voice: bool = True) -> Reading:
    """Raises InputError when nothing is to be read, or the sound's rate is below 8 kHz."""
    if not words and not voice:
        raise InputError("read", "", "the words, the voice or both must be read", "words")
    said = read_words(speech.text or " ".join(word.text for word in speech.words)) if words else None
    heard = read_voice(speech.samples, speech.rate_hz) if voice else None
    grid = _grid(speech.length_s)
    tables = []
    if said is not None:
        tables.append((*_of_words(said, speech, grid), WORDS_TELL))
    if heard is not None:
        tables.append((*_of_voice(heard.moments, grid), VOICE_TELLS))
    points = _combined(tables)
    sure = max((one.confidence for one in (said, heard) if one is not None), default=0.0)
    notes = tuple(one.note for one in (said, heard) if one is not None and one.note)
    whole = VAD.clamped(*(round(float(value), 3) for value in points.mean(0)))
    conflict = conflict_of(said, heard) if said is not None and heard is not None else ""
    return Reading(_curve(grid, points), whole, sure, conflict, notes, said, heard)


def conflict_of(words: WordReading, voice: VoiceReading) -> str:
    """`the words say joy, the voice sounds like sadness: distance 1.6`; empty where they do not disagree.

    A reading near neutral, or one that is not sure, claims nothing that could be disagreed with.
    """
    if any(one.vad.intensity < CLAIM or one.confidence < SURE for one in (words, voice)):
        return ""
    apart = words.vad.distance(voice.vad)
    if apart < CONFLICT:
        return ""
    said = _told("the words say", "the words are", words)
    return f"{said}, {_told('the voice sounds like', 'the voice sounds', voice)}: distance {apart:.1f}"


def feeling(reading: WordReading | VoiceReading) -> str:
    """Its reader's own label where one stands out, else the lexicon's nearest to the point.

    "neutral" only where the point is near neutral: half plain and half sad is a little sad.
    """
    word, share = reading.shares[0] if reading.shares else ("", 0.0)
    if share >= NAMED and (word != PLAIN or reading.vad.intensity < CLAIM):
        return word
    return lexicon().nearest(reading.vad).word


def _told(like: str, plain: str, reading: WordReading | VoiceReading) -> str:
    word = feeling(reading)
    return f"{plain} neutral" if word == PLAIN else f"{like} {word}"


def blended(asked: EmotionCurve, read: EmotionCurve, share: float, length_s: float) -> EmotionCurve:
    """`asked` where share is 0, `read` where it is 1; between them exactly the straight line at all times.

    In seconds, unless the share is 0: then `asked` as it is. Raises EmotionError for a share outside [0, 1]
    or a length that is not above 0.
    """
    if not 0.0 <= share <= 1.0:
        near = "0" if not share > 0 else "1"
        raise EmotionError("share", share, f"share must be in [0, 1], got {share!r}", near)
    if not 0.0 < length_s < math.inf:
        raise EmotionError("length_s", length_s, f"length must be above 0 s, got {length_s!r}")
    if share == 0.0:
        return asked
    times = sorted({*_times(asked, length_s), *_times(read, length_s)})
    return _curve_of(
        (at_s, _at(asked, at_s, length_s).mixed(_at(read, at_s, length_s), share)) for at_s in times
    )


def _at(curve: EmotionCurve, at_s: float, length_s: float) -> VAD:
    return curve.at(min(1.0, at_s / length_s), length_s)


def _times(curve: EmotionCurve, length_s: float) -> set[float]:
    """Where its line bends, in seconds, and its ends; keys past the end only bend what nobody sees."""
    scale = 1.0 if curve.unit == "seconds" else length_s
    return {0.0, length_s, *(key.at * scale for key in curve.keys if key.at * scale <= length_s)}


def _grid(length_s: float) -> Array:
    return np.linspace(0.0, length_s, max(2, math.ceil(length_s / GRID_S) + 1))


def _of_words(said: WordReading, speech: Speech, grid: Array) -> tuple[Array, Array]:
    """(n, 3) points and (n,) confidence: each sentence holds while it is said, and glides to the next."""
    places: list[float] = []
    rows: list[tuple[float, ...]] = []
    for sentence, (start_s, stop_s) in zip(said.sentences, _spans(said.sentences, speech), strict=True):
        edge_s = min(EDGE_S, (stop_s - start_s) / 3)
        for at_s in (start_s + edge_s, stop_s - edge_s):
            places.append(at_s)
            rows.append((*sentence.vad.as_tuple(), sentence.confidence))
    return _interpolated(places, rows, grid)


def _of_voice(moments: Sequence[Moment], grid: Array) -> tuple[Array, Array]:
    return _interpolated(
        [each.at_s for each in moments],
        [(*each.vad.as_tuple(), each.confidence) for each in moments],
        grid,
    )


def _interpolated(
    places: Sequence[float], rows: Sequence[tuple[float, ...]], grid: Array
) -> tuple[Array, Array]:
    if not places:
        return np.zeros((len(grid), 3)), np.zeros(len(grid))
    table = np.array(rows)
    found = np.stack([np.interp(grid, places, column) for column in table.T], axis=1)
    return found[:, :3], found[:, 3]


def _spans(sentences: Sequence[Sentence], speech: Speech) -> list[tuple[float, float]]:
    """When each is said: by the speech's words where they are as many as the text's, else by letters."""
    counts = [sentence.words for sentence in sentences]
    spoken = [word for word in speech.words if word_features.words(word.text)]
    each = [len(word_features.words(word.text)) for word in spoken]
    if spoken and sum(each) == sum(counts):
        starts = np.repeat([word.start_s for word in spoken], each)
        stops = np.repeat([word.end_s for word in spoken], each)
        return _by_words(counts, starts, stops)
    letters = np.cumsum([0.0, *(len(sentence.text) + 1 for sentence in sentences)])
    edges = letters / max(letters[-1], 1.0) * speech.length_s
    return [(float(start), float(stop)) for start, stop in pairwise(edges)]


def _by_words(counts: Sequence[int], starts: Array, stops: Array) -> list[tuple[float, float]]:
    """A sentence of signs alone stands at the end of the one before."""
    spans: list[tuple[float, float]] = []
    at, end_s = 0, 0.0
    for count in counts:
        start_s = float(starts[at]) if count else end_s
        end_s = float(stops[at + count - 1]) if count else end_s
        spans.append((start_s, end_s))
        at += count
    return spans


def _combined(tables: Sequence[tuple[Array, Array, tuple[float, float, float]]]) -> Array:
    """(n, 3): per axis the mean of the readings by confidence and by how far the axis is to be believed.

    What both are unsure of is drawn towards neutral, and a single reading by its confidence alone.
    """
    weights = [(sure * _insistence(points))[:, None] * np.array(tells) for points, sure, tells in tables]
    total = sum(weights) + 1e-9
    mean = sum(points * weight for (points, _, _), weight in zip(tables, weights, strict=True)) / total
    most = np.max([sure for _, sure, _ in tables], axis=0)
    return np.asarray(mean * most[:, None])


def _insistence(points: Array) -> Array:
    """(n,): plain words said in tears are no sign against the tears, so what is near neutral weighs less."""
    return QUIET + (1 - QUIET) * np.minimum(np.linalg.norm(points, axis=1) / LOUD, 1.0)


def _curve(grid: Array, points: Array) -> EmotionCurve:
    kept = _bends(grid, points, 0, len(grid) - 1)
    rows = [VAD.clamped(*(round(float(value), 3) for value in points[index])) for index in kept]
    if all(row == rows[0] for row in rows):
        return EmotionCurve((Key(0.0, lexicon().emotion(rows[0])),), "seconds")
    return _curve_of((round(float(grid[index]), 3), row) for index, row in zip(kept, rows, strict=True))


def _curve_of(pairs: Iterable[tuple[float, VAD]]) -> EmotionCurve:
    return EmotionCurve(tuple(Key(at_s, lexicon().emotion(vad)) for at_s, vad in pairs), "seconds")


def _bends(grid: Array, points: Array, first: int, last: int) -> list[int]:
    """The points that a line needs to stay within TOLERANCE (Ramer 1972, Douglas and Peucker 1973)."""
    kept, open_ends = {first, last}, [(first, last)]
    while open_ends:
        start, stop = open_ends.pop()
        if stop - start < 2:
            continue
        inside = slice(start + 1, stop)
        share = ((grid[inside] - grid[start]) / (grid[stop] - grid[start]))[:, None]
        missed = np.abs(points[inside] - (points[start] * (1 - share) + points[stop] * share)).max(1)
        if missed.max() > TOLERANCE:
            middle = start + 1 + int(missed.argmax())
            kept.add(middle)
            open_ends += [(start, middle), (middle, stop)]
    return sorted(kept)
