"""The embedded composer and its adapter, as they are shipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.music._sampling import MusicDiffusionPipeline
from studio.catalog import default_adapters, find_model
from studio.render import Studio
from studio.request import RenderRequest
from studio.score import Piece

SCALE = (0, 2, 4, 5, 7, 9, 11)
UNSEEN = 50_001


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


def pieces(studio: Studio, emotion: str, count: int = 4, **more: str) -> list[Piece]:
    fields = {"pipeline": "music/score", "emotion": emotion, **more}
    requests = [RenderRequest.parse({**fields, "seed": UNSEEN + number}) for number in range(count)]
    return [artifact.piece for artifact in studio.make(requests)]  # type: ignore[attr-defined]


def notes_a_bar(made: list[Piece]) -> float:
    return float(np.mean([len(list(piece.notes)) / len(piece.bars) for piece in made]))


def test_the_folder_is_in_diffusers_layout_and_small() -> None:
    folder = Path(find_model("music-tiny"))
    pipe = MusicDiffusionPipeline.from_pretrained(str(folder))
    assert type(pipe.transformer).__name__ == "MusicTransformer"
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 16 * 2**20
    assert not [path for path in folder.rglob("*") if path.suffix in {".bin", ".pt", ".pkl"}]


def test_the_adapter_is_worn_by_default() -> None:
    assert default_adapters("music-tiny") == ("vad-music",)


def test_a_neutral_piece_is_music(studio: Studio) -> None:
    made = pieces(studio, "neutral", key="C major")
    for piece in made:
        assert len(piece.bars) == 16
        pitches = np.array([note.pitch % 12 for note in piece.notes])
        assert np.isin(pitches, SCALE).mean() > 0.9
        assert {part.name for part in piece.parts} >= {"Melody", "Accompaniment"}
    assert 12 < notes_a_bar(made) < 30


def test_arousal_is_heard_in_notes_and_tempo(studio: Studio) -> None:
    calm, lively = (pieces(studio, f"v=0 a={arousal} d=0") for arousal in (-0.9, 0.9))
    assert notes_a_bar(lively) > 1.3 * notes_a_bar(calm)
    tempo = [np.mean([bar.tempo_bpm for piece in made for bar in piece.bars]) for made in (calm, lively)]
    assert tempo[1] > 1.2 * tempo[0]


def test_valence_is_heard_in_major_chords(studio: Studio) -> None:
    def minor_share(made: list[Piece]) -> float:
        chords = [chord for piece in made for bar in piece.bars for chord in bar.chords if chord != "N"]
        return float(np.mean(["m" in chord.replace("maj", "") for chord in chords]))

    sad, glad = (pieces(studio, f"v={valence} a=0 d=0") for valence in (-0.9, 0.9))
    assert minor_share(sad) > minor_share(glad) + 0.15
