"""What every pipeline must do, checked on its real classes at toy size."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from studio import catalog, params
from studio.emotion import NEUTRAL, VAD, EmotionCurve, parse_curve
from studio.errors import Cancelled, InputError
from studio.ports import OnStep, SetEmotion, Step
from studio.request import RenderRequest

# diffusers 0.42 hands tensors to numpy 2 in the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROUNDING = 2  # of 255: how far a row may move in another batch
HAPPY, AFRAID = VAD(0.8, 0.5, 0.3), VAD(-0.7, 0.7, -0.5)
PICTURES = [name for name in catalog.names("pipeline") if name.startswith("image/")]


def unfelt(_rows: Any) -> None:
    pass


def unwatched(_step: Step) -> None:
    pass


@dataclass
class Stage:
    """A pipeline at toy size and short ways to ask it for arrays."""

    name: str
    pipeline: Any
    settings: Any

    def request(self, curve: VAD | EmotionCurve = NEUTRAL, seed: int = 1, **changes: Any) -> RenderRequest:
        curve = curve if isinstance(curve, EmotionCurve) else EmotionCurve.constant(curve)
        fields = {"prompt": "a harbour at dusk", "negative_prompt": "", **changes}
        chosen = {
            name: fields.pop(name) for name in list(fields) if name not in ("prompt", "negative_prompt")
        }
        settings = dataclasses.replace(self.settings, **chosen)
        return RenderRequest(
            self.name, "tiny", curve=curve, seed=seed, adapters=(), params=settings, **fields
        )

    def render(
        self, *requests: RenderRequest, feel: SetEmotion = unfelt, watch: OnStep = unwatched
    ) -> list[np.ndarray]:
        artifacts = self.pipeline.render(requests, feel, watch)
        return [np.asarray(artifact.image).astype(int) for artifact in artifacts]


@pytest.fixture(scope="module", params=PICTURES)
def stage(request: pytest.FixtureRequest) -> Stage:
    module = catalog.load("pipeline", request.param)
    return Stage(request.param, module.Pipeline.tiny(0), params.build(module.Params, {"steps": 4}))


@pytest.fixture
def feel(stage: Stage) -> Iterator[SetEmotion]:
    """A random, strong adapter worn by the pipeline."""
    import torch

    module = catalog.load("adapter kind", "emotion_lora")
    component = "unet" if "unet" in stage.pipeline.modules else "transformer"
    targets = {component: r".*(to_k|to_v|time_emb_proj)"}
    adapter = module.Adapter.create(stage.pipeline.modules, module.Config(targets=targets))
    generator = torch.Generator().manual_seed(0)
    for name, weight in adapter.weights.items():
        if name.endswith("lora_B.weight"):
            weight.data.normal_(0, 0.3, generator=generator)
    with adapter.applied(stage.pipeline.modules) as set_emotion:
        yield set_emotion


def moved(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one - other).max())


def test_the_same_request_gives_the_same_picture(stage: Stage) -> None:
    first, again = (stage.render(stage.request())[0] for _ in range(2))
    assert np.array_equal(first, again)
    assert first.std() > 1, "a flat picture would pass every comparison"


def test_a_row_is_the_same_alone_and_among_others(stage: Stage, feel: SetEmotion) -> None:
    requests = [
        stage.request(HAPPY, seed=3, prompt="a forest"),
        stage.request(AFRAID, seed=7, negative_prompt="blue"),
        stage.request(NEUTRAL, seed=7, prompt="an old lighthouse on a cliff"),
    ]
    together = stage.render(*requests, feel=feel)
    for request, picture in zip(requests, together, strict=True):
        assert moved(stage.render(request, feel=feel)[0], picture) <= ROUNDING


def test_neutral_with_an_adapter_is_no_adapter(stage: Stage, feel: SetEmotion) -> None:
    worn = stage.render(stage.request(), feel=feel)[0]
    among_others = stage.render(stage.request(), stage.request(HAPPY), feel=feel)[0]
    feel([NEUTRAL])
    bare, bare_pair = stage.render(stage.request())[0], stage.render(stage.request(), stage.request())[0]
    assert np.array_equal(worn, bare)
    assert np.array_equal(among_others, bare_pair)


def test_the_emotion_moves_the_picture(stage: Stage, feel: SetEmotion) -> None:
    neutral, happy, afraid = stage.render(*(stage.request(e) for e in (NEUTRAL, HAPPY, AFRAID)), feel=feel)
    assert moved(happy, neutral) > 20
    assert moved(afraid, happy) > 20


def test_a_curve_is_not_its_first_or_last_emotion(stage: Stage, feel: SetEmotion) -> None:
    curve = parse_curve("v=0.8 a=0.5 d=0.3@0, v=-0.7 a=0.7 d=-0.5@100%")
    turning, happy, afraid = stage.render(*(stage.request(e) for e in (curve, HAPPY, AFRAID)), feel=feel)
    assert moved(turning, happy) > ROUNDING
    assert moved(turning, afraid) > ROUNDING


def test_a_curve_sets_every_step_and_keeps_unguided_rows_neutral(stage: Stage) -> None:
    seen: list[list[Any]] = []
    curve = parse_curve("v=-1@0, v=1@100%")
    stage.render(stage.request(curve, guidance=4.0), stage.request(HAPPY, guidance=4.0), feel=seen.append)
    assert [rows[-2].valence for rows in seen] == pytest.approx([-1, -1 / 3, 1 / 3, 1])
    assert all(rows[:-2] in ([], [NEUTRAL, NEUTRAL]) and rows[-1] == HAPPY for rows in seen)


def test_a_constant_sets_its_emotion_once(stage: Stage) -> None:
    seen: list[list[Any]] = []
    stage.render(stage.request(HAPPY, guidance=1.0), feel=seen.append)
    assert seen == [[HAPPY]]


def test_progress_climbs_to_the_end_with_previews(stage: Stage) -> None:
    steps: list[tuple[int, int]] = []
    previews: list[list[Any]] = []

    def watch(step: Step) -> None:
        steps.append((step.done, step.total))
        assert step.preview is not None
        previews.append(step.preview())

    pictures = stage.render(stage.request(), stage.request(seed=2), watch=watch)
    total = steps[-1][1]
    assert steps == [(done, total) for done in range(1, total + 1)]
    assert all(len(rows) == 2 for rows in previews)
    assert moved(np.asarray(previews[-1][0]).astype(int), pictures[0]) <= 16, (
        "the last preview is nearly the picture"
    )


def test_cancel_stops_within_a_step_and_leaves_no_trace(stage: Stage) -> None:
    before = stage.render(stage.request())[0]
    calls: list[int] = []

    def cancel_at_second(step: Step) -> None:
        calls.append(step.done)
        if step.done == 2:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        stage.render(stage.request(seed=9), watch=cancel_at_second)
    assert calls == [1, 2]
    assert np.array_equal(stage.render(stage.request())[0], before)


@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"prompt": "a red fox"}, {"negative_prompt": "fog"}, {"steps": 6}, {"guidance": 9.0}],
)
def test_what_a_person_sets_changes_the_picture(stage: Stage, change: dict[str, Any]) -> None:
    assert moved(stage.render(stage.request())[0], stage.render(stage.request(**change))[0]) > ROUNDING


def test_a_chosen_size_is_kept(stage: Stage) -> None:
    assert stage.render(stage.request(width=96, height=72))[0].shape == (72, 96, 3)


@pytest.mark.parametrize("value", [60, 100, 4096])
def test_a_size_that_cannot_be_is_refused_by_name(stage: Stage, value: int) -> None:
    with pytest.raises(InputError, match=r"^width: "):
        params.build(type(stage.settings), {"width": value})


def test_every_scheduler_draws_and_repeats_itself(stage: Stage) -> None:
    spec = next(spec for spec in params.specs(type(stage.settings)) if spec.name == "scheduler")
    pictures = {}
    for choice in spec.choices:
        one, again = (stage.render(stage.request(scheduler=choice))[0] for _ in range(2))
        assert np.array_equal(one, again), choice
        pictures[choice] = one
    assert moved(pictures["ddim"], pictures["euler a"]) > ROUNDING


def test_rendering_leaves_the_callers_randomness_alone(stage: Stage) -> None:
    import torch

    state = torch.get_rng_state()
    stage.render(stage.request(scheduler="euler a"))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_tiny_model_follows_its_seed(stage: Stage) -> None:
    tiny: Callable[[int], Any] = type(stage.pipeline).tiny
    same, other = (Stage(stage.name, tiny(seed), stage.settings) for seed in (0, 1))
    picture = stage.render(stage.request())[0]
    assert np.array_equal(same.render(same.request())[0], picture)
    assert moved(other.render(other.request())[0], picture) > ROUNDING
