"""One emotion a frame in a video UNet: rows of its spatial layers, steps of its motion modules."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from adapters._gated_layers import view_of
from adapters.emotion_lora import Adapter, Config
from studio.emotion import NEUTRAL, VAD
from studio.lazy import lazy

diffusers = lazy("diffusers")
FRAMES = 16  # as many as the deepest layers have places: rows and steps cannot be told apart by their numbers
FIRST = "down_blocks.0.motion_modules.0"
HAPPY, SAD = VAD(0.8, 0.4, 0.3), VAD(-0.6, -0.3, -0.3)


@pytest.fixture(scope="module")
def unet() -> Any:
    torch.manual_seed(0)
    shared = {"block_out_channels": (16, 32), "norm_num_groups": 8, "layers_per_block": 1}
    spatial = diffusers.UNet2DConditionModel(
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=8,
        **shared,
    )
    motion = diffusers.MotionAdapter(
        block_out_channels=(16, 32),
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=8,
        motion_max_seq_length=FRAMES,
    )
    return diffusers.UNetMotionModel.from_unet2d(spatial, motion).eval()


def adapter(unet: Any, targets: str) -> Adapter:
    made = Adapter.create({"unet": unet}, Config(rank=2, targets={"unet": targets}))
    generator = torch.Generator().manual_seed(1)
    for name, weight in made.weights.items():
        if name.endswith("lora_B.weight"):
            weight.data = 0.5 * torch.randn(weight.shape, generator=generator)
    return made


def run(unet: Any, worn: Adapter, rows: list[list[VAD]]) -> Tensor:
    """(R, frames, C, h, w) of noise and words that are the same for every frame."""
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(1, 4, FRAMES, 8, 8, generator=generator).expand(len(rows), 4, FRAMES, 8, 8)
    text = torch.randn(1, 5, 32, generator=generator).expand(len(rows) * FRAMES, 5, 32)
    with torch.no_grad(), worn.applied({"unet": unet}) as set_emotion:
        set_emotion(rows)
        return unet(noise, torch.tensor(500), text).sample.transpose(1, 2)


def without_motion(unet: Any, but: str = "none") -> Any:
    """The same network without motion modules, so that no frame hears of another. One may stay, `but` without

    its attention: its norms still see all frames."""
    still = diffusers.UNetMotionModel.from_config(unet.config)
    still.load_state_dict(unet.state_dict())
    for name, part in still.named_modules():
        if "motion_modules" in name and name.endswith("to_out.0" if but in name else "proj_out"):
            torch.nn.init.zeros_(part.weight)
            torch.nn.init.zeros_(part.bias)
    return still.eval()


@pytest.mark.parametrize("targets", [r".*\.attn2\.to_k", r".*\.resnets\.\d+\.conv1", r".*\.time_emb_proj"])
def test_every_frame_has_its_own_feeling_in_spatial_layers(unet: Any, targets: str) -> None:
    network = without_motion(unet)
    worn = adapter(network, rf"(?!.*motion_modules){targets}")
    calm = [NEUTRAL] * FRAMES
    turning = [HAPPY] * 3 + [NEUTRAL] * (FRAMES - 4) + [SAD]
    base, felt = run(network, worn, [calm, turning])
    assert torch.allclose(base, run(network, worn, [calm])[0], atol=1e-5)
    moved = (felt - base).abs().flatten(1).amax(1) > 1e-5
    assert moved.tolist() == [True] * 3 + [False] * (FRAMES - 4) + [True]


def test_a_frame_has_its_own_feeling_in_motion_modules(unet: Any) -> None:
    network = without_motion(unet, but=FIRST)
    worn = adapter(network, rf"{FIRST}.*\.ff\.net\.2")
    turning = [NEUTRAL] * 5 + [HAPPY] + [NEUTRAL] * (FRAMES - 6)
    base, felt = run(network, worn, [[NEUTRAL] * FRAMES, turning])
    moved = (felt - base).abs().flatten(1).amax(1) > 1e-6
    assert moved.nonzero().flatten().tolist() == [5]


def test_rows_do_not_hear_of_each_other(unet: Any) -> None:
    worn = adapter(unet, r".*\.(attn[12]\.(to_q|to_k|to_v)|conv1|time_emb_proj)")
    rows = [[HAPPY] * FRAMES, [SAD] * 8 + [NEUTRAL] * 8]
    together, alone = run(unet, worn, rows), [run(unet, worn, [row])[0] for row in rows]
    assert all(torch.allclose(one, other, atol=1e-4) for one, other in zip(together, alone, strict=True))
    assert (together[0] - together[1]).abs().max() > 1e-2


def test_words_hear_the_mean_of_a_clip() -> None:
    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attn2 = torch.nn.ModuleDict({"to_k": torch.nn.Linear(6, 6)})

        def forward(self, words: Tensor) -> Tensor:
            return self.attn2["to_k"](words)

    block = torch.nn.ModuleDict({"blocks": torch.nn.ModuleList([Block()])})
    worn = Adapter.create({"transformer": block}, Config(rank=2, targets={"transformer": ".*to_k"}))
    worn.weights["transformer.blocks.0.attn2.to_k.lora_B.weight"].data.fill_(0.3)
    words = torch.randn(1, 7, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), worn.applied({"transformer": block}) as set_emotion:
        set_emotion([[HAPPY, NEUTRAL]])
        half = block["blocks"][0](words)
        set_emotion([NEUTRAL])
        base = block["blocks"][0](words)
        set_emotion([[HAPPY] * 2])
        full = block["blocks"][0](words)
    assert torch.allclose(half - base, (full - base) / 2, atol=1e-6)
    assert (full - base).abs().max() > 1e-3


def test_layers_are_told_apart_by_their_names() -> None:
    assert view_of("unet.down_blocks.0.motion_modules.0.transformer_blocks.0.attn2.to_k") == "places"
    assert view_of("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v") == "words"
    assert view_of("transformer.blocks.0.attn2.to_q") == "tokens"
