"""The test report on real data, checked against scikit-learn's own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pytest

from modellab.data.dataset import Dataset
from modellab.data.encoder import Encoder
from modellab.data.importer import import_dataset
from modellab.data.stream import EncodedStream
from modellab.errors import Cancelled
from modellab.evaluation import testing_rows, testing_slices
from modellab.evaluation.testing import report_on, test_report
from modellab.evaluation.testing_curves import calibration, confusion, curves
from modellab.evaluation.testing_slices import Values, slices, wilson
from modellab.evaluation.testing_values import TestReport
from modellab.experiment import DataSpec, LearnerSpec, SplitSpec
from modellab.learners.base import Inputs, Learner, Prediction, Task
from modellab.learners.catalogue import build, view_of


def write_csv(path, names, rows):
    lines = [",".join(names), *(",".join(str(c) for c in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def cancer_csv(path):
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    names = [f"f{i}" for i in range(10)]
    rows = []
    for i, (x, y) in enumerate(zip(data.data[:, :10].tolist(), data.target.tolist(), strict=True)):
        size = "large" if x[0] > 15 else "small"
        cells = ["" if i % 50 == 7 and k == 1 else v for k, v in enumerate(x)]
        rows.append([*cells, size, "benign" if y else "malignant"])
    return write_csv(path, [*names, "size", "diagnosis"], rows)


def wine_csv(path):
    from sklearn.datasets import load_wine

    data = load_wine()
    order = np.random.default_rng(2).permutation(len(data.target))
    rows = [
        [*x, f"k{y}"] for x, y in zip(data.data[order].tolist(), data.target[order], strict=True)
    ]
    return write_csv(path, [*(f"w{i}" for i in range(13)), "kind"], rows)


def diabetes_csv(path):
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    rows = [[*x, y] for x, y in zip(data.data.tolist(), data.target.tolist(), strict=True)]
    return write_csv(path, [*data.feature_names, "progress"], rows)


class Lab:
    """A trained learner with everything that the report needs."""

    def __init__(self, path, target, kind, ignore=(), train=0.7, **params) -> None:
        self.store = import_dataset(path)
        spec = DataSpec(str(path), target, ignore=list(ignore))
        self.dataset = Dataset.build(self.store, spec, SplitSpec(train=1.0 - 1e-9, test=1 - train))
        self.stop = self.dataset.n_rows
        self.start = int(self.stop * train)
        self.encoder = Encoder.fit(self.dataset, 0, self.start, 1)
        self.stream = EncodedStream(self.dataset, self.encoder)
        learner = LearnerSpec(kind, params.pop("class_name", None), params)
        self.view = view_of(learner)
        self.inputs = Inputs(tuple(self.encoder.names(self.view)), self.dataset.task, 1)
        self.learner = build(learner, self.inputs)
        self.learner.fit(*self.stream.matrix(self.view, 0, self.start))

    def report(self, **options) -> TestReport:
        return test_report(self.learner, self.stream, self.start, self.stop, self.inputs, **options)

    def test_part(self):
        rows, y = self.stream.matrix(self.view, self.start, self.stop)
        return y, self.learner.predict(rows)


def check_is_plain(report):
    """Bounded, finite and the same after a trip through JSON."""
    text = msgspec.json.encode(report)
    assert b"NaN" not in text
    assert msgspec.json.decode(text, type=TestReport) == report
    assert len(text) < 500_000


def scores_of(report, number=0) -> dict[str, Any]:
    return report.scores[number].metrics


# ------------------------------------------------------------------ two classes
@pytest.fixture(scope="module")
def cancer(tmp_path_factory):
    path = cancer_csv(tmp_path_factory.mktemp("cancer") / "cancer.csv")
    lab = Lab(path, "diagnosis", "logistic_regression")
    return lab, lab.report(fit_seconds=1.5)


def test_scores_are_scikit_learns(cancer):
    from sklearn import metrics as m

    lab, report = cancer
    y, p = lab.test_part()
    found = scores_of(report)
    wanted = {
        "accuracy": m.accuracy_score(y, p.value),
        "error": 1 - m.accuracy_score(y, p.value),
        "balanced_accuracy": m.balanced_accuracy_score(y, p.value),
        "f1_macro": m.f1_score(y, p.value, average="macro"),
        "f1_weighted": m.f1_score(y, p.value, average="weighted"),
        "precision": m.precision_score(y, p.value),
        "recall": m.recall_score(y, p.value),
        "log_loss": m.log_loss(y, p.proba),
        "brier": m.brier_score_loss(y, p.proba[:, 1]),
        "roc_auc": m.roc_auc_score(y, p.proba[:, 1]),
        "kappa": m.cohen_kappa_score(y, p.value),
    }
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name
    assert report.value == found["error"]
    assert (report.rows, report.scored, report.unanswered) == (len(y), len(y), 0)
    assert (report.metric, report.task) == ("error", "classification")


def test_baselines_predict_the_same_rows(cancer):
    lab, report = cancer
    labels = lab.dataset.labels(0, lab.stop)
    y = labels[lab.start :]
    before = [labels[: lab.start + i] for i in range(len(y))]
    majority = np.array([np.bincount(b, minlength=2).argmax() for b in before])
    last = labels[lab.start - 1 : -1]
    assert [s.name for s in report.scores] == ["Model", "Majority class", "No change"]
    assert [s.baseline for s in report.scores] == [False, True, True]
    assert scores_of(report, 1)["accuracy"] == pytest.approx((majority == y).mean(), abs=1e-12)
    assert scores_of(report, 2)["accuracy"] == pytest.approx((last == y).mean(), abs=1e-12)
    error = report.value
    assert scores_of(report)["kappa_m"] == pytest.approx(1 - error / (majority != y).mean())
    assert scores_of(report)["kappa_temporal"] == pytest.approx(1 - error / (last != y).mean())
    assert scores_of(report, 1)["kappa_m"] == pytest.approx(0.0)


def test_curves_calibration_and_confusion(cancer):
    from sklearn import metrics as m
    from sklearn.calibration import calibration_curve

    lab, report = cancer
    y, p = lab.test_part()
    (roc,) = report.roc
    (precision_recall,) = report.precision_recall
    assert roc.label == precision_recall.label == "malignant" == report.classes[1]
    false_rate, true_rate, _ = m.roc_curve(y, p.proba[:, 1])
    assert (roc.x, roc.y) == (false_rate.tolist(), true_rate.tolist())
    assert roc.area == pytest.approx(m.roc_auc_score(y, p.proba[:, 1]), abs=1e-12)
    assert precision_recall.area == pytest.approx(
        m.average_precision_score(y, p.proba[:, 1]), abs=1e-12
    )
    assert precision_recall.x == sorted(precision_recall.x)
    observed, predicted = calibration_curve(y, p.proba[:, 1], n_bins=10)
    bins = report.calibration.bins
    assert [b.observed for b in bins] == pytest.approx(observed.tolist())
    assert [b.predicted for b in bins] == pytest.approx(predicted.tolist())
    assert sum(b.rows for b in bins) == len(y)
    assert report.confusion.counts == m.confusion_matrix(y, p.value).tolist()
    assert report.confusion.labels == ["benign", "malignant"]


def test_which_columns_matter(cancer):
    from sklearn.metrics import accuracy_score

    lab, report = cancer
    assert {i.column for i in report.importance} == set(lab.dataset.features)
    means = [i.mean for i in report.importance]
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.02
    assert report.importance_rows == report.scored
    assert report.importance_repeats == 5
    # By hand for the first column, its encoded columns moved together.
    from modellab.experiment import stream_rng

    first = report.importance[0]
    rows, y = lab.stream.matrix(lab.view, lab.start, lab.stop)
    part = lab.encoder.groups(lab.view)[first.column]
    changes = []
    for repeat in range(5):
        order = stream_rng(1, f"importance {first.column}", repeat).permutation(len(y))
        moved = rows.copy()
        moved[:, part] = rows[order][:, part]
        wrong = 1 - accuracy_score(y, lab.learner.predict(moved).value)
        changes.append(wrong - report.value)
    assert first.mean == pytest.approx(np.mean(changes), abs=1e-12)
    assert first.std == pytest.approx(np.std(changes), abs=1e-12)
    weights = {w.name: w.value for w in report.coefficients}
    assert set(weights) == set(lab.inputs.names)
    assert weights[lab.inputs.names[0]] == lab.learner.estimator.coef_[0, 0]
    sizes = [abs(w.value) for w in report.coefficients]
    assert sizes == sorted(sizes, reverse=True)


def test_where_the_errors_are(cancer):
    lab, report = cancer
    y, p = lab.test_part()
    wrong = p.value != y
    by_name = {s.column: s for s in report.slices}
    assert "diagnosis" not in by_name
    size = by_name["size"]
    levels = lab.store.column_as("size", "category", lab.start, lab.stop).to_pylist()
    for part in size.slices:
        here = np.array([level == part.label for level in levels])
        assert part.rows == here.sum()
        assert part.value == pytest.approx(wrong[here].mean())
        assert part.low <= part.value <= part.high
        assert (part.low, part.high) == pytest.approx(wilson(int(wrong[here].sum()), part.rows))
    for sliced in report.slices:
        assert sum(s.rows for s in sliced.slices) == len(y)
        assert sum(s.rows * s.value for s in sliced.slices) == pytest.approx(wrong.sum())
    assert by_name["f1"].slices[-1].label == "missing"
    assert len(by_name["f0"].slices) == 10
    told = [s.telling for s in report.slices]
    assert told == sorted(told, reverse=True)


def test_worst_rows(cancer):
    lab, report = cancer
    y, p = lab.test_part()
    loss = -np.log(np.clip(p.proba[np.arange(len(y)), y], 1e-15, 1))
    assert len(report.worst) == 50
    worst = report.worst[0]
    at = int(np.argmax(loss))
    assert worst.position == lab.start + at
    assert worst.loss == pytest.approx(loss[at])
    assert worst.true == report.classes[y[at]]
    assert worst.predicted == report.classes[p.value[at]]
    assert worst.probability == pytest.approx(p.proba[at, y[at]])


def test_timing_size_and_shape(cancer):
    lab, report = cancer
    assert report.fit_seconds == 1.5
    assert report.predict_seconds > 0
    assert report.model_bytes == lab.learner.size_bytes()
    assert report.warnings == lab.learner.warnings
    check_is_plain(report)


def test_the_same_report_again(cancer):
    lab, report = cancer
    again = lab.report(fit_seconds=1.5)
    same = {"predict_seconds": 0.0}
    assert msgspec.structs.replace(again, **same) == msgspec.structs.replace(report, **same)


def test_progress_and_cancel(cancer):
    lab, _ = cancer
    seen = []
    lab.report(progress=lambda done, total, text="": seen.append(text), repeats=1)
    assert list(dict.fromkeys(seen)) == [
        "Predicting the test rows",
        "Shuffling columns to see which matter",
        "Looking for where the errors are",
        "Tested",
    ]

    def give_up(done: float, total: float, text: str = "") -> None:
        if text.startswith("Shuffling") and done >= 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        lab.report(progress=give_up)


# ------------------------------------------------------------------ other tasks and learners
def test_several_classes(tmp_path):
    from sklearn import metrics as m

    lab = Lab(wine_csv(tmp_path / "wine.csv"), "kind", "random_forest", n_estimators=20)
    report = lab.report(repeats=2)
    y, p = lab.test_part()
    found = scores_of(report)
    assert found["log_loss"] == pytest.approx(m.log_loss(y, p.proba), abs=1e-12)
    assert found["brier"] == pytest.approx(m.brier_score_loss(y, p.proba), abs=1e-12)
    assert found["precision"] == pytest.approx(m.precision_score(y, p.value, average="macro"))
    assert found["recall"] == pytest.approx(m.recall_score(y, p.value, average="macro"))
    assert found["roc_auc"] is None
    assert [c.label for c in report.roc] == ["k0", "k1", "k2"]
    for code, curve in enumerate(report.roc):
        assert curve.area == pytest.approx(m.roc_auc_score(y == code, p.proba[:, code]))
    assert report.calibration.of == "the answer given"
    own = {w.name: w.value for w in report.model_importance}
    assert own == lab.learner.feature_importance
    assert report.coefficients == []
    check_is_plain(report)


def test_numbers(tmp_path):
    from sklearn import metrics as m

    lab = Lab(diabetes_csv(tmp_path / "diabetes.csv"), "progress", "ridge")
    report = lab.report()
    y, p = lab.test_part()
    found = scores_of(report)
    assert found["mae"] == pytest.approx(m.mean_absolute_error(y, p.value))
    assert found["rmse"] == pytest.approx(m.root_mean_squared_error(y, p.value))
    assert found["r2"] == pytest.approx(m.r2_score(y, p.value))
    assert found["bias"] == pytest.approx((p.value - y).mean())
    assert report.value == found["mae"]
    assert [s.name for s in report.scores] == ["Model", "Running mean", "Last value"]
    labels = lab.dataset.labels(0, lab.stop)
    last = labels[lab.start - 1 : -1]
    assert scores_of(report, 2)["mae"] == pytest.approx(np.abs(last - y).mean())
    residuals = report.residuals
    counted = sum(residuals.histogram.counts)
    assert counted + residuals.histogram.below + residuals.histogram.above == len(y)
    assert dict(residuals.quantiles)[0.5] == pytest.approx(np.median(p.value - y))
    assert residuals.true == y.tolist()
    assert residuals.predicted == p.value.tolist()
    assert report.importance[0].column in ("bmi", "s5")
    assert report.slices[0].slices[0].bias is not None
    at = int(np.argmax(np.abs(p.value - y)))
    assert (report.worst[0].position, report.worst[0].true) == (lab.start + at, y[at])
    assert report.confusion is None
    assert report.roc == []
    check_is_plain(report)


def test_a_learner_without_probabilities(tmp_path):
    lab = Lab(cancer_csv(tmp_path / "c.csv"), "diagnosis", "linear_svm")
    report = lab.report(repeats=1)
    assert scores_of(report)["log_loss"] is None
    assert report.roc == []
    assert report.calibration is None
    assert all(w.loss == 1.0 and w.probability is None for w in report.worst)
    assert len(report.worst) == round(report.value * report.scored)
    check_is_plain(report)


def test_a_river_tree_on_rows_as_dicts(tmp_path):
    lab = Lab(
        cancer_csv(tmp_path / "c.csv"),
        "diagnosis",
        "river",
        ignore=["f9"],
        class_name="tree.HoeffdingTreeClassifier",
        grace_period=20,
    )
    report = lab.report(repeats=2)
    y, p = lab.test_part()
    assert report.value == pytest.approx((p.value != y).mean())
    assert {i.column for i in report.importance} == set(lab.dataset.features)
    assert report.importance[0].mean > 0
    assert "f9" in {s.column for s in report.slices}  # ignored, yet errors may hide there
    check_is_plain(report)


def test_a_compiled_linear_models_weights(tmp_path):
    lab = Lab(cancer_csv(tmp_path / "c.csv"), "diagnosis", "linear")
    weights = {w.name for w in lab.report(repeats=0).coefficients}
    assert weights == set(lab.inputs.names)


# ------------------------------------------------------------------ hand-made rows
class Handmade:
    """Rows that need no store."""

    def __init__(self, x, y, column) -> None:
        self.x, self.y, self.column = x, y, column

    def rows(self, start: int, stop: int) -> Any:
        return self.x[start:stop]

    def labels(self, start: int, stop: int) -> Any:
        return self.y[start:stop]

    def groups(self) -> Mapping[str, slice]:
        return {"a": slice(0, 1), "b": slice(1, 2)}

    def columns(self) -> list[str]:
        return ["word"]

    def values(self, column: str, start: int, stop: int) -> Values:
        part = self.column[start:stop]
        levels, codes = np.unique(part, return_inverse=True)
        return Values("text", codes=codes.astype(np.int64), levels=levels.tolist())


class Says:
    """A learner that answers from the first column alone: its sign, or nothing for NaN."""

    view = "raw"
    warnings = ("one",)

    def predict(self, rows: Any) -> Prediction:
        value = np.where(np.isnan(rows[:, 0]), -1, rows[:, 0] > 0).astype(np.int64)
        proba = np.full((len(rows), 2), np.nan)
        with np.errstate(over="ignore"):
            up = 1 / (1 + np.exp(-rows[:, 0]))
        proba[:, 0], proba[:, 1] = 1 - up, up
        return Prediction(value, proba)

    def parameters(self) -> dict[str, float]:
        return {"a": 1.0, "depth": 3.0, "yes: b": -2.0}

    def size_bytes(self) -> int:
        return 7


def handmade(n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    y = (x[:, 0] + rng.normal(size=n) / 2 > 0).astype(np.int64)
    words = np.array(["ab", "cd", "ef"])[rng.integers(0, 3, n)]
    return x, y, words


TASK = Task("classification", ("no", "yes"), "y")


def report_of(x, y, words, start=0, **options) -> TestReport:
    learner: Any = Says()
    assert not isinstance(learner, Learner)  # the report asks for less than the whole protocol
    inputs = Inputs(("a", "b"), TASK, 1)
    return report_on(learner, Handmade(x, y, words), start, len(y), inputs, **options)


def test_missing_labels_and_answers_are_counted_not_scored():
    x, y, words = handmade(500)
    y[::10] = -1
    x[5::10, 0] = np.nan
    report = report_of(x, y, words)
    assert (report.rows, report.unlabelled, report.unanswered, report.scored) == (500, 50, 50, 400)
    scored = (y >= 0) & ~np.isnan(x[:, 0])
    assert report.value == pytest.approx(((x[:, 0] > 0) != y)[scored].mean())
    assert sum(s.rows for s in report.slices[0].slices) == 400
    assert {w.name: w.value for w in report.coefficients} == {"yes: b": -2.0, "a": 1.0}
    assert (report.model_bytes, report.warnings) == (7, ["one"])
    assert {i.column: i.mean == 0 for i in report.importance} == {"a": False, "b": True}
    check_is_plain(report)


def test_pieces_change_nothing(monkeypatch):
    x, y, words = handmade(3000)
    whole = report_of(x, y, words, start=100)
    monkeypatch.setattr(testing_rows, "PIECE", 256)
    parts = report_of(x, y, words, start=100)
    same = {"predict_seconds": 0.0}
    assert msgspec.structs.replace(whole, **same) == msgspec.structs.replace(parts, **same)


def test_a_long_test_part_is_looked_at_in_pieces(monkeypatch):
    x, y, words = handmade(4000)
    monkeypatch.setattr(testing_rows, "PIECE", 100)
    monkeypatch.setattr(testing_rows, "MAX_ROWS", 1000)
    report = report_of(x, y, words)
    assert report.rows == 1000
    looked_at = np.concatenate([np.arange(a, a + 100) for a in range(0, 4000, 400)])
    assert report.value == pytest.approx(((x[:, 0] > 0) != y)[looked_at].mean())
    last = y[looked_at - 1]
    last[0] = -1
    found = scores_of(report, 2)["accuracy"]
    assert found == pytest.approx((last == y[looked_at])[1:].mean())
    check_is_plain(report)


def test_nothing_to_score():
    x, _y, words = handmade(20)
    report = report_of(x, np.full(20, -1), words)
    assert (report.scored, report.value, report.worst, report.slices) == (0, None, [], [])
    check_is_plain(report)


def test_curves_are_thinned_to_their_shape():
    rng = np.random.default_rng(3)
    score = rng.random(50_000)
    positive = rng.random(50_000) < score
    roc, precision_recall = curves("x", positive, score)
    for curve in (roc, precision_recall):
        assert len(curve.x) <= 200
        assert np.all(np.diff(curve.x) >= 0)
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(roc.area, abs=1e-3)
    assert (precision_recall.x[0], precision_recall.x[-1]) == (0.0, 1.0)
    assert curves("x", np.ones(5, dtype=bool), score[:5]) is None


def test_a_calibrated_model_lies_on_the_diagonal():
    rng = np.random.default_rng(3)
    p = rng.random(100_000)
    found = calibration("x", rng.random(100_000) < p, p)
    assert found.error < 0.01
    edge = calibration("x", np.array([True, False]), np.array([1.0, 0.0]))
    assert [(b.low, b.high, b.rows) for b in edge.bins] == [(0.0, 0.1, 1), (0.9, 1.0, 1)]


def test_many_classes_are_joined_in_the_confusion_matrix():
    table = np.diag(np.arange(100, 0, -1))
    table[99, 0] = 5
    found = confusion(table, [f"c{i}" for i in range(100)])
    assert len(found.labels) == 30
    assert found.labels[-1] == "other"
    assert found.counts[-1][0] == 5
    assert np.sum(found.counts) == table.sum()


def test_wilson_against_scipy():
    from scipy.stats import binomtest

    for hits, rows in ((0, 10), (3, 10), (10, 10), (57, 1000)):
        wanted = binomtest(hits, rows).proportion_ci(0.95, method="wilson")
        assert wilson(hits, rows) == pytest.approx((wanted.low, wanted.high), abs=1e-12)
    assert wilson(0, 0) == (0.0, 1.0)


def test_ranges_of_numbers_hold_about_as_many_rows():
    rng = np.random.default_rng(5)
    numbers = np.round(rng.lognormal(size=1000), 1)
    numbers[:30] = np.nan
    found = slices("x", Values("number", numbers=numbers), rng.random(1000), None)
    assert found.slices[-1].label == "missing"
    assert found.slices[-1].rows == 30
    assert found.slices[0].label.startswith("up to ")
    assert all(50 < s.rows < 180 for s in found.slices[:-1])
    few = slices("x", Values("number", numbers=np.array([1.0, 2.5] * 9)), np.zeros(18), None)
    assert [s.label for s in few.slices] == ["1", "2.5"]
    assert slices("x", Values("number", numbers=np.ones(9)), np.zeros(9), None) is None


def test_arrow_values_of_every_kind():
    import pyarrow as pa

    read = testing_slices.read_values
    number = read(pa.array([1.5, None]), "number")
    assert np.array_equal(number.numbers, [1.5, np.nan], equal_nan=True)
    moment = read(pa.array([10**18, None], pa.timestamp("ns", "UTC")), "time")
    assert np.array_equal(moment.numbers, [1e18, np.nan], equal_nan=True)
    truth = read(pa.array([True, None, False]), "boolean")
    assert truth.codes.tolist() == [1, -1, 0]
    word = read(pa.array(["x", None, "y"]), "text")
    assert (word.codes.tolist(), list(word.levels)) == ([0, -1, 1], ["x", "y"])
    found = slices("t", Values("time", numbers=np.array([0.0, 6e10] * 5)), np.zeros(10), None)
    assert [s.label for s in found.slices] == ["1970-01-01 00:00", "1970-01-01 00:01"]
    many = Values("text", codes=np.arange(100), levels=[f"{i:080}" for i in range(100)])
    found = slices("t", many, np.zeros(100), None)
    assert len(found.slices) == 21
    assert found.slices[-1].label == "other values"
    assert len(found.slices[0].label) == 60
