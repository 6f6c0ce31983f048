from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from adapters.emotion_lora import PRESETS, Adapter, Config
from pipelines.image import sd
from studio import catalog
from studio.emotion import NEUTRAL, VAD
from studio.errors import InputError, ModelError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HAPPY, SAD, AFRAID = VAD(0.8, 0.4, 0.3), VAD(-0.6, -0.3, -0.3), VAD(-0.6, 0.7, -0.5)


class Net(nn.Module):
    """One layer of every kind: vectors per row, sequences over time, pictures."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.vector = nn.Linear(width, 8)
        self.sequence = nn.Linear(8, 8)
        self.over_time = nn.Conv1d(8, 8, 3, padding=1)
        self.picture = nn.Conv2d(8, 6, 3, padding=1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(R, T, width) -> (R, 6, T / 2, 4)"""
        hidden = self.sequence(self.vector(x).relu())
        hidden = self.over_time(hidden.transpose(1, 2))
        return self.picture(hidden[..., None].expand(-1, -1, -1, 8) + 1)


@pytest.fixture(scope="module")
def modules() -> dict[str, Any]:
    return dict(sd.Pipeline.tiny(0).modules)


@pytest.fixture(autouse=True)
def untouched(modules: dict[str, Any]) -> Iterator[None]:
    """No test may leave a trace on the shared model."""
    before = traces(modules)
    yield
    assert_same(traces(modules), before)


def traces(modules: dict[str, Any]) -> dict[str, Any]:
    """Everything an adapter could leave behind."""
    found: dict[str, Any] = {}
    for component, module in modules.items():
        for name, part in module.named_modules():
            hooks = (len(part._forward_hooks), len(part._forward_pre_hooks), len(part._backward_hooks))
            found[f"{component}.{name}"] = (
                type(part),
                id(part),
                part.training,
                hooks,
                hasattr(part, "peft_config"),
            )
        for name, tensor in module.state_dict(keep_vars=True).items():
            found[f"{component}:{name}"] = (tensor.detach().clone(), id(tensor), tensor.requires_grad)
    return found


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert list(one) == list(other)
    for name in one:
        if ":" not in name:
            assert one[name] == other[name], name
        else:
            assert torch.equal(one[name][0], other[name][0]), name
            assert one[name][1:] == other[name][1:], name


def unet_out(modules: dict[str, Any], rows: int = 4, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    latents, text = (
        torch.randn(rows, 4, 8, 8, generator=generator),
        torch.randn(rows, 7, 32, generator=generator),
    )
    with torch.no_grad():
        return modules["unet"](latents.to(dtype), 500, encoder_hidden_states=text.to(dtype)).sample


def strong(modules: dict[str, Any], preset: str = "deep", seed: int = 0, **details: Any) -> Adapter:
    """An adapter with a random effect that cannot be overlooked."""
    details = {"targets": PRESETS.get(preset), **details}
    adapter = Adapter.create(modules, Config(**details), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for name, weight in adapter.weights.items():
        if name.endswith("lora_B.weight"):
            weight.data.normal_(0, 0.2, generator=generator)
    return adapter


@pytest.mark.parametrize("preset", PRESETS)
def test_neutral_rows_are_the_base_bit_for_bit_beside_felt_rows(modules: dict[str, Any], preset: str) -> None:
    base = unet_out(modules)
    with strong(modules, preset).applied(modules) as set_emotion:
        set_emotion([NEUTRAL, HAPPY, NEUTRAL, AFRAID])
        felt = unet_out(modules)
        set_emotion([NEUTRAL] * 4)
        assert torch.equal(unet_out(modules), base)
    assert torch.equal(felt[[0, 2]], base[[0, 2]])
    assert (felt[[1, 3]] - base[[1, 3]]).abs().amax(dim=(1, 2, 3)).min() > 0.05


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_neutral_is_exact_in_half_precision_and_under_autocast(dtype: torch.dtype) -> None:
    modules = dict(sd.Pipeline.tiny(0).modules)
    adapter = strong(modules)
    with torch.autocast("cpu", dtype=dtype):
        autocast_base = unet_out(modules)
        with adapter.applied(modules) as set_emotion:
            set_emotion([NEUTRAL, HAPPY, NEUTRAL, SAD])
            assert torch.equal(unet_out(modules)[::2], autocast_base[::2])
    modules["unet"].to(dtype)
    base = unet_out(modules, dtype=dtype)
    with adapter.applied(modules) as set_emotion:
        set_emotion([NEUTRAL, HAPPY, NEUTRAL, SAD])
        felt = unet_out(modules, dtype=dtype)
    assert felt.dtype == dtype
    assert torch.equal(felt[::2], base[::2])
    assert not torch.equal(felt[1], base[1])


def test_strength_zero_and_no_emotion_yet_are_the_base(modules: dict[str, Any]) -> None:
    base, adapter = unet_out(modules), strong(modules)
    with adapter.applied(modules, 0.0) as set_emotion:
        set_emotion([HAPPY] * 4)
        assert torch.equal(unet_out(modules), base)
    with adapter.applied(modules):
        assert torch.equal(unet_out(modules), base)


def test_strength_scales_the_effect(modules: dict[str, Any]) -> None:
    base, adapter = unet_out(modules), strong(modules)
    effects = []
    for strength in (0.01, 0.02):
        with adapter.applied(modules, strength) as set_emotion:
            set_emotion([SAD] * 4)
            effects.append(unet_out(modules) - base)
    assert torch.allclose(effects[1], 2 * effects[0], atol=0.1 * float(effects[1].abs().max()))


def test_a_row_feels_only_its_own_emotion(modules: dict[str, Any]) -> None:
    with strong(modules).applied(modules) as set_emotion:
        set_emotion([HAPPY, SAD, NEUTRAL, AFRAID])
        mixed = unet_out(modules)
        for row, emotion in enumerate([HAPPY, SAD, NEUTRAL, AFRAID]):
            set_emotion([emotion] * 4)
            assert torch.allclose(unet_out(modules)[row], mixed[row], atol=1e-5)


def test_detaching_restores_everything_also_after_an_exception(modules: dict[str, Any]) -> None:
    before, base = traces(modules), unet_out(modules)
    with pytest.raises(ZeroDivisionError), strong(modules).applied(modules) as set_emotion:
        set_emotion([HAPPY] * 4)
        assert not torch.equal(unet_out(modules), base)
        raise ZeroDivisionError
    assert_same(traces(modules), before)
    assert torch.equal(unet_out(modules), base)


def test_two_adapters_nest_and_unnest(modules: dict[str, Any]) -> None:
    one, two = strong(modules, seed=1), strong(modules, "light", seed=2)
    base, rows = unet_out(modules), [HAPPY] * 4
    with one.applied(modules) as set_one:
        set_one(rows)
        only_one = unet_out(modules)
        inside = traces(modules)
        with two.applied(modules) as set_two:
            assert torch.equal(unet_out(modules), only_one)
            set_two(rows)
            both = unet_out(modules)
            set_one([NEUTRAL] * 4)
            only_two = unet_out(modules)
            set_one(rows)
        assert_same(traces(modules), inside)
        assert torch.equal(unet_out(modules), only_one)
    with two.applied(modules) as set_two:
        set_two(rows)
        assert torch.equal(unet_out(modules), only_two)
    assert not torch.equal(both, only_one)
    assert not torch.equal(both, only_two)
    assert torch.equal(unet_out(modules), base)


def test_wearing_an_adapter_draws_no_random_numbers(modules: dict[str, Any]) -> None:
    adapter, state = strong(modules), torch.get_rng_state()
    with adapter.applied(modules) as set_emotion:
        set_emotion([HAPPY] * 4)
    strong(modules)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("half", [False, True])
def test_save_and_load_agree(modules: dict[str, Any], tmp_path: Path, half: bool) -> None:
    details = {"base_model": "tiny", "alpha": 8.0, "default": True, "strength_range": (0.0, 1.5)}
    adapter = strong(modules, **details)
    adapter.save(tmp_path / "one", half=half)
    loaded = Adapter.load(tmp_path / "one")
    assert loaded.config == adapter.config
    assert loaded.fingerprint == adapter.fingerprint
    outs = []
    for one in (adapter, loaded):
        with one.applied(modules) as set_emotion:
            set_emotion([HAPPY, SAD, NEUTRAL, AFRAID])
            outs.append(unet_out(modules))
    assert torch.equal(*outs) if not half else torch.allclose(*outs, atol=0.05)
    card = json.loads((tmp_path / "one" / "adapter.json").read_text())
    assert card["kind"] == "emotion_lora"
    assert card["target_modules"] == PRESETS["deep"]
    assert card["fingerprint"] == adapter.fingerprint


@pytest.mark.parametrize("basis", ["vad", "axes", "labels"])
def test_baked_and_gated_agree(modules: dict[str, Any], basis: str) -> None:
    labels = (
        {"joy": ([0.8, 0.5, 0.3], [0.3] * 3), "fear": ([-0.6, 0.6, -0.4], [0.3] * 3)}
        if basis == "labels"
        else None
    )
    adapter = strong(modules, basis=basis, rank=4, alpha=6.0, labels=labels)
    with adapter.applied(modules, 0.7) as set_emotion:
        set_emotion([AFRAID] * 4)
        gated = unet_out(modules)
    baked = adapter.bake(AFRAID, 0.7)
    unet, base = modules["unet"], unet_out(modules)
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    with torch.no_grad():
        for name in adapter.layers:
            a, b = baked[f"{name}.lora_A.weight"], baked[f"{name}.lora_B.weight"]
            merged = (b.flatten(1) @ a.flatten(1)).view(b.shape[0], *a.shape[1:])
            unet.get_submodule(name.removeprefix("unet.")).weight += merged
    assert torch.allclose(unet_out(modules), gated, atol=1e-5)
    unet.load_state_dict(before)
    assert not torch.allclose(base, gated, atol=1e-2)


def test_diffusers_loads_what_is_baked() -> None:
    pipeline = sd.Pipeline.tiny(0)
    adapter = strong(dict(pipeline.modules), alpha=6.0)
    with adapter.applied(pipeline.modules) as set_emotion:
        set_emotion([HAPPY] * 4)
        gated = unet_out(dict(pipeline.modules))
    pipeline.pipe.load_lora_weights(adapter.bake(HAPPY))
    assert torch.allclose(unet_out(dict(pipeline.modules)), gated, atol=1e-5)


def test_an_adapter_for_another_backbone_is_refused_naming_both(modules: dict[str, Any]) -> None:
    adapter = strong(modules, base_model="emotion-tiny")
    other = {"unet": nn.ModuleDict({"conv_in": nn.Conv2d(8, 16, 3)})}
    with pytest.raises(
        ModelError, match=r"'emotion-tiny' \(\w+\), it does not fit 'ModuleDict' \(\w+\): layer"
    ):
        adapter.applied(other).__enter__()
    with pytest.raises(ModelError, match="no 'unet', only transformer"):
        adapter.applied({"transformer": modules["unet"]}).__enter__()


def test_targets_that_match_nothing_are_refused(modules: dict[str, Any]) -> None:
    for pattern, kind in [("no_such_layer", ModelError), ("(", InputError)]:
        with pytest.raises(kind, match=r"matches|regular expression"):
            Adapter.create(modules, Config(targets={"unet": pattern}))


def test_a_folder_that_is_no_adapter_is_refused(modules: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no adapter\.json"):
        Adapter.load(tmp_path)
    strong(modules).save(tmp_path)
    weights, card = tmp_path / "adapter.safetensors", tmp_path / "adapter.json"
    weights.rename(tmp_path / "adapter.bin")
    with pytest.raises(ModelError, match="pickled weights are not loaded"):
        Adapter.load(tmp_path)
    weights.write_bytes(b"\x00" * 100)
    with pytest.raises(ModelError, match="damaged"):
        Adapter.load(tmp_path)
    card.write_text(card.read_text().replace("emotion_lora", "else"))
    with pytest.raises(ModelError, match="of kind 'else', expected 'emotion_lora'"):
        Adapter.load(tmp_path)
    card.write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        Adapter.load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("rank", "16"), ("alpha", None), ("basis", 3), ("target_modules", "x"), ("strength_range", 5)],
)
def test_a_card_with_values_of_a_wrong_kind_is_refused(key: str, value: object, tmp_path: Path) -> None:
    shutil.copytree(catalog.find_adapter("vad-image"), tmp_path / "one")
    card = tmp_path / "one" / "adapter.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), key: value}))
    with pytest.raises(ModelError, match=r"one': a value in its adapter\.json is of the wrong kind"):
        Adapter.load(tmp_path / "one")


def test_time_steps_and_every_layer_kind_against_the_formula() -> None:
    torch.manual_seed(0)
    modules = {"net": Net()}
    adapter = strong(modules, "", targets={"net": "sequence|over_time"}, rank=3, alpha=6.0)
    rows = [[HAPPY, SAD, NEUTRAL], AFRAID]
    x, repeat = torch.randn(2, 6, 12), 2
    with adapter.applied(modules, 0.5) as set_emotion, torch.no_grad():
        set_emotion(rows)
        got = modules["net"](x)
        phi = torch.tensor(
            adapter.basis.phi([[e.as_tuple() for e in rows[0]], [AFRAID.as_tuple()] * 3])
        ).float()
    net = modules["net"]

    def factors(name: str) -> tuple[Tensor, Tensor, Tensor]:
        gate = (phi @ adapter.weights[f"net.{name}.gate"].data).repeat_interleave(repeat, 1) * 0.5 * 2.0
        return (
            adapter.weights[f"net.{name}.lora_A.weight"].data,
            adapter.weights[f"net.{name}.lora_B.weight"].data,
            gate,
        )

    with torch.no_grad():
        a, b, gate = factors("sequence")
        hidden = net.vector(x).relu()
        hidden = net.sequence(hidden) + ((hidden @ a.T) * gate) @ b.T
        hidden, (a, b, gate) = hidden.transpose(1, 2), factors("over_time")
        ranks = nn.functional.conv1d(hidden, a, padding=1) * gate.transpose(1, 2)
        hidden = net.over_time(hidden) + nn.functional.conv1d(ranks, b)
        expected = net.picture(hidden[..., None].expand(-1, -1, -1, 8) + 1)
    assert torch.allclose(got, expected, atol=1e-5)


def test_pictures_and_vectors_take_one_gate_a_row() -> None:
    modules = {"net": nn.Sequential(nn.Linear(5, 4), nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 3, 2))}
    adapter = strong(modules, "", targets={"net": "0|2"}, rank=2)
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        base = modules["net"](x)
        with adapter.applied(modules) as set_emotion:
            set_emotion([NEUTRAL, HAPPY, SAD])
            felt = modules["net"](x)
    assert torch.equal(felt[0], base[0])
    assert (felt[1:] - base[1:]).abs().flatten(1).amax(1).min() > 1e-3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([HAPPY], "emotions for 1 rows, but the model runs 2 rows"),
        ([[HAPPY] * 4, SAD], "4 time steps do not divide a layer of shape"),
        ([[HAPPY] * 2, [SAD] * 3], "different numbers of time steps"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows: list[Any], message: str) -> None:
    modules = {"net": Net()}
    adapter = strong(modules, "", targets={"net": "vector"}, rank=2)
    with adapter.applied(modules) as set_emotion, pytest.raises((ModelError, InputError), match=message):
        set_emotion(rows)
        modules["net"](torch.zeros(2, 6, 12))


def test_gradients_reach_exactly_a_b_and_gates(modules: dict[str, Any]) -> None:
    adapter = strong(modules)
    parts = {name.rsplit(".", 2)[-2] if name.endswith("weight") else "gate" for name in adapter.weights}
    assert parts == {"lora_A", "lora_B", "gate"}
    assert len(adapter.parameters()) == 3 * len(adapter.layers)
    with adapter.trainable(modules) as set_emotion:
        set_emotion([HAPPY, SAD, AFRAID, NEUTRAL])
        latents, text = torch.randn(4, 4, 8, 8), torch.randn(4, 7, 32)
        modules["unet"](latents, 500, encoder_hidden_states=text).sample.square().mean().backward()
        trained = {id(weight) for weight in modules["unet"].parameters() if weight.requires_grad}
    assert trained <= {id(weight) for weight in adapter.parameters()}
    assert all(weight.grad is not None and weight.grad.any() for weight in adapter.parameters())
    assert all(weight.grad is None for weight in modules["unet"].parameters())


def test_a_neutral_batch_still_trains_without_an_effect(modules: dict[str, Any]) -> None:
    adapter, base = strong(modules, "light"), unet_out(modules)
    with adapter.trainable(modules) as set_emotion:
        set_emotion([NEUTRAL] * 4)
        assert torch.equal(unet_out(modules), base)
        latents, text = torch.randn(4, 4, 8, 8), torch.randn(4, 7, 32)
        modules["unet"](latents, 500, encoder_hidden_states=text).sample.mean().backward()
    assert not any(weight.grad.any() for weight in adapter.parameters())


def test_a_fresh_adapter_has_no_effect_and_follows_its_seed(modules: dict[str, Any]) -> None:
    base = unet_out(modules)
    one, same, other = (Adapter.create(modules, Config(), seed=seed) for seed in (1, 1, 2))
    with one.applied(modules) as set_emotion:
        set_emotion([HAPPY] * 4)
        assert torch.equal(unet_out(modules), base)
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, same.state_dict()[name])
    assert any(not torch.equal(weight, other.state_dict()[name]) for name, weight in one.state_dict().items())
    other.load_state_dict(one.state_dict())
    assert all(torch.equal(weight, one.weights[name]) for name, weight in other.weights.items())


@pytest.mark.parametrize(
    "wrong", [{"rank": 0}, {"alpha": 0.0}, {"alpha": float("nan")}, {"basis": "labels"}, {"targets": {}}]
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Config(**wrong)
