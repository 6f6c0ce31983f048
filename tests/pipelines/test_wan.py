"""Wan of every kind, on the real classes at toy size: beside diffusers' own calls, and what is felt when."""

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
from pipelines.video import _start as start
from pipelines.video import _wan_models as models
from pipelines.video import _wan_toys as toys
from pipelines.video import _wan_vae as wan_vae
from pipelines.video import wan
from studio.emotion import NEUTRAL, VAD
from studio.errors import InputError
from studio.request import RenderRequest
from tests.pipelines.clip_shots import asked, clips, frames, strong, write_picture, write_video
from tests.pipelines.staging import AFRAID, HAPPY

SMALL = {"length_s": 0.5, "steps": 2, "width": 64, "height": 64}
COUNT = 9  # frames, of three latent ones
KINDS: dict[str, Callable[[], Any]] = {
    "text": lambda: toys.from_text(0),
    "text, two": lambda: toys.from_text(0, two=True),
    "picture": lambda: toys.from_picture(0),
    "ends": lambda: toys.from_picture(0, pairs=True),
    "picture, two": lambda: toys.from_picture(0, two=True),
    "either": lambda: toys.from_either(0),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    pictures = {
        name: write_picture(folder / f"{name}.png", at) for at, name in enumerate(("image", "last_image"))
    }
    return {**pictures, "video": write_video(folder / "video.mp4", 16)}


@pytest.fixture(scope="module")
def pipelines() -> Callable[[str], wan.Pipeline]:
    made: dict[str, wan.Pipeline] = {}

    def of(kind: str) -> wan.Pipeline:
        if kind not in made:
            made[kind] = wan.Pipeline(loading.ready(KINDS[kind](), "cpu"), toys.SIZE_PX)
        return made[kind]

    return of


def shot(files: dict[str, Path], names: str = "", emotion: str = "neutral", **changes: Any) -> RenderRequest:
    inputs = {name: files[name] for name in names.split()}
    return asked(wan, emotion, inputs, **{**SMALL, **changes})


def by_hand(pipeline: wan.Pipeline, names: str, files: dict[str, Path]) -> np.ndarray:
    """What diffusers' own pipeline makes of the same."""
    first, second = pipeline.traits.guidance
    given: dict[str, Any] = {"num_frames": COUNT, "guidance_scale_2": second, "guidance_scale": first}
    pictures = {
        name: start.fitted(files[name], (64, 64), "crop") for name in names.split() if name != "video"
    }
    if names == "video":
        film = start.frames_from(files["video"], COUNT, 16, (64, 64), "crop")
        pipe, given = (
            models.from_video(pipeline.pipe, 3.0),
            {"video": [Image.fromarray(one) for one in film], "strength": 0.6},
        )
        given["guidance_scale"] = first
    elif names:
        pipe = models.from_picture(pipeline.pipe, 3.0)
    else:
        pipe = models.from_text(pipeline.pipe, 3.0)
    pipe.set_progress_bar_config(disable=True)
    asked_for = {"prompt": "a lake", "width": 64, "height": 64, "num_inference_steps": 2}
    made = pipe(**asked_for, **given, **pictures, generator=torch.Generator().manual_seed(1))
    return np.round(made.frames[0] * 255)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("text", ""),
        ("text", "video"),
        ("text, two", ""),
        ("text, two", "video"),
        ("picture", "image"),
        ("ends", "image last_image"),
        ("picture, two", "image"),
        ("picture, two", "image last_image"),
        ("either", ""),
        ("either", "image"),
        ("either", "video"),
    ],
)
def test_it_draws_what_diffusers_draws(
    kind: str, names: str, pipelines: Callable[[str], wan.Pipeline], files: dict[str, Path]
) -> None:
    pipeline = pipelines(kind)
    made = frames(pipeline, shot(files, names))
    assert made.shape == (COUNT, 64, 64, 3)
    assert made.std() > 5, "flat frames would pass every comparison"
    assert np.abs(made - by_hand(pipeline, names, files)).max() <= 1


@pytest.mark.parametrize("kind", ["text", "either"])
def test_decoding_piece_by_piece_is_decoding(kind: str, pipelines: Callable[[str], wan.Pipeline]) -> None:
    vae = pipelines(kind).pipe.vae
    latents = torch.randn(1, 16, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    pieces = list(wan_vae.decoded(vae, latents))
    assert [piece.shape[2] for piece in pieces] == [1, 4, 4, 4]
    with torch.no_grad():
        whole = vae.decode(wan_vae.unscaled(vae, latents)).sample
    assert torch.equal(torch.cat(pieces, dim=2), whole)


def test_latents_are_scaled_and_back(pipelines: Callable[[str], wan.Pipeline]) -> None:
    vae = pipelines("text").pipe.vae
    pixels = torch.rand(2, 3, 5, 32, 48) * 2 - 1
    latents = wan_vae.encoded(vae, pixels)
    with torch.no_grad():
        plain = vae.encode(pixels).latent_dist.mode()
    assert torch.allclose(wan_vae.unscaled(vae, latents), plain, atol=1e-5)
    assert not torch.allclose(latents, plain, atol=0.1)


@pytest.mark.parametrize(("kind", "names"), [("text", ""), ("text, two", ""), ("text, two", "video")])
def test_the_pass_of_the_negative_prompt_feels_nothing(
    kind: str, names: str, pipelines: Callable[[str], wan.Pipeline], files: dict[str, Path]
) -> None:
    pipeline = pipelines(kind)
    rows: list[Any] = []
    passes: list[tuple[int, torch.Tensor, Any]] = []
    hooks = [
        network.register_forward_hook(
            lambda _n, _i, named, _o, at=at: passes.append((at, named["encoder_hidden_states"], rows[-1])),
            with_kwargs=True,
        )
        for at, network in enumerate(pipeline.networks)
    ]
    try:
        request = shot(files, names, "v=-1@0, v=1@100%", negative_prompt="fog", steps=4, strength=1.0)
        frames(pipeline, request, feel=rows.append)
    finally:
        for hook in hooks:
            hook.remove()
    said = pipeline.prepare_text(["a lake"])["text"]
    assert len(passes) == 8
    for _, text, felt in passes:
        if torch.equal(text, said):
            assert [mood.valence for mood in felt[0]] == pytest.approx([-8 / 9, -1 / 3, 5 / 9])
        else:
            assert felt == [NEUTRAL]
    assert sum(torch.equal(text, said) for _, text, _ in passes) == 4
    assert {at for at, _, _ in passes} == set(range(len(pipeline.networks))), "every network had its steps"


def test_a_constant_is_one_point_and_is_told_once_without_guidance(
    pipelines: Callable[[str], wan.Pipeline], files: dict[str, Path]
) -> None:
    rows: list[Any] = []
    frames(pipelines("text"), shot(files, emotion="v=0.5", guidance=1.0), feel=rows.append)
    assert rows == [[VAD(0.5, 0.0, 0.0)]]


def test_only_the_moments_that_feel_otherwise_are_moved_in_a_layer(
    pipelines: Callable[[str], wan.Pipeline],
) -> None:
    pipeline = pipelines("text")
    network, seen = pipeline.pipe.transformer, []
    given = {
        "hidden_states": torch.randn(1, 16, 4, 6, 8, generator=torch.Generator().manual_seed(0)),
        "timestep": torch.tensor([500.0]),
        "encoder_hidden_states": pipeline.prepare_text(["a lake"])["text"],
    }
    with strong(pipeline.modules).applied(pipeline.modules) as feel:
        hook = network.blocks[0].attn1.to_q.register_forward_hook(lambda _m, _i, made: seen.append(made))
        for moods in ([HAPPY] * 4, [HAPPY, HAPPY, HAPPY, AFRAID], [HAPPY, AFRAID, HAPPY, HAPPY]):
            feel([moods])
            with torch.no_grad():
                network(**given)
        hook.remove()
    constant, late, early = (one.unflatten(1, (4, 12)) for one in seen)  # 3 x 4 tokens a latent frame
    assert torch.equal(constant[:, :3], late[:, :3])
    assert not torch.allclose(constant[:, 3], late[:, 3], atol=0.1)
    assert torch.equal(constant[:, [0, 2, 3]], early[:, [0, 2, 3]])
    assert not torch.allclose(constant[:, 1], early[:, 1], atol=0.1)


def test_neutral_is_no_adapter_and_a_curve_is_no_constant(
    pipelines: Callable[[str], wan.Pipeline], files: dict[str, Path]
) -> None:
    pipeline = pipelines("text, two")
    request, plain = shot(files), frames(pipelines("text, two"), shot(files))
    with strong(pipeline.modules, r".*attn[12]\.(to_[qkv]|to_out\.0)").applied(pipeline.modules) as feel:
        assert np.array_equal(frames(pipeline, request, feel), plain)
        curve, constant = (
            frames(pipeline, shot(files, emotion=text), feel) for text in ("v=1@0, v=-1@100%", "v=1")
        )
    assert np.abs(constant - plain).max() > 20
    assert np.abs(curve - constant).max() > 20
    assert np.array_equal(frames(pipeline, request), plain), "nothing of it is left"


def test_an_adapter_of_one_network_is_worn_by_both(pipelines: Callable[[str], wan.Pipeline]) -> None:
    pipeline = pipelines("text, two")
    adapter = strong({"transformer": pipeline.pipe.transformer})
    given = {
        "hidden_states": torch.randn(1, 16, 3, 4, 4, generator=torch.Generator().manual_seed(0)),
        "timestep": torch.tensor([300.0]),
        "encoder_hidden_states": pipeline.prepare_text(["a lake"])["text"],
    }

    def seen() -> list[torch.Tensor]:
        with torch.no_grad():
            return [network(**given).sample for network in pipeline.networks]

    bare = seen()
    with adapter.applied(pipeline.modules) as feel:
        feel([NEUTRAL])
        assert all(torch.equal(one, other) for one, other in zip(seen(), bare, strict=True))
        feel([HAPPY])
        moved = seen()
    assert all((one - other).abs().max() > 0.1 for one, other in zip(moved, bare, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(seen(), bare, strict=True))


@pytest.mark.parametrize("where", ["offloaded", "layer by layer"])
def test_a_placed_pipeline_draws_and_feels_the_same(
    where: str, pipelines: Callable[[str], wan.Pipeline], files: dict[str, Path]
) -> None:
    placed = wan.Pipeline(loading.ready(KINDS["text, two"](), "cpu"), toys.SIZE_PX)
    if where == "offloaded":
        placed.pipe.enable_model_cpu_offload(device="cpu")
    else:
        placement.layer_by_layer(placed.pipe, "cpu")
        assert hasattr(placed.pipe.transformer_2.blocks[0].attn1.to_q, "_diffusers_hook")
    made = []
    for pipeline in (placed, pipelines("text, two"), placed):
        with strong(pipeline.modules).applied(pipeline.modules) as feel:
            made.append(frames(pipeline, shot(files, emotion="v=1@0, v=-1@100%"), feel))
    assert np.array_equal(made[0], made[1])
    assert np.array_equal(made[2], made[1])


def test_weights_in_8_bits_are_those_of_both_networks() -> None:
    pipe = toys.from_text(0, two=True)
    placement.store_in_fp8(pipe)
    for network in (pipe.transformer, pipe.transformer_2):
        assert torch.float8_e4m3fn in {weight.dtype for weight in network.parameters()}


def test_a_picture_model_is_loaded_with_its_eyes(
    pipelines: Callable[[str], wan.Pipeline], files: dict[str, Path], tmp_path: Path
) -> None:
    pipeline = pipelines("picture")
    pipeline.pipe.save_pretrained(tmp_path)
    loaded = wan.Pipeline.load(str(tmp_path))
    request = shot(files, "image")
    assert np.abs(frames(loaded, request) - frames(pipeline, request)).max() <= 1
    half = wan.Pipeline.load(str(tmp_path), "cpu", "bfloat16")
    assert (half.pipe.transformer.dtype, half.pipe.vae.dtype) == (torch.bfloat16, torch.float32)


def test_a_loop_ends_where_it_starts(
    pipelines: Callable[[str], wan.Pipeline], files: dict[str, Path]
) -> None:
    pipeline = pipelines("ends")
    looped = frames(pipeline, shot(files, "image", loop=True))
    same = {"image": files["image"], "last_image": files["image"]}
    whole = frames(pipeline, asked(wan, inputs=same, **SMALL))
    assert np.array_equal(looped, whole[:-1])


def test_what_a_person_sets_changes_the_clip(
    pipelines: Callable[[str], wan.Pipeline], files: dict[str, Path]
) -> None:
    plain = frames(pipelines("text, two"), shot(files, steps=4))
    for change in ({"shift": 8.0}, {"guidance_2": 1.5}, {"guidance": 6.0}):
        assert np.abs(frames(pipelines("text, two"), shot(files, steps=4, **change)) - plain).max() > 2


def test_the_record_says_the_guidance_that_ran(
    pipelines: Callable[[str], wan.Pipeline], files: dict[str, Path]
) -> None:
    said = []
    for names in ("", "video"):
        (clip,) = pipelines("text, two").render([shot(files, names)], lambda _: None, lambda _: None)
        said.append({name: clip.details.get(name) for name in ("guidance", "guidance_2")})
    assert said == [{"guidance": 4.0, "guidance_2": 3.0}, {"guidance": 4.0, "guidance_2": None}]


@pytest.mark.parametrize(
    ("kind", "names", "changes", "message"),
    [
        ("text", "image", {}, r"^inputs\.image: this model takes none.*TI2V-5B"),
        ("text", "image last_image", {}, r"^inputs\.image: this model takes none"),
        ("picture", "", {}, r"^inputs\.image: this model starts from a picture"),
        ("picture", "video", {}, r"^inputs\.image: this model starts from a picture"),
        ("picture", "image last_image", {}, r"^inputs\.last_image: this model takes none.*I2V-A14B"),
        ("picture", "image", {"loop": True}, r"^loop: this model takes no end picture"),
        ("ends", "image", {}, r"^inputs\.last_image: this model goes from a start picture to an end"),
        ("either", "image last_image", {}, r"^inputs\.last_image: this model takes none"),
        (
            "either",
            "",
            {"width": 80},
            r"^width: must be a multiple of 32 for this model, got 80; .*'64'|'96'",
        ),
        ("text", "", {"guidance_2": 3.0}, r"^guidance_2: this model has one network"),
    ],
)
def test_what_a_model_cannot_do_is_told_before_anything_is_made(
    kind: str,
    names: str,
    changes: dict[str, Any],
    message: str,
    pipelines: Callable[[str], wan.Pipeline],
    files: dict[str, Path],
) -> None:
    steps: list[Any] = []
    with pytest.raises(InputError, match=message):
        frames(pipelines(kind), shot(files, names, **changes), watch=steps.append)
    assert not steps


@pytest.mark.parametrize(
    ("names", "changes", "message"),
    [
        ("", {"length_s": 60.0}, r"^length_s: 60 s at 16 frames a second are 961 frames; 121 .*'7\.56'"),
        ("", {"length_s": 8.0, "fps": 30}, r"^length_s: 8 s at 30 frames a second are 241 frames"),
        ("last_image", {}, r"^inputs\.last_image: an end picture needs a start picture"),
        ("image video", {}, r"^inputs: a clip starts from a picture or from a video"),
        ("video last_image", {}, r"^inputs\.last_image: a clip that is drawn anew"),
        ("video", {"strength": 0.1, "steps": 4}, r"^strength: 0\.1 of 4 steps is not one step; .*'0\.25'"),
        ("", {"loop": True}, r"^loop: needs a start picture"),
        ("image last_image", {"loop": True}, r"^loop: ends where it starts"),
        ("", {"negative_prompt": "fog", "guidance": 1.0}, r"^negative_prompt: is heard only with guidance"),
        ("", {"width": 100}, r"^width: must be a multiple of 16"),
        ("video", {"guidance_2": 3.0}, r"^guidance_2: a clip that is drawn anew has one guidance"),
        ("", {"emotion": "fear@0s, relief@4s"}, r"^emotion: key 'relief@4s' lies beyond the end"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    names: str, changes: dict[str, Any], message: str, files: dict[str, Path]
) -> None:
    with pytest.raises(InputError, match=message):
        wan.check(shot(files, names, **changes))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_trained(kind: str, pipelines: Callable[[str], wan.Pipeline]) -> None:
    pipeline = pipelines(kind)
    prepared = pipeline.prepare(clips(), (64, 64))
    beside = {
        "picture": {"condition", "picture"},
        "ends": {"condition", "picture"},
        "picture, two": {"condition"},
    }
    assert set(prepared) == {"latents", "text"} | beside.get(kind, set())
    assert prepared["latents"].shape[:3] == (3, 16, 3), "nine of ten frames"
    adapter, losses = strong(pipeline.modules), []
    emotions = [[HAPPY] * 4 + [AFRAID] * 5, HAPPY, NEUTRAL]
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=1e-2)
    with adapter.trainable(pipeline.modules) as feel:
        for _ in range(3):
            value = pipeline.loss(prepared, emotions, feel, torch.Generator().manual_seed(3))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            losses.append(value.item())
    assert losses[2] < losses[1] < losses[0]


def test_a_batch_learns_with_the_network_that_its_noise_belongs_to(
    pipelines: Callable[[str], wan.Pipeline],
) -> None:
    pipeline = pipelines("text, two")
    prepared, ran = pipeline.prepare(clips(), (64, 64)), []
    hooks = [
        network.register_forward_hook(lambda *_, at=at: ran.append(at))
        for at, network in enumerate(pipeline.networks)
    ]
    for seed in range(12):
        rows = [NEUTRAL] * 3
        made = pipeline.predict(prepared, rows, lambda _rows: None, torch.Generator().manual_seed(seed))
        assert {bool(time >= 875) for time in made[2]} == {ran[-1] == 0}
    for hook in hooks:
        hook.remove()
    assert set(ran) == {0, 1}


def test_clips_of_other_lengths_make_no_batch(pipelines: Callable[[str], wan.Pipeline]) -> None:
    with pytest.raises(
        InputError, match=r"^frames: clips of one batch have different counts of frames: \[5, 9\]"
    ):
        pipelines("text").prepare([*clips(1), *clips(1, 6)], (64, 64))
