"""Prompts files: three shapes, one meaning; every bad line with its number; memory that does not grow."""

from __future__ import annotations

import json
import re
import tracemalloc
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio import catalog
from studio._prompt_grid import expand
from studio._prompt_tags import parse_line
from studio.errors import InputError, PromptsFileError, StudioError
from studio.prompts import MAX_LISTED_PROBLEMS, PromptRow, check_prompts, checked_rows, read_prompts
from tests.studio import paintbox

DEFAULTS = {"pipeline": paintbox.NAME}


@pytest.fixture(autouse=True)
def _paintbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "load", partial(paintbox.load, catalog.load))


class Desk:
    """Writes prompts files and reads them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def rows(self, name: str, content: str | bytes, **defaults: Any) -> list[PromptRow]:
        return list(read_prompts(self.write(name, content), {**DEFAULTS, **defaults}))

    def problems(self, name: str, content: str | bytes) -> list[tuple[int, str]]:
        with pytest.raises(PromptsFileError) as caught:
            read_prompts(self.write(name, content), DEFAULTS)
        return list(caught.value.problems)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_three_shapes_mean_the_same(desk: Desk) -> None:
    text = desk.rows(
        "a.txt", "a red boat --emotion joy:0.5 --seed 7 --steps 3 --cfg_scale 6.5 --w 32 --n people\n"
    )
    table = desk.rows(
        "a.csv", "prompt,emotion,seed,steps,cfg_scale,w,n\na red boat,joy:0.5,7,3,6.5,32,people\n"
    )
    values = {
        "prompt": "a red boat",
        "emotion": "joy:0.5",
        "seed": 7,
        "steps": 3,
        "guidance": 6.5,
        "width": 32,
    }
    objects = desk.rows("a.jsonl", json.dumps({**values, "negative_prompt": "people"}))
    assert text[0].request == table[0].request == objects[0].request
    assert objects[0].request.params == paintbox.Params(steps=3, guidance=6.5, width=32)


def test_rows_are_counted_after_expansion_and_know_their_lines(desk: Desk) -> None:
    rows = desk.rows("a.txt", "# boats\n\na {red|blue} boat\nsea --seed 1..3\n")
    assert [(row.number, row.line) for row in rows] == [(1, 3), (2, 3), (3, 4), (4, 4), (5, 4)]
    assert [row.request.prompt for row in rows[:2]] == ["a red boat", "a blue boat"]
    assert [row.request.seed for row in rows[2:]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("a boat", {"prompt": "a boat"}),
        ("a boat -- at sea - old", {"prompt": "a boat -- at sea - old"}),
        ("the fisherman's hut --steps 3", {"prompt": "the fisherman's hut", "steps": "3"}),
        ("--prompt a boat --seed 5", {"prompt": "a boat", "seed": "5"}),
        ('--prompt "a --steps boat" --seed=5', {"prompt": "a --steps boat", "seed": "5"}),
        ("--prompt 'tis the season --seed 5", {"prompt": "'tis the season", "seed": "5"}),
        ("--prompt 'so it is' --seed 5", {"prompt": "so it is", "seed": "5"}),
        (r'--prompt "say \"sea\"" --seed 5', {"prompt": 'say "sea"', "seed": "5"}),
        ('sea --negative_prompt ""', {"prompt": "sea", "negative_prompt": ""}),
        ("sea --d 5 --n mud", {"prompt": "sea", "seed": "5", "negative_prompt": "mud"}),
        ("sea --adapter one:0.5 --lora two", {"prompt": "sea", "adapters": ["one:0.5", "two"]}),
        ("sea --seed -5", {"prompt": "sea", "seed": "-5"}),
        ("sea --negative-prompt mud", {"prompt": "sea", "negative_prompt": "mud"}),
        ("--i face.png --prompt x", {"inputs.image": "face.png", "prompt": "x"}),
    ],
)
def test_text_lines(line: str, values: dict[str, Any]) -> None:
    assert parse_line(line) == values


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ({"prompt": "a {red|blue} {boat|ship}"}, ["a red boat", "a red ship", "a blue boat", "a blue ship"]),
        ({"prompt": "{a|{b|c} d|}"}, ["a", "b d", "c d", ""]),
        ({"prompt": r"\{a|b\} {c\|d|e}"}, ["{a|b} c|d", "{a|b} e"]),
        ({"prompt": r"a|b \ c\d"}, [r"a|b \ c\d"]),
        ({"prompt": "{a}"}, ["a"]),
        ({"prompt": ["x", "{y|z}"]}, ["x", "y", "z"]),
        ({"prompt": "from 1..5 cats"}, ["from 1..5 cats"]),
        ({"emotion": "v=-0.5..0.5/3"}, ["v=-0.5", "v=0", "v=0.5"]),
        ({"emotion": "v=-1..1/2 a=0..1/2"}, ["v=-1 a=0", "v=-1 a=1", "v=1 a=0", "v=1 a=1"]),
        ({"emotion": "{joy|fear}:0.2..1/2"}, ["joy:0.2", "joy:1", "fear:0.2", "fear:1"]),
        ({"emotion": "joy:-1e..2"}, ["joy:-1e..2"]),
        ({"emotion": "v=-0.3..0.3/3"}, ["v=-0.3", "v=0", "v=0.3"]),
        ({"seed": "1..4"}, [1, 2, 3, 4]),
        ({"seed": "3..1"}, [3, 2, 1]),
        ({"seed": ["1..2", 9]}, [1, 2, 9]),
        ({"guidance": "2..3/3"}, [2, 2.5, 3]),
        ({"guidance": "2..3/1"}, [2]),
        ({"adapters": ["one", "two:0.5"]}, [["one", "two:0.5"]]),
        ({"adapters": [["one"], []]}, [["one"], []]),
        ({"inputs": {"image": "a{b"}}, [{"image": "a{b"}]),
    ],
)
def test_one_line_may_stand_for_many_rows(values: dict[str, Any], rows: list[Any]) -> None:
    (name,) = values
    assert [row[name] for row in expand(values)] == rows


def test_the_last_field_varies_fastest() -> None:
    rows = expand({"prompt": "{a|b}", "seed": [1, 2]})
    assert [tuple(row.values()) for row in rows] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"prompt": "a {b|c"}, "column 3: '{' is never closed"),
        ({"prompt": "a b} c"}, "column 4: '}' without a '{'"),
        ({"prompt": "{2$$a|b}"}, r"'\$\$' is not read"),
        ({"prompt": "{" * 50 + "}" * 50}, "nested more than 20 deep"),
        ({"prompt": "{" * 10_000}, "nested more than 20 deep"),
        ({"emotion": "v=0..1"}, "needs a count, such as 0..1/5"),
        ({"guidance": "1.5..3"}, "needs a count"),
        ({"guidance": "1..3/0"}, "count of 1 or more"),
        ({"seed": []}, "empty list"),
        ({"seed": [[1]]}, "list inside a list"),
        ({"seed": "0..4294967295"}, "stands for 4,294,967,296 rows; at most 100,000"),
        ({"seed": "0..99999999999999999999"}, "at most 100,000"),
        ({"prompt": "{a|b}" * 30}, "stands for 1,073,741,824 rows"),
        ({"prompt": "{a|b}" * 10, "seed": "1..1000"}, "row: stands for 1,024,000 rows"),
        ({"emotion": "v=0..1/1000 a=0..1/1000"}, "stands for 1,000,000 rows"),
    ],
)
def test_what_cannot_be_expanded_says_why(values: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        expand(values)


@given(st.text(alphabet="ab{}|\\ $", max_size=30))
def test_braces_expand_or_say_why(text: str) -> None:
    try:
        rows = [row["prompt"] for row in expand({"prompt": text})]
    except InputError as error:
        assert "column" in str(error)
    else:
        assert rows and all(isinstance(row, str) for row in rows)


@given(st.text(alphabet="a-\"' =\\{}|", max_size=30))
def test_any_text_line_is_read_or_refused(text: str) -> None:
    try:
        values = parse_line(text)
    except InputError:
        return
    assert all(isinstance(value, str) for value in values.values())


def test_every_bad_line_is_reported_with_its_number(desk: Desk) -> None:
    lines = {
        1: ("fine", None),
        2: ("sea --emotion contentmnt", "did you mean 'contentment'?"),
        3: ("sea --stepz 3", "did you mean 'steps'?"),
        4: ("sea --steps", "--steps needs a value"),
        5: ("sea --steps many", "expected a whole number, got 'many'"),
        6: ("sea --steps 5000", "must be in [1, 1000], got 5000"),
        7: ("sea --outpath_samples /etc", "cannot choose where files go"),
        8: ("sea --n_iter 4", "seed 1..4"),
        9: ("sea --seed 1 --d 2", "seed: is given twice"),
        10: ("--emotion joy", "prompt: is empty"),
        11: ("sea --pipeline image/sdd", "unknown pipeline 'image/sdd'"),
        12: ("sea --sampler_name eular", "did you mean 'euler'?"),
        13: ("sea --adapter vaddy", "unknown adapter 'vaddy'"),
        14: ("a {b sea", "'{' is never closed"),
        15: ('sea --n "mud', "quote is never closed"),
    }
    found = dict(desk.problems("a.txt", "\n".join(line for line, _ in lines.values())))
    assert sorted(found) == [number for number, (_, why) in lines.items() if why]
    for number, (_, why) in lines.items():
        assert why is None or why in found[number]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"prompt": "sea", }', "column 19"),
        ('{"prompt": "sea"', "column 17"),
        ('["sea"]', "is not an object"),
        ('"sea"', "is not an object"),
        ('{"prompt": "sea", "prompt": "land"}', "prompt: is given twice"),
        ('{"prompt": "sea", "guidance": NaN}', "NaN is not a number"),
        ('{"prompt": "sea", "guidance": 1e999}', r"must be in \[0, 30\]"),
        ('{"prompt": "sea", "seed": 1' + "0" * 400 + "}", "seed"),
        ('{"prompt": "sea", "seed": 1' + "0" * 5000 + "}", "too long"),
        ('{"prompt": 5}', "prompt: expected text, got 5"),
        ('{"prompt": {"text": "sea"}}', "prompt: is an object"),
        ('{"prompt": "sea", "emotion": {"v": 1}}', "emotion: is an object"),
        ('{"prompt": "sea", "emotion": 0.5}', "emotion: expected text"),
        ('{"prompt": "sea", "steps": 2.5}', "expected a whole number, got 2.5"),
        ('{"prompt": "sea", "steps": true}', "expected a whole number, got True"),
        ('{"prompt": "sea", "w": 16, "width": 16}', "width: is given twice, as 'w' and as 'width'"),
        ('{"prompt": "a \\ud800 b"}', "half a character"),
        ("[" * 3000, "JSON"),
        ("[" * 50_000, "JSON"),
    ],
)
def test_bad_objects_say_why_and_where(desk: Desk, line: str, why: str) -> None:
    ((number, reason),) = desk.problems("a.jsonl", '{"prompt": "sea"}\n\n' + line)
    assert number == 3
    assert re.search(why, reason), reason


def test_null_and_empty_cells_are_defaults(desk: Desk) -> None:
    (row,) = desk.rows("a.jsonl", '{"prompt": "sea", "steps": null}', steps=9)
    assert row.request.params.steps == 9
    first, second = desk.rows("a.csv", "prompt;steps;emotion\nsea;;\nland;5;joy\n", steps=9)
    assert (first.request.params.steps, second.request.params.steps) == (9, 5)
    assert (first.request.curve.text, second.request.curve.text) == ("neutral", "joy")


def test_tables(desk: Desk) -> None:
    text = 'prompt,emotion\r\n"a boat, red","{joy|calm}"\r\n\r\n"two\nlines",fear\r\nshort\r\n'
    rows = desk.rows("a.csv", b"\xef\xbb\xbf" + text.encode())
    assert [(row.line, row.request.prompt) for row in rows] == [
        (2, "a boat, red"),
        (2, "a boat, red"),
        (4, "two\nlines"),
        (6, "short"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("promt,emotion\nsea,joy\n", 1, "did you mean 'prompt'?"),
        ("prompt,prompt\nsea,sea\n", 1, "names 'prompt' twice"),
        ("prompt,,seed\nsea,,1\n", 1, "without a name"),
        ("prompt,outpath_samples\nsea,/etc\n", 1, "cannot choose where files go"),
        ("prompt,seed\na boat, red,5\n", 2, "has 3 cells for 2 columns"),
        ('prompt,seed\nsea,1\n"sea,2\nland,3\n', 3, "cannot be read as a table row"),
        ("emotion\njoy\n", 2, "prompt: is empty"),
        ("prompt,seed\nsea,x\n", 2, "seed: expected a whole number, got 'x'"),
    ],
)
def test_bad_tables(desk: Desk, text: str, line: int, why: str) -> None:
    ((number, reason),) = desk.problems("a.csv", text)
    assert number == line and why in reason


def test_a_table_with_a_pipeline_column_may_name_any_parameter(desk: Desk) -> None:
    path = desk.write("a.csv", f"prompt,pipeline,scheduler\nsea,{paintbox.NAME},Euler a\n")
    (row,) = read_prompts(path)
    assert row.request.params.scheduler == "euler_a"


def test_encodings_and_line_ends(desk: Desk) -> None:
    rows = desk.rows("a.txt", "\ufeffa café\r\nthe sea\rthe land".encode())
    assert [(row.line, row.request.prompt) for row in rows] == [
        (1, "a café"),
        (2, "the sea"),
        (3, "the land"),
    ]
    ((line, why),) = desk.problems("b.txt", b"fine\nthe caf\xe9 here\n")
    assert line == 2 and why == "column 8: byte 0xE9 is not UTF-8; save the file as UTF-8"
    assert "0xE9" in desk.problems("b.jsonl", b'{"prompt": "caf\xe9"}')[0][1]
    assert "0xE9" in desk.problems("b.csv", b"prompt\ncaf\xe9\n")[0][1]
    assert "longer than 100,000" in desk.problems("c.txt", b"x" * 3_000_000 + b"\nfine")[0][1]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("empty.txt", b"", "holds no prompts"),
        ("empty.csv", b"\n", "holds no prompts"),
        ("header.csv", b"prompt,seed\n", "holds no prompts"),
        ("comments.jsonl", b"# nothing\n\n", "holds no prompts"),
        ("picture.txt", b"\x89PNG\r\n\x1a\n\0\0\0", "is not text"),
        ("wide.txt", "sea".encode("utf-16"), "UTF-16"),
        ("list.json", b"[]", "write .jsonl"),
        ("sheet.xlsx", b"PK", "are not read"),
    ],
)
def test_files_that_hold_no_prompts(desk: Desk, name: str, content: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        check_prompts(desk.write(name, content), DEFAULTS)


def test_a_folder_and_a_missing_file(desk: Desk) -> None:
    desk.write("prompts.txt", "sea")
    with pytest.raises(InputError, match="is a folder"):
        check_prompts(desk.folder, DEFAULTS)
    with pytest.raises(InputError, match=r"no such prompts file; did you mean 'prompts\.txt'\?"):
        check_prompts(desk.folder / "prompt.txt", DEFAULTS)


def test_keep_going_gives_the_good_rows_and_tells_the_bad(desk: Desk) -> None:
    path = desk.write("a.txt", "sea\nsea --stepz 2\nland --emotion {joy|jjjjjj}\n")
    told: list[tuple[int, str]] = []
    rows = list(
        read_prompts(path, DEFAULTS, True, lambda problem: told.append((problem.line, problem.reason)))
    )
    assert [(row.number, row.request.prompt) for row in rows] == [(1, "sea"), (3, "land")]
    assert [line for line, _ in told] == [2, 3]
    assert len(list(read_prompts(path, DEFAULTS, keep_going=True))) == 2
    with pytest.raises(PromptsFileError):
        read_prompts(desk.write("b.txt", "sea --stepz 2"), DEFAULTS, keep_going=True)


def test_only_the_first_problems_are_listed_and_all_are_counted(desk: Desk) -> None:
    path = desk.write("a.txt", "sea --stepz 2\n" * 80)
    with pytest.raises(PromptsFileError, match="80 bad lines") as caught:
        read_prompts(path, DEFAULTS)
    assert len(caught.value.problems) == MAX_LISTED_PROBLEMS
    assert str(caught.value).endswith("and 30 more")


def test_a_problem_of_a_whole_grid_is_said_once(desk: Desk) -> None:
    assert len(desk.problems("a.txt", "sea --stepz 2 --seed 1..500")) == 1


def test_a_file_that_goes_bad_between_two_readings_is_refused(desk: Desk) -> None:
    path = desk.write("a.txt", "sea\n")
    rows = read_prompts(path, DEFAULTS)
    path.write_text("sea --stepz 2\n")
    with pytest.raises(PromptsFileError):
        list(rows)


def test_seeds_are_given_by_number_and_content(desk: Desk) -> None:
    def seeds(text: str, **defaults: Any) -> list[int]:
        return [row.request.seed for row in desk.rows("a.txt", text, **defaults)]

    first = seeds("sea\nland\nsea\n")
    assert first == seeds("sea\nland\nsea\n", steps=7) and len(set(first)) == 3
    assert seeds("sea\nriver\nsea\n")[::2] == first[::2]
    assert seeds("# a comment is no row\nsea") == first[:1]
    assert seeds("sea --seed 0") == [0]
    assert seeds("sea", seed=5) == [5]


def _many(count: int) -> Iterator[str]:
    return (json.dumps({"prompt": f"sea number {n}", "emotion": "joy:0.5"}) + "\n" for n in range(count))


def test_memory_does_not_grow_with_the_file(desk: Desk) -> None:
    path = desk.folder / "big.jsonl"

    def peak(count: int) -> int:
        path.write_text("".join(_many(count)))
        tracemalloc.start()
        assert check_prompts(path, DEFAULTS).rows == count
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(50)  # what is cached once
    assert peak(1200) < peak(100) + 500_000


def test_errors_are_of_the_family(desk: Desk) -> None:
    with pytest.raises(StudioError) as caught:
        list(checked_rows(desk.write("a.txt", "sea --stepz 2"), DEFAULTS))
    assert caught.value.exit_code == 2


def test_the_demo_shows_every_way_to_ask(desk: Desk) -> None:
    rows = list(read_prompts(catalog.ASSETS / "prompts" / "demo.jsonl", DEFAULTS))
    assert 24 <= len(rows) <= 60
    curves = [row.request.curve for row in rows]
    assert any(not curve.is_constant for curve in curves)
    assert any("+" in curve.text for curve in curves) and any("v=" in curve.text for curve in curves)
