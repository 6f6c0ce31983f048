"""The single path from requests to files: batching, caching, adapters, memory, names, cancelling."""

from __future__ import annotations

import itertools
import os
import re
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio import catalog
from studio.artifacts import Picture, read_provenance
from studio.errors import Cancelled, ModelError, NotFoundError, StorageError
from studio.ports import Step
from studio.preflight import MemoryShortage
from studio.render import Studio, notes, versions
from studio.request import RenderRequest
from studio.settings import Settings
from tests.studio import sketch


@pytest.fixture(autouse=True)
def assets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    sketch.install(monkeypatch, tmp_path / "assets")
    return tmp_path / "assets"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def red(image: Image.Image) -> int:
    return int(image.getpixel((0, 0))[0])  # type: ignore[index]


def made(studio: Studio, **values: Any) -> Image.Image:
    return studio.make([sketch.request(**values)])[0].image  # type: ignore[attr-defined, no-any-return]


def test_file_has_its_name_its_record_and_its_pixels(out: Path) -> None:
    request = sketch.request(emotion="v=0.5")
    (result,) = Studio(Settings()).render([request], out)
    assert result.path == out / "00001-a-harbour-at-dusk-v-0-5-a-0-d-0.png"
    assert result.request is request and result.notes == () and 0 <= result.seconds < 5
    found = read_provenance(result.path)
    assert RenderRequest.parse(found["request"]) == request
    assert found["versions"] == versions(request)
    with Image.open(result.path) as image:
        assert red(image) == 128 + 25


def test_same_request_gives_the_same_file(out: Path) -> None:
    request = sketch.request(emotion="joy")
    first, second = (next(Studio(Settings()).render([request], out)).path for _ in range(2))
    assert first != second and first.read_bytes() == second.read_bytes()


def test_recorded_request_gives_the_same_file(out: Path) -> None:
    studio = Studio(Settings())
    (first,) = studio.render([sketch.request(emotion="0.6 joy + 0.4 fear", adapters="warm:0.3,cold")], out)
    again = RenderRequest.parse(read_provenance(first.path)["request"])
    (second,) = studio.render([again], out)
    assert first.path.read_bytes() == second.path.read_bytes()


def test_versions_name_model_adapters_and_libraries() -> None:
    found = versions(sketch.request())
    assert found["adapters"].keys() == {"warm"}
    assert {"studio", "python", "torch", "diffusers", "model"} <= found.keys()


def test_batches_group_by_key_and_keep_order(out: Path) -> None:
    requests = [sketch.request(steps=steps, seed=seed) for seed, steps in enumerate([4, 5, 4, 4, 5, 4])]
    results = list(Studio(Settings(batch_size=3)).render(requests, out))
    assert sketch.Pipeline.batches == [3, 1, 2]
    assert [result.request.seed for result in results] == [0, 2, 3, 5, 1, 4]
    assert [int(result.path.name[:5]) for result in results] == [1, 3, 4, 6, 2, 5]


def test_models_are_not_swapped_to_and_fro(out: Path, assets: Path) -> None:
    sketch.add_model(assets, "other")
    mixed = [
        sketch.request(model=model, steps=steps, adapters="none")
        for steps, model in itertools.product((4, 5), ("sketch-model", "other"))
    ]
    list(Studio(Settings(models_in_memory=1)).render(mixed, out))
    assert [name for name, _, _ in sketch.Pipeline.loaded] == ["sketch-model", "other"]


def test_each_row_has_its_own_emotion() -> None:
    requests = [sketch.request(emotion=emotion) for emotion in ("v=1", "neutral", "v=-1")]
    assert [red(one.image) for one in Studio(Settings()).make(requests)] == [178, 128, 78]  # type: ignore[attr-defined]


def test_adapters_nest_with_their_strengths_and_leave_no_trace() -> None:
    studio = Studio(Settings())
    assert red(made(studio, emotion="v=1", adapters="none")) == 128
    assert red(made(studio, emotion="v=1", adapters="warm:0.5,cold:-0.2")) == 128 + 25 - 10
    assert red(made(studio, emotion="v=1", adapters="none")) == 128


def test_adapters_leave_no_trace_after_an_error() -> None:
    studio = Studio(Settings())

    def stop(step: Step) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        studio.make([sketch.request(emotion="v=1")], stop)
    assert red(made(studio, emotion="v=1", adapters="none")) == 128


def test_model_is_loaded_once_and_with_the_settings() -> None:
    studio = Studio(Settings(device="cpu", dtype="float32"))
    for _ in range(3):
        made(studio)
    assert sketch.Pipeline.loaded == [("sketch-model", "cpu", "float32")]


def test_model_that_was_trained_on_is_loaded_again(assets: Path) -> None:
    studio = Studio(Settings())
    made(studio)
    (assets / "models" / "sketch-model" / "weights.safetensors").write_bytes(b"better")
    made(studio)
    assert len(sketch.Pipeline.loaded) == 2


@pytest.mark.parametrize(("room", "loads"), [(2, ["a", "b", "c", "b"]), (3, ["a", "b", "c"])])
def test_cache_drops_the_least_recently_used(assets: Path, room: int, loads: list[str]) -> None:
    for name in "abc":
        sketch.add_model(assets, name)
    studio = Studio(Settings(models_in_memory=room))
    for name in "abacab":
        made(studio, model=name, adapters="none")
    assert [name for name, _, _ in sketch.Pipeline.loaded] == loads


def test_a_model_leaves_before_the_next_is_offloaded(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive, asked = weakref.WeakSet[sketch.Pipeline](), list[str]()

    def load(model: str, device: str, dtype: str, memory: str) -> sketch.Pipeline:
        asked.append(memory)
        if alive and memory == "fits":
            raise MemoryShortage("no room for a second one")
        pipeline = sketch.Pipeline()
        alive.add(pipeline)
        return pipeline

    monkeypatch.setattr(sketch.Pipeline, "load", staticmethod(load))
    for name in "ab":
        sketch.add_model(assets, name)
    studio = Studio(Settings())
    for name in "aab":
        made(studio, model=name, adapters="none")
    assert asked == ["auto", "fits", "auto"] and len(alive) == 1
    made(Studio(Settings(memory="sequential")), model="a", adapters="none")
    assert asked[3:] == ["sequential"]


def test_short_memory_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketch.Pipeline, "room", 2)
    studio, steps = Studio(Settings()), list[tuple[int, int]]()
    requests = [sketch.request(seed=seed, emotion=f"v={seed / 10}") for seed in range(7)]
    artifacts = studio.make(requests, lambda step: steps.append((step.done, step.total)))
    assert [red(one.image) for one in artifacts] == [128 + 5 * seed for seed in range(7)]  # type: ignore[attr-defined]
    assert sketch.Pipeline.batches == [7, 4, 2, 2, 2, 1]
    assert steps[0] == (1, 16) and steps[-1] == (16, 16)
    sketch.Pipeline.batches.clear()
    studio.make(requests)
    assert sketch.Pipeline.batches == [2, 2, 2, 1]  # remembered


def test_no_memory_for_one_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketch.Pipeline, "room", 0)
    with pytest.raises(ModelError, match="not enough memory for a single one; ask for a smaller size"):
        Studio(Settings()).make([sketch.request(), sketch.request(seed=8)])


def test_other_runtime_errors_are_not_taken_for_short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **named: object) -> None:
        raise RuntimeError("the allocation of roles is wrong")

    monkeypatch.setattr(sketch.Pipeline, "render", fail)
    with pytest.raises(RuntimeError, match="roles"):
        Studio(Settings()).make([sketch.request(), sketch.request(seed=8)])


def test_progress_reaches_one() -> None:
    steps: list[float] = []
    Studio(Settings()).make([sketch.request(steps=10)], lambda step: steps.append(step.done / step.total))
    assert steps == sorted(steps) and len(steps) == 10 and steps[-1] == 1


def test_cancel_stops_within_a_step_and_writes_nothing(out: Path) -> None:
    seen: list[int] = []

    def on_step(step: Step) -> None:
        seen.append(step.done)
        if step.done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        list(Studio(Settings()).render([sketch.request(steps=50)], out, on_step=on_step))
    assert seen == [1, 2] and not out.exists()


def test_numbers_given_replace_and_numbers_found_never_do(out: Path) -> None:
    studio = Studio(Settings())
    (first,) = studio.render([sketch.request(seed=1)], out, numbers=[5])
    (second,) = studio.render([sketch.request(seed=2)], out, numbers=[5])
    assert first.path == second.path and read_provenance(first.path)["request"]["seed"] == 2
    (third,) = studio.render([sketch.request(seed=3)], out)
    assert third.path.name.startswith("00006-")


def test_name_taken_meanwhile_is_not_overwritten(out: Path) -> None:
    requests = [sketch.request(seed=1)]
    mine = Studio(Settings()).render(requests, out, on_step=lambda step: take())

    def take() -> None:
        out.mkdir(exist_ok=True)
        (out / "00001-a-harbour-at-dusk.png").write_bytes(b"theirs")

    (result,) = mine
    assert result.path.name.startswith("00002-")
    assert (out / "00001-a-harbour-at-dusk.png").read_bytes() == b"theirs"


def test_two_at_once_never_choose_the_same_file(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have chosen their name, and neither has written, when either goes on."""
    both, save, found = threading.Barrier(2, timeout=20), Picture.save, list[Path]()

    def save_together(picture: Picture, path: Path, record: Any, replace: bool = True) -> None:
        if path.name.startswith("00001-"):
            both.wait()
        save(picture, path, record, replace)

    def work(seed: int) -> None:
        found.extend(one.path for one in Studio(Settings()).render([sketch.request(seed=seed)], out))

    monkeypatch.setattr(Picture, "save", save_together)
    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {path.name[:5] for path in found} == {"00001", "00002"}
    assert {read_provenance(path)["request"]["seed"] for path in found} == {1, 2}


def test_numbers_must_match_requests(out: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        list(Studio(Settings()).render([sketch.request()], out, numbers=[]))


def test_one_batch_has_one_key() -> None:
    with pytest.raises(ValueError, match="batch_key"):
        Studio(Settings()).make([sketch.request(), sketch.request(steps=9)])
    assert Studio(Settings()).make([]) == []


def test_model_that_cannot_be_loaded_is_one_line_and_writes_nothing(assets: Path, out: Path) -> None:
    (assets / "models" / "sketch-model" / "broken.txt").touch()
    with pytest.raises(ModelError, match="model: 'sketch-model' cannot be loaded: weights are torn"):
        list(Studio(Settings()).render([sketch.request()], out))
    assert not out.exists()


@pytest.mark.parametrize("error", [TypeError("'<' not supported"), AttributeError("to"), Exception("torn")])
def test_whatever_a_library_raises_over_a_file_is_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def load(path: Path) -> None:
        raise error

    monkeypatch.setattr(sketch.Adapter, "load", load)
    with pytest.raises(
        ModelError, match=f"adapter: 'warm' cannot be loaded: {type(error).__name__}: {error}"
    ):
        Studio(Settings()).make([sketch.request()])


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_file_that_is_not_there_is_named(assets: Path) -> None:
    (assets / "models" / "sketch-model" / "gone.safetensors").symlink_to("nowhere")
    for ask in (sketch.request().content_key, lambda: versions(sketch.request()), lambda: made(Studio())):
        with pytest.raises(ModelError, match=r"gone\.safetensors' cannot be read \(No such file"):
            ask()


def test_model_that_its_loading_downloads_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    revisions = iter(["some/hub-id"])
    monkeypatch.setattr(catalog, "revision", lambda folder: next(revisions, "0123abcd"))
    studio = Studio(Settings())
    for _ in range(2):
        made(studio, model="some/hub-id", adapters="none")
    assert len(sketch.Pipeline.loaded) == 1


def test_adapter_of_unknown_kind(assets: Path, out: Path) -> None:
    sketch.add_adapter(assets, "odd", kind="sketch_adaptor")
    with pytest.raises(
        NotFoundError, match="unknown adapter kind 'sketch_adaptor'; did you mean 'sketch_adapter'"
    ):
        list(Studio(Settings()).render([sketch.request(adapters="odd")], out))
    assert not out.exists()


def test_folder_that_is_a_file_is_refused_before_rendering(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="is a file"):
        list(Studio(Settings()).render([sketch.request()], tmp_path / "file"))
    assert sketch.Pipeline.batches == []


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (
            {"emotion": "v=0.5", "adapters": "none"},
            "emotion 'v=0.5 a=0 d=0' has no effect: no adapter is worn",
        ),
        ({"emotion": "v=0.5", "adapters": "warm:0"}, "has no effect"),
        ({"emotion": "v=0.5@0, neutral@100%", "adapters": "none"}, "has no effect"),
        ({"emotion": "joy@0s, fear@4s", "adapters": "none"}, "has no effect"),
        ({"adapters": "warm:1.8"}, r"strength 1.8 of 'warm' is outside \[0, 1.5\]"),
        ({"adapters": "none"}, None),
        ({"emotion": "joy"}, None),
    ],
)
def test_notes_say_what_has_no_effect(values: dict[str, Any], why: str | None) -> None:
    found = notes(sketch.request(**values))
    assert len(found) == (why is not None)
    assert why is None or re.search(why, found[0])


def test_two_threads_share_a_studio(out: Path) -> None:
    """Emotions of one render must not leak into another that runs at the same time."""
    studio, found = Studio(Settings()), dict[int, set[int]]()

    def work(valence: int) -> None:
        images = [made(studio, emotion=f"v={valence}", steps=20) for _ in range(20)]
        found[valence] = {red(image) for image in images}

    threads = [threading.Thread(target=work, args=(valence,)) for valence in (-1, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {-1: {78}, 0: {128}, 1: {178}}
    assert len(sketch.Pipeline.loaded) == 1
