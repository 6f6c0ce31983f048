"""What Wan-Animate is shown of a performance: a stick figure of head and shoulders, and where the face is.

Joints, limbs, colours and widths are those of the drawings that the model learnt from, and so is the box
around the face: Wan2.2's preparation of driving videos, wan/modules/animate/preprocess in its repository
(Apache-2.0). Key points are COCO's, here from landmarks; left and right are the person's own. Knows landmarks
and pixels, no model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from pipelines.portrait._face_crop import Pixels
from pipelines.portrait._face_points import CHIN, FOREHEAD, NOSE_TIP, OVAL, SIDES, Array
from studio.lazy import lazy

cv2 = lazy("cv2")

Colour = tuple[int, int, int]

# Colours are red, green, blue. Arms, legs and hands are outside a portrait and are left out, as the model's
# own preparation leaves out what it does not see.
JOINTS: dict[str, Colour] = {
    "nose": (255, 0, 0),
    "neck": (255, 85, 0),
    "shoulderRight": (255, 170, 0),
    "shoulderLeft": (85, 255, 0),
    "eyeRight": (170, 0, 255),
    "eyeLeft": (255, 0, 255),
    "earRight": (255, 0, 170),
    "earLeft": (255, 0, 85),
}
LIMBS: tuple[tuple[str, str, Colour], ...] = (
    ("neck", "shoulderRight", (255, 0, 0)),
    ("neck", "shoulderLeft", (255, 85, 0)),
    ("neck", "nose", (0, 0, 255)),
    ("nose", "eyeRight", (85, 0, 255)),
    ("eyeRight", "earRight", (170, 0, 255)),
    ("nose", "eyeLeft", (255, 0, 255)),
    ("eyeLeft", "earLeft", (255, 0, 170)),
)
_LIMB_LIGHT = 0.6  # limbs are darker than joints
_THIN_PX = 200  # a stick of one pixel, less one, for so many of the shorter side

_CHEEKS = {"Right": 234, "Left": 454}  # landmarks before the ears
_EAR_OUT = 0.06  # of the face's width, from there to the ear
# Shoulders from the face, of an upright adult; no landmark tells where they are.
_SHOULDER_WIDE, _SHOULDER_LOW = (
    1.2,
    0.55,
)  # face widths from the middle, forehead-to-chin heights below the chin

_JAW = OVAL[OVAL.index(454) : OVAL.index(234) + 1]  # from ear to ear
_BROWS = tuple(point for side in SIDES for point in side.brow_top)
_BOX_GROWS = 1.3  # in area


def joints(still: Array, points: Array) -> dict[str, Array]:
    """Name -> (2,) px of the joints of a frame.

    `still`: (478, 2 or 3) px of the landmarks at rest, of which the body takes its place, as it does not turn
    with the head; `points`: (478, 2) px of those of the frame.
    """
    found = {"nose": points[NOSE_TIP, :2], **shoulders(still)}
    out = points[_CHEEKS["Left"], :2] - points[_CHEEKS["Right"], :2]
    for side in SIDES:
        eye = [side.upper[0], side.upper[-1]]  # its corners
        found[f"eye{side.name}"] = points[eye, :2].mean(axis=0)
        found[f"ear{side.name}"] = points[_CHEEKS[side.name], :2] + side.sign * _EAR_OUT * out
    return {name: np.asarray(place, dtype=np.float32) for name, place in found.items()}


def shoulders(still: Array) -> dict[str, Array]:
    """Name -> (2,) px of both shoulders and of the neck, which is the middle between them."""
    across = still[_CHEEKS["Left"], :2] - still[_CHEEKS["Right"], :2]
    down = still[CHIN, :2] - still[FOREHEAD, :2]
    middle = still[CHIN, :2] + _SHOULDER_LOW * down
    sides = {f"shoulder{side.name}": middle + side.sign * _SHOULDER_WIDE * across for side in SIDES}
    return {"neck": middle, **sides}


def drawing(places: Mapping[str, Array], size_px: int) -> Pixels:
    """(size, size, 3) uint8: the stick figure on black. What lies outside the frame is left out."""
    canvas = np.zeros((size_px, size_px, 3), np.uint8)
    seen = {name: place for name, place in places.items() if _inside(place, size_px)}
    width = max(size_px // _THIN_PX - 1, 1)
    for start, end, colour in LIMBS:
        if start in seen and end in seen:
            dark = tuple(int(_LIMB_LIGHT * part) for part in colour)
            _limb(canvas, seen[start], seen[end], dark, width)
    for name, place in seen.items():
        cv2.circle(canvas, _whole(place), width, JOINTS[name], cv2.FILLED)
    return canvas


def face_box(points: Array, size_px: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) px around brows and jaw, cut where the frame ends, never empty.

    A box of 1.3 times their area with their proportions, of which three quarters of the growth in height are
    above the brows.
    """
    around = points[[*_JAW, *_BROWS], :2].astype(np.float64)
    low, high = around.min(axis=0), around.max(axis=0)
    grown = (math.sqrt(_BOX_GROWS) - 1) * (high - low)
    start = low - grown * (0.5, 0.75)
    stop = high + grown * (0.5, 0.25)
    left, top = np.clip(start, 0, size_px - 2).astype(int)
    right, bottom = np.clip(stop, (left + 2, top + 2), size_px).astype(int)
    return int(left), int(top), int(right), int(bottom)


def face_of(frame: Pixels, points: Array, size_px: int) -> Pixels:
    """(size, size, 3) uint8: the face of a square frame, stretched to a square as the model learnt it."""
    left, top, right, bottom = face_box(points, len(frame))
    face = np.ascontiguousarray(frame[top:bottom, left:right])
    shrinks = min(face.shape[:2]) > size_px
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(face, (size_px, size_px), interpolation=way))


def _limb(canvas: Pixels, start: Array, end: Array, colour: tuple[int, ...], width: int) -> None:
    """An ellipse from joint to joint."""
    across, down = (float(part) for part in end - start)
    angle = round(math.degrees(math.atan2(down, across)))
    axes = (int(math.hypot(across, down) / 2), width)
    cv2.ellipse(canvas, _whole((start + end) / 2), axes, angle, 0, 360, colour, cv2.FILLED)


def _inside(place: Array, size_px: int) -> bool:
    return bool((place >= 0).all() and (place < size_px).all())


def _whole(place: Array) -> tuple[int, int]:
    return int(place[0]), int(place[1])
