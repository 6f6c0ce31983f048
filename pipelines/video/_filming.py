"""What all families of clips share: the settings that have the same name everywhere, the checks of a request,

frames into a clip. Knows requests and recordings; knows no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.video import _start as start
from pipelines.video import _timing as timing
from studio.artifacts import Clip
from studio.errors import InputError
from studio.lazy import lazy
from studio.params import param
from studio.request import RenderRequest

if TYPE_CHECKING:
    from studio import recording, video_files
else:
    recording, video_files = lazy("studio.recording"), lazy("studio.video_files")


@dataclass(frozen=True)
class ClipParams:
    """What a person chooses of every clip. A family declares again what is different with it."""

    length_s: float = param(4.0, "length of the clip", min=0.1, max=600, step=0.5, unit="s", advanced=False)
    fps: int = param(12, "frames a second", min=1, max=60, unit="Hz", advanced=False)
    steps: int = param(20, "denoising steps: more is finer and slower", min=1, max=150, advanced=False)
    guidance: float | None = param(
        None, "pull towards prompt and emotion; 1 is none, empty is the model's own", min=0, max=30, step=0.5
    )
    width: int | None = param(None, "width; empty is the model's own", min=64, max=2048, step=8, unit="px")
    height: int | None = param(None, "height; empty is the model's own", min=64, max=2048, step=8, unit="px")
    fit: str = param("crop", "what becomes of a picture of another aspect", choices=start.FITS)
    strength: float = param(
        0.6, "how much of the video is drawn anew; 1 keeps nothing of it", min=0.05, max=1, step=0.05,
        of="video",
    )  # fmt: skip
    loop: bool = param(False, "the last frame leads to the first")


def check(request: RenderRequest, rule: timing.FrameRule) -> None:
    """Raise InputError where length, rate, keys or inputs of a clip do not fit each other."""
    asked = request.params
    _check_rate(asked.fps)
    timing.frames_of(asked.length_s, asked.fps, rule)
    timing.check_keys(request, asked.length_s)
    files = start.inputs_of(request)
    if "video" in files and "image" in files:
        raise InputError(
            "inputs", sorted(files), "a clip starts from a picture or from a video, not from both"
        )
    size = (asked.width, asked.height) if asked.width and asked.height else None
    for name, path in files.items():
        field = f"inputs.{name}"
        if name == "video":
            info = video_files.probe(path)
            whole = (info.width, info.height)
        else:
            whole = start.picture(path, field).size
        if size:  # else the model has to be asked, which is loaded later
            start.check_aspect(whole, size, asked.fit, field, path)


def _check_rate(fps: float) -> None:
    try:
        video_files.check_rate(fps)
    except InputError as error:
        raise InputError("fps", fps, error.why, error.suggestion) from None


def film(
    frames: Iterable[Any],
    request: RenderRequest,
    fps: float,
    details: Mapping[str, Any],
    on_frame: Any = None,
    notes: tuple[str, ...] = (),
) -> Clip:
    """A Clip of frames (H, W, 3) uint8, encoded as they come, with the request's curve under them.

    `on_frame(done)` is called after each; whatever it raises comes out, and nothing is left.
    """
    made = recording.recorded(frames, float(fps), None, on_frame)
    return Clip(made, request.curve, (), details, notes)
