"""Which sizes and lengths the clips of a run are cut to: rows of one tensor have equally many frames.

A size is (width, height, frames). Widths and heights are those of pictures (`training.buckets`). Lengths are
the data set's own and, for clips that have not so many frames, three quarters, a half and a quarter of it,
each brought down to what the model's autoencoder takes. Knows clips and recipes; knows no cache and no loop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from diffusers.training_utils import find_nearest_bucket
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipelines.video._timing import FrameRule
from studio.errors import InputError
from studio.ports import Example
from training import buckets
from training.config import Recipe
from training.data._clips import Window
from training.medium import Fit, Size

_SHARES = (1.0, 0.75, 0.5, 0.25)  # few: every length has batches of its own


def fit(recipe: Recipe, native: buckets.Size, rule: FrameRule) -> Fit:
    """What cuts each example; its `media` is (frames, height, width, 3) uint8 then. InputError for a
    `resolution_px` that the model's networks would not divide."""
    longest = int(recipe.dataset.options.get("frames", rule.most))
    return partial(cut, among=buckets.sizes(recipe, native), lengths=lengths(longest, rule), rule=rule)


def lengths(longest: int, rule: FrameRule) -> tuple[int, ...]:
    """Falling, without repetition."""
    return tuple(dict.fromkeys(_allowed(int(longest * share), rule) for share in _SHARES))


def cut(
    example: Example, among: Sequence[buckets.Size], lengths: Sequence[int], rule: FrameRule
) -> tuple[Example, Size]:
    """The example from its first frame on, cut around its middle to the nearest shape, and its size.

    A still picture of (height, width, 3) is one frame. Raises InputError for what are no frames, or for
    feelings of another number than frames.
    """
    frames = _frames(example.media)
    felt = example.attributes.get("bars")
    if felt is not None and len(felt) != len(frames):
        why = f"{len(felt)} feelings for {len(frames)} frames"
        raise InputError("frames", len(felt), why, str(len(frames)))
    length = next((one for one in lengths if one <= len(frames)), _allowed(len(frames), rule))
    height, width = frames.shape[1:3]
    nearest = find_nearest_bucket(height, width, [(high, wide) for wide, high in among])
    attributes = example.attributes if felt is None else {**example.attributes, "bars": tuple(felt[:length])}
    media = _scaled(frames[:length], among[nearest])
    return dataclasses.replace(example, media=media, attributes=attributes), (*among[nearest], length)


def _allowed(count: int, rule: FrameRule) -> int:
    """The largest number of frames that the rule allows and that `count` has; one at least."""
    return 1 + rule.step * ((max(1, min(count, rule.most)) - 1) // rule.step)


def _frames(media: Any) -> NDArray[np.uint8]:
    frames = media.frames if isinstance(media, Window) else np.asarray(media)
    frames = frames[None] if frames.ndim == 3 else frames
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not len(frames):
        why = f"must be (frames, height, width, 3) of uint8, got {frames.shape} of {frames.dtype}"
        raise InputError("media", frames.shape, why)
    return frames


def _scaled(frames: NDArray[np.uint8], size: buckets.Size) -> NDArray[np.uint8]:
    if frames.shape[2:0:-1] == size:
        return frames
    fitted = (ImageOps.fit(Image.fromarray(one), size, Image.Resampling.LANCZOS) for one in frames)
    return np.stack([np.asarray(one) for one in fitted])
