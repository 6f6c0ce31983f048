"""Motion as the CSV file that Epic's Live Link Face app records.

63 columns: a timecode, how many values follow, 52 shapes (JawRight before JawLeft, MouthRight before
MouthLeft: the other way round than ARKit lists them) and nine angles. Angles are radians, as the size of the
eye columns against the eyeLook columns of public recordings shows; there yaw is positive to the person's
right and pitch is positive downwards. The head comes out of the app by the same conversion, so its yaw and
pitch are taken to have these signs too, and its roll to be positive towards the left shoulder; no public
recording with a turning head was at hand to check that. Knows no mesh and no model.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio._motion_time import Times, evened, rate_of
from studio.errors import InputError, nearest
from studio.motion import HEAD, INDEX, SHAPES, Array, Motion, gaze_of

Floats = npt.NDArray[np.float64]
TIMECODE, COUNT = "Timecode", "BlendShapeCount"
_SWAPPED = {
    "jawLeft": "jawRight",
    "jawRight": "jawLeft",
    "mouthLeft": "mouthRight",
    "mouthRight": "mouthLeft",
}
ORDER = tuple(_SWAPPED.get(name, name) for name in SHAPES)  # of the shapes in the file
ANGLES = (
    *("HeadYaw", "HeadPitch", "HeadRoll"),
    *("LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll", "RightEyeYaw", "RightEyePitch", "RightEyeRoll"),
)
HEADER = (TIMECODE, COUNT, *(name[0].upper() + name[1:] for name in ORDER), *ANGLES)
BASE_HZ = 60  # what the app counts frames of a timecode in, unless somebody sets it otherwise
_BASES = (60, 24, 25, 30, 48, 50, 90, 100, 120)
_OPTIONAL = frozenset(name.lower() for name in (COUNT, "TongueOut", *ANGLES))
_TIME = re.compile(r"(\d+):(\d+):(\d+)[:;](\d+(?:\.\d+)?)", re.ASCII)
_DAY_S = 24 * 3600


def write(motion: Motion) -> bytes:
    """Timecodes begin at 00:00:00:00.000. The place of the head (x, y, z) has no column and is left out."""
    shapes = motion.weights[:, [INDEX[name] for name in ORDER]]
    values = np.concatenate([shapes, _angles(motion)], axis=1)
    lines = [",".join(HEADER)]
    pattern = f"%s,{len(HEADER) - 2}," + ",".join(["%.10f"] * values.shape[1])
    lines += [
        pattern % (_timecode(index / motion.rate_hz), *row) for index, row in enumerate(values.tolist())
    ]
    return ("\n".join(lines) + "\n").encode("ascii")


def read(content: bytes, name: str = "livelink.csv") -> Motion:
    """Columns in any order and case; TongueOut, the angles and the count may be missing, others are left
    alone. Rows without a face (count 0) are filled from those around them. InputError names line
    and column."""
    times, values, columns = _table(content, name)
    rate = rate_of(times, BASE_HZ)
    (values,) = evened(times, rate, [values])
    weights = np.zeros((len(values), len(SHAPES)), np.float32)
    for shape in SHAPES:
        if shape.lower() in columns:
            weights[:, INDEX[shape]] = values[:, columns[shape.lower()]]

    def degrees(column: str) -> Array:
        at = columns.get(column.lower())
        found = np.zeros(len(values), np.float32) if at is None else np.degrees(values[:, at])
        return np.asarray(found, dtype=np.float32)

    head = np.zeros((len(values), len(HEAD)), np.float32)
    head[:, 0], head[:, 1], head[:, 2] = -degrees("HeadPitch"), -degrees("HeadYaw"), degrees("HeadRoll")
    eyes = [(degrees(f"{side}EyeYaw"), degrees(f"{side}EyePitch")) for side in ("Left", "Right")]
    gaze = -np.stack([sum(eye[axis] for eye in eyes) / 2 for axis in (0, 1)], axis=1)
    return Motion(weights, head, gaze if gaze.any() else gaze_of(weights.clip(0, 1)), rate)


def _angles(motion: Motion) -> Array:
    head, gaze = np.radians(motion.head), np.radians(motion.gaze)
    eye = [-gaze[:, 0], -gaze[:, 1], np.zeros(len(motion), np.float32)]
    return np.stack([-head[:, 1], -head[:, 0], head[:, 2], *eye, *eye], axis=1).astype(np.float32)


def _timecode(time_s: float) -> str:
    """HH:MM:SS:FF.sub; counted in whole thousandths of a frame, so that 1 s is never 00.60."""
    thousandths = round(time_s * BASE_HZ * 1000)
    frames, sub = divmod(thousandths, 1000)
    seconds, frame = divmod(frames, BASE_HZ)
    clock = (seconds // 3600 % 24, seconds // 60 % 60, seconds % 60, frame)
    return ":".join(f"{part:02d}" for part in clock) + f".{sub:03d}"


@dataclass(frozen=True, slots=True)
class _Stamp:
    """A timecode before it is known how many frames a second it counts in."""

    second: int
    frame: float
    line: int


def _table(content: bytes, name: str) -> tuple[Times, Array, dict[str, int]]:
    """Times in seconds, values (rows, columns), and which column is which (by lower-case name)."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(name, "", f"is no text (byte {error.start})") from None
    rows = csv.reader(io.StringIO(text, newline=""))
    header = [cell.strip() for cell in next(rows, [])]
    columns = {cell.lower(): at for at, cell in enumerate(header)}
    _check(columns, header, name)
    used = {cell: at for cell, at in columns.items() if cell != TIMECODE.lower()}
    known = {cell: at for cell, at in used.items() if cell in {one.lower() for one in HEADER[2:]}}
    stamps, values = [], []
    for cells in rows:
        if any(cell.strip() for cell in cells):
            stamps.append(_stamp(cells[columns[TIMECODE.lower()]].strip(), rows.line_num, name))
            values.append(_values(cells, known, columns.get(COUNT.lower()), (rows.line_num, name)))
    if not stamps:
        raise InputError(name, "", "has no frames")
    times, kept = _times(stamps, name)
    found = _filled(np.array(values)[kept], times, name)
    return times, found, {cell: index for index, cell in enumerate(known)}


def _check(columns: Mapping[str, int], header: Sequence[str], name: str) -> None:
    if TIMECODE.lower() not in columns:
        why = f"is no Live Link Face file: its first line has no column {TIMECODE}"
        raise InputError(name, header[:3], why, nearest(TIMECODE, header))
    for wanted in HEADER:
        if wanted.lower() not in columns and wanted.lower() not in _OPTIONAL:
            raise InputError(name, wanted, f"line 1 has no column {wanted}", nearest(wanted, header))


def _stamp(text: str, line: int, name: str) -> _Stamp:
    found = _TIME.fullmatch(text)
    if not found:
        why = f"line {line}, column {TIMECODE}: expected HH:MM:SS:FF.sub, got {text!r}"
        raise InputError(name, text, why)
    hours, minutes, seconds = (int(part) for part in found.groups()[:3])
    return _Stamp(hours * 3600 + minutes * 60 + seconds, float(found[4]), line)


def _values(
    cells: Sequence[str], known: Mapping[str, int], count: int | None, where: tuple[int, str]
) -> Floats:
    """One row; numbers that are none where the app saw no face."""
    line, name = where
    if count is not None and count < len(cells) and cells[count].strip() in ("0", "0.0"):
        return np.full(len(known), np.nan)
    values = np.empty(len(known))
    for index, (column, at) in enumerate(known.items()):
        cell = cells[at].strip() if at < len(cells) else ""
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            spelled = next(one for one in HEADER if one.lower() == column)
            why = f"line {line}, column {spelled}: expected a number, got {cell!r}"
            raise InputError(name, cell, why)
        values[index] = value
    return values


def _times(stamps: Sequence[_Stamp], name: str) -> tuple[Times, list[int]]:
    """Seconds of the rows, and which rows count: of several with one timecode the first."""
    most = max(stamp.frame for stamp in stamps)
    bases = [base for base in _BASES if base > most] or [math.floor(most) + 1]
    times = min((_seconds(stamps, base) for base in bases), key=_unevenness)
    kept = [0]
    for index in range(1, len(times)):
        if times[index] < times[kept[-1]]:
            raise InputError(name, stamps[index].line, f"line {stamps[index].line}: its timecode goes back")
        if times[index] > times[kept[-1]]:
            kept.append(index)
    return times[kept], kept


def _seconds(stamps: Sequence[_Stamp], base: float) -> Times:
    times = np.array([stamp.second + stamp.frame / base for stamp in stamps])
    midnight = np.cumsum(np.diff(times, prepend=times[0]) < -_DAY_S / 2)
    return np.asarray(times + midnight * _DAY_S)


def _unevenness(times: Times) -> float:
    """How uneven the steps are: the right base makes them alike, also where a second ends."""
    steps = np.diff(times)
    steps = steps[steps != 0]
    return float(np.abs(steps - np.median(steps)).mean() / abs(np.median(steps))) if len(steps) else 0.0


def _filled(values: Floats, times: Times, name: str) -> Array:
    lost = np.isnan(values[:, 0])
    if lost.all():
        raise InputError(name, "", "has no frame with a face")
    if lost.any():
        for column in values.T:
            column[lost] = np.interp(times[lost], times[~lost], column[~lost])
    return values.astype(np.float32)
