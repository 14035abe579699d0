"""When a linear kernel learns what: delayed labels, any split into calls, settings, bad rows."""

from __future__ import annotations

import itertools
import math
import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from linear_rows import bits, now, stream

from modellab.learners.compiled import kernel as kernel_module
from modellab.learners.compiled.kernel import LinearKernel
from modellab.learners.compiled.linear_settings import (
    CLASSIFICATION_LOSSES,
    LOSSES,
    MULTICLASS,
    PASSIVE_AGGRESSIVE,
    PASSIVE_LOSSES,
    PENALTIES,
    RATES,
    REGRESSION_LOSSES,
    SCHEDULES,
)

# ------------------------------------------------------------------ a plain Python twin


def taught(kernel: LinearKernel, rows: np.ndarray, y: np.ndarray, group: int) -> None:
    for at in range(0, len(rows), group):
        kernel.learn(rows[at : at + group], y[at : at + group], batch=group)


def twin(
    rows: np.ndarray, learn: np.ndarray, y: np.ndarray, upto: np.ndarray, every: int, batch: int
) -> np.ndarray:
    """The label schedule in its plainest form: predict with what was learned, then collect."""
    kernel = LinearKernel(rows.shape[1], scale="online", learning_rate=0.1)
    scores, collected, arrived = [], [], 0
    for i in range(len(rows)):
        scores.append(kernel.predict(rows[i : i + 1])[0])
        while arrived < upto[i]:
            collected.append(arrived)
            arrived += 1
            if len(collected) == every:
                taught(kernel, learn[collected], y[collected], batch)
                collected = []
    return np.array(scores)


@pytest.mark.parametrize(("every", "batch"), [(1, 1), (5, 1), (7, 3), (4, 8), (50, 50)])
@pytest.mark.parametrize("delay", [0, 1, 13])
def test_label_schedule_equals_its_plainest_form(every: int, batch: int, delay: int) -> None:
    rows, y = stream("log", 120, 3)
    upto = np.maximum(now(120) - delay, 0)
    kernel = LinearKernel(3, scale="online", learning_rate=0.1)
    scores = kernel.run(rows, rows[: 120 - delay], y[: 120 - delay], upto, every=every, batch=batch)
    assert np.array_equal(scores, twin(rows, rows, y, upto, every, batch))
    assert kernel.waiting == (120 - delay) % every


def test_nothing_is_learned_before_its_label_has_come() -> None:
    rows, y = stream("log", 200, 3)
    upto = np.maximum(now(200) - 30, 0)
    kernel = LinearKernel(3, learning_rate=0.1)
    changed = y.copy()
    changed[100] = 1.0 - changed[100]
    first = kernel.run(rows, rows[:170], y[:170], upto)
    second = LinearKernel(3, learning_rate=0.1).run(rows, rows[:170], changed[:170], upto)
    # The label of row 100 comes after row 130 was predicted: no sooner does anything differ.
    assert np.array_equal(first[:131], second[:131])
    assert not np.array_equal(first[131], second[131])
    assert np.all(first[:31] == 0.0)


def test_a_prediction_never_knows_its_own_label() -> None:
    rows, y = stream("squared", 100, 4)
    for i in (0, 41, 99):
        changed = y.copy()
        changed[i] += 100.0
        first = LinearKernel(4, loss="squared", scale="online").run(rows, rows, y, now(100))
        second = LinearKernel(4, loss="squared", scale="online").run(rows, rows, changed, now(100))
        assert np.array_equal(first[: i + 1], second[: i + 1])
        assert i == 99 or not np.array_equal(first[i + 1], second[i + 1])


# ------------------------------------------------------------------ any split, any restart


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    n = draw(st.integers(1, 90))
    loss = draw(st.sampled_from(LOSSES))
    fitting = [s for s in SCHEDULES if loss in PASSIVE_LOSSES or s not in PASSIVE_AGGRESSIVE]
    return {
        "multiclass": draw(st.sampled_from(MULTICLASS if loss == "log" else MULTICLASS[:1])),
        "average": draw(st.booleans()),
        "n": n,
        "loss": loss,
        "outputs": draw(st.sampled_from([1, 3])) if loss in CLASSIFICATION_LOSSES else 1,
        "features": draw(st.integers(1, 19)),
        "schedule": draw(st.sampled_from(fitting)),
        "penalty": draw(st.sampled_from(PENALTIES)),
        "scale": draw(st.sampled_from(["none", "online"])),
        "track_rates": draw(st.booleans()),
        "every": draw(st.integers(1, 20)),
        "batch": draw(st.integers(1, 9)),
        "delays": draw(st.lists(st.integers(0, 25), min_size=n, max_size=n)),
        "bad": draw(st.sets(st.integers(0, n - 1), max_size=3)),
        "cuts": draw(st.sets(st.integers(0, n), max_size=6)),
        "seed": draw(st.integers(0, 2**31)),
    }


def prepared(given: dict[str, Any]) -> tuple[LinearKernel, np.ndarray, np.ndarray, np.ndarray]:
    n, d = given["n"], given["features"]
    rng = np.random.default_rng(given["seed"])
    rows = rng.normal(size=(n, d))
    rows[sorted(given["bad"]), 0] = [np.nan, np.inf, -1e200][: len(given["bad"])]
    if given["loss"] in REGRESSION_LOSSES:
        y = rng.normal(size=n) * 10.0
    else:
        y = rng.integers(0, max(2, given["outputs"]), n).astype(float)
    upto = np.maximum.accumulate(np.maximum(now(n) - np.array(given["delays"]), 0))
    kernel = LinearKernel(
        d,
        given["outputs"],
        loss=given["loss"],
        schedule=given["schedule"],
        multiclass=given["multiclass"],
        average=given["average"],
        penalty=given["penalty"],
        alpha=0.01,
        learning_rate=0.1,
        scale=given["scale"],
        track_rates=given["track_rates"],
        rates_window=17,
    )
    return kernel, rows, y, upto


def in_pieces(
    kernel: LinearKernel,
    given: dict[str, Any],
    rows: np.ndarray,
    y: np.ndarray,
    upto: np.ndarray,
    *,
    reload: bool = False,
) -> tuple[np.ndarray, LinearKernel]:
    parts = []
    edges = [0, *sorted(given["cuts"]), given["n"]]
    for start, stop in itertools.pairwise(edges):
        before = int(upto[start - 1]) if start else 0
        end = int(upto[stop - 1]) if stop > start else before
        # Copies: the rows of a call need not be the same memory as those of another.
        parts.append(
            kernel.run(
                rows[start:stop].copy(),
                rows[before:end].copy(),
                y[before:end],
                upto[start:stop] - before,
                every=given["every"],
                batch=given["batch"],
            )
        )
        if reload:
            state = kernel.state_dict()
            kernel = prepared(given)[0]
            kernel.load_state(state)
    return np.concatenate(parts), kernel


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenarios())
def test_any_split_into_calls_and_any_restart_gives_the_same_bits(given: dict[str, Any]) -> None:
    whole, rows, y, upto = prepared(given)
    scores = whole.run(
        rows, rows[: upto[-1]], y[: upto[-1]], upto, every=given["every"], batch=given["batch"]
    )
    pieces, split = in_pieces(prepared(given)[0], given, rows, y, upto)
    restarted, again = in_pieces(prepared(given)[0], given, rows, y, upto, reload=True)
    assert scores.tobytes() == pieces.tobytes() == restarted.tobytes()
    assert bits(whole) == bits(split) == bits(again)
    assert np.isfinite(whole.weights).all()


@settings(max_examples=40, deadline=None)
@given(scenarios())
def test_carried_rates_never_touch_the_model(given: dict[str, Any]) -> None:
    scores = []
    for carry in (False, True):
        kernel, rows, y, upto = prepared({**given, "track_rates": carry})
        scores.append(in_pieces(kernel, given, rows, y, upto)[0])
    assert scores[0].tobytes() == scores[1].tobytes()


def test_a_state_is_a_copy_and_only_of_plain_values() -> None:
    kernel = LinearKernel(3, track_rates=True)
    rows, y = stream("log", 50, 3)
    kernel.run(rows, rows, y, now(50), every=7)
    state = kernel.state_dict()
    frozen = {k: v.copy() for k, v in state.items() if isinstance(v, np.ndarray)}
    kernel.run(rows, rows, y, now(50), every=7)
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            assert value.tobytes() == frozen[name].tobytes(), name
        else:
            plain = value.values() if isinstance(value, dict) else [value]
            assert all(type(part) in (int, float, bool, str) for part in plain), name


def test_a_state_of_another_model_is_refused() -> None:
    state = LinearKernel(3).state_dict()
    for other in (LinearKernel(4), LinearKernel(3, 4), LinearKernel(3, loss="hinge")):
        with pytest.raises(ValueError, match="another model"):
            other.load_state(state)


# ------------------------------------------------------------------ settings between rows


def test_changing_the_learning_rate_keeps_weights_and_steps() -> None:
    rows, y = stream("log", 100, 3)
    kernel = LinearKernel(3, schedule="invscaling", learning_rate=0.1)
    kernel.learn(rows[:50], y[:50])
    before = kernel.weights
    kernel.set_parameter("learning_rate", 0.02)
    assert np.array_equal(kernel.weights, before)
    assert kernel.steps == 50
    assert kernel.step_size == pytest.approx(0.02 / math.sqrt(51))
    kernel.learn(rows[50:51], y[50:51])
    z = rows[50]
    p = 1.0 / (1.0 + math.exp(-(before[0] @ z + kernel_intercept(rows[:50], y[:50]))))
    expected = (
        before[0] * (1.0 - 0.02 / math.sqrt(51) * 0.0001) - 0.02 / math.sqrt(51) * (p - y[50]) * z
    )
    assert np.abs(kernel.weights[0] - expected).max() < 1e-14


def kernel_intercept(rows: np.ndarray, y: np.ndarray) -> float:
    kernel = LinearKernel(rows.shape[1], schedule="invscaling", learning_rate=0.1)
    kernel.learn(rows, y)
    return float(kernel.intercept[0])


def test_settings_that_are_wrong_are_named() -> None:
    for name, value in [
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("alpha", -1.0),
        ("l1_ratio", 1.5),
        ("schedule", "linear"),
        ("penalty", "l3"),
        ("track_rates", 1),
        ("power_t", "0.5"),
    ]:
        kernel = LinearKernel(2)
        with pytest.raises(ValueError, match=name):
            kernel.set_parameter(name, value)
        kernel.learn(np.ones((1, 2)), np.ones(1))  # still usable
    with pytest.raises(ValueError, match="alpha above 0"):
        LinearKernel(2, schedule="optimal", alpha=0.0)
    for name in ("loss", "scale", "fit_intercept"):
        with pytest.raises(ValueError, match="cannot change"):
            LinearKernel(2).set_parameter(name, "hinge")
    with pytest.raises(ValueError, match="one output"):
        LinearKernel(2, 3, loss="squared")


def test_shapes_that_do_not_fit_are_refused() -> None:
    kernel = LinearKernel(2)
    rows, y = np.zeros((3, 2)), np.zeros(3)
    with pytest.raises(ValueError, match="columns"):
        kernel.predict(np.zeros((3, 1)))
    with pytest.raises(ValueError, match="fit the rows"):
        kernel.learn(rows, y[:2])
    for upto in ([1, 2, 4], [2, 1, 3], [-1, 0, 0]):
        with pytest.raises(ValueError, match="upto"):
            kernel.run(rows, rows, y, np.array(upto))
    with pytest.raises(ValueError, match="at least 1"):
        kernel.run(rows, rows, y, now(3), every=0)
    assert kernel.run(rows[:0], rows[:0], y[:0], now(0)).shape == (0, 1)


def test_frozen_rows_are_predicted_but_never_learned() -> None:
    rows, y = stream("log", 90, 3)
    kernel = LinearKernel(3, scale="online")
    kernel.run(rows[:30], rows[:30], y[:30], now(30), every=4)
    assert kernel.waiting == 2
    before = kernel.weights, kernel.scaler
    scores = kernel.run(rows[30:60], rows[30:60], y[30:60], now(30), every=4, frozen=True)
    assert np.array_equal(scores, kernel.predict(rows[30:60]))
    assert np.array_equal(kernel.weights, before[0])
    assert kernel.scaler[0] == before[1][0] == 28
    assert kernel.waiting == 0
    kernel.run(rows[60:], rows[60:], y[60:], now(30), every=4)
    assert kernel.scaler[0] == 28 + 28


def test_cadence_can_change_while_rows_wait() -> None:
    rows, y = stream("log", 40, 3)
    kernel = LinearKernel(3)
    kernel.run(rows[:10], rows[:10], y[:10], now(10), every=100)
    assert (kernel.steps, kernel.waiting) == (0, 10)
    kernel.run(rows[10:11], rows[10:11], y[10:11], now(1), every=1)
    assert (kernel.steps, kernel.waiting) == (11, 0)
    reference = LinearKernel(3)
    reference.learn(rows[:11], y[:11])
    assert np.array_equal(kernel.weights, reference.weights)


# ------------------------------------------------------------------ rows that cannot be learned


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e200, -1e101])
@pytest.mark.parametrize("scale", ["none", "online"])
def test_values_out_of_range_are_predicted_as_average_and_not_learned(
    value: float, scale: str
) -> None:
    rows, y = stream("log", 60, 3)
    rows += 5.0
    clean = LinearKernel(3, scale=scale)
    clean.learn(np.delete(rows, 30, axis=0), np.delete(y, 30))
    before = LinearKernel(3, scale=scale)
    before.learn(rows[:30], y[:30])
    rows[30, 1] = value
    kernel = LinearKernel(3, scale=scale)
    scores = kernel.run(rows, rows, y, now(60))
    assert np.array_equal(kernel.weights, clean.weights)
    assert kernel.skipped == 1
    average = rows[30].copy()
    average[1] = before.scaler[1][1] if scale == "online" else 0.0
    assert scores[30, 0] == pytest.approx(before.predict(average[None])[0, 0], rel=1e-12)


@pytest.mark.parametrize(
    ("loss", "label"),
    [("log", math.nan), ("log", 2.0), ("log", -1.0), ("log", 0.5), ("squared", math.inf)],
)
def test_labels_out_of_range_are_not_learned(loss: str, label: float) -> None:
    rows, y = stream(loss, 20, 2)
    y[7] = label
    kernel = LinearKernel(2, loss=loss, track_rates=True)
    kernel.run(rows, rows, y, now(20))
    assert kernel.skipped == 1
    assert kernel.steps == 19
    found = kernel.rates()
    assert found is not None
    assert found[2] == 19


def test_one_class_only_leaves_a_usable_model() -> None:
    rows, _ = stream("log", 300, 3)
    for loss in CLASSIFICATION_LOSSES:
        for label in (0.0, 1.0):
            kernel = LinearKernel(3, loss=loss, scale="online")
            scores = kernel.run(rows, rows, np.full(300, label), now(300))
            # The first rows are near even, and once it is learned it stays.
            assert np.isfinite(scores).all()
            if loss != "perceptron" or label == 1.0:
                assert np.all((scores[200:, 0] > 0) == (label == 1.0))


# ------------------------------------------------------------------ the carried rates


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(
    "given",
    [
        {"schedule": "constant", "penalty": "l2"},
        {"schedule": "invscaling", "penalty": "elasticnet"},
        {"schedule": "adagrad", "penalty": "l1"},
    ],
)
@pytest.mark.parametrize(("every", "batch", "delay"), [(1, 1, 0), (6, 4, 9)])
def test_each_carried_rate_does_what_a_model_with_that_rate_does(
    outputs: int, given: dict[str, Any], every: int, batch: int, delay: int
) -> None:
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(400, 4)) * 3.0
    y = np.argmax(rows[:, : max(2, outputs)] + rng.normal(size=(400, max(2, outputs))), axis=1)
    upto = np.maximum(now(400) - delay, 0)
    end = int(upto[-1])
    given = {**given, "alpha": 0.001, "scale": "online"}
    call = {"every": every, "batch": batch}
    kernel = LinearKernel(4, outputs, **given, track_rates=True, rates_window=250)
    kernel.run(rows, rows[:end], y[:end], upto, **call)
    found = kernel.rates()
    assert found is not None
    rates, errors, count = found
    assert count == 250
    for g, rate in enumerate(rates):
        alone = LinearKernel(4, outputs, **given, learning_rate=float(rate))
        scores = alone.run(rows, rows[:end], y[:end], upto, **call)
        guess = (scores[:, 0] > 0) if outputs == 1 else np.argmax(scores, axis=1)
        wrong = (guess != y)[:end]
        assert errors[g] == wrong[-250:].mean(), rate
        weights = kernel.state_dict()["rate_weights"][:, :, g]
        assert np.abs(weights - alone.weights).max() <= 1e-9 * (1.0 + np.abs(weights).max())
    assert kernel.best_rate() == rates[np.argmin(errors)]


def test_rates_of_a_regression_are_compared_by_absolute_error() -> None:
    rows, y = stream("squared", 300, 3)
    kernel = LinearKernel(3, loss="squared", track_rates=True, rates_window=100)
    kernel.run(rows, rows, y, now(300))
    found = kernel.rates()
    assert found is not None
    for g, rate in enumerate(RATES[:-1]):
        alone = LinearKernel(3, loss="squared", learning_rate=rate)
        scores = alone.run(rows, rows, y, now(300))
        assert found[1][g] == pytest.approx(np.abs(scores[:, 0] - y)[-100:].mean(), rel=1e-6)
    assert kernel.best_rate() == pytest.approx(0.01, rel=3.0)


def test_rates_are_scored_by_the_row_even_if_some_labels_never_come() -> None:
    rows, y = stream("log", 200, 3)
    labelled = np.flatnonzero(np.arange(200) % 3 != 1)
    upto = np.searchsorted(labelled, np.maximum(now(200) - 20, 0))
    end = int(upto[-1])
    kernel = LinearKernel(3, track_rates=True)
    kernel.run(rows, rows[labelled[:end]], y[labelled[:end]], upto)
    found = kernel.rates()
    assert found is not None
    assert found[2] == end
    alone = LinearKernel(3, learning_rate=RATES[4])
    scores = alone.run(rows, rows[labelled[:end]], y[labelled[:end]], upto)
    wrong = ((scores[:, 0] > 0) != y)[labelled[:end]]
    assert found[1][4] == wrong.mean()


def test_labels_of_rows_never_predicted_are_learned_but_not_scored() -> None:
    rows, y = stream("log", 100, 3)
    kernel = LinearKernel(3, track_rates=True)
    kernel.learn(rows[:50], y[:50])
    assert kernel.rates()[2] == 0  # type: ignore[index]
    assert kernel.best_rate() is None
    kernel.run(rows[50:60], rows[:50], y[:50], np.full(10, 50))
    assert kernel.rates()[2] == 0  # type: ignore[index]
    assert kernel.steps == 100


def test_rates_that_never_get_labels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_module, "ASKED_MOST", 64)
    rows, y = stream("log", 300, 2)
    kernel = LinearKernel(2, track_rates=True)
    for at in range(0, 300, 7):
        part = rows[at : at + 7]
        kernel.run(part, rows[:0], y[:0], np.zeros(len(part), np.int64))
    assert len(kernel.state_dict()["asked_key"]) == 64
    # The labels of the last 64 rows still count, those of older rows no longer.
    kernel.run(rows[:1], rows[200:300], y[200:300], np.array([100]))
    assert kernel.rates()[2] == 63  # type: ignore[index]


def test_rates_switched_on_later_start_from_the_weights_of_then() -> None:
    rows, y = stream("log", 200, 3)
    kernel = LinearKernel(3, learning_rate=0.1)
    kernel.run(rows[:100], rows[:100], y[:100], now(100))
    assert kernel.rates() is None
    kernel.set_parameter("track_rates", True)
    weights = kernel.state_dict()["rate_weights"]
    assert np.array_equal(weights[0, :, 3], kernel.weights[0])
    kernel.run(rows[100:], rows[100:], y[100:], now(100))
    found = kernel.rates()
    assert found is not None
    assert found[2] == 100
    # The carried 0.1 goes the same way as the model's own 0.1.
    assert np.abs(kernel.state_dict()["rate_weights"][0, :, 6] - kernel.weights[0]).max() < 1e-12
    kernel.set_parameter("schedule", "optimal")
    assert kernel.rates() is None
    kernel.set_parameter("track_rates", False)
    kernel.set_parameter("schedule", "constant")
    assert kernel.rates() is None
    assert "rate_weights" not in kernel.state_dict()


# ------------------------------------------------------------------ memory


def test_room_for_waiting_rows_follows_need() -> None:
    kernel = LinearKernel(3)
    rows, y = stream("log", 500, 3)
    kernel.run(rows, rows, y, now(500), every=10**9)
    assert kernel.waiting == 500
    assert kernel.state_dict()["waiting"].shape == (500, 3)
    assert kernel._arrays["waiting"].nbytes < 100_000


def test_a_loop_lets_other_threads_run() -> None:
    rows, y = stream("log", 300_000, 20)
    kernel = LinearKernel(20, scale="online", track_rates=True)
    shares = []
    for _ in range(3):  # the machine may be busy with something else
        times: list[float] = []

        def work(times: list[float] = times) -> None:
            times.append(time.perf_counter())
            kernel.run(rows, rows, y, now(300_000))
            times.append(time.perf_counter())

        thread = threading.Thread(target=work)
        thread.start()
        longest, last = 0.0, time.perf_counter()
        while len(times) < 2:
            turn = time.perf_counter()
            longest, last = max(longest, turn - last), turn
        thread.join()
        shares.append(longest / (times[1] - times[0]))
    # With the lock held, one turn would last as long as the whole loop.
    assert min(shares) < 0.5
