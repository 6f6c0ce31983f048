"""What the preview head has besides the skin of its face: brows, skull and neck, mouth, teeth, tongue, eyes.

Every part says how each of the 52 shapes moves it. Simple on purpose: it shows a motion, it is no portrait.
Everything in cm, as in studio._head_points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from studio._head_jaw import JAW_DEG, turned_jaw
from studio._head_points import Floats, Index
from studio._head_shapes import displacements, rest_face
from studio.face_mesh import LEFT_EYE, LOWER_LIP_INNER, OVAL, RIGHT_EYE, UPPER_LIP_INNER
from studio.motion import INDEX, SHAPES

Colour = tuple[float, float, float]
SKIN, LIP, BROW, HAIR = (0.87, 0.69, 0.59), (0.73, 0.42, 0.40), (0.24, 0.17, 0.13), (0.22, 0.16, 0.13)
GUM, TOOTH, TONGUE, THROAT = (0.62, 0.30, 0.30), (0.93, 0.91, 0.86), (0.75, 0.38, 0.38), (0.16, 0.05, 0.05)
WHITE, IRIS, PUPIL = (0.94, 0.94, 0.93), (0.25, 0.42, 0.50), (0.03, 0.03, 0.03)

EYE_CM = np.array([3.1, 2.62, 2.28])  # where the left eye turns about; the right one's x is the opposite
EYE_RADIUS_CM = 1.45
_LIP_LOOP = (*UPPER_LIP_INNER, *LOWER_LIP_INNER[-2:0:-1])
_UPPER_COUNT = len(UPPER_LIP_INNER)


# For painters without a depth buffer: what is in a later layer hides what is in an earlier one.
BELOW, CAVITY, BITE, EYE, OUTSIDE = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """`vertices` (n, 3), `triangles` (t, 3) counter-clockwise from outside, `colours` (n, 3) sRGB in [0, 1],
    `moves` (52, n, 3) what each shape at 1 adds."""

    vertices: Floats
    triangles: Index
    colours: Floats
    moves: Floats
    layer: int = OUTSIDE


def parts() -> list[Part]:
    """Everything but the face's skin and the eyes."""
    brows = [_brow(eye.brow_top, eye.brow_bottom) for eye in (RIGHT_EYE, LEFT_EYE)]
    return [*brows, _skull(), _neck(), _cavity(), *_teeth(), _tongue()]


def eyeball() -> Part:
    """An eye about its own centre that looks along +z; no shape moves it."""
    # the angle from the line of sight; where the colour changes there are two rings
    rings: list[tuple[float, Colour]] = [(0, PUPIL), (9.9, PUPIL), (10, IRIS), (22, IRIS)]
    rings += [(degrees, WHITE) for degrees in (22.5, 40, 65, 95, 130, 180)]
    around = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    spots = [
        [
            np.sin(np.radians(at)) * np.cos(angle),
            np.sin(np.radians(at)) * np.sin(angle),
            np.cos(np.radians(at)),
        ]
        for at, _ in rings
        for angle in around
    ]
    vertices = np.array(spots) * EYE_RADIUS_CM
    colours = np.repeat([colour for _, colour in rings], len(around), axis=0)
    triangles = _outward(_bands(len(rings), len(around), True), vertices, np.zeros(3))
    return Part(vertices, triangles, np.array(colours), np.zeros((len(SHAPES), len(vertices), 3)), EYE)


def _brow(top: Sequence[int], bottom: Sequence[int]) -> Part:
    """A strip above the skin between the two rows of brow points, narrow at its ends."""
    rest, moves = rest_face(), displacements()
    share = np.array([0.42, 0.3, 0.24, 0.24, 0.34])[:, None]
    upper, lower = rest[list(top)], rest[list(bottom)]
    vertices = np.concatenate([upper * (1 - share) + lower * share, upper * share + lower * (1 - share)])
    vertices += np.array([0, 0, 0.14])
    above, below = moves[:, list(top)], moves[:, list(bottom)]
    moved = np.concatenate([above * (1 - share) + below * share, above * share + below * (1 - share)], axis=1)
    triangles = _outward(_bands(2, len(top), False), vertices, np.array([0, 4.0, -5.0]))
    return Part(vertices, triangles, _plain(BROW, vertices), moved)


def _skull() -> Part:
    """From the oval of the face around to the back of the head; its upper half is hair."""
    centre, radii, pole = np.array([0, 0.3, -3.4]), np.array([8.1, 10.6, 8.8]), np.array([0, 0.1, -1.0])
    oval, moves = rest_face()[list(OVAL)], displacements()[:, list(OVAL)]
    start = (oval - centre) / radii
    length = np.linalg.norm(start, axis=1, keepdims=True)
    shares = (0.0, 0.08, 0.25, 0.45, 0.65, 0.85, 1.0)
    rings = []
    for share in shares:
        ring = _between(start / length, pole, share) * (length + (1.02 - length) * min(1, share * 3))
        ring[:, 1] *= np.where(ring[:, 1] < 0, 1 - 0.42 * np.sin(np.pi * min(share, 0.5)), 1)
        rings.append(centre + ring * radii)
    vertices = np.concatenate(rings)
    is_hair = (vertices[:, 1] > 0.6 - 0.25 * vertices[:, 2]) & (np.arange(len(vertices)) >= len(OVAL))
    colours = np.where(is_hair[:, None], HAIR, SKIN)
    moved = np.concatenate([moves * max(0.0, 1 - 2.2 * share) for share in shares], axis=1)
    return Part(vertices, _outward(_bands(len(shares), len(OVAL), True), vertices, centre), colours, moved)


def _neck() -> Part:
    around = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    rows = ((-5.0, 1.0), (-9.0, 0.98), (-13.5, 1.12))
    spots = [
        [4.9 * wide * np.sin(at), high, -3.2 + 5.0 * wide * np.cos(at)]
        for high, wide in rows
        for at in around
    ]
    vertices = np.array(spots)
    triangles = _outward(_bands(len(rows), len(around), True), vertices, np.array([0, -9.0, -3.2]))
    still = np.zeros((len(SHAPES), *vertices.shape))
    return Part(vertices, triangles, _plain(SKIN, vertices), still, BELOW)


def _cavity() -> Part:
    """A pocket behind the lips: its rim goes with them, its floor with the jaw."""
    loop = list(_LIP_LOOP)
    rim, moves = rest_face()[loop], displacements()[:, loop]
    lower = np.arange(len(loop)) >= _UPPER_COUNT
    rings, moved, dark = [rim - [0, 0, 0.06]], [moves], [1.0]
    for back, tall, wide in ((0.9, 0.7, 0.95), (2.6, 1.1, 0.8), (4.2, 0.5, 0.4), (4.3, 0.0, 0.0)):
        ring = rim * [wide, 1, 1] - [0, 0, back]
        ring[:, 1] = -4.3 + np.where(lower, -tall, tall * 0.8)
        rings.append(ring)
        drawn = moves * _not_the_jaw() * max(0.0, 0.6 - back / 2)
        moved.append(_with_jaw(ring, lower * np.float64(0.9)) + drawn)
        dark.append(max(0.25, 1 - back / 4))
    vertices = np.concatenate(rings)
    triangles = _outward(_bands(len(rings), len(loop), True), vertices, np.array([0, -4.3, 2.6]))[:, ::-1]
    colours = np.repeat(np.outer(dark, THROAT), len(loop), axis=0)
    return Part(vertices, triangles, colours, np.concatenate(moved, axis=1), CAVITY)


def _teeth() -> list[Part]:
    """Two bows of teeth with gums; the lower one goes with the jaw."""
    across = np.linspace(-2.05, 2.05, 15)
    found = []
    for heights, front, share in (((-4.5, -3.65, -3.1), 4.95, 0.0), ((-4.46, -5.25, -5.8), 4.75, 1.0)):
        rows = [
            np.stack([across, np.full_like(across, high), front - back - 0.4 * across**2], axis=1)
            for high, back in zip(heights, (0.0, 0.0, 0.25), strict=True)
        ]
        vertices = np.concatenate(rows)
        triangles = _outward(_bands(3, len(across), False), vertices, np.array([0, -4.5, 0.0]))
        # seen between its neighbours a tooth is a little lighter in its middle
        shade = np.where(np.arange(len(across)) % 2, 1.0, 0.9)[:, None]
        colours = np.concatenate([TOOTH * shade, TOOTH * shade, np.tile(GUM, (len(across), 1))])
        moves = _with_jaw(vertices, np.full(len(vertices), share))
        found.append(Part(vertices, triangles, colours, moves, BITE))
    return found


def _tongue() -> Part:
    around, along = np.linspace(0, 2 * np.pi, 12, endpoint=False), np.linspace(0.05, np.pi - 0.05, 7)
    spots = [[np.sin(b) * np.cos(a), np.sin(b) * np.sin(a), np.cos(b)] for b in along for a in around]
    vertices = np.array(spots) * [1.35, 0.4, 2.0] + [0, -5.15, 2.4]
    moves = _with_jaw(vertices, np.full(len(vertices), 0.92))
    tip = np.clip((vertices[:, 2] - 1.5) / 2.5, 0, 1)[:, None]
    moves[INDEX["tongueOut"]] = tip * [0, 0.35, 3.4] + tip**3 * [0, -0.9, 0]
    triangles = _outward(_bands(len(along), len(around), True), vertices, np.array([0, -5.15, 2.4]))
    return Part(vertices, triangles, _plain(TONGUE, vertices), moves)


def _with_jaw(vertices: Floats, share: Floats) -> Floats:
    """(52, n, 3) of what goes with the jaw by a share of each vertex."""
    moves = np.zeros((len(SHAPES), len(vertices), 3))
    goes: dict[str, Callable[[Floats], Floats]] = {
        "jawOpen": lambda spots: turned_jaw(spots, JAW_DEG) - spots,
        "jawForward": lambda spots: np.broadcast_to([0, 0, 0.8], spots.shape),
        "jawLeft": lambda spots: np.broadcast_to([0.8, 0, 0], spots.shape),
        "jawRight": lambda spots: np.broadcast_to([-0.8, 0, 0], spots.shape),
    }
    for name, go in goes.items():
        moves[INDEX[name]] = go(vertices) * np.asarray(share)[:, None]
    return moves


def _not_the_jaw() -> Floats:
    """(52, 1, 1) 0 where a shape is the jaw's, else 1."""
    return np.array([0.0 if name.startswith("jaw") else 1.0 for name in SHAPES])[:, None, None]


def _plain(colour: Colour, vertices: Floats) -> Floats:
    return np.tile(np.array(colour), (len(vertices), 1))


def _between(directions: Floats, pole: Floats, share: float) -> Floats:
    """Directions turned a share of their way to the pole."""
    pole = pole / np.linalg.norm(pole)
    angle = np.arccos(np.clip(directions @ pole, -1, 1))[:, None]
    return np.asarray(
        (np.sin((1 - share) * angle) * directions + np.sin(share * angle) * pole) / np.sin(angle)
    )


def _bands(rows: int, columns: int, closed: bool) -> Index:
    """Two triangles for each cell of a grid; `closed`: the last column meets the first."""
    found = []
    for row in range(rows - 1):
        for column in range(columns if closed else columns - 1):
            a, b = row * columns + column, row * columns + (column + 1) % columns
            found += [(a, b, b + columns), (a, b + columns, a + columns)]
    return np.array(found)


def _outward(triangles: Index, vertices: Floats, inside: Floats) -> Index:
    """Each triangle turned so that it faces away from a point inside; those without area left out."""
    corners = vertices[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    wrong = (normal * (corners.mean(axis=1) - inside)).sum(axis=1) < 0
    turned = np.where(wrong[:, None], triangles[:, ::-1], triangles)
    return np.asarray(turned[np.linalg.norm(normal, axis=1) > 1e-9])
