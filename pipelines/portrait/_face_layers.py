"""Head and background apart: a soft mask of the head, and the picture as it would be without it.

By rule, without a model: what the edges of the picture show is background, what lies in the oval of the face
is head, and a watershed finds the edge between. Knows pixels and landmarks.
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


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """`front` RGBA, premultiplied, at the size of the source; `back` RGBA at the size shown."""

    front: Pixels
    back: Pixels


def layers_of(picture: Pixels, landmarks: Array, frame: Frame, size_px: int) -> Layers:
    """Take the picture (fine, fine, 3) apart; laid over each other the layers are the picture again."""
    mask = head_mask(picture, landmarks, frame, size_px)
    fine = len(picture)
    small = cv2.resize(picture, (_WORK_PX, _WORK_PX), interpolation=cv2.INTER_AREA)
    behind = cv2.resize(_filled(small, mask), (fine, fine), interpolation=cv2.INTER_LINEAR)
    full = cv2.resize(mask, (fine, fine), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    soft = cv2.GaussianBlur(full, (0, 0), _FEATHER * frame.unit_px * fine / size_px)
    alpha = (soft * 255 + 0.5).astype(np.uint8)
    reach = max(int(0.06 * frame.unit_px * fine / size_px) * 2 + 1, 5)
    wide = cv2.dilate((alpha > 2).astype(np.float32), np.ones((reach, reach), np.uint8))
    hidden = cv2.GaussianBlur(wide, (0, 0), reach / 5)[..., None]  # 1 all over the head, then dies away
    back = picture + (behind.astype(np.float32) - picture) * hidden
    front = picture - (1 - alpha[..., None].astype(np.float32) / 255) * back
    front = np.dstack([np.clip(front + 0.5, 0, alpha[..., None]), alpha]).astype(np.uint8)
    back = cv2.resize(back.clip(0, 255).astype(np.uint8), (size_px, size_px), interpolation=cv2.INTER_AREA)
    return Layers(front, np.dstack([back, np.full(back.shape[:2], 255, np.uint8)]))


def head_mask(picture: Pixels, landmarks: Array, frame: Frame, size_px: int) -> Array:
    """(_WORK_PX, _WORK_PX) 1 where the head, neck and body are."""
    small = cv2.resize(picture, (_WORK_PX, _WORK_PX), interpolation=cv2.INTER_AREA)
    scale = _WORK_PX / size_px
    axis = (np.arange(_WORK_PX, dtype=np.float32) + 0.5) / scale - 0.5
    places = frame.local(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2))
    face = frame.local(landmarks[:SKIN, :2])
    far = oval_share(places, face).reshape(_WORK_PX, _WORK_PX)
    x, y = (places[:, axis].reshape(_WORK_PX, _WORK_PX) for axis in (0, 1))
    markers = np.zeros((_WORK_PX, _WORK_PX), np.int32)
    chin = face[CHIN, 1]
    edge = np.zeros(markers.shape, bool)
    edge[:3], edge[:, :3], edge[:, -3:] = True, True, True
    markers[(edge & (y < chin) & (far > 1.45)) | ((far > 2.05) & (y < chin - 0.1))] = 2
    oval = np.zeros(markers.shape, np.uint8)
    cv2.fillPoly(oval, [np.round(landmarks[list(OVAL), :2] * scale).astype(np.int32)], 1)
    markers[(oval > 0) | ((far < 1.12) & (y < face[:, 1].mean()))] = 1
    markers[(y > chin + 0.35) & (np.abs(x - face[CHIN, 0]) < 0.45)] = 1
    smoothed = cv2.bilateralFilter(small, 5, 30, 5)
    cv2.watershed(np.ascontiguousarray(smoothed), markers)
    head = ((markers == 1) | (y > chin + 1.1)).astype(np.uint8)
    round_ = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    head = cv2.morphologyEx(cv2.morphologyEx(head, cv2.MORPH_CLOSE, round_), cv2.MORPH_OPEN, round_)
    head = cv2.dilate(head, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.GaussianBlur(head.astype(np.float32), (0, 0), 1.0))


def _filled(small: Pixels, mask: Array) -> Pixels:
    """The picture with the head filled in from around it, nearest first."""
    known = (cv2.dilate(mask, np.ones((5, 5), np.uint8)) < 0.02).astype(np.float32)
    filled, sure = small * known[..., None], known
    for blur in (1.5, 3, 6, 12, 24, 48):
        weight = cv2.GaussianBlur(known, (0, 0), blur)
        colour = (
            cv2.GaussianBlur(small * known[..., None], (0, 0), blur) / np.maximum(weight, 1e-4)[..., None]
        )
        add = np.clip(weight / 0.15, 0, 1) * (1 - sure)
        filled = filled + colour * add[..., None]
        sure = sure + add
    mean = (small * known[..., None]).sum((0, 1)) / max(float(known.sum()), 1.0)
    return np.asarray((filled + mean * (1 - sure)[..., None]).clip(0, 255), dtype=np.uint8)
