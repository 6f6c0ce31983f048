"""A picture of a clip: frames side by side, and under them, on the same time, what was asked to be felt.

Behind the lines of valence, arousal and dominance stands the colour of the feeling, as in a piano roll; words
of the keys stand above. Knows frames, a curve and pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from studio.emotion import EmotionCurve
from studio.piano_roll import Colour, colour
from studio.recording import Still

WIDTH_PX = 1600
_MARGIN_PX, _LEFT_PX, _GAP_PX, _TITLE_PX = 20, 46, 4, 34
_WORDS_PX, _CURVE_PX, _TIMES_PX, _TEXT_PX = 24, 150, 26, 14
# Where time begins and ends, as shares of the width.
TIME_SPAN = (_LEFT_PX / WIDTH_PX, 1 - _MARGIN_PX / WIDTH_PX)
_FRAME_PX = (170, 230)  # width that frames are wished to have, height they may have
_MOST_FRAMES = 12
_PAPER, _INK, _SOFT, _LINE = (250, 250, 248), (28, 28, 30), (96, 96, 104), (150, 150, 155)
# Colours of the curve editor; dashes tell the lines apart without colour.
_AXES = (("valence", (163, 36, 47), 0), ("arousal", (29, 74, 134), 12), ("dominance", (96, 82, 40), 4))
_TICKS_S = (0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where the curve is on the page, in pixels, and the time it covers."""

    top: int
    curve: EmotionCurve
    length_s: float

    @property
    def bottom(self) -> int:
        return self.top + _CURVE_PX

    def x(self, progress: float) -> float:
        return _LEFT_PX + progress * (WIDTH_PX - _LEFT_PX - _MARGIN_PX)

    def y(self, value: float) -> float:
        return self.top + (1 - value) / 2 * _CURVE_PX


def film_strip(stills: Sequence[Still], curve: EmotionCurve, length_s: float, title: str = "") -> Image.Image:
    """RGB, 1600 pixels wide. `stills`: in order of time, one or more; the nearest to even times are shown."""
    frames = list(_frames(stills, length_s))
    height = frames[0].height
    plot = _Plot(_MARGIN_PX + _TITLE_PX + height + _WORDS_PX + 8, curve, length_s)
    page = Image.new("RGB", (WIDTH_PX, plot.bottom + _TIMES_PX + _MARGIN_PX), _PAPER)
    draw = ImageDraw.Draw(page)
    _title(draw, title, length_s)
    for index, frame in enumerate(frames):
        centre = plot.x((index + 0.5) / len(frames))
        page.paste(frame, (round(centre - frame.width / 2), _MARGIN_PX + _TITLE_PX))
    _background(draw, plot)
    _times(draw, plot)
    _words(draw, plot)
    for axis, (_, ink, dash) in enumerate(_AXES):
        _line(draw, plot, axis, ink, dash)
    return page


def _frames(stills: Sequence[Still], length_s: float) -> Iterator[Image.Image]:
    """As many as have room at a good size, each the nearest to the middle of its share of the time."""
    wide, high = stills[0].picture.size
    room = WIDTH_PX - _LEFT_PX - _MARGIN_PX
    width = min(_FRAME_PX[0], _FRAME_PX[1] * wide / high)
    count = max(1, min(_MOST_FRAMES, int(room / (width + _GAP_PX)), len(stills)))
    scale = min((room / count - _GAP_PX) / wide, _FRAME_PX[1] / high)
    size = max(1, round(wide * scale)), max(1, round(high * scale))
    for index in range(count):
        time_s = (index + 0.5) / count * length_s
        still = min(stills, key=lambda one: abs(one.time_s - time_s))
        yield still.picture.resize(size, Image.Resampling.LANCZOS)


def _title(draw: ImageDraw.ImageDraw, title: str, length_s: float) -> None:
    minutes, seconds = divmod(length_s, 60)
    facts = f"{int(minutes)}:{seconds:04.1f}"
    x = WIDTH_PX - _MARGIN_PX - _width(draw, facts)
    _text(draw, (x, _MARGIN_PX), facts, _SOFT)
    for name, ink, dash in reversed(_AXES):
        x -= _width(draw, name) + 24
        _text(draw, (x, _MARGIN_PX), name, ink)
        _dashed(draw, (x - 34, _MARGIN_PX + 10), (x - 6, _MARGIN_PX + 10), ink, dash)
        x -= 40
    _text(draw, (_LEFT_PX, _MARGIN_PX), _cut(draw, " ".join(title.split()), x - _LEFT_PX - 20), _INK)


def _background(draw: ImageDraw.ImageDraw, plot: _Plot) -> None:
    for x in range(round(plot.x(0)), round(plot.x(1))):
        progress = (x - plot.x(0)) / (plot.x(1) - plot.x(0))
        draw.line((x, plot.top, x, plot.bottom), fill=colour(plot.curve.at(progress, plot.length_s)))
    for value in (1, 0, -1):
        y = plot.y(value)
        draw.line((plot.x(0), y, plot.x(1), y), fill=_LINE)
        _text(draw, (_LEFT_PX - 24, y - 9), f"{value:+d}" if value else "0", _SOFT)


def _times(draw: ImageDraw.ImageDraw, plot: _Plot) -> None:
    step = next((tick for tick in _TICKS_S if plot.length_s / tick <= 12), _TICKS_S[-1])
    for index in range(int(plot.length_s / step + 1e-6) + 1):
        x = plot.x(index * step / plot.length_s)
        draw.line((x, plot.bottom, x, plot.bottom + 5), fill=_LINE)
        words = f"{index * step:g} s"
        _text(draw, (min(x + 3, plot.x(1) - _width(draw, words)), plot.bottom + 5), words, _SOFT)


def _words(draw: ImageDraw.ImageDraw, plot: _Plot) -> None:
    """The text of each key inside the clip, with a mark where it is."""
    scale = plot.length_s if plot.curve.unit == "seconds" else 1.0
    inside = [(key.at / scale, key.emotion.text) for key in plot.curve.keys if key.at <= scale]
    ends = [*(plot.x(at) for at, _ in inside[1:]), plot.x(1)]
    for (at, text), end in zip(inside, ends, strict=False):
        x = plot.x(at)
        draw.line((x, plot.top - 18, x, plot.bottom), fill=_LINE)
        words = text
        if at == 1.0:  # at the very end there is room on its left only
            x -= _width(draw, text) + 10
            words = text if not inside[:-1] or x > plot.x(inside[-2][0]) + 80 else ""
        _text(draw, (x + 5, plot.top - 20), _cut(draw, words, max(end - x - 8, 0) or 200), _INK)


def _line(draw: ImageDraw.ImageDraw, plot: _Plot, axis: int, ink: Colour, dash: int) -> None:
    """One axis of the feeling over time, a point every two pixels."""
    count = round((plot.x(1) - plot.x(0)) / 2)
    points = [
        (plot.x(index / count), plot.y(plot.curve.at(index / count, plot.length_s).as_tuple()[axis]))
        for index in range(count + 1)
    ]
    step = dash // 2 or count + 1
    for start in range(0, count, 2 * step):
        if len(part := points[start : start + step + 1]) > 1:
            draw.line(part, fill=ink, width=3, joint="curve")


def _dashed(
    draw: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float], ink: Colour, dash: int
) -> None:
    step = dash or round(end[0] - start[0])
    for x in range(round(start[0]), round(end[0]), 2 * step):
        draw.line((x, start[1], min(x + step, end[0]), start[1]), fill=ink, width=3)


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_TEXT_PX)


def _text(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, ink: Colour) -> None:
    draw.text(at, text, fill=ink, font=_font())


def _width(draw: ImageDraw.ImageDraw, text: str) -> float:
    return float(draw.textlength(text, font=_font()))


def _cut(draw: ImageDraw.ImageDraw, text: str, room: float) -> str:
    """As much of a text as there is room for."""
    if _width(draw, text[:400]) <= room and len(text) <= 400:
        return text
    kept = text[:400]
    while kept and _width(draw, f"{kept}...") > room:
        kept = kept[:-1]
    return f"{kept}..." if kept else ""
