"""Follow the faces in a folder of videos: `python -m training.track FOLDER` writes the motion beside each.

`clip.mp4` gets `clip.npz` (see studio.motion_files), which the data set `mead` reads. Faces are found by
MediaPipe's Face Landmarker; its model for shapes is used where the file has one, else the shapes are solved
from the landmarks, against the person's face in a video whose folder is called `neutral` where there is one
(as in MEAD). What is there already is left alone, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from tqdm import tqdm

from pipelines.portrait import _face_model
from pipelines.portrait._landmarks import _quiet
from studio.errors import InputError, StudioError
from studio.lazy import lazy
from studio.motion_files import motion_bytes
from studio.storage import write_atomically
from studio.video_files import probe, read_frames
from training.tracking import FEELINGS, VIDEOS, Followed, motion_of, rest_of

mediapipe = lazy("mediapipe")
tasks = lazy("mediapipe.tasks.python")
vision = lazy("mediapipe.tasks.python.vision")

_SHAPES_PART = "face_blendshapes.tflite"
CALM = "neutral"  # the folder of videos without feeling
_LONGEST_SIDE_PX = 960  # more helps no landmark


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "training.track", description="Write the motion of faces beside their videos."
    )
    parser.add_argument("folder", type=Path, help="of videos, with all folders in it")
    parser.add_argument("--again", action="store_true", help="track what has been tracked before, too")
    asked = parser.parse_args(arguments)
    try:
        tracked, problems = track(asked.folder, asked.again)
    except StudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{tracked} tracked, {len(problems)} not")
    return 1 if problems and not tracked else 0


def track(folder: Path, again: bool = False) -> tuple[int, list[str]]:
    """How many videos were tracked, and one line for each that could not be. Raises InputError for a folder
    without videos, ModelError where the detector cannot be had."""
    if not folder.is_dir():
        raise InputError("folder", str(folder), f"{str(folder)!r} is no folder")
    videos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEOS)
    if not videos:
        raise InputError("folder", str(folder), f"no videos ({', '.join(VIDEOS)}) in {str(folder)!r}")
    todo = [path for path in videos if again or not path.with_suffix(".npz").exists()]
    problems, calm = [], _Calm(videos, folder)
    for path in tqdm(todo, desc="tracking", mininterval=5):
        try:
            seen = followed(path)
            content = motion_bytes(motion_of(seen, None if seen.blends else calm.face(path)), "npz")
        except InputError as error:
            problems.append(f"{path.relative_to(folder)}: {error}")
            continue
        write_atomically(path.with_suffix(".npz"), partial(_write, content))
    return len(todo) - len(problems), problems


def followed(path: Path) -> Followed:
    """What is seen in a video, at its own rate. Raises InputError, ModelError."""
    info = probe(path)
    scale = min(1.0, _LONGEST_SIDE_PX / max(info.width, info.height))
    size = round(info.width * scale), round(info.height * scale)
    points: list[Any] = []
    blends: list[Mapping[str, float]] = []
    with _quiet(), _detector() as (detector, has_shapes):
        for index, frame in enumerate(read_frames(path, size)):
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame))
            answer = detector.detect_for_video(image, round(index * 1000 / info.rate_hz))
            points.append(_first(answer.face_landmarks, size))
            if has_shapes:
                shapes = answer.face_blendshapes[0] if answer.face_blendshapes else []
                blends.append({shape.category_name: shape.score for shape in shapes})
    return Followed(points, info.rate_hz, blends)


class _Calm:
    """Faces at rest of the people in a folder, from their videos without feeling."""

    def __init__(self, videos: list[Path], folder: Path) -> None:
        self._folder = folder
        self._neutral = {self._person(path): path for path in videos if CALM in self._parts(path)}
        self._faces: dict[tuple[str, ...], Any] = {}

    def face(self, path: Path) -> Any:
        """(468, 3) of the person in that video; None where no video of theirs is neutral."""
        person = self._person(path)
        if person not in self._faces:
            neutral = self._neutral.get(person)
            self._faces[person] = rest_of(followed(neutral)) if neutral else None
        return self._faces[person]

    def _parts(self, path: Path) -> tuple[str, ...]:
        return path.relative_to(self._folder).parts[:-1]

    def _person(self, path: Path) -> tuple[str, ...]:
        """The folders up to the one that says a feeling."""
        parts = self._parts(path)
        felt = [at for at, part in enumerate(parts) if part in FEELINGS]
        return parts[: felt[0]] if felt else parts


def _first(faces: list[Any], size: tuple[int, int]) -> Any:
    """(478, 3) px of the first face; None where there is none."""
    if not faces:
        return None
    scale = np.array([size[0], size[1], size[0]])  # depth is in widths
    return np.array([(point.x, point.y, point.z) for point in faces[0]]) * scale


@contextmanager
def _detector() -> Iterator[tuple[Any, bool]]:
    """For one video, and whether it says shapes."""
    path = _face_model.model_file()
    with zipfile.ZipFile(path) as parts:
        has_shapes = _SHAPES_PART in parts.namelist()
    options = vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_buffer=path.read_bytes()),
        running_mode=vision.RunningMode.VIDEO,
        num_faces=1,
        output_face_blendshapes=has_shapes,
    )
    with vision.FaceLandmarker.create_from_options(options) as detector:
        yield detector, has_shapes


def _write(content: bytes, file: BinaryIO) -> None:
    file.write(content)


if __name__ == "__main__":
    sys.exit(main())
