"""The river family: equal to river's own evaluation, deterministic, and gated."""

from __future__ import annotations

import copy
import csv
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modellab.errors import Cancelled, LearnerError
from modellab.experiment import LearnerSpec
from modellab.learners import river_fixes
from modellab.learners.base import Inputs, Learner, PrequentialLearner, Task
from modellab.learners.catalogue import CATALOGUE, build
from modellab.learners.gates import public_names, river_class, river_tasks
from modellab.learners.river_entries import river_name
from modellab.learners.river_family import RiverLearner

SEED = 11
KINDS = [e.kind for e in CATALOGUE.values() if e.family == "river" and e.kind != "river"]
CASES = [
    (kind, n)
    for kind in KINDS
    for n in (2, 3, 0)
    if ("classification" if n else "regression") in CATALOGUE[kind].tasks
]
SLOW = {
    "adaptive_random_forest": {"n_models": 3},
    "random_patches": {"n_models": 3},
    "leveraging_bagging": {"n_models": 3},
    "mondrian_forest": {"n_estimators": 3},
}
NEEDED = {
    "imblearn.HardSamplingClassifier": {"size": 20, "p": 0.3},
    "imblearn.HardSamplingRegressor": {"size": 20, "p": 0.3},
    "multiclass.OutputCodeClassifier": {"code_size": 6},
    "preprocessing.PredClipper": {"y_min": -300.0, "y_max": 300.0},
    "model_selection.SuccessiveHalvingClassifier": {"budget": 60},
    "model_selection.SuccessiveHalvingRegressor": {"budget": 60},
}


def inputs(row, n_classes, classes=None) -> Inputs:
    kind = "classification" if n_classes else "regression"
    names = classes or tuple("pqr"[:n_classes])
    return Inputs(tuple(row), Task(kind, names if n_classes else (), "y"), SEED)


def make(row, n_classes, kind="river", name=None, **params) -> RiverLearner:
    learner = build(LearnerSpec(kind, name, params), inputs(row, n_classes))
    assert isinstance(learner, RiverLearner)
    return learner


def numeric(n=600):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(n, 4)) * [1, 10, 100, 0.1]
    rows = [dict(zip("abcd", row, strict=True)) for row in x.tolist()]
    score = x[:, 0] + x[:, 1] / 10 + rng.normal(size=n) / 2
    return rows, (score > 0).astype(np.int64), np.digitize(score, [-0.7, 0.7]), score * 3 + 5


def mixed(n=300):
    rng = np.random.default_rng(9)
    colour = rng.integers(0, 3, n)
    flag = rng.random(n) < 0.5
    number = rng.normal(size=n) * 20
    rows = [
        {"n": v, "c": "rgb"[c], "f": bool(f)}
        for v, c, f in zip(number.tolist(), colour, flag, strict=True)
    ]
    y2 = ((number > 0) & (colour != 1)).astype(np.int64)
    return rows, y2, (y2 + (flag & (colour == 2))).astype(np.int64), number * 2 + 7 * colour


def target(n_classes, two, three, number):
    return {2: two, 3: three, 0: number}[n_classes]


def rivers_own(model, rows, y, labels):
    """River's progressive validation: predictions of each row before it is learned."""
    from river import evaluate, metrics

    metric = metrics.Accuracy() if labels else metrics.MAE()
    answers = [labels[i] if labels else float(i) for i in y]
    steps = evaluate.iter_progressive_val_score(
        zip(rows, answers, strict=True), model, metric, step=1, yield_predictions=True
    )
    predictions = [step["Prediction"] for step in steps]
    return predictions, metric.get()


def plain_model(kind, n_classes, params):
    """The same model, made by hand from river alone."""
    import importlib

    from river import neighbors, optim, preprocessing

    task = "classification" if n_classes else "regression"
    module, name = river_name(kind, task).split(".")
    found = getattr(importlib.import_module(f"river.{module}"), name)
    import inspect

    known = inspect.signature(found).parameters
    if "seed" in known:
        params = {**params, "seed": SEED}
    if kind == "river_linear":
        params = {"optimizer": optim.SGD(0.01 if n_classes else 0.001)}
    if kind == "online_naive_bayes":
        params = {"grace_period": 10**9, "leaf_prediction": "nb"}
    if kind == "sliding_window_knn":
        params = {"engine": neighbors.LazySearch(window_size=1000)}
    if kind == "leveraging_bagging":
        from river import tree

        params = {**params, "model": tree.HoeffdingTreeClassifier()}
    model = found(**params)
    scaled = module in ("linear_model", "neighbors", "rules") or (
        not n_classes and "AMF" not in name
    )
    return preprocessing.StandardScaler() | model if scaled else model


@pytest.mark.parametrize(("kind", "n_classes"), CASES)
def test_equals_rivers_own_evaluation_to_the_last_digit(kind, n_classes):
    rows, *targets = numeric(400)
    y = target(n_classes, *targets)
    params = SLOW.get(kind, {})
    learner = make(rows[0], n_classes, kind, **params)
    plain = plain_model(kind, n_classes, params)
    from river import multiclass

    labels = None
    if n_classes == 2:
        labels = [False, True]
    elif n_classes == 3:
        labels = [0, 1, 2]
        final = plain[list(plain.steps)[-1]] if hasattr(plain, "steps") else plain
        if not final._multiclass:
            from river import preprocessing

            plain = preprocessing.StandardScaler() | multiclass.OneVsRestClassifier(final)
    own, score = rivers_own(plain, rows, y, labels)
    prediction, updates = learner.run(
        rows, rows, y, np.arange(1, len(y) + 1, dtype=np.int64), 1, 1, False
    )
    assert updates == len(y)
    if n_classes:
        wanted = [-1 if p is None else labels.index(p) for p in own]
        assert prediction.value.tolist() == wanted
        answered = prediction.value >= 0
        assert (prediction.value[answered] == y[answered]).mean() == score
        assert (prediction.value == y).mean() > 0.5
    else:
        wanted = np.array([np.nan if p is None else float(p) for p in own])
        assert np.array_equal(prediction.value, wanted, equal_nan=True)
        assert np.nanmean(np.abs(prediction.value - y)) == pytest.approx(score, rel=1e-12)


def test_probabilities_are_rivers():
    from river import linear_model, preprocessing

    rows, y, *_ = numeric(300)
    learner = make(rows[0], 2, "river_linear")
    plain = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    proba = learner.run(rows, rows, y, np.arange(1, 301), 1, 1, False)[0].proba
    for row, label, found in zip(rows, y, proba, strict=True):
        own = plain.predict_proba_one(row)
        assert found.tolist() == [own[False], own[True]]
        plain.learn_one(row, bool(label))


def electricity_rows(path: Path):
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    rows = [{k: float(v) for k, v in line.items() if k != "class"} for line in lines]
    return rows, [line["class"] for line in lines]


@pytest.mark.parametrize(
    ("name", "params", "stop"),
    [
        ("linear_model.LogisticRegression", {}, None),
        ("linear_model.ALMAClassifier", {}, 8000),
        ("tree.HoeffdingTreeClassifier", {"grace_period": 50}, 8000),
    ],
)
def test_electricity_as_river_scores_it(electricity, name, params, stop):
    import importlib

    from river import preprocessing

    rows, texts = (part[:stop] for part in electricity_rows(electricity))
    classes = ("DOWN", "UP")
    y = np.array([classes.index(t) for t in texts])
    learner = build(LearnerSpec("river", name, params), inputs(rows[0], 2, classes))
    assert isinstance(learner, RiverLearner)
    prediction, _ = learner.run(rows, rows, y, np.arange(1, len(y) + 1), 1, 1, False)
    module, found = name.split(".")
    plain = getattr(importlib.import_module(f"river.{module}"), found)(**params)
    labels = list(classes)
    if module == "linear_model":
        plain = preprocessing.StandardScaler() | plain
        labels = [False, True]  # it knows two truth values only
    own, score = rivers_own(plain, rows, y, labels)
    answered = prediction.value >= 0
    assert prediction.value.tolist() == [-1 if p is None else labels.index(p) for p in own]
    assert (prediction.value[answered] == y[answered]).mean() == score


# ------------------------------------------------------------------ every class by name
@pytest.mark.parametrize("name", public_names("river"))
def test_every_class_by_name(name):
    """Builds, learns mixed columns, predicts without changing anything, survives its state."""
    if name == "misc.ZstdClassifier" and sys.version_info < (3, 14):
        with pytest.raises(LearnerError, match=r"requires Python 3\.14"):
            make({"n": 1.0}, 2, name=name)
        return
    rows, *targets = mixed(150)
    regression = "regression" in river_tasks(river_class(name))
    for n_classes in (0,) if regression else (2, 3):
        y = target(n_classes, *targets)
        if "MultinomialNB" in name or "ComplementNB" in name:  # these count things
            rows = [{**row, "n": abs(row["n"])} for row in rows]
        copies = [dict(row) for row in rows]
        learner = make(rows[0], n_classes, name=name, **NEEDED.get(name, {}))
        assert isinstance(learner, Learner)
        assert isinstance(learner, PrequentialLearner)
        learner.learn(rows[:100], y[:100])
        state = learner.state()
        first = learner.predict(rows[100:])
        again = learner.predict(rows[100:])
        assert np.array_equal(first.value, again.value, equal_nan=bool(not n_classes))
        twin = make(rows[0], n_classes, name=name, **NEEDED.get(name, {}))
        twin.load_state(state)
        assert np.array_equal(twin.predict(rows[100:]).value, first.value, equal_nan=not n_classes)
        # One that predicted and one that did not learn the same from what follows.
        learner.learn(rows[100:], y[100:])
        twin.learn(rows[100:120], y[100:120])
        twin.learn(rows[120:], y[120:])
        ours, theirs = learner.predict(rows), twin.predict(rows)
        assert np.array_equal(ours.value, theirs.value, equal_nan=not n_classes)
        if n_classes:
            assert set(ours.value.tolist()) <= set(range(n_classes))
            if ours.proba is not None:
                assert ours.proba.shape == (len(rows), n_classes)
        assert all(np.isfinite(v) or "facto" in name for v in learner.parameters().values())
        assert rows == copies  # the rows are shared with other lanes


PROGRAM = """
import hashlib
import random
import numpy as np
from modellab.learners.base import Inputs, Task
from modellab.learners.river_family import build

random.seed(4)
rows = [{"n": random.gauss(0, 20), "c": random.choice("rgb")} for _ in range(300)]
y = np.array([(r["n"] > 0) + (r["c"] == "g") for r in rows])
inputs = Inputs(("n", "c"), Task("classification", ("p", "q", "r"), "y"), 1)
digest = hashlib.sha256()
for name in ("tree.HoeffdingAdaptiveTreeClassifier", "neighbors.KNNClassifier",
             "tree.HoeffdingTreeClassifier", "linear_model.LogisticRegression"):
    learner = build("t", inputs, name, {"grace_period": 20} if "tree" in name else {})
    found = learner.run(rows, rows, y, np.arange(1, len(y) + 1), 1, 1, False)[0]
    digest.update(found.value.tobytes() + found.proba.tobytes())
    digest.update(b"%d" % learner.size_bytes())
print(digest.hexdigest())
"""


def test_the_same_in_every_process_whatever_the_hash_seed():
    found = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        found.add(done.stdout.strip())
    assert len(found) == 1


# ------------------------------------------------------------------ the loop of its own
@given(
    cuts=st.lists(st.integers(1, 59), max_size=4, unique=True),
    delay=st.integers(0, 12),
    every=st.integers(1, 7),
)
def test_any_cut_into_calls_gives_the_same_bits(cuts, delay, every):
    rows, y, *_ = numeric(60)
    known = np.clip(np.arange(1, 61) - delay, 0, None)

    def run(edges):
        learner = make(rows[0], 2, "river_linear", learning_rate=0.3)
        values, updates, taken = [], 0, 0
        for a, b in zip([0, *edges], [*edges, 60], strict=True):
            upto = known[a:b] - taken
            arriving = slice(taken, int(known[b - 1]))
            found, count = learner.run(
                rows[a:b], rows[arriving], y[arriving], upto, every, 1, False
            )
            taken = int(known[b - 1])
            values.append(found.proba)
            updates += count
        return np.concatenate(values), updates, learner.state()

    whole, parts = run([]), run(sorted(cuts))
    assert np.array_equal(whole[0], parts[0])
    assert whole[1:] == parts[1:]
    # And the same as predicting and learning by hand.
    learner = make(rows[0], 2, "river_linear", learning_rate=0.3)
    learned = 0
    for i in range(60):
        assert np.array_equal(learner.predict(rows[i : i + 1]).proba[0], whole[0][i])
        due = int(known[i]) // every * every
        learner.learn(rows[learned:due], y[learned:due])
        learned = due
    assert whole[1] == learned


def test_waiting_rows_come_first_when_the_cadence_changes():
    rows, y, *_ = numeric(60)
    one, other = (make(rows[0], 2, "river_linear") for _ in range(2))
    one.run(rows[:5], rows[:5], y[:5], np.arange(1, 6), 10, 1, False)
    one.run(rows[5:7], rows[5:7], y[5:7], np.arange(1, 3), 1, 1, False)
    other.learn(rows[:7], y[:7])
    assert one.parameters() == other.parameters()


def test_frozen_learns_nothing():
    rows, y, *_ = numeric(60)
    learner = make(rows[0], 2, "river_linear")
    learner.learn(rows[:30], y[:30])
    before = learner.state()
    _, updates = learner.run(rows[30:], rows[30:], y[30:], np.arange(1, 31), 1, 1, True)
    assert updates == 0
    assert learner.state() == before


# ------------------------------------------------------------------ training, settings, reading
def test_fit_learns_all_rows_in_order_from_scratch():
    rows, y, *_ = numeric(300)
    one, other, third = (make(rows[0], 2, "hoeffding_tree", grace_period=20) for _ in range(3))
    one.learn(rows, y)
    other.learn(rows[:50], 1 - y[:50])
    other.fit(rows, y)
    third.fit_chunks(lambda: ((rows[i : i + 7], y[i : i + 7]) for i in range(0, 300, 7)), 1)
    assert one.predict(rows).proba.tolist() == other.predict(rows).proba.tolist()
    assert one.predict(rows).proba.tolist() == third.predict(rows).proba.tolist()
    assert one.parameters() == other.parameters()


def test_a_fit_tells_how_far_it_is_and_can_be_cancelled():
    rows, y, *_ = numeric(600)
    seen = []

    def give_up(done: float, total: float, text: str = "") -> None:
        seen.append(done)
        raise Cancelled

    with pytest.raises(Cancelled):
        make(rows[0], 2, "hoeffding_tree").fit(rows * 4, np.tile(y, 4), give_up)
    assert seen == [1024]
    with pytest.raises(LearnerError, match="no row with a label"):
        make(rows[0], 2, "hoeffding_tree").fit([], y[:0])


def test_before_any_row_there_is_no_answer():
    rows, _y, *_ = numeric(10)
    tree = make(rows[0], 2, "hoeffding_tree")
    assert tree.parameters() == {}
    prediction = tree.predict(rows)
    assert prediction.value.tolist() == [-1] * 10
    assert np.isnan(prediction.proba).all()
    assert len(tree.predict([])) == 0


def test_the_step_size_moves_in_flight():
    from river import linear_model, optim, preprocessing

    rows, y, *_ = numeric(200)
    learner = make(rows[0], 2, "river_linear", learning_rate=0.1)
    plain = preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.1))
    for i, (row, label) in enumerate(zip(rows, y, strict=True)):
        if i == 100:
            learner.set("learning_rate", 0.7)
            plain["LogisticRegression"].optimizer.lr = optim.schedulers.Constant(0.7)
        learner.learn([row], np.array([label]))
        plain.learn_one(row, bool(label))
    final = plain["LogisticRegression"]
    assert learner.parameters() == {**final.weights, "intercept": final.intercept}
    learner.fit(rows, y)  # a retraining keeps what was set
    assert learner.model["LogisticRegression"].optimizer.learning_rate == 0.7
    several = make(rows[0], 3, "river_linear")
    several.learn(rows, np.array([0, 1, 2, 1] * 50))
    several.set("learning_rate", 0.2)
    for each in several.model["OneVsRestClassifier"].classifiers.values():
        assert each.optimizer.learning_rate == 0.2
    for name, value in (("learning_rate", 0), ("learning_rate", True), ("grace_period", 5)):
        with pytest.raises(LearnerError):
            several.set(name, value)


def test_weights_by_class_and_column():
    rows, _, y, _ = numeric(100)
    learner = make(rows[0], 3, "river_linear")
    learner.learn(rows, y)
    wanted = {f"{c}: {n}" for c in "pqr" for n in [*"abcd", "intercept"]}
    assert set(learner.parameters()) == wanted
    assert set(learner.coefficients) == {n for n in wanted if "intercept" not in n}
    softmax = make(rows[0], 3, name="linear_model.SoftmaxRegression")
    softmax.learn(rows, y)
    assert set(softmax.coefficients) == {f"{c}: {n}" for c in "pqr" for n in "abcd"}


def test_sizes_of_trees_and_forests():
    rows, y, *_ = numeric(600)
    tree = make(rows[0], 2, "hoeffding_tree", grace_period=20, delta=0.1)
    tree.learn(rows, y)
    model = tree.model
    assert model.n_leaves > 1
    assert tree.parameters() == {
        "depth": model.height,
        "leaves": model.n_leaves,
        "nodes": model.n_nodes,
        "features used": tree.parameters()["features used"],
    }
    assert 1 <= tree.parameters()["features used"] <= 4
    forest = make(rows[0], 2, "adaptive_random_forest", n_models=3)
    forest.learn(rows, y)
    assert forest.parameters()["trees"] == 3
    assert forest.parameters()["nodes"] == sum(m.n_nodes for m in forest.model)
    voting = make(rows[0], 2, name="ensemble.VotingClassifier")
    voting.learn(rows, y)
    assert voting.parameters() == {}  # not all of its members are trees


def test_scaling_can_be_overruled():
    rows, y, *_ = mixed()
    for scale, name, there in (
        ("auto", "linear_model.LogisticRegression", True),
        (False, "linear_model.LogisticRegression", False),
        ("auto", "tree.HoeffdingTreeClassifier", False),
        (True, "tree.HoeffdingTreeClassifier", True),
    ):
        learner = make(rows[0], 2, name=name, scale=scale)
        learner.learn(rows, y)
        assert ("StandardScaler" in str(learner.model)) is there
    with pytest.raises(LearnerError, match="scale must be"):
        make(rows[0], 2, name="linear_model.LogisticRegression", scale=1)


def test_regression_trees_take_categories_as_they_are():
    rows, _, _, y = mixed()
    tree = make(rows[0], 0, "hoeffding_tree", grace_period=30, delta=0.1)
    tree.learn(rows, y)
    assert tree.parameters()["leaves"] > 1
    assert "OneHotEncoder" not in str(tree.model)
    spread = np.abs(y - y.mean()).mean()
    assert np.abs(tree.predict(rows).value - y).mean() < 0.3 * spread
    words = [{"c": row["c"]} for row in rows]
    alone = make(words[0], 0, "hoeffding_tree")
    alone.learn(words, y)
    assert np.isfinite(alone.predict(words).value).all()


def test_a_search_tree_as_deep_as_its_column_is_long_can_be_kept():
    # Numbers that only grow, not scaled: each is one level deeper than the one before.
    rows = [{"t": float(i)} for i in range(3000)]
    y = np.sin(np.arange(3000))
    learner = make(rows[0], 0, name="tree.HoeffdingTreeRegressor", scale=False, grace_period=9999)
    learner.learn(rows, y)
    limit = sys.getrecursionlimit()
    twin = make(rows[0], 0, name="tree.HoeffdingTreeRegressor", scale=False, grace_period=9999)
    twin.load_state(learner.state())
    assert sys.getrecursionlimit() == limit
    assert twin.predict(rows).value.tolist() == learner.predict(rows).value.tolist()


# ------------------------------------------------------------------ the gate
@pytest.mark.parametrize(
    ("name", "params", "says"),
    [
        ("os.system", {}, "not the name of a river class"),
        ("datasets.Phishing", {}, "no river learners in a module"),
        ("tree.HoefdingTreeClassifier", {}, "did you mean “tree.HoeffdingTreeClassifier”"),
        ("tree.HoeffdingTreeRegressor", {}, "does regression only"),
        ("tree.iSOUPTreeRegressor", {}, "not the name"),
        ("tree.ISOUPTreeRegressor", {}, "several targets"),
        ("compat.SKL2RiverClassifier", {}, "no river learners in a module"),
        ("preprocessing.StandardScaler", {}, "neither a classifier nor a regressor"),
        ("tree.HoeffdingTreeClassifier", {"grace_perod": 5}, "did you mean “grace_period”"),
        ("tree.HoeffdingTreeClassifier", {"splitter": print}, "must be a number, true or false"),
        ("ensemble.BaggingClassifier", {"model": "os.system"}, "not the name of a river class"),
        ("linear_model.LogisticRegression", {"optimizer": "AdaGard"}, "did you mean “AdaGrad”"),
        ("linear_model.LogisticRegression", {"learning_rate": -1}, "above 0"),
        ("drift.DriftRetrainingClassifier", {"drift_detector": "x"}, "no drift detector"),
        ("imblearn.HardSamplingClassifier", {}, "needs the setting “size”"),
        ("tree.HoeffdingTreeClassifier", {"leaf_prediction": 5, "delta": "x"}, ""),
    ],
)
def test_what_the_gate_refuses(name, params, says):
    rows = [{"a": float(i % 7)} for i in range(900)]
    y = np.array([i % 7 > 3 for i in range(900)], dtype=np.int64)
    spec, given = LearnerSpec("river", name, params), inputs({"a": 1.0}, 2)
    with pytest.raises(LearnerError) as caught:
        build(spec, given).learn(rows, y)
    assert says in caught.value.sentence


def test_parts_can_be_named():
    rows, y, *_ = numeric(200)
    learner = make(
        rows[0], 2, name="ensemble.BaggingClassifier", model="linear_model.PAClassifier", n_models=2
    )
    learner.learn(rows, y)
    assert "StandardScaler" in str(learner.model)
    assert "PAClassifier" in repr(learner.model)
    adam = make(rows[0], 2, name="linear_model.LogisticRegression", optimizer="adam")
    adam.learn(rows, y)
    assert "Adam" in repr(adam.model)
    alarm = make(rows[0], 2, name="drift.DriftRetrainingClassifier", drift_detector="DDM")
    alarm.learn(rows, y)
    assert "DDM" in repr(alarm.model)


def test_a_trees_state_holds_no_noise() -> None:
    """The same model has the same bytes; river's distributions bring no unseeded numbers along."""
    rng = np.random.default_rng(SEED)
    rows = [{"a": float(a), "b": float(b), "c": str(c)} for a, b, c in rng.integers(0, 9, (600, 3))]
    y = np.array([int(r["a"] > r["b"]) for r in rows])
    inputs = Inputs(("a", "b", "c"), Task("classification", (0, 1), "y"), SEED)
    states = []
    for _ in range(2):
        learner = build(LearnerSpec("hoeffding_adaptive_tree"), inputs)
        learner.fit(rows, y)
        states.append(learner.state())
    assert states[0] == states[1]
    assert len(states[0]) < 20_000  # 2.5 kB more for each column and class of a leaf before


def test_a_distribution_without_a_seed_can_be_drawn_from() -> None:
    from river import proba

    river_fixes.apply()
    first, second = proba.Gaussian(), proba.Gaussian()
    for value in (1.0, 2.0, 4.0):
        first.update(value)
        second.update(value)
    first = pickle.loads(pickle.dumps(copy.deepcopy(first)))
    drawn = [first.sample() for _ in range(3)]
    assert drawn == [second.sample() for _ in range(3)]
    assert len(set(drawn)) == 3
    assert proba.Gaussian(seed=5)._rng.random() == random.Random(5).random()
