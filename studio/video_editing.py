"""Clips put one after the other, and sounds put together under them, with moviepy.

Everything is composed while it is read: one frame at a time, whatever the length. Knows files, sizes and
times; how an MP4 is written is the business of studio.video_files.
"""

from __future__ import annotations

import contextlib
import math
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from studio import video_files
from studio.errors import InputError
from studio.lazy import lazy
from studio.video_files import OnFrame, VideoInfo

moviepy, reader = lazy("moviepy"), lazy("moviepy.video.io.ffmpeg_reader")
vfx, afx = lazy("moviepy.video.fx"), lazy("moviepy.audio.fx")

AUDIO_HZ = 44_100


def joined(
    sources: Sequence[Path], path: Path, cross_fade_s: float = 0.0, on_frame: OnFrame | None = None
) -> VideoInfo:
    """Write one clip of several: size and rate of the first; the others are scaled into it, with black bars
    where the aspect differs. Each fades into the next over `cross_fade_s`, its sound too.

    Raises InputError for no clips, one that cannot be read, a fade longer than half of the shortest clip;
    StorageError; what `on_frame` raises.
    """
    infos = _probed(sources, cross_fade_s)
    with _workshop() as (stack, folder):
        opened = [stack.enter_context(moviepy.VideoFileClip(str(source))) for source in sources]
        opened = [
            clip.with_audio(_level(clip.audio, source)) if clip.audio else clip
            for clip, source in zip(opened, sources, strict=True)
        ]
        whole = _sequence([_fitted(clip, infos[0]) for clip in opened], cross_fade_s, infos[0])
        sound = _mixed_down(whole.audio, whole.duration, folder / "sound.wav")
        frames = whole.iter_frames(fps=infos[0].rate_hz, dtype="uint8")
        return video_files.record(frames, round(infos[0].rate_hz, 2), path, sound, on_frame)


def joined_frames(sources: Sequence[Path], cross_fade_s: float = 0.0) -> int:
    """How many frames `joined` will write, give or take one. Raises InputError as it does."""
    infos = _probed(sources, cross_fade_s)
    length_s = sum(info.length_s for info in infos) - cross_fade_s * (len(infos) - 1)
    return max(1, round(length_s * infos[0].rate_hz))


def check_sound(name: str, path: Path) -> None:
    """Raise InputError, about the field `name`, for a file without sound."""
    if not path.is_file():
        raise InputError(name, path, f"no such file: {str(path)!r}")
    if not _holds_sound(path):
        raise InputError(name, path, f"{path.name} holds no sound that can be read")


def with_music(
    source: Path, path: Path, music: Path, volume: float = 1.0, fade_out_s: float = 1.0, keep: bool = True
) -> None:
    """Write a clip with music under it, as long as the pictures: repeated when too short, faded out at the
    end. `volume`: factor for the music, 0 to 4; `keep`: the clip's own sound is heard too.

    Raises InputError for what cannot be read, StorageError.
    """
    if not 0 <= volume <= 4:
        raise InputError("volume", volume, f"must be in [0, 4], got {volume}", "1")
    info = video_files.probe(source)
    check_sound("music", music)
    with _workshop() as (stack, folder):
        fade = afx.AudioFadeOut(min(fade_out_s, info.length_s))
        loop = afx.AudioLoop(duration=info.length_s)
        played = _level(stack.enter_context(moviepy.AudioFileClip(str(music))), music)
        parts = [played.with_effects([loop, afx.MultiplyVolume(volume), fade])]
        if keep and info.has_audio:
            parts.append(_level(stack.enter_context(moviepy.AudioFileClip(str(source))), source))
        sound = _mixed_down(moviepy.CompositeAudioClip(parts), info.length_s, folder / "sound.wav")
        assert sound is not None
        video_files.with_sound(source, path, sound)


def _probed(sources: Sequence[Path], cross_fade_s: float) -> list[VideoInfo]:
    if not sources:
        raise InputError("clips", 0, "there is not one; name at least one file")
    infos = [video_files.probe(source) for source in sources]
    longest = min(info.length_s for info in infos) / 2
    if not 0 <= cross_fade_s <= longest:
        why = f"must be in [0, {longest:.2f}] s, half of the shortest clip, got {cross_fade_s}"
        raise InputError("crossfade", cross_fade_s, why)
    return infos


@contextlib.contextmanager
def _workshop() -> Iterator[tuple[contextlib.ExitStack, Path]]:
    """Where clips are opened, and a folder for sounds. moviepy leaves the pipes of readers that reached their
    end to the garbage collector, which complains: not here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory(prefix="emotion-studio-") as name:
            yield stack, Path(name)


def _holds_sound(path: Path) -> bool:
    try:
        return bool(reader.ffmpeg_parse_infos(str(path))["audio_found"])
    except (OSError, ValueError, KeyError, IndexError):
        return False


def _level(audio: Any, path: Path) -> Any:
    """As loud as it is in the file: on two channels, where moviepy reads everything, ffmpeg lets one channel
    sound 3 dB softer."""
    is_mono = re.search(r"Stream #.*Audio: .* mono\b", video_files.described(path))
    return audio.with_effects([afx.MultiplyVolume(math.sqrt(2))]) if is_mono else audio


def _fitted(clip: Any, like: VideoInfo) -> Any:
    """Scaled to fit into the size of the first, in its middle, on black."""
    scale = min(like.width / clip.w, like.height / clip.h)
    if (clip.w, clip.h) != (like.width, like.height):
        clip = clip.resized(scale).with_position("center")
    bars = {"size": (like.width, like.height), "bg_color": (0, 0, 0)}
    return moviepy.CompositeVideoClip([clip], **bars).with_audio(clip.audio)


def _sequence(clips: Sequence[Any], cross_fade_s: float, like: VideoInfo) -> Any:
    """Each starts where the one before it begins to fade out."""
    placed, start = [], 0.0
    for index, clip in enumerate(clips):
        if cross_fade_s and index:
            clip = clip.with_effects([vfx.CrossFadeIn(cross_fade_s)])
        if cross_fade_s and clip.audio is not None:
            fades = [afx.AudioFadeIn(cross_fade_s)] if index else []
            fades += [afx.AudioFadeOut(cross_fade_s)] if index < len(clips) - 1 else []
            clip = clip.with_audio(clip.audio.with_effects(fades))
        placed.append(clip.with_start(start))
        start += clip.duration - cross_fade_s
    return moviepy.CompositeVideoClip(placed, size=(like.width, like.height))


def _mixed_down(audio: Any, length_s: float, path: Path) -> Path | None:
    """The sound as a WAV file, block by block; None where there is none."""
    if audio is None:
        return None
    audio.with_duration(length_s).write_audiofile(str(path), AUDIO_HZ, codec="pcm_s16le", logger=None)
    return path
