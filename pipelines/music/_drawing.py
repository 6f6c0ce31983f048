"""How composers draw: temperature, nucleus, emphasis, and which bars a network sees at once.

Knows logits and numbers of bars; it knows no grid and no network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

WINDOW_BARS = 16  # what the networks were trained on
CONTEXT_BARS = 8  # of them known when a longer piece goes on
# Told which bars the network sees next, before it does; None: any, and unfelt.
BeforeBars = Callable[[slice | None], None]


@dataclass(frozen=True, slots=True)
class Taste:
    """How one field is drawn beside others: its share of the temperature, and of what top_p cuts off."""

    temperature: float = 1.0
    cut: float = 1.0


@dataclass(frozen=True, slots=True)
class Way:
    """How freely is drawn: `top_p` of the nucleus (Holtzman et al. 2020).

    `emphasis`: the network sees two rows, the first unfelt, and what the feeling changes counts so often
    (classifier-free guidance, Ho & Salimans 2022); None is one row.
    """

    temperature: float = 1.0
    top_p: float = 0.95
    emphasis: float | None = None

    def of(self, taste: Taste | None) -> Way:
        """This way, as a field wants it."""
        if taste is None:
            return self
        top_p = max(0.05, 1 - taste.cut * (1 - self.top_p))
        return replace(self, temperature=self.temperature * taste.temperature, top_p=top_p)

    def rows(self, parts: Sequence[Tensor], device: torch.device) -> list[Tensor]:
        """The network's inputs, each once or twice: (rows, ...)."""
        count = 1 if self.emphasis is None else 2
        return [part.to(device).expand(count, *part.shape) for part in parts]

    def felt(self, logits: Tensor) -> Tensor:
        """What the rows (rows, ...) of the network say together, on the CPU: (...)."""
        if self.emphasis is None:
            return logits[0].cpu()
        return torch.lerp(logits[0], logits[1], self.emphasis).cpu()


def gumbel(uniform: Tensor) -> Tensor:
    """Standard Gumbel noise of uniform numbers: the largest of noisy logits is a draw from them."""
    return -torch.log(-torch.log(uniform.clamp(1e-9, 1 - 1e-7)))


def nucleus(logits: Tensor, top_p: float) -> Tensor:
    """Logits (..., classes) of the likeliest classes that hold `top_p` together; all others -inf."""
    ordered, places = logits.sort(dim=-1, descending=True)
    shares = ordered.softmax(dim=-1)
    beyond = shares.cumsum(dim=-1) - shares > top_p
    return logits.masked_fill(torch.zeros_like(beyond).scatter(-1, places, beyond), -torch.inf)
