"""The emotion core: points, labels, curves and their text. Pure Python; the tables are read on first use."""

from studio.emotion.curve import EmotionCurve, Key
from studio.emotion.grammar import format_emotion, parse_curve, parse_emotion
from studio.emotion.lexicon import Lexicon, lexicon
from studio.emotion.tables import Label, Taxonomy, facts
from studio.emotion.vad import NEUTRAL, VAD, Emotion

__all__ = [
    "NEUTRAL",
    "VAD",
    "Emotion",
    "EmotionCurve",
    "Key",
    "Label",
    "Lexicon",
    "Taxonomy",
    "facts",
    "format_emotion",
    "lexicon",
    "parse_curve",
    "parse_emotion",
]
