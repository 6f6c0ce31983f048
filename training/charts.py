"""Line charts as SVG text: no library, no script, colours from the page's style sheet.

Series are named where they end, so that no legend has to be matched by colour. Knows numbers and names; every
name is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 118, 14, 40
_NAME_GAP = 14
MAX_POINTS = 400


@dataclass(frozen=True, slots=True)
class Series:
    """A line. `look`: a class of the style sheet: `c1`, `c2`, `c3`, `faint` or `limit` (dashed)."""

    name: str
    points: tuple[tuple[float, float], ...]
    look: str = "c1"


@dataclass(frozen=True, slots=True)
class Axes:
    """What the axes mean. `low` and `high` are values that the vertical one shows at least."""

    across: str
    up: str
    low: float | None = None
    high: float | None = None
    shaded: tuple[float, float] | None = None  # a span of the horizontal axis
    whole: bool = False  # only whole numbers across


def chart(axes: Axes, series: Sequence[Series]) -> str:
    """An `<svg>` element, or a line of text where there is nothing to draw."""
    drawn = [Series(one.name, thinned(one.points), one.look) for one in series if one.points]
    if not drawn:
        return "<p class='soft'>Nothing was measured yet.</p>"
    frame = _Frame.around(axes, drawn)
    label = escape(f"{axes.up} by {axes.across}: {', '.join(one.name for one in drawn if one.name)}")
    parts = [
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{label}'>",
        _shade(frame, axes),
        *_grid(frame, axes),
        *(_line(frame, one) for one in drawn),
        *_names(frame, drawn),
        "</svg>",
    ]
    return "".join(parts)


def thinned(points: Sequence[tuple[float, float]], most: int = MAX_POINTS) -> tuple[tuple[float, float], ...]:
    """At most `most` points: means of neighbours, the last one as it is; what is no number is dropped."""
    good = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if len(good) <= most:
        return tuple(good)
    edges = [round(i * (len(good) - 1) / (most - 1)) for i in range(most)]
    parts = [good[start:end] for start, end in pairwise(edges)]
    means = [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]
    return (*means, good[-1])


def smoothed(points: Sequence[tuple[float, float]], share: float = 0.05) -> tuple[tuple[float, float], ...]:
    """Means over a window of `share` of all points on either side, smaller at the ends."""
    half, values = max(1, round(share * len(points))), [y for _, y in points]
    found = []
    for index, (x, _) in enumerate(points):
        reach = min(half, index, len(points) - 1 - index)
        window = values[index - reach : index + reach + 1]
        found.append((x, sum(window) / len(window)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Frame:
    left: float
    right: float
    low: float
    high: float

    @classmethod
    def around(cls, axes: Axes, series: Sequence[Series]) -> _Frame:
        across = [x for one in series for x, _ in one.points]
        up = [y for one in series for _, y in one.points]
        low = min([*up, *([] if axes.low is None else [axes.low])])
        high = max([*up, *([] if axes.high is None else [axes.high])])
        room = (high - low) * 0.06 or max(abs(high), 1e-6) * 0.1
        bottom = low if low == axes.low else low - room
        top = high if high == axes.high else high + room
        left, right = min(across), max(across)
        return cls(left, right if right > left else left + 1, bottom, top)

    def x(self, value: float) -> float:
        return _LEFT + (value - self.left) / (self.right - self.left) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - _TOP - _BOTTOM)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers inside [low, high], 1, 2 or 5 times a power of ten apart."""
    span = (high - low) / about
    power = 10.0 ** math.floor(math.log10(span))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= span * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _grid(frame: _Frame, axes: Axes) -> list[str]:
    end, foot = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    parts = []
    for value in ticks(frame.low, frame.high):
        y = frame.y(value)
        parts.append(f"<line class='rule' x1='{_LEFT}' x2='{end}' y1='{y:.1f}' y2='{y:.1f}'/>")
        parts.append(f"<text class='tick' x='{_LEFT - 8}' y='{y + 4:.1f}' text-anchor='end'>{value:g}</text>")
    for value in (one for one in ticks(frame.left, frame.right) if not axes.whole or one.is_integer()):
        x = frame.x(value)
        parts.append(f"<text class='tick' x='{x:.1f}' y='{foot + 17}' text-anchor='middle'>{value:g}</text>")
    middle = (_LEFT + end) / 2
    parts.append(
        f"<text class='tick' x='{middle}' y='{HEIGHT - 6}' text-anchor='middle'>{escape(axes.across)}</text>"
    )
    return parts


def _shade(frame: _Frame, axes: Axes) -> str:
    if axes.shaded is None:
        return ""
    start, end = (frame.x(min(max(edge, frame.left), frame.right)) for edge in axes.shaded)
    height = HEIGHT - _TOP - _BOTTOM
    return f"<rect class='span' x='{start:.1f}' y='{_TOP}' width='{end - start:.1f}' height='{height}'/>"


def _line(frame: _Frame, one: Series) -> str:
    places = [(frame.x(x), frame.y(y)) for x, y in one.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "" if len(places) > 24 or one.look in {"faint", "limit"} else "".join(map(_dot, places))
    return f"<g class='{escape(one.look)}'><polyline points='{path}'/>{dots}</g>"


def _dot(place: tuple[float, float]) -> str:
    return f"<circle cx='{place[0]:.1f}' cy='{place[1]:.1f}' r='2.5'/>"


def _names(frame: _Frame, series: Sequence[Series]) -> list[str]:
    """Each name at the end of its line, moved apart where lines end together."""
    ends = sorted((frame.y(one.points[-1][1]), one.name, one.look) for one in series if one.name)
    parts, free = [], -math.inf
    overflow = max(0.0, len(ends) * _NAME_GAP - (HEIGHT - _TOP - _BOTTOM))
    for number, (y, name, look) in enumerate(ends):
        left_over = (len(ends) - 1 - number) * _NAME_GAP
        place = max(free, min(y, HEIGHT - _BOTTOM - left_over + overflow))
        free = place + _NAME_GAP
        where = f"x='{WIDTH - _RIGHT + 8}' y='{place + 4:.1f}'"
        parts.append(f"<text class='name {escape(look)}' {where}>{escape(name)}</text>")
    return parts
