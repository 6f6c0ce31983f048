"""Head and background apart: a soft mask of the head, and the picture as it would be without it.

By rule, without a model: colours that are common in the face and rare around it are head, a watershed finds
the edge, and what the head hides is the background mirrored at that edge. Knows pixels and landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.portrait._face_crop import Pixels
from pipelines.portrait._face_field import oval_share
from pipelines.portrait._face_points import CHIN, OVAL, SKIN, Array, Frame
from studio.lazy import lazy

cv2 = lazy("cv2")

_WORK_PX = 256
_FEATHER = 0.02  # eye distances
_RARE = 0.01  # share of a colour below which it says nothing
_SURE = 0.9  # of the logarithm of odds, to be a seed for the watershed


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """`front` RGBA, premultiplied, at the size of the source; `back` RGBA at the size shown."""

    front: Pixels
    back: Pixels


def layers_of(picture: Pixels, landmarks: Array, frame: Frame, size_px: int) -> Layers:
    """Take the picture (fine, fine, 3) apart; laid over each other the layers are the picture again."""
    mask = head_mask(picture, landmarks, frame, size_px)
    fine = len(picture)
    full = cv2.resize(mask, (fine, fine), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    soft = cv2.GaussianBlur(full, (0, 0), _FEATHER * frame.unit_px * fine / size_px)
    alpha = (np.minimum(soft * 2, 1) * 255 + 0.5).astype(np.uint8)  # fades outside the head, not in it
    half = (size_px, size_px)
    shown = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
    hidden = cv2.resize(cv2.dilate(alpha, np.ones((7, 7), np.uint8)), half, interpolation=cv2.INTER_AREA) > 2
    back = cv2.resize(
        _filled(shown, hidden, max(0.12 * frame.unit_px, 2)), (fine, fine), interpolation=cv2.INTER_LINEAR
    )
    near = cv2.GaussianBlur(
        cv2.dilate((alpha > 0).astype(np.float32), np.ones((7, 7), np.uint8)), (0, 0), 2.0
    )
    back = picture + (back.astype(np.float32) - picture) * near[..., None]
    share = alpha[..., None].astype(np.float32) / 255
    back = _possible(back, picture, share)
    front = picture - (1 - share) * back
    front = np.dstack([np.clip(front + 0.5, 0, alpha[..., None]), alpha]).astype(np.uint8)
    back = cv2.resize(back.clip(0, 255).astype(np.uint8), half, interpolation=cv2.INTER_AREA)
    return Layers(front, np.dstack([back, np.full(back.shape[:2], 255, np.uint8)]))


def _possible(back: Array, picture: Pixels, share: Array) -> Array:
    """`back` drawn towards the picture as far as it must be for some front to make the picture of the two."""
    rest = np.maximum(1 - share, 1e-3)
    high, low = picture / rest, (picture - 255 * share) / rest
    over = np.where(back > high, (back - high) / np.maximum(back - picture, 1e-3), 0)
    under = np.where(back < low, (low - back) / np.maximum(picture - back, 1e-3), 0)
    give = np.clip(np.maximum(over, under).max(axis=2, keepdims=True), 0, 1) * (share < 0.996)
    return np.asarray(back + (picture - back) * give, dtype=np.float32)


def head_mask(picture: Pixels, landmarks: Array, frame: Frame, size_px: int) -> Array:
    """(_WORK_PX, _WORK_PX) 1 where the head, neck and body are."""
    small = cv2.resize(picture, (_WORK_PX, _WORK_PX), interpolation=cv2.INTER_AREA)
    scale = _WORK_PX / size_px
    axis = (np.arange(_WORK_PX, dtype=np.float32) + 0.5) / scale - 0.5
    places = frame.local(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2))
    face = frame.local(landmarks[:SKIN, :2])
    far = oval_share(places, face).reshape(_WORK_PX, _WORK_PX)
    x, y = (places[:, axis].reshape(_WORK_PX, _WORK_PX) for axis in (0, 1))
    chin = face[CHIN, 1]
    oval = np.zeros(far.shape, np.uint8)
    cv2.fillPoly(oval, [np.round(landmarks[list(OVAL), :2] * scale).astype(np.int32)], 1)
    sure = (oval > 0) | ((far < 1.12) & (y < face[:, 1].mean()))
    body = (y > chin + 0.35) & (np.abs(x - face[CHIN, 0]) < 0.45)
    top = (far < 1.2) & (y < 0.1)
    likely = _likely_head(small, far, (oval > 0) | top, y < chin)
    likely[sure | body] = 3.0
    markers = np.zeros(far.shape, np.int32)
    markers[((likely < -1.4 * _SURE) | (_edge(far) & (likely < 0.3))) & (y < chin + 0.5)] = 2
    markers[_joined(likely > _SURE, sure | body)] = 1
    cv2.watershed(np.ascontiguousarray(cv2.bilateralFilter(small, 5, 30, 5)), markers)
    head = ((markers == 1) | (y > chin + 1.1)).astype(np.uint8)
    round_ = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    head = cv2.morphologyEx(cv2.morphologyEx(head, cv2.MORPH_CLOSE, round_), cv2.MORPH_OPEN, round_)
    head = cv2.dilate(head, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.GaussianBlur(head.astype(np.float32), (0, 0), 1.0))


def _likely_head(small: Pixels, far: Array, head: Array, above: Array) -> Array:
    """How much likelier than background a pixel is head, a logarithm: by its colour and by where it lies."""
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    bins = (lab // np.array([16, 8, 8], np.uint8)).astype(np.int32)
    code = (bins[..., 0] * 32 + bins[..., 1]) * 32 + bins[..., 2]
    shares = []
    for where in (head & above, above & ((far > 1.6) | _edge(far))):
        count = np.bincount(code[where], minlength=16 * 32 * 32).reshape(16, 32, 32).astype(np.float32)
        for axis in range(3):  # colours near a common one are common too
            count = 0.5 * count + 0.25 * (np.roll(count, 1, axis) + np.roll(count, -1, axis))
        shares.append(count / max(float(count.sum()), 1.0))
    ratio = np.log((shares[0] + _RARE) / (shares[1] + _RARE))
    likely = cv2.GaussianBlur(ratio.ravel()[code].astype(np.float32), (0, 0), 1.5)
    place = np.interp(far, (0.9, 1.1, 1.3, 1.9, 3.0), (3.0, 0.8, 0.0, -0.5, -1.2))
    return np.asarray(likely * 0.8 + place, dtype=np.float32)


def _edge(far: Array) -> Array:
    """The rim of the picture, bar its lower side and what is near the face."""
    edge = np.zeros(far.shape, bool)
    edge[:6], edge[:, :6], edge[:, -6:] = True, True, True
    return edge & (far > 1.35)


def _joined(head: Array, sure: Array) -> Array:
    """The parts of `head` that hang together with the face."""
    _, parts = cv2.connectedComponents((head | sure).astype(np.uint8), connectivity=4)
    return np.asarray(np.isin(parts, np.unique(parts[sure])))


def _filled(shown: Pixels, hidden: Array, band_px: float) -> Pixels:
    """The picture with what is hidden filled in: the background, mirrored at the edge of the head."""
    if hidden.all() or not hidden.any():
        return shown
    far, nearest = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, columns = np.nonzero(~hidden)
    at = np.zeros((int(nearest.max()) + 1, 2), np.int32)
    at[nearest[rows, columns]] = np.stack([columns, rows], axis=-1)
    edge = at[nearest]
    height, width = hidden.shape
    own = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    away = band_px - np.abs(far % (2 * band_px) - band_px)  # there and back: never far from the edge
    out = (edge - own) / np.maximum(far, 1)[..., None]
    mirrored = np.clip(np.round(edge + out * away[..., None]), 0, [width - 1, height - 1]).astype(int)
    lost = hidden[mirrored[..., 1], mirrored[..., 0]]
    mirrored = np.where(lost[..., None], edge, mirrored)
    filled = shown[mirrored[..., 1], mirrored[..., 0]]
    soft = cv2.GaussianBlur(filled, (0, 0), max(band_px / 1.5, 1.0))
    blend = np.clip(far / band_px, 0, 1)[..., None] * hidden[..., None]
    return np.asarray(filled + (soft.astype(np.float32) - filled) * blend, dtype=np.uint8)
