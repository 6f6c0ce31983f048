"""How a finished picture looks as another medium: pencil on paper, oil on canvas. Knows pixels only."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from training.synthesis.portrait_brush import Brush, Colour, curve
from training.synthesis.portrait_skin import blotches

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]


def pencilled(picture: Pixels, paper: Colour, lead: Colour, wash: float, seed: int) -> Pixels:
    """(S, S, 3): hatching for the darks, lines at the edges, a thin wash of the picture's own colours."""
    size = picture.shape[0]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    tone = cv2.GaussianBlur(grey, (0, 0), 2.0)
    brush = Brush(size)
    tint = np.array(paper, np.float32) + (picture.astype(np.float32) - 255) * wash
    tint += blotches(size, seed, 3.0)[..., None] * 1.3
    brush.image(_opaque(tint))
    for below, angle, gap in ((0.70, 48.0, 5.0), (0.50, 40.0, 4.2), (0.34, -35.0, 4.4), (0.20, 80.0, 3.6)):
        _hatch(brush, tone, below, angle, gap, lead, seed + round(below * 100))
    pixels = brush.pixels().astype(np.float32)
    lines = _edges(grey)[..., None]
    return np.rint(np.clip(pixels * (1 - lines) + np.array(lead) * lines, 0, 255)).astype(np.uint8)


def _edges(grey: Floats) -> Floats:
    """0..1: dark lines where the picture is darker than around (difference of Gaussians)."""
    near, far = cv2.GaussianBlur(grey, (0, 0), 0.9), cv2.GaussianBlur(grey, (0, 0), 2.6)
    return np.asarray(np.clip((far - near - 0.012) * 9, 0, 0.92), np.float32)


def _hatch(
    brush: Brush, tone: Floats, below: float, angle: float, gap: float, lead: Colour, seed: int
) -> None:
    """Parallel strokes wherever the tone is darker than `below`, lifted where it is lighter."""
    size, noise = tone.shape[0], np.random.default_rng(seed)
    way = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    side, middle = np.array([-way[1], way[0]]), np.array([size / 2, size / 2])
    along = np.arange(-size * 0.75, size * 0.75, 4.0)
    for offset in np.arange(-size * 0.72, size * 0.72, gap):
        wobble = np.cumsum(noise.normal(0, 0.12, len(along)))
        line = middle + along[:, None] * way + (offset + noise.normal(0, 0.5) + wobble)[:, None] * side
        inside = ((line >= 0) & (line < size - 1)).all(axis=1)
        where = np.clip(line, 0, size - 1).astype(int)
        dark = inside & (tone[where[:, 1], where[:, 0]] + noise.normal(0, 0.012, len(along)) < below)
        for start, end in _runs(dark):
            weight = 0.3 + 0.45 * noise.random()
            brush.stroke(line[start:end], (0.5, 1.15, 1.0, 0.4), lead, weight)


def _runs(flags: npt.NDArray[np.bool_], least: int = 3, most: int = 26) -> list[tuple[int, int]]:
    """(start, end) of stretches that hold; long ones are broken, as a hand lifts the pencil."""
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(int)))
    found = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        found += [
            (at, min(at + most, end)) for at in range(start, end, most) if min(at + most, end) - at >= least
        ]
    return found


def oiled(picture: Pixels, keep: Floats, seed: int, sizes: tuple[float, ...] = (15.0, 8.0, 5.0)) -> Pixels:
    """(S, S, 3): strokes of the picture's colours along its edges, coarse to fine (Hertzmann 1998).

    `keep` (S, S) in 0..1: where the picture itself shows through, so that features stay exact.
    """
    size, noise = picture.shape[0], np.random.default_rng(seed)
    brush = Brush(size, over=1)
    brush.image(_opaque(cv2.GaussianBlur(picture, (0, 0), 6)))
    for width in sizes:
        soft = cv2.GaussianBlur(picture, (0, 0), width * 0.35)
        turn = _directions(soft, width)
        spacing = width * 0.62
        at = np.arange(spacing / 2, size, spacing)
        grid = (
            np.stack(np.meshgrid(at, at), -1).reshape(-1, 2)
            + noise.uniform(-0.5, 0.5, (len(at) ** 2, 2)) * spacing
        )
        for x, y in grid[noise.permutation(len(grid))]:
            row, column = min(int(max(y, 0)), size - 1), min(int(max(x, 0)), size - 1)
            way = turn[row, column] * width * noise.uniform(0.9, 1.7)
            colour = soft[row, column].astype(float) * noise.normal(1.0, 0.014)
            paint = tuple(int(np.clip(value, 0, 255)) for value in colour)
            brush.line(
                curve([(x - way[0], y - way[1]), (x, y), (x + way[0], y + way[1])]), paint, width * 0.72, 0.85
            )
    strokes, share = brush.pixels().astype(np.float32), keep[..., None]
    mixed = strokes * (1 - share) + picture * share
    return (np.rint(mixed / 2) * 2).clip(0, 254).astype(np.uint8)  # even values: a fifth smaller as a file


def _directions(picture: Pixels, width: float) -> Floats:
    """(S, S, 2) unit vectors along the edges (structure tensor)."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    xx, yy, xy = (cv2.GaussianBlur(part, (0, 0), width * 0.8) for part in (dx * dx, dy * dy, dx * dy))
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def spots(size: int, places: Floats, radius: float) -> Floats:
    """(S, S) in 0..1: near any of the places."""
    mask = np.zeros((size, size), np.float32)
    for x, y in places:
        cv2.circle(mask, (int(x), int(y)), int(radius), 1.0, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), radius * 0.35))


def _opaque(colours: Floats) -> Pixels:
    rgba = np.full((*colours.shape[:2], 4), 255, np.uint8)
    rgba[..., :3] = np.rint(np.clip(colours, 0, 255))
    return rgba
