"""Multinomial naive Bayes against river; dense and sparse rows alike, however they are cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modellab.data.sparse import SparseRows
from modellab.data.task import Task
from modellab.errors import LearnerError
from modellab.learners.base import Inputs
from modellab.learners.multinomial import MultinomialBayes

WORDS = 12


def made(classes: int = 3, **params: Any) -> MultinomialBayes:
    task = Task("classification", tuple(f"c{i}" for i in range(classes)), "y")
    return MultinomialBayes(Inputs(tuple(f"w{i}" for i in range(WORDS)), task), params)


def texts(n: int = 300, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Counts of words; some rows are empty, the last word comes late."""
    rng = np.random.default_rng(5)
    y = rng.integers(0, classes, n)
    rates = rng.gamma(0.6, size=(classes, WORDS))
    rows = rng.poisson(rates[y]).astype(np.float64)
    rows[: n // 2, -1] = 0.0
    rows[7] = 0.0
    return rows, y.astype(np.float64)


def sparse(rows: np.ndarray) -> SparseRows:
    at, columns = np.nonzero(rows)
    ends = np.searchsorted(at, np.arange(len(rows) + 1)).astype(np.int64)
    return SparseRows(rows[at, columns], columns.astype(np.int32), ends, WORDS, 0)


def ran(
    learner: MultinomialBayes, rows: Any, y: np.ndarray, cuts: tuple[int, ...] = (), every: int = 1
) -> np.ndarray:
    found = []
    for start, stop in zip((0, *cuts), (*cuts, len(y)), strict=True):
        part, upto = rows[start:stop], np.arange(1, stop - start + 1)
        found.append(learner.run(part, part, y[start:stop], upto, every, 1, False)[0].proba)
    return np.concatenate(found)


@pytest.mark.parametrize("alpha", [1.0, 0.05])
def test_it_equals_river(alpha: float) -> None:
    from river import naive_bayes

    rows, y = texts()
    found = ran(made(alpha=alpha), rows, y)
    model = naive_bayes.MultinomialNB(alpha=alpha)
    for i, (row, label) in enumerate(zip(rows, y, strict=True)):
        cells = {j: v for j, v in enumerate(row) if v > 0}
        if i:
            told = model.predict_proba_one(cells)
            expected = [told.get(c, 0.0) for c in range(3)]
            assert np.allclose(found[i], expected, rtol=1e-9, atol=1e-12), i
        else:
            assert np.allclose(found[i], 1 / 3)
        model.learn_one(cells, int(label))


@pytest.mark.parametrize("fading", [1.0, 0.9])
@pytest.mark.parametrize("every", [1, 7])
def test_dense_sparse_and_any_cut_give_the_same_bits(fading: float, every: int) -> None:
    rows, y = texts()
    rows[20, 3], rows[21, 4], rows[22, 5] = np.nan, np.inf, -3.0
    y[40], y[41] = np.nan, 9.0
    whole = made(fading=fading)
    found = ran(whole, rows, y, every=every)
    assert np.isfinite(found).all()
    assert whole.skipped == 4
    for cut, given in (((), sparse(rows)), ((1, 3, 50, 50, 200), rows)):
        other = made(fading=fading)
        assert ran(other, given, y, cut, every).tobytes() == found.tobytes()
        assert other.state() == whole.state()
    # A state in the middle, rows that wait included, goes on to the same end.
    first, second = made(fading=fading), made(fading=fading)
    ran(first, rows[:151], y[:151], every=every)
    second.load_state(first.state())
    ran(second, rows[151:], y[151:], every=every)
    assert second.state() == whole.state()


def test_where_there_are_texts_only_their_words_count() -> None:
    rows, y = texts()
    names, task = tuple(f"w{i}" for i in range(WORDS)), made()._inputs.task
    found = ran(MultinomialBayes(Inputs(names, task, sparse_from=2), {}), sparse(rows), y)
    without = rows.copy()
    without[:, :2] = 0.0
    np.testing.assert_array_equal(found, ran(made(), sparse(without), y))
    rows[:, 0] *= 1e3  # as the length of a text is to its words
    again = ran(MultinomialBayes(Inputs(names, task, sparse_from=2), {}), sparse(rows), y)
    np.testing.assert_array_equal(found, again)


def test_labels_that_come_late_are_learned_when_they_come() -> None:
    rows, y = texts()
    late = made()
    upto = np.maximum(np.arange(1, 301) - 25, 0)
    found = late.run(rows, rows, y, upto, 1, 1, False)[0].proba
    alone = made()
    for i in range(300):
        assert alone.predict(rows[i : i + 1]).proba.tobytes() == found[i].tobytes()
        if i >= 25:
            alone.learn(rows[i - 25 : i - 24], y[i - 25 : i - 24])


def test_fading_is_what_plain_counts_say_and_lasts() -> None:
    rows, y = texts(60)
    learner = made(fading=0.9)
    counts, classes = np.zeros((3, WORDS)), np.zeros(3)
    known = np.zeros(WORDS, bool)
    for _ in range(60):  # 3,600 rows: the common factor is taken out several times
        for row, label in zip(rows, y.astype(int), strict=True):
            counts, classes = counts * 0.9, classes * 0.9
            counts[label] += row
            classes[label] += 1
            known |= row > 0
        learner.learn(rows, y)
    log = np.log((counts + 1) / (counts.sum(axis=1, keepdims=True) + known.sum()))
    score = np.log(classes / classes.sum()) + rows @ log.T
    share = np.exp(score - score.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    assert np.allclose(learner.predict(rows).proba, share, rtol=1e-9, atol=1e-12)
    assert learner.parameters()["rows remembered"] == pytest.approx(10.0)


def test_one_class_is_seen_or_there_is_only_one() -> None:
    rows, _ = texts()
    learner = made()
    found = ran(learner, rows, np.ones(300))
    assert np.allclose(found[1:], [0.0, 1.0, 0.0])
    only = made(classes=1)
    prediction = only.run(rows, rows, np.zeros(300), np.arange(1, 301), 1, 1, False)[0]
    assert (prediction.value == 0).all()
    assert (prediction.proba == 1.0).all()


def test_frozen_learns_nothing_and_lets_go_what_waits() -> None:
    rows, y = texts()
    learner = made()
    ran(learner, rows[:5], y[:5], every=10)
    before = learner.parameters()
    learner.run(rows, rows, y, np.arange(1, 301), 10, 1, True)
    assert learner.parameters() == before
    assert learner.learn(rows[:0], y[:0]) == 0


def test_settings_and_states_are_checked() -> None:
    learner = made()
    learner.set("alpha", 2.0)
    assert learner.settings()["alpha"] == 2.0
    with pytest.raises(LearnerError, match="alpha"):
        learner.set("alpha", -1.0)
    with pytest.raises(LearnerError, match="smoothing"):
        learner.set("smoothing", 1.0)
    with pytest.raises(LearnerError, match="not the state"):
        learner.load_state(made(classes=4).state())
    with pytest.raises(LearnerError, match="not the state"):
        learner.load_state(b"\x81")
    rows, y = texts()
    waits = made()
    ran(waits, rows[:5], y[:5], every=10)
    broken = waits.state().replace(np.array([5], "<i8").tobytes(), np.array([99], "<i8").tobytes())
    with pytest.raises(LearnerError, match="not the state"):
        made().load_state(broken[:-8] + np.array([77], "<i8").tobytes())
