"""The artifact of a rig: a motion in the formats of other programs, with its sound and a picture of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from studio import audio_files, file_writers, head_picture, motion_files
from studio.companions import Writer, paths_of, write_together
from studio.errors import InputError, nearest
from studio.motion import Motion
from studio.speech import Speech

PICTURE, SOUND = ".png", ".wav"


@dataclass(frozen=True, slots=True)
class Performance:
    """`<name>.glb` (or another format of studio.motion_files) and beside it the other formats, the speech as
    WAV, a strip of pictures and the record.

    `main`: the format of the main file; `formats`: all that are written. `details`: what the pipeline decided
    where the request left it open; `notes`: what a person should know, one line each. Raises InputError for
    unknown formats and a motion without frames.
    """

    motion: Motion
    speech: Speech | None = None
    main: str = "gltf"
    formats: tuple[str, ...] = tuple(motion_files.FORMATS)
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (self.main, *self.formats):
            if name not in motion_files.FORMATS:
                why = f"{name!r} is not one of {', '.join(motion_files.FORMATS)}"
                raise InputError("format", name, why, nearest(name, motion_files.FORMATS))
        if not len(self.motion):
            raise InputError("motion", 0, "has no frames")

    @property
    def suffix(self) -> str:
        return motion_files.FORMATS[self.main].suffix

    def save(self, path: Path, provenance: Mapping[str, Any], replace: bool = True) -> None:
        """Write all files and, last, `<main file>.json`; all of them or, without `replace`, none. Raises
        StorageError, NameTakenError."""
        formats = list(dict.fromkeys((self.main, *self.formats)))
        ends = [motion_files.FORMATS[one].suffix for one in formats] + [SOUND] * bool(self.speech) + [PICTURE]
        record = {**provenance, "details": self._facts(), "files": ends}
        writers: list[Writer] = [
            write for _, write in motion_files.writers(self.motion, record, tuple(formats))
        ]
        if self.speech:
            writers.append(file_writers.content(_wav(self.speech, record)))
        writers += [file_writers.png(head_picture.strip(self.motion), record), file_writers.sidecar(record)]
        write_together(list(zip(paths_of(path, ends), writers, strict=True)), replace)

    def _facts(self) -> dict[str, Any]:
        shown = {"frames": len(self.motion), "rate_hz": self.motion.rate_hz}
        return {**shown, "length_s": round(self.motion.length_s, 3), **self.details}


def _wav(speech: Speech, record: Mapping[str, Any]) -> bytes:
    samples = np.asarray(speech.samples[None, :])
    tags = file_writers.tags(speech.text[:120], record)
    return audio_files.audio_bytes(samples, speech.rate_hz, "wav", tags)
