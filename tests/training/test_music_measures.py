"""The measures of the music benchmark on grids whose figures are known, and its index of copies."""

import numpy as np
import pytest

from benchmarks import _music_copies as copies
from benchmarks import _music_measures as measures
from benchmarks import _music_reference as reference
from benchmarks import _music_rules as rules
from benchmarks._music_measures import Piece
from pipelines.music import _grid as bar_grid
from studio.emotion import VAD
from tests.training.music_grids import chord_class, grid
from training import _music_bars as bars_of
from training import music_cues

TRIAD = (48, 52, 55)


def quarters(pitches):
    return [(4 * i, pitch) for i, pitch in enumerate(pitches)]


def chords(bars, triad=TRIAD, step=16):
    return [(start, pitch) for start in range(0, bars * 16, step) for pitch in triad]


def piece(melody=(), under=(), bars=4, **more):
    return Piece(grid(melody, under, bars, **more), more.get("meter", "4/4"))


def test_pitch_class_entropy_counts_classes_not_octaves():
    assert measures.pitch_class_entropy(piece(quarters([60, 72, 48, 60]))) == pytest.approx(0)
    assert measures.pitch_class_entropy(piece(quarters([60, 64, 67, 71]))) == pytest.approx(2)


def test_polyphony_leaves_silence_out():
    under = [(0, pitch) for pitch in TRIAD]
    assert measures.polyphony(piece([(0, 72), (4, 74)], under)) == pytest.approx((4 * 4 + 4 * 1) / 8)


def test_notes_per_bar():
    assert measures.notes_per_bar(piece(quarters([60] * 16), chords(4))) == pytest.approx(7)


def test_self_similarity_is_of_neighbours_and_the_other_of_any_earlier_bar():
    one, other = quarters([60, 62, 64, 65]), quarters([72, 74, 76, 77])
    bars = enumerate((one, other, one))
    made = piece([(start + 16 * bar, pitch) for bar, rows in bars for start, pitch in rows], bars=3)
    assert measures.self_similarity(made) == pytest.approx(0)
    assert measures.earlier_bar_similarity(made) == pytest.approx(0.5)


def test_empty_bars_begin_no_note():
    assert measures.empty_bar_rate(piece([(0, 60), (20, 62)], bars=4)) == pytest.approx(0.5)


def test_in_key_knows_secondary_chords_and_the_raised_seventh():
    outside = quarters([66, 66, 69, 74])  # F# twice
    assert measures.in_key(piece(outside, bars=1)) == pytest.approx(0.5)
    assert measures.in_key(piece(outside, bars=1, chord=chord_class(2, "7"))) == pytest.approx(1)  # of G
    assert measures.in_key(piece(outside, bars=1, chord=chord_class(3, "dim"))) == pytest.approx(
        1
    )  # D# F# A, of E
    assert measures.in_key(piece(outside, bars=1, chord=chord_class(6))) == pytest.approx(1)  # of B
    assert measures.in_key(piece(outside, bars=1, chord=chord_class(11))) == pytest.approx(1)  # of E
    assert measures.in_key(piece(outside, bars=1, chord=chord_class(2, "aug"))) == pytest.approx(0.5)
    leading = quarters([68, 69, 68, 69])
    assert measures.in_key(piece(leading, bars=1)) == pytest.approx(0.5)
    assert measures.in_key(piece(leading, bars=1, minor=1)) == pytest.approx(1)


def test_melody_intervals_do_not_cross_long_rests():
    made = piece([(0, 60), (4, 62), (8, 67), (60, 90)], bars=4)
    assert measures.melody_interval(made) == pytest.approx((2 + 5) / 2)
    assert measures.melody_moves(made) == pytest.approx(0.5)


def test_chord_changes_a_bar():
    always = np.array([[1, 10], [19, 28]])
    assert measures.chord_changes(piece(quarters([60]), bars=2, chord=always)) == pytest.approx(2)
    assert measures.chord_changes(piece(quarters([60]), bars=2)) == pytest.approx(0)


def test_chord_tones_are_of_the_accompaniment_only():
    made = piece(quarters([61, 63]), [(0, 48), (0, 52), (0, 53), (8, 55)], bars=1)
    assert measures.chord_tone_share(made) == pytest.approx(0.75)
    assert np.isnan(measures.chord_tone_share(piece(quarters([61]), [(0, 48)], bars=1, chord=0)))


def test_a_silent_piece_has_nothing_to_measure_but_its_emptiness():
    found = measures.of(piece())
    assert found["empty_bar_rate"] == 1 and found["notes_per_bar"] == 0
    assert np.isnan(found["melody_interval"]) and np.isnan(found["polyphony"])


def test_six_eight_counts_its_own_sixteenths():
    starts = [(2 * i, 60 + i % 3) for i in range(12)]
    made = piece(starts, bars=2, meter="6/8", length=2)
    assert measures.polyphony(made) == pytest.approx(1)
    assert measures.notes_per_bar(made) == pytest.approx(6)
    assert measures.melody_interval(made) == pytest.approx(np.mean(np.abs(np.diff([0, 1, 2] * 4))))


def test_what_sounds_ends_when_it_ends():
    notes = bars_of.onsets(grid([(0, 60), (6, 62)], [], 1, length=2), "4/4")
    sounds = bars_of.sounding(notes, 16).any(axis=1)
    assert np.flatnonzero(sounds).tolist() == [0, 1, 6, 7]


def tune(seed, bars=12):
    return quarters(60 + np.random.default_rng(seed).integers(0, 12, bars * 4))


def test_a_copied_passage_is_found_transposed_and_under_other_chords():
    known = copies.index([piece(tune(seed), chords(12), bars=12) for seed in range(5)])
    moved = [(start, pitch + 5) for start, pitch in tune(3)]
    found = copies.overlap([piece(moved, chords(12, (50, 53, 57)), bars=12)], known)
    assert found == {"bars": 0.0, "turns": 1.0, "passages": 1.0}
    assert copies.overlap([piece(tune(3), chords(12), bars=12)], known)["bars"] == 1
    new = copies.overlap([piece(tune(99), chords(12), bars=12)], known)
    assert new == {"bars": 0.0, "turns": 0.0, "passages": 0.0}


def test_one_changed_note_in_each_bar_is_no_copied_passage_but_its_turns_are_found():
    known = copies.index([piece(tune(0), bars=12)])
    changed = tune(0)
    changed[40] = (changed[40][0], changed[40][1] + 1)
    found = copies.overlap([piece(changed, bars=12)], known)
    assert 0 < found["passages"] < 1 and 0.5 < found["turns"] < 1


def test_an_index_is_kept(tmp_path):
    known = copies.index([piece(tune(0), bars=12)])
    copies.save(known, tmp_path / "index.npz")
    again = copies.load(tmp_path / "index.npz")
    assert all(np.array_equal(a, b) for a, b in zip(known, again, strict=True))


def test_nothing_to_compare_is_nothing_copied():
    known = copies.index([piece(tune(0), bars=12)])
    assert copies.overlap([piece(bars=4)], known) == {"bars": 0.0, "turns": 0.0, "passages": 0.0}


def test_the_kept_reference_has_every_measure_and_its_index():
    real = reference.figures()
    assert set(measures.MEASURES) | {"count"} == set(real["windows"]["16"]) == set(real["windows"]["32"])
    assert set(real["cues"]) == set(music_cues.CUES) and real["songs"] == 91
    for axis, cue in music_cues.MAIN.items():
        assert real["axis_cue_r"][axis][cue] >= 0.6  # what shows best shows well
        assert max(real["axis_cue_r"][axis].values()) < 0.9  # and carries no axis alone
    assert all(
        len(part) > 10_000 and (np.diff(part.astype(np.int64)) > 0).all() for part in reference.index()
    )


def test_correlation_of_what_never_changes_is_none():
    assert reference.correlation(np.arange(5.0), np.ones(5)) == 0
    assert reference.correlation(np.arange(5.0), np.array([0, 1, np.nan, 3, 4])) == pytest.approx(1)


def test_rules_turn_to_the_parallel_mode_and_back():
    major = grid(quarters([60, 64, 69, 71]), chords(1), 1)
    dark = rules.apply(major, VAD(-0.9, 0.1, 0))
    assert (bars_of.onsets(dark).part(bars_of.onsets(dark).melody).pitch == [60, 63, 68, 70]).all()
    assert bar_grid.field(dark, "chord").ravel().tolist() == [chord_class(0, "min")] * 2
    assert bar_grid.field(dark, "mode").ravel().tolist() == [1]
    minor = grid(quarters([57, 60, 64, 69]), chords(1, (57, 60, 64)), 1, chord=chord_class(9, "min"), minor=1)
    bright = rules.apply(minor, VAD(0.9, 0.1, 0))
    assert bar_grid.field(bright, "chord").ravel().tolist() == [chord_class(9)] * 2
    assert (rules.apply(major, VAD(0, 0.1, 0)) == major).all()


def test_rules_move_loudness_and_density():
    plain = grid([(0, 72)], chords(2, step=4), 2)
    cues = {
        mood: music_cues.cues(rules.apply(plain, VAD(0, *mood)), 80.0)
        for mood in ((0.9, 0.9), (0.1, 0), (-0.9, -0.9))
    }
    for cue in ("loudness", "density"):
        wild, even, calm = (cues[mood][cue].mean() for mood in cues)
        assert wild > even > calm or (cue == "density" and wild > even == calm)
    wildest = rules.apply(grid([(0, 108)], [(0, 21)], 1), VAD(-1, 1, 1))
    assert bars_of.onsets(wildest).pitch.max() <= 108 and bars_of.onsets(wildest).pitch.min() >= 21
