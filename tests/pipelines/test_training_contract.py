"""What every pipeline that adapters are trained for must do, on its real classes at toy size."""

from __future__ import annotations

import pytest
import torch

from studio import catalog
from studio.emotion import NEUTRAL
from studio.ports import Example, SetEmotion
from tests.pipelines.staging import AFRAID, CLIPS, HAPPY, PICTURES, Stage, examples
from tests.training.music_runs import windows

# diffusers 0.42 hands tensors to numpy 2 in the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def shown(stage: Stage) -> list[Example]:
    return examples(frames=5 if stage.moves else None)


def test_what_training_prepares_has_a_row_an_example(stage: Stage) -> None:
    prepared = stage.pipeline.prepare(shown(stage), (128, 96))
    assert {len(tensor) for tensor in prepared.values()} == {3}
    assert {str(tensor.device) for tensor in prepared.values()} == {"cpu"}
    width, height = stage.pipeline.native_size
    own = stage.pipeline.prepare(shown(stage))["latents"]
    scale = height // own.shape[-2]
    assert scale in (8, 16, 32)
    assert own.shape[-2:] == (height // scale, width // scale)
    assert prepared["latents"].shape[-2:] == (96 // scale, 128 // scale)


def test_captions_alone_prepare_their_share(stage: Stage) -> None:
    prepared = stage.pipeline.prepare(shown(stage))
    text = stage.pipeline.prepare_text([example.prompt for example in shown(stage)])
    assert text.keys() < prepared.keys()
    assert all(torch.equal(tensor, prepared[name]) for name, tensor in text.items())


def test_a_prediction_sees_the_same_noise_whatever_is_said_and_felt(stage: Stage, feel: SetEmotion) -> None:
    prepared, other = stage.pipeline.prepare(shown(stage)), stage.pipeline.prepare_text(["a red fox"] * 3)
    asked = [(prepared, HAPPY), (prepared, AFRAID), ({**prepared, **other}, HAPPY)]
    with torch.no_grad():
        (made, wanted, times), *others = (
            stage.pipeline.predict(tensors, [emotion] * 3, feel, torch.Generator().manual_seed(1))
            for tensors, emotion in asked
        )
    assert made.shape == wanted.shape == prepared["latents"].shape
    assert len(times) == 3
    for felt, again, then in others:
        assert torch.equal(again, wanted)
        assert torch.equal(then, times)
        assert not torch.allclose(felt, made, atol=1e-4)


@pytest.mark.parametrize("family", [*PICTURES, *CLIPS, "music/score"])
def test_a_few_steps_of_training_lower_the_loss(family: str) -> None:
    module = catalog.load("adapter kind", "emotion_lora")
    pipeline = catalog.load("pipeline", family).Pipeline.tiny(0)
    shown = windows() if family == "music/score" else examples(frames=5 if family in CLIPS else None)
    adapter = module.Adapter.create(pipeline.modules, module.Config(rank=4))
    prepared, emotions, losses = pipeline.prepare(shown), [HAPPY, AFRAID, NEUTRAL], []
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=1e-2)
    with adapter.trainable(pipeline.modules) as set_emotion:
        for _ in range(6):
            value = pipeline.loss(prepared, emotions, set_emotion, torch.Generator().manual_seed(0))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            losses.append(value.item())
    assert losses[-1] < 0.98 * losses[0]
    network = pipeline.modules["unet" if "unet" in pipeline.modules else "transformer"]
    assert all(weight.grad is None for weight in network.parameters())
