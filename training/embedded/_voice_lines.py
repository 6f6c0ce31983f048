"""Lines said by the studio's own synthetic voices, so that the voice reader knows them for voices.

To a reader that heard ten German actors only, every synthetic voice sounds alike and pleased. The plain voice
of espeak-ng is to be neutral, and what the studio's prosody rules make of a feeling is to be some of that
feeling. Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.portrait import _speech
from studio.emotion import EmotionCurve, lexicon
from studio.speech import Speech

TAXONOMY = "emodb"
# Said by rules alone, disgust is hardly different from neutral: it would only teach that plain is unpleasant.
LEFT_OUT = ("disgust",)
VARIANTS = ("", "+f2", "+m3")
TEXTS = {
    "en-gb": "The cloth is lying on the fridge, and in seven hours it will be time.",
    "en-us": "They just carried it upstairs, and now they are going down again.",
    "de": "Der Lappen liegt auf dem Kühlschrank, und morgen bringt sie ihn zurück.",
    "fr-fr": "Le train part à neuf heures du deuxième quai, comme tous les matins.",
    "es": "La carta está encima de la mesa, junto a la ventana de la cocina.",
}


def spoken() -> Iterator[tuple[str, str, Speech]]:
    """Voice, label as the taxonomy has it, and what was said."""
    for language, text in TEXTS.items():
        for variant in VARIANTS:
            voice = f"{language}{variant}"
            for label in lexicon().labels(TAXONOMY):
                if label.word not in LEFT_OUT:
                    curve = EmotionCurve.constant(label.vad)
                    yield voice, label.word, _speech.speak(text, curve, voice)
