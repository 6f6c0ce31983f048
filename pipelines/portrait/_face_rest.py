"""What a picture already shows: a smile and an open mouth, read off the landmarks.

A motion's zero is a face at rest. A picture that smiles must be brought there first, or every frame smiles.
Knows landmarks only; brows and eyes differ too much from person to person to be judged.
"""

from __future__ import annotations

import numpy as np

from pipelines.portrait._face_points import LOWER_LIP, UPPER_LIP, Array, Frame
from studio.motion import INDEX, SHAPES

# A mouth at rest, in distances between the outer corners of the eyes: read off MediaPipe's canonical face.
_HALF_WIDTH, _LIFT = 0.28, -0.01
_SMILE_LIFT, _SMILE_WIDE = 0.10, 0.09  # what a full smile adds
_DOUBT = 0.25  # smiles smaller than this are a person's own mouth
_SAFE = 0.7  # share of a smile that is taken off: its folds and full cheeks stay in the pixels
_PARTED = 0.03


def shown(landmarks: Array, frame: Frame) -> tuple[Array, Array]:
    """(52,) weights of the smile that the picture shows, and (9,) px between the lips along them."""
    face = frame.local(landmarks[:, :2])
    weights = np.zeros(len(SHAPES), np.float32)
    upper, lower = list(UPPER_LIP[3]), list(LOWER_LIP[3])
    gap = ((landmarks[lower] - landmarks[upper])[1:-1, :2] @ frame.axes[1]).astype(np.float32)
    if gap.max() < _PARTED * frame.unit_px:
        gap = np.zeros_like(gap)
    smile = _smile(face)
    if smile > _DOUBT:
        for side in ("Left", "Right"):
            weights[INDEX[f"mouthSmile{side}"]] = smile
    return weights, np.maximum(gap, 0)


def _smile(face: Array) -> float:
    """Corners higher than the middle of the lips, and a wide mouth, both of which a smile needs."""
    corners = face[[61, 291]]
    half = abs(float(corners[1, 0] - corners[0, 0])) / 2
    lift = float((face[0, 1] + face[17, 1]) / 2 - corners[:, 1].mean())
    high, wide = (lift - _LIFT) / _SMILE_LIFT, (half - _HALF_WIDTH) / _SMILE_WIDE
    return float(np.clip(0.6 * high + 0.4 * wide, 0, 1)) * _SAFE if min(high, wide) > 0 else 0.0
