"""Other synthesisers: whoever can turn text into sound can speak for a face.

Such a voice gives no times, so its sound is listened to with its own text as the transcript. It is asked for
a rate; loudness follows the curve on the finished sound. Its pitch is its own.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipelines.portrait._hearing import resampled
from pipelines.portrait._speech_align import RATE_HZ
from pipelines.portrait._speech_espeak import find_voice
from pipelines.portrait._speech_listening import understood
from pipelines.portrait._speech_prosody import prosody
from pipelines.portrait._speech_saying import bent, check_keys, check_text
from studio.emotion.curve import EmotionCurve
from studio.errors import ModelError
from studio.speech import Speech

Floats = npt.NDArray[np.float32]

_STEPS = 33  # points of a curve that its mean rate and its loudness are taken at


class Voice(Protocol):
    """A synthesiser of one language (as `voices()` names it), such as a loaded Piper or Kokoro model."""

    @property
    def language(self) -> str: ...

    def say(self, text: str, rate: float) -> tuple[Floats, int]:
        """(n,) mono float32 in [-1, 1] and their rate in Hz; `rate` 1 is plain, 2 twice as quick."""
        ...


def speak_with(voice: Voice, text: str, curve: EmotionCurve) -> Speech:
    """`text` said by another synthesiser at the mean rate of the curve, louder and softer along it.

    Raises InputError as `speak` does, NotFoundError for a language that espeak-ng cannot read, ModelError
    for a voice that gives no sound.
    """
    check_text(text)
    reader = find_voice(voice.language)
    samples, rate_hz = _said(voice, text, 1.0)
    if not curve.is_neutral:
        points = curve.sample(_STEPS, len(samples) / rate_hz)
        samples, rate_hz = _said(voice, text, float(np.mean([prosody(point).rate for point in points])))
    length_s = len(samples) / rate_hz
    check_keys(curve, length_s)
    gains_db = [prosody(point).gain_db for point in curve.sample(_STEPS, length_s)]
    places = np.linspace(0, len(samples) - 1, _STEPS)
    gains = 10.0 ** (np.interp(np.arange(len(samples)), places, gains_db) / 20.0)
    low = resampled(samples, rate_hz, RATE_HZ)
    return understood(bent(samples * gains.astype(np.float32)), rate_hz, low, text, reader)


def _said(voice: Voice, text: str, rate: float) -> tuple[Floats, int]:
    samples, rate_hz = voice.say(text, rate)
    samples = np.asarray(samples, np.float32)
    if samples.ndim != 1 or len(samples) < rate_hz // 20 or not np.isfinite(samples).all():
        raise ModelError(f"voice: gave no sound for the text ({samples.shape} at {rate_hz} Hz)")
    return samples, rate_hz
