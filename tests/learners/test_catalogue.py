"""The catalogue: complete, honest, light to import, and strict about settings."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from modellab.errors import LearnerError
from modellab.experiment import LearnerSpec
from modellab.learners.base import Inputs, Learner, Task
from modellab.learners.catalogue import (
    CATALOGUE,
    as_plain,
    build,
    entry,
    for_task,
    parameters_for,
    view_of,
)
from modellab.learners.compiled.linear_settings import PASSIVE_AGGRESSIVE
from modellab.learners.gates import public_names

TASKS = {
    "classification": Task("classification", ("no", "yes"), "y"),
    "regression": Task("regression", (), "y"),
}
NAMED = [e for e in CATALOGUE.values() if e.kind not in ("river", "sklearn")]


def test_what_an_issue_asks_for_is_there():
    kinds = {t: {e.kind for e in for_task(t)} for t in TASKS}
    assert kinds["classification"] >= {
        "logistic_regression", "naive_bayes", "decision_tree", "random_forest",
        "hist_gradient_boosting", "linear_svm", "knn", "mlp", "linear_sgd", "linear",
        "hoeffding_tree", "hoeffding_adaptive_tree", "adaptive_random_forest",
        "compiled_hoeffding_tree", "compiled_hoeffding_adaptive_tree", "compiled_adaptive_forest",
        "compiled_leveraging_bagging", "compiled_online_bagging", "compiled_naive_bayes",
        "compiled_window_knn", "compiled_multinomial_bayes",
        "majority_class", "no_change", "river", "sklearn",
    }  # fmt: skip
    assert kinds["regression"] >= {
        "ridge", "decision_tree", "random_forest", "hist_gradient_boosting", "knn", "mlp",
        "linear_sgd", "linear", "hoeffding_tree", "adaptive_random_forest", "running_mean",
        "last_value", "river", "sklearn", "compiled_regression_tree", "compiled_window_knn",
        "compiled_matrix_factorisation",
    }  # fmt: skip


def test_titles_tell_a_compiled_learner_from_rivers():
    titles = [line.title for line in CATALOGUE.values()]
    assert len(titles) == len(set(titles))
    for line in CATALOGUE.values():
        if line.kind.startswith("compiled_"):
            assert line.family == "compiled"
            assert "river" not in line.title


def test_importing_it_imports_no_library_of_models():
    program = (
        "import sys, modellab.learners.catalogue as c; c.as_plain();"
        "print([m for m in ('sklearn', 'river', 'scipy', 'pandas', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("line", NAMED, ids=lambda e: e.kind)
def test_every_line_builds_with_its_defaults_and_limits(line, task):
    inputs = Inputs(("a", "b"), TASKS[task], 3)
    if task not in line.tasks:
        assert line.why_not[task]
        with pytest.raises(LearnerError, match="cannot do"):
            build(LearnerSpec(line.kind), inputs)
        return
    learner = build(LearnerSpec(line.kind), inputs)
    assert isinstance(learner, Learner)
    assert learner.view == line.view == view_of(LearnerSpec(line.kind))
    for p in parameters_for(line.kind, task):
        assert p.title
        assert p.help.endswith(".")
        given = [p.low, p.high] if p.kind in ("int", "float") else list(p.choices) or [True, False]
        assert all(v is not None for v in given)
        if p.default is not None and p.kind in ("int", "float"):
            assert p.low <= p.default <= p.high
            assert not p.log or p.low >= 0
        for value in given:
            settings = {p.name: value}
            if p.name in ("schedule", "track_rates"):
                settings["track_rates"] = False  # not with every schedule
            if line.kind == "linear" and value in PASSIVE_AGGRESSIVE:  # with its own loss only
                settings["loss"] = "hinge" if task == "classification" else "epsilon_insensitive"
            if line.family == "scikit-learn" or line.family == "river":
                settings.pop("track_rates", None)
            build(LearnerSpec(line.kind, params=settings), inputs)
        for wrong in (object(), [], "no such thing"):
            with pytest.raises(LearnerError, match=p.name):
                build(LearnerSpec(line.kind, params={p.name: wrong}), inputs)
        if p.kind in ("int", "float"):
            for wrong in (p.low - 1, p.high * 2 + 1, float("nan"), True):
                with pytest.raises(LearnerError, match=p.name):
                    build(LearnerSpec(line.kind, params={p.name: wrong}), inputs)


@pytest.mark.parametrize("line", NAMED, ids=lambda e: e.kind)
def test_what_it_claims_to_be_able_to_do_it_can(line):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 2))
    for task in line.tasks:
        y = (x[:, 0] > 0).astype(np.int64) if task == "classification" else x[:, 0] * 2
        rows = x
        if line.view == "dict":
            rows = [{"a": a, "b": b} for a, b in x.tolist()]
        learner = build(LearnerSpec(line.kind), Inputs(("a", "b"), TASKS[task], 3))
        learner.fit(rows, y)
        assert len(learner.predict(rows)) == 120
        assert isinstance(learner.parameters(), dict)
        if line.online:
            assert learner.learn(rows[:10], y[:10]) >= 1
        else:
            assert line.why_not["online"].endswith(".")
            with pytest.raises(LearnerError):
                learner.learn(rows[:10], y[:10])
        if line.chunks:
            learner.fit_chunks(lambda r=rows, t=y: [(r[:60], t[:60]), (r[60:], t[60:])], 2)
        else:
            assert line.why_not["chunks"].endswith(".")
            with pytest.raises(LearnerError):
                learner.fit_chunks(lambda r=rows, t=y: [(r, t)], 1)
        live = [p.name for p in line.parameters if p.live and p.name == "learning_rate"]
        for name in live:
            learner.set(name, 0.02)


def test_losses_are_those_of_the_task():
    for kind in ("linear", "linear_sgd"):
        for task, default, foreign in (
            ("classification", "log", "squared"),
            ("regression", "squared", "log"),
        ):
            loss = next(p for p in parameters_for(kind, task) if p.name == "loss")
            assert loss.default == default
            assert "auto" not in loss.choices
            assert foreign not in loss.choices
            inputs = Inputs(("a",), TASKS[task], 0)
            with pytest.raises(LearnerError, match="loss must be one of"):
                build(LearnerSpec(kind, params={"loss": foreign}), inputs)
    assert "class_weight" not in {p.name for p in parameters_for("random_forest", "regression")}
    with pytest.raises(LearnerError, match="only for classification"):
        build(
            LearnerSpec("random_forest", params={"class_weight": "balanced"}),
            Inputs(("a",), TASKS["regression"], 0),
        )


def test_wrong_names_name_the_nearest():
    inputs = Inputs(("a",), TASKS["classification"], 0)
    for spec, says in (
        (LearnerSpec("logistic_regresion"), "did you mean “logistic_regression”"),
        (LearnerSpec("knn", params={"n_neighbours": 5}), "did you mean “n_neighbors”"),
        (LearnerSpec("zzz"), "There is no learner called “zzz”"),
        (LearnerSpec("knn", "svm.SVC"), "takes no class name"),
        (LearnerSpec("river"), "needs a class"),
        (LearnerSpec("sklearn"), "needs a class"),
        (LearnerSpec("ridge"), "cannot do classification"),
        (LearnerSpec("naive_bayes", params={"zzz": 1}), "It has: var_smoothing."),
    ):
        with pytest.raises(LearnerError) as caught:
            build(spec, inputs)
        assert says in caught.value.sentence


def test_what_a_class_by_name_can_do_is_looked_up():
    forest = entry(LearnerSpec("sklearn", "ensemble.RandomForestRegressor"))
    assert (forest.tasks, forest.view, forest.online) == (("regression",), "ordinal", False)
    assert forest.why_not["online"]
    sgd = entry(LearnerSpec("sklearn", "linear_model.SGDClassifier"))
    assert (sgd.tasks, sgd.view, sgd.online) == (("classification",), "scaled", True)
    tree = entry(LearnerSpec("river", "tree.HoeffdingTreeRegressor"))
    assert (tree.tasks, tree.view, tree.title) == (
        ("regression",),
        "dict",
        "HoeffdingTreeRegressor",
    )
    assert view_of(LearnerSpec("linear", params={"scale": "none"})) == "scaled"
    assert view_of(LearnerSpec("linear")) == "raw"


def test_nothing_but_learners_gets_through_the_gates():
    from river import base
    from sklearn.base import ClassifierMixin, RegressorMixin

    from modellab.learners import gates

    for library, gate, kinds in (
        ("sklearn", gates.sklearn_class, (ClassifierMixin, RegressorMixin)),
        ("river", gates.river_class, (base.Classifier, base.Regressor)),
    ):
        names = public_names(library)
        assert len(names) > 60
        for name in names:
            found = gate(name)
            assert issubclass(found, kinds)
            assert found.__module__.split(".")[0] == library
    for name in ("__builtins__.exec", "linear_model.os", "tree..X", "base.Classifier", "", "X"):
        for gate in (gates.sklearn_class, gates.river_class):
            with pytest.raises(LearnerError):
                gate(name)


def test_as_json():
    plain = json.loads(json.dumps(as_plain()))
    assert [line["name"] for line in plain] == list(CATALOGUE)
    forest = next(line for line in plain if line["name"] == "random_forest")
    assert forest["tasks"] == ["classification", "regression"]
    trees = next(p for p in forest["parameters"] if p["name"] == "n_estimators")
    assert (trees["default"], trees["low"], trees["high"], trees["kind"]) == (100, 1, 5000, "int")
