"""Reading people's MIDI files: what lands on the grid, what is reported, what is refused and how."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from pipelines.music import _fields as fields
from pipelines.music import _midi_beats as midi_beats
from pipelines.music import _midi_file as midi_file
from pipelines.music import _midi_in as midi_in
from pipelines.music._grid import Grid, field
from studio.errors import InputError
from studio.score import KEYS
from tests import tunes


def pitches(grid: Grid, name: str, shifts: np.ndarray) -> list[list[int]]:
    """Of each bar the MIDI pitches of a field, back in their own key, in order of time."""
    tokens = field(grid.tokens, name).reshape(len(grid), -1)
    return [
        [int(token) + fields.LOWEST - 1 - int(shift) for token in row if token]
        for row, shift in zip(tokens, shifts, strict=True)
    ]


def chord(root: int, quality: str) -> int:
    return 1 + root * len(fields.QUALITIES) + list(fields.QUALITIES).index(quality)


# --- what is read ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tonic", [60, 62, 66, 55])
def test_a_tune_in_any_key_comes_as_the_same_bars_and_goes_back(tmp_path: Path, tonic: int) -> None:
    found = midi_in.read(tunes.tune(tmp_path / "a.mid", 8, tonic))
    assert found.grid.meter == "4/4" and len(found) == 8 and not found.bars_estimated
    assert found.parts == ("MELODY", "PIANO") and found.melody == "MELODY" and found.notes == ()
    assert set(found.keys) <= set(KEYS) and found.key.endswith("major")
    assert (found.shift - (tonic - 60)) % 12 == 0 and set(found.shifts.tolist()) == {-found.shift}
    assert np.allclose(found.tempi_bpm, 96, atol=0.01) and found.tempo_bpm == pytest.approx(96, abs=0.01)
    assert np.allclose(found.start_s, np.arange(8) * 2.5, atol=1e-3)
    assert found.numbers.tolist() == list(range(1, 9)) and found.breaks == ()
    written = [pitch for start, _, pitch, _ in tunes.melody(8, tonic) if start < 4]
    assert pitches(found.grid, "melody", found.shifts)[0] == written
    wanted = [chord(0, "maj"), chord(7, "maj"), chord(9, "min"), chord(5, "maj")] * 2
    assert field(found.grid.tokens, "chord")[:, 0, 0].tolist() == wanted


def test_lengths_and_loudness_come_too(tmp_path: Path) -> None:
    found = midi_in.read(tunes.tune(tmp_path / "a.mid", 8))
    lengths = field(found.grid.tokens, "melody_length")[:, :, 0]
    assert fields.LENGTHS[lengths[3, 0]] == 16 and fields.LENGTHS[lengths[0, 0]] == 2
    loud = field(found.grid.tokens, "velocity")
    assert (loud[:, :, 0] > loud[:, :, 1]).all()


def test_a_melody_without_a_name_is_the_highest_line(tmp_path: Path) -> None:
    rows = tunes.melody(8) + tunes.chords(8)
    found = midi_in.read(tunes.write(tmp_path / "a.mid", [("Piano", rows)]))
    assert found.melody == ""
    known = midi_in.read(tunes.tune(tmp_path / "b.mid", 8))
    assert pitches(found.grid, "melody", found.shifts) == pitches(known.grid, "melody", known.shifts)
    # in a rest of the melody the accompaniment does not become it
    rest = [row for row in tunes.melody(8) if not 8 <= row[0] < 12] + tunes.chords(8)
    found = midi_in.read(tunes.write(tmp_path / "c.mid", [("Piano", rest)]))
    assert pitches(found.grid, "melody", found.shifts)[2] == []


def test_chords_of_a_melody_track_give_their_highest_note(tmp_path: Path) -> None:
    thirds = [(a, b, pitch - 4, velocity) for a, b, pitch, velocity in tunes.melody(8)]
    tracks = [("Lead vocals", thirds + tunes.melody(8)), ("Keys", tunes.chords(8))]
    found = midi_in.read(tunes.write(tmp_path / "a.mid", tracks))
    alone = midi_in.read(tunes.tune(tmp_path / "b.mid", 8))
    assert found.melody == "Lead vocals"
    assert pitches(found.grid, "melody", found.shifts) == pitches(alone.grid, "melody", alone.shifts)
    low = {pitch for _, _, pitch, _ in thirds[:8]}
    assert low <= set(pitches(found.grid, "voices", found.shifts)[0])


def test_a_change_of_key_is_heard(tmp_path: Path) -> None:
    later = [(a + 64, b + 64, p + 2, v) for a, b, p, v in tunes.melody(16) + tunes.chords(16)]
    rows = tunes.melody(16) + tunes.chords(16) + later
    found = midi_in.read(tunes.write(tmp_path / "a.mid", [("Piano", rows)]))
    assert found.keys[0] == "C major" and found.keys[-1] == "D major"
    assert abs(int(np.flatnonzero(np.diff(found.shifts))[0]) - 15) <= 1
    assert "the key signature changes 1 time" in found.notes


def test_minor_is_told_from_its_relative_major(tmp_path: Path) -> None:
    progression = ((9, (0, 3, 7)), (2, (0, 3, 7)), (4, (0, 4, 7)), (9, (0, 3, 7)))  # Am Dm E Am
    rows = []
    for bar in range(8):
        root, tones = progression[bar % 4]
        rows.append((bar * 4, bar * 4 + 3.9, 36 + root, 70))
        rows += [(bar * 4 + half, bar * 4 + half + 1.9, 48 + root + t, 70) for half in (0, 2) for t in tones]
    found = midi_in.read(tunes.write(tmp_path / "a.mid", [("Piano", rows)]))
    assert set(found.keys) == {"A minor"} and found.shift == 0
    assert (field(found.grid.tokens, "mode") == 1).all()
    assert field(found.grid.tokens, "chord")[2, 0, 0] == chord(4, "maj")


# --- meters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("numerator", "denominator", "group"), [(6, 8, 1), (12, 8, 0.5), (3, 8, 2)])
def test_meters_of_six_eighths(tmp_path: Path, numerator: int, denominator: int, group: float) -> None:
    tracks = [("Melody", tunes.melody(8, quarters=3)), ("Piano", tunes.chords(8, quarters=3))]
    signatures = [(0.0, numerator, denominator)]
    found = midi_in.read(tunes.write(tmp_path / "a.mid", tracks, signatures=signatures))
    assert found.grid.meter == "6/8" and len(found) == 8
    assert (f"{numerator}/{denominator} is read as 6/8" in found.notes) == (group != 1)
    assert not field(found.grid.tokens, "melody")[:, 12:].any()


@pytest.mark.parametrize(("numerator", "denominator"), [(2, 4), (2, 2), (1, 4)])
def test_meters_of_four_quarters(tmp_path: Path, numerator: int, denominator: int) -> None:
    path = tunes.tune(tmp_path / "a.mid", 8, signatures=[(0.0, numerator, denominator)])
    found = midi_in.read(path)
    assert found.grid.meter == "4/4" and len(found) == 8
    assert np.allclose(found.start_s, np.arange(8) * 2.5, atol=1e-3)


@pytest.mark.parametrize("signature", [(7, 8), (3, 4), (5, 4)])
def test_other_meters_are_refused_by_name(tmp_path: Path, signature: tuple[int, int]) -> None:
    path = tunes.tune(tmp_path / "a.mid", 8, signatures=[(0.0, *signature)])
    with pytest.raises(
        InputError, match=rf"is in {signature[0]}/{signature[1]}; music can be read in 4/4 and"
    ):
        midi_in.read(path)


def test_bars_in_another_meter_are_left_out_and_named(tmp_path: Path) -> None:
    first, rest = 16.0, 16 + 2 * 3.5  # four bars of 4/4, two of 7/8, then 4/4 again
    rows = tunes.melody(4) + tunes.chords(4)
    odd = [(first + i / 2, first + i / 2 + 0.4, 72 + i % 5, 80) for i in range(14)]
    more = [(a + rest, b + rest, p, v) for a, b, p, v in tunes.melody(4) + tunes.chords(4)]
    signatures = [(0.0, 4, 4), (first, 7, 8), (rest, 4, 4)]
    path = tunes.write(tmp_path / "a.mid", [("Piano", rows + odd + more)], signatures=signatures)
    found = midi_in.read(path)
    assert len(found) == 8 and found.breaks == (4,)
    assert found.numbers.tolist() == [1, 2, 3, 4, 7, 8, 9, 10]
    assert found.notes == ("bars 5 to 6 are 7/8: left out", "14 notes outside these bars left out")


def test_silence_before_and_drums_are_reported(tmp_path: Path) -> None:
    rows = [(a + 8, b + 8, p, v) for a, b, p, v in tunes.melody(4) + tunes.chords(4)]
    found = midi_in.read(tunes.write(tmp_path / "a.mid", [("Piano", rows)], drums=12))
    assert len(found) == 4 and found.numbers.tolist() == [3, 4, 5, 6]
    assert found.notes == ("2 silent bars at the beginning left out", "12 drum notes left out")


def test_what_does_not_fit_at_once_is_counted(tmp_path: Path) -> None:
    cluster = [(4.0, 5.0, 36 + step, 80) for step in range(9)]
    tracks = [("Melody", tunes.melody(4)), ("Piano", tunes.chords(4) + cluster)]
    found = midi_in.read(tunes.write(tmp_path / "a.mid", tracks))
    assert len(found.notes) == 1 and "notes left out: more than 5 at once" in found.notes[0]


# --- beats that the file does not say ----------------------------------------------------------------------


def f_measure(true: np.ndarray, found: np.ndarray, within_s: float = 0.07) -> float:
    hits = sum(np.abs(found - beat).min() <= within_s for beat in true)
    right = sum(np.abs(true - beat).min() <= within_s for beat in found)
    return 2 * hits / len(true) * (right / len(found)) / max(hits / len(true) + right / len(found), 1e-9)


def test_beats_of_a_swaying_performance_are_found(tmp_path: Path) -> None:
    clock = tunes.swaying()
    chance = random.Random(4)
    played = [(clock(a) + chance.gauss(0, 0.012), clock(b), p, v) for a, b, p, v in tunes.melody(16)]
    played += [(clock(a) + chance.gauss(0, 0.012), clock(b), p, v) for a, b, p, v in tunes.chords(16)]
    true = np.array([clock(quarter) for quarter in range(64)])
    assert f_measure(true, midi_beats.beats(np.array(played))) > 0.95


def test_a_performance_gets_its_bars(tmp_path: Path) -> None:
    clock = tunes.swaying()
    path = tunes.tune(tmp_path / "a.mid", 16, clock=lambda quarter: clock(quarter) + 1.37, tempo_bpm=120)
    found = midi_in.read(path)
    assert found.bars_estimated and found.notes[0].startswith("beats estimated: the file's tempo map")
    bars_s = np.array([clock(bar * 4) + 1.37 for bar in range(16)])
    assert f_measure(bars_s, found.start_s) > 0.9
    assert 68 < found.tempo_bpm < 84
    written = [pitch for start, _, pitch, _ in tunes.melody(16) if start < 4]
    bar = int(np.abs(found.start_s - bars_s[0]).argmin())
    assert pitches(found.grid, "melody", found.shifts)[bar] == written


def test_notes_beside_the_files_beats_are_moved_onto_them(tmp_path: Path) -> None:
    path = tunes.tune(tmp_path / "a.mid", 8, clock=tunes.steady(96, late_s=0.075))
    found = midi_in.read(path)
    assert found.notes[0].startswith("bars estimated: the file's notes lie beside its beats")
    assert np.allclose(found.start_s, 0.075 + np.arange(8) * 2.5, atol=0.01)


# --- bad input --------------------------------------------------------------------------------------------


def test_files_without_music_are_refused(tmp_path: Path) -> None:
    wrong = {
        "silent.mid": "has no notes",
        "drums.mid": "has no notes but 8 of drums",
        "empty.mid": r"is empty \(0 bytes\)",
        "text.mid": "is no readable MIDI file: MThd not found",
        "cut.mid": "is no readable MIDI file",
        "gone.mid": "does not exist",
        "deep.mid": "has no notes that a piano has",
        "folder.mid": "is a folder",
    }
    tunes.write(tmp_path / "silent.mid", [("Piano", [])])
    tunes.write(tmp_path / "drums.mid", [], drums=8)
    tunes.write(tmp_path / "deep.mid", [("Piano", [(float(at), at + 0.5, 4, 80) for at in range(16)])])
    (tmp_path / "empty.mid").write_bytes(b"")
    (tmp_path / "text.mid").write_text("a song about boats " * 4, "utf-8")
    whole = tunes.tune(tmp_path / "whole.mid").read_bytes()
    (tmp_path / "cut.mid").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "folder.mid").mkdir()
    for name, message in wrong.items():
        with pytest.raises(InputError, match=message) as caught:
            midi_in.read(tmp_path / name)
        assert "\n" not in str(caught.value) and name in str(caught.value)


def _with_meta(whole: bytes, kind: int, data: bytes) -> bytes:
    """The file with the data of its first meta message of a kind replaced, of the same length."""
    at = whole.index(bytes([0xFF, kind, len(data)])) + 3
    return whole[:at] + data + whole[at + len(data) :]


def test_impossible_times_are_refused(tmp_path: Path) -> None:
    whole = tunes.tune(tmp_path / "whole.mid").read_bytes()
    damaged = {
        "division.mid": whole[:12] + b"\0\0" + whole[14:],
        "tempo.mid": _with_meta(whole, 0x51, b"\0\0\0"),
        "beat.mid": _with_meta(whole, 0x58, bytes([4, 200, 24, 8])),
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name}' is no readable MIDI file: ") as caught:
            midi_in.read(tmp_path / name)
        assert len(str(caught.value)) < 110 + len(str(tmp_path))


def test_endless_files_are_refused(tmp_path: Path) -> None:
    rows = [*tunes.melody(4), (6_000.0, 6_001.0, 60, 80)]
    with pytest.raises(InputError, match="lasts 63 minutes; at most 60 are read"):
        midi_in.read(tunes.write(tmp_path / "a.mid", [("Piano", rows)]))
    rows = [*tunes.melody(4), (9_000.0, 9_001.0, 60, 80)]
    with pytest.raises(InputError, match="too long; at most 2048 bars"):
        midi_in.read(tunes.write(tmp_path / "b.mid", [("Piano", rows)], tempo_bpm=240))


def test_damaged_bytes_never_end_in_anything_but_our_error(tmp_path: Path) -> None:
    whole = tunes.tune(tmp_path / "whole.mid", 2, drums=2).read_bytes()
    chance, path, refused = random.Random(9), tmp_path / "a.mid", 0
    for _ in range(120):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 2, 8, 60])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            midi_file.read(path)
        except InputError:
            refused += 1
    assert 0 < refused < 120


def test_one_note_is_a_piece(tmp_path: Path) -> None:
    found = midi_in.read(tunes.write(tmp_path / "a.mid", [("Piano", [(0.0, 1.0, 60, 80)])]))
    assert len(found) == 1 and not found.bars_estimated
    assert pitches(found.grid, "melody", found.shifts) == [[60]]
