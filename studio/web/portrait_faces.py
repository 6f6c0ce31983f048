"""The face of a picture that a person gave: found, chosen among several, or placed by hand; and kept.

What is kept beside the picture is what will be rendered. Knows no page; faces are found by the family that
the page has chosen (studio.ports.Spoken).
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

from studio import catalog, landmarks, portraits
from studio.errors import InputError, StudioError
from studio.face_mesh import mean_face
from studio.landmarks import NAMES, NEEDED, Landmarks
from studio.pictures import UNREADABLE, upright

THUMB_PX, SHOWN_PX = 112, 1400
LARGEST_PX = 8192  # what families take; larger ones are not even opened
FIELD = "inputs.image"
Named = dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class FaceView:
    """A kept picture as the page shows it. `points` px of it; `faces`: small pictures, where there are

    several to choose from; `said`: what there is to know; `is_found`: whether it can be rendered as it is."""

    picture: str
    size: tuple[int, int]
    points: Named
    said: str
    faces: tuple[tuple[str, str, str], ...] = ()
    chosen: str = ""
    is_found: bool = True


def opened(path: Path, pipeline: str, anew: bool = False) -> FaceView:
    """The face of a kept picture; `anew`: found again, whatever was kept. StudioError for no picture."""
    picture = _read(path)
    if anew:
        landmarks.beside(path).unlink(missing_ok=True)
    kept = landmarks.load(path, *picture.size)
    if kept is not None:
        return _view(picture, kept.named, _origin_words(kept))
    try:
        found = _found(path, pipeline)
    except StudioError as error:
        said = f"{error}. Drag the points to where they belong."
        return _view(picture, _middle(*picture.size), said, is_found=False)
    largest = max(range(len(found)), key=lambda index: _side(found[index]))
    return _chosen(path, picture, found, largest)


def chosen(path: Path, pipeline: str, name: str) -> FaceView:
    """Another face of a picture with several, by its number from the left. Raises StudioError."""
    picture, found = _read(path), _found(path, pipeline)
    if not name.isdecimal() or not 1 <= int(name) <= len(found):
        raise InputError("face", name, f"there is no face {name!r}; there are {len(found)}", "1")
    return _chosen(path, picture, found, int(name) - 1)


def placed(path: Path, points: Named) -> str:
    """Keep points placed by hand; what there is to say. Raises StudioError for points that make no face.

    A face that is known bends with the points that moved; otherwise a mean face is fitted to them.
    """
    size = _read(path).size
    known = landmarks.load(path, *size)
    is_whole = known is not None and len(points) == len(NAMES)
    found = landmarks.moved(known, points) if known and is_whole else landmarks.placed(points, *size)
    landmarks.save(found, path)
    return _origin_words(found)


@lru_cache(maxsize=1)
def thumbs() -> tuple[tuple[str, str, str], ...]:
    """Name, small picture and words of each embedded portrait."""
    return tuple(
        (name, _address(upright(portraits.path(name)), THUMB_PX), name.capitalize())
        for name in portraits.names()
    )


def _chosen(path: Path, picture: Image.Image, found: list[Landmarks], index: int) -> FaceView:
    landmarks.save(found[index], path)
    if len(found) == 1:
        return _view(picture, found[0].named, _origin_words(found[0]))
    words = f"{len(found)} faces: choose the one that is to speak"
    return _view(picture, found[index].named, words, _crops(picture, found), str(index + 1))


def _view(
    picture: Image.Image,
    points: Named,
    said: str,
    faces: tuple[tuple[str, str, str], ...] = (),
    name: str = "",
    is_found: bool = True,
) -> FaceView:
    return FaceView(_address(picture, SHOWN_PX), picture.size, points, said, faces, name, is_found)


def _found(path: Path, pipeline: str) -> list[Landmarks]:
    return list(catalog.load("pipeline", pipeline).faces(path))


def _read(path: Path) -> Image.Image:
    """Raises InputError for no picture and for one that is larger than any family takes."""
    try:
        with Image.open(path) as seen:
            if max(seen.size) > LARGEST_PX:
                size = f"{seen.width} x {seen.height} px"
                raise InputError(
                    FIELD, size, f"a picture of {size} is too large; at most {LARGEST_PX} a side"
                )
        return upright(path)
    except UNREADABLE as error:
        raise InputError(FIELD, path.name, f"{path.name} cannot be read as a picture") from error


def _middle(width_px: int, height_px: int) -> Named:
    """The needed points of a mean face in the middle of the picture."""
    mean = mean_face()[:, :2]
    low, high = mean.min(axis=0), mean.max(axis=0)
    scale = 0.55 * min(width_px, height_px) / float((high - low).max())
    at = (mean - (low + high) / 2) * scale + (width_px / 2, height_px / 2)
    return {name: (float(at[NAMES[name], 0]), float(at[NAMES[name], 1])) for name in NEEDED}


def _crops(picture: Image.Image, found: list[Landmarks]) -> tuple[tuple[str, str, str], ...]:
    boxes = []
    for face in found:
        (left, top), (right, bottom) = face.points[:, :2].min(axis=0), face.points[:, :2].max(axis=0)
        margin = 0.2 * (bottom - top)
        edges = (left - margin, top - margin, right + margin, bottom + margin)
        boxes.append([round(float(edge)) for edge in edges])
    cut = [picture.crop((left, top, right, bottom)) for left, top, right, bottom in boxes]
    return tuple(
        (str(number), _address(one, THUMB_PX), f"face {number}") for number, one in enumerate(cut, start=1)
    )


def _side(face: Landmarks) -> float:
    return float(face.points[:, 0].max() - face.points[:, 0].min())


def _origin_words(face: Landmarks) -> str:
    if face.origin == "placed by hand":
        return "points placed by hand, kept beside the picture"
    return "a face was found; drag what is not quite right"


def _address(picture: Image.Image, side_px: int) -> str:
    """A picture as a data URL, no larger than it is shown."""
    small = picture.copy()
    small.thumbnail((side_px, side_px))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=84)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()
