"""Text that people read: what there is (`list`), how a file was made (`inspect`)."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio import catalog, portraits
from studio.errors import EmotionError, ModelError
from studio.lazy import lazy

if TYPE_CHECKING:
    from studio import emotion
    from studio.emotion import VAD
else:
    emotion = lazy("studio.emotion")

Row = Sequence[object]


def table(title: str, head: Row, rows: Iterable[Row]) -> str:
    """Columns as wide as they need; `title` above."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    if len(cells) == 1:
        return f"{title}\n  none"
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join([title, *(f"  {line.rstrip()}" for line in lines)])


def pipelines() -> str:
    """The pipelines with their first lines and parameters."""
    rows = []
    for name in catalog.names("pipeline"):
        module = catalog.load("pipeline", name)
        specs = catalog.param_specs(name)
        rows.append((name, module.DEFAULT_MODEL, ", ".join(spec.name for spec in specs)))
    return table("pipelines", ("name", "default model", "parameters"), rows)


def models() -> str:
    """The embedded models."""
    rows = [(name, size(folder), _class_name(folder)) for name, folder in catalog.models().items()]
    text = table("models", ("name", "size", "class"), rows)
    return f"{text}\n  or any folder or hub id of a family that a pipeline knows"


def adapters() -> str:
    """The embedded adapters, and your own: trained here or imported."""
    rows = [_adapter_row(name, folder, "embedded") for name, folder in catalog.adapters().items()]
    rows += [_adapter_row(name, folder, "yours") for name, folder in catalog.own_adapters().items()]
    head = ("name", "basis", "base model", "rank", "size", "strength", "worn by default", "from")
    return table("adapters", head, rows)


def _adapter_row(name: str, folder: Path, origin: str) -> Row:
    try:
        card = catalog.adapter_card(name)
    except ModelError as error:  # one broken file of a person's own must not hide the others
        return (name, str(error), "", "", "", "", "", origin)
    basis = card.get("basis") or card.get("kind")  # words have no basis and no rank, and are for any model
    facts = (basis, card.get("base_model") or "any", card.get("rank") or "-", size(folder))
    worn = "yes" if card.get("default") and origin == "embedded" else "no"
    return (name, *facts, strengths(card), worn, origin)


def strengths(card: Mapping[str, Any]) -> str:
    """Where an adapter keeps the prompt, as its card says: `0 to 1`."""
    low, high = card.get("strength_range", (-2, 2))
    return f"{low:g} to {high:g}"


def taxonomies() -> str:
    """The taxonomies of emotion."""
    known = emotion.lexicon().taxonomies.values()
    rows = [(taxonomy.name, len(taxonomy.labels), taxonomy.title) for taxonomy in known]
    return table("taxonomies", ("name", "labels", "title"), rows)


def emotions() -> str:
    """Every taxonomy with its words."""
    known = emotion.lexicon().taxonomies.values()
    width = 2 + max(len(taxonomy.name) for taxonomy in known)
    lines = [
        textwrap.fill(
            ", ".join(label.word for label in taxonomy.labels),
            width=110,
            initial_indent=f"  {taxonomy.name:<{width}}",
            subsequent_indent=" " * (width + 2),
        )
        for taxonomy in known
    ]
    return "\n".join(["emotions by taxonomy ('list emotions NAME' shows where they lie)", *lines])


def labels(name: str) -> str:
    """One taxonomy in full: each word's point, how good the match is, what to mind."""
    taxonomy = emotion.lexicon().taxonomy(name)
    rows = [(label.word, *_axes(label.point), label.match, label.warning) for label in taxonomy.labels]
    head = ("word", "valence", "arousal", "dominance", "match", "mind")
    return table(f"{taxonomy.name}: {taxonomy.title}", head, rows)


def voices() -> str:
    """Who can say a line, of the first family that speaks."""
    families = (catalog.load("pipeline", name) for name in catalog.names("pipeline"))
    found = next((family.voices() for family in families if hasattr(family, "voices")), ())
    rows = [(voice.name, voice.language, voice.title) for voice in found]
    text = table("voices", ("name", "language", "who"), rows)
    return f"{text}\n  +f1 to +f5 or +m1 to +m8 behind a name: another larynx"


def faces() -> str:
    """The embedded portraits."""
    rows = [(name, portraits.path(name)) for name in portraits.names()]
    return table("portraits", ("name", "picture"), rows)


TOPICS: Mapping[str, Callable[[], str]] = {
    "pipelines": pipelines,
    "models": models,
    "adapters": adapters,
    "emotions": emotions,
    "taxonomies": taxonomies,
    "voices": voices,
    "portraits": faces,
}
LONG = ("emotions", "voices")  # shown only when they are asked for


def record(path: str, found: Mapping[str, Any] | None, measured: Mapping[str, str]) -> str:
    """A record for people; None: there is none. `measured`: what is seen in the file itself.

    It may come from a stranger: nothing in it is trusted to be plain text.
    """
    if found is None:
        return _aligned(
            {"file": path, **measured, "made with": "unknown: it holds no record of how it was made"}
        )
    request, versions = dict(found["request"]), dict(found["versions"])
    revisions = versions.pop("adapters", {})
    known = {
        "file": path,
        "prompt": request.pop("prompt", ""),
        "negative": request.pop("negative_prompt", ""),
        "emotion": _felt(str(request.pop("emotion", "neutral"))),
        "seed": request.pop("seed", ""),
        "pipeline": request.pop("pipeline", ""),
        "model": f"{request.pop('model', '')} (revision {versions.pop('model', 'unknown')})",
        "adapters": _worn(request.pop("adapters", []), revisions),
    }
    made = {"made with": ", ".join(f"{name} {version}" for name, version in versions.items())}
    again = {"again": f"python -m studio render --from {json.dumps(path)}"}
    facts = known | request | dict(measured) | made | _said(found.get("details")) | again
    return _aligned({key: value for key, value in facts.items() if value not in ("", [], {})})


def _said(details: object) -> dict[str, object]:
    """What the model was told, where that is not the prompt itself."""
    return {"told": details["told"]} if isinstance(details, Mapping) and "told" in details else {}


def _aligned(facts: Mapping[str, object]) -> str:
    width = max(map(len, facts))
    return "\n".join(
        f"{printable(key).ljust(width)}  {printable(str(value))}" for key, value in facts.items()
    )


def _felt(text: str) -> str:
    """`awe:0.8 (valence 0.50, arousal 0.30, dominance -0.20)`; a curve stays as it is written."""
    try:
        curve = emotion.parse_curve(text)
    except EmotionError as error:
        return f"{text} (not readable here: {error})"
    if not curve.is_constant:
        return text
    vad = curve.at(0.0)
    return f"{text} (valence {vad.valence:.2f}, arousal {vad.arousal:.2f}, dominance {vad.dominance:.2f})"


def _worn(uses: object, revisions: Mapping[str, Any]) -> str:
    if not isinstance(uses, list) or not uses:
        return "none"
    known = revisions if isinstance(revisions, Mapping) else {}
    return ", ".join(f"{use} (revision {known.get(str(use).rpartition(':')[0], 'unknown')})" for use in uses)


def printable(text: str) -> str:
    """Without what moves the cursor or colours the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _axes(vad: VAD | None) -> tuple[str, ...]:
    return ("-", "-", "-") if vad is None else tuple(f"{value:+.2f}" for value in vad.as_tuple())


def size(folder: Path) -> str:
    """Of all files in a folder."""
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{total / 1e6:.0f} MB" if total >= 5e5 else f"{total / 1e3:.0f} kB"


def _class_name(folder: Path) -> str:
    try:
        index = json.loads((folder / "model_index.json").read_text("utf-8"))
    except (OSError, ValueError):
        return "(model_index.json cannot be read)"
    return str(index.get("_class_name", "")) if isinstance(index, dict) else ""
