"""How the talking portrait speaks and feels: lips, stillness, blinks, muscles, speed.

    python -m benchmarks.portrait [--json] [--family portrait/rig] [--quick]

Lines, voices and seeds that no training saw (part "held_out" of training/synthesis/performer.py). The
performer is `portrait/performer`, the rules that the model learnt from; `..._performer` are its own figures.

`closure_rate`: of all p, b, m, f, v the share whose lips close (contact for f, v) within 80 ms; the same of a
recording without phones: `closure_rate_by_ear`. `open_vowel_rate`: stressed open vowels that open.
`silence_motion_ratio`: the mouth's motion in silence over that in speech. `mouth_r`, `lag_frames`: opening of
the lips against the performer's. `action_unit_r`: over feelings and units, asked intensity against what the
take shows beyond the neutral one. `monotonic_rate`: feelings whose asked units grow with intensity.
`closing_shift_ms`: 95th percentile of how far feelings move the closing of lips. `fear_sadness_cosine`,
`disgust_anger_cosine`: likeness of what is shown. `acceleration_ratio`: 95th percentile over the performer's.
`takes_differ`: mean difference of two seeds over the spread of one; `variety_...`: mean difference of two
takes of a line in a part of the face over the performer's (eight takes of every line, seeds of its own: with
few, chance decides), `variety` their mean. `ms_per_frame_512`, `peak_memory_mb`: of the whole command for a
minute of speech, start-up included.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _portrait_measures as measures
from benchmarks import _report
from benchmarks._portrait_measures import Floats
from pipelines.portrait import _acting as acting
from pipelines.portrait._performer import perform
from pipelines.portrait._speech import speak
from studio import catalog, muscles, video_files
from studio.emotion import NEUTRAL, VAD, EmotionCurve, parse_emotion
from studio.motion import Motion
from studio.params import build
from studio.request import RenderRequest
from studio.speech import Speech
from training.synthesis import performer as material

FEELINGS = ("joy", "sadness", "anger", "fear", "disgust", "surprise", "contempt")
INTENSITIES = (1 / 3, 2 / 3, 1.0)
LINES, SEED = 24, 9_000_001  # no training used it
TAKES = 8  # of a line, of which any two are compared
LONG_TEXT = (
    "Nobody in the village remembered when the bridge had been built, but everybody knew what happened on "
    "the night it fell. My father was bringing home a basket of plums, and he had just put one foot on the "
    "first plank. "
)
BARS = {
    "closure_rate": ("at least", 0.95),
    "silence_motion_ratio": ("at most", 0.02),
    "mouth_r": ("at least", 0.85),
    "lag_frames": ("at most", 1),
    "action_unit_r": ("at least", 0.85),
    "monotonic_rate": ("at least", 1.0),
    "blinks_per_minute": ("at least", 15),
    "longest_blink_ms": ("at most", 400),
    "closing_shift_ms": ("at most", 40),
    "acceleration_ratio": ("at most", 1.2),
    "takes_differ": ("at least", 0.3),
    "variety": ("at least", 1.0),
    "ms_per_frame_512": ("at most", 20),
}


@dataclass(frozen=True)
class Stage:
    """A family that acts, dressed in the adapters of its model."""

    name: str
    module: Any
    pipeline: Any
    set_emotion: Any

    def act(self, speech: Speech, mood: VAD | Sequence[VAD], seed: int) -> Motion:
        frames = speech.frames(30.0)
        moods = (mood,) * frames if isinstance(mood, VAD) else tuple(mood)
        line = acting.Line(speech, EmotionCurve.constant(moods[0]), moods, {}, ())
        params = build(self.module.Params, {})
        request = RenderRequest(self.name, "", "", "", line.curve, seed, (), params)
        return self.pipeline.act(line, request, self.set_emotion, lambda step: None)


class Rules:
    """The performer, asked in the same way."""

    def act(self, speech: Speech, mood: VAD, seed: int) -> Motion:
        return perform(speech, (mood,) * speech.frames(30.0), seed)


@contextmanager
def staged(family: str) -> Iterator[Stage]:
    module = catalog.load("pipeline", family)
    pipeline = module.Pipeline.load(catalog.find_model(module.DEFAULT_MODEL))
    with ExitStack() as stack:
        setters = []
        for name in catalog.default_adapters(module.DEFAULT_MODEL):
            kind = catalog.load("adapter kind", str(catalog.adapter_card(name)["kind"]))
            worn = kind.Adapter.load(catalog.find_adapter(name)).applied(pipeline.modules, 1.0)
            setters.append(stack.enter_context(worn))
        yield Stage(family, module, pipeline, lambda rows: [tell(rows) for tell in setters])


def spoken(count: int) -> list[Speech]:
    return [one.speech for one in material.takes(count, SEED, "held_out")]


def lips(stage: Any, lines: Sequence[Speech], prefix: str = "") -> _report.Figures:
    """Figures of neutral takes."""
    motions = [stage.act(one, NEUTRAL, SEED + index) for index, one in enumerate(lines)]
    found = [measures.reached(motion, line) for motion, line in zip(motions, lines, strict=True)]
    rules = _ruled(lines)
    mine, theirs = (np.concatenate([measures.gap(one) for one in some]) for some in (motions, rules))
    return {
        f"closure_rate{prefix}": measures.share([ok for closed, _ in found for ok in closed]),
        f"open_vowel_rate{prefix}": measures.share([ok for _, opened in found for ok in opened]),
        f"silence_motion_ratio{prefix}": silence(motions, lines),
        f"mouth_r{prefix}": float(np.corrcoef(mine, theirs)[0, 1]),
        f"lag_frames{prefix}": abs(measures.lag_frames(mine, theirs)),
        f"acceleration_ratio{prefix}": float(
            np.mean([measures.acceleration(one) for one in motions])
            / np.mean([measures.acceleration(one) for one in rules])
        ),
    }


def silence(motions: Sequence[Motion], lines: Sequence[Speech]) -> float:
    quiet, loud = [], []
    for motion, line in zip(motions, lines, strict=True):
        rest = measures.is_quiet(line, len(motion), motion.rate_hz)
        speed = measures.mouth_speed(motion)
        quiet.append(speed[rest])
        loud.append(speed[~rest])
    return float(np.concatenate(quiet).mean() / np.concatenate(loud).mean())


def feelings(stage: Any, lines: Sequence[Speech]) -> _report.Figures:
    """Units asked and shown, over feelings, intensities and two lines."""
    asked, shown, growing = [], [], []
    faces: dict[str, Floats] = {}
    for name in FEELINGS:
        point = parse_emotion(name).vad
        amounts = []
        for share in INTENSITIES:
            mood = VAD(*(share * value for value in point.as_tuple()))
            units = measures.asked_units(muscles.of(mood))
            made = np.mean([_beyond_neutral(stage, line, mood) for line in lines], axis=0)
            asked.append(units)
            shown.append(made)
            amounts.append(float(made @ units / max(np.linalg.norm(units), 1e-9)))
        growing.append(bool(np.all(np.diff(amounts) > 0)))
        faces[name] = made
    r = float(np.corrcoef(np.concatenate(asked), np.concatenate(shown))[0, 1])
    return {
        "action_unit_r": r,
        "monotonic_rate": measures.share(growing),
        "fear_sadness_cosine": measures.cosine(faces["fear"], faces["sadness"]),
        "disgust_anger_cosine": measures.cosine(faces["disgust"], faces["anger"]),
    }


def _beyond_neutral(stage: Any, line: Speech, mood: VAD) -> Floats:
    felt, plain = (measures.shown_units(stage.act(line, one, SEED)) for one in (mood, NEUTRAL))
    return np.asarray(felt - plain)


def timing(stage: Any, lines: Sequence[Speech]) -> _report.Figures:
    """How far feelings move the closing of lips, and how far seeds move everything else."""
    shifts, apart = [], []
    for line in lines:
        plain = measures.closing_times(stage.act(line, NEUTRAL, SEED), line)
        for name in FEELINGS:
            felt = measures.closing_times(stage.act(line, parse_emotion(name).vad, SEED), line)
            shifts += [abs(a - b) for a, b in zip(felt, plain, strict=True)]
        one, other = (measures.upper_face(stage.act(line, NEUTRAL, seed)) for seed in (1, 2))
        apart.append(float(np.abs(one - other).mean() / one.std(axis=0).mean()))
    return {
        "closing_shift_ms": float(1000 * np.percentile(shifts, 95)) if shifts else float("nan"),
        "takes_differ": float(np.mean(apart)),
    }


def variety(stage: Any, lines: Sequence[Speech]) -> _report.Figures:
    """How far takes are apart in each part of the face, over how far the performer's are."""
    mine, theirs = (_apart(one, lines) for one in (stage, Rules()))
    found = {f"variety_{name}": value / theirs[name] for name, value in mine.items()}
    return found | {"variety": float(np.mean(list(found.values())))}


def _apart(stage: Any, lines: Sequence[Speech]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for number, line in enumerate(lines):
        seeds = range(TAKES * number, TAKES * (number + 1))
        takes = [measures.parts(stage.act(line, NEUTRAL, seed)) for seed in seeds]
        for one, other in itertools.combinations(takes, 2):
            for name in one:
                found.setdefault(name, []).append(float(np.abs(one[name] - other[name]).mean()))
    return {name: float(np.mean(values)) for name, values in found.items()}


def blinks(stage: Any, minutes: int) -> _report.Figures:
    speech = speak(LONG_TEXT * (5 * minutes), EmotionCurve.constant(NEUTRAL), "en-gb")
    lengths: list[float] = []
    for seed in (1, 2):
        lengths += measures.blink_lengths_s(stage.act(speech, NEUTRAL, SEED + seed))
    return {
        "blinks_per_minute": len(lengths) / (2 * speech.length_s / 60),
        "longest_blink_ms": 1000 * max(lengths, default=0.0),
    }


def command(family: str) -> _report.Figures:
    """The whole command for a minute of speech, start-up and encoding included."""
    with tempfile.TemporaryDirectory() as folder:
        say = ["--say", LONG_TEXT * 7, "--emotion", "fear@0%, joy@100%", "--seed", "1", "--out", folder]
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "studio", "render", family, *say], check=True, capture_output=True
        )
        seconds = time.perf_counter() - started
        info = video_files.probe(next(Path(folder).glob("*.mp4")))
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (
        1024 if sys.platform == "darwin" else 1
    )
    return {
        "ms_per_frame_512": 1000 * seconds / info.frames,
        "times_real_time": info.length_s / seconds,
        "peak_memory_mb": peak_kib / 1024,
    }


def by_ear(stage: Any, lines: Sequence[Speech]) -> _report.Figures:
    """Lips of the same lines when only their sound is known."""
    motions = [stage.act(replace(one, phones=()), NEUTRAL, SEED) for one in lines]
    closed = [measures.reached(motion, line)[0] for motion, line in zip(motions, lines, strict=True)]
    gaps = [np.concatenate([measures.gap(one) for one in some]) for some in (motions, _ruled(lines))]
    return {
        "closure_rate_by_ear": measures.share([ok for one in closed for ok in one]),
        "mouth_r_by_ear": float(np.corrcoef(*gaps)[0, 1]),
        "silence_motion_ratio_by_ear": silence(motions, lines),
    }


def _ruled(lines: Sequence[Speech]) -> list[Motion]:
    return [Rules().act(one, NEUTRAL, SEED - index) for index, one in enumerate(lines)]


def measure(family: str, is_quick: bool) -> _report.Figures:
    lines = spoken(6 if is_quick else LINES)
    found: _report.Figures = {}
    with staged(family) as stage:
        found |= lips(stage, lines) | by_ear(stage, lines)
        found |= feelings(stage, lines[:2]) | timing(stage, lines[: 3 if is_quick else 8])
        found |= variety(stage, lines) | blinks(stage, 1 if is_quick else 5)
    rules = Rules()
    theirs = lips(rules, lines) | by_ear(rules, lines) | feelings(rules, lines[:2])
    theirs |= timing(rules, lines[:3]) | blinks(rules, 1)
    found |= {f"{name}_performer": value for name, value in theirs.items()}
    return found | command("portrait/talker")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one flat JSON object")
    parser.add_argument("--family", default="portrait/rig", help="whose acting is measured")
    parser.add_argument("--quick", action="store_true", help="fewer lines: a first look")
    asked = parser.parse_args()
    found = measure(asked.family, asked.quick)
    print(_report.text("The talking portrait", found, BARS, "", asked.json))


if __name__ == "__main__":
    main()
