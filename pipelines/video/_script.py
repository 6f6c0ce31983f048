"""What is said and felt in every frame of a batch of clips.

Knows requests, curves and what a text encoder made of prompts; knows no network. Where a request has a
prompt for every key of its curve (`told`), what the encoder says of two neighbouring keys is mixed frame by
frame, as the feeling itself is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.video import _timing as timing
from studio import wording
from studio.emotion import NEUTRAL, VAD
from studio.lazy import lazy
from studio.ports import SetEmotion
from studio.request import RenderRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = lazy("torch")


class Script:
    """`said` (rows, L, C): what the text encoder makes of prompts, with guidance the negative ones first.

    `keyed`: of each request, instead, one row (K, L, C) for every key of its curve, or None.
    """

    def __init__(
        self,
        batch: Sequence[RenderRequest],
        count: int,
        fps: float,
        said: Tensor,
        keyed: Sequence[Tensor | None],
    ) -> None:
        self.said, self._keyed = said, keyed
        self._moods = [timing.moods_of(request.curve, count, fps) for request in batch]
        places = [(index + 0.5) / count for index in range(count)]
        self._shares = [
            [wording.share(request.curve, place, count / fps) for place in places] for request in batch
        ]
        self._set: list[list[VAD]] = []

    def feel(self, frames: Sequence[int], set_emotion: SetEmotion) -> None:
        """Say what these frames feel, unless it was said last; the unguided half feels nothing."""
        felt = [[moods[frame] for frame in frames] for moods in self._moods]
        rows = [[NEUTRAL] * len(frames) for _ in range(len(self.said) - len(felt))] + felt
        if rows != self._set:
            set_emotion(rows)
            self._set = rows

    def text(self, frames: Sequence[int]) -> Tensor:
        """(rows * frames, L, C)."""
        first = len(self.said) - len(self._keyed)  # of the guided rows
        rows = [self._row(row, row - first, frames) for row in range(len(self.said))]
        return torch.cat(rows)

    def _row(self, row: int, request: int, frames: Sequence[int]) -> Tensor:
        keyed = self._keyed[request] if request >= 0 else None
        if keyed is None:
            return self.said[row].expand(len(frames), -1, -1)
        between = [self._shares[request][frame] for frame in frames]
        before, after, share = (list(column) for column in zip(*between, strict=True))
        weight = torch.tensor(share).to(keyed).view(-1, 1, 1)
        return torch.lerp(keyed[before], keyed[after], weight)
