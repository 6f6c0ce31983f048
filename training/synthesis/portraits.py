"""Portraits of our own: every one drawn, with landmarks that are exact because they come first.

python -m training.synthesis.portraits assets/portraits            # all of them, bit for bit
python -m training.synthesis.portraits assets/portraits anna fox   # some
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from studio import landmarks as marks
from studio.errors import NotFoundError
from studio.landmarks import Landmarks
from studio.storage import write_atomically
from training.synthesis.portrait_brush import Brush
from training.synthesis.portrait_elders import OLAF, RUTH
from training.synthesis.portrait_fox import FOX
from training.synthesis.portrait_painted import ANNA, KOFI, MEI
from training.synthesis.portrait_shape import SIZE_PX, landmarks
from training.synthesis.portrait_stylised import DIEGO, LUNA

PEOPLE = {
    "anna": ANNA,
    "diego": DIEGO,
    "fox": FOX,
    "kofi": KOFI,
    "luna": LUNA,
    "mei": MEI,
    "olaf": OLAF,
    "ruth": RUTH,
}


def drawn_landmarks(name: str) -> Landmarks:
    """Where the features of a portrait are; nothing is drawn. Raises NotFoundError."""
    if name not in PEOPLE:
        raise NotFoundError("portrait", name, PEOPLE)
    return Landmarks(landmarks(PEOPLE[name].shape), SIZE_PX, SIZE_PX, "drawn")


def portrait(name: str) -> tuple[npt.NDArray[np.uint8], Landmarks]:
    """(768, 768, 3) and the landmarks it was drawn along. Raises NotFoundError."""
    found = drawn_landmarks(name)
    person, brush = PEOPLE[name], Brush(SIZE_PX)
    person.paint(brush, found.points)
    pixels = brush.pixels()
    return person.finish(pixels, found.points) if person.finish else pixels, found


def write(name: str, folder: Path) -> Path:
    """`folder`/`name`.png and its landmarks; returns the picture's path."""
    pixels, landmarks = portrait(name)
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "PNG", optimize=True)
    path = folder / f"{name}.png"
    write_atomically(path, lambda file: file.write(packed.getvalue()) and None)
    marks.save(landmarks, path)
    return path


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Draw the embedded portraits.")
    parser.add_argument("out", type=Path, help="folder for <name>.png and <name>.landmarks.json")
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(PEOPLE)}; all when left out")
    options = parser.parse_args(arguments)
    for name in options.names or PEOPLE:
        path = write(name, options.out)
        print(f"{path}  {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
