"""How many frames a clip has, what each of them feels, and what it starts from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.video import _start as start
from pipelines.video._timing import FrameRule, check_keys, frames_of, latent_moods, mean_mood, moods_of
from pipelines.video._windows import windows_of
from studio import video_files
from studio.emotion import NEUTRAL, VAD, parse_curve
from studio.errors import EmotionError, InputError
from studio.request import RenderRequest

ANY, WAN, LTX = FrameRule(1, 2000), FrameRule(4, 161), FrameRule(8, 257)


@pytest.mark.parametrize(
    ("length_s", "fps", "rule", "count"),
    [
        (4, 12, ANY, 48),
        (0.1, 30, ANY, 3),  # 0.1 * 30 is a little more than 3 in floats
        (0.01, 12, ANY, 1),
        (4, 16, WAN, 65),
        (5, 16, WAN, 81),
        (5.0625, 16, WAN, 81),
        (4, 24, LTX, 97),
    ],
)
def test_a_clip_is_as_long_as_asked_or_the_next_that_can_be(
    length_s: float, fps: int, rule: FrameRule, count: int
) -> None:
    assert frames_of(length_s, fps, rule) == count
    assert count / fps >= length_s - 1e-9


def test_no_length_and_too_much_are_refused() -> None:
    with pytest.raises(InputError, match=r"^length_s: must be above 0 s, got 0"):
        frames_of(0, 12, ANY)
    with pytest.raises(InputError, match=r"^length_s: 20 s at 16 .* 321 frames; 161 at most .*'10.06'"):
        frames_of(20, 16, WAN)
    assert frames_of(10.06, 16, WAN) == 161, "what the message names can be made"


def test_a_frame_feels_what_the_curve_has_in_its_middle() -> None:
    curve = parse_curve("v=-1@0s, v=1@2s")
    moods = moods_of(curve, 4, 2.0)
    assert [mood.valence for mood in moods] == pytest.approx([-0.75, -0.25, 0.25, 0.75])
    assert moods_of(parse_curve("v=0.5"), 3, 12) == [VAD(0.5, 0, 0)] * 3


def test_latent_frames_feel_the_mean_of_what_they_cover() -> None:
    moods = [VAD(value / 10, 0, 0) for value in range(9)]
    assert [mood.valence for mood in latent_moods(moods, 4)] == pytest.approx([0, 0.25, 0.65])
    assert latent_moods([NEUTRAL] * 9, 8) == [NEUTRAL] * 2
    third = VAD(0.1, 0.2, 0.3)
    assert mean_mood([third] * 3) == third, "equal points are not rounded"


def test_a_key_beyond_the_end_is_named() -> None:
    curve = parse_curve("calm@0s, fear@2s, relief@6s")
    late = RenderRequest("video/animatediff", "emotion-tiny", "waves", "", curve, 1, (), None)
    with pytest.raises(EmotionError, match=r"^emotion: key 'relief@6s' lies beyond the end .* at 4 s"):
        check_keys(late, 4.0)
    check_keys(late, 6.0)


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("count", [1, 2, 9, 16, 17, 29, 48, 720])
def test_windows_cover_every_frame_once_in_all(count: int, loop: bool) -> None:
    windows = windows_of(count, 16, 4, loop)
    total = np.zeros(count)
    for window in windows:
        assert len(window.frames) == len(set(window.frames)) == min(16, count)
        total[list(window.frames)] += window.weights
    assert total == pytest.approx(np.ones(count))
    wraps = any(window.frames[0] > window.frames[-1] for window in windows)
    assert wraps == (loop and count > 2)
    assert count != 48 or len(windows) == 4


def test_neighbouring_windows_fade_in_straight_lines() -> None:
    first, second = windows_of(28, 16, 4)
    assert (first.frames[0], second.frames[0]) == (0, 12)
    assert first.weights[12:] == pytest.approx([0.8, 0.6, 0.4, 0.2])
    assert second.weights[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_a_start_picture_is_brought_to_the_size_of_the_clip(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    halves = np.zeros((40, 120, 3), np.uint8)
    halves[:, 40:80], halves[:, 80:] = (0, 255, 0), (0, 0, 255)
    Image.fromarray(halves).save(path)
    cropped, padded = (np.asarray(start.fitted(path, (64, 64), how)) for how in ("crop", "pad"))
    assert cropped.shape == padded.shape == (64, 64, 3)
    assert cropped[32, 4].argmax() == cropped[32, 60].argmax() == 1, "the middle is kept"
    assert padded[32, 60].argmax() == 2 and padded[32, 4].sum() < 60, "all of it is kept"
    assert padded[2].argmax(axis=1).tolist() == [1] * 64, "the bars are its own colours, blurred"
    with pytest.raises(InputError, match=r"^inputs.image: is 120x40 px, the clip 64x64; fit=crop or fit=pad"):
        start.fitted(path, (64, 64), "error")
    assert start.fitted(path, (96, 32), "error").size == (96, 32)


def test_frames_come_at_the_rate_that_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    grey = (np.full((32, 48, 3), 16 * index, np.uint8) for index in range(12))
    video_files.record(grey, 12.0, path)
    frames = start.frames_from(path, 6, 6.0, (32, 32), "crop")
    assert frames.shape == (6, 32, 32, 3)
    assert frames.mean(axis=(1, 2, 3)) == pytest.approx([16, 48, 80, 112, 144, 176], abs=3)
    with pytest.raises(
        InputError, match=r"^inputs.video: clip.mp4 ends after 1.00 s, .* 2.00 s .*length_s=1 "
    ):
        start.frames_from(path, 12, 6.0, (32, 32), "crop")


def test_what_is_no_picture_and_no_video_is_named(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("no picture")
    with pytest.raises(InputError, match=r"^inputs.image: words.txt is no picture"):
        start.fitted(path, (64, 64), "crop")
    with pytest.raises(InputError, match=r"^video: words.txt"):
        start.frames_from(path, 4, 12, (64, 64), "crop")
