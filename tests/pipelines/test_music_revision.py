"""What stays of a piece when some of its bars are composed anew, and what a person is told of a file."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.music import _course as course
from pipelines.music import _midi_in as midi_in
from pipelines.music import score
from studio.artifacts import Score
from studio.emotion import NEUTRAL, parse_curve
from studio.errors import InputError
from studio.midi_files import midi_bytes
from studio.request import RenderRequest
from studio.score import METERS, Piece
from tests import tunes
from tests.pipelines.test_music_score import composer, request, unfelt, unwatched

__all__ = ["composer"]  # a fixture


def rendered(composer: score.Pipeline, asked: RenderRequest) -> Score:
    (made,) = composer.render([asked], unfelt, unwatched)
    assert isinstance(made, Score)
    return made


def changed(composer: score.Pipeline, path: Path, **settings: Any) -> Piece:
    return rendered(composer, request(inputs=[("midi", str(path))], **settings)).piece


def sounding(piece: Piece, bar: int) -> list[tuple[float, int]]:
    """When notes of a bar begin, in quarters from its start, and their pitches."""
    start, end = piece.bar_starts[bar : bar + 2]
    return sorted(
        (note.start_beats - start, note.pitch) for note in piece.notes if start <= note.start_beats < end
    )


@pytest.fixture(scope="module")
def own(composer: score.Pipeline, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Piece]:
    """Eight bars of ours, from calm to joy, and their file."""
    asked = request("calm@0, joy@100%", bars=8, seed=3)
    made, path = rendered(composer, asked).piece, tmp_path_factory.mktemp("own") / "own.mid"
    path.write_bytes(midi_bytes(made, {}))
    return path, made


def test_bars_that_stay_keep_feeling_tempo_notes_and_markers(
    composer: score.Pipeline, own: tuple[Path, Piece]
) -> None:
    path, before = own
    after = changed(composer, path, emotion="anger", change_bars="3-4", seed=8)
    for bar in (0, 1, 4, 5, 6, 7):
        assert after.bars[bar] == before.bars[bar]
        assert sounding(after, bar) == sounding(before, bar)
    anger = parse_curve("anger").at(0.0)
    assert [bar.emotion for bar in after.bars[2:4]] == [anger, anger]
    assert after.bars[2].tempo_bpm > before.bars[2].tempo_bpm  # anger is faster than calm
    assert after.emotions == ((0, "calm"), (2, "anger"), (4, "calm"), (7, "joy"))


def test_a_tempo_that_is_asked_for_goes_over_the_old_one(
    composer: score.Pipeline, own: tuple[Path, Piece]
) -> None:
    after = changed(composer, own[0], change_bars="3", tempo_bpm=140.0)
    assert np.mean([bar.tempo_bpm for bar in after.bars[:-1]]) == pytest.approx(140, rel=0.05)


def test_somebodys_tempo_stays(composer: score.Pipeline, tmp_path: Path) -> None:
    path = tunes.tune(tmp_path / "a.mid", 16, clock=tunes.swaying(90, 0.2))
    read = midi_in.read(path)
    assert np.ptp(read.played_bpm) > 10
    after = changed(composer, path, emotion="joy", change_bars="2")
    stays = [0, *range(2, len(read))]
    assert np.allclose([after.bars[bar].tempo_bpm for bar in stays], read.played_bpm[stays], atol=0.01)
    assert all(after.bars[bar].emotion == NEUTRAL for bar in stays)


def test_a_piece_that_modulates_stays_in_its_keys(composer: score.Pipeline, tmp_path: Path) -> None:
    in_c, in_d = ([*tunes.melody(16, tonic), *tunes.chords(16, tonic)] for tonic in (60, 62))
    rows = [*in_c, *((start + 64, end + 64, pitch, loud) for start, end, pitch, loud in in_d)]
    path = tunes.write(tmp_path / "a.mid", [("Piano", rows)])
    same, after = (changed(composer, path, change_bars="2", strength=share) for share in (0.0, 1.0))
    assert [pitch for _, pitch in sounding(after, 16)] == [pitch + 2 for _, pitch in sounding(after, 0)]
    for bar in (0, *range(2, 32)):
        assert sounding(after, bar) == sounding(same, bar)
    again = tmp_path / "b.mid"
    again.write_bytes(midi_bytes(after, {}))
    assert sounding(changed(composer, again, strength=0.0), 20) == sounding(after, 20)


def test_bars_are_called_as_in_the_file(composer: score.Pipeline, tmp_path: Path) -> None:
    rows = [(start + 8, end + 8, pitch, loud) for start, end, pitch, loud in tunes.melody(8)]
    path = tunes.write(tmp_path / "a.mid", [("Piano", rows)])
    same, after = (changed(composer, path, change_bars="4", strength=share) for share in (0.0, 1.0))
    differ = [bar for bar in range(8) if sounding(after, bar) != sounding(same, bar)]
    assert differ == [1]  # two silent bars at the beginning are left out
    with pytest.raises(InputError, match=r"^change_bars: there are bars 3 to 10, got '1'"):
        changed(composer, path, change_bars="1")


def test_what_was_left_out_or_is_not_used_is_said(composer: score.Pipeline, tmp_path: Path) -> None:
    rows = [*tunes.melody(4), *tunes.chords(4)]
    path = str(tunes.write(tmp_path / "a.mid", [("Piano", rows)], drums=12))
    said = rendered(composer, request(inputs=[("midi", path)], key="F major", meter="6/8")).notes
    assert "12 drum notes left out" in said
    assert {note.split()[0] for note in said} >= {"key", "meter"}
    taken = rendered(composer, request(inputs=[("donor", path)], take="rhythm")).notes
    assert taken == ("donor: 12 drum notes left out",)


@pytest.mark.parametrize(("name", "value"), [("keep", "rhythm"), ("change_bars", "2"), ("strength", 0.5)])
def test_what_only_a_change_heeds_is_refused_when_a_piece_goes_on(name: str, value: object) -> None:
    with pytest.raises(InputError, match=rf"^{name}: go_on adds bars"):
        score.check(request(inputs=[("midi", "any.mid")], go_on=True, **{name: value}))


def test_a_donor_changes_nothing_that_was_to_stay(
    composer: score.Pipeline, own: tuple[Path, Piece], tmp_path: Path
) -> None:
    donor = tunes.tune(tmp_path / "donor.mid", 8)
    inputs = [("midi", str(own[0])), ("donor", str(donor))]
    asked = request(inputs=inputs, take="rhythm, harmony", change_part="melody")
    after = rendered(composer, asked).piece
    for name in ("Accompaniment", "Bass"):
        old, new = (
            [
                (note.start_beats, note.pitch)
                for part in piece.parts
                if part.name == name
                for note in part.notes
            ]
            for piece in (own[1], after)
        )
        assert old == new
    assert [bar.chords for bar in after.bars] == [bar.chords for bar in own[1].bars]


@pytest.mark.parametrize("asked_bpm", [None, 100.0])
@pytest.mark.parametrize("words", ["calm@0s, anger@30s", "anger@0s, calm@30s", "calm@0s, anger@5s"])
def test_a_curve_in_seconds_is_met_on_the_clock(
    composer: score.Pipeline, words: str, asked_bpm: float | None
) -> None:
    asked = request(words, bars=24, **({"tempo_bpm": asked_bpm} if asked_bpm else {}))
    piece = rendered(composer, asked).piece
    lengths = [METERS[bar.meter] * 60 / bar.tempo_bpm for bar in piece.bars]
    edges = np.append(0, np.cumsum(lengths))
    for bar, (start, end) in enumerate(pairwise(edges)):
        wanted = asked.curve.at(float((start + end) / 2 / edges[-1]), float(edges[-1]))
        assert piece.bars[bar].emotion.distance(wanted) < 0.02
    turn_s = asked.curve.keys[1].at
    (_, first), (bar, second) = piece.emotions
    assert (first, second) == tuple(key.emotion.text for key in asked.curve.keys)
    assert edges[bar] - 0.01 <= turn_s <= edges[bar + 1] + 0.01


def test_keys_after_the_end_of_a_piece_have_no_marker() -> None:
    found = course.of(parse_curve("calm@0s, joy@10s, anger@500s"), 8, 4.0, 96.0)
    assert [text for _, text in found.turns] == ["calm", "joy"]


@pytest.mark.parametrize("asked_bpm", [30.0, 240.0])
def test_slow_and_fast_tempos_are_met(composer: score.Pipeline, asked_bpm: float) -> None:
    piece = rendered(composer, request("joy", bars=8, tempo_bpm=asked_bpm)).piece
    assert [bar.tempo_bpm for bar in piece.bars[:-1]] == pytest.approx([asked_bpm] * 7, rel=0.001)
