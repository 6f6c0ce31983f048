"""A piece in the making: which tokens are written, which may still be chosen, which bar repeats which.

One row, on the CPU. Knows the grid; it knows no network and no feeling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipelines.music import _fields as fields
from pipelines.music import _grid as grid
from pipelines.music._fields import FIELDS

# Songs begin and end sparsely. A piece that is long enough does so too; a short one is all middle.
OPENS_BARS, CLOSES_BARS = 32, 24
UNWRITTEN = fields.classes()


@dataclass(slots=True)
class Draft:
    """`tokens` (bars, WIDTH), UNWRITTEN where nothing is written; `lag`, `likeness` (bars,): _grid.repeats.

    `allowed`: field name -> (bars, tokens of the field, classes), which classes may be chosen; all where a
    field is not named. `tension` (bars,) -1..1, from calm to tense: how welcome
    tones and chords outside the key are; None: as at 0.
    """

    tokens: NDArray[np.int64]
    lag: NDArray[np.int64]
    likeness: NDArray[np.int64]
    meter: str = "4/4"
    allowed: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    tension: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def unwritten(self) -> NDArray[np.bool_]:
        return np.asarray(self.tokens == UNWRITTEN)

    @property
    def facts(self) -> NDArray[np.int64]:
        """(bars, 4) as the network takes them: meter, likeness, place from the start and from the end."""
        count = len(self)
        return grid.facts(self.meter, self.likeness, count >= OPENS_BARS, count >= CLOSES_BARS)

    @property
    def sources(self) -> NDArray[np.int64]:
        """(bars,) the bar that each repeats, itself where none."""
        return np.arange(len(self)) - self.lag


def blank(bars: int, form: tuple[NDArray[np.int64], NDArray[np.int64]], meter: str = "4/4") -> Draft:
    """Nothing written but the silence beyond the end of shorter bars. `form`: lag and likeness (bars,)."""
    tokens = np.tile(UNWRITTEN, (bars, 1))
    cells = fields.METERS[meter]
    for name in ("melody", "voices"):
        beyond = np.arange(FIELDS[name].size) // FIELDS[name].voices >= cells
        tokens[:, FIELDS[name].tokens][:, beyond] = 0
    return Draft(tokens, *form, meter=meter)
