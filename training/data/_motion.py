"""What every data set of recorded faces shares: windows of motion with the sound that goes with them.

A take is a motion file and a sound file. Knows motion files, the ear and the channels of the motion network;
it knows no layout. Where a format has no head or no gaze, that stays at rest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from pipelines.portrait import _hearing as hearing
from pipelines.portrait import _motion_channels as channels
from pipelines.portrait._motion_windows import MARGIN, Window
from pipelines.portrait._speech import listen
from studio.audio_in import read_audio
from studio.emotion import Emotion
from studio.errors import InputError
from studio.motion import RATE_HZ, Motion
from studio.motion_files import read_motion
from studio.params import param
from studio.ports import Example
from studio.speech import Speech
from training.data._files import FileDataset

LENGTHS = (120, 90, 60, 30)  # frames of a window; a shorter take gives the longest of these that it has
SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".m4a", ".aac", ".mov", ".mp4", ".mkv", ".webm")
APART_S = 1.0  # that a motion and its sound may differ in length; more is another take


@dataclass(frozen=True, slots=True)
class Row:
    """One take before its files are opened. `format`: of studio.motion_files, "" to see it from the file;
    `language`: of its words, "" for English."""

    motion: Path
    sound: Path
    prompt: str
    emotion: Emotion
    attributes: Mapping[str, Any] = field(default_factory=dict)
    format: str = ""
    language: str = ""
    besides: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """`sound` (frames + 2 * MARGIN, WIDTH) of _hearing, `motion` (frames, COUNT) of _motion_channels."""

    sound: hearing.Array
    motion: channels.Array

    def __len__(self) -> int:
        return len(self.motion)

    def window(self, start: int, frames: int) -> Window:
        heard = self.sound[start : start + frames + 2 * MARGIN]
        return Window(heard, self.motion[start : start + frames], start == 0)


@dataclass(frozen=True)
class MotionDataset(FileDataset[Row]):
    """Windows of the takes under `root`; `media` of an example is a Window, `prompt` what is said.

    A subclass says in `read_rows` which files; wrong annotations are errors there, before anything runs, and
    a take whose files are missing, broken or too short is an InputError of its examples alone.
    """

    MEDIUM: ClassVar[str] = "portrait"
    frames: int = param(
        120, "length of a window, 30 a second; shorter takes give 90, 60 or 30", choices=LENGTHS
    )
    windows: int = param(2, "windows of each take, evenly spread from its start to its end", min=1, max=64)
    phones: bool = param(False, "align the phones of takes whose words are known, which takes its time")

    def said(self, row: Row) -> tuple[Any, ...]:
        return (row.prompt, row.emotion.text, sorted(row.attributes.items()), row.format, row.language)

    def files(self, row: Row) -> Sequence[Path]:
        return (row.motion, row.sound, *row.besides)

    def __len__(self) -> int:
        return len(self._rows) * self.windows

    def __getitem__(self, index: int) -> Example:
        """A window of a take. InputError where a file is missing or broken, the two do not belong together,
        or the take is shorter than a second."""
        if not 0 <= index < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        row = self._rows[index // self.windows]
        take = read_take(row.motion, row.sound, row.format, self._words(row))
        frames = next((one for one in LENGTHS if one <= min(self.frames, len(take))), 0)
        if not frames:
            why = f"{row.motion.name} lasts {len(take)} frames; a window needs {LENGTHS[-1]}"
            raise InputError("motion", str(row.motion), why)
        share = (index % self.windows) / max(1, self.windows - 1)
        start = round(share * (len(take) - frames))
        attributes = {**row.attributes, "file": row.motion.name, "first_frame": start}
        return Example(take.window(start, frames), row.prompt, row.emotion, attributes)

    @property
    def takes(self) -> tuple[Row, ...]:
        """Every take once, its files unopened."""
        return self._rows

    def recording(self, row: Row) -> tuple[Motion, Speech]:
        """A whole take at 30 Hz. InputError as for its examples."""
        return read_recording(row.motion, row.sound, row.format, self._words(row))

    def _words(self, row: Row) -> tuple[str, str]:
        return (row.prompt, row.language) if self.phones and row.prompt else ("", "")


@lru_cache(maxsize=16)  # the windows of a take are asked for one after the other
def read_take(motion: Path, sound: Path, format: str, words: tuple[str, str]) -> Take:
    """A take at 30 Hz; `words`: transcript and language to align phones with, or empty. InputError."""
    moved, speech = read_recording(motion, sound, format, words)
    heard, rows = hearing.features(speech), channels.rows_of(moved)
    frames = min(len(heard), len(rows))
    return Take(hearing.padded(heard[:frames], MARGIN), rows[:frames])


def read_recording(motion: Path, sound: Path, format: str, words: tuple[str, str]) -> tuple[Motion, Speech]:
    """The same before anything is made of it: motion at 30 Hz, and what was said. InputError."""
    moved = read_motion(motion, format).at_rate(RATE_HZ)
    speech = _heard(sound, *words)
    apart_s = abs(moved.length_s - speech.length_s)
    if apart_s > max(APART_S, 0.05 * moved.length_s):
        why = f"{motion.name} lasts {moved.length_s:.1f} s and {sound.name} {speech.length_s:.1f} s"
        raise InputError("sound", str(sound), f"{why}: they are no take of one another")
    return moved, speech


def sound_beside(motion: Path) -> Path | None:
    """The sound or video file of the same stem in the same folder."""
    found = (motion.with_suffix(end) for end in (*SOUNDS, *(end.upper() for end in SOUNDS)))
    return next((path for path in found if path.is_file()), None)


def needs_sound(motion: Path) -> Path:
    """The same; where there is none, the file that would be it, so that only this take is an error."""
    return sound_beside(motion) or motion.with_suffix(SOUNDS[0])


def _heard(sound: Path, text: str, language: str) -> Speech:
    if text:
        heard = listen(sound, text, language)
        samples = hearing.resampled(heard.samples, heard.rate_hz)
        return dataclasses.replace(heard, samples=samples, rate_hz=hearing.SOUND_HZ)
    return Speech(read_audio(sound, hearing.SOUND_HZ), hearing.SOUND_HZ)
