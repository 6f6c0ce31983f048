"""Reads the tables in `assets/emotions/`: labels, terms, taxonomies. Knows files, not geometry."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.emotion.vad import VAD
from studio.errors import EmotionError, NotFoundError, StorageError

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "emotions"
TERMS = "terms"  # the taxonomy that the R&M terms form
TERMS_SOURCE = "R&M 1977 Table 4"
FACTS = ("colour", "occ", "personality")

# Best first: what a word without a taxonomy prefers. A convention is a choice of ours, not a measurement.
MATCHES = ("exact", "inflection", "synonym", "composite", "weak", "convention", "none")


@dataclass(frozen=True, slots=True)
class Label:
    """A word of a taxonomy as a distribution in VAD.

    `point`: mean, None where the label has no sensible one; `sd`: standard deviation per axis over R&M's
    raters, on the scale of VAD; `terms`: the R&M terms whose mean it is; `match`: one of MATCHES;
    `warning`: what a user should know; `reason`: why these terms; `aliases`: other spellings in its taxonomy.
    """

    word: str
    taxonomy: str
    point: VAD | None
    sd: tuple[float, float, float]
    terms: tuple[str, ...] = ()
    match: str = "exact"
    warning: str = ""
    reason: str = ""
    source: str = TERMS_SOURCE
    tier: str = ""
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.match not in MATCHES or (self.point is None) != (self.match == "none"):
            raise EmotionError("match", self.match, f"label {self.name!r} cannot have match {self.match!r}")

    @property
    def name(self) -> str:
        """`mikels/awe`: the unambiguous spelling."""
        return f"{self.taxonomy}/{self.word}"

    @property
    def vad(self) -> VAD:
        """The mean. EmotionError where the label has none, with the reason."""
        if self.point is None:
            raise EmotionError("emotion", self.word, f"{self.name!r} has {self.warning}")
        return self.point


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """A set of labels in the order of its source (class order where it has one).

    `levels`: level name -> factor on the distance from neutral, for sets recorded at several strengths.
    `details`: what the file says besides: opposites, dyads, trees, maps, sources.
    """

    name: str
    labels: tuple[Label, ...]
    levels: Mapping[str, float] = field(hash=False)
    details: Mapping[str, Any] = field(hash=False)

    @property
    def title(self) -> str:
        return str(self.details["title"])


@dataclass(frozen=True, slots=True)
class Alias:
    """An everyday word that means a label's word.

    It wins over the aliases that labels have, and over a label or term of that spelling: `kind` is then
    "override"; else it is "inflection" or "synonym".
    """

    word: str
    target: str
    kind: str


def normalised(word: str) -> str:
    """Case, hyphens, underscores and spaces around a slash make no difference: `Doubt / Confusion`."""
    plain = re.sub(r"(?<=[^\W_])[\s_-]+(?=[^\W_])", " ", word.casefold().strip())  # `+-+` stays
    return re.sub(r"\s*/\s*", "/", plain)


def read_taxonomies() -> dict[str, Taxonomy]:
    """Every taxonomy, in the order of `taxonomies.json`; a set that is part of another borrows its labels."""
    rows: dict[str, list[Label]] = {TERMS: [_term(row) for row in _rows("terms.csv")]}
    for row in _rows("labels.csv"):
        rows.setdefault(row["taxonomy"], []).append(_label(row))
    found = {}
    for name, details in read_json("taxonomies").items():
        if "of" in details:
            whole = {label.word: label for label in rows[details["of"]]}
            rows[name] = [dataclasses.replace(whole[word], taxonomy=name) for word in details["labels"]]
        found[name] = Taxonomy(name, tuple(rows[name]), details.get("levels", {}), details)
    return found


def read_aliases() -> list[Alias]:
    return [Alias(row["alias"], row["word"], row["kind"]) for row in _rows("aliases.csv")]


def facts(name: str) -> Any:
    """The published figures in `colour.json`, `occ.json`, `personality.json`; NotFoundError for others."""
    if name not in FACTS:
        raise NotFoundError("table of facts", name, FACTS)
    return read_json(name)


def read_json(name: str) -> Any:
    return json.loads(_text(f"{name}.json"))


def _text(name: str) -> str:
    try:
        return (FOLDER / name).read_text(encoding="utf-8")
    except OSError as problem:
        raise StorageError(f"cannot read the emotion table {FOLDER / name}: {problem.strerror}") from problem


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(_text(name).splitlines()))


def _term(row: dict[str, str]) -> Label:
    return Label(row["term"], TERMS, _point(row), _sd(row), (row["term"],), warning=row["warning"])


def _label(row: dict[str, str]) -> Label:
    return Label(
        word=row["label"],
        taxonomy=row["taxonomy"],
        point=_point(row) if row["v"] else None,
        sd=_sd(row) if row["v"] else (0.0, 0.0, 0.0),
        terms=_several(row["terms"]),
        match=row["match"],
        warning=row["warning"],
        reason=row["reason"],
        source=row["source"],
        tier=row["tier"],
        aliases=_several(row["aliases"]),
    )


def _several(cell: str) -> tuple[str, ...]:
    return tuple(cell.split("|")) if cell else ()


def _point(row: dict[str, str]) -> VAD:
    return VAD(float(row["v"]), float(row["a"]), float(row["d"]))


def _sd(row: dict[str, str]) -> tuple[float, float, float]:
    return (float(row["v_sd"]), float(row["a_sd"]), float(row["d_sd"]))
