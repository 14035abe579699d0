"""Feature drift: rate of false alarms, power, what each column's test is, positions only."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from scipy.signal import lfilter

from modellab.data.dataset import Dataset
from modellab.data.encoder import Encoder
from modellab.data.importer import import_dataset
from modellab.data.stream import EncodedStream
from modellab.evaluation import feature_drift
from modellab.evaluation.feature_drift import FeatureDrift, reference_runs
from modellab.experiment import DataSpec, DriftSpec, SplitSpec
from modellab.experiment_faults import MissingValues, UnitError
from modellab.experiment_values import Kind

T = 6000
SPEC = DriftSpec(window=500, every=500, false_alarm_every=10_000)


class Rows:
    """A table that remembers which rows were asked for."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self.table = pa.table(columns)
        self.asked: list[tuple[int, int]] = []

    def __call__(self, start: int, stop: int, columns: Sequence[str]) -> pa.Table:
        self.asked.append((start, stop))
        assert 0 <= start <= stop <= self.table.num_rows
        return self.table.slice(start, stop - start).select(list(columns))


def fit(rows: Rows, kinds: dict[str, Kind], spec: DriftSpec = SPEC, train: int = T) -> FeatureDrift:
    found = FeatureDrift.fit(rows, kinds, train, spec, 0)
    assert found is not None
    return found


def stationary(rows: int, phi: float, seed: int) -> tuple[dict[str, Any], dict[str, Kind]]:
    """Two numbers, a category and a boolean, all autocorrelated; the first two hang together."""
    rng = np.random.default_rng(seed)
    x = [np.asarray(lfilter([1.0], [1.0, -phi], rng.normal(size=rows))) for _ in range(4)]
    level = np.searchsorted([-1.0, 0.5, 2.0], x[2])
    columns = {
        "a": x[0],
        "b": x[0] + x[1],
        "c": pa.array(np.array(["p", "q", "r", "s"])[level]).dictionary_encode(),
        "d": x[3] > 1.0,
    }
    return columns, {"a": "number", "b": "number", "c": "category", "d": "boolean"}


def checks(drift: FeatureDrift, stop: int) -> list[int]:
    positions = []
    at = drift.next_check(0)
    while at <= stop:
        positions.append(at)
        at = drift.next_check(at)
    return positions


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_false_alarms_come_about_as_often_as_asked(phi: float) -> None:
    """One in 10,000 rows over all columns: 5 % of the checks, where nothing changes."""
    alarms = total = 0
    for seed in range(9):
        columns, kinds = stationary(T + 30_000, phi, seed)
        drift = fit(Rows(columns), kinds)
        found = [drift.check(position).alarms > 0 for position in checks(drift, T + 30_000)]
        alarms += sum(found)
        total += len(found)
    assert total == 9 * 60
    assert 0.02 < alarms / total < 0.1
    # What textbook thresholds for independent rows, corrected for four columns, would have done:
    if phi:
        columns, kinds = stationary(T + 30_000, phi, 0)
        drift = fit(Rows(columns), kinds)
        level = stats.kstwo.isf(0.05 / 4, SPEC.window)
        naive = [drift.check(p).statistic[0] > level for p in checks(drift, T + 30_000)]
        assert sum(naive) > 20


def test_a_rarer_false_alarm_has_a_higher_threshold() -> None:
    columns, kinds = stationary(T, 0.5, 3)
    found = [
        fit(Rows(columns), kinds, DriftSpec(window=500, every=500, false_alarm_every=rows))
        for rows in (600, 5000, 50_000, 500_000, 10**9)
    ]
    for one, other in itertools.pairwise(found):
        assert (other.thresholds > one.thresholds).all()


def test_the_column_that_shifted_is_found_and_no_other() -> None:
    rows = T + 20_000
    columns, kinds = stationary(rows, 0.5, 1)
    after = T + 10_000
    texts = np.array(["ab"] * rows, object)
    texts[::3] = "abcdef"
    base = {**columns, "e": texts, "f": np.random.default_rng(9).normal(size=rows)}
    kinds = {**kinds, "e": "text", "f": "number"}

    def shifted(name: str) -> dict[str, Any]:
        changed = {key: np.array(value) for key, value in base.items()}
        column = changed[name]
        if name in ("a", "b"):
            column[after:] += column.std()
        elif name == "c":
            column[after:][column[after:] == "q"] = "never seen"
        elif name == "d":
            column[after:] = ~column[after:]
        elif name == "e":
            column[after:] = "abcdef"
        else:
            column[after::4] = np.nan
        arrays: dict[str, Any] = {
            key: pa.array(value, from_pandas=True) for key, value in changed.items()
        }
        return arrays

    for name in base:
        drift = fit(Rows(shifted(name)), kinds)
        at = drift.columns.index(name)
        before = [drift.check(p) for p in checks(drift, after)]
        later = [drift.check(p) for p in checks(drift, rows) if p - SPEC.window >= after]
        assert len(later) > 10
        assert all(check.score[at] > 1.0 for check in later), name
        assert sum(check.score[at] > 1.0 for check in before) <= 2, name
        others = np.delete(np.array([check.score for check in later]), at, axis=1)
        assert (others > 1.0).mean() < 0.1, name
        assert np.mean([c.psi[at] for c in later]) > 5 * np.mean([c.psi[at] for c in before]), name


def test_the_statistics_are_those_of_scipy() -> None:
    """Of few different values, Kolmogorov-Smirnov is exact; chi-square of common levels too."""
    rng = np.random.default_rng(5)
    numbers = rng.integers(0, 100, T + 2000).astype(float)
    numbers[T:] = np.minimum(numbers[T:], 90.0)
    levels = rng.choice(["a", "b", "c"], T + 2000, p=[0.5, 0.3, 0.2])
    rows = Rows({"n": numbers, "c": levels})
    drift = fit(rows, {"n": "number", "c": "category"})
    check = drift.check(T + 1500)
    window = slice(T + 1000, T + 1500)
    distance = stats.ks_2samp(numbers[:T], numbers[window]).statistic
    assert check.statistic[0] == pytest.approx(distance, abs=1e-12)
    names = ["a", "b", "c"]
    expected = [500 * np.mean(levels[:T] == name) for name in names]
    seen = [int(np.sum(levels[window] == name)) for name in names]
    assert check.statistic[1] == pytest.approx(stats.chisquare(seen, expected).statistic)
    assert drift.tests == ("Kolmogorov-Smirnov", "chi-square")
    assert check.score == pytest.approx(check.statistic / drift.thresholds)


def test_psi_by_hand() -> None:
    values = np.array([False, True] * (T // 2) + [True] * 500)
    drift = fit(Rows({"b": values}), {"b": "boolean"})
    # Cells: missing, rare, false, true; half a row is added to each.
    p = np.array([0.5, 0.5, 0.5, 500.5]) / 502.0
    q = np.array([0.5, 0.5, T / 2 + 0.5, T / 2 + 0.5]) / (T + 2.0)
    assert drift.check(T + 500).psi[0] == pytest.approx(((p - q) * np.log(p / q)).sum())


def test_missing_values_are_a_share_of_their_own() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=T + 1000)
    x[: T + 500][rng.random(T + 500) < 0.1] = np.nan  # 10 % missing is as in training ...
    drift = fit(Rows({"x": pa.array(x, from_pandas=True)}), {"x": "number"})
    assert drift.check(T + 500).score[0] < 1.0
    assert drift.check(T + 1000).score[0] > 1.0  # ... none is not
    # NaN and null are the same.
    same = fit(Rows({"x": x}), {"x": "number"})
    assert np.array_equal(same.thresholds, drift.thresholds)
    assert same.check(T + 700).statistic[0] == drift.check(T + 700).statistic[0]


def test_a_constant_column_bears_one_odd_row_but_not_many() -> None:
    rows = T + 2000
    number, level = np.ones(rows), np.array(["a"] * rows, object)
    number[T + 100] = 5.0
    level[T + 100] = "b"
    number[T + 1000 : T + 1030] = 5.0
    level[T + 1000 : T + 1030] = "b"
    identity = np.array([f"id {k}" for k in range(rows)])
    drift = fit(
        Rows({"n": number, "c": level, "i": identity}),
        {"n": "number", "c": "category", "i": "category"},
    )
    assert (drift.check(T + 500).score < 1.0).all()
    assert (drift.check(T + 1500).score[:2] > 1.0).all()
    # Where every value is new, none tells of drift.
    assert drift.check(T + 1500).statistic[2] == 0.0


def test_a_counter_is_not_watched() -> None:
    x = np.random.default_rng(0).normal(size=T + 500)
    counter = np.arange(T + 500.0)
    kinds: dict[str, Kind] = {"up": "number", "down": "number", "x": "number", "one": "number"}
    rows = Rows({"up": counter, "down": -counter, "x": x, "one": np.ones(T + 500)})
    assert fit(rows, kinds).columns == ("x", "one")
    assert FeatureDrift.fit(rows, {"up": "number"}, T, SPEC, 0) is None


def test_a_window_with_nothing_in_common_always_alarms() -> None:
    """A wandering column and one of long phases have high thresholds, but not beyond reach."""
    walk = np.cumsum(np.random.default_rng(1).normal(size=T + 500))
    walk[T:] = walk[:T].max() + 1.0 + np.arange(500)
    phases = np.arange(T + 500) // 1500 % 2 == 1
    mostly = np.arange(T + 500) % 3000 < 2700
    phases[T:], mostly[T:] = True, False
    drift = fit(
        Rows({"w": walk, "p": phases, "m": mostly}),
        {"w": "number", "p": "boolean", "m": "boolean"},
    )
    assert (drift.check(T + 500).score > 1.0).all()
    assert drift.thresholds[0] > 0.3


def test_categories_are_the_same_however_they_are_stored() -> None:
    """As texts; with one dictionary for all; with another dictionary in every piece."""
    rng = np.random.default_rng(8)
    words = np.array([f"w{k}" for k in range(5000)], object)
    picks = np.minimum(rng.geometric(0.2, T + 3000), 4999)
    picks[rng.random(T + 3000) < 0.1] = 4000  # a level far into the dictionary
    values = words[picks]
    values[rng.random(T + 3000) < 0.05] = None
    plain = pa.array(values, pa.string())
    whole = plain.dictionary_encode()
    large = pa.DictionaryArray.from_arrays(
        pa.array([None if v is None else int(v[1:]) for v in values], pa.int32()), pa.array(words)
    )
    pieces = pa.chunked_array(
        [plain.slice(at, 700).dictionary_encode() for at in range(0, T + 3000, 700)]
    )
    found = []
    for stored in (plain, whole, large, pieces):
        drift = fit(Rows({"c": stored}), {"c": "category"})
        psi = [float(drift.check(p).psi[0]) for p in checks(drift, T + 3000)]
        found.append((drift.thresholds[0], psi))
    assert found[1:] == found[:1] * 3


def test_infinite_and_huge_numbers_do_no_harm() -> None:
    x = np.random.default_rng(0).normal(size=T + 1000)
    x[T + 500 :: 2] = np.inf
    x[T + 501 :: 4] = -1e308
    check = fit(Rows({"x": x}), {"x": "number"}).check(T + 1000)
    assert check.score[0] > 1.0
    assert np.isfinite(check.psi).all()


def test_checks_are_at_fixed_positions() -> None:
    columns, kinds = stationary(T + 5000, 0.0, 0)
    drift = fit(Rows(columns), kinds, DriftSpec(window=1200, every=500))
    # The first window wholly in the stream, at a multiple of 500 rows after the training window.
    assert drift.next_check(0) == drift.next_check(T) == T + 1500
    assert drift.next_check(T + 1499) == T + 1500
    assert drift.next_check(T + 1500) == T + 2000
    assert drift.next_check(T + 2001) == T + 2500
    assert drift.last_check(T + 1499) is None
    assert drift.last_check(T + 1999) == T + 1500
    assert drift.alarms(T + 1000) == 0
    assert drift.alarms(T + 1999) == drift.check(T + 1500).alarms
    assert fit(Rows(columns), kinds, DriftSpec(window=100, every=500)).next_check(0) == T + 500


def test_what_is_found_depends_on_the_rows_before_the_position_only() -> None:
    columns, kinds = stationary(T + 5000, 0.5, 4)
    rows = Rows(columns)
    drift = fit(rows, kinds)
    assert max(stop for _, stop in rows.asked) <= T  # calibrated on the training window
    rows.asked.clear()
    first = drift.check(T + 2500)
    assert rows.asked == [(T + 2000, T + 2500)]
    drift.check(T + 2500)
    assert len(rows.asked) == 1  # remembered
    again = fit(Rows(columns), kinds)
    for position in (T + 5000, T + 1000, T + 2500):  # in another order
        other = again.check(position)
    for name in ("statistic", "score", "psi"):
        assert np.array_equal(getattr(first, name), getattr(other, name))
    with pytest.raises(ValueError, match="read-only"):
        first.score[0] = 0.0


@pytest.mark.parametrize(("window", "every"), [(500, 500), (500, 90), (100, 330), (500, 1)])
def test_many_checks_at_once_find_what_one_after_the_other_does(
    window: int, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = T + (4000 if every > 1 else 700)
    columns, kinds = stationary(T + 5000, 0.5, 4)
    columns["a"][::7] = np.nan
    spec = DriftSpec(window=window, every=every)
    rows = Rows(columns)
    drift, single = fit(rows, kinds, spec), fit(Rows(columns), kinds, spec)
    monkeypatch.setattr(feature_drift, "_CELLS", 5000)  # several steps of several checks each
    single.check(drift.next_check(T + 700 if every > 1 else T + 550))  # one is known already
    drift.check(drift.next_check(T + 700 if every > 1 else T + 550))
    rows.asked.clear()
    found = list(drift.between(T, stop))
    assert max(last for _, last in rows.asked) <= stop  # what comes later may not be there yet
    assert len(rows.asked) < len(found) or every > window
    assert [check.position for check in found] == checks(drift, stop)
    for check in found:
        other = single.check(check.position)
        for name in ("statistic", "score", "psi"):
            assert np.array_equal(getattr(check, name), getattr(other, name))
            assert not getattr(check, name).flags.writeable
    later = drift.next_check(T + 900)
    assert [c.position for c in drift.between(later - 1, later)] == [later]
    assert list(drift.between(later, later)) == []


def test_remembered_checks_are_bounded_and_can_be_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feature_drift, "_KEPT_CHECKS", 3)
    columns, kinds = stationary(T + 5000, 0.0, 0)
    rows = Rows(columns)
    drift = fit(rows, kinds)
    for position in range(T + 500, T + 4001, 500):
        drift.check(position)
    rows.asked.clear()
    drift.check(T + 4000)
    assert rows.asked == []
    drift.check(T + 500)
    assert rows.asked == [(T, T + 500)]
    drift.forget()
    drift.check(T + 4000)
    assert len(rows.asked) == 2


def test_a_long_training_window_is_read_in_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reference_runs(1000, 1000) == [(0, 1000)]
    runs = reference_runs(100_000, 8000)
    assert runs[0][0] == 0
    assert runs[-1][1] == 100_000
    assert sum(stop - start for start, stop in runs) == 8000
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(runs))
    # What the runs tell is about what the whole window tells.
    columns, kinds = stationary(60_000, 0.3, 6)
    whole = fit(Rows(columns), kinds, train=50_000)
    monkeypatch.setattr(feature_drift, "REFERENCE_ROWS", 16_000)
    rows = Rows(columns)
    part = fit(rows, kinds, train=50_000)
    assert sum(stop - start for start, stop in rows.asked) == 2 * 4 * 16_000
    assert part.thresholds == pytest.approx(whole.thresholds, rel=0.25)


def test_where_there_is_nothing_to_compare() -> None:
    columns, kinds = stationary(100, 0.0, 0)
    rows = Rows(columns)
    assert FeatureDrift.fit(rows, kinds, 0, SPEC, 0) is None
    assert FeatureDrift.fit(rows, kinds, 1, SPEC, 0) is None
    assert FeatureDrift.fit(rows, {}, 50, SPEC, 0) is None
    assert FeatureDrift.fit(rows, {"a": "time"}, 50, SPEC, 0) is None
    empty = Rows({"x": pa.array([None] * 100, pa.float64()), "y": pa.array(["a"] * 100)})
    assert fit(empty, {"x": "number", "y": "category"}, train=50).check(100).alarms == 0


@pytest.mark.parametrize("train", [2, 3, 5, 17, 60])
def test_tiny_training_windows(train: int) -> None:
    columns, kinds = stationary(train + 300, 0.0, 7)
    spec = DriftSpec(window=100, every=50)
    drift = fit(Rows(columns), kinds, spec, train)
    for position in checks(drift, train + 300):
        assert np.isfinite(drift.check(position).score).all()


def test_with_the_stream_s_own_rows_and_faults(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = 6000
    lines = ["x,z,kind,word,flag,y"]
    for k in range(rows):
        word = ["", "tea", "milk"][int(rng.integers(3))]
        flag = "yes" if rng.random() < 0.3 else "no"
        lines.append(f"{rng.normal():.5f},{rng.normal():.5f},k{k % 5},{word},{flag},{k % 2}")
    path = tmp_path / "data.csv"
    path.write_text("\n".join(lines) + "\n")
    store = import_dataset([path], cache=tmp_path / "cache")
    spec = DataSpec(path=str(path), target="y")
    data = Dataset.build(store, spec, SplitSpec(train=3000))
    kinds = {name: data.kinds[name] for name in data.features}
    stream = EncodedStream(data, Encoder.fit(data, 0, 3000, 0))
    drift = FeatureDrift.fit(
        stream.read, kinds, 3000, DriftSpec(window=500, every=500, false_alarm_every=1_000_000), 0
    )
    assert drift is not None
    assert drift.columns == data.features
    quiet = [drift.check(p).alarms for p in checks(drift, rows)]
    assert quiet == [0] * 6
    stream.set_faults(
        [
            UnitError(start=4000, stop=5000, column="x", factor=100.0),
            MissingValues(start=5000, columns=["kind"], rate=0.3),
        ]
    )
    drift.forget()
    found = {
        p: [n for n, s in zip(drift.columns, drift.check(p).score, strict=True) if s > 1.0]
        for p in checks(drift, rows)
    }
    assert found == {
        3500: [],
        4000: [],
        4500: ["x"],
        5000: ["x"],
        5500: ["kind"],
        6000: ["kind"],
    }
    # Thresholds are of the training window, which faults never touch.
    again = FeatureDrift.fit(
        stream.read, kinds, 3000, DriftSpec(window=500, every=500, false_alarm_every=1_000_000), 0
    )
    assert again is not None
    assert np.array_equal(again.thresholds, drift.thresholds)
