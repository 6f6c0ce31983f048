"""What happens on the music page beside what happens on every page: a piece is changed, or goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.errors import InputError
from studio.web import music_views
from studio.web.bar_picker import BarPicker
from studio.web.controls import specs_of
from studio.web.emotion_entry import QUIET
from studio.web.form import Form
from studio.web.page_events import Events, main_view
from studio.web.service import JobView

MIDI, GO_ON = "midi", "go_on"  # the input that is changed; the parameter that lengthens it instead


@dataclass(frozen=True, slots=True)
class Change:
    """The card that changes a piece. `own`: a file of the person's, instead of what is looked at."""

    source: gr.HTML
    change: gr.Button
    go_on: gr.Button
    own: gr.File
    pickers: Sequence[BarPicker]
    problem: gr.HTML


class MusicEvents(Events):
    """The handlers of the music page."""

    def __init__(self, card: Change, *parts: Any) -> None:
        """`parts`: as of every page."""
        super().__init__(*parts)
        self.card = card

    def wire(self, page: gr.Blocks, render: gr.Button, dropped: gr.File) -> None:
        """Attach every handler."""
        super().wire(page, render, dropped)
        card = self.card
        self.on_submit(card.change, self.change, card.problem)
        self.on_submit(card.go_on, self.lengthen, card.problem)
        for event in (card.own.upload, card.own.clear):
            event(self.show_source, [self.result.focus, card.own], self.more_outputs, **QUIET)

    @property
    def more_outputs(self) -> list[Any]:
        """What `more` shows."""
        return [self.card.source, *self.card.pickers]

    @property
    def looks_at(self) -> list[Any]:
        return [*super().looks_at, self.card.own]

    @property
    def looked_at(self) -> list[Any]:
        return [*super().looked_at, *self.more_outputs]

    @property
    def submitted(self) -> list[Any]:
        return [*super().submitted, self.result.focus]

    def submit(self, *given: Any) -> list[Any]:
        """A new piece. Outputs: focus, problem."""
        return self.queue(lambda: without(self.form.read(given[:-1]), MIDI))

    def change(self, *given: Any) -> list[Any]:
        """Parts of a piece anew. Outputs: focus, problem."""
        return self.queue(lambda: self._of_piece(given))

    def lengthen(self, *given: Any) -> list[Any]:
        """A piece and more of it. Outputs: focus, problem."""

        def longer() -> Form:
            form = self._of_piece(given)
            if GO_ON not in [spec.name for spec in specs_of(form.pipeline)]:
                why = f"{form.pipeline} cannot make a piece longer"
                raise InputError("pipeline", form.pipeline, why, self.kind.pipeline)
            plain = without(form, MIDI)
            return dataclasses.replace(form, params={**plain.params, GO_ON: True})

        return self.queue(longer)

    def _of_piece(self, given: tuple[Any, ...]) -> Form:
        """The form, with the piece that it is about. Raises InputError where there is none."""
        form = self.form.read(given[:-1])
        if MIDI in form.inputs:
            return form
        one = main_view(self.service.views(given[-1]))
        if one is None or not one.is_done:
            raise InputError("piece", None, "there is none yet: compose one, or choose a MIDI file of yours")
        return dataclasses.replace(form, inputs={**form.inputs, MIDI: str(one.files[0])})

    def more(self, one: JobView | None, *rest: Any) -> list[Any]:
        """Which piece the card changes, and its bars. `rest`: a file of the person's."""
        own = rest[0] if rest else None
        tints = [] if own else music_views.bar_tints(one)
        return [music_views.source(one, own), *(gr.update(tints=tints) for _ in self.card.pickers)]

    def show_source(self, focus: list[int], own: str | None) -> list[Any]:
        """Outputs: those of `more`."""
        return self.more(main_view(self.service.views(focus)), own)


def without(form: Form, name: str) -> Form:
    """The form without an input and all that is said about it."""
    about = {spec.name for spec in specs_of(form.pipeline) if spec.of == name}
    params = {key: value for key, value in form.params.items() if key not in about}
    inputs = {key: path for key, path in form.inputs.items() if key != name}
    return dataclasses.replace(form, params=params, inputs=inputs)
