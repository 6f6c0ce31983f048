"""What writes the files of an artifact: pictures and records that carry their origin inside.

Knows formats and the record (studio.provenance); what is shown it does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, BinaryIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from studio import provenance as origin
from studio.companions import Writer

Record = Mapping[str, Any]


def content(found: bytes) -> Writer:
    """These bytes."""
    return partial(_write, found)


def sidecar(record: Record) -> Writer:
    """The record as a JSON file."""
    return content((json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode())


def png(image: Image.Image, record: Record) -> Writer:
    """A PNG with the record inside, for us, for readers of A1111 infotext, and for readers of XMP."""
    return partial(_write_png, image, record)


def tags(title: str, record: Record) -> dict[str, str]:
    """Texts for a sound or a clip, the record among them."""
    return {"title": title, "genre": "Synthetic media", "comment": origin.embedded(record)}


def _write(found: bytes, file: BinaryIO) -> None:
    file.write(found)


def _write_png(image: Image.Image, record: Record, file: BinaryIO) -> None:
    chunks = PngInfo()
    chunks.add_text("parameters", origin.infotext(record, image.size))
    chunks.add_itxt(origin.CHUNK, json.dumps(record, ensure_ascii=False))
    chunks.add_itxt(origin.XMP_CHUNK, origin.xmp())
    image.save(file, "PNG", pnginfo=chunks)
