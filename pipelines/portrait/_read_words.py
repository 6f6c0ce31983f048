"""The emotion that words speak of: a point for the text and one for each sentence.

A bag of hashed features (`_word_features`) shares a sentence among the 28 labels of GoEmotions; its point is
the mean of theirs. It learned from English comments on the web (assets/models/word-reader): irony, context
and other languages are beyond it, and text in words it does not know reads as NEUTRAL with a note.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.portrait import _word_features as features
from studio.catalog import ASSETS
from studio.emotion import NEUTRAL, VAD, lexicon
from studio.errors import ModelError
from studio.lazy import lazy

safetensors_numpy = lazy("safetensors.numpy")

FOLDER = ASSETS / "models" / "word-reader"
TAXONOMY = "goemotions"
MOST_OF_ONE = 2.0  # a feature counts twice at most
STRANGE, FAMILIAR = 0.5, 0.85  # share of words that are known
ENOUGH_WORDS = 3
SIGNS_ALONE = 0.5  # confidence of a text of emoji only
LEAST = 0.1  # less confidence than this is no reading
NOTHING = "there are no words to read"
FOREIGN = "the words are read in English only: this text is taken as neutral"

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sentence:
    """`start` and `stop` are places in the text; `words` is how many it has; `confidence` in [0, 1]."""

    text: str
    start: int
    stop: int
    words: int
    vad: VAD
    confidence: float


@dataclass(frozen=True, slots=True)
class WordReading:
    """`shares`: label and share, the largest first; none where nothing was read."""

    vad: VAD
    confidence: float
    sentences: tuple[Sentence, ...] = ()
    shares: tuple[tuple[str, float], ...] = ()
    note: str = ""


@dataclass(frozen=True, eq=False)
class WordModel:
    """`keys` (n,) sorted hashes, `vectors` (n, C), `head` (C, K), `bias` (K,)."""

    keys: npt.NDArray[np.uint32]
    vectors: npt.NDArray[np.float32]
    head: Array
    bias: Array
    labels: tuple[str, ...]

    def shares(self, text: str) -> Array:
        """(K,) that sum to 1."""
        counts = features.hashed(text)
        asked = np.fromiter(counts, np.uint32, len(counts))
        place, known = self._places(asked)
        often = np.minimum(np.fromiter(counts.values(), np.float64, len(counts)), MOST_OF_ONE)[known]
        total = often @ self.vectors[place[known]].astype(np.float64)
        said = total / (np.sqrt(known.sum()) + 1) @ self.head + self.bias
        odds = np.exp(said - said.max())
        return np.asarray(odds / odds.sum())

    def known(self, tokens: list[str]) -> npt.NDArray[np.bool_]:
        """Whether it met each plain word or sign often enough to have an opinion."""
        return self._places(np.array([features.word_key(token) for token in tokens], np.uint32))[1]

    def point(self, shares: Array) -> VAD:
        by_word = {label.word: label.vad.as_tuple() for label in lexicon().labels(TAXONOMY)}
        mean = shares @ np.array([by_word[word] for word in self.labels])
        return VAD.clamped(*(round(float(value), 3) for value in mean))

    def _places(self, asked: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        place = np.minimum(np.searchsorted(self.keys, asked), len(self.keys) - 1)
        return place, self.keys[place] == asked


@cache
def model(folder: Path = FOLDER) -> WordModel:
    """The shipped reader, or another folder of the same form. Raises ModelError."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        parts = safetensors_numpy.load_file(folder / "model.safetensors")
        return WordModel(
            keys=parts["keys"],
            vectors=parts["vectors"].astype(np.float32),
            head=parts["head"].astype(np.float64),
            bias=parts["bias"].astype(np.float64),
            labels=tuple(config["labels"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"word-reader: {str(folder)!r} cannot be read: {error}") from error


def read_words(text: str) -> WordReading:
    """Any text. Nothing to read is NEUTRAL with confidence 0; so is text that is not English, with a note."""
    spans = features.sentences(text)
    sentences = [_sentence(text, start, stop) for start, stop in spans]
    if not sentences:
        return WordReading(NEUTRAL, 0.0, note=NOTHING)
    weights = np.array([_weight(each) for each in sentences])
    confidence = float(weights.sum() / sum(_length(each) for each in sentences))
    known = _known_share(text)
    if confidence < LEAST or (known is not None and known < STRANGE):
        plain = tuple(Sentence(s.text, s.start, s.stop, s.words, NEUTRAL, 0.0) for s in sentences)
        return WordReading(NEUTRAL, 0.0, plain, note=FOREIGN if known is not None else NOTHING)
    shares = np.average([model().shares(each.text) for each in sentences], axis=0, weights=weights + 1e-9)
    pairs = sorted(zip(model().labels, shares.tolist(), strict=True), key=lambda pair: -pair[1])
    return WordReading(model().point(shares), confidence, tuple(sentences), tuple(pairs))


def _sentence(text: str, start: int, stop: int) -> Sentence:
    said = text[start:stop]
    count, confidence = len(features.words(said)), _confidence(said)
    vad = model().point(model().shares(said)) if confidence >= LEAST else NEUTRAL
    return Sentence(said.strip(), start, stop, count, vad, confidence)


def _confidence(text: str) -> float:
    known, count = _known_share(text), len(features.words(text))
    if known is None:
        signs = [features.plain(token) for token in features.tokens(text) if not features.is_mark(token)]
        return SIGNS_ALONE if signs and model().known(signs).any() else 0.0
    sure = (known - STRANGE) / (FAMILIAR - STRANGE)
    return float(np.clip(sure, 0.0, 1.0) * (0.5 + 0.5 * min(count / ENOUGH_WORDS, 1.0)))


def _known_share(text: str) -> float | None:
    """Of the words; None where there are none."""
    found = features.words(text)
    return float(model().known(found).mean()) if found else None


def _length(sentence: Sentence) -> int:
    return max(1, sentence.words)


def _weight(sentence: Sentence) -> float:
    return sentence.confidence * _length(sentence)
