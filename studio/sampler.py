"""The sound of single notes from a soundfont: recording, loop, pitch, filter, envelopes, loudness by touch.

After the SoundFont 2.04 specification (sections 8.1.2, 8.4, 9), without low-frequency oscillators, sends to
effects and modulators other than velocity to loudness. Knows one note at a time; `studio.sound` mixes. It is
here because symusic's own player (0.5.8) leaves out touch, decay, filter, release and pedal, and no other
player has wheels for every platform and Python that the studio runs on.
"""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio.audio_files import ffmpeg
from studio.errors import InputError
from studio.loudness import Samples
from studio.soundfont import Settings, SoundFont, Zone

LAYERS = 4  # velocities of one layer differ in loudness only
_FILTER, _RESONANCE, _ENVELOPE_TO_FILTER = 8, 9, 11
_PAN, _ATTENUATION, _COARSE, _FINE, _MODES, _SCALE, _ROOT = 17, 48, 51, 52, 54, 56, 58
_VOLUME_ENVELOPE, _MODULATION_ENVELOPE = 33, 25  # first of delay, attack, hold, decay, sustain, release
_ATTENUATION_SHARE = 0.4  # of what is written: fonts are made by ear on cards that did so
_OPEN_CENTS = 13000  # a filter at or above this lets everything through
_SOFT_CENTS = -1200.0  # how much lower the filter is for the softest touch; the specification has -2400
_SILENT_DB = 100.0
_MAX_CENTS, _MAX_STEP = 12_000, 64.0  # up from the recording; beyond that only files that lie go
MIN_RELEASE_S, MAX_RELEASE_S = 0.05, 8.0
FADED_SHARE = 0.6  # of the time to fade by 100 dB: what is 60 dB down is gone
_FRAME = 2048
Samples1 = NDArray[np.float32]


class Held(NamedTuple):
    """A key that stays down, (2, samples), and how long its sound takes to fade by 100 dB once it does not;
    there are samples for FADED_SHARE of that."""

    sound: Samples
    release_s: float


def held(font: SoundFont, program: int, pitch: int, velocity: int, length_s: float, rate_hz: int) -> Held:
    """One key held for so long and then let go; as loud as at velocity 127, as bright as in the middle of its
    layer. A key that the instrument does not reach is silent. InputError for a program the font lacks."""
    middle = (velocity * LAYERS // 128 + 0.5) * 128 / LAYERS
    zones = font.zones(program, pitch, velocity)
    release_s = min(max([_seconds(zone.settings[38]) for zone in zones], default=0.0), MAX_RELEASE_S)
    count = round((length_s + FADED_SHARE * max(release_s, MIN_RELEASE_S)) * rate_hz) + 1
    sound = np.zeros((2, count), np.float32)
    for zone in zones:
        mono = _zone(font, zone, pitch, middle, count, rate_hz)
        angle = (min(max(zone.settings.get(_PAN, 0) / 1000, -0.5), 0.5) + 0.5) * np.pi / 2
        sound[0] += np.float32(np.cos(angle)) * mono
        sound[1] += np.float32(np.sin(angle)) * mono
    return Held(sound, max(release_s, MIN_RELEASE_S))


def gain(velocity: int) -> float:
    """Of a velocity against 127: 40 lg(velocity / 127) dB, the specification's default."""
    return (velocity / 127) ** 2


def _zone(font: SoundFont, zone: Zone, pitch: int, velocity: float, count: int, rate_hz: int) -> Samples1:
    settings = zone.settings
    mono = _resampled(font, zone, pitch, count, rate_hz)
    times = (np.arange(count, dtype=np.float32) / rate_hz).astype(np.float32)
    level_db = _attenuation_db(settings, pitch, times)
    level_db += np.float32(_ATTENUATION_SHARE * settings.get(_ATTENUATION, 0) / 10)
    shaped = mono * np.power(np.float32(10), -level_db / 20) * _rise(settings, _VOLUME_ENVELOPE, times)
    return _filtered(shaped.astype(np.float32), settings, pitch, velocity, rate_hz)


def _resampled(font: SoundFont, zone: Zone, pitch: int, count: int, rate_hz: int) -> Samples1:
    """The recording at the right pitch, four-point cubic interpolation, silence after its end."""
    recording, settings = zone.recording, zone.settings
    root = settings[_ROOT] if 0 <= settings.get(_ROOT, -1) <= 127 else recording.root
    cents = (pitch - root) * settings[_SCALE] + recording.cents
    cents += 100 * settings.get(_COARSE, 0) + settings.get(_FINE, 0)
    step = min(2 ** (min(cents, _MAX_CENTS) / 1200) * recording.rate_hz / rate_hz, _MAX_STEP)
    data = _unrolled(font, zone, int(count * step) + 4)
    places = np.arange(count) * step
    places = places[: np.searchsorted(places, len(data) - 4)]
    at = places.astype(np.int64)
    between = (places - at).astype(np.float32)
    before, here, after, beyond = (data[at + shift] for shift in range(4))  # one sample late: not audible
    slope, next_slope = (after - before) / 2, (beyond - here) / 2
    bend = 2 * (here - after) + slope + next_slope
    curve = (
        (bend * between + 3 * (after - here) - 2 * slope - next_slope) * between + slope
    ) * between + here
    return np.asarray(np.pad(curve, (0, count - len(curve))), np.float32)


def _unrolled(font: SoundFont, zone: Zone, count: int) -> Samples1:
    """At least `count` samples where the recording loops, else what there is; with room for interpolation."""
    recording, settings = zone.recording, zone.settings
    if recording.compressed:
        data = _decoded(font.path, font.data_at + recording.start, recording.end - recording.start)
        first, last = recording.loop_start, recording.loop_end
    else:
        shift = [settings.get(fine, 0) + 32768 * settings.get(coarse, 0) for fine, coarse in _SHIFTS]
        start = min(max(recording.start + shift[0], 0), recording.end)
        end = min(max(recording.end + shift[1], start), font.data_bytes // 2)
        data = _raw(font, start, end)
        first, last = recording.loop_start + shift[2] - start, recording.loop_end + shift[3] - start
    if settings.get(_MODES, 0) & 1 and 0 <= first < last <= len(data) and last - first >= 8:
        turns = max(0, -(-(count + 8 - last) // (last - first)))
        data = np.concatenate([data[:last], np.tile(data[first:last], turns)])
    return np.pad(data, (1, 3)) if len(data) else np.zeros(8, np.float32)


_SHIFTS = ((0, 4), (1, 12), (2, 45), (3, 50))  # of start, end, loop start, loop end: fine and coarse


def _raw(font: SoundFont, start: int, end: int) -> Samples1:
    with font.path.open("rb") as file:
        file.seek(font.data_at + 2 * start)
        return np.frombuffer(file.read(2 * (end - start)), "<i2").astype(np.float32) / np.float32(32768)


@lru_cache(maxsize=256)
def _decoded(path: Path, at: int, length: int) -> Samples1:
    """An Ogg Vorbis recording inside the file."""
    with path.open("rb") as file:
        file.seek(at)
        packed = file.read(length)
    command = [ffmpeg(), "-v", "error", "-f", "ogg", "-i", "-", "-ac", "1", "-f", "f32le", "-"]
    done = subprocess.run(command, input=packed, capture_output=True, check=False)
    if done.returncode or not done.stdout:
        raise InputError("soundfont", str(path), f"{str(path)!r} is damaged (a recording cannot be decoded)")
    return np.frombuffer(done.stdout, "<f4").astype(np.float32)


def _attenuation_db(settings: Settings, pitch: int, times: Samples1) -> Samples1:
    """Hold, then decay: a straight line in dB to the sustain level."""
    begins = (
        _seconds(settings[33])
        + _seconds(settings[34])
        + _seconds(settings[35] + _by_key(settings, 39, pitch))
    )
    decay_s = max(_seconds(settings[36] + _by_key(settings, 40, pitch)), 1e-3)
    sustain_db = min(max(settings.get(37, 0) / 10, 0.0), _SILENT_DB)
    return np.asarray(np.clip((times - begins) * (_SILENT_DB / decay_s), 0.0, sustain_db), np.float32)


def _rise(settings: Settings, first: int, times: Samples1) -> Samples1:
    """0 to 1 over the attack, at least a millisecond of it: a recording may begin with a step."""
    delay_s, attack_s = _seconds(settings[first]), max(_seconds(settings[first + 1]), 1e-3)
    return np.asarray(np.clip((times - delay_s) / attack_s, 0.0, 1.0), np.float32)


def _filtered(mono: Samples1, settings: Settings, pitch: int, velocity: float, rate_hz: int) -> Samples1:
    """The resonant low-pass, moved by its envelope and by how softly the key was struck; frame by frame."""
    hop = _FRAME // 2
    frames = -(-len(mono) // hop) + 1
    times = ((np.arange(frames) - 1) * hop / rate_hz).clip(0) + 0.01
    soft = _SOFT_CENTS * (1 - velocity / 127)
    cents = (
        settings[_FILTER] + soft + _modulation(settings, pitch, times) * settings.get(_ENVELOPE_TO_FILTER, 0)
    )
    if settings[_FILTER] >= _OPEN_CENTS and settings.get(_ENVELOPE_TO_FILTER, 0) >= 0 and velocity > 95:
        return mono
    cutoff = 8.176 * 2 ** (np.clip(cents, 1500, 13500) / 1200)
    share = (np.fft.rfftfreq(3 * hop, 1 / rate_hz)[None] / cutoff[:, None]).astype(np.float32)
    q = 10 ** (max(settings.get(_RESONANCE, 0) / 10 - 3.01, -3.01) / 20)
    response = 1 / (1 - share**2 + np.complex64(1j / q) * share)
    padded = np.pad(mono, (hop, (frames + 1) * hop - len(mono)))
    window = np.hanning(_FRAME + 1)[:-1].astype(np.float32)
    cut = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::hop][:frames] * window
    frame = np.fft.irfft(np.fft.rfft(cut, 3 * hop) * response, 3 * hop).reshape(frames, 3, hop)
    out = np.zeros((frames + 2, hop), np.float32)
    for part in range(3):  # a frame, and half a frame for what the filter rings on
        out[part : part + frames] += frame[:, part]
    return out.reshape(-1)[hop : hop + len(mono)]


def _modulation(settings: Settings, pitch: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The modulation envelope, 0..1: a straight line down to its sustain level."""
    begins = _seconds(settings[25]) + _seconds(settings[26])
    held_until = begins + _seconds(settings[27] + _by_key(settings, 31, pitch))
    decay_s = max(_seconds(settings[28] + _by_key(settings, 32, pitch)), 1e-3)
    sustain = 1 - min(max(settings.get(29, 0) / 1000, 0.0), 1.0)
    rise = np.clip((times - _seconds(settings[25])) / max(_seconds(settings[26]), 1e-3), 0, 1)
    return np.asarray(np.minimum(rise, np.maximum(1 - (times - held_until).clip(0) / decay_s, sustain)))


def _by_key(settings: Settings, generator: int, pitch: int) -> int:
    return settings.get(generator, 0) * (60 - pitch)


def _seconds(timecents: int) -> float:
    return 0.0 if timecents <= -12000 else float(2 ** (min(timecents, 8000) / 1200))
