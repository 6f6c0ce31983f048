"""Clips for the video benchmark: what is asked, how it is made, and what was measured of it, kept on disk.

A measured clip is a JSON record and its MP4 in a folder; what is there is not made again, so that a run that
was interrupted goes on where it was. Knows families and painters; knows no figure over many clips.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from benchmarks import _video_measures as measures
from benchmarks._video_measures import Floats, Frames
from pipelines.video import animatediff
from pipelines.video._timing import moods_of
from studio import catalog, colours, recording, video_files
from studio.emotion import NEUTRAL, VAD, Emotion, EmotionCurve
from studio.emotion.curve import Key
from studio.render import Studio
from studio.request import RenderRequest
from studio.storage import write_atomically
from training.embedded.readers import PictureReader
from training.synthesis import moving
from training.synthesis.captions import caption
from training.synthesis.spec import SCENES, Spec, sample_spec

FAMILY, MODEL = "video/animatediff", animatediff.DEFAULT_MODEL
FPS, PAINTED_PX = 12, 128
UNSEEN = 7_000_003  # first word of every generator here; no training used it
CHANGE = 0.6  # least range of valence and of arousal in a curve that changes
VERSION = 2  # of what is measured; another one makes records anew
STILL = EmotionCurve.constant(NEUTRAL)


@dataclass(frozen=True, slots=True)
class Wish:
    """One unseen triple, and `spec`, what its prompt describes, for the painter."""

    prompt: str
    seed: int
    curve: EmotionCurve
    spec: Spec


@dataclass(frozen=True, slots=True)
class Take:
    """A clip as it was measured. `asked` and `read` (T, 3): valence, arousal, dominance; `energy`
    and `change` (T-1,), motion without and with light, and `flicker`: see `_video_measures`; `colours` as
    `inspect` tells them; `digest` of its frames; `seconds` it took; `about`: what was asked, for people;
    `path`: the MP4."""

    asked: Floats
    read: Floats
    energy: Floats
    change: Floats
    flicker: float
    colours: dict[str, Any]
    digest: str
    seconds: float
    about: dict[str, Any]
    path: Path

    @property
    def changes(self) -> bool:
        """Whether the asked feeling does, over the clip."""
        return bool((np.ptp(self.asked[:, :2], axis=0) > 0).all())


def wishes(count: int) -> list[Wish]:
    """Scenes take turns; of four clips one has a constant feeling, the others two or three keys."""
    return [_wish(index) for index in range(count)]


def _wish(index: int) -> Wish:
    rng = np.random.default_rng([UNSEEN, index])
    spec = sample_spec(rng, scene=SCENES[7 * index % len(SCENES)])  # 7: the first few are of all kinds
    prompt = caption(spec, rng)
    is_constant = (index + index // len(SCENES)) % 4 == 3  # not always the same scenes
    curve = EmotionCurve.constant(_feeling(rng)) if is_constant else _changing(rng)
    return Wish(prompt, UNSEEN + index, curve, spec)


def _feeling(rng: np.random.Generator) -> Emotion:
    """Uniform in the VAD cube."""
    return Emotion(VAD(*(round(float(value), 3) for value in rng.uniform(-1, 1, 3))))


def _changing(rng: np.random.Generator) -> EmotionCurve:
    """Keys at the ends, and half of the time one between, drawn until valence and arousal both change."""
    places = [0.0, *([round(float(rng.uniform(0.3, 0.7)), 2)] if rng.random() < 0.5 else []), 1.0]
    while True:
        keys = [Key(at, _feeling(rng)) for at in places]
        points = np.array([key.emotion.vad.as_tuple() for key in keys])
        if (np.ptp(points[:, :2], axis=0) >= CHANGE).all():
            return EmotionCurve(tuple(keys))


@dataclass(frozen=True, slots=True)
class Crew:
    """Makes clips of wishes, `length_s` long, and keeps what is measured of them in `folder`."""

    folder: Path
    length_s: float
    motion: str = ""  # the motion adapter; "": the embedded one

    def rendered(self, wish: Wish, curve: EmotionCurve, adapters: str) -> Take:
        """A clip of the embedded model, wearing `adapters` ("none": the bare one)."""
        asked = request(wish, curve, adapters, self.length_s, self.motion)
        motion = [catalog.revision(location) for location in animatediff.weights(asked)]
        key = f"{asked.content_key()} {motion}"
        return self._take(key, _about(wish, curve, adapters), curve, lambda: rendered(asked))

    def painted(self, wish: Wish, curve: EmotionCurve) -> Take:
        """A clip of the moving painter: what the embedded model learnt from."""
        moods = moods_of(curve, round(self.length_s * FPS), FPS)
        key = f"{_painter_revision()} {wish.prompt} {wish.seed} {curve.text} {self.length_s}"
        points = [mood.as_tuple() for mood in moods]
        about = _about(wish, curve, "painter")
        return self._take(
            key, about, curve, lambda: moving.film(wish.spec, points, wish.seed, FPS, PAINTED_PX)
        )

    def _take(self, key: str, about: dict[str, Any], curve: EmotionCurve, make: Callable[[], Frames]) -> Take:
        name = hashlib.blake2b(f"{VERSION} {key}".encode(), digest_size=12).hexdigest()
        path = self.folder / f"{name}.json"
        if not path.is_file():
            started = time.perf_counter()
            frames = make()
            seconds = time.perf_counter() - started
            video_files.record(iter(frames), FPS, path.with_suffix(".mp4"))
            found = {"about": about, **_measured(frames, curve), "seconds": seconds}
            write_atomically(path, partial(_written, found))
        return _read(path)


def _about(wish: Wish, curve: EmotionCurve, worn: str) -> dict[str, Any]:
    return {"prompt": wish.prompt, "seed": wish.seed, "emotion": curve.text, "worn": worn}


def request(
    wish: Wish, curve: EmotionCurve, adapters: str, length_s: float, motion: str = ""
) -> RenderRequest:
    """The steps, guidance and size of the family's defaults."""
    return RenderRequest.parse(
        {
            "pipeline": FAMILY,
            "model": MODEL,
            "prompt": wish.prompt,
            "seed": wish.seed,
            "emotion": curve,
            "adapters": adapters,
            "length_s": length_s,
            "fps": FPS,
            "motion": motion,
        }
    )


@cache
def studio() -> Studio:
    return Studio()


def rendered(asked: RenderRequest) -> Frames:
    """The frames of a clip before they are encoded: bits are compared, and a codec flickers by itself."""
    with _overheard() as frames:
        (clip,) = studio().make([asked])
    clip.recording.discard()  # type: ignore[attr-defined]
    return np.stack(frames)


@contextmanager
def _overheard() -> Iterator[list[Frames]]:
    """What is recorded inside the block, frame by frame."""
    heard: list[Frames] = []
    record = recording.recorded

    def passed_on(frames: Iterable[Frames]) -> Iterator[Frames]:
        for frame in frames:
            heard.append(frame.copy())
            yield frame

    def listening(frames: Iterable[Frames], *more: Any) -> recording.Recording:
        return record(passed_on(frames), *more)

    setattr(recording, "recorded", listening)  # noqa: B010 - a function is no variable to a type checker
    try:
        yield heard
    finally:
        setattr(recording, "recorded", record)  # noqa: B010


def _measured(frames: Frames, curve: EmotionCurve) -> dict[str, Any]:
    asked = [mood.as_tuple() for mood in moods_of(curve, len(frames), FPS)]
    _, read = _reader().read(frames)
    return {
        "asked": asked,
        "read": read.tolist(),
        "energy": measures.motion_energy(frames).tolist(),
        "change": measures.difference(frames).tolist(),
        "flicker": float(measures.flicker(frames).mean()),
        "colours": dataclasses.asdict(colours.of_frames(iter(frames))),
        "digest": hashlib.blake2b(frames.tobytes(), digest_size=16).hexdigest(),
    }


def _read(path: Path) -> Take:
    found: dict[str, Any] = json.loads(path.read_bytes())
    series = {name: np.array(found[name], np.float64) for name in ("asked", "read", "energy", "change")}
    return Take(**{**found, **series}, path=path.with_suffix(".mp4"))


def _written(found: Mapping[str, Any], file: BinaryIO) -> None:
    file.write(json.dumps(found).encode())


@cache
def _reader() -> PictureReader:
    reader: PictureReader = PictureReader.from_pretrained(catalog.ASSETS / "models" / "picture-reader")
    return reader.eval()


@cache
def _painter_revision() -> str:
    files: Sequence[Path] = sorted(Path(moving.__file__).parent.glob("*.py"))
    content = b"".join(path.read_bytes() for path in files)
    return hashlib.blake2b(content, digest_size=12).hexdigest()
