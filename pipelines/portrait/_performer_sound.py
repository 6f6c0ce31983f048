"""What a performer hears: how loud each frame is, and the mouth that a voice without phones suggests.

Knows samples, not phones. Levels are in dB against the loud moments of the same recording, so that a quiet
microphone closes no mouth.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipelines.portrait._performer_time import Array, Clock, eased, smooth

WINDOW_S = 0.04
FLOOR_DB = -70.0  # of full scale: below this a recording holds nothing
QUIET_DB = -38.0  # against the loud moments: below this nobody speaks
NOISE_DB = 5.0  # nor within this of the quietest moments, where these are noise
_LOUDEST_NOISE_DB = -18.0
_BLOCK = 512  # frames analysed together: bounds the memory
_STEPS_HZ = 400
_BANDS_HZ = {"low": (100, 450), "middle": (600, 1400), "front": (1800, 3200), "hiss": (3500, 7500)}
_VOICE_HZ = (100, 3500)


def levels_db(samples: npt.NDArray[np.float32], rate_hz: int, clock: Clock) -> Array:
    """(frames,) level around each frame, 0 dB for the loud moments; QUIET_DB - 40 where there is nothing."""
    power = _power(samples, rate_hz, clock.times - WINDOW_S / 2, clock.times + WINDOW_S / 2)
    found = 10 * np.log10(power + 1e-12)
    loud = float(np.percentile(found, 95)) if len(found) else FLOOR_DB
    if loud < FLOOR_DB:
        return np.full(clock.frames, QUIET_DB - 40)
    return np.maximum(found - loud, QUIET_DB - 40)


def span_levels_db(samples: npt.NDArray[np.float32], rate_hz: int, starts_s: Array, ends_s: Array) -> Array:
    """(n,) level of each span in dB of full scale."""
    return np.asarray(10 * np.log10(_power(samples, rate_hz, starts_s, ends_s) + 1e-12))


def heard(levels: Array, clock: Clock) -> Array:
    """(frames,) 0 in silence, 1 where there is sound within a tenth of a second."""
    reach = max(1, round(0.1 * clock.rate_hz))
    held = np.pad(levels, reach, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(held, 2 * reach + 1).max(axis=1)
    return eased((around - quiet_db(levels)) / 6.0)


def quiet_db(levels: Array) -> float:
    """The level below which nobody speaks: QUIET_DB, or just above the noise of the recording."""
    floor = float(np.percentile(levels, 5)) + NOISE_DB
    return float(np.clip(floor, QUIET_DB, _LOUDEST_NOISE_DB))


def guessed(samples: npt.NDArray[np.float32], rate_hz: int, clock: Clock) -> dict[str, Array]:
    """(frames,) each in [0, 1]: "open", "round", "spread" and "sealed", from loudness and the spectrum.

    A strong region of 600-1400 Hz means an open mouth (first formant), a voice of nothing but lows a round
    one, energy at 1.8-3.2 kHz (second formant of i, e) a spread one; a short fall of the level with nothing
    above 450 Hz left is taken for p, b or m.
    """
    levels = levels_db(samples, rate_hz, clock)
    bands = _bands(samples, rate_hz, clock)
    quiet = quiet_db(levels) + 4.0
    loud = eased((levels - quiet) / (-6.0 - quiet))
    front = eased((bands["front"] - 0.02) / 0.16)
    open_ = loud * (0.3 + 0.7 * eased(bands["middle"] / 0.45)) * (1.0 - 0.6 * bands["hiss"])
    round_ = loud * eased((bands["low"] - 0.5) / 0.4) * (1.0 - front)
    open_ *= np.clip(0.85 / (np.percentile(open_, 97) + 1e-6), 1.0, 2.0)  # nobody mumbles all along
    sigma = 0.03 * clock.rate_hz
    parts = {"open": open_, "round": round_, "spread": loud * front}
    return {name: smooth(part, sigma) for name, part in parts.items()} | {
        "sealed": _dips(levels, bands["low"], clock)
    }


def accents_s(levels: Array, clock: Clock) -> Array:
    """(n,) seconds of the peaks of loudness, at least 0.3 s apart: stressed syllables, roughly."""
    steady = smooth(levels, 0.05 * clock.rate_hz)
    reach = max(1, round(0.3 * clock.rate_hz))
    held = np.pad(steady, reach, constant_values=QUIET_DB)
    top = np.lib.stride_tricks.sliding_window_view(held, 2 * reach + 1).max(axis=1)
    return clock.times[(steady >= top) & (steady > -14.0)]


def _power(samples: npt.NDArray[np.float32], rate_hz: int, starts_s: Array, ends_s: Array) -> Array:
    """(n,) mean square of spans; the recording is silent outside itself."""
    step = max(1, rate_hz // _STEPS_HZ)  # sums over steps: one of every sample would fill the memory
    whole = len(samples) // step
    rows = samples[: whole * step].reshape(whole, step)
    total = np.concatenate([[0.0], np.cumsum(np.einsum("ij,ij->i", rows, rows), dtype=np.float64)])
    first, after = (
        np.clip(np.round(edge * rate_hz / step), 0, whole).astype(np.int64) for edge in (starts_s, ends_s)
    )
    length = np.maximum(np.round((ends_s - starts_s) * rate_hz / step), 1) * step
    return np.asarray((total[after] - total[first]) / length)


def _bands(samples: npt.NDArray[np.float32], rate_hz: int, clock: Clock) -> dict[str, Array]:
    """(frames,) shares: hiss of all there is, the others of what lies in the voice's range."""
    size = max(64, round(WINDOW_S * rate_hz))
    held = np.pad(samples, (size // 2, size))
    hertz = np.fft.rfftfreq(size, 1 / rate_hz)
    kept = {name: _within(hertz, band) for name, band in _BANDS_HZ.items()}
    rows = []
    for first in range(0, clock.frames, _BLOCK):
        starts = np.round(clock.times[first : first + _BLOCK] * rate_hz).astype(np.int64)
        starts = np.minimum(starts, len(samples))
        cut = held[starts[:, None] + np.arange(size)] * np.hanning(size)
        power = np.abs(np.fft.rfft(cut, axis=1)) ** 2
        voice = power[:, _within(hertz, _VOICE_HZ)].sum(axis=1) + 1e-9
        whole = {name: voice + (power[:, kept["hiss"]].sum(axis=1) if name == "hiss" else 0) for name in kept}
        rows.append([power[:, mask].sum(axis=1) / whole[name] for name, mask in kept.items()])
    return dict(zip(_BANDS_HZ, np.concatenate(rows, axis=1), strict=True))


def _within(hertz: Array, band: tuple[int, int]) -> npt.NDArray[np.bool_]:
    return (hertz >= band[0]) & (hertz < band[1])


def _dips(levels: Array, low: Array, clock: Clock) -> Array:
    """(frames,) 1 where the level falls by more than 10 dB for under 0.15 s and only lows are left."""
    reach = max(1, round(0.1 * clock.rate_hz))
    held = np.pad(levels, reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(held, 2 * reach + 1)
    around = np.minimum(windows[:, : reach + 1].max(axis=1), windows[:, reach:].max(axis=1))
    deep = eased((around - levels - 9.0) / 5.0)
    closed = deep * eased((low - 0.6) / 0.25) * (around > QUIET_DB + 8)
    return np.minimum(1.3 * smooth(closed, 0.025 * clock.rate_hz), 1.0)
