"""A portrait that talks, acted by rules: `portrait/performer`.

No model: visemes with coarticulation, action units, blinks and nods from published tables. What the motion
model learnt from, and what it is measured against.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.portrait import _acting as acting
from pipelines.portrait import _filming as filming
from pipelines.portrait._rule_acting import RuleActor
from studio.request import RenderRequest

DEFAULT_MODEL = "performer"
CLASSES = ("RulePerformer",)  # what model_index.json calls it
INPUTS = ("image", "audio")
PROMPT_IS_TITLE = True
# What a page asks for: studio.ports.Spoken.
timeline, voices, faces = acting.timeline, acting.voices, filming.faces
WITHOUT_ADAPTER = ""  # the feeling needs none


@dataclass(frozen=True)
class Params(filming.FilmParams, acting.LineParams):
    """What a person chooses."""


def check(request: RenderRequest) -> None:
    """Raise InputError where fields and inputs do not fit each other."""
    acting.check(request)


class Pipeline(RuleActor, filming.Filming):
    """The rules, with a camera before them."""

    @classmethod
    def load(cls, model: str, device: str = "cpu", dtype: str = "auto", memory: str = "auto") -> Pipeline:
        """There is nothing to load."""
        return cls()

    @classmethod
    def tiny(cls, seed: int) -> Pipeline:
        return cls()

    @property
    def modules(self) -> Mapping[str, Any]:
        """Nothing that an adapter could touch."""
        return {}
