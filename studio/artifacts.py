"""What comes out: files that carry their own origin."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from studio import instruments
from studio import provenance as origin
from studio.companions import write_together
from studio.lazy import lazy
from studio.provenance import read_provenance
from studio.score import Piece
from studio.storage import write_atomically

if TYPE_CHECKING:
    from studio import audio_files, midi_files, piano_roll, sound
    from studio.sound import Audio, SoundOptions
else:  # a picture needs none of them
    audio_files, midi_files = lazy("studio.audio_files"), lazy("studio.midi_files")
    piano_roll, sound = lazy("studio.piano_roll"), lazy("studio.sound")

__all__ = ["Picture", "Score", "read_provenance"]


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
        write_atomically(path, partial(_write_png, self.image, record), replace)


@dataclass(frozen=True, slots=True)
class Score:
    """A piece of music: `<name>.mid`, and beside it its sound, a picture of it and its record.

    `sound`: how it is played (None: as studio.sound does by itself); `details`: as in Picture.
    """

    piece: Piece
    sound: SoundOptions | None = None
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)

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
        tags = {"title": self.piece.title, "genre": "Synthetic media", "comment": origin.embedded(record)}
        heard = audio_files.audio_bytes(audio.samples, audio.rate_hz, options.format, tags)
        picture = partial(_write_png, piano_roll.piano_roll(music), record)
        sidecar = (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode()
        paths = [path, *(path.with_suffix(end) for end in ends[1:]), path.with_name(f"{path.name}.json")]
        writers = [partial(_write, midi), partial(_write, heard), picture, partial(_write, sidecar)]
        write_together(list(zip(paths, writers, strict=True)), replace)

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


def _with_details(provenance: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, Any]:
    return {**provenance, **({"details": dict(details)} if details else {})}


def _figure(value: float) -> float | None:
    """Rounded; JSON knows no infinity, which is the loudness of silence."""
    return round(value, 2) if math.isfinite(value) else None


def _write(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def _write_png(image: Image.Image, record: Mapping[str, Any], file: BinaryIO) -> None:
    chunks = PngInfo()
    chunks.add_text("parameters", origin.infotext(record, image.size))
    chunks.add_itxt(origin.CHUNK, json.dumps(record, ensure_ascii=False))
    chunks.add_itxt(origin.XMP_CHUNK, origin.xmp())
    image.save(file, "PNG", pnginfo=chunks)
