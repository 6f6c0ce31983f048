"""Instruments recorded in an SF2 or SF3 file: the zones that sound for a key, each a recording with settings.

A file is checked through and through first: every record that another one names is there, every recording is
inside. It reads RIFF as the SoundFont 2.04 specification lays it out, modulators and 24-bit parts left out,
and plays nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from studio.errors import InputError, StorageError

# Generators of the specification's section 8.1.2 that a zone is found or joined by.
KEY_RANGE, VELOCITY_RANGE, INSTRUMENT, SAMPLE = 43, 44, 41, 53
_PER_INSTRUMENT = {
    KEY_RANGE,
    VELOCITY_RANGE,
    INSTRUMENT,
    SAMPLE,
    0,
    1,
    2,
    3,
    4,
    12,
    45,
    46,
    47,
    50,
    54,
    57,
    58,
}
_RECORD_BYTES = {
    "phdr": 38, "pbag": 4, "pmod": 10, "pgen": 4, "inst": 22, "ibag": 4, "imod": 10, "igen": 4, "shdr": 46,
}  # fmt: skip
_MAX_TABLE_BYTES = 1 << 28  # those of real files take a few MB
_MAX_RATE_HZ = 384_000
_ROM = 0x8000  # a recording that is not in the file
COMPRESSED = 0x10  # Ogg Vorbis, as in SF3: `start` and `end` count bytes
# Defaults other than 0: open filter, instant delays, attacks and so on (-12000 timecents), full scale tuning.
DEFAULTS = {
    8: 13500,
    **dict.fromkeys((21, 23, 25, 26, 27, 28, 30, 33, 34, 35, 36, 38), -12000),
    56: 100,
    58: -1,
}
Settings = Mapping[int, int]  # generator -> amount


@dataclass(frozen=True, slots=True)
class Recording:
    """Where one is, in samples of the whole (of itself where compressed for the loop); `root`: its key."""

    start: int
    end: int
    loop_start: int
    loop_end: int
    rate_hz: int
    root: int
    cents: int
    compressed: bool


@dataclass(frozen=True, slots=True)
class Zone:
    """One recording and how to play it. `settings`: instrument's and preset's generators, already joined."""

    recording: Recording
    settings: Settings = field(hash=False)


@dataclass(frozen=True)
class SoundFont:
    """A file that has been checked. `programs`: General MIDI numbers of bank 0 that it has."""

    path: Path
    programs: Mapping[int, tuple[tuple[Settings, tuple[tuple[Settings, Recording], ...]], ...]]
    data_at: int  # where the recordings begin, in bytes
    data_bytes: int

    def zones(self, program: int, pitch: int, velocity: int) -> list[Zone]:
        """What sounds for a key. InputError for a program that the file does not have."""
        if program not in self.programs:
            why = f"{self.path.name} has no instrument of General MIDI number {program}"
            raise InputError("soundfont", str(self.path), why)
        found = []
        for preset, instrument in self.programs[program]:
            if _covers(preset, pitch, velocity):
                for settings, recording in instrument:
                    if _covers(settings, pitch, velocity):
                        found.append(Zone(recording, _joined(preset, settings)))
        return found


def bundled() -> Path:
    """TimGM6mb.sf2 inside the installed pretty_midi (GPL-2, by Tim Brechbill): used where it lies."""
    try:
        return Path(str(metadata.distribution("pretty_midi").locate_file("pretty_midi/TimGM6mb.sf2")))
    except metadata.PackageNotFoundError:
        why = "pretty_midi, which carries one, is not installed; name an SF2 or SF3"
        raise StorageError(f"soundfont: {why}") from None


def read_soundfont(path: Path | str | None = None) -> SoundFont:
    """The font in a file; the bundled one by default. Raises InputError for what is no whole soundfont."""
    where = bundled() if path is None else Path(path)
    try:
        stat = where.stat()
        return _read(where, stat.st_size, stat.st_mtime_ns)
    except (OSError, ValueError) as error:
        why = f"{str(where)!r} cannot be read ({getattr(error, 'strerror', None) or error})"
        raise InputError("soundfont", str(where), why) from None


@lru_cache(maxsize=8)
def _read(path: Path, size: int, mtime_ns: int) -> SoundFont:
    if not path.is_file():
        raise _wrong(path, "is not a file")
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"sfbk":
            raise _wrong(path, "is not a soundfont (SF2 or SF3)")
        if int.from_bytes(head[4:8], "little") + 8 > size:
            raise _wrong(path, "is cut short")
        tables, data_at, data_bytes = _chunks(path, file, size)
    _check_indices(path, tables, data_bytes)
    return SoundFont(path, dict(_presets(tables)), data_at, data_bytes)


def _chunks(path: Path, file: BinaryIO, size: int) -> tuple[dict[str, bytes], int, int]:
    """The nine tables of records, where the recordings begin and how many bytes they take."""
    tables: dict[str, bytes] = {}
    data_at = data_bytes = 0
    end = min(size, os.fstat(file.fileno()).st_size)
    while file.tell() + 8 <= end:
        head = file.read(8)
        name, length = head[:4].decode("latin-1"), int.from_bytes(head[4:], "little")
        start = file.tell()
        if name == "LIST":
            file.seek(4, os.SEEK_CUR)
            continue
        if start + length > end:
            raise _wrong(path, f"is cut short in its {name!r} part")
        if name == "smpl":
            data_at, data_bytes = start, length
        elif name in _RECORD_BYTES:
            if length > _MAX_TABLE_BYTES or length % _RECORD_BYTES[name]:
                raise _wrong(path, f"is damaged (its {name!r} table)")
            tables[name] = file.read(length)
        file.seek(start + length + length % 2)
    missing = [name for name in _RECORD_BYTES if not tables.get(name) and name not in ("pmod", "imod")]
    if missing or not data_bytes:
        raise _wrong(path, f"is damaged (no {missing[0] if missing else 'smpl'!r} part)")
    return tables, data_at, data_bytes


def _check_indices(path: Path, tables: Mapping[str, bytes], data_bytes: int) -> None:
    """Every record that another one names is there: presets, bags, generators, instruments, samples."""
    bags = {"index": (0, "<u2")}
    generators = {"kind": (0, "<u2"), "amount": (2, "<u2")}
    steps = (
        ("phdr", 38, {"index": (24, "<u2")}, "pbag", 4),
        ("pbag", 4, bags, "pgen", 4),
        ("inst", 22, {"index": (20, "<u2")}, "ibag", 4),
        ("ibag", 4, bags, "igen", 4),
    )
    for name, width, fields, target, target_width in steps:
        index = _table(tables[name], width, fields)["index"].astype(np.int64)
        if (np.diff(index) < 0).any() or index[-1] >= len(tables[target]) // target_width + 1:
            raise _wrong(path, f"is damaged (its {name!r} table points nowhere)")
    for name, kind, target, width in (("pgen", INSTRUMENT, "inst", 22), ("igen", SAMPLE, "shdr", 46)):
        table = _table(tables[name], 4, generators)
        if (table["amount"][table["kind"] == kind] >= len(tables[target]) // width - 1).any():
            raise _wrong(path, f"is damaged (its {name!r} table points nowhere)")
    _check_samples(path, tables["shdr"], data_bytes)


def _check_samples(path: Path, headers: bytes, data_bytes: int) -> None:
    fields = {"start": (20, "<u4"), "end": (24, "<u4"), "rate": (36, "<u4"), "kind": (44, "<u2")}
    table = _table(headers, 46, fields)[:-1]
    table = table[table["kind"] & _ROM == 0]
    limit = np.where(table["kind"] & COMPRESSED, data_bytes, data_bytes // 2)
    outside = (table["start"] > table["end"]) | (table["end"] > limit) | (table["rate"] > _MAX_RATE_HZ)
    if not len(table) or outside.any():
        raise _wrong(path, "is damaged (its samples are not all there)")


def _presets(tables: Mapping[str, bytes]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """(program, its zones) of bank 0, by program; of two with one number the first."""
    instruments = _instruments(tables, _recordings(tables["shdr"]))
    heads = _table(tables["phdr"], 38, {"program": (20, "<u2"), "bank": (22, "<u2"), "index": (24, "<u2")})
    seen: set[int] = set()
    for head, following in pairwise(heads):
        program = int(head["program"])
        if head["bank"] != 0 or program > 127 or program in seen:
            continue
        seen.add(program)
        bags = _bags(tables["pbag"], tables["pgen"], int(head["index"]), int(following["index"]), INSTRUMENT)
        yield program, tuple((bag, instruments[bag[INSTRUMENT]]) for bag in bags)


def _instruments(
    tables: Mapping[str, bytes], recordings: list[Recording]
) -> list[tuple[tuple[Settings, Recording], ...]]:
    index = _table(tables["inst"], 22, {"index": (20, "<u2")})["index"].tolist()
    spans = pairwise(index)
    bags = (_bags(tables["ibag"], tables["igen"], start, end, SAMPLE) for start, end in spans)
    return [tuple((bag, recordings[bag[SAMPLE]]) for bag in zones) for zones in bags]


def _bags(bag_table: bytes, generator_table: bytes, start: int, end: int, link: int) -> list[Settings]:
    """The zones of an instrument or preset that lead on; a first one that does not is the others' default."""
    starts = np.frombuffer(bag_table, "<u2").reshape(-1, 2)[start : end + 1, 0].tolist()
    generators = np.frombuffer(generator_table, "<u2").reshape(-1, 2)
    common: dict[int, int] = {}
    found: list[Settings] = []
    for first, last in pairwise(starts):
        own = {kind: _amount(kind, amount) for kind, amount in generators[first:last].tolist()}
        if link in own:
            found.append({**common, **own})
        elif not found:
            common = own
    return found


def _amount(kind: int, amount: int) -> int:
    """Ranges and indices as they are, everything else with its sign."""
    plain = kind in (KEY_RANGE, VELOCITY_RANGE, INSTRUMENT, SAMPLE)
    return amount if plain or amount < 0x8000 else amount - 0x10000


def _recordings(headers: bytes) -> list[Recording]:
    places = {name: (20 + 4 * at, "<u4") for at, name in enumerate(("start", "end", "first", "last", "rate"))}
    rest = {"root": (40, "u1"), "cents": (41, "i1"), "kind": (44, "<u2")}
    table = _table(headers, 46, {**places, **rest})
    columns = (table[name].tolist() for name in (*places, "root", "cents"))
    packed = ((table["kind"] & COMPRESSED) != 0).tolist()
    return [Recording(*row) for row in zip(*columns, packed, strict=True)]


def _covers(settings: Settings, pitch: int, velocity: int) -> bool:
    ranges = ((KEY_RANGE, pitch), (VELOCITY_RANGE, velocity))
    found = ((settings.get(kind, 0x7F00), value) for kind, value in ranges)
    return all(span & 0xFF <= value <= span >> 8 for span, value in found)


def _joined(preset: Settings, instrument: Settings) -> Settings:
    """A preset's amounts are added to the instrument's, or to the defaults of those it leaves open."""
    more = {kind: amount for kind, amount in preset.items() if kind not in _PER_INSTRUMENT}
    added = {kind: instrument.get(kind, DEFAULTS.get(kind, 0)) + amount for kind, amount in more.items()}
    return {**DEFAULTS, **instrument, **added}


def _table(data: bytes, width: int, fields: Mapping[str, tuple[int, str]]) -> Any:
    """Records of `width` bytes as a structured array. `fields`: name -> place in the record and type."""
    places, formats = zip(*fields.values(), strict=True)
    layout: Any = {"names": list(fields), "itemsize": width, "offsets": places, "formats": formats}
    return np.frombuffer(data, np.dtype(layout))


def _wrong(path: Path, why: str) -> InputError:
    return InputError("soundfont", str(path), f"{str(path)!r} {why}")
