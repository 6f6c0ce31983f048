"""Clips of a picture model with a motion adapter: what the contract tests of all families do not see."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.video import _motion_adapter as motion_adapter
from pipelines.video._clip_noise import ClipNoise
from studio import catalog, video_files
from studio.emotion import NEUTRAL, VAD, parse_curve
from studio.errors import Cancelled, EmotionError, InputError, ModelError, NotFoundError
from studio.ports import Step
from studio.render import Studio
from studio.request import RenderRequest
from studio.settings import Settings
from tests.pipelines.staging import HAPPY, ROUNDING, Stage, examples, moved, staged

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAME = "video/animatediff"
LONG = {"length_s": 1.0}  # 12 frames: two windows of eight


@pytest.fixture(scope="module")
def stage() -> Stage:
    return staged(NAME)


@pytest.fixture(scope="module")
def pipe(stage: Stage) -> Any:
    return stage.pipeline.pipe


@pytest.fixture(scope="module")
def adapters(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Motion adapters in diffusers' own folders: one that fits the toy, one for a wider model."""
    import diffusers

    torch.manual_seed(1)
    widths = {"fits": (16, 32), "wide": (32, 64)}
    folders = {}
    for name, block_out_channels in widths.items():
        made = diffusers.MotionAdapter(
            block_out_channels=block_out_channels,
            motion_layers_per_block=1,
            motion_num_attention_heads=2,
            motion_norm_num_groups=8,
            motion_max_seq_length=12,
        )
        folders[name] = tmp_path_factory.mktemp("motion") / name
        made.save_pretrained(folders[name])
        facts = {"noise_share": 0.25, "window": 6, "fps": 8}
        (folders[name] / "studio.json").write_text(json.dumps(facts))
    return folders


@pytest.fixture(scope="module")
def still_model(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture model of the toy's size, as anybody would save it."""
    folder = tmp_path_factory.mktemp("still")
    catalog.load("pipeline", "image/sd").Pipeline.tiny(0).pipe.save_pretrained(folder)
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "start.png"
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, 32:] = (230, 120, 20)
    Image.fromarray(pixels).save(path)
    return path


def asked(stage: Stage, inputs: dict[str, Path] | None = None, **changes: Any) -> RenderRequest:
    request = stage.request(**changes)
    return dataclasses.replace(
        request, inputs=tuple((name, str(path)) for name, path in (inputs or {}).items())
    )


def test_a_clip_of_one_window_is_what_plain_diffusers_makes(stage: Stage, pipe: Any) -> None:
    request = stage.request(length_s=8 / 12, guidance=4.0, negative_prompt="fog", scheduler="ddim")
    ours = stage.render(request)[0]
    noise, _ = ClipNoise().of_seeds([request.seed], (8, 4, 8, 8))
    theirs = pipe(
        "a harbour at dusk",
        num_frames=8,
        num_inference_steps=4,
        guidance_scale=4.0,
        negative_prompt="fog",
        latents=noise.transpose(1, 2),
        output_type="np",
    ).frames[0]
    assert moved(ours, (theirs * 255).round().astype(int)) <= ROUNDING
    assert ours.std(axis=0).mean() > 0.5, "frames that do not differ would pass for a clip"


def test_a_motion_that_does_nothing_leaves_the_pictures_as_they_were() -> None:
    """What diffusers carries over from a picture model's config: all that matters of the embedded one's."""
    import diffusers

    unet = diffusers.UNet2DConditionModel.from_pretrained(
        catalog.find_model("emotion-tiny"), subfolder="unet", torch_dtype=torch.float32
    )
    still = diffusers.MotionAdapter(
        block_out_channels=(64, 128, 192),
        motion_layers_per_block=1,
        motion_num_attention_heads=4,
        motion_norm_num_groups=16,
    )
    for name, weight in still.named_parameters():
        if "proj_out" in name:
            torch.nn.init.zeros_(weight)
    moving = diffusers.UNetMotionModel.from_unet2d(unet, still)
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn((1, 12, 3, 16, 16), generator=generator)
    text = torch.randn((1, 77, 160), generator=generator)
    with torch.no_grad():
        made = moving(frames, 500, text.expand(3, -1, -1)).sample
        for index in range(3):
            alone = unet(frames[:, :, index], 500, text).sample
            assert torch.allclose(made[:, :, index], alone, atol=1e-5)


def test_every_window_hears_its_own_frames_feelings(stage: Stage) -> None:
    seen: list[list[list[VAD]]] = []
    curve = parse_curve("v=-1@0, v=1@100%")
    batch = [stage.request(one, guidance=4.0, steps=1, **LONG) for one in (curve, HAPPY)]
    stage.render(*batch, feel=seen.append)
    assert len(seen) == 2, "two windows, one step"
    assert all([len(row) for row in rows] == [8, 8, 8, 8] for rows in seen)
    assert all(rows[:2] == [[NEUTRAL] * 8] * 2 and rows[3] == [HAPPY] * 8 for rows in seen)
    centres = [-1 + 2 * (index + 0.5) / 12 for index in range(12)]
    assert [mood.valence for mood in seen[0][2]] == pytest.approx(centres[:8])
    assert [mood.valence for mood in seen[1][2]] == pytest.approx(centres[4:])


def test_a_constant_says_its_feeling_once(stage: Stage) -> None:
    seen: list[Any] = []
    stage.render(stage.request(HAPPY, guidance=1.0, **LONG), feel=seen.append)
    assert seen == [[[HAPPY] * 8]]


def test_previews_show_two_frames_and_steps_are_windows(stage: Stage) -> None:
    steps: list[Step] = []
    shown: list[Image.Image] = []

    def watch(step: Step) -> None:
        steps.append(step)
        shown.extend(step.preview() if step.preview else [])

    frames = stage.render(stage.request(steps=3, **LONG), watch=watch)[0]
    assert steps[-1].total == 3 * 2 + 2, "windows in every step, then frames by eight"
    assert {one.size for one in shown} == {(128, 64)}
    last = np.concatenate([frames[0], frames[6]], axis=1)
    assert moved(np.asarray(shown[-1]).astype(int), last) <= ROUNDING


def test_cancel_while_frames_are_encoded_leaves_nothing(stage: Stage, tmp_path: Path) -> None:
    def stop_at_the_end(step: Step) -> None:
        if step.done == step.total:
            raise Cancelled("cancelled")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path))
        patch.setattr("tempfile.tempdir", str(tmp_path))
        with pytest.raises(Cancelled):
            stage.render(stage.request(), watch=stop_at_the_end)
        assert list(tmp_path.iterdir()) == []


def test_a_loop_is_another_clip_whose_end_leads_to_its_start(stage: Stage) -> None:
    open_, closed = (stage.render(stage.request(loop=loop, steps=6, **LONG))[0] for loop in (False, True))
    assert open_.shape == closed.shape == (12, 64, 64, 3)

    def seam(frames: np.ndarray) -> float:
        steps = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
        return float(np.abs(frames[-1] - frames[0]).mean() / np.median(steps))

    assert moved(open_, closed) > ROUNDING
    assert seam(closed) < max(1.5, seam(open_) * 1.05)


def test_a_start_picture_is_the_first_frame(stage: Stage, picture: Path) -> None:
    shown = [
        stage.render(asked(stage, {"image": picture}, strength=strength, steps=8, **LONG))[0]
        for strength in (1.0, 0.3)
    ]
    vae = stage.pipeline.pipe.vae
    pixels = torch.from_numpy(np.asarray(Image.open(picture)).copy()).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        kept = vae.decode(vae.encode(pixels).latent_dist.mode()).sample[0]
    wanted = ((kept.permute(1, 2, 0) / 2 + 0.5).clamp(0, 1) * 255).round().int().numpy()
    assert all(moved(frames[0], wanted) <= ROUNDING for frames in shown)
    away = [np.abs(frames - wanted).mean(axis=(1, 2, 3)) for frames in shown]
    assert away[0][6:].mean() > away[0][0] + 1, "later frames are the model's"
    assert away[1].mean() < away[0].mean(), "less strength keeps more"


def test_pictures_and_nothing_may_stand_in_one_batch(stage: Stage, picture: Path) -> None:
    batch = [asked(stage), asked(stage, {"image": picture}, seed=5), asked(stage, seed=7)]
    together = stage.render(*batch)
    for request, frames in zip(batch, together, strict=True):
        assert moved(stage.render(request)[0], frames) <= ROUNDING


@pytest.mark.parametrize("scheduler", ["dpm++ 2m", "euler", "heun"])
def test_a_video_is_drawn_anew_as_far_as_asked(stage: Stage, tmp_path: Path, scheduler: str) -> None:
    path = tmp_path / "source.mp4"
    video_files.record((np.full((64, 64, 3), 20 * index, np.uint8) for index in range(10)), 12.0, path)
    a_little, much, anew = (
        stage.render(
            asked(stage, {"video": path}, strength=strength, steps=5, guidance=1.0, scheduler=scheduler)
        )[0]
        for strength in (0.2, 0.6, 1.0)
    )
    plain = stage.render(asked(stage, steps=5, guidance=1.0, scheduler=scheduler))[0]
    assert np.array_equal(anew, plain), "all of it is drawn anew"
    assert np.abs(a_little - anew).mean() > np.abs(much - anew).mean()


def test_a_prompt_travels_from_key_to_key(stage: Stage) -> None:
    curve = parse_curve("calm@0, fear@100%")
    request = stage.request(curve, prompt="a harbour", guidance=4.0, **LONG)
    told = dataclasses.replace(request, told=("a harbour", "a burning forest"))
    start, travelled = (stage.render(one)[0] for one in (request, told))
    end = stage.render(dataclasses.replace(request, prompt="a burning forest"))[0]
    to_start, to_end = (np.abs(travelled - one).mean(axis=(1, 2, 3)) for one in (start, end))
    assert to_start[0] < to_start[-1]
    assert to_end[-1] < to_end[0]
    same = dataclasses.replace(request, told=("a harbour", "a harbour"))
    assert moved(stage.render(same)[0], start) <= ROUNDING


def test_frames_have_as_much_noise_in_common_as_the_motion_learnt() -> None:
    noise, _ = ClipNoise(0.4, 0.5).of_seeds([1, 2], (4, 12, 32, 32))
    shared = torch.corrcoef(noise[0].flatten(1))
    for apart in (1, 2, 3):
        expected = pytest.approx(0.4 + 0.6 * 0.5**apart, abs=0.04)
        assert float(shared.diagonal(apart).mean()) == expected
    assert noise.var() == pytest.approx(1.0, abs=0.05)
    assert abs(torch.corrcoef(torch.stack([noise[0].flatten(), noise[1].flatten()]))[0, 1]) < 0.05
    again = ClipNoise(0.4, 0.5).drawn((2, 4, 12, 32, 32), torch.Generator().manual_seed(1))
    assert float(torch.corrcoef(again[1].flatten(1))[0, 1]) == pytest.approx(0.7, abs=0.04)


def test_a_motion_adapter_is_put_on_and_taken_off(stage: Stage, adapters: dict[str, Path]) -> None:
    bare = stage.render(stage.request(**LONG))[0]
    request = stage.request(motion=str(adapters["fits"]), **LONG)
    (clip,) = stage.pipeline.render([request], lambda _: None, lambda _: None)
    assert clip.details["motion"] == str(adapters["fits"])
    assert clip.details["window"] == 6
    worn = stage.render(request)[0]
    assert moved(worn, bare) > ROUNDING
    assert np.array_equal(stage.render(stage.request(**LONG))[0], bare)
    with pytest.raises(InputError, match=r"^window: must be at most 12 with motion adapter .*, got 14"):
        stage.render(stage.request(motion=str(adapters["fits"]), window=14))
    stage.render(stage.request())


def test_a_motion_adapter_of_another_base_is_named(
    stage: Stage, adapters: dict[str, Path], still_model: Path
) -> None:
    wide, fits = str(adapters["wide"]), str(adapters["fits"])
    why = r"^motion: .*wide' was made for another base than .*: layers of width 32/64, not 16/32"
    with pytest.raises(ModelError, match=why):
        motion_adapter.check_base(wide, str(still_model))
    with pytest.raises(ModelError, match=why):
        stage.render(stage.request(motion=wide))
    motion_adapter.check_base(fits, str(still_model))
    with pytest.raises(NotFoundError, match=r"^unknown motion adapter 'video-tinny'"):
        motion_adapter.find("video-tinny")
    with pytest.raises(ModelError, match=r"is no motion adapter"):
        motion_adapter.find(str(still_model))


def test_only_the_motion_adapter_that_is_named_is_asked_for(
    stage: Stage, still_model: Path, adapters: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(motion_adapter, "USUAL", str(adapters["wide"]))  # fits no base of this size
    pipeline = catalog.load("pipeline", NAME).Pipeline.load(str(still_model))
    loaded = Stage(NAME, pipeline, stage.settings)
    request = loaded.request(motion=str(adapters["fits"]))
    pipeline.dress(request)
    assert loaded.render(request)[0].shape == (4, 64, 64, 3)
    with pytest.raises(ModelError, match=r"wide' was made for another base"):
        pipeline.dress(loaded.request())


def test_training_which_names_no_motion_adapter_finds_the_usual_one(
    still_model: Path, adapters: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(motion_adapter, "USUAL", str(adapters["fits"]))
    load = catalog.load("pipeline", NAME).Pipeline.load
    assert load(str(still_model)).frame_rule.most == 12
    assert any("motion_modules" in name for name, _ in load(str(still_model)).modules["unet"].named_modules())
    pipeline = load(str(still_model))
    prepared = pipeline.prepare(examples(2, frames=6), (64, 64))
    loss = pipeline.loss(prepared, [HAPPY, NEUTRAL], lambda _: None, torch.Generator().manual_seed(0))
    assert torch.isfinite(loss)


def test_a_picture_model_learns_to_move_through_the_studio(
    still_model: Path, adapters: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(motion_adapter, "USUAL", str(adapters["fits"]))
    values = {
        "pipeline": NAME,
        "model": str(still_model),
        "prompt": "waves",
        "emotion": "calm@0s, fear@0.5s",
        "seed": 3,
        "steps": 2,
        "length_s": 0.5,
    }
    request = RenderRequest.parse(values)
    key = request.content_key()
    (result,) = Studio(Settings()).render([request], tmp_path / "out")
    assert video_files.probe(result.path).frames == 6
    record = json.loads(result.path.with_suffix(".mp4.json").read_text())
    assert record["details"]["motion"] == str(adapters["fits"])
    assert record["versions"]["weights"] == {"fits": catalog.revision(adapters["fits"])}
    weights = adapters["fits"] / "diffusion_pytorch_model.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(before + b" ")
    try:
        assert request.content_key() != key, "other motion makes another clip"
    finally:
        weights.write_bytes(before)


@pytest.mark.parametrize(
    ("change", "error", "why"),
    [
        ({"length_s": 0}, InputError, r"^length_s: must be in \[0.1, 600\], got 0"),
        ({"length_s": 900}, InputError, r"^length_s: must be in \[0.1, 600\], got 900"),
        ({"fps": 500}, InputError, r"^fps: must be in"),
        ({"emotion": "calm@0s, fear@9s"}, EmotionError, r"^emotion: key 'fear@9s' lies beyond the end"),
        ({"emotion": "calm@2s, fear@1s"}, EmotionError, r"order"),
        (
            {"overlap": 8, "window": 8},
            InputError,
            r"^overlap: must be at most half of the window of 8, got 8",
        ),
        ({"motion": "nothing here"}, NotFoundError, r"^unknown motion adapter 'nothing here'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(change: dict[str, Any], error: type, why: str) -> None:
    values = {"pipeline": NAME, "prompt": "waves", "adapters": "none", **change}
    with pytest.raises(error, match=why) as caught:
        RenderRequest.parse(values)
    assert "\n" not in str(caught.value)


def test_inputs_that_do_not_fit_are_said_in_one_line(picture: Path, tmp_path: Path) -> None:
    sound = tmp_path / "sound.mp4"
    silence = (np.zeros(22050, np.float32), 22050)
    video_files.record(iter([np.zeros((32, 32, 3), np.uint8)] * 5), 10.0, tmp_path / "v.mp4", silence)
    video_files.run("-i", str(tmp_path / "v.mp4"), "-vn", "-c:a", "copy", str(sound))
    base = {"pipeline": NAME, "prompt": "waves", "adapters": "none"}
    for inputs, changes, why in (
        ({"video": sound}, {}, r"video: sound.mp4 has no video stream; it holds sound alone"),
        ({"image": picture, "video": tmp_path / "v.mp4"}, {}, r"^inputs: a clip starts from a picture or"),
        ({"image": picture}, {"width": 128, "height": 64, "fit": "error"}, r"is 64x64 px, the clip 128x64"),
        ({"image": sound}, {}, r"^inputs.image: sound.mp4 is no picture"),
    ):
        with pytest.raises(InputError, match=why):
            RenderRequest.parse({**base, "inputs": inputs, **changes})


def test_what_is_learnt_from_is_clips_with_a_feeling_a_frame(stage: Stage) -> None:
    prepared = stage.pipeline.prepare(examples(2, frames=5))
    assert prepared["latents"].shape == (2, 5, 4, 8, 8)
    assert prepared["text"].shape[0] == 2
    seen: list[Any] = []
    losses = [
        stage.pipeline.loss(prepared, rows, seen.append, torch.Generator().manual_seed(0), gamma)
        for rows, gamma in (([HAPPY, [NEUTRAL] * 5], None), ([HAPPY, NEUTRAL], 1e-3))
    ]
    assert seen == [[[HAPPY] * 5, [NEUTRAL] * 5]] * 2
    assert 0 < losses[1] < losses[0], "there is more signal than that at every time"
    assert stage.pipeline.frame_rule.most == 16


def test_a_video_file_is_learnt_from_at_the_motions_own_rate(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    video_files.record((np.full((64, 64, 3), 8 * index, np.uint8) for index in range(24)), 24.0, path)
    example = dataclasses.replace(examples(1)[0], media=path)
    assert stage.pipeline.prepare([example])["latents"].shape == (1, 8, 4, 8, 8)


def test_what_frames_miss_apart_counts_more_where_they_share_noise(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alike, apart = (
        torch.ones(1, 4, 2, 2, 2),
        torch.tensor([1.0, -1, 1, -1]).view(1, 4, 1, 1, 1).expand(1, 4, 2, 2, 2),
    )
    error = stage.pipeline._error
    assert error(alike).item() == error(apart).item() == 1, "noise of its own for every frame"
    manner = dataclasses.replace(stage.pipeline._manner, noise=ClipNoise(0.75))
    monkeypatch.setattr(stage.pipeline, "_worn", manner)
    # of the noise 0.75 * 4 + 0.25 is in all frames alike, 0.25 apart; of both a hundredth more for damping
    assert error(alike).item() == pytest.approx((1 + 1.01 / 3.26) / 2, rel=1e-4)
    assert error(apart).item() == pytest.approx((1 + 1.01 / 0.26) / 2, rel=1e-4)
    drawn = ClipNoise(0.85, 0.9).drawn((64, 8, 2, 2, 2), torch.Generator().manual_seed(0))
    assert ClipNoise(0.85, 0.9).missed(drawn).mean().item() == pytest.approx(0.85, abs=0.1), (
        "in its own units"
    )
