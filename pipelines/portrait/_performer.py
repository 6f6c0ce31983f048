"""A performance by rules: speech and feelings in, the motion of a face out. No model, no picture.

Lips come from phones (or, without any, from the sound), brows, lids and posture from the feelings, nods and
brow flashes from stress; blinks, looks and sway are drawn from the seed. The same arguments give the same
motion; another seed gives another take of the line, whose lips close at the same moments.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.portrait import _performer_eyes as eyes
from pipelines.portrait import _performer_feelings as feelings
from pipelines.portrait import _performer_lips as lips
from pipelines.portrait import _performer_sound as sound
from pipelines.portrait._performer_head import head as head_of
from pipelines.portrait._performer_time import Array, Clock, follow
from studio.emotion.vad import VAD
from studio.errors import InputError
from studio.motion import RATE_HZ, Motion
from studio.speech import VOWELS, Speech

_PAUSE_S = 0.12  # a shorter rest is no pause
_PARTS = 5  # streams of chance: lips, feelings, eyes, head, side


def perform(
    speech: Speech,
    moods: Sequence[VAD],
    seed: int,
    units: Mapping[int, float] | None = None,
    rate_hz: float = RATE_HZ,
) -> Motion:
    """The motion of a face that says `speech`, one mood a frame (`speech.frames(rate_hz)` of them).

    `units`: action units in [0, 1] that stay as they are set, whatever the feeling (see studio.muscles).
    Raises InputError for another number of moods and for unknown units.
    """
    clock = Clock(speech.frames(rate_hz), rate_hz)
    points = _points(moods, clock)
    streams = [np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(_PARTS)]
    for_lips, for_feelings, for_eyes, for_head, for_side = streams
    mouth = lips.mouth(speech, clock, _effort(clock, points), for_lips)
    stresses, pauses = _stresses(speech, clock), _pauses(speech)
    shown = feelings.intensities(clock, points, mouth.speaking, for_feelings)
    shown = feelings.with_flashes(shown, feelings.flashes(clock, stresses, points, for_feelings))
    shown = feelings.ruled(clock, feelings.locked(shown, units), mouth)
    shapes = feelings.added(mouth, shown, _lean(for_side))
    lips.close(shapes, mouth.sealed, mouth.bitten)
    head = head_of(clock, points, stresses, mouth.speaking, for_head)
    looking = eyes.gaze(clock, points, head, for_eyes)
    eyes.lids(shapes, eyes.blinks(clock, points, pauses, mouth.speaking, for_eyes), looking)
    return Motion(*(part.astype(np.float32) for part in (shapes, head, looking)), rate_hz)


def _points(moods: Sequence[VAD], clock: Clock) -> Array:
    if len(moods) != clock.frames:
        why = f"{clock.frames} frames need a mood each, got {len(moods)}"
        raise InputError("moods", len(moods), why, str(clock.frames))
    return np.array([mood.as_tuple() for mood in moods])


def _effort(clock: Clock, points: Array) -> Array:
    """(frames,) how far the mouth moves: the aroused and the dominant articulate, the dejected mumble."""
    wanted = np.clip(1.0 + 0.28 * points[:, 1:2] + 0.12 * points[:, 2:3], 0.7, 1.35)
    return follow(wanted, clock, np.array([0.5]), np.array([0.5]))[:, 0]


def _lean(rng: np.random.Generator) -> float:
    """To which side a face is stronger, and how much."""
    return float(rng.choice((-1.0, 1.0)) * rng.uniform(0.6, 0.95))


def _stresses(speech: Speech, clock: Clock) -> Array:
    """Seconds at the middle of stressed vowels; without phones, at the loudest moments."""
    if not speech.phones:
        return sound.accents_s(sound.levels_db(speech.samples, speech.rate_hz, clock), clock)
    stressed = (phone for phone in speech.phones if phone.stressed and phone.viseme in VOWELS)
    return np.array([(phone.start_s + phone.end_s) / 2 for phone in stressed], dtype=float)


def _pauses(speech: Speech) -> Array:
    """Seconds at which pauses between phones begin: where people like to blink."""
    said = [phone for phone in speech.phones if phone.viseme != "SIL"]
    pairs = itertools.pairwise(said)
    return np.array([a.end_s + 0.06 for a, b in pairs if b.start_s - a.end_s > _PAUSE_S], dtype=float)
