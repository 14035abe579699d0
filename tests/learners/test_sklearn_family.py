"""The scikit-learn family on scikit-learn's own bundled data sets."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from modellab.errors import Cancelled, LearnerError
from modellab.experiment import LearnerSpec
from modellab.learners.base import Inputs, Learner, Task
from modellab.learners.catalogue import build, entry, for_task
from modellab.learners.sklearn_family import SklearnLearner

CLASSIFIERS = [e.kind for e in for_task("classification") if e.family == "scikit-learn"][:-1]
REGRESSORS = [e.kind for e in for_task("regression") if e.family == "scikit-learn"][:-1]
ONLINE = ["naive_bayes", "mlp", "linear_sgd"]
FAST = {
    "random_forest": {"n_estimators": 12},
    "hist_gradient_boosting": {"max_iter": 23},
    "mlp": {"units": 8, "epochs": 40, "batch_size": 20, "learning_rate": 0.01},
}
SEED = 5


def read_only(x, y):
    """As the stream hands rows out."""
    x.flags.writeable = y.flags.writeable = False
    return x, y


def cancer():
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    x = (data.data - data.data[:400].mean(axis=0)) / data.data[:400].std(axis=0)
    return read_only(x, data.target.astype(np.int64))


def wine():
    from sklearn.datasets import load_wine

    data = load_wine()
    order = np.random.default_rng(0).permutation(len(data.target))
    x = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
    return read_only(x[order], data.target[order].astype(np.int64))


def diabetes():
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=True)
    return read_only(data.data * 20.0, data.target.astype(np.float64))


def make(kind, x, n_classes, **params) -> SklearnLearner:
    classes = tuple("abcdefgh"[:n_classes])
    task = Task("classification" if n_classes else "regression", classes, "y")
    names = tuple(f"x{i}" for i in range(x.shape[1]))
    settings = {k: v for k, v in params.items() if k != "class_name"}
    spec = LearnerSpec(kind, params.get("class_name"), FAST.get(kind, {}) | settings)
    learner = build(spec, Inputs(names, task, SEED))
    assert isinstance(learner, SklearnLearner)
    return learner


# ------------------------------------------------------------------ equal to scikit-learn itself
def test_logistic_regression_is_scikit_learns():
    from sklearn.linear_model import LogisticRegression

    x, y = cancer()
    learner = make("logistic_regression", x, 2, C=0.3)
    learner.fit(x[:400], y[:400])
    plain = LogisticRegression(C=0.3, max_iter=300).fit(x[:400], y[:400])
    prediction = learner.predict(x[400:])
    assert np.array_equal(prediction.value, plain.predict(x[400:]))
    assert np.array_equal(prediction.proba, plain.predict_proba(x[400:]))


@pytest.mark.parametrize("early", [False, True])
def test_boosting_grown_in_steps_equals_one_fit(early):
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, y = cancer()
    learner = make("hist_gradient_boosting", x, 2, early_stopping=early)
    seen = []
    learner.fit(x, y, lambda done, total, text="": seen.append((done, total)))
    plain = HistGradientBoostingClassifier(max_iter=23, early_stopping=early, random_state=SEED)
    assert np.array_equal(learner.predict(x).proba, plain.fit(x, y).predict_proba(x))
    if not early:
        assert seen[0] == (0, 23)
        assert seen[-1] == (23, 23)
        assert len(seen) == 6


def test_forest_grown_in_steps_equals_one_fit():
    from sklearn.ensemble import RandomForestRegressor

    x, y = diabetes()
    learner = make("random_forest", x, 0, max_features="third")
    seen = []
    learner.fit(x, y, lambda done, total, text="": seen.append(done))
    plain = RandomForestRegressor(
        12, min_samples_leaf=5, max_features=1 / 3, random_state=SEED, n_jobs=1
    )
    assert np.array_equal(learner.predict(x).value, plain.fit(x, y).predict(x))
    assert seen == list(range(13))


def test_network_reports_each_epoch_and_equals_one_fit():
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    x, y = cancer()
    learner = make("mlp", x, 2, epochs=7, batch_size=50, learning_rate=0.001)
    seen = []
    learner.fit(x, y, lambda done, total, text="": seen.append((done, total, text)))
    plain = MLPClassifier((8,), max_iter=7, batch_size=50, random_state=SEED)
    with pytest.warns(ConvergenceWarning):
        plain.fit(x, y)
    assert np.array_equal(learner.predict(x).proba, plain.predict_proba(x))
    assert seen == [(i, 7, "epochs") for i in range(8)]
    assert learner.warnings == [
        "Neural network: training stopped at its greatest number of iterations before it had "
        "settled; allow more iterations, or scale the columns."
    ]
    assert len(learner.state()) > 0  # nothing of the progress report is left on the estimator


def test_sgd_learned_row_by_row_is_scikit_learns_partial_fit():
    from sklearn.linear_model import SGDClassifier

    x, y = cancer()
    learner = make("linear_sgd", x, 2, learning_rate=0.05)
    plain = SGDClassifier(loss="log_loss", eta0=0.05, learning_rate="constant", random_state=SEED)
    assert learner.learn(x[:200], y[:200]) == 200
    for i in range(200):
        plain.partial_fit(x[i : i + 1], y[i : i + 1], classes=[0, 1])
    learner.set("learning_rate", 0.5)
    plain.eta0 = 0.5
    assert learner.learn(x[200:300], y[200:300], batch=30) == 4
    plain.shuffle = False
    for i in range(200, 300, 30):
        plain.partial_fit(x[i : min(i + 30, 300)], y[i : min(i + 30, 300)])
    assert np.array_equal(learner.estimator.coef_, plain.coef_)
    assert np.array_equal(learner.predict(x).value, plain.predict(x))


# ------------------------------------------------------------------ all of them
@pytest.mark.parametrize("kind", CLASSIFIERS)
@pytest.mark.parametrize("classes", [2, 3])
def test_every_classifier(kind, classes):
    x, y = cancer() if classes == 2 else wine()
    cut = len(y) * 2 // 3
    learner = make(kind, x, classes)
    assert isinstance(learner, Learner)
    assert learner.view == entry(kind).view
    assert learner.online is entry(kind).online
    unfitted = learner.predict(x[:3])
    assert unfitted.value.tolist() == [-1, -1, -1]
    learner.fit(x[:cut], y[:cut])
    prediction = learner.predict(x[cut:])
    assert prediction.value.dtype == np.int64
    assert (prediction.value == y[cut:]).mean() > 0.85
    if kind == "linear_svm":
        assert prediction.proba is None
    else:
        assert prediction.proba.shape == (len(y) - cut, classes)
        assert np.allclose(prediction.proba.sum(axis=1), 1.0)
    numbers = learner.parameters()
    assert numbers
    assert all(isinstance(v, float) and np.isfinite(v) for v in numbers.values())
    # Its state in another learner says the same, and predictions leave the state alone.
    before = learner.state()
    other = make(kind, x, classes)
    other.load_state(before)
    again = other.predict(x[cut:])
    assert np.array_equal(again.value, prediction.value)
    assert learner.state() == before
    assert learner.size_bytes() == len(before)
    # The same training gives the same bits.
    twin = make(kind, x, classes)
    twin.fit(x[:cut], y[:cut])
    assert np.array_equal(twin.predict(x[cut:]).value, prediction.value)
    if prediction.proba is not None:
        assert np.array_equal(twin.predict(x[cut:]).proba, prediction.proba)
        assert np.array_equal(again.proba, prediction.proba)


@pytest.mark.parametrize("kind", REGRESSORS)
def test_every_regressor(kind):
    x, y = diabetes()
    own = {"mlp": {"epochs": 60}, "decision_tree": {"max_depth": 4}}
    learner = make(kind, x, 0, **own.get(kind, {}))
    assert np.isnan(learner.predict(x[:2]).value).all()
    learner.fit(x[:300], y[:300])
    prediction = learner.predict(x[300:])
    assert prediction.value.dtype == np.float64
    assert prediction.proba is None
    spread = np.abs(y[300:] - y[:300].mean()).mean()
    assert np.abs(prediction.value - y[300:]).mean() < 0.85 * spread
    assert learner.parameters()
    twin = make(kind, x, 0)
    twin.load_state(learner.state())
    assert np.array_equal(twin.predict(x[300:]).value, prediction.value)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_one_class_in_the_training_rows(kind):
    x, _ = cancer()
    learner = make(kind, x, 2)
    learner.fit(x[:60], np.ones(60, dtype=np.int64))
    prediction = learner.predict(x[60:80])
    assert (prediction.value == 1).all()
    if prediction.proba is not None:
        assert prediction.proba.shape == (20, 2)
        assert (prediction.proba[:, 1] > 0.5).all()
    other = make(kind, x, 2)
    other.load_state(learner.state())
    assert (other.predict(x[60:80]).value == 1).all()


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_a_class_that_training_never_saw(kind):
    x, y = wine()
    some = y != 1
    learner = make(kind, x, 3)
    learner.fit(x[some], y[some])
    prediction = learner.predict(x)
    assert set(prediction.value.tolist()) <= {0, 1, 2}
    assert (prediction.value[some] == y[some]).mean() > 0.85
    if prediction.proba is not None and not learner.online:
        assert (prediction.proba[:, 1] == 0).all()
    if learner.online:
        for _ in range(5):
            learner.learn(x, y, batch=10)
        assert 1 in learner.predict(x).value


@pytest.mark.parametrize("kind", ONLINE)
def test_trained_in_chunks(kind):
    x, y = cancer()
    learner = make(kind, x, 2)
    seen = []
    learner.fit_chunks(
        lambda: ((x[i : i + 100], y[i : i + 100]) for i in range(0, 500, 100)),
        3,
        lambda done, total, text="": seen.append((done, total)),
    )
    assert (learner.predict(x[500:]).value == y[500:]).mean() > 0.85
    assert seen[:2] == [(100, 0), (200, 0)]
    if kind == "naive_bayes":
        assert len(seen) == 5  # counts each row once
        whole = make(kind, x, 2)
        whole.fit(x[:500], y[:500])
        assert np.allclose(whole.predict(x).proba, learner.predict(x).proba, atol=1e-9)
    else:
        assert seen[-1] == (1500, 1500)


def test_what_cannot_be_trained_in_chunks_says_so():
    x, y = cancer()
    learner = make("random_forest", x, 2)
    with pytest.raises(LearnerError, match="needs all rows at once"):
        learner.fit_chunks(lambda: [(x, y)], 1)
    with pytest.raises(LearnerError, match="cannot learn row by row"):
        learner.learn(x, y)


def test_online_from_a_cold_start():
    x, y = wine()
    for kind in ONLINE:
        learner = make(kind, x, 3)
        assert learner.learn(x[:100], y[:100], batch=5) == 20
        prediction = learner.predict(x[100:])
        assert prediction.proba.shape == (len(y) - 100, 3)
        assert (prediction.value == y[100:]).mean() > 0.6


def test_naive_bayes_from_a_cold_start_knows_the_variance():
    """One row has no variance; scikit-learn alone would answer NaN and the first class for good."""
    rng = np.random.default_rng(SEED)
    rows = np.c_[rng.normal(size=(300, 2)), np.zeros(300)]  # and a column that never varies
    y = (rows[:, 0] > 0).astype(np.int64)
    inputs = Inputs(("a", "b", "c"), Task("classification", (0, 1), "y"), SEED)
    learner = build(LearnerSpec("naive_bayes"), inputs)
    right = 0
    for i in range(300):
        made = learner.predict(rows[i : i + 1])
        right += int(made.value[0] == y[i])
        assert i == 0 or np.isfinite(made.proba).all()
        learner.learn(rows[i : i + 1], y[i : i + 1])
    assert right > 260
    from sklearn.naive_bayes import GaussianNB

    # Where there is variance, it is scikit-learn's own.
    plain = GaussianNB().fit(rows, y)
    np.testing.assert_allclose(learner.estimator.var_[:, :2], plain.var_[:, :2], rtol=1e-6)


def test_a_network_follows_the_targets_units_from_a_cold_start():
    rng = np.random.default_rng(SEED)
    rows = rng.normal(size=(400, 2))
    y = 1e6 + 2e5 * rows[:, 0]
    learner = build(LearnerSpec("mlp"), Inputs(("a", "b"), Task("regression", (), "y"), SEED))
    half = build(LearnerSpec("mlp"), Inputs(("a", "b"), Task("regression", (), "y"), SEED))
    errors = []
    for i in range(400):
        errors.append(abs(float(learner.predict(rows[i : i + 1]).value[0]) - y[i]))
        learner.learn(rows[i : i + 1], y[i : i + 1])
        if i == 200:
            half.load_state(learner.state())
        if i > 200:
            half.learn(rows[i : i + 1], y[i : i + 1])
    assert np.mean(errors[-50:]) < 5e4  # the target's deviation is 2e5
    np.testing.assert_array_equal(half.predict(rows).value, learner.predict(rows).value)


def test_predictions_depend_on_the_rows_alone():
    x, y = cancer()
    for kind in CLASSIFIERS:
        learner = make(kind, x, 2)
        learner.fit(x[:300], y[:300])
        first = learner.predict(x[300:])
        learner.predict(x[:17])
        again = learner.predict(x[300:].copy())
        assert np.array_equal(first.value, again.value)
        if first.proba is not None:
            assert np.array_equal(first.proba, again.proba)


# ------------------------------------------------------------------ settings and refusals
def test_coefficients_by_column_and_class():
    x, y = cancer()
    learner = make("logistic_regression", x, 2)
    learner.fit(x, y)
    weights = learner.parameters()
    assert list(weights) == [*(f"x{i}" for i in range(30)), "intercept"]
    assert weights["x3"] == learner.estimator.coef_[0, 3]
    x, y = wine()
    learner = make("logistic_regression", x, 3)
    learner.fit(x, y)
    assert learner.parameters()["c: x2"] == learner.estimator.coef_[2, 2]
    assert learner.parameters()["b: intercept"] == learner.estimator.intercept_[1]
    assert set(learner.coefficients) == {f"{c}: x{i}" for c in "abc" for i in range(13)}


def test_sizes_of_trees():
    x, y = cancer()
    learner = make("decision_tree", x, 2, max_depth=4)
    learner.fit(x, y)
    tree = learner.estimator.tree_
    assert learner.parameters() == {
        "depth": tree.max_depth,
        "leaves": tree.n_leaves,
        "nodes": tree.node_count,
        "features used": len(set(tree.feature[tree.feature >= 0].tolist())),
    }
    assert sum(learner.feature_importance.values()) == pytest.approx(1.0)
    forest = make("random_forest", x, 2)
    forest.fit(x, y)
    assert forest.parameters()["trees"] == 12
    boosting = make("hist_gradient_boosting", x, 2)
    boosting.fit(x, y)
    assert boosting.parameters()["trees"] == 23
    assert boosting.feature_importance is None


def test_neighbours_keep_an_even_sample():
    x, y = diabetes()
    learner = make("knn", x, 0, max_rows=100)
    learner.fit(x, y)
    assert learner.parameters() == {"rows kept": 100.0}
    assert learner.heavy
    few = make("knn", x, 0)
    few.fit(x[:4], y[:4])  # fewer rows than neighbours
    assert np.allclose(few.predict(x[:10]).value, y[:4].mean())


def test_a_network_copes_with_the_targets_units():
    x, y = diabetes()
    small, large = (make("mlp", x, 0, learning_rate=0.01, epochs=40) for _ in range(2))
    small.fit(x, y)
    large.fit(x, y * 1e6 + 1e9)
    assert np.allclose(large.predict(x).value, small.predict(x).value * 1e6 + 1e9, rtol=1e-6)


def test_an_update_that_would_blow_up_is_refused():
    x, y = diabetes()
    learner = make("linear_sgd", x, 0, learning_rate=10.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert learner.learn(x[:5], y[:5]) == 5
        before = learner.estimator.coef_.copy()
        assert learner.learn(x[5:6] * 1e307, y[5:6]) == 0
    assert np.array_equal(learner.estimator.coef_, before)
    assert "refused" in learner.warnings[0]
    with pytest.raises(LearnerError, match=r"could not be trained: Floating-point under-/overflow"):
        learner.fit(x * 1e150, y)


def test_a_fit_can_be_cancelled():
    x, y = cancer()

    def give_up(done: float, total: float, text: str = "") -> None:
        if done >= 3:
            raise Cancelled

    for kind in ("random_forest", "hist_gradient_boosting", "mlp"):
        learner = make(kind, x, 2)
        with pytest.raises(Cancelled):
            learner.fit(x, y, give_up)
        assert learner.predict(x[:1]).value.tolist() == [-1]


def test_live_settings():
    x, y = cancer()
    learner = make("linear_sgd", x, 2)
    learner.fit(x, y)
    learner.set("learning_rate", 0.3)
    assert learner.estimator.eta0 == 0.3
    learner.fit(x, y)  # a retraining keeps what was set
    assert learner.estimator.eta0 == 0.3
    other = make("linear_sgd", x, 2)
    other.load_state(learner.state())
    other.fit(x, y)
    assert other.estimator.eta0 == 0.3
    for name, value in (("learning_rate", -1.0), ("learning_rate", "x"), ("alpha", 0.1)):
        with pytest.raises(LearnerError):
            learner.set(name, value)
    optimal = make("linear_sgd", x, 2, schedule="optimal")
    with pytest.raises(LearnerError, match="sets its own step size"):
        optimal.set("learning_rate", 0.1)


def test_no_labelled_row():
    x, y = cancer()
    with pytest.raises(LearnerError, match="no row with a label"):
        make("logistic_regression", x, 2).fit(x[:0], y[:0])
    with pytest.raises(LearnerError, match="no row with a label"):
        make("naive_bayes", x, 2).fit_chunks(list, 2)


# ------------------------------------------------------------------ any class by name
def test_any_class_by_name():
    from sklearn.ensemble import ExtraTreesClassifier

    x, y = wine()
    learner = make("sklearn", x, 3, class_name="ensemble.ExtraTreesClassifier", n_estimators=9)
    learner.fit(x, y)
    plain = ExtraTreesClassifier(9, random_state=SEED).fit(x, y)
    assert learner.view == "ordinal"
    assert np.array_equal(learner.predict(x).proba, plain.predict_proba(x))
    svc = make("sklearn", x, 3, class_name="svm.SVC", kernel="linear", C=0.5)
    svc.fit(x, y)
    assert svc.view == "scaled"
    assert svc.predict(x).proba is None
    assert (svc.predict(x).value == y).mean() > 0.95


def test_by_name_is_single_threaded_and_seeded():
    x, y = cancer()
    learner = make(
        "sklearn", x, 2, class_name="ensemble.BaggingClassifier", n_jobs=8, n_estimators=3
    )
    learner.fit(x, y)
    assert learner.estimator.n_jobs == 1
    assert learner.estimator.random_state == SEED
    own = make("sklearn", x, 2, class_name="tree.ExtraTreeClassifier", random_state=77)
    own.fit(x, y)
    assert own.estimator.random_state == 77


@pytest.mark.parametrize(
    ("name", "params", "says"),
    [
        ("os.system", {}, "not the name of a scikit-learn class"),
        ("utils.Bunch", {}, "no scikit-learn learners in a module"),
        ("ensemble._forest.ForestClassifier", {}, "not the name of a scikit-learn class"),
        ("ensemble.RandomForestClasifier", {}, "did you mean “ensemble.RandomForestClassifier”"),
        ("ensemble.IsolationForest", {}, "neither a classifier nor a regressor"),
        ("linear_model.Ridge", {}, "Ridge cannot do classification: it does regression only."),
        ("ensemble.StackingClassifier", {}, "built from other estimators"),
        ("svm.SVC", {"kernal": "rbf"}, "did you mean “kernel”"),
        ("svm.SVC", {"C": -1.0}, "'C' parameter"),
        ("svm.SVC", {"kernel": print}, "must be a number, true or false, or a text"),
        ("ensemble.AdaBoostClassifier", {"estimator": "os.system"}, "'estimator' parameter"),
    ],
)
def test_what_the_gate_refuses(name, params, says):
    _x, _ = cancer()
    with pytest.raises(LearnerError) as caught:
        build(
            LearnerSpec("sklearn", name, params),
            Inputs(("a",), Task("classification", ("n", "y"), "t"), 0),
        )
    assert says in caught.value.sentence


def test_an_error_of_the_library_is_one_sentence():
    x, y = wine()
    learner = make("sklearn", x, 3, class_name="naive_bayes.MultinomialNB")
    with pytest.raises(LearnerError) as caught:
        learner.fit(x, y)
    assert "could not be trained: Negative values" in caught.value.sentence


def test_one_thread_wherever_it_computes():
    import threading

    import threadpoolctl

    x, y = cancer()
    counts = []

    def work() -> None:
        learner = make("hist_gradient_boosting", x, 2)
        learner.fit(x, y)
        counts.extend(pool["num_threads"] for pool in threadpoolctl.threadpool_info())

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert counts
    assert set(counts) == {1}
