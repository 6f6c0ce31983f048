"""Modules that are imported when they are first used.

Pipeline files name torch and diffusers at the top, as any code does, yet listing pipelines, reading a prompts
file or opening the web page must not pay seconds for them. `lazy("torch")` stands for the module until an
attribute is asked for.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


class _Lazy(ModuleType):
    def __getattr__(self, name: str) -> Any:
        module = self.__dict__.get("_module")
        if module is None:  # an import waits for one that is under way; what it returns is whole
            module = self.__dict__["_module"] = importlib.import_module(self.__name__)
        return getattr(module, name)


def lazy(name: str) -> Any:
    """A stand-in for module `name`; the import happens at the first attribute access."""
    return _Lazy(name)
