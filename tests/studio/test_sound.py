"""Sound, measured: what is heard where a note begins, how loud it is, what a file of another kind says."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio import instruments, sampler
from studio.audio_files import FORMATS, audio_bytes, ffmpeg
from studio.emotion import VAD
from studio.errors import InputError
from studio.loudness import integrated_lufs, k_weighting, limited, normalised, true_peak_db
from studio.provenance import HEAD_BYTES, MARK
from studio.score import Bar, Note, Part, Piece
from studio.sound import RATE_HZ, SoundOptions, play, played
from studio.soundfont import read_soundfont
from tests.studio import songs


@pytest.fixture
def sine(tmp_path: Path) -> Path:
    return songs.font(tmp_path / "sine.sf2")


def tone(level_db: float, length_s: float, rate_hz: int, hz: float = 1000.0) -> Any:
    """Both channels."""
    times = np.arange(round(length_s * rate_hz)) / rate_hz
    return np.tile(10 ** (level_db / 20) * np.sin(2 * np.pi * hz * times), (2, 1)).astype(np.float32)


def pitch_hz(sound: Any) -> float:
    spectrum = np.abs(np.fft.rfft(sound[0] * np.hanning(sound.shape[1])))
    return float(spectrum.argmax() * RATE_HZ / sound.shape[1])


def level_db(sound: Any) -> float:
    return float(10 * np.log10((np.asarray(sound, np.float64) ** 2).mean() + 1e-20))


# ---- loudness


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_loudness_of_the_reference_tones(rate_hz: int) -> None:
    """BS.1770-4, annex 1: 997 Hz at full scale in one channel is -3.01 LKFS."""
    both = tone(0, 5, rate_hz, 997)
    left = both * np.array([[1.0], [0.0]], np.float32)
    assert integrated_lufs(left, rate_hz) == pytest.approx(-3.01, abs=0.01)
    assert integrated_lufs(both * np.float32(0.1), rate_hz) == pytest.approx(-20.0, abs=0.01)


@pytest.mark.parametrize(
    ("levels_db", "lengths_s"),
    [
        ((-36, -23, -36), (10, 60, 10)),
        ((-72, -36, -23, -36, -72), (10, 10, 60, 10, 10)),
        ((-26, -20, -26), (20, 20.1, 20)),
    ],
)
def test_quiet_parts_are_gated(levels_db: tuple[float, ...], lengths_s: tuple[float, ...]) -> None:
    """EBU Tech 3341, cases 3, 4 and 5: -23 LUFS, within 0.1 LU."""
    sound = np.concatenate([tone(*one, 8000) for one in zip(levels_db, lengths_s, strict=True)], axis=1)
    assert integrated_lufs(sound, 8000) == pytest.approx(integrated_lufs(tone(-23, 5, 8000), 8000), abs=0.1)


def test_the_filter_at_48_khz_is_that_of_the_tables() -> None:
    shelf, high_pass = k_weighting(48_000)
    assert shelf[0] == pytest.approx((1.53512485958697, -2.69169618940638, 1.19839281085285), abs=1e-10)
    assert shelf[1] == pytest.approx((1, -1.69065929318241, 0.73248077421585), abs=1e-10)
    assert high_pass[1] == pytest.approx((1, -1.99004745483398, 0.99007225036621), abs=1e-10)


def test_true_peaks_lie_between_samples() -> None:
    """As in EBU Tech 3341, case 15: a quarter of the rate, 45 degrees on, reads 3 dB low by samples."""
    fade = np.hanning(8000)
    wave_ = (0.5 * fade * np.sin(np.pi / 2 * np.arange(8000) + np.pi / 4))[None].astype(np.float32)
    assert 20 * np.log10(np.abs(wave_).max()) == pytest.approx(-9.03, abs=0.02)
    assert true_peak_db(wave_) == pytest.approx(-6.02, abs=0.1)


def test_normalised_sound_is_as_loud_as_asked_below_the_ceiling() -> None:
    sound = np.random.default_rng(0).normal(0, 0.05, (2, 200_000)).astype(np.float32)
    sound[:, 90_000:90_300] *= 8
    out = normalised(sound, 44_100, -14.0, -1.0)
    assert integrated_lufs(out, 44_100) == pytest.approx(-14, abs=0.1)
    assert true_peak_db(out) <= -0.95
    ratio = out[:, :80_000] / sound[:, :80_000]
    assert ratio.std() < 1e-3 * ratio.mean()  # far from the peak nothing is bent


def test_silence_stays_silence_and_quiet_sound_is_not_touched() -> None:
    assert not normalised(np.zeros((2, 50_000), np.float32), 44_100, -18).any()
    assert integrated_lufs(np.zeros((2, 50_000), np.float32), 44_100) == -np.inf
    quiet = tone(-12, 1, 8000)
    assert limited(quiet, -1.0) is quiet


# ---- one note


def test_a_key_has_its_pitch_loops_and_is_as_loud_as_recorded(sine: Path) -> None:
    font = read_soundfont(sine)
    for pitch in (45, 69, 76):
        sound = sampler.held(font, 0, pitch, 127, 1.0, RATE_HZ).sound
        assert pitch_hz(sound) == pytest.approx(songs.FONT_HZ * 2 ** ((pitch - 69) / 12), abs=1.5)
    assert level_db(sound) == pytest.approx(-3 - 6 - 3, abs=0.3)  # a sine, half of full scale, in the middle


@pytest.mark.parametrize(
    ("generators", "second_db"),
    [
        ({}, 0.0),
        ({36: 1200, 37: 1000}, -50.0),
        ({36: 1200, 37: 200}, -20.0),
        ({36: 1200, 37: 1000, 35: 0}, 0.0),
    ],
)
def test_the_volume_envelope(tmp_path: Path, generators: dict[int, int], second_db: float) -> None:
    """100 dB over two seconds, down to the sustain level; a second of hold first."""
    font = read_soundfont(songs.font(tmp_path / "a.sf2", generators))
    sound = sampler.held(font, 0, 69, 127, 2.0, RATE_HZ).sound
    first, later = sound[:, 200:1200], sound[:, 43_600:44_600]
    assert level_db(later) - level_db(first) == pytest.approx(second_db, abs=1.0)


def test_pan_attenuation_and_tuning(tmp_path: Path) -> None:
    plain = sampler.held(read_soundfont(songs.font(tmp_path / "a.sf2")), 0, 69, 127, 1.0, RATE_HZ).sound
    bent = songs.font(tmp_path / "b.sf2", {17: -500, 48: 100, 51: 12})
    sound = sampler.held(read_soundfont(bent), 0, 69, 127, 1.0, RATE_HZ).sound
    assert np.abs(sound[1]).max() < 1e-6 and pitch_hz(sound) == pytest.approx(2 * songs.FONT_HZ, abs=1.5)
    assert level_db(sound[0]) - level_db(plain[0]) == pytest.approx(3 - 4, abs=0.3)


def test_the_filter_and_its_envelope(tmp_path: Path) -> None:
    low = songs.font(tmp_path / "low.sf2", {8: 5842})  # 220 Hz in the hardest layer: an octave below the tone
    font = read_soundfont(songs.font(tmp_path / "open.sf2"))
    open_db = level_db(sampler.held(font, 0, 69, 127, 1.0, RATE_HZ).sound)
    low_db = level_db(sampler.held(read_soundfont(low), 0, 69, 127, 1.0, RATE_HZ).sound)
    assert low_db - open_db == pytest.approx(-12.3, abs=0.5)  # Butterworth, two poles
    closing = songs.font(tmp_path / "closing.sf2", {8: 5700, 11: 3600, 28: 0, 29: 1000})
    sound = sampler.held(read_soundfont(closing), 0, 69, 127, 2.0, RATE_HZ).sound
    assert level_db(sound[:, 2000:4000]) - level_db(sound[:, 60_000:80_000]) > 8


def test_a_softer_touch_is_quieter_and_darker() -> None:
    font = read_soundfont()
    hard, soft = (sampler.held(font, 0, 60, velocity, 0.5, RATE_HZ).sound[0] for velocity in (120, 20))
    treble = [
        np.abs(np.fft.rfft(one))[800:].sum() / np.abs(np.fft.rfft(one))[:400].sum() for one in (hard, soft)
    ]
    assert treble[1] < 0.8 * treble[0]
    assert sampler.gain(127) == 1 and 20 * np.log10(sampler.gain(64)) == pytest.approx(-11.9, abs=0.1)


def test_a_compressed_font_sounds_like_the_plain_one(tmp_path: Path, sine: Path) -> None:
    packed = read_soundfont(songs.font(tmp_path / "sine.sf3", compressed=True))
    sounds = [sampler.held(font, 0, 69, 127, 1.0, RATE_HZ).sound for font in (packed, read_soundfont(sine))]
    assert level_db(sounds[0] - sounds[1]) < level_db(sounds[1]) - 20


# ---- a piece


def test_notes_sound_where_the_score_has_them(sine: Path) -> None:
    """Energy rises by more than 10 dB at each start, across the change of tempo, and falls after the end."""
    piece = Piece(
        (Bar("4/4", 120), Bar("4/4", 60)),
        (Part("Melody", 0, (Note(1, 0.5, 69, 90), Note(3, 0.5, 60, 70), Note(5, 0.5, 64, 110))),),
    )
    audio = play(piece, SoundOptions(soundfont=str(sine)))
    for start_s, pitch in ((0.5, 69), (1.5, 60), (3.0, 64)):
        at = round(start_s * RATE_HZ)
        before, after = audio.samples[:, at - 2000 : at - 20], audio.samples[:, at + 100 : at + 9000]
        assert level_db(after) > level_db(before) + 10
        assert pitch_hz(after) == pytest.approx(songs.FONT_HZ * 2 ** ((pitch - 69) / 12), rel=0.02)
    assert audio.length_s == pytest.approx(6.0, abs=1.0)


def test_loudness_is_as_asked_whatever_the_piece(sine: Path) -> None:
    for lufs in (-18.0, -24.0):
        audio = play(songs.piece(), SoundOptions(soundfont=str(sine), lufs=lufs))
        assert audio.lufs == pytest.approx(lufs, abs=0.1) and audio.peak_db <= -0.9
        assert integrated_lufs(audio.samples, audio.rate_hz) == pytest.approx(audio.lufs)


def test_the_bundled_font_plays_every_preset() -> None:
    short = dataclasses.replace(songs.piece(), bars=songs.piece().bars[:2])
    parts = tuple(dataclasses.replace(part, notes=part.notes[:2]) for part in short.parts)
    piece = dataclasses.replace(short, parts=parts, emotions=())
    sounds = {name: play(piece, SoundOptions(instruments=name)).samples for name in instruments.PRESETS}
    spectra = [np.abs(np.fft.rfft(one[0], 1 << 17))[:12_000] for one in sounds.values()]
    for index, one in enumerate(spectra):
        assert all(np.corrcoef(one, other)[0, 1] < 0.95 for other in spectra[:index])


def test_the_pedal_holds_what_the_key_lets_go() -> None:
    piece = songs.piece()
    lengths = [(note.pitch, round(note.length_s, 6)) for note in played(piece, piece.parts[1])]
    assert lengths == [(57, 1.75), (60, 1.75), (55, 3.5)]
    again = Part("A", 0, (Note(0, 1, 60, 80), Note(2, 1, 60, 80)), ((0.0, 4.0),))
    assert [note.length_s for note in played(Piece((Bar("4/4", 60),), (again,)), again)] == [2.0, 2.0]


def test_no_notes_are_silence() -> None:
    audio = play(songs.piece(notes=False))
    assert not audio.samples.any() and audio.lufs == -np.inf and audio.length_s == pytest.approx(11, abs=1)


def test_the_same_piece_sounds_the_same(sine: Path) -> None:
    one, other = (play(songs.piece(), SoundOptions(soundfont=str(sine))).samples for _ in range(2))
    assert np.array_equal(one, other)


# ---- instruments


@pytest.mark.parametrize(
    ("vad", "name"),
    [
        (VAD(), "piano"), (VAD(0.1, -0.1, 0.9), "piano"), (VAD(0.8, 0.5, 0.3), "band"),
        (VAD(-0.6, -0.3, -0.3), "strings"), (VAD(0.6, -0.4, 0), "music box"), (VAD(-0.6, 0.6, 0.3), "piano"),
    ],
)  # fmt: skip
def test_instruments_follow_the_emotion(vad: VAD, name: str) -> None:
    assert instruments.preset("auto", [vad] * 4) == name


def test_a_preset_gives_each_role_its_program() -> None:
    assert [part.program for part in instruments.arranged(songs.piece(), "band").parts] == [73, 4]
    assert [part.notes for part in instruments.arranged(songs.piece(), "band").parts] == [
        part.notes for part in songs.piece().parts
    ]


# ---- files


def test_a_wav_file_is_what_others_read() -> None:
    sound = tone(-6, 0.1, 44_100)
    content = audio_bytes(sound, 44_100, "wav", {"title": "A walk", "comment": "x" * 3})
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 44_100)
        whole = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).T
    assert np.abs(whole / 32767 - sound).max() < 1e-4
    assert content.index(b"xxx") < content.index(b"data")


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_keeps_sound_and_texts(format: str, tmp_path: Path) -> None:
    sound = tone(-12, 1, 44_100, 440)
    tags = {
        "title": "A; walk = #1",
        "comment": 'emotion_studio:{"a": "b\\\\c"}\nsecond',
        "genre": "Synthetic media",
    }
    content = audio_bytes(sound, 44_100, format, tags)
    assert content == audio_bytes(sound, 44_100, format, tags)
    path = tmp_path / f"a.{format}"
    path.write_bytes(content)
    back = [ffmpeg(), "-v", "error", "-i", str(path)]
    raw = subprocess.run([*back, "-f", "f32le", "-"], capture_output=True, check=True).stdout
    heard = np.frombuffer(raw, "<f4").reshape(-1, 2).T
    assert heard.shape[1] == pytest.approx(44_100, abs=3000)
    assert level_db(heard[:, 5000:35_000]) == pytest.approx(-15, abs=0.5)
    stream = ("-map_metadata", "0:s:a:0") if format == "ogg" else ()  # that is where Ogg has its texts
    said = subprocess.run(
        [*back, *stream, "-f", "ffmetadata", "-"], capture_output=True, check=True
    ).stdout.decode()
    assert "title=A\\; walk \\= \\#1" in said and "genre=Synthetic media" in said
    assert "emotion_studio:" in said and content.index(MARK) < HEAD_BYTES


# ---- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "ogv"}, "format: 'ogv' is not one of wav, flac, mp3, ogg; did you mean 'ogg'?"),
        ({"instruments": "string"}, "instruments: 'string' is not one of .*; did you mean 'strings'?"),
        ({"lufs": 0.0}, r"lufs: must be in \[-40, -8\], got 0.0; did you mean '-18'?"),
        ({"lufs": float("nan")}, "lufs: must be in"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SoundOptions(**options)


def test_what_is_no_soundfont(tmp_path: Path, sine: Path) -> None:
    whole = sine.read_bytes()
    damaged = {
        "is not a soundfont": b"RIFF" + whole[4:8] + b"WAVE" + whole[12:],
        "is cut short": whole[:-200],
        r"no 'phdr' part": whole.replace(b"phdr", b"xhdr"),
        "samples are not all there": whole.replace(
            b"sine".ljust(20, b"\0") + bytes(4), b"sine".ljust(20, b"\0") + b"\xff" * 4
        ),
        "'pgen' table points nowhere": whole.replace(b"\x29\x00\x00\x00", b"\x29\x00\x09\x00"),
    }
    for index, (why, content) in enumerate(damaged.items()):
        path = tmp_path / f"{index}.sf2"
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"soundfont: .*{why}"):
            play(songs.piece(), SoundOptions(soundfont=str(path)))
    for path, why in (
        (tmp_path, "soundfont"),
        (tmp_path / "none.sf2", "No such file"),
        (Path(__file__), "is not a soundfont"),
    ):
        with pytest.raises(InputError, match=why):
            read_soundfont(path)


def test_random_damage_is_an_error_or_sound_and_never_a_crash(tmp_path: Path, sine: Path) -> None:
    whole, rng = sine.read_bytes(), np.random.default_rng(3)
    refused = 0
    for turn in range(60):
        content = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            content[-1 - at % 400 if turn % 2 else at] = int(rng.integers(256))
        path = tmp_path / f"{turn}.sf2"
        path.write_bytes(content)
        try:
            sampler.held(read_soundfont(path), 0, 69, 100, 0.05, RATE_HZ)
        except InputError:
            refused += 1
    assert 3 < refused < 57


def test_an_instrument_that_a_font_lacks(sine: Path) -> None:
    with pytest.raises(InputError, match=r"soundfont: sine\.sf2 has no instrument of General MIDI number 40"):
        play(songs.piece(), SoundOptions(soundfont=str(sine), instruments="strings"))


def test_a_piece_of_hours_is_refused() -> None:
    with pytest.raises(InputError, match="length_s: 100 minutes; at most 60 are played"):
        play(Piece((Bar("4/4", 40),) * 1000, ()))
