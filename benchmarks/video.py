"""Embedded video: is a feeling that changes seen, do clips move as they should, how long do they take?

    python -m benchmarks.video [--json] [--clips 60] [--length 4] [--no-words] [--painter] [--sheets FOLDER]

60 unseen (prompt, seed, curve) triples, 4 s at 12 frames a second: with `vad-video`, bare (the same prompts
and seeds without a feeling), and with `words` alone. That is 180 clips of up to a minute each: two to three
hours on two cores; `--clips 10 --length 2` takes a tenth of it, `--painter` needs no model. Clips that are
measured are kept (`--folder`), so that a run that was stopped goes on where it was.

`<axis>_r_within`: correlation of the asked and the read feeling of every frame of a clip, mean over the clips
whose curve changes (a plain mean, not Fisher's); `_across`: of the clips' means. `picture-reader` reads frame
by frame; it learnt from painted stills. `motion_arousal_r`: log of motion (mean absolute difference of
neighbouring frames, a change of light taken out) over the bare clip's, against asked arousal, over half
seconds of all clips; `_with_light`: nothing taken out; `_within` frame by frame inside changing clips,
`_across` of clips' means, `_raw` without log and bare clip, `_partial` given how fast feelings change.
`flicker_ratio`: mean absolute second difference of motion-compensated frames
(`_video_measures.flicker`), mean over clips, over the bare ones'; `_per_motion` of both over their motion,
as more of it is asked for. `neutral_exact`:
NEUTRAL clips are the bare ones, bit for bit. `words_...`: the same of words alone, told key by key.
`reader_...`: the same of clips by the painter that the model learnt from: what can be read at most.
`speed_ratio`: seconds of diffusers' own AnimateDiffPipeline (FreeNoise, no adapter, nothing encoded) over
ours, in turns.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks import _report
from benchmarks import _video_clips as clips
from benchmarks import _video_measures as measures
from benchmarks import _video_speed as speed
from benchmarks._video_clips import STILL, Crew, Take, Wish
from studio.emotion import VAD

CLIPS, LENGTH_S = 60, 4.0
ADAPTER, WORDS, BARE = "vad-video", "words", "none"
SEGMENT = clips.FPS // 2  # frames: half a second
EXACT_CLIPS, EXACT_LENGTH_S = 3, 2.0  # whose bits are compared
FOLDER = Path("runs") / "benchmarks" / "video"
BARS = {
    "seconds_per_4s_clip": ("at most", 60),
    "valence_r_within": ("at least", 0.80),
    "arousal_r_within": ("at least", 0.80),
    "valence_r_across": ("at least", 0.80),
    "arousal_r_across": ("at least", 0.80),
    "motion_arousal_r": ("at least", 0.70),
    "flicker_ratio": ("at most", 1.10),
    "neutral_exact": ("is", True),
}


def feelings(takes: Sequence[Take]) -> _report.Figures:
    """Asked against read, inside clips and across them."""
    found: _report.Figures = {}
    changing = [take for take in takes if take.changes]
    for axis, name in enumerate(VAD.__slots__):
        found[f"{name}_r_within"] = measures.mean_r(
            [(take.asked[:, axis], take.read[:, axis]) for take in changing]
        )
        means = [(take.asked[:, axis].mean(), take.read[:, axis].mean()) for take in takes]
        found[f"{name}_r_across"] = measures.pearson(*zip(*means, strict=True))
    return found


def movement(takes: Sequence[Take], bases: Sequence[Take]) -> _report.Figures:
    """Motion against asked arousal. `bases`: bare clips of the same prompts and seeds."""
    arousals = [measures.between(take.asked)[:, 1] for take in takes]
    pairs = list(zip(takes, bases, strict=True))
    over = [measures.over(take.energy, base.energy.mean()) for take, base in pairs]
    lit = [measures.over(take.change, base.change.mean()) for take, base in pairs]
    rows = zip(takes, arousals, over, strict=True)
    within = measures.mean_r([(arousal, one) for take, arousal, one in rows if take.changes])
    means = [(arousal.mean(), one.mean()) for arousal, one in zip(arousals, over, strict=True)]
    asked = _parts(arousals)
    return {
        "motion_arousal_r": measures.pearson(asked, _parts(over)),
        "motion_arousal_r_with_light": measures.pearson(asked, _parts(lit)),
        "motion_arousal_r_within": within,
        "motion_arousal_r_across": measures.pearson(*zip(*means, strict=True)),
        "motion_arousal_r_raw": measures.pearson(asked, _parts([take.energy for take in takes])),
        "motion_arousal_r_partial": measures.partial(
            asked, _parts(over), _parts([measures.change(take.asked) for take in takes])
        ),
    }


def flickering(takes: Sequence[Take], bases: Sequence[Take]) -> _report.Figures:
    """Flicker against that of the bare clips."""
    felt, bare = (float(np.mean([take.flicker for take in some])) for some in (takes, bases))
    moved, still = (float(np.mean([take.energy.mean() for take in some])) for some in (takes, bases))
    return {
        "flicker": felt,
        "flicker_bare": bare,
        "flicker_ratio": felt / bare,
        "flicker_ratio_per_motion": felt / bare * still / moved,
    }


def _parts(series: Sequence[measures.Floats]) -> measures.Floats:
    """Half seconds of all clips, one after the other."""
    return np.concatenate([measures.segments(one, SEGMENT) for one in series])


def figures(takes: Sequence[Take], bases: Sequence[Take], prefix: str = "") -> _report.Figures:
    found = feelings(takes) | movement(takes, bases) | flickering(takes, bases)
    return {f"{prefix}{name}": value for name, value in found.items()}


def painted(crew: Crew, wishes: Sequence[Wish]) -> tuple[_report.Figures, list[Take]]:
    """What the reader makes of the painter's own clips."""
    with _bar(2 * len(wishes), "painted") as done:
        takes = [done(crew.painted(wish, wish.curve)) for wish in wishes]
        bases = [done(crew.painted(wish, STILL)) for wish in wishes]
    found = figures(takes, bases, "reader_")
    # the names by which the reader's own ceiling is spoken of
    return found | {f"reader_{axis}_r": found[f"reader_{axis}_r_within"] for axis in VAD.__slots__}, takes


def rendered(
    crew: Crew, wishes: Sequence[Wish], adapters: Sequence[str]
) -> tuple[dict[str, list[Take]], list[Take]]:
    """Clips with each of the adapters, and bare; triple by triple, so that a part of a run is of use."""
    made: dict[str, list[Take]] = {name: [] for name in adapters}
    bases = []
    with _bar((1 + len(adapters)) * len(wishes), "rendered") as done:
        for wish in wishes:
            bases.append(done(crew.rendered(wish, STILL, BARE)))
            for name in adapters:
                made[name].append(done(crew.rendered(wish, wish.curve, name)))
    return made, bases


def is_exact(wishes: Sequence[Wish], adapter: str, motion: str) -> bool:
    """NEUTRAL with the adapter against the bare model, bit for bit.

    Both are rendered here and now: what is kept may come from another number of threads, and sums differ in
    their last bits then."""
    for wish in wishes[:EXACT_CLIPS]:
        pair = [clips.request(wish, STILL, worn, EXACT_LENGTH_S, motion) for worn in (adapter, BARE)]
        felt, bare = (clips.rendered(asked) for asked in pair)
        if not np.array_equal(felt, bare):
            return False
    return True


def measure(asked: argparse.Namespace) -> _report.Figures:
    wishes, crew = clips.wishes(asked.clips), Crew(asked.folder, asked.length, asked.motion)
    asked.folder.mkdir(parents=True, exist_ok=True)
    found, takes = painted(crew, wishes)
    if asked.painter:
        _draw(asked.sheets, "painted", wishes, takes)
        return found
    names = [asked.adapter, *([WORDS] if asked.words else [])]
    made, bases = rendered(crew, wishes, names)
    for name, some in made.items():
        _draw(asked.sheets, name, wishes, some)
    mine = figures(made[asked.adapter], bases) | {
        "neutral_exact": is_exact(wishes, asked.adapter, asked.motion),
        "clips": len(wishes),
        "clips_changing": sum(take.changes for take in made[asked.adapter]),
    }
    told = figures(made[WORDS], bases, "words_") if asked.words else {}
    return speed.figures(wishes[0], asked.adapter, asked.motion) | mine | told | found


def _draw(folder: Path | None, name: str, wishes: Sequence[Wish], takes: Sequence[Take]) -> None:
    if folder is not None:
        from benchmarks import _video_sheets as sheets

        sheets.write(folder, name, [wish.prompt for wish in wishes], takes)


@contextmanager
def _bar(total: int, what: str) -> Iterator[Callable[[Take], Take]]:
    """Progress on the terminal, with the time that is left; standard output is for figures."""
    with tqdm(total=total, desc=what, unit="clip") as bar:

        def done(take: Take) -> Take:
            bar.update()
            return take

        yield done


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one flat JSON object")
    parser.add_argument("--clips", type=int, default=CLIPS, help="of the 60 triples, how many")
    parser.add_argument("--length", type=float, default=LENGTH_S, help="of each clip, in seconds")
    parser.add_argument("--adapter", default=ADAPTER, help="what is worn: a name or a folder")
    parser.add_argument("--motion", default="", help="another motion adapter than the embedded one: a folder")
    both = argparse.BooleanOptionalAction
    parser.add_argument("--words", action=both, default=True, help="words alone, too")
    parser.add_argument("--painter", action="store_true", help="the painter's own clips only")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where measured clips are kept")
    parser.add_argument("--sheets", type=Path, help="a folder for contact sheets with asked and read curves")
    asked = parser.parse_args(words)
    if asked.clips < 4 or not asked.length >= 1:  # of four clips one is constant; half seconds are compared
        parser.error("at least 4 clips of at least 1 s are needed")
    return asked


def main() -> None:
    asked = parsed()
    title = f"Embedded video, {asked.clips} unseen (prompt, seed, curve), {asked.length:g} s"
    print(_report.text(title, measure(asked), BARS, "", asked.json))


if __name__ == "__main__":
    main()
