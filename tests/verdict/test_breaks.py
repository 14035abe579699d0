"""Breaks in a mean are found where there are some, and not where losses come in runs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from modellab.verdict.breaks import _segmentations, local_means
from modellab.verdict.comparison import compare


def _autoregression(seed: int, n: int, persistence: float) -> np.ndarray:
    from scipy.signal import lfilter

    noise = np.random.default_rng(seed).standard_normal(n + 300)
    return lfilter([np.sqrt(1 - persistence**2)], [1, -persistence], noise)[300:]


def test_breaks_are_found_where_they_are() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([0.0, 1.5, -1.0], [200, 100, 212])
    means, breaks = local_means(truth + rng.standard_normal(512) * 0.7)
    assert breaks == 2
    assert np.abs(means - truth).mean() < 0.15


@pytest.mark.parametrize("persistence", [0.0, 0.5, 0.95])
def test_losses_in_runs_are_not_taken_for_breaks(persistence: float) -> None:
    found = [local_means(_autoregression(seed, 512, persistence))[1] for seed in range(60)]
    assert np.mean(np.array(found) > 0) <= 0.1


def test_segments_are_the_best_of_all() -> None:
    points = np.random.default_rng(3).standard_normal(24)
    for breaks, edges in enumerate(_segmentations(points, 3)):
        assert edges[0] == 0
        assert edges[-1] == 24
        assert len(edges) == breaks + 2

        def left(cut: list[int]) -> float:
            parts = (points[a:b] for a, b in itertools.pairwise(cut))
            return sum(float(((part - part.mean()) ** 2).sum()) for part in parts)

        if breaks > 3:
            break
        others = [
            [0, *inner, 24]
            for inner in itertools.combinations(range(3, 22), breaks)
            if min(np.diff([0, *inner, 24])) >= 3
        ]
        assert left(edges) == pytest.approx(min(left(cut) for cut in others))


def test_few_points_have_one_mean() -> None:
    means, breaks = local_means(np.arange(20.0))
    assert breaks == 0
    assert set(means) == {9.5}


@pytest.mark.parametrize("at", [0.4, 0.8])
def test_a_lane_that_a_drift_breaks_is_told_apart(make, at: float) -> None:
    """One drift is one event; but what it does to the lanes is beyond chance all the same."""
    n = 5000
    for seed in range(10):
        late = np.arange(n) >= at * n
        static = np.where(
            late, make.errors(3 * seed, n, 0.5), make.errors(3 * seed + 1, n, 0.2)
        )  # fmt: skip
        online = make.errors(3 * seed + 2, n, 0.2)
        found = compare(make.losses(online), make.losses(static))
        assert found.high < 0
        assert found.dm_p < 0.001
        truth = -0.3 * (1 - at)
        assert found.low - 0.02 < truth < found.high + 0.02
