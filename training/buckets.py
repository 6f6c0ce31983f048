"""Which sizes the pictures of a run are cut to: one for all, or aspect-ratio buckets of about the same area.

Knows pictures and recipes; knows no cache and no loop. The bucket shapes are diffusers' own.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from diffusers.training_utils import find_nearest_bucket, generate_aspect_ratio_buckets
from PIL import Image, ImageOps

from studio.errors import InputError
from studio.pictures import UNREADABLE, upright
from studio.ports import Example
from training.config import Recipe

Size = tuple[int, int]  # (width, height) in pixels; one of training.medium's
_STEPS_PX = (64, 32, 16)  # sides are multiples of one of these: what autoencoders and patches divide


def sizes(recipe: Recipe, native: Size) -> tuple[Size, ...]:
    """The sizes that pictures are cut to; `native` alone when the recipe names none.

    Raises InputError for a `resolution_px` that the model's networks would not divide.
    """
    if not recipe.resolution_px and not recipe.buckets:
        return (native,)
    step, side = _step_px(native), recipe.resolution_px
    if side % step:
        near = str(max(1, round(side / step)) * step)
        why = f"must be a multiple of {step} for a model of {native[0]}x{native[1]} px, got {side}"
        raise InputError("resolution_px", side, why, near)
    if recipe.buckets:
        side = side or round(math.sqrt(native[0] * native[1]))
        return tuple((width, height) for height, width in generate_aspect_ratio_buckets(side, step))
    ratio = math.sqrt(native[0] / native[1])
    width, height = (max(1, round(edge / step)) * step for edge in (side * ratio, side / ratio))
    return ((width, height),)


def cut(example: Example, among: Sequence[Size]) -> tuple[Example, Size]:
    """The example and its size. With several sizes its picture is cut to the one of the nearest shape now,

    so that nobody has to hold full pictures until they are prepared. Raises InputError for a broken file.
    """
    if len(among) == 1:
        return example, among[0]
    picture = _picture(example.media)
    nearest = find_nearest_bucket(picture.height, picture.width, [(height, width) for width, height in among])
    size = among[nearest]
    fitted = ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
    return dataclasses.replace(example, media=fitted), size


def _step_px(native: Size) -> int:
    """64 px as other trainers use, less for models so small that the shapes would all become squares."""
    return next((step for step in _STEPS_PX if step * 8 <= min(native)), _STEPS_PX[-1])


def _picture(media: Any) -> Image.Image:
    try:
        return upright(media)
    except UNREADABLE as error:
        raise InputError("media", str(media), f"cannot read picture {str(media)!r}: {error}") from None
