"""The songs that the embedded music models learn from, as one long row of bars, read once and kept.

Of each bar: its tokens, how far back the bar lies that it repeats and how alike they are, its meter, how far
it is from both ends of the song, and how many bars of its stretch begin with it (windows never cross the end
of a stretch). One song in ten is held out.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from pipelines.music import _fields as fields
from pipelines.music import _grid as grid
from training.data import _pop909_files as pop909


class Songs(NamedTuple):
    """N bars: `tokens` (N, WIDTH) int16, `lag` (N,), `bars` (N, 4) as the network takes them, `left` (N,)."""

    tokens: Tensor
    lag: Tensor
    bars: Tensor
    left: Tensor
    song: Tensor  # (N,) number of its song


def songs(folder: Path, root: Path, part: str) -> Songs:
    """`part`: "train" or "held_out" of the songs under `root`; made once in `folder`."""
    file = folder / f"{part}.safetensors"
    if not file.exists():
        names = pop909.songs(root)
        kept = pop909.held_out(names)
        chosen = kept if part == "held_out" else [name for name in names if name not in kept]
        folder.mkdir(parents=True, exist_ok=True)
        save_file(_read(root, chosen)._asdict(), file)
    return Songs(**load_file(file))


def _read(root: Path, names: list[str]) -> Songs:
    found = []
    for name in tqdm(names, desc="reading songs"):
        stretches = pop909.read(root, name)
        for meter in fields.METERS:
            if same := [stretch for stretch in stretches if stretch.grid.meter == meter]:
                found.append((int(name), _song(same, meter)))
    parts = [torch.cat([getattr(song, name) for _, song in found]) for name in Songs._fields[:-1]]
    numbers = torch.cat([torch.full((len(song.lag),), number) for number, song in found])
    return Songs(*parts, numbers)


def _song(stretches: list[pop909.Stretch], meter: str) -> Songs:
    """All bars of one meter; a bar may repeat one of an earlier stretch."""
    tokens = np.concatenate([stretch.grid.tokens for stretch in stretches])
    lag, likeness = grid.repeats(tokens)
    left = np.concatenate([np.arange(len(stretch.grid), 0, -1) for stretch in stretches])
    bars = grid.facts(meter, likeness, stretches[0].starts_song, stretches[-1].ends_song)
    return Songs(*map(torch.from_numpy, (tokens, lag, bars, left)), torch.zeros(len(tokens)))
