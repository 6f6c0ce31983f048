"""A picture is the same pixels however it is handed over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.pictures import UNREADABLE, upright

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
ORIENTATION, TURNED_RIGHT = 0x0112, 6  # EXIF: to be shown a quarter turn to the right


def test_a_path_a_picture_and_an_array_are_the_same(tmp_path: Path) -> None:
    picture, path = Image.fromarray(PIXELS), tmp_path / "a.png"
    picture.convert("RGBA").save(path)
    for media in (PIXELS, picture, picture.convert("RGBA"), path, str(path)):
        assert upright(media).mode == "RGB"
        assert np.array_equal(np.asarray(upright(media)), PIXELS)


def test_a_file_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED_RIGHT
    Image.fromarray(PIXELS).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(np.asarray(upright(tmp_path / "a.png")), np.rot90(PIXELS, -1))


def test_a_file_that_is_missing_or_cut_short_raises_what_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(UNREADABLE):
        upright(path)
    Image.fromarray(PIXELS).save(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UNREADABLE):
        upright(path)
