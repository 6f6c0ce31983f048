"""`index.html`: all pictures of a run on one page that needs nothing but the pictures beside it.

It writes rows as data into the page in `contact_sheet.html`, which lays them out in the browser. Prompts come
from anybody: they are written as JSON in which no character can end a script, and shown as text only.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

from studio.ledger import Ledger
from studio.manifest import entries
from studio.storage import write_atomically

TEMPLATE = Path(__file__).with_name("contact_sheet.html")
_DATA, _TITLE = "[/*rows*/]", '"/*title*/"'
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def write_contact_sheet(path: Path, ledger: Ledger, title: str) -> None:
    """Write the page for the ledger's current rows, a row in memory at a time. Raises StorageError."""
    head, tail = TEMPLATE.read_text("utf-8").split(_DATA)
    head = head.replace(_TITLE, _json(title))

    def write(file: BinaryIO) -> None:
        file.write(head.encode() + b"[")
        for index, entry in enumerate(entries(ledger, path.parent)):
            file.write((",\n" if index else "\n").encode() + _json(_row(entry)).encode())
        file.write(b"\n]" + tail.encode())

    write_atomically(path, write)


def _row(entry: dict[str, Any]) -> list[Any]:
    """The order that the page's script reads."""
    request = entry["request"]
    elsewhere = {"prompt", "emotion", "seed"}
    shown = {key: value for key, value in request.items() if key not in elsewhere and value}
    return [
        entry["number"],
        entry["line"],
        entry["state"],
        entry["file"],
        entry["prompt"],
        entry["emotion"],
        entry["vad"],
        entry["seed"],
        entry["seconds"],
        entry["error"],
        shown,
        entry["notes"],
        entry["companions"],
    ]


def _json(value: Any) -> str:
    """JSON that is safe inside a script element; what is no character (half a pair) is escaped."""
    text = json.dumps(value, ensure_ascii=False).translate(_ESCAPES)
    return text.encode("utf-8", "backslashreplace").decode()
