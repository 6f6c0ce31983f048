"""A piece as a Standard MIDI File (format 1, 480 ticks a quarter): what notation programs and DAWs open.

The first track holds what is everybody's: tempo and meter where they change, the key, markers where the asked
feeling turns, chord names and the record of origin as text. Each part has a track and a channel. The same
piece makes the same bytes. Knows the format through mido; makes no sound and reads no file.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from studio import provenance as origin
from studio.errors import InputError
from studio.lazy import lazy
from studio.score import Note, Part, Piece

mido = lazy("mido")

TICKS = 480  # a quarter
MADE_BY_A_MODEL = f"Synthetic media: made by a generative model ({origin.SOURCE_TYPE})"
NOTATION = "emotion_studio_notation:"  # before the piece in its composer's own words
CHANNELS = tuple(channel for channel in range(16) if channel != 9)  # the tenth is for drums
_PEDAL, _VOLUME, _PAN = 64, 7, 10
_MINORS = {"Db": "C#", "Gb": "F#", "Ab": "G#"}  # the spelling with fewer signs
_METERS = {"4/4": (4, 4), "3/4": (3, 4), "2/4": (2, 4), "6/8": (6, 8)}
# At one tick: let go, lift the pedal, strike, press: one that changes with the harmony catches the new one.
_OFF, _LIFT, _SETUP, _ON, _PRESS = range(5)
Event = tuple[int, int, Any]  # tick, order within it, mido message


def midi_bytes(
    piece: Piece,
    provenance: Mapping[str, Any] | None = None,
    balance: Mapping[str, tuple[float, float]] | None = None,
) -> bytes:
    """The file. `provenance`: the record to carry (see studio.provenance); `balance`: part name -> level in
    dB and pan -1..1. Raises InputError for more parts than MIDI has channels."""
    if len(piece.parts) > len(CHANNELS):
        why = f"{len(piece.parts)} parts; a MIDI file has channels for {len(CHANNELS)}"
        raise InputError("parts", len(piece.parts), why)
    end = _tick(max([piece.bar_starts[-1], *(note.start_beats + note.length_beats for note in piece.notes)]))
    tracks = [_track(_conductor(piece, provenance), end)]
    for channel, part in zip(CHANNELS, piece.parts, strict=False):
        level_db, pan = (balance or {}).get(part.name, (0.0, 0.0))
        tracks.append(_track(_part(part, channel, level_db, pan), end))
    if piece.notation:
        text = f"{NOTATION}{what_sounds(tracks)}:{piece.notation}"
        tracks[0].insert(0, mido.MetaMessage("text", text=text))
    file = io.BytesIO()
    mido.MidiFile(type=1, ticks_per_beat=TICKS, charset="utf-8", tracks=tracks).save(file=file)
    return file.getvalue()


def what_sounds(tracks: Iterable[Any]) -> str:
    """Digest of notes and tempi of mido tracks: whoever edits the file changes it."""
    found = []
    for track in tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type in ("note_on", "note_off"):
                velocity = message.velocity if message.type == "note_on" else 0
                found.append((tick, message.note, velocity))
            elif message.type == "set_tempo":
                found.append((tick, -1, message.tempo))
    return hashlib.blake2b(repr(sorted(found)).encode(), digest_size=8).hexdigest()


def notation_of(path: Path) -> str:
    """The piece in its composer's words; "" where the file has none, or sounds otherwise than it says."""
    mark = NOTATION.encode()
    if mark not in path.read_bytes()[: origin.HEAD_BYTES]:
        return ""
    tracks = mido.MidiFile(path, charset="latin-1").tracks  # the text sought is ASCII, others may be anything
    texts = (message.text for message in tracks[0] if message.type == "text")
    said = next((text for text in texts if text.startswith(NOTATION)), "").removeprefix(NOTATION)
    digest, _, notation = said.partition(":")
    return notation if digest == what_sounds(tracks) else ""


def struck(notes: Iterable[Note]) -> list[Note]:
    """By start and pitch, none reaching into the next of its pitch; of two at once the louder stays."""
    last: dict[int, int] = {}
    found: list[Note] = []
    for note in sorted(notes, key=lambda one: (one.start_beats, one.pitch, -one.velocity)):
        at = last.get(note.pitch)
        if at is not None:
            before = found[at]
            if before.start_beats == note.start_beats:
                continue
            room = note.start_beats - before.start_beats
            if before.length_beats > room:
                found[at] = Note(before.start_beats, room, before.pitch, before.velocity)
        last[note.pitch] = len(found)
        found.append(note)
    return found


def _conductor(piece: Piece, provenance: Mapping[str, Any] | None) -> Iterator[Event]:
    def meta(kind: str, tick: int = 0, **values: Any) -> Event:
        return tick, _SETUP, mido.MetaMessage(kind, **values)

    if piece.title:
        yield meta("track_name", name=piece.title)
    yield meta("text", text=MADE_BY_A_MODEL)
    if provenance is not None:
        yield meta("text", text=origin.embedded(provenance))
    yield meta("key_signature", key=_key(piece.key))
    before: tuple[str, int] | None = None
    for start, bar in zip(piece.bar_starts, piece.bars, strict=False):
        tempo = round(60e6 / bar.tempo_bpm)
        if before is None or before[0] != bar.meter:
            numerator, denominator = _METERS[bar.meter]
            yield meta("time_signature", _tick(start), numerator=numerator, denominator=denominator)
        if before is None or before[1] != tempo:
            yield meta("set_tempo", _tick(start), tempo=tempo)
        before = bar.meter, tempo
    for index, text in piece.emotions:
        yield meta("marker", _tick(piece.bar_starts[index]), text=text)
    yield from (meta("text", _tick(start), text=name) for start, name in chord_changes(piece))


def chord_changes(piece: Piece) -> Iterator[tuple[float, str]]:
    """(beat, name) of every chord that is not the one before it."""
    before = ""
    for start, bar in zip(piece.bar_starts, piece.bars, strict=False):
        for share, name in enumerate(bar.chords):
            if name != before:
                yield start + share * bar.length_beats / len(bar.chords), name
            before = name


def _part(part: Part, channel: int, level_db: float, pan: float) -> Iterator[Event]:
    def control(tick: int, order: int, number: int, value: int) -> Event:
        return tick, order, mido.Message("control_change", channel=channel, control=number, value=value)

    yield 0, _SETUP, mido.MetaMessage("track_name", name=part.name)
    yield 0, _SETUP, mido.Message("program_change", channel=channel, program=part.program)
    yield control(0, _SETUP, _VOLUME, _volume(level_db))
    yield control(0, _SETUP, _PAN, min(127, max(0, round(64 + 63 * pan))))
    for down, up in part.pedal:
        yield control(_tick(down), _PRESS, _PEDAL, 127)
        yield control(_tick(up), _LIFT, _PEDAL, 0)
    for note in struck(part.notes):
        start, stop = _tick(note.start_beats), _tick(note.start_beats + note.length_beats)
        sound = {"channel": channel, "note": note.pitch}
        yield start, _ON, mido.Message("note_on", velocity=note.velocity, **sound)
        yield max(stop, start + 1), _OFF, mido.Message("note_off", velocity=64, **sound)


def _track(events: Iterable[Event], end: int) -> Any:
    """Absolute ticks to waits; events of one tick and order keep theirs."""
    track, now = mido.MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    track.append(mido.MetaMessage("end_of_track", time=max(end - now, 0)))
    return track


def _tick(beats: float) -> int:
    return math.floor(beats * TICKS + 0.5)


def _volume(level_db: float) -> int:
    """Controller 7 with 0 dB at its default of 100; General MIDI's curve is 40 lg(value / 127) dB."""
    return min(127, max(1, round(100 * 10 ** (level_db / 40))))


def _key(key: str) -> str:
    tonic, mode = key.split()
    return tonic if mode == "major" else f"{_MINORS.get(tonic, tonic)}m"
