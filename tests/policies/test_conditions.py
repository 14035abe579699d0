"""When conditions hold, and when they do together: by their definitions, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_bench import Bench, steady

from modellab.experiment import Condition, TriggeredPolicy
from modellab.policies.base import NEVER
from modellab.policies.conditions import Conditions, Watcher, watcher
from modellab.policies.own_errors import Arrived


class At(Watcher):
    """Holds at given positions."""

    def __init__(self, positions: set[int]) -> None:
        self.positions = positions

    def held(self, arrived: Arrived) -> np.ndarray:
        places = range(arrived.start + 1, arrived.stop + 1)
        return np.array([p in self.positions for p in places])

    def words(self) -> str:
        return "at"

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        return


def arrived(start: int, stop: int, losses: Any = None, lag: int = 0) -> Arrived:
    """Labels of rows [start - lag, stop - lag), each known `lag` rows after its own."""
    found = np.zeros(stop - start) if losses is None else np.asarray(losses, dtype=float)
    positions = np.arange(start + 1, stop + 1)
    return Arrived(start, stop, start - lag, found, ~np.isnan(found), positions)


@given(
    held=st.lists(st.sets(st.integers(1, 60), max_size=12), min_size=1, max_size=3),
    combine=st.sampled_from(["any", "all", 1, 2]),
    within=st.integers(1, 15),
    cooldown=st.integers(1, 20),
    cuts=st.sets(st.integers(1, 59), max_size=8),
)
def test_any_all_and_so_many(
    held: list[set[int]], combine: Any, within: int, cooldown: int, cuts: set[int]
) -> None:
    spec = TriggeredPolicy(combine=combine, within=within)
    conditions = Conditions(TriggeredPolicy(), Bench(*steady(100), 10))  # type: ignore[arg-type]
    conditions.watchers = [At(places) for places in held]
    conditions.last = [-NEVER] * len(held)
    found = []
    armed, at = 0, 0
    while at < 60:
        stop = min(c for c in {*cuts, 60} if c > at)
        hit = conditions.watch(arrived(at, stop), spec, armed)
        if hit is None:
            at = stop
            continue
        found.append(hit)
        conditions.acted(hit)
        armed, at = hit + cooldown, hit

    needed = {"any": 1, "all": len(held)}.get(combine, combine)
    expected, last_act = [], None
    for position in range(1, 61):
        counting = 0
        for places in held:
            past = [p for p in places if p <= position and (last_act is None or p > last_act)]
            counting += bool(past) and position - max(past) < within
        if counting >= needed and (last_act is None or position >= last_act + cooldown):
            expected.append(position)
            last_act = position
    assert found == expected


def watch_all(one: Watcher, values: Any) -> list[bool]:
    values = np.asarray(values, dtype=float)
    return [bool(v) for v in one.held(arrived(0, len(values), values))]


@given(
    values=st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=1, max_size=60),
    rows=st.integers(1, 6),
    cut=st.integers(0, 59),
)
def test_the_window_error_above_the_test_error_for_rows_in_a_row(
    values: list[float], rows: int, cut: int
) -> None:
    bench = Bench(*steady(100), 10, window=4)
    bench.first_test_error = lambda: 0.25  # type: ignore[method-assign]
    one = watcher(Condition(error=0.3, rows=rows), bench)  # type: ignore[arg-type]
    cut = min(cut, len(values) - 1)
    got = []
    if cut:
        got += one.held(arrived(0, cut, values[:cut])).tolist()
    got += one.held(arrived(cut, len(values), values[cut:])).tolist()

    seen: list[float] = []
    streak = 0
    for value, given_ in zip(values, got, strict=True):
        if not np.isnan(value):
            seen.append(value)
            high = len(seen) >= 4 and np.mean(seen[-4:]) > 0.55
            streak = streak + 1 if high else 0
        assert given_ == (streak >= rows)


def test_another_model_has_another_window_and_test_error() -> None:
    bench = Bench(*steady(100), 10, window=4)
    one: Any = watcher(Condition(error=0.1), bench)  # type: ignore[arg-type]
    # Without a test part the model's first window stands in for the test error.
    assert not any(watch_all(one, [0, 1, 0, 1, 0, 1]))
    assert one.reference == 0.5
    assert watch_all(one, [1, 1, 1]) == [True, True, True]
    assert "window error 1, above 0.5 by more than 0.1" in one.words()
    one.restart(0.9)
    assert not any(watch_all(one, [1, 1, 1]))  # no whole window yet
    assert not any(watch_all(one, [1, 1, 1]))  # 1.0 is not above 0.9 + 0.1
    one.restart(np.nan)
    assert one.reference == 0.9
    one.restart(0.2)
    assert watch_all(one, [1, 1, 1, 1]) == [False, False, False, True]


def test_rows_are_labelled_rows_since_the_last_action() -> None:
    one = watcher(Condition(rows=3), Bench(*steady(100), 10))  # type: ignore[arg-type]
    assert watch_all(one, [0, np.nan, 0, 1, np.nan]) == [False, False, False, True, True]
    one.acted(5)
    assert watch_all(one, [0, 0, 0]) == [False, False, True]


def test_a_detector_alarms_at_the_row_when_the_label_is_known() -> None:
    bench = Bench(*steady(100), 10)
    one: Any = watcher(Condition(drift="adwin"), bench)  # type: ignore[arg-type]
    losses = np.repeat([0.0, 1.0], 500)
    held = np.array(one.held(arrived(40, 1040, losses, lag=30)))
    first = int(np.argmax(held))
    assert 500 < first < 560
    alarm = one.alarms[0]
    assert alarm.position == 40 + first + 1
    assert alarm.row == 10 + first  # the label came 30 rows late
    one.restart(0.5)
    assert not one.held(arrived(1040, 1540, np.ones(500))).any()
    # The error falls: an alarm is told, but the condition does not hold.
    assert not one.held(arrived(1540, 2040, np.zeros(500))).any()
    told = one.alarms[len(one.alarms) - 1]
    assert (told.risen, told.words) == (False, "ADWIN: the error has fallen")
    assert (alarm.risen, alarm.words) == (True, "ADWIN: the error has risen")


def test_features_hold_again_only_for_more_columns_or_after_a_pause() -> None:
    alarms = {10: 0, 20: 2, 30: 2, 40: 3, 50: 1, 60: 2}
    bench = Bench(*steady(100), 10, alarms=alarms)
    one = watcher(Condition(features=2), bench)  # type: ignore[arg-type]
    held = one.held(arrived(10, 25))
    assert [k + 11 for k, h in enumerate(held) if h] == [20, 21, 22, 23, 24, 25]
    one.acted(25)
    assert not one.held(arrived(25, 39)).any()
    held = one.held(arrived(39, 70))
    assert [k + 40 for k, h in enumerate(held) if h] == [*range(40, 50), *range(60, 71)]
    one.acted(70)
    assert one.words() == "2 feature columns in alarm"


@pytest.mark.parametrize("name", ["ddm", "page_hinkley", "kswin"])
def test_states_go_on(name: Any) -> None:
    rng = np.random.default_rng(3)
    losses = (rng.random(600) < np.repeat([0.1, 0.6], 300)).astype(float)
    bench = Bench(*steady(100), 10, window=50)
    for condition in (Condition(drift=name), Condition(error=0.1, rows=9), Condition(rows=400)):
        whole, first, second = (watcher(condition, bench) for _ in range(3))  # type: ignore[arg-type]
        expected = whole.held(arrived(0, 600, losses))
        head = first.held(arrived(0, 333, losses[:333]))
        second.load_state(first.state())
        tail = second.held(arrived(333, 600, losses[333:]))
        assert np.concatenate([head, tail]).tolist() == expected.tolist()
        assert expected.any()
