"""Pictures that a run is looked at by: rendered at fixed seeds, laid out on sheets, kept small in number.

Renders through the pipeline's own `render`, so what is seen is what a person would get. Knows a pipeline by
its contract and pictures as arrays; knows no adapter, no reader and no recipe.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from studio import params
from studio.emotion import Emotion, EmotionCurve
from studio.errors import InputError
from studio.ports import OnStep, SetEmotion
from studio.request import RenderRequest
from studio.storage import write_atomically
from training.medium import Shot, unfelt

STEPS = 12  # enough to see a feeling; a picture to keep takes more
ROWS = 8  # rendered together
TILE_PX = 160  # longest side of a picture on a sheet
# What most models can draw, the embedded one included, each a different thing.
PROMPTS = (
    "a lighthouse by the sea, oil painting",
    "mountains by a lake, gouache",
    "a city skyline, watercolour",
    "a portrait of a woman, oil painting",
    "a path through a forest, pastel",
    "a room with a fireplace, gouache",
    "a sailing boat, impressionist",
    "an old tree, watercolour",
)
_INK, _PAPER, _SOFT = "#22252b", "#ffffff", "#6a6f78"
_MARGIN_PX, _GAP_PX, _FONT_PX = 58, 4, 13


class Camera:
    """Renders shots with a pipeline at its own size, `rows` at a time, in `STEPS` steps at most."""

    def __init__(self, pipeline: Any, rows: int = ROWS, on_step: OnStep = lambda step: None) -> None:
        """`on_step` hears of every denoising step; whatever it raises ends the rendering."""
        self._pipeline, self._rows, self._on_step = pipeline, max(1, min(rows, ROWS)), on_step
        family = sys.modules[type(pipeline).__module__]
        usual = {spec.name: spec.default for spec in params.specs(family.Params)}
        # a family that leaves the number to the model has none of its own here
        steps = {"steps": min(STEPS, usual["steps"] or STEPS)} if "steps" in usual else {}
        self._params = params.build(family.Params, steps)

    def take(self, shots: Sequence[Shot], set_emotion: SetEmotion | None = None) -> NDArray[np.uint8]:
        """(N, H, W, 3); without `set_emotion` the model is bare."""
        feel = set_emotion or unfelt
        requests = [self._request(shot) for shot in shots]
        made: list[Any] = []
        for start in range(0, len(requests), self._rows):
            made += self._pipeline.render(requests[start : start + self._rows], feel, self._on_step)
        return np.stack([np.asarray(picture.image.convert("RGB")) for picture in made])

    def _request(self, shot: Shot) -> RenderRequest:
        """Not parsed: a model in training has no name that could be looked up."""
        curve = EmotionCurve.constant(Emotion(shot.emotion))
        return RenderRequest("", "", shot.prompt, "", curve, shot.seed, (), self._params)


def read_prompts(path: str, field: str) -> tuple[str, ...]:
    """The lines of a UTF-8 text file; empty ones and those that begin with # do not count.

    No path is PROMPTS. InputError, as of the recipe's `field`, for a file that cannot be read.
    """
    if not path:
        return PROMPTS
    try:
        text = Path(os.path.expanduser(path)).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = f"cannot read {path!r}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"
        raise InputError(field, path, why) from None
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def sheet(
    pictures: Sequence[NDArray[np.uint8]],
    across: Sequence[str],
    down: Sequence[str],
    title: str,
    axes: tuple[str, str],
    tile_px: int = TILE_PX,
) -> Image.Image:
    """Pictures in rows, top left first, with a name for every column and row; `axes`: what those names are.

    Raises ValueError when there is not one picture for every place.
    """
    tiles = [_tile(picture, tile_px) for picture in pictures]
    if len(tiles) != len(across) * len(down):
        raise ValueError(f"{len(tiles)} pictures for {len(across)} x {len(down)} places")
    width, height = tiles[0].size
    step_x, step_y = width + _GAP_PX, height + _GAP_PX
    top = 2 * _FONT_PX + 14
    size = (_MARGIN_PX + step_x * len(across) + 8, top + step_y * len(down) + 2 * _FONT_PX + 14)
    page = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_FONT_PX)
    draw.text((_MARGIN_PX, 8), title, _INK, font)
    draw.text((8, top - _FONT_PX - 4), axes[1], _SOFT, font)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, len(across))
        page.paste(tile, (_MARGIN_PX + column * step_x, top + row * step_y))
    for row, name in enumerate(down):
        draw.text((_MARGIN_PX - 8, top + row * step_y + height / 2), name, _INK, font, anchor="rm")
    below = top + step_y * len(down) + 4
    for column, name in enumerate(across):
        draw.text((_MARGIN_PX + column * step_x + width / 2, below), name, _INK, font, anchor="ma")
    draw.text((size[0] / 2, below + _FONT_PX + 4), axes[0], _SOFT, font, anchor="ma")
    return page


def save_png(image: Image.Image, path: Path) -> None:
    """Write it whole or not at all. Raises StorageError."""
    data = io.BytesIO()
    image.save(data, "PNG", optimize=True)
    write_atomically(path, lambda file: file.write(data.getvalue()))


def _tile(picture: NDArray[np.uint8], side_px: int) -> Image.Image:
    image = Image.fromarray(picture)
    image.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    return image
