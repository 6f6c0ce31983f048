"""Lines that a synthetic voice says and the rule-based performer acts: takes whose feelings are exact.

Example i depends on the seed, the part and i alone. The base model has seen the same performer, never with a
feeling. Knows windows; how a feeling looks is the performer's matter.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipelines.portrait import _hearing as hearing
from pipelines.portrait import _motion_channels as channels
from pipelines.portrait._motion_windows import MARGIN, Window
from pipelines.portrait._performer import perform
from studio import muscles
from studio.emotion import VAD, Emotion
from studio.motion import RATE_HZ
from studio.params import param
from studio.ports import Example
from training.synthesis import performer
from training.synthesis.performer import PARTS, Take

_FIRST = 1_000_000  # number of the first line: those before it made the base model
_OTHERWISE = (
    0.3  # share of lines whose face feels something else than their voice: a recording's must not decide
)


@dataclass(frozen=True)
class Dataset:
    """Windows of `lines` lines, evenly spread. Of an example `media` is a Window, `prompt` the text.

    `attributes`: `bars`, the VAD of each frame, `file`, the line's number, and `voice`.
    """

    MEDIUM: ClassVar[str] = "portrait"
    lines: int = param(400, "lines that are spoken and performed", min=1, max=1_000_000)
    windows: int = param(2, "windows of each line", min=1, max=64)
    frames: int = param(120, "length of a window, 30 a second", min=30, max=120)
    seed: int = param(0, "seed of the lines", min=0, max=2**31 - 1)
    part: str = param("train", "held_out: texts, voices and languages that train never has", choices=PARTS)

    def __len__(self) -> int:
        return self.lines * self.windows

    def __getitem__(self, index: int) -> Example:
        """The example of that index; its line is spoken now."""
        if not 0 <= index < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        number, window = divmod(index, self.windows)
        made, sound = _line(number, self.seed, self.part, self.frames)
        room = len(made.motion) - self.frames
        start = round(room * window / max(1, self.windows - 1))
        part = slice(start, start + self.frames)
        heard = sound[start : start + self.frames + 2 * MARGIN]
        media = Window(heard, channels.rows_of(made.motion)[part], start == 0)
        moods = made.moods[part]
        mean = np.mean([mood.as_tuple() for mood in moods], axis=0)
        attributes = {"bars": moods, "file": f"line {number}", "voice": made.voice}
        return Example(media, made.speech.text, Emotion(VAD(*map(float, mean))), attributes)

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))

    @property
    def description(self) -> dict[str, Any]:
        """What determines the examples: the options, and the source of voice, performer and ear."""
        return {"dataset": "performed", **dataclasses.asdict(self), "performer": _revision()}


@lru_cache(maxsize=8)
def _line(number: int, seed: int, part: str, frames: int) -> tuple[Take, hearing.Array]:
    """A take of `frames` at least, and what is heard of it with MARGIN frames of silence around."""
    made = performer.take(_FIRST + number, seed, part)[0]
    rng = np.random.default_rng([seed, PARTS.index(part), number])
    short = max(0, round(frames / RATE_HZ * made.speech.rate_hz) - len(made.speech.samples))
    otherwise = rng.random() < _OTHERWISE
    if short or otherwise:
        speech = dataclasses.replace(made.speech, samples=np.pad(made.speech.samples, (0, short)))
        kept = made.moods + made.moods[-1:] * (speech.frames(RATE_HZ) - len(made.moods))
        moods = _others(rng, len(kept)) if otherwise else kept
        made = dataclasses.replace(made, speech=speech, moods=moods, motion=perform(speech, moods, made.seed))
    return made, hearing.padded(hearing.features(made.speech), MARGIN)


def _others(rng: np.random.Generator, frames: int) -> tuple[VAD, ...]:
    """From one face at some strength to another."""
    known = list(muscles.prototypes().values())
    ends = [known[rng.integers(len(known))].point.scaled(float(rng.uniform(0.2, 1))) for _ in range(2)]
    return tuple(ends[0].mixed(ends[1], frame / frames) for frame in range(frames))


def _revision() -> str:
    digest = hashlib.blake2b(digest_size=8)
    folder = Path(hearing.__file__).parent
    files = [Path(performer.__file__), performer.LINES]
    for pattern in ("_performer*.py", "_speech*.py", "_hearing.py", "_motion_channels.py"):
        files += sorted(folder.glob(pattern))
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()
