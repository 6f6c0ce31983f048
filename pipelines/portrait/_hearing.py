"""What a face hears of speech: sound without its level, and phones where they are known, frame by frame.

Language plays no part: bands, voicing and pitch are those of any language, and phones come as visemes. Numpy
alone; knows no network and no motion.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from studio.motion import RATE_HZ
from studio.speech import VISEMES, Phone, Speech

Array = npt.NDArray[np.float32]

SOUND_HZ = 16_000
BANDS = 26  # mel bands from LOWEST_HZ to HIGHEST_HZ
HOPS = 3  # spectra a frame: a closure of the lips may last less than one
_WINDOW, _PITCH_WINDOW, _FFT = 400, 800, 512  # samples: 25 ms, 50 ms
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 7600.0
_VOICE_HZ = (60.0, 420.0)
_ROWS = 512  # windows that are in memory together
_EMPHASIS = np.float32(0.9)  # of high sounds
_LOUD = 95  # percentile of the level that is taken for loud
_FAINTEST = 1e-5  # root mean square of what is no recording of anything
_FLOOR_DB = -45.0  # beside loud
_SILENT_DB = -30.0
_BORDER_S = 0.2
_TAPS = 16  # zero crossings of the resampling filter on each side

# Columns of what `features` returns.
MEL = slice(0, BANDS * HOPS)
LEVEL = slice(MEL.stop, MEL.stop + HOPS)
VOICED, PITCH, SILENT = LEVEL.stop, LEVEL.stop + 1, LEVEL.stop + 2
VISEME = slice(SILENT + 1, SILENT + 1 + len(VISEMES))
STRESSED, SINCE, UNTIL, KNOWN = range(VISEME.stop, VISEME.stop + 4)
WIDTH = KNOWN + 1
PHONES = slice(VISEME.start, WIDTH)


def features(speech: Speech, rate_hz: float = RATE_HZ) -> Array:
    """(frames, WIDTH) of `speech` at `rate_hz` frames a second.

    Log-mel bands and levels lie in about [-1, 1], where 1 is loud for this recording, however loud it is;
    pitch is in octaves beside the recording's median; visemes are shares of the frame; distances to the
    borders of a phone are in fifths of a second, at most 1.
    """
    samples = resampled(speech.samples, speech.rate_hz)
    frames = speech.frames(rate_hz)
    found = np.zeros((frames, WIDTH), dtype=np.float32)
    mel, level_db = _spectra(samples, _centres(frames, rate_hz, HOPS))
    loud_db = max(float(np.percentile(level_db, _LOUD)), 20 * math.log10(_FAINTEST))
    level_db = level_db - loud_db
    mel_db = 10 * np.log10(mel + 1e-12) - loud_db
    found[:, MEL] = _unit(mel_db).reshape(frames, -1)
    found[:, LEVEL] = _unit(level_db).reshape(frames, HOPS)
    found[:, VOICED], found[:, PITCH] = _voice(samples, frames, rate_hz, loud_db)
    found[:, SILENT] = _silent(level_db).reshape(frames, HOPS).mean(axis=1)
    if speech.phones:
        found[:, PHONES] = _phones(speech.phones, frames, rate_hz)
    return found


def silent(found: Array) -> Array:
    """(..., frames) share of each frame in which nothing is said: by the phones where they are known."""
    return np.where(found[..., KNOWN] > 0, found[..., VISEME.start], found[..., SILENT])


def unspoken(found: Array) -> Array:
    """The same without what the phones say."""
    bare = found.copy()
    bare[..., PHONES] = 0.0
    return bare


def padded(found: Array, frames: int) -> Array:
    """`found` (n, WIDTH) with `frames` of silence before and after it."""
    return around(found, slice(0, len(found)), frames)


def around(found: Array, part: slice, frames: int) -> Array:
    """The frames `part` of `found` (n, WIDTH) with `frames` more before and after; silence outside it."""
    first, last = max(0, part.start - frames), min(len(found), part.stop + frames)
    pauses = (first - part.start + frames, part.stop + frames - last)
    before, after = (np.tile(_silence(found), (count, 1)) for count in pauses)
    return np.concatenate([before, found[first:last], after])


def _silence(found: Array) -> Array:
    """(WIDTH,) what is heard of silence, in a sound whose phones are known if those of `found` are."""
    still = np.zeros(WIDTH, dtype=np.float32)
    still[MEL] = still[LEVEL] = -1.0
    still[SILENT] = 1.0
    if found[:, KNOWN].any():
        still[[VISEME.start, SINCE, UNTIL, KNOWN]] = 1.0
    return still


def resampled(samples: Array, rate_hz: int, to_hz: int = SOUND_HZ) -> Array:
    """Band-limited to `to_hz`: a Kaiser-windowed sinc, one phase of it after the other."""
    if rate_hz == to_hz:
        return samples
    common = math.gcd(rate_hz, to_hz)
    up, down = to_hz // common, rate_hz // common
    stretch = max(1.0, down / up)  # a lower rate needs a longer filter: its cut-off is lower
    reach = math.ceil(_TAPS * stretch)
    count = math.ceil(len(samples) * up / down)
    ahead = np.pad(samples.astype(np.float32, copy=False), (reach, 2 * reach + down))
    windows = np.lib.stride_tricks.sliding_window_view(ahead, 2 * reach + 1)
    made = np.empty(count, dtype=np.float32)
    for phase in range(min(up, count)):
        whole, part = divmod(phase * down, up)
        made[phase::up] = windows[whole::down][: len(made[phase::up])] @ _sinc(reach, part / up, stretch)
    return made


def _sinc(reach: int, late: float, stretch: float) -> Array:
    """(2 * reach + 1,) weights of the samples around a place `late` in [0, 1) after the middle one."""
    at = (np.arange(-reach, reach + 1) - late) / stretch
    edge = np.clip(1 - (at * stretch / (reach + 1)) ** 2, 0, 1)
    weights = np.sinc(at * 0.94) * np.i0(8.0 * np.sqrt(edge))
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def _centres(frames: int, rate_hz: float, hops: int) -> npt.NDArray[np.int64]:
    """Samples in the middle of every hop."""
    at_s = (np.arange(frames * hops) + 0.5) / (rate_hz * hops)
    return np.asarray(np.round(at_s * SOUND_HZ), dtype=np.int64)


def _windows(samples: Array, centres: npt.NDArray[np.int64], width: int, emphasis: bool = False) -> Array:
    """(len(centres), width) samples around each centre, in order; silence outside the recording.

    Only the part that is asked for is copied: recordings are long.
    """
    first, last = int(centres[0]) - width // 2, int(centres[-1]) - width // 2 + width
    start, stop = (min(max(place, 0), len(samples)) for place in (first, last))
    room = np.pad(samples[start:stop], (start - first, last - stop))
    if emphasis:
        room[start - first + 1 : stop - first] -= _EMPHASIS * samples[start : stop - 1]
        room[start - first : stop - first][:1] -= _EMPHASIS * (samples[start - 1] if start else 0)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(room, width)[centres - width // 2 - first])


def _spectra(samples: Array, centres: npt.NDArray[np.int64]) -> tuple[Array, Array]:
    """Power (n, BANDS) of pre-emphasised windows, and their levels (n,) in dB of full scale."""
    taper, filters = np.hanning(_WINDOW), _mel_filters().T
    mel, level_db = [], []
    for start in range(0, len(centres), _ROWS):
        at = centres[start : start + _ROWS]
        spectrum = np.fft.rfft(_windows(samples, at, _WINDOW, emphasis=True) * taper, _FFT)
        power = (np.abs(spectrum) ** 2 / np.square(taper).sum()).astype(np.float32)
        mel.append(power @ filters)
        mean = np.square(_windows(samples, at, _WINDOW)).mean(axis=1)
        level_db.append((10 * np.log10(mean + 1e-12)).astype(np.float32))
    return np.concatenate(mel), np.concatenate(level_db)


def _mel_filters() -> Array:
    """(BANDS, bins) triangles evenly spaced in mel (O'Shaughnessy 1987)."""
    mel = np.linspace(*(2595 * math.log10(1 + hz / 700) for hz in (_LOWEST_HZ, _HIGHEST_HZ)), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.fft.rfftfreq(_FFT, 1 / SOUND_HZ)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _unit(db: Array) -> Array:
    """Decibels beside loud to [-1, 1.4]: _FLOOR_DB to -1, loud to 1."""
    return np.asarray(np.clip(db, _FLOOR_DB, -0.2 * _FLOOR_DB) * (-2 / _FLOOR_DB) + 1, dtype=np.float32)


def _silent(level_db: Array) -> Array:
    """Which hops are silence: far below loud, or hardly above the hiss of the recording."""
    hiss_db = float(np.percentile(level_db, 5))
    return (level_db < max(_SILENT_DB, min(hiss_db + 4, _SILENT_DB + 12))).astype(np.float32)


def _voice(samples: Array, frames: int, rate_hz: float, loud_db: float) -> tuple[Array, Array]:
    """How periodic each frame is in [0, 1], and its pitch in octaves beside the median, 0 where unvoiced."""
    centres = _centres(frames, rate_hz, 1)
    taper = np.hanning(_PITCH_WINDOW).astype(np.float32)
    own = _autocorrelation(taper[None])[0]
    shortest, longest = (round(SOUND_HZ / hz) for hz in reversed(_VOICE_HZ))
    # a voice repeats after two periods too: the shorter lag is the likelier (after Boersma 1993)
    octaves_down = 0.08 * np.log2(np.arange(shortest, longest + 1) / shortest)
    periodic = np.zeros(frames, dtype=np.float32)
    lag = np.full(frames, shortest)
    for start in range(0, frames, _ROWS):
        part = slice(start, start + _ROWS)
        windows = _windows(samples, centres[part], _PITCH_WINDOW)
        heard = _autocorrelation((windows - windows.mean(axis=1, keepdims=True)) * taper)
        loudness = heard[:, :1] + np.float32(10 ** (loud_db / 10) * 1e-3 * np.square(taper).sum())
        ratio = heard[:, : longest + 1] / loudness / own[: longest + 1] * own[0]
        lag[part] = shortest + (ratio[:, shortest:] - octaves_down).argmax(axis=1)
        periodic[part] = ratio[np.arange(len(ratio)), lag[part]].clip(0, 1)
    is_voiced = periodic > 0.5
    octaves = np.log2(SOUND_HZ / lag)
    middle = float(np.median(octaves[is_voiced])) if is_voiced.any() else 0.0
    pitch = np.where(is_voiced, np.clip(octaves - middle, -1, 1), 0)
    return periodic, pitch.astype(np.float32)


def _autocorrelation(windows: Array) -> Array:
    spectrum = np.fft.rfft(windows, 2 * _PITCH_WINDOW)
    return np.asarray(np.fft.irfft(np.abs(spectrum) ** 2)[:, :_PITCH_WINDOW], dtype=np.float32)


def _phones(phones: tuple[Phone, ...], frames: int, rate_hz: float) -> Array:
    """(frames, columns of PHONES); what no phone covers is silence."""
    made = np.zeros((frames, WIDTH), dtype=np.float32)
    middle_s = (np.arange(frames) + 0.5) / rate_hz
    made[:, [SINCE, UNTIL, KNOWN]] = 1.0
    for phone in phones:
        first, last = int(phone.start_s * rate_hz), math.ceil(phone.end_s * rate_hz)
        at = slice(min(first, frames), min(last, frames))
        edges = np.arange(at.start, at.stop) / rate_hz
        share = np.minimum(edges + 1 / rate_hz, phone.end_s) - np.maximum(edges, phone.start_s)
        share = np.clip(share * rate_hz, 0, 1)
        made[at, VISEME.start + VISEMES.index(phone.viseme)] += share
        made[at, STRESSED] += share * phone.stressed
        inside = np.flatnonzero((middle_s[at] >= phone.start_s) & (middle_s[at] < phone.end_s)) + at.start
        made[inside, SINCE] = np.minimum((middle_s[inside] - phone.start_s) / _BORDER_S, 1)
        made[inside, UNTIL] = np.minimum((phone.end_s - middle_s[inside]) / _BORDER_S, 1)
    made[:, VISEME.start] += np.clip(1 - made[:, VISEME].sum(axis=1), 0, 1)
    return made[:, PHONES]
