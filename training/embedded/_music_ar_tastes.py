"""How boldly the autoregressive baseline should choose: so that its pieces measure most like training songs.

Knows the grid and the baseline's sampling. The benchmark measures more, and on held-out songs: these few are
there so that the baseline is compared at its best.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from pipelines.music import _fields as fields
from pipelines.music import _grid as grid
from training.embedded._music_ar_net import MusicEventTransformer
from training.embedded._music_ar_sampling import Taste, compose
from training.embedded.music_net import starts
from training.embedded.music_set import Songs

BARS = 16
PIECES = 24
REAL = 120  # windows of training songs
TASTES = {
    "plain": Taste((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 1.0)),
    "wide": Taste((1.0, 0.98), (1.0, 0.98), (1.0, 0.98), (1.0, 0.98), (1.0, 0.98)),
    "middle": Taste((1.0, 0.98), (1.0, 0.95), (1.0, 0.95), (1.0, 0.98), (1.0, 0.95)),
    "sure pitches": Taste((1.0, 0.98), (1.0, 0.9), (1.0, 0.9), (1.0, 0.98), (1.0, 0.95)),
    "cool": Taste((0.95, 0.98), (0.9, 0.98), (0.9, 0.98), (1.0, 0.98), (0.9, 0.98)),
    "cold": Taste((0.9, 0.95), (0.85, 0.95), (0.85, 0.95), (0.95, 0.95), (0.85, 0.95)),
}


def choose(net: MusicEventTransformer, songs: Songs, tell: Callable[[str], object] = print) -> str:
    """Name of the best of TASTES, by the mean ratio of its pieces' features to those of `songs`."""
    first, _ = starts(songs, BARS)
    first = first[torch.linspace(0, len(first) - 1, min(REAL, len(first))).long()]
    real = features([songs.tokens[at : at + BARS].numpy() for at in first.tolist()])
    gaps = {}
    for name, taste in TASTES.items():
        made = features(compose(net, BARS, 10_000, PIECES, taste=taste))
        ratios = {key: (made[key] + 1e-3) / (real[key] + 1e-3) for key in real}
        gaps[name] = float(np.mean([abs(np.log(ratio)) for ratio in ratios.values()]))
        shown = ", ".join(f"{key} {ratio:.2f}" for key, ratio in ratios.items())
        tell(f"{name}: {gaps[name]:.3f} ({shown})")
    return min(gaps, key=lambda name: gaps[name])


def taste(net: MusicEventTransformer, songs: Songs, folder: Path) -> Taste:
    """The chosen taste, remembered in `folder`."""
    file = folder / "taste.txt"
    if not file.exists():
        file.write_text(choose(net, songs) + "\n")
    return TASTES[file.read_text().strip()]


def features(pieces: list[grid.Tokens]) -> dict[str, float]:
    """Means over pieces (bars, WIDTH)."""
    found = [_features(piece) for piece in pieces]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def _features(tokens: grid.Tokens) -> dict[str, float]:
    melody, voices = grid.field(tokens, "melody"), grid.field(tokens, "voices")
    sounding = np.concatenate([melody, voices], axis=2)
    together = (sounding > 0).sum(axis=2)
    line = melody[melody > 0].astype(np.int64)
    chords = grid.field(tokens, "chord").ravel()
    shares = np.bincount((sounding[sounding > 0] + fields.LOWEST - 1) % 12, minlength=12) / max(
        together.sum(), 1
    )
    earlier = [grid.likeness(tokens[:bar], tokens[bar][None]).max() for bar in range(1, len(tokens))]
    return {
        "melody notes": len(line) / len(tokens),
        "notes": together.sum() / len(tokens),
        "polyphony": together.sum() / max((together > 0).sum(), 1),
        "pitch entropy": -float((shares * np.log2(np.maximum(shares, 1e-9))).sum()),
        "interval": float(np.abs(np.diff(line)).mean()) if len(line) > 1 else 0.0,
        "repetition": float(np.mean(earlier)) if earlier else 0.0,
        "next bar": float(grid.likeness(tokens[:-1], tokens[1:]).mean()) if earlier else 0.0,
        "chord changes": float((np.diff(chords) != 0).sum()) / len(tokens),
        "chord tones": _chord_tones(tokens, sounding),
    }


def _chord_tones(tokens: grid.Tokens, sounding: np.ndarray) -> float:
    """Share of the notes of half bars with a chord that belong to it."""
    bar, cell, voice = np.nonzero(sounding)
    half = (cell >= fields.CELLS // 2).astype(np.int64)
    chord = grid.field(tokens, "chord")[bar, half, 0]
    table = np.array([[tone in fields.chord_tones(c) for tone in range(12)] for c in range(fields.CHORDS)])
    inside = table[chord, (sounding[bar, cell, voice] + fields.LOWEST - 1) % 12]
    return float(inside[chord > 0].mean()) if (chord > 0).any() else 0.0
