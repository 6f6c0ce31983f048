"""How strong an adapter may be worn: control and prompt keeping at rising strengths, and the usable range.

    python -m training.sweep ADAPTER [--out FOLDER]

The same prompts and seeds are rendered bare and then with feelings of length 1 on a ring around neutral, at
one strength after the other. A picture keeps its prompt by 1 if the reader finds the prompt in it as in the
bare picture, and by 0 if it finds it no more than in pictures of the *other* prompts; so readers with
different scales compare. **The rule: the range ends where the mean falls below KEEPS_SHARE, four fifths.**
A strong feeling must change a picture, and readers take some of these changes for a lost subject, so a demand
for everything would rule out what the adapter is for; with more than a fifth gone a person at the end of the
slider would meet pictures of something else again and again.

    sweep.json   everything measured        sweep.png   one prompt and feeling a row, one strength a column
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio import catalog
from studio.emotion import VAD
from studio.errors import InputError, StudioError
from studio.settings import Settings
from studio.storage import check_writable, write_atomically
from training import control, readers
from training.config import Recipe
from training.pictures import PROMPTS, ROWS, Camera, Shot, save_png, sheet
from training.readers import Reader, Reading
from training.validation import prompts_of, rows_of

RESULT, STRIP = "sweep.json", "sweep.png"
STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
KEEPS_SHARE = 0.8
PICTURES = 32  # at each strength
ENOUGH = 16  # fewer give figures, but no range: one lost prompt more or less would move its end far
RING = 8  # feelings
_GRAIN = 0.05  # ranges end on what a slider can show
_SEED = 30_011
_STRIP_ROWS = (0, 2, 5, 7)  # of the first round of the ring: every quarter, dominance high and low


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

    @property
    def verdict(self) -> str:
        """One sentence for people."""
        if self.strength_range is None and self.pictures < ENOUGH:
            return f"no range: {self.pictures} pictures at each strength are too few, {ENOUGH} would do"
        if self.strength_range is None:
            return f"no range: {self.reader} does not tell the bare pictures' prompts apart"
        end = self.strength_range[1]
        if all(row.kept >= KEEPS_SHARE for row in self.rows):
            return f"prompts are kept up to {end:g}, the highest strength tried"
        return f"prompts are kept up to {end:g}; beyond it less than {KEEPS_SHARE:.0%} of the prompt is left"

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"rule": KEEPS_SHARE, "verdict": self.verdict}

    def table(self) -> str:
        """The rows as a Markdown table."""
        head = "| strength | valence r | arousal r | dominance r | moved | prompt kept |"
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
    strengths: Sequence[float] = STRENGTHS,
    pictures: int = PICTURES,
    prompts: Sequence[str] = PROMPTS,
    rows: int = ROWS,
) -> tuple[Sweep, Image.Image]:
    """Measure an adapter that nothing wears now; what was found, and the strip.

    Renders `pictures` x (1 + strengths) pictures, `rows` at a time. Raises InputError for strengths that do
    not rise above 0, fewer than 4 pictures or fewer than 2 prompts.
    """
    _check(strengths, pictures, prompts)
    began = time.perf_counter()
    camera, shots = Camera(pipeline, rows), ring_shots(prompts, pictures)
    asked = np.array([shot.emotion.as_tuple() for shot in shots])
    made = [camera.take(shots)]
    for strength in strengths:
        with adapter.applied(pipeline.modules, strength) as set_emotion:
            made.append(camera.take(shots, set_emotion))
    said = [shot.prompt for shot in shots]
    bare, *worn = [reader.read(taken, said) for taken in made]
    others = reader.read(made[0], other_prompts(said))
    measured = [_row(*pair, asked, (bare, others)) for pair in zip(strengths, worn, strict=True)]
    telling = control.paired_p(bare.keeps, others.keeps) < control.SIGNIFICANT_P
    found = Sweep(
        rows=tuple(measured),
        strength_range=(0.0, usable_end(measured)) if telling and pictures >= ENOUGH else None,
        keeps_bare=float(bare.keeps.mean()),
        keeps_other=float(others.keeps.mean()),
        chance_r=max(axis.chance_r for axis in control.of_points(asked, bare.points).axes.values()),
        pictures=pictures,
        reader=reader.name,
        seconds=round(time.perf_counter() - began, 1),
    )
    return found, _strip(made, shots, (0.0, *strengths))


def of_run(recipe: Recipe, pipeline: Any, adapter: Any, reader: Reader | None) -> Sweep | None:
    """The sweep at the end of a run: into its folder, and the range into its adapter, which is saved there.

    None without a reader or with too few pictures to measure by. Raises StorageError.
    """
    if reader is None or recipe.validation_pictures < control.MIN_SAMPLES:
        return None
    folder, prompts = Path(recipe.output), prompts_of(recipe)
    count = min(recipe.validation_pictures, 2 * PICTURES)
    found, strip = sweep(pipeline, adapter, reader, STRENGTHS, count, prompts, rows_of(recipe))
    save(found, strip, folder)
    write_range(folder / "adapter", found)
    return found


def ring_shots(prompts: Sequence[str], count: int) -> list[Shot]:
    """Prompts in turn with the ring's feelings; each round of the ring begins one prompt later."""
    return [
        Shot(prompts[(i + i // RING) % len(prompts)], _SEED + i, ring_point(i % RING)) for i in range(count)
    ]


def other_prompts(said: Sequence[str]) -> list[str]:
    """For every picture the prompt of another one: the next different one, the last one's is the first."""
    different = list(dict.fromkeys(said))
    return [different[(different.index(prompt) + 1) % len(different)] for prompt in said]


def ring_point(index: int) -> VAD:
    """Feeling `index` of RING: length 1, on a circle of valence and arousal; dominance high and low in turn,

    so that over a whole round the three axes are independent."""
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


def save(found: Sweep, strip: Image.Image, folder: Path) -> None:
    """Write `sweep.json` and `sweep.png`. Raises StorageError."""
    data = json.dumps(found.to_dict(), indent=1).encode()
    write_atomically(folder / RESULT, lambda file: file.write(data))
    save_png(strip, folder / STRIP)


def write_range(adapter: Path, found: Sweep) -> None:
    """Put the usable range into an adapter's `adapter.json`, where there is one. Raises StudioError."""
    if found.strength_range is None:
        return
    card = catalog.adapter_card(str(adapter)) | {"strength_range": list(found.strength_range)}
    data = (json.dumps(card, indent=2) + "\n").encode()
    write_atomically(adapter / "adapter.json", lambda file: file.write(data))


def _row(strength: float, reading: Reading, asked: NDArray[np.float64], ends: tuple[Reading, Reading]) -> Row:
    bare, others = ends
    r = [control.pearson(asked[:, axis], reading.points[:, axis]) for axis in range(3)]
    moved = float(((reading.points - bare.points) * asked).sum() / np.square(asked).sum())
    keeps, top, bottom = (float(one.keeps.mean()) for one in (reading, bare, others))
    kept = (keeps - bottom) / (top - bottom) if top > bottom else 0.0
    return Row(strength, *r, gain=moved, keeps=keeps, kept=kept)


def _strip(
    made: Sequence[NDArray[np.uint8]], shots: Sequence[Shot], strengths: Sequence[float]
) -> Image.Image:
    shown = [index for index in _STRIP_ROWS if index < len(shots)]
    pictures = np.stack([taken[index] for index in shown for taken in made])
    down = ["\n".join(_signed(name, value) for name, value in _named(shots[index])) for index in shown]
    title = "one prompt and feeling a row, the same seed along it"
    return sheet(pictures, [f"{strength:g}" for strength in strengths], down, title, ("strength", "feeling"))


def _named(shot: Shot) -> zip[tuple[str, float]]:
    return zip("vad", shot.emotion.as_tuple(), strict=True)


def _signed(name: str, value: float) -> str:
    return f"{name} {value:+.1f}"


def _check(strengths: Sequence[float], pictures: int, prompts: Sequence[str]) -> None:
    if (
        not strengths
        or list(strengths) != sorted(set(strengths))
        or not 0 < strengths[0] <= strengths[-1] <= 2
    ):
        why = f"must rise and lie in (0, 2], got {', '.join(f'{one:g}' for one in strengths) or 'none'}"
        raise InputError("strengths", list(strengths), why, "0.5 1 1.5 2")
    if pictures < control.MIN_SAMPLES:
        why = f"needs at least {control.MIN_SAMPLES}, got {pictures}"
        raise InputError("pictures", pictures, why, str(PICTURES))
    if len(set(prompts)) < 2:
        raise InputError("prompts", list(prompts), "needs at least two different ones")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0 done, 2 something to put right."""
    parser = argparse.ArgumentParser("training.sweep", description="Find an adapter's usable strengths.")
    parser.add_argument("adapter", help="an adapter's name or folder")
    parser.add_argument("--out", type=Path, help="folder for sweep.json and sweep.png; outputs/sweeps/NAME")
    parser.add_argument("--pipeline", default=catalog.DEFAULT_PIPELINE, help="model family")
    parser.add_argument("--model", help="base model; by default the one the adapter was made for")
    parser.add_argument(
        "--reader", help="picture-reader, a CLIP folder or hub id; by default the model's own"
    )
    parser.add_argument("--pictures", type=int, default=PICTURES, help="rendered at each strength")
    parser.add_argument("--strengths", type=float, nargs="+", default=STRENGTHS, metavar="S")
    try:
        _command(parser.parse_args(arguments))
    except StudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _command(given: argparse.Namespace) -> None:
    folder = catalog.find_adapter(given.adapter)
    embedded = folder in catalog.adapters().values()  # what is shipped is not rewritten by trying it out
    out = given.out or _out_folder(folder)
    check_writable(out)
    found, strip = _measured(given, folder)
    save(found, strip, out)
    if not embedded:
        write_range(folder, found)
    print(f"{found.table()}\n\n{found.verdict}\n{out / RESULT}, {out / STRIP}")
    if embedded:
        print("an embedded adapter keeps the range it was shipped with")


def _out_folder(adapter: Path) -> Path:
    """Not the adapter's own: what lies there counts as part of it. A run calls each of its own `adapter`."""
    run = adapter.absolute()
    name = run.parent.name if run.name == "adapter" else run.name
    return Settings.from_environment().outputs / "sweeps" / name


def _measured(given: argparse.Namespace, folder: Path) -> tuple[Sweep, Image.Image]:
    _check(given.strengths, given.pictures, PROMPTS)
    card, settings = catalog.adapter_card(str(folder)), Settings.from_environment()
    model = given.model or str(card.get("base_model") or "")
    name = given.reader or readers.default_name(model)
    if name == readers.NONE:
        raise InputError("--reader", None, f"nothing here reads pictures of {model!r}; name a CLIP")
    kind = catalog.load("adapter kind", str(card.get("kind"))).Adapter
    family = catalog.load("pipeline", given.pipeline).Pipeline
    pipeline = family.load(catalog.find_model(model), settings.device, settings.dtype)
    reader = readers.named(name, next(iter(pipeline.modules.values())).device)
    assert reader  # NONE is refused above
    return sweep(pipeline, kind.load(folder), reader, given.strengths, given.pictures)


if __name__ == "__main__":
    sys.exit(main())
