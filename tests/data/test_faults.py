"""Each fault by itself on a small real data set: what it changes, and what it leaves alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modellab.data.dataset import Dataset
from modellab.data.encoder import Encoder
from modellab.data.faults import check_faults, drift_positions
from modellab.data.faults_draws import Draws, TrainingFacts, fault_keys
from modellab.data.importer import import_dataset
from modellab.data.stream import EncodedStream
from modellab.errors import ExperimentError
from modellab.experiment import DataSpec, Fault, SplitSpec
from modellab.experiment_faults import (
    DriftFault,
    DuplicatedRows,
    FeatureNoise,
    LabelDelay,
    LabelNoise,
    MissingValues,
    Outage,
    SwappedColumns,
    UnitError,
)

if TYPE_CHECKING:
    from pathlib import Path

N, T = 5000, 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbers a, b; categories c, d (d has values that c has not); a boolean; time; targets."""
    folder = tmp_path_factory.mktemp("faults")
    rng = np.random.default_rng(5)
    lines = ["when,a,b,c,d,f,klass,amount"]
    for i in range(N):
        a = "" if rng.random() < 0.05 else f"{rng.normal(10, 3):.6f}"
        new = "new" if i >= 4000 and rng.random() < 0.3 else "p"
        c = ["p", "q", "r"][int(rng.integers(3))]
        d = ["x", "y", new][int(rng.integers(3))]
        f = ["no", "yes"][int(rng.integers(2))]
        klass = "" if rng.random() < 0.02 else ["k0", "k1", "k2"][int(rng.integers(3))]
        when = f"2024-01-{1 + i // 1440:02d} {i // 60 % 24:02d}:{i % 60:02d}:00"
        lines.append(f"{when},{a},{rng.normal():.6f},{c},{d},{f},{klass},{rng.normal(50, 4):.6f}")
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    return folder


def open_data(folder: Path, target: str = "klass", time: str | None = "when") -> Dataset:
    path = folder / "data.csv"
    store = import_dataset([path], cache=folder / "cache")
    ignore = [n for n in ("klass", "amount", "when") if n not in (target, time)]
    spec = DataSpec(path=str(path), target=target, time=time, ignore=ignore)
    return Dataset.build(store, spec, SplitSpec(train=T))


@pytest.fixture(scope="module")
def data(folder: Path) -> Dataset:
    return open_data(folder)


@pytest.fixture(scope="module")
def amounts(folder: Path) -> Dataset:
    return open_data(folder, "amount")


@pytest.fixture(scope="module")
def encoder(data: Dataset) -> Encoder:
    return Encoder.fit(data, 0, T, seed=0)


def stream_of(data: Dataset, *faults: Fault, seed: int = 0, delay: int | str = 0) -> EncodedStream:
    return EncodedStream(data, Encoder.fit(data, 0, T, 0), delay, faults=faults, seed=seed)


def cells(stream: EncodedStream, name: str) -> list[Any]:
    return stream.read(0, N, [name]).column(0).to_pylist()


def changed(stream: EncodedStream, data: Dataset, name: str) -> np.ndarray:
    clean = cells(EncodedStream(data, stream.encoder), name)
    return np.array([a != b for a, b in zip(cells(stream, name), clean, strict=True)])


# ---------------------------------------------------------------- features


def test_a_unit_error_multiplies_one_column_in_its_range(data: Dataset) -> None:
    stream = stream_of(data, UnitError(start=2000, stop=2100, column="b", factor=1000.0))
    clean = np.array(cells(stream_of(data), "b"))
    spoilt = np.array(cells(stream, "b"))
    np.testing.assert_array_equal(spoilt[2000:2100], clean[2000:2100] * 1000.0)
    assert np.flatnonzero(spoilt != clean).tolist() == list(range(2000, 2100))
    assert not changed(stream, data, "a").any()
    at = stream.encoder.names("raw").index("b")
    np.testing.assert_array_equal(stream.rows("raw", 0, N)[:, at], spoilt)


def test_missing_values_come_at_their_rate_in_their_columns(data: Dataset) -> None:
    stream = stream_of(data, MissingValues(start=1500, rate=0.3, columns=["b", "c", "f", "a"]))
    for name in ("b", "c", "f"):
        gone = np.array([value is None for value in cells(stream, name)])
        assert not gone[:1500].any()
        assert abs(gone[1500:].mean() - 0.3) < 0.04
    assert not changed(stream, data, "d").any()
    other = stream_of(data, MissingValues(start=1500, rate=0.3, columns=["b"]))
    assert cells(other, "b") == cells(stream, "b")  # whatever else is asked for or touched


def test_all_features_are_missing_at_rate_one(data: Dataset) -> None:
    stream = stream_of(data, MissingValues(start=4990, rate=1.0))
    assert all(v is None for n in data.features for v in cells(stream, n)[4990:])
    assert stream.times(0, N) is not None
    np.testing.assert_array_equal(stream.times(0, N), stream_of(data).times(0, N))


def test_noise_on_numbers_has_the_deviation_asked_for(data: Dataset) -> None:
    stream = stream_of(data, FeatureNoise(start=1000, scale=2.0, columns=["b"]))
    clean, spoilt = np.array(cells(stream_of(data), "b")), np.array(cells(stream, "b"))
    noise = (spoilt - clean)[T:]
    assert abs(noise.std() / (2.0 * clean[:T].std()) - 1) < 0.05
    assert abs(noise.mean()) < 0.15
    half = stream_of(data, FeatureNoise(start=1000, scale=2.0, rate=0.5, columns=["b"]))
    touched = changed(half, data, "b")[T:]
    assert abs(touched.mean() - 0.5) < 0.05
    np.testing.assert_array_equal(  # the same noise where it is
        np.array(cells(half, "b"))[T:][touched], spoilt[T:][touched]
    )


def test_noise_leaves_missing_numbers_missing(data: Dataset) -> None:
    stream = stream_of(data, FeatureNoise(start=1000))
    clean = cells(stream_of(data), "a")
    assert [v is None for v in clean] == [v is None for v in cells(stream, "a")]


def test_noise_gives_categories_another_one_of_the_training_window(data: Dataset) -> None:
    stream = stream_of(data, FeatureNoise(start=2000, columns=["d", "f"]))
    assert changed(stream, data, "d")[2000:].all()
    assert changed(stream, data, "f")[2000:].all()
    clean, spoilt = cells(stream_of(data), "d"), cells(stream, "d")
    assert "new" in clean
    assert "new" not in spoilt[2000:]  # it did not occur in the training window
    seen = {(a, b) for a, b in zip(clean[2000:], spoilt[2000:], strict=True)}
    known = ["p", "x", "y"]
    assert seen == {(a, b) for a in [*known, "new"] for b in known if a != b}


def test_swapped_columns_arrive_in_each_others_place(data: Dataset) -> None:
    stream = stream_of(
        data,
        SwappedColumns(start=3000, stop=4500, columns=["c", "d"]),
        SwappedColumns(start=3500, columns=["a", "b"]),
    )
    clean = stream_of(data)
    for one, other, start, stop in (("c", "d", 3000, 4500), ("a", "b", 3500, N)):
        for mine, theirs in ((one, other), (other, one)):
            got = cells(stream, mine)
            assert got[start:stop] == cells(clean, theirs)[start:stop]
            assert got[:start] == cells(clean, mine)[:start]
            assert got[stop:] == cells(clean, mine)[stop:]
    # What a model never saw in a column is unseen there, and counted.
    assert stream.unseen(3000, 4000)["c"] > 600
    assert clean.unseen(3000, 4000)["c"] == 0


def test_noise_after_a_swap_knows_the_columns_own_categories(data: Dataset) -> None:
    stream = stream_of(
        data,
        SwappedColumns(start=2000, columns=["c", "d"]),
        FeatureNoise(start=2000, columns=["c"]),
    )
    assert set(cells(stream, "c")[2000:]) == {"p", "q", "r"}


def test_duplicates_repeat_the_row_before_with_its_label(data: Dataset) -> None:
    stream = stream_of(data, DuplicatedRows(start=1200, stop=4000, rate=0.4))
    clean = stream_of(data)
    rows, labels = clean.rows("ordinal", 0, N), clean.labels(0, N)
    got, seen = stream.rows("ordinal", 0, N), stream.seen(0, N)
    repeated = (got[1:] == got[:-1]).all(axis=1) & ~(rows[1:] == rows[:-1]).all(axis=1)
    at = np.flatnonzero(repeated) + 1
    assert at.min() > 1200
    assert at.max() < 4000
    assert abs(len(at) / 2800 - 0.4) < 0.04
    np.testing.assert_array_equal(seen[at], seen[at - 1])
    rest = np.setdiff1d(np.arange(N), at)
    np.testing.assert_array_equal(got[rest], rows[rest])
    np.testing.assert_array_equal(stream.labels(0, N), labels)  # what is true stays


def test_a_row_that_is_always_repeated_is_the_first_of_the_range(data: Dataset) -> None:
    stream = stream_of(data, DuplicatedRows(start=1300, rate=1.0))
    first = stream_of(data).rows("ordinal", 1300, 1301)
    assert (stream.rows("ordinal", 4000, N) == first).all()
    assert (stream.rows("ordinal", 1300, 1310) == first).all()
    assert not (stream.rows("ordinal", 1299, 1300) == first).all()


def test_faults_act_in_the_order_in_which_they_stand(data: Dataset) -> None:
    unit = UnitError(start=2000, column="b", factor=-5.0)
    swap = SwappedColumns(start=2000, columns=["a", "b"])
    clean = stream_of(data)
    a, b = (np.array(cells(clean, n), dtype=float)[2000:] for n in ("a", "b"))
    first = stream_of(data, unit, swap)
    np.testing.assert_array_equal(np.array(cells(first, "a"), dtype=float)[2000:], -5.0 * b)
    second = stream_of(data, swap, unit)
    np.testing.assert_array_equal(np.array(cells(second, "a"), dtype=float)[2000:], b)
    np.testing.assert_array_equal(np.array(cells(second, "b"), dtype=float)[2000:], -5.0 * a)


def test_permuting_gives_columns_of_a_kind_each_others_values(data: Dataset) -> None:
    stream = stream_of(data, DriftFault(start=2500, how="permute"))
    clean = stream_of(data)
    for mine, theirs in (("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")):
        assert cells(stream, mine)[2500:] == cells(clean, theirs)[2500:]
    assert not changed(stream, data, "f").any()  # there is no other boolean
    np.testing.assert_array_equal(stream.labels(0, N), clean.labels(0, N))


# ---------------------------------------------------------------- labels


def test_label_noise_gives_another_class_and_the_truth_stays(data: Dataset) -> None:
    stream = stream_of(data, LabelNoise(start=2000, stop=4000, rate=0.25))
    true, seen = stream.labels(0, N), stream.seen(0, N)
    np.testing.assert_array_equal(true, data.labels(0, N))
    wrong = true != seen
    assert not wrong[:2000].any()
    assert not wrong[4000:].any()
    assert abs(wrong[2000:4000].mean() - 0.25) < 0.03
    assert (seen[true < 0] < 0).all()  # what is missing stays missing
    pairs = {(int(a), int(b)) for a, b in zip(true[wrong], seen[wrong], strict=True)}
    assert pairs == {(a, b) for a in range(3) for b in range(3) if a != b}


def test_one_sided_label_noise_changes_one_class_only(data: Dataset) -> None:
    stream = stream_of(data, LabelNoise(start=1000, rate=1.0, only="k1"))
    true, seen = stream.labels(T, N), stream.seen(T, N)
    assert (seen[true == 1] != 1).all()
    np.testing.assert_array_equal(seen[true != 1], true[true != 1])


def test_label_noise_on_numbers_is_in_deviations_of_the_target(amounts: Dataset) -> None:
    stream = stream_of(amounts, LabelNoise(start=1000, rate=0.5, scale=3.0))
    noise = stream.seen(T, N) - stream.labels(T, N)
    hit = noise != 0
    assert abs(hit.mean() - 0.5) < 0.03
    assert abs(noise[hit].std() / (3.0 * amounts.labels(0, T).std()) - 1) < 0.05


def test_relabelling_changes_what_is_true(data: Dataset, amounts: Dataset) -> None:
    stream = stream_of(data, DriftFault(start=3000))
    before, true = data.labels(0, N), stream.labels(0, N)
    np.testing.assert_array_equal(true[:3000], before[:3000])
    known = before[3000:] >= 0
    np.testing.assert_array_equal(true[3000:][known], (before[3000:][known] + 1) % 3)
    assert (true[3000:][~known] == -1).all()
    np.testing.assert_array_equal(stream.seen(0, N), true)
    mirrored = stream_of(amounts, DriftFault(start=3000)).labels(3000, N)
    mean = amounts.labels(0, T).mean()
    np.testing.assert_allclose(mirrored, 2 * mean - amounts.labels(3000, N), rtol=1e-12)


def test_a_drift_comes_suddenly_gradually_or_again_and_again(data: Dataset) -> None:
    before = data.labels(0, N)

    def new(**how: Any) -> np.ndarray:
        true = stream_of(data, DriftFault(start=2000, **how)).labels(0, N)
        return (true != before)[before >= 0].astype(float)[np.cumsum(before >= 0)[1999] :]

    sudden = new(shape="sudden")
    assert sudden.all()
    gradual = new(shape="gradual", width=2000)
    assert gradual[:300].mean() < 0.15
    assert 0.4 < gradual[800:1200].mean() < 0.6
    assert gradual[2000:].all()
    again = stream_of(data, DriftFault(start=2000, shape="recurring", width=500)).labels(0, N)
    at = np.flatnonzero((again != before) & (before >= 0))
    assert set((at - 2000) // 500 % 2) == {0}
    assert len(at) > 1400


def test_noise_acts_on_the_label_as_it_is_after_the_drift(data: Dataset) -> None:
    drift, noise = DriftFault(start=2000), LabelNoise(start=2000, rate=1.0, only="k1")
    before = data.labels(2000, N)
    later = stream_of(data, drift, noise)
    assert (later.seen(2000, N) != 1).all()  # k0 became k1, and k1 something else
    earlier = stream_of(data, noise, drift)
    assert (earlier.seen(2000, N)[before == 1] != 2).all()
    np.testing.assert_array_equal(earlier.labels(2000, N), later.labels(2000, N))


def test_an_outage_loses_labels_or_keeps_them_for_its_end(data: Dataset) -> None:
    kept = stream_of(data, Outage(start=2000, stop=2500), delay=100)
    lost = stream_of(data, Outage(start=2000, stop=2500, backlog="lost"), delay=100)
    for stream in (kept, lost):
        upto = stream.label_upto(0, N)
        assert set(upto[2000:2500]) == {upto[1999]} == {1900}
        assert upto[2500] == 2401
        assert stream.next_known(1899) == 1999
        assert stream.next_known(1900) == 2500 == stream.next_known(2399)
        assert stream.next_known(2400) == 2500
        assert stream.next_known(2401) == 2501
        assert [stream.next_link(i) for i in (1999, 2000, 2499, 2500)] == [1999, 2500, 2500, 2500]
    np.testing.assert_array_equal(kept.seen(0, N), data.labels(0, N))
    assert (lost.seen(1900, 2400) == -1).all()
    rest = np.r_[0:1900, 2400:N]
    np.testing.assert_array_equal(lost.seen(0, N)[rest], data.labels(0, N)[rest])
    np.testing.assert_array_equal(lost.labels(0, N), data.labels(0, N))
    rows, y = lost.matrix("raw", 1800, 2500)
    assert len(rows) == len(y) == int((lost.seen(1800, 2500) >= 0).sum()) < 200


def test_late_labels_hold_back_those_behind_them(data: Dataset) -> None:
    stream = stream_of(data, LabelDelay(start=2000, stop=2100, delay=300))
    upto = stream.label_upto(0, N)
    assert upto[1999] == 2000 == upto[2299]
    assert upto[2300] == 2001
    assert upto[2398] == 2099
    assert upto[2399] == 2400  # the last late one, and all that waited behind it
    assert stream.next_known(2150) == 2399
    hours = stream_of(data, LabelDelay(start=2000, stop=2100, delay="5h"))  # a row is a minute
    np.testing.assert_array_equal(hours.label_upto(0, N), upto)
    ever = stream_of(data, LabelDelay(start=4000, delay="30d"))
    assert ever.next_known(4000) == N
    assert ever.label_upto(N - 1, N)[0] == 4000


def test_faults_can_be_changed_while_a_stream_is_read(data: Dataset) -> None:
    stream = stream_of(data)
    clean = stream.rows("raw", 0, N).copy()
    stream.set_faults([FeatureNoise(start=2000), LabelNoise(start=2000, rate=1.0), Outage(start=9)])
    fresh = stream_of(data, *stream.faults)
    np.testing.assert_array_equal(stream.rows("raw", 0, N), fresh.rows("raw", 0, N))
    np.testing.assert_array_equal(stream.seen(0, N), fresh.seen(0, N))
    assert stream.label_upto(N - 1, N)[0] == T
    with pytest.raises(ExperimentError):
        stream.set_faults([UnitError(start=0, column="c")])
    np.testing.assert_array_equal(stream.seen(0, N), fresh.seen(0, N))  # those before stay
    stream.set_faults([])
    np.testing.assert_array_equal(stream.rows("raw", 0, N), clean)
    np.testing.assert_array_equal(stream.seen(0, N), data.labels(0, N))


# ---------------------------------------------------------------- random numbers


def test_a_fault_keeps_its_random_numbers_when_others_come_and_go() -> None:
    noise = LabelNoise(start=5, stop=50)
    keys = fault_keys([FeatureNoise(start=5), noise, noise, LabelNoise(start=6)])
    assert len(set(keys)) == 4
    assert fault_keys([LabelNoise(start=5, stop=9, rate=0.9)])[0] == keys[1]
    one = Draws(0, keys[1])
    assert (one.uniform("x", 900, 1100) == one.uniform("x", 0, 3000)[900:1100]).all()
    assert (one.uniform("x", 0, 9) != one.uniform("y", 0, 9)).all()
    assert (one.uniform("x", 0, 9) != Draws(1, keys[1]).uniform("x", 0, 9)).all()


def test_without_a_training_window_the_first_rows_stand_in_for_it(folder: Path) -> None:
    path = folder / "data.csv"
    store = import_dataset([path], cache=folder / "cache")
    cold = Dataset.build(
        store, DataSpec(path=str(path), target="klass", time="when"), SplitSpec(train=0)
    )
    assert TrainingFacts(cold).deviation("b") == pytest.approx(
        np.std(cold.store.read(0, N, columns=["b"]).column(0).to_numpy())
    )


# ---------------------------------------------------------------- sentences


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (UnitError(start=0, column="c"), r"“c” is a category: only a number has a unit"),
        (UnitError(start=0, column="nope"), r"“nope” is not in the data"),
        (FeatureNoise(start=0, columns=["klass"]), r"“klass” is the target"),
        (MissingValues(start=0, columns=["when"]), r"“when” is the time"),
        (MissingValues(start=0, columns=["amount"]), r"“amount” is no feature"),
        (SwappedColumns(start=0, columns=["a", "c"]), r"“a” is a number and “c” a category"),
        (DriftFault(start=0, how="permute", columns=["a", "c"]), "at least two feature columns"),
        (DriftFault(start=0, columns=["a"]), "columns are for permute"),
        (LabelNoise(start=0, only="k9"), r"“k9” is no class of “klass”. Did you mean “k\d”"),
        (LabelNoise(start=N), f"start is row {N:,}, but the data have {N:,} rows"),
        (LabelNoise(start=0, stop=T), "rows of the training window are never touched"),
        (LabelNoise(start=0, rate=2.0), "rate is 2, but must lie between 0 and 1"),
    ],
)
def test_a_fault_that_does_not_fit_is_refused_in_words(
    data: Dataset, fault: Fault, said: str
) -> None:
    with pytest.raises(ExperimentError, match=said):
        check_faults([Outage(start=0), fault], data)
    with pytest.raises(ExperimentError, match=said):
        stream_of(data, fault)


def test_more_sentences(folder: Path, amounts: Dataset) -> None:
    with pytest.raises(ExperimentError, match="“amount” is a number"):
        check_faults([LabelNoise(start=0, only="3")], amounts)
    timeless = open_data(folder, time=None)
    with pytest.raises(ExperimentError, match="no time column"):
        check_faults([LabelDelay(start=0, delay="2h")], timeless)
    check_faults([LabelDelay(start=0, delay=5), LabelDelay(start=0, delay=0)], timeless)


# ---------------------------------------------------------------- known drifts


def test_drift_positions_are_where_what_is_true_changes(data: Dataset) -> None:
    faults: list[Fault] = [
        LabelNoise(start=1),
        DriftFault(start=2000, stop=3000),
        DriftFault(start=4000, shape="gradual"),
        DriftFault(start=0, stop=500),
    ]
    assert drift_positions(faults, T, N) == [2000, 3000, 4000]
    again = [DriftFault(start=500, stop=4200, shape="recurring", width=1000)]
    assert drift_positions(again, T, N) == [1000, 1500, 2500, 3500]
    assert drift_positions([DriftFault(start=7, shape="recurring")]) == [7]
    for one in (*faults[1:3], *again):
        true, before = stream_of(data, one).labels(0, N), data.labels(0, N)
        new = (true != before).astype(int)[before >= 0]
        rows = np.flatnonzero(before >= 0)
        moves = rows[1:][np.abs(np.diff(new)) > 0]
        found = drift_positions([one], T, N)
        if getattr(one, "shape", "") != "gradual":
            assert len(moves) == len(found)
            assert all(0 <= a - b < 20 for a, b in zip(moves, found, strict=True))
        else:
            assert 0 <= moves[0] - found[0] < 500
