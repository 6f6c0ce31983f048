"""LTX-Video, old and new, on the real classes at toy size: beside diffusers' own calls, and what is felt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines import _diffusers_loading as loading
from pipelines import _placement as placement
from pipelines.video import _ltx_models as models
from pipelines.video import _ltx_toys as toys
from pipelines.video import _start as start
from pipelines.video import ltx
from studio.emotion import NEUTRAL
from studio.errors import InputError
from studio.request import RenderRequest
from tests.pipelines.clip_shots import asked, clips, frames, strong, write_picture, write_video
from tests.pipelines.staging import AFRAID, HAPPY

SMALL = {"length_s": 0.6, "steps": 3, "width": 96, "height": 64}
COUNT = 17  # frames, of three latent ones
PLACES = 6  # tokens of each


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    pictures = {
        name: write_picture(folder / f"{name}.png", at) for at, name in enumerate(("image", "last_image"))
    }
    return {**pictures, "video": write_video(folder / "video.mp4", 24)}


@pytest.fixture(scope="module")
def pipelines() -> Callable[[str], ltx.Pipeline]:
    made: dict[str, ltx.Pipeline] = {}

    def of(age: str) -> ltx.Pipeline:
        if age not in made:
            made[age] = ltx.Pipeline(loading.ready(toys.tiny(0, keyed=age == "new"), "cpu"), toys.SIZE_PX)
        return made[age]

    return of


def shot(files: dict[str, Path], names: str = "", emotion: str = "neutral", **changes: Any) -> RenderRequest:
    inputs = {name: files[name] for name in names.split()}
    return asked(ltx, emotion, inputs, **{**SMALL, **changes})


def by_hand(pipeline: ltx.Pipeline, names: str, files: dict[str, Path]) -> np.ndarray:
    """What diffusers' own pipeline makes of the same."""
    shown: dict[str, Any] = {}
    keyed = models.takes_keys(pipeline.pipe)
    build = models.from_text if names in ("", "video") else models.from_pictures
    pipe = build(pipeline.pipe)
    if names == "video":
        film = start.frames_from(files["video"], COUNT, 24, (96, 64), "crop")
        shots = [Image.fromarray(one) for one in film]
        with torch.no_grad():
            plain = pipe.vae.encode(pipe.video_processor.preprocess_video(shots)).latent_dist.mode()
        shown = {"denoise_strength": 0.7}
        shown["latents"] = pipe._normalize_latents(plain, pipe.vae.latents_mean, pipe.vae.latents_std)
    elif names:
        pictures = [start.fitted(files[name], (96, 64), "crop") for name in names.split()]
        shown = {"image": pictures, "frame_index": [0, COUNT - 1][: len(pictures)]}
        shown |= {"video": [None] * len(pictures)} if keyed else {}
    if names and not keyed:
        shown = {"image": pictures[0]}
    end = {"decode_timestep": 0.05, "decode_noise_scale": 0.025}
    size = {"width": 96, "height": 64, "num_frames": COUNT, "frame_rate": 24, "num_inference_steps": 3}
    pipe.set_progress_bar_config(disable=True)
    made = pipe(
        prompt="a lake",
        guidance_scale=3.0,
        generator=torch.Generator().manual_seed(1),
        output_type="np",
        **size,
        **shown,
        **end,
    )
    return np.round(made.frames[0] * 255)


@pytest.mark.parametrize(
    ("age", "names"),
    [
        ("new", ""),
        ("new", "image"),
        ("new", "image last_image"),
        ("new", "video"),
        ("old", ""),
        ("old", "image"),
    ],
)
def test_it_draws_what_diffusers_draws(
    age: str, names: str, pipelines: Callable[[str], ltx.Pipeline], files: dict[str, Path]
) -> None:
    pipeline = pipelines(age)
    made = frames(pipeline, shot(files, names, **({"strength": 0.7} if names == "video" else {})))
    assert made.shape == (COUNT, 64, 96, 3)
    assert made.std() > 5, "flat frames would pass every comparison"
    assert np.abs(made - by_hand(pipeline, names, files)).max() <= 1


def test_pictures_and_video_change_the_clip(
    pipelines: Callable[[str], ltx.Pipeline], files: dict[str, Path]
) -> None:
    made = [
        frames(pipelines("new"), shot(files, names)) for names in ("", "image", "image last_image", "video")
    ]
    for number, one in enumerate(made):
        assert all(np.abs(one - other).max() > 2 for other in made[number + 1 :])


def test_tokens_lie_in_order_of_time_height_and_width(pipelines: Callable[[str], ltx.Pipeline]) -> None:
    pipe = pipelines("new").pipe
    latents = torch.arange(3 * 2 * 3.0).view(1, 1, 3, 2, 3)
    tokens = models.packed(pipe, latents)
    assert tokens.flatten().tolist() == list(range(18))
    assert torch.equal(models.unpacked(pipe, tokens, (3, 2, 3)), latents)
    in_front = torch.cat([torch.full((1, 6, 1), -1.0), tokens], dim=1)
    assert torch.equal(models.unpacked(pipe, in_front, (3, 2, 3)), latents)


def test_unguided_rows_feel_nothing_and_the_end_picture_feels_the_end(
    pipelines: Callable[[str], ltx.Pipeline], files: dict[str, Path]
) -> None:
    rows: list[Any] = []
    for names in ("image", "image last_image"):
        frames(pipelines("new"), shot(files, names, "v=-1@0, v=1@100%"), feel=rows.append)
    (unguided, one), (_, both) = rows
    assert unguided == NEUTRAL
    assert [mood.valence for mood in one] == pytest.approx([-16 / 17, -7 / 17, 9 / 17])
    assert both == [one[-1], *one]
    rows.clear()
    frames(pipelines("new"), shot(files, emotion="v=0.5", guidance=1.0), feel=rows.append)
    assert [len(one) for one in rows] == [1] and rows[0][0].valence == 0.5


def test_only_the_moments_that_feel_otherwise_are_moved_in_a_layer(
    pipelines: Callable[[str], ltx.Pipeline],
) -> None:
    pipeline = pipelines("new")
    network, seen = pipeline.pipe.transformer, []
    said = pipeline.prepare_text(["a lake"])
    given = {
        "hidden_states": torch.randn(1, 4 * PLACES, 16, generator=torch.Generator().manual_seed(0)),
        "encoder_hidden_states": said["text"],
        "encoder_attention_mask": said["mask"],
        "timestep": torch.tensor([500.0]),
        **models.places(pipeline.pipe, (4, 2, 3), 1, 24.0, "cpu"),
    }
    with strong(pipeline.modules).applied(pipeline.modules) as feel:
        first = network.transformer_blocks[0].attn1.to_q
        hook = first.register_forward_hook(lambda _m, _i, made: seen.append(made))
        for moods in ([HAPPY] * 4, [HAPPY, HAPPY, HAPPY, AFRAID]):
            feel([moods])
            with torch.no_grad():
                network(**given)
        hook.remove()
    constant, late = (one.unflatten(1, (4, PLACES)) for one in seen)
    assert torch.equal(constant[:, :3], late[:, :3])
    assert not torch.allclose(constant[:, 3], late[:, 3], atol=0.1)


def test_neutral_is_no_adapter_and_a_curve_is_no_constant(
    pipelines: Callable[[str], ltx.Pipeline], files: dict[str, Path]
) -> None:
    pipeline, names = pipelines("new"), "image last_image"
    plain = frames(pipeline, shot(files, names))
    with strong(pipeline.modules, r".*attn[12]\.(to_[qkv]|to_out\.0)").applied(pipeline.modules) as feel:
        assert np.array_equal(frames(pipeline, shot(files, names), feel), plain)
        curve, constant = (
            frames(pipeline, shot(files, names, text), feel) for text in ("v=1@0, v=-1@100%", "v=1")
        )
    assert np.abs(constant - plain).max() > 20
    assert np.abs(curve - constant).max() > 10


def test_a_loop_ends_where_it_starts(
    pipelines: Callable[[str], ltx.Pipeline], files: dict[str, Path]
) -> None:
    looped = frames(pipelines("new"), shot(files, "image", loop=True))
    same = {"image": files["image"], "last_image": files["image"]}
    assert np.array_equal(looped, frames(pipelines("new"), asked(ltx, inputs=same, **SMALL))[:-1])


@pytest.mark.parametrize("where", ["offloaded", "layer by layer"])
def test_a_placed_pipeline_draws_and_feels_the_same(
    where: str, pipelines: Callable[[str], ltx.Pipeline], files: dict[str, Path]
) -> None:
    placed = ltx.Pipeline(loading.ready(toys.tiny(0), "cpu"), toys.SIZE_PX)
    if where == "offloaded":
        placed.pipe.enable_model_cpu_offload(device="cpu")
    else:
        placement.layer_by_layer(placed.pipe, "cpu")
        assert hasattr(placed.pipe.transformer.proj_in, "_diffusers_hook")
    made = []
    for pipeline in (placed, pipelines("new")):
        with strong(pipeline.modules).applied(pipeline.modules) as feel:
            made.append(frames(pipeline, shot(files, "image", "v=1@0, v=-1@100%"), feel))
    assert np.array_equal(*made)


@pytest.mark.parametrize(
    ("names", "changes", "message"),
    [
        ("video", {}, r"^inputs\.video: this model takes a start picture alone.*LTX-Video-0\.9\.5"),
        ("image last_image", {}, r"^inputs\.last_image: this model takes a start picture alone"),
        ("image", {"loop": True}, r"^loop: this model takes no end picture"),
    ],
)
def test_what_an_old_model_cannot_do_is_told_before_anything_is_made(
    names: str,
    changes: dict[str, Any],
    message: str,
    pipelines: Callable[[str], ltx.Pipeline],
    files: dict[str, Path],
) -> None:
    steps: list[Any] = []
    with pytest.raises(InputError, match=message):
        frames(pipelines("old"), shot(files, names, **changes), watch=steps.append)
    assert not steps


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length_s": 20.0}, r"^length_s: 20 s at 24 frames a second are 481 frames; 257 .*'10\.7'"),
        ({"height": 100}, r"^height: must be a multiple of 32, got 100; .*'96'"),
        ({"loop": True}, r"^loop: needs a start picture"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    changes: dict[str, Any], message: str, files: dict[str, Path]
) -> None:
    with pytest.raises(InputError, match=message):
        ltx.check(shot(files, **changes))


@pytest.mark.parametrize("age", ["new", "old"])
def test_both_ages_can_be_trained(age: str, pipelines: Callable[[str], ltx.Pipeline]) -> None:
    pipeline = pipelines(age)
    prepared = pipeline.prepare(clips(), (96, 64))
    assert prepared["latents"].shape == (3, 16, 2, 2, 3), "nine of ten frames"
    adapter, losses = strong(pipeline.modules), []
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=1e-2)
    with adapter.trainable(pipeline.modules) as feel:
        for _ in range(3):
            felt = [[HAPPY] * 4 + [AFRAID] * 5, HAPPY, NEUTRAL]
            value = pipeline.loss(prepared, felt, feel, torch.Generator().manual_seed(3))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            losses.append(value.item())
    assert losses[2] < losses[1] < losses[0]


def test_the_network_learns_what_the_sampler_asks_it(pipelines: Callable[[str], ltx.Pipeline]) -> None:
    """Inputs are the same in training: a sampler's step from pure noise finds the same velocity."""
    pipeline, seen = pipelines("new"), []
    hook = pipeline.pipe.transformer.register_forward_hook(
        lambda _m, _i, named, made: seen.append((named, made[0])), with_kwargs=True
    )
    request = asked(ltx, **{**SMALL, "fps": 25, "guidance": 1.0, "steps": 1})
    frames(pipeline, request)
    hook.remove()
    (named, made), said = seen[0], pipeline.prepare_text(["a lake"])
    shape = models.latent_shape(pipeline.pipe, (96, 64), COUNT)
    noise = models.unpacked(pipeline.pipe, named["hidden_states"], shape)
    with torch.no_grad():
        found = pipeline.velocities(noise, torch.ones(1), said, [NEUTRAL], lambda _rows: None)
    assert torch.allclose(models.packed(pipeline.pipe, found), made, atol=1e-4)
