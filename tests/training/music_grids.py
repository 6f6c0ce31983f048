"""Small hand-made bar grids."""

import numpy as np

from pipelines.music import _fields as fields
from pipelines.music._grid import Frame, Notes, encode


def chord_class(root, quality="maj"):
    return 1 + root * len(fields.QUALITIES) + list(fields.QUALITIES).index(quality)


def notes(rows, length=4, velocity=80):
    """Of (start in sixteenths, pitch)."""
    start, pitch = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    same = np.ones(len(start), dtype=np.int64)
    return Notes(start, same * length, pitch, same * velocity)


def grid(melody, accompaniment, bars, *, chord=None, minor=0, meter="4/4", length=4, velocity=80):
    """Tokens (bars, WIDTH). `chord`: one class, or (bars, 2)."""
    chords = np.broadcast_to(chord_class(0) if chord is None else chord, (bars, 2)).astype(np.int64)
    frame = Frame(chords, np.full(bars, minor), np.full(bars, 80.0), meter)
    parts = (notes(rows, length, velocity) for rows in (melody, accompaniment))
    return encode(*parts, frame).tokens
