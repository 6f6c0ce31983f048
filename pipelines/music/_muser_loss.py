"""What the networks of `music/muser` learn from: reconstruction, ordered slices, independent slices, codes.

No softmax temperature anywhere; pairs of half bars are compared by broadcasting. Shapes as in _muser_network.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from pipelines.music import _fields as fields
from pipelines.music import _muser_features as features
from pipelines.music._fields import FIELDS, NO_LENGTH, PITCHES
from pipelines.music._muser_features import ATTRIBUTES, HALVES, SLICES
from pipelines.music._muser_network import MOST_ADDED, OF_BARS, SIZES, Latents, MuserCodec, slices_of

COMMITMENT = 0.25  # van den Oord et al. 2017
ORDER = 2.0
INDEPENDENCE = 2.0
FRAME_WEIGHTS = {
    "melody_begins": 4.0,
    "counts": 6.0,
    "chord": 1.5,
    "melody_length": 0.5,
    "voices_length": 0.5,
    "velocity": 0.5,
    "tempo": 0.3,
    "mode": 0.3,
    "loudness": 0.3,
    "register": 0.3,
    "melody_register": 0.3,
}
PITCH_WEIGHTS = {"melody": 2.0, "voices": 2.0}
PAIRS_OF = 256  # half bars of a batch that are compared with each other


def frame_truth(tokens: Tensor) -> dict[str, Tensor]:
    """What the frame decoders should write, (R, B, H, moments); -1 where it does not count."""
    half = features.Half(tokens)
    shape = (*tokens.shape[:-1], HALVES)
    begins, moments = half.melody > 0, half.counts > 0

    def cells(name: str) -> Tensor:
        return features.tokens_of(tokens, name).reshape(*shape, -1)

    def said(name: str) -> Tensor:
        lengths = cells(name)
        return torch.where(lengths == NO_LENGTH, -1, lengths)

    six = features.tokens_of(tokens, "mode").shape  # (R, B, 1)
    added = half.counts.sum(-1) - moments.sum(-1)
    return {
        "melody_moments": begins.sum(-1, keepdim=True),
        "voices_moments": moments.sum(-1, keepdim=True),
        "added": added.clamp(max=MOST_ADDED)[..., None],
        "melody_begins": begins.long(),
        "counts": half.counts,
        "melody_length": said("melody_length"),
        "voices_length": said("voices_length"),
        "chord": half.chord[..., None],
        "velocity": cells("velocity"),
        **{name: features.tokens_of(tokens, name).view(*six, 1) for name in OF_BARS},
    }


def frame_losses(logits: Mapping[str, Tensor], truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Mean cross-entropy of each of them."""
    return {
        name: nn.functional.cross_entropy(
            logits[name].float().flatten(0, -2), wanted.flatten(), ignore_index=-1
        )
        for name, wanted in truth.items()
    }


def order_loss(read: Mapping[str, Tensor], attributes: Mapping[str, Tensor]) -> Tensor:
    """Pati & Lerch 2019: of all pairs of half bars the one with more of an attribute lies higher.

    Mean over attributes of |tanh(d_i - d_j) - sign(a_i - a_j)|; both (N,), NaN where nothing was measured.
    """
    found = []
    for name, values in read.items():
        truth = attributes[name]
        d, a = values[truth.isfinite()], truth[truth.isfinite()]
        if len(a) > 1:
            wanted = (a[:, None] - a[None]).sign()
            found.append((torch.tanh(d[:, None] - d[None]) - wanted).abs().mean())
    return torch.stack(found).mean()


def independence_loss(latents: Latents, attributes: Mapping[str, Tensor]) -> Tensor:
    """How much of the other elements' attributes the slices of each element tell: mean squared correlation.

    `latents` (N, D) a slice. What an element's own attributes tell of the others is music's own bond and left
    out of it. Half bars where something cannot be measured are left out.
    """
    every = torch.stack(list(attributes.values()), -1)
    known = every.isfinite().all(-1)
    if int(known.sum()) < 4 * every.shape[-1]:
        return every.new_zeros(())
    values = _standard(every[known])
    names, found = list(attributes), []
    for element, own_names in ATTRIBUTES.items():
        own = [names.index(name) for name in own_names]
        others = [i for i in range(len(names)) if i not in own]
        bond = torch.linalg.qr(values[:, own]).Q
        rest = _standard(values[:, others] - bond @ (bond.T @ values[:, others]))
        whole = torch.cat([latents[name][known] for name in slices_of(element)], -1)
        found.append((_standard(whole).T @ rest / len(rest)).square().mean())
    return torch.stack(found).mean() * len(found)


def _standard(values: Tensor) -> Tensor:
    centred = values - values.mean(0)
    return centred / centred.square().mean(0).add(1e-4).sqrt()


def hidden_pitches(tokens: Tensor, generator: torch.Generator) -> Tensor:
    """(R, B, WIDTH) pitches to be written: a state that decoding passes through, a third of the rows with

    bars known before it. The melody is there before the accompaniment; of either some onsets may be."""
    rows, bars, _ = tokens.shape
    draw = torch.rand(rows, 4, generator=generator)
    onsets = torch.rand(rows, bars, fields.WIDTH, generator=generator)
    hidden = torch.zeros(rows, bars, fields.WIDTH, dtype=torch.bool)
    melody, voices = FIELDS["melody"].tokens, FIELDS["voices"].tokens
    share = torch.cos(draw[:, 1] * torch.pi / 2)[:, None, None]
    share = torch.where(draw[:, 2, None, None] < 0.25, 1.0, share)  # the first step of each is the hardest
    first = (draw[:, 0] < 0.4)[:, None, None]
    hidden[..., melody] = first & (onsets[..., melody] < share)
    hidden[..., voices] = first | (onsets[..., voices] < share)
    known = torch.arange(bars)[None] < (draw[:, 3, None] * 3 - 2) * bars
    return hidden & ~known[..., None] & (tokens > 0)


def pitch_losses(logits: Mapping[str, Tensor], tokens: Tensor, hidden: Tensor) -> dict[str, Tensor]:
    """Mean cross-entropy of the hidden pitches; an onset is known to have one."""
    found = {}
    for name, made in logits.items():
        place = FIELDS[name].tokens
        chosen = torch.nonzero(hidden[..., place].flatten()).flatten()
        if len(chosen):
            picked = made.flatten(0, -2)[chosen].float()[:, 1:]
            found[name] = nn.functional.cross_entropy(picked, tokens[..., place].flatten()[chosen] - 1)
    return found


def codec_losses(
    codec: MuserCodec, tokens: Tensor, meter: Tensor, generator: torch.Generator
) -> dict[str, Tensor]:
    """Every loss of the autoencoder by name, unweighted. `tokens` (R, B, WIDTH), `meter` (R, B)."""
    encoded = codec.encode(tokens)
    latents, _, commitment = codec.quantise(encoded)
    states = codec.states(latents, meter)
    found = frame_losses(codec.frame(states), frame_truth(tokens))
    hidden = hidden_pitches(tokens, generator)
    written = torch.where(hidden, PITCHES, tokens)
    written[..., FIELDS["chord"].tokens] = tokens[..., FIELDS["chord"].tokens]
    found |= pitch_losses(codec.pitch(states["pitch"], written), tokens, hidden)
    flat = {name: latents[name].flatten(0, -2).float() for name in SLICES}
    attributes = {name: values.flatten() for name, values in features.attributes(tokens).items()}
    some = torch.randperm(len(attributes["notes"]), generator=generator)[:PAIRS_OF]
    read = {name: values.flatten()[some] for name, values in codec.ordered(latents).items()}
    found["order"] = order_loss(read, {name: values[some] for name, values in attributes.items()})
    found["independence"] = independence_loss(flat, attributes)
    found["commitment"] = commitment
    return found


def total(losses: Mapping[str, Tensor]) -> Tensor:
    weights = {**FRAME_WEIGHTS, **PITCH_WEIGHTS}
    weights |= {"order": ORDER, "independence": INDEPENDENCE, "commitment": COMMITMENT}
    return torch.stack([weights.get(name, 0.5) * value for name, value in losses.items()]).sum()


def masked_codes(
    codes: Tensor, repeated: Tensor, lag: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """What the prior is given, and which codes (R, B, H, S) it must fill in.

    `repeated`: the codes of the bars that are repeated; inside the window they are masked as they are there.
    """
    rows, bars = codes.shape[:2]
    hidden = _hidden_codes(rows, bars, generator)
    given = torch.where(hidden, torch.tensor(list(SIZES.values())), codes)
    source = torch.arange(bars) - lag
    index = source.clamp(min=0)[..., None, None].expand_as(codes)
    within = given.gather(1, index)
    seen = torch.where((source >= 0)[..., None, None], within, repeated)
    return given, seen, hidden


def _hidden_codes(rows: int, bars: int, generator: torch.Generator) -> Tensor:
    """Half of the rows stand inside one slice, with all before it known and none after it; the others hold

    any mixture, as locked and exchanged elements make them. Half of the rows know their first bars."""
    count = len(SLICES)
    slice_now = torch.randint(count, (rows, 1), generator=generator)
    share = torch.rand(rows, count, generator=generator)
    staged = torch.rand(rows, 1, generator=generator) < 0.6
    order = torch.arange(count)
    inside = torch.where(order == slice_now, share, (order > slice_now).float())
    mixture = torch.where(torch.rand(rows, count, generator=generator) < 0.3, 1.0, share)
    chance = torch.where(staged, inside, mixture)[:, None, None, :]
    hidden = torch.rand(rows, bars, HALVES, count, generator=generator) < chance
    draw = torch.rand(rows, 1, generator=generator) * 2 - 1
    known = torch.arange(bars)[None] < draw * bars
    return hidden & ~known[..., None, None]


def prior_losses(logits: Mapping[str, Tensor], codes: Tensor, hidden: Tensor) -> dict[str, Tensor]:
    """Mean cross-entropy of the hidden codes of each slice."""
    found = {}
    for index, (name, made) in enumerate(logits.items()):
        chosen = hidden[..., index]
        if chosen.any():
            found[name] = nn.functional.cross_entropy(made[chosen].float(), codes[..., index][chosen])
    return found
