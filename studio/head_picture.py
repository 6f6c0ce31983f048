"""The preview head under a motion as pictures: flat-shaded triangles, drawn back to front.

For galleries and previews; some 50 ms a picture. Knows the preview head; knows no photograph and no video.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from studio._head_parts import CAVITY
from studio._head_points import Index
from studio.motion import Array, Motion
from studio.preview_head import PIVOT_M, UNIT_M, eye, eye_centres_m, head

PAPER = (236, 239, 242)
INK = (40, 44, 52)
_LIGHT = np.array([0.30, 0.45, 0.84])
_CENTRE_M, _TALL_M = np.array([0.0, -0.012, 0.0]), 0.27  # what a picture shows


def picture(motion: Motion, frame: int, size_px: int = 320) -> Image.Image:
    """RGB, square: one frame seen from the front. Raises IndexError for a frame that there is not."""
    vertices, triangles, colours, layers = _posed(motion, frame)
    size = size_px * 2  # drawn twice as large and scaled down: edges without steps
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    shade = 0.34 + 0.72 * np.clip(normals @ _LIGHT, 0, 1)
    fills = np.clip(colours[triangles].mean(axis=1) * shade[:, None] * 255, 0, 255).astype(int)
    flat = size / 2 + (corners[:, :, :2] - _CENTRE_M[:2]) * [1, -1] * size / _TALL_M
    image = Image.new("RGB", (size, size), PAPER)
    draw = ImageDraw.Draw(image)
    for at in np.lexsort((corners[:, :, 2].sum(axis=1), layers)):
        if normals[at, 2] > 0 or layers[at] == CAVITY:  # the mouth shows its back wherever it is seen
            draw.polygon([tuple(spot) for spot in flat[at].tolist()], fill=tuple(fills[at].tolist()))
    return image.resize((size_px, size_px), Image.Resampling.BOX)


def strip(motion: Motion, count: int = 8, size_px: int = 200) -> Image.Image:
    """`count` frames evenly over the motion, side by side, each with its time."""
    frames = np.unique(np.linspace(0, len(motion) - 1, count).round().astype(int))
    times = [float(at) / motion.rate_hz for at in frames]
    return _beside([picture(motion, int(at), size_px) for at in frames], times)


def _beside(pictures: Sequence[Image.Image], times_s: Sequence[float]) -> Image.Image:
    width, height = pictures[0].size
    whole = Image.new("RGB", (width * len(pictures), height), PAPER)
    draw = ImageDraw.Draw(whole)
    for index, (one, time_s) in enumerate(zip(pictures, times_s, strict=True)):
        whole.paste(one, (index * width, 0))
        draw.text((index * width + 6, 4), f"{time_s:.2f} s", fill=INK)
    return whole


def _posed(motion: Motion, frame: int) -> tuple[Array, Index, Array, Index]:
    """Vertices in m after shapes, gaze and turn of the head; triangles, colours, layers."""
    weights, turn, gaze = motion.weights[frame], motion.head[frame], motion.gaze[frame]
    look = _turn(gaze[1], gaze[0], 0.0)
    spots = [head().posed(weights), *(eye().vertices @ look.T + centre for centre in eye_centres_m())]
    vertices = (np.concatenate(spots) - PIVOT_M) @ _turn(*turn[:3]).T + PIVOT_M + turn[3:] * UNIT_M
    starts = (0, len(spots[0]), len(spots[0]) + len(spots[1]))
    shapes = (head(), eye(), eye())
    triangles = [shape.triangles + start for shape, start in zip(shapes, starts, strict=True)]
    colours = np.concatenate([shape.colours for shape in shapes])
    layers = np.concatenate([shape.layers for shape in shapes])
    return vertices, np.concatenate(triangles), colours, layers


def _turn(pitch_deg: float, yaw_deg: float, roll_deg: float) -> Array:
    """(3, 3) up, to the person's left and towards the left shoulder, as Motion counts them."""
    x, y, z = np.radians([-pitch_deg, yaw_deg, -roll_deg])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)
