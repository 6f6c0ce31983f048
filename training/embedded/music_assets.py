"""How `assets/models/music-tiny` is made from a folder with POP909: songs, network, forms, folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from pipelines.music import _grid as grid
from pipelines.music._loading import FORMS
from pipelines.music._sampling import AbsorbingScheduler, MusicDiffusionPipeline
from studio.catalog import ASSETS
from training.embedded import music_net, music_set
from training.embedded._fit import load_average

RUNS = Path("runs/music")
MODEL = ASSETS / "models" / "music-tiny"
FORM_BARS = (16, 32, 64, 128)
FORMS_EACH = 192


def make_network(seed: int, data: Path) -> None:
    songs = music_set.songs(RUNS, data, "train")
    music_net.train(music_net.new(seed), songs, RUNS / "network", seed)


def make_folder(seed: int, data: Path) -> None:
    """Assemble the pipeline's folder from what is trained so far."""
    net = music_net.new(seed)
    load_average(net, RUNS / "network")
    net.register_to_config(dropout=0.0)
    pipe = MusicDiffusionPipeline(net.half(), AbsorbingScheduler())
    pipe.save_pretrained(MODEL, safe_serialization=True)
    forms = form_library(music_set.songs(RUNS, data, "train"), seed)
    save_file({str(bars): found for bars, found in forms.items()}, MODEL / FORMS)


def form_library(songs: music_set.Songs, seed: int) -> dict[int, np.ndarray]:
    """Of each length forms (FORMS_EACH, 2, bars) uint8 of stretches of training songs: lag and likeness.

    A bar repeats only bars of its own stretch, as it will in a piece of that length.
    """
    tokens, song = songs.tokens.numpy(), songs.song.numpy()
    generator = np.random.default_rng(seed)
    found = {}
    for bars in FORM_BARS:
        last = len(song) - bars
        whole = np.flatnonzero(song[:last] == song[bars - 1 : last + bars - 1])
        starts = generator.choice(whole, min(FORMS_EACH, len(whole)), replace=False)
        forms = [np.stack(grid.repeats(tokens[start : start + bars])) for start in starts]
        found[bars] = np.stack(forms).astype(np.uint8)
    return found


STAGES = {"network": make_network, "folder": make_folder}
