"""The emotion that a voice sounds like: a point for the whole and one every half second.

A kernel ridge regression on prosody and spectrum (`_voice_features`), which shares a sound among seven acted
emotions; the point is the mean of theirs. It learned from ten German actors' sentences
(assets/models/voice-reader): arousal is read well, valence poorly, and a language or a voice that is far from
all it heard is read as near neutral, with low confidence. It knows no words and is no judge of what people
feel.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.portrait import _voice_features as features
from studio.catalog import ASSETS
from studio.emotion import NEUTRAL, VAD, lexicon
from studio.errors import InputError, ModelError
from studio.lazy import lazy

safetensors_numpy = lazy("safetensors.numpy")

FOLDER = ASSETS / "models" / "voice-reader"
TAXONOMY = "emodb"
WINDOW_S, STEP_S = 1.5, 0.5
WHOLE_S = 8.0  # longer sounds are no single utterance: they are the mean of their windows
LEAST_VOICE_S = 0.25  # less voice than this is not read
ENOUGH_VOICE_S = 0.8
FARTHEST = 3.0  # deviations at which a figure is cut off
NEIGHBOURS = 5
STRANGE, FAMILIAR = (
    0.35,
    0.72,
)  # likeness to the nearest examples; 98% of unheard speakers are above the second

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moment:
    """What a stretch around `at_s` shows; `confidence` in [0, 1]."""

    at_s: float
    vad: VAD
    confidence: float


@dataclass(frozen=True, slots=True)
class VoiceReading:
    """`shares`: of the seven acted emotions, summing to 1, or none where nothing was read."""

    vad: VAD
    confidence: float
    moments: tuple[Moment, ...] = ()
    shares: tuple[tuple[str, float], ...] = ()
    note: str = ""


@dataclass(frozen=True, eq=False)
class VoiceModel:
    """`examples` (n, F) standardised figures, `weights` (n, K): what each example says of the K labels."""

    examples: Array
    weights: Array
    middle: Array
    deviation: Array
    labels: tuple[str, ...]
    width: float  # of the kernel, per figure
    sharpness: float

    def likeness(self, rows: Array) -> Array:
        """(m, n) in [0, 1] for figures (m, F) as `_voice_features.figures` gives them."""
        return kernel(self.standard(rows), self.examples, self.width)

    def standard(self, rows: Array) -> Array:
        return np.clip((rows - self.middle) / self.deviation, -FARTHEST, FARTHEST)

    def read(self, rows: Array) -> tuple[Array, Array]:
        """(m, K) shares that sum to 1, and (m,) how familiar each row is, in [0, 1].

        Far from every example all is the share of "neutral".
        """
        near = self.likeness(rows)
        said = near @ self.weights
        said[:, self.labels.index("neutral")] += 1.0
        shares = np.clip(said, 1e-3, None) ** self.sharpness
        closest = np.sort(near, axis=1)[:, -NEIGHBOURS:].mean(1)
        familiar = np.clip((closest - STRANGE) / (FAMILIAR - STRANGE), 0.0, 1.0)
        return shares / shares.sum(1, keepdims=True), familiar

    def points(self, shares: Array) -> Array:
        """(m, 3): the mean of the labels' points."""
        by_word = {label.word: label.vad.as_tuple() for label in lexicon().labels(TAXONOMY)}
        return shares @ np.array([by_word[word] for word in self.labels])


def kernel(rows: Array, others: Array, width: float) -> Array:
    """(m, n): exp(-width * mean squared difference)."""
    apart = (rows**2).sum(1)[:, None] + (others**2).sum(1) - 2 * rows @ others.T
    return np.asarray(np.exp(-width * np.clip(apart, 0, None) / rows.shape[1]))


@cache
def model(folder: Path = FOLDER) -> VoiceModel:
    """The shipped reader, or another folder of the same form. Raises ModelError."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        stored = safetensors_numpy.load_file(folder / "model.safetensors")
        if tuple(config["features"]) != features.names():
            raise ModelError(f"voice-reader: {str(folder)!r} was trained on other figures of a voice")
        parts: Mapping[str, Array] = {name: value.astype(np.float64) for name, value in stored.items()}
        return VoiceModel(
            **{name: parts[name] for name in ("examples", "weights", "middle", "deviation")},
            labels=tuple(config["labels"]),
            width=float(config["width"]),
            sharpness=float(config["sharpness"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"voice-reader: {str(folder)!r} cannot be read: {error}") from error


def read_voice(samples: npt.NDArray[np.float32], rate_hz: int) -> VoiceReading:
    """Mono samples (n,) in [-1, 1]; level does not count. Silence and noise read as NEUTRAL, confidence 0.

    Raises InputError for a rate below 8 kHz and for samples that are no numbers.
    """
    if rate_hz < features.LOWEST_HZ:
        why = f"a voice is read from {features.LOWEST_HZ} samples a second on, got {rate_hz}"
        raise InputError("rate_hz", rate_hz, why, str(features.LOWEST_HZ))
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise InputError("audio", samples.shape, "must be one row of finite samples")
    if not len(samples):
        return VoiceReading(NEUTRAL, 0.0, note="no voice was heard")
    frames = features.analyse(samples, rate_hz)
    length_s = len(samples) / rate_hz
    if features.voiced_s(frames) < LEAST_VOICE_S:
        return VoiceReading(NEUTRAL, 0.0, note="no voice was heard")
    places = _places(length_s)
    cuts = [_cut(frames, at_s) for at_s in places]
    heard = [number for number, cut in enumerate(cuts) if features.voiced_s(cut) >= LEAST_VOICE_S]
    shares, sure = _read([cuts[number] for number in heard])
    points = model().points(shares)
    moments = tuple(
        Moment(round(places[number], 3), _vad(point), float(confidence))
        for number, point, confidence in zip(heard, points, sure, strict=True)
    )
    if length_s <= WHOLE_S or not heard:
        shares, sure = _read([frames])
    return _whole(shares, sure, moments)


def _places(length_s: float) -> list[float]:
    """Middles of the windows."""
    if length_s <= WINDOW_S:
        return [length_s / 2]
    count = math.ceil((length_s - WINDOW_S) / STEP_S) + 1
    return [float(at) for at in np.linspace(WINDOW_S / 2, length_s - WINDOW_S / 2, count)]


def _cut(frames: features.Frames, at_s: float) -> features.Frames:
    start = max(0, round((at_s - WINDOW_S / 2) / features.HOP_S))
    return frames.part(start, start + round(WINDOW_S / features.HOP_S))


def _read(cuts: list[features.Frames]) -> tuple[Array, Array]:
    """Shares and confidence; little voice is little to go by."""
    if not cuts:
        return np.zeros((0, len(model().labels))), np.zeros(0)
    shares, familiar = model().read(np.stack([features.figures(cut) for cut in cuts]))
    voice = np.array([features.voiced_s(cut) for cut in cuts])
    return shares, familiar * np.clip(voice / ENOUGH_VOICE_S, 0.0, 1.0)


def _whole(shares: Array, sure: Array, moments: tuple[Moment, ...]) -> VoiceReading:
    mean = np.average(shares, axis=0, weights=sure + 1e-6)
    pairs = sorted(zip(model().labels, mean.tolist(), strict=True), key=lambda pair: -pair[1])
    confidence = float(sure.mean())
    note = "the voice is unlike those that the reader knows" if confidence < 0.25 else ""
    return VoiceReading(_vad(model().points(mean[None])[0]), confidence, moments, tuple(pairs), note)


def _vad(point: Array) -> VAD:
    return VAD.clamped(*(round(float(value), 3) for value in point))
