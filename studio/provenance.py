"""Where a file came from: the record inside it, and how other programs read the same facts.

A record is plain JSON: {"schema": 1, "request": RenderRequest.to_dict(), "versions": {...}}, perhaps with
"details": what the pipeline chose where the request left it open. It holds no time
and no place, so that the same request makes the same bytes. Knows text formats; knows no pixels and no model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, UnidentifiedImageError

from studio import __version__
from studio.emotion import EmotionCurve, parse_curve
from studio.errors import StorageError

SCHEMA = 1
MAX_DEPTH = 32  # of objects within objects; a file may come from anybody
CHUNK = "emotion_studio"
MARK = b"emotion_studio:"  # before a record in a text field of a MIDI or sound file
HEAD_BYTES = 1 << 20  # of such a file; its texts stand before the sound
INDEX_BYTES = 1 << 26  # of an MP4; its texts stand behind the places of all its frames, wherever it has them
XMP_CHUNK = "XML:com.adobe.xmp"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

# The spelling that readers of A1111 infotext look for; every other parameter goes by its own name.
_INFOTEXT_NAMES = {
    "steps": "Steps",
    "scheduler": "Sampler",
    "sampler": "Sampler",
    "guidance": "CFG scale",
    "guidance_scale": "CFG scale",
}
_SAMPLERS = {
    "dpm++ 2m": "DPM++ 2M", "dpm++ 2m karras": "DPM++ 2M Karras", "unipc": "UniPC", "ddim": "DDIM",
    "euler": "Euler", "euler a": "Euler a", "heun": "Heun",
}  # fmt: skip
_NOT_PARAMS = {
    "pipeline", "model", "prompt", "negative_prompt", "emotion", "seed", "adapters", "inputs",
    "width", "height",
}  # fmt: skip


def record(request: Mapping[str, Any], versions: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance of one file. `request` as from `RenderRequest.to_dict`."""
    return {"schema": SCHEMA, "request": dict(request), "versions": dict(versions)}


def infotext(provenance: Mapping[str, Any], size: tuple[int, int]) -> str:
    """The record as A1111 `parameters` text. `size` is width and height in pixels."""
    request, versions = provenance["request"], provenance["versions"]
    settings = {**provenance.get("details", {}), **request}
    params = {key: value for key, value in settings.items() if key not in _NOT_PARAMS}
    known = {_INFOTEXT_NAMES[key]: params.pop(key) for key in list(params) if key in _INFOTEXT_NAMES}
    if "Sampler" in known:
        known["Sampler"] = _SAMPLERS.get(known["Sampler"], known["Sampler"])
    model = request["model"]
    revision = str(versions.get("model", model))
    facts = {
        **{name: known[name] for name in ("Steps", "Sampler", "CFG scale") if name in known},
        "Seed": request["seed"],
        "Size": f"{size[0]}x{size[1]}",
        **({"Model hash": revision[:10]} if revision != model else {}),
        "Model": Path(model).name,
        "Emotion": request["emotion"],
        "Emotion VAD": vad_text(parse_curve(request["emotion"])),
        **({"Adapters": ", ".join(request["adapters"])} if request["adapters"] else {}),
        **{key.replace("_", " ").capitalize(): value for key, value in params.items()},
        "Version": f"Emotion Studio {versions.get('studio', __version__)}",
    }
    negative = request["negative_prompt"]
    lines = [request["prompt"], *([f"Negative prompt: {negative}"] if negative else [])]
    return "\n".join([*lines, ", ".join(f"{key}: {_quoted(value)}" for key, value in facts.items())])


def vad_text(curve: EmotionCurve) -> str:
    """`v;a;d` of a constant emotion; of every key of a curve."""
    points = [key.emotion.vad for key in (curve.keys[:1] if curve.is_constant else curve.keys)]
    return " > ".join(f"{vad.valence:.2f};{vad.arousal:.2f};{vad.dominance:.2f}" for vad in points)


def xmp() -> str:
    """The XMP packet that marks a file as made by a trained model (IPTC digital source type)."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'xmp:CreatorTool="Emotion Studio {__version__}" Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>'
        "</rdf:RDF></x:xmpmeta>\n"
        '<?xpacket end="w"?>'
    )


def embedded(provenance: Mapping[str, Any]) -> str:
    """The record as one line of ASCII for the text field of any format, as `read_provenance` finds it."""
    return MARK.decode() + json.dumps(provenance, ensure_ascii=True)


def read_provenance(path: str | Path) -> dict[str, Any]:
    """The record inside a PNG; of any other file that in `<file>.json` beside it, or in its first 1 MiB, or
    in the index of an MP4.

    Raises StorageError when the file cannot be read, or holds no record of this studio.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise StorageError(f"{path}: is a folder, not a file")
        with path.open("rb") as file:
            is_png = file.read(8) == b"\x89PNG\r\n\x1a\n"
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: cannot be read ({_reason(error)})") from error
    return _checked(_png_record(path) if is_png else _sidecar_record(path), path)


def _png_record(path: Path) -> str:
    try:
        with Image.open(path) as image:
            text = dict(image.info)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise StorageError(f"{path}: is a damaged PNG") from error
    if CHUNK in text:
        return str(text[CHUNK])
    other = " (the text of another program is there)" if "parameters" in text else ""
    raise StorageError(f"{path}: holds no record of how it was made{other}")


def _sidecar_record(path: Path) -> str:
    sidecar = path.with_name(f"{path.name}.json")
    if not sidecar.is_file():
        if (inside := _record_inside(path)) is not None:
            return inside
        raise StorageError(f"{path}: is not a PNG, and there is no {sidecar.name} beside it")
    try:
        return sidecar.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise StorageError(f"{sidecar}: cannot be read ({_reason(error)})") from error


def _record_inside(path: Path) -> str | None:
    """The JSON object after MARK, whatever the format around it; None where there is none."""
    try:
        with path.open("rb") as file:
            _, mark, rest = _where_texts_are(file).partition(MARK)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({_reason(error)})") from error
    if not mark:
        return None
    text = rest.decode("latin-1")  # the record is ASCII; what comes after it may be anything
    try:
        return text[: json.JSONDecoder().raw_decode(text)[1]]
    except (ValueError, RecursionError) as error:
        raise StorageError(f"{path}: the record of how it was made is damaged") from error


def _where_texts_are(file: BinaryIO) -> bytes:
    """The beginning of a file; of an MP4 the box that holds its index and its tags, if there is one."""
    head = file.read(HEAD_BYTES)
    if head[4:8] != b"ftyp":
        return head
    at = 0
    while len(start := _read_at(file, at, 16)) >= 8:
        size = int.from_bytes(start[:4])
        size = int.from_bytes(start[8:]) if size == 1 else size
        if start[4:8] == b"moov":
            return _read_at(file, at, min(size or INDEX_BYTES, INDEX_BYTES))
        if size < 8:  # 0: up to the end of the file
            break
        at += size
    return head


def _read_at(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _checked(text: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StorageError(f"{path}: the record of how it was made is damaged") from error
    if _is_deep(found, MAX_DEPTH):
        raise StorageError(f"{path}: the record of how it was made is damaged (nested too deeply)")
    schema = found.get("schema") if isinstance(found, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise StorageError(
            f"{path}: made by a newer Emotion Studio (record {schema}; this one reads {SCHEMA})"
        )
    if schema != SCHEMA or not all(isinstance(found.get(part), dict) for part in ("request", "versions")):
        raise StorageError(f"{path}: the record of how it was made is damaged")
    return dict(found)


def _is_deep(value: object, limit: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return limit < 0 or any(_is_deep(part, limit - 1) for part in parts)


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",\n:") else text


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
