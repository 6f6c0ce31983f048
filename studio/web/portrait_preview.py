"""The first second as a small clip, whatever was made: a clip itself, or motion alone on the preview head.

Knows artifacts and how they are drawn; knows no page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from studio import head_picture, recording
from studio.artifacts import Clip
from studio.motion import Motion
from studio.performance import Performance
from studio.video_files import Frame

RATE_HZ, SIDE_PX = 12.0, 256  # of the head: a picture of it takes some 50 ms


def clip_bytes(made: Any) -> bytes:
    """An MP4 of a Clip or a Performance; the artifact's own file is gone afterwards."""
    if isinstance(made, Performance):
        speech = made.speech
        sound = (speech.samples, speech.rate_hz) if speech else None
        reel = recording.recorded(_heads(made.motion.at_rate(RATE_HZ)), RATE_HZ, sound)
    else:
        assert isinstance(made, Clip)
        reel = made.recording
    try:
        return reel.path.read_bytes()
    finally:
        reel.discard()


def _heads(motion: Motion) -> Iterator[Frame]:
    for frame in range(len(motion)):
        yield np.asarray(head_picture.picture(motion, frame, SIDE_PX))
