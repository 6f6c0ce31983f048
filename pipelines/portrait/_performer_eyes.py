"""Eyes of a performance: blinks, saccades and where the gaze rests. Knows feelings, not words.

Intervals between blinks are log-normal, about 17 a minute at rest and 26 in conversation (Bentivoglio et al.
1997); a blink is the 217 ms profile of EmoFace (IEEE VR 2024), its lid fully down in one frame at any rate.
"""

from __future__ import annotations

import numpy as np

from pipelines.portrait._performer_time import Array, Clock, eased
from studio.motion import INDEX, LOOK_DEG

# Share of the open lid that is left, 60 times a second; the lid is down in the fifth.
_LID = (1.0, 0.95, 0.75, 0.55, 0.3, 0.0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.6, 0.75, 0.9, 1.0)
_DOWN = 5
_PER_MINUTE = (19.0, 24.0)  # of a speaker; which one, the seed says
_SPREAD = 0.45  # sigma of the log of an interval
_SILENT_RATE = 0.88
_PAUSE_REACH_S = 0.3  # a blink waits that long for a pause
_SHORTEST_S = 0.55
_SACCADE_S = 0.055
_AWAY_DEG = (3.0, 8.0)
_FARTHEST_DEG = 25.0
LID_FOLLOWS, WIDE_FOLLOWS = 0.4, 0.3  # how far lids go with a gaze of LOOK_DEG down, or up
_HEAD_KEPT = 0.85  # share of a head turn that the eyes take back to keep looking at a person


def blinks(clock: Clock, points: Array, pauses_s: Array, speaking: Array, rng: np.random.Generator) -> Array:
    """(frames,) share of the lids' opening that is left, 1 between blinks.

    `pauses_s`: moments at which people like to blink; `points` (frames, 3).
    """
    tired = np.clip(-points[:, 1], 0.0, 1.0)
    downs = _blink_times(clock, points, pauses_s, speaking, rng)
    stretch = rng.uniform(0.9, 1.15, len(downs)) + 0.35 * tired[clock.frame_at(downs)]
    profile_s = (np.arange(len(_LID)) - _DOWN) / 60.0
    span, frame = clock.cells(downs + profile_s[0] * stretch, downs + profile_s[-1] * stretch)
    left = np.interp((clock.times[frame] - downs[span]) / stretch[span], profile_s, _LID)
    open_ = np.ones(clock.frames)
    np.minimum.at(open_, frame, left)
    return open_


def gaze(clock: Clock, points: Array, head: Array, rng: np.random.Generator) -> Array:
    """(frames, 2) degrees against the head: on the person in front, with looks aside.

    Fixations of about a second, then a jump of 55 ms. The sad and the ashamed look down and away more, the
    fearful to the sides, the angry hold.
    """
    starts, places = _fixations(clock, points, rng)
    index = np.searchsorted(starts, clock.times, side="right") - 1
    before = places[np.maximum(index - 1, 0)]
    share = eased((clock.times - starts[index]) / _SACCADE_S)[:, None]
    world = before + (places[index] - before) * share
    return np.clip(world - _HEAD_KEPT * head[:, [1, 0]], -_FARTHEST_DEG, _FARTHEST_DEG)


def lids(shapes: Array, open_: Array, looking: Array) -> None:
    """Lowers the lids for blinks and for a lowered gaze, in place."""
    down = np.clip(-looking[:, 1] / LOOK_DEG, 0.0, 1.0)
    up = np.clip(looking[:, 1] / LOOK_DEG, 0.0, 1.0)
    for side in ("Left", "Right"):
        blink, wide, squint = (INDEX[f"eye{name}{side}"] for name in ("Blink", "Wide", "Squint"))
        lowered = np.clip(shapes[:, blink] + LID_FOLLOWS * down, 0.0, 1.0)
        shapes[:, blink] = 1.0 - (1.0 - lowered) * open_
        shapes[:, wide] = np.clip(shapes[:, wide] + WIDE_FOLLOWS * up, 0.0, 1.0) * open_
        shapes[:, squint] *= 0.4 + 0.6 * open_


def _blink_times(
    clock: Clock, points: Array, pauses_s: Array, speaking: Array, rng: np.random.Generator
) -> Array:
    """(n,) seconds at which the lids are down, each on a frame."""
    rate = rng.uniform(*_PER_MINUTE)
    at, found = float(rng.uniform(0.4, 2.4)), []
    while at < clock.length_s:
        frame = int(clock.frame_at(np.array(at)))
        wanted = _at_pause(at, pauses_s)
        down = round(wanted * clock.rate_hz) / clock.rate_hz
        if down > 0.1 and (not found or down - found[-1] >= _SHORTEST_S):
            found.append(down)
        here = rate * (1.0 + 0.08 * points[frame, 1])
        mean = 60.0 / (here * (_SILENT_RATE + (1 - _SILENT_RATE) * speaking[frame]))
        wait = mean * np.exp(_SPREAD * rng.standard_normal() - _SPREAD**2 / 2)
        at += float(np.clip(wait, _SHORTEST_S, 2.2 * mean))
    return np.array(found)


def _at_pause(at: float, pauses_s: Array) -> float:
    if not len(pauses_s):
        return at
    nearest = float(pauses_s[np.abs(pauses_s - at).argmin()])
    return nearest if abs(nearest - at) <= _PAUSE_REACH_S else at


def _fixations(clock: Clock, points: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Starts (n,) in seconds and places (n, 2) in degrees: yaw, pitch."""
    starts, places, at = [0.0], [rng.normal(0.0, 0.5, 2)], 0.0
    while True:
        at += float(np.clip(rng.lognormal(0.05, 0.5), 0.35, 3.0)) * (1.0 if len(starts) % 2 else 0.8)
        if at >= clock.length_s:
            return np.array(starts), np.array(places)
        starts.append(at)
        places.append(_place(points[int(clock.frame_at(np.array(at)))], rng))


def _place(point: Array, rng: np.random.Generator) -> Array:
    valence, arousal, dominance = point
    low = max(0.0, -valence) * max(0.0, -dominance)  # sad, ashamed, afraid
    on_person = 0.72 + 0.25 * max(0.0, dominance) * max(0.0, arousal) - 0.9 * low
    if rng.random() < on_person:
        return rng.normal(0.0, 0.5, 2)
    angle, far = rng.uniform(0.0, 2 * np.pi), rng.uniform(*_AWAY_DEG)
    place = far * np.array([np.cos(angle), 0.7 * np.sin(angle)])
    sunk = low * float(np.clip(0.6 - arousal, 0.0, 1.0))
    return place * np.array([1.0 + 0.6 * low * max(0.0, arousal), 1.0]) + np.array([0.0, -22.0 * sunk])
