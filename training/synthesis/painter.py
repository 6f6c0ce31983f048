"""Paint a picture of known content and known feeling: the same arguments give the same bytes in any process.

The content comes from a Spec, the feeling from valence, arousal and dominance in [-1, 1]; what feeling
does to a picture, and after which sources, stands in `mood`. It knows no words (see `captions`).
"""

from collections.abc import Sequence
from math import pi, sin

import numpy as np
import skia

from training.synthesis import (
    face,
    scenes_beings,
    scenes_built,
    scenes_growth,
    scenes_indoor,
    scenes_land,
    scenes_weather,
)
from training.synthesis.easel import Easel
from training.synthesis.finish import FINISHES, blur, strokes
from training.synthesis.looks import LOOKS
from training.synthesis.mood import Mood, mood_of
from training.synthesis.motion_of import STILL, Moment
from training.synthesis.spec import SCENES, STYLES, Attributes, Spec, sample_spec

__all__ = ["SCENES", "STYLES", "Attributes", "Spec", "paint", "sample_spec"]

_SCENE_PAINTERS = {
    **scenes_land.SCENE_PAINTERS, **scenes_growth.SCENE_PAINTERS, **scenes_built.SCENE_PAINTERS,
    **scenes_indoor.SCENE_PAINTERS, **scenes_weather.SCENE_PAINTERS, **scenes_beings.SCENE_PAINTERS,
    **face.SCENE_PAINTERS,
}  # fmt: skip


# These lay marks as large as an eye.
_COARSE = frozenset(
    ("oil", "dabs", "dots", "strokes", "none", "pastel", "charcoal", "cubist", "gouache", "ink", "mosaic")
)


def check_painting(vad: tuple[float, float, float], seed: int, size_px: int) -> None:
    """ValueError for a feeling, seed or size that cannot be painted."""
    if len(vad) != 3:
        raise ValueError(f"vad is {vad!r}; it needs valence, arousal and dominance")
    for name, value in zip(("valence", "arousal", "dominance"), vad, strict=True):
        if not -1.0 <= value <= 1.0:
            raise ValueError(f"vad {name} is {value!r}; it must lie in [-1, 1]")
    if seed < 0:
        raise ValueError(f"seed is {seed!r}; it must not be negative")
    if not 16 <= size_px <= 4096:
        raise ValueError(f"size_px is {size_px!r}; it must lie in [16, 4096]")


def _veil(pixels: np.ndarray, mood: Mood) -> np.ndarray:
    """Weakness closes in as mist from the rim; light falls from above left, or fails."""
    size = pixels.shape[0]
    ramp = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    rim = np.clip((ramp[:, None] ** 2 + ramp[None, :] ** 2 - 0.35) / 1.2, 0, 1)[..., None]
    mean = pixels.mean((0, 1))
    veil = min(1.0, 1.25 * mood.haze) * rim
    pixels = pixels * (1 - veil) + (0.75 * mean + 20) * veil
    slope = (-0.6 * ramp[:, None] - 0.4 * ramp[None, :])[..., None]
    pool = 1 - 1.1 * (ramp[:, None] ** 2 + ramp[None, :] ** 2)[..., None]
    low, high = max(0.0, -mood.lamp), max(0.0, mood.lamp)
    return pixels * (1 + 0.30 * low * pool - 0.10 * low) + 34 * high * (slope + 0.25)


def _agitate(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    """Slanting strokes in the picture's own colours, lighter and darker alike, more of them when aroused."""
    energy = max(0.0, mood.arousal + 0.2)
    if energy < 0.05:
        return pixels
    return strokes(
        pixels,
        mood,
        rng,
        75 * energy,
        15,
        4.5,
        int(70 + 70 * energy),
        12 + 22 * energy,
        slant=-1.1 * mood.agitation,
    )


def _spare(finished: np.ndarray, plain: np.ndarray, centre: tuple[float, float], reach: float) -> np.ndarray:
    """Keep a face readable under coarse marks: blend the unfinished picture back in around `centre`."""
    size = plain.shape[0]
    ramp = (np.arange(size, dtype=np.float32) + 0.5) * 128 / size
    far = ((ramp[None, :] - centre[0]) ** 2 + (ramp[:, None] - centre[1]) ** 2) / reach**2
    keep = 0.75 * np.clip(1.6 - 1.6 * far, 0, 1)[..., None]
    return finished * (1 - keep) + plain * keep


def _lean(canvas: skia.Canvas, angle_deg: float) -> None:
    """Tilt the camera around the middle, a little nearer so that no corner stays empty."""
    zoom = 1 + 1.1 * sin(abs(angle_deg) * pi / 180)
    canvas.translate(64, 64)
    canvas.rotate(angle_deg)
    canvas.scale(zoom, zoom)
    canvas.translate(-64, -64)


def _carry(canvas: skia.Canvas, moment: Moment) -> None:
    """The hand that holds the camera: it circles, leans and breathes at the mood's pace."""
    if not moment.moves:
        return
    canvas.translate(*moment.offset)
    canvas.translate(64, 64)
    canvas.rotate(moment.sway(0.5, 0.8, 4.0))
    zoom = 1 + moment.sway(0.015, 0.7, 2.6)
    canvas.scale(zoom, zoom)
    canvas.translate(-64, -64)


def paint(spec: Spec, vad: tuple[float, float, float], seed: int, size_px: int = 128) -> np.ndarray:
    """Paint `spec` with the feeling `vad`; returns uint8 (size_px, size_px, 3)."""
    check_painting(vad, seed, size_px)
    mood = mood_of(vad, spec.attributes)
    easel_rng, cast_rng, finish_rng = (np.random.default_rng((seed, stream)) for stream in range(3))
    return develop(spec, mood, (easel_rng, cast_rng, finish_rng, finish_rng), size_px)


def develop(
    spec: Spec, mood: Mood, draws: Sequence[np.random.Generator], size_px: int, moment: Moment = STILL
) -> np.ndarray:
    """One picture from four sources of random numbers: for places, the cast, agitation and the finish."""
    look = LOOKS[spec.style]
    easel_rng, cast_rng, agitation_rng, finish_rng = draws
    buffer = np.zeros((size_px, size_px, 4), np.uint8)
    canvas = skia.Canvas(buffer, colorType=skia.kRGBA_8888_ColorType)
    canvas.scale(size_px / 128, size_px / 128)
    _lean(canvas, mood.tilt_deg if cast_rng.random() < 0.5 else -mood.tilt_deg)
    _carry(canvas, moment)
    _SCENE_PAINTERS[spec.scene](Easel(canvas, mood, look, easel_rng, cast_rng, moment=moment), spec)
    plain = _veil(buffer[..., :3].astype(np.float32), mood)
    pixels = FINISHES[look.finish](_agitate(plain, mood, agitation_rng), mood, finish_rng)
    if spec.scene == "portrait" and look.finish in _COARSE:
        (x, y), reach = face.place(spec, mood)
        across, down = moment.offset
        pixels = _spare(pixels, plain, (x + across, y + down), reach)
    return np.clip(blur(pixels, max(0.45, look.blur + mood.blur)) + 0.5, 0, 255).astype(np.uint8)
