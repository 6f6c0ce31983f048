"""How well labels can be told apart: `python -m studio.emotion.report`.

The separation of a label is the distance to its closest neighbour in the taxonomy, in units of the mean of
both standard deviations, as published. A label is distinguishable from DISTINGUISHABLE on: below, raters'
own spread covers the difference and no figure in VAD can separate the words.
"""

from __future__ import annotations

import math

from studio.emotion.lexicon import lexicon
from studio.emotion.tables import Label

DISTINGUISHABLE = 0.5


def separation(label: Label) -> float:
    """Distance to the closest other label of its taxonomy, in mean standard deviations; inf if alone."""
    others = [each for each in lexicon().labels(label.taxonomy) if each.word != label.word and each.point]
    return min((_distance(label, other) for other in others), default=math.inf)


def recovered(label: Label) -> bool:
    """Whether the label has the largest weight at its own point."""
    return lexicon().nearest(label.vad, label.taxonomy).word == label.word


def lines() -> list[str]:
    """One line a taxonomy: labels with a point, distinguishable ones, recovered ones, the exceptions."""
    table, total, good = [], 0, 0
    for name in lexicon().taxonomies:
        labels = [label for label in lexicon().labels(name) if label.point]
        clear = [label for label in labels if separation(label) >= DISTINGUISHABLE]
        lost = [label for label in clear if not recovered(label)]
        total, good = total + len(clear), good + len(clear) - len(lost)
        notes = ", ".join(f"{each.word} reads {lexicon().nearest(each.vad, name).word}" for each in lost)
        table.append(f"{name:12}{len(labels):4}{len(clear):6}{len(clear) - len(lost):6}  {notes}".rstrip())
    share = good / total
    return ["taxonomy  points clear  own  exceptions", *table, f"all: {good} of {total} = {share:.1%}"]


def _distance(one: Label, other: Label) -> float:
    means = zip(one.vad.as_tuple(), other.vad.as_tuple(), one.sd, other.sd, strict=True)
    return math.hypot(*((a - b) / ((a_sd + b_sd) / 2.0) for a, b, a_sd, b_sd in means))


if __name__ == "__main__":
    print("\n".join(lines()))
