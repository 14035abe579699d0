"""Scores equal their definitions, river's and scikit-learn's, however the stream is cut."""

from __future__ import annotations

import itertools
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import metrics as river_metrics
from river import utils as river_utils
from sklearn import metrics as sk

from modellab.evaluation.history import Series
from modellab.evaluation.losses import class_losses, number_losses
from modellab.evaluation.metrics import SCOPES, Scores
from modellab.learners.base import Prediction, Task

REGRESSION = Task("regression", target="y")


def classes(k: int) -> Task:
    return Task("classification", tuple(f"class {c}" for c in range(k)), "y")


def labels_and_guesses(
    n: int, k: int, seed: int, *, holes: bool = False
) -> tuple[np.ndarray, Prediction, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    proba = rng.dirichlet(np.ones(k), n)
    proba[rng.random(n) < 0.1] = np.eye(k)[0]  # certain, so the clipping shows
    guess = proba.argmax(axis=1)
    if holes:
        y[rng.random(n) < 0.1] = -1
        proba[rng.random(n) < 0.1] = np.nan
        unanswered = rng.random(n) < 0.1
        guess[unanswered] = -1
        proba[unanswered] = np.nan
    return y, Prediction(guess, proba), rng.random(n) < 0.6, rng.random(n) < 0.7


def numbers(n: int, seed: int, *, holes: bool = False) -> tuple[np.ndarray, Prediction]:
    rng = np.random.default_rng(seed)
    y = 1000.0 + rng.normal(size=n) * 5.0
    guess = y + rng.normal(size=n)
    if holes:
        y[rng.random(n) < 0.1] = np.nan
        guess[rng.random(n) < 0.1] = np.nan
        guess[rng.random(n) < 0.05] = np.inf
    return y, Prediction(guess)


def cut(n: int, cuts: list[int]) -> list[slice]:
    edges = [0, *sorted(min(c, n) for c in cuts), n]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def feed(scores: Scores, rows: Any, parts: list[slice]) -> np.ndarray:
    y, prediction, *references = rows
    found = []
    for part in parts:
        r = scores.update(y[part], prediction[part], *[ref[part] for ref in references])
        found.append(np.stack([r.window, r.cumulative, r.fading]))
    return np.concatenate(found, axis=1)


@given(
    n=st.integers(0, 2600),
    k=st.sampled_from([0, 2, 3, 12]),
    seed=st.integers(0, 999),
    window=st.sampled_from([1, 7, 48, 49, 300, 1000, 5000]),
    fading=st.sampled_from([0.0, 1e-9, 0.5, 0.99, 0.999, 1.0]),
    cuts=st.lists(st.integers(0, 2600), max_size=8),
    at=st.integers(0, 8),
)
@settings(max_examples=120)
def test_any_split_gives_the_same_bits_and_so_does_a_state(
    n: int, k: int, seed: int, window: int, fading: float, cuts: list[int], at: int
) -> None:
    rows = labels_and_guesses(n, k, seed, holes=True) if k else numbers(n, seed, holes=True)
    task = classes(k) if k else REGRESSION
    whole = Scores(task, window, fading)
    expected = feed(whole, rows, [slice(0, n)])
    parts = cut(n, cuts)
    first = Scores(task, window, fading)
    found = [feed(first, rows, parts[:at])] if at else []
    if parts[at:]:
        second = Scores(task, window, fading)
        second.load_state(pickle.loads(pickle.dumps(first.state())))
        found.append(feed(second, rows, parts[at:]))
    else:
        second = first
    assert np.concatenate(found, axis=1).tobytes() == expected.tobytes()
    assert second.values() == whole.values()
    for scope in SCOPES:
        assert second.error(scope) == whole.error(scope)
    counts = ("rows", "scored", "unlabelled", "unanswered")
    assert [getattr(second, c) for c in counts] == [getattr(whole, c) for c in counts]


@given(
    seed=st.integers(0, 999),
    window=st.sampled_from([1, 2, 10, 60, 100]),
    fading=st.sampled_from([0.0, 0.3, 0.95, 1.0]),
    kind=st.sampled_from(["classification", "regression"]),
)
def test_the_error_after_each_row_is_by_the_definition(
    seed: int, window: int, fading: float, kind: str
) -> None:
    n = 250
    if kind == "classification":
        y, prediction, *_ = labels_and_guesses(n, 3, seed, holes=True)
        scored = (y >= 0) & (prediction.value >= 0)
        losses = (y != prediction.value).astype(float)
        scores = Scores(classes(3), window, fading)
    else:
        y, prediction = numbers(n, seed, holes=True)
        scored = np.isfinite(y) & np.isfinite(prediction.value)
        losses = np.abs(np.where(scored, prediction.value - y, 0.0))
        scores = Scores(REGRESSION, window, fading)
    found = scores.update(y, prediction)
    kept: list[float] = []
    for i in range(n):
        if not scored[i]:
            assert math.isnan(found.window[i])
            assert math.isnan(found.cumulative[i])
            continue
        kept.append(losses[i])
        weights = np.power(fading, np.arange(len(kept) - 1, -1, -1.0))
        assert found.window[i] == pytest.approx(np.mean(kept[-window:]), rel=1e-12)
        assert found.cumulative[i] == pytest.approx(np.mean(kept), rel=1e-12)
        assert found.fading[i] == pytest.approx(np.average(kept, weights=weights), rel=1e-12)
    assert scores.rows == n
    assert scores.scored == scored.sum()
    assert scores.unlabelled + scores.unanswered == n - scored.sum()


@pytest.mark.parametrize("k", [2, 4])
def test_cumulative_and_window_equal_river(k: int) -> None:
    n, window = 1500, 200
    y, prediction, *_ = labels_and_guesses(n, k, k)
    scores = Scores(classes(k), window)
    found = scores.update(y, prediction)
    theirs: dict[str, Any] = {
        "accuracy": river_metrics.Accuracy,
        "balanced_accuracy": river_metrics.BalancedAccuracy,
        "f1_macro": river_metrics.MacroF1,
        "f1_weighted": river_metrics.WeightedF1,
        "precision": river_metrics.Precision if k == 2 else river_metrics.MacroPrecision,
        "recall": river_metrics.Recall if k == 2 else river_metrics.MacroRecall,
        "kappa": river_metrics.CohenKappa,
    }
    cumulative = {name: metric() for name, metric in theirs.items()}
    rolling = {name: river_utils.Rolling(m, window_size=window) for name, m in theirs.items()}
    for i, (label, guess) in enumerate(zip(y.tolist(), prediction.value.tolist(), strict=True)):
        for metric in (*cumulative.values(), *rolling.values()):
            metric.update(label, guess)
        assert found.window[i] == pytest.approx(1 - rolling["accuracy"].get(), abs=1e-12)
    values = scores.values()
    for name in theirs:
        assert values["cumulative"][name] == pytest.approx(cumulative[name].get(), rel=1e-12)
        assert values["window"][name] == pytest.approx(rolling[name].get(), rel=1e-12)


def test_regression_equals_river() -> None:
    n, window = 800, 100
    y, prediction = numbers(n, 1)
    scores = Scores(REGRESSION, window)
    found = scores.update(y, prediction)
    theirs: dict[str, Any] = {
        "mae": river_metrics.MAE,
        "rmse": river_metrics.RMSE,
        "r2": river_metrics.R2,
    }
    cumulative = {name: metric() for name, metric in theirs.items()}
    rolling = river_utils.Rolling(river_metrics.MAE, window_size=window)
    for i, (label, guess) in enumerate(zip(y.tolist(), prediction.value.tolist(), strict=True)):
        for metric in (*cumulative.values(), rolling):
            metric.update(label, guess)
        assert found.window[i] == pytest.approx(rolling.get(), rel=1e-9)
    for name in theirs:
        assert scores.metrics("cumulative")[name] == pytest.approx(cumulative[name].get(), rel=1e-9)


def sklearn_values(
    y: np.ndarray, prediction: Prediction, k: int, weights: np.ndarray | None = None
) -> dict[str, float]:
    proba = np.clip(prediction.proba, 1e-15, 1 - 1e-15)
    codes = range(k)
    shares = np.eye(k)[y] - prediction.proba
    several: Any = {"average": "binary" if k == 2 else "macro", "zero_division": 0}
    several["sample_weight"] = weights
    return {
        "accuracy": sk.accuracy_score(y, prediction.value, sample_weight=weights),
        "balanced_accuracy": sk.balanced_accuracy_score(y, prediction.value, sample_weight=weights),
        "f1_macro": sk.f1_score(y, prediction.value, average="macro", sample_weight=weights),
        "f1_weighted": sk.f1_score(y, prediction.value, average="weighted", sample_weight=weights),
        "precision": sk.precision_score(y, prediction.value, **several),
        "recall": sk.recall_score(y, prediction.value, **several),
        "kappa": sk.cohen_kappa_score(y, prediction.value, sample_weight=weights),
        "log_loss": float(np.average(-np.log(proba[np.arange(len(y)), y]), weights=weights)),
        "brier": float(
            sk.brier_score_loss(y, prediction.proba[:, 1], sample_weight=weights)
            if k == 2
            else np.average(np.square(shares).sum(axis=1), weights=weights)
        ),
        "classes": float(len(codes)),
    }


@pytest.mark.parametrize("k", [2, 3, 12])
@pytest.mark.parametrize("n", [150, 2500])
def test_every_scope_equals_scikit_learn(k: int, n: int) -> None:
    window, fading = 120, 0.99
    y, prediction, majority, nochange = labels_and_guesses(n, k, 3 * k)
    scores = Scores(classes(k), window, fading)
    scores.update(y, prediction, majority, nochange)
    weights = np.power(fading, np.arange(n - 1, -1, -1.0))
    expected = {
        "cumulative": (sklearn_values(y, prediction, k), np.ones(n)),
        "window": (
            sklearn_values(y[-window:], prediction[-window:], k),
            (np.arange(n) >= n - window).astype(float),
        ),
        "fading": (sklearn_values(y, prediction, k, weights), weights),
    }
    values: Any = scores.values()
    for scope, (theirs, weighing) in expected.items():
        ours = values[scope]
        for name, value in theirs.items():
            if name != "classes":
                assert ours[name] == pytest.approx(value, rel=1e-9), (scope, name)
        assert ours["error"] == pytest.approx(1 - theirs["accuracy"], abs=1e-12)
        for name, correct in (("kappa_m", majority), ("kappa_temporal", nochange)):
            reference = np.average(correct, weights=weighing)
            kappa = (theirs["accuracy"] - reference) / (1 - reference)
            assert ours[name] == pytest.approx(kappa, rel=1e-9)
        if scope == "window" and k == 2:
            area = sk.roc_auc_score(y[-window:], prediction.proba[-window:, 1])
            assert ours["roc_auc"] == pytest.approx(area, rel=1e-12)
        else:
            assert ours["roc_auc"] is None
    np.testing.assert_array_equal(
        scores.confusion(),
        sk.confusion_matrix(y[-window:], prediction.value[-window:], labels=range(k)),
    )


@pytest.mark.parametrize("n", [90, 2500])
def test_every_scope_of_a_regression_equals_scikit_learn(n: int) -> None:
    window, fading = 80, 0.99
    y, prediction = numbers(n, 4)
    scores = Scores(REGRESSION, window, fading)
    scores.update(y, prediction)
    guess = prediction.value
    for scope, weights in {
        "cumulative": np.ones(n),
        "window": (np.arange(n) >= n - window).astype(float),
        "fading": np.power(fading, np.arange(n - 1, -1, -1.0)),
    }.items():
        values: Any = scores.metrics(scope)  # type: ignore[arg-type]
        mse = sk.mean_squared_error(y, guess, sample_weight=weights)
        assert values["mae"] == pytest.approx(
            sk.mean_absolute_error(y, guess, sample_weight=weights), rel=1e-9
        )
        assert values["rmse"] == pytest.approx(math.sqrt(mse), rel=1e-9)
        assert values["r2"] == pytest.approx(sk.r2_score(y, guess, sample_weight=weights), rel=1e-9)
        assert values["bias"] == pytest.approx(np.average(guess - y, weights=weights), rel=1e-9)


def test_area_under_the_curve_counts_ties_half() -> None:
    scores = Scores(classes(2), 6)
    proba = np.array([0.3, 0.5, 0.5, 0.5, 0.5, 0.9])
    y = np.array([0, 1, 0, 0, 1, 0])
    scores.update(y, Prediction((proba > 0.4).astype(int), np.stack([1 - proba, proba], 1)))
    assert scores.metrics("window")["roc_auc"] == sk.roc_auc_score(y, proba)


@pytest.mark.parametrize("fading", [0.0, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("k", [0, 2])
def test_the_fading_error_after_each_row_need_not_be_asked_for(k: int, fading: float) -> None:
    rows = labels_and_guesses(2100, k, 5, holes=True) if k else numbers(2100, 5, holes=True)
    task = classes(k) if k else REGRESSION
    told, untold = Scores(task, 100, fading), Scores(task, 100, fading)
    for part in cut(2100, [1, 700, 1500]):
        own = [rows[0][part], rows[1][part], *(reference[part] for reference in rows[2:])]
        wanted, found = told.update(*own), untold.update(*own, fading=False)
        assert found.fading is None
        assert wanted.fading is not None
        assert found.window.tobytes() == wanted.window.tobytes()
        assert found.cumulative.tobytes() == wanted.cumulative.tobytes()
        last = wanted.fading[np.isfinite(wanted.fading)]
        assert untold.error("fading") == told.error("fading") == (last[-1] if len(last) else None)
    assert untold.values() == told.values()


@given(
    n=st.integers(1, 2600),
    k=st.sampled_from([0, 2, 3]),
    seed=st.integers(0, 999),
    window=st.sampled_from([1, 48, 49, 300, 5000]),
    holes=st.booleans(),
    at=st.sets(st.integers(1, 2600), max_size=6),
)
@settings(max_examples=60)
def test_samples_are_what_the_metrics_were_there_and_losses_those_of_each_row(
    n: int, k: int, seed: int, window: int, holes: bool, at: set[int]
) -> None:
    rows = labels_and_guesses(n, k, seed, holes=holes) if k else numbers(n, seed, holes=holes)
    y, prediction, *references = rows
    task = classes(k) if k else REGRESSION
    ends = sorted({min(end, n) for end in at})
    cutting, at_once = Scores(task, window), Scores(task, window)
    wanted, start = [], 0
    for end in ends:
        part = slice(start, end)
        cutting.update(y[part], prediction[part], *[reference[part] for reference in references])
        wanted.append(cutting.metrics("window"))
        start = end
    part = slice(start, n)
    cutting.update(y[part], prediction[part], *[reference[part] for reference in references])
    found = at_once.update(y, prediction, *references, samples=np.array(ends, dtype=np.int64))
    assert found.samples == wanted
    assert at_once.values() == cutting.values()
    losses = class_losses(prediction.value, y) if k else number_losses(prediction.value, y)
    assert found.losses.tobytes() == losses.tobytes()


@given(
    n=st.integers(1, 3000),
    k=st.sampled_from([0, 2, 3]),
    seed=st.integers(0, 999),
    window=st.sampled_from([1, 48, 300, 5000]),
    fading=st.sampled_from([0.0, 0.5, 0.999, 1.0]),
    holes=st.booleans(),
    start=st.integers(0, 9000),
    cuts=st.lists(st.integers(0, 3000), max_size=5),
)
@settings(max_examples=60)
def test_following_is_scoring_and_appending_to_the_histories(
    n: int,
    k: int,
    seed: int,
    window: int,
    fading: float,
    holes: bool,
    start: int,
    cuts: list[int],
) -> None:
    rows = labels_and_guesses(n, k, seed, holes=holes) if k else numbers(n, seed, holes=holes)
    y, prediction, *references = rows
    task = classes(k) if k else REGRESSION
    told, followed = Scores(task, window, fading), Scores(task, window, fading)
    samples = np.array([(n + 1) // 2])
    found = told.update(y, prediction, *references, samples=samples)
    wanted = [Series(64), Series(64)]
    for series, values in zip(wanted, (found.window, found.cumulative), strict=True):
        series.append(start, values)
    given = [Series(64), Series(64)]
    losses, at = [], 0
    for part in cut(n, cuts):
        own = samples[(samples > part.start) & (samples <= part.stop)] - part.start
        some = followed.follow(
            start + part.start,
            y[part],
            prediction[part],
            *[reference[part] for reference in references],
            error=given[0],
            cumulative=given[1],
            samples=own,
        )
        losses.append(some.losses)
        at += len(some.samples)
        assert some.samples == found.samples[: len(some.samples)]
    assert at == 1
    assert np.concatenate(losses).tobytes() == found.losses.tobytes()
    for one, other in zip(wanted, given, strict=True):
        assert pickle.dumps(one.state()["buckets"]) == pickle.dumps(other.state()["buckets"])
        assert (one.width, one.arrays().starts.tolist()) == (
            other.width,
            other.arrays().starts.tolist(),
        )
    assert followed.values() == told.values()
    assert (followed.rows, followed.scored) == (told.rows, told.scored)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("missing", [False, True])
def test_a_code_that_is_no_class_is_refused(k: int, missing: bool) -> None:
    for where in ("label", "answer"):
        codes = {"label": np.zeros(600, dtype=int), "answer": np.zeros(600, dtype=int)}
        codes[where][500] = k
        codes["label"][400:] = np.where(missing & (np.arange(200) != 100), -1, codes["label"][400:])
        with pytest.raises(ValueError, match="not one of the classes"):
            Scores(classes(k)).update(codes["label"], Prediction(codes["answer"]))


def test_histories_that_have_rows_already_are_not_followed() -> None:
    y = np.zeros(10, dtype=int)
    for k in (2, 3):
        error, cumulative = Series(), Series()
        scores = Scores(classes(k))
        scores.follow(5, y, Prediction(y), error=error, cumulative=cumulative)
        with pytest.raises(ValueError, match="there already"):
            scores.follow(14, y, Prediction(y), error=error, cumulative=cumulative)
        scores.follow(15, y, Prediction(y), error=error, cumulative=cumulative)
        assert error.arrays().count.sum() == 20


@pytest.mark.parametrize("at", [[0], [11], [3, 3], [5, 2]])
def test_samples_lie_within_the_rows_and_in_order(at: list[int]) -> None:
    y = np.zeros(10, dtype=int)
    scores = Scores(classes(2))
    with pytest.raises(ValueError, match="in order"):
        scores.update(y, Prediction(y), samples=np.array(at))
    assert scores.rows == 0


def test_nothing_scored_is_undefined_and_not_zero() -> None:
    for task in (classes(2), REGRESSION):
        scores = Scores(task)
        for values in scores.values().values():
            assert set(values.values()) == {None}  # type: ignore[attr-defined]
        assert scores.error() is None
        empty = -np.ones(3, dtype=int) if task.n_classes else np.full(3, np.nan)
        found = scores.update(empty, Prediction(empty))
        assert np.isnan(found.window).all()
        assert (scores.rows, scores.scored, scores.unlabelled) == (3, 0, 3)


def test_what_cannot_be_defined_is_none() -> None:
    scores = Scores(classes(2), 10)
    y = np.zeros(5, dtype=int)
    scores.update(y, Prediction(y), np.ones(5, dtype=bool), np.ones(5, dtype=bool))
    for scope in SCOPES:
        values = scores.metrics(scope)
        assert values["accuracy"] == 1.0
        undefined = {"log_loss", "brier", "roc_auc", "kappa", "kappa_m", "kappa_temporal"}
        assert {name for name, value in values.items() if value is None} == undefined
    same = Scores(REGRESSION, 10)
    same.update(np.full(4, 7.1), Prediction(np.arange(4.0)))
    for scope in SCOPES:
        assert same.metrics(scope)["r2"] is None
        assert same.metrics(scope)["mae"] is not None


def test_without_references_their_kappas_are_none() -> None:
    y, prediction, majority, nochange = labels_and_guesses(50, 2, 0)
    scores = Scores(classes(2), 10)
    scores.update(y, prediction)
    for scope in SCOPES:
        assert scores.metrics(scope)["kappa_m"] is None
        assert scores.metrics(scope)["kappa"] is not None
    scores.update(y, prediction, majority, nochange)
    assert scores.metrics("window")["kappa_m"] is not None
    assert scores.metrics("cumulative")["kappa_m"] is None


def test_rows_without_probabilities_are_left_out_of_their_metrics() -> None:
    y, prediction, *_ = labels_and_guesses(100, 2, 8)
    assert prediction.proba is not None
    prediction.proba[::2] = np.nan
    scores = Scores(classes(2), 100)
    scores.update(y, prediction)
    values = scores.metrics("window")
    half = Prediction(prediction.value[1::2], prediction.proba[1::2])
    expected = sklearn_values(y[1::2], half, 2)
    assert values["log_loss"] == pytest.approx(expected["log_loss"], rel=1e-9)
    assert values["brier"] == pytest.approx(expected["brier"], rel=1e-9)
    assert values["roc_auc"] == sk.roc_auc_score(y[1::2], half.proba[:, 1])
    assert values["accuracy"] == np.mean(y == prediction.value)


def test_a_huge_error_leaves_no_trace_in_the_window() -> None:
    y = np.zeros(400)
    guess = np.full(400, 0.1)
    guess[50] = 1e300
    scores = Scores(REGRESSION, 100, 0.5)
    found = scores.update(y, Prediction(guess))
    assert found.window[149] == pytest.approx(1e298)
    np.testing.assert_allclose(found.window[150:], 0.1, rtol=1e-12)
    assert scores.metrics("window")["rmse"] == pytest.approx(0.1)
    assert scores.metrics("cumulative")["rmse"] is None  # its square is beyond all numbers
    assert scores.metrics("cumulative")["mae"] == pytest.approx(1e300 / 400)


def test_a_regression_far_from_zero_keeps_its_digits() -> None:
    rng = np.random.default_rng(0)
    y = 1e9 + rng.normal(size=3000)
    guess = y + 0.5 * rng.normal(size=3000)
    scores = Scores(REGRESSION, 3000, 1.0)
    scores.update(y, Prediction(guess))
    expected = sk.r2_score(y, guess)
    for scope in SCOPES:
        assert scores.metrics(scope)["r2"] == pytest.approx(expected, abs=1e-7)
