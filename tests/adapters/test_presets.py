"""Presets reach what they name in transformers of clips, which name their layers as pictures' do not."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.emotion_lora import PRESETS, Adapter, Config
from pipelines.video import ltx, wan

KINDS = {"self": ".attn1.to_q", "cross": ".attn2.to_k", "feed-forward": ".net.0.proj"}


@pytest.mark.parametrize("family", [ltx, wan], ids=["ltx", "wan"])
@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("light", {"cross"}),
        ("attention", {"self", "cross"}),
        ("standard", {"self", "cross"}),
        ("deep", {"self", "cross", "feed-forward"}),
    ],
)
def test_a_preset_wears_the_layers_of_every_block(family: Any, preset: str, expected: set[str]) -> None:
    modules = family.Pipeline.tiny(0).modules
    layers = Adapter.create(modules, Config(rank=2, targets=PRESETS[preset])).layers
    blocks = len(getattr(modules["transformer"], "blocks", None) or modules["transformer"].transformer_blocks)
    for kind, end in KINDS.items():
        assert sum(name.endswith(end) for name in layers) == (blocks if kind in expected else 0), kind
