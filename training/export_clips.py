"""Clips with captions for trainers of models that are too large for the loop here.

    python -m training.export_clips EMOVID OUT --format musubi
    python -m training.export_clips CLIPS OUT --format diffsynth --caption plain taxonomy=mikels

The first folder is any data set of clips here; OPTION=VALUE are options of it. OUT gets copies of the
clips, under `clips/`, and the trainer's own lists; with `--link` the disk keeps one file under both names, so
that what is changed in OUT is changed in the data set. With
`--caption emovid` the published sentence stands behind each caption; where the label of a clip changes on its
way, each segment becomes a clip of its own, for a trainer takes one caption a clip. What was written is read
again as the trainer would. A clip that cannot be read is named and left out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tqdm import tqdm

from adapters.prompt_words import Config, label_of, said
from studio import catalog, naming
from studio.emotion import lexicon
from studio.errors import InputError, StorageError, StudioError
from studio.params import build
from studio.storage import check_writable
from studio.video_files import VideoInfo, probe, run
from training import data_layout
from training.data._clips import ClipDataset, Row, checked, moods_at
from training.trainer_formats import SUFFIXES, WRITERS, Entry, Options
from training.trainer_formats import checked as checked_lists

CAPTIONS = ("emovid", "plain")
CLIPS = "clips"
SHORTEST_S = 1.0  # a feeling that passes sooner belongs to what is before it
_LOOK_HZ = 8.0  # how finely a curve is looked at
# Cuts and stickers are encoded again: close to lossless, sizes even, as H.264 needs them.
_ENCODE = ("-vf", "scale=trunc(iw/2)*2:trunc(ih/2)*2", "-c:v", "libx264", "-preset", "veryfast", "-crf", "14",
           "-pix_fmt", "yuv420p", "-c:a", "aac", "-threads", "1", "-f", "mp4")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Segment:
    """Seconds of a clip that one caption is right for; `whole`: all of it."""

    start_s: float
    end_s: float
    caption: str
    whole: bool = False


def dataset(root: str, options: dict[str, str]) -> ClipDataset:
    """The data set of clips whose layout a folder has. Raises InputError for none, or unknown options."""
    name = options.pop("name", "") or data_layout.dataset(root, {"pipeline": "video/any"})["name"]
    if name not in catalog.names("dataset") or catalog.dataset_medium(name) != "video":
        raise InputError("name", name, f"{name!r} is no data set of clips")
    made: ClipDataset = build(catalog.load("dataset", name).Dataset, {**options, "root": root})
    return made


def segments(row: Row, info: VideoInfo, caption: str) -> list[Segment]:
    """In order, without a gap; one for a clip whose label does not change."""
    whole = Segment(0.0, info.length_s, row.prompt, whole=True)
    if caption == "plain":
        return [whole]
    labels = _labels(row, info.length_s)
    runs = _runs(labels, info.length_s)
    if len(runs) == 1:
        return [Segment(0.0, info.length_s, captioned(row.prompt, runs[0][2]), whole=True)]
    return [Segment(start_s, end_s, captioned(row.prompt, label)) for start_s, end_s, label in runs]


def captioned(caption: str, label: str) -> str:
    """EmoVid's way: `The video is in the "fear" emotion` behind the caption; nothing for no label."""
    return said(caption, Config().sentence.format(medium="video", label=label)) if label else caption


def export(
    data: ClipDataset,
    folder: Path,
    format: str,
    caption: str = "emovid",
    options: Options | None = None,
    link: bool = False,
) -> tuple[list[Entry], list[str]]:
    """Write all clips of a data set; what stands there now, and a line for each clip that could not be read.

    Raises InputError for a folder that is not empty, or when no clip could be used; StorageError.
    """
    check_writable(folder)
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError("folder", str(folder), f"{str(folder)!r} is not empty; name a new one")
    (folder / CLIPS).mkdir(parents=True)
    entries: list[Entry] = []
    problems: list[str] = []
    for number, row in enumerate(tqdm(data.rows, unit="clip", disable=None, leave=False), 1):
        try:
            entries += list(_exported(folder, number, row, caption, link))
        except (InputError, StorageError) as error:
            problems.append(f"{row.clip}: {error}")
    if not entries:
        raise InputError("dataset", str(data.root), "; ".join(["no clip could be used", *problems[:3]]))
    WRITERS[format](folder, entries, options or Options())
    return checked_lists(folder, format, entries), problems


def _exported(folder: Path, number: int, row: Row, caption: str, link: bool) -> Iterator[Entry]:
    if not row.prompt:
        raise InputError("caption", "", "has no caption")
    parts = segments(row, checked(row), caption)
    for index, part in enumerate(parts, 1):
        name = f"{number:05d}-{naming.slug(row.clip.stem)}" + (f"-{index}" if len(parts) > 1 else "")
        suffix = row.clip.suffix.lower()
        kept = part.whole and suffix in SUFFIXES
        target = folder / CLIPS / f"{name}{suffix if kept else '.mp4'}"
        if kept:
            _copied(row.clip, target, link)
        else:
            _cut(row.clip, target, part)
        yield Entry(target.relative_to(folder).as_posix(), part.caption, probe(target).rate_hz)


def _copied(source: Path, target: Path, link: bool) -> None:
    try:
        if link:
            os.link(source.resolve(), target)
        else:
            shutil.copyfile(source, target)
    except OSError as error:
        hint = "; leave out --link for a copy" if link else ""
        raise StorageError(f"{target}: cannot be made ({error.strerror or error}){hint}") from error


def _cut(source: Path, target: Path, part: Segment) -> None:
    place = () if part.whole else ("-ss", f"{part.start_s:.3f}", "-t", f"{part.end_s - part.start_s:.3f}")
    run(*place, "-i", str(source), *_ENCODE, str(target))


def _labels(row: Row, length_s: float) -> list[str]:
    """At even moments; one where the feeling is always the same. A data set's own label is kept."""
    config = Config()
    if row.curve.is_constant:
        own = str(row.attributes.get("label", ""))
        vad = row.curve.keys[0].emotion.vad
        words = {label.word for label in lexicon().labels(config.taxonomy)}
        return [own if own in words else label_of(vad, config.taxonomy, config.least)]
    count = max(2, round(length_s * _LOOK_HZ))
    moods = moods_at(row.curve, [(index + 0.5) * length_s / count for index in range(count)], length_s)
    return [label_of(mood, config.taxonomy, config.least) for mood in moods]


def _runs(labels: Sequence[str], length_s: float) -> list[tuple[float, float, str]]:
    """(start, end, label) of equal ones in a row, in seconds; short ones go to the one before, the first
    to the one after."""
    step_s = length_s / len(labels)
    runs: list[tuple[float, str]] = []  # how long, which
    for label, group in groupby(labels):
        lasts_s = len(list(group)) * step_s
        if runs and (lasts_s < SHORTEST_S or runs[-1][1] == label):
            runs[-1] = (runs[-1][0] + lasts_s, runs[-1][1])
        elif runs and runs[-1][0] < SHORTEST_S:
            runs[-1] = (runs[-1][0] + lasts_s, label)
        else:
            runs.append((lasts_s, label))
    ends_s = [sum(lasts_s for lasts_s, _ in runs[: index + 1]) for index in range(len(runs))]
    starts_s = [0.0, *ends_s[:-1]]
    return [(start, end, label) for start, end, (_, label) in zip(starts_s, ends_s, runs, strict=True)]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("training.export_clips", description="Clips for other trainers.")
    parser.add_argument("dataset", help="folder of a data set of clips")
    parser.add_argument("folder", type=Path, help="a new folder, for the trainer")
    parser.add_argument("options", nargs="*", metavar="OPTION=VALUE", help="of the data set; name=, too")
    parser.add_argument("--format", choices=tuple(WRITERS), required=True)
    parser.add_argument("--caption", choices=CAPTIONS, default="emovid", help="emovid: with its sentence")
    parser.add_argument("--size", default="832x480", metavar="WxH", help="musubi: buckets are made around it")
    parser.add_argument("--frames", default="25", metavar="N[,N]", help="musubi: lengths, each 4 n + 1")
    parser.add_argument("--link", action="store_true", help="no copies: one file under two names")
    asked = parser.parse_args(arguments)
    try:
        size, frames = _numbers("size", asked.size, "x"), _numbers("frames", asked.frames, ",")
        if len(size) != 2:
            raise InputError("size", asked.size, f"expected WIDTHxHEIGHT, got {asked.size!r}", "832x480")
        pairs = dict(_pair(text) for text in asked.options)
        data, options = dataset(asked.dataset, pairs), Options((size[0], size[1]), frames)
        entries, problems = export(data, asked.folder, asked.format, asked.caption, options, asked.link)
    except StudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    print(f"{len(entries)} in {asked.folder}, {len(problems)} clips left out")
    print(_how(asked.format, asked.folder))
    return 1 if problems else 0


def _how(format: str, folder: Path) -> str:
    if format == "musubi":
        return f"start musubi-tuner in {folder}, with --dataset_config dataset.toml"
    where = f"--dataset_base_path {folder} --dataset_metadata_path {folder / 'metadata.csv'}"
    return f"start DiffSynth-Studio with {where}"


def _numbers(name: str, text: str, between: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(between))
    except ValueError:
        why = f"expected whole numbers with {between!r} between them, got {text!r}"
        raise InputError(name, text, why) from None


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and name):
        raise InputError("option", text, f"expected OPTION=VALUE, got {text!r}")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
