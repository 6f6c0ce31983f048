"""The video benchmark: what it asks, that it reads control off clips that have it, what it keeps."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import _video_clips as clips
from benchmarks import _video_measures as measures
from benchmarks import _video_sheets as sheets
from benchmarks import video
from benchmarks._video_clips import STILL, Crew, Take
from pipelines.video._timing import moods_of
from studio import colours, video_files
from training.embedded.readers import PictureReader
from training.synthesis.captions import scene_of
from training.synthesis.spec import SCENES

COUNT = 24


def take(asked, read=None, energy=None, flicker=0.01, digest="x"):
    """A clip whose asked feeling is (T, 3)."""
    asked = np.asarray(asked, float)
    energy = np.full(len(asked) - 1, 0.02) if energy is None else energy
    found = asked if read is None else read
    return Take(asked, found, energy, 2 * energy, flicker, {}, digest, 1.0, {}, Path("none.mp4"))


def ramp(start, end):
    return np.linspace(start, end, COUNT)[:, None] * np.ones(3)


def test_wishes_are_the_same_every_time_and_of_all_scenes():
    some = clips.wishes(60)
    assert some == clips.wishes(60) and some[:5] == clips.wishes(5)
    assert len({wish.seed for wish in some}) == len({wish.prompt for wish in some}) == 60
    assert sorted(wish.spec.scene for wish in some) == sorted(SCENES * 3)
    assert all(scene_of(wish.prompt) == wish.spec.scene for wish in some)


def test_three_of_four_curves_change_in_valence_and_arousal():
    curves = [wish.curve for wish in clips.wishes(60)]
    changing = [curve for curve in curves if not curve.is_constant]
    assert len(changing) == 45 and {len(curve.keys) for curve in changing} == {2, 3}
    for curve in changing:
        points = np.array([mood.as_tuple() for mood in moods_of(curve, 48, 12)])
        assert (np.ptp(points[:, :2], axis=0) > 0.9 * clips.CHANGE).all()
    constant = np.array([curve.at(0).as_tuple() for curve in curves if curve.is_constant])
    assert np.abs(constant).max() > 0.8 and len(np.unique(constant, axis=0)) == 15


def test_control_is_read_off_clips_that_have_it():
    ends = ((-1, 1), (0.5, -0.2), (0.3, 0.3), (-0.6, -0.6))
    takes = [take(ramp(*pair)) for pair in ends]
    found = video.feelings(takes)
    assert found["valence_r_within"] == pytest.approx(1) == found["arousal_r_across"]
    turned = [take(one.asked, read=-one.asked) for one in takes]
    assert video.feelings(turned)["valence_r_within"] == pytest.approx(-1)
    shifted = [take(one.asked, read=one.asked + 3 * k) for k, one in enumerate(takes)]
    away = video.feelings(shifted)
    assert away["dominance_r_within"] == pytest.approx(1) and away["dominance_r_across"] < 0.6


def test_a_constant_feeling_counts_across_clips_only():
    takes = [take(ramp(-1, 1)), take(ramp(0.2, 0.2), read=np.zeros((COUNT, 3)))]
    assert video.feelings(takes)["valence_r_within"] == pytest.approx(1)


def moving(asked, scale):
    """Motion that doubles from rest to full arousal, in a scene that moves `scale` by itself."""
    middle = (asked[1:, 1] + asked[:-1, 1]) / 2
    return scale * 2**middle


def test_motion_is_compared_with_the_bare_clip():
    pairs = (((-1, 1), 0.01), ((0.8, 0.2), 0.05), ((-0.4, -0.4), 0.2))
    takes = [take(ramp(*ends), energy=moving(ramp(*ends), scale), flicker=0.02) for ends, scale in pairs]
    bases = [take(ramp(0, 0), energy=np.full(COUNT - 1, scale)) for _, scale in pairs]
    found = video.movement(takes, bases) | video.flickering(takes, bases)
    assert found["motion_arousal_r"] > 0.98 and found["motion_arousal_r_across"] > 0.98
    assert found["motion_arousal_r_raw"] < 0.5 < 0.98 < found["motion_arousal_r_within"]
    assert found["motion_arousal_r_partial"] > 0.98
    assert found["flicker_ratio"] == pytest.approx(2)
    moved = np.mean([one.energy.mean() for one in takes]) / np.mean([one.energy.mean() for one in bases])
    assert found["flicker_ratio_per_motion"] == pytest.approx(2 / moved)


def test_light_that_changes_is_no_motion():
    rng = np.random.default_rng(0)
    still = rng.integers(40, 120, (1, 32, 32, 3))
    lit = np.concatenate([still * gain + 10 for gain in (1.0, 1.2, 1.5)]).astype(np.uint8)
    assert measures.difference(lit).min() > 0.05 and measures.motion_energy(lit).max() < 0.003
    moved = np.stack([np.roll(lit[0], step, axis=1) for step in range(3)])
    assert measures.motion_energy(moved).min() > 0.5 * measures.difference(moved).min() > 0.02
    plain = np.full((2, 8, 8, 3), 7, np.uint8)
    assert measures.motion_energy(plain).tolist() == [0]


def test_a_clip_that_is_measured_is_not_made_again(tmp_path, monkeypatch):
    crew, wish = Crew(tmp_path, 1.0), clips.wishes(1)[0]
    one = crew.painted(wish, wish.curve)
    assert one.asked.shape == one.read.shape == (12, 3) and one.energy.shape == (11,)
    assert video_files.probe(one.path).frames == 12
    frames = np.stack(list(video_files.read_frames(one.path)))
    assert colours.of_frames(iter(frames)).hue == pytest.approx(one.colours["hue"], abs=3)
    reader = PictureReader.from_pretrained(clips.catalog.ASSETS / "models" / "picture-reader").eval()
    assert reader.read(frames)[1] == pytest.approx(one.read, abs=0.15)  # the codec changes a little
    monkeypatch.setattr(clips.moving, "film", None)
    again = crew.painted(wish, wish.curve)
    assert (again.read == one.read).all() and (again.digest, again.path) == (one.digest, one.path)
    with pytest.raises(TypeError):  # another curve is another clip
        crew.painted(wish, STILL)
    (sheet,) = sheets.write(tmp_path / "sheets", "painted", [wish.prompt], [one])
    with Image.open(sheet) as picture:
        assert picture.width == sheets.COLUMNS * sheets.FRAME_PX


def test_too_little_to_measure_is_refused(capsys):
    for words in (["--clips", "2"], ["--length", "0.5"], ["--length", "nan"]):
        with pytest.raises(SystemExit):
            video.parsed(words)
        assert "at least 4 clips of at least 1 s" in capsys.readouterr().err
    assert not video.parsed(["--no-words"]).words and video.parsed([]).clips == 60
