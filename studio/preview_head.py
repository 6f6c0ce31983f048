"""A small head that shows a motion: about 1,000 vertices with the 52 ARKit shapes, eyes apart.

For glTF files and for previews. The face is MediaPipe's mean face (see studio.face_mesh); how shapes move it
are rules of our own (studio._head_shapes). Knows no file format and draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from studio._head_parts import EYE_CM, LIP, SKIN, Part, eyeball, parts
from studio._head_points import LIPS, Floats, Index, skin
from studio._head_shapes import displacements, rest_face
from studio.face_mesh import LOWER_LIP_OUTER, UPPER_LIP_OUTER, mean_face
from studio.motion import Array

CM = 0.01
# What Motion measures the place of the head in: from one outer corner of the eyes to the other, in m.
UNIT_M = float(np.linalg.norm(mean_face()[33] - mean_face()[263])) * CM
PIVOT_M = np.array([0.0, -0.07, -0.035])  # in the neck; the head turns about it


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """`vertices` (n, 3) m, x to the person's left, y up, z towards the camera; `normals` (n, 3) of length 1;
    `colours` (n, 3) sRGB in [0, 1]; `triangles` (t, 3); `moves` (52, n, 3) m that each ARKit shape adds."""

    vertices: Array
    normals: Array
    colours: Array
    triangles: Index
    moves: Array
    layers: Index  # (t,) for painters without a depth buffer: later ones hide earlier ones

    def posed(self, weights: Array) -> Array:
        """(n, 3) under weights (52,)."""
        return np.asarray(self.vertices + np.tensordot(weights, self.moves, 1), dtype=np.float32)


@lru_cache(maxsize=1)
def head() -> Shape:
    """All but the eyes."""
    face = Part(rest_face(), skin(), _face_colours(), displacements())
    return _joined([face, *parts()])


@lru_cache(maxsize=1)
def eye() -> Shape:
    """One eye about its own centre, looking along +z."""
    return _joined([eyeball()])


def eye_centres_m() -> tuple[Array, Array]:
    """Of the left and the right eye, from the head's origin."""
    left = np.asarray(EYE_CM * CM, dtype=np.float32)
    return left, left * np.array([-1, 1, 1], np.float32)


def _face_colours() -> Floats:
    colours = np.tile(np.array(SKIN), (len(rest_face()), 1))
    colours[list({*LIPS, *UPPER_LIP_OUTER, *LOWER_LIP_OUTER, *_LEFT_LIPS})] = LIP
    return colours


_LEFT_LIPS = (291, 308, 409, 270, 269, 267, 415, 310, 311, 312, 375, 321, 405, 314, 324, 318, 402, 317)


def _joined(several: list[Part]) -> Shape:
    starts = np.cumsum([0, *(len(part.vertices) for part in several[:-1])])
    triangles = np.concatenate([part.triangles + start for part, start in zip(several, starts, strict=True)])
    vertices = np.concatenate([part.vertices for part in several])
    arrays = (
        vertices * CM,
        _normals(vertices, triangles),
        np.concatenate([part.colours for part in several]),
        np.concatenate([part.moves for part in several], axis=1) * CM,
    )
    place, normals, colours, moves = (np.asarray(one, dtype=np.float32) for one in arrays)
    layers = np.concatenate([np.full(len(part.triangles), part.layer) for part in several])
    for array in (place, normals, colours, moves, triangles, layers):
        array.setflags(write=False)
    return Shape(place, normals, colours, triangles, moves, layers)


def _normals(vertices: Floats, triangles: Index) -> Floats:
    """Of each vertex the mean of its triangles', the larger ones counting more."""
    corners = vertices[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    found = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(found, triangles[:, corner], normal)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.where(length > 1e-12, found / np.maximum(length, 1e-12), [0.0, 0.0, 1.0])
