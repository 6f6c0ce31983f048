"""The moving painter: short films in the painter's world, whose motion follows the mood of each moment.

What feeling does to the look of a frame stands in `mood`, what it does to motion in `motion_of`, and what
moves in a scene in the scenes themselves, which ask their easel for the `moment`. It knows no words and
no files.
"""

from collections.abc import Sequence
from math import pi

import numpy as np

from training.synthesis.mood import mood_of
from training.synthesis.motion_of import Moment, Vad, moments
from training.synthesis.painter import check_painting, develop
from training.synthesis.spec import Spec

__all__ = ["film"]
_SAMPLES, _SAMPLE_PX, _SAMPLE_FPS = 4, 64, 12.0  # for measuring how much a picture changes as it moves


def _frame(spec: Spec, vad: Vad, moment: Moment, size_px: int) -> np.ndarray:
    tapes = moment.tapes
    assert tapes is not None
    draws = [tapes.of(0, stream) for stream in range(4)]
    return develop(spec, mood_of(vad, spec.attributes), draws, size_px, moment)


def _wanted_change(arousal: float) -> float:
    """Mean absolute change in grey levels from frame to frame at 12 Hz that an arousal is to give."""
    return 0.12 + 7.2 * float((0.5 + 0.5 * arousal) ** 1.25)


def _gain(spec: Spec, vad: Vad, seed: int) -> float:
    """How far things must move for the wanted change: little where a picture is full of contrast, else more.

    Otherwise a woodcut of a city would always look wilder than a pastel of a cloud, whatever the mood.
    """
    changes = []
    for start in range(_SAMPLES):
        pair = moments([vad] * 2, _SAMPLE_FPS, seed, ahead=2 * pi * start / _SAMPLES)
        first, second = (_frame(spec, vad, moment, _SAMPLE_PX).astype(np.float32) for moment in pair)
        changes.append(float(np.abs(second - first).mean()))
    gain = _wanted_change(vad[1]) * _SAMPLES / max(sum(changes), 0.05 * _SAMPLES)
    return min(max(gain, 0.35), 2.2)


def _gains(spec: Spec, moods: np.ndarray, seed: int) -> list[float]:
    """The gain of each frame, measured at low and high arousal and drawn in between."""
    low, high = max(-0.8, float(moods[:, 1].min())), min(0.8, float(moods[:, 1].max()))
    if high - low < 0.3:
        low = high = 0.5 * (low + high)
    valence, dominance = (float(np.mean(moods[:, axis])) for axis in (0, 2))
    places = sorted({low, 0.5 * (low + high), high})
    found = [_gain(spec, (valence, place, dominance), seed) for place in places]
    return [float(gain) for gain in np.interp(moods[:, 1], places, found)]


def film(spec: Spec, moods: Sequence[Vad], seed: int, fps: float = 12.0, size_px: int = 128) -> np.ndarray:
    """Film `spec` with one (valence, arousal, dominance) in [-1, 1] per frame.

    Returns uint8 (frames, size_px, size_px, 3), the same bytes for the same arguments in any process. What is
    where depends on `seed` alone; what changes of mood change, changes smoothly. ValueError for no frame,
    a rate that is not above 0, and what `paint` refuses.
    """
    if not len(moods):
        raise ValueError("moods is empty; a film needs one mood per frame")
    if not 0.0 < fps <= 240.0:
        raise ValueError(f"fps is {fps!r}; it must lie in (0, 240]")
    for vad in moods:
        check_painting(vad, seed, size_px)
    gains = _gains(spec, np.asarray(moods, float), seed)
    shots = zip(moods, moments(moods, fps, seed, gains), strict=True)
    return np.stack([_frame(spec, vad, moment, size_px) for vad, moment in shots])
