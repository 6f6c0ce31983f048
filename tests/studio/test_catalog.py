"""The folder tree is the registry: names, models, adapters, fingerprints, and clear words for wrong ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from studio import catalog
from studio.errors import ModelError, NotFoundError, StudioError
from tests.studio import sketch


@pytest.fixture(autouse=True)
def assets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    sketch.install(monkeypatch, tmp_path / "assets")
    return tmp_path / "assets"


def test_files_are_names_and_helpers_are_not() -> None:
    names = catalog.names("pipeline")
    assert "image/sd" in names
    assert all(not part.startswith("_") for name in names for part in name.split("/"))
    assert "emotion_lora" in catalog.names("adapter kind")


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(NotFoundError, match=r"unknown pipeline 'image/sdd'; did you mean 'image/sd'\?"):
        catalog.load("pipeline", "image/sdd")
    with pytest.raises(NotFoundError, match=r"unknown model 'sketchmodel'; did you mean 'sketch-model'\?"):
        catalog.find_model("sketchmodel")
    with pytest.raises(NotFoundError, match=r"unknown adapter 'wram'; did you mean 'warm'\?"):
        catalog.find_adapter("wram")


@pytest.mark.parametrize("name", ["../studio/cli", "image/_sd_sampling", "image/../image/sd", "", "os"])
def test_nothing_outside_the_folder_is_loaded(name: str) -> None:
    with pytest.raises(NotFoundError):
        catalog.load("pipeline", name)


def test_loading_pipelines_does_not_import_torch() -> None:
    code = (
        "import sys; from studio import catalog\n"
        "for name in catalog.names('pipeline'): catalog.param_specs(name)\n"
        "print(sorted({'torch', 'diffusers', 'transformers', 'peft', 'gradio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_models_are_found_by_name_folder_and_hub_id(assets: Path, tmp_path: Path) -> None:
    folder = assets / "models" / "sketch-model"
    assert catalog.find_model("sketch-model") == str(folder)
    assert catalog.find_model(str(folder)) == str(folder)
    assert catalog.find_model("runwayml/stable-diffusion-v1-5") == "runwayml/stable-diffusion-v1-5"


def test_folders_that_are_no_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelError, match=r"is not a model folder \(no model_index.json in it\)"):
        catalog.find_model(str(empty))
    (empty / "model_index.json").write_text("{}")
    (empty / "weights.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match=r"has no \.safetensors weights"):
        catalog.find_model(str(empty))
    with pytest.raises(ModelError, match="is not an adapter folder"):
        catalog.find_adapter(str(empty))
    monkeypatch.chdir(tmp_path)
    for file in ("empty/weights.bin", str(empty / "weights.bin")):
        with pytest.raises(ModelError, match=r"is a file; a model is a folder in .*: from_single_file"):
            catalog.find_model(file)


@pytest.mark.parametrize(
    "name", ["", "no/such/model", "x" * 5000, f"a/{'b' * 400}", "~nobody_here/x", "nul\0", "/no/where", "a b"]
)
def test_hopeless_names_are_one_clear_error(name: str) -> None:
    with pytest.raises(StudioError):
        catalog.find_model(name)
    with pytest.raises(StudioError):
        catalog.find_adapter(name)


def test_default_adapters_belong_to_their_model() -> None:
    assert catalog.default_adapters("sketch-model") == ("warm",)
    assert catalog.default_adapters("another-model") == ()


def test_a_family_wears_what_was_trained_in_it_rather_than_what_names_none(assets: Path) -> None:
    moves = assets / "adapters" / "moves"
    moves.mkdir()
    card = {"kind": "tint", "base_model": "sketch-model", "default": True, "pipeline": "video/other"}
    (moves / "adapter.json").write_text(json.dumps(card))
    assert catalog.default_adapters("sketch-model", "video/other") == ("moves",)
    assert catalog.default_adapters("sketch-model") == ("warm",)
    assert catalog.default_adapters("sketch-model", "video/third") == ("warm",)


@pytest.mark.parametrize("text", ["{", "[]", "\x00", "[" * 200_000])
def test_card_that_is_no_json_object(assets: Path, text: str) -> None:
    (assets / "adapters" / "warm" / "adapter.json").write_text(text)
    with pytest.raises(ModelError, match=r"adapter\.json"):
        catalog.adapter_card("warm")


def test_revision_follows_the_weights_only(assets: Path) -> None:
    folder = assets / "models" / "sketch-model"
    before = catalog.revision(folder)
    (folder / "README.md").write_text("a card")
    assert catalog.revision(folder) == before
    (folder / "weights.safetensors").write_bytes(b"other")
    assert catalog.revision(folder) != before
    assert catalog.revision("some/hub-id") == "some/hub-id"


def test_revision_of_a_hub_id_is_its_commit_once_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert catalog.revision("some/hub-id") == "some/hub-id"
    cached = tmp_path / "models--some--hub-id"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0123abcd")
    (cached / "snapshots" / "0123abcd").mkdir(parents=True)
    (cached / "snapshots" / "0123abcd" / "model_index.json").write_text("{}")
    assert catalog.revision("some/hub-id") == "0123abcd"


@pytest.mark.parametrize("given", ["1", '["0", "1"]', "[0]", "null"])
def test_card_with_a_torn_range_of_strengths(assets: Path, given: str) -> None:
    card = f'{{"kind": "sketch_adapter", "strength_range": {given}}}'
    (assets / "adapters" / "warm" / "adapter.json").write_text(card)
    with pytest.raises(ModelError, match="strength_range must be two numbers, got"):
        catalog.adapter_card("warm")


def test_revision_of_a_large_file_reads_both_ends(assets: Path) -> None:
    path = assets / "models" / "sketch-model" / "large.safetensors"
    with path.open("wb") as file:
        file.truncate((1 << 26) + 10)
    before = catalog.revision(path.parent)
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    assert catalog.revision(path.parent) != before
