"""From what an annotation says to an Emotion: labels of a taxonomy, numbers on a scale, captions.

Knows the lexicon. Knows no file layout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.emotion import VAD, Emotion, lexicon, parse_emotion
from studio.emotion.vad import AXES
from studio.errors import EmotionError, InputError, nearest

TAXONOMIES = tuple(lexicon().taxonomies)


@lru_cache(maxsize=4096)  # a data set says the same few words a hundred thousand times
def emotion_of(label: str, taxonomy: str) -> Emotion:
    """The point of a label. InputError names the label and the nearest one of that taxonomy."""
    name = lexicon().taxonomy(taxonomy).name
    try:
        found = lexicon().lookup(f"{name}/{label}")
    except EmotionError as error:
        why = f"unknown label {label!r} of taxonomy {name!r}"
        if not error.suggestion:
            why += f"; 'python -m studio list emotions {name}' shows what it has"
        raise InputError("label", label, why, error.suggestion) from None
    try:
        return parse_emotion(found.name)
    except EmotionError as error:  # a label without a point
        raise InputError("label", label, error.why, error.suggestion) from None


def vad_of(values: Sequence[Any], low: float = -1.0, high: float = 1.0) -> VAD:
    """Three numbers on a scale low..high as a point. InputError names the axis that is none or outside."""
    return VAD(*(_coordinate(axis, value, low, high) for axis, value in zip(AXES, values, strict=True)))


def _coordinate(axis: str, value: Any, low: float, high: float) -> float:
    try:
        number = float("nan" if isinstance(value, bool) or value is None else value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isnan(number):
        raise InputError(axis, value, f"expected a number, got {value!r}")
    if not low <= number <= high:
        near = f"{min(max(number, low), high):g}"
        raise InputError(axis, value, f"must be in [{low:g}, {high:g}], got {number:g}", near)
    return (number - (low + high) / 2) / ((high - low) / 2)


def caption_file(picture: Path) -> Path:
    """Where a picture's own caption would be: `a.txt` beside `a.jpg`."""
    return picture.with_suffix(".txt")


def caption_beside(picture: Path) -> str:
    """The text of that file, or "" where there is none. InputError for one that is empty or not UTF-8."""
    path = caption_file(picture)
    try:
        text = " ".join(path.read_text("utf-8-sig").split())
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("caption", str(path), f"cannot read caption {str(path)!r}: {error}") from None
    if not text:
        raise InputError("caption", str(path), f"caption {str(path)!r} is empty; delete the file or fill it")
    return text


def filled(option: str, template: str, values: Mapping[str, str]) -> str:
    """A template such as "a photo of {name}". InputError names a word in braces that is not known."""
    try:
        return " ".join(template.format_map(values).split())
    except KeyError as error:
        word = str(error.args[0])
        why = f"unknown word {{{word}}} in {template!r}; there are {', '.join(values)}"
        raise InputError(f"dataset.{option}", template, why, nearest(word, values)) from None
    except (ValueError, IndexError, AttributeError):
        why = f"{template!r} is no template; write words in braces: {', '.join(values)}"
        raise InputError(f"dataset.{option}", template, why) from None


def chosen(option: str, text: str, choices: Sequence[str]) -> tuple[str, ...]:
    """The names of a comma-separated option. InputError names the wrong one and the nearest."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in choices:
            why = f"{name!r} is not one of {', '.join(choices)}"
            raise InputError(f"dataset.{option}", text, why, nearest(name, choices))
    return names


def plain_words(name: str) -> str:
    """A file's name as words: `old_boat-2` is `old boat 2`."""
    return " ".join(name.replace("_", " ").replace("-", " ").split())
