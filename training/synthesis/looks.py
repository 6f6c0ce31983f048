"""The styles: how each medium treats palette, edge and shape before its finish runs over the picture."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """A medium's habits. Factors are 1 when the mood decides alone; lightness is OKLab 0..1."""

    chroma: float = 1.0
    contrast: float = 1.0
    lift: float = 0.0
    tint: float = 1.0
    outline: float = 1.0  # factor on the mood's contour width
    outline_light: float = 0.12
    roundness: float = 1.0
    tremble: float = 1.0
    opacity: float = 1.0
    shading: float = 0.05  # lightness added above and taken below inside each shape
    shadow: bool = False  # paper cut: every sheet throws one
    blur: float = 0.55  # of the finished picture, in 1/128 of its side
    finish: str = "strokes"


LOOKS: dict[str, Look] = {
    "oil": Look(outline=0.8, finish="oil"),
    "watercolour": Look(
        0.9, 0.85, 0.07, outline=0.8, outline_light=0.3, opacity=0.82, shading=0.07, finish="watercolour"
    ),
    "ink": Look(0.65, 1.05, 0.05, outline=1.7, outline_light=0.0, shading=0.0, finish="ink"),
    "pastel": Look(0.75, 0.72, 0.10, outline=0.7, outline_light=0.3, roundness=1.3, finish="pastel"),
    "pointillism": Look(1.25, 1.05, 0.02, outline=0.7, shading=0.06, finish="dots"),
    "gouache": Look(0.9, 0.95, 0.02, outline=0.5, shading=0.0, finish="gouache"),
    "woodcut": Look(
        0.8, 1.12, outline=1.7, outline_light=0.0, roundness=0.4, shading=0.0, blur=0.75, finish="woodcut"
    ),
    "charcoal": Look(0.40, 1.05, outline=1.6, outline_light=0.05, shading=0.08, finish="charcoal"),
    "flat": Look(1.15, 1.0, 0.04, outline=0.0, tremble=0.5, shading=0.0, shadow=True, finish="none"),
    "mosaic": Look(1.1, 1.05, outline=0.9, shading=0.0, finish="mosaic"),
    "impressionist": Look(1.1, 0.95, 0.04, outline=0.0, roundness=1.2, finish="dabs"),
    "cubist": Look(0.8, 1.05, outline=1.2, roundness=0.0, shading=0.10, finish="cubist"),
    "stained_glass": Look(1.4, 1.0, outline=1.7, outline_light=0.06, shading=0.09, blur=0.8, finish="glass"),
}
