"""The same trainer trains adapters for music: a feeling for each bar, songs held out whole, cues read."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapters.emotion_lora import PRESETS, Adapter, Config, skeleton
from pipelines.music import _fields as fields
from pipelines.music._performance import Manner
from pipelines.music.score import Pipeline
from studio import catalog, training_plan
from studio.cli import memory as told
from studio.emotion import NEUTRAL, VAD
from studio.errors import Cancelled, InputError, ModelError, NotFoundError
from studio.ports import RowEmotion
from studio.training_plan import Plan
from tests.training.music_runs import STEPS, recipe, song, write_songs
from training import cache, config, job, medium, memory, order, pieces, strength, sweep, validation
from training.cache import Cache
from training.medium import Shot
from training.pieces import CueReader, Written
from training.run import train

MUSIC = medium.of("music/score")
CALM, BUSY = VAD(0.5, -0.5, 0), VAD(0.5, 0.7, 0.1)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return write_songs(tmp_path_factory.mktemp("data") / "songs")


@pytest.fixture(autouse=True)
def one_quiet_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """And short pieces: what random weights compose says nothing anyway."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setattr(pieces, "BARS", 2)
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def rows(songs: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Cache:
    work = recipe(tmp_path_factory.mktemp("cache"), songs)
    dataset = catalog.load("dataset", "midi_folder").Dataset(**work.dataset.options)
    source = cache.Source(dataset, Pipeline.tiny(0).prepare, MUSIC.fit(work, None))
    cache.fill(Path(work.output), source)
    assert cache.finish(Path(work.output), source) == []
    return Cache(Path(work.output))


def halves(valence: float, bars: int) -> tuple[VAD, ...]:
    return (VAD(valence, -0.5, 0),) * bars + (VAD(valence, 0.7, 0.1),) * bars


def written(*made: Any) -> list[Written]:
    return [Written(one, Manner([NEUTRAL] * len(one))) for one in made]


def test_a_row_of_the_cache_has_a_feeling_for_each_bar(rows: Cache) -> None:
    assert rows.sizes == ["16"] * 15 + ["8"] * 3
    assert rows.files == [f"{number}.mid" for number in range(6) for _ in range(3)]
    tensors, emotions = rows.rows([0, 4])
    assert tensors["tokens"].shape == (2, 16, fields.WIDTH) and tensors["facts"].shape == (2, 16, 4)
    assert emotions == [halves(0.0, 8), halves(0.1, 8)] and rows.emotions([17]) == [halves(0.5, 4)]


def test_no_song_is_both_learnt_from_and_held_out(rows: Cache, tmp_path: Path, songs: dict[str, Any]) -> None:
    work = recipe(tmp_path, songs, validate_every=1, validation_count=4)
    held_out, rest = order.split(len(rows), work, rows.files)
    known = [{rows.files[row] for row in part} for part in (held_out, rest)]
    assert len(held_out) == 4 and len(rest) == 12 and not known[0] & known[1]
    assert order.split(18, work) == order.split(18, work, [""] * 18)


def test_a_feeling_of_another_length_lasts_as_long(rows: Cache) -> None:
    other: RowEmotion = (CALM, BUSY)
    assert job._lasting(other, (NEUTRAL,) * 5) == (CALM, CALM, CALM, BUSY, BUSY)
    assert job._lasting(BUSY, other) == BUSY


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, songs: dict[str, Any]) -> None:
    held_out = {"validate_every": 3, "validation_count": 6}
    whole, parts = (recipe(tmp_path / name, songs, **held_out) for name in ("whole", "parts"))

    def stop(step: int, _loss: float) -> None:
        if step == 3:
            raise Cancelled("enough")

    train(whole)
    with pytest.raises(Cancelled):
        train(parts, stop)
    train(parts)
    weights = [(Path(one.output) / "adapter" / "adapter.safetensors").read_bytes() for one in (whole, parts)]
    assert weights[0] == weights[1]
    lines = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == STEPS and np.isfinite(losses).all()
    last = lines[-1]
    assert last["validation_loss"] != last["validation_loss_other_emotions"] != last["validation_loss_base"]


def test_a_run_shows_rolls_midi_files_figures_and_strengths(
    tmp_path: Path, songs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "TICKS", (-0.8, 0.8))
    held_out = {"validate_every": 1, "validation_count": 4, "validation_pictures": 4, "steps": 1}
    train(recipe(tmp_path, songs, **held_out))
    files = sorted((tmp_path / "grids" / "step-00000001").iterdir())
    assert len(files) == 4 and files[0].read_bytes()[:4] == b"MThd"
    figures = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert {"control_valence_r", "control_arousal_chance_r", "control_prompt"} <= figures.keys()
    found = json.loads((tmp_path / "sweep.json").read_text())
    assert found["pipeline"] == "music/score" and found["reader"] == "music-cues"
    page = (tmp_path / "report.html").read_text("utf-8")
    for text in ("music kept", "4 pieces at each strength", "minutes for validation pieces", "masked tokens"):
        assert text in page, text
    assert f"base64,{base64.b64encode(files[0].read_bytes()).decode()}" in page
    card = (tmp_path / "adapter" / "README.md").read_text("utf-8")
    assert "4 pieces at each strength are too few" in card and "pictures:" not in card


def test_songs_are_music_and_pitches_by_lot_are_not() -> None:
    real = written(*(song(seed, busy=seed % 2 == 0) for seed in range(4)))
    reading = CueReader().read(real, ["a"] * 4)
    assert reading.keeps.mean() > 0.9 and MUSIC.lost(CueReader(), real, ["a"] * 4).keeps.mean() < 0.1
    assert reading.points[::2, 1].min() > reading.points[1::2, 1].max(), "busy ones are more aroused"
    silent = written(song(0))[0]
    silent.grid.tokens[:] = 0
    assert not pieces.is_music(silent.grid).any()


def test_a_roll_has_a_pixel_a_sixteenth_and_both_parts() -> None:
    picture = pieces.roll(written(song(0, bars=2))[0])
    assert picture.shape == (122, 32, 3)
    colours = {tuple(pixel) for pixel in picture.reshape(-1, 3).tolist()}
    assert {pieces._TUNE, pieces._CHORD, pieces._PAPER} <= colours


def test_the_same_is_composed_bare_and_at_neutral() -> None:
    pipeline = Pipeline.tiny(0)
    adapter = Adapter.create(pipeline.modules, Config(rank=2, alpha=2.0))
    camera = pieces.Camera(pipeline)
    calm = VAD(0.4, 0.4, 0.1)  # neither calm nor tense: tension is a rule and no part of the adapter
    (bare,) = camera.take([Shot("a", 1, calm)])
    with adapter.applied(pipeline.modules) as set_emotion:
        (worn,) = camera.take([Shot("a", 1)], set_emotion)
    assert np.array_equal(bare.grid.tokens, worn.grid.tokens)


def test_the_range_of_an_adapter_ends_where_it_stops_being_music(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera of songs whose notes lose their pitch, more of them with every strength."""
    pipeline, asked = (
        Pipeline.tiny(0),
        strength.Plan((0.5, 1.0, 1.5), 16, MUSIC.prompts, pipeline="music/score"),
    )
    adapter = Adapter.create(pipeline.modules, Config(rank=2, alpha=2.0))
    worn: list[float] = []

    def take(self: Any, shots: Any, set_emotion: Any = None) -> list[Written]:
        worn.append(0.5 * len(worn))
        real = written(*(song(seed, 8) for seed in range(len(shots))))
        lost = pieces.spoiled(real)
        return [lost[i] if i % 8 < 4 * (worn[-1] - 0.5) else real[i] for i in range(len(shots))]

    monkeypatch.setattr(pieces.Camera, "take", take)
    found, strip = strength.sweep(pipeline, adapter, CueReader(), asked)
    assert [round(row.kept, 2) for row in found.rows] == [1.0, 0.75]
    assert found.strength_range == (0.0, 0.9) and "the music is kept up to 0.9" in found.verdict
    assert "music kept" in found.table() and strip.width > 3 * 128


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"caption_dropout": 0.1}, "caption_dropout: 'music/score' reads no captions"),
        ({"resolution_px": 64}, "resolution_px: 'music/score' has no pictures"),
        ({"buckets": True}, "buckets: 'music/score' has no pictures"),
        ({"snr_gamma": 5.0}, "snr_gamma: 'music/score' cannot weigh"),
    ],
)
def test_what_only_pictures_have_is_refused_at_once(
    tmp_path: Path, songs: dict[str, Any], changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train(recipe(tmp_path, songs, **changed))
    assert not (tmp_path / "cache").exists()


def test_a_reader_of_pictures_reads_no_music() -> None:
    assert MUSIC.reader("none", "music-tiny") is None
    with pytest.raises(ModelError, match="'picture-reader' reads no music"):
        MUSIC.reader("picture-reader", "music-tiny")


def test_a_folder_says_which_data_set_it_is(tmp_path: Path, songs: dict[str, Any]) -> None:
    file, folder = tmp_path / "recipe.toml", tmp_path / "midis"
    table = '[dataset]\nname = "vgmidi"\nroot = "elsewhere"\nwindows = 1\n[adapter]\nkind = "emotion_lora"\n'
    file.write_text(f'pipeline = "music/score"\n{table}')
    read = config.read(file, [f"data={songs['root']}"])
    assert (read.dataset.name, read.dataset.options["root"]) == ("midi_folder", songs["root"])
    assert read.dataset.options["windows"] == 1
    folder.mkdir()
    (folder / "Q1_abc_0.mid").write_bytes(b"")
    assert config.read(file, [f"data={tmp_path}"]).dataset.name == "emopia"
    with pytest.raises(InputError, match=r"data: .* has the layout of no data set of emopia, midi_folder"):
        config.read(file, [f"data={tmp_path / 'none'}"])


def test_a_music_model_on_disk_is_baked_for_and_trained_without_a_look_at_pixels(
    tmp_path: Path, songs: dict[str, Any]
) -> None:
    model = tmp_path / "model"
    Pipeline.tiny(0).pipe.save_pretrained(model)
    assert catalog.pipeline_of(str(model)) == "music/score"
    modules = skeleton(str(model))
    adapter = Adapter.create(Pipeline.tiny(0).modules, Config(rank=2, alpha=2.0))
    layers = {name.rpartition(".")[2] for name in adapter.layers}
    assert layers == {"to_q", "to_k", "to_v", "to_out"}, "what the preset 'standard' means here"
    notes = adapter.export(tmp_path / "joy.safetensors", "diffusers", VAD(0.8, 0.4, 0.3), modules=modules)
    assert "all weights are zero" in notes[0] and (tmp_path / "joy.safetensors").stat().st_size > 1000
    memory.check(recipe(tmp_path / "run", songs, model=str(model)), torch.device("cuda"), free=1)
    known = told.model(str(model))
    assert known is not None and list(told.facts(known)) == ["model", "parameters"]
    assert "picture" not in told.text("music", known)
    index = json.loads((model / "model_index.json").read_text())
    index["transformer"] = ["pipelines.music._fields", "Field"]
    (model / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="is no network"):
        skeleton(str(model))


def test_the_sweep_command_takes_a_music_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMOTION_STUDIO_OUTPUTS", str(tmp_path / "outputs"))
    model, folder = tmp_path / "model", tmp_path / "adapter"
    pipeline = Pipeline.tiny(0)
    pipeline.pipe.save_pretrained(model)
    made_for = Config(rank=2, alpha=2.0, targets=PRESETS["light"], base_model=str(model))
    Adapter.create(pipeline.modules, made_for).save(folder)
    assert sweep.main([str(folder), "--pictures", "4", "--strengths", "1"]) == 0
    assert "no range: 4 pieces at each strength are too few" in capsys.readouterr().out


def test_the_form_offers_music_for_a_music_base() -> None:
    for pipeline, own, other in (("music/score", "emopia", "emoset"), ("image/sd", "emoset", "emopia")):
        offered = training_plan.datasets(pipeline)
        assert own in offered and other not in offered


def test_a_plan_for_music_becomes_a_recipe_without_captions(songs: dict[str, Any], tmp_path: Path) -> None:
    values = {"name": "mine", "model": "tiny:0", "pipeline": "music/score", "dataset": "midi_folder"}
    with pytest.raises(NotFoundError, match="unknown dataset 'folder'"):
        Plan.parse(values | {"dataset": "folder"})
    plan = Plan.parse(values)
    options = training_plan.dataset_options(plan, {"root": songs["root"]})
    made = config.parse(training_plan.recipe(plan, options, 20, tmp_path))
    assert made.caption_dropout == 0 and made.dataset.name == "midi_folder" and made.validation_count == 2
