"""Motion as the 174 controls of a MetaHuman face board, a row for each frame at 60 frames a second.

The order is that of EmoFace (Liu et al., IEEE VR 2024), whose label files are such rows without a header.
What an ARKit shape does to the board follows from what the controls are named for; the signs (wide eyes are a
negative blink; a jaw to the front or to the left is negative, a mouth or an eye to the left positive) are
those that public set-ups of the board agree on, and that of tongue_inOut one of them gives.

Written and read again all 52 shapes and a gaze of up to 30 degrees come back, but of opposites (blink and
wide, jawLeft and jawRight, mouthLeft and mouthRight) only the difference; the head has no control. Of files
that others made, what no ARKit shape means is dropped: lashes, neck, teeth, pupils, most of the tongue.
"""

from __future__ import annotations

import csv
import io
import math

import numpy as np

from studio.errors import InputError
from studio.motion import HEAD, INDEX, LOOK_DEG, SHAPES, Array, Motion

RATE_HZ = 60.0
_X, _Y = "-translateX", "-translateY"
_CENTRE = (
    *(
        "eye-X",
        "eye",
        "eye_parallelLook",
        "jaw-X",
        "jaw",
        "jaw_fwdBack",
        "jaw_openExtreme",
        "mouth-X",
        "mouth",
    ),
    *("mouth_lipShiftD", "mouth_lipShiftU", "mouth_stickyD", "mouth_stickyU", "neck_swallow", "teethD-X"),
    *(
        "teethD",
        "teethU-X",
        "teethU",
        "teeth_fwdBackD",
        "teeth_fwdBackU",
        "tongue-X",
        "tongue",
        "tongue_inOut",
    ),
    *("tongue_narrowWide", "tongue_press", "tongue_tip-X", "tongue_tip", "tongue_tip-X", "tongue_tip"),
)
_SIDE = (
    *("brow_down", "brow_lateral", "brow_raiseIn", "brow_raiseOut", "ear_up", "eye-X", "eye", "eye_blink"),
    *("eye_cheekRaise", "eye_eyelidD", "eye_eyelidU", "eye_faceScrunch", "eye_lidPress", "eye_pupil"),
    *("eye_squintInner", "eyelashes_tweakerIn", "eyelashes_tweakerOut", "jaw_ChinRaiseD", "jaw_ChinRaiseU"),
    *("jaw_chinCompress", "jaw_clench", "mouth_corner-X", "mouth_corner", "mouth_cornerDepress"),
    *(
        "mouth_cornerPull",
        "mouth_cornerSharpnessD",
        "mouth_cornerSharpnessU",
        "mouth_dimple",
        "mouth_funnelD",
    ),
    *("mouth_funnelU", "mouth_lipBiteD", "mouth_lipBiteU", "mouth_lipSticky", "mouth_lipsBlow"),
    *("mouth_lipsPressU", "mouth_lipsRollD", "mouth_lipsRollU", "mouth_lipsTogetherD", "mouth_lipsTogetherU"),
    *("mouth_lipsTowardsTeethD", "mouth_lipsTowardsTeethU", "mouth_lowerLipDepress", "mouth_pressD"),
    *("mouth_pressU", "mouth_purseD", "mouth_purseU", "mouth_pushPullD", "mouth_pushPullU"),
    *("mouth_sharpCornerPull", "mouth_stickyInnerD", "mouth_stickyInnerU", "mouth_stickyOuterD"),
    *("mouth_stickyOuterU", "mouth_stretch", "mouth_stretchLipsClose", "mouth_suckBlow", "mouth_thicknessD"),
    *("mouth_thicknessU", "mouth_tightenD", "mouth_tightenU", "mouth_towardsD", "mouth_towardsU"),
    *("mouth_upperLipRaise", "neck_mastoidContract", "neck_stretch", "nose-X", "nose"),
    *("nose_nasolabialDeepen", "nose_wrinkleUpper"),
)
_WHOLE = (
    *("lookAtSwitch", "neckCorrectivesMultiplyerD", "neckCorrectivesMultiplyerM"),
    *("neckCorrectivesMultiplyerU", "neck_digastricUpDown", "neck_throatExhaleInhale", "neck_throatUpDown"),
)


def _named(prefix: str, short: str) -> str:
    return f"CTRL_{prefix}" + (short.replace("-X", _X) if short.endswith("-X") else short + _Y)


NAMES = (
    *(_named("C_", short) for short in _CENTRE),
    *(_named(f"{side}_", short) for side in "LR" for short in _SIDE),
    *(_named("", short) for short in _WHOLE),
)  # two of them stand there twice (25 to 28): a column goes by its number

# Shapes of one side, by what comes before Left and Right, and their control of that side.
_OF_SIDE = {
    "eyeSquint": "eye_squintInner", "browDown": "brow_down", "browOuterUp": "brow_raiseOut",
    "cheekSquint": "eye_cheekRaise", "noseSneer": "nose", "mouthSmile": "mouth_cornerPull",
    "mouthFrown": "mouth_cornerDepress", "mouthDimple": "mouth_dimple", "mouthStretch": "mouth_stretch",
    "mouthLowerDown": "mouth_lowerLipDepress", "mouthUpperUp": "mouth_upperLipRaise",
}  # fmt: skip
# Shapes of both sides, and their controls on each.
_OF_BOTH = {
    "browInnerUp": ("brow_raiseIn",), "cheekPuff": ("mouth_suckBlow",),
    "mouthFunnel": ("mouth_funnelD", "mouth_funnelU"), "mouthPucker": ("mouth_purseD", "mouth_purseU"),
    "mouthClose": ("mouth_lipsTogetherD", "mouth_lipsTogetherU"), "mouthRollLower": ("mouth_lipsRollD",),
    "mouthRollUpper": ("mouth_lipsRollU",), "mouthShrugLower": ("jaw_ChinRaiseD",),
    "mouthShrugUpper": ("jaw_ChinRaiseU",),
}  # fmt: skip
# What more a shape does when it is written, which says nothing when it is read.
_BESIDES = {"mouthPucker": ("mouth_towardsD", "mouth_towardsU")}
_BESIDES_GAIN = 0.4
# Controls of others that mean a shape too, and how much of it. A frown in EmoFace's files is brow_lateral.
_MEANT_TOO = {
    "brow_lateral": ("browDown", 0.5), "mouth_sharpCornerPull": ("mouthSmile", 1.0),
    "nose_wrinkleUpper": ("noseSneer", 0.5), "mouth_stretchLipsClose": ("mouthStretch", 0.5),
}  # fmt: skip


def write(motion: Motion, header: bool = False) -> bytes:
    """Rows of "%.6f" at 60 frames a second, whatever the motion's own rate is; `header`: names first."""
    motion = motion.at_rate(RATE_HZ)
    board = controls(motion)
    lines = [",".join(NAMES)] if header else []
    pattern = ",".join(["%.6f"] * len(NAMES))
    lines += [pattern % tuple(row) for row in board.tolist()]
    return ("\n".join(lines) + "\n").encode("ascii")


def read(content: bytes, name: str = "metahuman.csv", rate_hz: float = RATE_HZ) -> Motion:
    """With or without a header; a header must be that of `write`. InputError names line and column."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(name, "", f"is no text (byte {error.start})") from None
    rows = csv.reader(io.StringIO(text, newline=""))
    board: list[Array] = []
    for cells in rows:
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if not board and cells[0].startswith("CTRL_"):
            _check(cells, name)
            continue
        board.append(_numbers(cells, rows.line_num, name))
    if not board:
        raise InputError(name, "", "has no frames")
    return of_controls(np.array(board, dtype=np.float32), rate_hz)


def controls(motion: Motion) -> Array:
    """(frames, 174) what stands on the board."""
    board = np.zeros((len(motion), len(NAMES)), np.float32)

    def put(short: str, values: Array, gain: float = 1.0) -> None:
        board[:, _AT[short]] += gain * values

    for side, letter in _SIDES:
        for shape, short in _OF_SIDE.items():
            put(f"{letter}_{short}", motion.column(shape + side))
        for row in ("U", "D"):
            put(f"{letter}_mouth_press{row}", motion.column(f"mouthPress{side}"))
        put(f"{letter}_eye_blink", motion.column(f"eyeBlink{side}") - motion.column(f"eyeWide{side}"))
        for shape, shorts in _OF_BOTH.items():
            for short in shorts:
                put(f"{letter}_{short}", motion.column(shape))
            for short in _BESIDES.get(shape, ()):
                put(f"{letter}_{short}", motion.column(shape), _BESIDES_GAIN)
    put("C_jaw", motion.column("jawOpen"))
    put("C_jaw_fwdBack", -motion.column("jawForward"))
    put("C_jaw-X", motion.column("jawRight") - motion.column("jawLeft"))
    put("C_mouth-X", motion.column("mouthLeft") - motion.column("mouthRight"))
    put("C_tongue_inOut", -motion.column("tongueOut"))
    put("C_eye-X", np.clip(motion.gaze[:, 0] / LOOK_DEG, -1, 1))
    put("C_eye", np.clip(motion.gaze[:, 1] / LOOK_DEG, -1, 1))
    return board


def of_controls(board: Array, rate_hz: float = RATE_HZ) -> Motion:
    """The motion that a board (frames, 174) means."""
    weights = np.zeros((len(board), len(SHAPES)), np.float32)

    def at(short: str) -> Array:
        return np.asarray(board[:, _AT[short]])

    def put(shape: str, values: Array) -> None:
        weights[:, INDEX[shape]] += np.clip(values, 0, 1)

    for side, letter in _SIDES:
        for shape, short in _OF_SIDE.items():
            put(shape + side, at(f"{letter}_{short}"))
        for short, (shape, gain) in _MEANT_TOO.items():
            put(shape + side, gain * at(f"{letter}_{short}"))
        pressed = at(f"{letter}_mouth_pressU") + at(f"{letter}_mouth_pressD")
        put(f"mouthPress{side}", pressed * np.float32(0.5))
        put(f"eyeBlink{side}", at(f"{letter}_eye_blink"))
        put(f"eyeWide{side}", -at(f"{letter}_eye_blink"))
    for shape, shorts in _OF_BOTH.items():
        every = [at(f"{letter}_{short}") for letter in "LR" for short in shorts]
        put(shape, np.asarray(np.mean(every, axis=0), dtype=np.float32))
    for shape, short, sign in _CENTRAL:
        put(shape, at(short) if sign > 0 else -at(short))
    # the eyes have a common control and one each
    looks = [at(f"C_eye{axis}") + (at(f"L_eye{axis}") + at(f"R_eye{axis}")) / 2 for axis in ("-X", "")]
    gaze = np.asarray(np.stack(looks, axis=1) * LOOK_DEG, dtype=np.float32)
    head = np.zeros((len(board), len(HEAD)), np.float32)
    return Motion(weights, head, gaze, rate_hz)


_SIDES = (("Left", "L"), ("Right", "R"))
_CENTRAL = (
    *(("jawOpen", "C_jaw", 1), ("jawForward", "C_jaw_fwdBack", -1), ("tongueOut", "C_tongue_inOut", -1)),
    *(("jawLeft", "C_jaw-X", -1), ("jawRight", "C_jaw-X", 1)),
    *(("mouthLeft", "C_mouth-X", 1), ("mouthRight", "C_mouth-X", -1)),
)
_AT = {
    **{f"C_{short}": at for at, short in enumerate(_CENTRE)},
    **{f"L_{short}": len(_CENTRE) + at for at, short in enumerate(_SIDE)},
    **{f"R_{short}": len(_CENTRE) + len(_SIDE) + at for at, short in enumerate(_SIDE)},
}


def _check(header: list[str], name: str) -> None:
    for at, (got, wanted) in enumerate(zip(header, NAMES, strict=False)):
        if got != wanted:
            raise InputError(name, got, f"line 1, column {at}: expected {wanted}, got {got}")
    if len(header) != len(NAMES):
        raise InputError(name, len(header), f"line 1 has {len(header)} columns, not {len(NAMES)}")


def _numbers(cells: list[str], line: int, name: str) -> Array:
    if len(cells) != len(NAMES):
        raise InputError(name, len(cells), f"line {line} has {len(cells)} columns, not {len(NAMES)}")
    try:
        values = np.array(cells, dtype=np.float32)
    except ValueError:
        values = np.full(len(cells), np.nan, np.float32)
    if np.isfinite(values).all():
        return values
    for at, cell in enumerate(cells):
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            why = f"line {line}, column {at} ({NAMES[at]}): expected a number, got {cell!r}"
            raise InputError(name, cell, why)
    raise InputError(name, line, f"line {line} holds numbers that are too large")
