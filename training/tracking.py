"""Motion from the landmarks of a face in a video: shapes by least squares, head, gaze.

Each frame is turned back to the front (the mean face's rigid fit, Kabsch 1976) and scaled to it; how it then
differs from the person's own face at rest is put together from the displacements of the preview head, none of
them negative. Depth is MediaPipe's guess, so it counts little. Where the detector brings a model for shapes,
that is used instead (see training.track). Knows landmarks, no detector and no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from studio._head_points import COUNT
from studio._head_shapes import displacements, rest_face
from studio.errors import InputError
from studio.face_mesh import LEFT_EYE, RIGHT_EYE
from studio.motion import GAZE, INDEX, SHAPES, Array, Motion

Floats = npt.NDArray[np.float64]
# What folders of clips are called by their feeling, in MEAD.
FEELINGS = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi")
MOST_LOST = 0.5  # share of frames without a face; beyond it a video is no portrait
_DEPTH = 0.25  # how much depth counts beside width and height
_COUNTS = np.array([1.0, 1.0, _DEPTH])
_RIDGE = 0.02  # cm2 by weight2: what explains nothing stays at 0
_DOUBT = 0.03  # that is taken off every weight: of two explanations the one with fewer shapes
_SWEEPS = 40
_STEADY = (1, 4, 5, 6, 168, 8, 33, 133, 362, 263, 127, 356, 234, 454, 10, 151, 9, 197, 195, 2, 98, 327)
_NOT_SOLVED = (
    "eyeLook",
    "tongueOut",
    "cheekPuff",
)  # the gaze says the first; nobody sees the others in points
_EYE_CM = 1.25  # from an iris to where the eye turns about


@dataclass(frozen=True, slots=True)
class Followed:
    """What a detector saw in a video: (478, 3) px of each frame, None where no face was seen. `blends`: what
    a model for shapes says of every frame, by ARKit's names; empty where there is none."""

    frames: Sequence[Floats | None]
    rate_hz: float
    blends: Sequence[Mapping[str, float]] = ()


def motion_of(seen: Followed, rest: Floats | None = None) -> Motion:
    """The motion; frames without a face are filled from those around them.

    `rest`: (468, 3) the person's face at rest as `rest_of` finds it in another video; without it a feeling
    that never leaves the face is taken for the face itself. InputError where half of the frames have no face.
    """
    at, faces, head = _posed_frames(seen)
    if seen.blends:
        weights = _named(seen.blends, at)
    else:
        weights = solved(faces[:, :COUNT], rest_of(seen) if rest is None else rest)
    every = np.arange(len(seen.frames))

    def filled(part: Floats) -> Array:
        columns = [np.interp(every, at, column) for column in part.T]
        return np.stack(columns, axis=1).astype(np.float32)

    return Motion(filled(weights), filled(head), filled(_gaze(faces)), seen.rate_hz)


def rest_of(seen: Followed) -> Floats:
    """(468, 3) cm the person's own face: the middle of the quarter of frames that seem most at rest."""
    faces = _posed_frames(seen)[1][:, :COUNT]
    mouth = faces[:, 14, 1] - faces[:, 13, 1]
    lids = faces[:, 159, 1] - faces[:, 145, 1] + faces[:, 386, 1] - faces[:, 374, 1]
    unusual = np.abs(faces - np.median(faces, axis=0)).mean(axis=(1, 2))
    unrest = np.abs(mouth) + np.abs(lids - np.median(lids)) + unusual
    calm = np.argsort(unrest)[: max(1, len(faces) // 4)]
    return np.asarray(np.median(faces[calm], axis=0))


def _posed_frames(seen: Followed) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
    """Numbers of the frames with a face, their faces (n, 478, 3) turned to the front, and heads (n, 6)."""
    at = np.array([index for index, points in enumerate(seen.frames) if points is not None], dtype=np.int64)
    if not len(seen.frames) or len(at) < (1 - MOST_LOST) * len(seen.frames):
        why = f"no face in {len(seen.frames) - len(at)} of {len(seen.frames)} frames"
        raise InputError("video", len(at), why)
    posed = [_posed(np.asarray(seen.frames[index], dtype=np.float64)) for index in at]
    head = np.stack([head for _, head in posed])
    head[:, 3:] -= np.median(head[:, 3:], axis=0)
    return at, np.stack([face for face, _ in posed]), head


def solved(faces: Floats, rest: Floats) -> Floats:
    """(frames, 52) weights of faces (frames, 468, 3) that look to the front, in cm; `rest` (468, 3)."""
    basis, names = _basis()
    weights = np.zeros((len(faces), len(SHAPES)))
    weights[:, [INDEX[name] for name in names]] = _weights((faces - rest) * _COUNTS, basis)
    return weights


def _weights(moved: Floats, basis: Floats) -> Floats:
    """(frames, shapes) in [0, 1], by coordinate descent: each weight the best one beside the others."""
    gram = basis @ basis.T + _RIDGE * np.eye(len(basis))
    wanted = moved.reshape(len(moved), -1) @ basis.T
    found = np.zeros((len(moved), len(basis)))
    for _ in range(_SWEEPS):
        for one in range(len(basis)):
            rest = wanted[:, one] - found @ gram[:, one] + found[:, one] * gram[one, one]
            found[:, one] = np.clip(rest / gram[one, one] - _DOUBT, 0, 1)
    return found


@lru_cache(maxsize=1)
def _basis() -> tuple[Floats, tuple[str, ...]]:
    names = tuple(name for name in SHAPES if not name.startswith(_NOT_SOLVED))
    rows = displacements()[[INDEX[name] for name in names]] * _COUNTS
    return rows.reshape(len(names), -1), names


def _posed(points: Floats) -> tuple[Floats, Floats]:
    """A frame turned to the front in cm, and its head as Motion has it.

    Landmarks are px to the right, down and away; here x is to the person's left, y up, z towards the camera.
    """
    points = points * [1.0, -1.0, -1.0]
    mean, steady = rest_face(), list(_STEADY)
    about, onto = points[steady].mean(0), mean[steady].mean(0)
    left, sizes, right = np.linalg.svd((points[steady] - about).T @ (mean[steady] - onto))
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right)) or 1.0])
    turn = left @ sign @ right
    scale = float((sizes * sign.diagonal()).sum() / ((mean[steady] - onto) ** 2).sum())
    face = (points - about) @ turn / scale + onto
    unit_cm = float(np.linalg.norm(mean[33] - mean[263]))
    place = about / scale / unit_cm
    yaw = np.degrees(np.arctan2(turn[0, 2], turn[2, 2]))
    pitch = np.degrees(np.arcsin(np.clip(turn[1, 2], -1, 1)))
    roll = -np.degrees(np.arctan2(turn[1, 0], turn[1, 1]))
    return face, np.array([pitch, yaw, roll, place[0], place[1], 0.0])


def _gaze(faces: Floats) -> Floats:
    """(frames, 2) degrees: where both irises are, against the corners and lids around them."""
    if faces.shape[1] < 478:
        return np.zeros((len(faces), len(GAZE)))
    sides = []
    for eye in (RIGHT_EYE, LEFT_EYE):
        iris = faces[:, eye.iris[0]]
        corners = (faces[:, eye.upper[0]] + faces[:, eye.upper[-1]]) / 2
        sides.append(iris[:, :2] - corners[:, :2])
    off = np.mean(sides, axis=0)
    off -= np.median(off, axis=0)  # most of the time people look into the camera
    return np.asarray(np.degrees(np.arcsin(np.clip(off / _EYE_CM, -0.7, 0.7))))


def _named(blends: Sequence[Mapping[str, float]], at: npt.NDArray[np.int64]) -> Floats:
    weights = np.zeros((len(at), len(SHAPES)))
    for row, index in enumerate(at):
        for name, value in blends[index].items():
            if name in INDEX:
                weights[row, INDEX[name]] = value
    return weights
