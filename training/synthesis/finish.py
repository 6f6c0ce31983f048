"""Finishes: what a medium does to the whole picture once its shapes stand. All marks are large and soft.

A finish gets the painted pixels and returns new ones (float32, size x size x 3, 0..255).
"""

from collections.abc import Callable
from math import cos, pi, sin

import numpy as np
import skia

from training.synthesis.mood import Mood
from training.synthesis.motion_of import Tape

Finish = Callable[[np.ndarray, Mood, np.random.Generator], np.ndarray]


def _canvas_of(pixels: np.ndarray) -> tuple[np.ndarray, skia.Canvas]:
    size = pixels.shape[0]
    buffer = np.empty((size, size, 4), np.uint8)
    buffer[..., :3], buffer[..., 3] = np.clip(pixels + 0.5, 0, 255), 255
    canvas = skia.Canvas(buffer, colorType=skia.kRGBA_8888_ColorType)
    canvas.scale(size / 128, size / 128)
    return buffer, canvas


def _flow(pixels: np.ndarray) -> np.ndarray:
    """Angle along the edges at 16 x 16 places, so that strokes follow the forms."""
    grey = pixels.mean(2)
    step = grey.shape[0] // 16
    small = grey[: step * 16, : step * 16].reshape(16, step, 16, step).mean((1, 3))
    down, right = np.gradient(small)
    return np.arctan2(down, right) + pi / 2


def _settled(flow: np.ndarray, rng: np.random.Generator | Tape) -> np.ndarray:
    """In a film strokes turn slowly with what they follow: angles are averaged over the frames before."""
    if not isinstance(rng, Tape):
        return flow
    now = np.exp(2j * flow)  # doubled, for a stroke has no direction
    rng.memory = now if rng.memory is None else 0.9 * rng.memory + 0.1 * now
    return np.angle(rng.memory) / 2


def strokes(
    pixels: np.ndarray, mood: Mood, rng: np.random.Generator, count: float, length: float, width: float,
    alpha: int, spread: float, slant: float | None = None,
) -> np.ndarray:  # fmt: skip
    """Lay `count` strokes over the picture in its own colours, varied by `spread` grey levels."""
    buffer, canvas = _canvas_of(pixels)
    size = pixels.shape[0]
    amount, count = count, int(count) + isinstance(rng, Tape)  # in a film the last stroke fades in
    places = rng.uniform(0, 128, (count, 2))
    inside = np.minimum((places * size / 128).astype(int), size - 1)
    tones = np.clip(pixels[inside[:, 1], inside[:, 0]] + spread * rng.standard_normal((count, 1)), 0, 255)
    angles = _settled(_flow(pixels), rng)[(places[:, 1] // 8).astype(int), (places[:, 0] // 8).astype(int)]
    angles = angles + 0.9 * mood.agitation * rng.standard_normal(count)
    if slant is not None:
        angles = slant + 0.25 * rng.standard_normal(count)
    reach = 0.5 * length * rng.uniform(0.6, 1.1, count)
    dx, dy = reach * np.cos(angles), reach * np.sin(angles)
    paint = skia.Paint(
        AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeCap=skia.Paint.kRound_Cap, StrokeWidth=width
    )
    ends = np.stack([places[:, 0] - dx, places[:, 1] - dy, places[:, 0] + dx, places[:, 1] + dy], 1).tolist()
    alphas = [alpha] * int(amount) + [round(alpha * (amount % 1))] * (count - int(amount))
    tones_of = zip(alphas, tones.astype(int).tolist(), ends, strict=True)
    for opacity, (red, green, blue), (x0, y0, x1, y1) in tones_of:
        paint.setColor(skia.ColorSetARGB(opacity, red, green, blue))
        canvas.drawLine(x0, y0, x1, y1, paint)
    return buffer[..., :3].astype(np.float32)


def _oil(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    loose = mood.looseness
    return strokes(
        pixels, mood, rng, 130 + 170 * loose, 7 + 8 * loose, 2.8 + 2.2 * loose, 190, 4 + 12 * loose
    )


def _dabs(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    loose = mood.looseness
    return strokes(
        pixels, mood, rng, 320 + 130 * loose, 5 + 3 * loose, 4.0 + 1.6 * loose, 230, 10 + 14 * loose
    )


def _plain_strokes(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    loose = mood.looseness
    return strokes(pixels, mood, rng, 20 + 100 * loose, 12, 4.5, 110, 3 + 8 * loose)


def _pastel(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    soft = blur(pixels, 1.2)
    return strokes(soft, mood, rng, 90 + 130 * mood.looseness, 14, 4.5, 120, 12, slant=-1.2 * mood.agitation)


def _charcoal(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    soft = blur(pixels, 0.9)
    return strokes(soft, mood, rng, 70 + 150 * mood.looseness, 15, 3.2, 110, 18, slant=-1.2 * mood.agitation)


def blur(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """A small separable blur; `sigma` in 1/128 of the side."""
    sigma *= pixels.shape[0] / 128
    reach = max(1, int(2.5 * sigma + 0.5))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()
    for axis in (0, 1):
        pad = [(0, 0)] * 3
        pad[axis] = (reach, reach)
        wide = np.pad(pixels, pad, mode="edge")
        count = pixels.shape[axis]
        pixels = sum(w * np.take(wide, range(i, i + count), axis) for i, w in enumerate(weights))
    return pixels


def _watercolour(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    """Pigment pools: uneven density in large blooms, and a bare paper rim."""
    size = pixels.shape[0]
    coarse = rng.standard_normal((6, 6, 1)).astype(np.float32)
    bloom = _enlarge(coarse, size) * (6 + 16 * mood.looseness)
    ramp = (np.arange(size) + 0.5) / size * 128
    margin = np.minimum(np.minimum(ramp, 128 - ramp)[:, None], np.minimum(ramp, 128 - ramp)[None, :])
    wobble = 2.0 * _enlarge(rng.standard_normal((10, 10, 1)).astype(np.float32), size)[..., 0]
    paper = np.clip(1 - (margin - 3.5 - wobble) / 3.0, 0, 1)[..., None]
    wet = blur(pixels, 0.8) + bloom
    return wet * (1 - paper) + np.array([247, 243, 234], np.float32) * paper


def _enlarge(coarse: np.ndarray, size: int) -> np.ndarray:
    """Bilinear enlargement of a small field to size x size."""
    count = coarse.shape[0]
    places = np.linspace(0, count - 1.001, size)
    low, part = places.astype(int), (places % 1).astype(np.float32)
    rows = coarse[low] * (1 - part)[:, None, None] + coarse[low + 1] * part[:, None, None]
    return rows[:, low] * (1 - part)[None, :, None] + rows[:, low + 1] * part[None, :, None]


def _steps(pixels: np.ndarray, levels: int, softness: float) -> np.ndarray:
    """Posterise brightness with soft risers, keeping hue."""
    grey = pixels.mean(2, keepdims=True) / 255 * levels
    base = np.floor(grey)
    part = np.clip((grey - base - 0.5) / softness + 0.5, 0, 1)
    return pixels * ((base + part) / np.maximum(grey, 0.05))


def _ink(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    """Washes on warm paper."""
    washed = strokes(pixels, mood, rng, 16 + 70 * mood.looseness, 20, 6, 90, 14)
    paper = np.array([250, 244, 230], np.float32) / 255
    return _steps(washed, 6, 0.6) * paper


def _woodcut(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    """Few tones, and cuts of the gouge through everything dark."""
    cut = _steps(pixels, 4, 0.55)
    size = pixels.shape[0]
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) * (128 / size)
    angle = -0.2 - 0.5 * mood.agitation
    wave = np.sin((y * cos(angle) + x * sin(angle) + 2 * np.sin(x / 14)) * 2 * pi / 7.5)
    dark = np.clip(1.25 - cut.mean(2) / 110, 0, 1)
    return cut + ((8 + 34 * mood.looseness) * dark * np.clip(wave * 1.5, 0, 1))[..., None]


def _mosaic(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    """Square tiles of 8 with pale joints; the picture still shows through each tile."""
    size = pixels.shape[0]
    cells = 16
    edges = np.arange(size) * cells // size
    counts = np.bincount(edges, minlength=cells).astype(np.float32)
    rows = np.add.reduceat(pixels, np.searchsorted(edges, range(cells)), 0) / counts[:, None, None]
    tiles = np.add.reduceat(rows, np.searchsorted(edges, range(cells)), 1) / counts[None, :, None]
    tiles = tiles + (5 + 10 * mood.looseness) * rng.standard_normal((cells, cells, 1))
    flat = tiles[edges][:, edges]
    place = (np.arange(size) + 0.5) / size * cells % 1
    joint = np.clip((np.abs(place - 0.5) - 0.36) * 12, 0, 1)
    joint = np.maximum(joint[:, None], joint[None, :])[..., None]
    body = 0.6 * flat + 0.4 * pixels
    return body * (1 - 0.30 * joint) + 225 * 0.30 * joint * (0.4 + 0.6 * body / 255)


def _dots(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    """Round dots of pure tone on a pale ground."""
    pitch = 5.6
    y, x = np.mgrid[0:128:pitch, 0:128:pitch]
    x = x + (np.arange(x.shape[0]) % 2)[:, None] * pitch / 2
    spots = np.stack([x.ravel(), y.ravel()], 1) + rng.normal(0, 0.35 + 0.5 * mood.looseness, (x.size, 2))
    size = pixels.shape[0]
    inside = np.clip((spots * size / 128).astype(int), 0, size - 1)
    tones = pixels[inside[:, 1], inside[:, 0]] + (5 + 9 * mood.looseness) * rng.standard_normal(
        (len(spots), 1)
    )
    buffer, canvas = _canvas_of(0.78 * blur(pixels, 1.0) + 0.22 * 225)
    paint = skia.Paint(AntiAlias=True)
    for (red, green, blue), (px, py) in zip(
        np.clip(tones, 0, 255).astype(int).tolist(), spots.tolist(), strict=True
    ):
        paint.setColor(skia.ColorSetRGB(red, green, blue))
        canvas.drawCircle(px, py, 2.75, paint)
    return buffer[..., :3].astype(np.float32)


def _gouache(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    chalk = 0.92 * _steps(pixels, 9, 0.5) + 14
    return strokes(chalk, mood, rng, 10 + 90 * mood.looseness, 16, 5.5, 120, 8, slant=0.08)


def _cubist(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    """Long straight cuts; on one side of each the picture is shifted and its light turned."""
    size = pixels.shape[0]
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) * (128 / size)
    shift_x, shift_y, light = (np.zeros((size, size), np.float32) for _ in range(3))
    reach = 2.0 + 3.5 * mood.looseness
    for _ in range(6):
        angle, offset = rng.uniform(0, pi), rng.uniform(-42, 42)
        far = (x - 64) * cos(angle) + (y - 64) * sin(angle) - offset
        side = np.clip(far / 1.5, -0.5, 0.5)
        shift_x += side * rng.normal(0, reach)
        shift_y += side * rng.normal(0, reach)
        light += (
            side * rng.choice((-1, 1)) * 20 + rng.choice((-1, 1)) * (np.minimum(np.abs(far), 36) - 20) * 0.3
        )
    to_x = np.clip((x + shift_x) * size / 128, 0, size - 1).astype(int)
    to_y = np.clip((y + shift_y) * size / 128, 0, size - 1).astype(int)
    return pixels[to_y, to_x] + light[..., None]


def _glass(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    """Light from behind: a slow glow over the panes, and lead bars."""
    size = pixels.shape[0]
    glow = 1 + 0.10 * (0.5 + mood.looseness) * _enlarge(
        rng.standard_normal((5, 5, 1)).astype(np.float32), size
    )
    buffer, canvas = _canvas_of(pixels * glow)
    paint = skia.Paint(
        AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=2.4, Color=skia.ColorSetRGB(40, 38, 48)
    )
    for x in (14 + rng.uniform(-5, 5), 114 + rng.uniform(-5, 5)):
        canvas.drawLine(x, 0, x + rng.uniform(-9, 9), 128, paint)
    for y in (22 + rng.uniform(-6, 6), 104 + rng.uniform(-6, 6)):
        canvas.drawLine(0, y, 128, y + rng.uniform(-9, 9), paint)
    return buffer[..., :3].astype(np.float32)


def _none(pixels: np.ndarray, mood: Mood, rng: np.random.Generator) -> np.ndarray:
    return strokes(pixels, mood, rng, 60 * max(0.0, mood.looseness - 0.2), 14, 5, 70, 8)


FINISHES: dict[str, Finish] = {
    "oil": _oil,
    "watercolour": _watercolour,
    "ink": _ink,
    "pastel": _pastel,
    "dots": _dots,
    "gouache": _gouache,
    "woodcut": _woodcut,
    "charcoal": _charcoal,
    "none": _none,
    "mosaic": _mosaic,
    "dabs": _dabs,
    "cubist": _cubist,
    "glass": _glass,
    "strokes": _plain_strokes,
}
