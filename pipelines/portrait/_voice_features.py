"""What can be measured of a voice: pitch, energy, timing, spectrum; of a frame and of a stretch of frames.

Level does not count, nor does anything above TOP_HZ, so that recordings of other gain and rate compare. Knows
no emotion and no words. Pitch by the autocorrelation of a frame divided by that of its window (Boersma 1993,
"Accurate short-term analysis of the fundamental frequency"); the choice of figures follows the kinds that
eGeMAPS collects (Eyben et al. 2016, "The Geneva Minimalistic Acoustic Parameter Set").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

HOP_S, FRAME_S = 0.01, 0.04
TOP_HZ = 5000.0
LOWEST_HZ = 8000  # a recording of fewer samples a second holds too little of the spectrum
PITCH_HZ = (65.0, 600.0)
VOICED = 0.45  # share of a frame's energy that repeats
BELOW_DB = 32.0  # frames this far below the loud ones are pauses
FLOOR_DB = -66.0  # frames below this are silent whatever the rest
BANDS, CEPSTRA = 26, 12
_CHUNK = 1024  # frames analysed together: bounds the memory
_OCTAVE_COST = 0.03
_LONGEST_GAP = 2  # unvoiced frames inside a voiced run that are bridged


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """One row per HOP_S. `pitch` in semitones above 100 Hz, `energy` in dB, `cepstra` (n, CEPSTRA)."""

    pitch: Array
    energy: Array
    periodic: Array  # share of the energy that repeats, 0 to 1
    tilt: Array  # (n, 4): alpha ratio, Hammarberg index, slopes below and above 500 Hz
    cepstra: Array
    flux: Array
    active: npt.NDArray[np.bool_]
    voiced: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.energy)

    def part(self, start: int, stop: int) -> Frames:
        return Frames(*(getattr(self, name)[start:stop] for name in self.__slots__))


def analyse(samples: Array, rate_hz: int) -> Frames:
    """Mono samples in [-1, 1] to frames; at least one, however short the sound is."""
    size, hop = round(FRAME_S * rate_hz), HOP_S * rate_hz
    count = max(1, int((len(samples) - size) / hop) + 1)
    padded = np.pad(samples.astype(np.float32), (0, max(0, size - len(samples))))
    starts = np.round(np.arange(count) * hop).astype(int)
    starts = np.minimum(starts, len(padded) - size)
    rows = [_chunk(padded, starts[at : at + _CHUNK], size, rate_hz) for at in range(0, count, _CHUNK)]
    pitch, energy, periodic, tilt, bands = (np.concatenate(column) for column in zip(*rows, strict=True))
    loud = np.percentile(energy, 95)
    active = energy > max(loud - BELOW_DB, FLOOR_DB)
    voiced = _bridged(active & (periodic > VOICED))
    flux = np.zeros(count, np.float32)
    flux[1:] = np.sqrt(np.mean(np.diff(bands - bands.mean(1, keepdims=True), axis=0) ** 2, axis=1))
    return Frames(_smooth(pitch), energy, periodic, tilt, bands @ _cosines(), flux, active, voiced)


def names() -> tuple[str, ...]:
    """Of the figures that `figures` gives, in order."""
    return tuple(_named(_still()))


def figures(frames: Frames) -> npt.NDArray[np.float64]:
    """(len(names()),) figures of a stretch; all are 0 in a stretch without a voice."""
    return np.array(list(_named(frames).values()), np.float64)


def voiced_s(frames: Frames) -> float:
    return float(frames.voiced.sum()) * HOP_S


def _chunk(samples: Array, starts: npt.NDArray[np.int64], size: int, rate_hz: int) -> tuple[Array, ...]:
    tables = _tables(size, rate_hz)
    frames = samples[starts[:, None] + np.arange(size)]
    power = np.abs(np.fft.rfft((frames - frames.mean(1, keepdims=True)) * tables.window, tables.points)) ** 2
    power = power.astype(np.float32)
    heard = power[:, tables.heard].sum(1) / tables.scale
    bands = 10 * np.log10(power @ tables.mel / tables.scale + 1e-10)
    repeats = np.fft.irfft(power * tables.low, tables.points)[:, : tables.lags[1] + 2]
    strength = repeats / (repeats[:, :1] + 1e-12) / tables.fading
    pitch, periodic = _pitch(strength.astype(np.float32), tables.lags, rate_hz)
    return pitch, 10 * np.log10(heard + 1e-10), periodic, _tilt(power, tables), bands


def _pitch(strength: Array, lags: tuple[int, int], rate_hz: int) -> tuple[Array, Array]:
    """Semitones and periodicity of the best repeat; a longer lag must be better by _OCTAVE_COST an octave."""
    low, high = lags
    inner = strength[:, low : high + 1]
    peak = (inner > strength[:, low - 1 : high]) & (inner >= strength[:, low + 1 : high + 2])
    cost = _OCTAVE_COST * np.log2(np.arange(low, high + 1) / low)
    best = np.where(peak, inner - cost, -1.0).argmax(1)
    row = np.arange(len(inner))
    before, here, after = (strength[row, best + low + step] for step in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = np.where(np.abs(bend) > 1e-6, 0.5 * (before - after) / np.where(bend == 0, 1, bend), 0.0)
    hz = rate_hz / (best + low + np.clip(shift, -0.5, 0.5))
    return (12 * np.log2(hz / 100)).astype(np.float32), np.clip(here, 0.0, 1.0).astype(np.float32)


def _tilt(power: Array, tables: _Tables) -> Array:
    decibel = 10 * np.log10(power + 1e-10)
    hertz = tables.hertz

    def total(low: float, high: float) -> Array:
        return 10 * np.log10(power[:, (hertz >= low) & (hertz < high)].sum(1) + 1e-10)

    def top(low: float, high: float) -> Array:
        return np.asarray(decibel[:, (hertz >= low) & (hertz < high)].max(1))

    def slope(low: float, high: float) -> Array:
        inside = (hertz >= low) & (hertz < high)
        line = hertz[inside] - hertz[inside].mean()
        return np.asarray(decibel[:, inside] @ (line / (line @ line)) * 1000)

    alpha = total(1000, TOP_HZ) - total(50, 1000)
    hammarberg = top(0, 2000) - top(2000, TOP_HZ)
    return np.stack([alpha, hammarberg, slope(50, 500), slope(500, 1500)], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    window: Array
    points: int
    hertz: Array
    heard: npt.NDArray[np.bool_]
    low: Array  # what the pitch is looked for in
    fading: Array  # autocorrelation of the window
    lags: tuple[int, int]
    mel: Array
    scale: float


@lru_cache(maxsize=8)
def _tables(size: int, rate_hz: int) -> _Tables:
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    lags = (max(2, int(rate_hz / PITCH_HZ[1])), int(np.ceil(rate_hz / PITCH_HZ[0])))
    points = 1 << int(np.ceil(np.log2(size + lags[1] + 2)))
    hertz = np.fft.rfftfreq(points, 1 / rate_hz).astype(np.float32)
    low = np.clip((2000 - hertz) / 500, 0, 1) * (hertz > 40)
    fading = np.fft.irfft(np.abs(np.fft.rfft(window, points)) ** 2)[: lags[1] + 2]
    scale = float((window**2).sum() * points / 2)  # a full-scale sine has about -3 dB
    return _Tables(
        window=window,
        points=points,
        hertz=hertz,
        heard=(hertz > 50) & (hertz < TOP_HZ),
        low=low.astype(np.float32),
        fading=(fading / fading[0]).astype(np.float32),
        lags=lags,
        mel=_mel(hertz),
        scale=scale,
    )


def _mel(hertz: Array) -> Array:
    """(bins, BANDS) triangles, even on the mel scale from 50 Hz to TOP_HZ."""
    edges = np.linspace(*(1127 * np.log(1 + np.array([50.0, TOP_HZ]) / 700)), BANDS + 2)
    mels = 1127 * np.log(1 + hertz[:, None] / 700)
    up = (mels - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - mels) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(up, down), 0, None).astype(np.float32)


@lru_cache(maxsize=1)
def _cosines() -> Array:
    """(BANDS, CEPSTRA): the first cosine, the level, is left out."""
    angle = np.outer(np.arange(BANDS) + 0.5, np.arange(1, CEPSTRA + 1)) * np.pi / BANDS
    return (np.cos(angle) / BANDS).astype(np.float32)


def _smooth(pitch: Array) -> Array:
    """The median of five frames: single octave errors go, glides stay."""
    wide = np.pad(pitch, 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(wide, 5), axis=1).astype(np.float32)


def _bridged(voiced: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    filled = voiced.copy()
    for gap in range(1, _LONGEST_GAP + 1):
        for step in range(1, gap + 1):
            before, after = np.roll(voiced, step), np.roll(voiced, step - gap - 1)
            before[:step], after[len(after) - (gap + 1 - step) :] = False, False
            filled |= before & after
    return filled


def _still() -> Frames:
    row = np.zeros(1, np.float32)
    no = np.zeros(1, bool)
    return Frames(
        row, row, row, np.zeros((1, 4), np.float32), np.zeros((1, CEPSTRA), np.float32), row, no, no
    )


def _named(frames: Frames) -> dict[str, float]:
    active = np.flatnonzero(frames.active)
    if len(active):
        frames = frames.part(int(active[0]), int(active[-1]) + 1)
    return {**_of_pitch(frames), **_of_timing(frames), **_of_energy(frames), **_of_spectrum(frames)}


def _of_pitch(frames: Frames) -> dict[str, float]:
    pitch = _some(frames.pitch[frames.voiced])
    steps = np.diff(frames.pitch)[frames.voiced[1:] & frames.voiced[:-1]]
    steps = _some(steps[np.abs(steps) < 3])
    bends = _some(np.diff(steps))
    low, third, middle, eighth, high = np.percentile(pitch, (5, 20, 50, 80, 95))
    where = np.linspace(-1, 1, len(pitch))
    return {
        "pitch_median": middle,
        "pitch_low": low,
        "pitch_high": high,
        "pitch_range": eighth - third,
        "pitch_spread": float(pitch.std()),
        "pitch_skew": high + low - 2 * middle,
        "pitch_slope": float(where @ pitch / max(where @ where, 1e-6)),
        "pitch_rise": float(np.clip(steps, 0, None).mean()),
        "pitch_fall": float(np.clip(steps, None, 0).mean()),
        "jitter": float(np.abs(bends).mean()),
    }


def _of_timing(frames: Frames) -> dict[str, float]:
    runs, pauses = _runs(frames.voiced), _runs(~frames.active)
    length_s = max(len(frames) * HOP_S, 0.1)
    shape = np.hanning(11)[1:-1] / np.hanning(11).sum()
    smooth = np.convolve(np.pad(frames.energy, 4, mode="edge"), shape, "valid")
    inner = smooth[1:-1]
    peaks = (inner > smooth[:-2]) & (inner >= smooth[2:]) & frames.voiced[1:-1]
    return {
        "voiced_share": float(frames.voiced.mean()),
        "pause_share": float(pauses.sum()) / len(frames),
        "runs_per_s": len(runs) / length_s,
        "run_mean": float(_some(runs).mean()) * HOP_S,
        "run_spread": float(_some(runs).std()) * HOP_S,
        "peaks_per_s": float(peaks.sum()) / max(float(frames.active.sum()) * HOP_S, 0.1),
    }


def _of_energy(frames: Frames) -> dict[str, float]:
    energy, voiced = _some(frames.energy[frames.active]), _some(frames.energy[frames.voiced])
    steps = _some(np.diff(frames.energy)[frames.active[1:] & frames.active[:-1]])
    low, middle, high = np.percentile(energy, (10, 50, 90))
    clean = np.clip(_some(frames.periodic[frames.voiced]), 0.01, 0.995)
    harmonics = 10 * np.log10(clean / (1 - clean))
    return {
        "energy_spread": float(energy.std()),
        "energy_up": high - middle,
        "energy_down": middle - low,
        "energy_step": float(np.abs(steps).mean()),
        "voiced_energy_spread": float(voiced.std()),
        "shimmer": float(np.abs(_some(np.diff(voiced, 2))).mean()),
        "harmonics_mean": float(harmonics.mean()),
        "harmonics_spread": float(harmonics.std()),
    }


def _of_spectrum(frames: Frames) -> dict[str, float]:
    voiced = frames.voiced if frames.voiced.any() else np.ones(len(frames), bool)
    rows = {"tilt": frames.tilt[voiced], "cepstrum": frames.cepstra[voiced]}
    found = {
        f"{name}_{number}_{kind}": float(value)
        for name, table in rows.items()
        for kind, values in (("mean", table.mean(0)), ("spread", table.std(0)))
        for number, value in enumerate(values, start=1)
    }
    both = voiced[1:] & voiced[:-1]
    changes = np.diff(frames.cepstra, axis=0)[both] if both.any() else np.zeros((1, CEPSTRA))
    found |= {f"change_{n}": float(v) for n, v in enumerate(np.abs(changes[:, :6]).mean(0), start=1)}
    silent = frames.active & ~frames.voiced
    found["flux"] = float(frames.flux[voiced].mean())
    found["unvoiced_alpha"] = float(frames.tilt[silent, 0].mean()) if silent.any() else found["tilt_1_mean"]
    found["active_alpha"] = float(_some(frames.tilt[frames.active, 0]).mean())
    return found


def _runs(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Lengths of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return np.asarray(edges[1::2] - edges[::2])


def _some(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Never empty: what is not there counts as 0."""
    return values.astype(np.float64) if len(values) else np.zeros(1)
