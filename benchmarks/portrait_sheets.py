"""Contact sheets of faces to look at: seven feelings at three strengths, and in the middle of a word.

    python -m benchmarks.portrait_sheets FOLDER [PICTURE ...]

One JPEG a face: every embedded portrait, and the pictures named (their landmarks are saved beside them or
found). Columns: joy, sadness, anger, fear, disgust, surprise, contempt; rows: a third, two thirds, all of it,
all of it while an "ah" is said. docs/pictures/portraits holds these sheets, and one of the photograph of an
astronaut that scikit-image brings (NASA, public domain).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.portrait._face_warp import Face
from pipelines.portrait._landmarks import landmarks_for
from pipelines.portrait._portrait_picture import read_picture
from studio import muscles, portraits
from studio.emotion import VAD, parse_emotion
from studio.motion import GAZE, HEAD, INDEX

FEELINGS = ("joy", "sadness", "anger", "fear", "disgust", "surprise", "contempt")
STRENGTHS = (1 / 3, 2 / 3, 1.0)
SPOKEN = {"jawOpen": 0.5, "mouthLowerDownLeft": 0.25, "mouthLowerDownRight": 0.25}
TILE_PX, RENDERED_PX = 192, 512
HEAD_SHARE = 0.62  # of the frame, around the face


def weights(feeling: str, strength: float, speaks: bool) -> np.ndarray:
    point = parse_emotion(feeling).vad.as_tuple()
    found = muscles.weights(muscles.of(VAD(*(strength * value for value in point))))
    for name, value in SPOKEN.items() if speaks else ():
        found[INDEX[name]] = max(found[INDEX[name]], value)
    return found


def tile(face: Face, shapes: np.ndarray) -> np.ndarray:
    """(TILE_PX, TILE_PX, 3) uint8: the head alone."""
    frame = Image.fromarray(
        face.frame(shapes, np.zeros(len(HEAD), np.float32), np.zeros(len(GAZE), np.float32))
    )
    x, y = face.landmarks[:, :2].mean(axis=0)
    half = HEAD_SHARE * RENDERED_PX / 2
    box = (x - half, y - half, x + half, y + half)
    return np.asarray(frame.resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS, box=_inside(box)))


def _inside(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top = (min(max(0.0, at), RENDERED_PX * (1 - HEAD_SHARE)) for at in box[:2])
    return left, top, left + HEAD_SHARE * RENDERED_PX, top + HEAD_SHARE * RENDERED_PX


def sheet(path: Path) -> Image.Image:
    face = Face(read_picture(path), landmarks_for(path).points, RENDERED_PX)
    rows = [
        np.concatenate([tile(face, weights(name, strength, speaks)) for name in FEELINGS], axis=1)
        for strength, speaks in (*((one, False) for one in STRENGTHS), (1.0, True))
    ]
    return Image.fromarray(np.concatenate(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("pictures", type=Path, nargs="*", help="besides the embedded portraits")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for path in (*map(portraits.path, portraits.names()), *asked.pictures):
        sheet(path).save(asked.folder / f"{path.stem}.jpg", quality=82)
        print(asked.folder / f"{path.stem}.jpg")


if __name__ == "__main__":
    main()
