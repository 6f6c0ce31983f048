"""What the slices of `music/muser` tell of music, and whether elements can be exchanged between pieces.

    python -m benchmarks.muser [--json] [--model muser-tiny] [--songs runs/music]

On POP909's held-out songs, half bar by half bar; every other one of them fits the linear predictors, the
others are predicted. `own_r2_E`: R^2 of the attributes of element E from the codes of its slices (ridge
regression on one-hot codes: whatever a code can tell); `others_r2_E`: mean R^2 of all other elements'
attributes from the same codes; `bond_r2_E`: the same from E's own measured attributes, which is what music
itself ties together and no code can undo. `own_is_best`: share of elements whose attributes are told best by
their own slices.

`rebuilt_...`: pieces taken apart into codes and decoded again. `transfer_E_...`: bars of one held-out piece
with element E of another one: `follows_r` between E's attributes there and in the donor, `before_r` the same
without exchange (pieces by chance alike), `others_stay_r` between the other elements' attributes before and
after. `neutral_...` and further figures: as in benchmarks.music.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import _music_makers as makers
from benchmarks import _report, music
from benchmarks._music_measures import Piece
from benchmarks._music_reference import correlation, windows
from pipelines.music import _grid as grid
from pipelines.music import _muser_features as features
from pipelines.music._muser_features import ATTRIBUTES, ELEMENTS, SLICES
from pipelines.music._muser_network import SIZES
from studio import catalog
from studio.emotion import NEUTRAL, EmotionCurve
from studio.params import build
from studio.request import RenderRequest
from training.music_scale import Song, songs

Floats = NDArray[np.float64]
FAMILY = "music/muser"
BARS_LONG = 16
RIDGE = 3.0  # in half bars: a code that was seen less often counts for less
LEVELS = 8  # of an attribute where attributes predict each other
PAIRS = 60
BARS = {
    "own_is_best": ("is", 1.0),
    "own_r2": ("at least", 0.6),
    "leak_r2": ("at most", 0.05),
    "transfer_follows_r": ("at least", 0.6),
    "transfer_others_stay_r": ("at least", 0.8),
    "seconds_per_16_bars": ("at most", 1.0),
}


class Described(NamedTuple):
    """Half bars: `codes` (N, S), attributes (N,) by name with NaN where there is nothing to measure."""

    codes: NDArray[np.int64]
    attributes: Mapping[str, Floats]


@cache
def pipeline(model: str) -> Any:
    return catalog.load("pipeline", FAMILY).Pipeline.load(catalog.find_model(model), "cpu", "auto")


def attributes(tokens: NDArray[np.integer]) -> dict[str, Floats]:
    """Every attribute of half bars, (2 * bars,)."""
    found = features.attributes(torch.from_numpy(tokens.astype(np.int64)))
    return {name: values.flatten().double().numpy() for name, values in found.items()}


def described(pipe: Any, some: Sequence[Song]) -> Described:
    tokens = np.concatenate([song.tokens for song in some])
    codes = pipe.codes(grid.Grid(tokens)).flatten(0, 1).numpy()
    return Described(codes, attributes(tokens))


# Disentanglement


def one_hot(codes: NDArray[np.int64], element: str) -> Floats:
    """(N, codes of all slices of the element)."""
    parts = [
        np.eye(size)[codes[:, i]] for i, (name, size) in enumerate(SIZES.items()) if SLICES[name] == element
    ]
    return np.concatenate(parts, axis=1)


def levels(known: Mapping[str, Floats], edges: Mapping[str, Floats], element: str) -> Floats:
    """(N, levels of all attributes of the element); unmeasured ones are a level of their own."""
    parts = []
    for name in ATTRIBUTES[element]:
        place = np.where(np.isfinite(known[name]), np.digitize(known[name], edges[name]), LEVELS)
        parts.append(np.eye(LEVELS + 1)[place])
    return np.concatenate(parts, axis=1)


def told(x: tuple[Floats, Floats], one: Described, other: Described) -> dict[str, float]:
    """R^2 of every attribute of `other` from `x` by ridge regression on `one`; below 0 counts as 0.

    `x`: what is told of the half bars (N, K) of both.
    """
    found: dict[str, float] = {}
    solved: dict[bytes, Floats] = {}  # most attributes are known of the same half bars
    for name, values in one.attributes.items():
        fit, predict = np.isfinite(values), np.isfinite(other.attributes[name])
        a, mean = x[0][fit], values[fit].mean()
        if (key := fit.tobytes()) not in solved:
            solved[key] = np.linalg.solve(a.T @ a + RIDGE * np.eye(a.shape[1]), a.T)
        weights = solved[key] @ (values[fit] - mean)
        truth = other.attributes[name][predict]
        rest = truth - mean - x[1][predict] @ weights
        found[name] = float(max(0.0, 1 - (rest**2).mean() / truth.var()))
    return found


def table(x: Mapping[str, tuple[Floats, Floats]], one: Described, other: Described) -> dict[str, Floats]:
    """What slices (or attributes) `x` of each element tell: mean R^2 of each element's attributes, (6,)."""
    found = {}
    for element, pair in x.items():
        each = told(pair, one, other)
        found[element] = np.array([np.mean([each[name] for name in names]) for names in ATTRIBUTES.values()])
    return found


def disentanglement(one: Described, other: Described) -> tuple[_report.Figures, dict[str, Floats]]:
    """Figures, and the table that they sum up: row: slices, column: element that is predicted."""
    codes = table({e: (one_hot(one.codes, e), one_hot(other.codes, e)) for e in ELEMENTS}, one, other)
    edges = {n: np.nanquantile(v, np.linspace(0, 1, LEVELS + 1)[1:-1]) for n, v in one.attributes.items()}
    bonds = table(
        {e: (levels(one.attributes, edges, e), levels(other.attributes, edges, e)) for e in ELEMENTS},
        one,
        other,
    )
    found: _report.Figures = {}
    leaks = []
    for i, element in enumerate(ELEMENTS):
        rest = np.arange(len(ELEMENTS)) != i
        found[f"own_r2_{element}"] = float(codes[element][i])
        found[f"others_r2_{element}"] = float(codes[element][rest].mean())
        found[f"bond_r2_{element}"] = float(bonds[element][rest].mean())
        leaks.append(np.maximum(0, codes[element][rest] - bonds[element][rest]).mean())
    every = np.stack([codes[element] for element in ELEMENTS])
    found["own_r2"] = float(np.diag(every).mean())
    found["leak_r2"] = float(np.mean(leaks))
    found["own_is_best"] = float((every.argmax(axis=0) == np.arange(len(ELEMENTS))).mean())
    return found, codes


# Rebuilding and exchanging


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def alike(one: Mapping[str, Floats], other: Mapping[str, Floats], names: Sequence[str]) -> float:
    """Mean r of attributes over all half bars."""
    return float(np.mean([correlation(one[name], other[name]) for name in names]))


def joined(parts: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def rebuilt(pipe: Any, pieces: Sequence[Piece]) -> _report.Figures:
    """How much of pieces their codes hold."""
    made = [
        pipe.transfer(grid_of(piece), grid_of(piece), ELEMENTS, seeded(i)) for i, piece in enumerate(pieces)
    ]
    before = np.concatenate([piece.tokens for piece in pieces])
    after = np.concatenate([one.tokens for one in made])
    found: _report.Figures = {
        f"rebuilt_{name}": float((grid.field(before, name) == grid.field(after, name)).mean())
        for name in ("chord", "mode", "tempo", "loudness", "velocity")
    }
    onsets = [
        np.concatenate([grid.field(t, n) > 0 for n in ("melody", "voices")], -1) for t in (before, after)
    ]
    found["rebuilt_onsets_f1"] = float(2 * (onsets[0] & onsets[1]).sum() / sum(part.sum() for part in onsets))
    found["rebuilt_notes"] = float(grid.likeness(before, after).mean())
    then, now = attributes(before), attributes(after)
    return found | {f"rebuilt_{e}_r": alike(then, now, names) for e, names in ATTRIBUTES.items()}


def grid_of(piece: Piece) -> grid.Grid:
    return grid.Grid(piece.tokens, piece.meter)


def transfers(pipe: Any, pieces: Sequence[Piece]) -> _report.Figures:
    """Every piece takes one element of the piece half-way around, for each element in turn."""
    donors = [pieces[(i + len(pieces) // 2) % len(pieces)] for i in range(len(pieces))]
    before = joined([attributes(piece.tokens) for piece in pieces])
    wanted = joined([attributes(piece.tokens) for piece in donors])
    found: _report.Figures = {}
    for element, names in ATTRIBUTES.items():
        made = joined(
            [
                attributes(pipe.transfer(grid_of(a), grid_of(b), [element], seeded(i)).tokens)
                for i, (a, b) in enumerate(zip(pieces, donors, strict=True))
            ]
        )
        others = [name for other, of in ATTRIBUTES.items() if other != element for name in of]
        found[f"transfer_{element}_follows_r"] = alike(made, wanted, names)
        found[f"transfer_{element}_before_r"] = alike(before, wanted, names)
        found[f"transfer_{element}_others_stay_r"] = alike(made, before, others)
    for what in ("follows", "others_stay"):
        values = [found[f"transfer_{element}_{what}_r"] for element in ELEMENTS]
        found[f"transfer_{what}_r"] = float(np.mean(values))
    return found


# New pieces


def neutral(model: str, count: int) -> list[Piece]:
    """NEUTRAL pieces at unseen seeds, the base model bare."""
    module = catalog.load("pipeline", FAMILY)
    settings = build(module.Params, {"bars": BARS_LONG})
    found = []
    for i in range(count):
        asked = RenderRequest(
            FAMILY, model, "", "", EmotionCurve.constant(NEUTRAL), music.UNSEEN + i, (), settings
        )
        written, _ = pipeline(model).compose(asked, lambda rows: None, lambda step: None)
        found.append(Piece(written.tokens, written.meter))
    return found


def measure(model: str, folder: Path, count: int, pairs: int) -> tuple[_report.Figures, str]:
    pipe = pipeline(model).pipe
    held_out = list(songs(folder / "held_out.safetensors"))
    found, codes = disentanglement(described(pipe, held_out[::2]), described(pipe, held_out[1::2]))
    pieces = [part[0] for song in held_out if song.meter == "4/4" and (part := windows(song, BARS_LONG))]
    made = neutral(model, count)
    found |= rebuilt(pipe, pieces[:pairs])
    found |= transfers(pipe, pieces[:pairs])
    found |= music.likeness_to_real(made) | music.emptiness(made) | music.copied(made)
    (found["seconds_per_16_bars"],) = makers.seconds([lambda _: neutral(model, 1)], 0, music.TIMED)
    return found, matrix(codes)


def matrix(codes: Mapping[str, Floats]) -> str:
    """The table for people."""
    lines = [
        "R^2 of attributes (columns) from codes (rows)",
        " " * 10 + "".join(f"{e:>10}" for e in ELEMENTS),
    ]
    lines += [f"{row:<10}" + "".join(f"{v:>10.2f}" for v in values) for row, values in codes.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="What the slices of music/muser tell, and their exchange")
    parser.add_argument("--json", action="store_true", help="one flat JSON object")
    parser.add_argument("--model", default="muser-tiny")
    parser.add_argument("--songs", type=Path, default=Path("runs/music"), help="where music_set kept them")
    parser.add_argument("--pieces", type=int, default=100, help="new ones")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="held-out pieces that exchange elements")
    asked = parser.parse_args()
    found, notes = measure(asked.model, asked.songs, asked.pieces, asked.pairs)
    print(_report.text("Second music family, held-out songs", found, BARS, notes, asked.json))


if __name__ == "__main__":
    main()
