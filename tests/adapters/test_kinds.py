"""What every kind of adapter must do, on a real network at toy size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.image import sd
from studio import catalog
from studio.emotion import NEUTRAL, VAD, EmotionCurve
from studio.errors import ModelError
from studio.ports import Adapter
from studio.request import AdapterUse, RenderRequest
from studio.wording import worded

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HAPPY = VAD(0.8, 0.5, 0.3)
KINDS = catalog.names("adapter kind")
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def pipeline() -> sd.Pipeline:
    return sd.Pipeline.tiny(0)


def fresh(kind: str, pipeline: sd.Pipeline) -> Any:
    """One with an effect: random weights where there are weights."""
    module = catalog.load("adapter kind", kind)
    if not hasattr(module.Adapter, "create"):
        return module.Adapter(module.Config())
    adapter = module.Adapter.create(pipeline.modules, module.Config(), seed=1)
    for name, weight in adapter.weights.items():
        if name.endswith("lora_B.weight"):
            weight.data.normal_(0, 0.2, generator=torch.Generator().manual_seed(1))
    return adapter


def picture(
    pipeline: sd.Pipeline, feeling: VAD, adapter: Adapter | None = None, strength: float = 1.0
) -> np.ndarray:
    """As Studio renders it: the prompt in words first, then the network."""
    uses = (AdapterUse("it", strength),) if adapter else ()
    curve = EmotionCurve.constant(feeling)
    params = sd.Params(steps=2, width=64, height=64)
    asked = RenderRequest("image/sd", "tiny", "a fox", "", curve, 1, uses, params)
    if adapter is None:
        return np.asarray(pipeline.render([asked], lambda rows: None, lambda step: None)[0].image)
    told = worded(asked, [adapter])
    with adapter.applied(pipeline.modules, strength) as set_emotion:
        return np.asarray(pipeline.render([told], set_emotion, lambda step: None)[0].image)


def test_both_kinds_are_there() -> None:
    assert {"emotion_lora", "prompt_words"} <= set(KINDS)


@every_kind
def test_neutral_and_strength_0_are_the_base_and_a_feeling_is_not(kind: str, pipeline: sd.Pipeline) -> None:
    adapter, base = fresh(kind, pipeline), picture(pipeline, NEUTRAL)
    assert np.array_equal(picture(pipeline, NEUTRAL, adapter), base)
    assert np.array_equal(picture(pipeline, HAPPY, adapter, 0.0), base)
    assert np.abs(picture(pipeline, HAPPY, adapter).astype(int) - base).max() > 5
    assert np.array_equal(picture(pipeline, HAPPY), base)  # no trace is left


@every_kind
def test_saved_and_loaded_it_does_the_same(kind: str, pipeline: sd.Pipeline, tmp_path: Path) -> None:
    adapter = fresh(kind, pipeline)
    adapter.save(tmp_path / "one")
    again = catalog.load("adapter kind", kind).Adapter.load(tmp_path / "one")
    assert np.array_equal(picture(pipeline, HAPPY, again), picture(pipeline, HAPPY, adapter))
    assert catalog.adapter_card(str(tmp_path / "one"))["kind"] == kind


@every_kind
def test_a_folder_of_another_kind_is_refused(kind: str, pipeline: sd.Pipeline, tmp_path: Path) -> None:
    other = next(one for one in KINDS if one != kind)
    fresh(other, pipeline).save(tmp_path / "one")
    with pytest.raises(ModelError, match=f"is of kind '{other}', expected '{kind}'"):
        catalog.load("adapter kind", kind).Adapter.load(tmp_path / "one")
