"""A piece to listen to: its notes played by a soundfont's instruments, in a small room, as loud as asked.

Time, pedal, touch and balance are here; a note's sound is in studio.sampler, loudness in studio.loudness.
The same piece and options make the same samples on the same machine.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio import instruments, sampler
from studio.audio_files import FORMATS
from studio.errors import InputError, nearest
from studio.loudness import Samples, convolved, integrated_lufs, normalised, true_peak_db
from studio.midi_files import struck
from studio.score import Part, Piece
from studio.soundfont import SoundFont, read_soundfont

RATE_HZ = 44_100
LUFS, LUFS_RANGE = -18.0, (-40.0, -8.0)
CEILING_DB = -1.0  # true peak; coding to MP3 or Ogg overshoots by less than that
MAX_LENGTH_S = 3600.0
_ROOM_S, _ROOM_DB, _ROOM_DELAY_S = 0.7, -17.0, 0.012  # a small one: without any it sounds like inside a box


@dataclass(frozen=True, slots=True)
class SoundOptions:
    """`instruments`: a preset or "auto"; `soundfont`: an SF2 or SF3 file, "" is the bundled one; `lufs`:
    integrated loudness (ITU-R BS.1770-4). Raises InputError."""

    format: str = "wav"
    instruments: str = instruments.AUTO
    soundfont: str = ""
    lufs: float = LUFS

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            why = f"{self.format!r} is not one of {', '.join(FORMATS)}"
            raise InputError("format", self.format, why, nearest(self.format, FORMATS))
        instruments.preset(self.instruments)
        low, high = LUFS_RANGE
        if not low <= self.lufs <= high:
            raise InputError(
                "lufs", self.lufs, f"must be in [{low:g}, {high:g}], got {self.lufs}", f"{LUFS:g}"
            )


@dataclass(frozen=True, slots=True)
class Audio:
    """`samples`: float32 (2, samples), 1.0 full scale; `lufs` and `peak_db` (true peak) as measured."""

    samples: Samples
    rate_hz: int
    lufs: float
    peak_db: float

    @property
    def length_s(self) -> float:
        return float(self.samples.shape[1] / self.rate_hz)


class Played(NamedTuple):
    """One note in seconds: `length_s` is how long it sounds before it begins to fade, the pedal counted."""

    start_s: float
    length_s: float
    pitch: int
    velocity: int


def play(piece: Piece, options: SoundOptions | None = None) -> Audio:
    """The sound of a piece with its last note faded. Raises InputError for a soundfont that is none, or lacks
    an instrument, or a piece of more than an hour."""
    options = options or SoundOptions()
    if piece.length_s > MAX_LENGTH_S:
        why = f"{piece.length_s / 60:.0f} minutes; at most {MAX_LENGTH_S / 60:.0f} are played"
        raise InputError("length_s", piece.length_s, why)
    font = read_soundfont(options.soundfont or None)
    chosen = instruments.preset(options.instruments, [bar.emotion for bar in piece.bars])
    dry = np.zeros((2, round((piece.length_s + 10) * RATE_HZ)), np.float32)
    end = round(piece.length_s * RATE_HZ)
    for part in piece.parts:
        voice = instruments.voice(part, chosen)
        end = max(end, _mix(dry, font, voice, list(played(piece, part))))
    dry = dry[:, : min(end + round(0.05 * RATE_HZ), dry.shape[1])]
    sound = normalised(_in_room(dry), RATE_HZ, options.lufs, CEILING_DB)
    return Audio(sound, RATE_HZ, integrated_lufs(sound, RATE_HZ), true_peak_db(sound))


def played(piece: Piece, part: Part) -> Iterator[Played]:
    """The notes of a part by start, as long as key or pedal holds them, at most to the next of that pitch."""
    notes = struck(part.notes)
    downs = [down for down, _ in part.pedal]
    following: dict[int, float] = {}
    found = []
    for note in reversed(notes):
        end = note.start_beats + note.length_beats
        at = bisect_right(downs, end) - 1
        if at >= 0 and end < part.pedal[at][1]:
            end = part.pedal[at][1]
        end = min(end, following.get(note.pitch, math.inf))
        following[note.pitch] = note.start_beats
        start_s = piece.seconds(note.start_beats)
        found.append(Played(start_s, piece.seconds(end) - start_s, note.pitch, note.velocity))
    return reversed(found)


def _mix(out: Samples, font: SoundFont, voice: instruments.Voice, notes: list[Played]) -> int:
    """Add the notes to `out`; returns where the last has faded, in samples."""
    longest: dict[tuple[int, int], float] = {}
    for note in notes:
        key = note.pitch, _layer(note.velocity)
        longest[key] = max(longest.get(key, 0.0), note.length_s)
    keys: dict[tuple[int, int], sampler.Held] = {}
    balance = 10 ** (voice.level_db / 20) * _sides(voice.pan)
    end = 0
    for note in notes:
        key = note.pitch, _layer(note.velocity)
        if key not in keys:
            keys[key] = sampler.held(font, voice.program, note.pitch, note.velocity, longest[key], RATE_HZ)
        start = round(note.start_s * RATE_HZ)
        sound = _let_go(keys[key], note.length_s)[:, : out.shape[1] - start]
        out[:, start : start + sound.shape[1]] += sound * (balance * sampler.gain(note.velocity))[:, None]
        end = max(end, start + sound.shape[1])
    return end


def _let_go(key: sampler.Held, length_s: float) -> Samples:
    """Held for `length_s`, then faded in a straight line of dB."""
    at = round(length_s * RATE_HZ)
    fade = round(sampler.FADED_SHARE * key.release_s * RATE_HZ)
    sound = key.sound[:, : at + fade].copy()
    tail = sound[:, at:]
    times = np.arange(tail.shape[1], dtype=np.float32) / (key.release_s * RATE_HZ)
    tail *= np.float32(10) ** (-5 * times) * np.linspace(1, 0, tail.shape[1], dtype=np.float32) ** 0.2
    return sound


def _layer(velocity: int) -> int:
    return velocity * sampler.LAYERS // 128


def _sides(pan: float) -> NDArray[np.float32]:
    """Left and right of a place between -1 and 1, equal power, 1 and 1 in the middle."""
    angle = (pan + 1) * np.pi / 4
    return np.array([2**0.5 * math.cos(angle), 2**0.5 * math.sin(angle)], np.float32)


def _in_room(dry: Samples) -> Samples:
    wet = convolved(dry, _room())
    wet[:, : dry.shape[1]] += dry
    return wet


@lru_cache(maxsize=1)
def _room() -> NDArray[np.float64]:
    """(2, taps): noise that dies away by 60 dB over the room's time and loses its treble on the way."""
    count, delay = round(_ROOM_S * RATE_HZ), round(_ROOM_DELAY_S * RATE_HZ)
    noise = np.random.default_rng(1).normal(size=(2, count))
    dull = np.stack([np.convolve(side, np.hanning(24) / np.hanning(24).sum(), mode="same") for side in noise])
    times = np.linspace(0, 1, count)
    tail = (noise * (1 - times) ** 4 * 0.5 + dull * 2) * 10 ** (-3 * times)
    tail *= 10 ** (_ROOM_DB / 20) / np.sqrt((tail**2).sum(1, keepdims=True))
    return np.pad(tail, ((0, 0), (delay, 0)))
