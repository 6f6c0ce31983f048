"""What a synthetic picture shows: scene, subject, style and visual attributes. Knows nothing of feeling."""

from dataclasses import dataclass, fields

import numpy as np

SUBJECTS: dict[str, tuple[str, ...]] = {
    "sea": ("waves", "beach", "rocks", "island"),
    "mountains": ("peaks", "volcano", "lake", "valley"),
    "forest": ("pines", "birches", "oaks", "path"),
    "city": ("skyline", "street", "towers", "old_town"),
    "meadow": ("flowers", "sunflowers", "haystacks", "windmill"),
    "desert": ("dunes", "cactus", "pyramids", "mesas"),
    "winter": ("cabin", "snowy_pines", "snowman", "frozen_lake"),
    "storm": ("lightning", "tornado", "rain", "clouds"),
    "night_sky": ("moon", "stars", "aurora", "comet"),
    "lighthouse": ("striped", "white", "stone"),
    "waterfall": ("tall_falls", "twin_falls", "cascade"),
    "bridge": ("stone_arch", "suspension", "wooden"),
    "boat": ("sailboat", "rowing_boat", "steamer", "tall_ship"),
    "room": ("window", "bed", "fireplace", "armchair"),
    "still_life": ("fruit", "bouquet", "bottle", "candle", "teapot"),
    "animal": ("cat", "dog", "bird", "horse", "fish", "owl"),
    "tree": ("oak", "blossom", "bare", "palm", "willow"),
    "portrait": ("woman", "man", "child", "old_man", "old_woman"),
    "figure": ("walker", "dancer", "umbrella", "couple"),
    "abstract": ("circles", "shards", "bands", "spiral"),
}
SCENES: tuple[str, ...] = tuple(SUBJECTS)
STYLES: tuple[str, ...] = (
    "oil", "watercolour", "ink", "pastel", "pointillism", "gouache", "woodcut",
    "charcoal", "flat", "mosaic", "impressionist", "cubist", "stained_glass",
)  # fmt: skip
HOURS: tuple[str, ...] = ("day", "dawn", "dusk")
SIDES: tuple[str, ...] = ("left", "centre", "right")


def _one_of(field: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{field} {value!r} is unknown; choose one of {', '.join(allowed)}")


@dataclass(frozen=True, slots=True)
class Attributes:
    """The five visual attributes of EmoArt, each in [0, 1]; 0.5 leaves the choice to the mood.

    brushwork: 0 smooth .. 1 loose; line: 0 soft edges .. 1 hard lines; light: 0 low .. 1 bright;
    composition: 0 wide view .. 1 close up; colour: 0 muted .. 1 vivid.
    """

    brushwork: float = 0.5
    line: float = 0.5
    light: float = 0.5
    composition: float = 0.5
    colour: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 <= value <= 1.0:  # also refuses NaN
                raise ValueError(f"{field.name} is {value!r}; it must lie in [0, 1]")


@dataclass(frozen=True, slots=True)
class Spec:
    """The content of one picture. `side` is where an undominating subject stands, `hour` tints the sky."""

    scene: str
    subject: str
    style: str
    attributes: Attributes = Attributes()
    hour: str = "day"
    side: str = "centre"

    def __post_init__(self) -> None:
        _one_of("scene", self.scene, SCENES)
        _one_of("subject", self.subject, SUBJECTS[self.scene])
        _one_of("style", self.style, STYLES)
        _one_of("hour", self.hour, HOURS)
        _one_of("side", self.side, SIDES)
        if not isinstance(self.attributes, Attributes):
            # One kind of error for every bad field, as callers expect.
            raise ValueError(f"attributes is {self.attributes!r}; it must be an Attributes value")


def _sample_attributes(rng: np.random.Generator) -> Attributes:
    """Each attribute is left to the mood half of the time, so that most pictures show plain feeling."""
    free = rng.random(5) < 0.5
    values = np.where(free, 0.5, rng.random(5))
    return Attributes(*(float(value) for value in values))


def sample_spec(rng: np.random.Generator, scene: str | None = None, style: str | None = None) -> Spec:
    """Draw a picture's content evenly over scenes, subjects and styles; `scene` or `style` pins that one."""
    scene = SCENES[rng.integers(len(SCENES))] if scene is None else scene
    _one_of("scene", scene, SCENES)
    subject = SUBJECTS[scene][rng.integers(len(SUBJECTS[scene]))]
    style = STYLES[rng.integers(len(STYLES))] if style is None else style
    hour = HOURS[rng.choice(3, p=(0.6, 0.2, 0.2))]
    side = SIDES[rng.integers(3)]
    return Spec(scene, subject, style, _sample_attributes(rng), hour, side)
