"""Losses kept for comparing lanes: bounded, and the same however they come."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab.evaluation.paired import LossTrack, coarser, empty_losses


def _losses(seed: int, n: int, binary: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    losses = (rng.random(n) < 0.3).astype(float) if binary else rng.gamma(2.0, 3.0, n)
    losses[rng.random(n) < 0.05] = np.nan
    return losses


def _same(a: LossTrack, b: LossTrack) -> None:
    one, two = a.arrays(), b.arrays()
    assert one.width == two.width
    for name in ("starts", "sums", "counts", "sample_positions", "sample_losses"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name


@settings(deadline=None, max_examples=60)
@given(
    start=st.integers(0, 5000),
    n=st.integers(1, 900),
    cuts=st.lists(st.integers(0, 900), max_size=12),
    seed=st.integers(0, 2**32),
    binary=st.booleans(),
)
def test_the_same_bits_however_rows_come(
    start: int, n: int, cuts: list[int], seed: int, binary: bool
) -> None:
    losses = _losses(seed, n, binary)
    whole = LossTrack(start, seed, capacity=16, sample=100)
    whole.update(start, losses)
    parts = LossTrack(start, seed, capacity=16, sample=100)
    edges = sorted({0, n, *(min(c, n) for c in cuts)})
    for a, b in itertools.pairwise(edges):
        parts.update(start + a, losses[a:b])
        restored = LossTrack(0, seed, capacity=16, sample=100)
        restored.load_state(pickle.loads(pickle.dumps(parts.state())))
        parts = restored
    _same(whole, parts)

    kept = whole.arrays()
    assert len(kept.starts) <= 16
    assert len(kept.sample_positions) <= 100
    assert kept.rows == int((~np.isnan(losses)).sum())
    assert kept.total == pytest.approx(np.nansum(losses))
    for tile, (sums, count) in enumerate(zip(kept.sums, kept.counts, strict=True)):
        first = kept.starts[tile]
        inside = losses[max(first - start, 0) : first + kept.width - start]
        assert count == (~np.isnan(inside)).sum()
        assert sums == pytest.approx(np.nansum(inside))
    np.testing.assert_array_equal(kept.sample_losses, losses[kept.sample_positions - start])
    if n <= 100:
        np.testing.assert_array_equal(kept.sample_positions, np.arange(start, start + n))
    else:
        assert len(kept.sample_positions) > 20


def test_two_lanes_keep_the_same_rows() -> None:
    tracks = [LossTrack(100, 7, sample=500) for _ in range(2)]
    for seed, track in enumerate(tracks):
        track.update(100, _losses(seed, 20_000, seed == 0))
    a, b = (track.arrays() for track in tracks)
    np.testing.assert_array_equal(a.sample_positions, b.sample_positions)
    # As many from each part of the stream, but for chance.
    share = np.histogram(a.sample_positions, 4, (100, 20_100))[0] / len(a.sample_positions)
    assert share.min() > 0.15
    other = LossTrack(100, 8, sample=500)
    other.update(100, _losses(0, 20_000, True))
    assert not np.array_equal(other.arrays().sample_positions, a.sample_positions)


def test_wider_tiles_hold_the_same_losses() -> None:
    track = LossTrack(37, 0)
    track.update(37, _losses(3, 5000, False))
    fine = track.arrays()
    wide = coarser(fine, 64)
    assert wide.width == 64
    assert wide.starts[0] == 0
    assert list(np.unique(np.diff(wide.starts))) == [64]
    assert wide.rows == fine.rows
    assert wide.total == pytest.approx(fine.total)


def test_rows_must_follow_each_other() -> None:
    track = LossTrack(5, 0)
    assert track.arrays().mean is None
    assert empty_losses().rows == 0
    with pytest.raises(ValueError, match="next row is 5"):
        track.update(6, np.zeros(1))


def test_states_of_errors_are_small() -> None:
    track = LossTrack(0, 0)
    track.update(0, _losses(1, 100_000, True))
    assert len(pickle.dumps(track.state())) < 300_000
