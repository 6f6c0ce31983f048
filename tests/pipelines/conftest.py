"""Every family of pictures and clips in turn, at toy size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import catalog
from studio.ports import SetEmotion
from tests.pipelines.staging import CLIPS, PICTURES, Stage, staged


@pytest.fixture(scope="module", params=[*PICTURES, *CLIPS])
def stage(request: pytest.FixtureRequest) -> Stage:
    return staged(request.param)


@pytest.fixture
def still(stage: Stage) -> Stage:
    """Of pictures alone: clips have tests of their own for it."""
    if stage.moves:
        pytest.skip("this family makes clips")
    return stage


@pytest.fixture
def feel(stage: Stage) -> Iterator[SetEmotion]:
    """A random, strong adapter worn by the pipeline."""
    import torch

    module = catalog.load("adapter kind", "emotion_lora")
    component = "unet" if "unet" in stage.pipeline.modules else "transformer"
    targets = {component: r".*(to_k|to_v|time_emb_proj|norm1?\.linear|adaLN_modulation\.\d)"}
    adapter = module.Adapter.create(stage.pipeline.modules, module.Config(targets=targets))
    generator = torch.Generator().manual_seed(0)
    for name, weight in adapter.weights.items():
        if name.endswith("lora_B.weight"):
            weight.data.normal_(0, 0.5, generator=generator)
    with adapter.applied(stage.pipeline.modules) as set_emotion:
        yield set_emotion


@pytest.fixture(scope="module")
def folder(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy model as anybody would save it."""
    path = tmp_path_factory.mktemp("model")
    stage.pipeline.pipe.save_pretrained(path)
    return path
