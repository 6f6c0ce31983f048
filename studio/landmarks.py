"""Where the features of a face are in a picture: 478 points, found or placed by hand, saved beside it.

The file is `<picture's stem>.landmarks.json`. A few points have names and can be written by hand; without the
478 it is enough, the mean face is fitted to them. Knows arrays and this file; asks no detector.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from studio._face_fit import bent, ring, warped
from studio.errors import InputError, StorageError, nearest
from studio.face_mesh import COUNT, EYES, LOWER_LIP, UPPER_LIP
from studio.motion import Array
from studio.storage import write_atomically

VERSION = 1
ORIGINS = ("detected", "placed by hand", "drawn")
SUFFIX = ".landmarks.json"
NAMES = {  # left and right are the person's own
    "right_eye_outer": 33,
    "right_eye_inner": 133,
    "right_lid_upper": 159,
    "right_lid_lower": 145,
    "left_eye_inner": 362,
    "left_eye_outer": 263,
    "left_lid_upper": 386,
    "left_lid_lower": 374,
    "nose_tip": 1,
    "mouth_right": 61,
    "mouth_left": 291,
    "chin": 152,
    "right_brow": 105,
    "left_brow": 334,
    "upper_lip": 0,
    "lower_lip": 17,
    "right_pupil": 468,
    "left_pupil": 473,
    "right_side": 234,
    "left_side": 454,
    "forehead": 10,
}
NEEDED = tuple(NAMES)[:12]  # the rest follows from these, or is placed as well
_AGREE_PX = 0.6  # named points of a file and its 478 may differ by rounding
_LARGEST_BYTES = 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """`points` (478, 3) float32 px in a picture of `width_px` x `height_px`: right, down, away from us.

    Numbered like MediaPipe's Face Landmarker; `origin` is one of ORIGINS. Raises InputError for another
    shape, for what is no number and for a face whose middle is outside the picture.
    """

    points: Array
    width_px: int
    height_px: int
    origin: str = "detected"

    def __post_init__(self) -> None:
        points = np.array(self.points, dtype=np.float32)
        if points.shape != (COUNT, 3):
            raise InputError("landmarks", points.shape, f"must have the shape (478, 3), got {points.shape}")
        if not np.isfinite(points).all():
            bad = int(np.argwhere(~np.isfinite(points))[0, 0])
            raise InputError("landmarks", "nan", f"point {bad} has no number")
        if self.origin not in ORIGINS:
            why = f"{self.origin!r} is not one of {', '.join(ORIGINS)}"
            raise InputError("origin", self.origin, why, nearest(self.origin, ORIGINS))
        x, y = points[:, :2].mean(axis=0)
        if not (0 <= x <= self.width_px and 0 <= y <= self.height_px):
            size = f"{self.width_px} x {self.height_px} px"
            why = f"the face is at ({x:.0f}, {y:.0f}), outside a picture of {size}"
            raise InputError("landmarks", (x, y), why)
        points.setflags(write=False)
        object.__setattr__(self, "points", points)

    @property
    def named(self) -> dict[str, tuple[float, float]]:
        """The points of NAMES as (x, y) px."""
        return {name: (float(self.points[at, 0]), float(self.points[at, 1])) for name, at in NAMES.items()}


def placed(named: Mapping[str, tuple[float, float]], width_px: int, height_px: int) -> Landmarks:
    """All 478 points from a dozen placed by hand, so that these are met exactly.

    `named`: name -> (x, y) px, all of NEEDED and any other of NAMES. Raises InputError for an unknown name, a
    missing one, a point outside the picture, and points that make no face (all at one place, upside down
    lids, left and right exchanged). The mouth is taken to be closed.
    """
    _check_names(named, width_px, height_px)
    _check_face(named)
    targets = {NAMES[name]: (float(x), float(y)) for name, (x, y) in named.items()}
    points = warped(targets)
    for eye, side in zip(EYES, ("right", "left"), strict=True):
        _round_iris(points, eye.iris, named, side)
    _close_lips(points)
    return Landmarks(points, width_px, height_px, "placed by hand")


def moved(known: Landmarks, named: Mapping[str, tuple[float, float]]) -> Landmarks:
    """Known landmarks bent so that the named points lie where they were dragged to, the rest along with them.

    `named`: as of `placed`, and refused as there. What stays where it was holds its surroundings in place.
    """
    _check_names(named, known.width_px, known.height_px)
    _check_face(named)
    points = bent(known.points, {NAMES[name]: (float(x), float(y)) for name, (x, y) in named.items()})
    return Landmarks(points, known.width_px, known.height_px, "placed by hand")


def _check_names(named: Mapping[str, tuple[float, float]], width_px: int, height_px: int) -> None:
    for name, point in named.items():
        if name not in NAMES:
            raise InputError("landmarks", name, f"unknown point {name!r}", nearest(name, NAMES))
        if len(point) != 2 or not all(math.isfinite(value) for value in point):
            raise InputError("landmarks", point, f"{name} must be two numbers, got {list(point)}")
        if not (0 <= point[0] <= width_px and 0 <= point[1] <= height_px):
            size = f"{width_px} x {height_px} px"
            why = f"{name} is at ({point[0]:g}, {point[1]:g}), outside a picture of {size}"
            raise InputError("landmarks", point, why)
    missing = [name for name in NEEDED if name not in named]
    if missing:
        raise InputError("landmarks", missing, f"missing: {', '.join(missing)}")


def _check_face(named: Mapping[str, tuple[float, float]]) -> None:
    """Refuse points that no face has. A head may be tilted, so directions are taken from the face itself."""
    at = {name: np.array(point, np.float64) for name, point in named.items()}
    right, left = at["right_eye_outer"], at["left_eye_outer"]
    across = left - right
    width = float(np.hypot(*across))
    if width < 4:
        raise InputError("landmarks", width, f"the eyes are {width:.1f} px apart; at least 4 are needed")
    down = np.array([-across[1], across[0]]) / width
    middle = (right + left) / 2
    if (at["chin"] - middle) @ down <= 0:
        why = "the chin is above the eyes; left and right are the person's own, the right eye is on the left"
        raise InputError("landmarks", named["chin"], why)
    for side in ("right", "left"):
        gap = float((at[f"{side}_lid_lower"] - at[f"{side}_lid_upper"]) @ down)
        if gap <= 0:
            why = f"{side}_lid_upper must be above {side}_lid_lower"
            raise InputError("landmarks", gap, why)
    if (at["mouth_left"] - at["mouth_right"]) @ across <= 0:
        raise InputError("landmarks", named["mouth_left"], "mouth_left and mouth_right are exchanged")


def _round_iris(points: Array, iris: tuple[int, ...], named: Mapping[str, Any], side: str) -> None:
    """A warp makes irises oval: a circle again, in the middle of the lids or where the pupil was placed."""
    lids = np.array([named[f"{side}_lid_upper"], named[f"{side}_lid_lower"]], np.float64)
    corners = np.array([named[f"{side}_eye_outer"], named[f"{side}_eye_inner"]], np.float64)
    centre = named.get(f"{side}_pupil") or (lids.mean(axis=0) + corners.mean(axis=0)) / 2
    wide, high = float(np.hypot(*(corners[1] - corners[0]))), float(np.hypot(*(lids[1] - lids[0])))
    radius = min(max(0.21 * wide, 0.4 * high), 0.5 * wide)  # big drawn eyes have big irises
    points[list(iris), :2] = np.asarray(centre) + ring(radius)


def _close_lips(points: Array) -> None:
    """The mean face's lips are parted; here they meet half-way, and the rings up to their edges follow."""
    half = (points[list(LOWER_LIP[-1]), :2] - points[list(UPPER_LIP[-1]), :2]) / 2
    for lip, sign in ((UPPER_LIP, 1), (LOWER_LIP, -1)):
        for numbers, share in zip(lip[1:], (0.4, 0.75, 1.0), strict=True):  # outer edges stay
            points[list(numbers[1:-1]), :2] += sign * share * half[1:-1]


def beside(picture: Path) -> Path:
    """Where the landmarks of a picture are saved."""
    return picture.with_name(picture.stem + SUFFIX)


def save(landmarks: Landmarks, picture: Path) -> Path:
    """Write the file beside the picture, all 478 points and the named ones; returns its path."""
    path = beside(picture)
    text = _text(landmarks, picture.name)

    def write(file: BinaryIO) -> None:
        file.write(text.encode())

    write_atomically(path, write)
    return path


def _text(landmarks: Landmarks, picture: str) -> str:
    """JSON with a point a line, so that people can read it and versions can be compared."""
    named = ",\n".join(f'    "{name}": [{x:.2f}, {y:.2f}]' for name, (x, y) in landmarks.named.items())
    points = ",\n".join(f"    [{x:.3f}, {y:.3f}, {z:.3f}]" for x, y, z in landmarks.points.tolist())
    head = {"format": "face landmarks", "version": VERSION, "picture": picture}
    head |= {"width_px": landmarks.width_px, "height_px": landmarks.height_px, "origin": landmarks.origin}
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items())
    return f'{{\n{lines},\n  "named": {{\n{named}\n  }},\n  "points": [\n{points}\n  ]\n}}\n'


def load(picture: Path, width_px: int, height_px: int) -> Landmarks | None:
    """What is saved beside a picture of this size; None when nothing is.

    Raises InputError (field: the file's name) for a file that is damaged, of a later version or of a picture
    of another size, and StorageError for one that cannot be read.
    """
    path = beside(picture)
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise InputError(path.name, path, f"is larger than {_LARGEST_BYTES >> 20} MiB")
        stored = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(path.name, path, f"is no JSON ({error})") from error
    _check_head(stored, path, width_px, height_px)
    try:
        return _parsed(stored, width_px, height_px)
    except InputError as error:
        raise InputError(path.name, error.value, f"{error.field}: {error.why}", error.suggestion) from error


def _check_head(stored: Any, path: Path, width_px: int, height_px: int) -> None:
    if not isinstance(stored, dict) or stored.get("format") != "face landmarks":
        raise InputError(path.name, path, 'is no landmarks file ("format" must be "face landmarks")')
    version = stored.get("version")
    if version != VERSION:
        raise InputError(path.name, version, f"has version {version!r}; this program reads {VERSION}")
    size = (stored.get("width_px"), stored.get("height_px"))
    if size != (width_px, height_px):
        why = f"was made for {size[0]} x {size[1]} px, the picture has {width_px} x {height_px}"
        raise InputError(path.name, size, f"{why}; delete the file or place the points anew")


def _parsed(stored: Mapping[str, Any], width_px: int, height_px: int) -> Landmarks:
    named = _named(stored.get("named", {}))
    if "points" not in stored:
        return placed(named, width_px, height_px)
    try:
        points = np.array(stored["points"], dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError("points", "", f"must be 478 times three numbers ({error})") from error
    found = Landmarks(points, width_px, height_px, str(stored.get("origin", "detected")))
    for name, point in named.items():
        if name not in NAMES:
            raise InputError("named", name, f"unknown point {name!r}", nearest(name, NAMES))
        x, y = found.named[name]
        if math.hypot(point[0] - x, point[1] - y) > _AGREE_PX:
            here = f"[{point[0]:.2f}, {point[1]:.2f}]"
            why = f"{name} is at {here} here and at [{x:.2f}, {y:.2f}] in points"
            raise InputError("named", point, f'{why}; delete "points" to have them fitted to the named ones')
    return found


def _named(stored: Any) -> dict[str, tuple[float, float]]:
    if not isinstance(stored, dict):
        raise InputError("named", stored, "must be names with [x, y]")
    found = {}
    for name, point in stored.items():
        pair = isinstance(point, list) and len(point) == 2
        if not pair or not all(isinstance(value, int | float) and math.isfinite(value) for value in point):
            raise InputError("named", point, f"{name} must be [x, y], got {point!r}")
        found[str(name)] = (float(point[0]), float(point[1]))
    return found
