"""How loud a sound is to people, and a sound as loud as asked: ITU-R BS.1770-4, true peak included.

Loudness is in LUFS (= LKFS), peaks in dBTP. Samples are float32 arrays (channels, samples), 1.0 full scale,
one or two channels, which the standard weighs alike. Knows numbers only: no file and no music.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
BLOCK_S, OVERLAP = 0.4, 0.75  # of the standard's gating blocks
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0
_OFFSET = -0.691
_CLOSE_LU = 0.03
_KERNEL_S = 0.25  # after which the K-weighting filter has died away to below -100 dB
# The analogue filters whose bilinear transforms at 48 kHz are the standard's tables 1 and 2.
_SHELF_HZ, _SHELF_DB, _SHELF_Q = 1681.974450955533, 3.999843853973347, 0.7071752369554196
_PASS_HZ, _PASS_Q = 38.13547087602444, 0.5003270373238773
_FFT = 1 << 17
_PEAKS_AT_ONCE = 1 << 17
_LIMITER_CELL, _ATTACK_CELLS = 64, 8  # samples; about 12 ms of looking ahead at 44.1 kHz
Biquad = tuple[tuple[float, float, float], tuple[float, float, float]]


def integrated_lufs(samples: Samples, rate_hz: int) -> float:
    """Gated loudness of the whole; -inf where nothing passes the gates, as in silence."""
    return _gated_lufs(_block_powers(samples, rate_hz))


def true_peak_db(samples: Samples) -> float:
    """Highest point of the curve through the samples, in dBTP, read at four points a sample."""
    peak = float(_peaks(samples, float(np.abs(samples).max(initial=0.0))).max(initial=0.0))
    return 20 * math.log10(peak) if peak > 0 else -math.inf


def normalised(samples: Samples, rate_hz: int, lufs: float, ceiling_db: float = -1.0) -> Samples:
    """As loud as asked, with no true peak above the ceiling: single peaks are turned down for some
    milliseconds, and where that costs loudness the rest makes up for it. Silence stays silence."""
    sound = samples
    for _ in range(3):
        powers = _block_powers(sound, rate_hz)
        now = _gated_lufs(powers)
        if not math.isfinite(now) or abs(now - lufs) < _CLOSE_LU:
            break
        gain = np.float32(10 ** ((lufs - now) / 20))
        louder = sound * gain
        sound = limited(louder, ceiling_db)
        if sound is louder and abs(_gated_lufs(powers * gain**2) - lufs) < _CLOSE_LU:
            break
    return sound


def limited(samples: Samples, ceiling_db: float) -> Samples:
    """The same wherever its true peaks are at most `ceiling_db`; turned down smoothly around the others."""
    ceiling = 10 ** (ceiling_db / 20)
    peaks = _peaks(samples, ceiling)
    if peaks.max(initial=0.0) <= ceiling:
        return samples
    cells = -(-peaks.shape[-1] // _LIMITER_CELL)
    loudest = np.pad(peaks, (0, cells * _LIMITER_CELL - len(peaks))).reshape(cells, _LIMITER_CELL).max(1)
    gain = np.minimum(1.0, 0.995 * ceiling / np.maximum(loudest, 1e-9))
    reach = np.lib.stride_tricks.sliding_window_view(
        np.pad(gain, 2 * _ATTACK_CELLS, mode="edge"), 2 * _ATTACK_CELLS + 1
    ).min(1)
    window = np.hanning(2 * _ATTACK_CELLS + 1)[1:-1]
    smooth = np.convolve(reach, window / window.sum(), mode="same")[_ATTACK_CELLS:-_ATTACK_CELLS]
    middles = np.arange(cells) * _LIMITER_CELL + _LIMITER_CELL / 2
    curve = np.interp(np.arange(samples.shape[1]), middles, smooth)
    return (samples * curve).astype(np.float32)


def k_weighting(rate_hz: int) -> tuple[Biquad, Biquad]:
    """(b, a) of the head's shelf and of the high-pass, each normalised to a0 = 1."""
    k = math.tan(math.pi * _SHELF_HZ / rate_hz)
    high, band = 10 ** (_SHELF_DB / 20), 10 ** (_SHELF_DB / 20 * 0.4996667741545416)
    norm = 1 + k / _SHELF_Q + k * k
    shelf = (
        (
            (high + band * k / _SHELF_Q + k * k) / norm,
            2 * (k * k - high) / norm,
            (high - band * k / _SHELF_Q + k * k) / norm,
        ),
        (1.0, 2 * (k * k - 1) / norm, (1 - k / _SHELF_Q + k * k) / norm),
    )
    k = math.tan(math.pi * _PASS_HZ / rate_hz)
    norm = 1 + k / _PASS_Q + k * k
    high_pass = ((1.0, -2.0, 1.0), (1.0, 2 * (k * k - 1) / norm, (1 - k / _PASS_Q + k * k) / norm))
    return shelf, high_pass


def convolved(samples: Samples, kernel: NDArray[np.floating]) -> Samples:
    """(channels, samples + taps - 1): filtered by overlap-add. `kernel`: (taps,) or one a channel."""
    taps, count = kernel.shape[-1], samples.shape[1]
    size = max(_FFT, 1 << (2 * taps - 1).bit_length())
    step = size - taps + 1
    response = np.fft.rfft(kernel.astype(np.float32), size)  # single precision throughout: twice as fast
    out = np.zeros((samples.shape[0], count + taps - 1), np.float32)
    for start in range(0, count, step):
        part = np.fft.irfft(np.fft.rfft(samples[:, start : start + step], size) * response, size)
        room = out[:, start : start + size]
        room += part[:, : room.shape[1]].astype(np.float32)
    return out


@lru_cache(maxsize=4)
def _k_kernel(rate_hz: int) -> NDArray[np.float64]:
    """The filter's answer to one impulse, which is all of it."""
    signal = np.zeros(round(_KERNEL_S * rate_hz))
    signal[0] = 1.0
    for b, a in k_weighting(rate_hz):
        out = np.zeros_like(signal)
        x1 = x2 = y1 = y2 = 0.0
        for index, x in enumerate(signal.tolist()):
            y = b[0] * x + b[1] * x1 + b[2] * x2 - a[1] * y1 - a[2] * y2
            out[index], x1, x2, y1, y2 = y, x, x1, y, y1
        signal = out
    return signal


def _block_powers(samples: Samples, rate_hz: int) -> NDArray[np.float64]:
    """Mean square of each gating block, summed over channels; none where the sound is shorter than one."""
    weighted = convolved(samples, _k_kernel(rate_hz))[:, : samples.shape[1]]
    step = round(BLOCK_S * (1 - OVERLAP) * rate_hz)
    steps = weighted.shape[1] // step
    cut = weighted[:, : steps * step].reshape(-1, steps, step)
    power = np.einsum("cst,cst->s", cut, cut, dtype=np.float64, casting="same_kind")
    per_block = round(1 / (1 - OVERLAP))
    if steps < per_block:
        return np.zeros(0)
    sums = np.lib.stride_tricks.sliding_window_view(power, per_block).sum(1)
    return np.asarray(sums / (per_block * step), np.float64)


def _gated_lufs(powers: NDArray[np.float64]) -> float:
    powers = powers[_lufs(powers) > ABSOLUTE_GATE_LUFS]
    if not len(powers):
        return -math.inf
    relative = _lufs(powers.mean()) + RELATIVE_GATE_LU
    return float(_lufs(powers[_lufs(powers) > relative].mean()))


def _lufs(power: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return _OFFSET + 10 * np.log10(np.maximum(power, 1e-30))


@lru_cache(maxsize=1)
def _between() -> NDArray[np.float32]:
    """(3, 24): interpolates a quarter, a half, three quarters of a sample on; a windowed sinc."""
    taps = np.arange(-11, 13)
    rows = [np.sinc(taps - shift) * np.cos(np.pi * (taps - shift) / 26) ** 2 for shift in (0.25, 0.5, 0.75)]
    return np.stack([row / row.sum() for row in rows]).astype(np.float32)


def _peaks(samples: Samples, above: float) -> NDArray[np.float32]:
    """(samples,): the highest point from each sample to the next, over channels; exact where it is well over
    `above`: for that which one of the two has to be more than half of it."""
    peak = np.abs(samples).max(0, initial=0.0)
    high = np.flatnonzero(peak > 0.5 * above)
    near = np.union1d(high, np.maximum(high - 1, 0))
    padded = np.pad(samples, ((0, 0), (11, 12)))
    for start in range(0, len(near), _PEAKS_AT_ONCE):
        at = near[start : start + _PEAKS_AT_ONCE]
        around = padded[:, at[:, None] + np.arange(24)]
        peak[at] = np.maximum(peak[at], np.abs(around @ _between().T).max((0, 2)))
    return np.asarray(peak, np.float32)
