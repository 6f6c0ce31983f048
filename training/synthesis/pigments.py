"""Local colours before any mood: OKLab lightness 0..1, chroma 0..0.3, hue in degrees (Ottosson 2020)."""

from functools import lru_cache
from math import atan2, cos, degrees, hypot, radians, sin
from typing import NamedTuple

import numpy as np


class Pigment(NamedTuple):
    """One colour: OKLab lightness (0..1), chroma (0..0.3), hue (degrees)."""

    light: float
    chroma: float
    hue: float

    def lifted(self, light: float) -> "Pigment":
        """The same colour, lighter (or darker below 0)."""
        return Pigment(self.light + light, self.chroma, self.hue)


SKY, SKY_LOW = Pigment(0.66, 0.10, 245), Pigment(0.83, 0.05, 230)
DAWN, DUSK = Pigment(0.80, 0.09, 20), Pigment(0.74, 0.13, 55)
CLOUD, STORM_CLOUD = Pigment(0.92, 0.01, 240), Pigment(0.36, 0.03, 265)
SUN, MOON = Pigment(0.92, 0.14, 92), Pigment(0.93, 0.04, 100)
SEA, FOAM, DEEP = Pigment(0.55, 0.11, 230), Pigment(0.90, 0.02, 215), Pigment(0.42, 0.09, 245)
GRASS, LEAF, PINE = Pigment(0.64, 0.14, 132), Pigment(0.55, 0.13, 138), Pigment(0.42, 0.08, 155)
EARTH, BARK, WOOD = Pigment(0.52, 0.07, 65), Pigment(0.35, 0.05, 55), Pigment(0.50, 0.09, 58)
SAND, SANDROCK = Pigment(0.80, 0.09, 80), Pigment(0.58, 0.12, 45)
ROCK, FAR_ROCK, STONE = Pigment(0.47, 0.03, 265), Pigment(0.62, 0.05, 260), Pigment(0.66, 0.02, 75)
SNOW, SNOW_SHADE = Pigment(0.95, 0.01, 240), Pigment(0.82, 0.04, 250)
NIGHT, NIGHT_LOW = Pigment(0.25, 0.08, 270), Pigment(0.40, 0.10, 285)
WALL, FLOOR = Pigment(0.72, 0.05, 75), Pigment(0.48, 0.07, 55)
RED, ORANGE, YELLOW = Pigment(0.58, 0.19, 27), Pigment(0.72, 0.16, 58), Pigment(0.87, 0.16, 95)
BLUE, PURPLE, PINK = Pigment(0.52, 0.14, 255), Pigment(0.52, 0.14, 305), Pigment(0.76, 0.12, 355)
TEAL, GREEN, WHITE = Pigment(0.62, 0.10, 195), Pigment(0.60, 0.15, 145), Pigment(0.95, 0.01, 90)
DARK, GREY = Pigment(0.22, 0.02, 280), Pigment(0.55, 0.01, 260)
LAVA, LIGHTNING = Pigment(0.66, 0.20, 42), Pigment(0.95, 0.08, 100)
HOUSE_WALLS = (Pigment(0.78, 0.07, 70), Pigment(0.70, 0.09, 40), Pigment(0.75, 0.05, 200), WHITE)
FLOWERS = (RED, YELLOW, PINK, WHITE, PURPLE)
SPECTRUM = (RED, ORANGE, YELLOW, GREEN, BLUE, PURPLE)

# OKLab -> LMS' -> linear sRGB, from Ottosson 2020, https://bottosson.github.io/posts/oklab/
_TO_LMS = (
    (1.0, 0.3963377774, 0.2158037573),
    (1.0, -0.1055613458, -0.0638541728),
    (1.0, -0.0894841775, -1.2914855480),
)
_TO_RGB = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)
_GAMMA = tuple((1.055 * (i / 1023) ** (1 / 2.4) - 0.055) if i > 3 else 12.92 * i / 1023 for i in range(1024))


def to_lab(pigment: Pigment) -> tuple[float, float, float]:
    """Polar to Cartesian OKLab."""
    light, chroma, hue = pigment
    return light, chroma * cos(radians(hue)), chroma * sin(radians(hue))


@lru_cache(maxsize=4096)
def _srgb8(light: float, a: float, b: float) -> tuple[int, int, int]:
    lms = [(m[0] * light + m[1] * a + m[2] * b) ** 3 for m in _TO_LMS]
    linear = (row[0] * lms[0] + row[1] * lms[1] + row[2] * lms[2] for row in _TO_RGB)
    red, green, blue = (round(255 * _GAMMA[round(1023 * min(max(x, 0.0), 1.0))]) for x in linear)
    return red, green, blue


def to_srgb8(light: float, a: float, b: float) -> tuple[int, int, int]:
    """OKLab to 8-bit sRGB, clipped at the gamut."""
    return _srgb8(round(light, 3), round(a, 3), round(b, 3))


def mixed(first: Pigment, second: Pigment, share: float) -> Pigment:
    """The pigment that lies `share` (0..1) of the way from the first to the second."""
    light, a, b = (x + (y - x) * share for x, y in zip(to_lab(first), to_lab(second), strict=True))
    return Pigment(light, hypot(a, b), degrees(atan2(b, a)))


def pick(rng: np.random.Generator, pigments: tuple[Pigment, ...]) -> Pigment:
    """One of several pigments."""
    return pigments[rng.integers(len(pigments))]
