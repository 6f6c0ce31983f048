"""The moving painter: everything moves, at the mood's pace and reach, and a change of mood makes no jump."""

from itertools import pairwise

import numpy as np
import pytest

from training.synthesis.mood import mood_of
from training.synthesis.motion_of import STILL, Moment, Tape, Tapes, moments
from training.synthesis.moving import film
from training.synthesis.painter import SCENES, Spec, develop, sample_spec
from training.synthesis.spec import SUBJECTS

NEUTRAL = (0.0, 0.0, 0.0)
EVERY_SUBJECT = [(scene, subject) for scene in SCENES for subject in SUBJECTS[scene]]


def change(frames: np.ndarray) -> float:
    """Mean absolute change from frame to frame, in grey levels."""
    return float(np.abs(np.diff(frames.astype(np.float32), axis=0)).mean())


def ramp(first, last, count: int) -> list[tuple[float, float, float]]:
    """Moods on the straight way from one to another."""
    shares = np.linspace(0, 1, count)[:, None]
    return [tuple(row) for row in (np.array(first) * (1 - shares) + np.array(last) * shares).tolist()]


def test_a_film_is_bytes_of_the_size_asked_for_and_the_same_every_time():
    spec, moods = Spec("sea", "waves", "oil"), ramp((-0.7, 0.7, -0.5), (0.6, -0.3, 0.3), 5)
    first, second = (film(spec, moods, 3, size_px=64) for _ in range(2))
    assert first.shape == (5, 64, 64, 3) and first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert not np.array_equal(first, film(spec, moods, 4, size_px=64))


@pytest.mark.parametrize(("scene", "subject"), EVERY_SUBJECT)
def test_every_subject_moves_visibly_at_neutral(scene, subject):
    assert change(film(Spec(scene, subject, "gouache"), [NEUTRAL] * 4, 7, size_px=64)) > 0.6


@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_is_almost_still_without_arousal(scene):
    frames = film(Spec(scene, SUBJECTS[scene][-1], "gouache"), [(0.0, -1.0, 0.0)] * 4, 7, size_px=64)
    assert 0.0 < change(frames) < 0.6


def test_motion_follows_arousal_over_all_sorts_of_pictures():
    rng = np.random.default_rng(11)
    asked, seen = [], []
    for seed in range(26):
        vad = tuple(float(value) for value in rng.uniform(-1, 1, 3))
        asked.append(vad[1])
        seen.append(change(film(sample_spec(rng), [vad] * 4, seed, size_px=64)))
    assert np.corrcoef(asked, seen)[0, 1] > 0.8


def test_frames_are_one_picture_when_nothing_moves():
    spec, tapes = Spec("city", "skyline", "oil"), Tapes(2)
    mood = mood_of((0.3, 0.6, -0.2), spec.attributes)
    still = Moment(tapes=tapes)
    frames = [develop(spec, mood, [tapes.of(0, stream) for stream in range(4)], 64, still) for _ in range(2)]
    assert np.array_equal(*frames)


@pytest.mark.parametrize("scene", ["city", "forest", "storm", "abstract", "portrait", "night_sky"])
def test_a_slow_change_of_mood_reshuffles_nothing(scene):
    """Where something were drawn anew, one step would stand out from those around it."""
    moods = ramp((-0.8, -0.8, -0.6), (0.8, 0.6, 0.6), 36)
    frames = film(Spec(scene, SUBJECTS[scene][0], "oil"), moods, 5, size_px=64)
    steps = np.array([change(np.stack(pair)) for pair in pairwise(frames)])
    around = [np.median(steps[max(0, i - 3) : i + 4]) for i in range(len(steps))]
    assert (steps < 2.2 * np.array(around)).all()
    frames[18:] = film(Spec(scene, SUBJECTS[scene][0], "oil"), moods[18:], 6, size_px=64)
    assert change(frames[17:19]) > 2.2 * around[17]  # the measure does see another picture


def test_phase_and_travel_run_on_through_a_jump_of_the_mood():
    found = moments([(0.0, -1.0, 0.0)] * 3 + [(0.0, 1.0, 0.0)] * 3, 12.0, 1)
    steps = np.diff([moment.phase for moment in found])
    assert (steps > 0).all() and steps[:3].max() < 0.1 * steps[3:].min()
    assert (np.diff([moment.travel for moment in found]) > 0).all()


def test_frame_rate_changes_sampling_and_not_pace():
    slow, fast = (moments([NEUTRAL] * int(rate) + [NEUTRAL], rate, 1)[-1] for rate in (6.0, 24.0))
    assert slow.phase == pytest.approx(fast.phase) and slow.travel == pytest.approx(fast.travel)


def test_pleasure_rises_and_is_smooth_displeasure_sinks_and_trembles():
    glad, sad = (moments([(valence, 0.0, 0.0)] * 48, 12.0, 1) for valence in (0.9, -0.9))
    assert glad[-1].rise > 2.0 and sad[-1].rise < -2.0
    roughness = [np.abs(np.diff([moment.wave() for moment in found], 2)).mean() for found in (glad, sad)]
    assert roughness[1] > 1.4 * roughness[0]


def test_strength_moves_farther_and_slower():
    strong, weak = (moments([(0.0, 0.0, dominance)] * 12, 12.0, 1) for dominance in (0.9, -0.9))
    assert strong[0].reach > 1.8 * weak[0].reach
    assert strong[-1].phase - strong[0].phase < weak[-1].phase - weak[0].phase


def test_a_tape_replays_and_a_longer_draw_begins_like_a_shorter_one():
    tape = Tape((1, 2))
    short = tape.uniform(0, 128, (5, 2))
    assert np.array_equal(tape.rewound().uniform(0, 128, (9, 2))[:5], short)
    assert np.array_equal(tape.rewound().uniform(0, 64, (5, 2)), short / 2)
    first, second = tape.rewound().random(), tape.random()
    assert first != second
    assert {Tape((seed,)).integers(3) for seed in range(40)} == {0, 1, 2}


def test_stillness_moves_nothing():
    assert STILL.sway(5.0) == STILL.flow(5.0) == STILL.rise == 0.0
    assert STILL.carried(12.5, 0.0, 10.0, 3.0) == 12.5 and STILL.blink() == 1.0


@pytest.mark.parametrize(
    ("moods", "options", "says"),
    [
        ([], {}, "moods is empty"),
        ([NEUTRAL], {"fps": 0.0}, "fps is 0.0"),
        ([NEUTRAL], {"fps": float("nan")}, "fps is nan"),
        ([NEUTRAL, (0.0, 1.5, 0.0)], {}, "arousal is 1.5"),
        ([NEUTRAL], {"size_px": 4}, "size_px is 4"),
        ([NEUTRAL], {"seed": -1}, "seed is -1"),
    ],
)
def test_a_film_that_cannot_be_is_refused(moods, options, says):
    with pytest.raises(ValueError, match=says):
        film(Spec("sea", "waves", "oil"), moods, **{"seed": 1, **options})
