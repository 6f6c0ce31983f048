"""Stable Diffusion's own: loading, errors of the hub, training tensors and loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from adapters.emotion_lora import Adapter, Config
from pipelines.image import _loading, sd
from studio import preflight
from studio.emotion import NEUTRAL, Emotion, EmotionCurve
from studio.errors import EmotionError, InputError, ModelError
from studio.ports import Example
from studio.render import Studio
from studio.request import RenderRequest
from studio.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def pipeline() -> sd.Pipeline:
    return sd.Pipeline.tiny(0)


@pytest.fixture(scope="module")
def folder(pipeline: sd.Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    pipeline.pipe.save_pretrained(path)
    (path / "studio.json").write_text(json.dumps({"guidance": 2.5}))
    return path


def picture(pipeline: sd.Pipeline, **changes: Any) -> np.ndarray:
    request = RenderRequest(
        "image/sd", "tiny", "a boat", "", EmotionCurve.constant(NEUTRAL), 5, (), sd.Params(steps=3, **changes)
    )
    (artifact,) = pipeline.render([request], lambda rows: None, lambda step: None)
    return np.asarray(artifact.image).astype(int)  # type: ignore[attr-defined]


def examples(count: int = 2) -> list[Example]:
    media = np.random.default_rng(0).integers(0, 255, (count, 80, 70, 3), dtype=np.uint8)
    return [Example(one, f"picture {number}", Emotion(NEUTRAL), {}) for number, one in enumerate(media)]


def test_a_saved_model_loads_and_draws_the_same(pipeline: sd.Pipeline, folder: Path) -> None:
    loaded = sd.Pipeline.load(str(folder), "cpu", "auto")
    assert loaded.guidance == 2.5
    assert loaded.pipe.unet.dtype == torch.float32
    assert np.array_equal(picture(loaded, guidance=4.0), picture(pipeline, guidance=4.0))
    assert np.array_equal(picture(loaded), picture(pipeline, guidance=2.5))


def test_bfloat16_draws_nearly_the_same(pipeline: sd.Pipeline, folder: Path) -> None:
    loaded = sd.Pipeline.load(str(folder), "cpu", "bfloat16")
    assert np.abs(picture(loaded, guidance=1.0) - picture(pipeline, guidance=1.0)).mean() < 10


@pytest.mark.parametrize(("device", "dtype"), [("gpu", "auto"), ("cpu", "fp16")])
def test_an_unknown_device_or_number_type_is_refused(folder: Path, device: str, dtype: str) -> None:
    with pytest.raises(InputError, match="is not one of"):
        sd.Pipeline.load(str(folder), device, dtype)


def test_another_family_is_refused_by_its_name(folder: Path, tmp_path: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    (tmp_path / "model_index.json").write_text(json.dumps({**index, "_class_name": "FluxPipeline"}))
    with pytest.raises(ModelError, match=r"is a FluxPipeline; image/sd takes Stable Diffusion"):
        sd.Pipeline.load(str(tmp_path), "cpu")


def test_a_model_in_pickle_form_is_refused(pipeline: sd.Pipeline, tmp_path: Path) -> None:
    pipeline.pipe.save_pretrained(tmp_path)
    weights = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match="safetensors"):
        sd.Pipeline.load(str(tmp_path), "cpu")


@pytest.mark.parametrize("shards", [{}, {"max_shard_size": "200KB"}])
def test_a_model_in_half_precision_alone_is_loaded_and_counted(
    pipeline: sd.Pipeline, tmp_path: Path, shards: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline.pipe.save_pretrained(tmp_path, variant="fp16", **shards)
    assert len(list((tmp_path / "unet").glob("*.fp16*.safetensors"))) == (5 if shards else 1)
    loaded = sd.Pipeline.load(str(tmp_path), "cpu", "auto")
    assert np.array_equal(picture(loaded, guidance=1.0), picture(pipeline, guidance=1.0))
    assert capfd.readouterr().err == ""
    found = preflight.read(str(tmp_path))
    assert found is not None
    assert found.components["unet"].parameters == pipeline.pipe.unet.num_parameters()


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (
            {"time_cond_proj_dim": 16},
            r"was distilled to take its guidance as an input \(LCM\); image/sd takes",
        ),
        ({"in_channels": 9}, "takes 9 channels, not 4: it edits pictures"),
    ],
)
def test_a_unet_for_something_else_is_refused(tmp_path: Path, config: dict[str, Any], why: str) -> None:
    other = sd.Pipeline.tiny(0).pipe
    own = {name: value for name, value in other.unet.config.items() if not name.startswith("_")}
    other.unet = diffusers.UNet2DConditionModel.from_config({**own, **config})
    other.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=why):
        sd.Pipeline.load(str(tmp_path), "cpu", "auto")


def test_a_prompt_is_read_to_the_last_token_that_fits(pipeline: sd.Pipeline) -> None:
    whole, longer = "x " * 75, "x " * 74 + "y red fox"
    assert pipeline.unread([whole, longer]) == ["", "red fox"]
    text = pipeline.prepare_text([whole, "x " * 74 + "y", longer])["text"]
    assert not torch.equal(text[0], text[1])
    assert torch.equal(text[1], text[2])


def test_what_is_not_read_of_a_prompt_stands_beside_the_picture(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    values = {"model": str(folder), "prompt": "a boat", "negative_prompt": "x " * 75 + "fog", "steps": 1}
    (result,) = Studio(Settings(device="cpu")).render([RenderRequest.parse(values)], tmp_path)
    assert result.notes == ("negative_prompt: too long for this model, which does not read its end: 'fog'",)
    assert "truncated" not in capfd.readouterr().err


def test_a_damaged_model_is_one_line(pipeline: sd.Pipeline, tmp_path: Path) -> None:
    pipeline.pipe.save_pretrained(tmp_path)
    (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        sd.Pipeline.load(str(tmp_path), "cpu")
    assert "\n" not in str(caught.value)


def test_a_truncated_text_encoder_is_one_line(pipeline: sd.Pipeline, tmp_path: Path) -> None:
    pipeline.pipe.save_pretrained(tmp_path)
    weights = tmp_path / "text_encoder" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        sd.Pipeline.load(str(tmp_path), "cpu")
    assert "\n" not in str(caught.value)


def test_a_torn_adapter_card_is_one_line(pipeline: sd.Pipeline, folder: Path, tmp_path: Path) -> None:
    Adapter.create(pipeline.modules, Config(rank=2)).save(tmp_path)
    card = json.loads((tmp_path / "adapter.json").read_text())
    (tmp_path / "adapter.json").write_text(json.dumps({**card, "rank": "16"}))
    values = {"prompt": "a boat", "model": str(folder), "adapters": [str(tmp_path)], "steps": 1}
    with pytest.raises(ModelError, match="of the wrong kind") as caught:
        Studio(Settings(device="cpu")).make([RenderRequest.parse(values)])
    assert "\n" not in str(caught.value)


def test_a_hub_model_without_the_hub_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="not on this machine yet, and HF_HUB_OFFLINE is set"):
        sd.Pipeline.load("nobody/no-such-model", "cpu")


def test_a_broken_recommendation_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "studio.json").write_text('{"guidance": "much"}')
    with pytest.raises(ModelError, match=r"studio\.json"):
        _loading.recommended_guidance(str(tmp_path), 5.0)


def test_attention_without_xformers_is_torchs(pipeline: sd.Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diffusers.utils.is_xformers_available", lambda: False)
    before = dict(pipeline.pipe.unet.attn_processors)
    assert _loading.choose_attention(pipeline.pipe.unet) == "torch"
    assert pipeline.pipe.unet.attn_processors == before


def test_preparation_takes_paths_images_and_arrays_alike(pipeline: sd.Pipeline, tmp_path: Path) -> None:
    array = examples(1)[0].media
    Image.fromarray(array).save(tmp_path / "one.png")
    media = [array, Image.fromarray(array), tmp_path / "one.png"]
    tensors = pipeline.prepare([Example(one, "x", Emotion(NEUTRAL), {}) for one in media])
    assert tensors["latents"].shape == (3, 4, 8, 8)
    assert tensors["text"].shape == (3, 77, 32)
    assert torch.allclose(tensors["latents"][0], tensors["latents"][2], atol=1e-5)
    assert torch.allclose(tensors["latents"][0], tensors["latents"][1], atol=1e-5)


def loss(pipeline: sd.Pipeline, seed: int = 0, snr_gamma: float | None = None) -> float:
    generator = torch.Generator().manual_seed(seed)
    tensors = pipeline.prepare(examples())
    with torch.no_grad():
        return float(pipeline.loss(tensors, [NEUTRAL] * 2, lambda rows: None, generator, snr_gamma))


def test_the_loss_follows_its_generator_and_prediction_type(pipeline: sd.Pipeline) -> None:
    expected = loss(pipeline)
    assert loss(pipeline) == expected
    assert loss(pipeline, seed=1) != expected
    assert 0 < loss(pipeline, snr_gamma=5.0) <= expected
    other, found = sd.Pipeline.tiny(0), {expected}
    for kind in ("v_prediction", "sample"):
        scheduler = other.pipe.scheduler
        other.pipe.scheduler = type(scheduler).from_config(scheduler.config, prediction_type=kind)
        found.add(loss(other))
    assert len(found) == 3


@pytest.mark.parametrize("asked", [None, 2.5])
def test_the_guidance_that_was_used_is_told(pipeline: sd.Pipeline, asked: float | None) -> None:
    curve, params = EmotionCurve.constant(NEUTRAL), sd.Params(steps=2, guidance=asked)
    request = RenderRequest("image/sd", "tiny", "a boat", "", curve, 5, (), params)
    (artifact,) = pipeline.render([request], lambda rows: None, lambda step: None)
    assert artifact.details == {"guidance": asked or pipeline.guidance}  # type: ignore[attr-defined]


def test_a_curve_in_seconds_is_refused_before_anything_loads(folder: Path) -> None:
    asked = {"prompt": "a sea", "model": str(folder)}
    with pytest.raises(EmotionError, match="no seconds"):
        RenderRequest.parse({**asked, "emotion": "fear@0s, relief@4s"})
    assert RenderRequest.parse({**asked, "emotion": "fear@0s"}).curve.is_constant


@pytest.mark.parametrize("sampler", ["DPMSolverMultistepScheduler", "EulerDiscreteScheduler"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_the_loss_does_not_depend_on_the_sampler(sampler: str, prediction: str) -> None:
    pipeline, losses = sd.Pipeline.tiny(0), []
    config = {**pipeline.pipe.scheduler.config, "prediction_type": prediction}
    tensors = pipeline.prepare(examples())
    for name in ("DDPMScheduler", sampler):
        pipeline.pipe.scheduler = getattr(diffusers, name).from_config(config)
        generator = torch.Generator().manual_seed(3)
        losses.append(float(pipeline.loss(tensors, [NEUTRAL] * 2, lambda rows: None, generator)))
    assert losses[0] == losses[1]


@pytest.mark.parametrize("negative", ["", "blue"])
@pytest.mark.parametrize("sampler", ["model", "dpm++ 2m"])
def test_it_draws_what_plain_diffusers_draws(sampler: str, negative: str) -> None:
    pipeline = sd.Pipeline.tiny(0)
    params = sd.Params(steps=4, guidance=5.0, width=80, height=64, scheduler=sampler)
    curve = EmotionCurve.constant(NEUTRAL)
    request = RenderRequest("image/sd", "tiny", "a boat", negative, curve, 5, (), params)
    (ours,) = pipeline.render([request], lambda rows: None, lambda step: None)
    plain = pipeline.pipe
    if sampler != "model":
        plain.scheduler = diffusers.DPMSolverMultistepScheduler.from_config(plain.scheduler.config)
    size = {"width": 80, "height": 64, "num_inference_steps": 4, "guidance_scale": 5.0}
    generator = torch.Generator().manual_seed(5)
    image = plain("a boat", negative_prompt=negative, generator=generator, **size).images[0]
    difference = np.asarray(ours.image).astype(int) - np.asarray(image)  # type: ignore[attr-defined]
    assert np.abs(difference).max() <= 1
    assert np.asarray(image).std() > 5
