"""Pictures carry their origin: for this studio, for readers of A1111 text, for IPTC readers."""

from __future__ import annotations

import json
import random
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from studio.artifacts import Picture, read_provenance
from studio.emotion import parse_curve
from studio.errors import StorageError
from studio.ports import Artifact
from studio.provenance import infotext, record, vad_text

REQUEST: dict[str, Any] = {
    "pipeline": "image/sd",
    "model": "emotion-tiny",
    "prompt": "a harbour at dusk",
    "negative_prompt": "people",
    "emotion": "joy:0.6",
    "seed": 7,
    "adapters": ["vad-image:1", "glow:0.5"],
    "steps": 20,
    "scheduler": "dpm++ 2m",
    "guidance": 7.5,
}
VERSIONS = {
    "studio": "0.1.0",
    "torch": "2.13.0",
    "model": "0123456789abcdef",
    "adapters": {"vad-image": "ff"},
}
# How A1111 itself finds the settings in the last line.
A1111 = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def picture(**details: Any) -> Picture:
    return Picture(Image.new("RGB", (16, 8), (10, 20, 30)), details)


def saved(tmp_path: Path, **request: Any) -> Path:
    path = tmp_path / "one.png"
    picture().save(path, record({**REQUEST, **request}, VERSIONS))
    return path


def settings_of(text: str) -> dict[str, str]:
    def plain(value: str) -> str:
        return str(json.loads(value)) if value.startswith('"') else value

    return {key: plain(value) for key, value in A1111.findall(text.splitlines()[-1])}


def test_picture_is_an_artifact() -> None:
    assert isinstance(picture(), Artifact)
    assert picture().suffix == ".png"


def test_record_comes_back(tmp_path: Path) -> None:
    path = saved(tmp_path, prompt='naïve "港" — 50% {a|b}\nsecond line')
    found = read_provenance(path)
    assert found["request"] == {**REQUEST, "prompt": 'naïve "港" — 50% {a|b}\nsecond line'}
    assert found["versions"] == VERSIONS
    assert found["schema"] == 1


def test_same_picture_and_record_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "1.png", tmp_path / "2.png"
    for path in (first, second):
        picture().save(path, record(REQUEST, VERSIONS))
    assert first.read_bytes() == second.read_bytes()


def test_pixels_are_untouched(tmp_path: Path) -> None:
    with Image.open(saved(tmp_path)) as image:
        assert image.size == (16, 8) and image.getpixel((3, 3)) == (10, 20, 30)


def test_infotext_as_a1111_reads_it(tmp_path: Path) -> None:
    with Image.open(saved(tmp_path)) as image:
        text = image.info["parameters"]
    lines = text.split("\n")
    assert lines[:2] == ["a harbour at dusk", "Negative prompt: people"]
    order = ["Steps: 20", "Sampler: DPM++ 2M", "CFG scale: 7.5", "Seed: 7", "Size: 16x8"]
    assert lines[2].startswith(", ".join(order) + ", Model hash: 0123456789, Model: emotion-tiny, ")
    found = settings_of(text)
    assert found["Emotion"] == "joy:0.6"
    assert found["Emotion VAD"] == vad_text(parse_curve("joy:0.6"))
    assert found["Adapters"] == "vad-image:1, glow:0.5"
    assert text.endswith("Version: Emotion Studio 0.1.0")


@pytest.mark.parametrize("value", ["a, b", "a: b", 'say "hi", you', "two\nlines", "back\\slash, x"])
def test_values_that_would_break_the_line_are_quoted(value: str) -> None:
    text = infotext(record({**REQUEST, "style": value}, VERSIONS), (8, 8))
    assert len(text.split("\n")) == 3
    assert settings_of(text)["Style"] == value


def test_infotext_without_negative_prompt_adapters_and_revision() -> None:
    bare = {**REQUEST, "negative_prompt": "", "adapters": [], "model": "some/hub-model"}
    text = infotext(record(bare, {**VERSIONS, "model": "some/hub-model"}), (8, 8))
    assert "Negative prompt" not in text and "Adapters" not in text and "Model hash" not in text
    assert "Model: hub-model" in text


def test_curve_has_a_point_for_every_key() -> None:
    assert vad_text(parse_curve("v=0.5@0, v=-0.5 a=0.25@100%")) == "0.50;0.00;0.00 > -0.50;0.25;0.00"
    assert vad_text(parse_curve("v=0.5@0s, v=-0.5@4s")).count(" > ") == 1


def test_what_the_pipeline_chose_is_told(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    asked = {key: value for key, value in REQUEST.items() if key != "guidance"}
    picture(guidance=4.0, steps=99).save(path, record(asked, VERSIONS))
    with Image.open(path) as image:
        assert "Steps: 20, Sampler: DPM++ 2M, CFG scale: 4.0, Seed: 7" in image.info["parameters"]
    assert read_provenance(path)["details"] == {"guidance": 4.0, "steps": 99}
    assert read_provenance(path)["request"] == asked


def test_xmp_says_that_a_model_made_it(tmp_path: Path) -> None:
    with Image.open(saved(tmp_path)) as image:
        packet = image.info["XML:com.adobe.xmp"]
    body = packet[packet.index("<x:") : packet.rindex("<?xpacket")]
    node = next(ElementTree.fromstring(body).iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"))
    source = node.get("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    assert source == "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def test_sidecar_of_another_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\0\0\0 ftyp")
    (tmp_path / "clip.mp4.json").write_text(json.dumps(record(REQUEST, VERSIONS)))
    assert read_provenance(path)["request"] == REQUEST


def with_chunk(path: Path, **chunks: str) -> Path:
    info = PngInfo()
    for name, text in chunks.items():
        info.add_itxt(name, text)
    Image.new("RGB", (4, 4)).save(path, "PNG", pnginfo=info)
    return path


@pytest.mark.parametrize(
    ("chunks", "why"),
    [
        ({}, "holds no record"),
        ({"parameters": "a cat\nSteps: 20"}, "the text of another program"),
        ({"emotion_studio": "{not json"}, "is damaged"),
        ({"emotion_studio": "[1]"}, "is damaged"),
        ({"emotion_studio": '{"schema": 1}'}, "is damaged"),
        ({"emotion_studio": '{"schema": 1, "request": [], "versions": {}}'}, "is damaged"),
        ({"emotion_studio": "[" * 100_000}, "is damaged"),
        (
            {"emotion_studio": '{"schema": 1, "versions": {}, "request": ' + '{"a":' * 200 + "1" + "}" * 201},
            "nested too deeply",
        ),
        ({"emotion_studio": '{"schema": 2, "request": {}, "versions": {}}'}, "newer Emotion Studio"),
    ],
)
def test_png_without_a_usable_record(tmp_path: Path, chunks: dict[str, str], why: str) -> None:
    with pytest.raises(StorageError, match=why):
        read_provenance(with_chunk(tmp_path / "x.png", **chunks))


def test_file_that_is_no_png(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("hello")
    with pytest.raises(StorageError, match=r"is not a PNG, and there is no notes\.png\.json"):
        read_provenance(tmp_path / "notes.png")
    with pytest.raises(StorageError, match="No such file"):
        read_provenance(tmp_path / "missing.png")
    with pytest.raises(StorageError, match="is a folder"):
        read_provenance(tmp_path)
    with pytest.raises(StorageError):
        read_provenance("nul\0.png")
    (tmp_path / "notes.png.json").write_bytes(b"\xff\xfe")
    with pytest.raises(StorageError, match="cannot be read"):
        read_provenance(tmp_path / "notes.png")


def test_torn_and_flipped_files_are_read_or_refused_but_never_crash(tmp_path: Path) -> None:
    whole = saved(tmp_path).read_bytes()
    chance, path = random.Random(0), tmp_path / "torn.png"
    torn = [whole[:length] for length in range(0, len(whole), 7)]
    for _ in range(200):
        flipped = bytearray(whole)
        flipped[chance.randrange(8, len(whole))] ^= 1 << chance.randrange(8)
        torn.append(bytes(flipped))
    refused = 0
    for data in torn:
        path.write_bytes(data)
        try:
            assert read_provenance(path)["schema"] == 1
        except StorageError:
            refused += 1
    assert 0 < refused < len(torn)
