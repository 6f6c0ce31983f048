"""Feelings that are said in the prompt: requests as a model is told them, and what is kept of that.

Only for adapters of a kind that speaks (studio.ports.Wording). Knows no model and no words of its own.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, cast

from studio import catalog
from studio.emotion import VAD, EmotionCurve
from studio.ports import Adapter, Artifact, Wording
from studio.request import RenderRequest

_POINTS = 101  # of a curve, for its mean


def worded(request: RenderRequest, adapters: Sequence[Adapter]) -> RenderRequest:
    """The request with its feeling in the prompt, where an adapter that it wears speaks.

    `prompt` says the mean over time. A family that can change its prompt on the way (`PROMPT_TRAVEL`) gets a
    prompt for every key of a changing curve besides, in `told`. A title is no prompt: nothing is said in it.
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
    return dataclasses.replace(request, prompt=prompt(mean(request.curve)), told=told)


def mean(curve: EmotionCurve) -> VAD:
    """Of all moments from the start to the last key; of a curve in progress to the end."""
    if curve.is_constant:
        return curve.keys[0].emotion.vad
    points = [point.as_tuple() for point in curve.sample(_POINTS, curve.keys[-1].at)]
    return VAD.clamped(*(math.fsum(axis) / _POINTS for axis in zip(*points, strict=True)))


def noted(artifact: Artifact, asked: RenderRequest, told: RenderRequest) -> Artifact:
    """The artifact with what the model was told among its details, where that is not what was asked."""
    if {told.prompt, *told.told} == {asked.prompt} or not hasattr(artifact, "details"):
        return artifact
    details = {**artifact.details, "told": list(told.told) or told.prompt}
    kept: Artifact = dataclasses.replace(cast(Any, artifact), details=details)
    return kept


def unheard(request: RenderRequest) -> list[str]:
    """A note for each adapter that speaks to a family which takes its prompt for a title."""
    if not getattr(catalog.load("pipeline", request.pipeline), "PROMPT_IS_TITLE", False):
        return []
    kinds = catalog.names("adapter kind")
    names = [use.name for use in request.adapters if use.strength]
    found = {name: str(catalog.adapter_card(name).get("kind")) for name in names}
    why = f"says the feeling in the prompt, a title to {request.pipeline}: it has no effect"
    return [
        f"{name!r} {why}"
        for name, kind in found.items()
        if kind in kinds and hasattr(catalog.load("adapter kind", kind).Adapter, "reworded")
    ]
