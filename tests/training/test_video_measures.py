"""The measures of the video benchmark on frames whose motion and flicker are known."""

import cv2
import numpy as np
import pytest

from benchmarks import _video_measures as measures

COUNT, SIDE = 8, 64


@pytest.fixture(scope="module")
def scene():
    """A large smooth picture with something everywhere."""
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 255, (2 * SIDE, 4 * SIDE, 3)).astype(np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 20, 235, cv2.NORM_MINMAX)


def panned(scene, px):
    """A camera that moves `px` to the right each frame."""
    return np.stack([scene[20 : 20 + SIDE, px * t : px * t + SIDE] for t in range(COUNT)])


def test_difference_is_the_mean_change_of_neighbours_and_motion_what_light_leaves_of_it():
    frames = np.zeros((3, 4, 4, 3), np.uint8)
    frames[1] = 255
    frames[2, :2] = 255
    assert measures.difference(frames) == pytest.approx([1.0, 0.5])
    # black turns white by light alone; half a picture that turns black is half a step from any even light
    assert measures.motion_energy(frames) == pytest.approx([0.0, 0.5])
    assert measures.difference(frames[:1]).shape == measures.motion_energy(frames[:1]).shape == (0,)


def test_faster_is_more_motion(scene):
    slow, fast = (measures.motion_energy(panned(scene, px)).mean() for px in (1, 4))
    assert 0 < slow < fast / 2


def test_a_still_picture_and_a_moving_camera_do_not_flicker(scene):
    assert measures.flicker(np.repeat(panned(scene, 0)[:1], COUNT, axis=0)).max() == 0
    moving = panned(scene, 2)
    assert measures.flicker(moving).mean() < 0.02 * measures.motion_energy(moving).mean()


def test_light_that_changes_evenly_does_not_flicker_and_light_that_blinks_does(scene):
    one = panned(scene, 0)[0].astype(np.float32) * 0.5
    fading = np.stack([one + 3 * t for t in range(COUNT)]).astype(np.uint8)
    assert measures.flicker(fading).mean() < 0.001
    blinking = np.stack([one + 10 * (t % 2) for t in range(COUNT)]).astype(np.uint8)
    assert measures.flicker(blinking).mean() == pytest.approx(2 * 10 / 255, rel=0.02)


def test_noise_on_what_moves_is_flicker(scene):
    moving = panned(scene, 2).astype(np.float32)
    noise = np.random.default_rng(1).normal(0, 5, moving.shape)
    shaken = np.clip(moving + noise, 0, 255).astype(np.uint8)
    # the second difference of white noise has sqrt(6) times its deviation; warping averages some away
    whole = 5 / 255 * np.sqrt(6) * np.sqrt(2 / np.pi)
    assert 0.5 * whole < measures.flicker(shaken).mean() < 1.2 * whole


def test_what_appears_out_of_nothing_is_no_flicker(scene):
    """A block passes in front: what it hides and frees has no partner in the next frame."""
    frames = np.repeat(panned(scene, 0)[:1], COUNT, axis=0)
    for t in range(COUNT):
        frames[t, 20:40, 4 + 5 * t : 16 + 5 * t] = (250, 30, 30)
    plain = np.abs(frames[2:].astype(int) + frames[:-2] - 2 * frames[1:-1].astype(int)).mean() / 255
    assert measures.flicker(frames).mean() < 0.25 * plain


def test_correlation_of_what_does_not_change_is_none():
    assert measures.pearson([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert measures.pearson([1, 2, 3], [5, 5, 5]) == 0 == measures.pearson([1], [2])
    assert measures.mean_r([([1, 2, 3], [1, 2, 3]), ([1, 2, 3], [3, 2, 1])]) == pytest.approx(0)
    assert np.isnan(measures.mean_r([]))


def test_a_control_is_taken_out_of_both():
    rng = np.random.default_rng(2)
    asked, control = rng.normal(size=(2, 200))
    found = asked + 5 * control + 0.1 * rng.normal(size=200)
    assert measures.pearson(asked, found) < 0.4 < 0.97 < measures.partial(asked, found, control)
    assert measures.partial(asked, control, control) == 0
    assert measures.change(np.array([[0, 0.5, 0], [0.25, 0, 0]])).tolist() == [0.75]


def test_motion_is_compared_with_the_bare_clip_as_a_ratio():
    energy = np.array([0.02, 0.04, 0.08])
    over = measures.over(energy, 0.04)
    assert over[1] == pytest.approx(0) and over[2] == pytest.approx(np.log(2), rel=0.05)
    assert np.isfinite(measures.over(np.zeros(2), 0.0)).all()


def test_segments_leave_a_short_rest_out():
    assert measures.segments(np.arange(7.0), 3).tolist() == [1.0, 4.0]
    assert measures.segments(np.arange(8.0), 3).tolist() == [1.0, 4.0, 6.5]
    assert measures.segments(np.arange(2.0), 6).tolist() == [0.5]
    assert measures.between(np.array([[0.0], [1.0], [3.0]])).tolist() == [[0.5], [2.0]]
