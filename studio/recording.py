"""A clip while it is nobody's yet: a temporary MP4, with a few of its frames kept aside to draw pictures of.

The file goes when the value does, saved or not. Knows how clips are recorded, not what becomes of them.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from studio import video_files
from studio.video_files import Frame, OnFrame, Sound, VideoInfo

STILLS = 16  # kept are this many to twice as many, evenly spaced, whatever the length
STILL_PX = 768  # the longer side of what is kept


@dataclass(frozen=True, slots=True)
class Still:
    """A frame of a clip and when it is shown."""

    time_s: float
    picture: Image.Image


@dataclass(frozen=True, eq=False)
class Recording:
    """`path`: an MP4 that exists as long as this value does, or until `discard`. Make it with `recorded`."""

    path: Path
    info: VideoInfo
    stills: tuple[Still, ...] = field(repr=False)

    def __post_init__(self) -> None:
        gone = weakref.finalize(self, shutil.rmtree, self.path.parent, ignore_errors=True)
        object.__setattr__(self, "_gone", gone)

    def discard(self) -> None:
        """Remove the file now."""
        gone: weakref.finalize[[Path, bool], Recording] = self.__dict__["_gone"]
        gone()


def recorded(
    frames: Iterable[Frame], rate_hz: float, audio: Sound | None = None, on_frame: OnFrame | None = None
) -> Recording:
    """Encode frames as they come; arguments and errors are those of `video_files.record`. When it fails or is
    stopped, nothing is left."""
    folder = Path(tempfile.mkdtemp(prefix="emotion-studio-"))
    keeper = _Keeper(rate_hz)
    try:
        path = folder / "clip.mp4"
        info = video_files.record(keeper.watched(frames), rate_hz, path, audio, on_frame)
        return Recording(path, info, keeper.stills)
    except BaseException:  # Ctrl-C too
        shutil.rmtree(folder, ignore_errors=True)
        raise


class _Keeper:
    """Every frame at first; whenever there are too many, every other one of them goes."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz, self._every = rate_hz, 1
        self._kept: list[Still] = []

    @property
    def stills(self) -> tuple[Still, ...]:
        return tuple(self._kept)

    def watched(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for index, frame in enumerate(frames):
            if index % self._every == 0:
                self._keep(Still(index / self._rate_hz, _small(frame)))
            yield frame

    def _keep(self, still: Still) -> None:
        if len(self._kept) == 2 * STILLS:
            del self._kept[1::2]
            self._every *= 2
        self._kept.append(still)


def _small(frame: Frame) -> Image.Image:
    """A copy of a frame: the renderer may draw the next one into the same memory. What is no picture is
    refused by the encoder, which sees the frame next."""
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        return Image.new("RGB", (1, 1))
    picture = Image.fromarray(frame.copy())
    picture.thumbnail((STILL_PX, STILL_PX))
    return picture
