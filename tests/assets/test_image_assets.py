"""The embedded image model, its adapter and its reader, as they are shipped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline

from adapters.emotion_lora import Adapter
from studio.catalog import ASSETS, default_adapters, find_adapter, find_model
from studio.emotion import VAD, Emotion, EmotionCurve, parse_emotion
from studio.render import Studio
from studio.request import RenderRequest
from training.embedded.autoencoder import psnr_db
from training.embedded.paintings import one
from training.embedded.readers import PictureReader

MIB = 2**20
UNSEEN = 40_001


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


@pytest.fixture(scope="module")
def reader() -> PictureReader:
    return PictureReader.from_pretrained(ASSETS / "models" / "picture-reader").eval()


def pictures(studio: Studio, emotions: list[VAD], **more: object) -> np.ndarray:
    prompts = ("waves at sea", "a city skyline", "a portrait of a woman", "a tree in a field")
    requests = [
        RenderRequest.parse(
            {
                "prompt": prompts[index % len(prompts)],
                "seed": UNSEEN + index,
                "emotion": EmotionCurve.constant(Emotion(emotion)),
                "steps": 12,
                **more,
            }
        )
        for index, emotion in enumerate(emotions)
    ]
    return np.stack([np.asarray(artifact.image) for artifact in studio.make(requests)])


def test_no_file_is_large_and_nothing_is_a_pickle() -> None:
    files = [path for path in (ASSETS / "models").rglob("*") if path.is_file()]
    assert {path for path in files if path.stat().st_size > 16 * MIB} == set()
    assert not [path for path in files if path.suffix in {".bin", ".pt", ".pth", ".ckpt", ".pkl"}]
    assert sum(path.stat().st_size for path in files) < 150 * MIB
    assert (
        sum(p.stat().st_size for p in Path(find_model("emotion-tiny")).rglob("*") if p.is_file()) <= 64 * MIB
    )


CARDED = [
    path.relative_to(ASSETS).as_posix()
    for kind in ("models", "adapters")
    for path in (ASSETS / kind).iterdir()
]


@pytest.mark.parametrize("folder", sorted(CARDED))
def test_every_asset_has_a_card(folder: str) -> None:
    card = (ASSETS / folder / "README.md").read_text("utf-8")
    assert "Not chosen yet" not in card, "what training leaves to a person to fill in"
    for part in ("Licence", "Data", "Recipe", "Quality"):
        assert f"## {part}" in card, part


def test_plain_diffusers_loads_and_draws() -> None:
    pipe = StableDiffusionPipeline.from_pretrained(find_model("emotion-tiny"), local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    image = pipe("a lighthouse by the sea", num_inference_steps=4, generator=generator).images[0]
    assert image.size == (128, 128)
    assert np.asarray(image).std() > 10


def test_the_autoencoder_keeps_held_out_pictures() -> None:
    vae = AutoencoderKL.from_pretrained(find_model("emotion-tiny"), subfolder="vae").eval()
    held_out = np.stack([one(index, UNSEEN, "plain")[0] for index in range(24)])
    assert psnr_db(vae, held_out) >= 28


def test_the_reader_reads_painted_pictures(reader: PictureReader) -> None:
    painted = [one(index, UNSEEN, "any") for index in range(120)]
    scenes, feelings = reader.read(np.stack([picture for picture, _ in painted]))
    assert (
        np.mean([scene == record["scene"] for scene, (_, record) in zip(scenes, painted, strict=True)]) > 0.9
    )
    asked = np.array([record["vad"] for _, record in painted])
    for axis in range(3):
        assert np.corrcoef(asked[:, axis], feelings[:, axis])[0, 1] > 0.8


def test_neutral_is_exactly_the_base(studio: Studio) -> None:
    worn = pictures(studio, [VAD(0, 0, 0)] * 4)
    assert (worn == pictures(studio, [VAD(0, 0, 0)] * 4, adapters="none")).all()


def test_alone_and_in_a_mixed_batch_differ_by_rounding_only(studio: Studio) -> None:
    emotions = [VAD(0.8, 0.5, 0.3), VAD(-0.6, 0.6, -0.5), VAD(0, 0, 0), VAD(-0.7, -0.5, 0.2)]
    mixed = pictures(studio, emotions)
    alone = pictures(studio, emotions[:1])
    assert np.abs(mixed[0].astype(int) - alone[0].astype(int)).max() <= 2


@pytest.mark.parametrize("axis", range(3))
def test_each_axis_moves_the_picture_its_way(studio: Studio, reader: PictureReader, axis: int) -> None:
    ends = [[sign * 0.9 if i == axis else 0.0 for i in range(3)] for sign in (-1, 1)]
    read = [reader.read(pictures(studio, [VAD(*end)] * 8))[1][:, axis].mean() for end in ends]
    assert read[1] - read[0] > 0.4


@pytest.mark.parametrize("adapter", ["axes-image", "labels-image"])
def test_the_other_bases_tell_feelings_apart(studio: Studio, reader: PictureReader, adapter: str) -> None:
    ends = [parse_emotion(f"mikels/{word}").vad for word in ("sadness", "excitement")]
    sad, excited = (reader.read(pictures(studio, [end] * 4, adapters=adapter))[1].mean(0) for end in ends)
    assert (excited - sad > [0.5, 0.4, 0.2]).all()


def test_the_adapter_says_what_it_is_for() -> None:
    (name,) = default_adapters("emotion-tiny")
    card = json.loads((find_adapter(name) / "adapter.json").read_text("utf-8"))
    assert card["basis"] == "vad"
    assert len(Adapter.load(find_adapter(name)).layers) > 0
