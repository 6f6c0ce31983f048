"""`bake` and `adapters`: adapters as files for other tools, from files of other tools, listed and measured.

Everything that knows tensors is behind `catalog.load`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from studio import catalog
from studio.cli import tables
from studio.errors import InputError, ModelError, NotFoundError, nearest
from studio.lazy import lazy
from studio.params import ParamSpec, check
from studio.storage import NameTakenError, write_atomically

if TYPE_CHECKING:
    from studio import emotion
else:
    emotion = lazy("studio.emotion")

FORMATS = ("diffusers", "kohya", "peft")
LABEL_KIND = "emotion_lora"  # the kind that label LoRAs become
SOURCES = "sources.json"
LORA_NAMES = (  # in a folder of PEFT's, of diffusers'
    "adapter_model.safetensors",
    "pytorch_lora_weights.safetensors",
)
_STRENGTH = ParamSpec("strength", float, 1.0, "of the adapter", min=-2.0, max=2.0)
BAKE_EXAMPLES = """formats:
  diffusers   names that diffusers itself writes
  kohya       for sd-scripts, ComfyUI, A1111 and Forge
  peft        PEFT's names; with a folder for -o, what PeftModel.from_pretrained reads

examples:
  python -m studio bake vad-image --emotion awe -o awe.safetensors
  python -m studio bake vad-image --emotion "0.6 joy + 0.4 calm" --format kohya -o glad.safetensors
  python -m studio bake vad-image --emotion awe --format peft -o awe-peft
"""
EXAMPLES = """examples:
  python -m studio adapters list
  python -m studio adapters show vad-image
  python -m studio adapters sweep outputs/training/my-adapter/adapter
  python -m studio adapters import my-labels --taxonomy mikels --label awe=awe.safetensors \\
      --label fear=fear.safetensors --model emotion-tiny
"""


def add_bake(parser: argparse.ArgumentParser) -> None:
    """The flags of `bake`."""
    parser.epilog = BAKE_EXAMPLES
    parser.add_argument("adapter", metavar="ADAPTER", help="a name or a folder")
    parser.add_argument("--emotion", metavar="EMOTION", required=True, help="the feeling to fold in")
    parser.add_argument("--strength", metavar="N", default="1", help="of the adapter (-2 to 2, default 1)")
    parser.add_argument(
        "--format",
        metavar="NAME",
        default="diffusers",
        help=f"one of {', '.join(FORMATS)} (default diffusers)",
    )
    parser.add_argument("--model", metavar="NAME", help="the base model (default: the adapter's own)")
    parser.add_argument(
        "-o", "--out", metavar="FILE", required=True, help="a .safetensors file; for peft also a folder"
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    parser.set_defaults(run=run_bake)


def add_adapters(parser: argparse.ArgumentParser) -> None:
    """`list`, `show`, `sweep`, `import`, with what each takes."""
    parser.epilog = EXAMPLES
    made = parser.add_subparsers(metavar="list|show|sweep|import", dest="action", required=True)
    made.add_parser("list", help="every adapter here").set_defaults(run=run_list)
    show = made.add_parser("show", help="all that is known of one")
    show.add_argument("name", metavar="NAME", help="a name or a folder")
    show.set_defaults(run=run_show)
    sweep = made.add_parser("sweep", help="measure how strong one may be worn", add_help=False)
    sweep.add_argument("name", metavar="NAME", help="a name or a folder")
    sweep.add_argument("options", nargs=argparse.REMAINDER, help="what python -m training.sweep takes")
    sweep.set_defaults(run=run_sweep)
    importer = made.add_parser("import", help="make one adapter of LoRA files, one for each label")
    importer.add_argument("name", metavar="NAME", help="what it will be called here")
    importer.add_argument("--taxonomy", metavar="NAME", required=True, help="whose words the labels are")
    importer.add_argument(
        "--label", metavar="WORD=FILE", action="append", required=True, help="two or more", dest="labels"
    )
    importer.add_argument("--model", metavar="NAME", required=True, help="the model that the files are for")
    importer.add_argument("--force", action="store_true", help="write over an import of that name")
    importer.set_defaults(run=run_import)


def run_bake(args: argparse.Namespace) -> int:
    """One feeling of an adapter as an ordinary LoRA file; its path goes to stdout."""
    path = Path(args.out)
    card, folder = catalog.adapter_card(args.adapter), catalog.find_adapter(args.adapter)
    kind = catalog.load("adapter kind", str(card.get("kind")))
    if not hasattr(kind.Adapter, "export"):
        why = f"{args.adapter!r} is of kind {card.get('kind')!r}, which has no weights that a file could hold"
        raise InputError("adapter", args.adapter, why)
    kind.lora_files.check_target(path, args.format, args.force)
    curve = emotion.parse_curve(args.emotion)
    if not curve.is_constant:
        why = "a file holds one feeling, not a curve; bake each of its points"
        raise InputError("emotion", args.emotion, why)
    strength: float = check(_STRENGTH, args.strength)
    about = {
        "adapter": args.adapter if args.adapter in catalog.adapters() else folder.name,
        "revision": catalog.revision(folder),
        "emotion": args.emotion,
    }
    adapter = kind.Adapter.load(folder)
    modules = _base_layers(kind, args.model, str(card.get("base_model") or ""), args.format)
    vad = curve.at(0.0)
    notes = adapter.export(path, args.format, vad, strength, about, modules, args.force)
    for note in (*notes, *_bake_notes(vad.as_tuple(), strength, card)):
        print(f"note: {note}", file=sys.stderr)
    print(path)
    return 0


def _base_layers(kind: Any, model: str | None, base_model: str, dialect: str) -> Mapping[str, Any] | None:
    """The layers of the base model; only kohya's names depend on them: one that is not here is no loss."""
    if model is None and dialect != "kohya" and base_model not in catalog.models():
        return None
    if not (model or base_model):
        raise InputError("model", model, "the adapter names no base model; name it with --model")
    layers: Mapping[str, Any] = kind.skeleton(catalog.find_model(model or base_model))
    return layers


def _bake_notes(point: tuple[float, ...], strength: float, card: Mapping[str, Any]) -> list[str]:
    notes = []
    if not any(point):
        notes.append("neutral is no change by definition; bake another feeling")
    low, high = card.get("strength_range", (-2, 2))
    if not low <= strength <= high:
        usable = tables.strengths(card)
        notes.append(f"strength {strength:g} is outside {usable}, the range that was measured as usable")
    return notes


def run_list(args: argparse.Namespace) -> int:
    """The same table as `list adapters`."""
    print(tables.adapters())
    return 0


def run_show(args: argparse.Namespace) -> int:
    """The card, the layers and what training wrote about one adapter."""
    folder, card = catalog.find_adapter(args.name), catalog.adapter_card(args.name)
    labels = card.get("labels")
    facts: dict[str, object] = {
        "adapter": folder.name,
        "folder": folder,
        "size": tables.size(folder),
        "revision": catalog.revision(folder),
        **{name: card.get(name) for name in ("kind", "basis", "rank", "alpha", "base_model", "fingerprint")},
        "labels": ", ".join(labels) if isinstance(labels, dict) else None,
        "strength_range": tables.strengths(card),
        "worn by default": "yes" if card.get("default") else "no",
    }
    kind = catalog.load("adapter kind", str(card.get("kind")))
    if hasattr(kind.Adapter, "export"):
        facts |= _layers(folder / "adapter.safetensors")
    else:
        facts |= {name: card.get(name) for name in ("taxonomy", "sentence")}
    shown = {name.replace("_", " "): value for name, value in facts.items() if value not in (None, "")}
    width = max(map(len, shown))
    print("\n".join(f"{name:<{width}}  {tables.printable(str(value))}" for name, value in shown.items()))
    readme = folder / "README.md"
    if readme.is_file():
        lines = readme.read_text("utf-8", errors="replace").splitlines()
        print("\n" + "\n".join(tables.printable(line) for line in lines))
    return 0


def _layers(weights: Path) -> dict[str, object]:
    """How many layers of which kind, from the header alone: 8 bytes of length, then JSON."""
    try:
        with weights.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    except (OSError, ValueError, MemoryError, OverflowError, AttributeError, TypeError, KeyError) as error:
        raise ModelError(f"adapter: {str(weights)!r} cannot be read: {error}") from None
    parts = [name.removesuffix(".gate").split(".")[1:] for name in header if name.endswith(".gate")]
    counts = Counter(".".join(part for part in layer[-2:] if not part.isdigit()) for layer in parts)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    return {"layers": f"{len(parts)} ({kinds})", "parameters": f"{sum(map(math.prod, shapes)):,}"}


def run_sweep(args: argparse.Namespace) -> int:
    """`python -m training.sweep` with this interpreter; its words go through, its exit code comes back."""
    catalog.find_adapter(args.name)  # a wrong name is an error before torch is loaded
    command = [sys.executable, "-m", "training.sweep", args.name, *args.options]
    return subprocess.run(command, env=_with_house_on_path(), check=False).returncode


def _with_house_on_path() -> dict[str, str]:
    """Found from any folder, and relative paths stay those of the person who typed them."""
    paths = [str(catalog.ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def run_import(args: argparse.Namespace) -> int:
    """LoRA files, one for each label, as one adapter; its folder goes to stdout."""
    folder = _import_folder(args.name, args.force)
    files = _label_files(args.taxonomy, args.labels)
    all_kernels = emotion.lexicon().kernels(args.taxonomy)
    kernels = {one.word: (one.mean, one.sd) for one in all_kernels if one.word in files}
    kind = catalog.load("adapter kind", LABEL_KIND)
    adapter, found = kind.label_adapter(files, kernels, catalog.find_model(args.model), args.model)
    adapter.save(folder)
    sources = {label: _source(files[label], one) for label, one in found.items()}
    _write(folder / SOURCES, json.dumps(sources, indent=2, ensure_ascii=False) + "\n")
    _write(folder / "README.md", _readme(folder.name, args, sources))
    for label, one in found.items():
        for note in one.notes:
            print(f"note: {label}: {note}", file=sys.stderr)
    if missing := len(all_kernels) - len(kernels):
        print(f"note: {missing} other labels have no file: there the nearest of these acts", file=sys.stderr)
    print(folder)
    return 0


def _import_folder(name: str, replace: bool) -> Path:
    """Where an import of that name goes, and is found again by it."""
    if not catalog.RUN_NAME.fullmatch(name):
        raise InputError("name", name, f"{name!r} is no plain name; '.', '-' and '_' may stand inside")
    folder = catalog.imported_folder() / name
    known = {**catalog.own_adapters(), **catalog.adapters()}
    if name in known and known[name] != folder:
        raise NameTakenError(f"{name}: is the name of another adapter, in {known[name]}")
    if name in known and not replace:
        raise NameTakenError(f"{folder}: holds an adapter already; --force writes over it")
    return folder


def _label_files(taxonomy: str, pairs: Sequence[str]) -> dict[str, Path]:
    """Label as the taxonomy writes it -> file."""
    words = [label.word for label in emotion.lexicon().labels(taxonomy) if label.point is not None]
    by_name = {word.casefold(): word for word in words}
    files: dict[str, Path] = {}
    for pair in pairs:
        word, equals, file = pair.partition("=")
        if not equals or not file:
            raise InputError("label", pair, f"expected WORD=FILE, got {pair!r}")
        label = by_name.get(word.strip().casefold())
        if label is None:
            why = f"{word.strip()!r} is no label of {taxonomy!r} with a place in the lexicon"
            raise InputError("label", word, why, nearest(word.strip(), words))
        if label in files:
            raise InputError("label", word, f"{label!r} is named twice")
        files[label] = _lora_file(Path(file))
    if len(files) < 2:
        why = "one label alone would act at every feeling; name two or more, or load the file as it is"
        raise InputError("label", pairs, why)
    return files


def _lora_file(path: Path) -> Path:
    """A file, or the one in a folder as PEFT and diffusers write it."""
    found = next((one for name in LORA_NAMES if (one := path / name).is_file()), path)
    if not found.is_file():
        raise NotFoundError("LoRA file", str(path), [one.name for one in path.parent.glob("*.safetensors")])
    return found


def _source(path: Path, found: Any) -> dict[str, Any]:
    """Where a label's LoRA came from; with its folder where tools call every file the same."""
    file = f"{path.parent.name}/{path.name}" if path.name in LORA_NAMES else path.name
    return {"file": file, "format": found.dialect, "notes": found.notes, "metadata": found.metadata}


def _readme(name: str, args: argparse.Namespace, sources: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        f"# {name}",
        "",
        f"Label LoRAs of the taxonomy {args.taxonomy}, put together for {args.model}; not trained together.",
        f"What the files said of themselves is in {SOURCES}; mind their licences.",
        "",
        "| label | file | format |",
        "|---|---|---|",
        *(f"| {label} | {one['file']} | {one['format']} |" for label, one in sources.items()),
    ]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    def put(file: BinaryIO) -> None:
        file.write(text.encode())

    write_atomically(path, put)
