"""What comes out: files that carry their own origin."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image

from studio import file_writers, instruments
from studio import provenance as origin
from studio.companions import Writer, paths_of, write_together
from studio.emotion import NEUTRAL, EmotionCurve
from studio.lazy import lazy
from studio.provenance import read_provenance
from studio.score import Piece
from studio.storage import write_atomically

if TYPE_CHECKING:
    from studio import audio_files, film_strip, midi_files, piano_roll, sound, video_files
    from studio.recording import Recording, Still
    from studio.sound import Audio, SoundOptions
else:  # a picture needs none of them
    audio_files, midi_files = lazy("studio.audio_files"), lazy("studio.midi_files")
    piano_roll, sound = lazy("studio.piano_roll"), lazy("studio.sound")
    film_strip, video_files = lazy("studio.film_strip"), lazy("studio.video_files")

__all__ = ["Clip", "Picture", "Score", "read_provenance"]

_STRIP_QUALITY = 88  # JPEG: as a PNG a strip is larger than many a clip
_JPEG_COMMENT_BYTES = 65_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A still image (PIL, any mode that PNG holds).

    `details`: what the pipeline decided where the request left it open, as plain values ({"guidance": 5.0}).
    """

    image: Image.Image
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)

    suffix = ".png"

    def save(self, path: Path, provenance: Mapping[str, Any], replace: bool = True) -> None:
        """Write a PNG with its record inside (see studio.provenance). Raises StorageError; without `replace`
        NameTakenError for a name that is taken."""
        record = _with_details(provenance, self.details)
        write_atomically(path, file_writers.png(self.image, record), replace)


@dataclass(frozen=True, slots=True)
class Score:
    """A piece of music: `<name>.mid`, and beside it its sound, a picture of it and its record.

    `sound`: how it is played (None: as studio.sound does by itself); `details`: as in Picture.
    """

    piece: Piece
    sound: SoundOptions | None = None
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)
    notes: tuple[str, ...] = ()  # what a person should know about it

    suffix = ".mid"

    def save(self, path: Path, provenance: Mapping[str, Any], replace: bool = True) -> None:
        """Write the MIDI file, `<name>.wav` (or the asked format), `<name>.png` and, last, `<name>.mid.json`;
        all of them or, without `replace`, none. Raises StorageError, NameTakenError, InputError (soundfont).
        """
        options = self.sound or sound.SoundOptions()
        audio = sound.play(self.piece, options)  # before anything is written: a soundfont may be none
        ends = [self.suffix, f".{options.format}", ".png"]
        record = {**_with_details(provenance, self._facts(options, audio)), "files": ends}
        chosen = record["details"]["instruments"]
        music = instruments.arranged(self.piece, chosen)
        midi = midi_files.midi_bytes(music, record, instruments.balance(music, chosen))
        tags = file_writers.tags(self.piece.title, record)
        heard = audio_files.audio_bytes(audio.samples, audio.rate_hz, options.format, tags)
        writers = [
            file_writers.content(midi),
            file_writers.content(heard),
            file_writers.png(piano_roll.piano_roll(music), record),
            file_writers.sidecar(record),
        ]
        write_together(list(zip(paths_of(path, ends), writers, strict=True)), replace)

    def _facts(self, options: SoundOptions, audio: Audio) -> dict[str, Any]:
        """What the record says besides the request."""
        return {
            "bars": len(self.piece.bars),
            "length_s": round(audio.length_s, 2),
            "loudness_lufs": _figure(audio.lufs),
            "true_peak_dbtp": _figure(audio.peak_db),
            **self.details,
            "instruments": instruments.preset(options.instruments, [bar.emotion for bar in self.piece.bars]),
        }


@dataclass(frozen=True, slots=True)
class Clip:
    """A video: `<name>.mp4`, and beside it a frame of it, a strip of frames over the curve, its record.

    `recording`: encoded while it was rendered (`studio.recording.recorded`), so that progress and cancelling
    are those of the render; its file goes with it. `curve`: the feeling that was asked for, drawn under the
    frames. `extras`: further files that belong to it, as suffix (".npz") and what writes it. `details`: as in
    Picture.
    """

    recording: Recording
    curve: EmotionCurve
    extras: tuple[tuple[str, Writer], ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)
    notes: tuple[str, ...] = ()  # what a person should know about it

    suffix = ".mp4"

    def __post_init__(self) -> None:
        ends = self._ends
        if len(set(ends)) < len(ends) or not all(end[:1] == "." and end[1:].isalnum() for end in ends):
            raise ValueError(f"suffixes of a clip must be different ones like .npz, got {ends}")

    def save(self, path: Path, provenance: Mapping[str, Any], replace: bool = True) -> None:
        """Write the MP4 file, `<name>.png` (its poster), `<name>.jpg` (the strip), the extras and, last,
        `<name>.mp4.json`; all of them or, without `replace`, none. Raises StorageError, NameTakenError."""
        record = {**_with_details(provenance, self._facts()), "files": self._ends}
        title = str(record["request"].get("prompt", ""))
        whole = self.recording.path.with_name("tagged.mp4")
        video_files.tagged(self.recording.path, whole, file_writers.tags(title, record))
        strip = film_strip.film_strip(self.recording.stills, self.curve, self.recording.info.length_s, title)
        writers: list[Writer] = [
            partial(_copy, whole),
            file_writers.png(self._poster().picture, record),
            partial(_write_jpeg, strip, record),
            *(write for _, write in self.extras),
            file_writers.sidecar(record),
        ]
        try:
            write_together(list(zip(paths_of(path, self._ends), writers, strict=True)), replace)
        finally:
            whole.unlink(missing_ok=True)

    @property
    def _ends(self) -> list[str]:
        return [self.suffix, ".png", ".jpg", *(end for end, _ in self.extras)]

    def _facts(self) -> dict[str, Any]:
        info = self.recording.info
        shown = {"width": info.width, "height": info.height, "rate_hz": info.rate_hz}
        return {**shown, "length_s": round(info.length_s, 3), "sound": info.has_audio, **self.details}

    def _poster(self) -> Still:
        """The kept frame where the feeling is furthest from neutral; of equals the one nearest the middle."""
        length_s = self.recording.info.length_s

        def telling(still: Still) -> tuple[float, float]:
            progress = min(still.time_s / length_s, 1.0)
            return round(self.curve.at(progress, length_s).distance(NEUTRAL), 3), -abs(progress - 0.5)

        return max(self.recording.stills, key=telling)


def _with_details(provenance: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, Any]:
    return {**provenance, **({"details": dict(details)} if details else {})}


def _figure(value: float) -> float | None:
    """Rounded; JSON knows no infinity, which is the loudness of silence."""
    return round(value, 2) if math.isfinite(value) else None


def _copy(source: Path, file: BinaryIO) -> None:
    with source.open("rb") as content:
        shutil.copyfileobj(content, file, 1 << 20)


def _write_jpeg(image: Image.Image, record: Mapping[str, Any], file: BinaryIO) -> None:
    comment = origin.embedded(record).encode()
    kept = {"comment": comment} if len(comment) < _JPEG_COMMENT_BYTES else {}
    image.save(file, "JPEG", quality=_STRIP_QUALITY, **kept)
