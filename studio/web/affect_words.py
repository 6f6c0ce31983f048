"""Which words of a taxonomy are drawn on the pad, and on which side of its dot each word stands.

Coordinates are those of VAD: x valence, y arousal, both in [-1, 1]. Knows the look of text only as a width
per letter; knows nothing of gradio.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from studio.emotion import VAD, Label, lexicon
from studio.emotion.tables import MATCHES

MAX_WORDS = 14
LETTER, HEIGHT, GAP, EDGE = 0.046, 0.086, 0.035, 1.04  # of a letter, a line, dot to text, end of the pad
DOT, CROWDED = 0.018, 0.09  # half of a dot; dots nearer than this are one too many


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the pad."""

    left: float
    right: float
    bottom: float
    top: float

    def meets(self, other: Box) -> bool:
        beside = self.right < other.left or other.right < self.left
        return not (beside or self.top < other.bottom or other.top < self.bottom)

    @property
    def inside(self) -> bool:
        return self.left >= -EDGE and self.right <= EDGE and self.bottom >= -EDGE and self.top <= EDGE


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word with its point and the place of its text; `anchor` is SVG's text-anchor."""

    label: str
    vad: VAD
    text_x: float
    text_y: float
    anchor: str

    def to_dict(self) -> dict[str, Any]:
        valence, arousal, dominance = self.vad.as_tuple()
        return {
            "label": self.label,
            "valence": valence,
            "arousal": arousal,
            "dominance": dominance,
            "text_x": round(self.text_x, 4),
            "text_y": round(self.text_y, 4),
            "anchor": self.anchor,
        }


def placed_words(taxonomy: str, limit: int = MAX_WORDS) -> list[PlacedWord]:
    """Up to `limit` words of a taxonomy that can be drawn without touching each other.

    A word without a point, or with no free place for its text, is left out: the label picker has them all.
    Raises EmotionError for an unknown taxonomy.
    """
    found_labels = [label for label in lexicon().labels(taxonomy) if label.point is not None]
    kept = found_labels if len(found_labels) <= limit else _spread(found_labels, limit)
    points = [(label.word, label.vad) for label in kept]
    dots = [_dot(vad) for _, vad in points]
    placed: list[PlacedWord] = []
    texts: list[Box] = []
    for index, (word, vad) in enumerate(points):
        found = _free_place(word, vad, [*texts, *dots[:index], *dots[index + 1 :]])
        if found is not None:
            placed.append(found[0])
            texts.append(found[1])
    return placed


def _spread(found: Sequence[Label], count: int) -> list[Label]:
    """`count` labels that do not crowd each other, those with the best founded points first."""
    kept: list[Label] = []
    for label in sorted(found, key=lambda label: MATCHES.index(label.match)):
        if all(math.dist(label.vad.as_tuple()[:2], other.vad.as_tuple()[:2]) >= CROWDED for other in kept):
            kept.append(label)
    return kept[:count]


def _free_place(word: str, vad: VAD, taken: Sequence[Box]) -> tuple[PlacedWord, Box] | None:
    for text_x, text_y, anchor in _sides(vad):
        box = text_box(word, text_x, text_y, anchor)
        if box.inside and not any(box.meets(other) for other in taken):
            return PlacedWord(word, vad, text_x, text_y, anchor), box
    return None


def _dot(vad: VAD) -> Box:
    x, y = vad.valence, vad.arousal
    return Box(x - DOT, x + DOT, y - DOT, y + DOT)


def _sides(vad: VAD) -> Iterable[tuple[float, float, str]]:
    """Places for the text, the outward side first."""
    x, y = vad.valence, vad.arousal
    right, left = (x + GAP, y, "start"), (x - GAP, y, "end")
    above, below = (x, y + GAP + HEIGHT / 2, "middle"), (x, y - GAP - HEIGHT / 2, "middle")
    return (*((right, left) if x >= 0 else (left, right)), *((above, below) if y >= 0 else (below, above)))


def text_box(word: str, x: float, y: float, anchor: str) -> Box:
    """The room that a word takes, anchored as SVG text."""
    width = LETTER * len(word)
    left = {"start": x, "end": x - width, "middle": x - width / 2}[anchor]
    return Box(left, left + width, y - HEIGHT / 2, y + HEIGHT / 2)
