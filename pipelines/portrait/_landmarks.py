"""Where a face is in a picture: saved beside it, found by MediaPipe's Face Landmarker, or placed by hand.

Knows pictures and the detector; the value, the file beside the picture and points placed by hand are in
studio.landmarks. Left and right are the person's own.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.portrait import _face_model
from pipelines.portrait._portrait_picture import FIELD, Pixels, check_size, read_picture
from studio import landmarks as marks
from studio.errors import InputError, ModelError
from studio.face_mesh import mean_face
from studio.landmarks import Landmarks, placed
from studio.lazy import lazy

cv2 = lazy("cv2")
mediapipe = lazy("mediapipe")
tasks = lazy("mediapipe.tasks.python")
vision = lazy("mediapipe.tasks.python.vision")

Points = npt.NDArray[np.float32]

MOST_FACES = 16
SMALLEST_FACE_PX = 48  # from forehead to chin
LARGEST_YAW_DEG = 40.0
_WORKING_PX = 1600  # detection gains nothing from more
_SURE, _UNSURE = 0.5, 0.3  # confidence of the detector; below the second, cups and clocks are faces
_SMALLEST_PART_PX = 256
_LARGE_SHARE = 0.25  # of the picture: next to such a face no other is overlooked

View = tuple[Pixels, tuple[float, float], float]  # pixels, where its corner lies, px of the picture per px


def landmarks_for(path: Path, face: int = 0) -> Landmarks:
    """The landmarks of a picture file: those saved beside it, else found.

    `face`: 0 for the saved or the only one, 1.. to have that one (from the left) found anew. Raises
    InputError (field `inputs.image` or the saved file's name), ModelError when the detector cannot be had.
    """
    picture = read_picture(path)
    if face == 0:
        saved = marks.load(path, picture.shape[1], picture.shape[0])
        if saved is not None:
            return saved
    return find(picture, face or None)


def find(picture: Pixels, which: int | None = None) -> Landmarks:
    """Landmarks of the only face in (H, W, 3) uint8, or of number `which` counted from the left, from 1.

    Raises InputError (field `inputs.image`) for no face, several without `which`, one that is too small (48
    px from forehead to chin) or turned away (40 degrees), a picture under 64 or over 8192 px.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        why = f"must be (height, width, 3) of uint8, got {picture.shape} of {picture.dtype}"
        raise InputError(FIELD, picture.shape, why)
    check_size(picture.shape[1], picture.shape[0])
    points = _chosen(faces(picture), which)
    check_face(points)
    return Landmarks(points, picture.shape[1], picture.shape[0], "detected")


def usable(picture: Pixels) -> list[Landmarks]:
    """Every face that is large and frontal enough, from left to right. Raises as `find` does for none."""
    found = faces(picture)
    height, width = picture.shape[:2]
    good = [points for points in found if not _fault(points)]
    if not good:
        check_face(_chosen(found, 1))
    return [Landmarks(points, width, height, "detected") for points in good]


def faces(picture: Pixels) -> list[Points]:
    """(478, 3) px of every face, from left to right. Raises ModelError when the detector cannot be had."""
    with _quiet(), _detector(_SURE) as sure:
        found = _seen(sure, _whole(picture))
        if _width(found) < _LARGE_SHARE * max(picture.shape[:2]):  # small ones may have neighbours unseen
            found += _seen(sure, _parts(picture, (2, 4)))
        found = found or _seen(sure, _framed(picture)) or _seen(sure, _parts(picture, (8,)))
    if not found:
        with _quiet(), _detector(_UNSURE) as unsure:
            found = _seen(unsure, _whole(picture))
    found = [points for points in found if _within(points, picture)]
    return sorted(_distinct(found), key=lambda points: float(points[:, 0].mean()))


def _seen(detector: Any, views: Iterator[View]) -> list[Points]:
    """px of the picture; without faces that a view cuts off."""
    found = []
    for view, (left, top), scale in views:
        size = np.array(view.shape[1::-1])
        for points in _asked(detector, view):
            middle = points[:468, :2].mean(axis=0)
            half = np.ptp(points[:468, :2], axis=0) * 0.35
            if (middle - half >= 0).all() and (middle + half <= size).all():
                found.append(points * np.float32(scale) + np.array((left, top, 0), np.float32))
    return found


def _within(points: Points, picture: Pixels) -> bool:
    """Whether the middle of the face is in the picture, not in a border that was added."""
    x, y = points[:468, :2].mean(axis=0)
    return bool(0 <= x <= picture.shape[1] and 0 <= y <= picture.shape[0])


def _width(found: list[Points]) -> float:
    return max((float(np.ptp(points[:468, 0])) for points in found), default=0.0)


def turn_deg(points: Points) -> tuple[float, float, float]:
    """Yaw to the person's left, pitch up, roll to the left shoulder, in degrees.

    The rotation that brings the mean face nearest to the landmarks (478, 3) (Kabsch 1976).
    """
    mean = mean_face()[:468]
    seen = points[:468].astype(np.float64)
    left, _, right = np.linalg.svd((seen - seen.mean(axis=0)).T @ (mean - mean.mean(axis=0)))
    turn = left @ np.diag([1, 1, np.sign(np.linalg.det(left @ right))]) @ right
    yaw = math.atan2(-turn[0, 2], math.hypot(turn[1, 2], turn[2, 2]))
    pitch, roll = math.atan2(turn[1, 2], turn[2, 2]), math.atan2(turn[1, 0], turn[0, 0])
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def _chosen(found: list[Points], which: int | None) -> Points:
    if not found:
        why = "no face found; place a dozen points by hand (kept in .landmarks.json beside the picture)"
        raise InputError(FIELD, 0, why)
    if which is None and len(found) > 1:
        listed = "; ".join(f"{number} {_place(points)}" for number, points in enumerate(found, 1))
        raise InputError(FIELD, len(found), f"{len(found)} faces; choose one with face=1 ..: {listed}")
    number = which or 1
    if not 1 <= number <= len(found):
        count = f"{len(found)} face{'s' if len(found) > 1 else ''}"
        why = f"there is no face {number}; the picture has {count}"
        raise InputError("face", number, why, str(len(found)))
    return found[number - 1]


def _place(points: Points) -> str:
    x, y = points[:, :2].mean(axis=0)
    return f"at ({x:.0f}, {y:.0f}), {np.ptp(points[:468, 0]):.0f} px wide"


def _fault(points: Points) -> InputError | None:
    try:
        check_face(points)
    except InputError as error:
        return error
    return None


def check_face(points: Points) -> None:
    """Raise InputError for a face (478, 3) px that is too small or turned too far to be animated."""
    height = float(np.hypot(*(points[10, :2] - points[152, :2])))
    if height < SMALLEST_FACE_PX:
        why = f"the face is {height:.0f} px high; {SMALLEST_FACE_PX} are needed, better 200"
        raise InputError(FIELD, height, why)
    yaw = turn_deg(points)[0]
    if abs(yaw) > LARGEST_YAW_DEG:
        side = "left" if yaw > 0 else "right"
        why = f"the face is turned {abs(yaw):.0f} degrees to its {side}; {LARGEST_YAW_DEG:.0f} is the most"
        raise InputError(FIELD, yaw, f"{why}: take a picture that looks into the camera")


def _whole(picture: Pixels) -> Iterator[View]:
    yield _reduced(picture, 0, 0)


def _framed(picture: Pixels) -> Iterator[View]:
    """With a border: the detector expects air around a face."""
    border = round(0.35 * max(picture.shape[:2]))
    framed = cv2.copyMakeBorder(picture, *[border] * 4, cv2.BORDER_CONSTANT, value=(128, 128, 128))
    yield _reduced(framed, -border, -border)


def _parts(picture: Pixels, shares: tuple[int, ...]) -> Iterator[View]:
    """Overlapping parts: the detector misses faces that are small in the whole."""
    height, width = picture.shape[:2]
    for share in shares:
        part = max(height, width) // share
        if part < _SMALLEST_PART_PX:
            return
        for top in _starts(height, part):
            for left in _starts(width, part):
                yield _reduced(picture[top : top + part, left : left + part], left, top)


def _starts(side: int, part: int) -> list[int]:
    """Where parts begin that overlap by half or more and end with the side."""
    last = max(side - part, 0)
    count = math.ceil(last / (part / 2)) + 1
    return np.linspace(0, last, count).astype(int).tolist()


def _reduced(picture: Pixels, left: float, top: float) -> View:
    scale = max(1.0, max(picture.shape[:2]) / _WORKING_PX)
    if scale > 1:
        size = round(picture.shape[1] / scale), round(picture.shape[0] / scale)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture), (left, top), scale


def _asked(detector: Any, view: Pixels) -> list[Points]:
    height, width = view.shape[:2]
    answer = detector.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=view))
    scale = (width, height, width)  # depth is in widths, as x is
    return [
        np.array([(p.x, p.y, p.z) for p in face], np.float32) * np.array(scale, np.float32)
        for face in answer.face_landmarks
    ]


def _distinct(found: list[Points]) -> list[Points]:
    """One of those that lie on each other, as overlapping parts see a face twice; the first stays."""
    kept: list[Points] = []
    for points in found:
        centre, width = points[:468, :2].mean(axis=0), float(np.ptp(points[:468, 0]))
        if all(np.hypot(*(centre - other[:468, :2].mean(axis=0))) > 0.6 * width for other in kept):
            kept.append(points)
    return kept


@contextmanager
def _detector(confidence: float) -> Iterator[Any]:
    path = _face_model.model_file()
    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_buffer=path.read_bytes()),  # paths may hold any letters
        num_faces=MOST_FACES,
        min_face_detection_confidence=confidence,
        min_face_presence_confidence=confidence,
    )
    try:
        detector = vision.FaceLandmarker.create_from_options(options)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{path}: MediaPipe cannot use this file ({str(error).splitlines()[0]})") from error
    with detector:
        yield detector


@contextmanager
def _quiet() -> Iterator[None]:
    """MediaPipe's C++ writes its diary straight to file descriptor 2, past every Python setting."""
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as diary:
            os.dup2(diary.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


__all__ = ["Landmarks", "faces", "find", "landmarks_for", "placed", "read_picture", "turn_deg", "usable"]
