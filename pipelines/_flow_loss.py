"""The straight path from what is learnt to noise, in training: where rows stand on it, how wrong they are.

x_s = (1 - s) x + s n; the network names the velocity n - x (Esser et al. 2024, arXiv 2403.03206). Knows
tensors of any shape, rows first; knows no network and no medium.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.errors import InputError
from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")

training_utils = lazy("diffusers.training_utils")


def drawn_sigmas(rows: int, shift: float, generator: torch.Generator) -> Tensor:
    """(R,) noise shares: logit-normal, then shifted as the sampler shifts its own."""
    drawn: Tensor = training_utils.compute_density_for_timestep_sampling(
        "logit_normal", rows, logit_mean=0.0, logit_std=1.0, generator=generator
    )
    return drawn / (drawn + (1 - drawn) / shift)


def noised(clean: Tensor, noise: Tensor, sigmas: Tensor) -> Tensor:
    """Rows of `clean` at their `sigmas` (R,)."""
    share = sigmas.view(-1, *[1] * (clean.ndim - 1))
    return (1 - share) * clean + share * noise


def squared_error(found: tuple[Tensor, Tensor, Any], snr_gamma: float | None) -> Tensor:
    """Scalar mean of a prediction (made, wanted, times). InputError for `snr_gamma`: no such weight here."""
    if snr_gamma is not None:
        why = f"flow matching has no min-SNR weight, got {snr_gamma}; leave it out for this family"
        raise InputError("snr_gamma", snr_gamma, why)
    made, wanted, _ = found
    return torch.nn.functional.mse_loss(made.float(), wanted.float())
