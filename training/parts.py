"""The parts of a pipeline during training: one network learns, the others only prepare what is cached.

Knows where modules lie and what they recompute; knows no loss and no data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from studio.errors import InputError, ModelError

LEARNERS = ("unet", "transformer")  # what a family calls the network that learns
_SECOND = ("transformer_2",)  # where two networks share the steps: it stays beside the first
_CPU = torch.device("cpu")


class Parts:
    """The modules of a pipeline that is loaded on `device`."""

    def __init__(self, modules: Mapping[str, Any], device: torch.device) -> None:
        """Raises ModelError when none of the modules is one that learns."""
        learner = next((name for name in LEARNERS if name in modules), None)
        if learner is None:
            known = ", ".join(modules)
            raise ModelError(f"model: nothing to train: it has {known}, neither {' nor '.join(LEARNERS)}")
        self.learner: nn.Module = modules[learner]
        self.others = [
            module
            for name, module in modules.items()
            if name not in (*LEARNERS, *_SECOND) and _is_movable(module)
        ]
        self._device = device

    @contextmanager
    def training(self, gradient_checkpointing: bool) -> Iterator[None]:
        """Inside the block the others lie in the CPU's memory; the learner recomputes if asked to."""
        with ExitStack() as stack:
            if gradient_checkpointing:
                stack.enter_context(self._recomputing())
            self._move(_CPU)
            stack.callback(self._move, self._device)
            yield

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Inside `training`: all parts are on the device for a while, as `render` needs them."""
        self._move(self._device)
        try:
            yield
        finally:
            self._move(_CPU)

    def _move(self, device: torch.device) -> None:
        if self._device.type == "cpu":  # which may call itself cpu:0
            return
        for module in self.others:
            module.to(device)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()  # or the freed memory stays out of reach for others on the card

    @contextmanager
    def _recomputing(self) -> Iterator[None]:
        """Raises InputError when the learner does not do it: without effect it would only promise memory."""
        name = type(self.learner).__name__
        try:
            self.learner.enable_gradient_checkpointing()
        except (AttributeError, ValueError) as error:
            why = f"{name} cannot recompute its activations ({error})"
            raise InputError("gradient_checkpointing", True, why, "false") from None
        try:
            if not any(getattr(part, "gradient_checkpointing", False) for part in self.learner.modules()):
                raise InputError("gradient_checkpointing", True, f"has no effect on {name}", "false")
            yield
        finally:
            self.learner.disable_gradient_checkpointing()


def _is_movable(module: Any) -> bool:
    """Not what an offloading hook moves itself, nor what quantisation has fixed to its device."""
    return not (hasattr(module, "_hf_hook") or getattr(module, "is_quantized", False))
