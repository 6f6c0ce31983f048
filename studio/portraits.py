"""The embedded portraits by name. `--image anna` and `--image some/picture.jpg` are both understood here."""

from __future__ import annotations

from pathlib import Path

from studio.catalog import ASSETS
from studio.errors import InputError, nearest

FOLDER = ASSETS / "portraits"
FIELD = "inputs.image"


def names() -> tuple[str, ...]:
    """Every portrait that is embedded: a picture with landmarks beside it, in the order of the alphabet."""
    return tuple(
        sorted(file.stem for file in FOLDER.glob("*.png") if file.with_suffix(".landmarks.json").is_file())
    )


def path(name: str) -> Path:
    """The picture of an embedded portrait. Raises InputError that names the nearest one."""
    if name not in names():
        why = f"no portrait {name!r}; there are {', '.join(names())}"
        raise InputError(FIELD, name, why, nearest(name, names()))
    return FOLDER / f"{name}.png"


def resolve(text: str) -> Path:
    """A picture from what somebody wrote: the path of a file, or the name of an embedded portrait.

    A file wins over a portrait of the same name. Raises InputError for neither.
    """
    written = Path(text).expanduser()
    try:
        if written.is_file():
            return written
    except (OSError, ValueError):  # a name too long, a NUL: no file, and no portrait either
        written = Path("?/?")
    if written.name != text or written.suffix:  # a folder or an ending: a file was meant
        raise InputError(FIELD, text, f"there is no file {text[:200]!r}")
    return path(text)
