"""The motion of a face as files of other programs, both ways.

| format    | file  | holds                                          | read by                         |
|-----------|-------|------------------------------------------------|---------------------------------|
| gltf      | .glb  | all of it, on a small head                     | Blender, three.js, Unity, Godot |
| livelink  | .csv  | shapes, turn of the head, gaze; not its place  | Unreal, Blender, MotionBuilder  |
| beat      | .json | 51 shapes at 60 frames a second; no head       | code for the BEAT data set      |
| metahuman | .txt  | 174 controls at 60 frames a second; no head    | EmoFace; rigs by column number  |
| npz       | .npz  | all of it, exactly                             | NumPy, and this studio          |

What each format cannot hold stands in its own module. Knows no model and no picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from studio import _motion_beat as beat
from studio import _motion_gltf as gltf
from studio import _motion_livelink as livelink
from studio import _motion_metahuman as metahuman
from studio import _motion_npz as npz
from studio.companions import Writer
from studio.errors import InputError, nearest
from studio.motion import Motion

Record = Mapping[str, Any]
LARGEST_BYTES = 1 << 30  # of a file that is read


@dataclass(frozen=True, slots=True)
class Format:
    """`suffix` with the dot. `write(motion, record)`: bytes; `read(content, name)`: the motion."""

    suffix: str
    write: Callable[[Motion, Record | None], bytes]
    read: Callable[[bytes, str], Motion]


FORMATS: Mapping[str, Format] = {
    "gltf": Format(".glb", gltf.write, gltf.read),
    "livelink": Format(".csv", lambda motion, record: livelink.write(motion), livelink.read),
    "beat": Format(".json", beat.write, beat.read),
    "metahuman": Format(".txt", lambda motion, record: metahuman.write(motion), metahuman.read),
    "npz": Format(".npz", npz.write, npz.read),
}


def motion_bytes(motion: Motion, format: str, record: Record | None = None) -> bytes:
    """A whole file. `record`: of its origin (studio.provenance), which the tables of numbers (livelink,
    metahuman) have no place for. Raises InputError for another format, and for a motion without frames."""
    if not len(motion):
        raise InputError("motion", 0, "has no frames")
    return _format(format).write(motion, record)


def metahuman_table(motion: Motion) -> bytes:
    """The controls as a CSV table with their names in the first line, for spreadsheets and importers."""
    return metahuman.write(motion, header=True)


def writers(
    motion: Motion, record: Record | None = None, formats: tuple[str, ...] = tuple(FORMATS)
) -> tuple[tuple[str, Writer], ...]:
    """(suffix, what writes the file) of each format, in order: the files that go with a video."""
    return tuple((_format(name).suffix, partial(_write, motion, name, record)) for name in formats)


def read_motion(path: Path, format: str = "") -> Motion:
    """The motion of a file, of the format that its content shows unless one is named.

    Raises InputError: for a file that cannot be read, is none of these, or is damaged (with line and column).
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError(path.name, path.name, f"is larger than {LARGEST_BYTES >> 20} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise InputError("motion", str(path), f"cannot read {str(path)!r}: {error.strerror}") from None
    return _format(format or format_of(content, path.name)).read(content, path.name)


def format_of(content: bytes, name: str) -> str:
    """The name of the format of a file's content; `name` is for the message. Raises InputError."""
    start = content[:65536].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"glTF"):
        return "gltf"
    if start.startswith(b"PK"):
        return "npz"
    if start.startswith(b"{"):
        return "beat"
    line = start.partition(b"\n")[0].lower()
    if b"timecode" in line:
        return "livelink"
    if line.count(b",") == len(metahuman.NAMES) - 1:
        return "metahuman"
    known = ", ".join(f"{one} ({FORMATS[one].suffix})" for one in FORMATS)
    raise InputError(name, name, f"is none of the motion files that are known: {known}")


def _format(name: str) -> Format:
    if name not in FORMATS:
        why = f"{name!r} is not one of {', '.join(FORMATS)}"
        raise InputError("format", name, why, nearest(name, FORMATS))
    return FORMATS[name]


def _write(motion: Motion, format: str, record: Record | None, file: BinaryIO) -> None:
    file.write(motion_bytes(motion, format, record))
