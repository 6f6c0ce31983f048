"""MEAD (Wang et al., ECCV 2020) and folders like it, after `python -m training.track FOLDER`.

    M003/video/front/angry/level_3/028.mp4, and what the tracker wrote: 028.npz beside it
    M003/audio/angry/level_3/028.m4a           its sound; the video's own where there is none
    M003/front/angry/level_3/M003_front_angry_level_3_001.mp4      as cropped copies have it

The names of the folders say feeling and level; levels 1, 2 and 3 are a third, two thirds and all of it. Clips
without a feeling in their path, such as HDTF's, are left out, or stand for a neutral face.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from studio.emotion import NEUTRAL, Emotion, parse_emotion
from studio.params import param
from training.data._motion import MotionDataset, Row, needs_sound
from training.data._tables import no_layout
from training.tracking import FEELINGS, VIDEOS

TAXONOMY = "mead"
VIEWS = ("front", "left_30", "left_60", "right_30", "right_60", "top", "down")
LEVELS = 3
_LEVEL = re.compile(r"level_([1-3])", re.ASCII)
_SOUNDS = (".m4a", ".wav", ".mp3", ".flac")


@dataclass(frozen=True)
class Dataset(MotionDataset):
    """Tracked clips of `root`."""

    root: str = param("", "folder of videos that the tracker has been over")
    unlabelled: str = param("leave out", "clips whose path says no feeling", choices=("leave out", "neutral"))
    view: str = param("front", "camera, where the path names one; empty: all", choices=("", *VIEWS))

    def read_rows(self) -> list[Row]:
        """Raises InputError where no motion lies beside a video."""
        motions = sorted(path for path in self.folder.rglob("*.npz") if video_beside(path))
        if not motions:
            raise no_layout(
                self.root, "028.npz", "videos that `python -m training.track FOLDER` has been over"
            )
        asked = [(path, path.relative_to(self.folder).parts[:-1]) for path in motions]
        rows = [_row(self.folder, path) for path, parts in asked if self._is_asked(parts)]
        return [row for row in rows if self.unlabelled == "neutral" or "label" in row.attributes]

    def _is_asked(self, folders: tuple[str, ...]) -> bool:
        return not self.view or self.view in folders or not set(VIEWS) & set(folders)


def video_beside(motion: Path) -> Path | None:
    """The video that a motion was tracked in."""
    return next((path for end in VIDEOS if (path := motion.with_suffix(end)).is_file()), None)


def _row(folder: Path, motion: Path) -> Row:
    parts = motion.relative_to(folder).parts[:-1]
    label = next((part for part in reversed(parts) if part in FEELINGS), "")
    level = next((int(found[1]) for part in parts if (found := _LEVEL.fullmatch(part))), LEVELS)
    said = {"label": label, "level": level} if label else {}
    emotion = parse_emotion(f"{TAXONOMY}/{label}:{level / LEVELS:.2f}") if label else Emotion(NEUTRAL)
    return Row(motion, _sound(motion, folder), "", emotion, {**said, "clip": "/".join(parts[:1])}, "npz")


def _sound(motion: Path, folder: Path) -> Path:
    """From `M003/video/front/...` to `M003/audio/...`; else the video's own."""
    parts = motion.relative_to(folder).parts
    if "video" in parts:
        at = parts.index("video")
        rest = parts[at + 2 :] if parts[at + 1] in VIEWS else parts[at + 1 :]
        audio = folder.joinpath(*parts[:at], "audio", *rest)
        found = next((path for end in _SOUNDS if (path := audio.with_suffix(end)).is_file()), None)
        if found:
            return found
    return video_beside(motion) or needs_sound(motion)
