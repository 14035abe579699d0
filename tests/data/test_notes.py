"""Worth knowing: each thing is found where it is, and only there; remedies carry what they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from modellab.data.dataset import Dataset
from modellab.data.giveaway import give_aways
from modellab.data.importer import import_dataset
from modellab.data.notes import Note, worth_knowing
from modellab.data.profile import profile
from modellab.data.samples import sample_experiment, sample_path
from modellab.data.store import Store
from modellab.experiment import DataSpec, SplitSpec, replace


def store_of(folder: Path, columns: dict[str, Any]) -> Store:
    path = folder / "x.csv"
    rows = zip(*columns.values(), strict=True)
    path.write_text(
        ",".join(columns) + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    )
    return import_dataset(path, cache=folder)


def notes_of(store: Store, target: str, train: int, **data: Any) -> dict[str, Note]:
    guessed = data.pop("target_guessed", False)
    spec = DataSpec(store.source_paths[0], target, **data)
    profiles = profile(store, kinds=spec.kinds, train_rows=train)
    found = worth_knowing(store, profiles, spec, train, target_guessed=guessed)
    for note in found:
        assert note.title
        assert note.text[-1] in ".?"
        assert msgspec.json.decode(msgspec.json.encode(note), type=Note) == note
    assert len({note.id for note in found}) == len(found)
    return {note.id: note for note in found}


def base(n: int = 1000) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    x = rng.normal(size=n).round(7)
    return {"x": x, "y": np.where(x + rng.normal(size=n) > 0, "up", "down")}


def test_nothing_to_say_about_plain_data(tmp_path: Path) -> None:
    assert notes_of(store_of(tmp_path, base()), "y", 300) == {}


def test_columns_that_never_vary_in_training(tmp_path: Path) -> None:
    columns = base()
    columns["late"] = [5 if k < 400 else k % 7 for k in range(1000)]
    columns["later"] = ["a" if k < 400 else "bc"[k % 2] for k in range(1000)]
    columns["absent"] = ["" if k < 350 else k % 9 for k in range(1000)]
    columns["never"] = ["same"] * 1000
    store = store_of(tmp_path, columns)
    found = notes_of(store, "y", 300)
    both = found["constant_in_training:400"]
    assert both.severity == "warning"
    assert both.columns == ["late", "later"]
    assert both.text == (
        "“late” and “later” hold one value until row 400, so a model cannot learn what they mean."
    )
    assert [(r.id, r.payload) for r in both.remedies] == [
        ("move_split", {"train": 500}), ("ignore", {"columns": ["late", "later"]}),
    ]  # fmt: skip
    assert "holds no value until row 351" in found["constant_in_training:351"].text
    assert found["constant"].columns == ["never"]
    assert set(notes_of(store, "y", 500)) == {"constant"}
    assert set(notes_of(store, "y", 0)) == {"constant"}
    assert "constant" not in notes_of(store, "y", 500, ignore=["never"])


def test_the_day_is_told_where_there_is_a_time(tmp_path: Path) -> None:
    columns = base(100)
    columns["t"] = [f"1997-05-{k // 10 + 1:02d}" for k in range(100)]
    columns["late"] = [0 if k < 45 else k for k in range(100)]
    found = notes_of(store_of(tmp_path, columns), "y", 20, time="t")
    assert "until row 45 (5 May 1997)" in found["constant_in_training:45"].text


def test_labels_that_repeat(tmp_path: Path) -> None:
    columns = base()
    columns["y"] = ["up" if k // 10 % 2 else "down" for k in range(1000)]
    found = notes_of(store_of(tmp_path, columns), "y", 300)
    assert found["labels_repeat"].text.startswith("90 % of “y” equal the one before")
    columns["y"] = ["up" if k % 10 else "down" for k in range(1000)]  # the majority's doing
    assert "labels_repeat" not in notes_of(store_of(tmp_path, columns), "y", 300)
    columns["y"] = np.cumsum(np.random.default_rng(0).normal(size=1000)).round(3)
    slow = notes_of(store_of(tmp_path, columns), "y", 300)["labels_repeat"]
    assert "“last value” will be hard to beat" in slow.text


def test_columns_that_give_the_target_away(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    n = 4000
    y = rng.gamma(2.0, size=n)
    late = y > 2.5
    columns = {
        "noise": rng.normal(size=n).round(4),
        "hint": (y + rng.normal(size=n)).round(4),
        "curve": np.exp(-y).round(9),
        "copy": np.where(late, "L", "E"),
        "day": np.arange(n) // 100,  # neighbours are alike, but it knows nothing
        "y": y.round(5),
        "late": late.astype(int),
    }
    store = store_of(tmp_path, columns)
    by_class = notes_of(store, "late", 2000)["gives_away"]
    assert set(by_class.columns) == {"curve", "copy", "y"}
    assert by_class.remedies[0].payload == {"columns": by_class.columns}
    by_number = notes_of(store, "y", 2000)["gives_away"]
    assert set(by_number.columns) == {"curve"}
    assert "gives_away" not in notes_of(store, "late", 2000, ignore=["curve", "copy", "y"])
    # Too few rows to tell.
    small = store_of(tmp_path, {name: values[:100] for name, values in columns.items()})
    assert "gives_away" not in notes_of(small, "late", 50)


def test_the_arrival_delay_gives_late_flights_away(tmp_path: Path) -> None:
    store = import_dataset(sample_path("flights"), cache=tmp_path)
    experiment = sample_experiment("flights")
    spec = replace(experiment.data, ignore=[])
    dataset = Dataset.build(store, spec, experiment.split)
    assert [item.column for item in give_aways(dataset)] == ["arr_delay"]
    assert give_aways(Dataset.build(store, experiment.data, experiment.split)) == []


def test_a_text_gives_nothing_away_and_does_not_stop_the_look(tmp_path: Path) -> None:
    columns = base(4000)
    columns["note"] = [f"Some {k} words that nobody wrote {k * 7} times" for k in range(4000)]
    columns["copy"] = np.where(columns["y"] == "up", "U", "D")
    store = store_of(tmp_path, columns)
    dataset = Dataset.build(store, DataSpec(store.source_paths[0], "y"), SplitSpec(train=2000))
    assert dataset.kinds["note"] == "text"
    assert [item.column for item in give_aways(dataset)] == ["copy"]
    assert notes_of(store, "y", 2000)["text"].columns == ["note"]


def test_bad_rows_unfit_values_and_infinity(tmp_path: Path) -> None:
    columns = base()
    columns["n"] = ["1e999" if k == 3 else "odd" if k in (500, 600) else k for k in range(1000)]
    store_of(tmp_path, columns)
    path = tmp_path / "x.csv"
    lines = path.read_text().splitlines()
    lines.insert(10, "too,few")
    path.write_text("\n".join(lines))
    found = notes_of(import_dataset(path, cache=tmp_path), "y", 300)
    assert found["bad_rows"].title == "1 row could not be read"
    assert found["bad_rows"].text == (
        "Line 11: 2 cells instead of 3. It is set aside; the rest of the file is used."
    )
    assert [r.id for r in found["bad_rows"].remedies] == ["show_bad_rows", "save_bad_rows"]
    unfit = found["unfit:n"]
    assert unfit.title == "2 values of “n” could not be used"
    assert "the first, in line 503, is “odd”" in unfit.text
    assert unfit.remedies[0].payload == {"column": "n", "kind": "category"}
    assert "infinite:n" in found


def test_columns_of_little_use(tmp_path: Path) -> None:
    columns = base()
    columns["id"] = range(1000)
    columns["key"] = [f"k{k}" for k in range(1000)]
    columns["note"] = [f"Some words that nobody will read: number {k}" for k in range(1000)]
    columns["empty"] = [""] * 1000
    columns["gaps"] = ["" if k % 4 else k % 3 for k in range(1000)]
    columns["word"] = ["None" if k % 9 == 0 else "ab"[k % 2] for k in range(1000)]
    columns["big"] = [2**60 + 7 * k for k in range(1000)]
    store = store_of(tmp_path, columns)
    found = notes_of(store, "y", 300)
    assert found["identifier"].columns == ["id"]
    assert found["text"].columns == ["key", "note"]
    assert found["text"].remedies[0].payload == {"column": "key", "kind": "category"}
    assert (found["empty"].columns, found["empty"].severity) == (["empty"], "warning")
    assert found["sparse"].text == "Without a value: “gaps” in 75 % of the rows."
    assert found["missing_words:word"].title == "112 values of “word” taken as missing"
    assert "inexact:big" in found
    as_category = notes_of(store, "y", 300, kinds={"key": "category"})
    assert as_category["identifier"].columns == ["id", "key"]


def test_order_of_time(tmp_path: Path) -> None:
    columns = base(50)
    columns["t"] = [f"2020-01-{k % 25 + 1:02d}" for k in range(50)]
    store = store_of(tmp_path, columns)
    note = notes_of(store, "y", 10, time="t")["unsorted"]
    assert "Row 25 is earlier than one before it, by “t”" in note.text
    assert [r.id for r in note.remedies] == ["sort"]
    ordered = import_dataset(store.source_paths, sort_by="t", cache=tmp_path)
    assert "unsorted" not in notes_of(ordered, "y", 10, time="t", sort=True)


def test_classes_and_labels_missing_in_training(tmp_path: Path) -> None:
    columns = base(400)
    columns["y"] = ["a"] * 200 + ["b"] * 100 + ["c", ""] * 50
    store = store_of(tmp_path, columns)
    one = notes_of(store, "y", 100)
    assert one["one_class_in_training"].severity == "warning"
    assert one["one_class_in_training"].remedies[0].payload == {"train": 250}
    assert one["labels_missing"].title == "50 rows without a label"
    two = notes_of(store, "y", 250)["unseen_classes"]
    assert two.title == "1 class not in the training window"
    assert "“c” first comes at row 300" in two.text
    assert "unseen_classes" not in notes_of(store, "y", 301)
    columns["y"] = [""] * 200 + ["a", "b"] * 100
    assert "no_labels_in_training" in notes_of(store_of(tmp_path, columns), "y", 100)


def test_what_needs_no_target_is_told_without_one(tmp_path: Path) -> None:
    columns = base()
    columns["empty"] = [""] * 1000
    store = store_of(tmp_path, columns)
    assert set(notes_of(store, "no such column", 0)) == {"empty"}
    assert "target" not in notes_of(store, "y", 300)
    guess = notes_of(store, "y", 300, target_guessed=True)["target"]
    assert guess.text == (
        "This is a guess: from its name, “y”. Choose another target if it is wrong."
    )


def test_what_reading_warned_of_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,a,y\n1,2,0\n3,4,1\n5,6,0\n")
    found = notes_of(import_dataset(path, cache=tmp_path), "y", 1)
    assert "more than one column called “a”" in found["reading_1"].text


def test_electricity(shared_data: Path, tmp_path: Path) -> None:
    store = import_dataset(shared_data / "electricity.csv", cache=tmp_path)
    train = Dataset.build(store, DataSpec("", "class"), SplitSpec(0.3)).train_rows
    found = notes_of(store, "class", train)
    assert set(found) == {"constant_in_training:17424", "labels_repeat"}
    assert found["constant_in_training:17424"].columns == ["vicprice", "vicdemand", "transfer"]
    assert found["labels_repeat"].text.startswith("85 % of “class” equal the one before")
    assert "constant_in_training:17424" not in notes_of(store, "class", 17_425)


@pytest.mark.parametrize("train", [0, 1, 5])
def test_tiny_files(tmp_path: Path, train: int) -> None:
    store = store_of(tmp_path, {"x": [1, 2, 3, 4, 5, 6], "y": list("aabbab")})
    for note in notes_of(store, "y", train).values():
        assert note.id in ("one_class_in_training", "constant_in_training:1")
