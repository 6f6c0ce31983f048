"""MIDI files, read back by other libraries."""

from __future__ import annotations

import io
from typing import Any

import mido
import pretty_midi
import pytest

from studio.errors import InputError
from studio.midi_files import midi_bytes, struck
from studio.provenance import MARK
from studio.score import Bar, Note, Part, Piece
from tests.studio import songs


def read(content: bytes) -> Any:
    return pretty_midi.PrettyMIDI(io.BytesIO(content), charset="utf-8")


def messages(content: bytes, kind: str) -> list[tuple[int, Any]]:
    """(tick, message) of a kind, over all tracks."""
    found = []
    for track in mido.MidiFile(file=io.BytesIO(content), charset="utf-8").tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == kind:
                found.append((tick, message))
    return found


def test_another_reader_finds_every_note_where_the_piece_has_it() -> None:
    piece = songs.piece()
    found = read(midi_bytes(piece))
    assert found.resolution == 480
    assert [one.name for one in found.instruments] == ["Melody", "Accompaniment"]
    for part, instrument in zip(piece.parts, found.instruments, strict=True):
        asked = [
            (piece.seconds(n.start_beats), piece.seconds(n.start_beats + n.length_beats), n.pitch, n.velocity)
            for n in part.notes
        ]
        heard = [(note.start, note.end, note.pitch, note.velocity) for note in instrument.notes]
        assert sorted(heard) == [pytest.approx(note, abs=1e-3) for note in sorted(asked)]
    assert found.get_end_time() == pytest.approx(10.0, abs=1e-3)  # the last note; the bar ends at 11 s


def test_tempo_meter_and_key_are_said_where_they_change() -> None:
    found = read(midi_bytes(songs.piece()))
    times, tempi = found.get_tempo_changes()
    assert list(zip(times, tempi, strict=True)) == [(0, pytest.approx(120)), (4, pytest.approx(60))]
    meters = [(one.time, one.numerator, one.denominator) for one in found.time_signature_changes]
    assert meters == [(0, 4, 4), (8, 3, 4)]
    assert [pretty_midi.key_number_to_key_name(one.key_number) for one in found.key_signature_changes] == [
        "A minor"
    ]


def test_six_eight_bars_and_flat_keys_are_written_as_such() -> None:
    piece = Piece((Bar("6/8", 90),) * 2, (Part("Melody", 0, (Note(3, 1, 61, 80),)),), "Db minor")
    found = read(midi_bytes(piece))
    assert [(one.numerator, one.denominator) for one in found.time_signature_changes] == [(6, 8)]
    assert [one.key for _, one in messages(midi_bytes(piece), "key_signature")] == ["C#m"]
    assert found.instruments[0].notes[0].start == pytest.approx(2.0)


def test_emotions_are_markers_and_chords_texts() -> None:
    content = midi_bytes(songs.piece(), {"schema": 1, "request": {"prompt": "é"}, "versions": {}})
    assert [(tick, one.text) for tick, one in messages(content, "marker")] == [
        (0, "sadness"),
        (12 * 480, "joy:0.8 é"),
    ]
    texts = [(tick, one.text) for tick, one in messages(content, "text")]
    assert texts[2:] == [(0, "Am"), (960, "F"), (3840, "C"), (5760, "G")]
    assert "Synthetic media" in texts[0][1] and "trainedAlgorithmicMedia" in texts[0][1]
    assert texts[1][1].startswith(MARK.decode())


def test_the_pedal_is_controller_64() -> None:
    pedal = [
        (tick, one.value)
        for tick, one in messages(midi_bytes(songs.piece()), "control_change")
        if one.control == 64
    ]
    assert pedal == [(0, 127), (1680, 0), (3840, 127), (5520, 0)]


def test_every_track_is_as_long_as_the_piece() -> None:
    assert [tick for tick, _ in messages(midi_bytes(songs.piece()), "end_of_track")] == [15 * 480] * 3


def test_balance_is_volume_and_pan() -> None:
    content = midi_bytes(songs.piece(), balance={"Melody": (6.0, -1.0)})
    values = {(one.channel, one.control): one.value for _, one in messages(content, "control_change")}
    assert (values[0, 7], values[0, 10]) == (127, 1) and (values[1, 7], values[1, 10]) == (100, 64)


def test_the_same_piece_makes_the_same_bytes() -> None:
    assert midi_bytes(songs.piece(), {"schema": 1}) == midi_bytes(songs.piece(), {"schema": 1})


def test_no_note_is_cut_off_by_an_earlier_one_of_its_pitch() -> None:
    notes = (Note(0, 4, 60, 50), Note(1, 1, 60, 70), Note(1, 2, 60, 40), Note(0, 4, 64, 50))
    assert struck(notes) == [Note(0, 1, 60, 50), Note(0, 4, 64, 50), Note(1, 1, 60, 70)]
    piece = Piece((Bar("4/4", 60),), (Part("Melody", 0, notes),))
    heard = [(note.start, note.end, note.pitch) for note in read(midi_bytes(piece)).instruments[0].notes]
    assert sorted(heard) == [(0, 1, 60), (0, 4, 64), (1, 2, 60)]


def test_parts_keep_off_the_drum_channel_and_do_not_share() -> None:
    parts = tuple(Part(f"P{index}", index, (Note(0, 1, 60, 80),)) for index in range(15))
    content = midi_bytes(Piece((Bar("4/4", 100),), parts))
    channels = [one.channel for _, one in messages(content, "note_on")]
    assert len(set(channels)) == 15 and 9 not in channels
    with pytest.raises(InputError, match="16 parts; a MIDI file has channels for 15"):
        midi_bytes(Piece((Bar("4/4", 100),), (*parts, parts[0])))


def test_a_piece_without_notes_is_a_file_all_the_same() -> None:
    found = read(midi_bytes(songs.piece(notes=False)))
    assert not found.instruments and len(found.time_signature_changes) == 2
