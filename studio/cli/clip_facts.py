"""What `inspect` sees in a clip itself, whoever made it: size, length, rate, sound, colours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.lazy import lazy

if TYPE_CHECKING:
    from studio import colours, video_files
else:
    colours, video_files = lazy("studio.colours"), lazy("studio.video_files")

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg", ".wmv"})


def measured(path: str) -> dict[str, Any]:
    """Plain values; none for a file that is no clip by its name. Raises InputError for one that is damaged,
    or has no moving pictures. Reads the whole clip."""
    if Path(path).suffix.lower() not in SUFFIXES or not Path(path).is_file():
        return {}
    info = video_files.probe(path)
    shown = colours.of_clip(path)
    return {
        "width": info.width,
        "height": info.height,
        "rate_hz": info.rate_hz,
        "length_s": round(info.length_s, 3),
        "sound": info.has_audio,
        "brightness": shown.brightness,
        "colourfulness": shown.colourfulness,
        "hue": shown.hue,
    }


def text(found: Mapping[str, Any]) -> dict[str, str]:
    """The same for people: what it is called and what it says."""
    if not found:
        return {}
    sound = "with sound" if found["sound"] else "no sound"
    size = f"{found['width']} x {found['height']} px"
    time = f"{found['length_s']:g} s, {found['rate_hz']:g} frames a second"
    seen = colours.Colours(found["hue"], found["colourfulness"], found["brightness"])
    return {"clip": f"{size}, {time}, {sound}", "colours": seen.text}
