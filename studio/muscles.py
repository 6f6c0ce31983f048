"""Action units: the muscles of a face by number (FACS), what a feeling does to them, and their ARKit shapes.

A feeling is read by direction and distance. The direction from NEUTRAL says which muscles move: prototypes
sit at their labels' points in the lexicon and share a direction by inverse distance (Shepard 1968), so that
each label's own ray shows its own prototype and nothing else. The distance says how much: none at NEUTRAL,
all at the label's point. Tables and sources: `assets/emotions/action_units.json`. Knows no time and no
speech.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.emotion.lexicon import lexicon
from studio.emotion.tables import read_json
from studio.emotion.vad import VAD
from studio.errors import InputError, nearest
from studio.motion import INDEX, SHAPES

Array = npt.NDArray[np.float32]

FIELD = "muscles"  # what requests call units held by hand
REGIONS = ("brow", "eye", "nose", "mouth")
LEAN = 0.7  # how far a face leans to its left by default: contempt shows on one side
SHARPNESS = 3.0  # power of the squared distance: higher makes borders between feelings narrower
SMALLEST = 0.05  # units weaker than this are not shown in words or dictionaries
_DEGREES = ((0.75, "strong"), (0.45, "marked"), (0.2, ""), (0.0, "slight"))
_FADE = 0.5  # radians that a point lies farther from a prototype for each length it is past its label
_SOLVER_STEPS = 60
_SPLIT = re.compile(r"[,;\n]+")
_ENTRY = re.compile(r"\s*(?P<unit>[^=:]+?)\s*(?:[=:]\s*(?P<value>\S+)\s*)?$")


@dataclass(frozen=True, slots=True)
class Unit:
    """One action unit. `plain`: what one sees; `region`: of REGIONS; `shapes`: ARKit weights at intensity 1.

    `lean`: 0 for a unit that is always even, 1 for one that a leaning face shows on one side only.
    `composite`: its shapes are other units' too, so `units_of` never answers with it.
    """

    number: int
    name: str
    plain: str
    region: str
    shapes: Mapping[str, float]
    lean: float = 0.0
    composite: bool = False


@dataclass(frozen=True, slots=True)
class Prototype:
    """The face of a label. `point`: the lexicon's; `breadth`: how far it reaches against its neighbours."""

    name: str
    label: str
    point: VAD
    units: Mapping[int, float]
    breadth: float
    source: str


@cache
def units() -> Mapping[int, Unit]:
    """Every unit that can be shown, by number."""
    return MappingProxyType({entry["number"]: _unit(entry) for entry in read_json("action_units")["units"]})


@cache
def prototypes() -> Mapping[str, Prototype]:
    """Faces of labels, by name; the seven basic emotions come first."""
    table = read_json("action_units")
    return MappingProxyType({one["name"]: _prototype(one, table) for one in table["prototypes"]})


def region_of(shape: str) -> str:
    """The region of REGIONS that an ARKit shape belongs to."""
    starts = {"brow": "brow", "eye": "eye", "cheekSquint": "eye", "nose": "nose"}
    return next((region for start, region in starts.items() if shape.startswith(start)), "mouth")


def of(vad: VAD) -> dict[int, float]:
    """Units of a feeling in (0, 1], empty at NEUTRAL; continuous, full at and beyond a label's point."""
    row = track(np.array([vad.as_tuple()], dtype=np.float32))[0]
    return {number: float(value) for number, value in zip(units(), row, strict=True) if value > 0}


def track(points: Array) -> Array:
    """(n, units) intensities in [0, 1] of points (n, 3) in VAD; columns in the order of `units()`."""
    anchors, breadths, faces = _stage()
    reach = np.linalg.norm(anchors, axis=1)
    radius = np.linalg.norm(points, axis=1, keepdims=True)
    toward = points / np.maximum(radius, 1e-9)
    angle = np.arccos(np.clip(toward @ (anchors / reach[:, None]).T, -1.0, 1.0))
    # A mild feeling (contempt) gives way to a strong one of its direction (rage) beyond its own point.
    past = _FADE * np.maximum(radius / reach - 1.0, 0.0)
    shares = ((angle**2 + past**2) / breadths**2 + 1e-4) ** -SHARPNESS
    shares /= shares.sum(axis=1, keepdims=True)
    shown = shares * np.minimum(radius / reach, 1.0) @ faces
    return np.asarray(np.where(shown < 1e-4, 0.0, np.clip(shown, 0.0, 1.0)), np.float32)


def weights(intensities: Mapping[int, float], lean: float = LEAN) -> Array:
    """(52,) ARKit weights in [0, 1]. `lean` in [-1, 1]: to the person's left, to the right below 0.

    Raises InputError for an unknown unit or an intensity outside [0, 1].
    """
    checked(intensities)
    row = np.array([[intensities.get(number, 0.0) for number in units()]], np.float32)
    return np.asarray(shapes_of(row, lean)[0])


def shapes_of(rows: Array, lean: float = LEAN) -> Array:
    """(n, 52) ARKit weights in [0, 1] of intensities (n, units), columns in the order of `units()`."""
    return np.asarray(np.clip(rows @ basis(lean), 0.0, 1.0), np.float32)


def basis(lean: float = 0.0) -> Array:
    """(units, 52): the weights of each unit at intensity 1."""
    matrix = np.zeros((len(units()), len(SHAPES)), np.float32)
    for row, unit in enumerate(units().values()):
        for shape, weight in unit.shapes.items():
            matrix[row, INDEX[shape]] = weight * _side(shape, unit.lean * lean)
    return matrix


def units_of(shapes: Array) -> dict[int, float]:
    """Units that ARKit weights (52,) show: their least-squares intensities, none below SMALLEST.

    Of two sides the stronger counts. Lips that part (25), a mouth stretched open (27) and sucked lips (28)
    come back as the units they are made of: 10, 16, 26, 23.
    """
    row = measure(np.asarray(shapes, np.float32)[None])[0]
    return {number: float(value) for number, value in zip(units(), row, strict=True) if value >= SMALLEST}


def measure(shapes: Array) -> Array:
    """(n, units) intensities in [0, 1] of ARKit weights (n, 52), columns in the order of `units()`."""
    plain = np.array([not unit.composite for unit in units().values()])
    matrix = _folded(basis()) * plain[:, None]
    target = _folded(np.clip(shapes, 0.0, 1.0))
    gram, wanted = matrix @ matrix.T, target @ matrix.T
    found = np.zeros((len(target), len(matrix)), np.float32)
    for _ in range(_SOLVER_STEPS):  # coordinate descent, kept in bounds
        for index in np.flatnonzero(plain):
            rest = wanted[:, index] - found @ gram[:, index]
            found[:, index] = np.clip(found[:, index] + rest / gram[index, index], 0.0, 1.0)
    return found


def describe(intensities: Mapping[int, float]) -> str:
    """`inner brows up (AU1, strong), lids tight (AU7)`: from the brows down; "at rest" for none."""
    checked(intensities)
    order = sorted(units().values(), key=lambda unit: REGIONS.index(unit.region))
    shown = [(unit, intensities.get(unit.number, 0.0)) for unit in order]
    return ", ".join(_phrase(unit, value) for unit, value in shown if value >= SMALLEST) or "at rest"


def parse(text: str) -> dict[int, float]:
    """`AU4=0.8, 12:0.3, inner brow raiser=.5`: number -> intensity in [0, 1]; without a number it is 1.

    A name is that of FACS or the plain phrase. Raises InputError with the entry and the nearest right one.
    """
    found: dict[int, float] = {}
    for entry in filter(str.strip, _SPLIT.split(text)):
        match = _ENTRY.match(entry)
        if match is None:
            raise InputError(FIELD, entry.strip(), f"cannot read {entry.strip()!r}", "AU4=0.8")
        number = _number(match["unit"])
        if number in found:
            raise InputError(FIELD, entry.strip(), f"AU{number} is given twice")
        found[number] = _intensity(number, match["value"])
    return found


def checked(intensities: Mapping[int, float]) -> Mapping[int, float]:
    """The same; InputError for a unit that is not in `units()` or an intensity outside [0, 1]."""
    for number, value in intensities.items():
        if number not in units():
            raise _unknown(f"AU{number}")
        if not 0.0 <= value <= 1.0:
            near = "1" if value > 1 else "0"
            raise InputError(FIELD, value, f"AU{number} must be in [0, 1], got {value!r}", near)
    return intensities


def distinctness(rows: Sequence[Mapping[int, float]]) -> Array:
    """(n, n) cosines between sets of units: 1 for the same face, 0 for faces with no unit in common."""
    table = np.array([[row.get(number, 0.0) for number in units()] for row in rows], np.float32)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    return np.asarray(table @ table.T)


def _unit(entry: Mapping[str, Any]) -> Unit:
    fields = {key: entry[key] for key in ("number", "name", "plain", "region")}
    composite = entry.get("made_of_others", False)
    return Unit(
        **fields, shapes=_both_sides(entry["shapes"]), lean=entry.get("lean", 0.0), composite=composite
    )


def _prototype(entry: Mapping[str, Any], table: Mapping[str, Any]) -> Prototype:
    intensities = {int(number): float(value) for number, value in entry["units"].items()}
    source = "; ".join(table["sources"][key] for key in entry["source"])
    point = lexicon().lookup(entry["label"]).vad
    shown = MappingProxyType(checked(intensities))
    return Prototype(entry["name"], entry["label"], point, shown, entry["breadth"], source)


def _both_sides(shapes: Mapping[str, float]) -> Mapping[str, float]:
    sides = {
        name: weight
        for shape, weight in shapes.items()
        for name in ([shape[:-1] + side for side in ("Left", "Right")] if shape.endswith("X") else [shape])
    }
    return MappingProxyType(sides)


def _side(shape: str, lean: float) -> float:
    """How much of a weight is left where the face leans by `lean` to its left."""
    if shape.endswith("Left"):
        return min(1.0, 1.0 + lean)
    return min(1.0, 1.0 - lean) if shape.endswith("Right") else 1.0


@cache
def _stage() -> tuple[Array, Array, Array]:
    """Points (n, 3), breadths (n,) and faces (n, units) of the prototypes."""
    every = tuple(prototypes().values())
    points = np.array([one.point.as_tuple() for one in every], np.float32)
    breadths = np.array([one.breadth for one in every], np.float32)
    faces = np.array([[one.units.get(number, 0.0) for number in units()] for one in every], np.float32)
    return points, breadths, faces


def _folded(shapes: Array) -> Array:
    """Left and right as one: the larger of both, in both columns."""
    other = [INDEX[_mirrored(name)] for name in SHAPES]
    return np.maximum(shapes, shapes[:, other])


def _mirrored(shape: str) -> str:
    if shape.endswith("Left"):
        return shape.removesuffix("Left") + "Right"
    return shape.removesuffix("Right") + "Left" if shape.endswith("Right") else shape


def _phrase(unit: Unit, value: float) -> str:
    degree = next(word for least, word in _DEGREES if value >= least)
    return f"{unit.plain} (AU{unit.number}{f', {degree}' if degree else ''})"


def _number(written: str) -> int:
    """`AU4`, `4`, `brow lowerer` or `brows drawn down`."""
    key = " ".join(written.casefold().replace("_", " ").split())
    digits = re.fullmatch(r"(?:au)?\s*0*(\d+)", key)
    if digits and int(digits[1]) in units():
        return int(digits[1])
    names = {word: unit.number for unit in units().values() for word in (unit.name, unit.plain)}
    if key not in names:
        raise _unknown(written.strip())
    return names[key]


def _unknown(written: str) -> InputError:
    digits = re.search(r"\d+", written)
    if digits:
        near: str | None = f"AU{min(units(), key=lambda number: abs(number - int(digits[0])))}"
    else:
        near = nearest(written, [word for unit in units().values() for word in (unit.name, unit.plain)])
    return InputError(FIELD, written, f"unknown action unit {written!r}", near)


def _intensity(number: int, written: str | None) -> float:
    try:
        value = 1.0 if written is None else float(written)
    except ValueError:
        why = f"AU{number} needs a number in [0, 1], got {written!r}"
        raise InputError(FIELD, written, why, "1") from None
    checked({number: value})
    return value
