"""The tables and what the lexicon makes of them: words to points, points to mixtures."""

from __future__ import annotations

import csv
import math
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.emotion import NEUTRAL, VAD, Label, facts, lexicon, parse_emotion, report, tables
from studio.errors import EmotionError, NotFoundError

WORDS = lexicon()
LABELS = [label for name in WORDS.taxonomies for label in WORDS.labels(name)]
SIZES = {
    "ekman": 6, "ekman7": 7, "plutchik": 48, "plutchik8": 8, "parrott": 136, "parrott6": 6, "mikels": 8,
    "emovid": 8, "emotic": 26, "emoart": 12, "goemotions": 28, "emonet": 40, "kote": 44, "affectnet": 8,
    "mead": 8, "iemocap": 10, "meld": 7, "cremad": 6, "emodb": 7, "ravdess": 8, "russell": 4, "gew": 20,
    "wikiart": 20, "occ": 24, "octants": 8, "terms": 151,
}  # fmt: skip
WITHOUT_POINT = {"emonet/Intoxication/Altered States of Consciousness", "iemocap/other"}
unit = st.floats(-1, 1)
# Busy machines are slow: no deadline, and fewer examples keep the folder within seconds.
brief = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
vads = st.builds(VAD, unit, unit, unit)

# term: N, V, A, D, SDs as printed in Russell & Mehrabian 1977, Table 4; most are wrong in some public copy.
PRINTED = {
    "sad": (30, -0.63, -0.27, -0.33, 0.23, 0.34, 0.22),
    "grateful": (28, 0.64, 0.16, -0.21, 0.23, 0.22, 0.34),
    "insecure": (27, -0.57, 0.14, -0.42, 0.34, 0.42, 0.29),
    "capable": (29, 0.70, 0.28, 0.61, 0.24, 0.27, 0.31),
    "guilty": (29, -0.57, 0.28, -0.34, 0.19, 0.38, 0.28),
    "egotistical": (29, 0.24, 0.32, 0.50, 0.34, 0.25, 0.31),
    "frustrated": (27, -0.64, 0.52, -0.35, 0.18, 0.37, 0.30),
    "sheltered": (29, 0.14, -0.36, -0.44, 0.53, 0.32, 0.24),
    "angry": (29, -0.51, 0.59, 0.25, 0.20, 0.33, 0.39),
    "fearful": (29, -0.64, 0.60, -0.43, 0.20, 0.32, 0.30),
    "joyful": (29, 0.76, 0.48, 0.35, 0.22, 0.26, 0.31),
    "anxious": (28, 0.01, 0.59, -0.15, 0.45, 0.31, 0.32),
}


def same_point(one: str, other: str) -> bool:
    return WORDS.lookup(one).vad == WORDS.lookup(other).vad


@pytest.mark.parametrize(("term", "values"), PRINTED.items())
def test_terms_have_the_printed_values(term: str, values: tuple[float, ...]) -> None:
    label = WORDS.lookup(f"terms/{term}")
    assert (*label.vad.as_tuple(), *label.sd) == values[1:]
    rows = csv.DictReader((tables.FOLDER / "terms.csv").read_text(encoding="utf-8").splitlines())
    assert {row["term"]: int(row["n"]) for row in rows}[term] == values[0]


def test_the_terms_as_a_whole_have_the_means_of_the_table() -> None:
    points = [label.vad.as_tuple() for label in WORDS.labels("terms")]
    means = [math.fsum(axis) / len(points) for axis in zip(*points, strict=True)]
    assert means == pytest.approx([0.009, 0.194, 0.035], abs=5e-4)


def test_every_taxonomy_is_whole_and_its_words_differ() -> None:
    assert {name: len(taxonomy.labels) for name, taxonomy in WORDS.taxonomies.items()} == SIZES
    for taxonomy in WORDS.taxonomies.values():
        assert len({tables.normalised(label.word) for label in taxonomy.labels}) == len(taxonomy.labels)


def test_every_label_is_the_mean_of_its_terms() -> None:
    terms = {label.word: label for label in WORDS.labels("terms")}
    for label in (label for label in LABELS if label.terms):
        parts = [(*terms[term].vad.as_tuple(), *terms[term].sd) for term in label.terms]
        means = [math.fsum(column) / len(parts) for column in zip(*parts, strict=True)]
        assert (*label.vad.as_tuple(), *label.sd) == pytest.approx(means, abs=6e-4), label.name


@pytest.mark.parametrize("taxonomy", SIZES)
def test_every_label_looks_up_and_parses_or_says_that_it_has_no_point(taxonomy: str) -> None:
    for label in WORDS.labels(taxonomy):
        assert WORDS.lookup(label.name) == label
        assert all(WORDS.lookup(f"{taxonomy}/{alias}") == label for alias in label.aliases), label.name
        if label.name in WITHOUT_POINT:
            with pytest.raises(EmotionError, match="has no point"):
                parse_emotion(label.name)
            with pytest.raises(EmotionError, match="has no point"):
                _ = label.vad
        else:
            assert parse_emotion(label.name).vad == label.vad


def test_doubtful_labels_say_so() -> None:
    for label in LABELS:
        assert label.source, label.name
        if label.match in {"weak", "none"}:
            assert label.warning, label.name
        if label.match in {"weak", "composite", "convention", "none"}:
            assert label.reason, label.name


def test_a_label_cannot_have_a_match_without_a_point() -> None:
    with pytest.raises(EmotionError, match="'x/y' cannot have match 'weak'"):
        Label("y", "x", None, (0.0, 0.0, 0.0), match="weak")


def test_known_traps_are_avoided() -> None:
    assert WORDS.lookup("anxiety").vad.valence < -0.25 and same_point("anxious", "anxiety")
    assert WORDS.lookup("aggressiveness").vad.valence < -0.25 and same_point("aggressive", "aggressiveness")
    assert WORDS.lookup("terms/anxious").vad.valence == 0.01
    assert WORDS.lookup("mikels/awe").vad.valence > WORDS.lookup("plutchik/awe").vad.valence
    assert WORDS.lookup("plutchik/boredom").vad.arousal > WORDS.lookup("boredom").vad.arousal + 0.3
    assert WORDS.lookup("emoart/glad").vad.arousal < WORDS.lookup("emoart/happy").vad.arousal - 0.3
    assert "pleasant" in WORDS.lookup("surprise").warning
    angry, fearful = WORDS.lookup("anger").vad, WORDS.lookup("fear").vad
    assert angry.dominance > 0.2 > -0.4 > fearful.dominance


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("joy", "joyful"), ("happy", "happiness"), ("awe", "awed"), ("calm", "calmness"), ("sad", "sadness"),
        ("Sadness", " sadness "), ("emotional-numbness", "Emotional Numbness"), ("bored", "boredom"),
        ("Doubt / Confusion", "emotic/doubt/confusion"), ("기쁨", "joy"), ("emodb/W", "anger"),
        ("ravdess/05", "angry"), ("cremad/HAP", "happy"), ("emoset/awe", "mikels/awe"), ("kpoem/joy", "joy"),
        ("emopia/Q1", "russell/q1"), ("octants/+-+", "octants/relaxed"), ("cheerful", "cheerfulness"),
        ("meld/joy", "joy"), ("relaxed", "terms/relaxed"), ("love", "gew/love"), ("iemocap/ang", "anger"),
    ],
)  # fmt: skip
def test_spellings_of_one_feeling(one: str, other: str) -> None:
    assert same_point(one, other)


def test_a_bare_word_takes_the_best_match() -> None:
    ranks: dict[str, list[int]] = {}
    for label in LABELS:
        ranks.setdefault(tables.normalised(label.word), []).append(tables.MATCHES.index(label.match))
    overridden = {alias.word for alias in tables.read_aliases()}
    bare = set(WORDS.words()) & set(ranks) - overridden
    assert len(bare) > 400
    for word in bare:
        assert tables.MATCHES.index(WORDS.lookup(word).match) == min(ranks[word]), word


def test_every_bare_word_can_be_written_in_the_grammar() -> None:
    assert [word for word in WORDS.words() if set(word) & set("+,@:=")] == []
    for word in WORDS.words():
        if WORDS.lookup(word).point:
            assert parse_emotion(word).vad == WORDS.lookup(word).vad, word


def test_only_documented_aliases_go_against_a_label() -> None:
    own = {tables.normalised(label.word) for label in LABELS}
    aliases = tables.read_aliases()
    overrides = {alias.word for alias in aliases if alias.kind == "override"}
    assert overrides == {alias.word for alias in aliases if alias.word in own}
    assert overrides == {"anxious", "aggressive", "glad"}
    assert all(WORDS.lookup(alias.word) is WORDS.lookup(alias.target) for alias in aliases)


@pytest.mark.parametrize(
    ("taxonomy", "level", "factor"),
    [("mead", "level_1", 0.5), ("mead", "level_3", 1.0), ("cremad", "MD", 0.75), ("ravdess", "normal", 0.75)],
)
def test_levels_scale_the_distance_from_neutral(taxonomy: str, level: str, factor: float) -> None:
    label = next(label for label in WORDS.labels(taxonomy) if label.vad.intensity)
    at_level = WORDS.lookup(f"{label.name} {level.lower()}")
    assert at_level.vad == label.vad.scaled(factor)
    assert WORDS.lookup(at_level.name) == at_level


@brief
@given(vads, st.sampled_from(list(SIZES)))
def test_weights_are_shares_and_the_nearest_has_the_largest(point: VAD, taxonomy: str) -> None:
    weights = WORDS.weights(point, taxonomy)
    assert math.fsum(weights.values()) == pytest.approx(1.0)
    assert min(weights.values()) >= 0.0
    assert list(weights) == [label.word for label in WORDS.labels(taxonomy) if label.point]
    assert weights[WORDS.nearest(point, taxonomy).word] == max(weights.values())


def test_weights_follow_the_kernels() -> None:
    first, second = WORDS.kernels("ekman")[:2]
    point = VAD(-0.5, 0.4, 0.2)

    def density(mean: tuple[float, ...], sd: tuple[float, ...]) -> float:
        axes = zip(point.as_tuple(), mean, sd, strict=True)
        return math.prod(math.exp(-(((x - m) / s) ** 2) / 2) / s for x, m, s in axes)

    weights = WORDS.weights(point, "ekman")
    expected = density(first.mean, first.sd) / density(second.mean, second.sd)
    assert weights[first.word] / weights[second.word] == pytest.approx(expected)


def test_kernels_shrink_measured_spreads_and_keep_conventions() -> None:
    kernels = {kernel.word: kernel.sd for kernel in WORDS.kernels("ekman7")}
    assert kernels["neutral"] == (0.2, 0.2, 0.2)
    assert kernels["anger"] == pytest.approx((0.26, 0.3225, 0.3375))


@pytest.mark.parametrize("taxonomy", ["ekman7", "goemotions", "mead", "kote", "wikiart", "ravdess"])
def test_neutral_is_read_at_the_origin_and_only_near_it(taxonomy: str) -> None:
    neutral = WORDS.nearest(NEUTRAL, taxonomy)
    assert neutral.vad == NEUTRAL
    assert WORDS.weights(VAD(0.7, 0.5, 0.3), taxonomy)[neutral.word] < 0.02


def test_labels_that_can_be_told_apart_are_read_at_their_own_points() -> None:
    clear = [x for x in LABELS if x.point and report.separation(x) >= report.DISTINGUISHABLE]
    good = [label for label in clear if report.recovered(label)]
    assert len(clear) > 300
    assert len(good) / len(clear) >= 0.95
    everyday = [x for x in clear if x.taxonomy in {"ekman7", "mikels", "affectnet", "goemotions", "emonet"}]
    assert all(report.recovered(label) for label in everyday)


def test_the_report_has_a_line_for_each_taxonomy() -> None:
    lines = report.lines()
    assert [line.split()[0] for line in lines[1:-1]] == list(SIZES)
    assert any("contempt reads scorn" in line for line in lines)


def test_separation_counts_standard_deviations_to_the_closest() -> None:
    assert report.separation(WORDS.lookup("parrott/fury")) == 0.0
    assert report.separation(WORDS.lookup("russell/Q1")) == pytest.approx(1.0 / 0.35)


def test_an_inferred_emotion_has_shares_from_large_to_small() -> None:
    emotion = WORDS.emotion(WORDS.lookup("anger").vad)
    shares = [share for _, share in emotion.weights]
    assert emotion.weights[0][0] == "anger"
    assert shares == sorted(shares, reverse=True) and math.fsum(shares) == pytest.approx(1.0)


def test_describe_speaks_of_the_axes() -> None:
    assert WORDS.describe(NEUTRAL) == "neutral"
    assert WORDS.describe(WORDS.lookup("fear").vad) == "fear: very unpleasant, very energetic, powerless"
    assert "slightly quiet" in WORDS.describe(VAD(-0.63, -0.27, -0.33))


@pytest.mark.parametrize(
    ("word", "message", "near"),
    [
        ("contentmnt", "unknown emotion 'contentmnt' at column 1", "contentment"),
        ("mikels/aw", "unknown emotion 'aw' in mikels at column 8", "awe"),
        ("mikel/awe", "unknown taxonomy 'mikel' at column 1", "mikels"),
        ("kote/기쁨들", "unknown emotion '기쁨들' in kote at column 6", "기쁨"),
        ("qqqq", "unknown emotion 'qqqq' at column 1", None),
        ("fea", "unknown emotion 'fea' at column 1", "fear"),
        ("W", "unknown emotion 'W' at column 1", None),
        ("mead/happy level_4", "unknown emotion 'happy level_4' in mead at column 6", "happy level_3"),
    ],
)
def test_unknown_words_name_word_column_and_nearest(word: str, message: str, near: str | None) -> None:
    with pytest.raises(EmotionError) as caught:
        WORDS.lookup(word)
    assert message in str(caught.value)
    assert caught.value.suggestion == near


def test_an_unknown_taxonomy_is_named() -> None:
    with pytest.raises(EmotionError, match=r"unknown taxonomy 'ekmann'.*'ekman'"):
        WORDS.weights(NEUTRAL, "ekmann")


def test_plutchik_and_parrott_keep_their_structure() -> None:
    plutchik = WORDS.taxonomy("plutchik")
    words = {label.word for label in plutchik.labels}
    assert len(plutchik.details["dyads"]) == 24 and set(plutchik.details["dyads"]) <= words
    assert {word for three in plutchik.details["intensities"].values() for word in three} <= words
    tree = WORDS.taxonomy("parrott").details["tree"]
    leaves = [word for groups in tree.values() for group in groups.values() for word in group]
    headings = {heading for groups in tree.values() for heading in groups}
    assert len(leaves) == len(set(leaves)) == 135
    assert set(leaves) | set(tree) | headings == {label.word for label in WORDS.labels("parrott")}


def test_facts_agree_with_the_labels_and_with_their_traps() -> None:
    occ = facts("occ")["emotions"]
    for label in WORDS.labels("occ"):
        values = occ[label.word]["vad"]
        assert all(a == b for a, b in zip(values, label.vad.as_tuple(), strict=True) if a is not None)
    assert [word for word, entry in occ.items() if None in entry["vad"]] == ["distress"]
    assert facts("personality")["equations"]["arousal"]["stability"] == -0.57
    assert facts("colour")["valdez_mehrabian_1994"]["equations"]["dominance"]["brightness"] == -0.76
    with pytest.raises(NotFoundError, match="did you mean 'colour'"):
        facts("color")


def test_importing_reads_no_tables_and_no_heavy_module() -> None:
    code = (
        "import sys, studio.emotion; from studio.emotion.lexicon import lexicon;"
        "print(lexicon.cache_info().currsize, *({'numpy', 'torch', 'gradio'} & set(sys.modules)))"
    )
    root = tables.FOLDER.parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.split() == ["0"]
