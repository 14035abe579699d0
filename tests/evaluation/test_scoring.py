"""The compiled loops of scoring against the same thing written plainly, to the bit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from modellab.evaluation.compiled import _scoring, _tally
from modellab.evaluation.losses import (
    CLIP,
    ClassField,
    ClassSummary,
    NumberSummary,
    class_losses,
    flags,
    own_logs,
)
from modellab.evaluation.paired import position_hash, seed_key
from modellab.evaluation.tally import Tally
from modellab.evaluation.tally_two import TwoTally

RNG = np.random.default_rng(11)


def tally(classes: int, window: int = 5000) -> Tally:
    return Tally(ClassSummary(classes), 10, slice(0, 10), window, 0.99)


def class_rows(y: Any, guess: Any, proba: Any, majority: Any, nochange: Any) -> Any:
    """The fields as they are kept."""
    classes = 2 if proba is None else proba.shape[1]
    kept = tally(classes)
    logs = None if proba is None else own_logs(y, proba)
    kept.add_classes(y, guess, proba, logs, flags(majority), flags(nochange))
    return kept.recent()


def plain_rows(y: Any, guess: Any, proba: Any, majority: Any, nochange: Any) -> Any:
    rows = np.zeros((10, len(y)))
    rows[ClassField.WRONG] = y != guess
    rows[ClassField.ROWS] = 1.0
    rows[ClassField.LABEL], rows[ClassField.GUESS] = y, guess
    rows[ClassField.POSITIVE] = np.nan
    for field, right in ((5, majority), (6, nochange)):
        rows[field] = np.nan if right is None else ~right
    if proba is None:
        return rows
    own = proba[np.arange(len(y)), y]
    if proba.shape[1] <= 8:
        squares = np.square(proba[:, 0])
        for k in range(1, proba.shape[1]):
            squares = squares + np.square(proba[:, k])
    else:
        squares = np.square(proba).sum(axis=1)
    there = np.isfinite(squares)
    brier = np.maximum(squares - 2.0 * own + 1.0, 0.0)
    if proba.shape[1] == 2:
        brier = brier * 0.5
        rows[ClassField.POSITIVE] = np.where(there, proba[:, 1], np.nan)
    rows[ClassField.WITH_PROBA] = there
    rows[ClassField.BRIER] = np.where(there, brier, 0.0)
    rows[ClassField.LOG_LOSS] = np.where(there, -np.log(np.clip(own, CLIP, 1.0 - CLIP)), 0.0)
    return rows


@pytest.mark.parametrize("classes", [1, 2, 3, 12])
@pytest.mark.parametrize("known", [True, False])
def test_fields_of_rows_are_those_of_the_definition(classes: int, known: bool) -> None:
    n = 700
    y, guess = RNG.integers(0, classes, (2, n))
    proba = RNG.dirichlet(np.ones(classes), n)
    proba[::17] = np.nan
    proba[3::19] = np.eye(classes)[0]  # probabilities of 0 and 1 are clipped
    right = tuple(RNG.random((2, n)) < 0.5) if known else (None, None)
    for shares in (proba, None):
        found, wanted = class_rows(y, guess, shares, *right), plain_rows(y, guess, shares, *right)
        assert np.array_equal(found, wanted, equal_nan=True)


@pytest.mark.parametrize("classes", [2, 5])
def test_a_label_that_is_no_class_is_an_error_not_a_place_in_memory(classes: int) -> None:
    y, proba = np.full(3, classes), np.full((3, classes), 0.5)
    with pytest.raises(ValueError, match="not one of the classes"):
        own_logs(y, proba)
    with pytest.raises(ValueError, match="not one of the classes"):
        _tally.codes_there(y, y, classes)
    assert _tally.codes_there(y - 1, y - 1, classes)
    assert not _tally.codes_there(y - 1, y - classes - 1, classes)
    rows = np.zeros((10, 3))
    rows[ClassField.GUESS] = -1.0
    with pytest.raises(ValueError, match="not one of the classes"):
        ClassSummary(classes)(rows, np.ones(3))


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 127, 128, 129, 1000, 1024])
def test_totals_are_added_in_numpys_order(n: int) -> None:
    weights = 0.99 ** np.arange(n)[::-1]
    numbers = RNG.normal(size=(6, n)) * 10.0 ** RNG.integers(-8, 8, (6, n))
    assert np.array_equal(NumberSummary()(numbers, weights), (numbers * weights).sum(axis=1))
    for classes in (2, 4):
        y, guess = RNG.integers(0, classes, (2, n))
        rows = plain_rows(y, guess, RNG.dirichlet(np.ones(classes), n), None, None)
        found = ClassSummary(classes)(rows, weights)
        right = weights * (y == guess)
        counts = [np.bincount(*by, classes) for by in ((y, weights), (guess, weights), (y, right))]
        wanted = np.concatenate([(rows[:7] * weights).sum(axis=1), *counts])
        assert np.array_equal(found, wanted, equal_nan=True)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("known", ["all", "some", "none"])
def test_totals_of_whole_tiles_and_of_the_window(classes: int, known: str) -> None:
    """What is left out because it is known to be 0, or counted, is what adding up gives."""
    n, window = 3 * 1024, 1700
    y, guess = RNG.integers(0, classes, (2, n))
    proba = None if known == "none" else RNG.dirichlet(np.ones(classes), n)
    if proba is not None and known == "some":
        proba[::3] = np.nan
    right = (RNG.random(n) < 0.4, None)
    rows = plain_rows(y, guess, proba, *right)
    rows[4] = np.where(np.isnan(rows[4]), 0.0, rows[4])
    kept = tally(classes, window)
    logs = None if proba is None else own_logs(y, proba)
    for a, b in ((0, 1000), (1000, 1001), (1001, 2900), (2900, n)):
        kept.add_classes(
            y[a:b],
            guess[a:b],
            None if proba is None else proba[a:b],
            None if logs is None else logs[a:b],
            flags(right[0][a:b]),
            None,
        )
    summary = ClassSummary(classes)
    for kind, alpha in enumerate((1.0, 0.99)):
        weights = np.cumprod([1.0, *[alpha] * 1024])[::-1]
        wanted = np.zeros(7 + 3 * classes)
        for at in range(0, n, 1024):
            wanted = summary(rows[:, at : at + 1024], weights[1:].copy()) + wanted * weights[0]
        assert np.array_equal(kept.now(kind), wanted, equal_nan=True)
    of_window = summary(rows[:, -window:], np.ones(window))
    assert np.array_equal(kept.of_window(), of_window, equal_nan=True)
    assert np.array_equal(kept.recent(), rows[:, -window:], equal_nan=True)


@pytest.mark.parametrize("fading", [0.0, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("known", ["all", "some", "late", "none"])
def test_two_classes_are_added_up_as_any_number_is(known: str, fading: float) -> None:
    n, window = 3 * 1024 + 300, 1700
    y, guess = RNG.integers(0, 2, (2, n))
    proba = RNG.dirichlet(np.ones(2), n)
    proba[5::9] = [1.0, 0.0]
    if known == "some":
        proba[::3] = np.nan
    given = [known != "none", known not in ("none", "late"), known == "all", known != "none"]
    right = (flags(RNG.random(n) < 0.4), flags(RNG.random(n) < 0.7))
    plain = Tally(ClassSummary(2), 10, slice(0, 10), window, fading)
    two = TwoTally(window, fading)
    for (a, b), there in zip(pairwise([0, 1000, 1001, 2900, n]), given, strict=True):
        shares = proba[a:b] if there else None
        refs = [correct[a:b] if there else None for correct in right]
        logs = None if shares is None else own_logs(y[a:b], shares)
        means = plain.add_classes(y[a:b], guess[a:b], shares, logs, *refs)
        losses, out = np.empty(b - a), np.empty((3, b - a))
        assert two.add(y[a:b], guess[a:b], shares, *refs, losses, out) == (0, 0)
        assert out.tobytes() == means.tobytes()
        assert np.array_equal(losses, y[a:b] != guess[a:b])
        for kind in (0, 1):
            assert np.array_equal(two.now(kind), plain.now(kind), equal_nan=True)
        assert np.array_equal(two.of_window(), plain.of_window(), equal_nan=True)
        assert np.array_equal(two.recent(), plain.recent(), equal_nan=True)
        assert two.means() == (*out[:2, -1], out[2, -1])


def test_losses_of_rows() -> None:
    y, value = RNG.integers(-1, 3, (2, 400))
    losses = class_losses(value, y)
    there = (y >= 0) & (value >= 0)
    assert np.array_equal(losses, np.where(there, y != value, np.nan), equal_nan=True)
    with pytest.raises(ValueError, match="in number"):
        _scoring.wrong_rows(value, y[1:], losses)


def test_chosen_rows_are_those_of_the_hash() -> None:
    for level in (0, 1, 4):
        positions = np.zeros(3000, dtype=np.int64)
        count = _scoring.choose_rows(seed_key(7), level, 1123, positions)
        at = np.arange(1123, 4123)
        if level:
            at = at[position_hash(7, at) < np.uint64(1 << (64 - level))]
        assert count == len(at) > 100
        assert np.array_equal(positions[:count], at)
    with pytest.raises(ValueError, match="cannot be chosen"):
        _scoring.choose_rows(1, 64, 0, positions)


def test_places_of_ties_count_half() -> None:
    values, positive = RNG.integers(0, 9, 300).astype(float), RNG.random(300) < 0.3
    negative = np.sort(values[~positive])
    twice = sum(
        np.searchsorted(negative, values[positive], side=side).sum() for side in ("left", "right")
    )
    assert _tally.curve_places(negative, np.sort(values[positive])) == twice


def test_rows_outside_of_what_there_is_room_for_are_an_error() -> None:
    with pytest.raises(ValueError, match="outside of the buckets"):
        _scoring.fill_series(np.zeros((5, 4)), 10, 8, 79, np.zeros(2))
    with pytest.raises(ValueError, match="outside of the tiles"):
        _scoring.fill_tiles(np.zeros(4), np.zeros(4, np.int64), 0, 8, 31, np.zeros(2))
    with pytest.raises(ValueError, match="room"):
        _scoring.window_sums(np.zeros(60), 50, 0, 0.0, np.zeros(20), np.zeros(51), np.zeros(60))
    counts, late = np.zeros(2, np.int64), np.full(2, -1, dtype=np.int64)
    now, out = np.full(2, -1, dtype=np.int64), np.empty(1, np.int64)
    with pytest.raises(ValueError, match="not there"):
        _scoring.majorities(out[:0], np.ones(1, np.int64), counts, late, now, out, out.copy())
