"""File names of rendered things: `00007-a-harbour-at-dusk-awe.png`. Knows neither requests nor pixels."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

SLUG_CHARS = 60
_EMOTION_CHARS = 24
_NUMBERED = re.compile(r"(\d{5,12})-.*", re.DOTALL)


def file_name(number: int, prompt: str, emotion: str, suffix: str) -> str:
    """`<number:05d>-<slug><suffix>`; the slug is plain ASCII and at most 60 characters."""
    return f"{number:05d}-{slug(prompt, emotion)}{suffix}"


def slug(prompt: str, emotion: str = "") -> str:
    """Lower-case ASCII letters, digits and single hyphens: no separator, no dot, nothing to escape with."""
    feeling = "" if emotion == "neutral" else _words(emotion, _EMOTION_CHARS)
    scene = _words(prompt, SLUG_CHARS - len(feeling) - 1)
    return "-".join(part for part in (scene, feeling) if part) or "untitled"


def next_number(folder: Path) -> int:
    """One more than the highest number that a file of `folder` begins with; 1 in an empty or missing one."""
    if not folder.is_dir():
        return 1
    found = (_NUMBERED.fullmatch(path.name) for path in folder.iterdir())
    return 1 + max((int(match[1]) for match in found if match), default=0)


def next_numbers(folder: Path, count: int) -> range:
    """The next `count` free numbers of `folder`."""
    first = next_number(folder)
    return range(first, first + count)


def _words(text: str, limit: int) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", plain))
    if len(words) <= limit:
        return words
    whole, _, _ = words[: limit + 1].rpartition("-")
    return whole or words[:limit]
