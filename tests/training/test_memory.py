"""A run that will not fit is refused before loading, with the values of the recipe that do fit."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from studio import catalog, preflight
from studio.preflight import MemoryShortage
from training import config, memory

CUDA = torch.device("cuda", 0)


def recipe(**changes: Any) -> config.Recipe:
    adapter = {"kind": "emotion_lora", "rank": 4}
    values = {"dataset": {"name": "folder", "root": "x"}, "adapter": adapter, "batch_size": 64}
    return config.parse({**values, **changes})


@pytest.fixture(scope="module")
def tiny() -> preflight.Model:
    found = preflight.read(catalog.find_model("emotion-tiny"))
    assert found is not None
    return found


def needs(tiny: preflight.Model, **changes: Any) -> int:
    return memory.estimate(tiny, recipe(**changes)).needs["fast"]


def test_what_fits_is_let_through(tiny: preflight.Model) -> None:
    memory.check(recipe(), CUDA, free=needs(tiny))
    memory.check(recipe(), torch.device("cpu"))  # cannot be asked


@pytest.mark.parametrize(
    ("leaner", "words"),
    [
        ({"gradient_checkpointing": True}, "gradient_checkpointing=true"),
        (
            {"gradient_checkpointing": True, "gradient_accumulation": 2},
            "gradient_checkpointing=true gradient_accumulation=2",
        ),
        (
            {"gradient_checkpointing": True, "gradient_accumulation": 64, "mixed_precision": "bf16"},
            "gradient_checkpointing=true gradient_accumulation=\\d+ mixed_precision=bf16",
        ),
    ],
)
def test_the_message_names_values_that_fit(tiny: preflight.Model, leaner: dict[str, Any], words: str) -> None:
    free = needs(tiny, **leaner)
    assert free < needs(tiny)
    with pytest.raises(MemoryShortage) as caught:
        memory.check(recipe(), CUDA, free=free)
    text = str(caught.value)
    assert re.search(r"'emotion-tiny' needs about \d+ MB|GB", text)
    assert "64 pictures of 128x128 px in float32" in text
    assert re.search(f"free on cuda:0; {words} needs about", text)
    named = dict(pair.split("=") for pair in re.findall(r"\w+=\w+", text))
    changed = recipe(
        gradient_checkpointing=named["gradient_checkpointing"] == "true",
        gradient_accumulation=int(named.get("gradient_accumulation", "1")),
        mixed_precision=named.get("mixed_precision", "no"),
    )
    memory.check(changed, CUDA, free=free)


@pytest.mark.parametrize(("anchor", "passes"), [("", 2), ("a person", 4)])
def test_a_slider_has_every_row_more_than_once(tiny: preflight.Model, anchor: str, passes: int) -> None:
    axes = {"adapter": {"kind": "emotion_lora", "rank": 4, "basis": "axes"}}
    plain = {"caption_dropout": 0, "emotion_dropout": 0, "snr_gamma": 0}
    words = {"axis": "valence", "positive": "joy", "negative": "grief", "anchor": anchor}
    slider = needs(tiny, batch_size=16, slider=words, **axes, **plain)
    assert slider == needs(tiny, batch_size=16 * passes, **axes) > needs(tiny, batch_size=16, **axes)


def test_processes_share_the_batch(tiny: preflight.Model) -> None:
    halved = memory.estimate(tiny, recipe(), processes=2).needs["fast"]
    assert halved == needs(tiny, gradient_accumulation=2)


def test_where_nothing_helps_the_message_says_so() -> None:
    with pytest.raises(MemoryShortage, match=r"it still needs .*: take a smaller resolution_px"):
        memory.check(recipe(), CUDA, free=1_000_000)
