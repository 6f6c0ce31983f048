"""A short piece, a soundfont of one sine, and a pipeline `music/sketch` that makes such pieces, no torch."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from studio import catalog
from studio.artifacts import Score
from studio.audio_files import audio_bytes
from studio.emotion import VAD
from studio.params import param
from studio.ports import OnStep, SetEmotion, Step
from studio.request import RenderRequest
from studio.score import Bar, Note, Part, Piece
from studio.sound import SoundOptions
from tests.studio import sketch

NAME, DEFAULT_MODEL = "music/sketch", sketch.DEFAULT_MODEL
PROMPT_IS_TITLE = True
INPUTS = ("soundfont",)
FONT_RATE_HZ, FONT_HZ, FONT_ROOT = 44_100, 441.0, 69
LOOP = 100  # samples: one period


def piece(title: str = "A walk, ended", notes: bool = True) -> Piece:
    """Four bars, 120 then 60 a minute, the last in 3/4: 2 + 2 + 4 + 3 seconds."""
    bars = (
        Bar("4/4", 120, VAD(-0.6, -0.4, 0), ("Am", "F")),
        Bar("4/4", 120, VAD(-0.3, -0.2, 0), ("F",)),
        Bar("4/4", 60, VAD(0.2, 0, 0), ("C",)),
        Bar("3/4", 60, VAD(0.7, 0.5, 0), ("G",)),
    )
    melody = (Note(0, 1, 69, 60), Note(2, 1.5, 72, 80), Note(8, 1, 76, 100), Note(12, 2, 79, 120))
    chords = (Note(0, 0.5, 57, 50), Note(0, 0.5, 60, 50), Note(8, 2, 55, 70))
    parts = (Part("Melody", 0, melody), Part("Accompaniment", 0, chords, ((0.0, 3.5), (8.0, 11.5))))
    turns = ((0, "sadness"), (3, "joy:0.8 é"))
    return Piece(bars, parts if notes else (), "A minor", title, turns)


def font(path: Path, generators: dict[int, int] | None = None, compressed: bool = False) -> Path:
    """An SF2 (SF3 when compressed) of program 0: one period of a sine at half of full scale, looped."""
    count = 40 * LOOP
    wave = 0.5 * np.sin(2 * np.pi * np.arange(count) / LOOP)
    samples = np.rint(wave * 32767).astype("<i2").tobytes()
    if compressed:
        samples = audio_bytes(wave[None].astype(np.float32), FONT_RATE_HZ, "ogg", {})
    end = len(samples) if compressed else count
    loop = (LOOP, 36 * LOOP)
    own = {54: 1, **(generators or {}), 53: 0}  # the sample comes last
    header = struct.pack(
        "<20s5IBbHH", b"sine", 0, end, *loop, FONT_RATE_HZ, FONT_ROOT, 0, 0, 17 if compressed else 1
    )
    tables = {
        b"phdr": struct.pack("<20s3H3I", b"p", 0, 0, 0, 0, 0, 0)
        + struct.pack("<20s3H3I", b"EOP", 0, 0, 1, 0, 0, 0),
        b"pbag": struct.pack("<4H", 0, 0, 1, 0),
        b"pmod": bytes(10),
        b"pgen": struct.pack("<4H", 41, 0, 0, 0),
        b"inst": struct.pack("<20sH20sH", b"i", 0, b"EOI", 1),
        b"ibag": struct.pack("<4H", 0, 0, len(own), 0),
        b"imod": bytes(10),
        b"igen": b"".join(struct.pack("<Hh", *pair) for pair in own.items()) + bytes(4),
        b"shdr": header + struct.pack("<20s5IBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0),
    }
    body = b"sfbk" + chunk(b"LIST", b"INFO" + chunk(b"ifil", struct.pack("<2H", 2, 4)))
    body += chunk(b"LIST", b"sdta" + chunk(b"smpl", samples))
    body += chunk(b"LIST", b"pdta" + b"".join(chunk(name, table) for name, table in tables.items()))
    path.write_bytes(chunk(b"RIFF", body))
    return path


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


@dataclass(frozen=True, slots=True)
class Params:
    bars: int = param(4, "length", min=1, max=256)
    format: str = param("wav", "of the sound", choices=("wav", "flac", "mp3", "ogg"))


class Pipeline:
    font: ClassVar[str] = ""

    def __init__(self) -> None:
        self.modules: dict[str, Any] = {"painter": sketch.Painter()}

    @classmethod
    def load(cls, model: str, device: str, dtype: str, memory: str = "auto") -> Pipeline:
        return cls()

    def render(self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep) -> list[Score]:
        set_emotion([request.curve.at(0.5) for request in batch])
        on_step(Step(1, 1))
        fonts = [dict(request.inputs).get("soundfont", self.font) for request in batch]
        formats = [request.params.format for request in batch]
        sounds = [SoundOptions(*one) for one in zip(formats, ["piano"] * len(batch), fonts, strict=True)]
        made = zip(batch, sounds, strict=True)
        return [Score(piece(request.prompt), sound, {"key": "A minor"}) for request, sound in made]


def install(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make the catalogue find `music/sketch` with `sketch-model`; it plays the sine."""
    sketch.install(patch, folder / "assets")
    here, load, names = sys.modules[__name__], catalog.load, catalog.names
    patch.setattr(
        catalog,
        "load",
        lambda kind, name: here if (kind, name) == ("pipeline", NAME) else load(kind, name),
    )
    patch.setattr(catalog, "names", lambda kind: [*names(kind), *([NAME] if kind == "pipeline" else [])])
    patch.setattr(Pipeline, "font", str(font(folder / "sine.sf2")))
