from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.gates import SHORTEST_FADE, GateBasis, basis
from studio.emotion import VAD, lexicon
from studio.errors import InputError

LABELS = {
    "joy": ([0.8, 0.5, 0.3], [0.2] * 3),
    "fear": ([-0.6, 0.6, -0.4], [0.3] * 3),
    "calm": ([0.3, -0.5, 0], [0.2] * 3),
}
BASES = [basis("vad"), basis("axes"), basis("labels", LABELS)]
points = st.tuples(*[st.floats(-1, 1, width=32)] * 3)
every_basis = pytest.mark.parametrize("one", BASES, ids=lambda one: one.name)


@every_basis
@settings(deadline=None)  # a busy machine is no failure
@given(rows=st.lists(points, min_size=1, max_size=9))
def test_neutral_is_exactly_zero_in_any_company(
    one: GateBasis, rows: list[tuple[float, float, float]]
) -> None:
    phi = one.phi([*rows, (0, 0, 0), (-0.0, 0, 0)])
    assert not phi[-2:].any()
    assert np.isfinite(phi).all()
    assert np.abs(phi).max() <= 1


@every_basis
def test_time_steps_are_rows(one: GateBasis) -> None:
    emotions = np.random.default_rng(0).uniform(-1, 1, (2, 5, 3))
    phi = one.phi(emotions)
    assert phi.shape == (2, 5, len(one.terms))
    assert np.allclose(phi[1, 3], one.phi(emotions[1, 3][None])[0])


def test_vad_terms() -> None:
    one = basis("vad")
    assert one.terms == ("v", "a", "d", "v2", "a2", "d2", "va", "vd", "ad")
    v, a, d = 0.5, -0.25, 1.0
    assert one.phi([(v, a, d)])[0].tolist() == [v, a, d, v * v, a * a, d * d, v * a, v * d, a * d]
    assert one.ranks(16) == 16
    assert one.mask(4).all()


def test_axes_have_a_block_each() -> None:
    one = basis("axes")
    assert one.ranks(2) == 6
    assert one.mask(2).tolist() == [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]
    assert (one.phi([(0.3, -0.2, 0.1)]) @ one.initial_gates(2, 0)).tolist() == [
        [0.3, 0.3, -0.2, -0.2, 0.1, 0.1]
    ]


def test_a_label_is_strongest_at_its_own_point() -> None:
    one = basis("labels", LABELS)
    phi = one.phi([mean for mean, _ in LABELS.values()])
    assert phi.argmax(axis=1).tolist() == [0, 1, 2]
    assert phi.min() >= 0, "no label LoRA runs backwards"
    assert np.allclose(phi.sum(axis=1), 1, atol=0.05), "shares of one strength, whatever the point"
    assert (one.phi(np.random.default_rng(0).uniform(-1, 1, (200, 3))).sum(axis=1) <= 1 + 1e-12).all()


@pytest.mark.parametrize("taxonomy", ["mikels", "ekman", "goemotions"])
def test_labels_weigh_as_the_lexicon_does(taxonomy: str) -> None:
    kernels = {kernel.word: (kernel.mean, kernel.sd) for kernel in lexicon().kernels(taxonomy)}
    points = np.random.default_rng(0).uniform(-1, 1, (50, 3))
    shares = [list(lexicon().weights(VAD(*point), taxonomy).values()) for point in points]
    own = np.maximum([np.linalg.norm(mean) for mean, _ in kernels.values()], SHORTEST_FADE)
    fade = np.minimum(np.linalg.norm(points, axis=1, keepdims=True) / own, 1)
    assert np.allclose(basis("labels", kernels).phi(points), shares * fade, atol=1e-12)


def test_a_label_fades_in_with_its_intensity() -> None:
    kernels = {kernel.word: (kernel.mean, kernel.sd) for kernel in lexicon().kernels("mikels")}
    one = basis("labels", kernels)
    for index, (mean, _) in enumerate(kernels.values()):
        along = one.phi(np.linspace(0, 1, 6)[:, None] * np.array(mean))[:, index]
        assert along[0] == 0 and (np.diff(along) > 0).all()
        assert along[-1] > 0.5
        assert 0 < along[1] <= 0.2, "a fifth of a label wears at most a fifth of its block"


def test_gates_are_about_one_at_a_strong_emotion() -> None:
    emotions = np.random.default_rng(0).normal(size=(200, 3))
    emotions /= np.linalg.norm(emotions, axis=1, keepdims=True)
    gates = basis("vad").phi(emotions) @ basis("vad").initial_gates(64, 0)
    assert 0.5 < gates.std() < 1.5


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("vda", None, "did you mean 'vad'"),
        ("labels", None, "needs labels"),
        ("vad", LABELS, "takes no labels"),
        ("labels", {"joy": ([0.1, 0.2], [0.1, 0.1])}, "needs a mean and a positive sd"),
        ("labels", {"joy": ([0.1, 0.2, 0], [0.1, 0.0, 0.1])}, "needs a mean and a positive sd"),
    ],
)
def test_a_wrong_basis_is_refused(name: str, labels: dict | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        basis(name, labels)
