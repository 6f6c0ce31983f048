"""The emotion LoRA: y = W x + strength * B (g(e) * (A x)) with g(e) = G phi(e), on any network and medium.

PEFT's own LoRA layers carry A and B; a forward hook on every `lora_A` multiplies by the row's gate. NEUTRAL
rows get gates of exactly 0, so they reproduce the base model bit for bit, and one batch may hold many
emotions. This file knows layers and gates; it knows no pipeline, no scheduler and no medium.

Shapes: R rows, T time steps, r ranks, K terms of the gate basis.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adapters import _gated_layers as gated
from adapters import _label_blocks as blocks
from adapters import _model_layers as layers
from adapters import gates, lora_files
from adapters._adapter_files import CARD, read_adapter, write_adapter
from adapters._model_layers import PRESETS, skeleton
from studio.emotion import VAD
from studio.errors import InputError, ModelError
from studio.lazy import lazy
from studio.ports import RowEmotion, SetEmotion

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.nn import Parameter
else:
    torch = lazy("torch")

KIND = "emotion_lora"


@dataclass(frozen=True, slots=True)
class Config:
    """What an adapter is. `targets`: component -> regular expression that a layer's whole name must match."""

    basis: str = "vad"
    rank: int = 16  # per block of the basis; `vad` has one block
    alpha: float = 16.0  # the LoRA's share is scaled by alpha / rank
    targets: Mapping[str, str] = field(default_factory=lambda: dict(PRESETS["standard"]))
    labels: gates.LabelKernels | None = None  # only for basis "labels"
    base_model: str = ""
    default: bool = False  # worn by `base_model` when nobody names an adapter
    strength_range: tuple[float, float] = (0.0, 1.0)  # where what is made stays what it is

    def __post_init__(self) -> None:
        gates.basis(self.basis, self.labels)  # raises on a wrong basis
        if self.rank < 1:
            raise InputError("rank", self.rank, f"must be at least 1, got {self.rank}", "16")
        if not self.alpha > 0:
            raise InputError("alpha", self.alpha, f"must be above 0, got {self.alpha}", str(self.rank))
        if not self.targets:
            raise InputError("targets", self.targets, "names no layer", "standard")


class Adapter:
    """Weights of one emotion LoRA. A model carries them only inside `applied` or `trainable`."""

    def __init__(self, config: Config, weights: Mapping[str, Tensor]) -> None:
        """`weights`: `<component>.<layer>.lora_A.weight`, `....lora_B.weight` and `....gate` (K, r)."""
        self.config = config
        self.weights: dict[str, Parameter] = {
            name: torch.nn.Parameter(tensor, requires_grad=tensor.is_floating_point())
            for name, tensor in sorted(weights.items())
        }
        self.basis = gates.basis(config.basis, config.labels)
        self.layers = tuple(name.removesuffix(".gate") for name in self.weights if name.endswith(".gate"))
        self._check_shapes()

    @classmethod
    def create(cls, modules: Mapping[str, nn.Module], config: Config, seed: int = 0) -> Adapter:
        """A fresh adapter for these modules: A drawn, B zero (no effect yet), gates of about 1 at |e| = 1."""
        basis = gates.basis(config.basis, config.labels)
        generator = torch.Generator().manual_seed(seed)
        ranks = basis.ranks(config.rank)
        weights: dict[str, Tensor] = {}
        for number, (name, layer) in enumerate(layers.matching(modules, config.targets).items()):
            shape_a, shape_b = layers.factor_shapes(tuple(layer.weight.shape), ranks)
            a = torch.empty(shape_a)
            weights[f"{name}.lora_A.weight"] = torch.nn.init.kaiming_uniform_(
                a, math.sqrt(5), generator=generator
            )
            weights[f"{name}.lora_B.weight"] = torch.zeros(shape_b)
            drawn = basis.initial_gates(config.rank, seed * 1_000_003 + number)
            weights[f"{name}.gate"] = torch.tensor(drawn, dtype=torch.float32)
        return cls(config, weights)

    @classmethod
    def load(cls, path: Path) -> Adapter:
        """Read an adapter folder. Raises ModelError when it is not one; pickles are never read."""
        card, weights = read_adapter(path, KIND)
        known = {spec.name for spec in dataclasses.fields(Config)}
        values = {name: value for name, value in card.items() if name in known}
        try:
            values["targets"] = dict(card.get("target_modules", {}))
            values["strength_range"] = tuple(card.get("strength_range", (0.0, 1.0)))
            return cls(Config(**values), weights)
        except (TypeError, ValueError, AttributeError) as error:  # a card that somebody wrote by hand
            why = f"a value in its {CARD} is of the wrong kind: {error}"
            raise ModelError(f"adapter: {str(path)!r}: {why}") from None

    def save(self, path: Path, half: bool = False) -> None:
        """Write `adapter.safetensors`, then `adapter.json`, each atomically. `half`: in float16."""
        card = dataclasses.asdict(self.config)
        card = {"kind": KIND, "target_modules": card.pop("targets"), **card, "fingerprint": self.fingerprint}
        dtype = torch.float16 if half else torch.float32
        write_adapter(path, card, {name: tensor.to(dtype) for name, tensor in self.state_dict().items()})

    def parameters(self) -> list[Parameter]:
        """Exactly A, B and the gates of every layer, in a fixed order."""
        return list(self.weights.values())

    def state_dict(self) -> dict[str, Tensor]:
        return {name: weight.detach().cpu().contiguous() for name, weight in self.weights.items()}

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        if set(tensors) != set(self.weights):
            raise ModelError("adapter: the weights name other layers than this adapter has")
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(tensors[name])

    def to(self, device: Any = None, dtype: torch.dtype | None = None) -> Adapter:
        """Move the weights in place, so that an optimizer that holds them keeps them."""
        for weight in self.weights.values():
            weight.data = weight.data.to(device=device, dtype=dtype)
        return self

    @cached_property
    def fingerprint(self) -> str:
        """Of the names and shapes of the base layers this adapter was made for."""
        return layers.fingerprint({name: self._base_shape(name) for name in self.layers})

    def applied(
        self, modules: Mapping[str, nn.Module], strength: float = 1.0
    ) -> AbstractContextManager[SetEmotion]:
        """Inside the block the modules wear the adapter, unfelt until `set_emotion`; it leaves no trace.

        Adapters nest; leave them in the opposite order. Raises ModelError for another backbone.
        """
        return self._worn(modules, strength, train=False)

    def trainable(self, modules: Mapping[str, nn.Module]) -> AbstractContextManager[SetEmotion]:
        """Like `applied`, with gradients to `parameters()` alone; the base is frozen inside the block."""
        return self._worn(modules, 1.0, train=True)

    def bake(self, emotion: VAD, strength: float = 1.0) -> dict[str, Tensor]:
        """The plain LoRA of one emotion, PEFT key names. Gates, strength and alpha are folded into `lora_B`,

        so its alpha equals its rank, which is what readers assume when a file names none."""
        gate = self._gates(_points([emotion]))[:, 0] * (strength * self._scaling)
        baked: dict[str, Tensor] = {}
        with torch.no_grad():
            for name, of_layer in zip(self.layers, gate, strict=True):
                b = self.weights[f"{name}.lora_B.weight"].float()
                baked[f"{name}.lora_A.weight"] = self.weights[f"{name}.lora_A.weight"].float().clone()
                baked[f"{name}.lora_B.weight"] = b * of_layer.view(1, -1, *[1] * (b.ndim - 2))
        return baked

    def export(
        self,
        path: Path,
        dialect: str,
        emotion: VAD,
        strength: float = 1.0,
        about: Mapping[str, Any] | None = None,
        modules: Mapping[str, nn.Module] | None = None,
        replace: bool = False,
    ) -> tuple[str, ...]:
        """Write the LoRA of one emotion as a file for other tools, see `lora_files.write`; returns notes."""
        if modules is not None:
            self._check_base(
                modules,
                {name: shape for name, shape in layers.shapes(modules).items() if name in self.layers},
            )
        baked = self.bake(emotion, strength)
        lora = {
            name: (baked[f"{name}.lora_A.weight"], baked[f"{name}.lora_B.weight"]) for name in self.layers
        }
        record = {"vad": emotion.as_tuple(), "strength": strength, "base_model": self.config.base_model}
        return lora_files.write(path, lora, dialect, {**record, **(about or {})}, modules, replace)

    @contextmanager
    def _worn(self, modules: Mapping[str, nn.Module], strength: float, train: bool) -> Iterator[SetEmotion]:
        held = {name.partition(".")[0] for name in self.layers}  # of the components that a preset names
        targets = {name: chosen for name, chosen in self.config.targets.items() if name in held}
        found = layers.matching(modules, targets)
        self._check_base(modules, {name: tuple(layer.weight.shape) for name, layer in found.items()})
        with ExitStack() as stack:
            if train:
                stack.enter_context(gated.frozen(modules))
            places = layers.places(modules, targets)
            worn = [
                (number, stack.enter_context(self._wear(modules, name, place, train)))
                for number, name in enumerate(self.layers)
                for place in places[name]
            ]
            yield self._setter(worn, strength, skip_neutral=not train)

    def _wear(
        self, modules: Mapping[str, nn.Module], name: str, place: str, train: bool
    ) -> AbstractContextManager[gated.GatedLayer]:
        """Put the weights of layer `name` on the layer at `place`."""
        a, b = self.weights[f"{name}.lora_A.weight"], self.weights[f"{name}.lora_B.weight"]
        return gated.worn(modules, place, (a, b), self._scaling, train)

    def _setter(
        self, worn: Sequence[tuple[int, gated.GatedLayer]], strength: float, skip_neutral: bool
    ) -> SetEmotion:
        def set_emotion(rows: Sequence[RowEmotion]) -> None:
            points = _points(rows)
            felt = not skip_neutral or (strength != 0 and bool(points.any()))
            # once here rather than in each hook: hooks run per layer and step
            gate = self._gates(points) * strength if felt else None
            if gate is not None and skip_neutral:
                first = worn[0][1]
                gate = gate.detach().to(first.device, first.dtype)
            for number, layer in worn:
                layer.set_gate(None if gate is None else gate[number])

        return set_emotion

    def _gates(self, points: np.ndarray) -> Tensor:
        """Gates of every layer: (R[, T], 3) -> (layers, R[, T], r), with gradient to the gate matrices."""
        stacked = torch.stack([self.weights[f"{name}.gate"].float() for name in self.layers])
        mask = torch.tensor(self.basis.mask(self.config.rank), dtype=stacked.dtype, device=stacked.device)
        phi = torch.tensor(self.basis.phi(points), dtype=stacked.dtype, device=stacked.device)
        return torch.einsum("...k,lkr->l...r", phi, stacked * mask)

    @property
    def _scaling(self) -> float:
        return self.config.alpha / self.config.rank

    def _base_shape(self, name: str) -> tuple[int, ...]:
        a, b = self.weights[f"{name}.lora_A.weight"], self.weights[f"{name}.lora_B.weight"]
        return (b.shape[0], *a.shape[1:])

    def _check_shapes(self) -> None:
        ranks = self.basis.ranks(self.config.rank)
        expected = {
            f"{name}.{part}" for name in self.layers for part in ("lora_A.weight", "lora_B.weight", "gate")
        }
        if not self.layers or set(self.weights) != expected:
            raise ModelError("adapter: every layer needs lora_A, lora_B and gate weights, and nothing else")
        for name in self.layers:
            shapes = layers.factor_shapes(self._base_shape(name), ranks)
            held = tuple(tuple(self.weights[f"{name}.{part}.weight"].shape) for part in ("lora_A", "lora_B"))
            if held != shapes or tuple(self.weights[f"{name}.gate"].shape) != (len(self.basis.terms), ranks):
                raise ModelError(f"adapter: weights of layer {name!r} do not fit rank {self.config.rank}")

    def _check_base(self, modules: Mapping[str, nn.Module], base: Mapping[str, tuple[int, ...]]) -> None:
        if layers.fingerprint(base) == self.fingerprint:
            return
        own = {name: self._base_shape(name) for name in self.layers}
        different = sorted(name for name in {*own, *base} if own.get(name) != base.get(name))[0]
        made_for, this = self.config.base_model or "another model", layers.model_name(modules)
        there, here = (layers.shape_text(shapes.get(different)) for shapes in (own, base))
        raise ModelError(
            f"adapter: made for {made_for!r} ({self.fingerprint}), it does not fit {this!r} "
            f"({layers.fingerprint(base)}): layer {different!r} is {there} there and {here} here"
        )


def label_adapter(
    files: Mapping[str, Path], kernels: gates.LabelKernels, model: str, base_model: str
) -> tuple[Adapter, dict[str, lora_files.LoraFile]]:
    """One adapter of LoRA files that were trained alone, one per label, for `model` (folder or hub id).

    With it comes what each file was. Layers of text encoders are left out: a feeling reaches a model where
    it denoises. Raises ModelError.
    """
    modules = skeleton(model)
    read = {label: lora_files.read(path, modules) for label, path in files.items()}
    found = {label: lora_files.denoising(file) for label, file in read.items()}
    weights, rank = blocks.block_weights({label: found[label].lora for label in kernels})
    targets = blocks.exactly({name for file in found.values() for name in file.lora})
    config = Config("labels", rank, float(rank), targets, dict(kernels), base_model)
    return Adapter(config, weights), found


def _points(rows: Sequence[RowEmotion]) -> np.ndarray:
    """(R, 3), or (R, T, 3) when any row has time steps; a single emotion holds for all steps."""
    lengths = {len(row) for row in rows if not isinstance(row, VAD)}
    if len(lengths) > 1:
        raise InputError(
            "emotion", sorted(lengths), f"rows have different numbers of time steps: {sorted(lengths)}"
        )
    if not lengths:
        return np.array([row.as_tuple() for row in rows if isinstance(row, VAD)])
    (steps,) = lengths
    return np.array(
        [[e.as_tuple() for e in ([row] * steps if isinstance(row, VAD) else row)] for row in rows]
    )
