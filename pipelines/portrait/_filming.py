"""A take before the camera: a picture with its landmarks moves as the take says, frame by frame into a clip.

Knows pictures, landmarks and clips; it knows neither speech recognition nor how motion comes about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from pipelines.portrait import _acting as acting
from studio import portraits
from studio.artifacts import Clip
from studio.landmarks import Landmarks, beside
from studio.lazy import lazy
from studio.motion import Motion
from studio.params import param
from studio.ports import Artifact, OnStep, SetEmotion, Step
from studio.request import RenderRequest

face_warp = lazy("pipelines.portrait._face_warp")
landmarks = lazy("pipelines.portrait._landmarks")
motion_files = lazy("studio.motion_files")
pictures = lazy("pipelines.portrait._portrait_picture")
recording = lazy("studio.recording")

SIZES_PX = (256, 384, 512, 640, 768, 1024)
FILES = ("livelink", "npz")  # of the motion, beside the clip
_ACTED = 0.15  # share of a render's time that acting takes, about


@dataclass(frozen=True)
class FilmParams:
    """Who is seen and how. With an `image` input it is that picture."""

    portrait: str = param("anna", "who is seen", choices=portraits.names(), advanced=False)
    face: int = param(
        0, "which face of a picture with several, from the left; 0: the only one", min=0, max=20, of="image"
    )
    size_px: int = param(512, "width and height of the clip", choices=SIZES_PX, unit="px")
    fps: int = param(30, "frames a second", choices=(24, 25, 30, 50, 60), unit="Hz")
    head: float = param(1.0, "how much the head moves", min=0, max=2, step=0.1)
    gaze: float = param(1.0, "how much the eyes wander", min=0, max=2, step=0.1)


class Filming(acting.Actor):
    """The `render` of families that make clips."""

    def render(
        self, batch: Sequence[RenderRequest], set_emotion: SetEmotion, on_step: OnStep
    ) -> list[Artifact]:
        """One Clip per request, filmed one after the other. Whatever `on_step` raises ends the render."""
        made: list[Artifact] = []
        for row, request in enumerate(batch):
            watch = acting.among(on_step, row, len(batch))
            scene = scene_of(request)  # first: a picture without a face is told before anybody acts
            take = self.take(request, set_emotion, acting.shared(watch, 0.0, _ACTED))
            made.append(film(take, scene, request, acting.shared(watch, _ACTED, 1.0)))
        return made


def scene_of(request: RenderRequest) -> Any:
    """The face of the request's picture, ready to move. Raises InputError for one that cannot be used."""
    given = dict(request.inputs).get("image")
    path = Path(given) if given else portraits.path(request.params.portrait)
    asked = request.params
    return _scene(path, _modified_ns(path), asked.face, asked.size_px)


@lru_cache(maxsize=2)
def _scene(path: Path, modified_ns: tuple[int, ...], face: int, size_px: int) -> Any:
    """The newest faces stay made up: takes and previews of one face follow each other."""
    points = landmarks.landmarks_for(path, face)
    return face_warp.Face(pictures.read_picture(path), points.points, size_px)


def _modified_ns(path: Path) -> tuple[int, ...]:
    """When the picture and the landmarks beside it were written."""
    return tuple(file.stat().st_mtime_ns for file in (path, beside(path)) if file.is_file())


def faces(path: Path) -> list[Landmarks]:
    """Every face of a picture that can be moved, from left to right.

    Raises InputError for a picture that cannot be used: no face in it, or none large and frontal enough.
    """
    return landmarks.usable(pictures.read_picture(path))  # type: ignore[no-any-return]


def film(take: acting.Take, scene: Any, request: RenderRequest, on_step: OnStep) -> Clip:
    """The take with the face of `scene`; sound and motion files lie beside the clip."""
    asked, speech = request.params, take.line.speech
    motion = Motion(take.motion.weights, take.motion.head * asked.head, take.motion.gaze * asked.gaze)
    shown = motion.at_rate(float(asked.fps))
    reel = _Reel(scene, shown, on_step)
    made = recording.recorded(reel, float(asked.fps), (speech.samples, speech.rate_hz), reel.on_frame)
    extras = motion_files.writers(motion, None, FILES)
    return Clip(made, take.line.curve, extras, take.details, take.line.notes)


class _Reel:
    """Frames as they are drawn; the newest one is the preview."""

    def __init__(self, scene: Any, motion: Motion, on_step: OnStep) -> None:
        self._scene, self._motion, self._on_step = scene, motion, on_step
        self._last: Any = None

    def __iter__(self) -> Iterator[Any]:
        for frame in self._scene.frames(self._motion):
            self._last = frame
            yield frame

    def on_frame(self, done: int) -> None:
        self._on_step(Step(done, len(self._motion), self._preview))

    def _preview(self) -> list[Image.Image]:
        return [Image.fromarray(self._last.copy())]
