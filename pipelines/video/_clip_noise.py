"""The noise that clips are made of: how much of it frames have in common. Knows no model.

Noise of their own for every frame is what most motion adapters learnt. Less of it leaves less to be mended by
a small model: a part that all frames have, and a part that each carries over from the one before (mixed and
progressive noise, Ge et al. 2023, "Preserve Your Own Correlation", arXiv 2305.10474).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.image import _rows as rows
from studio.lazy import lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")


_DAMPING = 0.01  # of the noise: without it trembling from frame to frame would outweigh all motion


@dataclass(frozen=True, slots=True)
class ClipNoise:
    """Frames i and j of a clip correlate by share + (1 - share) * carried^|i - j|; both in [0, 1)."""

    share: float = 0.0
    carried: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.share < 1 and 0 <= self.carried < 1):
            raise ValueError(f"noise_share and noise_carried must be in [0, 1), got {self}")

    def of_seeds(self, seeds: Sequence[int], shape: tuple[int, ...]) -> tuple[Tensor, list[torch.Generator]]:
        """(R, T, C, h, w) of unit variance, each row from its own seed, and the generators for noise added

        later. `shape`: of a row; always drawn on the CPU."""
        own, generators = rows.row_noise(seeds, shape)
        if not self.share:
            return self._carried(own), generators
        common = [torch.randn((1, *shape[1:]), generator=generator) for generator in generators]
        return self._mixed(own, torch.stack(common)), generators

    def drawn(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        """(R, T, ...) of unit variance, for training."""
        own = torch.randn(tuple(shape), generator=generator)
        if not self.share:
            return self._carried(own)
        return self._mixed(own, torch.randn((shape[0], 1, *shape[2:]), generator=generator))

    def missed(self, error: Tensor) -> Tensor:
        """(R,): half the mean square of `error` (R, T, ...), half its square in units of the noise.

        What frames have in common of the noise hides little of how they differ: there a small error is large.
        The mean square alone sees what all frames miss alike, in which motion can mend nothing.
        """
        rows = error.flatten(2)
        apart = torch.einsum("ris,rjs,ij->r", rows, rows, self._precision(rows)) / rows[0].numel()
        return (rows.square().mean(dim=(1, 2)) + apart) / 2

    def _precision(self, rows: Tensor) -> Tensor:
        """(T, T): the inverse of how frames' noise varies together, damped; the identity if it does not."""
        count = rows.shape[1]
        places = torch.arange(count)
        apart = (places[:, None] - places).abs()
        carried = torch.eye(count) if not self.carried else self.carried**apart
        together = self.share + (1 - self.share) * carried
        damped = (together + _DAMPING * torch.eye(count)) / (1 + _DAMPING)
        return torch.linalg.inv(damped.double()).to(rows)

    def _mixed(self, own: Tensor, common: Tensor) -> Tensor:
        return self.share**0.5 * common + (1 - self.share) ** 0.5 * self._carried(own)

    def _carried(self, own: Tensor) -> Tensor:
        if not self.carried:
            return own
        frames, fresh = [own[:, 0]], (1 - self.carried**2) ** 0.5
        for frame in own[:, 1:].unbind(1):
            frames.append(self.carried * frames[-1] + fresh * frame)
        return torch.stack(frames, dim=1)
