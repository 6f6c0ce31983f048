"""The autoregressive music baseline: events say the whole grid, nothing sees the future, pieces are legal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.music import _fields as fields
from pipelines.music import _grid as grid
from training.embedded import _music_ar_net as ar_net
from training.embedded import _music_ar_sampling as sampling
from training.embedded import _music_ar_tastes as tastes
from training.embedded import _music_events as events
from training.embedded import music_ar
from training.embedded._fit import Plan
from training.embedded.music_set import Songs

BARS = 24


def part(dice: np.random.Generator, cells: int, count: int, pitch: int) -> grid.Notes:
    """Random notes; the first sixteenths are silent."""
    return grid.Notes(
        dice.integers(7, BARS * cells, count),
        dice.integers(1, 40, count),
        dice.integers(pitch - 12, pitch + 12, count),
        dice.integers(20, 127, count),
    )


def song(meter: str = "4/4", seed: int = 0) -> Songs:
    dice, cells = np.random.default_rng(seed), fields.METERS[meter]
    frame = grid.Frame(
        dice.integers(0, fields.CHORDS, (BARS, 2)),
        dice.integers(0, 2, BARS),
        dice.uniform(50, 120, BARS),
        meter,
    )
    made = grid.encode(part(dice, cells, 90, 72), part(dice, cells, 400, 55), frame).tokens
    number = list(fields.METERS).index(meter)
    facts = np.stack([np.full(BARS, number), np.zeros(BARS), np.arange(BARS), np.arange(BARS)[::-1]], axis=1)
    facts = np.minimum(facts, 3).astype(np.int64)
    left = np.arange(BARS, 0, -1)
    return Songs(
        *map(torch.from_numpy, (made, np.zeros(BARS, dtype=np.int64), facts, left)), torch.zeros(BARS)
    )


@pytest.fixture
def net() -> ar_net.MusicEventTransformer:
    torch.manual_seed(0)
    return ar_net.MusicEventTransformer(channels=32, layers=2, heads=2).eval()


@pytest.mark.parametrize("meter", fields.METERS)
def test_events_say_the_whole_grid(meter: str) -> None:
    known = song(meter)
    made = events.to_events(known.tokens.numpy(), known.bars.numpy())
    assert np.array_equal(events.to_tokens(made.rows), known.tokens.numpy())
    notes = (made.rows[:, events.AT["pitch"]] > 0).sum()
    assert len(made.rows) == notes + 2 * BARS == made.bar[-1]
    assert (np.diff(made.cell) >= 0).all() and (made.rows >= 0).all()


def test_silence_is_said_too() -> None:
    known = song()
    silent = known.tokens.numpy().copy()
    for name in ("melody", "voices"):
        grid.field(silent, name)[:] = 0
        grid.field(silent, f"{name}_length")[:] = fields.NO_LENGTH
    grid.field(silent, "velocity")[:] = fields.LOUDNESS_LEVELS // 2
    made = events.to_events(silent, known.bars.numpy())
    assert len(made.rows) == 2 * BARS
    assert np.array_equal(events.to_tokens(made.rows), silent)


def test_a_batch_reads_what_it_writes_one_event_earlier_and_says_that_the_last_bar_is_over() -> None:
    known = song()
    row = music_ar.as_events(known)
    first = torch.tensor([0, BARS - 2])
    rows, cells, after, loud = music_ar.batch(row, known, first, 300)
    assert (rows[:, 0, 0] == events.START + 1).all()
    assert torch.equal(rows[:, 1:], after[:, :-1])
    assert torch.equal(after[0], row.rows[:300].long())
    count = int(row.bar[BARS] - row.bar[BARS - 2])
    assert after[1, count, 0] == events.BAR + 1 and after[1, count, 1:].sum() == 0
    assert after[1, count + 1 :].sum() == 0 and not loud[1, count:].any()
    assert cells[1, 0] == cells[1, 1] == (BARS - 2) * fields.CELLS


def test_no_event_sees_a_later_one(net: ar_net.MusicEventTransformer) -> None:
    rows, cells, _, _ = music_ar.batch(music_ar.as_events(song()), song(), torch.tensor([0]), 60)
    other = rows.clone()
    other[0, 40, events.AT["pitch"]] += 1
    with torch.no_grad():
        one, two = net(rows, cells), net(other, cells)
    assert torch.equal(one[:, :40], two[:, :40])
    assert not torch.allclose(one[:, 40], two[:, 40])


def test_columns_of_an_event_know_only_those_before_them(net: ar_net.MusicEventTransformer) -> None:
    rows = torch.ones(1, len(events.COLUMNS), dtype=torch.long)
    other = rows.clone()
    other[0, events.AT["length"]] = 5
    state = torch.zeros(1, net.channels)
    with torch.no_grad():
        one, two = net.chains["note"](state, rows), net.chains["note"](state, other)
    assert all(torch.equal(one[name], two[name]) for name in ("pitch", "length"))
    assert not torch.equal(one["velocity"], two["velocity"])


def test_what_is_kept_gives_the_states_of_a_whole_reading(net: ar_net.MusicEventTransformer) -> None:
    rows, cells, _, _ = music_ar.batch(music_ar.as_events(song()), song(), torch.tensor([0, 3]), 50)
    cache = ar_net.Cache(net, 2, 50)
    with torch.no_grad():
        whole = net(rows, cells)
        parts = [net(rows[:, :20], cells[:, :20], None, cache)]
        parts += [net(rows[:, at : at + 1], cells[:, at : at + 1], None, cache) for at in range(20, 50)]
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-5)


def legal(tokens: grid.Tokens, cells: int) -> None:
    assert (tokens >= 0).all() and (tokens < fields.classes()).all()
    for name in ("melody", "voices"):
        pitch, length = grid.field(tokens, name), grid.field(tokens, f"{name}_length")
        assert ((length == fields.NO_LENGTH) == (pitch == 0)).all()
        assert (pitch[:, cells:] == 0).all()
        higher = pitch[..., 1:] > pitch[..., :-1]
        assert (higher | (pitch[..., 1:] == 0)).all(), "voices from low to high, without gaps"
    assert sum((grid.field(tokens, name) > 0).sum() for name in ("melody", "voices")) > 0


@pytest.mark.parametrize("meter", fields.METERS)
def test_pieces_are_legal_at_any_length(net: ar_net.MusicEventTransformer, meter: str) -> None:
    for bars in (1, 6):
        for tokens in music_ar.compose(net, bars, seed=bars, batch=2, meter=meter):
            assert tokens.shape == (bars, fields.WIDTH)
            legal(tokens, fields.METERS[meter])


@pytest.mark.parametrize("bias", (-1e4, 1e4))
def test_a_net_that_never_or_always_ends_a_bar_still_writes_a_piece(
    net: ar_net.MusicEventTransformer, bias: float
) -> None:
    with torch.no_grad():
        net.writers["what"].bias[events.BAR] = bias
    (tokens,) = music_ar.compose(net, 3, seed=1)
    assert len(tokens) == 3
    legal(tokens, fields.CELLS)


def test_a_piece_in_a_batch_is_the_piece_alone(net: ar_net.MusicEventTransformer) -> None:
    together = music_ar.compose(net, 8, seed=7, batch=2)
    for made, seed in zip(together, (7, 8), strict=True):
        assert np.array_equal(made, music_ar.compose(net, 8, seed)[0])


def test_beyond_the_context_pieces_of_a_batch_do_not_see_each_other(
    net: ar_net.MusicEventTransformer,
) -> None:
    pieces = sampling.write(net, 12, 7, 2, context=40, kept=30)
    assert min(len(piece.rows) for piece in pieces) > 40 and all(len(piece.bar_at) == 12 for piece in pieces)

    def alone(piece: sampling.Piece, most: int = 30) -> torch.Tensor:
        rows, cells = piece.recent(most)
        assert rows[0][0] == events.START + 1 and rows[1][0] == events.BAR + 1 and len(rows) <= most
        return net(torch.from_numpy(np.stack(rows))[None], torch.tensor([cells]))[0, -1]

    with torch.no_grad():
        reader = sampling.Reader(net, pieces, context=40, kept=30)
        while reader.cache.count < 40:
            reader.step()
        states = reader.step()  # no room: read anew
        assert reader.padded
        assert torch.allclose(states, torch.stack([alone(piece) for piece in pieces]), atol=1e-5)
        for piece in pieces:
            piece.add(piece.rows[-1])
        assert torch.allclose(reader.step(), torch.stack([alone(piece, 31) for piece in pieces]), atol=1e-5)


def test_asked_plans_are_kept(net: ar_net.MusicEventTransformer) -> None:
    plan = np.full((3, len(fields.PLAN)), -1)
    plan[1] = (1, 2, 3, 4, 5, 6, 7)
    (tokens,) = music_ar.compose(net, 3, seed=0, plan=plan)
    assert [int(tokens[1, fields.FIELDS[name].start]) for name in fields.PLAN] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(("bars", "batch"), ((0, 1), (4, 0)))
def test_nothing_to_write_is_an_error(net: ar_net.MusicEventTransformer, bars: int, batch: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        music_ar.compose(net, bars, 0, batch)


def test_the_taste_is_chosen_once_and_remembered(
    net: ar_net.MusicEventTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tastes, "PIECES", 2)
    monkeypatch.setattr(tastes, "TASTES", {name: tastes.TASTES[name] for name in ("plain", "cold")})
    chosen = tastes.taste(net, song(), tmp_path)
    assert chosen in tastes.TASTES.values()
    monkeypatch.setattr(tastes, "choose", None)
    assert tastes.taste(net, song(), tmp_path) == chosen


def test_features_know_repetition_and_chords() -> None:
    known = song().tokens.numpy()
    twice = np.concatenate([known[:1]] * 4)
    assert tastes.features([twice])["repetition"] == 1.0
    assert tastes.features([known])["repetition"] < 0.9
    twice[:, fields.FIELDS["chord"].tokens] = 1  # C major
    pitches = np.concatenate([grid.field(twice, name)[0].ravel() for name in ("melody", "voices")])
    inside = [(pitch + fields.LOWEST - 1) % 12 in (0, 4, 7) for pitch in pitches[pitches > 0]]
    found = tastes.features([twice])
    assert found["chord tones"] == pytest.approx(np.mean(inside)) and found["chord changes"] == 0


def test_training_learns(
    net: ar_net.MusicEventTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(music_ar, "ROWS", 2)
    monkeypatch.setattr(music_ar, "CONTEXT", 96)
    known = song()
    before = music_ar.quality(net, known, 1)
    plan = Plan(steps=15, learning_rate=5e-3, warmup_steps=1, ema=0.5)
    music_ar.train(net, known, tmp_path, 0, plan)
    after = music_ar.quality(net, known, 1)
    assert after["nats_per_bar"] < 0.9 * before["nats_per_bar"]
    assert set(after) == set(music_ar.WEIGHTS) | {"nats_per_bar"}
