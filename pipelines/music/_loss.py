"""What the music network learns from: windows of songs with tokens masked, and how wrong it fills them in.

Absorbing-state discrete diffusion (Austin et al. 2021) trained as masked prediction (Sahoo et al. 2024), with
masks that follow the order of composing instead of a noise level alone. R rows, B bars, W tokens a bar.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pipelines.music import _fields as fields
from pipelines.music import _masks as masks
from pipelines.music._fields import FIELDS, METER_NAMES

# Share of rows that know nothing before them, as a piece that begins. Bars that repeat nothing are rare kinds
# of bars, sparse ones; without such rows every new piece would be made of those.
ALONE = 0.5
# Fields count by what depends on them, not by how many tokens they have.
WEIGHTS = {
    "chord": 1.0,
    "melody": 2.0,
    "voices": 2.0,
    "melody_length": 0.4,
    "voices_length": 0.5,
    "velocity": 0.3,
    "mode": 0.2,
    **dict.fromkeys(fields.PLAN[1:], 0.25),
}


def masked(
    windows: Mapping[str, Tensor], generator: torch.Generator
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor, Tensor]:
    """The network's three inputs, the truth (R, B, W), and what each token weighs (R, B, W).

    `windows`: `tokens` (R, B, W), `repeated` (R, B, W) the bars that are repeated, `lag` (R, B) how far back
    they are, `facts` (R, B, 4). What is repeated inside a window is masked as it is there.
    """
    truth, facts, lag = windows["tokens"].long(), windows["facts"].long(), windows["lag"].long()
    rows, bars, _ = truth.shape
    source = torch.arange(bars, device=truth.device) - lag
    alone = torch.rand(rows, 1, generator=generator).to(truth.device) < ALONE
    facts = facts.clone()
    facts[..., 1] *= ~(alone & (source < 0))
    hidden, weight = masks.draw(rows, bars, generator)
    hidden, weight = hidden.to(truth.device) & ~beyond(facts), weight.to(truth.device)
    unwritten = torch.from_numpy(fields.classes()).to(truth.device)
    tokens = torch.where(hidden, unwritten, truth)
    within = tokens.gather(1, source.clamp(min=0)[..., None].expand_as(tokens))
    repeated = torch.where((source >= 0)[..., None], within, windows["repeated"].long())
    return (tokens, repeated, facts), truth, weight * (hidden & counted(truth, facts))


def loss(logits: Mapping[str, Tensor], truth: Tensor, weight: Tensor) -> Tensor:
    """Weighted sum over fields of the mean cross-entropy of the tokens that count."""
    each = by_field(logits, truth, weight)
    return torch.stack([WEIGHTS[name] * value for name, value in each.items()]).sum()


def by_field(logits: Mapping[str, Tensor], truth: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Mean cross-entropy of each field over the tokens with a weight, weighted."""
    found = {}
    for name, field in FIELDS.items():
        share = weight[..., field.tokens].flatten()
        chosen = torch.nonzero(share).flatten()
        if len(chosen):
            made = logits[name].flatten(0, -2)[chosen].float()
            wanted = truth[..., field.tokens].flatten()[chosen]
            each = nn.functional.cross_entropy(made, wanted, reduction="none")
            found[name] = (each * share[chosen]).sum() / share[chosen].sum()
    return found


def beyond(facts: Tensor) -> Tensor:
    """(R, B, W) onsets that lie beyond a 6/8 bar: never written, always known to be none."""
    outside = torch.zeros(fields.WIDTH, dtype=torch.bool, device=facts.device)
    for name in ("melody", "voices"):
        cell = torch.arange(FIELDS[name].size, device=facts.device) // FIELDS[name].voices
        outside[FIELDS[name].tokens] = cell >= fields.METERS["6/8"]
    return (facts[..., 0] == METER_NAMES.index("6/8"))[..., None] & outside


def counted(truth: Tensor, facts: Tensor) -> Tensor:
    """(R, B, W) tokens that say something: no sixteenth beyond a 6/8 bar, no length without an onset."""
    says = ~beyond(facts)
    for name in ("melody", "voices"):
        says[..., FIELDS[f"{name}_length"].tokens] = truth[..., FIELDS[name].tokens] > 0
    return says
