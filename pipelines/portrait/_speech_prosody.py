"""How a feeling sounds: rate, pitch, range, loudness and pauses of a voice. Knows no synthesiser.

Rules: Schröder, M. (2003), Speech and emotion research: an overview of research frameworks and a dimensional
approach to emotional speech synthesis, as MARY TTS applies them: activation, evaluation and power in
-100..100 move rate, pitch and range on straight lines. Loudness and the length of pauses are from the same
table. Its rules for the number of pauses, accents and durations of single sounds are left out: espeak-ng has
no handle for them. What the rules add to a neutral voice is left out too, so that NEUTRAL is the plain voice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from studio.emotion.vad import VAD

_NEUTRAL_RANGE_ST = 4.0
_LEAST_RANGE = 0.2  # the rule reaches 0, where a voice becomes a machine's
_RATES = (80 / 175, 450 / 175)  # espeak-ng's limits, against its usual 175 words a minute


@dataclass(frozen=True, slots=True)
class Prosody:
    """Against the plain voice: factors of rate, pitch and pitch range, gain in dB, factor of pauses."""

    rate: float = 1.0
    pitch: float = 1.0
    range: float = 1.0
    gain_db: float = 0.0
    pause: float = 1.0


def prosody(vad: VAD) -> Prosody:
    """Schröder's rules at one point; the rate stays within what espeak-ng can say."""
    evaluation, activation, power = (100.0 * value for value in vad.as_tuple())
    rate = 1.0 + (0.5 * activation + 0.2 * evaluation) / 100.0
    return Prosody(
        rate=min(max(rate, _RATES[0]), _RATES[1]),
        pitch=1.0 + (0.3 * activation + 0.1 * evaluation - 0.1 * power) / 100.0,
        range=max(_LEAST_RANGE, (_NEUTRAL_RANGE_ST + 0.04 * activation) / _NEUTRAL_RANGE_ST),
        gain_db=20.0 * math.log10((50.0 + 0.33 * activation) / 50.0),
        pause=1.0 - 0.2 * activation / 100.0,
    )
