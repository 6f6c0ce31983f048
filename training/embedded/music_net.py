"""The network of the embedded music model `music-tiny`: masked tokens of bar grids filled in.

Absorbing-state discrete diffusion (Austin et al. 2021) trained as masked prediction (Sahoo et al. 2024),
with masks that follow the order of composing instead of a noise level alone.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from pipelines.music import _fields as fields
from pipelines.music._fields import FIELDS
from pipelines.music._network import MusicTransformer
from training.embedded import _music_masks as masks
from training.embedded._fit import Fit, Plan
from training.embedded.music_set import METERS, Songs

BATCH = 32
BARS = 16
SHORT = 8  # bars of one batch in five, so that short pieces are known too
RARE_METER = 3.0  # how much oftener than its share 6/8 is seen
PLAN = Plan(steps=5600, learning_rate=2e-3, warmup_steps=150, weight_decay=0.02, ema=0.999)
# Fields count by what depends on them, not by how many tokens they have.
WEIGHTS = (
    {"chord": 1.0, "melody": 2.0, "voices": 2.0, "melody_length": 0.4, "voices_length": 0.5}
    | {
        "velocity": 0.3,
        "mode": 0.2,
    }
    | dict.fromkeys(fields.PLAN[1:], 0.15)
)


def new(seed: int) -> MusicTransformer:
    torch.manual_seed(seed)
    return MusicTransformer(channels=256, layers=6, heads=4, dropout=0.1)


def windows(songs: Songs, bars: int) -> tuple[Tensor, Tensor]:
    """First bars of all windows of `bars` bars, and how often each should be seen."""
    first = torch.nonzero(songs.left >= bars).flatten()
    rare = songs.bars[first, 0] == METERS.index("6/8")
    return first, torch.where(rare, RARE_METER, 1.0)


def masked_batch(
    songs: Songs, first: Tensor, bars: int, masked: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the network is given and what it should write.

    `first` (R,), `masked` (R, bars, W); returns tokens, repeated bars, bar facts, truth.
    """
    index = first[:, None] + torch.arange(bars)
    truth = songs.tokens[index].long()
    facts = songs.bars[index].long()
    unwritten = torch.from_numpy(fields.classes())
    tokens = torch.where(masked & ~beyond(facts), unwritten, truth)
    source = index - songs.lag[index]
    inside = source >= first[:, None]
    place = (source - first[:, None]).clamp(min=0)
    within = tokens.gather(1, place[..., None].expand_as(tokens))
    repeated = torch.where(inside[..., None], within, songs.tokens[source].long())
    return tokens, repeated, facts, truth


def losses(logits: dict[str, Tensor], truth: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Mean cross-entropy of each field over tokens with a weight, weighted."""
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


def beyond(bars: Tensor) -> Tensor:
    """(R, B, W) onsets that lie beyond a 6/8 bar: never written, always known to be none."""
    outside = torch.zeros(fields.WIDTH, dtype=torch.bool)
    for name in ("melody", "voices"):
        cell = torch.arange(FIELDS[name].size) // FIELDS[name].voices
        outside[FIELDS[name].tokens] = cell >= fields.METERS["6/8"]
    return (bars[..., 0] == METERS.index("6/8"))[..., None] & outside


def counted(truth: Tensor, bars: Tensor) -> Tensor:
    """(R, B, W) tokens that say something: no sixteenth beyond a 6/8 bar, no length without an onset."""
    says = ~beyond(bars)
    for name in ("melody", "voices"):
        says[..., FIELDS[f"{name}_length"].tokens] = truth[..., FIELDS[name].tokens] > 0
    return says


def train(net: MusicTransformer, songs: Songs, folder: Path, seed: int) -> None:
    choices = {bars: windows(songs, bars) for bars in (BARS, SHORT)}

    def loss_of(_step: int, generator: torch.Generator) -> Tensor:
        bars = SHORT if torch.rand((), generator=generator) < 0.2 else BARS
        starts, often = choices[bars]
        rows = BATCH * BARS // bars
        first = starts[torch.multinomial(often, rows, generator=generator)]
        masked, weight = masks.draw(rows, bars, generator)
        tokens, repeated, facts, truth = masked_batch(songs, first, bars, masked)
        net.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(tokens, repeated, facts)
        each = losses(logits, truth, weight * (masked & counted(truth, facts)))
        return torch.stack([WEIGHTS[name] * value for name, value in each.items()]).sum()

    Fit(net, PLAN, folder, seed).run(loss_of, "music network")
