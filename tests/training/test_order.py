"""The order of examples: a function of seed and step. Nothing is lost, and labels can be made equal."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import numpy as np
import pytest

from training.order import ORDER, Order, chunks

SIZES = ["a"] * 19 + ["b"] * 6 + ["c"] * 2
LABELS = ["calm", "calm", "joy", "calm", "awe"] * 5 + ["calm", "awe"]


def visited(order: Order, steps: int) -> list[int]:
    return list(chain.from_iterable(order.batch(step) for step in range(steps)))


def test_an_order_visits_everything_once_an_epoch() -> None:
    order = Order(range(10, 17), batch_size=3, seed=1)
    rows = visited(order, 7)
    assert all(sorted(rows[start : start + 7]) == list(range(10, 17)) for start in (0, 7, 14))
    assert rows[:7] != rows[7:14]
    assert Order(range(10, 17), batch_size=3, seed=1).batch(5) == order.batch(5)
    assert Order(range(10, 17), batch_size=3, seed=2).batch(5) != order.batch(5)


def test_rows_of_one_size_come_in_the_order_they_always_had() -> None:
    """An epoch is one permutation, drawn by seed and number."""
    epochs = [np.random.default_rng([4, ORDER, epoch]).permutation(range(5)) for epoch in (0, 1, 2)]
    assert visited(Order(range(5), 3, seed=4), 5) == np.concatenate(epochs).tolist()


def test_a_batch_has_one_size_and_every_row_comes_equally_often() -> None:
    order = Order(range(27), batch_size=4, seed=3, sizes=SIZES)
    steps = 27  # four epochs exactly
    assert all(len({SIZES[row] for row in order.batch(step)}) == 1 for step in range(steps))
    assert set(Counter(visited(order, steps)).values()) == {4}
    first = [SIZES[order.batch(step)[0]] for step in range(steps)]
    assert first != sorted(first), "sizes take turns"


def test_the_rest_of_a_size_waits_for_a_later_epoch_and_is_not_lost() -> None:
    order = Order(range(27), batch_size=4, seed=3, sizes=SIZES)
    epoch = Counter(visited(order, 5))  # 19 = 4 * 4 + 3, 6 = 4 + 2, 2 = 0 * 4 + 2
    assert len(epoch) == 20 and set(epoch.values()) == {1}
    assert not epoch.keys() & {25, 26}
    assert {25, 26} <= set(visited(order, 14)), "two epochs fill a batch of the smallest size"


def test_any_step_can_be_asked_for_first() -> None:
    order = Order(range(27), 4, seed=3, sizes=SIZES, labels=LABELS)
    forwards = [order.batch(step) for step in range(40)]
    anew = [Order(range(27), 4, seed=3, sizes=SIZES, labels=LABELS).batch(step) for step in range(39, -1, -1)]
    assert anew[::-1] == forwards


@pytest.mark.parametrize("sizes", [None, SIZES])
def test_balanced_labels_come_equally_often_and_every_row_in_turn(sizes: list[str] | None) -> None:
    order = Order(range(27), batch_size=4, seed=3, sizes=sizes, labels=LABELS)
    largest = Counter(LABELS)["calm"]
    steps = 12 * largest  # of 4 rows: 16 epochs of 3 labels
    rows = Counter(visited(order, steps))
    assert set(Counter(LABELS[row] for row in rows.elements()).values()) == {16 * largest}
    for label in ("calm", "joy", "awe"):
        times = [rows[row] for row in range(27) if LABELS[row] == label]
        assert min(times) > 0.8 * max(times), label


def test_balanced_rows_of_the_largest_label_come_once_an_epoch() -> None:
    order = Order(range(27), batch_size=6, seed=3, labels=LABELS)
    epoch = Counter(visited(order, 8))  # 3 labels of 16
    calm = [row for row in range(27) if LABELS[row] == "calm"]
    assert [epoch[row] for row in calm] == [1] * 16
    assert all(epoch[row] >= 2 for row in range(27) if LABELS[row] != "calm")


def test_chunks_are_neighbours_of_one_size() -> None:
    sizes = ["a"] * 5 + ["b"] * 2
    assert [(part.start, part.stop) for part in chunks(sizes, 2)] == [(0, 2), (2, 4), (4, 5), (5, 7)]
    assert list(chunks([], 2)) == []
