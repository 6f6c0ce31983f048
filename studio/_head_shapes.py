"""How each of the 52 ARKit shapes moves the points of the preview head's face. Rules of our own, in cm.

A rule says where a few handles go: lip rings, lids, brows, cheeks. The skin between follows as smoothly as
the mesh allows (least bi-Laplacian), and what is out of reach stays. Shapes of one side are written for the
person's right and mirrored. The jaw turns about an axis near the ears. Knows no motion and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np

from studio._head_jaw import JAW_DEG, jaw_share, turned_jaw
from studio._head_points import (
    BROW_LOW,
    BROW_UP,
    COUNT,
    CREASE,
    EYE_CORNERS,
    LID_LOW,
    LID_UP,
    LIP_CORNER,
    LIP_LOW_IN,
    LIP_LOW_OUT,
    LIP_UP_IN,
    LIP_UP_OUT,
    LIPS,
    PUFF,
    UNDER,
    WING,
    Floats,
    mirrored,
    points,
)  # fmt: skip
from studio._head_spread import Moves, both, longer, mirror, spread, still
from studio.face_mesh import OVAL
from studio.motion import SHAPES

_FORWARD = np.array([0.0, 0.0, 1.0])
Rows = Mapping[tuple[int, ...], tuple[float, float, float]]  # how far a row of them goes


@lru_cache(maxsize=1)
def rest_face() -> Floats:
    """(468, 3) the mean face with its lips closed, which they are not quite in it."""
    vertices = points()
    moves: Moves = {}
    for upper, lower in zip(LIP_UP_IN, LIP_LOW_IN, strict=True):
        middle = vertices[upper] * 0.45 + vertices[lower] * 0.55
        moves[upper], moves[lower] = middle - vertices[upper], middle - vertices[lower]
    for row, share in ((LIP_UP_OUT, -0.12), (LIP_LOW_OUT, 0.16)):
        moves.update({one: np.array([0, share, 0]) for one in row})
    rest = vertices + spread(both(moves), 2.0)
    rest.setflags(write=False)
    return rest


@lru_cache(maxsize=1)
def displacements() -> Floats:
    """(52, 468, 3) in cm, of each shape at 1."""
    found = np.zeros((len(SHAPES), COUNT, 3))
    for index, name in enumerate(SHAPES):
        stem, side = _side(name)
        if side:
            right = _RULES[stem]()
            found[index] = right if side == "Right" else mirror(right)
        else:
            found[index] = _RULES[name]()
    found.setflags(write=False)
    return found


def lip_shares(share: float) -> Floats:
    """How far five lip landmarks beside the corner (from it to the middle) still go with it."""
    return np.array([0.82, 0.6, 0.38, 0.2, 0.1]) * share


# --- the rules, for the right side or for both --------------------------------------------------


def _blink() -> Floats:
    rest, moves = rest_face(), {}
    for upper, lower in zip(LID_UP, LID_LOW, strict=True):
        meet = 0.12 * rest[upper] + 0.88 * rest[lower] + 0.12 * _FORWARD
        moves[upper], moves[lower] = meet - rest[upper], (meet - rest[lower]) * 0.9
    for crease, upper in zip(CREASE, LID_UP, strict=True):
        moves[crease] = moves[upper] * 0.42
    return spread({**moves, **still(EYE_CORNERS, BROW_LOW, UNDER)}, 1.6)


def _lids(up: float, low: float, crease: float, side_cm: float = 0.0) -> Floats:
    """Lids moved by shares of their gap; most in the middle."""
    rest, moves = rest_face(), {}
    for at, (upper, lower) in enumerate(zip(LID_UP, LID_LOW, strict=True)):
        gap = (rest[LID_UP[3]] - rest[LID_LOW[3]])[1] * (0.55, 0.8, 0.95, 1, 0.95, 0.8, 0.55)[at]
        moves[upper] = np.array([side_cm, up * gap, 0])
        moves[lower] = np.array([side_cm, low * gap, 0.1 * max(low, 0)])
        moves[CREASE[at]] = np.array([0, crease * gap, 0])
    return spread({**moves, **still(EYE_CORNERS, BROW_LOW)}, 1.6)


def _squint() -> Floats:
    return _lids(-0.14, 0.24, -0.1) + spread({one: np.array([0, 0.08, 0.06]) for one in UNDER[1:6]}, 1.5)


def _brow(up_cm: tuple[float, ...], in_cm: float = 0.0) -> Floats:
    """Brow landmarks from the outside in; in_cm: towards the middle. The lid keeps its place."""
    moves: Moves = {}
    for row in (BROW_UP, BROW_LOW):
        for one, up in zip(row, up_cm, strict=True):
            moves[one] = np.array([in_cm * abs(up), up, -0.12 * up])
    moves.update(dict.fromkeys(CREASE, moves[BROW_LOW[2]] * 0.22))
    return spread({**moves, **still(LID_UP, EYE_CORNERS, OVAL)}, 3.4)


def _inner_up() -> Floats:
    right = _brow((0.0, 0.06, 0.38, 0.85, 1.05))
    middle = spread({9: np.array([0, 0.75, 0]), 8: np.array([0, 0.4, 0]), **still((6, 168))}, 2.0)
    return longer(longer(right, mirror(right)), middle)


def _brow_down() -> Floats:
    return _brow((-0.12, -0.32, -0.55, -0.72, -0.8), 0.3)


def _cheek_squint() -> Floats:
    moves = {one: np.array([-0.1, 0.42, 0.2]) for one in (50, 101, 118, 117)}
    moves.update({one: np.array([0, 0.12, 0.08]) for one in UNDER[1:6]})
    return spread({**moves, **still(EYE_CORNERS, LIP_CORNER, WING)}, 2.6) + _lids(-0.02, 0.08, 0.0)


def _sneer() -> Floats:
    moves = {one: np.array([-0.06, 0.42, -0.05]) for one in WING}
    moves.update({one: np.array([0, 0.26, 0.06]) for one in (198, 217, 126, 142, 36)})
    moves.update({one: np.array([0, 0.3, 0.05]) for one in (40, 39, 37, 80, 81, 82)})
    moves[55] = moves[107] = np.array([0.12, -0.3, 0])
    return spread({**moves, **still(EYE_CORNERS, LIP_CORNER, (4, 1, 5, 0, 13, 6))}, 1.9)


def _puff() -> Floats:
    moves = {one: _outwards(one, 0.75 if one in PUFF[:4] else 0.5) for one in PUFF}
    moves.update({one: _outwards(one, 0.18) for one in (*LIP_UP_OUT, *LIP_LOW_OUT)})
    return spread(both({**moves, **still(LIP_CORNER, WING)}), 2.6)


def _corner(out_cm: float, up_cm: float, back_cm: float, cheek: tuple[float, float, float]) -> Floats:
    """The corner of the mouth goes and draws its half of both lips along, less and less."""
    go = np.array([-out_cm, up_cm, -back_cm])
    moves: Moves = dict.fromkeys(LIP_CORNER, go)
    for row in (LIP_UP_OUT, LIP_UP_IN, LIP_LOW_OUT, LIP_LOW_IN):
        moves.update({one: go * share for one, share in zip(row, lip_shares(1.0), strict=True)})
    if any(cheek):
        moves.update({one: np.array(cheek) for one in (205, 50, 187)})
        moves[216] = moves[207] = go * 0.45 + np.array(cheek) * 0.4
    return spread({**moves, **still((4, 1), EYE_CORNERS, UNDER)}, 2.8)


def _smile() -> Floats:
    flat = _lips({LIP_UP_OUT: (0, -0.1, 0), LIP_LOW_OUT: (0, 0.05, 0)})  # a wide mouth has thin lips
    return _corner(0.8, 0.78, 0.45, (-0.12, 0.34, 0.18)) + flat * 0.8


def _press() -> Floats:
    return _lips({LIP_UP_OUT: (0, -0.2, -0.12), LIP_LOW_OUT: (0, 0.22, -0.12)})


def _upper_up() -> Floats:
    cheek = {one: np.array([0, 0.2, 0.05]) for one in (205, 36, 203, 206)}
    bump = _lips({LIP_UP_OUT: (0, 0.55, 0.05), LIP_UP_IN: (0, 0.62, 0.0)}, (0.35, 0.75, 1, 0.9, 0.5))
    return bump + spread({**cheek, **still(LIPS, EYE_CORNERS)}, 2.0)


def _lower_down() -> Floats:
    bump = _lips({LIP_LOW_OUT: (0, -0.5, 0.05), LIP_LOW_IN: (0, -0.62, 0.0)}, (0.35, 0.75, 1, 0.9, 0.5))
    return bump + spread({**{one: np.array([0, -0.2, 0]) for one in (182, 83, 106)}, **still(LIPS)}, 1.6)


def _lips(
    rows: Rows,
    shares: tuple[float, ...] = (0.6, 0.9, 1, 1, 0.8),
) -> Floats:
    """Rows of the right half moved; the landmarks of the other rows stay."""
    moves = still(LIPS)
    for row, go in rows.items():
        moves.update({one: np.array(go) * share for one, share in zip(row, shares, strict=True)})
    return spread(moves, 1.5)


def _whole_lips(
    rows: Rows,
    corner: tuple[float, float, float] = (0, 0, 0),
    reach_cm: float = 2.0,
) -> Floats:
    """Rows of both halves moved; x of the corner and, in part, of what lies beside it is outwards."""
    moves: Moves = {one: np.array([-corner[0], corner[1], corner[2]]) for one in LIP_CORNER}
    for row in (LIP_UP_OUT, LIP_UP_IN, LIP_LOW_OUT, LIP_LOW_IN):
        x, y, z = rows.get(row, (0, 0, 0))
        # landmarks nearer to the middle keep their height, and are drawn sideways less
        side, high = (0.8, 0.6, 0.4, 0.2, 0), (0.45, 0.75, 0.95, 1, 1)
        for at, one in enumerate(row):
            moves[one] = np.array([-(corner[0] * side[at] + x), y * high[at], z + 0.0])
    return spread(both({**moves, **still((2, 164) if z < 0 else (2,))}), reach_cm)


def _funnel() -> Floats:
    rows: dict[tuple[int, ...], tuple[float, float, float]] = {
        LIP_UP_OUT: (0, 0.25, 0.75), LIP_UP_IN: (0, 0.42, 0.5),
        LIP_LOW_OUT: (0, -0.28, 0.75), LIP_LOW_IN: (0, -0.45, 0.5),
    }  # fmt: skip
    return _whole_lips(rows, (-0.75, 0.0, 0.45), 2.4)


def _pucker() -> Floats:
    rows: dict[tuple[int, ...], tuple[float, float, float]] = {
        LIP_UP_OUT: (0, 0.1, 0.7), LIP_UP_IN: (0, 0.05, 0.75),
        LIP_LOW_OUT: (0, -0.1, 0.7), LIP_LOW_IN: (0, -0.05, 0.75),
    }  # fmt: skip
    return _whole_lips(rows, (-1.15, 0.0, 0.6), 2.4)


def _sideways() -> Floats:
    """mouthRight: towards the person's right, which is -x."""
    moves = {one: np.array([-0.75, 0, 0]) for one in LIPS}
    moves.update({int(mirrored()[one]): value for one, value in moves.items()})
    moves[61], moves[291] = np.array([-0.75, 0.1, -0.2]), np.array([-0.75, 0, 0.1])
    return spread({**moves, **both(still(WING, (1, 152)))}, 2.6)


def _jaw(go: Callable[[Floats], Floats]) -> Floats:
    rest = rest_face()
    return (go(rest) - rest) * jaw_share()[:, None]


def _close() -> Floats:
    """With jawOpen at the same weight the lips stay together: the lower one gives way most."""
    opened = rest_face() + _jaw(lambda spots: turned_jaw(spots, JAW_DEG))
    moves: Moves = {}
    for upper, lower, over, under in zip(LIP_UP_IN, LIP_LOW_IN, LIP_UP_OUT, LIP_LOW_OUT, strict=True):
        gap = opened[lower] - opened[upper]
        moves[upper], moves[lower] = gap * 0.22, gap * -0.78
        moves[over], moves[under] = gap * 0.17, gap * -0.66
    moves.update({one: np.zeros(3) for one in LIP_CORNER})
    return spread(both({**moves, **still((2,))}), 3.0)


_RULES: dict[str, Callable[[], Floats]] = {
    "eyeBlink": _blink,
    "eyeLookDown": lambda: _lids(-0.42, -0.05, -0.2),
    "eyeLookUp": lambda: _lids(0.14, 0.06, 0.1),
    "eyeLookIn": lambda: _lids(0.0, 0.0, 0.0, 0.05),
    "eyeLookOut": lambda: _lids(0.0, 0.0, 0.0, -0.05),
    "eyeSquint": _squint,
    "eyeWide": lambda: _lids(0.42, -0.1, 0.3),
    "jawForward": lambda: _jaw(lambda spots: spots + np.array([0, 0, 0.8])),
    "jawLeft": lambda: _jaw(lambda spots: spots + np.array([0.8, 0, 0])),
    "jawRight": lambda: _jaw(lambda spots: spots + np.array([-0.8, 0, 0])),
    "jawOpen": lambda: _jaw(lambda spots: turned_jaw(spots, JAW_DEG)),
    "mouthClose": _close,
    "mouthFunnel": _funnel,
    "mouthPucker": _pucker,
    "mouthLeft": lambda: mirror(_sideways()),
    "mouthRight": _sideways,
    "mouthSmile": _smile,
    "mouthFrown": lambda: _corner(0.12, -0.75, 0.1, (0, -0.12, 0)),
    "mouthDimple": lambda: _corner(0.4, 0.05, 0.45, (0, 0, 0)),
    "mouthStretch": lambda: _corner(0.85, -0.22, 0.35, (-0.1, 0, 0)),
    "mouthRollLower": lambda: _whole_lips({LIP_LOW_OUT: (0, 0.38, -0.3), LIP_LOW_IN: (0, 0.05, -0.4)}),
    "mouthRollUpper": lambda: _whole_lips({LIP_UP_OUT: (0, -0.34, -0.3), LIP_UP_IN: (0, -0.05, -0.4)}),
    "mouthShrugLower": lambda: (
        _whole_lips({LIP_LOW_OUT: (0, 0.36, 0.2), LIP_LOW_IN: (0, 0.22, 0.1)}) + _chin_up()
    ),
    "mouthShrugUpper": lambda: _whole_lips({LIP_UP_OUT: (0, 0.3, 0.2), LIP_UP_IN: (0, 0.1, 0.1)}),
    "mouthPress": _press,
    "mouthLowerDown": _lower_down,
    "mouthUpperUp": _upper_up,
    "browDown": _brow_down,
    "browInnerUp": _inner_up,
    "browOuterUp": lambda: _brow((0.72, 0.95, 0.78, 0.25, 0.0)),
    "cheekPuff": _puff,
    "cheekSquint": _cheek_squint,
    "noseSneer": _sneer,
    "tongueOut": lambda: _whole_lips({LIP_LOW_IN: (0, -0.3, 0.1), LIP_LOW_OUT: (0, -0.22, 0.1)}),
}


def _chin_up() -> Floats:
    moves = {one: np.array([0, 0.35, 0.12]) for one in (199, 200, 175, 208, 201)}
    return spread(both({**moves, **still(LIP_LOW_OUT, (152, 148, 176))}), 2.0)


def _side(name: str) -> tuple[str, str]:
    """A shape that both sides have, and its side; jaw and mouth to a side are shapes of the whole face."""
    stem = name.removesuffix("Left").removesuffix("Right")
    return (stem, name[len(stem) :]) if stem in _RULES else (name, "")


def _outwards(landmark: int, length_cm: float) -> Floats:
    away = rest_face()[landmark] - np.array([0.0, -1.0, -1.5])
    return np.asarray(away / np.linalg.norm(away) * length_cm)
