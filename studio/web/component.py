"""The base of the app's own components."""

from __future__ import annotations

from abc import ABCMeta
from typing import Any

import gradio as gr
from gradio.component_meta import ComponentMeta, updateable


class _WithoutStubs(ComponentMeta):  # type: ignore[misc]  # gradio's types are not followed
    """Makes a component class without the .pyi file that gradio writes beside its source at every start.

    A program that runs must not write into its own code, which may not even be writable.
    """

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> Any:
        if "__init__" in attrs:
            attrs["__init__"] = updateable(attrs["__init__"])
        return ABCMeta.__new__(cls, name, bases, attrs)


class HTMLComponent(gr.HTML, metaclass=_WithoutStubs):  # type: ignore[misc]
    """An HTML component of our own: template, style and script, no default style."""

    def __getattr__(self, name: str) -> Any:
        """A property is no event, though its name stands in quotes in the script: what gradio would hand out

        here drags a copy of the whole page into every answer."""
        if name in (self.__dict__.get("props") or ()):
            raise AttributeError(name)
        return super().__getattr__(name)
