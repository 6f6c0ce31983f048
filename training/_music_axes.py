"""Which musical cue moves which axis of feeling, which way and how much: the table behind `music_cues`.

Directions and ranks are published; the numbers are ours, chosen within them: for valence by the ranks of
Eerola, Friberg & Bresin 2013 (mode > tempo > register > dynamics > articulation, additive: no products of
cues), for the others as noted. The shares of an axis sum to 1 and none exceeds LARGEST_SHARE, so that no cue
carries an axis alone. It knows no music.

Sources:
  Eerola    Eerola, Friberg & Bresin 2013, Front. Psychol. 4:487: ranks and additivity
  Gagnon    Gagnon & Peretz 2003, Cogn. Emot. 17: mode and tempo both make happy and sad
  Costa     Costa, Fine & Ricci Bitti 2004, Music Percept. 22: melodies' valence, activity, potency
  Hevner    Hevner 1936, 1937, Am. J. Psychol. 48, 49: rhythm, harmony, melody, pitch, tempo
  Ramos     Ramos, Bueno & Bigand 2011: tempo moves arousal far more than valence
  Zwaag     van der Zwaag, Westerink & van den Broek 2011: faster is more arousing
  Dean      Dean, Bailes & Schubert 2011, PLoS ONE 6: intensity moves perceived arousal
  Faders    Tan & Herremans 2020 (Music FaderNets): rhythm and note density as arousal
  EMOPIA    Hung et al. 2021: note density and velocity by quadrant
  Oliveira  Oliveira & Cardoso: staccato moves valence only
  Gabriel.  Gabrielsson & Lindstroem 2010, Gabrielsson 2014 (their tables)
  PMC       PMC7396614, table 3: contour, ambitus and dissonance by basic emotion

Read were abstracts and others' summaries, not the tables themselves: Eerola's coefficients were not at hand,
so ranks are used, and what is said of Hevner's pitch and of Gabrielsson's pitch, rhythm and articulation is
from general knowledge of their tables. "share ours": the direction is published, its size is not.
"""

from __future__ import annotations

from typing import NamedTuple

LARGEST_SHARE = 0.45


class Weight(NamedTuple):
    """`share` of its axis with the sign of its direction."""

    cue: str
    share: float
    source: str


AXES: dict[str, tuple[Weight, ...]] = {
    "valence": (
        Weight("mode", 0.36, "Eerola: rank 1; Costa: best predictor of valence; Gagnon"),
        Weight("tempo", 0.19, "Gagnon; Eerola: rank 2"),
        Weight("register", 0.15, "Eerola: rank 3; Hevner: high is happy, low is sad"),
        Weight("roughness", -0.10, "Costa: fewer tritones; PMC: dissonant is sad or angry; share ours"),
        Weight("complexity", -0.07, "Hevner: simple harmony is happy, complex is sad; share ours"),
        Weight("articulation", -0.05, "Oliveira; Eerola: rank 5"),
        Weight("contour", 0.04, "PMC: happiness ascends, sadness descends; Hevner finds little"),
        Weight("ambitus", 0.04, "PMC: happiness is wide, sadness narrow; share ours"),
    ),
    "arousal": (
        Weight("density", 0.38, "Faders, EMOPIA: dense is high arousal; first because notes alone show it"),
        # A song may be notated at half its tempo with twice the density (r = -.45 in POP909), so that only
        # onsets a second are sure: both must count, or one of the two would point the wrong way.
        Weight("tempo", 0.22, "Ramos, Zwaag, Gabriel.: faster is more arousing"),
        Weight("loudness", 0.14, "Dean, Gabriel., EMOPIA; kept low: loudness alone can mimic arousal"),
        Weight("articulation", -0.07, "Gabriel.: staccato is energy, legato tenderness; Eerola: rank 5"),
        Weight("roughness", 0.06, "Costa: minor seconds and tritones are active; share ours"),
        Weight("leaps", 0.07, "Costa: wide intervals are active; PMC: leaps in anger and fear"),
        Weight("syncopation", 0.06, "Gabriel.: complex rhythm is uneasy, angry; share ours"),
    ),
    "dominance": (
        Weight("loudness", 0.36, "Gabriel.: loud is power and intensity, soft is tender and fearful"),
        Weight("firmness", 0.20, "Hevner: firm rhythm (whole chords struck) is vigorous, dignified"),
        Weight(
            "register", -0.18, "Hevner: low is vigorous, dignified; contested: Gabriel. has high as potent"
        ),
        Weight("regularity", 0.10, "Gabriel.: regular rhythm is dignified, majestic; share ours"),
        Weight("tempo", 0.06, "Gabriel.: fast is potent; low, for tempo is arousal first"),
        Weight("repetition", 0.10, "Costa: unisons and octaves are potent"),
    ),
}
# The cue that shows an axis best in the notes; tempo is a number beside them.
MAIN = {"valence": "mode", "arousal": "density", "dominance": "loudness"}
