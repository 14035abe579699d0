"""The compiled linear family behind the protocol: fits, streams, settings, state, real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modellab.errors import Cancelled, LearnerError
from modellab.learners import linear, passes
from modellab.learners.base import Inputs, Learner, Prediction, PrequentialLearner, Task, TaskKind
from modellab.learners.linear import ENTRY, PARAMETERS, LinearLearner

TWO = Task("classification", ("no", "yes"), "late")
FOUR = Task("classification", ("a", "b", "c", "d"), "kind")
NUMBER = Task("regression", (), "delay")


def inputs(task: Task = TWO, d: int = 4) -> Inputs:
    return Inputs(tuple(f"x{j}" for j in range(d)), task)


def learner(task: Task = TWO, d: int = 4, **params: Any) -> LinearLearner:
    return LinearLearner(inputs(task, d), params)


def stream(task: Task = TWO, n: int = 600, d: int = 4, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d)) * 3.0 + 1.0
    if task.kind == "regression":
        return rows, rows @ rng.normal(size=d) + rng.normal(size=n)
    values = rows @ rng.normal(size=(d, task.n_classes)) + rng.normal(size=(n, task.n_classes))
    return rows, np.argmax(values, axis=1).astype(np.int64)


def replay(
    model: LinearLearner, rows: Any, y: Any, *, every: int = 1, batch: int = 1, frozen: bool = False
) -> tuple[Prediction, int]:
    return model.run(rows, rows, y, np.arange(1, len(rows) + 1), every, batch, frozen)


def same(a: Prediction, b: Prediction) -> bool:
    if (a.proba is None) != (b.proba is None):
        return False
    proba = a.proba is None or b.proba is None or a.proba.tobytes() == b.proba.tobytes()
    return bool(a.value.tobytes() == b.value.tobytes() and proba)


def test_it_is_a_learner_with_its_own_loop() -> None:
    model = learner()
    assert isinstance(model, Learner)
    assert isinstance(model, PrequentialLearner)
    assert model.view == ENTRY.view == "raw"
    assert learner(scale="none").view == "scaled" == linear.view_of({"scale": "none"})
    assert linear.view_of({}) == "raw"


@pytest.mark.parametrize("task", [TWO, FOUR, NUMBER])
def test_the_catalogue_builds_it_with_its_defaults(task: Task) -> None:
    rows, y = stream(task)
    # The default step for regression is a careful one: it takes more than one pass of 600 rows.
    model = ENTRY.build(inputs(task), {"passes": 10} if task.kind == "regression" else {})
    model.fit(rows, y)
    predicted = model.predict(rows).value
    if task.kind == "classification":
        assert predicted.dtype == np.int64
        assert (predicted == y).mean() > 0.75
    else:
        assert np.abs(predicted - y).mean() < 0.5 * np.abs(y - y.mean()).mean()


# ------------------------------------------------------------------ training


@pytest.mark.parametrize("scale", ["none", "online"])
def test_a_fit_is_passes_in_order_and_the_scaler_sees_each_row_once(scale: str) -> None:
    rows, y = stream(n=500)
    model = learner(scale=scale, passes=3)
    model.fit(rows, y)
    by_hand = learner(scale=scale)
    by_hand.learn(rows, y)
    if scale == "none":
        by_hand.learn(rows, y)
        by_hand.learn(rows, y)
    else:
        mean, deviation = rows.mean(axis=0), rows.std(axis=0)
        standardised = learner(scale="none")
        standardised._kernel._arrays["weights"][...] = by_hand._kernel._arrays["weights"]
        standardised._kernel._arrays["bias"][...] = by_hand._kernel._arrays["bias"]
        standardised.learn((rows - mean) / deviation, y)
        standardised.learn((rows - mean) / deviation, y)
        by_hand = standardised
    for name, value in by_hand.parameters().items():
        assert model.parameters()[name] == pytest.approx(value, abs=1e-10)


def test_out_of_core_equals_in_core_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "FIT_ROWS", 64)
    rows, y = stream(FOUR, 500)
    whole = learner(FOUR, passes=2)
    whole.fit(rows, y)
    chunked = learner(FOUR, passes=2)
    chunked.fit_chunks(
        lambda: ((rows[a : a + 77], y[a : a + 77]) for a in range(0, 500, 77)), passes=2
    )
    assert whole.state() == chunked.state()


def test_a_fit_forgets_what_was_learned_before() -> None:
    rows, y = stream()
    fresh, used = learner(), learner()
    replay(used, rows[::-1].copy(), y, every=7)
    fresh.fit(rows, y)
    used.fit(rows, y)
    assert fresh.state() == used.state()


def test_progress_is_told_and_a_fit_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "FIT_ROWS", 200)
    rows, y = stream()
    told: list[tuple[float, float]] = []
    learner(passes=2).fit(rows, y, lambda done, total, text="": told.append((done, total)))
    assert told == [(d, 1200) for d in (200, 400, 600, 800, 1000, 1200)]

    def give_up(done: float, total: float, text: str = "") -> None:
        if done >= 400:
            raise Cancelled

    with pytest.raises(Cancelled):
        learner().fit(rows, y, give_up)


def test_no_rows_to_train_on_is_told() -> None:
    with pytest.raises(LearnerError, match="no row with a label"):
        learner().fit(np.zeros((0, 4)), np.zeros(0, np.int64))


# ------------------------------------------------------------------ predictions


@pytest.mark.parametrize("loss", ["log", "modified_huber"])
@pytest.mark.parametrize("task", [TWO, FOUR])
def test_probabilities_equal_sklearn(loss: str, task: Task) -> None:
    from sklearn.linear_model import SGDClassifier

    rows, y = stream(task, 300)
    model = learner(task, loss=loss, scale="none", penalty="none", learning_rate=0.05)
    reference = SGDClassifier(
        loss="log_loss" if loss == "log" else loss,
        penalty=None,
        learning_rate="constant",
        eta0=0.05,
    )
    model.learn(rows, y)
    for i in range(300):
        reference.partial_fit(rows[i : i + 1], y[i : i + 1], classes=np.arange(task.n_classes))
    found = model.predict(rows)
    assert found.proba is not None
    assert np.abs(found.proba - reference.predict_proba(rows)).max() < 1e-9
    assert np.array_equal(found.value, reference.predict(rows))
    assert np.allclose(found.proba.sum(axis=1), 1.0)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "perceptron"])
def test_margins_have_no_probabilities(loss: str) -> None:
    rows, y = stream()
    model = learner(loss=loss)
    model.fit(rows, y)
    assert model.predict(rows).proba is None
    assert replay(model, rows, y)[0].proba is None


def test_nothing_learned_yet_answers_the_first_class_or_zero() -> None:
    rows, _ = stream()
    found = learner().predict(rows)
    assert np.all(found.value == 0)
    assert np.all(found.proba == 0.5)
    assert np.all(learner(NUMBER).predict(rows).value == 0.0)


@pytest.mark.parametrize("classes", [("only",), ("no", "yes")])
def test_one_class_seen(classes: tuple[str, ...]) -> None:
    rows, _ = stream()
    model = learner(Task("classification", classes, "t"))
    model.fit(rows, np.zeros(600, np.int64))
    found = model.predict(rows)
    assert np.all(found.value == 0)
    assert found.proba is not None
    assert found.proba.shape == (600, len(classes))
    assert np.all(found.proba[:, 0] > 0.5)


def test_predicting_changes_nothing() -> None:
    rows, y = stream()
    model = learner()
    replay(model, rows[:300], y[:300], every=7)
    before = model.state()
    first = model.predict(rows)
    assert same(first, model.predict(rows))
    assert model.state() == before


# ------------------------------------------------------------------ the stream


@pytest.mark.parametrize("task", [TWO, FOUR, NUMBER])
def test_the_loop_equals_predict_then_learn_by_hand(task: Task) -> None:
    rows, y = stream(task, 200)
    model, by_hand = learner(task), learner(task)
    found, updates = replay(model, rows, y)
    assert updates == 200
    for i in range(200):
        assert same(by_hand.predict(rows[i : i + 1]), found[i : i + 1])
        assert by_hand.learn(rows[i : i + 1], y[i : i + 1]) == 1
    assert model.parameters() == by_hand.parameters()


def test_updates_are_counted_and_frozen_rows_make_none() -> None:
    rows, y = stream(n=100)
    model = learner()
    assert replay(model, rows, y, every=10, batch=4)[1] == 30  # 4 + 4 + 2 rows, ten times
    assert replay(model, rows, y, frozen=True)[1] == 0


def test_on_real_data_it_beats_the_majority(shared_data: Path) -> None:
    import pandas as pd

    table = pd.read_csv(shared_data / "electricity.csv")
    label = table.columns[-1]
    codes, names = pd.factorize(table[label], sort=True)
    features = table.drop(columns=[label]).select_dtypes("number")
    rows = np.ascontiguousarray(features.to_numpy(np.float64))
    task = Task("classification", tuple(str(n) for n in names), label)
    model = LinearLearner(Inputs(tuple(features.columns), task), {})
    found, _ = replay(model, rows, codes.astype(np.int64))
    majority = np.bincount(codes).max() / len(codes)
    assert (found.value == codes).mean() > majority + 0.2


# ------------------------------------------------------------------ what it shows


def test_parameters_are_named_by_column_and_class() -> None:
    rows, y = stream(FOUR)
    model = learner(FOUR)
    model.fit(rows, y)
    shown = model.parameters()
    assert set(model.coefficients) == {f"{c}: x{j}" for c in "abcd" for j in range(4)}
    assert set(shown) == {*model.coefficients, *(f"{c}: intercept" for c in "abcd"), "step size"}
    assert shown["step size"] == 0.01
    assert set(learner().parameters()) == {"x0", "x1", "x2", "x3", "intercept", "step size"}


def test_rates_tell_which_would_have_been_best() -> None:
    import msgspec

    model = learner()
    empty = model.rates()
    assert empty is not None
    assert empty["best"] is None
    assert empty["errors"] == [None] * 9
    rows, y = stream()
    replay(model, rows, y)
    found = model.rates()
    assert found is not None
    assert found["rows"] == 600
    assert found["best"] == found["rates"][int(np.argmin(found["errors"]))]
    assert msgspec.json.decode(msgspec.json.encode(found)) == found
    model.set("track_rates", False)
    assert model.rates() is None
    assert learner(schedule="optimal").rates() is None


def test_size_is_that_of_weights_and_scaler() -> None:
    model = learner(FOUR)
    size = model.size_bytes()
    assert size == 8 * (4 * 5 + 2 * 4 + 1)
    rows, y = stream(FOUR)
    replay(model, rows, y)
    assert model.size_bytes() == size
    assert learner(scale="none").size_bytes() == 8 * 5


# ------------------------------------------------------------------ settings


def test_the_learning_rate_moves_in_flight() -> None:
    rows, y = stream()
    moved, slow = learner(), learner(learning_rate=0.001)
    replay(moved, rows[:300], y[:300])
    before = moved.coefficients
    moved.set("learning_rate", 0.001)
    assert moved.coefficients == before
    assert moved.settings()["learning_rate"] == 0.001
    assert moved.parameters()["step size"] == slow.parameters()["step size"]
    replay(moved, rows[300:], y[300:])
    change = max(abs(moved.coefficients[k] - v) for k, v in before.items())
    assert 0.0 < change < 0.1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("learning_rate", 0.0, "between"),
        ("learning_rate", "fast", "number"),
        ("learning_rate", float("nan"), "finite"),
        ("learning_rat", 0.1, "did you mean"),
        ("schedule", "cosine", "one of"),
        ("loss", "hinge", "new training"),
        ("passes", 3, "new training"),
        ("track_rates", 1.0, "true or false"),
    ],
)
def test_wrong_settings_are_one_clear_sentence(name: str, value: Any, says: str) -> None:
    model = learner()
    with pytest.raises(LearnerError, match=says):
        model.set(name, value)
    rows, y = stream()
    replay(model, rows, y)


def test_a_setting_that_does_not_go_with_the_others_is_told() -> None:
    model = learner(alpha=0.0)
    with pytest.raises(LearnerError, match="alpha above 0"):
        model.set("schedule", "optimal")
    assert model.settings()["schedule"] == "constant"
    with pytest.raises(LearnerError, match="one of"):
        learner(NUMBER, loss="log")
    with pytest.raises(LearnerError, match="at least one"):
        LinearLearner(Inputs((), TWO), {})


def test_every_setting_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each parameter of the catalogue, moved away from its default, changes what is learned."""
    base: dict[str, dict[str, Any]] = {
        "l1_ratio": {"penalty": "elasticnet", "alpha": 0.01},
        "power_t": {"schedule": "invscaling"},
        "epsilon": {"loss": "huber", "task": NUMBER},
        "target": {"task": NUMBER},
        "beta_1": {"schedule": "adam"},
        "beta_2": {"schedule": "adam"},
        "ftrl_beta": {"schedule": "ftrl"},
        "multiclass": {"task": FOUR},
    }
    other: dict[str, Any] = {
        "loss": "hinge",
        "learning_rate": 0.2,
        "schedule": "adagrad",
        "penalty": "l1",
        "alpha": 0.1,
        "l1_ratio": 0.9,
        "epsilon": 1.0,
        "power_t": 1.0,
        "fit_intercept": False,
        "target": "as it is",
        "scale": "none",
        "passes": 2,
        "clip": 0.2,
        "beta_1": 0.5,
        "beta_2": 0.9,
        "ftrl_beta": 3.0,
        "multiclass": "softmax",
        "average": True,
    }
    for parameter in PARAMETERS:
        if parameter.name == "track_rates":
            continue  # it must change nothing: see test_linear_kernel.py
        given = dict(base.get(parameter.name, {}))
        task: Task = given.pop("task", TWO)
        rows, y = stream(task)
        models = [
            learner(task, **given),
            learner(task, **given, **{parameter.name: other[parameter.name]}),
        ]
        for model in models:
            model.fit(rows, y)
        assert models[0].coefficients != models[1].coefficients, parameter.name


def test_a_standardised_target_gives_answers_in_its_own_unit() -> None:
    """Millions or minutes: the same learner, only the unit differs."""
    rows, y = stream(NUMBER)
    small, large = learner(NUMBER, learning_rate=0.01), learner(NUMBER, learning_rate=0.01)
    small.fit(rows[:400], y[:400])
    large.fit(rows[:400], y[:400] * 1e6 + 5e7)
    got = replay(small, rows[400:], y[400:])[0].value
    scaled = replay(large, rows[400:], y[400:] * 1e6 + 5e7)[0].value
    np.testing.assert_allclose((scaled - 5e7) / 1e6, got, rtol=1e-6, atol=1e-6)
    assert np.abs(got - y[400:]).mean() < np.abs(y[:400].mean() - y[400:]).mean()
    state = large.state()
    again = learner(NUMBER, learning_rate=0.01)
    again.load_state(state)
    assert again.predict(rows).value.tobytes() == large.predict(rows).value.tobytes()


def test_chunks_standardise_the_target_as_one_fit_does() -> None:
    rows, y = stream(NUMBER)
    whole, parts = learner(NUMBER), learner(NUMBER)
    whole.fit(rows, y)
    parts.fit_chunks(lambda: ((rows[i : i + 150], y[i : i + 150]) for i in range(0, 600, 150)), 1)
    np.testing.assert_allclose(parts.predict(rows).value, whole.predict(rows).value, rtol=1e-9)


# ------------------------------------------------------------------ state


@pytest.mark.parametrize("task", [TWO, FOUR, NUMBER])
@pytest.mark.parametrize("schedule", ["constant", "adagrad"])
def test_a_state_in_mid_stream_goes_on_to_the_bit(task: Task, schedule: str) -> None:
    rows, y = stream(task)
    whole = learner(task, schedule=schedule)
    first = replay(whole, rows[:333], y[:333], every=10, batch=3)[0]
    whole.set("learning_rate", 0.2)
    state = whole.state()
    rest = replay(whole, rows[333:], y[333:], every=10, batch=3)[0]
    again = learner(task, schedule=schedule)
    again.load_state(state)
    assert again.state() == state
    assert same(replay(again, rows[333:], y[333:], every=10, batch=3)[0], rest)
    assert again.state() == whole.state()
    assert again.rates() == whole.rates()
    assert len(first) == 333


def test_a_state_that_does_not_fit_is_refused() -> None:
    model = learner()
    for wrong in (b"", b"junk", learner(FOUR).state(), learner(loss="hinge").state()):
        with pytest.raises(LearnerError, match="not the state"):
            model.load_state(wrong)
    rows, y = stream()
    model.fit(rows, y)


def test_a_build_without_the_compiled_part_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    import modellab.learners.compiled as compiled

    learner()
    monkeypatch.delattr(compiled, "_linear")
    monkeypatch.setitem(sys.modules, "modellab.learners.compiled._linear", None)
    with pytest.raises(LearnerError, match="build_hook"):
        learner()


def test_importing_it_loads_no_heavy_library() -> None:
    import subprocess
    import sys

    code = (
        "import sys, modellab.learners.linear\n"
        "bad = {'pandas', 'sklearn', 'river', 'scipy', 'pyarrow', 'PySide6'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    root = Path(linear.__file__).parent.parent.parent
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_parameters_have_ranges_and_help() -> None:
    kinds: tuple[TaskKind, ...] = ("classification", "regression")
    assert ENTRY.tasks == kinds
    for parameter in PARAMETERS:
        assert parameter.help.endswith(".")
        if parameter.kind == "choice":
            assert parameter.default in parameter.choices
        elif parameter.kind != "bool":
            assert parameter.low <= parameter.default <= parameter.high
