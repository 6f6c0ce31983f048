"""The music benchmark: what it asks, that it reads control off pieces that have it, what it keeps."""

from functools import partial

import numpy as np
import pretty_midi
import pytest

from benchmarks import _music_makers as makers
from benchmarks import music
from benchmarks._music_makers import Composed
from benchmarks._music_measures import Piece
from pipelines.music import score
from tests.training.music_grids import grid
from training.music_cues import AXES

BARS = 4


def written(step=4, velocity=80, melody=(72, 74, 76, 77)):
    under = [(start, pitch) for start in range(0, BARS * 16, step) for pitch in (48, 52, 55)]
    over = [(4 * i, melody[i % len(melody)]) for i in range(BARS * 4)]
    return Composed(Piece(grid(over, under, BARS, velocity=velocity)), np.full(BARS, 80.0))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A toy of real classes, loaded from a folder as any model is."""
    folder = tmp_path_factory.mktemp("models") / "toy"
    score.Pipeline.tiny(1).pipe.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def composed(model):
    asked = [makers.request(seed, point, BARS, model) for seed, point in enumerate(((0, 0, 0), (0, 0.9, 0)))]
    return [makers.compose(one) for one in asked]


def test_points_fill_the_cube_and_are_the_same_every_time():
    asked = music.points(300)
    assert (asked == music.points(300)).all() and asked.shape == (300, 3)
    assert np.abs(asked).max() <= 1 and np.abs(asked.mean(axis=0)).max() < 0.15
    assert (np.histogram(asked, bins=4, range=(-1, 1))[0] > 150).all()


def test_control_is_read_off_pieces_that_have_it():
    asked = np.zeros((6, 3))
    asked[:, 2] = np.linspace(-1, 1, 6)
    made = [written(velocity=int(80 + 40 * d)) for d in asked[:, 2]]
    found = music.control(asked, made)
    assert found["dominance_r"] > 0.95 and found["cue_dominance_loudness_r"] > 0.95
    assert found["dominance_r_equal_loudness"] == found["arousal_r"] == 0
    assert music.main_cues(asked, made)["main_cue_dominance_r"] > 0.95


def test_a_cue_that_an_axis_wants_less_of_counts_as_following_it():
    asked = np.zeros((3, 3))
    asked[:, 2] = (-1, 0, 1)
    made = [written(melody=tuple(72 - 12 * d + i for i in range(4))) for d in (-1, 0, 1)]
    assert music.control(asked, made)["cue_dominance_register_r"] > 0.9


def test_rules_alone_reach_arousal_but_leave_notes_and_tempo_of_neutral_pieces_where_they_were():
    asked = np.zeros((4, 3))
    asked[:, 1] = (-0.9, -0.3, 0.4, 0.9)
    neutral = [written(step=2)] * 4
    found = music.ruled(asked, neutral)
    tempos = [one.tempo_bpm[0] for one in found]
    assert tempos == sorted(tempos) and tempos[0] < 80 < tempos[-1]
    assert music.control(asked, found)["arousal_r"] > 0.8
    assert (neutral[0].piece.tokens == written(step=2).piece.tokens).all()


def test_calm_and_tense_pieces_in_key():
    asked = np.array([[0.5, -0.5, 0], [-0.5, 0.5, 0], [0.5, 0.5, 0]])
    made = [written(), written(melody=(73, 75, 78, 80)), written()]
    found = music.in_key(asked, made)
    assert found["calm_in_key"] == found["calm_pieces_in_key"] == 1
    assert found["tense_in_key"] < 0.9 and found["tense_pieces_in_key"] == 0
    assert set(music.in_key(asked[2:], made[2:])) == set()


def test_ratios_to_real_songs_are_of_the_means():
    found = music.likeness_to_real([written().piece])
    ratio = (
        found["neutral_notes_per_bar"] / music.reference.figures()["windows"]["16"]["notes_per_bar"]["mean"]
    )
    assert found["neutral_notes_per_bar_ratio"] == pytest.approx(ratio)
    off = [abs(found[f"neutral_{name}_ratio"] - 1) for name in music.COMPARED]
    assert found["neutral_largest_difference"] == pytest.approx(max(off))


def test_a_figure_is_behind_only_where_it_is_further_from_songs_by_more_than_chance():
    made = [written().piece, written(step=2).piece]
    songs = music.reference.figures()["windows"]["16"]
    mine, near = music.measures.mean(made), {name: songs[name]["mean"] for name in music.COMPARED}
    sure = dict.fromkeys(music.COMPARED, 0.0)
    behind = music._behind(made, {"measures": near, "errors": sure})
    assert "chord_changes" in behind and set(behind) <= set(music.COMPARED)
    assert music._behind(made, {"measures": mine, "errors": sure}) == []  # as good
    assert music._behind(made, {"measures": near, "errors": dict.fromkeys(music.COMPARED, 1e6)}) == []


def test_a_model_composes_through_its_catalogue_entry(composed, model):
    calm, wild = composed
    assert calm.piece.tokens.shape[0] == BARS and len(calm.tempo_bpm) == BARS
    assert wild.written.bars[0].emotion.arousal == 0.9
    again = makers.compose(makers.request(0, (0, 0, 0), BARS, model))
    assert (again.piece.tokens == calm.piece.tokens).all()
    asked = np.array([[0.0, 0.0, 0.0], [0.0, 0.9, 0.0]])
    found = music.control(asked, composed)
    assert {f"{axis}_r_notes_only" for axis in AXES} <= set(found) and np.isfinite(list(found.values())).all()


def test_kept_pieces_are_midi_files_with_their_feeling_in_the_name(composed, tmp_path):
    music.keep(composed, np.array([[0.0, 0.0, 0.0], [0.0, 0.9, -0.4]]), tmp_path / "new")
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["000_v+0.0_a+0.0_d+0.0.mid", "001_v+0.0_a+0.9_d-0.4.mid"]
    assert pretty_midi.PrettyMIDI(str(tmp_path / "new" / names[1])).instruments


def test_seconds_are_of_each_composer(model, tmp_path):
    ours = partial(makers.request, point=(0, 0, 0), bars=1, model=model)
    asked = []
    taken = makers.seconds([lambda seed: makers.compose(ours(seed)), asked.append], 5, 2)
    makers.save(5, tmp_path, ours)
    assert {path.suffix for path in tmp_path.iterdir()} == {".mid", ".wav", ".png", ".json"}
    assert 0 <= taken[1] < taken[0] < 60 and asked == [5, 6, 7]
