"""How good the embedded music model is: does a piece feel as asked, and is it like real music?

    python -m benchmarks.music [--json] [--keep FOLDER]
    python -m benchmarks.music --reference FOLDER    measure real songs anew (runs/music)
    python -m benchmarks.music --baseline FOLDER     measure the autoregressive baseline anew

300 pieces of 16 bars over the VAD cube at unseen seeds, and 100 NEUTRAL ones. The measure of feeling is
training/music_cues.py, from which the adapter's targets came too: these figures say that the model follows
it, not that listeners agree. Correlations are over pieces, of the asked axis with the mean over bars.

`main_cue_<axis>_r_real`: the measured axis of held-out windows with its cue, what pieces as varied as real
ones would reach. `<axis>_r`: asked against measured. `..._equal_loudness`: as if all pieces were equally
loud. `..._notes_only`: loudness and tempo left out (tempo follows the feeling by rule). `rule_...`: neutral
pieces changed by fixed rules (benchmarks/_music_rules.py). `cue_<axis>_<cue>_r` is positive where the cue
follows the axis as published. `neutral_<measure>_ratio`: NEUTRAL pieces over held-out POP909, windows of the
same length. `baseline_...`: the same of an autoregressive network, as large and as long trained;
`figures_behind_baseline`: how many of those measures are further from songs than its are, by more than two
standard errors of the difference; `speedup_...`: its seconds over ours, measured in turns by --baseline.
`empty_bar_rate`: of all 400 pieces. `seconds_...`: of one piece, model warm; `plain_`: without a feeling;
`_with_files`: its MIDI file, sound and picture written as well.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import _music_copies as copies
from benchmarks import _music_makers as makers
from benchmarks import _music_measures as measures
from benchmarks import _music_reference as reference
from benchmarks import _music_rules as rules
from benchmarks import _report
from benchmarks._music_makers import Composed
from benchmarks._music_measures import Piece
from benchmarks._music_reference import correlation
from pipelines.music import _performance as performance
from studio.emotion import VAD
from studio.midi_files import midi_bytes
from studio.request import RenderRequest
from training import music_cues
from training._music_bars import Floats

BARS_LONG = 16
PIECES, NEUTRALS = 300, 100
TIMED = 6  # pieces
UNSEEN = 7_000_003  # first seed of every piece here; no training used it
IN_KEY = 0.95
COMPARED = (  # measures that NEUTRAL pieces should share with real ones
    "pitch_class_entropy",
    "polyphony",
    "notes_per_bar",
    "self_similarity",
    "earlier_bar_similarity",
    "melody_interval",
    "chord_changes",
    "chord_tone_share",
)
BARS = {
    "main_cue_valence_r": ("at least", 0.6),
    "main_cue_arousal_r": ("at least", 0.6),
    "main_cue_dominance_r": ("at least", 0.6),
    "neutral_largest_difference": ("at most", 0.15),
    "empty_bar_rate_difference": ("at most", 0.02),
    "calm_in_key": ("at least", IN_KEY),
    "copied_passages": ("at most", 0.0),
    "seconds_per_16_bars": ("at most", 1.0),
    "figures_behind_baseline": ("at most", 0),
    "speedup_over_autoregressive": ("at least", 5.0),
}


def points(count: int) -> NDArray[np.float64]:
    """Unseen points, uniform in the VAD cube: (count, 3)."""
    return np.random.default_rng([UNSEEN, 2]).uniform(-1, 1, (count, 3))


def felt(made: Sequence[Composed], without: Sequence[str] = ()) -> Floats:
    """(pieces, 3): mean measured feeling."""
    return np.array(
        [
            music_cues.feelings(one.piece.tokens, one.tempo_bpm, one.piece.meter, without).mean(axis=0)
            for one in made
        ]
    )


def cue_means(made: Sequence[Composed]) -> dict[str, Floats]:
    """Each cue's mean over the bars of every piece, (pieces,); NaN where a piece has none of it."""
    found = [music_cues.cues(one.piece.tokens, one.tempo_bpm, one.piece.meter) for one in made]
    return {name: np.array([each[name].mean() for each in found]) for name in music_cues.CUES}


def control(asked: Floats, made: Sequence[Composed]) -> _report.Figures:
    """Asked (pieces, 3) against measured."""
    found: _report.Figures = {}
    ways = {"": (), "_equal_loudness": ("loudness",), "_notes_only": ("loudness", "tempo")}
    for suffix, without in ways.items():
        measured = felt(made, without)
        found |= {
            f"{axis}_r{suffix}": correlation(asked[:, i], measured[:, i])
            for i, axis in enumerate(music_cues.AXES)
        }
    cues = cue_means(made)
    for i, (axis, weights) in enumerate(music_cues.AXES.items()):
        for weight in weights:
            r = np.sign(weight.share) * correlation(asked[:, i], cues[weight.cue])
            found[f"cue_{axis}_{weight.cue}_r"] = float(r)
    return found


def main_cues(asked: Floats, made: Sequence[Composed]) -> _report.Figures:
    cues = cue_means(made)
    return {
        f"main_cue_{axis}_r": correlation(asked[:, i], cues[music_cues.MAIN[axis]])
        for i, axis in enumerate(music_cues.AXES)
    }


def ruled(asked: Floats, neutral: Sequence[Composed]) -> list[Composed]:
    """Neutral pieces made to feel by rules, tempo by the same rule as the model's pieces."""
    found = []
    for point, one in zip(asked, neutral, strict=True):
        mood = VAD(*(float(x) for x in point))
        piece = Piece(rules.apply(one.piece.tokens, mood), one.piece.meter)
        found.append(Composed(piece, one.tempo_bpm * 2 ** performance.octaves(mood)))
    return found


def likeness_to_real(made: Sequence[Piece], prefix: str = "neutral") -> _report.Figures:
    """Measures of NEUTRAL pieces and their ratios to held-out songs."""
    mine = measures.mean(made)
    return _ratios(mine, prefix) | {f"{prefix}_in_key": mine["in_key"]}


def _ratios(mine: dict[str, float], prefix: str) -> _report.Figures:
    real = reference.figures()["windows"][str(BARS_LONG)]
    found: _report.Figures = {}
    for name in COMPARED:
        found[f"{prefix}_{name}"] = mine[name]
        found[f"{prefix}_{name}_ratio"] = mine[name] / real[name]["mean"]
    off = [abs(found[f"{prefix}_{name}_ratio"] - 1) for name in COMPARED]
    return found | {f"{prefix}_largest_difference": max(off)}


def in_key(asked: Floats, made: Sequence[Composed]) -> _report.Figures:
    """Of calm pieces (positive and quiet) and tense ones (negative and aroused), where there are any: mean

    share of notes in the key or its secondary chords, and share of pieces that have IN_KEY of theirs."""
    share = np.array([measures.in_key(one.piece) for one in made])
    moods = {
        "calm": (asked[:, 0] > 0) & (asked[:, 1] < 0),
        "tense": (asked[:, 0] < 0) & (asked[:, 1] > 0),
    }
    found: _report.Figures = {}
    for mood, chosen in moods.items():
        if chosen.any():
            found[f"{mood}_in_key"] = float(share[chosen].mean())
            found[f"{mood}_pieces_in_key"] = float((share[chosen] >= IN_KEY).mean())
    return found


def copied(made: Sequence[Piece], prefix: str = "") -> _report.Figures:
    """Shares that stand in the training songs; beside them how much of the held-out songs does."""
    mine = copies.overlap(made, reference.index())
    return {f"{prefix}copied_{name}": share for name, share in mine.items()}


def emptiness(made: Sequence[Piece]) -> _report.Figures:
    mine = float(np.mean([measures.empty_bar_rate(piece) for piece in made]))
    real = float(reference.figures()["windows"][str(BARS_LONG)]["empty_bar_rate"]["mean"])
    return {
        "empty_bar_rate": mine,
        "empty_bar_rate_real": real,
        "empty_bar_rate_difference": abs(mine - real),
    }


def autoregressive(neutral: Sequence[Piece]) -> _report.Figures:
    """What was kept of the baseline, beside NEUTRAL pieces; nothing where none has been measured.

    It knows no feeling and wears no adapter: `speedup` is over pieces that wear none either."""
    from benchmarks import _music_baseline as baseline  # its network is loaded only where it is asked for

    kept = baseline.figures()
    if not kept:
        return {}
    found = _ratios(kept["measures"], "baseline")
    found |= {f"baseline_copied_{name}": share for name, share in kept["copies"].items()}
    found["baseline_empty_bar_rate"] = kept["measures"]["empty_bar_rate"]
    found["figures_behind_baseline"] = len(_behind(neutral, kept))
    found["baseline_seconds_per_16_bars"] = kept["seconds"]
    plain_s, felt_s = kept["seconds_of_ours"]
    found["felt_speedup_over_autoregressive"] = kept["seconds"] / felt_s
    return found | {"speedup_over_autoregressive": kept["seconds"] / plain_s}


def _behind(neutral: Sequence[Piece], kept: Mapping[str, Any]) -> list[str]:
    """Measures in which pieces are further from songs than the baseline's, and not by chance."""
    mine, errors = measures.mean(neutral), measures.error(neutral)
    real = reference.figures()["windows"][str(BARS_LONG)]
    found = []
    for name in COMPARED:
        songs = real[name]["mean"]
        further = abs(mine[name] - songs) - abs(kept["measures"][name] - songs)
        if further > 2 * float(np.hypot(errors[name], kept["errors"][name])):
            found.append(name)
    return found


def keep(made: Sequence[Composed], asked: Floats, folder: Path) -> None:
    """MIDI files named by number and feeling."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (one, point) in enumerate(zip(made, asked, strict=True)):
        if one.written is not None:
            name = "{:03d}_v{:+.1f}_a{:+.1f}_d{:+.1f}.mid".format(number, *point)
            (folder / name).write_bytes(midi_bytes(one.written))


def measure(model: str, count: int, folder: Path | None) -> _report.Figures:
    asked, real = points(count), reference.figures()
    made = [makers.compose(makers.request(UNSEEN + i, p, BARS_LONG, model)) for i, p in enumerate(asked)]
    calm = min(NEUTRALS, count)
    neutral = [makers.compose(makers.request(UNSEEN + i, (0, 0, 0), BARS_LONG, model)) for i in range(calm)]
    if folder is not None:
        keep(made, asked, folder / "felt")
        keep(neutral, np.zeros((calm, 3)), folder / "neutral")
    plain = [one.piece for one in neutral]
    by_rule = ruled(asked[:calm], neutral)
    with tempfile.TemporaryDirectory() as files:
        saving = partial(makers.save, folder=Path(files), of=partial(_felt, model=model))
        plain_s, felt_s, saved_s = makers.seconds([*_composers(model), saving], UNSEEN, TIMED)
    return {
        **main_cues(asked, made),
        **{f"main_cue_{axis}_r_real": r for axis, r in real["main_cue_r_of_windows"].items()},
        **control(asked, made),
        **{f"rule_{name}": r for name, r in main_cues(asked[:calm], by_rule).items()},
        **{
            f"rule_{name}": r
            for name, r in control(asked[:calm], by_rule).items()
            if not name.startswith("cue_")
        },
        **likeness_to_real(plain),
        **emptiness([*plain, *(one.piece for one in made)]),
        **in_key(asked, made),
        **copied([*plain, *(one.piece for one in made)]),
        **{f"copied_{name}_real": share for name, share in real["copies"].items()},
        "seconds_per_16_bars": felt_s,
        "plain_seconds_per_16_bars": plain_s,
        "seconds_per_16_bars_with_files": saved_s,
        **autoregressive(plain),
    }


def _composers(model: str) -> list[Callable[[int], Composed]]:
    """Who composes a piece of a seed: NEUTRAL without an adapter, and with a feeling."""
    return [lambda seed, of=of: makers.compose(of(seed, model)) for of in (_plain, _felt)]


def _felt(seed: int, model: str) -> RenderRequest:
    return makers.request(seed, (0.6, 0.4, 0.2), BARS_LONG, model)


def _plain(seed: int, model: str) -> RenderRequest:
    return makers.request(seed, (0, 0, 0), BARS_LONG, model, adapters=[])


def main() -> None:
    parser = argparse.ArgumentParser(description="How good the embedded music model is")
    parser.add_argument("--json", action="store_true", help="one flat JSON object")
    parser.add_argument("--keep", type=Path, help="folder for the pieces as MIDI files")
    parser.add_argument("--model", default="music-tiny")
    parser.add_argument("--pieces", type=int, default=PIECES)
    parser.add_argument("--reference", type=Path, help="folder of songs; measures them and ends")
    parser.add_argument(
        "--baseline", type=Path, help="folder of the baseline's training; measures it and ends"
    )
    asked = parser.parse_args()
    if asked.reference:
        reference.make(asked.reference)
    elif asked.baseline:
        from benchmarks import _music_baseline as baseline

        baseline.make(asked.baseline, NEUTRALS, BARS_LONG, _composers(asked.model))
    else:
        title = f"Embedded music model, {asked.pieces} unseen (seed, VAD), {BARS_LONG} bars each"
        found = measure(asked.model, asked.pieces, asked.keep)
        print(_report.text(title, found, BARS, "", asked.json))


if __name__ == "__main__":
    main()
