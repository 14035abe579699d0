"""Checks of the features beside a replay: those that are found at once afterwards."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from modellab.experiment import Experiment, replace
from modellab.experiment_file import set_value
from modellab.replay.context import Context, build_context
from modellab.replay.feature_checks import ChecksBeside, DriftChecks, drift_checks
from modellab.replay.run import RunProgress, open_data, run_experiment

BASE = Path("/")


@pytest.fixture(scope="module")
def watched(experiment: Experiment) -> Experiment:
    """Checks that overlap, every 90 rows."""
    for setting in ("drift.window=200", "drift.every=90", "drift.false_alarm_every=2000"):
        experiment = set_value(experiment, setting)
    return experiment


@pytest.fixture(scope="module")
def context(watched: Experiment) -> Context:
    made = build_context(watched, open_data(watched, BASE))
    made.calibrated()
    return made


def same(found: DriftChecks | None, expected: DriftChecks | None) -> None:
    assert found is not None
    assert expected is not None
    assert (found.columns, found.tests) == (expected.columns, expected.tests)
    assert found.thresholds == expected.thresholds
    for name in ("positions", "score", "psi"):
        assert np.array_equal(getattr(found, name), getattr(expected, name), equal_nan=True)


@pytest.mark.parametrize("step", [1, 37, 90, 1000, 3000])
def test_in_any_pieces_they_are_the_same(context: Context, step: int) -> None:
    beside = ChecksBeside(context)
    try:
        for position in range(2000 + step, 5000 + step, step):
            beside.to(min(position, 5000))
        found = beside.finish()
    finally:
        beside.close()
    expected = drift_checks(context, 5000)
    assert expected is not None
    assert expected.positions.tolist() == list(range(2270, 5000, 90))
    same(found, expected)


def test_none_beyond_where_it_was_begun(context: Context) -> None:
    beside = ChecksBeside(context)
    try:
        beside.to(2269)
        assert beside.finish() is not None
        beside.to(3000)
        same(beside.finish(), drift_checks(context, 3000))
    finally:
        beside.close()


def test_a_replay_given_up_has_those_up_to_where_it_came(
    watched: Experiment, context: Context
) -> None:
    cancel = threading.Event()

    def stop(told: RunProgress) -> None:
        if told.stage == "replay":
            cancel.set()

    small = set_value(watched, "replay.chunk_rows=50")
    result = run_experiment(small, base=BASE, progress=stop, cancel=cancel)
    assert result.interrupted
    same(result.feature_drift, drift_checks(context, result.position))


def test_what_goes_wrong_is_raised_and_given_up_work_is_not_waited_for(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    drift = context.feature_drift
    assert drift is not None
    with monkeypatch.context() as patch:

        def torn(*_: object) -> None:
            raise OSError("the disk is gone")

        patch.setattr(drift, "_read", torn)
        beside = ChecksBeside(context)
        beside.to(5000)
        with pytest.raises(OSError, match="the disk is gone"):
            beside.finish()
        beside.close()
        # One look holds all checks here: many, so that there is something to give up.
        patch.setattr("modellab.evaluation.feature_drift._CELLS", 1)
        looked: list[int] = []
        at_first, go_on = threading.Event(), threading.Event()

        def slow(start: int, stop: int, columns: list[str]) -> object:
            looked.append(stop)
            at_first.set()
            assert go_on.wait(60)
            return context.stream.read(start, stop, columns)

        patch.setattr(drift, "_read", slow)
        beside = ChecksBeside(context)
        beside.to(5000)
        assert at_first.wait(60)
        closing = threading.Thread(target=beside.close)
        closing.start()
        assert beside._given_up.wait(60)
        go_on.set()
        closing.join(60)
        assert looked == [2270]


def test_nothing_is_done_where_nothing_is_watched(watched: Experiment) -> None:
    plain = replace(watched, drift=replace(watched.drift, features=False))
    beside = ChecksBeside(build_context(plain, open_data(plain, BASE)))
    beside.to(5000)
    assert beside.finish() is None
    beside.close()
