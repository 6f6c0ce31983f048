"""LoRAs of single labels, put side by side as the rank blocks of one emotion adapter. Knows no file.

A LoRA that was trained alone was trained at full strength, as if it were the only change: several of them at
full strength over-drive a model. So their strengths together stay within a budget B: s_i = B phi_i, where
phi_i is a label's share of the point, faded in from NEUTRAL by the gate basis. Shares sum to 1 and fading
only lowers them, so the sum is B at most; B goes into the gates here, once. Label blocks that were *trained
together* have learned to share, and need no budget: their gates start at 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from adapters import _model_layers as layers
from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

BUDGET = 0.75  # strength of all label LoRAs together; a rule of thumb of people who stack adapters
Lora = Mapping[str, "tuple[Tensor, Tensor]"]


def block_weights(loras: Mapping[str, Lora]) -> tuple[dict[str, Tensor], int]:
    """Weights of an adapter of basis `labels` and its rank per block.

    Smaller ranks are filled up with zeros to the largest; so is a layer that one label's LoRA leaves alone.
    """
    rank = max(len(a) for lora in loras.values() for a, _ in lora.values())
    shapes = {name: (b.shape[0], *a.shape[1:]) for lora in loras.values() for name, (a, b) in lora.items()}
    weights: dict[str, Tensor] = {}
    for name, shape in sorted(shapes.items()):
        factors = [_filled(lora.get(name), shape, rank) for lora in loras.values()]
        weights[f"{name}.lora_A.weight"] = torch.cat([a for a, _ in factors])
        weights[f"{name}.lora_B.weight"] = torch.cat([b for _, b in factors], dim=1)
        blocks = torch.kron(torch.eye(len(loras)), torch.ones(1, rank))
        weights[f"{name}.gate"] = BUDGET * blocks
    return weights, rank


def _filled(pair: tuple[Tensor, Tensor] | None, weight: tuple[int, ...], rank: int) -> tuple[Tensor, Tensor]:
    shape_a, shape_b = layers.factor_shapes(weight, rank)
    a, b = torch.zeros(shape_a), torch.zeros(shape_b)
    if pair is not None:
        own = len(pair[0])
        a[:own], b[:, :own] = pair
    return a, b


def exactly(names: Iterable[str]) -> dict[str, str]:
    """Component -> regular expression that matches these layers and no other."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        component, _, path = name.partition(".")
        found.setdefault(component, []).append(re.escape(path))
    return {component: "|".join(paths) for component, paths in found.items()}
