"""Acting by rules: what portrait/performer and portrait/wan_animate share. Knows no model, no picture."""

from __future__ import annotations

from pipelines.portrait import _acting as acting
from studio.lazy import lazy
from studio.motion import Motion
from studio.ports import OnStep, SetEmotion, Step
from studio.request import RenderRequest

rules = lazy("pipelines.portrait._performer")


class RuleActor(acting.Actor):
    """No weights: the line alone says what the face does."""

    def act(
        self, line: acting.Line, request: RenderRequest, set_emotion: SetEmotion, on_step: OnStep
    ) -> Motion:
        """Deterministic in the request's seed."""
        motion: Motion = rules.perform(line.speech, line.moods, request.seed, line.units)
        on_step(Step(1, 1))
        return motion
