"""`music/score` at toy size: what every composer must do, and what elements, bars and parts hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapters.emotion_lora import Adapter, Config
from pipelines.music import _elements as elements
from pipelines.music import _fields as fields
from pipelines.music import _form as form
from pipelines.music import _grid as grid
from pipelines.music import _network as network
from pipelines.music import _order as order
from pipelines.music import _performance as performance
from pipelines.music import _sampling as sampling
from pipelines.music import score
from pipelines.music._fields import FIELDS
from studio import params
from studio.emotion import NEUTRAL, VAD, parse_curve
from studio.errors import Cancelled, InputError
from studio.ports import SetEmotion, Step
from studio.request import RenderRequest

HAPPY, AFRAID = "v=0.8 a=0.5 d=0.3", "v=-0.7 a=0.7 d=-0.5"


def unfelt(_rows: object) -> None:
    """A model that wears nothing."""


def unwatched(_step: Step) -> None:
    """Nobody looks on."""


@pytest.fixture(scope="module")
def composer() -> score.Pipeline:
    return score.Pipeline.tiny(0)


@pytest.fixture
def feel(composer: score.Pipeline) -> Iterator[SetEmotion]:
    adapter = Adapter.create(composer.modules, Config(rank=4, alpha=4), seed=1)
    with torch.no_grad():
        for name, weight in adapter.weights.items():
            if name.endswith("lora_B.weight"):
                weight.normal_(0, 0.5, generator=torch.Generator().manual_seed(len(name)))
    with adapter.applied(composer.modules) as set_emotion:
        yield set_emotion


def request(emotion: str = "neutral", seed: int = 1, inputs: Any = (), **settings: Any) -> RenderRequest:
    settings = {"bars": 4, **settings}
    values = params.build(score.Params, settings)
    curve = parse_curve(emotion)
    return RenderRequest("music/score", "", "a title", "", curve, seed, (), values, tuple(inputs))


def composed(composer: score.Pipeline, asked: RenderRequest, feel: SetEmotion = unfelt) -> np.ndarray:
    return composer.compose(asked, feel, unwatched)[0].tokens


def test_the_same_request_makes_the_same_piece_and_another_seed_another(composer: score.Pipeline) -> None:
    first, again, other = (composed(composer, request(seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_piece_is_the_same_alone_and_among_others(composer: score.Pipeline, feel: SetEmotion) -> None:
    asked = [request(HAPPY, 1), request(AFRAID, 2), request("neutral", 3)]
    together = [made.piece for made in composer.render(asked, feel, unwatched)]  # type: ignore[attr-defined]
    alone = [composer.render([one], feel, unwatched)[0].piece for one in asked]  # type: ignore[attr-defined]
    assert together == alone


def test_neutral_with_an_adapter_is_no_adapter(composer: score.Pipeline, feel: SetEmotion) -> None:
    worn = composed(composer, request("neutral"), feel)
    felt = composed(composer, request(HAPPY), feel)
    feel([NEUTRAL])
    assert np.array_equal(worn, composed(composer, request("neutral")))
    assert not np.array_equal(worn, felt)


def test_every_bar_has_its_own_emotion(composer: score.Pipeline) -> None:
    seen: list[Any] = []
    composed(composer, request("v=-1@0, v=1@100%", bars=4), seen.append)
    assert [mood.valence for mood in seen[-1][0]] == pytest.approx([-0.75, -0.25, 0.25, 0.75])


def test_a_curve_changes_only_bars_that_it_reaches_first(composer: score.Pipeline, feel: SetEmotion) -> None:
    constant, turning = (composed(composer, request(e), feel) for e in (HAPPY, f"{HAPPY}@0, {AFRAID}@100%"))
    assert not np.array_equal(constant, turning)


def test_emphasis_shows_the_network_an_unfelt_row_beside_each(composer: score.Pipeline) -> None:
    seen: list[Any] = []
    composed(composer, request(HAPPY, emphasis=2.0), seen.append)
    assert {len(rows) for rows in seen} == {2}
    assert all(rows[0] == NEUTRAL for rows in seen)
    seen.clear()
    composed(composer, request("neutral", emphasis=2.0), seen.append)
    assert {len(rows) for rows in seen} == {1}, "nothing is felt: nothing to emphasise"


@pytest.mark.parametrize("bars", [1, 2, 17, 40])
def test_any_length_ends_and_is_wholly_written(composer: score.Pipeline, bars: int) -> None:
    made, _ = composer.compose(request(bars=bars), unfelt, unwatched)
    assert len(made) == bars
    assert (made.tokens < fields.classes()).all()
    assert ((grid.field(made.tokens, "melody") > 0).any()) or (grid.field(made.tokens, "voices") > 0).any()


def test_a_piece_without_any_note_gets_the_roots_of_its_chords(composer: score.Pipeline) -> None:
    silent = parse_curve("neutral")
    assert silent.is_neutral
    asked = request(bars=2, temperature=0.1, top_p=0.05)  # the likeliest of a toy may well be silence
    piece = composer.render([asked], unfelt, unwatched)[0].piece  # type: ignore[attr-defined]
    assert list(piece.notes)


def test_a_bar_of_six_eights_is_silent_beyond_its_end(composer: score.Pipeline) -> None:
    made, manner = composer.compose(request(meter="6/8"), unfelt, unwatched)
    assert not grid.field(made.tokens, "melody")[:, 12:].any()
    assert not grid.field(made.tokens, "voices")[:, 12:].any()
    piece = performance.perform(made, manner)
    assert piece.bar_starts[-1] == 12.0
    assert all(note.start_beats < 12 for note in piece.notes)


def test_progress_climbs_to_the_end_and_a_cancel_stops_within_a_step(composer: score.Pipeline) -> None:
    steps: list[Step] = []
    composer.render([request(bars=24), request(bars=24, seed=2)], unfelt, steps.append)
    shares = [step.done / step.total for step in steps]
    assert shares[-1] == 1.0
    assert all(later >= before - 0.05 for before, later in itertools.pairwise(shares))

    def stop(step: Step) -> None:
        if step.done == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        composer.render([request()], unfelt, stop)


def test_an_asked_key_and_tempo_are_kept(composer: score.Pipeline) -> None:
    piece = composer.render([request(key="F minor", tempo_bpm=100.0, bars=2)], unfelt, unwatched)[0].piece  # type: ignore[attr-defined]
    assert piece.key == "F minor"
    assert np.mean([bar.tempo_bpm for bar in piece.bars]) == pytest.approx(100, rel=0.01)


def test_tempo_follows_arousal(composer: score.Pipeline) -> None:
    made, _ = composer.compose(request(bars=4), unfelt, unwatched)
    calm, lively = (
        performance.tempos_bpm(made.tokens, [VAD(0, arousal, 0)] * 4, None).mean() for arousal in (-0.8, 0.8)
    )
    assert lively > 1.2 * calm


def test_the_tenser_a_bar_the_more_tones_and_chords_lie_outside_the_key(composer: score.Pipeline) -> None:
    def outside(emotion: str, name: str) -> float:
        spec = FIELDS[name]
        pieces = [composed(composer, request(emotion, seed=seed, bars=8)) for seed in range(3)]
        tokens = np.concatenate([piece[:, spec.tokens].ravel() for piece in pieces])
        return float(fields.outside_key(name)[tokens].sum() / (tokens > 0).sum())

    for name in ("chord", "voices"):
        calm, neutral, tense = (outside(mood, name) for mood in ("v=1 a=-1", "neutral", "v=-1 a=1"))
        assert calm < neutral < tense


def test_chords_are_written_low_to_high_without_doubles(composer: score.Pipeline) -> None:
    pitches = grid.field(composed(composer, request(bars=16, temperature=1.5, top_p=1.0)), "voices")
    sounding = pitches > 0
    assert (sounding[..., 1:] <= sounding[..., :-1]).all(), "a gap in a chord"
    pairs = sounding[..., 1:]
    assert (pitches[..., 1:][pairs] > pitches[..., :-1][pairs]).all()


def test_lengths_stand_exactly_where_notes_begin(composer: score.Pipeline) -> None:
    tokens = composed(composer, request(bars=8))
    for name in ("melody", "voices"):
        begins = grid.field(tokens, name) > 0
        assert np.array_equal(begins, grid.field(tokens, f"{name}_length") < fields.NO_LENGTH)


# what repeats


def test_a_repeating_bar_is_written_after_the_one_it_repeats() -> None:
    lag = np.array([0, 0, 2, 3, 4, 0, 6, 1])
    for stage in range(len(fields.STAGES)):
        plain = max(at.max() for at in order.schedule(stage, np.zeros_like(lag)).values())
        for name, at in order.schedule(stage, lag).items():
            assert at.max() <= plain + 1, "repeats of repeats must not make it endless"
            for bar in np.flatnonzero(lag):
                source = bar - lag[bar]
                if lag[source]:  # a repeat of a repeat: as long as there are moments left
                    assert ((at[bar] > at[source]) | (at[bar] == at[source].max())).all(), name
                else:
                    assert (at[bar] > at[source]).all(), name


def test_forms_of_a_library_are_taken_whole_and_cut_to_length() -> None:
    library = {4: np.array([[[0, 1, 2, 3], [0, 3, 2, 1]]], dtype=np.uint8)}
    generator = np.random.default_rng(0)
    lag, likeness = form.draw(3, library, generator)
    assert lag.tolist() == [0, 1, 2]
    assert likeness.tolist() == [0, 3, 2]
    lag, _ = form.draw(9, library, generator)
    assert lag.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert all((form.draw(bars, {}, generator)[0] <= np.arange(bars)).all() for bars in (1, 16, 50))


# drawing


def test_cutting_the_tail_of_pitches_does_not_make_silence_likelier() -> None:
    logits = torch.cat([torch.full((4000, 1), 2.0), torch.zeros(4000, 20)], dim=1)
    sounds = 20 / (20 + np.exp(2.0))
    for top_p in (1.0, 0.5):
        every, way = torch.ones_like(logits, dtype=torch.bool), sampling.Way(top_p=top_p)
        drawn = sampling.draw(logits, every, way, torch.Generator().manual_seed(0), True)
        assert (drawn > 0).float().mean().item() == pytest.approx(sounds, abs=0.03)


def test_a_nucleus_holds_only_the_likeliest() -> None:
    logits = torch.log(torch.tensor([[0.6, 0.3, 0.08, 0.02]])).expand(2000, 4)
    every, way = torch.ones_like(logits, dtype=torch.bool), sampling.Way(top_p=0.7)
    drawn = sampling.draw(logits, every, way, torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == {0, 1}
    every[:, 0] = False
    drawn = sampling.draw(logits, every, way, torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == {1}


# elements


def test_bars_are_counted_from_one_and_checked() -> None:
    assert elements.parse_bars("change_bars", "2-3, 5", np.arange(1, 7)).tolist() == [
        False,
        True,
        True,
        False,
        True,
        False,
    ]
    assert elements.parse_bars("change_bars", "", np.arange(1, 4)).all()
    for text in ("0", "3-2", "x", "1-7", "2-"):
        with pytest.raises(InputError, match=r"^change_bars: "):
            elements.parse_bars("change_bars", text, np.arange(1, 7))


def test_an_element_that_does_not_exist_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"^keep: 'rythm'.*rhythm"):
        elements.parse("keep", "pitch, rythm")


@pytest.mark.parametrize("name", ["keep", "change_bars"])
def test_fields_that_need_a_piece_say_so(name: str) -> None:
    value = {"keep": "pitch", "change_bars": "1"}[name]
    with pytest.raises(InputError, match=rf"^{name}: .*inputs\.midi"):
        score.check(request(**{name: value}))
    with pytest.raises(InputError, match=r"^take: .*inputs\.donor"):
        score.check(request(take="rhythm"))


def test_a_donor_that_gives_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"^take: .*name what the donor gives"):
        score.check(request(inputs=[("donor", "any.mid")]))


@pytest.fixture(scope="module")
def midi(composer: score.Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A piece of six bars as a file."""
    path = tmp_path_factory.mktemp("midi") / "piece.mid"
    piece = composer.render([request(bars=6, seed=5, key="C major", tempo_bpm=96.0)], unfelt, unwatched)[
        0
    ].piece  # type: ignore[attr-defined]
    from studio.midi_files import midi_bytes

    path.write_bytes(midi_bytes(piece, {}))
    return path


def test_a_piece_of_ours_is_read_back_exactly(composer: score.Pipeline, tmp_path: Path) -> None:
    from pipelines.music import _midi_in as midi_in
    from studio.midi_files import midi_bytes

    path, again = tmp_path / "a.mid", request(bars=6, seed=5, key="Eb major", meter="6/8")
    written, _ = composer.compose(again, unfelt, unwatched)
    piece = composer.render([again], unfelt, unwatched)[0].piece  # type: ignore[attr-defined]
    path.write_bytes(midi_bytes(piece, {}))
    read = midi_in.read(path)
    assert np.array_equal(read.grid.tokens, written.tokens)
    assert (read.grid.meter, read.shift, read.notes) == ("6/8", 3, ())
    same = request(inputs=[("midi", str(path))], strength=0.0)
    assert composer.render([same], unfelt, unwatched)[0].piece == piece  # type: ignore[attr-defined]


def test_an_edited_file_is_read_by_its_notes(composer: score.Pipeline, tmp_path: Path) -> None:
    import mido

    from studio.midi_files import midi_bytes, notation_of

    path = tmp_path / "a.mid"
    piece = composer.render([request(bars=4, seed=5)], unfelt, unwatched)[0].piece  # type: ignore[attr-defined]
    path.write_bytes(midi_bytes(piece, {}))
    assert notation_of(path) == piece.notation
    file = mido.MidiFile(path)
    first = next(message for message in file.tracks[1] if message.type == "note_on")
    first.velocity = first.velocity % 127 + 1
    file.save(path)
    assert notation_of(path) == ""


@pytest.mark.parametrize("text", ["", "x", "eJw=", "eJyrVipLLSrOzM9TslIyVKoFAC1aBSE="])
def test_other_notations_are_none(text: str) -> None:
    from pipelines.music import _notation as notation

    assert notation.from_text(text) is None


@pytest.mark.parametrize("element", elements.ELEMENTS)
def test_a_kept_element_is_kept_and_the_rest_is_new(
    composer: score.Pipeline, midi: Path, element: str
) -> None:
    from pipelines.music import _midi_in as midi_in

    before = midi_in.read(str(midi)).grid.tokens
    after = composed(composer, request(inputs=[("midi", str(midi))], keep=element, seed=9))
    assert not np.array_equal(before, after)
    for name in elements.TOKENS.get(element, ()):
        assert np.array_equal(grid.field(before, name), grid.field(after, name)), name
    if element == "rhythm":
        for name in ("melody", "voices"):
            was, now = (grid.field(tokens, name) > 0 for tokens in (before, after))
            assert (now <= was).all()
            assert now.sum() >= 0.85 * was.sum()  # a toy leaves no room above a chord at times
    if element == "pitch":
        for bar in range(len(before)):
            for name in ("melody", "voices"):
                was, now = (set(tokens[bar, FIELDS[name].tokens]) for tokens in (before, after))
                assert now <= was | {0}


def test_only_the_asked_bars_and_part_change(composer: score.Pipeline, midi: Path) -> None:
    from pipelines.music import _midi_in as midi_in

    before = midi_in.read(str(midi)).grid.tokens
    bars = composed(composer, request(inputs=[("midi", str(midi))], change_bars="2-3", seed=9))
    assert np.array_equal(np.delete(before, [1, 2], axis=0), np.delete(bars, [1, 2], axis=0))
    assert not np.array_equal(before[1:3], bars[1:3])
    part = composed(composer, request(inputs=[("midi", str(midi))], change_part="melody", seed=9))
    assert np.array_equal(grid.field(before, "voices"), grid.field(part, "voices"))
    assert not np.array_equal(grid.field(before, "melody"), grid.field(part, "melody"))


def test_strength_says_how_much_of_a_piece_changes(composer: score.Pipeline, midi: Path) -> None:
    from pipelines.music import _midi_in as midi_in

    before = midi_in.read(str(midi)).grid.tokens
    inputs = [("midi", str(midi))]
    same, some, all_of_it = (
        (composed(composer, request(inputs=inputs, strength=strength, seed=9)) == before).mean()
        for strength in (0.0, 0.4, 1.0)
    )
    assert same == 1.0
    assert all_of_it < some < 1.0


def test_a_piece_goes_on_after_its_end(composer: score.Pipeline, midi: Path) -> None:
    from pipelines.music import _midi_in as midi_in

    before = midi_in.read(str(midi)).grid.tokens
    longer = composed(composer, request(inputs=[("midi", str(midi))], go_on=True, bars=3))
    assert len(longer) == len(before) + 3
    assert np.array_equal(longer[: len(before)], before)


def test_an_element_is_taken_from_a_donor(composer: score.Pipeline, midi: Path) -> None:
    from pipelines.music import _midi_in as midi_in

    donor = midi_in.read(str(midi)).grid.tokens
    made = composed(composer, request(inputs=[("donor", str(midi))], take="harmony", bars=6, seed=3))
    assert np.array_equal(grid.field(made, "chord"), grid.field(donor, "chord"))


# training


def test_the_loss_falls_and_can_be_felt(composer: score.Pipeline) -> None:
    rng = np.random.default_rng(0)
    tokens = torch.from_numpy(rng.integers(0, fields.classes(), (4, 8, fields.WIDTH)))
    windows = {
        "tokens": tokens,
        "repeated": tokens,
        "lag": torch.zeros(4, 8, dtype=torch.long),
        "facts": torch.zeros(4, 8, 4, dtype=torch.long),
    }
    adapter = Adapter.create(composer.modules, Config(rank=4, alpha=4), seed=0)
    moods = [tuple(VAD(0.1 * bar, 0, 0) for bar in range(8))] * 4
    with adapter.trainable(composer.modules) as set_emotion:
        optimizer = torch.optim.Adam(adapter.parameters(), 0.02)
        losses = []
        for _ in range(12):
            loss = composer.loss(windows, moods, set_emotion, torch.Generator().manual_seed(3))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1


@pytest.fixture
def halved() -> score.Pipeline:
    """As it is loaded on a CPU that multiplies bfloat16 by itself."""
    made = score.Pipeline.tiny(0)
    made.pipe.transformer.halve()
    return made


def test_a_network_in_bfloat16_composes_the_same_piece_twice_and_neutral_is_no_adapter(
    halved: score.Pipeline,
) -> None:
    first = composed(halved, request())
    adapter = Adapter.create(halved.modules, Config(rank=4, alpha=4), seed=1)
    with torch.no_grad():
        for name, weight in adapter.weights.items():
            if name.endswith("lora_B.weight"):
                weight.normal_(0, 0.5, generator=torch.Generator().manual_seed(len(name)))
    with adapter.applied(halved.modules) as set_emotion:
        assert np.array_equal(first, composed(halved, request("neutral"), set_emotion))
        assert not np.array_equal(first, composed(halved, request(HAPPY), set_emotion))


def test_only_what_is_multiplied_is_halved(halved: score.Pipeline) -> None:
    net = halved.pipe.transformer
    assert net.blocks[0].ff_in.weight.dtype == torch.bfloat16
    assert {net.norm.weight.dtype, net.embeddings["pitch"].weight.dtype} == {torch.float32}
    plain = score.Pipeline.tiny(0).pipe.transformer
    inputs = _masked_bars(3)
    for name, logits in plain(*inputs).items():
        assert torch.allclose(net(*inputs)[name].float(), logits, atol=0.05, rtol=0.05), name


def test_what_a_network_knows_beforehand_changes_nothing(composer: score.Pipeline) -> None:
    net = composer.pipe.transformer
    inputs = _masked_bars(3)
    for name, logits in net(*inputs, known=net.known(16)).items():
        assert torch.equal(logits, net(*inputs)[name]), name


def test_positions_turn_by_what_lies_between_them() -> None:
    turns = network._turns(20, 8, torch.zeros(()))
    one = torch.randn(1, 1, 1, 8, generator=torch.Generator().manual_seed(0)).expand(1, 20, 1, 8)
    turned = network._rotate(one, turns)[0, :, 0]
    products = turned @ turned.T
    assert torch.allclose(turned.norm(dim=-1), turned[0].norm().expand(20))
    for lag in range(20):
        assert torch.allclose(products.diagonal(lag), products.diagonal(lag)[:1], atol=1e-5), lag


def _masked_bars(bars: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    tokens = torch.from_numpy(np.tile(fields.classes(), (1, bars, 1)))
    facts = torch.zeros(1, bars, 4, dtype=torch.long)
    facts[0, -1, 1] = 1
    return tokens, tokens.clone(), facts
