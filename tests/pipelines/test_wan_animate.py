"""The photoreal portrait, on diffusers' real classes at toy size: what drives it, and what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from adapters.emotion_lora import Adapter, Config
from pipelines import _placement as placement
from pipelines.portrait import _filming as filming
from pipelines.portrait import _wan_filming as wan_filming
from pipelines.portrait import _wan_pose as pose
from pipelines.portrait import wan_animate
from studio import params, video_files
from studio.emotion import NEUTRAL, VAD, parse_curve
from studio.errors import Cancelled, InputError
from studio.motion import Motion
from studio.ports import Step
from studio.request import RenderRequest

LINE = "Maybe."
SMALL = {"size_px": 64, "fps": 24, "segment": 9, "steps": 2}
FRAMES = 12  # of the motion that most tests film: two segments
GLAD = VAD(0.8, 0.5, 0.2)


def unfelt(_rows: object) -> None:
    """Nothing is worn."""


def unwatched(_step: Step) -> None:
    """Nobody looks on."""


def request(emotion: str = "joy", **changes: Any) -> RenderRequest:
    inputs = tuple(sorted(changes.pop("inputs", {}).items()))
    prompt, seed = changes.pop("prompt", LINE), changes.pop("seed", 1)
    negative = changes.pop("negative_prompt", "")
    values = params.build(wan_animate.Params, {**SMALL, **changes})
    curve = parse_curve(emotion)
    return RenderRequest("portrait/wan_animate", "tiny", prompt, negative, curve, seed, (), values, inputs)


@pytest.fixture(scope="module")
def pipeline() -> wan_animate.Pipeline:
    return wan_animate.Pipeline.tiny(0)


@pytest.fixture(scope="module")
def motion() -> Motion:
    """Faces that change a little from frame to frame."""
    drawn = np.random.default_rng(0)
    head = np.cumsum(drawn.normal(0, 1, (FRAMES, 6)), axis=0) * (1, 1, 1, 0.01, 0.01, 0.01)
    return Motion(drawn.random((FRAMES, 52)) * 0.5, head, np.zeros((FRAMES, 2)), 24.0)


def turned(yaw_deg: float, x: float = 0.0, y: float = 0.0) -> Motion:
    """One frame of a still face, turned and moved by eye distances."""
    return Motion(np.zeros((1, 52)), np.array([[0, yaw_deg, 0, x, y, 0]]), np.zeros((1, 2)))


def filmed(
    pipeline: wan_animate.Pipeline,
    motion: Motion,
    asked: RenderRequest | None = None,
    feel: Any = unfelt,
    watch: Any = unwatched,
    moods: tuple[VAD, ...] = (NEUTRAL,),
) -> np.ndarray:
    asked = asked or request()
    face = filming.scene_of(asked)
    scene = wan_filming.Filmed(pipeline.pipe, face, asked, moods, feel, watch)
    return np.stack(list(scene.frames(motion)))


@pytest.fixture(scope="module")
def plain(pipeline: wan_animate.Pipeline, motion: Motion) -> np.ndarray:
    return filmed(pipeline, motion)


def test_it_draws_what_diffusers_pipeline_draws_called_by_hand(
    pipeline: wan_animate.Pipeline, motion: Motion, plain: np.ndarray
) -> None:
    import torch

    driving = wan_filming.driving(filming.scene_of(request()), motion, 16, unwatched)
    made = pipeline.pipe(
        image=driving.picture,
        pose_video=driving.poses,
        face_video=driving.faces,
        prompt="A person is talking.",
        height=64,
        width=64,
        segment_frame_length=9,
        num_inference_steps=2,
        mode="animate",
        guidance_scale=1.0,
        generator=torch.Generator().manual_seed(1),
    ).frames[0]
    assert plain.shape == (FRAMES, 64, 64, 3)
    assert np.array_equal(plain, np.round(made * 255).astype(np.uint8))
    assert plain.std() > 5, "flat frames would pass every comparison"


def test_a_saved_model_loads_and_draws_the_same(
    pipeline: wan_animate.Pipeline, motion: Motion, plain: np.ndarray, tmp_path: Path
) -> None:
    import torch

    pipeline.pipe.save_pretrained(tmp_path)
    assert np.array_equal(filmed(wan_animate.Pipeline.load(str(tmp_path)), motion), plain)
    half = wan_animate.Pipeline.load(str(tmp_path), "cpu", "bfloat16")
    assert (half.pipe.transformer.dtype, half.pipe.vae.dtype) == (torch.bfloat16, torch.float32)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"scene": "A painted lighthouse."},
        {"steps": 3},
        {"carried": 5, "segment": 13},
    ],
)
def test_what_a_person_sets_changes_the_clip(
    pipeline: wan_animate.Pipeline, motion: Motion, plain: np.ndarray, changes: dict[str, Any]
) -> None:
    assert np.abs(filmed(pipeline, motion, request(**changes)).astype(int) - plain).max() > 2


def test_the_negative_prompt_is_heard_with_guidance(pipeline: wan_animate.Pipeline, motion: Motion) -> None:
    one, other = (
        filmed(pipeline, motion, request(guidance=6.0, negative_prompt=text)) for text in ("", "fog")
    )
    assert not np.array_equal(one, other)
    with pytest.raises(InputError, match=r"^negative_prompt: is heard only with guidance above 1"):
        wan_animate.check(request(negative_prompt="fog"))


def test_poses_and_faces_drive_it(pipeline: wan_animate.Pipeline, plain: np.ndarray, motion: Motion) -> None:
    still = Motion(np.zeros((FRAMES, 52)), np.zeros((FRAMES, 6)), np.zeros((FRAMES, 2)), 24.0)
    assert np.abs(filmed(pipeline, still).astype(int) - plain).max() > 2


@pytest.mark.parametrize(
    ("length", "carried", "segment"), [(1, 1, 5), (5, 1, 5), (6, 1, 5), (3, 5, 13), (14, 5, 13)]
)
def test_any_length_gets_its_frames_and_all_of_the_progress(
    pipeline: wan_animate.Pipeline, length: int, carried: int, segment: int
) -> None:
    places: list[float] = []
    still = Motion(np.zeros((length, 52)), np.zeros((length, 6)), np.zeros((length, 2)), 24.0)
    asked = request(carried=carried, segment=segment, steps=1)
    frames = filmed(pipeline, still, asked, watch=lambda step: places.append(step.done / step.total))
    assert len(frames) == length
    assert places == sorted(places)
    assert places[-1] == 1


def test_previews_are_what_is_being_drawn(
    pipeline: wan_animate.Pipeline, motion: Motion, plain: np.ndarray
) -> None:
    seen: list[np.ndarray] = []

    def watch(step: Step) -> None:
        if step.preview is not None:
            seen.append(np.asarray(step.preview()[0]))

    assert np.array_equal(filmed(pipeline, motion, watch=watch), plain), "looking changes nothing"
    assert len(seen) == 4
    assert np.abs(seen[1].astype(int) - plain[0]).max() <= 2, "the last guess is the frame"


def test_a_cancel_stops_within_a_step_and_leaves_no_trace(
    pipeline: wan_animate.Pipeline, motion: Motion, plain: np.ndarray
) -> None:
    calls: list[Step] = []

    def stop(step: Step) -> None:
        calls.append(step)
        if step.preview is not None:
            raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        filmed(pipeline, motion, watch=stop)
    assert len(calls) == FRAMES + 1, "the driving frames and one step"
    assert np.array_equal(filmed(pipeline, motion), plain)


def test_each_segment_has_the_feeling_of_its_moments(pipeline: wan_animate.Pipeline, motion: Motion) -> None:
    felt: list[Any] = []
    moods = (*[GLAD] * 11, *[NEUTRAL] * 4)  # of 15 motion frames; the second segment sees the last five
    filmed(pipeline, motion, feel=felt.append, moods=moods)
    assert [len(rows) for rows in felt] == [1, 1]
    assert felt[0][0].valence > 3 * felt[1][0].valence > 0


def test_the_unguided_pass_feels_nothing(pipeline: wan_animate.Pipeline, motion: Motion) -> None:
    felt: list[Any] = []
    filmed(pipeline, motion, request(guidance=6.0), feel=felt.append, moods=(GLAD,))
    assert felt == [[GLAD], [NEUTRAL]] * (2 * SMALL["steps"]), "two segments"


def test_an_adapter_moves_it_and_neutral_does_not(
    pipeline: wan_animate.Pipeline, motion: Motion, plain: np.ndarray
) -> None:
    import torch

    adapter = Adapter.create(pipeline.modules, Config(rank=4))
    with torch.no_grad():
        for name, weight in adapter.weights.items():
            if name.endswith("lora_B.weight"):
                weight.normal_(0, 0.5, generator=torch.Generator().manual_seed(1))
    with adapter.applied(pipeline.modules) as feel:
        assert np.array_equal(filmed(pipeline, motion, feel=feel), plain)
        glad = filmed(pipeline, motion, feel=feel, moods=(GLAD,))
    assert np.abs(glad.astype(int) - plain).max() > 20


@pytest.mark.parametrize("where", ["offloaded", "layer by layer"])
def test_a_placed_pipeline_draws_the_same(where: str, motion: Motion, plain: np.ndarray) -> None:
    placed = wan_animate.Pipeline.tiny(0)
    if where == "offloaded":
        placed.pipe.enable_model_cpu_offload(device="cpu")
    else:
        placement.layer_by_layer(placed.pipe, "cpu")
        assert hasattr(placed.pipe.transformer.blocks[0].attn1.to_q, "_diffusers_hook")
    for _ in range(2):
        assert np.array_equal(filmed(placed, motion), plain)


def test_a_clip_has_the_lines_length_sound_and_motion(pipeline: wan_animate.Pipeline, tmp_path: Path) -> None:
    batch = [request(steps=1), request("fear", steps=1)]
    places: list[float] = []
    made = pipeline.render(batch, unfelt, lambda step: places.append(step.done / step.total))
    assert places == sorted(places)
    assert places[-1] == 1
    glad, afraid = (artifact.recording.info for artifact in made)  # type: ignore[attr-defined]
    for artifact, info in zip(made, (glad, afraid), strict=True):
        length_s = artifact.details["length_s"]  # type: ignore[attr-defined]
        assert abs(info.length_s - length_s) <= 1.5 / 24
        assert info.has_audio
    path = tmp_path / "clip.mp4"
    made[0].save(path, {"schema": 1, "request": batch[0].to_dict(), "versions": {}})
    assert {one.suffix for one in tmp_path.iterdir()} == {".mp4", ".png", ".jpg", ".csv", ".npz", ".json"}
    assert sum(1 for _ in video_files.read_frames(path)) == glad.frames


def test_a_turned_head_is_drawn_turned() -> None:
    face = filming.scene_of(request(size_px=320))
    left, right = (pose.joints(face.landmarks, next(face.places(turned(yaw)))) for yaw in (10.0, -10.0))
    assert left["nose"][0] > right["nose"][0] + 10, "the person's left is to the right in the picture"
    assert np.array_equal(left["neck"], right["neck"]), "the body stays"
    drawn = [pose.drawing(joints, 320) for joints in (left, right)]
    assert (drawn[0] != drawn[1]).any(axis=-1).sum() > 100


def test_the_drawing_has_the_colours_that_the_model_learnt() -> None:
    face = filming.scene_of(request(size_px=320))
    joints = pose.joints(face.landmarks, next(face.places(turned(0))))
    drawn = pose.drawing(joints, 320)
    for name, colour in pose.JOINTS.items():
        x, y = (int(part) for part in joints[name])
        assert tuple(drawn[y, x]) == colour, name
    x, y = ((joints["neck"] + joints["nose"]) / 2).astype(int)
    assert tuple(drawn[y, x]) == (0, 0, 153), "a limb is darker than a joint"
    lone = pose.drawing({**joints, "nose": np.array([-5.0, 10.0], np.float32)}, 320)
    assert not (lone == (0, 0, 153)).all(axis=-1).any(), "what is outside is not drawn, nor what leads there"


def test_the_face_is_cut_out_where_the_head_is() -> None:
    face = filming.scene_of(request(size_px=320))
    boxes = [
        pose.face_box(next(face.places(turned(*turn))), 320)
        for turn in ((0, 0.0, 0.0), (0, 0.1, 0.0), (0, 0.0, 0.1))
    ]
    middle, left, up = (np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]) for box in boxes)
    assert left[0] > middle[0] + 4
    assert up[1] < middle[1] - 4
    points = next(face.places(turned(0)))
    wide, high = np.ptp(points[[234, 454], 0]), boxes[0][3] - boxes[0][1]
    assert abs((boxes[0][2] - boxes[0][0]) / wide - 1.3**0.5) < 0.05
    assert boxes[0][3] > points[152, 1] > boxes[0][1] + 0.8 * high
    frame = next(face.frames(turned(0)))
    cut = pose.face_of(frame, points, 64)
    seen = Image.fromarray(frame).crop(boxes[0]).resize((64, 64), Image.Resampling.BOX)
    assert np.abs(cut.astype(int) - np.asarray(seen)).mean() < 3
    for outside in (points - 400, points + 400):
        assert pose.face_of(frame, outside, 16).shape == (16, 16, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size_px": 100}, r"^size_px: must be a multiple of 16, got 100"),
        ({"size_px": 1280}, r"^size_px: must be in \[64, 960\]"),
        ({"segment": 76}, r"^segment: must be 5 plus a multiple of 4, got 76"),
        ({"segment": 9, "carried": 5}, r"^segment: must be more than twice the 5 frames carried, got 9"),
        ({"prompt": ""}, r"^say: there is nothing to say"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        wan_animate.check(request(**changes))


def test_a_picture_that_cannot_be_used_is_told_before_anybody_acts(
    pipeline: wan_animate.Pipeline, tmp_path: Path
) -> None:
    path = tmp_path / "wall.png"
    Image.new("RGB", (20, 20), "grey").save(path)
    steps: list[Step] = []
    with pytest.raises(InputError, match=r"^inputs\.image: .*20 x 20 px is too small"):
        pipeline.render([request(inputs={"image": str(path)})], unfelt, steps.append)
    assert not steps


def test_a_line_that_is_too_long_is_told_before_the_model_works(pipeline: wan_animate.Pipeline) -> None:
    asked = request(prompt="One two three four five six seven. " * 20)
    with pytest.raises(InputError, match=r"^say: takes \d+\.\d s; .* at most 30"):
        pipeline.render([asked], unfelt, unwatched)


@pytest.mark.gpu
@pytest.mark.parametrize("where", ["fast", "offload", "sequential"])
def test_on_a_card_it_draws_nearly_the_same_wherever_its_parts_lie(
    where: str, pipeline: wan_animate.Pipeline, motion: Motion, plain: np.ndarray, tmp_path: Path
) -> None:
    pipeline.pipe.save_pretrained(tmp_path)
    placed = wan_animate.Pipeline.load(str(tmp_path), "cuda", "float32", where)
    for _ in range(2):
        assert np.abs(filmed(placed, motion).astype(int) - plain).mean() < 3
