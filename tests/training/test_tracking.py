"""Motion out of landmarks: what was put in comes out, whoever's face it is and however it is turned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studio._head_shapes import displacements, rest_face
from studio.errors import InputError
from studio.motion import INDEX, SHAPES
from training import track
from training.tracking import Followed, motion_of, rest_of

FRAMES = 120
TIME = np.arange(FRAMES) / 30
ACTED = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "mouthPucker", "mouthUpperUpLeft")
TURN = np.stack([8 * np.cos(TIME), 20 * np.sin(TIME), 6 * np.sin(TIME * 0.7)], axis=1)  # pitch, yaw, roll


def acted() -> np.ndarray:
    """(frames, 52): shapes that come and go, every fourth frame at rest."""
    weights = np.zeros((FRAMES, len(SHAPES)))
    for number, name in enumerate(ACTED):
        weights[:, INDEX[name]] = np.clip(np.sin(TIME * (1.5 + 0.4 * number) + number), 0, 1) * 0.8
    weights[::4] = 0
    return weights


def turned(degrees: np.ndarray) -> np.ndarray:
    x, y, z = np.radians([-degrees[0], degrees[1], -degrees[2]])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return about_y @ about_x @ about_z


def seen() -> list[np.ndarray]:
    """(478, 3) px of each frame: a face that is wider than the mean one, before a camera with some noise."""
    noise = np.random.default_rng(0)
    faces = rest_face() * [1.06, 0.97, 1] + np.tensordot(acted(), displacements(), 1)
    frames = []
    for face, degrees, time in zip(faces, TURN, TIME, strict=True):
        whole = np.concatenate([face, np.zeros((10, 3))])
        points = whole @ turned(degrees).T * 22 + [300 + 30 * np.sin(time), -250, 0]
        frames.append((points + noise.normal(0, 0.3, points.shape)) * [1, -1, -1])
    return frames


def test_shapes_and_head_come_out() -> None:
    motion = motion_of(Followed(seen(), 30.0))
    assert np.abs(motion.head[:, :3] - TURN).max() < 1.5
    assert np.corrcoef(motion.head[:, 3], np.sin(TIME))[0, 1] > 0.95
    for name in ACTED:
        assert np.corrcoef(motion.column(name), acted()[:, INDEX[name]])[0, 1] > 0.9
    others = [name for name in SHAPES if name not in ACTED and not name.startswith("eyeLook")]
    assert max(float(motion.column(name).mean()) for name in others) < 0.15


def test_frames_without_a_face_are_filled_in() -> None:
    frames: list[np.ndarray | None] = list(seen())
    whole = motion_of(Followed(frames, 30.0))
    frames[20] = frames[21] = None
    motion = motion_of(Followed(frames, 30.0))
    between = (motion.head[19, 1] + motion.head[22, 1]) / 2
    assert (motion.head[20, 1] + motion.head[21, 1]) / 2 == pytest.approx(between, abs=1e-4)
    assert np.abs(motion.head[40:, 1] - whole.head[40:, 1]).max() < 0.01
    with pytest.raises(InputError, match="no face in 118 of 120 frames"):
        motion_of(Followed([None] * 118 + frames[:2], 30.0))


def test_a_feeling_that_never_leaves_the_face_needs_a_calm_one_beside_it() -> None:
    plain = Followed(seen(), 30.0)
    lift = displacements()[INDEX["mouthSmileLeft"]] + displacements()[INDEX["mouthSmileRight"]]
    smiling = [
        frame + np.pad(lift, ((0, 10), (0, 0))) @ turned(degrees).T * 22 * 0.7 * [1, -1, -1]
        for frame, degrees in zip(seen(), TURN, strict=True)
    ]
    alone = motion_of(Followed(smiling, 30.0))
    beside = motion_of(Followed(smiling, 30.0), rest_of(plain))
    rest = slice(0, FRAMES, 4)  # when the face does nothing else
    assert alone.column("mouthSmileRight")[rest].mean() < 0.1
    assert beside.column("mouthSmileRight")[rest].mean() == pytest.approx(0.7, abs=0.15)


def test_a_model_for_shapes_is_believed() -> None:
    blends = [{"jawOpen": 0.25, "_neutral": 0.9, "mouthSmileLeft": 0.5}] * FRAMES
    motion = motion_of(Followed(seen(), 30.0, blends))
    assert (motion.column("jawOpen") == 0.25).all() and (motion.column("mouthSmileLeft") == 0.5).all()
    assert np.abs(motion.head[:, :3] - TURN).max() < 1.5


def test_gaze_follows_the_irises() -> None:
    frames = seen()
    for index, frame in enumerate(frames):
        for iris, (outer, inner) in ((468, (33, 133)), (473, (263, 362))):
            frame[iris] = (frame[outer] + frame[inner]) / 2
        if index >= 100:
            frame[[468, 473], 0] += 8  # to the right of the picture: to the person's left
    gaze = motion_of(Followed(frames, 30.0)).gaze
    assert gaze[100:, 0].mean() > gaze[:100, 0].mean() + 10


def test_folders_without_videos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert track.main([str(tmp_path)]) == 2
    assert "no videos (.mp4, .mov" in capsys.readouterr().err
    assert track.main([str(tmp_path / "nowhere")]) == 2
    assert "is no folder" in capsys.readouterr().err


def test_what_is_tracked_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    (tmp_path / "a.npz").write_bytes(b"kept")
    assert track.track(tmp_path) == (0, [])
    tracked, problems = track.track(tmp_path, again=True)
    assert tracked == 0 and len(problems) == 1 and problems[0].startswith("a.mp4: ")
    assert (tmp_path / "a.npz").read_bytes() == b"kept"
