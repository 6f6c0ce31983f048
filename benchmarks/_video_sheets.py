"""Contact sheets of measured clips: frames, and below them what was asked, what was read, how it moved.

Knows measured clips and pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks import _video_measures as measures
from benchmarks._video_clips import Take
from benchmarks._video_measures import Floats
from studio.video_files import read_frames

COLUMNS, FRAME_PX, PLOT_PX, TEXT_PX = 12, 128, 96, 13
ROWS = 8  # clips on a sheet
_WIDTH_PX = COLUMNS * FRAME_PX
_AXES = ((0, "valence", (163, 36, 47)), (1, "arousal", (29, 74, 134)))
_MOTION, _PAPER, _INK, _LINE = (122, 122, 122), (250, 250, 248), (28, 28, 30), (205, 205, 208)
_LEGEND = "valence red, arousal blue: asked lines, read dots; motion grey"


def write(folder: Path, name: str, titles: Sequence[str], takes: Sequence[Take]) -> list[Path]:
    """`<name>-<number>.jpg` in `folder`, as many as are needed."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, start in enumerate(range(0, len(takes), ROWS)):
        rows = [
            row(title, take)
            for title, take in zip(titles[start : start + ROWS], takes[start : start + ROWS], strict=True)
        ]
        paths.append(folder / f"{name}-{number:02d}.jpg")
        Image.fromarray(np.concatenate(rows)).save(paths[-1], quality=85)
    return paths


def row(title: str, take: Take) -> np.ndarray:
    """(high, wide, 3) uint8 of one clip."""
    page = Image.new("RGB", (_WIDTH_PX, TEXT_PX + 7 + FRAME_PX + PLOT_PX + 8), _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((4, 2), f"{title}   {_facts(take)}   ({_LEGEND})", fill=_INK, font=_font())
    frames = list(read_frames(take.path))
    for column in range(COLUMNS):
        frame = frames[int((column + 0.5) / COLUMNS * len(frames))]
        small = Image.fromarray(frame).resize((FRAME_PX, FRAME_PX), Image.Resampling.BOX)
        page.paste(small, (column * FRAME_PX, TEXT_PX + 7))
    _plot(draw, TEXT_PX + 7 + FRAME_PX + 4, take)
    return np.asarray(page)


def _facts(take: Take) -> str:
    found = [
        f"{name[0]} r {measures.pearson(take.asked[:, axis], take.read[:, axis]):.2f}"
        for axis, name, _ in _AXES
        if take.changes
    ]
    moves = measures.pearson(measures.between(take.asked)[:, 1], take.energy)
    found += [f"motion r {moves:.2f}"] if take.changes else []
    return ", ".join([*found, f"flicker {take.flicker:.4f}"])


def _plot(draw: ImageDraw.ImageDraw, top: int, take: Take) -> None:
    for value in (-1, 0, 1):
        y = _y(top, value)
        draw.line((0, y, _WIDTH_PX, y), fill=_LINE)
    energy = take.energy / max(float(take.energy.max()), 1e-9) * 2 - 1  # the strongest of the clip at the top
    draw.line(_points(top, energy, 1.0), fill=_MOTION, width=1)
    for axis, _, ink in _AXES:
        draw.line(_points(top, take.asked[:, axis], 0.5), fill=ink, width=2)
        for x, y in _points(top, take.read[:, axis], 0.5):
            draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=ink)


def _points(top: int, values: Floats, first: float) -> list[tuple[float, float]]:
    """On the time of the frames above; `first`: where the first one is, in frames."""
    count = len(values) + (1 if first == 1.0 else 0)
    return [((index + first) / count * _WIDTH_PX, _y(top, value)) for index, value in enumerate(values)]


def _y(top: int, value: float) -> float:
    return top + (1 - float(np.clip(value, -1.1, 1.1))) / 2 * PLOT_PX


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(TEXT_PX)
