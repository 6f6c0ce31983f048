"""The motion of a face: 52 blend-shape weights, head and gaze, frame by frame.

Names and order of the shapes are ARKit's. Left and right are the person's own. Knows no file format, no
renderer and no model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.errors import InputError

Array = npt.NDArray[np.float32]

RATE_HZ = 30.0
SHAPES = (
    *("eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft"),
    *("eyeSquintLeft", "eyeWideLeft"),
    *("eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight"),
    *("eyeSquintRight", "eyeWideRight"),
    *("jawForward", "jawLeft", "jawRight", "jawOpen"),
    *("mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight"),
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut"),
)
INDEX = {name: index for index, name in enumerate(SHAPES)}
# Rotation in degrees: up, to the person's left, towards the left shoulder are positive. Then where the head
# is, in distances between the outer corners of the eyes: to the person's left, up, towards the camera.
HEAD = ("pitch", "yaw", "roll", "x", "y", "z")
GAZE = ("yaw", "pitch")  # degrees against the head: to the person's left, up
LOOK_DEG = 30.0  # turn of an eye at which an eyeLook shape is 1
_LOOKS = tuple(name for name in SHAPES if name.startswith("eyeLook"))


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """`weights` (frames, 52) in [0, 1], `head` (frames, 6) as in HEAD, `gaze` (frames, 2) as in GAZE.

    The eight eyeLook shapes always follow from `gaze`: whatever `weights` holds there is replaced. All arrays
    are float32 copies that cannot be written to. Raises InputError for other shapes and for values that are
    no numbers.
    """

    weights: Array
    head: Array
    gaze: Array
    rate_hz: float = RATE_HZ

    def __post_init__(self) -> None:
        if not 1 <= self.rate_hz <= 240:
            raise InputError("rate_hz", self.rate_hz, f"must be in [1, 240], got {self.rate_hz}", "30")
        for name, width in (("weights", len(SHAPES)), ("head", len(HEAD)), ("gaze", len(GAZE))):
            values = np.array(getattr(self, name), dtype=np.float32)
            if values.ndim != 2 or values.shape[1] != width or len(values) != len(self.weights):
                shape = (len(self.weights), width)
                raise InputError(name, values.shape, f"must have the shape {shape}, got {values.shape}")
            if not np.isfinite(values).all():
                raise InputError(
                    name, "nan", f"frame {int(np.argwhere(~np.isfinite(values))[0, 0])} has no number"
                )
            object.__setattr__(self, name, values)
        np.clip(self.weights, 0.0, 1.0, out=self.weights)
        for name, looks in looks_of(self.gaze).items():
            self.weights[:, INDEX[name]] = looks
        for values in (self.weights, self.head, self.gaze):
            values.setflags(write=False)

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def length_s(self) -> float:
        return len(self) / self.rate_hz

    def column(self, name: str) -> Array:
        """(frames,) weights of one shape."""
        return np.asarray(self.weights[:, INDEX[name]])

    def at_rate(self, rate_hz: float) -> Motion:
        """The same motion at another frame rate, linear between frames."""
        if rate_hz == self.rate_hz or not len(self):
            return self
        frames = max(1, round(self.length_s * rate_hz))
        now, then = np.arange(len(self)) / self.rate_hz, np.arange(frames) / rate_hz

        def resampled(part: Array) -> Array:
            return np.stack([np.interp(then, now, column) for column in part.T], axis=1).astype(np.float32)

        return Motion(resampled(self.weights), resampled(self.head), resampled(self.gaze), rate_hz)


def still(frames: int, rate_hz: float = RATE_HZ) -> Motion:
    """A face at rest that looks into the camera."""
    weights, head, gaze = (
        np.zeros((frames, width), np.float32) for width in (len(SHAPES), len(HEAD), len(GAZE))
    )
    return Motion(weights, head, gaze, rate_hz)


def looks_of(gaze: Array) -> dict[str, Array]:
    """The eight eyeLook shapes of gaze (frames, 2); an eye that looks to the left looks out with the left."""
    left, up = gaze[:, 0] / LOOK_DEG, gaze[:, 1] / LOOK_DEG
    turns = {"Up": up, "Down": -up}
    sides = {"Left": {"Out": left, "In": -left}, "Right": {"Out": -left, "In": left}}
    return {
        f"eyeLook{way}{side}": np.clip(turn, 0.0, 1.0).astype(np.float32)
        for side, ways in sides.items()
        for way, turn in {**turns, **ways}.items()
    }


def gaze_of(weights: Array) -> Array:
    """(frames, 2) degrees that the eyeLook shapes of weights (frames, 52) mean, the mean of both eyes."""
    value = {name: weights[:, INDEX[name]] for name in _LOOKS}
    left = (
        value["eyeLookOutLeft"] - value["eyeLookInLeft"] + value["eyeLookInRight"] - value["eyeLookOutRight"]
    ) / 2
    up = sum(value[f"eyeLookUp{side}"] - value[f"eyeLookDown{side}"] for side in ("Left", "Right")) / 2
    return np.stack([left, up], axis=1).astype(np.float32) * np.float32(LOOK_DEG)
