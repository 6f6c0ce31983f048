"""The page's form as one value: into requests, and back from the request that made a picture.

`RenderRequest.parse` does every check; here only the form's own conveniences (how many, a new seed each time,
one strength for all adapters) become plain fields. Knows nothing of gradio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from studio import catalog
from studio.artifacts import read_provenance
from studio.errors import StudioError
from studio.params import ParamSpec, check
from studio.request import MAX_SEED, AdapterUse, RenderRequest, parse_adapters

OWN, BARE = "own", "none"  # adapter choices that are no adapter's name
COUNT = ParamSpec("count", int, 1, "how many to make of it", min=1, max=16)
STRENGTH = ParamSpec(
    "strength", float, 1.0, "of the emotion; 0 is none, 1 as trained", min=-2, max=2, step=0.05
)


@dataclass(frozen=True, slots=True)
class Form:
    """What a person filled in. `adapter`: OWN, BARE, a name, or `name:strength, name:strength`; `strength`
    multiplies all of them."""

    prompt: str
    negative_prompt: str
    emotion: str
    pipeline: str
    model: str
    adapter: str = OWN
    strength: float = 1.0
    count: int = 1
    seed: int | str | None = None  # None: a new one
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)  # input name -> file

    def requests(self) -> list[RenderRequest]:
        """One request per picture or piece; the seeds count upwards. Raises StudioError."""
        count, strength = check(COUNT, self.count), check(STRENGTH, self.strength)
        parsed = RenderRequest.parse(self._values())
        uses = tuple(AdapterUse(use.name, round(use.strength * strength, 4)) for use in parsed.adapters)
        seeds = ((parsed.seed + index) % (MAX_SEED + 1) for index in range(count))
        return [replace(parsed, adapters=uses, seed=seed) for seed in seeds]

    def _values(self) -> dict[str, Any]:
        return {
            **self.params,
            "pipeline": self.pipeline,
            "model": self.model,
            "prompt": self.prompt,
            "negative_prompt": self.negative_prompt,
            "emotion": self.emotion,
            "seed": self.seed,
            "adapters": None if self.adapter.strip() in {"", OWN} else self.adapter,
            "inputs": self.inputs,
        }


def form_of(values: Mapping[str, Any]) -> Form:
    """The form that asks for the same picture again. StudioError where that cannot be done here."""
    request = RenderRequest.parse(values)
    usual = catalog.default_adapters(request.model, request.pipeline)
    adapter, strength = _adapter_choice(usual, request.adapters)
    known = {spec.name for spec in catalog.param_specs(request.pipeline)}
    return Form(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        emotion=request.curve.text,
        pipeline=request.pipeline,
        model=request.model,
        adapter=adapter,
        strength=strength,
        seed=request.seed,
        params={name: value for name, value in request.to_dict().items() if name in known},
        inputs=dict(request.inputs),
    )


def form_of_file(path: str | Path) -> Form:
    """The form that made a picture, from the record inside it. Raises StorageError when there is none."""
    return form_of(read_provenance(path)["request"])


def strength_span(model: str, adapter: str, pipeline: str = catalog.DEFAULT_PIPELINE) -> tuple[float, float]:
    """Where the adapters that a form names were found to work, as one span for all of them.

    STRENGTH's own span where there is none, or the text is no adapter (yet).
    """
    widest = (STRENGTH.min or 0.0, STRENGTH.max or 1.0)
    try:
        own = adapter.strip() in {"", OWN}
        usual = catalog.default_adapters(model, pipeline)
        names = usual if own else tuple(use.name for use in parse_adapters(adapter))
        found = [catalog.adapter_card(name).get("strength_range", widest) for name in names]
    except StudioError:
        return widest
    low = max(widest[0], min((low for low, _ in found), default=widest[0]))
    high = min(widest[1], max((high for _, high in found), default=widest[1]))
    return (low, high) if low < high else widest


def _adapter_choice(usual: Sequence[str], uses: Sequence[AdapterUse]) -> tuple[str, float]:
    strengths = {use.strength for use in uses}
    if not uses:
        return (BARE if usual else OWN), 1.0
    if len(strengths) == 1 and tuple(use.name for use in uses) == tuple(usual):
        return OWN, uses[0].strength
    if len(uses) == 1:
        return uses[0].name, uses[0].strength
    return ", ".join(use.text for use in uses), 1.0
