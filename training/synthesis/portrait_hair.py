"""Hair: curtains of strands between two guide lines, and short tufts over an area. Knows no head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import skia

from training.synthesis.portrait_brush import Brush, Colour, Points, mix, sampled

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Hair:
    """`dark` in the depth, `base`, `light` where it shines; `strands` per curtain, 0 for plain shapes."""

    dark: Colour
    base: Colour
    light: Colour
    strands: int = 220
    width_px: float = 2.6
    sheen: tuple[float, float] = (0.12, 0.42)  # between which shares of the length it shines
    point: float = 0.0  # 1: the ends of a curtain meet in a point, 0: they are cut


def between(one: Points, two: Points) -> skia.Path:
    first, second = sampled(one, 40), sampled(two, 40)
    path = skia.Path()
    path.addPoly([skia.Point(float(x), float(y)) for x, y in np.vstack([first, second[::-1]])], True)
    return path


def curtain(
    brush: Brush,
    inner: Points,
    outer: Points,
    hair: Hair,
    seed: int,
    shade: float = 0.0,
    blur_px: float = 0.0,
) -> None:
    """Hair from the roots (first points of both guides) to the tips. `shade`: 0 lit .. 1 in the dark."""
    one, two = _pointed(sampled(inner, 40), sampled(outer, 40), hair.point)
    ground = mix(mix(hair.base, hair.dark, 0.45), hair.dark, shade)
    brush.fill(between(one, two), ground, 1.0, blur_px)
    noise = np.random.default_rng(seed)
    for _ in range(hair.strands):
        share, drift = noise.random(), noise.normal(0, 0.05)
        start, end = sorted((noise.uniform(0, 0.35), noise.uniform(0.55, 1.02)))
        at = np.linspace(start, min(end, 1.0), 9)
        index = np.rint(at * 39).astype(int)
        across = np.clip(share + drift * (at - at[0]) * 4, 0, 1)[:, None]
        path = one[index] * (1 - across) + two[index] * across
        tone = _tone(hair, noise, 0.5 + 0.5 * np.cos((share - 0.55) * np.pi * 1.3), shade)
        width = hair.width_px * noise.uniform(0.5, 1.3)
        brush.stroke(path, (0.3, width, width, 0.2), tone, 0.7)
    _sheen(brush, one, two, hair, noise, shade)


def _pointed(one: Floats, two: Floats, point: float) -> tuple[Floats, Floats]:
    share = point * np.clip((np.linspace(0, 1, len(one)) - 0.72) / 0.28, 0, 1)[:, None] ** 1.6
    middle = (one + two) / 2
    return one + (middle - one) * share, two + (middle - two) * share


def _tone(hair: Hair, noise: np.random.Generator, lit: float, shade: float) -> Colour:
    value = noise.normal(0.1 + 0.5 * lit, 0.3) - shade
    return (
        mix(hair.base, hair.light, min(value, 1) * 0.55)
        if value > 0.4
        else mix(hair.base, hair.dark, min(1, 0.75 * (0.9 - value)))
    )


def _sheen(
    brush: Brush, one: Floats, two: Floats, hair: Hair, noise: np.random.Generator, shade: float
) -> None:
    for _ in range(hair.strands // 4):
        share = np.clip(noise.normal(0.5, 0.22), 0.03, 0.97)
        start = noise.normal(hair.sheen[0], 0.03)
        end = noise.normal(hair.sheen[1], 0.06)
        index = np.clip(np.rint(np.linspace(start, end, 7) * 39), 0, 39).astype(int)
        path = one[index] * (1 - share) + two[index] * share
        brush.stroke(path, (0.2, hair.width_px * 0.8, 0.2), hair.light, 0.4 * (1 - shade))


def tufts(
    brush: Brush,
    roots: Floats,
    way: Callable[[Floats], tuple[float, float]],
    length: tuple[float, float],
    tones: Sequence[Colour],
    seed: int,
    width_px: float = 1.6,
    alpha: float = 0.8,
    bend: float = 0.2,
) -> None:
    """A short hair at every root (n, 2) in the direction `way(root)`, turned and bent a little by chance."""
    noise = np.random.default_rng(seed)
    for root in roots:
        step = np.array(way(root)) * noise.uniform(*length)
        angle = noise.normal(0, 0.22)
        step = np.array(
            [
                step[0] * np.cos(angle) - step[1] * np.sin(angle),
                step[0] * np.sin(angle) + step[1] * np.cos(angle),
            ]
        )
        side = np.array([-step[1], step[0]]) * noise.normal(0, bend)
        tone = tones[int(noise.integers(len(tones)))]
        brush.stroke(
            [root, root + step * 0.5 + side, root + step], (width_px * 0.7, width_px, 0.2), tone, alpha
        )


def scattered(path: skia.Path, count: int, seed: int) -> Floats:
    """(count, 2) random points within `path`, from the top down."""
    box, noise, found = path.getBounds(), np.random.default_rng(seed), []
    while len(found) < count:
        x, y = noise.uniform(box.left(), box.right()), noise.uniform(box.top(), box.bottom())
        if path.contains(x, y):
            found.append((x, y))
    return np.array(sorted(found, key=lambda point: point[1]))
