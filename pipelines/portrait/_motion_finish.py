"""What must hold in any performance, whatever a network has guessed. Numpy alone.

Weights lie in [0, 1], lips cannot close further than the jaw is open, a silent mouth is still, and where
phones are known lips meet for p, b and m, however a feeling pulls at them.
"""

from __future__ import annotations

import numpy as np

from pipelines.portrait import _hearing as hearing
from pipelines.portrait import _motion_channels as channels
from pipelines.portrait._hearing import Array
from studio.speech import CLOSED, DENTAL, VISEMES

STILL_FRAMES = 6  # of silence: shorter ones are closures within words
RAMP_FRAMES = 4  # from speech to stillness
CALM_FRAMES = 12  # sd of the filter that is left of a mouth's motion in silence
JAW_SEALED, JAW_BITTEN = 0.06, 0.12  # how far a jaw is open at most when lips, or lip and teeth, meet
_CLOSE, _JAW = channels.at("mouthClose", "jawOpen")
_LOWER = channels.at("mouthLowerDownLeft", "mouthLowerDownRight")
_UPPER = channels.at("mouthUpperUpLeft", "mouthUpperUpRight")


def finished(rows: Array, sound: Array) -> Array:
    """`rows` (frames, COUNT) with the rules kept; `sound` (frames, WIDTH) of _hearing. A copy."""
    made = still(rows, silence(sound))
    made[:, channels.WEIGHTS] = np.clip(made[:, channels.WEIGHTS], 0, 1)
    _seal(made, _contact(sound, CLOSED), _contact(sound, DENTAL))
    made[:, _CLOSE] = np.minimum(made[:, _CLOSE], made[:, _JAW])
    return made


def _contact(sound: Array, viseme: str) -> Array:
    """(frames,) 1 where such a phone fills most of the frame; the way there is the network's."""
    return np.clip(2 * sound[:, hearing.VISEME.start + VISEMES.index(viseme)] - 0.6, 0, 1)


def _seal(rows: Array, sealed: Array, bitten: Array) -> None:
    """Lips meet where they are `sealed`, the lower one meets the teeth where it is `bitten`; in place."""
    rows[:, _LOWER] *= (1 - np.maximum(sealed, bitten))[:, None]
    rows[:, _UPPER] *= (1 - sealed)[:, None]
    for contact, limit in ((bitten, JAW_BITTEN), (sealed, JAW_SEALED)):
        rows[:, _JAW] += contact * (np.minimum(rows[:, _JAW], limit) - rows[:, _JAW])
    rows[:, _CLOSE] = np.maximum(rows[:, _CLOSE], sealed * rows[:, _JAW])


def silence(sound: Array) -> Array:
    """(frames,) 1 in the middle of pauses, 0 in speech, a ramp between them inside the pause."""
    frames = len(sound)
    quiet = hearing.silent(sound) > 0.6
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet, [0]]).astype(int)))
    calm = np.zeros(frames, dtype=np.float32)
    at = np.arange(frames)
    for start, end in edges.reshape(-1, 2):
        if end - start < STILL_FRAMES:
            continue
        into = np.where(start == 0, np.inf, at[start:end] - start + 1)  # nothing was said before the start
        out = np.where(end == frames, np.inf, end - at[start:end])
        calm[start:end] = np.clip(np.minimum(into, out) / (RAMP_FRAMES + 1), 0, 1)
    return calm


def still(rows: Array, calm: Array) -> Array:
    """Lips and jaw where `calm` is 1 follow only the slow course of their motion in silence."""
    made = np.array(rows, dtype=np.float32)
    if not calm.any():
        return made
    reach = 3 * CALM_FRAMES
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / CALM_FRAMES) ** 2)
    share = _filtered(calm, kernel)
    for channel in np.flatnonzero(channels.LIPS):
        slow = _filtered(made[:, channel] * calm, kernel) / np.maximum(share, 1e-6)
        made[:, channel] += calm * (slow - made[:, channel])
    return made


def _filtered(values: Array, kernel: Array) -> Array:
    return np.convolve(values, kernel, mode="full")[len(kernel) // 2 :][: len(values)].astype(np.float32)
