"""Sound as bytes of WAV, FLAC, MP3 or Ogg Vorbis, with title, comment and record of origin inside.

Knows containers and the ffmpeg program that imageio_ffmpeg brings; knows no music. The same samples and texts
make the same bytes with the same ffmpeg.
"""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from studio.errors import InputError, StorageError, nearest
from studio.lazy import lazy
from studio.loudness import Samples

imageio_ffmpeg = lazy("imageio_ffmpeg")

# Format -> how ffmpeg writes it; WAV is written here.
_ENCODERS: Mapping[str, tuple[str, ...]] = {
    "wav": (),
    "flac": ("-c:a", "flac", "-f", "flac"),
    "mp3": ("-c:a", "libmp3lame", "-q:a", "2", "-id3v2_version", "4", "-f", "mp3"),
    "ogg": ("-c:a", "libvorbis", "-q:a", "6", "-f", "ogg"),
}
FORMATS = tuple(_ENCODERS)
TAGS = ("title", "comment", "genre")
_INFO = {"title": b"INAM", "comment": b"ICMT", "genre": b"IGNR"}
_TIMEOUT_S = 600


def audio_bytes(samples: Samples, rate_hz: int, format: str, tags: Mapping[str, str]) -> bytes:
    """A whole file; 16 bits a sample before coding. `tags`: texts under names of TAGS.

    Raises InputError for another format, StorageError when ffmpeg is missing or fails.
    """
    if format not in FORMATS:
        why = f"{format!r} is not one of {', '.join(FORMATS)}"
        raise InputError("format", format, why, nearest(format, FORMATS))
    wav = _wav(samples, rate_hz, tags)
    return wav if format == "wav" else _encoded(wav, format, tags)


def ffmpeg() -> str:
    """The program's path. Raises StorageError where there is none."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (RuntimeError, ImportError) as error:
        raise StorageError(f"ffmpeg: not found ({error}); WAV needs none") from error


def _wav(samples: Samples, rate_hz: int, tags: Mapping[str, str]) -> bytes:
    """The texts stand before the samples, where readers that stop early find them."""
    channels = samples.shape[0]
    whole = np.clip(np.rint(samples.T * 32767), -32768, 32767).astype("<i2").tobytes()
    layout = struct.pack("<HHIIHH", 1, channels, rate_hz, rate_hz * channels * 2, channels * 2, 16)
    texts = b"".join(_chunk(_INFO[name], text.encode() + b"\0") for name, text in tags.items() if text)
    info = _chunk(b"LIST", b"INFO" + texts) if texts else b""
    return _chunk(b"RIFF", b"WAVE" + _chunk(b"fmt ", layout) + info + _chunk(b"data", whole))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _encoded(wav: bytes, format: str, tags: Mapping[str, str]) -> bytes:
    """Through files: a command line is too short for a record, and headers are finished by going back."""
    with tempfile.TemporaryDirectory(prefix="emotion-studio-") as folder:
        source, texts, target = (Path(folder) / name for name in ("in.wav", "tags.txt", f"out.{format}"))
        try:
            source.write_bytes(wav)
            texts.write_text(metadata_text(tags), "utf-8")
        except OSError as error:
            raise StorageError(f"{folder}: cannot be written ({error.strerror or error})") from error
        exact = ("-fflags", "+bitexact", "-flags:a", "+bitexact")  # no version, no time, no random serial
        read = ("-i", str(source), "-f", "ffmetadata", "-i", str(texts), "-map", "0:a", "-map_metadata", "1")
        command = [ffmpeg(), "-v", "error", "-nostdin", "-y", *read, *exact, *_ENCODERS[format], str(target)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StorageError(f"ffmpeg: cannot be run ({error})") from error
        if done.returncode or not target.is_file() or not os.path.getsize(target):
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise StorageError(f"ffmpeg: no {format} came out ({said[-1] if said else done.returncode})")
        return target.read_bytes()


def metadata_text(tags: Mapping[str, str]) -> str:
    """ffmpeg's own text format, in which five characters are escaped."""
    escapes = {ord(char): f"\\{char}" for char in "=;#\\\n"}
    lines = [f"{name}={text.translate(escapes)}" for name, text in tags.items() if text]
    return "\n".join([";FFMETADATA1", *lines, ""])
