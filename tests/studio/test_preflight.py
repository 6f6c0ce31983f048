"""Memory is known before loading: headers to the byte, activations near the counts, advice that fits."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from studio import _activations, catalog, preflight
from studio._model_files import Component
from studio.cli import main
from studio.errors import ModelError
from studio.preflight import MemoryShortage, Training, Work

_CROSS, _PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
_UP, _PLAIN_UP = "CrossAttnUpBlock2D", "UpBlock2D"
CONFIGS: dict[str, dict[str, Any]] = {
    "sd15": {
        "block_out_channels": [320, 640, 1280, 1280],
        "layers_per_block": 2,
        "down_block_types": [_CROSS, _CROSS, _CROSS, _PLAIN],
        "up_block_types": [_PLAIN_UP, _UP, _UP, _UP],
    },
    "sdxl": {
        "block_out_channels": [320, 640, 1280],
        "layers_per_block": 2,
        "down_block_types": [_PLAIN, _CROSS, _CROSS],
        "up_block_types": [_UP, _UP, _PLAIN_UP],
        "transformer_layers_per_block": [1, 2, 10],
    },
    "sd3": {
        "patch_size": 2,
        "in_channels": 16,
        "num_layers": 24,
        "num_attention_heads": 24,
        "attention_head_dim": 64,
    },
    "flux": {
        "patch_size": 1,
        "in_channels": 64,
        "num_layers": 19,
        "num_single_layers": 38,
        "num_attention_heads": 24,
        "attention_head_dim": 128,
    },
}
CHANNELS = {"sd15": 4, "sdxl": 4, "sd3": 16, "flux": 16}
# Peaks of tensor memory in MiB on networks of these sizes, bfloat16, counted allocation by allocation:
# (config, rows, px, forward pass, training step with the emotion LoRA, the same with checkpointing)
COUNTED = [
    ("sd15", 1, 512, 65.1, 858.3, 230.4),
    ("sd15", 1, 1024, 260.1, 3380.5, 901.1),
    ("sd15", 4, 512, 260.5, 3414.7, 903.1),
    ("sdxl", 1, 512, 39.7, 1496.8, 202.8),
    ("sdxl", 1, 1024, 157.8, 5565.9, 711.7),
    ("sdxl", 4, 512, 158.7, 5897.0, 712.7),
    ("sd3", 1, 512, 44.5, 1585.3, 200.7),
    ("sd3", 1, 1024, 161.5, 5589.0, 652.8),
    ("sd3", 4, 512, 178.2, 6287.4, 748.7),
    ("flux", 1, 512, 158.7, 10043.6, 887.7),
    ("flux", 1, 1024, 468.0, 30921.1, 2512.9),
    ("flux", 4, 512, 630.1, 39956.3, 3332.7),
]


@pytest.fixture(scope="module")
def tiny() -> preflight.Model:
    found = preflight.read(catalog.find_model("emotion-tiny"))
    assert found is not None
    return found


def write_weights(path: Path, shapes: Mapping[str, list[int]]) -> None:
    """A .safetensors file with this header and no data: all that is read of it."""
    entries = {
        name: {"dtype": "F16", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()
    }
    text = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)


def model_folder(path: Path, backbone: Mapping[str, Any], shapes: Mapping[str, list[int]]) -> Path:
    parts = {
        "transformer": (backbone, shapes),
        "vae": ({"latent_channels": 16}, {"conv.weight": [8, 8, 3, 3]}),
    }
    index = {
        "_class_name": "X",
        **{name: ["diffusers", "X"] for name in parts},
        "scheduler": ["diffusers", "Y"],
    }
    for name, (config, tensors) in parts.items():
        (path / name).mkdir(parents=True)
        (path / name / "config.json").write_text(json.dumps(config))
        write_weights(path / name / "diffusion_pytorch_model.safetensors", tensors)
    (path / "model_index.json").write_text(json.dumps(index))
    return path


@pytest.mark.parametrize(("name", "rows", "px", "render", "train", "checkpointed"), COUNTED)
def test_activations_are_near_what_was_counted(
    name: str, rows: int, px: int, render: float, train: float, checkpointed: float
) -> None:
    found = _activations.backbone(CONFIGS[name], (px // 8, px // 8), CHANNELS[name])
    assert found is not None
    for elements, counted in (
        (found.render, render),
        (found.train, train),
        (found.checkpointed, checkpointed),
    ):
        assert 1 / 1.4 < elements * rows * 2 / 2**20 / counted < 1.4


# The same for clips, a forward pass alone, with attention that keeps no matrix; and decoding in float32, in
# bytes: (config, what goes in besides latents of the clip, width, height, frames, GB)
WAN = {"patch_size": [1, 2, 2], "num_layers": 40, "num_attention_heads": 40, "attention_head_dim": 128}
ANIMATE = {**WAN, "in_channels": 36, "motion_encoder_size": 512}
WAN_DECODER = {"base_dim": 96, "z_dim": 16, "temperal_downsample": [False, True, True]}
COUNTED_CLIPS = [
    (ANIMATE, 640, 640, 77, 4.64),
    (ANIMATE, 960, 960, 77, 10.25),
    (ANIMATE, 640, 640, 33, 2.21),
    ({**WAN, "in_channels": 16}, 832, 480, 81, 3.75),
]


def clip_model(backbone: Mapping[str, Any]) -> preflight.Model:
    parts = {"transformer": backbone, "vae": WAN_DECODER}
    weights = {"w.weight": (64, 64)}
    return preflight.Model("m", {name: Component(name, config, weights) for name, config in parts.items()})


@pytest.mark.parametrize(("backbone", "width", "height", "frames", "gb"), COUNTED_CLIPS)
def test_activations_of_clips_are_near_what_was_counted(
    backbone: dict[str, Any], width: int, height: int, frames: int, gb: float
) -> None:
    model = clip_model(backbone)
    latents, through = (width // 8, height // 8), model.latent_frames(frames)
    found = _activations.backbone(backbone, latents, model.channels, latent_frames=through)
    assert found is not None
    assert 1 / 1.2 < found.render * 2 / (gb * 1e9) < 1.2


@pytest.mark.parametrize(("side", "frames", "gb"), [(256, 9, 1.28), (512, 17, 5.16), (640, 77, 8.36)])
def test_decoding_clips_holds_what_was_counted(side: int, frames: int, gb: float) -> None:
    assert 1 / 1.2 < _activations.decoder(WAN_DECODER, side * side, frames) * 4 / (gb * 1e9) < 1.2


def test_a_clip_is_said_to_be_one() -> None:
    model = clip_model(ANIMATE)
    assert preflight.estimate(model, Work()).assumed == "1 clip of 81 frames of 832x480 px in float16"
    one, both = (preflight.estimate(model, Work(guided=guided)) for guided in (False, True))
    assert one.activations == both.activations, "its two passes come after each other"
    with pytest.raises(MemoryShortage, match=r"a size of \d+x\d+ px needs about"):
        preflight.choose(model, Work(), 1_500_000_000)


# Decoding of other autoencoders, counted in the same way: (config, width, height, frames, bytes each, GB)
TI2V_DECODER = {
    "base_dim": 160,
    "decoder_base_dim": 256,
    "z_dim": 48,
    "patch_size": 2,
    "is_residual": True,
    "scale_factor_spatial": 16,
    "temperal_downsample": [False, True, True],
}
LTX_DECODER = {
    "block_out_channels": [128, 256, 512, 512],
    "latent_channels": 128,
    "patch_size": 4,
    "spatio_temporal_scaling": [True, True, True, False],
}
COUNTED_DECODERS = [
    (TI2V_DECODER, 1280, 704, 121, 19.44),
    (TI2V_DECODER, 512, 512, 17, 5.66),
    (LTX_DECODER, 704, 480, 121, 5.62),
    (LTX_DECODER, 704, 480, 257, 11.87),
    (LTX_DECODER, 512, 512, 49, 1.79),
]


@pytest.mark.parametrize(("config", "width", "height", "frames", "gb"), COUNTED_DECODERS)
def test_decoders_of_other_clips_hold_what_was_counted(
    config: dict[str, Any], width: int, height: int, frames: int, gb: float
) -> None:
    assert 1 / 1.2 < _activations.decoder(config, width * height, frames) * 4 / (gb * 1e9) < 1.2


def large(
    decoder: Mapping[str, Any], networks: Mapping[str, int], text: int, **backbone: Any
) -> preflight.Model:
    """A model with so many parameters, in matrices that no place holds whole."""
    rows = {name: {f"{at}.weight": (1000, 1000) for at in range(count)} for name, count in networks.items()}
    parts = {name: Component(name, {**WAN, **backbone}, shapes) for name, shapes in rows.items()}
    encoder = Component("text_encoder", {}, {f"{at}.weight": (1000, 1000) for at in range(text)})
    vae = Component("vae", decoder, {"w.weight": (127, 1000, 1000)})
    return preflight.Model("m", {**parts, "text_encoder": encoder, "vae": vae})


@pytest.mark.parametrize(
    ("networks", "free_gb", "place"),
    [
        (("transformer",), 80, "fast"),
        (("transformer",), 46, "offload"),
        (("transformer",), 24, "sequential"),
        (("transformer", "transformer_2"), 140, "fast"),
        (("transformer", "transformer_2"), 72, "offload"),  # 68 GB of weights leave no room for the work
        (("transformer", "transformer_2"), 46, "offload"),
        (("transformer", "transformer_2"), 24, "sequential"),
    ],
)
def test_a_model_of_14b_is_put_where_it_fits_with_its_second_network_and_its_reader(
    networks: tuple[str, ...], free_gb: int, place: str
) -> None:
    model = large(WAN_DECODER, dict.fromkeys(networks, 14_300), 5_700, in_channels=16)
    work = Work(dtype="bfloat16")
    found = preflight.estimate(model, work)
    assert found.needs["fast"] - found.activations == 2 * (14_300 * len(networks) + 5_700 + 127) * 1_000_000
    one = preflight.estimate(large(WAN_DECODER, {"transformer": 14_300}, 5_700, in_channels=16), work)
    assert found.needs["offload"] == one.needs["offload"], "one network is there at a time"
    assert preflight.choose(model, work, round(free_gb * 1e9) - preflight.RESERVE_BYTES) == place


def test_sizes_of_clip_models_come_from_their_autoencoders() -> None:
    two = large(TI2V_DECODER, {"transformer": 1}, 1, in_channels=48)
    assert (two.scale, two.native_px, two.native_frames, two.latent_frames(121)) == (16, (1280, 704), 121, 31)
    ltx = large(LTX_DECODER, {"transformer": 1}, 1, in_channels=128, patch_size=1)
    assert (ltx.scale, ltx.native_px, ltx.native_frames, ltx.latent_frames(121)) == (32, (704, 480), 121, 16)
    assert two.guides_in_turn and not ltx.guides_in_turn


def test_a_backbone_of_an_unknown_kind_has_its_weights_alone(tmp_path: Path) -> None:
    assert _activations.backbone({"layers": 3}, (64, 64), 4) is None
    folder = model_folder(tmp_path / "m", {"layers": 3}, {"w.weight": [1000, 1000]})
    found = preflight.read(str(folder))
    assert found is not None
    assert preflight.estimate(found, Work()).needs["fast"] > 2_000_000


def test_weights_are_known_to_the_byte(tiny: preflight.Model) -> None:
    folder = Path(catalog.find_model("emotion-tiny"))
    for name, part in tiny.components.items():
        files = list((folder / name).glob("*.safetensors"))
        headers = sum(8 + struct.unpack("<Q", file.read_bytes()[:8])[0] for file in files)
        stored = sum(file.stat().st_size for file in files) - headers
        assert (
            abs(part.parameters * preflight.BYTES["float16"] / stored - 1) < 0.001 or name == "text_encoder"
        )
    assert preflight.estimate(tiny, Work(dtype="float32")).weights["unet"] == 4 * 10_943_628
    assert tiny.native_px == (128, 128)


def test_an_adapter_is_counted_as_it_is(tiny: preflight.Model) -> None:
    folder = catalog.find_adapter("vad-image")
    card = json.loads((folder / "adapter.json").read_text())
    data = (folder / "adapter.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    learns = preflight.adapter_parameters(tiny, card["target_modules"], card["rank"], terms=9)
    sizes = (one["shape"] for name, one in header.items() if name != "__metadata__")
    assert learns == sum(_product(shape) for shape in sizes)


def _product(shape: list[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def test_more_to_do_needs_more_and_each_setting_less(tiny: preflight.Model) -> None:
    def needs(place: str = "fast", **work: Any) -> int:
        return preflight.estimate(tiny, Work(**work)).needs[place]

    assert needs() < needs(rows=6) < needs(rows=8) < needs(rows=8, dtype="float32")
    assert needs() < needs(size_px=(256, 256))
    assert needs("sequential") < needs("offload") < needs("fast")
    assert needs("fp8") < needs("fast")
    work = Work(8, dtype="float32")
    full, lean = (preflight.estimate(tiny, work, Training(10**6, lean)) for lean in (False, True))
    assert lean.needs["fast"] < full.needs["fast"]
    assert full.adapter == 16 * 10**6
    averaged = preflight.estimate(tiny, work, Training(10**6, averaged=True))
    assert averaged.needs["fast"] == full.needs["fast"] + 4 * 10**6


def test_the_quickest_way_that_fits_is_chosen(tiny: preflight.Model) -> None:
    needs = preflight.estimate(tiny, Work()).needs
    for place in ("fast", "offload", "sequential"):
        assert preflight.choose(tiny, Work(), needs[place]) == place
    assert preflight.choose(tiny, Work(), needs["fast"] - 1) == "offload"


def test_too_little_memory_names_need_rest_and_remedy(tiny: preflight.Model) -> None:
    work = Work(dtype="float32")
    with pytest.raises(MemoryShortage) as caught:
        preflight.choose(tiny, work, 5_000_000)
    text = str(caught.value)
    assert "needs about 64 MB for 1 picture of 128x128 px in float32 (offload 56 MB, sequential 9 MB)" in text
    assert "but 5 MB are free on the device" in text
    advised = re.search(r"EMOTION_STUDIO_MEMORY=(\w+)(.*) needs? about", text)
    assert advised is not None
    half = "EMOTION_STUDIO_DTYPE=bfloat16" in advised[2]
    side = re.search(r"width=(\d+)", advised[2])
    size = (int(side[1]), int(side[1])) if side else None
    fits = Work(size_px=size, dtype="bfloat16" if half else "float32")
    assert preflight.estimate(tiny, fits).needs[advised[1]] <= 5_000_000


def test_where_nothing_helps_another_device_is_named(tiny: preflight.Model) -> None:
    with pytest.raises(MemoryShortage, match="use a device with more memory, or EMOTION_STUDIO_DEVICE=cpu"):
        preflight.choose(tiny, Work(), 1000)


def test_a_named_way_is_refused_only_for_its_weights(tiny: preflight.Model) -> None:
    found = preflight.estimate(tiny, Work())
    weights = sum(found.weights.values())
    preflight.check_weights(tiny, Work(), "fast", weights)
    with pytest.raises(MemoryShortage, match=r"weights alone need 29 MB with 'fast', but 29 MB are free"):
        preflight.check_weights(tiny, Work(), "fast", weights - 1)


def test_variants_and_the_safety_checker_are_not_counted(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m", CONFIGS["sd3"], {"a.weight": [100, 100]})
    write_weights(folder / "vae" / "diffusion_pytorch_model.fp16.safetensors", {"b": [10**6]})
    (folder / "safety_checker").mkdir()
    found = preflight.read(str(folder))
    assert found is not None
    assert {name: part.parameters for name, part in found.components.items()} == {
        "transformer": 10_000,
        "vae": 576,
    }


def test_an_incomplete_folder_is_not_known(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m", CONFIGS["sd3"], {"a.weight": [4, 4]})
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    assert preflight.read(str(folder)) is None
    assert preflight.read("nobody/no-such-model") is None


@pytest.mark.parametrize("data", [b"", b"\xff" * 64, struct.pack("<Q", 9) + b"[1, 2, 3]"])
def test_a_damaged_header_is_named(tmp_path: Path, data: bytes) -> None:
    folder = model_folder(tmp_path / "m", CONFIGS["sd3"], {"a.weight": [4, 4]})
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match=r"diffusion_pytorch_model\.safetensors' is damaged"):
        preflight.read(str(folder))


def test_inspect_shows_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "emotion-tiny"]) == 0
    text = capsys.readouterr().out
    assert "unet 10.9 million" in text
    assert re.search(r"float16 +32 MB +21 MB +28 MB +4 MB", text)
    assert main(["inspect", "emotion-tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["render_bytes"]["float32"]["fast"] == 64_391_980
