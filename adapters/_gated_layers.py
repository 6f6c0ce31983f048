"""One PEFT LoRA layer with a gate: how it is put on a module and taken off again. Knows no emotion.

A gate of time steps is laid out by what a layer sees of time (`view_of`): tokens in order of time; frames as
rows of their own, in a video UNet; a row for every place, in its motion modules; or no time at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from studio.errors import ModelError
from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
else:
    torch = lazy("torch")

lora = lazy("peft.tuners.lora.layer")
peft = lazy("peft")

_NAME = "emotion"  # PEFT's name of the adapter inside its layer
_MOTION = re.compile(r"(^|\.)motion_modules\.")
_TEXT = re.compile(r"\.attn2\.(to_k|to_v|add_k_proj|add_v_proj)$")  # reads words, or a start picture


def view_of(name: str) -> str:
    """What a layer sees of time: "places", "words" or "tokens", which frames as rows are too."""
    if _MOTION.search(name):
        return "places"
    return "words" if _TEXT.search(name) else "tokens"


class GatedLayer:
    """A PEFT LoRA layer whose rank activations are multiplied by a gate, one per row [and time step]."""

    def __init__(self, lora_layer: Any, trains: bool, view: str = "tokens") -> None:
        self.lora_layer = lora_layer
        self.trains = trains
        self._view = view
        self._gate: Tensor | None = None
        self._convolves = lora_layer.lora_A[_NAME].weight.ndim > 2
        self._fitted: dict[tuple[int, ...], Tensor] = {}
        lora_layer.lora_A[_NAME].register_forward_hook(self._hook)
        self.set_gate(None)

    @property
    def dtype(self) -> torch.dtype:
        return self.lora_layer.lora_A[_NAME].weight.dtype

    @property
    def device(self) -> torch.device:
        return self.lora_layer.lora_A[_NAME].weight.device

    def set_gate(self, gate: Tensor | None) -> None:
        """`gate` (R, r) or (R, T, r). None is no effect: the base layer runs alone, unless in training."""
        self._gate = gate
        self._fitted.clear()
        if not self.trains:
            self.lora_layer.enable_adapters(gate is not None)

    def _hook(self, _module: nn.Module, _inputs: tuple[Any, ...], ranks: Tensor) -> Tensor:
        if self._gate is None:
            return ranks * 0
        key = (*ranks.shape, torch.is_grad_enabled())  # checkpointing runs twice, first without gradients
        if key not in self._fitted:
            self._fitted[key] = self._fit(self._gate, ranks).to(ranks.device, ranks.dtype)
        return ranks * self._fitted[key]

    def _fit(self, gate: Tensor, ranks: Tensor) -> Tensor:
        """The gate laid out like `ranks`: (R, r, ...) after a convolution, (R, ..., r) after a linear."""
        if gate.ndim == 3:
            gate = self._by_time(gate, ranks)
        if len(gate) != len(ranks):
            raise ModelError(f"adapter: emotions for {len(gate)} rows, but the model runs {len(ranks)} rows")
        if gate.ndim == 3:
            return gate.transpose(1, 2) if self._convolves else gate
        ones = [1] * (ranks.ndim - 2)
        rows, width = gate.shape
        return gate.view(rows, width, *ones) if self._convolves else gate.view(rows, *ones, width)

    def _by_time(self, gate: Tensor, ranks: Tensor) -> Tensor:
        """(R, T, r) as this layer sees time: (R, length, r), or (rows, r) where it sees none of it."""
        rows, steps = gate.shape[:2]
        if self._view == "places" and len(ranks) % rows == 0 and ranks.shape[1] == steps:
            return gate.repeat_interleave(len(ranks) // rows, dim=0)
        if len(ranks) == rows * steps and (steps > 1 or ranks.ndim != 3):
            return gate.flatten(0, 1)
        if self._view == "words" or ranks.ndim == 2:
            return gate.mean(dim=1)
        axis = 2 if self._convolves else 1
        length = ranks.shape[axis] if ranks.ndim == 3 else 0
        if not length or length % steps:
            seen = "x".join(map(str, ranks.shape))
            raise ModelError(f"adapter: {steps} time steps do not divide a layer of shape {seen}")
        return gate.repeat_interleave(length // steps, dim=1)


@contextmanager
def worn(
    modules: Mapping[str, nn.Module], name: str, factors: tuple[Tensor, Tensor], scaling: float, trains: bool
) -> Iterator[GatedLayer]:
    """Put a LoRA around layer `name`; the very same module object is back in its place afterwards."""
    component, _, path = name.partition(".")
    parent_path, _, child = path.rpartition(".")
    root = modules[component]
    parent, original = _parent_and_child(root, parent_path, child)
    layer = _lora_layer(original, factors, scaling, trains)
    setattr(parent, child, layer)
    try:
        yield GatedLayer(layer, trains, view_of(name))
    finally:
        setattr(parent, child, original)


def _parent_and_child(root: nn.Module, parent_path: str, child: str) -> tuple[nn.Module, Any]:
    parent: Any = root
    for part in filter(None, parent_path.split(".")):
        parent = getattr(_bare(parent), part)
    return parent, getattr(parent, child)


def _bare(module: Any) -> Any:
    return module.get_base_layer() if isinstance(module, lora.LoraLayer) else module


def _lora_layer(original: Any, factors: tuple[Tensor, Tensor], scaling: float, trains: bool) -> Any:
    base, (a, b) = _bare(original), factors
    config = peft.LoraConfig(r=len(a), lora_alpha=scaling * len(a), init_lora_weights=False)
    with torch.device("meta"):  # the weights come from the adapter: draw none, allocate none
        layer = lora.dispatch_default(base, _NAME, config=config, r=len(a), lora_alpha=scaling * len(a))
    layer.base_layer = original  # which may wear another adapter already
    if not trains:
        a, b = (torch.nn.Parameter(_like(factor, base), requires_grad=False) for factor in factors)
    layer.lora_A[_NAME].weight, layer.lora_B[_NAME].weight = a, b
    layer.training = original.training
    return layer


def _like(factor: Tensor, base: Any) -> Tensor:
    """Where and in the type that the base layer computes; a quantised or 8-bit base says none: float32."""
    weight = base.weight
    computes = weight.is_floating_point() and weight.element_size() > 1
    return factor.detach().to(_device(base), weight.dtype if computes else torch.float32)


def _device(base: Any) -> Any:
    """Where it computes. A weight that is fetched for each use lies on the CPU between them (group offload),

    or on "meta" (sequential offload)."""
    fetched = getattr(getattr(base, "_diffusers_hook", None), "hooks", {}).get("group_offloading")
    if fetched is not None:
        return fetched.group.onload_device
    if base.weight.device.type != "meta":
        return base.weight.device
    device = getattr(getattr(base, "_hf_hook", None), "execution_device", None)
    if device is None:
        raise ModelError("adapter: the model's weights are not loaded, it cannot wear anything")
    return device


@contextmanager
def frozen(modules: Mapping[str, nn.Module]) -> Iterator[None]:
    """No parameter of these modules takes gradients inside the block."""
    were = [(weight, weight.requires_grad) for module in modules.values() for weight in module.parameters()]
    for weight, _ in were:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight, required in were:
            weight.requires_grad_(required)
