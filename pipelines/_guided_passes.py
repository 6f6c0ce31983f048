"""What networks are told before each of their forward passes: feelings, of which unguided passes get none.

diffusers' pipelines run their own loops over steps; hooks on the networks reach into them. Knows no family,
no scheduler and no medium.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from studio.emotion import NEUTRAL
from studio.ports import RowEmotion, SetEmotion

if TYPE_CHECKING:
    from torch import Tensor

Rows = Sequence[RowEmotion]


class Passes:
    """Sets the rows of each forward pass of a step in turn, and keeps what went into the last one.

    `turns`: the rows of every pass of a step, in the order in which the pipeline runs them.
    """

    def __init__(self, turns: Sequence[Rows], set_emotion: SetEmotion) -> None:
        self.turns = list(turns)
        self.entered: Tensor | None = None  # what the network was given to denoise
        self._set_emotion, self._count = set_emotion, 0
        self._said: Rows | None = None

    @contextmanager
    def over(self, networks: Iterable[Any]) -> Iterator[None]:
        """Inside the block every call of these modules is a pass; afterwards the hooks are gone."""
        with ExitStack() as stack:
            for network in networks:
                hook = network.register_forward_pre_hook(self._before, with_kwargs=True)
                stack.callback(hook.remove)
            yield

    def _before(self, _network: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        rows = self.turns[self._count % len(self.turns)]
        self._count += 1
        self.entered = named["hidden_states"] if "hidden_states" in named else inputs[0]
        if rows != self._said:
            self._said = rows
            self._set_emotion(rows)


def one_after_the_other(feeling: RowEmotion, guided: bool) -> list[Rows]:
    """The passes of pipelines that run the guided one first and then the unguided one, as Wan's do."""
    return [[feeling], [NEUTRAL]] if guided else [[feeling]]


def side_by_side(feeling: RowEmotion, guided: bool) -> list[Rows]:
    """The pass of pipelines that put the unguided rows before the guided ones, as LTX's do."""
    return [[NEUTRAL, feeling]] if guided else [[feeling]]
