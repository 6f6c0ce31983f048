"""Words to points and back. A label is a normal distribution in VAD, so a point has a mixture of labels."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from studio.emotion.tables import MATCHES, Label, Taxonomy, normalised, read_aliases, read_taxonomies
from studio.emotion.vad import AXES, VAD, Emotion
from studio.errors import EmotionError, nearest

DEFAULT_TAXONOMY = "goemotions"  # what a point is described in: 28 everyday words, neutral among them
POOLED_SD = (0.28, 0.32, 0.32)  # mean SD of the 151 terms per axis
SHRINKAGE = 0.75  # how far a measured SD moves towards the pooled one, see _kernel_sd
MIN_SHARE = 0.05  # smaller shares are left out of an Emotion's weights

_POLES = {
    "valence": ("unpleasant", "pleasant"),
    "arousal": ("quiet", "energetic"),
    "dominance": ("powerless", "in control"),
}
_DEGREES = ((0.6, "very "), (0.3, ""), (0.1, "slightly "))


class Kernel(NamedTuple):
    """A label's normal distribution in VAD: independent axes, `sd` as `weights` uses it."""

    word: str
    mean: tuple[float, float, float]
    sd: tuple[float, float, float]


@cache
def lexicon() -> Lexicon:
    """The one lexicon; the tables are read at the first call (milliseconds)."""
    return Lexicon(read_taxonomies())


class Lexicon:
    """All taxonomies. Words are read without regard to case, hyphens and underscores."""

    def __init__(self, taxonomies: Mapping[str, Taxonomy]) -> None:
        self.taxonomies = taxonomies
        self._other_names = {
            alias: taxonomy.name
            for taxonomy in taxonomies.values()
            for alias in taxonomy.details.get("aliases", ())
        }
        self._within = {name: _index(taxonomy) for name, taxonomy in taxonomies.items()}
        self._bare = _bare_index(taxonomies)
        self._kernels: dict[str, tuple[Kernel, ...]] = {}

    def taxonomy(self, name: str, column: int = 1) -> Taxonomy:
        """By short name (`mikels`) or its other name (`emoset`). EmotionError for another."""
        key = name.strip().casefold()
        key = self._other_names.get(key, key)
        if key not in self.taxonomies:
            why = f"unknown taxonomy {name!r} at column {column}"
            raise EmotionError("taxonomy", name, why, nearest(key, self._taxonomy_names()))
        return self.taxonomies[key]

    def labels(self, taxonomy: str) -> tuple[Label, ...]:
        """In the order of the taxonomy's source."""
        return self.taxonomy(taxonomy).labels

    def words(self) -> tuple[str, ...]:
        """Every word that `lookup` takes without a taxonomy, sorted."""
        return tuple(sorted(self._bare))

    def lookup(self, word: str, column: int = 1) -> Label:
        """`joy` or `mikels/awe`; at a level: `mead/happy level_2`. `column` is for the message.

        A bare word takes the best match over all taxonomies and the 151 terms; equal ones, the first listed.
        Raises EmotionError for an unknown word, with its column and the nearest right one.
        """
        head, slash, rest = word.partition("/")
        key = head.strip().casefold()
        if self.is_qualified(word):
            return self._lookup_within(self.taxonomy(key), rest, column + len(head) + 1)
        found = self._bare.get(normalised(word))
        if found is not None:
            return found
        if slash and (near := nearest(key, self._taxonomy_names())):
            why = f"unknown taxonomy {head.strip()!r} at column {column}"
            raise EmotionError("taxonomy", head.strip(), why, near)
        raise _unknown(word, column, self._bare)

    def is_qualified(self, word: str) -> bool:
        """Whether a taxonomy stands before the first slash: `mikels/awe`, not `doubt/confusion`."""
        head, slash, _ = word.partition("/")
        key = head.strip().casefold()
        return bool(slash) and (key in self.taxonomies or key in self._other_names)

    def weights(self, vad: VAD, taxonomy: str = DEFAULT_TAXONOMY) -> dict[str, float]:
        """Label -> share of a point, summing to 1: how likely each label's distribution made the point.

        Normal kernels with independent axes and equal priors; labels without a point are left out.
        """
        logs = {kernel.word: _log_density(vad, kernel) for kernel in self.kernels(taxonomy)}
        top = max(logs.values())
        shares = {word: math.exp(log - top) for word, log in logs.items()}
        total = math.fsum(shares.values())
        return {word: share / total for word, share in shares.items()}

    def kernels(self, taxonomy: str) -> tuple[Kernel, ...]:
        """The distributions behind `weights`, in the taxonomy's order; a label without a point has none."""
        name = self.taxonomy(taxonomy).name
        if name not in self._kernels:
            self._kernels[name] = tuple(_kernels(self.taxonomies[name]))
        return self._kernels[name]

    def nearest(self, vad: VAD, taxonomy: str = DEFAULT_TAXONOMY) -> Label:
        """The label with the largest weight; of equal ones the first."""
        weights = self.weights(vad, taxonomy)
        return self._within[self.taxonomy(taxonomy).name][normalised(max(weights, key=weights.__getitem__))]

    def emotion(self, vad: VAD, taxonomy: str = DEFAULT_TAXONOMY) -> Emotion:
        """The point with the labels that it suggests; shares under MIN_SHARE are left out."""
        kept = {word: share for word, share in self.weights(vad, taxonomy).items() if share >= MIN_SHARE}
        total = math.fsum(kept.values())
        pairs = sorted(kept.items(), key=lambda pair: -pair[1])
        return Emotion(vad, tuple((word, share / total) for word, share in pairs))

    def describe(self, vad: VAD) -> str:
        """A few words: `joy: very pleasant, energetic, in control`."""
        parts = [phrase for axis in AXES if (phrase := _phrase(axis, getattr(vad, axis)))]
        return ": ".join([self.nearest(vad).word, ", ".join(parts)]) if parts else "neutral"

    def _lookup_within(self, taxonomy: Taxonomy, word: str, column: int) -> Label:
        key, index = normalised(word), self._within[taxonomy.name]
        if key in index:
            return index[key]
        for level, factor in taxonomy.levels.items():
            plain = key.removesuffix(f" {normalised(level)}")
            if plain != key and plain in index:
                label = index[plain]
                return dataclasses.replace(
                    label, word=f"{label.word} {level}", point=label.vad.scaled(factor)
                )
        at_levels = [f"{each} {level}" for level in taxonomy.levels for each in index]
        raise _unknown(word, column, [*index, *at_levels], f" in {taxonomy.name}")

    def _taxonomy_names(self) -> list[str]:
        return [*self.taxonomies, *self._other_names]


def _unknown(word: str, column: int, choices: Iterable[str], where: str = "") -> EmotionError:
    column += len(word) - len(word.lstrip())
    plain = word.strip()
    why = f"unknown emotion {plain!r}{where} at column {column}"
    return EmotionError("emotion", plain, why, nearest(normalised(plain), choices))


def _index(taxonomy: Taxonomy) -> dict[str, Label]:
    index = {normalised(alias): label for label in taxonomy.labels for alias in label.aliases}
    return index | {normalised(label.word): label for label in taxonomy.labels}


def _bare_index(taxonomies: Mapping[str, Taxonomy]) -> dict[str, Label]:
    """Word -> best label. A label's own word beats an alias; then MATCHES decides, then the order listed."""
    best: dict[str, tuple[tuple[bool, int], Label]] = {}
    for taxonomy in taxonomies.values():
        if not taxonomy.details.get("bare", True):
            continue
        for label in taxonomy.labels:
            rank = MATCHES.index(label.match)
            entries = [(label.word, False), *((alias, True) for alias in label.aliases if _wordlike(alias))]
            for word, is_alias in entries:
                key = normalised(word)
                if key not in best or (is_alias, rank) < best[key][0]:
                    best[key] = ((is_alias, rank), label)
    index = {key: label for key, (_, label) in best.items()}
    return index | {alias.word: index[alias.target] for alias in read_aliases()}


def _wordlike(alias: str) -> bool:
    """Codes such as `W`, `03`, `ang`, `V+A-` need their taxonomy; Korean words are short words."""
    long_enough = len(alias) > 3 or not alias.isascii()
    return long_enough and re.fullmatch(r"[^\W\d_][\w -]*[^\W_]", alias) is not None


def _kernels(taxonomy: Taxonomy) -> Iterator[Kernel]:
    for label in taxonomy.labels:
        if label.point is not None:
            yield Kernel(label.word, label.point.as_tuple(), _kernel_sd(label))


def _kernel_sd(label: Label) -> tuple[float, float, float]:
    """A measured SD comes from about 28 raters and is squeezed at the ends of the scale, and a narrow label
    would swallow the very points of its broader neighbours. So it is shrunk towards the pooled SD, as in
    regularised discriminant analysis (Friedman 1989). The SD of a convention (neutral) is used as it is.
    """
    if not label.terms:
        return label.sd
    v, a, d = ((1 - SHRINKAGE) * sd + SHRINKAGE * pool for sd, pool in zip(label.sd, POOLED_SD, strict=True))
    return v, a, d


def _log_density(vad: VAD, kernel: Kernel) -> float:
    axes = zip(vad.as_tuple(), kernel.mean, kernel.sd, strict=True)
    return -math.fsum(((value - mean) / sd) ** 2 / 2.0 + math.log(sd) for value, mean, sd in axes)


def _phrase(axis: str, value: float) -> str:
    for least, degree in _DEGREES:
        if abs(value) >= least:
            return degree + _POLES[axis][value > 0]
    return ""
