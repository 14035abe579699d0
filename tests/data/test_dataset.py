"""Roles, task, split and order of a data set; what cannot be is told in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modellab.data.dataset import Dataset, guess_target, guess_time
from modellab.data.importer import import_dataset
from modellab.data.store import Store
from modellab.data.task import Task
from modellab.errors import DataError, ExperimentError, LabError
from modellab.experiment import DataSpec, SplitSpec


def store_of(folder: Path, text: str) -> Store:
    path = folder / "x.csv"
    path.write_text(text)
    return import_dataset(path, cache=folder)


def build(store: Store, target: str, train: Any = 0.5, test: float = 0.2, **data: Any) -> Dataset:
    return Dataset.build(store, DataSpec("x.csv", target, **data), SplitSpec(train, test))


def refused(store: Store, target: str, train: Any = 0.5, **data: Any) -> str:
    with pytest.raises(LabError) as caught:
        build(store, target, train, **data)
    assert isinstance(caught.value, DataError | ExperimentError)
    return caught.value.sentence


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    lines = ["when,num,cat,flag,code,few,same,empty,note,big,label"]
    lines += [
        f"2020-01-{k // 20 + 1:02d},{k * 0.37:.2f},{'abc'[k % 3]},{'yes' if k % 4 else 'no'},"
        f"{k % 3 + 1},{k % 5 * 2},one,,Note {k} of many written words here,id{k},"
        f"{'' if k == 7 else 'UP' if k % 2 else 'DOWN'}"
        for k in range(400)
    ]
    return store_of(tmp_path_factory.mktemp("data"), "\n".join(lines))


def test_roles_and_rows(store: Store) -> None:
    data = build(store, "label", time="when", ignore=["code"], kinds={"few": "category"})
    assert data.features == ("num", "cat", "flag", "few", "same", "empty", "note", "big")
    assert data.task == Task("classification", ("DOWN", "UP"), "label")
    assert (data.n_rows, data.train_rows, data.test_rows) == (400, 200, 40)
    assert data.kinds["few"] == "category"
    assert data.first_out_of_order is None
    assert data.labels(5, 10).tolist() == [1, 0, -1, 0, 1]
    times = data.times(19, 21)
    assert times is not None
    assert np.diff(times).tolist() == [86400 * 10**9]
    assert data.times(500, 600).tolist() == []  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("target", "kinds", "kind", "classes"),
    [
        ("flag", {}, "classification", ("no", "yes")),
        ("cat", {}, "classification", ("a", "b", "c")),
        ("num", {}, "regression", ()),
        ("code", {}, "classification", (1, 2, 3)),  # 1, 2, 3 without gaps
        ("few", {}, "regression", ()),  # 0, 2, 4, 6, 8
        ("few", {"few": "category"}, "classification", ("0", "2", "4", "6", "8")),
        ("code", {"code": "number"}, "regression", ()),
    ],
)
def test_the_task_follows_from_the_target(
    store: Store, target: str, kinds: Any, kind: str, classes: Any
) -> None:
    data = build(store, target, kinds=kinds)
    assert (data.task.kind, data.task.classes) == (kind, classes)
    y = data.labels(0, 12)
    if kind == "classification":
        assert y.dtype == np.int64
        shown = [str(data.task.classes[code]) for code in y]
        assert shown == store.column_as(target, "category", 0, 12).to_pylist()
    else:
        assert y.dtype == np.float64
        assert y.tolist() == store.column_as(target, "number", 0, 12).to_pylist()


def test_zeros_and_ones_and_words_for_them(tmp_path: Path) -> None:
    store = store_of(tmp_path, "a,b,c\n" + "1,true,0\n2,false,1\n" * 5)
    assert build(store, "c").task.classes == (0, 1)
    assert build(store, "b").task.classes == (False, True)
    assert build(store, "c").labels(0, 3).tolist() == [0, 1, 0]


def test_missing_numbers_are_nan(tmp_path: Path) -> None:
    store = store_of(tmp_path, "a,y\n1,2.5\n2,\n3,4.25\n4,1\n")
    assert np.isnan(build(store, "y").labels(0, 4)).tolist() == [False, True, False, False]


def test_refusals(store: Store) -> None:
    assert refused(store, "labl") == "“x.csv” has no column “labl”. Did you mean “label”?"
    assert refused(store, "same") == (
        "Column “same” has only one value, “one”: there is nothing to predict. "
        "Choose another target."
    )
    assert refused(store, "empty") == (
        "Column “empty” has no value in any row: it cannot be the target."
    )
    assert refused(store, "note") == (
        "Column “note” is text with too many different values to be the target: "
        "choose another column."
    )
    assert refused(store, "when") == "Column “when” holds times: it cannot be the target."
    assert refused(store, "label", time="cat") == (
        "Column “cat” cannot tell the time: “a” is not a date or time such as 2024-05-31 or "
        "2024-05-31 17:30."
    )
    assert refused(store, "label", time="empty") == (
        "Column “empty” has no value: it cannot tell the time."
    )
    assert refused(store, "label", time="flag").endswith("it cannot tell the time.")
    assert refused(store, "label", ignore=["nun"]) == (
        "data.ignore names “nun”, but “x.csv” has no such column. Did you mean “num”?"
    )
    assert "data.kinds names “zzz”" in refused(store, "label", kinds={"zzz": "number"})
    everything = [name for name in store.names if name != "label"]
    assert refused(store, "label", ignore=everything) == (
        "“x.csv” has no column left to predict “label” from: all others are ignored."
    )
    assert refused(store, "label", 400) == (
        "The training window of 400 rows leaves no row to replay: “x.csv” has 400 rows. "
        "Make it shorter."
    )


def test_too_many_classes(tmp_path: Path) -> None:
    store = store_of(tmp_path, "a,y\n" + "".join(f"1,c{k}\n" for k in range(1001)) * 21)
    assert refused(store, "y") == (
        "Column “y” has 1,001 different values: too many classes to predict (at most 1,000)."
    )


@pytest.mark.parametrize(
    ("train", "rows", "tests"),
    [
        (0.2, 80, 16), (0, 0, 0), (0.0, 0, 0), (100, 100, 20), (100.0, 100, 20), (0.001, 1, 0),
        ("2020-01-06", 100, 20), ("2020-01-05 13:00", 100, 20), ("2020-01-05T00:00:00Z", 80, 16),
    ],
)  # fmt: skip
def test_splits(store: Store, train: Any, rows: int, tests: int) -> None:
    data = build(store, "label", train, time="when")
    assert (data.train_rows, data.test_rows) == (rows, tests)


def test_splits_by_time_that_cannot_be(store: Store) -> None:
    assert "is not understood: write a fraction" in refused(store, "label", "soon", time="when")
    assert "but the data have no time column" in refused(store, "label", "2020-01-05")
    assert "is not after the first row" in refused(store, "label", "1999-01-01", time="when")
    assert "leaves no row to replay" in refused(store, "label", "2030-01-01", time="when")


def test_rows_without_a_time_take_the_one_before(tmp_path: Path) -> None:
    stamps = ["", "", "2020-01-01", "", "2020-01-02", ""]
    store = store_of(tmp_path, "t,y\n" + "".join(f"{t},{k % 2}\n" for k, t in enumerate(stamps)))
    data = build(store, "y", 2, time="t")
    day = 86400 * 10**9
    times = data.times(0, 6)
    assert times is not None
    assert ((times - times[0]) // day).tolist() == [0, 0, 0, 0, 1, 1]
    assert data.times(3, 4).tolist() == times[3:4].tolist()  # type: ignore[union-attr]
    assert data.times(1, 2).tolist() == times[1:2].tolist()  # type: ignore[union-attr]
    assert data.position_at(int(times[4])) == 4
    assert data.position_at(int(times[4]) + 1) == 6


def test_numbers_can_tell_the_time(tmp_path: Path) -> None:
    store = store_of(tmp_path, "ts,y\n1600000000,0\n1600000060,1\n1600000030,0\n1600000090,1\n")
    data = build(store, "y", 2, time="ts")
    assert data.kinds["ts"] == "time"
    assert data.first_out_of_order == 2
    assert data.time_at(1) == 1600000060 * 10**9
    assert data.position_at(1600000031 * 10**9) == 1  # not in order: the first such row
    assert guess_time(store) == "ts"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("a,class,b\n1,x,2\n2,y,3\n", "class"),
        ("a,b,c\n1,2,3\n2,4,5\n", "c"),
        ("a,my_target,c\n1,2,3\n2,4,5\n", "my_target"),
        ("a,b,c\n1,2,2020-01-01\n2,4,2020-01-02\n", "b"),
        ("a,b,c\n1,2,same\n2,4,same\n", "b"),
        ("y,b\n1,2\n2,4\n", "y"),
        ("a,b,target\n1,2,yes\n2,4,no\n", "target"),
        ("a,b,c\n1,2,true\n2,4,false\n", "c"),
        ("a,b,c\n1,2,yes\n2,4,yes\n", "b"),
    ],
)
def test_target_guesses(tmp_path: Path, text: str, target: str) -> None:
    name, reason = guess_target(store_of(tmp_path, text))
    assert name == target
    assert reason.startswith("guessed")


def test_time_guesses(tmp_path: Path, store: Store) -> None:
    assert guess_time(store) == "when"
    text = "born,seen\n2001-01-01,2020-01-01\n1990-01-01,2020-01-02\n"
    assert guess_time(store_of(tmp_path, text)) == "seen"
    assert guess_time(store_of(tmp_path, "a,b\n1,2\n3,4\n")) is None


def test_real_files(shared_data: Path, tmp_path: Path) -> None:
    electricity = import_dataset(shared_data / "electricity.csv", cache=tmp_path)
    assert guess_target(electricity)[0] == "class"
    assert guess_time(electricity) is None
    data = build(electricity, "class", 0)
    assert data.task.classes == ("DOWN", "UP")
    y = data.labels(0, data.n_rows)
    assert round(100 * np.mean(y == 0), 2) == 57.55
    noaa = import_dataset(shared_data / "noaa_weather.csv", cache=tmp_path)
    assert build(noaa, "target").task == Task("classification", (0, 1), "target")
    kdd = import_dataset(shared_data / "kddcup.data_10_percent.gz", cache=tmp_path)
    assert (kdd.n_rows, len(kdd.columns), kdd.bad_row_count) == (494_021, 42, 0)
    assert guess_target(kdd)[0] == "column_42"
    sms = import_dataset(shared_data / "sms_spam.tsv", cache=tmp_path)
    assert (sms.n_rows, sms.bad_row_count) == (5574, 0)
    assert [c.kind for c in sms.columns] == ["category", "text"]
