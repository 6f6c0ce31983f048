"""Control figures on readings whose truth is known: good, none, collapsed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import InputError
from training import control

RNG = np.random.default_rng(3)
ASKED = RNG.uniform(-1, 1, (64, 3))
LABELS = [f"label {index % 8}" for index in range(80)]


def test_a_good_reader_follows_on_every_axis() -> None:
    found = control.of_points(ASKED, ASKED + RNG.normal(0, 0.2, ASKED.shape))
    assert found.works and list(found.axes) == ["valence", "arousal", "dominance"]
    for axis in found.axes.values():
        assert axis.r > 0.9 and axis.beats_constant and axis.mae < 0.25 < axis.constant_mae
        assert axis.p == pytest.approx(1 / 2001)
        assert 0.1 < axis.chance_r < 0.35  # about 1.64 / sqrt(64)


def test_noise_is_no_better_than_chance() -> None:
    found = control.of_points(ASKED, np.random.default_rng(8).uniform(-1, 1, ASKED.shape))
    assert not any(axis.works or axis.beats_constant for axis in found.axes.values())


def test_chance_is_right_one_time_in_twenty() -> None:
    rng, alarms = np.random.default_rng(1), 0
    for _ in range(100):
        asked, read = rng.normal(size=(2, 12, 3))
        alarms += control.of_points(asked, read, shuffles=200).axes["valence"].works
    assert alarms <= 12  # 5 expected


def test_a_collapsed_reader_cannot_look_good() -> None:
    nearly_one_answer = 0.3 + 0.01 * ASKED  # perfectly correlated, and useless
    axis = control.of_points(ASKED, nearly_one_answer).axes["arousal"]
    assert axis.r == pytest.approx(1) and axis.collapsed and not axis.works
    constant = control.of_points(ASKED, np.full_like(ASKED, 0.2)).axes["arousal"]
    assert constant.r == 0 and constant.p == 1 and constant.collapsed and not constant.works


def test_a_reader_with_another_scale_works_but_is_no_nearer_than_a_constant() -> None:
    axis = control.of_points(ASKED, 3 * ASKED + 2).axes["valence"]
    assert axis.works and not axis.beats_constant


def test_correlations_are_the_usual_ones() -> None:
    asked, read = RNG.normal(size=(2, 40))
    assert control.pearson(asked, read) == pytest.approx(np.corrcoef(asked, read)[0, 1])
    assert control.spearman(asked, np.exp(asked)) == pytest.approx(1)
    assert control.spearman(np.array([1.0, 2, 2, 3]), np.array([1.0, 3, 2, 4])) == pytest.approx(0.9486833)


def test_an_axis_that_was_not_asked_for_is_left_out() -> None:
    asked = ASKED.copy()
    asked[:, 1] = 0.5
    assert list(control.of_points(asked, asked).axes) == ["valence", "dominance"]
    with pytest.raises(InputError, match="every point is the same"):
        control.of_points(np.zeros((8, 3)), ASKED[:8])


def test_figures_are_flat_and_say_the_verdicts() -> None:
    figures = control.of_points(ASKED, ASKED).figures()
    assert figures["control_valence_r"] == pytest.approx(1)
    assert figures["control_dominance_works"] is True and "control_arousal_samples" not in figures


def test_labels_beat_chance_and_the_most_frequent_one() -> None:
    read = [label if index % 3 else "label 0" for index, label in enumerate(LABELS)]
    found = control.of_labels(LABELS, read)
    assert found.works and found.accuracy > 0.6 and found.majority == pytest.approx(1 / 8)
    assert found.to_dict()["labels_used"] == 8


def test_a_reader_that_names_one_label_cannot_look_good() -> None:
    asked = ["calm"] * 56 + ["excited"] * 24  # as skewed as real sets are
    found = control.of_labels(asked, ["calm"] * 80)
    assert found.accuracy == found.majority == 0.7 and found.favourite == 1
    assert found.collapsed and not found.works
    few = control.of_labels(LABELS, [("label 0", "label 1")[i % 8 == 1] for i in range(80)])
    assert few.p < 0.05 and few.collapsed and not few.works


@pytest.mark.parametrize(
    ("asked", "read", "message"),
    [
        (ASKED, ASKED[:5], r"read: has 5 points for 64 asked"),
        (ASKED[:, :2], ASKED[:, :2], r"asked: must be \(N, 3\)"),
        (ASKED[:3], ASKED[:3], "at least 4, got 3"),
        (ASKED, np.full_like(ASKED, np.nan), "read: .* not finite"),
    ],
)
def test_wrong_input_is_named(asked: np.ndarray, read: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        control.of_points(asked, read)


def test_wrong_labels_are_named() -> None:
    with pytest.raises(InputError, match="has 79 labels for 80 asked"):
        control.of_labels(LABELS, LABELS[1:])
    with pytest.raises(InputError, match="every label is the same"):
        control.of_labels(["calm"] * 9, ["calm"] * 9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=4, max_size=12))
def test_no_reading_makes_a_figure_that_is_no_number(values: list[float]) -> None:
    asked = np.stack([np.linspace(-1, 1, len(values))] * 3, axis=1)
    axis = control.of_points(asked, np.stack([values] * 3, axis=1), shuffles=20).axes["valence"]
    assert all(np.isfinite(value) for value in axis.to_dict().values())
    assert -1 <= axis.r <= 1 and 0 < axis.p <= 1


def test_pairs_that_differ_are_told_from_pairs_that_do_not() -> None:
    worse = RNG.normal(size=30)
    assert control.paired_p(worse + 0.5, worse) < 0.01
    assert control.paired_p(worse, worse + 0.5) > 0.9
    assert control.paired_p(worse, worse) == 1
