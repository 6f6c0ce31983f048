"""Where a pipeline lies must not change what it draws; what it needs is near what torch was seen to hold."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module, attach_align_device_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from adapters.emotion_lora import Adapter, Config
from pipelines import _placement as placement
from pipelines.image import sd
from studio import catalog, preflight
from studio.emotion import NEUTRAL, VAD, EmotionCurve
from studio.errors import Cancelled, InputError
from studio.preflight import MemoryShortage, Training, Work
from studio.request import RenderRequest

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
TINY = catalog.find_model("emotion-tiny")
FELT = VAD(0.8, 0.5, 0.2)
CPU = torch.device("cpu")


def requests(rows: int = 2, **params: Any) -> list[RenderRequest]:
    points = [FELT, *[NEUTRAL] * (rows - 1)]
    settings = sd.Params(**{"steps": 2, **params})
    return [
        RenderRequest("image/sd", "tiny", "a boat", "", EmotionCurve.constant(point), 5, (), settings)
        for point in points
    ]


def pictures(pipeline: sd.Pipeline, adapter: Adapter, rows: int = 2) -> list[np.ndarray]:
    """A felt and a neutral one, with a preview between the steps as the app asks for."""
    with adapter.applied(pipeline.modules) as set_emotion:
        made = pipeline.render(
            requests(rows), set_emotion, lambda step: step.preview and step.preview() and None
        )
    return [np.asarray(artifact.image).astype(int) for artifact in made]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def adapter() -> Adapter:
    made = Adapter.create(sd.Pipeline.tiny(0).modules, Config(rank=4))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in made.weights.items():
            if "lora_B" in name:
                weight.normal_(0, 0.2, generator=generator)
    return made


@pytest.fixture(scope="module")
def plain(adapter: Adapter) -> list[np.ndarray]:
    felt, neutral = pictures(sd.Pipeline.tiny(0), adapter)
    assert np.abs(felt - neutral).mean() > 5  # or nothing below says anything about the adapter
    return [felt, neutral]


def offloaded(pipeline: sd.Pipeline) -> None:
    pipeline.pipe.enable_model_cpu_offload(device="cpu")


def sequential(pipeline: sd.Pipeline) -> None:
    """What `enable_sequential_cpu_offload` hangs on every layer; itself it refuses a CPU."""
    for module in (pipeline.pipe.unet, pipeline.pipe.text_encoder, pipeline.pipe.vae):
        weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        add_hook_to_module(module, AlignDevicesHook(io_same_device=True), append=True)
        attach_align_device_hook(module, execution_device=CPU, offload=True, weights_map=weights)


@pytest.mark.parametrize("move", [offloaded, sequential])
def test_offloaded_parts_draw_the_same_feelings(
    move: Callable[[sd.Pipeline], None], adapter: Adapter, plain: list[np.ndarray]
) -> None:
    pipeline = sd.Pipeline.tiny(0)
    move(pipeline)
    if move is sequential:
        assert {weight.device.type for weight in pipeline.pipe.unet.parameters()} == {"meta"}
    for _ in range(2):  # the second time the parts lie where the first one left them
        for now, before in zip(pictures(pipeline, adapter), plain, strict=True):
            assert np.array_equal(now, before)


def test_an_offloaded_pipeline_goes_back_to_rest_whatever_happens(adapter: Adapter) -> None:
    """Else a cancelled render would keep its network on the device beside the next one's text encoder."""
    pipeline = sd.Pipeline.tiny(0)
    offloaded(pipeline)
    hook = pipeline.pipe.unet._hf_hook

    def cancel(_step: Any) -> None:
        assert pipeline.pipe.unet._hf_hook is hook
        raise Cancelled("cancelled")

    with pytest.raises(Cancelled), adapter.applied(pipeline.modules) as set_emotion:
        pipeline.render(requests(), set_emotion, cancel)
    assert pipeline.pipe.unet._hf_hook is not hook, "hung up anew, which moves every part to the CPU"
    assert pipeline.pipe.vae._hf_hook.prev_module_hook is None, "a preview must not send the network away"


def test_an_offloaded_pipeline_draws_fewer_after_memory_ran_out(
    adapter: Adapter, plain: list[np.ndarray]
) -> None:
    pipeline = sd.Pipeline.tiny(0)
    offloaded(pipeline)

    def runs_out(_unet: Any, given: tuple[torch.Tensor, ...]) -> None:
        if len(given[0]) > 2:  # one picture with guidance
            raise torch.OutOfMemoryError("CUDA out of memory")

    pipeline.pipe.unet.register_forward_pre_hook(runs_out)
    with pytest.raises(torch.OutOfMemoryError):
        pictures(pipeline, adapter)
    (felt,) = pictures(pipeline, adapter, rows=1)
    assert np.abs(felt - plain[0]).max() <= 2


def test_fp8_weights_draw_nearly_the_same_feelings(adapter: Adapter, plain: list[np.ndarray]) -> None:
    pipeline = sd.Pipeline.tiny(0)
    placement.store_in_fp8(pipeline.pipe)
    stored = {weight.dtype for weight in pipeline.pipe.unet.parameters()}
    assert torch.float8_e4m3fn in stored
    felt, neutral = pictures(pipeline, adapter)
    assert 0 < np.abs(felt - plain[0]).mean() < 10
    assert np.abs(felt - plain[0]).mean() < np.abs(felt - neutral).mean() / 2
    assert {weight.dtype for weight in pipeline.pipe.unet.parameters()} == stored


@pytest.mark.parametrize("memory", ["auto", "fast", "offload", "sequential"])
def test_on_a_cpu_there_is_nothing_to_place(memory: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "studio"):
        pipeline = sd.Pipeline.load(TINY, "cpu", "auto", memory=memory)
    assert not hasattr(pipeline.pipe.unet, "_hf_hook")
    assert not caplog.records


def test_auto_takes_the_quickest_that_fits_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    found = preflight.read(TINY)
    assert found is not None
    needs = preflight.estimate(found, Work()).needs
    with caplog.at_level(logging.INFO, "studio"):
        assert placement.decide(TINY, "cuda", torch.float16, "auto", needs["fast"]) == "fast"
        assert not caplog.records
        assert placement.decide(TINY, "cuda", torch.float16, "auto", needs["offload"]) == "offload"
    (line,) = (record.getMessage() for record in caplog.records)
    assert line == "memory: about 32 MB do not fit into 28 MB; using 'offload', which needs 28 MB"


def test_fits_is_never_an_offload() -> None:
    assert placement.decide(TINY, "cuda", torch.float16, "fits", 10**9) == "fast"
    with pytest.raises(MemoryShortage, match="32 MB do not fit into 30 MB"):
        placement.decide(TINY, "cuda", torch.float16, "fits", 30_000_000)


def test_a_named_way_is_taken_or_refused_before_loading() -> None:
    assert placement.decide(TINY, "cuda", torch.float16, "fast", 32_000_000) == "fast"
    with pytest.raises(
        MemoryShortage, match=r"29 MB with 'fast', but 20 MB .*EMOTION_STUDIO_MEMORY=sequential"
    ):
        placement.decide(TINY, "cuda", torch.float16, "fast", 20_000_000)
    with pytest.raises(InputError, match="did you mean 'offload'"):
        placement.decide(TINY, "cuda", torch.float16, "ofload", 10**9)


def test_a_model_that_is_not_here_yet_stays_undecided(tmp_path: Path) -> None:
    assert placement.decide("nobody/no-such-model", "cuda", torch.float16, "auto", 1) == "auto"


class Live(TorchDispatchMode):
    """Counts the bytes of tensors that are made inside, and drops those that are freed; keeps the peak."""

    def __init__(self, known: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.seen = {tensor.untyped_storage()._cdata for tensor in known}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_iter(made):
            if isinstance(tensor, torch.Tensor):
                self._add(tensor.untyped_storage())
        return made

    def _add(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self.seen:
            self.seen.add(key)
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._drop, key, size)

    def _drop(self, key: int, size: int) -> None:
        self.seen.discard(key)
        self.now -= size


@pytest.fixture(scope="module")
def embedded() -> sd.Pipeline:
    return sd.Pipeline.load(TINY, "cpu", "float32")


def peak(pipeline: sd.Pipeline, work: Callable[[], Any]) -> int:
    modules = pipeline.modules.values()
    with Live([tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]) as live:
        work()
    return live.peak


@pytest.mark.parametrize(("rows", "side_px"), [(1, 128), (4, 128), (1, 256)])
def test_rendering_holds_what_was_estimated(embedded: sd.Pipeline, rows: int, side_px: int) -> None:
    batch = requests(rows, steps=1, width=side_px, height=side_px)
    held = peak(embedded, lambda: embedded.render(batch, lambda rows: None, lambda step: None))
    model = preflight.read(TINY)
    assert model is not None
    estimate = preflight.estimate(model, Work(rows, (side_px, side_px), "float32"))
    assert 1 / 1.5 < estimate.activations / held < 1.5


@pytest.mark.parametrize("checkpointing", [False, True])
def test_training_holds_what_was_estimated(embedded: sd.Pipeline, checkpointing: bool) -> None:
    rows, unet = 2, embedded.pipe.unet
    tensors = {"latents": torch.zeros(rows, 12, 16, 16), "text": torch.zeros(rows, 24, 160)}
    learns = Adapter.create(embedded.modules, Config())
    if checkpointing:
        unet.enable_gradient_checkpointing()
        unet.train()
    try:
        with learns.trainable(embedded.modules) as feel:
            held = peak(
                embedded,
                lambda: embedded.loss(tensors, [FELT] * rows, feel, torch.Generator()).backward(),
            )
    finally:
        unet.disable_gradient_checkpointing()
        unet.eval()
    model = preflight.read(TINY)
    assert model is not None
    count = preflight.adapter_parameters(model, learns.config.targets, 16, 9)
    assert count == sum(weight.numel() for weight in learns.parameters())
    found = preflight.estimate(model, Work(rows, dtype="float32"), Training(count, checkpointing))
    assert 1 / 1.5 < found.activations / held < 1.5
