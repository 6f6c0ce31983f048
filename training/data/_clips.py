"""What every data set of clips shares: windows of frames at one rate and size, with a feeling for each frame.

A clip is read when one of its windows is asked for, and no further than that window reaches. Knows video
files and curves; it knows no layout and no network.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from studio.emotion import VAD, Emotion, EmotionCurve
from studio.errors import InputError
from studio.params import param
from studio.ports import Example
from studio.video_files import VideoInfo, probe, read_frames
from training.data._files import FileDataset

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".gif"})
MIN_SIDE_PX = 16
_ROUNDED_S = 0.5  # that a last key may lie past the end: lengths are rounded
Moods = tuple[VAD, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """T frames in a row: `frames` (T, H, W, 3) uint8, at `rate_hz` a second, from `start_s` of its clip on.

    `moods`: the feeling of each frame where the clip has a curve, else empty.
    """

    frames: NDArray[np.uint8]
    rate_hz: float
    start_s: float = 0.0
    moods: Moods = ()

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, slots=True)
class Row:
    """One clip before it is read. `curve`: over the whole clip, in progress or in seconds of it."""

    clip: Path
    prompt: str
    curve: EmotionCurve
    attributes: Mapping[str, Any] = field(default_factory=dict)
    besides: tuple[Path, ...] = ()


@dataclass(frozen=True)
class ClipDataset(FileDataset[Row]):
    """Windows of the clips under `root`; `media` of an example is a Window, `prompt` the clip's caption.

    Where a feeling changes, the attribute `bars` holds that of each frame, as it does for other media, and
    `emotion` their mean. A subclass says in `read_rows` which clips; wrong annotations are errors there,
    before anything runs, and a clip that is missing, broken or too short is an InputError of its examples
    alone. A clip slower than `rate_hz` repeats frames.
    """

    MEDIUM: ClassVar[str] = "video"
    frames: int = param(16, "length of a window", min=1, max=1000, unit="frames")
    rate_hz: float = param(8.0, "frames a second that are kept of a clip", min=0.1, max=120.0, unit="Hz")
    size_px: int = param(
        256, "side that frames are cut and scaled to; 0 leaves them whole", min=0, max=2048, step=8, unit="px"
    )
    windows: int = param(1, "windows of each clip, evenly spread from its start to its end", min=1, max=64)
    least: int = param(
        0, "fewest frames: a clip shorter than a window gives what it has; 0 leaves it out", min=0, max=1000
    )

    def __post_init__(self) -> None:
        if 0 < self.size_px < MIN_SIDE_PX:
            why = f"must be 0 (whole frames) or at least {MIN_SIDE_PX}, got {self.size_px}"
            raise InputError("dataset.size_px", self.size_px, why, str(MIN_SIDE_PX))
        for name in ("frames", "rate_hz", "windows"):
            if not getattr(self, name) > 0:
                why = f"must be above 0, got {getattr(self, name)}"
                raise InputError(f"dataset.{name}", getattr(self, name), why, "1")
        if self.least > self.frames:
            why = f"must not exceed frames ({self.frames}), got {self.least}"
            raise InputError("dataset.least", self.least, why, str(self.frames))

    def said(self, row: Row) -> tuple[Any, ...]:
        return (row.prompt, row.curve.text, sorted(row.attributes.items()))

    def files(self, row: Row) -> Sequence[Path]:
        return (row.clip, *row.besides)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The clips themselves, whatever their windows: for what is to go elsewhere whole."""
        return self._rows

    def __len__(self) -> int:
        return len(self._rows) * self.windows

    def __getitem__(self, index: int) -> Example:
        """A window of a clip. InputError where the clip is missing, broken, too short, or ends before the
        last key of its curve."""
        if not 0 <= index < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        row = self._rows[index // self.windows]
        info = checked(row)
        count = self._count(row.clip, info)
        start_s = _room_s(info, count, self.rate_hz) * (index % self.windows) / max(1, self.windows - 1)
        times_s = start_s + np.arange(count) / self.rate_hz
        moods = moods_at(row.curve, times_s, info.length_s)
        frames = frames_at(row.clip, info, times_s, self.size_px)
        facts = {**row.attributes, "file": row.clip.name, "start_s": round(start_s, 3)}
        window = Window(frames, self.rate_hz, start_s, moods)
        if moods:
            return Example(window, row.prompt, Emotion(mean(moods)), {**facts, "bars": moods})
        return Example(window, row.prompt, row.curve.keys[0].emotion, facts)

    def _count(self, clip: Path, info: VideoInfo) -> int:
        """Frames of its windows: the first begins at the start, the last ends at the end."""
        if _room_s(info, self.frames, self.rate_hz) >= 0:
            return self.frames
        has = math.floor(_room_s(info, 1, self.rate_hz) * self.rate_hz + 1e-6) + 1
        if 0 < self.least <= has:
            return has
        fewest = self.least or self.frames
        needed = f"{fewest} frames at {self.rate_hz:g} Hz take {fewest / self.rate_hz:.2f} s"
        raise InputError("clip", str(clip), f"{clip.name} lasts {info.length_s:.2f} s; {needed}")


def _room_s(info: VideoInfo, count: int, rate_hz: float) -> float:
    """For how long `count` frames can begin later and still be there."""
    return (info.frames - 0.5) / info.rate_hz - (count - 1) / rate_hz


def checked(row: Row) -> VideoInfo:
    """What a clip is. InputError where it cannot be read, or its curve goes on after its end."""
    info = probe(row.clip)
    if past := row.curve.keys_past(info.length_s + _ROUNDED_S):
        why = f"{row.clip.name} lasts {info.length_s:.2f} s, and something is said of {past[0].at:g} s"
        raise InputError("emotion", row.curve.text, why)
    return info


def moods_at(curve: EmotionCurve, times_s: Sequence[float] | NDArray[np.float64], length_s: float) -> Moods:
    """The feeling of each moment of a clip; none for a constant."""
    if curve.is_constant:
        return ()
    return tuple(curve.at(min(time_s / length_s, 1.0), length_s) for time_s in times_s)


def frames_at(
    clip: Path, info: VideoInfo, times_s: NDArray[np.float64], size_px: int = 0
) -> NDArray[np.uint8]:
    """(T, H, W, 3): the frames that are seen at these times, which climb; cut square with `size_px`.

    InputError for a clip that is damaged, or ends before its own length.
    """
    wanted = np.floor(times_s * info.rate_hz + 1e-6).astype(int)
    scaled = _covering(info, size_px) if size_px else None
    found: list[NDArray[np.uint8]] = []
    for number, frame in enumerate(read_frames(clip, scaled)):
        count = int(np.searchsorted(wanted, number, side="right"))
        found += [_middle(frame, size_px) if size_px else frame] * (count - len(found))
        if len(found) == len(wanted):
            return np.stack(found)
    why = f"{clip.name} ends before its length of {info.length_s:.2f} s; it may be cut off"
    raise InputError("clip", str(clip), why)


def clips_in(folder: Path) -> Iterator[Path]:
    """All video files under a folder, sorted; what begins with a dot is left out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return iter(
        sorted(path for path in found if not any(p.startswith(".") for p in path.relative_to(folder).parts))
    )


def mean(moods: Sequence[VAD]) -> VAD:
    """The point in the middle of several."""
    return VAD.clamped(*(float(axis) for axis in np.mean([one.as_tuple() for one in moods], axis=0)))


def _covering(info: VideoInfo, size_px: int) -> tuple[int, int]:
    """The smallest size of a clip that a square of `size_px` is covered by."""
    factor = size_px / min(info.width, info.height)
    width, height = (max(size_px, math.ceil(side * factor - 1e-6)) for side in (info.width, info.height))
    return width, height


def _middle(frame: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    top, left = ((side - size_px) // 2 for side in frame.shape[:2])
    return frame[top : top + size_px, left : left + size_px].copy()
