"""`music/muser`: codebooks, ordered and independent slices, exchanges of elements, composing at toy size."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pipelines.music import _draft as drafts
from pipelines.music import _fields as fields
from pipelines.music import _form as form
from pipelines.music import _grid as grid
from pipelines.music import _loading as common
from pipelines.music import _midi_in as midi_in
from pipelines.music import _muser_decoding as decoding
from pipelines.music import _muser_features as features
from pipelines.music import _muser_loading as loading
from pipelines.music import _muser_loss as losses
from pipelines.music import _muser_network as network
from pipelines.music import _muser_sampling as sampling
from pipelines.music._fields import FIELDS
from pipelines.music._muser_codes import PATIENCE, Codebook
from pipelines.music._muser_features import ATTRIBUTES, ELEMENTS, SLICES
from pipelines.music.muser import Params, Pipeline, check
from studio import catalog
from studio.emotion import NEUTRAL, VAD, EmotionCurve
from studio.errors import InputError
from studio.ports import Step
from studio.request import RenderRequest
from tests import tunes


def song(bars: int, seed: int = 0, meter: str = "4/4") -> grid.Grid:
    """A melody over broken chords, another one for each seed."""
    rng = np.random.default_rng(seed)
    cells = fields.METERS[meter]

    def part(each: int, low: int, voices: int) -> grid.Notes:
        starts = np.repeat(np.sort(rng.choice(bars * cells, bars * each, replace=False)), voices)
        pitch = (
            low
            + 4 * (seed % 4)
            + rng.integers(0, 12, len(starts))
            + np.tile(np.arange(voices) * 12, bars * each)
        )
        velocity = rng.integers(30, 70, len(starts)) + 5 * seed
        return grid.Notes(starts, rng.integers(1, 9, len(starts)), pitch, velocity)

    frame = grid.Frame(
        rng.integers(1, fields.CHORDS, (bars, 2)),
        np.full(bars, seed % 2),
        np.full(bars, 60.0 + 15 * (seed % 5)),
        meter,
    )
    return grid.encode(part(3 + seed % 3, 60, 1), part(4 + seed % 2, 36, 2), frame)


def tokens_of(piece: grid.Grid) -> Tensor:
    return torch.from_numpy(piece.tokens.astype(np.int64))


@pytest.fixture(scope="module")
def pipe() -> Any:
    return loading.toy(0)


@pytest.fixture(scope="module")
def stage() -> Pipeline:
    return Pipeline.tiny(0)


def draft(bars: int, meter: str = "4/4") -> drafts.Draft:
    return drafts.blank(bars, form.draw(bars, {}, np.random.default_rng(0)), meter)


def compose(pipe: Any, bars: int, seed: int = 1, meter: str = "4/4", **more: Any) -> grid.Grid:
    return pipe(draft(bars, meter), torch.Generator().manual_seed(seed), **more)


# Codebooks


def clusters(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    return centres[torch.arange(count) % 4] + 0.1 * torch.randn(count, 2, generator=generator)


def test_a_codebook_finds_the_means_of_what_it_stands_for() -> None:
    book = Codebook(4, 2).train()
    for step in range(300):
        book(clusters(64, step))
    found = book.vectors[book.nearest(clusters(4))]
    assert torch.allclose(found, clusters(4).round(decimals=0), atol=0.2)


def test_dead_codes_come_back_where_they_are_needed() -> None:
    book = Codebook(4, 2).train()
    book(clusters(4))
    book.vectors[1:] = 1000.0  # nobody comes here
    book.sums[1:] = 1000.0 * book.sizes[1:, None]
    before = book(clusters(64)).commitment
    for step in range(8 * PATIENCE):
        book(clusters(64, step))
    book.eval()
    assert len(book.nearest(clusters(64)).unique()) == 4
    assert book(clusters(64)).commitment < 0.01 * before


def test_a_codebook_at_rest_does_not_move() -> None:
    book = Codebook(4, 2).eval()
    before = {name: value.clone() for name, value in book.state_dict().items()}
    book(clusters(64))
    assert all(torch.equal(value, before[name]) for name, value in book.state_dict().items())


def test_the_gradient_passes_a_codebook_unchanged() -> None:
    x = clusters(8).requires_grad_()
    weight = torch.arange(16.0).view(8, 2)
    (Codebook(4, 2).eval()(x).vectors * weight).sum().backward()
    assert torch.equal(x.grad, weight)


# What slices are shown


def test_a_slice_is_blind_to_the_other_elements() -> None:
    """Changing one element of a bar leaves what the others are shown as it was."""
    piece = tokens_of(song(8))
    shown = features.features(piece)

    def changed(tokens: Tensor) -> set[str]:
        now = features.features(tokens)
        return {name for name in SLICES if not torch.allclose(now[name], shown[name], atol=1e-5)}

    louder = piece.clone()
    louder[:, FIELDS["velocity"].tokens] = (louder[:, FIELDS["velocity"].tokens] + 3) % 12
    assert changed(louder) == {"velocity"}
    higher = piece.clone()
    for name in ("melody", "voices", "chord"):
        place = FIELDS[name].tokens
        higher[:, place] += (higher[:, place] > 0) * (12 if name != "chord" else 0)
    assert changed(higher) == {"register"}


def test_the_same_half_bar_is_described_the_same_wherever_it_is() -> None:
    piece = tokens_of(song(4))
    twice = features.features(torch.cat([piece, piece]))
    assert all(torch.equal(one[:4], one[4:]) for one in twice.values())


def test_attributes_measure_what_they_say() -> None:
    piece = song(8, 3)
    found = features.attributes(tokens_of(piece))
    pitches = [grid.field(piece.tokens, name) for name in ("melody", "voices")]
    notes = sum((part > 0).sum(axis=(1, 2)) for part in pitches)
    assert np.array_equal(found["notes"].sum(1).numpy(), notes)
    assert set(found) == {name for names in ATTRIBUTES.values() for name in names}
    chords = torch.zeros(3, fields.WIDTH, dtype=torch.long)
    names = list(fields.QUALITIES)
    for row, quality in enumerate(("maj", "min", "dim")):
        chords[row, FIELDS["chord"].tokens] = 1 + names.index(quality)
    of_chords = features.attributes(chords)
    assert of_chords["majorness"][:, 0].tolist() == [1, -1, -1]
    assert of_chords["tension"][2, 0] > of_chords["tension"][:2, 0].max()


# Losses


def test_the_order_loss_wants_more_to_lie_higher() -> None:
    more = torch.arange(6.0)
    right = losses.order_loss({"notes": 3 * more}, {"notes": more})
    wrong = losses.order_loss({"notes": -3 * more}, {"notes": more})
    none = losses.order_loss({"notes": 0 * more}, {"notes": more})
    assert right < 0.02 and wrong > 1.6 and right < none < wrong
    holes = torch.where(more == 2, torch.nan, more)
    assert torch.isfinite(losses.order_loss({"notes": more}, {"notes": holes}))


def test_the_order_loss_moves_values_the_right_way() -> None:
    d = torch.zeros(3, requires_grad=True)
    losses.order_loss({"notes": d}, {"notes": torch.tensor([1.0, 2.0, 3.0])}).backward()
    assert d.grad[0] > 0 > d.grad[2], "gradient descent lowers the first and raises the last"


def test_the_independence_loss_finds_what_a_slice_should_not_tell() -> None:
    generator = torch.Generator().manual_seed(0)
    attributes = {n: torch.randn(200, generator=generator) for names in ATTRIBUTES.values() for n in names}
    blind = {name: torch.randn(200, 4, generator=generator) for name in SLICES}
    telling = {**blind, "velocity": attributes["height"][:, None].repeat(1, 4)}
    honest = {**blind, "velocity": attributes["level"][:, None].repeat(1, 4)}
    values = [float(losses.independence_loss(one, attributes)) for one in (blind, honest, telling)]
    assert values[2] > 2 * max(values[:2])


def test_hidden_pitches_are_onsets_and_the_melody_comes_first() -> None:
    tokens = torch.stack([tokens_of(song(8, seed)) for seed in range(40)])
    hidden = losses.hidden_pitches(tokens, torch.Generator().manual_seed(0))
    assert (tokens[hidden] > 0).all() and hidden.any(-1).any(-1).float().mean() > 0.9
    of_melody = hidden[..., FIELDS["melody"].tokens].flatten(1).any(-1)
    known = ~hidden[..., FIELDS["voices"].tokens] & (tokens[..., FIELDS["voices"].tokens] > 0)
    later = hidden.any(-1)[..., None] & known  # in bars that are being written
    assert not later[of_melody].any(), "no voice is known before the melody is whole"


def test_a_code_that_is_hidden_is_hidden_in_the_bar_that_repeats_it() -> None:
    codes = torch.randint(0, 60, (32, 8, 2, len(SLICES)), generator=torch.Generator().manual_seed(0))
    lag = torch.tensor([0, 0, 0, 0, 4, 4, 4, 9]).expand(32, 8)
    before = codes + 1000  # of bars before the window
    given, seen, hidden = losses.masked_codes(codes, before, lag, torch.Generator().manual_seed(1))
    undrawn = sampling.UNDRAWN.expand_as(codes)
    assert torch.equal(given, torch.where(hidden, undrawn, codes)) and 0.2 < hidden.float().mean() < 0.8
    assert torch.equal(seen[:, 4:7], given[:, :3]) and torch.equal(seen[:, 7], before[:, 7])


# A little training


@pytest.fixture(scope="module")
def trained() -> Any:
    """A toy that has seen eight little songs for some seconds."""
    torch.manual_seed(0)
    codec = network.MuserCodec(channels=32, layers=1, pitch_channels=32, pitch_layers=1, heads=2, width=8)
    tokens = torch.stack([tokens_of(song(8, seed)) for seed in range(8)])
    meter = torch.zeros(8, 8, dtype=torch.long)
    optimiser = torch.optim.AdamW(codec.parameters(), 6e-3)
    history = []
    codec.train()
    for step in range(70):
        loss = losses.total(losses.codec_losses(codec, tokens, meter, torch.Generator().manual_seed(step)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(float(loss.detach()))
    return common.ready(sampling.MuserPipeline(codec, network.MuserPrior(16, 1, 2)), "cpu"), history


def test_the_autoencoder_learns(trained: Any) -> None:
    pipe, history = trained
    assert np.mean(history[-5:]) < 0.7 * history[0]
    codes = pipe.codec.codes(torch.stack([tokens_of(song(8, seed)) for seed in range(8)]))
    assert all(len(codes[..., i].unique()) > 4 for i in range(len(SLICES))), "no codebook collapses"


def test_more_notes_are_read_out_higher(trained: Any) -> None:
    pipe, _ = trained
    tokens = torch.stack([tokens_of(song(8, seed)) for seed in range(8)])
    with torch.no_grad():
        read = pipe.codec.ordered(pipe.codec.look_up(pipe.codec.codes(tokens)))
    truth = features.attributes(tokens)
    for name in ("notes", "height", "level"):
        known = truth[name].isfinite()
        r = np.corrcoef(read[name][known].numpy(), truth[name][known].numpy())[0, 1]
        assert r > 0.5, name


@pytest.mark.parametrize("element", ELEMENTS)
def test_an_exchange_changes_what_depends_on_it_and_nothing_else(trained: Any, element: str) -> None:
    pipe, _ = trained
    piece, donor = song(8, 1), song(8, 2)
    made = pipe.transfer(piece, donor, [element], torch.Generator().manual_seed(0))
    names = {"harmony": ["chord", "mode"], "velocity": ["velocity", "loudness"]}
    for other, held in names.items():
        if other != element:
            for name in held:
                place = FIELDS[name].tokens
                assert np.array_equal(made.tokens[:, place], piece.tokens[:, place]), (element, name)
    onsets = FIELDS["melody"].tokens, FIELDS["voices"].tokens
    if element in ("harmony", "register", "pitch", "velocity"):
        assert all(
            np.array_equal(made.tokens[:, place] > 0, piece.tokens[:, place] > 0) for place in onsets[:1]
        )
    if element == "velocity":
        assert all(np.array_equal(made.tokens[:, place], piece.tokens[:, place]) for place in onsets)
    assert not np.array_equal(made.tokens, piece.tokens)


def test_an_exchange_with_itself_keeps_the_codes() -> None:
    codes = torch.arange(8).expand(3, 2, 8)
    assert torch.equal(sampling.exchanged(codes, codes + 1, []), codes)
    some = sampling.exchanged(codes, codes + 1, ["rhythm"])
    moved = [name for i, name in enumerate(SLICES) if not torch.equal(some[..., i], codes[..., i])]
    assert moved == ["rhythm_melody", "rhythm_voices"]


# Composing


@pytest.mark.parametrize(("bars", "meter"), [(1, "4/4"), (3, "6/8"), (16, "4/4"), (17, "4/4"), (40, "6/8")])
def test_any_length_and_meter(pipe: Any, bars: int, meter: str) -> None:
    made = compose(pipe, bars, meter=meter)
    assert made.tokens.shape == (bars, fields.WIDTH) and made.meter == meter
    assert (made.tokens >= 0).all() and (made.tokens < fields.classes()).all(), "all is written"
    for name in ("melody", "voices"):
        onsets = grid.field(made.tokens, name) > 0
        lengths = grid.field(made.tokens, f"{name}_length")
        assert ((lengths == fields.NO_LENGTH) == ~onsets).all()
        assert not onsets[:, fields.METERS[meter] :].any()


def test_chords_of_notes_rise_without_doubles_or_gaps(pipe: Any) -> None:
    voices = grid.field(compose(pipe, 16).tokens, "voices").astype(int)
    gap = np.diff(voices, axis=-1)
    assert ((gap > 0) | (voices[..., 1:] == 0)).all()


def test_windows_cover_every_bar_once() -> None:
    for bars in (1, 15, 16, 17, 24, 25, 100, 256):
        found = sampling.windows(bars)
        new = [bar for window in found for bar in range(window.new.start, window.new.stop)]
        assert new == list(range(bars))
        assert all(window.bars.stop - window.bars.start <= sampling.WINDOW_BARS for window in found)


def test_a_seed_is_a_piece(pipe: Any) -> None:
    one, again, other = (compose(pipe, 8, seed).tokens for seed in (1, 1, 2))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_given_codes_stay_and_the_others_are_drawn(pipe: Any) -> None:
    held = pipe.codes(song(8))
    given = sampling.exchanged(sampling.UNDRAWN.expand(8, 2, -1), held, ["density", "harmony"])
    found: list[Tensor] = []
    decode = pipe.decode
    pipe.decode = lambda codes, *rest, **more: found.append(codes) or decode(codes, *rest, **more)
    try:
        compose(pipe, 8, codes=given)
    finally:
        del pipe.decode
    of = list(SLICES.values())
    kept = [torch.equal(found[0][..., i], held[..., i]) for i in range(len(of))]
    assert all(kept[i] for i, element in enumerate(of) if element in ("density", "harmony"))
    assert (found[0] < sampling.UNDRAWN).all()


def test_an_asked_mode_is_met(pipe: Any) -> None:
    for mode in (0, 1):
        asked = draft(8)
        asked.tokens[:, FIELDS["mode"].start] = mode
        made = pipe(asked, torch.Generator().manual_seed(0))
        assert (made.tokens[:, FIELDS["mode"].start] == mode).all()


def test_the_prior_is_told_which_bars_it_sees(pipe: Any) -> None:
    seen: list[slice] = []
    steps: list[tuple[int, int]] = []
    compose(pipe, 24, before_bars=seen.append, on_step=lambda done, total: steps.append((done, total)))
    assert [(one.start, one.stop) for one in seen] == [(0, 16), (8, 24)]
    assert steps[-1][0] == steps[-1][1] and [done for done, _ in steps] == list(range(1, len(steps) + 1))


def test_equal_noise_draws_alike_and_the_nucleus_holds() -> None:
    logits = torch.tensor([[3.0, 2.0, -9.0]]).repeat(500, 1)
    noise = decoding.gumbel(torch.rand(500, 3, generator=torch.Generator().manual_seed(0)))
    found = decoding.drawn(logits, noise, decoding.Way(1.0, 0.9))
    assert torch.equal(found, decoding.drawn(logits + 1, noise, decoding.Way(1.0, 0.9)))
    assert set(found.tolist()) == {0, 1}
    assert set(decoding.drawn(logits, noise, decoding.Way(1.0, 0.5)).tolist()) == {0}


# The benchmark of slices


def test_the_benchmark_finds_who_tells_what() -> None:
    from benchmarks import muser as benchmark

    rng = np.random.default_rng(0)

    def half_bars(leak: bool) -> benchmark.Described:
        codes = np.stack([rng.integers(0, 16, 600) for _ in SLICES], axis=1)
        own = {element: codes[:, list(SLICES.values()).index(element)] for element in ELEMENTS}
        said = {n: own[e] + rng.normal(0, 1, 600) for e, names in ATTRIBUTES.items() for n in names}
        if leak:
            codes[:, list(SLICES).index("velocity")] = own["register"]
        return benchmark.Described(codes, said)

    clean, _ = benchmark.disentanglement(half_bars(False), half_bars(False))
    assert clean["own_is_best"] == 1 and clean["own_r2"] > 0.8 and clean["leak_r2"] < 0.02
    leaky, table = benchmark.disentanglement(half_bars(True), half_bars(True))
    assert leaky["own_is_best"] < 1 and leaky["leak_r2"] > 0.02
    register = ELEMENTS.index("register")
    assert table["velocity"][register] > 0.8 and table["harmony"][register] < 0.05


# The pipeline


def request(emotion: VAD | EmotionCurve = NEUTRAL, seed: int = 1, **params: Any) -> RenderRequest:
    curve = emotion if isinstance(emotion, EmotionCurve) else EmotionCurve.constant(emotion)
    return RenderRequest(
        "music/muser", "tiny:0", "a title", "", curve, seed, (), Params(**{"bars": 4, **params})
    )


def made(stage: Pipeline, asked: RenderRequest, feel: Any = lambda rows: None) -> np.ndarray:
    return stage.compose(asked, feel, lambda step: None)[0].tokens


@pytest.fixture
def adapter(stage: Pipeline) -> Any:
    module = catalog.load("adapter kind", "emotion_lora")
    adapter = module.Adapter.create(stage.modules, module.Config(targets={"transformer": r".*\.to_[qkv]"}))
    generator = torch.Generator().manual_seed(0)
    for name, weight in adapter.weights.items():
        if name.endswith("lora_B.weight"):
            weight.data.normal_(0, 3.0, generator=generator)
    return adapter


def test_neutral_is_no_adapter_bit_for_bit(stage: Pipeline, adapter: Any) -> None:
    bare = made(stage, request())
    with adapter.applied(stage.modules) as feel:
        worn = made(stage, request(), feel)
        sad = made(stage, request(VAD(-1, -1, -1)), feel)
        curve = EmotionCurve.constant(VAD(-1, -1, -1))
        assert np.array_equal(made(stage, request(curve), feel), sad)
    assert np.array_equal(worn, bare) and not np.array_equal(sad, bare)
    assert np.array_equal(made(stage, request()), bare)


def test_emphasis_runs_the_unfelt_beside_the_felt(stage: Pipeline, adapter: Any) -> None:
    mood = VAD(0.9, 0.9, 0.0)
    with adapter.applied(stage.modules) as feel:
        plain, none, strong = (made(stage, request(mood, emphasis=e), feel) for e in (1.0, 0.0, 3.0))
    assert np.array_equal(none, made(stage, request()))
    assert not np.array_equal(plain, strong)


def test_an_emotion_for_every_bar(stage: Pipeline) -> None:
    from studio.emotion import parse_curve

    told: list[Any] = []
    made(stage, request(parse_curve("sadness@0, joy@100%"), bars=20), told.append)
    assert [len(rows[0]) for rows in told] == [16, 16]
    assert told[0][0][-1].valence > told[0][0][0].valence


def test_progress_is_that_of_the_whole_batch_and_a_cancel_stops(stage: Pipeline) -> None:
    seen: list[Step] = []
    stage.compose(request(), lambda rows: None, seen.append)
    assert seen[-1].done == seen[-1].total

    class Stop(Exception):
        pass

    def stop(step: Step) -> None:
        raise Stop

    with pytest.raises(Stop):
        stage.compose(request(), lambda rows: None, stop)


def test_a_saved_model_composes_the_same(stage: Pipeline, tmp_path: Any) -> None:
    stage.pipe.save_pretrained(tmp_path)
    loaded = Pipeline.load(str(tmp_path), "cpu", "auto")
    assert np.array_equal(made(loaded, request()), made(stage, request()))


def test_the_prior_learns_from_windows(stage: Pipeline) -> None:
    from types import SimpleNamespace

    from studio.emotion import Emotion
    from studio.ports import Example

    piece = song(8)
    lag, likeness = grid.repeats(piece.tokens)
    facts = draft(8).facts
    facts[:, 1] = likeness
    media = SimpleNamespace(tokens=piece.tokens, repeated=piece.tokens, lag=lag, facts=facts)
    tensors = stage.prepare([Example(media, "", Emotion(NEUTRAL), {})] * 2)
    values = [
        float(stage.loss(tensors, [NEUTRAL] * 2, lambda rows: None, torch.Generator().manual_seed(0)))
        for _ in range(2)
    ]
    assert values[0] == values[1] > 0


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two tunes of eight bars, the donor louder."""
    folder = tmp_path_factory.mktemp("tunes")
    donor = [(start, end, pitch, 127) for start, end, pitch, _ in tunes.melody(8)]
    parts = {"midi": tunes.melody(8), "donor": donor}
    for name, rows in parts.items():
        tunes.write(folder / f"{name}.mid", (("MELODY", rows), ("PIANO", tunes.chords(8))))
    return {name: str(folder / f"{name}.mid") for name in parts}


def test_elements_are_kept_and_taken_by_name(stage: Pipeline, files: dict[str, str]) -> None:
    inputs = tuple(sorted(files.items()))
    others = ", ".join(element for element in ELEMENTS if element != "velocity")
    asked = dataclasses.replace(request(keep=others, take="velocity"), inputs=inputs)
    check(asked)
    exchanged = made(stage, asked)
    again = dataclasses.replace(request(keep="rhythm"), inputs=inputs)
    anew = made(stage, again)
    source = midi_in.read(files["midi"]).grid.tokens
    assert len(exchanged) == len(anew) == len(source)
    for name in ("melody", "voices", "chord"):
        assert np.array_equal(exchanged[:, FIELDS[name].tokens], source[:, FIELDS[name].tokens])
    assert not np.array_equal(anew, source)


def test_a_score_comes_out_with_its_feeling(stage: Pipeline) -> None:
    (score,) = stage.render([request(VAD(0.5, 0.5, 0))], lambda rows: None, lambda step: None)
    assert score.suffix == ".mid" and len(score.piece.bars) == 4
    assert score.piece.title == "a title" and any(part.notes for part in score.piece.parts)
    assert score.piece.bars[0].emotion == VAD(0.5, 0.5, 0)


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"keep": "rhythm"}, "needs a piece to keep it of"),
        ({"take": "pitch"}, "needs a piece to take it from"),
        ({"keep": "rythm"}, "did you mean 'rhythm'"),
    ],
)
def test_bad_wishes_are_refused(params: dict[str, str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        check(request(**params))
