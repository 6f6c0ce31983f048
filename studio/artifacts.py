"""What comes out: files that carry their own origin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from studio import provenance as origin
from studio.provenance import read_provenance
from studio.storage import write_atomically

__all__ = ["Picture", "read_provenance"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A still image (PIL, any mode that PNG holds).

    `details`: what the pipeline decided where the request left it open, as plain values ({"guidance": 5.0}).
    """

    image: Image.Image
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)

    suffix = ".png"

    def save(self, path: Path, provenance: Mapping[str, Any], replace: bool = True) -> None:
        """Write a PNG with its record inside (see studio.provenance). Raises StorageError; without `replace`
        NameTakenError for a name that is taken."""
        record = {**provenance, **({"details": dict(self.details)} if self.details else {})}
        chunks = PngInfo()
        chunks.add_text("parameters", origin.infotext(record, self.image.size))
        chunks.add_itxt(origin.CHUNK, json.dumps(record, ensure_ascii=False))
        chunks.add_itxt(origin.XMP_CHUNK, origin.xmp())
        write_atomically(path, lambda file: self.image.save(file, "PNG", pnginfo=chunks), replace)
