"""Baked adapters in plain diffusers and back; files of PEFT and diffusers themselves; what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
from diffusers import FluxPipeline, FluxTransformer2DModel, StableDiffusionPipeline
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from adapters import _label_blocks, lora_files
from adapters import _lora_names as names
from adapters import _model_layers as layers
from adapters._model_layers import skeleton
from adapters.emotion_lora import Adapter, Config, label_adapter
from adapters.gates import basis
from pipelines.image import flux, sd, sd3, sdxl
from studio import catalog
from studio.emotion import NEUTRAL, VAD, lexicon, parse_emotion
from studio.errors import InputError, ModelError, StorageError
from studio.storage import NameTakenError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FAMILIES: dict[str, Any] = {"sd": sd, "sdxl": sdxl, "sd3": sd3, "flux": flux}
AFRAID = VAD(-0.6, 0.7, -0.5)
STRENGTH = 0.7
every_family = pytest.mark.parametrize("family", FAMILIES)
every_dialect = pytest.mark.parametrize("dialect", lora_files.DIALECTS)


def toy(family: str) -> tuple[Any, dict[str, Any]]:
    """A plain diffusers pipeline, and its network as adapters see it."""
    pipeline = FAMILIES[family].Pipeline.tiny(0)
    pipeline.pipe.set_progress_bar_config(disable=True)
    network = {name: part for name, part in pipeline.modules.items() if name in names.DENOISERS}
    return pipeline.pipe, network


def strong(network: Mapping[str, Any], **config: Any) -> Adapter:
    """An adapter of every layer, with alpha other than rank and an effect that cannot be overlooked."""
    (component,) = network
    targets = {component: r"(?!time_|x_embedder|pos_embed|context_embedder).*"}
    adapter = Adapter.create(network, Config(**{"targets": targets, "rank": 4, "alpha": 6.0, **config}))
    generator = torch.Generator().manual_seed(0)
    for name, weight in adapter.weights.items():
        if name.endswith("lora_B.weight"):
            weight.data.normal_(0, 0.1, generator=generator)
    return adapter


def painted(pipe: Any, size: int = 64, **options: Any) -> np.ndarray:
    generator = torch.Generator().manual_seed(5)
    options = {"num_inference_steps": 3, "height": size, "width": size, "guidance_scale": 1.0, **options}
    image = pipe("a lake at dusk", generator=generator, **options).images[0]
    return np.asarray(image).astype(int)


def product(pair: tuple[Tensor, Tensor]) -> Tensor:
    a, b = pair
    return b.flatten(1) @ a.flatten(1)


def baked(adapter: Adapter, emotion: VAD = AFRAID) -> dict[str, tuple[Tensor, Tensor]]:
    tensors = adapter.bake(emotion, STRENGTH)
    return {
        name: (tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"]) for name in adapter.layers
    }


def assert_equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.allclose(product(one[name]), product(other[name]), atol=1e-6, rtol=1e-5), name


@every_family
@every_dialect
def test_plain_diffusers_paints_the_gated_picture(family: str, dialect: str, tmp_path: Path) -> None:
    pipe, network = toy(family)
    adapter = strong(network)
    path = tmp_path / "afraid.safetensors"
    notes = adapter.export(path, dialect, AFRAID, STRENGTH, modules=network)
    if dialect == "kohya" and family in ("sd3", "flux"):  # real widths of Flux: see below
        assert "use --format diffusers" in notes[0]
        return
    assert notes == ()
    bare = painted(pipe)
    with adapter.applied(network, STRENGTH) as set_emotion:
        set_emotion([AFRAID])
        gated = painted(pipe)
    pipe.load_lora_weights(str(path))
    assert np.abs(painted(pipe) - gated).max() <= 2
    assert np.abs(gated - bare).max() > 20


@every_dialect
def test_the_embedded_adapter_travels(dialect: str, tmp_path: Path) -> None:
    """Pictures of emotion-tiny, with guidance: a baked file acts on the unguided half too."""
    pipe = StableDiffusionPipeline.from_pretrained(catalog.find_model("emotion-tiny"))
    pipe.set_progress_bar_config(disable=True)
    network = {"unet": pipe.unet}
    adapter, awe = Adapter.load(catalog.find_adapter("vad-image")), parse_emotion("awe").vad
    path = tmp_path / "awe.safetensors"
    assert adapter.export(path, dialect, awe, modules=network) == ()
    bare = painted(pipe, 128, guidance_scale=3.0)
    with adapter.applied(network) as set_emotion:
        set_emotion([awe, awe])
        gated = painted(pipe, 128, guidance_scale=3.0)
    pipe.load_lora_weights(str(path))
    assert np.abs(painted(pipe, 128, guidance_scale=3.0) - gated).max() <= 2
    assert np.abs(gated - bare).max() > 20


@every_family
@every_dialect
@pytest.mark.parametrize("kind", ["vad", "axes"])
def test_what_is_written_is_read_back(family: str, dialect: str, kind: str, tmp_path: Path) -> None:
    _, network = toy(family)
    adapter = strong(network, basis=kind)
    path = tmp_path / "afraid.safetensors"
    adapter.export(path, dialect, AFRAID, STRENGTH, modules=network)
    found = lora_files.read(path, network)
    assert_equal(found.lora, baked(adapter))
    assert found.notes == ()
    assert found.dialect == ("peft" if dialect == "diffusers" and "unet" not in network else dialect)


def test_kohya_flux_at_its_real_width_reaches_diffusers_as_foretold(tmp_path: Path) -> None:
    with torch.device("meta"):
        network = {"transformer": FluxTransformer2DModel(num_layers=1, num_single_layers=1)}
    generator = torch.Generator().manual_seed(0)
    lora = {
        name: tuple(torch.randn(part, generator=generator) for part in layers.factor_shapes(shape, 2))
        for name, shape in layers.shapes(network).items()
    }
    path = tmp_path / "flux.safetensors"
    (note,) = lora_files.write(path, lora, "kohya", {}, network)
    ignored = {name for name in lora if names.diffusers_ignores("flux", name, network)}
    assert f"({len(ignored)} of {len(lora)}, " in note
    tensors = FluxPipeline.lora_state_dict(str(path))
    assert {name for name in lora if f"{name}.lora_A.weight" not in tensors} == ignored
    for name in lora.keys() - ignored:
        a, b = lora[name]
        probe = torch.randn(a.shape[1], 2, generator=generator)
        arrived = tensors[f"{name}.lora_B.weight"] @ (tensors[f"{name}.lora_A.weight"] @ probe)
        assert torch.allclose(arrived, b @ (a @ probe), atol=1e-3), name


def test_peft_itself_takes_the_metadata_as_its_configuration(tmp_path: Path) -> None:
    pipe, network = toy("sd")
    adapter = strong(network)
    path = tmp_path / "afraid.safetensors"
    adapter.export(path, "peft", AFRAID, STRENGTH, modules=network)
    with safe_open(path, "pt") as file:
        written = json.loads(file.metadata()["lora_adapter_metadata"])
    config = peft.LoraConfig(**{name.removeprefix("unet."): value for name, value in written.items()})
    peft.inject_adapter_in_model(config, pipe.unet)
    tensors = {name.removeprefix("unet."): tensor for name, tensor in load_file(path).items()}
    assert not peft.set_peft_model_state_dict(pipe.unet, tensors).unexpected_keys
    for name, pair in baked(adapter).items():
        layer = pipe.unet.get_submodule(name.removeprefix("unet."))
        assert torch.allclose(layer.get_delta_weight("default").flatten(1), product(pair), atol=1e-5), name


def test_a_peft_folder_is_loaded_by_peft_and_read_back(tmp_path: Path) -> None:
    """`PeftModel.from_pretrained` on the bare UNet gives the picture of the gated adapter."""
    pipe, network = toy("sd")
    adapter, path = strong(network), tmp_path / "afraid"
    assert adapter.export(path, "peft", AFRAID, STRENGTH, modules=network) == ()
    assert_equal(lora_files.read(path / "adapter_model.safetensors", network).lora, baked(adapter))
    with adapter.applied(network, STRENGTH) as set_emotion:
        set_emotion([AFRAID])
        gated = painted(pipe)
    bare = painted(pipe)
    assert peft.PeftModel.from_pretrained(pipe.unet, path).base_model.model is pipe.unet
    assert np.abs(painted(pipe) - gated).max() <= 2 < np.abs(gated - bare).max()


def test_a_peft_folder_is_of_one_network(tmp_path: Path) -> None:
    one = torch.ones(2, 4), torch.ones(4, 2)
    with pytest.raises(ModelError, match="of one network, not text_encoder and unet; name a file"):
        lora_files.write(tmp_path / "two", {"unet.a": one, "text_encoder.b": one}, "peft", {})
    assert not (tmp_path / "two").exists()


def worn_by_peft(network: Any, **config: Any) -> dict[str, Tensor]:
    """Put a random PEFT LoRA on a network; returns what every layer gains."""
    torch.manual_seed(0)
    options = {"r": 4, "lora_alpha": 3, "init_lora_weights": False, **config}
    model = peft.inject_adapter_in_model(peft.LoraConfig(**options), network)
    return {
        name: layer.get_delta_weight("default").flatten(1).detach()
        for name, layer in model.named_modules()
        if isinstance(layer, peft.tuners.lora.LoraLayer)
    }


@pytest.mark.parametrize(
    "config", [{}, {"alpha_pattern": {"attn2.to_k": 9}, "rank_pattern": {"to_v": 2}}, {"use_rslora": True}]
)
def test_files_of_peft_keep_their_alpha(config: dict[str, Any], tmp_path: Path) -> None:
    pipe, _ = toy("sd")
    torch.manual_seed(0)
    options = {"r": 4, "lora_alpha": 3, "target_modules": ["to_k", "to_v"], "init_lora_weights": False}
    model = peft.get_peft_model(pipe.unet, peft.LoraConfig(**options, **config))
    model.save_pretrained(tmp_path)
    wanted = {
        name.removeprefix("base_model.model."): layer.get_delta_weight("default").flatten(1)
        for name, layer in model.named_modules()
        if isinstance(layer, peft.tuners.lora.LoraLayer)
    }
    found = lora_files.read(tmp_path / "adapter_model.safetensors", toy("sd")[1])
    assert found.dialect == "peft" and found.notes == ()
    assert {f"unet.{name}" for name in wanted} == found.lora.keys()
    for name, gain in wanted.items():
        assert torch.allclose(product(found.lora[f"unet.{name}"]), gain, atol=1e-5), name


@every_family
def test_files_of_diffusers_keep_their_alpha(family: str, tmp_path: Path) -> None:
    pipe, network = toy(family)
    ((component, module),) = network.items()
    wanted = worn_by_peft(module, target_modules=["to_k", "to_out.0"])
    config = module.peft_config["default"].to_dict()
    save = type(pipe).save_lora_weights
    tensors = peft.get_peft_model_state_dict(module)
    details = {f"{component}_lora_layers": tensors, f"{component}_lora_adapter_metadata": config}
    save(tmp_path, **details)
    found = lora_files.read(tmp_path / "pytorch_lora_weights.safetensors", toy(family)[1])
    assert found.notes == ()
    for name, gain in wanted.items():
        assert torch.allclose(product(found.lora[f"{component}.{name}"]), gain, atol=1e-5), name


Rename = Callable[[str], str]
SPELLINGS: dict[str, Rename] = {
    "diffusers of old": lambda key: key.replace(
        ".attn1.to_out.0.lora.", ".attn1.processor.to_out_lora."
    ).replace(".attn1.to_q.lora.", ".attn1.processor.to_q_lora."),
    "PEFT": lambda key: (
        key.replace("unet.", "base_model.model.")
        .replace(".lora.down", ".lora_A.default")
        .replace(".lora.up", ".lora_B.default")
    ),
    "OneTrainer": lambda key: key.replace(".lora.down", ".lora_down").replace(".lora.up", ".lora_up"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_other_spellings_are_read_and_a_missing_alpha_is_said(spelling: str, tmp_path: Path) -> None:
    _, network = toy("sd")
    adapter = strong(network)
    adapter.export(tmp_path / "one.safetensors", "diffusers", AFRAID, STRENGTH, modules=network)
    tensors = load_file(tmp_path / "one.safetensors")
    renamed = {SPELLINGS[spelling](key): tensor for key, tensor in tensors.items()}
    assert renamed.keys() != tensors.keys()
    save_file(renamed, tmp_path / "other.safetensors")
    found = lora_files.read(tmp_path / "other.safetensors", network)
    assert_equal(found.lora, baked(adapter))
    assert found.notes == ("it states no alpha: taken as alpha = rank",)


def test_original_names_with_dots_are_read(tmp_path: Path) -> None:
    _, network = toy("flux")
    adapter = strong(network)
    lora_files.write(tmp_path / "one.safetensors", baked(adapter), "kohya", {}, network)
    tensors = load_file(tmp_path / "one.safetensors")
    places = {place.name for place in names.places(network, layers.shapes(network)).values()}
    dotted = {f"lora_unet_{name.replace('.', '_')}": f"diffusion_model.{name}" for name in places}
    renamed = {}
    for key, tensor in tensors.items():
        name, _, part = key.partition(".")
        if part != "alpha":
            other = part.replace("lora_down", "lora_A").replace("lora_up", "lora_B")
            renamed[f"{dotted[name]}.{other}"] = tensor
    save_file(renamed, tmp_path / "other.safetensors")
    found = lora_files.read(tmp_path / "other.safetensors", network)
    assert found.dialect == "original"
    assert_equal(found.lora, baked(adapter))


def test_alpha_tensors_scale(tmp_path: Path) -> None:
    _, network = toy("sd")
    adapter = strong(network)
    adapter.export(tmp_path / "one.safetensors", "kohya", AFRAID, STRENGTH, modules=network)
    tensors = load_file(tmp_path / "one.safetensors")
    halved = {key: tensor / 2 if key.endswith(".alpha") else tensor for key, tensor in tensors.items()}
    save_file(halved, tmp_path / "half.safetensors")
    found = lora_files.read(tmp_path / "half.safetensors", network).lora
    assert_equal(found, {name: (a, b / 2) for name, (a, b) in baked(adapter).items()})


def test_text_encoders_are_read_and_left_out_of_label_adapters(tmp_path: Path) -> None:
    modules = skeleton(catalog.find_model("emotion-tiny"))
    shapes = layers.shapes(modules)
    chosen = ["unet.conv_in", next(name for name in shapes if name.endswith("q_proj"))]
    lora = {name: tuple(map(torch.ones, layers.factor_shapes(shapes[name], 2))) for name in chosen}
    for dialect in lora_files.DIALECTS:
        path = tmp_path / f"{dialect}.safetensors"
        lora_files.write(path, lora, dialect, {}, modules)
        found = lora_files.read(path, modules)
        assert_equal(found.lora, lora)
        kept = lora_files.denoising(found)
        assert list(kept.lora) == ["unet.conv_in"]
        assert kept.notes[-1].startswith("1 text encoder layers left out")


def test_metadata_says_what_it_is(tmp_path: Path) -> None:
    _, network = toy("sdxl")
    adapter, about = strong(network), {"emotion": "fear", "adapter": "vad-image", "revision": "abc"}
    found = {}
    for dialect in lora_files.DIALECTS:
        path = tmp_path / f"{dialect}.safetensors"
        adapter.export(path, dialect, AFRAID, STRENGTH, about, network)
        found[dialect] = dict(lora_files.read(path, network).metadata)
        ours = json.loads(found[dialect]["emotion_studio"])
        assert ours == {**about, "vad": [-0.6, 0.7, -0.5], "strength": STRENGTH, "base_model": ""}
        assert found[dialect]["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora"
        assert found[dialect]["modelspec.sai_model_spec"] == "1.0.1"
    assert found["kohya"]["ss_network_dim"] == "4" and found["kohya"]["ss_network_alpha"] == "4.0"
    assert "lora_adapter_metadata" not in found["kohya"], "diffusers stops when alpha is said twice"
    assert found["diffusers"]["sshs_model_hash"] != found["kohya"]["sshs_model_hash"]


@every_dialect
def test_neutral_is_a_file_of_zeros(dialect: str, tmp_path: Path) -> None:
    _, network = toy("sd")
    notes = strong(network).export(tmp_path / "n.safetensors", dialect, NEUTRAL, 1.0, modules=network)
    assert notes == ("all weights are zero: the file has no effect",)
    found = lora_files.read(tmp_path / "n.safetensors", network)
    assert not any(b.any() for _, b in found.lora.values())


@pytest.mark.parametrize(
    ("name", "dialect", "message"),
    [
        ("awe.pt", "diffusers", r"must end in .safetensors; did you mean '.*awe.safetensors'"),
        ("awe", "diffusers", "must end in .safetensors"),
        ("awe.pt", "peft", "must end in .safetensors"),
        ("awe.safetensors", "khoya", "did you mean 'kohya'"),
    ],
)
def test_where_nothing_can_be_written(name: str, dialect: str, message: str, tmp_path: Path) -> None:
    _, network = toy("sd")
    with pytest.raises(InputError, match=message):
        strong(network).export(tmp_path / name, dialect, AFRAID, modules=network)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays_unless_asked(tmp_path: Path) -> None:
    _, network = toy("sd")
    path = tmp_path / "awe.safetensors"
    path.write_text("mine")
    with pytest.raises(NameTakenError, match="--force"):
        strong(network).export(path, "peft", AFRAID)
    assert path.read_text() == "mine"
    strong(network).export(path, "peft", AFRAID, replace=True)
    assert lora_files.read(path, network).lora


def test_kohya_needs_to_know_the_model(tmp_path: Path) -> None:
    _, network = toy("sd")
    with pytest.raises(ModelError, match="name it with --model, or use --format diffusers"):
        strong(network).export(tmp_path / "awe.safetensors", "kohya", AFRAID)
    with pytest.raises(ModelError, match="does not fit"):
        strong(network).export(tmp_path / "awe.safetensors", "kohya", AFRAID, modules=toy("sdxl")[1])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("lora_unet_conv_in.dora_scale", "this is DoRA"),
        ("lora_unet_conv_in.hada_w1_a", "this is LoHa"),
        ("lora_unet_conv_in.lokr_w1", "this is LoKr"),
        ("unet.conv_in.lora_magnitude_vector", "this is DoRA"),
        ("lora_unet_conv_in.diff", "full difference"),
        ("lora_unet_nowhere_1.lora_down.weight", "only 3 of its 4 keys fit.*'lora_unet_nowhere_1.*kohya"),
        ("nothing.weight", "only 3 of its 4 keys fit.*'nothing.weight'"),
        ("lora_unet_conv_out.lora_down.weight", "is alone"),
    ],
)
def test_a_key_that_is_not_understood_refuses_the_file(key: str, message: str, tmp_path: Path) -> None:
    _, network = toy("sd")
    lora = {"unet.conv_in": baked(strong(network))["unet.conv_in"]}
    lora_files.write(tmp_path / "one.safetensors", lora, "kohya", {}, network)
    tensors = load_file(tmp_path / "one.safetensors")
    save_file({**tensors, key: torch.ones(4, 4)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match=message):
        lora_files.read(tmp_path / "other.safetensors", network)


def test_a_file_for_another_family_says_which(tmp_path: Path) -> None:
    _, theirs = toy("flux")
    lora_files.write(tmp_path / "flux.safetensors", baked(strong(theirs)), "kohya", {}, theirs)
    message = r"none of its \d+ keys fit this model \(Stable Diffusion 1/2\).*and \d+ more; .*kohya for Flux"
    with pytest.raises(ModelError, match=message):
        lora_files.read(tmp_path / "flux.safetensors", toy("sd")[1])


def test_a_file_for_another_width_names_the_layer(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    adapter = Adapter.load(catalog.find_adapter("vad-image"))
    adapter.export(path, "diffusers", AFRAID)
    with pytest.raises(ModelError, match=r"fit this model|made for another model"):
        lora_files.read(path, toy("sd")[1])
    _, network = toy("sd")
    lora = {"unet.conv_in": (torch.ones(2, 5, 3, 3), torch.ones(16, 2, 1, 1))}
    lora_files.write(tmp_path / "wide.safetensors", lora, "diffusers", {})
    with pytest.raises(ModelError, match=r"'unet.conv_in' is 16x5x3x3 there and \d+x4x3x3 here"):
        lora_files.read(tmp_path / "wide.safetensors", network)


@pytest.mark.parametrize("name", ["a.pt", "a.bin", "a.ckpt"])
def test_pickles_are_refused_by_name(name: str, tmp_path: Path) -> None:
    torch.save({}, tmp_path / name)
    with pytest.raises(ModelError, match=r"is a pickle.*convert it"):
        lora_files.read(tmp_path / name, {})


def test_damaged_missing_and_empty_files(tmp_path: Path) -> None:
    _, network = toy("sd")
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    save_file({}, tmp_path / "empty.safetensors")
    nan = {"unet.conv_in.lora_A.weight": torch.full((2, 4, 3, 3), torch.nan)}
    save_file({**nan, "unet.conv_in.lora_B.weight": torch.ones(8, 2, 1, 1)}, tmp_path / "nan.safetensors")
    for name, message in {"bad": "is damaged", "empty": "it is empty", "nan": "no numbers"}.items():
        with pytest.raises(ModelError, match=message):
            lora_files.read(tmp_path / f"{name}.safetensors", network)
    with pytest.raises(StorageError, match="no such file"):
        lora_files.read(tmp_path / "nowhere.safetensors", network)


def test_label_loras_become_one_adapter_mixed_by_the_point(tmp_path: Path) -> None:
    """At a label's point the layer gains the budget's share of each file, by the soft weights."""
    source = Adapter.load(catalog.find_adapter("vad-image"))
    kernels = {
        one.word: (one.mean, one.sd) for one in lexicon().kernels("mikels") if one.word in ("awe", "fear")
    }
    files, loras = {}, {}
    for label, dialect in (("awe", "kohya"), ("fear", "peft")):
        files[label] = tmp_path / f"{label}.safetensors"
        model = skeleton(catalog.find_model("emotion-tiny"))
        source.export(files[label], dialect, VAD(*kernels[label][0]), modules=model)
        loras[label] = lora_files.read(files[label], model).lora
    layer = "unet.conv_in"
    loras["fear"] = {
        layer: tuple(part[:7] if i == 0 else part[:, :7] for i, part in enumerate(loras["fear"][layer]))
    }
    lora_files.write(tmp_path / "small.safetensors", loras["fear"], "peft", {})  # another rank, one layer
    files["fear"] = tmp_path / "small.safetensors"
    adapter, found = label_adapter(files, kernels, catalog.find_model("emotion-tiny"), "emotion-tiny")
    assert {label: one.dialect for label, one in found.items()} == {"awe": "kohya", "fear": "peft"}
    adapter.save(tmp_path / "both")
    adapter = Adapter.load(tmp_path / "both")
    assert (adapter.config.rank, adapter.config.basis) == (16, "labels")
    for point in (VAD(*kernels["awe"][0]), VAD(*kernels["fear"][0]), VAD(0.2, -0.3, 0.1)):
        tensors = adapter.bake(point)
        gained = product((tensors[f"{layer}.lora_A.weight"], tensors[f"{layer}.lora_B.weight"]))
        shares = basis("labels", kernels).phi([point.as_tuple()])[0] * _label_blocks.BUDGET
        assert shares.sum() <= _label_blocks.BUDGET
        wanted = sum(
            share * product(loras[label][layer]) for label, share in zip(kernels, shares, strict=True)
        )
        assert torch.allclose(gained, wanted, atol=1e-6)
    assert not adapter.bake(NEUTRAL)[f"{layer}.lora_B.weight"].any()
    model = sd.Pipeline.load(catalog.find_model("emotion-tiny"))
    with adapter.applied(model.modules) as set_emotion:  # it fits the real model
        set_emotion([AFRAID])
