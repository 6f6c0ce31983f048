"""The painter: same arguments, same picture; every scene in every style; each part of a feeling shows."""

import re
from dataclasses import replace

import numpy as np
import pytest

from training.synthesis.captions import WORDS, caption, scene_of
from training.synthesis.painter import (
    SCENES,
    STYLES,
    Attributes,
    Spec,
    paint,
    sample_spec,
)
from training.synthesis.spec import SUBJECTS

PLAIN = (0.0, 0.0, 0.0)
FEELING_WORDS = frozenset(
    [
        "happy",
        "happiness",
        "joy",
        "joyful",
        "cheerful",
        "merry",
        "glad",
        "calm",
        "peaceful",
        "serene",
        "tranquil",
        "content",
        "relaxed",
        "excited",
        "exciting",
        "thrilled",
        "sad",
        "sadness",
        "gloomy",
        "melancholy",
        "lonely",
        "lone",
        "sorrow",
        "angry",
        "anger",
        "rage",
        "furious",
        "fear",
        "fearful",
        "afraid",
        "scared",
        "scary",
        "eerie",
        "ominous",
        "menacing",
        "terror",
        "anxious",
        "tense",
        "disgust",
        "surprised",
        "proud",
        "powerful",
        "weak",
        "helpless",
        "tender",
        "love",
        "hope",
        "hopeful",
        "despair",
        "bored",
        "boring",
        "tired",
        "moody",
        "dramatic",
        "wild",
        "gentle",
        "cosy",
        "dreary",
        "bleak",
        "smiling",
        "frowning",
        "crying",
        "laughing",
        "feeling",
        "mood",
        "emotion",
        "emotional",
    ]
)


def colourfulness(picture: np.ndarray) -> float:
    """Hasler & Suesstrunk 2003, signed opponent channels."""
    red, green, blue = (picture[..., i].astype(float) for i in range(3))
    rg, yb = red - green, 0.5 * (red + green) - blue
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def luminance(picture: np.ndarray) -> float:
    return float((picture.astype(float) @ np.array([0.2126, 0.7152, 0.0722])).mean())


def warmth(picture: np.ndarray) -> float:
    """Mean of red less blue."""
    return float((picture[..., 0].astype(float) - picture[..., 2]).mean())


def edge_energy(picture: np.ndarray) -> float:
    """Mean gradient of the grey picture."""
    down, right = np.gradient(picture.mean(2))
    return float(np.hypot(down, right).mean())


def over_scenes(statistic, vad: tuple[float, float, float], style: str = "gouache") -> np.ndarray:
    """The statistic of one picture per scene, all else equal."""
    specs = [Spec(scene, SUBJECTS[scene][i % 3], style) for i, scene in enumerate(SCENES)]
    return np.array([statistic(paint(spec, vad, i, 64)) for i, spec in enumerate(specs)])


@pytest.mark.parametrize("size_px", [64, 128])
@pytest.mark.parametrize("style", STYLES)
def test_every_scene_paints_in_every_style(style: str, size_px: int) -> None:
    rng = np.random.default_rng(1)
    for scene in SCENES:
        picture = paint(sample_spec(rng, scene, style), tuple(rng.uniform(-1, 1, 3)), 3, size_px)
        assert picture.dtype == np.uint8
        assert picture.shape == (size_px, size_px, 3)
        assert picture.mean(2).std() > 5, f"{scene} in {style} is an empty picture"


def test_enough_scenes_styles_and_subjects() -> None:
    assert len(SCENES) >= 16 and len(STYLES) >= 12
    assert all(3 <= len(subjects) <= 6 for subjects in SUBJECTS.values())


@pytest.mark.parametrize("corner", [(-1, -1, -1), (-1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, -1), (1, 1, 1)])
def test_every_subject_paints_at_the_corners_of_feeling(corner: tuple[float, float, float]) -> None:
    for scene in SCENES:
        for subject in SUBJECTS[scene]:
            assert paint(Spec(scene, subject, "flat"), corner, 0, 32).std() > 3


def test_same_arguments_give_the_same_bytes() -> None:
    for i, style in enumerate(STYLES):
        spec = sample_spec(np.random.default_rng(i), style=style)
        first = paint(spec, (0.3, 0.8, -0.4), 11)
        assert np.array_equal(first, paint(spec, (0.3, 0.8, -0.4), 11))
        assert not np.array_equal(first, paint(spec, (0.3, 0.8, -0.4), 12))
    assert sample_spec(np.random.default_rng(5)) == sample_spec(np.random.default_rng(5))


def test_painting_leaves_the_global_random_numbers_alone() -> None:
    before = np.random.get_state()[1].copy()
    paint(sample_spec(np.random.default_rng(0)), PLAIN, 0)
    assert np.array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize(
    ("field", "changes"),
    [("scene", {"scene": "sae"}), ("subject", {"subject": "cactus"}), ("style", {"style": "oils"}),
     ("hour", {"hour": "noon"}), ("side", {"side": "top"}), ("attributes", {"attributes": None})],
)  # fmt: skip
def test_a_bad_spec_names_its_field(field: str, changes: dict) -> None:
    with pytest.raises(ValueError, match=field):
        replace(Spec("sea", "waves", "oil"), **changes)


@pytest.mark.parametrize("name", ["brushwork", "line", "light", "composition", "colour"])
@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan")])
def test_a_bad_attribute_names_its_field(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Attributes(**{name: value})


@pytest.mark.parametrize(
    ("name", "vad", "seed", "size_px"),
    [("valence", (1.1, 0, 0), 0, 64), ("arousal", (0, -2, 0), 0, 64),
     ("dominance", (0, 0, float("nan")), 0, 64), ("vad", (0, 0), 0, 64),
     ("seed", PLAIN, -1, 64), ("size_px", PLAIN, 0, 3)],
)  # fmt: skip
def test_a_bad_argument_of_paint_names_itself(name: str, vad: tuple, seed: int, size_px: int) -> None:
    with pytest.raises(ValueError, match=name):
        paint(Spec("sea", "waves", "oil"), vad, seed, size_px)


@pytest.mark.parametrize("style", ["gouache", "charcoal"])
def test_valence_brings_light_and_warmth(style: str) -> None:
    low, plain, high = ([over_scenes(luminance, (v, 0, 0), style)] for v in (-0.8, 0.0, 0.8))
    assert np.mean(low) + 12 < np.mean(plain) < np.mean(high) - 12
    assert np.mean(np.less(low, high)) > 0.95
    assert (
        over_scenes(warmth, (-0.8, 0, 0), style).mean() + 8 < over_scenes(warmth, (0.8, 0, 0), style).mean()
    )


@pytest.mark.parametrize("style", ["gouache", "ink"])
def test_arousal_brings_colour_and_edges_but_no_brightness(style: str) -> None:
    for statistic in (colourfulness, edge_energy):
        low, plain, high = (over_scenes(statistic, (0, a, 0), style) for a in (-0.8, 0.0, 0.8))
        assert low.mean() * 1.1 < plain.mean() < high.mean() / 1.1
        assert np.mean(low < high) > 0.95
    change = (
        over_scenes(luminance, (0, 0.8, 0), style).mean() - over_scenes(luminance, (0, -0.8, 0), style).mean()
    )
    assert abs(change) < 10


def test_dominance_enlarges_the_subject() -> None:
    """The red boat, the snowman's black hat and the like: count pixels that the subject changes."""

    def hull_share(dominance: float) -> float:
        picture = paint(Spec("boat", "sailboat", "flat"), (0, 0, dominance), 4).astype(int)
        return float(((picture[..., 0] > picture[..., 2] + 50) & (picture[..., 1] < 140)).mean())

    shares = [hull_share(d) for d in (-0.9, -0.3, 0.3, 0.9)]
    assert shares == sorted(shares)
    assert shares[3] > 4 * shares[0] > 0


def test_weakness_closes_in_from_the_rim() -> None:
    """Weak: mist over the corners. Strong: hard contours everywhere."""

    def corner_contrast(picture: np.ndarray) -> float:
        corners = [
            picture[rows, cols]
            for rows in (slice(14), slice(-14, None))
            for cols in (slice(14), slice(-14, None))
        ]
        return float(np.mean([corner.mean(2).std() for corner in corners]))

    weak, strong = (over_scenes(corner_contrast, (0, 0, d)) for d in (-0.8, 0.8))
    assert weak.mean() * 1.25 < strong.mean()


@pytest.mark.parametrize("name", ["brushwork", "line", "light", "composition", "colour"])
def test_each_attribute_changes_the_picture(name: str) -> None:
    changes = []
    for i, scene in enumerate(SCENES):
        spec = sample_spec(np.random.default_rng(i), scene, "oil")
        low, high = (
            paint(replace(spec, attributes=Attributes(**{name: v})), PLAIN, i, 64) for v in (0.0, 1.0)
        )
        changes.append(np.abs(low.astype(int) - high).mean())
    assert np.mean(changes) > 3 and min(changes) > 0.5


def test_colour_and_light_attributes_do_what_they_say() -> None:
    spec = Spec("meadow", "flowers", "oil")
    vivid, muted = (paint(replace(spec, attributes=Attributes(colour=v)), PLAIN, 0) for v in (1.0, 0.0))
    assert colourfulness(vivid) > 1.3 * colourfulness(muted)
    lit, dim = (paint(replace(spec, attributes=Attributes(light=v)), PLAIN, 0) for v in (1.0, 0.0))
    assert luminance(lit) > luminance(dim) + 15


def test_captions_name_the_scene_and_no_feeling() -> None:
    rng, known, seen = np.random.default_rng(9), set(WORDS), set()
    for _ in range(500):
        spec = sample_spec(rng)
        text = caption(spec, rng)
        words = set(re.findall(r"[a-z]+", text))
        assert scene_of(text) == spec.scene, text
        assert words <= known, words - known
        assert not words & FEELING_WORDS, text
        seen.add(text)
    assert len(seen) > 400, "the grammar repeats itself"
    assert not known & FEELING_WORDS


def test_scene_of_an_unknown_prompt_is_none() -> None:
    assert scene_of("a quarterly report") is None
    assert scene_of("An old LIGHTHOUSE by the sea, watercolour") == "lighthouse"
    assert scene_of("seashells") is None
