"""`python -m training.synthesis.sheet OUT.png`: every scene in six moods, every style, or along one axis."""

import argparse
from dataclasses import replace

import numpy as np
from PIL import Image

from training.synthesis.painter import SCENES, STYLES, paint, sample_spec
from training.synthesis.spec import Attributes, Spec

MOODS: dict[str, tuple[float, float, float]] = {
    "joy": (0.8, 0.5, 0.35), "calm": (0.45, -0.5, 0.1), "sadness": (-0.65, -0.35, -0.35),
    "anger": (-0.5, 0.65, 0.3), "fear": (-0.65, 0.6, -0.45), "neutral": (0.0, 0.0, 0.0),
}  # fmt: skip


def _spec(scene: str, style: str, seed: int) -> Spec:
    return replace(sample_spec(np.random.default_rng(seed), scene, style), attributes=Attributes())


def moods_sheet(style: str = "oil", size_px: int = 128) -> np.ndarray:
    """Scenes down, moods across."""
    rows = []
    for i, scene in enumerate(SCENES):
        spec = _spec(scene, style, i)
        rows.append(np.hstack([paint(spec, vad, i, size_px) for vad in MOODS.values()]))
    return np.vstack(rows)


def styles_sheet(vad: tuple[float, float, float] = (0.3, 0.2, 0.1), size_px: int = 128) -> np.ndarray:
    """Scenes down, styles across."""
    return np.vstack([
        np.hstack([paint(_spec(scene, style, i + 40), vad, i, size_px) for style in STYLES])
        for i, scene in enumerate(SCENES)
    ])  # fmt: skip


def axis_sheet(axis: int, style: str = "gouache", size_px: int = 128) -> np.ndarray:
    """Scenes down, one VAD axis from -1 to 1 across."""
    rows = []
    for i, scene in enumerate(SCENES):
        vads = [(v * (axis == 0), v * (axis == 1), v * (axis == 2)) for v in np.linspace(-1, 1, 6).tolist()]
        rows.append(np.hstack([paint(_spec(scene, style, i + 80), vad, i, size_px) for vad in vads]))
    return np.vstack(rows)


def main() -> None:
    """Write the sheet that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", help="where to write the PNG")
    parser.add_argument(
        "--show", choices=("moods", "styles", "valence", "arousal", "dominance"), default="moods"
    )
    parser.add_argument("--size-px", type=int, default=128)
    arguments = parser.parse_args()
    if arguments.show == "moods":
        sheet = moods_sheet(size_px=arguments.size_px)
    elif arguments.show == "styles":
        sheet = styles_sheet(size_px=arguments.size_px)
    else:
        axis = ("valence", "arousal", "dominance").index(arguments.show)
        sheet = axis_sheet(axis, size_px=arguments.size_px)
    Image.fromarray(sheet).save(arguments.out)


if __name__ == "__main__":
    main()
