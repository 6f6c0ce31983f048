"""A codebook that learns by moving averages: each slice of a MusER latent has its own.

Van den Oord et al. 2017, appendix A.1, with codes that nobody uses moved to where they are needed most.
Knows vectors; it knows no music.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

DECAY = 0.99
SMOOTHING = 1e-5
UNUSED = 0.02  # share of an even use below which a code counts as dead
PATIENCE = 50  # updates between two revivals, so that a new code can gather followers


class Quantised(NamedTuple):
    """`vectors` (N, D) with the gradient of the input, `codes` (N,), `commitment` a scalar to minimise."""

    vectors: Tensor
    codes: Tensor
    commitment: Tensor


class Codebook(nn.Module):
    """`size` vectors of `width` numbers. In training mode every call moves them towards what they mean."""

    vectors: Tensor
    sizes: Tensor
    sums: Tensor
    updates: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.randn(size, width))
        self.register_buffer("sizes", torch.ones(size))
        self.register_buffer("sums", self.vectors.clone())
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor) -> Quantised:
        """`x` (N, D) float32."""
        if self.training and self.updates == 0:
            self._begin(x.detach())
        codes = self.nearest(x.detach())
        if self.training:
            self._follow(x.detach(), codes)
        found = self.vectors[codes]
        commitment = (x - found).square().mean()
        return Quantised(x + (found - x).detach(), codes, commitment)

    def nearest(self, x: Tensor) -> Tensor:
        """(N, D) -> (N,) code of the nearest vector, in full precision: codes are made again at any time."""
        with torch.autocast(x.device.type, enabled=False):
            distance = self.vectors.square().sum(-1) - 2 * x @ self.vectors.T
        return distance.argmin(-1)

    def _begin(self, x: Tensor) -> None:
        """Vectors spread over the first batch."""
        chosen = torch.linspace(0, len(x) - 1, len(self.vectors)).long()
        apart = 1e-3 * torch.linspace(-1, 1, len(self.vectors))[:, None]  # a batch may hold one thing twice
        self.vectors.copy_(x[chosen] + apart)
        self.sizes.fill_(len(x) / len(self.vectors))
        self.sums.copy_(self.vectors * self.sizes[:, None])

    def _follow(self, x: Tensor, codes: Tensor) -> None:
        count = torch.bincount(codes, minlength=len(self.vectors)).to(x.dtype)
        total = torch.zeros_like(self.sums).index_add_(0, codes, x)
        share = 1 - min(
            DECAY, (1 + int(self.updates)) / (10 + int(self.updates))
        )  # at first they follow faster
        self.sizes.lerp_(count, share)
        self.sums.lerp_(total, share)
        whole = self.sizes.sum()
        smooth = (self.sizes + SMOOTHING) / (whole + len(self.sizes) * SMOOTHING) * whole
        self.vectors.copy_(self.sums / smooth[:, None])
        self.updates += 1
        if self.updates % PATIENCE == 0:
            self._revive(x, codes)

    def _revive(self, x: Tensor, codes: Tensor) -> None:
        """Dead codes take over, one by one, the input that all codes so far describe worst."""
        even = self.sizes.sum() / len(self.sizes)
        error = (x - self.vectors[codes]).square().sum(-1)
        for dead in torch.nonzero(self.sizes < UNUSED * even).flatten():
            chosen = x[error.argmax()]
            error = torch.minimum(error, (x - chosen).square().sum(-1))
            self.vectors[dead] = chosen
            self.sizes[dead] = even
            self.sums[dead] = chosen * even
