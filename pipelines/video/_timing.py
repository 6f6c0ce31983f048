"""How many frames a clip has, and what each of them feels.

Knows lengths, rates and curves; knows no picture and no model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from studio.emotion import VAD, EmotionCurve
from studio.emotion.curve import place
from studio.errors import EmotionError, InputError
from studio.request import RenderRequest

_EXACT = 6  # decimals that count: 0.1 s at 30 frames a second is 3 frames, whatever floats make of it


@dataclass(frozen=True, slots=True)
class FrameRule:
    """Counts of frames that a model makes: one more than a multiple of `step` (1: any), at most `most`."""

    step: int
    most: int


def frames_of(length_s: float, fps: float, rule: FrameRule) -> int:
    """The smallest count that `rule` allows and that is shown for `length_s` at least. Raises InputError for
    a length of nothing, and for one beyond `rule.most` frames."""
    if not 0 < length_s < math.inf:
        raise InputError("length_s", length_s, f"must be above 0 s, got {length_s:g}", "4")
    wanted = math.ceil(round(length_s * fps, _EXACT))
    count = 1 + rule.step * math.ceil((wanted - 1) / rule.step)
    if count > rule.most:
        near = math.floor(rule.most / fps * 100) / 100
        why = f"{length_s:g} s at {fps:g} frames a second are {count} frames; {rule.most} at most are made"
        raise InputError("length_s", length_s, why, f"{near:g}")
    return count


def moods_of(curve: EmotionCurve, count: int, fps: float) -> list[VAD]:
    """What each of `count` frames feels: the curve in the middle of the time that it is shown."""
    length_s = count / fps
    return [curve.at((index + 0.5) / count, length_s) for index in range(count)]


def latent_moods(moods: Sequence[VAD], step: int) -> list[VAD]:
    """What each latent frame feels where an autoencoder makes one of `step` frames, but of the first alone:
    the mean over the frames that it covers. NEUTRAL stays exactly so."""
    groups = [moods[:1], *(moods[start : start + step] for start in range(1, len(moods), step))]
    return [mean_mood(group) for group in groups]


def mean_mood(moods: Sequence[VAD]) -> VAD:
    """The mean of one or more points; of equal ones it is the same point."""
    if all(mood == moods[0] for mood in moods):
        return moods[0]
    axes = zip(*(mood.as_tuple() for mood in moods), strict=True)
    return VAD.clamped(*(math.fsum(axis) / len(moods) for axis in axes))


def check_keys(request: RenderRequest, length_s: float) -> None:
    """Raise EmotionError for keys in seconds that lie beyond the end."""
    past = request.curve.keys_past(length_s)
    if past:
        key = past[0]
        named = f"{key.emotion.text}@{place(key.at, 'seconds')}"
        why = f"key {named!r} lies beyond the end of the clip at {length_s:g} s"
        raise EmotionError("emotion", request.curve.text, why, f"{key.emotion.text}@{length_s:g}s")
