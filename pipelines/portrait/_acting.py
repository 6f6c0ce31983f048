"""From a request to a take: what is said, how it feels at each moment, and the motion of the face.

Three families share it: talker and rig act with a trained model, performer by rules. Knows speech, feelings
and motion; knows no picture and no file format of motion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio import muscles
from studio.emotion import NEUTRAL, VAD, EmotionCurve, Key
from studio.errors import InputError
from studio.lazy import lazy
from studio.motion import INDEX, RATE_HZ, Motion
from studio.params import param
from studio.ports import OnStep, SetEmotion, Step
from studio.request import RenderRequest
from studio.speech import Speech

reading = lazy("pipelines.portrait._reading")
speaking = lazy("pipelines.portrait._speech")

READS = ("asked", "words", "voice", "both")
_FINE = 1000  # steps of a whole render, of which stages take shares


@dataclass(frozen=True)
class LineParams:
    """What is said and how it should feel. Without `say` and a recording the prompt is what is said."""

    say: str = param("", "what is said; empty: the prompt", advanced=False, is_title=True)
    voice: str = param("en-gb", "who says it: a language such as de or fr, +f3 for a woman", advanced=False)
    transcript: str = param("", "the recording's words, for exact lips", of="audio", advanced=False)
    language: str = param("", "the recording's language; empty: English", of="audio")
    read: str = param("asked", "where the feeling comes from", choices=READS)
    read_share: float = param(0.5, "share of the feeling that was read", min=0, max=1, step=0.05)
    muscles: str = param("", "action units held by hand, such as AU4=0.8, AU12=0.3")
    first_s: float = param(
        0.0, "only so much from the start, for a quick look; 0: all", min=0, max=600, step=0.5, unit="s"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line ready to be acted. `moods`: one a frame of RATE_HZ; `notes`: what a person should know."""

    speech: Speech
    curve: EmotionCurve
    moods: tuple[VAD, ...]
    units: dict[int, float]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """A line and the face that says it."""

    line: Line
    motion: Motion

    @property
    def details(self) -> dict[str, Any]:
        """What the record says besides the request."""
        said = self.line.speech
        strongest = max(self.line.moods, key=NEUTRAL.distance)
        shown = muscles.of(strongest) | self.line.units
        return {
            "length_s": round(said.length_s, 3),
            "language": said.language,
            "phones": len(said.phones),
            "feeling": self.line.curve.text,
            "muscles": muscles.describe(shown),
            **({"notes": list(self.line.notes)} if self.line.notes else {}),
        }


class Actor:
    """What the families of this folder share: lines of requests. A family says how one is acted."""

    def act(self, line: Line, request: RenderRequest, set_emotion: SetEmotion, on_step: OnStep) -> Motion:
        """The motion of one line at RATE_HZ; `on_step` is told from 0 to the end."""
        raise NotImplementedError

    def take(self, request: RenderRequest, set_emotion: SetEmotion, on_step: OnStep) -> Take:
        """Raises InputError for a recording that cannot be used and for keys past the end."""
        line = opening(heard(request), request.params.first_s)
        return Take(line, self.act(line, request, set_emotion, on_step))


def check(request: RenderRequest) -> None:
    """Raise InputError where fields and inputs do not fit each other, before anything is loaded."""
    inputs, params = dict(request.inputs), request.params
    units = muscles.parse(params.muscles)
    muscles.checked(units)
    if "audio" in inputs:
        if params.say:
            raise InputError(
                "say", params.say[:40], "the recording says it already; leave one of the two out"
            )
        return
    if params.read in ("voice", "both"):
        raise InputError("read", params.read, "needs a recording: inputs.audio", "words")
    speaking.check_text(_text(request), "say")
    speaking.find_voice(params.voice)


def heard(request: RenderRequest) -> Line:
    """What the request asks to be said, with its feeling at every frame."""
    inputs, params = dict(request.inputs), request.params
    notes: tuple[str, ...] = ()
    if "audio" in inputs:
        path = Path(inputs["audio"])
        speech = _listened(path, path.stat().st_mtime_ns, params.transcript, params.language)
    else:
        speech = _spoken(_text(request), request.curve, params.voice)
    curve = request.curve
    if params.read != "asked":
        found = reading.read(speech, words=params.read != "voice", voice=params.read != "words")
        notes = (found.text, *found.notes)
        curve = reading.blended(curve, found.curve, params.read_share, speech.length_s)
        if "audio" not in inputs:  # said again with what its words ask for
            curve = _in_progress(curve, speech.length_s)  # the new saying has another length
            speech = _spoken(_text(request), curve, params.voice)
    speaking.check_keys(request.curve, speech.length_s)
    units = muscles.parse(params.muscles)
    return Line(speech, curve, moods(curve, speech), units, (*speech.notes, *notes))


def timeline(request: RenderRequest) -> Speech:
    """What is said and when, words and phones, before anybody acts. Raises as `Actor.take` does."""
    return heard(request).speech


def voices() -> tuple[Any, ...]:
    """Who can say a line: `name`, `language` and `title` of each. Raises ModelError without espeak-ng."""
    return tuple(speaking.voices())


def opening(line: Line, length_s: float) -> Line:
    """The first `length_s` of a line; its feelings are those of the whole. All of it for 0."""
    said = line.speech
    if not 0 < length_s < said.length_s:
        return line
    samples = said.samples[: max(1, round(length_s * said.rate_hz))]
    phones = tuple(phone for phone in said.phones if phone.end_s <= length_s)
    words = tuple(word for word in said.words if word.start_s < length_s)
    short = replace(said, samples=samples, phones=phones, words=words)
    return replace(line, speech=short, moods=line.moods[: short.frames(RATE_HZ)])


@lru_cache(maxsize=2)
def _spoken(text: str, curve: EmotionCurve, voice: str) -> Speech:
    """The newest lines stay said, for the same reason as a recording stays heard."""
    return speaking.speak(text, curve, voice)  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _listened(path: Path, modified_ns: int, transcript: str, language: str) -> Speech:
    """The newest recording stays heard: listening takes longer than acting, and takes differ by seed."""
    return speaking.listen(path, transcript, language)  # type: ignore[no-any-return]


def moods(curve: EmotionCurve, speech: Speech) -> tuple[VAD, ...]:
    """One feeling a frame of RATE_HZ, from the middle of each."""
    count = speech.frames(RATE_HZ)
    if curve.is_constant:
        return (curve.at(0.5, speech.length_s),) * count
    return tuple(curve.at((frame + 0.5) / count, speech.length_s) for frame in range(count))


def held_shapes(units: dict[int, float]) -> dict[str, float]:
    """Shape -> weight of action units that are held by hand; of a unit at 0 its shapes are held at 0."""
    known = muscles.units()
    names = {shape for number in units for shape in known[number].shapes}
    row = muscles.weights(units)
    return {name: float(row[INDEX[name]]) for name in sorted(names)}


def _in_progress(curve: EmotionCurve, length_s: float) -> EmotionCurve:
    """A curve in seconds as shares of the whole."""
    return EmotionCurve(tuple(Key(min(key.at / length_s, 1.0), key.emotion) for key in curve.keys))


def _text(request: RenderRequest) -> str:
    return str(request.params.say.strip() or request.prompt)


def among(on_step: OnStep, row: int, rows: int) -> OnStep:
    """Progress of one row of `rows` as progress of all."""
    return shared(on_step, row / rows, (row + 1) / rows)


def shared(on_step: OnStep, first: float, last: float) -> OnStep:
    """Progress of one stage as the share `first`..`last` of the whole."""

    def report(step: Step) -> None:
        place = first + (last - first) * step.done / max(step.total, 1)
        on_step(Step(round(_FINE * place), _FINE, step.preview))

    return report
