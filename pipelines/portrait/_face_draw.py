"""Small helpers for drawing with skia: smooth paths, sprites, and where a sprite goes."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.portrait._face_crop import Pixels
from pipelines.portrait._face_points import Array
from studio.lazy import lazy

skia = lazy("skia")


def image_of(rgba: Pixels, copy: bool = True) -> Any:
    """A skia image of (h, w, 4) premultiplied pixels; without a copy they must outlive it."""
    return skia.Image.fromarray(
        np.ascontiguousarray(rgba),
        colorType=skia.kRGBA_8888_ColorType,
        alphaType=skia.kPremul_AlphaType,
        copy=copy,
    )


def path_of(points: Array, closed: bool) -> Any:
    """A Catmull-Rom curve through points (n, 2)."""
    dots = points.astype(float)
    ring = np.vstack([dots[-1:], dots, dots[:2]]) if closed else np.vstack([dots[:1], dots, dots[-1:]])
    first = ring[1:-2] + (ring[2:-1] - ring[:-3]) / 6
    second = ring[2:-1] - (ring[3:] - ring[1:-2]) / 6
    curves = np.hstack([first, second, ring[2:-1]]).tolist()
    path = skia.Path()
    path.moveTo(*ring[1].tolist())
    for curve in curves:
        path.cubicTo(*curve)
    if closed:
        path.close()
    return path


def place(plane: Array, source: Array, target: Array, corner: Array, fine: int) -> Any:
    """The matrix of a sprite whose px (0, 0) lies at `corner` of the picture at rest.

    What lies at `source` px of the picture goes to `target`, with the (2, 2) map `plane` about it.
    """
    scale = plane / fine
    shift = target - plane @ (source - corner) + 0.5
    shift = shift - plane @ np.array([0.5, 0.5])
    return skia.Matrix.MakeAll(
        float(scale[0, 0]), float(scale[0, 1]), float(shift[0]),
        float(scale[1, 0]), float(scale[1, 1]), float(shift[1]),
        0.0, 0.0, 1.0,
    )  # fmt: skip
