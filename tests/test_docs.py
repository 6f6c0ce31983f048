"""The documentation is true: links lead somewhere, commands parse, code runs, tables name what exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from adapters import gates
from studio import catalog, params, provenance
from studio.artifacts import Picture
from studio.cli.parser import COMMANDS, parse
from studio.emotion import lexicon, parse_curve, report
from studio.errors import EmotionError
from studio.request import AdapterUse
from studio.settings import PREFIX, Settings
from training.synthesis.grammar import ATTRIBUTE_WORDS, STYLE_WORDS, SUBJECT_PHRASES
from training.synthesis.spec import SUBJECTS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"python -m studio(?: ([^\n`]*))?$")
NEEDS_A_MODEL = ("Studio(", "run_batch(", "read_provenance(", "Adapter.load(")
# spelled in halves, or this file would be the first to break its own rule
PRIVATE = ("/" + "work/", ".." + "/shared")


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def blocks(language: str) -> list[object]:
    """Every fenced block of that language, as a test parameter that names its page."""
    return [
        pytest.param(page, code, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, (name, code) in enumerate(FENCE.findall(page.read_text("utf-8")))
        if name == language
    ]


def studio_commands() -> list[object]:
    """Every `python -m studio ...`, in code blocks and inside a line, without what is not its own."""
    found = []
    for page in PAGES:
        text = page.read_text("utf-8").replace("\\\n", " ")
        inline = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", FENCE.sub("", text))
        for line in [*text.splitlines(), *inline]:
            if (match := COMMAND.search(line.strip())) and not line.strip().startswith("|"):
                found.append(pytest.param(match[1] or "", id=f"{page.stem}-{len(found)}"))
    return found


def table_rows(page: str) -> Iterator[list[str]]:
    for line in text_of(page).splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def code_words(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@pytest.fixture(scope="module")
def recorded_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with a record inside, for commands that read one."""
    path = tmp_path_factory.mktemp("docs") / "picture.png"
    request = {
        "pipeline": "image/sd", "model": "a/b", "prompt": "x", "negative_prompt": "", "emotion": "joy",
        "seed": 0, "adapters": [],
    }  # fmt: skip
    Picture(Image.new("RGB", (8, 8))).save(path, provenance.record(request, {}))
    return str(path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = LINK.findall(FENCE.sub("", page.read_text("utf-8")))
    local = [target.partition("#")[0] for target in targets if "://" not in target]
    assert [target for target in local if target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("command", studio_commands())
def test_every_studio_command_parses(command: str, recorded_file: str) -> None:
    words = shlex.split(command, comments=True)
    if len(words) < 2:
        assert not words or words[0] in COMMANDS
        return
    if "--from" in words:
        words[words.index("--from") + 1] = recorded_file
    if "--help" in words:
        words.remove("--help")
    args = parse(words)
    if args.command == "render":
        params.build(
            catalog.load("pipeline", args.pipeline or catalog.DEFAULT_PIPELINE).Params,
            {name: value for name in args.param_names if (value := getattr(args, name)) is not None},
        )
    parse_curve(getattr(args, "emotion", None) or "neutral")
    for use in getattr(args, "adapters", None) or []:
        AdapterUse.parse(use)


def test_every_module_that_is_run_exists() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    ours = set(re.findall(r"-m ((?:benchmarks|training|studio)\.[\w.]*\w)", text))
    assert "studio.emotion.report" in ours
    paths = {name: ROOT / name.replace(".", "/") for name in ours}
    missing = [
        name for name, path in paths.items()
        if not path.with_suffix(".py").is_file() and not (path / "__main__.py").is_file()
    ]  # fmt: skip
    assert missing == []


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python_blocks_compile_and_those_without_a_model_run(
    page: Path, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = compile(code, str(page), "exec")
    if not any(word in code for word in NEEDS_A_MODEL):
        monkeypatch.chdir(ROOT)
        exec(program, {"__name__": "__docs__"})


@pytest.mark.parametrize(("page", "code"), blocks("toml"))
def test_toml_blocks_are_toml(page: Path, code: str) -> None:
    assert tomllib.loads(code)


def test_the_table_of_taxonomies_is_complete() -> None:
    rows = [row for row in table_rows("docs/emotions.md") if len(row) == 3 and row[1].isdigit()]
    told = {code_words(row[0])[0]: int(row[1]) for row in rows}
    assert told == {name: len(taxonomy.labels) for name, taxonomy in lexicon().taxonomies.items()}


def test_the_emotion_forms_are_read() -> None:
    rows = list(table_rows("docs/emotions.md"))
    start = rows.index(["form", "example", "means"])
    forms = [row[1] for row in rows[start + 1 :] if len(row) == 3][:9]
    assert len(forms) == 9
    for form in forms:
        parse_curve(code_words(form)[0])


def test_words_of_taxonomies_exist() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    names = "|".join(lexicon().taxonomies)
    qualified = {word for word in code_words(FENCE.sub("", text)) if re.match(rf"({names})/", word)}
    assert "mikels/awe" in qualified
    for word in qualified:
        parse_curve(word)


def test_the_words_to_mind_lie_where_the_table_says() -> None:
    found = 0
    for row in table_rows("docs/emotions.md"):
        told = re.search(r"\bv ([+-]\.\d\d)", row[1]) if row[0].startswith("`") and len(row) == 3 else None
        if told:
            found += 1
            assert lexicon().lookup(code_words(row[0])[0]).vad.valence == pytest.approx(
                float(told[1]), abs=0.0051
            )
    assert found >= 4


def test_the_figures_of_the_report_are_those_of_today() -> None:
    good, total, share = re.findall(r"[\d.]+%?", report.lines()[-1])
    text = " ".join(text_of("docs/emotions.md").split())
    assert f"{good} of {total} ({share})" in text
    labels = [label for name in lexicon().taxonomies for label in lexicon().labels(name) if label.point]
    assert f"{len(labels) - int(total)} other labels" in text


def test_messages_that_are_shown_are_the_real_ones() -> None:
    shown = re.findall(r"^(?:emotion|taxonomy): .*$", text_of("docs/emotions.md"), re.MULTILINE)
    texts = ("contentmnt", "joy:3", "0.6 joy + fear", "0.6 joy", "joy, fear", "mikel/awe")
    real = []
    for text in texts:
        with pytest.raises(EmotionError) as caught:
            parse_curve(text)
        real.append(str(caught.value))
    assert shown == real


def test_the_vocabulary_of_the_embedded_model_is_the_painters() -> None:
    rows = [row for row in table_rows("docs/images.md") if row[0].startswith("`")]
    told = {code_words(row[0])[0]: row[1:] for row in rows}
    for scene, subjects in SUBJECTS.items():
        phrases = told[scene][0].split(" · ")
        assert len(phrases) == len(subjects)
        for subject, phrase in zip(subjects, phrases, strict=True):
            assert phrase in SUBJECT_PHRASES[scene, subject]
    for name, sides in {**STYLE_WORDS, **ATTRIBUTE_WORDS}.items():
        assert told[name] == [", ".join(words) for words in sides]


def test_the_parameters_and_schedulers_are_all_described() -> None:
    text = text_of("docs/images.md")
    specs = catalog.param_specs("image/sd")
    words = set(code_words(FENCE.sub("", text)))
    assert {spec.name for spec in specs} <= words
    assert {choice for spec in specs for choice in spec.choices} <= words


def test_every_environment_variable_named_is_a_setting() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    named = set(re.findall(rf"{PREFIX}([A-Z_]+)", text))
    assert named == {name.upper() for name in Settings.__slots__}


def test_the_gate_bases_are_all_described() -> None:
    first = {word for row in table_rows("docs/adapters.md") for word in code_words(row[0])}
    assert set(gates.NAMES) <= first


def test_no_file_names_a_private_folder() -> None:
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    marks = [mark.encode() for mark in PRIVATE]
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    texts = {path: path.read_bytes() for path in paths if path.is_file()}
    found = [
        str(path.relative_to(ROOT)) for path, content in texts.items()
        if b"\0" not in content[:8192] and any(mark in content for mark in marks)
    ]  # fmt: skip
    assert found == []
