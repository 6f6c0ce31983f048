"""A picture of a piece: pitch against time, the asked feeling as colour behind it.

Lines of 16 or 32 bars. The melody is dark red, the bass blue, everything else slate; how hard a note is
struck is how opaque it is. Emotion texts stand above a line, chord names below it, bar numbers at bar lines.
Knows a Piece and pixels.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from studio.emotion import VAD
from studio.instruments import role
from studio.midi_files import chord_changes
from studio.score import Note, Piece

WIDTH_PX = 1600
_MARGIN_PX, _LEFT_PX, _TITLE_PX, _LINE_GAP_PX = 20, 46, 44, 18
_TOP_PX, _BOTTOM_PX = 24, 22  # of a line: room for emotions and for chords
_SMALL_TEXT_PX, _TEXT_PX, _TITLE_TEXT_PX = 11, 14, 20
_LEAST_PITCHES = 30
_PAPER, _INK, _SOFT = (250, 250, 248), (28, 28, 30), (96, 96, 104)
# By role; dark enough to stand on any of the feelings' light colours.
_NOTE_COLOURS = {"Melody": (150, 22, 40), "Accompaniment": (58, 66, 82), "Bass": (20, 70, 140)}
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
# Hue in degrees of 45, 135, 225, 315 and 405 degrees on the plane of valence and arousal: warm above, cool
# below. The contact sheet's dots have the same; it says where on the plane, and claims nothing about colour.
_HUES = (45.0, -10.0, -130.0, -220.0, -315.0)
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Line:
    """Bars `first` up to `end` of a piece and where they are on the page, in pixels."""

    piece: Piece
    first: int
    end: int
    span: int  # bars that the width holds
    top: int  # of the area of notes
    low: int
    high: int  # MIDI pitches, both shown
    pitch_px: int

    @property
    def start_beats(self) -> float:
        return self.piece.bar_starts[self.first]

    @property
    def end_beats(self) -> float:
        return self.piece.bar_starts[self.end]

    @property
    def height(self) -> int:
        return (self.high - self.low + 1) * self.pitch_px

    def x(self, beats: float) -> float:
        longest = self.span * max(bar.length_beats for bar in self.piece.bars)
        room = WIDTH_PX - _LEFT_PX - _MARGIN_PX
        return _LEFT_PX + (beats - self.start_beats) / longest * room

    def y(self, pitch: int) -> int:
        """The upper edge of a pitch."""
        return self.top + (self.high - pitch) * self.pitch_px


def piano_roll(piece: Piece) -> Image.Image:
    """RGB, 1600 pixels wide, as high as the piece needs."""
    lines = list(_lines(piece))
    height = lines[-1].top + lines[-1].height + _BOTTOM_PX + _MARGIN_PX
    page = Image.new("RGB", (WIDTH_PX, height), _PAPER)
    _title(ImageDraw.Draw(page), piece)
    for line in lines:
        _background(ImageDraw.Draw(page), line)
        page.paste(_with_notes(page, line))
        _texts(ImageDraw.Draw(page), line)
    return page


def colour(vad: VAD, lightness: float = 0.88) -> Colour:
    """Red, green, blue, 0..255: hue says where on the plane, saturation how far from neutral."""
    turn = ((math.degrees(math.atan2(vad.arousal, vad.valence)) - 45 + 360) % 360) / 90
    at = min(int(turn), 3)
    hue = _HUES[at] + (_HUES[at + 1] - _HUES[at]) * (turn - at)
    saturation = 0.8 * min(1.0, math.hypot(vad.valence, vad.arousal))
    red, green, blue = colorsys.hls_to_rgb((hue % 360) / 360, lightness, saturation)
    return round(255 * red), round(255 * green), round(255 * blue)


def _lines(piece: Piece) -> Iterator[_Line]:
    """All of the same pitches, so that lines can be compared."""
    pitches = [note.pitch for note in piece.notes] or [60]
    low, high = min(pitches) - 2, max(pitches) + 4  # bar numbers stand above the notes
    spare = max(0, _LEAST_PITCHES - (high - low + 1))
    low, high = max(0, low - spare // 2), min(127, high + spare - spare // 2)
    count = len(piece.bars)
    span = 16 if count <= 64 else 32
    pitch_px = max(3, min(9, 420 // (high - low + 1))) if count <= span else 5 if span == 16 else 4
    top = _MARGIN_PX + _TITLE_PX + _TOP_PX
    for first in range(0, count, span):
        line = _Line(
            piece, first, min(first + span, count), min(span, max(count, 8)), top, low, high, pitch_px
        )
        yield line
        top += line.height + _BOTTOM_PX + _LINE_GAP_PX + _TOP_PX


def _title(draw: ImageDraw.ImageDraw, piece: Piece) -> None:
    tempos = sorted(round(bar.tempo_bpm) for bar in piece.bars)
    tempo = f"{tempos[0]}" if tempos[0] == tempos[-1] else f"{tempos[0]}-{tempos[-1]}"
    meters = "/".join(dict.fromkeys(bar.meter.replace("/", ":") for bar in piece.bars)).replace(":", "/")
    minutes, seconds = divmod(round(piece.length_s), 60)
    facts = f"{piece.key}   {meters}   {tempo} bpm   {len(piece.bars)} bars   {minutes}:{seconds:02d}"
    _text(
        draw,
        (_LEFT_PX, _MARGIN_PX - 2),
        _cut(draw, piece.title or "Untitled", 900, _TITLE_TEXT_PX),
        _INK,
        _TITLE_TEXT_PX,
    )
    x = float(WIDTH_PX - _MARGIN_PX)
    roles = [one for one in _NOTE_COLOURS if any(role(part) == one for part in piece.parts)]
    for name in reversed(roles):
        x -= _width(draw, name)
        _text(draw, (x, _MARGIN_PX + 2), name, _INK)
        draw.rectangle((x - 20, _MARGIN_PX + 7, x - 6, _MARGIN_PX + 14), fill=_NOTE_COLOURS[name])
        x -= 38
    _text(draw, (x - _width(draw, facts) - 10, _MARGIN_PX + 2), facts, _SOFT)


def _background(draw: ImageDraw.ImageDraw, line: _Line) -> None:
    """Feelings as colour, black keys a shade darker, an octave line below each C, bar and beat lines."""
    bottom = line.top + line.height
    for index in range(line.first, line.end):
        bar, start = line.piece.bars[index], line.piece.bar_starts[index]
        left, right = round(line.x(start)), round(line.x(start + bar.length_beats))
        draw.rectangle((left, line.top, right - 1, bottom - 1), fill=colour(bar.emotion))
        for pitch in range(line.low, line.high + 1):
            if _NAMES[pitch % 12].endswith("#"):
                y = line.y(pitch)
                draw.rectangle((left, y, right - 1, y + line.pitch_px - 1), fill=colour(bar.emotion, 0.85))
        for beat in range(1, math.ceil(bar.length_beats)):
            x = round(line.x(start + beat))
            draw.line((x, line.top, x, bottom - 1), fill=colour(bar.emotion, 0.8))
    right = round(line.x(line.end_beats))
    for pitch in range(line.low, line.high + 1):
        if pitch % 12 == 0:
            y = line.y(pitch) + line.pitch_px - 1
            draw.line((_LEFT_PX, y, right, y), fill=(150, 150, 155))
            _text(draw, (8, y - 12), f"C{pitch // 12 - 1}", _SOFT)
    for index in range(line.first, line.end + 1):
        x = round(line.x(line.piece.bar_starts[index]))
        draw.line((x, line.top, x, bottom), fill=(110, 110, 116), width=2 if index % 4 == 0 else 1)


def _with_notes(page: Image.Image, line: _Line) -> Image.Image:
    """The page with the notes of a line laid over it, the melody above all others."""
    layer = Image.new("RGBA", page.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    order = ("Accompaniment", "Bass", "Melody")
    for part in sorted(line.piece.parts, key=lambda one: order.index(role(one))):
        for note in part.notes:
            if note.start_beats < line.end_beats and note.start_beats + note.length_beats > line.start_beats:
                _note(draw, line, note, _NOTE_COLOURS[role(part)], thick=role(part) == "Melody")
    return Image.alpha_composite(page.convert("RGBA"), layer).convert("RGB")


def _note(draw: ImageDraw.ImageDraw, line: _Line, note: Note, ink: Colour, thick: bool) -> None:
    left = max(line.x(note.start_beats), line.x(line.start_beats)) + 1
    right = min(line.x(note.start_beats + note.length_beats), line.x(line.end_beats)) - 1
    y = line.y(note.pitch)
    alpha = round(60 + 195 * (note.velocity - 1) / 126)
    box = (round(left), y - thick, max(round(right), round(left) + 2), y + line.pitch_px - 1)
    draw.rectangle(box, fill=(*ink, alpha), outline=(*ink, min(255, alpha + 70)) if thick else None)


def _texts(draw: ImageDraw.ImageDraw, line: _Line) -> None:
    """Emotions above, with a tick where they turn; chords below; the number of every fourth bar."""
    bottom = line.top + line.height
    turns = _turns(line)
    ends = [*(x for x, _, _ in turns[1:]), float(WIDTH_PX - _MARGIN_PX)]
    for (x, text, is_new), end in zip(turns, ends[len(ends) - len(turns) :], strict=True):
        if is_new:
            draw.line((x, line.top - 20, x, line.top), fill=_INK, width=2)
        _text(draw, (x + 6, line.top - 21), _cut(draw, text, end - x - 12), _INK if is_new else _SOFT)
    free, size = 0.0, _TEXT_PX if line.span <= 16 else _SMALL_TEXT_PX
    for beats, name in chord_changes(line.piece):
        x = line.x(beats)
        if line.start_beats <= beats < line.end_beats and x >= free:
            _text(draw, (x + 2, bottom + 3), name, _INK, size)
            free = x + _width(draw, name, size) + 4
    for index in range(line.first, line.end, 4):
        x = line.x(line.piece.bar_starts[index])
        _text(draw, (x + 4, line.top + 1), str(index + 1), _SOFT, _SMALL_TEXT_PX)


def _turns(line: _Line) -> list[tuple[float, str, bool]]:
    """(x, emotion text, whether it turns there); a line begins with the one that goes on from before it."""
    emotions = sorted(line.piece.emotions)
    found = [
        (line.x(line.piece.bar_starts[bar]), text, True)
        for bar, text in emotions
        if line.first <= bar < line.end
    ]
    before = [text for bar, text in emotions if bar < line.first]
    if before and not any(bar == line.first for bar, _ in emotions):
        found.insert(0, (line.x(line.start_beats), before[-1], False))
    return found


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _text(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, ink: Colour, size: int = _TEXT_PX
) -> None:
    draw.text(at, text, fill=ink, font=_font(size))


def _width(draw: ImageDraw.ImageDraw, text: str, size: int = _TEXT_PX) -> float:
    return float(draw.textlength(text, font=_font(size)))


def _cut(draw: ImageDraw.ImageDraw, text: str, room: float, size: int = _TEXT_PX) -> str:
    """As much of a text as there is room for."""
    if len(text) <= room and _width(draw, text, size) <= room:
        return text
    fits, too_long = 0, min(len(text), round(room))  # no letter is narrower than a pixel
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if _width(draw, f"{text[:middle]}...", size) <= room:
            fits = middle
        else:
            too_long = middle
    return f"{text[:fits]}..." if fits else ""
