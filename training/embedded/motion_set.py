"""Takes that the motion network learns from, made once and kept.

Lines spoken by many voices with many feelings (see training.synthesis.performer), recordings, and hiss in
which nobody speaks. Of the part "base" no face feels anything, whatever the voice does; in "felt" it does. Or
takes of people, as their recordings have them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from pipelines.portrait import _hearing as hearing
from pipelines.portrait import _motion_channels as channels
from pipelines.portrait._motion_windows import MARGIN, WINDOW
from pipelines.portrait._performer import perform
from studio.audio_in import read_audio
from studio.emotion import NEUTRAL
from studio.errors import InputError
from studio.motion import RATE_HZ
from studio.speech import Speech
from training.data._motion import MotionDataset
from training.synthesis import performer

LINES = 800
FELT = 0.1  # of as many lines: only the spread of channels is measured on them
SHORTEST = WINDOW + 30  # frames; what is shorter goes on in silence
BEGINNINGS = 0.1  # share of windows that begin a line, beyond those that do by chance
NOISY, MUTE = 0.25, 0.05  # shares of lines with noise behind them, and of such without a voice
_PURPOSE = {"base": 0x3A11, "felt": 0x3A12}

Heard = tuple[hearing.Array, hearing.Array]  # sound and motion of one line, frames first


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many lines, by which seed; `real`: a folder of WAV files that are learnt from too."""

    lines: int = LINES
    seed: int = 0
    real: Path | None = None


class Takes(NamedTuple):
    """Lines one after the other: `sound` (all frames + 2 * MARGIN each, F), `motion` (all frames, H).

    `frames` (lines,) of each.
    """

    sound: Tensor
    motion: Tensor
    frames: Tensor


def takes(folder: Path, wanted: Wanted, part: str) -> Takes:
    """`part`: "base" or "felt"; made once in `folder`."""
    file = folder / f"{part}.safetensors"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        save_file(joined(list(_made(wanted, part)))._asdict(), file)
    return Takes(**load_file(file))


def recorded(data: MotionDataset, calm: float) -> list[Heard]:
    """Takes of people whose feeling is no stronger than `calm`; what is broken is told and left out.

    Where somebody sat and what they looked at is taken out; a head or a gaze that a format has not comes from
    the rules. Raises InputError where no take of a window's length is left.
    """
    rows = [row for row in data.takes if row.emotion.vad.intensity <= calm]
    made = []
    for number, row in enumerate(tqdm(rows, desc="reading recordings", mininterval=10)):
        try:
            motion, speech = data.recording(row)
        except InputError as error:
            tqdm.write(f"left out: {error}")
            continue
        sound, moved = hearing.features(speech), channels.rows_of(motion)
        frames = min(len(sound), len(moved))
        made.append((sound[:frames], _centred(moved, _unfelt(speech, number))[:frames]))
    if not any(len(motion) >= WINDOW for _, motion in made):
        why = f"of {len(data.takes)} takes {len(rows)} are calm enough ({calm:g}), and none of these can be"
        raise InputError("data", data.root, f"{why} used: it takes {WINDOW / RATE_HZ:g} s of one")
    return made


def _centred(motion: channels.Array, ruled: channels.Array) -> channels.Array:
    """`ruled`: the rules' own motion for the same sound."""
    made = motion.copy()
    for part in (channels.POSE, channels.LOOK):
        moved = motion[:, part]
        is_there = moved.std(axis=0).max() > 1e-6
        made[:, part] = moved - np.median(moved, axis=0) if is_there else _as_long(ruled[:, part], len(made))
    return made


def _as_long(rows: channels.Array, frames: int) -> channels.Array:
    """A sound may end a moment before its motion."""
    return np.pad(rows[:frames], ((0, max(0, frames - len(rows))), (0, 0)), mode="edge")


def joined(made: list[Heard]) -> Takes:
    """Lines as one table, in half precision."""
    sound = np.concatenate([hearing.padded(sound, MARGIN) for sound, _ in made])
    motion = np.concatenate([motion for _, motion in made])
    halves = (torch.from_numpy(part.astype(np.float16)) for part in (sound, motion))
    return Takes(*halves, torch.tensor([len(motion) for _, motion in made]))


def windows(found: Takes, rows: int, frames: int, generator: torch.Generator) -> dict[str, Tensor]:
    """What the loss takes: `rows` windows of `frames` frames, anywhere in lines that are long enough."""
    room = (found.frames - frames + 1).clamp(min=0)
    line = torch.multinomial(room.float(), rows, replacement=True, generator=generator)
    start = (torch.rand(rows, generator=generator) * room[line]).long()
    start = torch.where(torch.rand(rows, generator=generator) < BEGINNINGS, 0, start)
    before = (found.frames.cumsum(0) - found.frames)[line] + start
    at = before[:, None] + torch.arange(frames)
    heard = (before + 2 * MARGIN * line)[:, None] + torch.arange(frames + 2 * MARGIN)
    return {"sound": found.sound[heard], "motion": found.motion[at], "first": start == 0}


def roomy(speech: Speech, frames: int = SHORTEST) -> Speech:
    """With silence after it where it is shorter than so many frames."""
    missing = round(frames / RATE_HZ * speech.rate_hz) - len(speech.samples)
    return dataclasses.replace(speech, samples=np.pad(speech.samples, (0, max(0, missing))))


def _made(wanted: Wanted, part: str) -> Iterator[Heard]:
    count = wanted.lines if part == "base" else max(1, round(wanted.lines * FELT))
    for number in tqdm(range(count), desc=f"performing, {part}", mininterval=10):
        rng = np.random.default_rng([_PURPOSE[part], wanted.seed, number])
        if rng.random() < MUTE:
            yield _mute(rng)
        else:
            yield _spoken(rng, number + (wanted.lines if part == "felt" else 0), wanted.seed, part == "felt")
    if part == "base" and wanted.real:
        files = sorted(wanted.real.rglob("*.wav"))
        for number, path in enumerate(tqdm(files, desc="performing recordings", mininterval=10)):
            speech = roomy(Speech(read_audio(path, hearing.SOUND_HZ), hearing.SOUND_HZ))
            yield hearing.features(speech), _unfelt(speech, number)


def _spoken(rng: np.random.Generator, number: int, seed: int, felt: bool) -> Heard:
    made = performer.take(number, seed)[0]
    if felt:
        return hearing.features(made.speech), channels.rows_of(made.motion)
    speech = roomy(made.speech)
    return hearing.features(_noisy(speech, rng)), _unfelt(speech, made.seed)


def _unfelt(speech: Speech, seed: int) -> hearing.Array:
    return channels.rows_of(perform(speech, [NEUTRAL] * speech.frames(RATE_HZ), seed))


def _mute(rng: np.random.Generator) -> Heard:
    """A face that hears the hiss of a microphone, and says nothing."""
    hiss = rng.normal(0, 10 ** rng.uniform(-4, -1.5), round(rng.uniform(6, 12) * hearing.SOUND_HZ))
    silence = Speech(np.zeros(len(hiss), dtype=np.float32), hearing.SOUND_HZ)
    heard = Speech(hiss.astype(np.float32), hearing.SOUND_HZ)
    return hearing.features(heard), _unfelt(silence, int(rng.integers(2**31)))


def _noisy(speech: Speech, rng: np.random.Generator) -> Speech:
    """Sometimes with noise behind it, white to brown, 6 to 30 dB below the voice."""
    if rng.random() >= NOISY:
        return speech
    count = len(speech.samples)
    tilt = np.maximum(np.fft.rfftfreq(count, 1 / speech.rate_hz), 50.0) ** -rng.uniform(0, 1)
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=count)) * tilt, count)
    level = speech.samples.std() * 10 ** (-rng.uniform(6, 30) / 20)
    samples = speech.samples + noise * (level / noise.std())
    return dataclasses.replace(speech, samples=samples.astype(np.float32))
