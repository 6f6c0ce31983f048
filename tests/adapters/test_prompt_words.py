"""The prompt baseline: which words, when none, and what of them is kept."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.prompt_words import Adapter, Config, label_of, said
from studio import catalog
from studio.cli import main
from studio.emotion import NEUTRAL, VAD, lexicon, parse_curve, parse_emotion
from studio.errors import EmotionError, InputError, ModelError
from studio.ports import Wording
from studio.render import Studio, notes
from studio.request import RenderRequest
from studio.wording import mean, share, strongest
from tests.studio import sketch
from training import config, sweep

FEAR = parse_emotion("mikels/fear").vad


def test_the_published_sentence_stands_behind_the_caption() -> None:
    words = Adapter(Config())
    assert isinstance(words, Wording)
    assert words.reworded("A man runs.", FEAR, "video") == 'A man runs. The video is in the "fear" emotion'
    assert words.reworded("a man runs", FEAR, "image") == 'a man runs. The image is in the "fear" emotion'
    assert said(" ", "So.") == "So."


@pytest.mark.parametrize("label", lexicon().labels("mikels"), ids=lambda label: label.word)
def test_each_of_the_eight_is_called_by_its_name(label: Any) -> None:
    assert label_of(label.vad) == label.word


def test_next_to_neutral_nothing_is_said() -> None:
    words = Adapter(Config())
    assert words.reworded("x ", NEUTRAL, "video") == "x "
    assert words.reworded("x", VAD(0.09), "video") == "x" != words.reworded("x", VAD(0.11), "video")
    assert words.reworded("x", FEAR, "video", 0.0) == "x"
    assert words.reworded("x", FEAR, "video", 0.05) == "x" != words.reworded("x", FEAR, "video", 0.5)
    assert '"fear"' not in words.reworded("x", FEAR, "video", -1.0)  # its opposite
    assert label_of(VAD(0.01)) and not label_of(NEUTRAL)


def test_other_words_may_be_chosen(tmp_path: Path) -> None:
    Adapter(Config(taxonomy="ekman", sentence="({label})", least=0.5)).save(tmp_path)
    words = Adapter.load(tmp_path)
    assert words.config == Config(taxonomy="ekman", sentence="({label})", least=0.5)
    assert words.reworded("x", FEAR, "video") == "x. (fear)"
    assert words.parameters() == []


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sentence": "so {mood}"}, InputError, r"needs \{label\} and may have \{medium\}"),
        ({"sentence": "nothing"}, InputError, r"needs \{label\}"),
        ({"sentence": "{label"}, InputError, r"needs \{label\}"),
        ({"taxonomy": "mikel"}, EmotionError, "did you mean 'mikels'"),
        ({"least": 2}, InputError, r"least: must be in \[0, 1\], got 2"),
        ({"least": "much"}, ModelError, "of the wrong kind"),
        ({"sentence": 3}, InputError, r"needs \{label\}.*got 3"),
    ],
)
def test_a_card_that_cannot_be(
    change: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    (tmp_path / "adapter.json").write_text(json.dumps({"kind": "prompt_words", **change}))
    with pytest.raises(error, match=message):
        Adapter.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("v=0.4", (0.4, 0, 0)),
        ("v=-1@0, v=1@100%", (0, 0, 0)),
        ("v=1@0, v=1@50%, v=0@100%", (0.75, 0, 0)),
        ("v=0@0s, v=1@4s", (0.5, 0, 0)),
        ("v=1@2s", (1, 0, 0)),
    ],
)
def test_the_mean_of_a_curve(text: str, point: tuple[float, ...]) -> None:
    assert mean(parse_curve(text)).as_tuple() == pytest.approx(point, abs=0.01)


@pytest.mark.parametrize(
    ("text", "length_s", "valence"),
    [
        ("v=0@0s, v=1@1s", 4.0, 0.875),  # what the last key says goes on to the end
        ("v=0@0s, v=1@4s", 4.0, 0.5),
        ("v=0@0%, v=1@100%", 4.0, 0.5),
        ("v=-1@2s, v=1@3s", 4.0, -0.25),
    ],
)
def test_the_mean_of_a_curve_in_a_clip(text: str, length_s: float, valence: float) -> None:
    assert mean(parse_curve(text), length_s).valence == pytest.approx(valence, abs=0.01)


def test_the_strongest_key_is_the_first_of_equals() -> None:
    assert strongest(parse_curve("v=0.2@0, a=-0.9@50%, d=0.4@100%")) == VAD(0, -0.9, 0)
    assert strongest(parse_curve("v=0.5@0, v=-0.5@100%")) == VAD(0.5)


@pytest.mark.parametrize(
    ("text", "progress", "between"),
    [
        ("joy@1s, fear@2s, awe@4s", 0.0, (0, 0, 0.0)),
        ("joy@1s, fear@2s, awe@4s", 0.375, (0, 1, 0.5)),
        ("joy@1s, fear@2s, awe@4s", 0.5, (1, 2, 0.0)),
        ("joy@1s, fear@2s, awe@4s", 1.0, (2, 2, 0.0)),
        ("joy@0%, fear@50%", 0.25, (0, 1, 0.5)),
        ("joy@0%, fear@50%", 0.75, (1, 1, 0.0)),
        ("joy", 0.3, (0, 0, 0.0)),
    ],
)
def test_a_moment_has_its_share_of_the_keys_around_it(
    text: str, progress: float, between: tuple[int, int, float]
) -> None:
    curve = parse_curve(text)
    assert share(curve, progress, 4.0) == pytest.approx(between)
    before, after, later = share(curve, progress, 4.0)
    mixed = curve.keys[before].emotion.vad.mixed(curve.keys[after].emotion.vad, later)
    assert mixed.as_tuple() == pytest.approx(curve.at(progress, 4.0).as_tuple())


# --- worn by a family -------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[RenderRequest]:
    """What the sketch pipeline was told, with the adapter `words` beside its own."""
    sketch.install(monkeypatch, tmp_path / "assets")
    Adapter(Config()).save(tmp_path / "assets" / "adapters" / "words")
    heard: list[RenderRequest] = []
    paint = sketch.Pipeline._paint

    def listening(self: sketch.Pipeline, row: int, request: RenderRequest) -> Any:
        heard.append(request)
        return paint(self, row, request)

    monkeypatch.setattr(sketch.Pipeline, "_paint", listening)
    return heard


def test_the_words_are_in_the_prompt_and_in_the_record(told: list[RenderRequest], tmp_path: Path) -> None:
    asked = [sketch.request(emotion=text, adapters="words") for text in ("fear", "neutral")]
    results = list(Studio().render(asked, tmp_path / "out"))
    sentence = 'a harbour at dusk. The image is in the "fear" emotion'
    assert [request.prompt for request in told] == [sentence, "a harbour at dusk"]
    assert [result.request for result in results] == asked and not any(request.told for request in told)
    records = [json.loads(_run("inspect", str(result.path), "--json")) for result in results]
    assert [record.get("details", {}).get("told") for record in records] == [sentence, None]
    assert {record["request"]["prompt"] for record in records} == {"a harbour at dusk"}
    assert results[0].path.name == "00001-a-harbour-at-dusk-fear.png"
    assert f"told       {sentence}" in _run("inspect", str(results[0].path))
    assert RenderRequest.parse(records[0]["request"]) == asked[0]


def test_words_and_weights_may_be_worn_together(told: list[RenderRequest]) -> None:
    one = Studio().make([sketch.request(emotion="fear", adapters="words,warm")])[0]
    assert told[0].prompt.endswith('"fear" emotion')
    assert one.image.getpixel((0, 0))[0] == 128 + round(50 * FEAR.valence)  # type: ignore[attr-defined]


def test_a_curve_is_its_mean_or_travels_where_the_family_can(
    told: list[RenderRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = sketch.request(emotion="neutral@0, fear@50%, contentment@100%", adapters="words")
    Studio().make([asked])
    monkeypatch.setattr(sketch, "PROMPT_TRAVEL", True, raising=False)
    made = Studio().make([asked, sketch.request(emotion="fear", adapters="words")])
    at_once, travels, constant = told
    assert at_once.prompt == travels.prompt and at_once.told == () == constant.told
    assert [text.partition(". ")[2] for text in travels.told] == [
        "",
        'The image is in the "fear" emotion',
        'The image is in the "contentment" emotion',
    ]
    assert made[0].details["told"] == list(travels.told)  # type: ignore[attr-defined]


def test_feelings_that_cancel_each_other_are_the_strongest(told: list[RenderRequest]) -> None:
    asked = sketch.request(emotion="v=0.7, a=0.5, d=0.2@0%, v=-0.9, a=-0.6, d=-0.3@100%", adapters="words")
    assert mean(asked.curve).distance(NEUTRAL) < 0.15
    Adapter(Config(least=0.2)).save(catalog.ASSETS / "adapters" / "words")
    Studio().make([asked])
    assert told[0].prompt.endswith(f'"{label_of(asked.curve.keys[1].emotion.vad)}" emotion')


def test_that_one_feeling_stands_for_a_curve_is_said(
    told: list[RenderRequest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    curved = sketch.request(emotion="fear@0, joy@100%", adapters="words")
    result = next(iter(Studio().render([curved], tmp_path / "out")))
    (note,) = result.notes
    assert note.startswith("'words' says one feeling for the whole curve")
    assert note.endswith("the prompt of image/sketch cannot change on the way")
    assert notes(sketch.request(emotion="fear", adapters="words")) == ()
    assert notes(sketch.request(emotion="fear@0, joy@100%", adapters="warm")) == ()
    monkeypatch.setattr(sketch, "PROMPT_TRAVEL", True, raising=False)
    assert notes(curved) == ()


def test_a_title_is_left_alone_and_that_is_said(
    told: list[RenderRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = sketch.request(emotion="fear", adapters="words")
    assert notes(asked) == ()
    monkeypatch.setattr(sketch, "PROMPT_IS_TITLE", True, raising=False)
    Studio().make([asked])
    assert told[0].prompt == "a harbour at dusk"
    assert notes(asked) == (
        "'words' says the feeling in the prompt, a title to image/sketch: it has no effect",
    )


# --- where weights are expected ---------------------------------------------------------------


def test_the_embedded_words_are_shown_and_hold_nothing_to_bake_or_train(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert catalog.adapter_card("words")["base_model"] == "" and not catalog.default_adapters("words")
    assert Adapter.load(catalog.find_adapter("words")).config == Config()
    assert 'in the "{label}" emotion' in _run("adapters", "show", "words")
    assert " words " in (listed := _run("list", "adapters")) and "None" not in listed
    capsys.readouterr()
    assert main(["bake", "words", "--emotion", "joy", "-o", str(tmp_path / "x.safetensors")]) == 2
    assert "'words' is of kind 'prompt_words', which has no weights" in capsys.readouterr().err
    assert sweep.main(["words", "--out", str(tmp_path / "swept")]) == 2
    assert "'words' has no weights whose strength could be found" in capsys.readouterr().err
    with pytest.raises(InputError, match="'prompt_words' has nothing that could be trained"):
        config._adapter({"kind": "prompt_words"}, "emotion-tiny")


def _run(*words: str) -> str:
    """What a command prints."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        assert main(list(words)) == 0
    return text.getvalue()
