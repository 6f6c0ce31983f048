"""Brightness, colourfulness and hue as EmoVid defines them, and what `inspect` says of any clip."""

from __future__ import annotations

import colorsys
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from studio import colours
from studio.cli import main
from studio.errors import InputError
from studio.video_files import Frame, record


def plain(*rgb: int, size: tuple[int, int] = (16, 16)) -> Frame:
    return np.full((*size, 3), rgb, np.uint8)


def test_pixels_are_those_of_colorsys() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 3)).astype(np.uint8)
    pixels[:9] = [
        [0] * 3,
        [255] * 3,
        [7] * 3,
        [9, 9, 0],
        [0, 9, 9],
        [9, 0, 9],
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
    ]
    wanted = np.array([colorsys.rgb_to_hsv(*(pixel / 255)) for pixel in pixels])
    hue, saturation, value = colours.hsv(pixels)
    assert np.abs(np.stack([hue / (2 * math.pi), saturation, value], 1) - wanted).max() < 1e-6


@pytest.mark.parametrize(
    ("rgb", "hue", "colourfulness", "brightness", "name"),
    [
        ((255, 0, 0), 0, 1.0, 1.0, "red"),
        ((0, 128, 0), 120, 1.0, 0.5, "green"),
        ((64, 64, 128), 240, 0.5, 0.5, "blue"),
        ((100, 100, 100), 0, 0.0, 0.4, "red"),
        ((0, 0, 0), 0, 0.0, 0.0, "red"),
        ((255, 0, 2), 360, 1.0, 1.0, "red"),  # as the rounding of the definition has it
    ],
)
def test_plain_colours(
    rgb: tuple[int, int, int], hue: int, colourfulness: float, brightness: float, name: str
) -> None:
    found = colours.of_frames([plain(*rgb)])
    assert found == colours.Colours(hue, colourfulness, brightness)
    assert found.text.endswith(f"hue {hue} ({name})")


def test_hues_are_averaged_on_the_circle() -> None:
    both_reds = np.concatenate([plain(255, 0, 85), plain(255, 85, 0)])  # 340 and 20 degrees
    assert colours.of_frames([both_reds]).hue in (0, 360)  # not 180
    opposite = np.concatenate([plain(255, 0, 0), plain(0, 255, 255)])
    assert colours.of_frames([opposite]).hue == 0  # they cancel out


def test_every_20th_frame_counts_and_no_other() -> None:
    def frames() -> Iterator[Frame]:
        for index in range(41):
            yield plain(0, 0, 255) if index % 20 == 0 else plain(255, 0, 0)

    assert colours.of_frames(frames()) == colours.Colours(240, 1.0, 1.0)
    with pytest.raises(ValueError, match="no frames"):
        colours.of_frames([])


def test_large_frames_are_summed_like_small_ones() -> None:
    small = np.random.default_rng(1).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    assert colours.of_frames([np.tile(small, (40, 40, 1))]) == colours.of_frames([small])


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    record((plain(20, 60, 200, size=(48, 64)) for _ in range(24)), 12, path := tmp_path / "strange.mp4")
    return path


def test_inspect_says_what_any_clip_shows(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(clip)]) == 0
    said = capsys.readouterr().out
    assert "64 x 48 px, 2 s, 12 frames a second, no sound" in said
    assert "brightness 0.8, colourfulness 0.9, hue 22" in said and "holds no record" in said
    assert main(["inspect", str(clip), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"measured"} and abs(found["measured"].pop("hue") - 226) <= 4
    assert found["measured"] == {
        "width": 64, "height": 48, "rate_hz": 12.0, "length_s": 2.0, "sound": False,
        "brightness": 0.8, "colourfulness": 0.9,
    }  # fmt: skip


def test_inspect_adds_it_to_a_record(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = {"schema": 1, "request": {"prompt": "waves", "emotion": "fear"}, "versions": {"studio": "0.1"}}
    clip.with_name(f"{clip.name}.json").write_text(json.dumps(kept))
    assert main(["inspect", str(clip)]) == 0
    said = capsys.readouterr().out
    assert "prompt     waves" in said and "clip       64 x 48 px" in said and "colours    brightness" in said
    assert main(["inspect", str(clip), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.pop("measured")["rate_hz"] == 12 and found == kept


def test_damaged_clips_are_named(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = clip.read_bytes()
    for kept, why in ((content[:300], "strange.mp4"), (b"no video", "is no video file, or damaged")):
        clip.write_bytes(kept)
        assert main(["inspect", str(clip)]) == 2
        said = capsys.readouterr().err
        assert why in said and said.count("\n") == 1
        with pytest.raises(InputError, match=r"strange\.mp4"):
            colours.of_clip(clip)
