"""The motion model at toy size: what it hears, windows of any length, guidance, feelings, what is held."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler

from adapters.emotion_lora import Adapter, Config
from pipelines.portrait import _hearing as hearing
from pipelines.portrait import _motion_channels as channels
from pipelines.portrait import _motion_eyes as eyes
from pipelines.portrait import _motion_finish as finish
from pipelines.portrait import _motion_loading as loading
from pipelines.portrait import _motion_loss as motion_loss
from pipelines.portrait._motion_sampling import FREER, Line, MotionDiffusionPipeline, Way
from pipelines.portrait._motion_windows import CARRIED, MARGIN, WINDOW
from studio.emotion import NEUTRAL, VAD
from studio.errors import Cancelled, InputError, ModelError
from studio.motion import GAZE, HEAD, SHAPES, Motion
from studio.ports import SetEmotion
from studio.speech import VISEMES, Phone, Speech

HAPPY, AFRAID = VAD(0.8, 0.5, 0.3), VAD(-0.7, 0.7, -0.5)
RAW = Way(steps=3, finished=False, eyes=False)
TARGETS = {"transformer": r"embeddings\.motion|blocks\.\d\.(attn\.to_v|ff_in|ff_out)|writers"}


def tone(length_s: float, rate_hz: int = 16_000, hz: float = 150.0, level: float = 0.3) -> np.ndarray:
    """A buzz with the overtones of a voice."""
    at = np.arange(round(length_s * rate_hz)) / rate_hz
    voices = sum(np.sin(2 * np.pi * hz * n * at) / n for n in range(1, 12))
    return (level * voices / 3).astype(np.float32)


def said(length_s: float = 6.0) -> Speech:
    """Half a second of silence, then syllables "ma" of 0.3 s, with a pause in the middle and at the end."""
    samples = tone(length_s)
    rate = 16_000
    for start, end in ((0.0, 0.5), (length_s / 2, length_s / 2 + 0.7), (length_s - 0.5, length_s)):
        samples[round(start * rate) : round(end * rate)] = 0
    phones = []
    for start in np.arange(0.5, length_s - 0.8, 0.3):
        if not length_s / 2 - 0.3 < start < length_s / 2 + 0.7:
            phones += [Phone("m", "PP", start, start + 0.1), Phone("a", "AA", start + 0.1, start + 0.3, True)]
    return Speech(samples, rate, tuple(phones))


@pytest.fixture(scope="module")
def sound() -> hearing.Array:
    return hearing.features(said(10.0))


@pytest.fixture(scope="module")
def pipe() -> MotionDiffusionPipeline:
    return loading.toy(0)


@pytest.fixture
def feel(pipe: MotionDiffusionPipeline) -> Iterator[SetEmotion]:
    adapter = Adapter.create(
        {"transformer": pipe.transformer}, Config(rank=4, alpha=4, targets=TARGETS), seed=1
    )
    with torch.no_grad():
        for name, weight in adapter.weights.items():
            if name.endswith("lora_B.weight"):
                weight.normal_(0, 0.5, generator=torch.Generator().manual_seed(len(name)))
    with adapter.applied({"transformer": pipe.transformer}) as set_emotion:
        yield set_emotion


def take(
    pipe: Any, sound: Any, mood: Any = NEUTRAL, seed: int = 0, way: Way = RAW, **more: Any
) -> np.ndarray:
    moods = mood if isinstance(mood, list) else [mood] * len(sound)
    line = Line(sound, moods, more.pop("held", None))
    return np.asarray(pipe(line, torch.Generator().manual_seed(seed), way, **more))


def test_loud_or_quiet_sounds_the_same() -> None:
    loud = said()
    quiet = dataclasses.replace(loud, samples=loud.samples * np.float32(0.01))
    assert np.allclose(hearing.features(loud), hearing.features(quiet), atol=0.02)


def test_any_rate_of_sampling_sounds_the_same() -> None:
    ours, other = (
        hearing.features(Speech(tone(2.0, rate), rate))[5:-5] for rate in (hearing.SOUND_HZ, 44_100)
    )
    assert ours.shape == other.shape
    assert np.abs(ours - other)[:, hearing.MEL].mean() < 0.03


def test_resampling_keeps_tones_and_lets_no_higher_ones_through() -> None:
    at = np.arange(22_050) / 44_100
    kept = hearing.resampled(np.sin(2 * np.pi * 3000 * at).astype(np.float32), 44_100)
    wanted = np.sin(2 * np.pi * 3000 * np.arange(len(kept)) / 16_000)
    assert np.abs(kept - wanted)[100:-100].max() < 1e-3
    folded = hearing.resampled(np.sin(2 * np.pi * 11_000 * at).astype(np.float32), 44_100)
    assert np.abs(folded[100:-100]).max() < 1e-3


def test_a_voice_is_heard_with_its_pitch_and_silence_as_silence() -> None:
    rising = np.concatenate([tone(1.0, hz=100), tone(1.0, hz=200)])
    found = hearing.features(Speech(np.concatenate([rising, np.zeros(8000, np.float32)]), 16_000))
    assert found[5:25, hearing.VOICED].min() > 0.8 and found[-10:, hearing.VOICED].max() < 0.2
    low, high = found[5:25, hearing.PITCH].mean(), found[35:55, hearing.PITCH].mean()
    assert high - low == pytest.approx(1.0, abs=0.05)
    assert found[:, hearing.SILENT][5:55].max() == 0 and found[-10:, hearing.SILENT].min() == 1


def test_phones_stand_where_they_are_said_and_nowhere_when_unknown() -> None:
    speech = said()
    found = hearing.features(speech)
    viseme = found[:, hearing.VISEME]
    assert np.allclose(viseme.sum(axis=1), 1, atol=1e-5) and (found[:, hearing.KNOWN] == 1).all()
    closed = viseme[:, VISEMES.index("PP")]
    assert closed[15] == 1 and closed[18:23].max() == pytest.approx(
        0, abs=1e-5
    )  # 0.5 to 0.6 s, then the vowel
    assert found[20, hearing.STRESSED] == 1
    bare = hearing.features(dataclasses.replace(speech, phones=()))
    assert not bare[:, hearing.PHONES].any()
    assert np.array_equal(bare[:, : hearing.SILENT], hearing.unspoken(found)[:, : hearing.SILENT])


@pytest.mark.parametrize("samples", [np.zeros(16_000), np.full(80, 1e-7), np.ones(5000)])
def test_whatever_is_no_speech_still_has_features(samples: np.ndarray) -> None:
    found = hearing.features(Speech(samples.astype(np.float32), 16_000))
    assert np.isfinite(found).all() and len(found) >= 1


def test_a_part_of_a_line_is_heard_as_in_the_whole(sound: Any) -> None:
    whole = hearing.padded(sound, MARGIN)
    for start, stop in ((0, 20), (40, 160), (len(sound) - 5, len(sound))):
        part = hearing.around(sound, slice(start, stop), MARGIN)
        assert np.array_equal(part, whole[start : stop + 2 * MARGIN])


def test_hearing_takes_no_memory_that_grows_but_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is computed at a time, it sounds the same, and little is."""
    long = Speech(np.tile(tone(10.0), 6), 16_000)
    tracemalloc.start()
    found = hearing.features(long)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32e6  # at 4096 windows at a time it was 160 MB
    monkeypatch.setattr(hearing, "_ROWS", 4096)
    assert np.allclose(hearing.features(long), found, atol=1e-5)


def test_channels_are_all_of_a_motion_but_what_follows_from_the_gaze() -> None:
    rng = np.random.default_rng(0)
    parts = (rng.random((4, len(SHAPES))), rng.normal(size=(4, len(HEAD))), rng.normal(size=(4, len(GAZE))))
    motion = Motion(*(part.astype(np.float32) for part in parts))
    again = channels.motion_of(channels.rows_of(motion))
    assert channels.COUNT == 52
    assert np.array_equal(again.weights, motion.weights) and np.array_equal(again.gaze, motion.gaze)
    assert channels.region("brow").sum() == 5
    assert not (channels.region("brow") & channels.region("eye")).any()


def test_the_same_seed_gives_the_same_take_and_another_seed_another(pipe: Any, sound: Any) -> None:
    first, again, other = (take(pipe, sound, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.abs(first - other).mean() > 0.01


def test_freedom_says_how_far_takes_differ(pipe: Any, sound: Any) -> None:
    apart = []
    for freedom in (0.0, 1.0, 2.0):
        way = dataclasses.replace(RAW, freedom=freedom)
        one, other = (take(pipe, sound, seed=seed, way=way) for seed in (1, 2))
        apart.append(float(np.abs(one - other).mean()))
    assert apart[0] == 0
    assert apart[1] < apart[2]


def test_heads_are_freer_than_lips() -> None:
    noise = Way(freedom=2.0).noise(2000, torch.Generator().manual_seed(0)).numpy().std(axis=0)
    head, mouth = (noise[channels.region(name)].mean() for name in ("head", "mouth"))
    assert head == pytest.approx(2 * FREER["head"], rel=0.05) and mouth == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("frames", [1, 7, CARRIED, WINDOW, WINDOW + 1, 2 * WINDOW, 295])
def test_any_length_is_performed(pipe: Any, sound: Any, frames: int) -> None:
    made = take(pipe, sound[:frames])
    assert made.shape == (frames, channels.COUNT) and np.isfinite(made).all()


def test_a_window_goes_on_from_the_last_frames_of_the_one_before(pipe: Any, sound: Any) -> None:
    seen: list[Any] = []
    original = pipe.transformer.forward

    def watched(motion: Any, known: Any, *rest: Any) -> Any:
        seen.append((motion[0].clone(), known[0].clone()))
        return original(motion, known, *rest)

    pipe.transformer.forward = watched
    try:
        made = take(pipe, sound[: WINDOW + 30])
    finally:
        del pipe.transformer.forward
    net = pipe.transformer
    last = (torch.from_numpy(made[WINDOW - CARRIED : WINDOW]) - net.mean) / net.spread
    motion, known = seen[-1]
    assert not seen[0][1].any() and known.sum() == CARRIED
    assert torch.allclose(motion[:CARRIED], last, atol=1e-5)


def test_what_was_performed_does_not_change_with_what_comes_later(pipe: Any, sound: Any) -> None:
    longer, shorter = take(pipe, sound), take(pipe, sound[: WINDOW + MARGIN])
    assert np.array_equal(longer[:WINDOW], shorter[:WINDOW])


def test_neutral_with_an_adapter_is_no_adapter(pipe: Any, sound: Any, feel: SetEmotion) -> None:
    ways = (RAW, dataclasses.replace(RAW, speech=1.2, emotion=2.0, brow=1.5))
    worn = [take(pipe, sound, way=way, set_emotion=feel) for way in ways]
    happy = take(pipe, sound, HAPPY, set_emotion=feel)
    feel([NEUTRAL])
    for made, way in zip(worn, ways, strict=True):
        assert np.array_equal(made, take(pipe, sound, way=way))
    assert np.abs(happy - worn[0]).mean() > 0.01


def test_a_row_is_the_same_after_another_line(pipe: Any, sound: Any, feel: SetEmotion) -> None:
    alone = take(pipe, sound, AFRAID, 3, set_emotion=feel)
    take(pipe, sound, HAPPY, 4, set_emotion=feel)
    assert np.array_equal(alone, take(pipe, sound, AFRAID, 3, set_emotion=feel))


def test_each_frame_has_its_own_feeling(pipe: Any, sound: Any, feel: SetEmotion) -> None:
    seen: list[Any] = []
    turning = [NEUTRAL.mixed(HAPPY, frame / len(sound)) for frame in range(len(sound))]
    take(pipe, sound, turning, set_emotion=seen.append)
    assert [len(rows[0]) for rows in seen] == [WINDOW, WINDOW, len(sound) - 2 * (WINDOW - CARRIED)]
    assert list(seen[1][0]) == turning[WINDOW - CARRIED : 2 * WINDOW - CARRIED]
    moved = take(pipe, sound, turning, set_emotion=feel)
    assert not np.array_equal(moved, take(pipe, sound, HAPPY, set_emotion=feel))


def test_only_performances_that_count_are_guessed(pipe: Any, sound: Any) -> None:
    rows: list[Any] = []
    for way in (RAW, dataclasses.replace(RAW, emotion=2.0), dataclasses.replace(RAW, speech=1.2, brow=0.5)):
        take(pipe, sound[:30], HAPPY, way=way, set_emotion=rows.append)
    assert rows == [[HAPPY], [NEUTRAL, HAPPY], [NEUTRAL, NEUTRAL, HAPPY]]
    take(pipe, sound[:30], NEUTRAL, way=dataclasses.replace(RAW, emotion=2.0), set_emotion=rows.append)
    assert rows[-1] == [NEUTRAL]


def test_scales_of_zero_are_no_feeling_and_no_speech(pipe: Any, sound: Any, feel: SetEmotion) -> None:
    unfelt = take(pipe, sound, HAPPY, way=dataclasses.replace(RAW, emotion=0.0), set_emotion=feel)
    neutral = take(pipe, sound, NEUTRAL, set_emotion=feel)
    assert np.allclose(unfelt, neutral, atol=1e-4)
    deaf = dataclasses.replace(RAW, speech=0.0)
    other = hearing.features(Speech(tone(10.0, hz=300), 16_000))
    assert np.allclose(take(pipe, sound, way=deaf), take(pipe, other, way=deaf), atol=1e-4)
    assert not np.allclose(take(pipe, sound), take(pipe, other), atol=1e-2)


def test_emphasis_of_the_brows_moves_the_brows_most(pipe: Any, sound: Any, feel: SetEmotion) -> None:
    plain = take(pipe, sound, AFRAID, set_emotion=feel)
    more = take(pipe, sound, AFRAID, way=dataclasses.replace(RAW, brow=2.5), set_emotion=feel)
    moved = np.abs(more - plain).mean(axis=0) / pipe.transformer.spread.numpy()
    brow = channels.region("brow")
    assert moved[brow].mean() > 2 * moved[~brow].mean()


def test_what_is_set_by_hand_is_held_at_every_frame(pipe: Any, sound: Any, feel: SetEmotion) -> None:
    weight = np.linspace(0, 0.9, len(sound))
    held = channels.locked({"browInnerUp": 0.8, "mouthSmileLeft": weight.tolist()}, len(sound))
    made = take(pipe, sound, AFRAID, set_emotion=feel, held=held)
    brow, smile = channels.at("browInnerUp", "mouthSmileLeft")
    assert np.allclose(made[:, brow], 0.8, atol=1e-5) and np.allclose(made[:, smile], weight, atol=1e-5)
    free = take(pipe, sound, AFRAID, set_emotion=feel)
    others = np.delete(made - free, [brow, smile], axis=1)
    assert np.abs(others).max() > 1e-4, "the rest of the face answers to it"


@pytest.mark.parametrize("held", [{"browInnerUpp": 1.0}, {"browInnerUp": 1.2}, {"jawOpen": [0.1, 0.2]}])
def test_what_cannot_be_held_is_named(held: Any) -> None:
    with pytest.raises(InputError, match=next(iter(held))[:7]):
        channels.locked(held, 3)


def test_progress_climbs_to_the_end_and_a_cancel_stops_within_a_step(pipe: Any, sound: Any) -> None:
    steps: list[tuple[int, int]] = []
    take(pipe, sound, on_step=lambda done, total: steps.append((done, total)))
    assert steps == [(n + 1, 9) for n in range(9)]

    def stop(done: int, _total: int) -> None:
        if done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        take(pipe, sound, on_step=stop)


def test_lips_are_sealed_and_still_where_they_must_be(sound: Any) -> None:
    rng = np.random.default_rng(0)
    rough = rng.normal(0.2, 0.3, (len(sound), channels.COUNT)).astype(np.float32)
    made = finish.finished(rough, sound)
    jaw, close = channels.at("jawOpen", "mouthClose")
    assert made[:, channels.WEIGHTS].min() >= 0 and made[:, channels.WEIGHTS].max() <= 1
    assert (made[:, close] <= made[:, jaw]).all()
    closed = sound[:, hearing.VISEME.start + VISEMES.index("PP")] == 1
    assert closed.sum() > 10 and np.allclose(made[closed, jaw], made[closed, close], atol=1e-6)
    assert not made[closed][:, channels.at("mouthUpperUpLeft", "mouthLowerDownRight")].any()
    calm = finish.silence(sound) == 1
    assert calm[:10].all() and 0.05 < calm.mean() < 0.4
    steps = np.abs(np.diff(made[:, channels.LIPS], axis=0)).mean(axis=1)
    still = calm[1:] & calm[:-1]
    assert steps[still].mean() < 0.1 * steps[~still].mean()
    assert np.array_equal(made[:, channels.POSE], rough[:, channels.POSE])


def test_eyes_of_the_rules_blink_and_look_and_keep_what_hangs(sound: Any) -> None:
    rows = np.zeros((len(sound) * 4, channels.COUNT), dtype=np.float32)
    long = np.tile(sound, (4, 1))
    rows[:, channels.LIDS] = 0.3  # a tired face, whose network blinks by half once, and looks nowhere
    rows[50:54, channels.LIDS] = 0.6
    moods = [NEUTRAL] * len(rows)
    made, again, other = (eyes.with_eyes(rows, long, moods, seed) for seed in (1, 1, 2))
    assert np.array_equal(made, again) and not np.array_equal(made, other)
    lid = made[:, channels.at("eyeBlinkLeft")[0]]
    closed = np.flatnonzero(np.diff(np.concatenate([[0], lid > 0.8, [0]]))).reshape(-1, 2)
    assert 8 <= len(closed) <= 24, "in 40 s"
    assert (np.diff(closed, axis=1) < 12).all() and np.median(lid) == pytest.approx(0.3, abs=0.03)
    assert np.ptp(made[:, channels.LOOK]) > 3 and not rows[:, channels.LOOK].any()
    untouched = ~(channels.region("eye"))
    assert np.array_equal(made[:, untouched], rows[:, untouched])


def test_a_saved_model_performs_the_same_when_it_is_loaded(pipe: Any, sound: Any, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path / "model", safe_serialization=True)
    again = loading.load(str(tmp_path / "model"), "cpu", "float32")
    assert np.allclose(take(again, sound), take(pipe, sound), atol=1e-5)
    with pytest.raises(ModelError, match="nowhere"):
        loading.load(str(tmp_path / "nowhere"), "cpu")


def test_another_scheduler_of_diffusers_can_be_put_in(pipe: Any, sound: Any) -> None:
    faster = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config, prediction_type="sample")
    made = take(MotionDiffusionPipeline(pipe.transformer, faster), sound)
    assert np.isfinite(made).all()


def windows(rows: int = 4, frames: int = 40) -> dict[str, torch.Tensor]:
    """Jaws that open with the vowels of `said`, over smooth chance."""
    found = hearing.features(said(frames * 2 / 30))
    heard = hearing.padded(found, MARGIN)
    rng = np.random.default_rng(0)
    motion = np.cumsum(rng.normal(0, 0.02, (rows, frames, channels.COUNT)), axis=1)
    motion[..., channels.at("jawOpen")[0]] = found[:frames, hearing.VISEME.start + VISEMES.index("AA")]
    sounds = np.stack([heard[: frames + 2 * MARGIN]] * rows)
    return {
        "sound": torch.from_numpy(sounds),
        "motion": torch.from_numpy(motion.astype(np.float32)),
        "first": torch.arange(rows) == 0,
    }


def test_the_loss_falls() -> None:
    torch.manual_seed(0)
    pipe, found, values = loading.toy(1), windows(), []
    net = pipe.transformer.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(40):
        asked = motion_loss.task(found, net, pipe.scheduler.alphas_cumprod, torch.Generator().manual_seed(0))
        value = motion_loss.loss(asked.guess(net), asked)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(float(value.detach()))
    assert values[-1] < 0.6 * values[0]


def test_what_is_known_weighs_nothing_and_lips_that_touch_weigh_most(pipe: Any) -> None:
    found = windows(64)
    alphas = pipe.scheduler.alphas_cumprod
    asked = motion_loss.task(found, pipe.transformer, alphas, torch.Generator().manual_seed(0))
    known = asked.known.bool()
    assert known[:, :CARRIED].any() and not known[:, CARRIED:].any() and not known[0].any()
    assert not asked.weight[known].any() and asked.weight[~known].min() > 0.2
    assert torch.equal(asked.noised[known], asked.truth[known])
    bare = ~(asked.sound[..., hearing.KNOWN] > 0).any(1)
    assert 0.2 < bare.float().mean() < 0.6, "some rows hear sound alone"
    jaw, brow = channels.at("jawOpen", "browInnerUp")
    weight = motion_loss.weights(found["motion"], found["sound"][:, MARGIN:-MARGIN])[1]
    vowel = found["motion"][1, :, jaw] > 0.9
    spoken = found["sound"][1, MARGIN:-MARGIN, hearing.SILENT] == 0
    closed = (found["motion"][1, :, jaw] == 0) & spoken
    assert weight[closed, jaw].min() > weight[vowel & spoken, jaw].max()
    assert (weight[:, brow] == 1).all() and (weight[:, channels.LIDS] < 1).all()
