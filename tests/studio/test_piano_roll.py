"""The picture of a piece: sizes, colours and places, measured in pixels."""

from __future__ import annotations

import colorsys
import dataclasses

import numpy as np
import pytest

from studio.emotion import NEUTRAL, VAD
from studio.piano_roll import WIDTH_PX, colour, piano_roll
from studio.score import Bar, Note, Part, Piece
from tests.studio import songs


def long_piece(bars: int) -> Piece:
    notes = tuple(Note(4.0 * bar, 2, 60 + bar % 12, 90) for bar in range(bars))
    return Piece((Bar("4/4", 100, chords=("C", "G")),) * bars, (Part("Melody", 0, notes),))


@pytest.mark.parametrize("bars", [1, 3, 16, 17, 64, 65, 128, 256])
def test_any_length_is_readable(bars: int) -> None:
    width, height = piano_roll(long_piece(bars)).size
    lines = -(-bars // (16 if bars <= 64 else 32))
    assert width == WIDTH_PX and 100 * lines < height < 700 + 420 * (lines - 1)


def test_lines_are_as_high_as_the_pitches_need() -> None:
    wide = dataclasses.replace(
        long_piece(32), parts=(Part("Melody", 0, (Note(0, 1, 21, 80), Note(1, 1, 108, 80))),)
    )
    assert piano_roll(wide).size[1] > piano_roll(long_piece(32)).size[1]


def near(picture: np.ndarray, ink: tuple[int, int, int], reach: int = 30) -> np.ndarray:
    return np.abs(picture.astype(int) - ink).max(-1) < reach


def test_bars_have_the_colour_of_what_they_feel() -> None:
    vads = (VAD(-0.8, -0.6, 0), NEUTRAL, VAD(0.8, 0.6, 0))
    piece = Piece(tuple(Bar("4/4", 100, vad) for vad in vads), ())
    picture = np.asarray(piano_roll(piece))
    found = [(near(picture, colour(vad), 2).sum(0) > 50).nonzero()[0] for vad in vads]
    assert all(len(columns) > 100 for columns in found)
    assert found[0].max() < found[1].min() and found[1].max() < found[2].min()


@pytest.mark.parametrize(
    ("vad", "hue"),
    [(VAD(0.7, 0.7, 0), 45), (VAD(-0.7, 0.7, 0), 350), (VAD(-0.7, -0.7, 0), 230), (VAD(0.7, -0.7, 0), 140)],
)
def test_the_wheel_is_that_of_the_contact_sheet(vad: VAD, hue: float) -> None:
    red, green, blue = (part / 255 for part in colour(vad))
    assert colorsys.rgb_to_hls(red, green, blue)[0] * 360 == pytest.approx(hue, abs=3)
    assert len(set(colour(NEUTRAL))) == 1


def test_harder_notes_are_more_opaque_and_later_ones_further_right() -> None:
    def ink(velocity: int, start: float) -> np.ndarray:
        piece = Piece((Bar("4/4", 100),) * 8, (Part("Melody", 0, (Note(start, 2, 60, velocity),)),))
        empty = dataclasses.replace(piece, parts=(Part("Melody", 0, (Note(0, 0.01, 60, 1),)),))
        return np.abs(np.asarray(piano_roll(piece)).astype(int) - np.asarray(piano_roll(empty))).sum(-1)

    soft, hard, later = ink(20, 8), ink(120, 8), ink(120, 20)
    assert hard.max() > 1.3 * soft.max()
    centres = [np.average(np.arange(WIDTH_PX), weights=one.sum(0)) for one in (hard, later)]
    assert centres[1] - centres[0] == pytest.approx((1600 - 46 - 20) * 12 / 32, rel=0.05)


def test_melody_accompaniment_and_bass_differ() -> None:
    note = (Note(0, 4, 60, 127),)
    bar = (Bar("4/4", 100),)
    pictures = [
        np.asarray(piano_roll(Piece(bar, (Part(name, 0, note),)))) for name in ("Melody", "Bass", "Strings")
    ]
    inks = [(150, 22, 40), (20, 70, 140), (58, 66, 82)]
    for picture, own in zip(pictures, inks, strict=True):
        counts = {ink: int(near(picture[90:], ink, 12).sum()) for ink in inks}
        assert counts[own] > 1000 and max(counts, key=counts.__getitem__) == own


def test_emotions_and_chords_are_written() -> None:
    """Text above the line only with emotions, below it only with chords."""
    piece = songs.piece()
    bare = dataclasses.replace(piece, emotions=())
    silent = dataclasses.replace(piece, bars=tuple(dataclasses.replace(bar, chords=()) for bar in piece.bars))
    whole, without, unnamed = (np.asarray(piano_roll(one)).astype(int) for one in (piece, bare, silent))
    above, below = (np.abs(whole - other).sum((1, 2)).nonzero()[0] for other in (without, unnamed))
    assert len(above) and len(below) and above.max() < 100 and below.min() > 300


def test_odd_texts_do_no_harm() -> None:
    emotions = ((0, "v=0.1 a=0.2 d=0.3 " * 40), (1, "悲しみ"))
    assert piano_roll(dataclasses.replace(songs.piece("x" * 2000), emotions=emotions)).size[0] == WIDTH_PX
    assert piano_roll(songs.piece(notes=False)).size[0] == WIDTH_PX
