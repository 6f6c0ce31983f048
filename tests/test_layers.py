"""The import rule: `app -> studio.web -> studio`, `training -> pipelines, adapters -> studio`, nothing else.

Walks the syntax trees, so that an import inside a function or under TYPE_CHECKING of a forbidden neighbour
counts too. The last test breaks every rule on purpose and expects to be caught.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("app", "studio", "pipelines", "adapters", "training")
MODEL_LIBRARIES = {"torch", "torchvision", "diffusers", "transformers", "peft", "accelerate", "safetensors"}
DYNAMIC = {"studio.catalog", "studio.lazy"}  # the only modules that may import by name
PLAIN_IMPORTLIB = {"importlib.metadata", "importlib.resources"}
FORBIDDEN = {
    "studio": {"app", "training"},
    "studio.web": {"app", "training"},
    "pipelines": {"app", "studio.web", "studio.cli", "studio.render", "adapters", "training"},
    "adapters": {"app", "studio.web", "studio.cli", "studio.render", "pipelines", "training"},
    "training": {"app", "studio.web"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> dict[str, str]:
    files = [ROOT / "app.py", *(path for top in OURS[1:] for path in (ROOT / top).rglob("*.py"))]
    return {module_name(path): path.read_text("utf-8") for path in files if path.is_file()}


def imports(module: str, source: str) -> Iterator[str]:
    """Full names of everything that `module` imports: statements, `__import__`, `import_module`, `lazy`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")[: -node.level]
                base = ".".join([*above, *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and called(node) in {"lazy", "import_module", "__import__"}:
            yield from (
                arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            )


def called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def breaches(module: str, source: str) -> list[str]:
    """What `module` imports and must not, each as a line of text."""
    found = set(imports(module, source))
    rules = (dynamic, model_libraries, gradio, directions, siblings)
    return sorted({f"{module} imports {name}: {why}" for rule in rules for name, why in rule(module, found)})


def dynamic(module: str, found: set[str]) -> Iterator[tuple[str, str]]:
    for name in found:
        plain = any(within(name, allowed) for allowed in PLAIN_IMPORTLIB)
        only_base = name == "importlib" and any(other in found for other in PLAIN_IMPORTLIB)
        if within(name, "importlib") and module not in DYNAMIC and not plain and not only_base:
            yield name, "only studio.catalog and studio.lazy import by name"


def model_libraries(module: str, found: set[str]) -> Iterator[tuple[str, str]]:
    if within(module, "studio"):
        for name in found:
            if name.split(".")[0] in MODEL_LIBRARIES:
                yield name, "the studio knows no model library"
            if name.split(".")[0] in {"pipelines", "adapters"}:
                yield name, "the studio reaches these through catalog.load only"


def gradio(module: str, found: set[str]) -> Iterator[tuple[str, str]]:
    if not within(module, "studio.web"):
        for name in found:
            if name.split(".")[0].startswith("gradio"):
                yield name, "only studio.web knows gradio"


def directions(module: str, found: set[str]) -> Iterator[tuple[str, str]]:
    top = "studio.web" if within(module, "studio.web") else module.split(".")[0]
    for package in FORBIDDEN.get(top, ()):
        yield from ((name, f"{top} must not depend on {package}") for name in found if within(name, package))
    if top == "studio" and module not in {"studio.cli.commands"}:
        yield from (
            (name, "only the command line opens the web page") for name in found if within(name, "studio.web")
        )


def siblings(module: str, found: set[str]) -> Iterator[tuple[str, str]]:
    """Families and kinds stand alone; what two of them share lives in a file that begins with `_`."""
    parts = module.split(".")
    if parts[0] not in {"pipelines", "adapters"} or len(parts) < 2:
        return
    modules = sources()
    for name in found & modules.keys():
        other = name.split(".")
        shared = other[-1].startswith("_") or name in SHARED
        if other[0] == parts[0] and name != module and name not in PACKAGES and not shared:
            yield name, "families do not import each other; share through a file that begins with _"


PACKAGES = {
    module_name(path) for path in ROOT.rglob("__init__.py") if path.relative_to(ROOT).parts[0] in OURS
}
SHARED = {"adapters.gates", "adapters.lora_files"}  # made to be used by every kind of adapter


def test_the_walk_sees_the_house() -> None:
    found = sources()
    assert {"studio.render", "studio.emotion.vad", "pipelines.image.sd", "studio.web"} <= found.keys()
    assert len(found) > 30


@pytest.mark.parametrize("module", sorted(sources()))
def test_no_import_breaks_the_rule(module: str) -> None:
    assert breaches(module, sources()[module]) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("studio.request", "import torch"),
        ("studio.request", "def f():\n    from diffusers import UNet2DModel"),
        ("studio.request", "torch = lazy('torch')"),
        ("studio.request", "from importlib import import_module"),
        ("studio.request", "import importlib"),
        ("studio.render", "__import__('torch')"),
        ("studio.render", "from pipelines.image import sd"),
        ("studio.render", "from studio.web import launch"),
        ("studio.render", "from . import web"),
        ("studio.render", "import gradio as gr"),
        ("studio.web.page", "import torch.nn"),
        ("studio.web.page", "from training import loop"),
        ("studio.web.page", "from ...training import loop"),
        ("pipelines.image.sd", "import gradio"),
        ("pipelines.image.sd", "from adapters import emotion_lora"),
        ("pipelines.image.sd", "from studio.render import Studio"),
        ("pipelines.image.other", "from pipelines.image import sd"),
        ("pipelines.video.other", "from pipelines.image.sd import Pipeline"),
        ("pipelines.image.other", "from .sd import Pipeline"),
        ("adapters.emotion_lora", "from pipelines.image.sd import Pipeline"),
        ("adapters.other", "from adapters.emotion_lora import Adapter"),
        ("adapters.emotion_lora", "from training.config import Recipe"),
        ("training.loop", "from studio.web import theme"),
    ],
)
def test_a_breach_is_caught(module: str, source: str) -> None:
    assert breaches(module, source) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("studio.render", "from importlib import metadata"),
        ("studio.render", "import importlib.metadata"),
        ("studio.lazy", "import importlib"),
        ("studio.web.page", "import gradio as gr"),
        ("pipelines.image.sd", "import torch\nfrom pipelines.image import _sd_sampling"),
        ("pipelines.video.other", "from pipelines.image._sd_sampling import row_noise"),
        ("training.loop", "from pipelines.image import sd\nfrom adapters import emotion_lora"),
    ],
)
def test_what_is_allowed_is_not_caught(module: str, source: str) -> None:
    assert breaches(module, source) == []
