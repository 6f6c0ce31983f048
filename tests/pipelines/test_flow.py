"""Stable Diffusion 3, Flux and Z-Image: our loops against diffusers' own, their quirks, training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline

from adapters.emotion_lora import PRESETS, Adapter, Config
from pipelines import _flow_loss
from pipelines.image import _flow, flux, sd3, zimage
from studio import params
from studio.emotion import NEUTRAL, VAD, Emotion, EmotionCurve
from studio.errors import InputError, ModelError
from studio.ports import Example
from studio.request import RenderRequest

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROUNDING = 2  # of 255
HAPPY, AFRAID = VAD(0.8, 0.5, 0.3), VAD(-0.7, 0.7, -0.5)
FAMILIES: dict[str, Any] = {"sd3": sd3, "flux": flux, "zimage": zimage}
PROMPTS = ["a boat", "an old lighthouse on a cliff above the sea at dusk"]  # of different lengths
NEGATIVE = ["fog", ""]


@pytest.fixture(scope="module")
def tiny() -> dict[str, Any]:
    return {name: module.Pipeline.tiny(0) for name, module in FAMILIES.items()}


@pytest.fixture(scope="module")
def folders(tiny: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The toy models as anybody would save them."""
    found = {name: str(tmp_path_factory.mktemp(name)) for name in FAMILIES}
    for name, path in found.items():
        tiny[name].pipe.save_pretrained(path)
    return found


def unfelt(_rows: Any) -> None:
    pass


def requests(
    name: str, emotions: tuple[VAD, ...] = (NEUTRAL, NEUTRAL), **settings: Any
) -> list[RenderRequest]:
    chosen = params.build(FAMILIES[name].Params, {"steps": 3, **settings})
    return rows(name, chosen, emotions)


def rows(name: str, chosen: Any, emotions: tuple[VAD, ...] = (NEUTRAL, NEUTRAL)) -> list[RenderRequest]:
    return [
        RenderRequest(
            "image/" + name, "tiny", prompt, negative, EmotionCurve.constant(emotion), seed, (), chosen
        )
        for seed, (prompt, negative, emotion) in enumerate(zip(PROMPTS, NEGATIVE, emotions, strict=True))
    ]


def drawn(pipeline: Any, batch: list[RenderRequest], feel: Any = unfelt) -> list[np.ndarray]:
    artifacts = pipeline.render(batch, feel, lambda step: None)
    return [np.asarray(artifact.image).astype(int) for artifact in artifacts]


def plain(pipeline: Any, **settings: Any) -> list[np.ndarray]:
    """The same pictures by diffusers' own call."""
    generators = [torch.Generator().manual_seed(seed) for seed in range(len(PROMPTS))]
    negative = {"negative_prompt": list(NEGATIVE)}
    images = pipeline.pipe(
        list(PROMPTS), generator=generators, num_inference_steps=3, **{**negative, **settings}
    ).images
    return [np.asarray(image).astype(int) for image in images]


def farthest(ours: list[np.ndarray], theirs: list[np.ndarray]) -> int:
    return max(int(np.abs(one - other).max()) for one, other in zip(ours, theirs, strict=True))


def examples(count: int = 4) -> list[Example]:
    media = np.random.default_rng(0).integers(0, 255, (count, 80, 70, 3), dtype=np.uint8)
    return [Example(one, "picture " * number, Emotion(NEUTRAL), {}) for number, one in enumerate(media)]


SIZE = {"width": 96, "height": 64}  # not square: rows and columns cannot be taken for each other


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("sd3", {"guidance": 1.0}, {"guidance_scale": 1.0}),
        ("sd3", {"guidance": 5.0}, {"guidance_scale": 5.0}),
        ("flux", {"guidance": 2.0}, {"guidance_scale": 2.0}),
        ("flux", {"true_guidance": 4.0}, {"true_cfg_scale": 4.0, "guidance_scale": 3.5}),
        ("zimage", {"guidance": 1.0}, {"guidance_scale": 0.0}),
        ("zimage", {"guidance": 5.0}, {"guidance_scale": 4.0}),
    ],
)
def test_our_loop_is_diffusers(
    tiny: dict[str, Any], name: str, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    length = {"max_sequence_length": 96 if name == "zimage" else 48}
    by_us = drawn(tiny[name], requests(name, **SIZE, **ours))
    assert farthest(by_us, plain(tiny[name], **SIZE, **length, **theirs)) <= ROUNDING
    assert by_us[0].std() > 1


def shift_by_size(pipeline: Any) -> None:
    pipeline.pipe.scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)


@pytest.mark.parametrize("name", ["sd3", "zimage"])  # Flux does so by itself
def test_a_shift_that_depends_on_the_size_is_diffusers(name: str) -> None:
    pipeline = FAMILIES[name].Pipeline.tiny(0)
    fixed = drawn(pipeline, requests(name, guidance=1.0))
    shift_by_size(pipeline)
    length = {"max_sequence_length": 96 if name == "zimage" else 48}
    shifted = drawn(pipeline, requests(name, guidance=1.0))
    scale = 0.0 if name == "zimage" else 1.0
    assert farthest(shifted, plain(pipeline, width=64, height=64, guidance_scale=scale, **length)) <= ROUNDING
    assert farthest(shifted, fixed) > ROUNDING


def test_sd3_without_t5_draws_as_diffusers_does_and_survives_saving(tmp_path: Path) -> None:
    pipeline = sd3.Pipeline.tiny(0)
    with_t5 = drawn(pipeline, requests("sd3"))
    pipeline.pipe.register_modules(text_encoder_3=None, tokenizer_3=None)
    without = drawn(pipeline, requests("sd3"))
    theirs = plain(pipeline, width=64, height=64, guidance_scale=4.5, max_sequence_length=256)
    assert farthest(without, theirs) <= ROUNDING
    assert farthest(without, with_t5) > ROUNDING
    assert "text_encoder_3" not in pipeline.modules
    pipeline.pipe.save_pretrained(tmp_path)
    loaded = sd3.Pipeline.load(str(tmp_path))
    assert farthest(drawn(loaded, requests("sd3")), without) == 0


def test_schnell_takes_no_guidance_and_four_steps() -> None:
    pipeline = flux.Pipeline.tiny(0, guidance_embeds=False)
    ours = drawn(pipeline, requests("flux"))
    assert farthest(ours, plain(pipeline, width=64, height=64, max_sequence_length=48)) <= ROUNDING
    with pytest.raises(InputError, match=r"^guidance: this model was taught without"):
        drawn(pipeline, requests("flux", guidance=3.5))
    (first, _) = pipeline.render(rows("flux", flux.Params()), unfelt, lambda step: None)
    assert first.details == {"steps": 4}


def test_dev_tells_the_steps_and_the_guidance_it_chose(tiny: dict[str, Any]) -> None:
    (first, _) = tiny["flux"].render(requests("flux"), unfelt, lambda step: None)
    assert first.details == {"steps": 3, "guidance": 3.5}
    assert tiny["flux"].step_count(flux.Params()) == 28


@pytest.mark.parametrize(("name", "field"), [("flux", "true_guidance"), ("zimage", "guidance")])
def test_a_negative_prompt_nobody_would_hear_is_refused(
    folders: dict[str, str], name: str, field: str
) -> None:
    asked = {"pipeline": "image/" + name, "model": folders[name], "prompt": "a sea", "negative_prompt": "fog"}
    with pytest.raises(InputError, match=f"^negative_prompt: is heard only with {field} above 1"):
        RenderRequest.parse(asked)
    assert RenderRequest.parse({**asked, field: 3}).negative_prompt == "fog"


@pytest.mark.parametrize("name", FAMILIES)
def test_noise_added_on_the_way_is_the_rows_own(name: str) -> None:
    pipeline = FAMILIES[name].Pipeline.tiny(0)
    still = drawn(pipeline, requests(name))
    pipeline.pipe.scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0, stochastic_sampling=True)
    both = drawn(pipeline, requests(name))
    alone = [drawn(pipeline, [request])[0] for request in requests(name)]
    assert farthest(both, alone) <= ROUNDING
    assert farthest(both, still) > ROUNDING


def test_packing_is_diffusers_and_undone() -> None:
    latents = torch.randn(2, 4, 6, 8, generator=torch.Generator().manual_seed(0))
    tokens = flux.packed(latents)
    assert torch.equal(tokens, FluxPipeline._pack_latents(latents, 2, 4, 6, 8))
    assert torch.equal(flux.unpacked(tokens, 6, 8), latents)


@pytest.mark.parametrize("name", FAMILIES)
def test_bfloat16_draws_nearly_the_same(tiny: dict[str, Any], folders: dict[str, str], name: str) -> None:
    half = FAMILIES[name].Pipeline.load(folders[name], "cpu", "bfloat16")
    assert half.pipe.transformer.dtype == torch.bfloat16
    pairs = zip(drawn(half, requests(name)), drawn(tiny[name], requests(name)), strict=True)
    assert max(np.abs(one - other).mean() for one, other in pairs) < 12


def seen(
    pipeline: Any, tensors: Mapping[str, Any], seed: int = 0, feel: Any = unfelt
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = len(tensors["latents"])
    with torch.no_grad():
        return pipeline.predict(tensors, [NEUTRAL] * rows, feel, generator)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_target_leads_from_the_picture_to_the_noise(tiny: dict[str, Any], name: str) -> None:
    tensors = tiny[name].prepare(examples())
    made, wanted, timesteps = seen(tiny[name], tensors)
    noise = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(tensors["latents"] + wanted, noise, atol=1e-5)
    assert made.shape == wanted.shape == (4, 4, 8, 8)
    assert timesteps.shape == (4,)
    assert 0 < timesteps.min() < timesteps.max() < 1000
    for captions in (["", "", "", ""], ["a", "b", "c", "d"]):
        other = seen(tiny[name], {**tensors, **tiny[name].prepare_text(captions)})
        assert torch.equal(other[1], wanted)
        assert torch.equal(other[2], timesteps)
        assert not torch.equal(other[0], made)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_network_is_asked_in_training_as_in_drawing(name: str) -> None:
    """One Euler step from noise to nothing, by hand, is the picture that a one-step render makes."""
    pipeline = FAMILIES[name].Pipeline.tiny(0)
    if name == "flux":
        pipeline.guidance = 1.0  # as in training
    (request, _) = requests(name, steps=1, **({} if name == "flux" else {"guidance": 1.0}))
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(request.seed))
    with torch.no_grad():
        texts = pipeline.prepare_text([request.prompt])
        clean = noise - pipeline.velocity(noise, torch.ones(1), texts, None)
        pixels = pipeline.pipe.vae.decode(
            clean / pipeline.pipe.vae.config.scaling_factor + pipeline.pipe.vae.config.shift_factor
        ).sample
    by_hand = (pixels[0].permute(1, 2, 0) / 2 + 0.5).clamp(0, 1).mul(255).round().int().numpy()
    assert farthest(drawn(pipeline, [request]), [by_hand]) <= ROUNDING


@pytest.mark.parametrize("name", FAMILIES)
def test_a_caption_is_the_same_alone_and_beside_longer_ones(tiny: dict[str, Any], name: str) -> None:
    together = tiny[name].prepare_text(PROMPTS)
    alone = [tiny[name].prepare_text([prompt]) for prompt in PROMPTS]
    for key, rows in together.items():
        assert torch.allclose(rows, torch.cat([one[key] for one in alone]), atol=1e-5)
    if name == "zimage":
        short, long = together["length"].tolist()
        assert short < long
        assert not together["text"][0, short:].any()


def middle_sigma(pipeline: Any, shape: tuple[int, ...]) -> float:
    shift = _flow._shift(pipeline.pipe.scheduler, shape)
    return float(_flow_loss.drawn_sigmas(shape[0], shift, torch.Generator().manual_seed(0)).median())


@pytest.mark.parametrize("name", FAMILIES)
def test_times_lean_towards_noise_as_the_sampler_does(name: str) -> None:
    pipeline = FAMILIES[name].Pipeline.tiny(0)
    middle = {}
    for shift in (1.0, 3.0):
        pipeline.pipe.scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
        middle[shift] = middle_sigma(pipeline, (4000, 4, 8, 8))
    assert middle[1.0] == pytest.approx(0.5, abs=0.02)
    assert middle[3.0] == pytest.approx(0.75, abs=0.02)
    shift_by_size(pipeline)
    shapes = ((4000, 4, 8, 8), (4000, 4, 128, 128))
    small, large = (middle_sigma(pipeline, shape) for shape in shapes)
    assert 0.5 < small < large
    assert large == pytest.approx(np.exp(1.15) / (np.exp(1.15) + 1), abs=0.02)  # 4096 tokens: max_shift


@pytest.mark.parametrize("name", FAMILIES)
def test_min_snr_is_refused(tiny: dict[str, Any], name: str) -> None:
    tensors = tiny[name].prepare(examples(1))
    with pytest.raises(InputError, match=r"^snr_gamma: flow matching has no min-SNR weight"):
        tiny[name].loss(tensors, [NEUTRAL], unfelt, torch.Generator(), 5.0)


def strong(pipeline: Any, targets: Mapping[str, str]) -> Adapter:
    adapter = Adapter.create(pipeline.modules, Config(targets=targets, rank=4))
    generator = torch.Generator().manual_seed(0)
    for key, weight in adapter.weights.items():
        if key.endswith("lora_B.weight"):
            weight.data.normal_(0, 0.5, generator=generator)
    return adapter


LAYERS = {
    **{name: PRESETS[name] for name in PRESETS},
    "text and picture in one sequence": {
        "transformer": r"((single_)?transformer_blocks|layers)\..*(to_q|proj_mlp|w1|ff\.net\.2)"
    },
}


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("name", FAMILIES)
def test_neutral_rows_are_the_base_bit_for_bit_beside_felt_rows(
    tiny: dict[str, Any], name: str, layers: str
) -> None:
    pipeline = tiny[name]
    tensors = pipeline.prepare(examples())
    base = seen(pipeline, tensors)[0]
    with strong(pipeline, LAYERS[layers]).applied(pipeline.modules) as set_emotion:
        felt = seen(pipeline, tensors, feel=lambda _rows: set_emotion([NEUTRAL, HAPPY, NEUTRAL, AFRAID]))[0]
        unfelt_rows = seen(pipeline, tensors, feel=set_emotion)[0]
    assert torch.equal(unfelt_rows, base)
    assert torch.equal(felt[[0, 2]], base[[0, 2]])
    assert (felt[[1, 3]] - base[[1, 3]]).abs().amax(dim=(1, 2, 3)).min() > 0.01


def test_an_adapter_of_one_family_is_refused_by_another(tiny: dict[str, Any]) -> None:
    adapter = strong(tiny["sd3"], PRESETS["standard"])
    with pytest.raises(ModelError, match="it does not fit"), adapter.applied(tiny["flux"].modules):
        pass
    of_a_unet = {"unet": tiny["flux"].modules["transformer"]}
    with pytest.raises(ModelError, match="no 'transformer', only unet"), adapter.applied(of_a_unet):
        pass


def test_a_component_that_no_model_could_have_is_refused(tiny: dict[str, Any]) -> None:
    for targets in ({"unet": ".*"}, {"transformr": ".*"}, {"transformr": ".*", "transformer": ".*to_q"}):
        with pytest.raises(ModelError, match="the model has no"):
            Adapter.create(tiny["flux"].modules, Config(targets=targets))
