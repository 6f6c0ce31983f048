"""Stable Diffusion XL's own: plain diffusers draws the same, two text encoders, time ids, its autoencoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from adapters.emotion_lora import PRESETS, Adapter, Config
from pipelines.image import sdxl
from studio.emotion import NEUTRAL, VAD, Emotion, EmotionCurve
from studio.errors import ModelError
from studio.ports import Example
from studio.request import RenderRequest

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def pipeline() -> sdxl.Pipeline:
    return sdxl.Pipeline.tiny(0)


@pytest.fixture(scope="module")
def folder(pipeline: sdxl.Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    pipeline.pipe.save_pretrained(path)
    (path / "studio.json").write_text(json.dumps({"guidance": 6.5}))
    return path


def rewritten(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def picture(pipeline: sdxl.Pipeline, negative: str = "", **changes: Any) -> np.ndarray:
    params = sdxl.Params(**{"steps": 4, "guidance": 5.0, **changes})
    curve = EmotionCurve.constant(NEUTRAL)
    request = RenderRequest("image/sdxl", "tiny", "a boat", negative, curve, 5, (), params)
    (artifact,) = pipeline.render([request], lambda rows: None, lambda step: None)
    return np.asarray(artifact.image).astype(int)  # type: ignore[attr-defined]


def example(width: int, height: int, prompt: str = "a boat") -> Example:
    media = np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Example(media, prompt, Emotion(NEUTRAL), {})


@pytest.mark.parametrize("negative", ["", "blue"])
@pytest.mark.parametrize("sampler", ["model", "dpm++ 2m"])
def test_it_draws_what_plain_diffusers_draws(sampler: str, negative: str) -> None:
    pipeline = sdxl.Pipeline.tiny(0)
    ours = picture(pipeline, negative, width=80, height=64, scheduler=sampler)
    plain = pipeline.pipe
    if sampler != "model":
        plain.scheduler = diffusers.DPMSolverMultistepScheduler.from_config(plain.scheduler.config)
    asked = {"negative_prompt": negative} if negative else {}
    size = {"width": 80, "height": 64, "num_inference_steps": 4, "guidance_scale": 5.0}
    image = plain("a boat", generator=torch.Generator().manual_seed(5), **size, **asked).images[0]
    assert np.abs(ours - np.asarray(image)).max() <= 1
    assert ours.std() > 5


def test_without_guidance_it_draws_what_plain_diffusers_draws(pipeline: sdxl.Pipeline) -> None:
    ours = picture(pipeline, guidance=1.0, scheduler="model")
    size = {"width": 64, "height": 64, "num_inference_steps": 4, "guidance_scale": 1.0}
    image = pipeline.pipe("a boat", generator=torch.Generator().manual_seed(5), **size).images[0]
    assert np.abs(ours - np.asarray(image)).max() <= 1


def test_rows_with_and_without_a_negative_prompt_share_a_batch(pipeline: sdxl.Pipeline) -> None:
    text = pipeline.prepare_text(["a boat", "", "blue"])
    assert text["text"].shape == (3, 77, 64), "both encoders side by side"
    assert text["pooled"].shape == (3, 24)
    assert [bool(rows.any()) for rows in text["text"]] == [True, False, True]
    assert [bool(rows.any()) for rows in text["pooled"]] == [True, False, True]
    for row, prompt in enumerate(["a boat", "", "blue"]):
        alone = pipeline.prepare_text([prompt])
        assert all(torch.allclose(text[name][row], alone[name][0], atol=1e-5) for name in text)


def test_a_model_trained_on_empty_captions_reads_them() -> None:
    pipeline = sdxl.Pipeline.tiny(0)
    pipeline.pipe.register_to_config(force_zeros_for_empty_prompt=False)
    assert pipeline.prepare_text([""])["text"].any()
    assert pipeline.prepare_text([""])["pooled"].any()


def test_the_folders_guidance_is_used(folder: Path) -> None:
    loaded = sdxl.Pipeline.load(str(folder), "cpu", "auto")
    assert loaded.guidance == 6.5
    assert np.array_equal(picture(loaded, guidance=None), picture(loaded, guidance=6.5))
    assert sdxl.Pipeline.tiny(0).guidance == 5.0


def test_in_float16_the_autoencoder_stays_in_float32(folder: Path, pipeline: sdxl.Pipeline) -> None:
    loaded = sdxl.Pipeline.load(str(folder), "cpu", "float16")
    assert (loaded.pipe.unet.dtype, loaded.pipe.vae.dtype) == (torch.float16, torch.float32)
    assert np.abs(picture(loaded, steps=2) - picture(pipeline, steps=2)).mean() < 4
    prepared = loaded.prepare([example(64, 64)])
    assert prepared["latents"].dtype == torch.float32
    made, wanted, _ = loaded.predict(prepared, [NEUTRAL], lambda rows: None, torch.Generator().manual_seed(0))
    assert made.isfinite().all() and wanted.isfinite().all()


def test_an_autoencoder_made_for_float16_stays_there(pipeline: sdxl.Pipeline, tmp_path: Path) -> None:
    pipeline.pipe.save_pretrained(tmp_path)
    rewritten(tmp_path / "vae" / "config.json", force_upcast=False)
    assert sdxl.Pipeline.load(str(tmp_path), "cpu", "float16").pipe.vae.dtype == torch.float16


def test_a_refiner_is_refused(pipeline: sdxl.Pipeline, tmp_path: Path) -> None:
    pipeline.pipe.save_pretrained(tmp_path)
    rewritten(
        tmp_path / "model_index.json",
        _class_name="StableDiffusionXLImg2ImgPipeline",
        text_encoder=[None, None],
        tokenizer=[None, None],
    )
    with pytest.raises(ModelError, match="is a refiner; image/sdxl takes plain text-to-image models"):
        sdxl.Pipeline.load(str(tmp_path), "cpu", "auto")


def test_another_kind_of_noise_schedule_is_refused(pipeline: sdxl.Pipeline, tmp_path: Path) -> None:
    pipeline.pipe.save_pretrained(tmp_path)
    diffusers.EDMEulerScheduler().save_pretrained(tmp_path / "scheduler")
    rewritten(tmp_path / "model_index.json", scheduler=["diffusers", "EDMEulerScheduler"])
    with pytest.raises(ModelError, match="has the schedule of EDMEulerScheduler"):
        sdxl.Pipeline.load(str(tmp_path), "cpu", "auto")


def test_prepared_rows_know_their_true_size_and_crop(pipeline: sdxl.Pipeline, tmp_path: Path) -> None:
    Image.fromarray(example(200, 100).media).save(tmp_path / "wide.png")
    on_disk = Example(tmp_path / "wide.png", "a boat", Emotion(NEUTRAL), {})
    prepared = pipeline.prepare([on_disk, example(40, 80), example(96, 64)], (96, 64))
    assert prepared["time_ids"].tolist() == [  # height, width; top, left of the crop; its height, width
        [100, 200, 0, 16, 64, 96],
        [80, 40, 64, 0, 64, 96],
        [64, 96, 0, 0, 64, 96],
    ]


def test_the_network_hears_time_ids_and_pooled_text(pipeline: sdxl.Pipeline) -> None:
    prepared = pipeline.prepare([example(200, 100)])

    def made(**changes: torch.Tensor) -> torch.Tensor:
        tensors, generator = {**prepared, **changes}, torch.Generator().manual_seed(0)
        with torch.no_grad():
            return pipeline.predict(tensors, [NEUTRAL], lambda rows: None, generator)[0]

    whole = torch.tensor([[64, 64, 0, 0, 64, 64]])
    assert not torch.allclose(made(), made(time_ids=whole), atol=1e-4)
    assert not torch.allclose(made(), made(pooled=prepared["pooled"] * 0), atol=1e-4)
    untold = {name: tensor for name, tensor in prepared.items() if name != "time_ids"}
    with torch.no_grad():
        rows = pipeline.predict(untold, [NEUTRAL], lambda rows: None, torch.Generator().manual_seed(0))
    assert torch.equal(rows[0], made(time_ids=whole)), "untold, the picture is whole and of just that size"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_finds_layers_of_all_blocks(pipeline: sdxl.Pipeline, preset: str) -> None:
    found = Adapter.create(pipeline.modules, Config(rank=4, targets=PRESETS[preset])).layers
    for part in ("down_blocks.0", "down_blocks.1", "mid_block", "up_blocks.0", "up_blocks.1", "conv_in"):
        assert any(name.startswith(f"unet.{part}") for name in found), part
    assert any("attn2.to_k" in name for name in found)


def test_a_feeling_moves_the_weighted_loss_with_an_adapter(pipeline: sdxl.Pipeline) -> None:
    adapter = Adapter.create(pipeline.modules, Config(rank=4))
    for name, weight in adapter.weights.items():
        if name.endswith("lora_B.weight"):
            weight.data.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
    prepared = pipeline.prepare([example(64 + row, 64) for row in range(8)])
    losses = {}
    with adapter.applied(pipeline.modules) as set_emotion, torch.no_grad():
        for emotion in (NEUTRAL, VAD(0.8, 0.5, 0.3)):
            for gamma in (None, 5.0):
                generator = torch.Generator().manual_seed(0)
                value = pipeline.loss(prepared, [emotion] * 8, set_emotion, generator, gamma)
                losses[emotion, gamma] = float(value)
    assert len(set(losses.values())) == 4
    assert all(losses[emotion, 5.0] < losses[emotion, None] for emotion, _ in losses)
