"""Feelings that are said in the prompt: requests as a model is told them, and what is kept of that.

Only for adapters of a kind that speaks (studio.ports.Wording). Knows no model and no words of its own.
"""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, cast

from studio import catalog
from studio.emotion import VAD, EmotionCurve
from studio.ports import Adapter, Artifact, Wording
from studio.request import RenderRequest

_POINTS = 101  # of a curve, for its mean


def worded(request: RenderRequest, adapters: Sequence[Adapter]) -> RenderRequest:
    """The request with its feeling in the prompt, where an adapter that it wears speaks.

    `prompt` says the mean over time or, where that is too near neutral for words, the strongest key. A family
    that can change its prompt on the way (`PROMPT_TRAVEL`) gets a prompt for every key of a changing curve
    besides, in `told`; `share` says where each of them counts. A title is no prompt: nothing is said in it.
    """
    speakers = [
        (adapter, use.strength)
        for adapter, use in zip(adapters, request.adapters, strict=True)
        if isinstance(adapter, Wording)
    ]
    family = catalog.load("pipeline", request.pipeline) if speakers else None
    if family is None or getattr(family, "PROMPT_IS_TITLE", False):
        return request
    medium = request.pipeline.partition("/")[0]

    def prompt(feeling: VAD) -> str:
        text = request.prompt
        for adapter, strength in speakers:
            text = adapter.reworded(text, feeling, medium, strength)
        return text

    travels = getattr(family, "PROMPT_TRAVEL", False) and not request.curve.is_constant
    told = tuple(prompt(key.emotion.vad) for key in request.curve.keys) if travels else ()
    whole = prompt(mean(request.curve, getattr(request.params, "length_s", None)))
    if whole == request.prompt:  # feelings that cancel each other are not none
        whole = prompt(strongest(request.curve))
    return dataclasses.replace(request, prompt=whole, told=told)


def mean(curve: EmotionCurve, length_s: float | None = None) -> VAD:
    """Of all moments of what is made; of a curve in seconds without its length, to the last key."""
    if curve.is_constant:
        return curve.keys[0].emotion.vad
    points = [point.as_tuple() for point in curve.sample(_POINTS, length_s or curve.keys[-1].at)]
    return VAD.clamped(*(math.fsum(axis) / _POINTS for axis in zip(*points, strict=True)))


def strongest(curve: EmotionCurve) -> VAD:
    """The key furthest from neutral; of equals the first."""
    return max((key.emotion.vad for key in curve.keys), key=lambda point: point.intensity)


def share(curve: EmotionCurve, progress: float, length_s: float) -> tuple[int, int, float]:
    """The keys (before, after) that a moment lies between and how much of the later one it has, in [0, 1].

    For families that follow `told`: what the prompts of the two keys become is mixed by it, as the feeling
    itself is. `progress` in [0, 1]; before the first key and after the last one both are that key.
    """
    at = progress * (length_s if curve.unit == "seconds" else 1.0)
    after = bisect_right(curve.keys, at, key=lambda key: key.at)
    if after in (0, len(curve.keys)):
        index = min(after, len(curve.keys) - 1)
        return index, index, 0.0
    start, end = curve.keys[after - 1].at, curve.keys[after].at
    return after - 1, after, (at - start) / (end - start)


def noted(artifact: Artifact, asked: RenderRequest, told: RenderRequest) -> Artifact:
    """The artifact with what the model was told among its details, where that is not what was asked."""
    if {told.prompt, *told.told} == {asked.prompt} or not hasattr(artifact, "details"):
        return artifact
    details = {**artifact.details, "told": list(told.told) or told.prompt}
    kept: Artifact = dataclasses.replace(cast(Any, artifact), details=details)
    return kept


def unheard(request: RenderRequest) -> list[str]:
    """A note for each adapter that speaks to a family which takes its prompt for a title, or which can be
    told one feeling only where a curve has several."""
    family = catalog.load("pipeline", request.pipeline)
    if getattr(family, "PROMPT_IS_TITLE", False):
        why = f"says the feeling in the prompt, a title to {request.pipeline}: it has no effect"
    elif not request.curve.is_constant and not getattr(family, "PROMPT_TRAVEL", False):
        said = "says one feeling for the whole curve, its mean or, if that is near neutral, its strongest"
        why = f"{said}: the prompt of {request.pipeline} cannot change on the way"
    else:
        return []
    return [f"{name!r} {why}" for name in _speakers(request)]


def _speakers(request: RenderRequest) -> list[str]:
    """The adapters worn that say the feeling in the prompt, by name."""
    kinds = catalog.names("adapter kind")
    names = [use.name for use in request.adapters if use.strength]
    found = {name: str(catalog.adapter_card(name).get("kind")) for name in names}
    return [
        name
        for name, kind in found.items()
        if kind in kinds and hasattr(catalog.load("adapter kind", kind).Adapter, "reworded")
    ]
