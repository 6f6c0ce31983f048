"""The prompt baseline in clips: words that change on the way where a family can, one feeling elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from adapters.prompt_words import Adapter
from pipelines.video._script import Script
from studio import catalog, recording, wording
from studio.emotion import parse_curve
from studio.provenance import read_provenance
from studio.render import Studio, notes
from studio.request import RenderRequest

FAMILIES = [name for name in catalog.names("pipeline") if name.startswith("video/")]
TRAVELLING = [name for name in FAMILIES if getattr(catalog.load("pipeline", name), "PROMPT_TRAVEL", False)]
WORDS = Adapter.load(catalog.find_adapter("words"))
CURVE = "fear@0s, neutral@0.4s, awe@0.8s"
SAID = [
    'a man runs. The video is in the "fear" emotion',
    "a man runs",
    'a man runs. The video is in the "awe" emotion',
]


def request(family: str, emotion: str = CURVE, **more: Any) -> RenderRequest:
    fields = {"pipeline": family, "prompt": "a man runs", "seed": 1, "adapters": "words", "length_s": 0.8}
    return RenderRequest.parse({**fields, "emotion": emotion, **more})


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_told_a_curve_in_words(family: str) -> None:
    asked = request(family)
    told = wording.worded(asked, [WORDS])
    assert told.prompt.startswith("a man runs. The video is in the ")
    if family in TRAVELLING:
        assert list(told.told) == SAID and notes(asked) == ()
    else:
        (note,) = notes(asked)
        assert told.told == () and f"the prompt of {family} cannot change on the way" in note
    assert notes(request(family, "fear")) == ()


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model folder of the real classes with random weights."""
    folder = tmp_path_factory.mktemp("models") / "toy"
    catalog.load("pipeline", "video/animatediff").Pipeline.tiny(1).pipe.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """What is handed to the encoder, clip after clip."""
    heard: list[np.ndarray] = []
    record = recording.recorded

    def listening(given: Any, *more: Any) -> Any:
        kept = [np.array(frame) for frame in given]
        heard.append(np.stack(kept).astype(int))
        return record(iter(kept), *more)

    monkeypatch.setattr(recording, "recorded", listening)
    return heard


def test_words_change_along_a_clip_and_are_in_its_record(
    toy: str, frames: list[np.ndarray], tmp_path: Path
) -> None:
    asked = [
        request("video/animatediff", emotion, model=toy, steps=2, guidance=4.0, adapters=adapters)
        for emotion, adapters in ((CURVE, "words"), (CURVE, "none"), ("neutral", "words"))
    ]
    results = list(Studio().render(asked[:1], tmp_path))
    studio = Studio()
    for one in asked[1:]:
        studio.make([one])
    travelled, bare, neutral = frames
    assert (neutral == bare).all()  # neutral says nothing, and without an adapter a curve does nothing
    away = np.abs(travelled - bare).mean(axis=(1, 2, 3))
    middle = away[len(away) // 2 - 1 :][:2].mean()  # where nothing is said; frames see their neighbours
    assert 0 < middle < 0.8 * min(away[0], away[-1])
    record = read_provenance(results[0].path)
    assert record is not None and record["details"]["told"] == SAID
    assert record["request"]["prompt"] == "a man runs"


def test_text_is_mixed_between_keys(toy: str) -> None:
    asked = request("video/animatediff", model=toy)
    keyed = torch.tensor([[[1.0]], [[2.0]], [[4.0]]])
    script = Script([asked], 8, 10.0, torch.zeros(1, 1, 1), [keyed])
    mixed = script.text(range(8)).flatten().tolist()
    assert asked.curve == parse_curve(CURVE)
    assert mixed == pytest.approx([1.125, 1.375, 1.625, 1.875, 2.25, 2.75, 3.25, 3.75])
