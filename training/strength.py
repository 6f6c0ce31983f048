"""How strong an adapter may be worn: control and prompt keeping at rising strengths, and the usable range.

The same prompts and seeds are rendered bare and then with feelings of length 1 on a ring around neutral, at
one strength after the other, until the prompt is lost. A picture keeps its prompt by 1 if the reader finds it
there as in the bare picture, and by 0 if it finds it no more than in pictures of the *other* prompts; so
readers with different scales compare. **The rule: the range ends where the mean first falls below
KEEPS_SHARE, four fifths.** A strong feeling must change a picture, and readers take some of these changes for
a lost subject, so a demand for everything would rule out what the adapter is for; with more than a fifth gone
a person at the end of the slider would meet pictures of something else again and again. The share is a
judgement, made while looking at strips of the embedded adapter, no law. Of a piece, what must be kept is that
it stays music; the medium says what has lost all of that. Knows no file.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from studio import catalog
from studio.emotion import VAD
from studio.errors import InputError
from studio.ports import OnStep
from training import control, medium
from training.medium import Medium, Reader, Reading, Shot
from training.pictures import PROMPTS, ROWS

STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
KEEPS_SHARE = 0.8
PICTURES = 32  # at each strength
ENOUGH = 16  # fewer give figures, but no range: one lost prompt more or less would move its end far
RING = 8  # feelings
_GRAIN = 0.05  # ranges end on what a slider can show
_SEED = 30_011
_STRIP_ROWS = (0, 2, 5, 7)  # of the first round of the ring: every quarter, dominance high and low


@dataclass(frozen=True, slots=True)
class Plan:
    """What is rendered: `pictures` bare and at each strength, `rows` at a time. Raises InputError.

    `axis`: the one that a slider learnt, of which only the two ends are asked for then.
    """

    strengths: tuple[float, ...] = STRENGTHS
    pictures: int = PICTURES
    prompts: tuple[str, ...] = PROMPTS
    axis: str = ""
    rows: int = ROWS
    pipeline: str = catalog.DEFAULT_PIPELINE  # the family, whose medium says how to look at it

    def __post_init__(self) -> None:
        rising = list(self.strengths) == sorted(set(self.strengths))
        if not self.strengths or not rising or not 0 < self.strengths[0] <= self.strengths[-1] <= 2:
            shown = ", ".join(f"{one:g}" for one in self.strengths) or "none"
            why = f"must rise and lie in (0, 2], got {shown}"
            raise InputError("strengths", list(self.strengths), why, "0.5 1 1.5 2")
        if self.pictures < control.MIN_SAMPLES:
            why = f"needs at least {control.MIN_SAMPLES}, got {self.pictures}"
            raise InputError("pictures", self.pictures, why, str(PICTURES))
        if len(set(self.prompts)) < 2:
            raise InputError("prompts", list(self.prompts), "needs at least two different ones")


@dataclass(frozen=True, slots=True)
class Row:
    """One strength. `gain`: how far readings moved along what was asked, 1 is as far as asked.

    `keeps`: mean prompt score on the reader's scale; `kept`: the same between other prompts (0) and bare (1).
    """

    strength: float
    valence_r: float
    arousal_r: float
    dominance_r: float
    gain: float
    keeps: float
    kept: float


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep found. `strength_range` is None after fewer than ENOUGH pictures a strength, and where

    the reader cannot tell one prompt from another."""

    rows: tuple[Row, ...]
    strength_range: tuple[float, float] | None
    keeps_bare: float
    keeps_other: float  # prompt score of bare pictures for other pictures' prompts
    chance_r: float  # what 95% of shuffled pairings stay below
    pictures: int
    reader: str
    seconds: float
    pipeline: str = catalog.DEFAULT_PIPELINE

    @property
    def verdict(self) -> str:
        """One sentence for people."""
        words = medium.of(self.pipeline).words
        if self.strength_range is None and self.pictures < ENOUGH:
            return f"no range: {self.pictures} {words.many} at each strength are too few, {ENOUGH} would do"
        if self.strength_range is None:
            return f"no range: {self.reader} does not tell bare {words.many} from {words.lost}"
        end = self.strength_range[1]
        if all(row.kept >= KEEPS_SHARE for row in self.rows):
            return f"the {words.kept} is kept up to {end:g}, the highest strength tried"
        return f"the {words.kept} is kept up to {end:g}; beyond it less than {KEEPS_SHARE:.0%} of it is left"

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"rule": KEEPS_SHARE, "verdict": self.verdict}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Sweep:
        """From what `to_dict` gave. KeyError or TypeError for values of another version."""
        plain = {field.name: values[field.name] for field in dataclasses.fields(cls)}
        ends = values["strength_range"]
        rows = tuple(Row(**row) for row in values["rows"])
        return cls(**plain | {"rows": rows, "strength_range": tuple(ends) if ends else None})

    def table(self) -> str:
        """The rows as a Markdown table."""
        kept = medium.of(self.pipeline).words.kept
        head = f"| strength | valence r | arousal r | dominance r | moved | {kept} kept |"
        lines = [
            f"| {row.strength:g} | {row.valence_r:.2f} | {row.arousal_r:.2f} | {row.dominance_r:.2f} | "
            f"{row.gain:.2f} | {row.kept:.0%} |"
            for row in self.rows
        ]
        return "\n".join([head, "|---:|---:|---:|---:|---:|---:|", *lines])


def sweep(
    pipeline: Any,
    adapter: Any,
    reader: Reader,
    plan: Plan = Plan(),
    on_step: OnStep = lambda step: None,
) -> tuple[Sweep, Image.Image]:
    """Measure an adapter that nothing wears now; what was found, and the strip.

    Ends with the first strength that loses the prompt, for the range cannot reach beyond it, and with the
    first of all where the reader cannot tell prompts apart. Whatever `on_step` raises ends it at once.
    """
    began, looks = time.perf_counter(), medium.of(plan.pipeline)
    camera, shots = looks.camera(pipeline, plan.rows, on_step), ring_shots(plan)
    asked = np.array([shot.emotion.as_tuple() for shot in shots])
    said = [shot.prompt for shot in shots]
    made = [camera.take(shots)]
    bare = reader.read(made[0], said)
    others = looks.lost(reader, made[0], said)
    telling = control.paired_p(bare.keeps, others.keeps) < control.SIGNIFICANT_P
    rows: list[Row] = []
    told = f"strengths, {plan.pictures} {looks.words.many} each"
    for strength in tqdm(plan.strengths, desc=told, unit="strength"):
        with adapter.applied(pipeline.modules, strength) as set_emotion:
            made.append(camera.take(shots, set_emotion))
        rows.append(_row(strength, reader.read(made[-1], said), asked, (bare, others)))
        if rows[-1].kept < KEEPS_SHARE or not telling:
            break
    found = Sweep(
        rows=tuple(rows),
        strength_range=(0.0, usable_end(rows)) if telling and plan.pictures >= ENOUGH else None,
        keeps_bare=float(bare.keeps.mean()),
        keeps_other=float(others.keeps.mean()),
        chance_r=max(axis.chance_r for axis in control.of_points(asked, bare.points).axes.values()),
        pictures=plan.pictures,
        reader=reader.name,
        seconds=round(time.perf_counter() - began, 1),
        pipeline=plan.pipeline,
    )
    return found, _strip(looks, made, shots, (0.0, *(row.strength for row in rows)))


def ring_shots(plan: Plan) -> list[Shot]:
    """Prompts in turn with the ring's feelings; each round of the ring begins one prompt later."""
    turns = [plan.prompts[(i + i // RING) % len(plan.prompts)] for i in range(plan.pictures)]
    return [Shot(text, _SEED + i, ring_point(i % RING, plan.axis)) for i, text in enumerate(turns)]


def ring_point(index: int, axis: str = "") -> VAD:
    """Feeling `index` of RING: length 1, on a circle of valence and arousal; dominance high and low in turn,

    so that over a whole round the three axes are independent. With an `axis` its upper and lower end in turn.
    """
    if axis:
        return VAD(**{axis: float((-1) ** index)})
    angle = 2 * math.pi * (index + 0.5) / RING
    return VAD(0.8 * math.cos(angle), 0.8 * math.sin(angle), 0.6 * (-1) ** index)


def usable_end(rows: Sequence[Row]) -> float:
    """The strength at which `kept`, drawn as straight lines from 1 at strength 0, first falls below the rule.

    Rounded down to a slider's step, at least one step.
    """
    before = (0.0, 1.0)
    for row in rows:
        if row.kept < KEEPS_SHARE:
            share = (before[1] - KEEPS_SHARE) / (before[1] - row.kept)
            crossing = before[0] + share * (row.strength - before[0])
            return max(_GRAIN, round(math.floor(crossing / _GRAIN + 1e-9) * _GRAIN, 2))
        before = (row.strength, row.kept)
    return before[0]


def _row(strength: float, reading: Reading, asked: NDArray[np.float64], ends: tuple[Reading, Reading]) -> Row:
    bare, others = ends
    r = [control.pearson(asked[:, axis], reading.points[:, axis]) for axis in range(3)]
    moved = float(((reading.points - bare.points) * asked).sum() / np.square(asked).sum())
    keeps, top, bottom = (float(one.keeps.mean()) for one in (reading, bare, others))
    kept = (keeps - bottom) / (top - bottom) if top > bottom else 0.0
    return Row(strength, *r, gain=moved, keeps=keeps, kept=kept)


def _strip(
    looks: Medium, made: Sequence[Any], shots: Sequence[Shot], strengths: Sequence[float]
) -> Image.Image:
    shown = [index for index in _STRIP_ROWS if index < len(shots)]
    chosen = [taken[index] for index in shown for taken in made]
    down = ["\n".join(_signed(name, value) for name, value in _named(shots[index])) for index in shown]
    title = "one prompt and feeling a row, the same seed along it"
    return looks.sheet(chosen, [f"{one:g}" for one in strengths], down, title, ("strength", "feeling"))


def _named(shot: Shot) -> zip[tuple[str, float]]:
    return zip("vad", shot.emotion.as_tuple(), strict=True)


def _signed(name: str, value: float) -> str:
    return f"{name} {value:+.1f}"
