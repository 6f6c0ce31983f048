"""Which instrument plays which part, as data; and which instruments go with a feeling.

Programs are General MIDI numbers, 0..127. That timbre follows the emotion ("auto") is a choice of taste: of
the cues that Eerola, Friberg and Bresin 2013 (Front. Psychol. 4:487) weighed, timbre mattered least (mode >
tempo > register > dynamics > articulation > timbre), and no table says which instrument is sad. Knows no file
and no sound.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from studio.emotion import VAD
from studio.errors import InputError, nearest
from studio.score import Part, Piece

AUTO = "auto"
ROLES = ("Melody", "Accompaniment", "Bass")  # names of parts; a part of any other name accompanies


@dataclass(frozen=True, slots=True)
class Voice:
    """`level_db`: against the other parts; `pan`: -1 left .. 1 right."""

    program: int
    level_db: float = 0.0
    pan: float = 0.0


Preset = Mapping[str, Voice]  # role -> voice
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        # one instrument: no part is apart from the others
        "piano": {"Melody": Voice(0, 1.5), "Accompaniment": Voice(0), "Bass": Voice(0)},
        # violins, string ensemble, cello, seated as an audience sees them
        "strings": {"Melody": Voice(40, 0.0, -0.3), "Accompaniment": Voice(48), "Bass": Voice(42, 0.0, 0.3)},
        # music box, celesta, harp
        "music box": {"Melody": Voice(10, 3.0), "Accompaniment": Voice(8, -2.0, 0.2), "Bass": Voice(46, 0.0)},
        # flute, electric piano, fingered bass
        "band": {
            "Melody": Voice(73, 0.0, -0.15),
            "Accompaniment": Voice(4, -1.0, 0.2),
            "Bass": Voice(33, 2.0),
        },
    }
)
NEAR_NEUTRAL = 0.25  # distance from the origin within which "auto" stays with the piano


def names() -> tuple[str, ...]:
    """What `preset` accepts."""
    return (AUTO, *PRESETS)


def preset(name: str, emotions: Sequence[VAD] = ()) -> str:
    """A key of PRESETS; for "auto" the one that goes with the mean of `emotions`. Raises InputError."""
    if name in PRESETS:
        return name
    if name != AUTO:
        why = f"{name!r} is not one of {', '.join(names())}"
        raise InputError("instruments", name, why, nearest(name, names()))
    count = max(len(emotions), 1)
    valence, arousal = (
        sum(getattr(vad, axis) for vad in emotions) / count for axis in ("valence", "arousal")
    )
    if (valence**2 + arousal**2) ** 0.5 <= NEAR_NEUTRAL:
        return "piano"
    if arousal >= 0:
        return "band" if valence >= 0 else "piano"  # an angry piano has the attack that strings lack
    return "music box" if valence >= 0 else "strings"


def voice(part: Part, name: str) -> Voice:
    """How preset `name` plays `part`."""
    return PRESETS[name][role(part)]


def role(part: Part) -> str:
    """A word of ROLES."""
    return next((one for one in ROLES if part.name.casefold().startswith(one.casefold())), "Accompaniment")


def arranged(piece: Piece, name: str) -> Piece:
    """The piece with the programs of a preset. Raises InputError for a name that is none."""
    chosen = preset(name, [bar.emotion for bar in piece.bars])
    parts = tuple(dataclasses.replace(part, program=voice(part, chosen).program) for part in piece.parts)
    return dataclasses.replace(piece, parts=parts)


def balance(piece: Piece, name: str) -> dict[str, tuple[float, float]]:
    """Part name -> level in dB and pan, of a preset that PRESETS has."""
    voices = {part.name: voice(part, name) for part in piece.parts}
    return {part: (one.level_db, one.pan) for part, one in voices.items()}
