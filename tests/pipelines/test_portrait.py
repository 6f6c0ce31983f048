"""The three portrait families: what each of them must do, at toy size and with real speech and pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapters.emotion_lora import Adapter, Config
from pipelines.portrait import _acting as acting
from pipelines.portrait import performer, rig, talker
from studio import params, portraits, video_files
from studio.emotion import NEUTRAL, parse_curve
from studio.errors import Cancelled, InputError, NotFoundError
from studio.motion import INDEX, Motion
from studio.ports import SetEmotion, Step
from studio.request import RenderRequest

HAPPY, AFRAID = "v=0.8 a=0.5 d=0.3", "v=-0.7 a=0.7 d=-0.5"
LINE = "Maybe."
SMALL = {"size_px": 256, "fps": 24}


def unfelt(_rows: object) -> None:
    """Nothing is worn."""


def unwatched(_step: Step) -> None:
    """Nobody looks on."""


@pytest.fixture(scope="module")
def actor() -> rig.Pipeline:
    return rig.Pipeline.tiny(0)


@pytest.fixture
def feel(actor: rig.Pipeline) -> Iterator[SetEmotion]:
    """A random, strong adapter worn by the model."""
    adapter = Adapter.create(actor.modules, Config(rank=4, alpha=4), seed=1)
    with torch.no_grad():
        for name, weight in adapter.weights.items():
            if name.endswith("lora_B.weight"):
                weight.normal_(0, 0.5, generator=torch.Generator().manual_seed(len(name)))
    with adapter.applied(actor.modules) as set_emotion:
        yield set_emotion


def request(emotion: str = "neutral", family: Any = rig, **changes: Any) -> RenderRequest:
    inputs = tuple(sorted(changes.pop("inputs", {}).items()))
    prompt, seed = changes.pop("prompt", LINE), changes.pop("seed", 1)
    values = params.build(family.Params, changes)
    return RenderRequest("portrait/any", "tiny", prompt, "", parse_curve(emotion), seed, (), values, inputs)


def acted(pipeline: Any, *requests: RenderRequest, feel: SetEmotion = unfelt) -> list[Motion]:
    return [artifact.motion for artifact in pipeline.render(requests, feel, unwatched)]


def far(one: Motion, other: Motion) -> float:
    return float(np.abs(one.weights - other.weights).max())


def test_the_same_request_is_the_same_take_alone_and_among_others(
    actor: rig.Pipeline, feel: SetEmotion
) -> None:
    asked = [request(HAPPY, seed=3), request(AFRAID, seed=7), request(seed=7)]
    together = acted(actor, *asked, feel=feel)
    for one, take in zip(asked, together, strict=True):
        assert far(acted(actor, one, feel=feel)[0], take) == 0


def test_neutral_is_no_adapter_bit_for_bit(actor: rig.Pipeline, feel: SetEmotion) -> None:
    worn = acted(actor, request(), feel=feel)[0]
    feel([NEUTRAL])
    assert far(worn, acted(actor, request())[0]) == 0


def test_feelings_seeds_and_curves_move_the_face(actor: rig.Pipeline, feel: SetEmotion) -> None:
    plain, other = acted(actor, request(), request(seed=2), feel=feel)
    happy, afraid = (acted(actor, request(mood), feel=feel)[0] for mood in (HAPPY, AFRAID))
    assert far(plain, other) > 0.01
    frames = min(map(len, (happy, afraid, plain)))  # the voice's tempo follows the feeling
    shapes = [one.weights[:frames] for one in (happy, afraid, plain)]
    assert np.abs(shapes[0] - shapes[1]).max() > 0.01
    assert np.abs(shapes[0] - shapes[2]).max() > 0.01
    turning = acted(actor, request(f"{HAPPY}@0, {AFRAID}@100%"), feel=feel)[0]
    assert len(turning) != len(happy) or far(turning, happy) > 0.01


@pytest.mark.parametrize("family", [rig, performer])
def test_units_held_by_hand_stay(family: Any, tmp_path: Path) -> None:
    asked = request("joy", family=family, muscles="AU4=0.8, AU12=0")
    pipeline = family.Pipeline.tiny(0)
    motion = pipeline.take(asked, unfelt, unwatched).motion
    still = acting.held_shapes({4: 0.8, 12: 0.0})
    assert still["browDownLeft"] > 0.3
    assert still["mouthSmileLeft"] == 0
    for name in ("browDownLeft", "browDownRight"):
        assert np.abs(motion.weights[:, INDEX[name]] - still[name]).max() < 0.15, name


def test_progress_climbs_to_the_end_and_a_cancel_stops(actor: rig.Pipeline) -> None:
    places: list[float] = []
    actor.render([request(), request(seed=2)], unfelt, lambda step: places.append(step.done / step.total))
    assert places == sorted(places)
    assert places[-1] == 1

    def stop(_step: Step) -> None:
        raise Cancelled

    for family in (rig, performer, talker):
        with pytest.raises(Cancelled):
            family.Pipeline.tiny(0).render([request(family=family)], unfelt, stop)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A line by the performer as files."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    asked = request("joy@0, fear@100%", family=performer, **SMALL)
    made = performer.Pipeline.tiny(0).render([asked], unfelt, unwatched)[0]
    record = {"schema": 1, "request": asked.to_dict(), "versions": {}}
    made.save(path, record)
    return path


def test_a_clip_has_sound_motion_and_a_record(clip: Path) -> None:
    info = video_files.probe(clip)
    assert (info.width, info.height, info.rate_hz, info.has_audio) == (256, 256, 24, True)
    assert {one.suffix for one in clip.parent.iterdir()} == {".mp4", ".png", ".jpg", ".csv", ".npz", ".json"}
    details = json.loads(clip.with_name("clip.mp4.json").read_text())["details"]
    assert details["phones"] > 3
    assert "AU" in details["muscles"]
    frames = np.stack(list(video_files.read_frames(clip)))
    assert np.abs(np.diff(frames[:, 100:].astype(int), axis=0)).mean() > 0.05


def test_the_model_makes_clips_too() -> None:
    made = talker.Pipeline.tiny(0).render([request(family=talker, **SMALL)], unfelt, unwatched)
    assert made[0].recording.info.frames > 10


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"prompt": ""}, InputError, r"^say: there is nothing to say"),
        ({"prompt": "?!"}, InputError, r"^say: has no word to say"),
        ({"say": "x " * 30_000}, InputError, r"^say: 59,999 characters; the longest text is 10,000"),
        ({"voice": "klingonish"}, NotFoundError, "klingonish"),
        ({"muscles": "AU99=1"}, InputError, "99"),
        ({"muscles": "AU4=3"}, InputError, "4"),
        ({"read": "voice"}, InputError, r"^read: needs a recording"),
        ({"say": "Hm", "inputs": {"audio": "a.wav"}}, InputError, r"^say: the recording says"),
    ],
)
def test_bad_input_is_told_before_anything_runs(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        rig.check(request(**changes))


def test_keys_past_the_end_are_told() -> None:
    with pytest.raises(InputError, match=r"^emotion: .*9 s.*past the end"):
        acting.heard(request("joy@0s, fear@9s"))


def test_a_picture_without_a_face_is_told_before_anybody_acts(tmp_path: Path) -> None:
    path = tmp_path / "tiny.png"
    from PIL import Image

    Image.new("RGB", (20, 20)).save(path)
    asked = request(family=performer, inputs={"image": str(path)})
    with pytest.raises(InputError, match=r"^inputs\.image: .*20"):
        performer.Pipeline.tiny(0).render([asked], unfelt, unwatched)


def test_the_feeling_can_be_read_from_the_words() -> None:
    line = acting.heard(request(prompt="I am so happy, this is wonderful!", read="words", read_share=1.0))
    assert max(mood.valence for mood in line.moods) > 0.2
    assert any("words" in note for note in line.notes)


def test_every_embedded_portrait_can_be_filmed() -> None:
    from pipelines.portrait import _filming as filming

    for name in portraits.names():
        scene = filming.scene_of(request(family=performer, portrait=name, **SMALL))
        frame = scene.frame(np.zeros(52, np.float32), np.zeros(6, np.float32), np.zeros(2, np.float32))
        assert frame.shape == (256, 256, 3)
        assert frame.std() > 20
