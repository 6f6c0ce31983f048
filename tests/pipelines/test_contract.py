"""What every pipeline must do, checked on its real classes at toy size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio import catalog, params
from studio.emotion import NEUTRAL, parse_curve
from studio.errors import Cancelled, EmotionError, InputError, ModelError
from studio.ports import SetEmotion, Step
from tests.pipelines.staging import AFRAID, CLIPS, HAPPY, PICTURES, ROUNDING, Stage, moved

# diffusers 0.42 hands tensors to numpy 2 in the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


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


def test_a_curve_sets_every_step_and_keeps_unguided_rows_neutral(still: Stage) -> None:
    seen: list[list[Any]] = []
    curve = parse_curve("v=-1@0, v=1@100%")
    still.render(still.request(curve, **still.guided), still.request(HAPPY, **still.guided), feel=seen.append)
    assert [rows[-2].valence for rows in seen] == pytest.approx([-1, -1 / 3, 1 / 3, 1])
    assert all(rows[:-2] == [NEUTRAL, NEUTRAL] and rows[-1] == HAPPY for rows in seen)


def test_a_constant_sets_its_emotion_once(still: Stage) -> None:
    seen: list[list[Any]] = []
    still.render(still.request(HAPPY, guidance=1.0), feel=seen.append)
    assert seen == [[HAPPY]]


def test_progress_climbs_to_the_end_with_previews(stage: Stage) -> None:
    steps: list[tuple[int, int]] = []
    previews: list[list[Any]] = []

    def watch(step: Step) -> None:
        steps.append((step.done, step.total))
        if step.preview is not None:
            previews.append(step.preview())

    pictures = stage.render(stage.request(), stage.request(seed=2), watch=watch)
    total = steps[-1][1]
    assert steps == [(done, total) for done in range(1, total + 1)]
    assert len(previews) == total or (stage.moves and previews), "not while a clip's network is sent away"
    assert all(len(rows) == 2 for rows in previews)
    if not stage.moves:
        last = np.asarray(previews[-1][0]).astype(int)
        assert moved(last, pictures[0]) <= 16, "the last preview is nearly the picture"


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
    before, after = (stage.request(**{**stage.guided, **one}) for one in ({}, change))
    assert moved(stage.render(before)[0], stage.render(after)[0]) > ROUNDING


def test_a_chosen_size_is_kept(stage: Stage) -> None:
    assert stage.render(stage.request(width=128, height=96))[0].shape[-3:] == (96, 128, 3)


@pytest.mark.parametrize("value", [60, 100, 4096])
def test_a_size_that_cannot_be_is_refused_by_name(stage: Stage, value: int) -> None:
    with pytest.raises(InputError, match=r"^width: "):
        params.build(type(stage.settings), {"width": value})


def test_every_scheduler_draws_and_repeats_itself(stage: Stage) -> None:
    if not stage.has("scheduler"):
        pytest.skip("this family has one way to sample")
    spec = next(spec for spec in params.specs(type(stage.settings)) if spec.name == "scheduler")
    pictures = {}
    for choice in spec.choices:
        one, again = (stage.render(stage.request(scheduler=choice, steps=2))[0] for _ in range(2))
        assert np.array_equal(one, again), choice
        pictures[choice] = one
    assert moved(pictures["ddim"], pictures["euler a"]) > ROUNDING


def test_rendering_leaves_the_callers_randomness_alone(stage: Stage) -> None:
    import torch

    state = torch.get_rng_state()
    stage.render(stage.request(**({"scheduler": "euler a"} if stage.has("scheduler") else {})))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_tiny_model_follows_its_seed(stage: Stage) -> None:
    tiny: Callable[[int], Any] = type(stage.pipeline).tiny
    same, other = (Stage(stage.name, tiny(seed), stage.settings) for seed in (0, 1))
    picture = stage.render(stage.request())[0]
    assert np.array_equal(same.render(same.request())[0], picture)
    assert moved(other.render(other.request())[0], picture) > ROUNDING


def test_a_saved_model_loads_and_draws_the_same(stage: Stage, folder: Path) -> None:
    loaded = Stage(stage.name, type(stage.pipeline).load(str(folder), "cpu", "auto"), stage.settings)
    width, height = stage.pipeline.native_size  # which not every kind of model writes down
    request = stage.request(width=width, height=height, **stage.guided)
    rounding = 1 if stage.moves else 0  # of 255
    assert moved(loaded.render(request)[0], stage.render(request)[0]) <= rounding
    assert stage.moves or loaded.pipeline.native_size == stage.pipeline.native_size


def test_other_families_send_a_model_to_its_own(stage: Stage, folder: Path) -> None:
    kind = json.loads((folder / "model_index.json").read_text("utf-8"))["_class_name"]
    families = {name: catalog.load("pipeline", name) for name in (*PICTURES, *CLIPS)}
    others = [name for name, family in families.items() if kind not in family.FAMILY.classes]
    assert others and stage.name not in others
    for other in others:
        with pytest.raises(ModelError, match=rf"is a {kind}; {other} takes .*; use {stage.name}$"):
            catalog.load("pipeline", other).Pipeline.load(str(folder), "cpu", "auto")


def test_the_end_of_a_prompt_that_is_not_read_is_known(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    import torch

    long = "boats " * 90
    nothing, cut, empty = stage.pipeline.unread(["a boat", long + "ashore", ""])
    assert (nothing, empty) == ("", "") and cut.endswith("boats ashore")
    one, other = stage.pipeline.prepare_text([long]), stage.pipeline.prepare_text([long + "ashore"])
    assert all(torch.equal(rows, other[name]) for name, rows in one.items())
    assert capfd.readouterr().err == "", "it is for us to say, not for diffusers"


def test_a_still_picture_has_no_seconds(still: Stage) -> None:
    check = catalog.load("pipeline", still.name).check
    with pytest.raises(EmotionError, match="no seconds"):
        check(still.request(parse_curve("fear@0s, relief@4s")))
    check(still.request(parse_curve("fear@0s")))
