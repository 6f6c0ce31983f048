"""Musical cues: each moves the right way on hand-made bars, axes follow the published directions."""

import time

import numpy as np
import pytest

from pipelines.music import _fields as fields
from pipelines.music._grid import Frame, Notes, encode, field
from tests.training.music_grids import grid
from training import music_cues, music_scale
from training._music_axes import LARGEST_SHARE
from training.music_cues import AXES, CUES, MAIN, cues, feelings

BARS = 8
MAJOR, MINOR = (60, 64, 67), (57, 60, 64)  # of C, of A
C_MAJOR = 1 + 0 * len(fields.QUALITIES)
A_MINOR = 1 + 9 * len(fields.QUALITIES) + 1
C_DIM = 1 + 0 * len(fields.QUALITIES) + 2


def piece(
    chord=MAJOR,
    *,
    chord_class=C_MAJOR,
    minor=0,
    step=4,
    length=4,
    velocity=80,
    shift=0,
    melody=(72, 74, 76, 77),
    melody_step=4,
    offset=0,
    broken=False,
):
    """8 bars of a chord every `step` sixteenths under a melody that repeats; tokens (8, WIDTH)."""
    starts = np.arange(offset, BARS * 16, step)
    if broken:
        under = [(start, chord[i % len(chord)]) for i, start in enumerate(starts)]
    else:
        under = [(start, pitch) for start in starts for pitch in chord]
    over = [(s, melody[i % len(melody)]) for i, s in enumerate(range(0, BARS * 16, melody_step))]
    under, over = ([(start, pitch + shift) for start, pitch in rows] for rows in (under, over))
    return grid(over, under, BARS, chord=chord_class, minor=minor, length=length, velocity=velocity)


def mean(tokens, cue, tempo=80.0):
    return float(cues(tokens, tempo)[cue].mean())


PLAIN = piece()
HIGHER = {  # what has more of a cue than PLAIN, or than the second where there is one
    "mode": (PLAIN, piece(MINOR, chord_class=A_MINOR, minor=1, melody=(72, 71, 69, 64))),
    "density": (piece(step=2), PLAIN),
    "register": (piece(shift=12), PLAIN),
    "loudness": (piece(velocity=110), PLAIN),
    "articulation": (PLAIN, piece(length=1)),
    "roughness": (piece((60, 61, 66)), PLAIN),
    "complexity": (piece(melody=(73, 75, 78, 80)), PLAIN),
    "syncopation": (piece(step=16, offset=3, melody_step=16), PLAIN),
    "regularity": (PLAIN, piece(step=3)),
    "firmness": (PLAIN, piece(broken=True)),
    "leaps": (piece(melody=(60, 79, 62, 81)), PLAIN),
    "contour": (piece(melody=tuple(range(60, 92))), piece(melody=tuple(range(92, 60, -1)))),
    "ambitus": (piece(melody=(60, 64, 76, 81)), PLAIN),
    "repetition": (piece(melody=(72, 72, 60, 60)), PLAIN),
}


@pytest.mark.parametrize("cue", HIGHER)
def test_a_cue_moves_the_right_way(cue):
    more, less = HIGHER[cue]
    assert mean(more, cue) > mean(less, cue)


def test_every_cue_is_tried_here_and_has_a_unit():
    assert set(HIGHER) | {"tempo"} == set(CUES) == set(cues(PLAIN, 80.0))


def test_natural_units():
    found = cues(PLAIN, np.linspace(60, 100, BARS))
    assert found["tempo"].tolist() == np.linspace(60, 100, BARS).tolist()
    assert found["density"] == pytest.approx(2.0)  # a quarter in both parts
    assert found["articulation"] == pytest.approx(1.0)  # legato
    assert found["firmness"] == pytest.approx(3.0)
    assert found["register"] == pytest.approx((60 + 64 + 67 + (72 + 74 + 76 + 77) / 4) / 4)
    assert found["loudness"] == pytest.approx(80, abs=6)  # the middle of a level
    assert found["ambitus"] == pytest.approx(5.0)
    assert all(values.shape == (BARS,) for values in found.values())


def test_consonances_are_smoother_than_a_tritone_and_a_tritone_than_a_semitone():
    order = [(60, 67), (60, 64), (60, 66), (60, 61)]
    melody = (96,)  # C, two octaves above
    rough = [mean(piece(chord, melody=melody), "roughness") for chord in order]
    assert rough == sorted(rough) and rough[0] < rough[-1]


def test_the_parallel_minor_is_minor_too():
    c_minor = piece((60, 63, 67), chord_class=C_MAJOR + 1, melody=(72, 74, 75, 77))
    assert mean(c_minor, "mode") < mean(PLAIN, "mode") - 0.5


def test_diminished_chords_are_tense():
    assert mean(piece(chord_class=C_DIM), "complexity") > mean(PLAIN, "complexity") + 0.3


def test_silent_bars_carry_what_was_and_a_silent_piece_is_bare():
    tokens = PLAIN.copy()
    for name in ("melody", "voices"):
        field(tokens, name)[3:] = 0
    found = cues(tokens, 80.0)
    assert found["density"][3:].tolist() == [0] * 5
    assert found["register"][3:].tolist() == [found["register"][2]] * 5
    silent = tokens[3:]
    assert np.isnan(cues(silent, 80.0)["register"]).all()
    assert np.isfinite(feelings(silent, 80.0)).all()
    assert feelings(silent, 80.0)[:, 1].max() < feelings(PLAIN, 80.0)[:, 1].min()


def test_a_six_eight_bar_has_three_beats():
    starts = np.arange(0, 12 * BARS, 2)
    notes = Notes(starts, starts * 0 + 2, starts * 0 + 60, starts * 0 + 80)
    frame = Frame(np.ones((BARS, 2), dtype=int), np.zeros(BARS, dtype=int), np.full(BARS, 80.0), "6/8")
    made = encode(notes, notes, frame)
    found = cues(made.tokens, 80.0, "6/8")
    assert found["density"] == pytest.approx(4.0)  # two eighths a beat in two parts
    assert found["syncopation"] == pytest.approx(0.0)


@pytest.mark.parametrize("axis", AXES)
def test_weights_make_up_an_axis_and_none_is_too_heavy(axis):
    shares = [weight.share for weight in AXES[axis]]
    assert sum(map(abs, shares)) == pytest.approx(1)
    assert max(map(abs, shares)) <= LARGEST_SHARE
    assert all(weight.source for weight in AXES[axis])
    assert {weight.cue for weight in AXES[axis]} <= set(CUES)
    assert max(AXES[axis], key=lambda weight: abs(weight.share)).cue == MAIN[axis]


def test_valence_ranks_as_published():
    """Eerola et al. 2013: mode > tempo > register > articulation."""
    share = {weight.cue: weight.share for weight in AXES["valence"]}
    assert share["mode"] > share["tempo"] > share["register"] > -share["articulation"] > 0


@pytest.mark.parametrize(("axis", "cue"), [(axis, w.cue) for axis in AXES for w in AXES[axis]])
def test_an_axis_follows_each_of_its_cues(axis, cue):
    found = {name: np.zeros(4) for name in CUES} | {cue: np.ones(4)}
    share = {weight.cue: weight.share for weight in AXES[axis]}[cue]
    assert music_cues.sums(found)[:, list(AXES).index(axis)] == pytest.approx(share)


def test_sad_and_happy_calm_and_wild_music():
    sad = piece(
        MINOR, chord_class=A_MINOR, minor=1, shift=-12, melody=(76, 74, 72, 69), step=8, melody_step=8
    )
    happy = piece(step=2, melody_step=2, length=1, velocity=95, shift=5)
    sad_is, happy_is = feelings(sad, 60.0).mean(0), feelings(happy, 130.0).mean(0)
    assert sad_is[0] < -0.2 < 0.2 < happy_is[0]
    assert sad_is[1] < -0.2 < 0.2 < happy_is[1]


def test_a_loud_low_march_dominates_a_soft_high_music_box():
    march = piece(velocity=120, shift=-12, melody=(72, 72, 72, 60))
    box = piece(velocity=45, shift=12, broken=True, step=3)
    assert feelings(march, 100.0)[:, 2].min() > 0.3
    assert feelings(box, 100.0)[:, 2].max() < -0.3


def test_the_average_bar_is_neutral():
    scale = music_cues._scale()
    average = {name: np.full(4, mean) for name, (mean, _) in scale["cues"].items()}
    average["tempo"] = 2 ** average["tempo"]
    scores = music_cues.standard(average, scale["cues"])
    for i, axis in enumerate(AXES):
        centre, spread = scale["axes"][axis]
        assert np.tanh((music_cues.sums(scores)[:, i] - centre) / spread) == pytest.approx(0, abs=0.02)


def test_without_a_cue_it_counts_as_average():
    loud, soft = piece(velocity=120), piece(velocity=40)
    heard, equal = (
        np.abs(feelings(loud, 90.0, without=way) - feelings(soft, 90.0, without=way)).max(axis=0)
        for way in ((), ("loudness",))
    )
    assert heard[1] > 0.1 and heard[2] > 0.3
    assert equal.tolist() == [0, 0, 0]


def test_feelings_change_inside_a_song_but_never_jump():
    tokens = np.concatenate([piece(step=8, melody_step=16), piece(step=2, melody_step=2)])
    arousal = feelings(tokens, 80.0)[:, 1]
    assert arousal[-1] - arousal[0] > 0.4
    assert np.diff(arousal).max() < 0.6 * (arousal[-1] - arousal[0])
    assert np.diff(arousal).min() > -0.05


def test_a_song_of_a_hundred_bars_takes_a_moment():
    tokens = np.concatenate([PLAIN] * 13)[:100]
    feelings(tokens, 80.0)
    taken = []
    for _ in range(3):
        start = time.process_time()
        feelings(tokens, 80.0)
        taken.append(time.process_time() - start)
    assert min(taken) < 0.05


def test_the_scale_centres_what_it_was_made_from():
    def song(number, tokens):
        return music_scale.Song(number, tokens, "4/4", np.zeros(len(tokens), dtype=int))

    chosen = [song(1, PLAIN), song(2, HIGHER["mode"][1]), song(3, piece(step=2, velocity=100, shift=3))]
    made = music_scale.scale(chosen)
    raw = []
    for each in chosen:
        found = cues(each.tokens, music_cues.tempo_bpm(each.tokens))
        raw.append(music_cues.sums(music_cues.standard(found, made["cues"])))
    for i, axis in enumerate(AXES):
        centre, spread = made["axes"][axis]
        felt = np.tanh((np.concatenate(raw)[:, i] - centre) / spread)
        assert np.quantile(np.abs(felt), 0.95) == pytest.approx(0.8, abs=0.02)
