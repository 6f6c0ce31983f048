"""What a motion says of lips, lids and muscles: figures of takes. Knows motions and speech, no model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.portrait._performer_lips import lip_gap
from studio import muscles
from studio.motion import INDEX, SHAPES, Motion
from studio.speech import CLOSED, DENTAL, Phone, Speech

Floats = NDArray[np.float64]
CLOSED_GAP = 0.05  # an "ah" is about 0.5
OPEN_GAP = 0.15
NEAR_S = 0.08
QUIET_S = 0.3  # from speech on, after which a mouth should be still
MOUTH = [index for index, name in enumerate(SHAPES) if name.startswith(("jaw", "mouth", "tongue"))]
LIDS = ("eyeBlinkLeft", "eyeBlinkRight")
SHUT = 0.5
UNSHOWN = (25, 26, 27, 43, 45, 46)  # units that speech and blinks own


def gap(motion: Motion) -> Floats:
    """(frames,) how far the lips are apart."""
    return lip_gap(motion.weights)


def below_teeth(motion: Motion) -> Floats:
    """(frames,) how far the lower lip is below the upper teeth, on which f and v roll it."""
    jaw = motion.column("jawOpen") - motion.column("mouthClose")
    down = motion.column("mouthLowerDownLeft") + motion.column("mouthLowerDownRight")
    drop = np.maximum(jaw, 0) + 0.25 * down - 0.35 * motion.column("mouthRollLower")
    return np.asarray(np.maximum(drop, 0), np.float64)


def reached(motion: Motion, speech: Speech) -> tuple[list[bool], list[bool]]:
    """Of every p, b, m, f and v whether the lips close (f, v: the lower on the teeth) within NEAR_S of it;

    of every stressed open vowel whether they open."""
    apart = {CLOSED: gap(motion), DENTAL: below_teeth(motion)}

    def within(phone: Phone, near_s: float, kind: str = CLOSED) -> Floats:
        first = int(np.floor((phone.start_s - near_s) * motion.rate_hz))
        last = int(np.ceil((phone.end_s + near_s) * motion.rate_hz)) + 1
        return apart[kind][max(0, first) : max(1, last)]

    closed = [
        bool(within(one, NEAR_S, one.viseme).min() <= CLOSED_GAP)
        for one in speech.phones
        if one.viseme in apart
    ]
    opened = [bool(within(one, 0.0).max() >= OPEN_GAP) for one in speech.phones if _is_open(one)]
    return closed, opened


def _is_open(phone: Phone) -> bool:
    return phone.viseme == "AA" and phone.stressed and phone.end_s - phone.start_s >= 0.08


def closing_times(motion: Motion, speech: Speech) -> list[float]:
    """Seconds at which the lips are closest around each p, b and m; of equal frames the nearest to it."""
    apart = gap(motion)
    found = []
    for phone in speech.phones:
        if phone.viseme == CLOSED:
            first = max(0, int((phone.start_s - NEAR_S) * motion.rate_hz))
            around = apart[first : int((phone.end_s + NEAR_S) * motion.rate_hz) + 2]
            closest = (first + np.flatnonzero(around <= around.min() + 0.005)) / motion.rate_hz
            middle = (phone.start_s + phone.end_s) / 2
            found.append(float(closest[np.abs(closest - middle).argmin()]))
    return found


def is_quiet(speech: Speech, frames: int, rate_hz: float) -> NDArray[np.bool_]:
    """(frames,) further than QUIET_S from anything said."""
    times = (np.arange(frames) + 0.5) / rate_hz
    quiet = np.ones(frames, dtype=bool)
    for phone in speech.phones:
        if phone.viseme != "SIL":
            quiet &= (times < phone.start_s - QUIET_S) | (times > phone.end_s + QUIET_S)
    return quiet


def mouth_speed(motion: Motion) -> Floats:
    """(frames,) mean change of the mouth's shapes a second."""
    change = np.abs(np.diff(motion.weights[:, MOUTH].astype(np.float64), axis=0)).mean(axis=1)
    return np.append(change, 0.0) * motion.rate_hz


def blink_lengths_s(motion: Motion) -> list[float]:
    """How long the lids are more than half closed, blink by blink."""
    shut = (motion.column(LIDS[0]) + motion.column(LIDS[1])) / 2 > SHUT
    edges = np.flatnonzero(np.diff(np.concatenate([[False], shut, [False]]).astype(np.int8)))
    return [float(end - start) / motion.rate_hz for start, end in zip(edges[::2], edges[1::2], strict=True)]


def acceleration(motion: Motion) -> float:
    """95th percentile of the second difference of weights, per frame and frame; blinks left out."""
    moving = [index for index, name in enumerate(SHAPES) if not name.startswith("eye")]
    values = motion.weights[:, moving].astype(np.float64)
    return float(np.percentile(np.abs(np.diff(values, n=2, axis=0)), 95))


def shown_units(motion: Motion) -> Floats:
    """(units,) mean intensity over the take, without those that speech and blinks own."""
    found = muscles.measure(motion.weights).mean(axis=0)
    return np.array([value for number, value in zip(muscles.units(), found, strict=True) if _counts(number)])


def asked_units(units: dict[int, float]) -> Floats:
    return np.array([units.get(number, 0.0) for number in muscles.units() if _counts(number)])


def _counts(number: int) -> bool:
    return number not in UNSHOWN and not muscles.units()[number].composite


def lag_frames(one: Floats, other: Floats, most: int = 8) -> int:
    """How many frames `one` comes after `other`, where they agree best."""
    shifts = range(-most, most + 1)
    middle = slice(most, len(one) - most)
    r = [float(np.corrcoef(one[middle], np.roll(other, shift)[middle])[0, 1]) for shift in shifts]
    return list(shifts)[int(np.argmax(r))]


def cosine(one: Floats, other: Floats) -> float:
    return float(one @ other / max(np.linalg.norm(one) * np.linalg.norm(other), 1e-9))


def share(found: Sequence[bool]) -> float:
    return float(np.mean(found)) if found else float("nan")


def parts(motion: Motion) -> dict[str, Floats]:
    """(frames, K) of each part of the face: what two takes may differ in."""
    at = {
        name: [index for index, shape in enumerate(SHAPES) if shape.startswith(starts)]
        for name, starts in {"brows": "brow", "lids": "eyeBlink"}.items()
    }
    shapes = {name: motion.weights[:, chosen] for name, chosen in {**at, "lips": MOUTH}.items()}
    return {
        name: values.astype(float)
        for name, values in {**shapes, "head": motion.head, "gaze": motion.gaze}.items()
    }


def upper_face(motion: Motion) -> Floats:
    """(frames, K) brows, lids, head and gaze: what is a take's own."""
    upper = [INDEX[name] for name in SHAPES if name.startswith(("brow", "eyeBlink", "cheekSquint"))]
    return np.concatenate([motion.weights[:, upper], motion.head / 10, motion.gaze / 10], axis=1).astype(
        float
    )
