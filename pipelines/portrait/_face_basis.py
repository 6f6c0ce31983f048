"""The displacement of every landmark of one face by every ARKit shape, in the face's own units."""

from __future__ import annotations

import numpy as np

from pipelines.portrait import _face_basis_eyes as eyes
from pipelines.portrait import _face_basis_mouth as mouth
from pipelines.portrait._face_points import Array
from pipelines.portrait._face_shapes import Marks


def basis(points: Array, reach: Array) -> Array:
    """(shapes as in `_face_shapes.NAMES`, n, 2) displacements of points (n, 2), landmarks first.

    `reach` (n,) says how much of the skin's motion a point takes part in: 1 in the face, less around it.
    """
    face = Marks(points, reach)
    mouth.fill(face)
    eyes.fill(face)
    return face.out.astype(np.float32)
