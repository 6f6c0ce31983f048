"""`join`: clips one after the other, faded into each other, with speech or music, as one MP4."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli.progress import Progress
from studio.errors import InputError, StorageError
from studio.lazy import lazy
from studio.params import ParamSpec, check
from studio.storage import NameTakenError, check_writable

if TYPE_CHECKING:
    from studio import file_writers, provenance, video_editing, video_files
else:
    file_writers, provenance = lazy("studio.file_writers"), lazy("studio.provenance")
    video_editing, video_files = lazy("studio.video_editing"), lazy("studio.video_files")

SUFFIX = ".mp4"
_FADE = ParamSpec("crossfade", float, 0.0, "of neighbouring clips", min=0.0, max=600.0)
_VOLUME = ParamSpec("volume", float, 1.0, "of the music", min=0.0, max=4.0)
EXAMPLES = """size and rate are those of the first clip; the others are scaled into it, on black.
A single MP4 that is only given a sound keeps its pictures as they are, and its record.

examples:
  python -m studio join calm.mp4 storm.mp4 --crossfade 0.5 --out story.mp4
  python -m studio join calm.mp4 storm.mp4 --music theme.wav --volume 0.6 --out story.mp4
  python -m studio join calm.mp4 --sound speech.wav --out told.mp4
"""
Step = Callable[[Path, Path], object]


@dataclass(frozen=True, slots=True)
class Job:
    """What is put together, and where. Times in s."""

    clips: tuple[Path, ...]
    out: Path
    fade_s: float
    sound: Path | None
    music: Path | None
    volume: float

    @property
    def is_joined(self) -> bool:
        """Whether pictures are encoded anew."""
        one_mp4 = len(self.clips) == 1 and self.clips[0].suffix.lower() == SUFFIX
        return not (one_mp4 and (self.sound or self.music))


def add_join(parser: argparse.ArgumentParser) -> None:
    """The flags of `join`."""
    parser.epilog = EXAMPLES
    parser.add_argument("clips", metavar="CLIP", nargs="+", help="video files, in their order")
    parser.add_argument("-o", "--out", metavar="FILE", required=True, help=f"a {SUFFIX} file")
    parser.add_argument(
        "--crossfade",
        metavar="SECONDS",
        default="0",
        help="of each clip into the next, its sound too (default 0)",
    )
    parser.add_argument("--sound", metavar="FILE", help="in the place of the clips' own, from the start")
    parser.add_argument("--music", metavar="FILE", help="under it: repeated where too short, faded out")
    parser.add_argument("--volume", metavar="N", help="of the music (0 to 4, default 1)")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    parser.add_argument("--quiet", action="store_true", help="no progress; only the path and errors")
    parser.set_defaults(run=run_join)


def run_join(args: argparse.Namespace) -> int:
    """Write one clip of several; its path goes to stdout."""
    job = Job(
        tuple(map(Path, args.clips)),
        Path(args.out),
        float(check(_FADE, args.crossfade)),
        _sound("sound", args.sound),
        _sound("music", args.music),
        _volume(args.volume, args.music),
    )
    _check_out(job, args.force)
    total = video_editing.joined_frames(job.clips, job.fade_s)
    with Progress(args.quiet) as progress:
        _make(job, progress, total)
    print(job.out)
    return 0


def _sound(name: str, file: str | None) -> Path | None:
    if file is None:
        return None
    video_editing.check_sound(name, Path(file))
    return Path(file)


def _volume(asked: str | None, music: str | None) -> float:
    if asked is not None and music is None:
        raise InputError("volume", asked, "is that of the music; name a file with --music, or leave it out")
    return float(check(_VOLUME, _VOLUME.default if asked is None else asked))


def _check_out(job: Job, replace: bool) -> None:
    out = job.out
    if out.suffix.lower() != SUFFIX:
        near = str(out.with_suffix(SUFFIX)) if out.name else None
        raise InputError("--out", out, f"{str(out)!r} must end in {SUFFIX}", near)
    if out.exists() and any(clip.exists() and clip.samefile(out) for clip in job.clips):
        raise InputError("--out", out, f"{str(out)!r} is one of the clips; name another file")
    if out.exists() and not replace:
        raise NameTakenError(f"{out}: is there already; --force writes over it")
    check_writable(out.parent)


def _make(job: Job, progress: Progress, total: int) -> None:
    """Each step writes what the next one reads; the last one the file that was asked for. `total`: frames."""

    def on_frame(done: int) -> None:
        progress.update(min(1.0, done / total), f"frame {done}/{total}")

    steps: list[Step] = []
    if job.is_joined:
        steps.append(lambda _, to: video_editing.joined(job.clips, to, job.fade_s, on_frame))
    if sound := job.sound:
        steps.append(lambda clip, to: video_files.with_sound(clip, to, sound))
    if music := job.music:
        steps.append(lambda clip, to: video_editing.with_music(clip, to, music, job.volume))
    if job.is_joined and (record := _record(job.clips)):
        steps.append(lambda clip, to: video_files.tagged(clip, to, file_writers.tags("", record)))
    with tempfile.TemporaryDirectory(prefix="emotion-studio-") as folder:
        clip = job.clips[0]
        for number, step in enumerate(steps, start=1):
            to = job.out if number == len(steps) else Path(folder) / f"{number}{SUFFIX}"
            if number > 1 or not job.is_joined:
                progress.show("putting sound and texts into it ...", is_last=True)
            step(clip, to)
            clip = to


def _record(clips: Sequence[Path]) -> dict[str, Any] | None:
    """That of the first clip that was made here, with the requests of all; None where none was: what joins
    synthetic clips says so."""
    found = [_own(clip) for clip in clips]
    made = [record for record in found if record]
    if not made:
        return None
    joined = [
        record["request"] if record else {"file": clip.name}
        for record, clip in zip(found, clips, strict=True)
    ]
    return {**made[0], "details": {"joined": joined}}


def _own(clip: Path) -> dict[str, Any] | None:
    try:
        return provenance.read_provenance(clip)
    except StorageError:
        return None
