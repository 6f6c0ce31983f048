"""Data sets of music files: windows of bars, what each layout says of feeling, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.music import _grid as grid
from pipelines.music._fields import WIDTH
from studio import catalog
from studio.emotion import VAD
from studio.errors import InputError
from tests import tunes
from tests.training.data_files import damaged, write_csv, write_json
from training.data import emopia, midi_folder, pop909, vgmidi, xmidi
from training.data._labels import emotion_of
from training.data._music import MusicDataset, mean, read_song

NAMES = ("emopia", "midi_folder", "pop909", "vgmidi", "xmidi")


# --- what they share --------------------------------------------------------------------------------------


def test_every_data_set_is_listed() -> None:
    assert set(NAMES) <= set(catalog.names("dataset"))


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_another_layout_is_told_what_is_expected(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.md").write_text("nothing here", "utf-8")
    with pytest.raises(InputError, match=r"no .* in folder .*; expected "):
        len(catalog.load("dataset", name).Dataset(root=str(tmp_path)))
    wrong = {
        "": "needs the data set's folder",
        str(tmp_path / "nowhere"): "nowhere' does not exist",
        str(tmp_path / "notes.md"): r"notes\.md' is a file, not a folder",
    }
    for root, message in wrong.items():
        with pytest.raises(InputError, match=message):
            len(catalog.load("dataset", name).Dataset(root=root))


def folder_of(tmp_path: Path, rows: Sequence[Mapping[str, Any]], **options: Any) -> midi_folder.Dataset:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    write_csv(tmp_path / "metadata.csv", [{name: row.get(name, "") for name in columns} for row in rows])
    return midi_folder.Dataset(root=str(tmp_path), **options)


def test_a_window_holds_bars_as_networks_take_them(tmp_path: Path) -> None:
    tunes.tune(tmp_path / "a.mid", 24)
    data = folder_of(tmp_path, [{"file_name": "a.mid", "emotion": "joy:0.5"}], bars=8, windows=3)
    assert len(data) == 3
    first, middle, last = data
    for example in (first, middle, last):
        window = example.media
        assert window.tokens.shape == window.repeated.shape == (8, WIDTH) and len(window) == 8
        assert window.lag.shape == (8,) and window.facts.shape == (8, 4)
        same = window.lag == 0
        assert (window.repeated[same] == window.tokens[same]).all()
    assert [example.attributes["first_bar"] for example in data] == [1, 9, 17]
    assert first.media.facts[0].tolist() == [0, 0, 0, 3] and last.media.facts[-1, 3] == 0
    # the tune comes again every four bars: bar 9 of the file is the same as bar 1
    assert middle.media.lag[0] in (4, 8) and middle.media.facts[0, 1] == 3
    assert (middle.media.repeated[0] == read_song(tmp_path / "a.mid").tokens[8 - middle.media.lag[0]]).all()


def test_windows_go_over_no_bars_that_were_left_out(tmp_path: Path) -> None:
    rest = 20 + 3.5
    rows = tunes.melody(5) + [(a + rest, b + rest, p, v) for a, b, p, v in tunes.melody(12)]
    odd = [(20.0, 23.0, 60, 80)]
    signatures = [(0.0, 4, 4), (20.0, 7, 8), (rest, 4, 4)]
    tunes.write(tmp_path / "a.mid", [("Piano", rows + odd)], signatures=signatures)
    data = folder_of(tmp_path, [{"file_name": "a.mid", "emotion": "joy"}], bars=16, windows=4)
    assert [(len(one.media), one.attributes["first_bar"]) for one in data] == [
        (8, 7),
        (8, 8),
        (8, 10),
        (8, 11),
    ]


@pytest.mark.parametrize(("bars", "length"), [(20, 16), (12, 8), (5, 4)])
def test_short_files_give_short_windows(tmp_path: Path, bars: int, length: int) -> None:
    tunes.tune(tmp_path / f"{bars}.mid", bars)
    data = folder_of(tmp_path, [{"file_name": f"{bars}.mid", "emotion": "joy"}])
    assert [len(example.media) for example in data] == [length, length]


def test_a_broken_file_is_an_error_of_its_examples_alone(tmp_path: Path) -> None:
    tunes.tune(tmp_path / "a.mid", 4), tunes.tune(tmp_path / "b.mid", 4), tunes.tune(tmp_path / "c.mid", 3)
    tunes.tune(tmp_path / "d.mid", 4, signatures=[(0.0, 7, 8)]), damaged(tmp_path / "b.mid", 0.5)
    names = ("a.mid", "b.mid", "c.mid", "d.mid", "e.mid")
    data = folder_of(tmp_path, [{"file_name": name, "emotion": "joy"} for name in names], windows=1)
    messages = ("no readable MIDI file", "has 3 bars; a window needs 4", "is in 7/8", "does not exist")
    assert len(data) == 5 and len(data[0].media) == 4
    for index, message in enumerate(messages, 1):
        with pytest.raises(InputError, match=message):
            data[index]
    with pytest.raises(IndexError):
        data[5]


def test_the_description_follows_files_and_options(tmp_path: Path) -> None:
    tunes.tune(tmp_path / "a.mid", 4)
    row = {"file_name": "a.mid", "emotion": "joy"}
    known = folder_of(tmp_path, [row]).description
    assert known == folder_of(tmp_path, [row]).description
    assert known != folder_of(tmp_path, [row], bars=4).description
    assert known != folder_of(tmp_path, [{**row, "emotion": "fear"}]).description
    tunes.tune(tmp_path / "a.mid", 5)
    assert known["content"] != folder_of(tmp_path, [row]).description["content"]


# --- a folder with a table ---------------------------------------------------------------------------------


def test_feelings_are_written_in_three_ways(tmp_path: Path) -> None:
    for name in "abc":
        tunes.tune(tmp_path / f"{name}.mid", 4)
    rows = [
        {"file_name": "a.mid", "emotion": "joy:0.6", "text": "a march", "composer": "me"},
        {"file_name": "b.mid", "valence": "-0.4", "arousal": "0.1"},
        {"file_name": "c.mid", "label": "Q3", "taxonomy": "emopia"},
    ]
    first, second, third = folder_of(tmp_path, rows, windows=1)
    assert first.prompt == "a march" and first.emotion.text == "joy:0.6"
    assert first.attributes["composer"] == "me" and "bars" not in first.attributes
    assert second.prompt == "b" and second.emotion.vad == VAD(-0.4, 0.1, 0.0)
    assert third.emotion == emotion_of("Q3", "emopia") and third.attributes["label"] == "Q3"


def test_feelings_bar_by_bar(tmp_path: Path) -> None:
    tunes.tune(tmp_path / "a.mid", 8)
    sad, glad = {"valence": -0.5, "arousal": -0.25}, {"valence": 0.75, "arousal": 0.5, "dominance": 0.25}
    rows = [{"file_name": "a.mid", "bar": 1, **sad}, {"file_name": "a.mid", "bar": 3, **glad}]
    whole, _ = folder_of(tmp_path, rows, bars=8)
    points = (VAD(-0.5, -0.25),) * 2 + (VAD(0.75, 0.5, 0.25),) * 6
    assert whole.attributes["bars"] == points and whole.emotion.vad == mean(points)
    _, second_half = folder_of(tmp_path, rows, bars=4)
    assert second_half.attributes["bars"] == points[4:] and second_half.attributes["first_bar"] == 5
    (tmp_path / "metadata.csv").unlink()
    line = '{"file_name": "a.mid", "bar": %d, "emotion": "%s"}'
    (tmp_path / "metadata.jsonl").write_text("\n".join([line % (1, "fear"), line % (99, "joy")]), "utf-8")
    with pytest.raises(InputError, match=r"'a\.mid' has no bar 99; its last is 8"):
        midi_folder.Dataset(root=str(tmp_path))[0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"emotion": "joyy"}, r"line 2: .*joyy.*did you mean 'joy'"),
        ({"valence": 1.4, "arousal": 0}, r"line 2: valence: must be in \[-1, 1\], got 1.4; did you mean '1'"),
        ({"valence": 0.4, "arousal": "loud"}, "line 2: arousal: expected a number, got 'loud'"),
        ({"valence": 0.4}, r"valence and arousal \(no arousal\)"),
        ({"label": "Q5", "taxonomy": "emopia"}, "unknown label 'Q5' of taxonomy 'russell'"),
        ({"label": "Q1"}, "label 'Q1' needs a taxonomy"),
        ({"emotion": "joy", "bar": "two"}, "bar: must be a whole number from 1 on, got 'two'"),
        ({"text": "x"}, "needs emotion, label, or valence and arousal"),
    ],
)
def test_bad_lines_are_told_before_anything_runs(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        len(folder_of(tmp_path, [{"file_name": "a.mid", **row}]))


def test_lines_of_one_file_must_agree(tmp_path: Path) -> None:
    twice = [{"file_name": "a.mid", "emotion": "joy"}, {"file_name": "a.mid", "emotion": "fear"}]
    with pytest.raises(InputError, match="each needs a bar, in order, none twice"):
        len(folder_of(tmp_path, twice))


# --- EMOPIA ------------------------------------------------------------------------------------------------


def emopia_files(root: Path) -> None:
    names = ("Q1_abc_0", "Q2_d_e_1", "Q3_-f_2", "Q4_xyz_0")
    for index, name in enumerate(names):
        tunes.tune(root / "midis" / f"{name}.mid", 8, 60 + index, clock=tunes.swaying(), tempo_bpm=120)
    labels = [{"ID": name, "4Q": name[1], "annotator": "A"} for name in names]
    write_csv(root / "label.csv", labels)
    gone = "Q1_gone_0.mid"  # such as those that version 2.2 withdrew
    for split, clips in {"train": [*names[:2]], "val": [names[2]], "test": [names[3]]}.items():
        listed = [f"{name}.mid" for name in clips] + [gone] * (split == "train")
        with_index = [{"": index, "clip_name": name, "songID": "s"} for index, name in enumerate(listed)]
        write_csv(root / "split" / f"{split}_clip.csv", with_index)
    write_json(root / "metadata" / "abc.json", {"title": "A  fine song", "duration": 12})


def test_emopia_takes_quadrants_from_names_and_splits_from_lists(tmp_path: Path) -> None:
    emopia_files(tmp_path)
    everything = emopia.Dataset(root=str(tmp_path), windows=1)
    assert [example.attributes["label"] for example in everything] == ["Q1", "Q2", "Q3", "Q4"]
    quadrants = [(0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)]
    found = [example.emotion.vad for example in everything]
    assert [(vad.valence, vad.arousal) for vad in found] == quadrants
    first, second = everything[0], everything[1]
    assert first.prompt == "A fine song" and second.prompt == "Q2_d_e_1"
    assert second.attributes["video"] == "d_e" and second.attributes["segment"] == 1
    assert first.attributes["annotator"] == "A"
    train = emopia.Dataset(root=str(tmp_path), windows=1, split="train")
    assert len(train) == 3 and train[1].attributes["label"] == "Q2"
    with pytest.raises(InputError, match=r"Q1_gone_0\.mid' does not exist"):
        train[2]
    assert len(emopia.Dataset(root=str(tmp_path), windows=1, split="test")) == 1


def test_emopia_refuses_unknown_quadrants_and_labels_that_disagree(tmp_path: Path) -> None:
    emopia_files(tmp_path)
    write_csv(tmp_path / "label.csv", [{"ID": "Q1_abc_0", "4Q": 3, "annotator": "A"}])
    with pytest.raises(InputError, match=r"clip 1: 4Q: label\.csv puts 'Q1_abc_0' into '3'"):
        len(emopia.Dataset(root=str(tmp_path)))
    (tmp_path / "label.csv").unlink()
    tunes.tune(tmp_path / "midis" / "Q7_abc_0.mid", 4)
    with pytest.raises(InputError, match="clip 5: label: unknown label 'Q7' of taxonomy 'russell'"):
        len(emopia.Dataset(root=str(tmp_path)))
    (tmp_path / "split" / "val_clip.csv").unlink()
    with pytest.raises(InputError, match=r"no split/val_clip\.csv in folder"):
        len(emopia.Dataset(root=str(tmp_path), split="val"))
    write_csv(tmp_path / "split" / "val_clip.csv", [{"name": "Q1_abc_0.mid"}])
    with pytest.raises(InputError, match="line 2: no clip_name"):
        len(emopia.Dataset(root=str(tmp_path), split="val"))


# --- VGMIDI ------------------------------------------------------------------------------------------------


def vgmidi_files(root: Path, **ratings: Any) -> None:
    tunes.tune(root / "labelled" / "midi" / "Sea_Game_Harbour.mid", 8)
    rater = {"age": "21-25", "country": "US", "musicianship": 1}
    first = {"valence": [-0.5] * 4 + [0.5] * 4, "arousal": [0.25] * 8, **rater}
    second = {"valence": [-0.25] * 4 + [1] * 4, "arousal": [0.75] * 8, **rater, **ratings}
    pieces = {
        "piece1": {"name": "Harbour", "midi": "midi/Sea_Game_Harbour.mid", "measures": 8, "duration": 20}
    }
    pieces["piece2"] = {"name": "unrated", "midi": "none.mid", "measures": 8, "duration": 20}
    said = {"pieces": pieces, "annotations": {"piece1_1": first, "piece1_2": second}}
    write_json(root / "labelled" / "annotations" / "vgmidi_raw_1.json", said)


def test_vgmidi_gives_each_bar_the_mean_of_its_raters(tmp_path: Path) -> None:
    vgmidi_files(tmp_path)
    data = vgmidi.Dataset(root=str(tmp_path), bars=8, windows=1)
    (example,) = data
    assert example.prompt == "Harbour" and example.attributes["raters"] == 2
    assert example.attributes["bars"] == (VAD(-0.375, 0.5),) * 4 + (VAD(0.75, 0.5),) * 4
    assert example.emotion.vad == VAD(0.1875, 0.5)
    inside = vgmidi.Dataset(root=str(tmp_path / "labelled"), bars=4, windows=2)
    assert [one.emotion.vad.valence for one in inside] == [-0.375, 0.75]


@pytest.mark.parametrize(
    ("ratings", "message"),
    [
        ({"arousal": [3] * 8}, r"arousal: piece1: must be in \[-1, 1\], got 3"),
        ({"arousal": [0.1] * 7}, "piece1: needs lists valence and arousal of the same length"),
        ({"valence": [], "arousal": []}, "piece1: is empty"),
    ],
)
def test_vgmidi_refuses_ratings_off_the_scale(tmp_path: Path, ratings: dict[str, Any], message: str) -> None:
    vgmidi_files(tmp_path, **ratings)
    with pytest.raises(InputError, match=message):
        len(vgmidi.Dataset(root=str(tmp_path)))


def test_vgmidi_refuses_another_kind_of_json(tmp_path: Path) -> None:
    write_json(tmp_path / "annotations" / "a.json", {"songs": []})
    with pytest.raises(InputError, match="must hold an object with pieces and annotations"):
        len(vgmidi.Dataset(root=str(tmp_path)))
    write_json(tmp_path / "annotations" / "a.json", {"pieces": {"p": {}}, "annotations": {"p_1": {}}})
    with pytest.raises(InputError, match="'p' needs midi, measures and duration"):
        len(vgmidi.Dataset(root=str(tmp_path)))


# --- XMIDI -------------------------------------------------------------------------------------------------


def test_xmidi_reads_names(tmp_path: Path) -> None:
    for name in ("XMIDI_angry_classical_0631TTPB", "XMIDI_warm_pop_AAAA1111", "XMIDI_happy_pop_BBBB2222"):
        tunes.tune(tmp_path / "deep" / f"{name}.midi", 4)
    data = xmidi.Dataset(root=str(tmp_path))
    assert [example.attributes["label"] for example in data] == ["angry", "happy", "warm"]
    assert data[0].emotion.vad.valence < 0 < data[2].emotion.vad.valence
    assert data[0].attributes["genre"] == "classical"
    assert len(xmidi.Dataset(root=str(tmp_path), genres="pop")) == 2
    with pytest.raises(InputError, match="'jazz' is not one of classical, pop"):
        len(xmidi.Dataset(root=str(tmp_path), genres="jazz"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("XMIDI_hapy_pop_0", r"unknown emotion 'hapy'; did you mean '.*happy'"),
        ("XMIDI_happy_pop", "is not XMIDI_<emotion>_<genre>_<id>"),
    ],
)
def test_xmidi_refuses_unknown_words_and_names(tmp_path: Path, name: str, message: str) -> None:
    tunes.tune(tmp_path / f"{name}.midi", 4)
    with pytest.raises(InputError, match=message):
        len(xmidi.Dataset(root=str(tmp_path)))


@pytest.mark.parametrize("label", sorted(xmidi.WORDS))
def test_words_of_xmidi_are_in_the_lexicon(tmp_path: Path, label: str) -> None:
    tunes.tune(tmp_path / f"XMIDI_{label}_pop_0.midi", 4)
    assert xmidi.Dataset(root=str(tmp_path))[0].emotion.text == xmidi.WORDS[label]


# --- POP909 ------------------------------------------------------------------------------------------------


def pop909_files(root: Path, songs: int, bars: int = 12) -> None:
    for number in range(1, songs + 1):
        folder = root / f"{number:03d}"
        tunes.tune(folder / f"{number:03d}.mid", bars)
        beat_s = 60 / 96
        beats = [(index * beat_s, index % 2 == 0, index % 4 == 0) for index in range(bars * 4 + 1)]
        lines = [f"{time_s} {float(half)} {float(bar)}" for time_s, half, bar in beats]
        (folder / "beat_midi.txt").write_text("\n".join(lines), "utf-8")
        names = ("C:maj", "G:maj", "A:min", "F:maj")
        spans = [(bar * 4 * beat_s, (bar + 1) * 4 * beat_s, names[bar % 4]) for bar in range(bars)]
        text = "\n".join("\t".join(map(str, span)) for span in spans)
        (folder / "chord_midi.txt").write_text(text, "utf-8")
        (folder / "key_audio.txt").write_text(f"0.0\t{bars * 4 * beat_s}\tC:maj\n", "utf-8")


def test_pop909_measures_what_bars_feel_like(tmp_path: Path) -> None:
    pop909_files(tmp_path, 5)
    assert (
        len(pop909.Dataset(root=str(tmp_path))) == 16
        and len(pop909.Dataset(str(tmp_path), split="all")) == 20
    )
    test = pop909.Dataset(root=str(tmp_path), split="test", bars=8, windows=2)
    assert [example.attributes["song"] for example in test] == ["005", "005"]
    for example in test:
        assert len(example.attributes["bars"]) == len(example.media) == 8
        assert example.emotion.vad == mean(example.attributes["bars"])
    assert test[1].attributes["first_bar"] == 5 and test[0].media.facts[0, 2] == 0
    pitches = grid.field(test[0].media.tokens, "melody")
    assert (pitches[:3] > 0).any(axis=(1, 2)).all()


def test_pop909_without_annotations_or_songs_enough(tmp_path: Path) -> None:
    pop909_files(tmp_path, 2)
    (tmp_path / "001" / "chord_midi.txt").unlink()
    data = pop909.Dataset(root=str(tmp_path), windows=1)
    with pytest.raises(InputError, match="song 001 cannot be read"):
        data[0]
    assert len(data[1].media) == 8
    with pytest.raises(InputError, match="2 songs are too few for a test"):
        len(pop909.Dataset(root=str(tmp_path), split="test"))


def test_reading_agrees_with_the_annotations(tmp_path: Path) -> None:
    """The same song by its annotations and without them."""
    pop909_files(tmp_path, 1)
    known = pop909.Dataset(root=str(tmp_path), windows=1)[0].media
    found = read_song(tmp_path / "001" / "001.mid").tokens[: len(known)]
    for name in ("melody", "voices", "chord", "mode"):
        assert np.array_equal(grid.field(known.tokens, name), grid.field(found, name)), name


def test_all_five_offer_the_same() -> None:
    for name in NAMES:
        assert issubclass(catalog.load("dataset", name).Dataset, MusicDataset)
