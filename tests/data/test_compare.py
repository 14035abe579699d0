"""The training window against the rest: shares, distance, the target at each value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modellab.data import compare as module
from modellab.data.compare import Comparison, compare
from modellab.data.dataset import Dataset
from modellab.data.importer import import_dataset
from modellab.experiment import DataSpec, SplitSpec

ROWS, TRAIN = 4000, 1000


def compared(
    tmp_path: Path, target: str = "late", train: int = TRAIN, **columns: object
) -> dict[str, Comparison]:
    rng = np.random.default_rng(7)
    late = rng.random(ROWS) < 0.3
    given: dict[str, object] = {
        "late": np.where(late, "yes", "no"),
        "same": rng.normal(size=ROWS),
        **columns,
    }
    pq.write_table(pa.table(given), tmp_path / "a.parquet")
    with import_dataset(tmp_path / "a.parquet", cache=tmp_path / "c") as store:
        data = DataSpec(path="a", target=target)
        dataset = Dataset.build(store, data, SplitSpec(train=train))
        return {found.name: found for found in compare(dataset)}


def test_what_shifts_is_seen_and_what_does_not_is_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    after = np.arange(ROWS) >= TRAIN
    found = compared(
        tmp_path,
        moved=rng.normal(size=ROWS) + 2.0 * after,
        fewer=np.where(rng.random(ROWS) < np.where(after, 0.1, 0.9), "a", "b"),
        gone=[None if k >= TRAIN and k % 2 else float(k % 7) for k in range(ROWS)],
        when=pa.array(np.arange(ROWS) * 10**9, pa.timestamp("ns", "UTC")),
    )
    shifted = {name for name, one in found.items() if one.shifted}
    assert shifted == {"moved", "fewer", "gone", "when"}
    assert found["same"].distance < 0.1
    assert found["fewer"].distance == pytest.approx(0.8, abs=0.05)
    assert found["gone"].bars[-1].label == "missing"
    assert (found["gone"].bars[-1].train, found["gone"].bars[-1].rest) == (0.0, 0.5)
    assert found["when"].bars[0].label.startswith("below 1970-01-01 00:")
    for one in found.values():
        assert sum(bar.train for bar in one.bars) == pytest.approx(1)
        assert sum(bar.rest for bar in one.bars) == pytest.approx(1)
        assert (one.train_seen, one.rest_seen) == (TRAIN, ROWS - TRAIN)


def test_the_target_at_each_value(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    late = rng.random(ROWS) < 0.3
    found = compared(tmp_path, sign=np.where(late, "storm", "sun"), flag=late)
    assert found["sign"].classes == ["no", "yes"]
    shares = {bar.label: bar.target for bar in found["sign"].bars}
    assert shares == {"sun": [1.0, 0.0], "storm": [0.0, 1.0]}
    assert {bar.label for bar in found["flag"].bars} == {"true", "false"}
    assert found["late"].classes == []  # not the target at its own values
    assert all(bar.target == [] for bar in found["late"].bars)


def test_a_number_as_target_has_a_mean_at_each_value(tmp_path: Path) -> None:
    level = np.arange(ROWS) % 3
    found = compared(tmp_path, "cost", cost=level * 10.5, level=level.astype(float))
    assert [(bar.label, bar.target) for bar in found["level"].bars] == [
        ("0", [0.0]), ("1", [10.5]), ("2", [21.0]),
    ]  # fmt: skip


def test_frequent_values_are_told_and_the_others_together(tmp_path: Path) -> None:
    words = [f"w{k % 30}" if k % 2 else "often" for k in range(ROWS)]
    bars = compared(tmp_path, word=words)["word"].bars
    assert len(bars) == module.BARS + 1
    assert (bars[0].label, bars[0].train) == ("often", 0.5)
    assert bars[-1].label == "others"


def test_long_data_are_seen_in_stretches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRETCHES", 4)
    monkeypatch.setattr(module, "STRETCH_ROWS", 100)
    found = compared(tmp_path, run=np.arange(ROWS).astype(float))["run"]
    assert (found.train_seen, found.rest_seen) == (400, 400)
    # The last rows are among them.
    assert sum(bar.rest for bar in found.bars if "above" in bar.label) > 0


def test_without_two_parts_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert compared(tmp_path, train=0) == {}


def test_odd_columns_do_no_harm(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        nothing=pa.nulls(ROWS, pa.float64()),
        once=np.full(ROWS, 5.0),
        wild=[float("inf") if k % 2 else 1e300 * (k % 50) for k in range(ROWS)],
        text=[f"free text number {k}" for k in range(ROWS)],
    )
    assert found["nothing"].bars == [
        module.Bar("missing", 1.0, 1.0, found["nothing"].bars[0].target)
    ]
    assert not found["once"].shifted
    assert (found["text"].kind, found["text"].bars) == ("text", [])
    assert found["wild"].bars


def test_new_categories_and_words_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modellab.data.unseen._ROWS", 300)
    # "rare" is in one row of the training window, between the stretches that are compared.
    place = ["rare" if k in (777, 2000) else f"p{k % 3}" for k in range(ROWS)]
    place[3000], place[3001], place[3500] = "new", "new", "<b>newer</b>"
    found = compared(tmp_path, place=place)
    new = found["place"].unseen
    assert new is not None
    assert (new.count, new.of, new.different, new.rows) == (3, ROWS - TRAIN, 2, ROWS - TRAIN)
    assert new.examples == ["new", "<b>newer</b>"]
    assert found["same"].unseen is None


def test_new_words_of_texts(tmp_path: Path) -> None:
    story = [f"the long and ordinary story of number {k} told at length" for k in range(ROWS)]
    story[0] += " " + " ".join(str(k) for k in range(ROWS))
    story[2500] = "an EXTRAORDINARY story, extraordinary and ordinary"
    found = compared(tmp_path, story=[*story[:-1], None])
    new = found["story"].unseen
    assert found["story"].kind == "text"
    assert new is not None
    assert (new.count, new.different, new.examples) == (3, 2, ["extraordinary", "an"])
    assert new.rows == ROWS - TRAIN
    assert new.of == (ROWS - TRAIN - 2) * 11 + 6
