"""`[data.encoding]`: hashing beyond the limit, ordered categories, time elapsed."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modellab.data.categories import ONE_HOT_LIMIT
from modellab.data.dataset import Dataset
from modellab.data.encoder import Encoder
from modellab.data.importer import import_dataset
from modellab.errors import ExperimentError
from modellab.experiment import DataSpec, EncodingSpec, SplitSpec
from modellab.experiment_file import dump, loads, set_value

ROWS, TRAIN = 600, 400
SIZES = ["small", "middle", "large"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("encoding")
    k = np.arange(ROWS)
    many = [f"m{v % 45}" for v in k]
    many[500], many[501] = "new one", "new two"
    size: list[str | None] = [SIZES[v % 3] for v in k]
    size[1], size[502] = None, "huge"
    when = pa.array([None if v == 3 else int(v) * 3600 * 10**9 for v in k], pa.timestamp("ns"))
    table = {"many": many, "size": size, "when": when, "y": k % 2 == 0}
    pq.write_table(pa.table(table), folder / "a.parquet")
    kinds = {"many": "category", "size": "category"}
    with import_dataset(folder / "a.parquet", cache=folder / "c", kinds=kinds) as made:  # type: ignore[arg-type]
        yield made


def encoder(store: Any, train: int = TRAIN, **how: Any) -> Encoder:
    data = DataSpec(path="a", target="y", time="when", encoding=EncodingSpec(**how),
                    kinds={"many": "category", "size": "category"})  # fmt: skip
    dataset = Dataset.build(store, data, SplitSpec(train=train))
    return Encoder.fit(dataset, 0, train, 0)


def encoded(store: Any, one: Encoder, view: Any = "scaled") -> dict[str, np.ndarray[Any, Any]]:
    table = store.read(0, ROWS, columns=list(one.columns), kinds=one.kinds)
    rows: Any = one.transform(table, view)
    # What was written down gives the same.
    state = msgspec.json.decode(msgspec.json.encode(one.state()))
    again: Any = Encoder.from_state(state).transform(table, view)
    assert np.array_equal(rows, again)
    return dict(zip(one.names(view), rows.T, strict=True))


def test_left_alone_nothing_changes(store: Any) -> None:
    plain = encoder(store)
    assert "hashed" not in str(plain.state())
    assert "elapsed" not in str(plain.state())
    names = plain.names("scaled")
    assert "many other" in names
    assert not any("order" in name or "elapsed" in name for name in names)


def test_levels_beyond_the_limit_are_hashed(store: Any) -> None:
    one = encoder(store, hashed=64)
    found = encoded(store, one)
    shown = [name for name in found if name.startswith("many = ")]
    hashed = [name for name in found if name.startswith("many other #")]
    assert (len(shown), len(hashed)) == (ONE_HOT_LIMIT, 64)
    whole = sum(found[name] for name in [*shown, *hashed])
    assert np.array_equal(whole, np.ones(ROWS))
    beyond = [k for k in range(45) if f"many = m{k}" not in found]
    places = {int(np.argmax([found[name][k] for name in hashed])) for k in (*beyond, 500, 501)}
    # Five levels and two new ones: hardly any two fall together.
    assert len(places) >= 6
    assert sum(found[name][500] for name in shown) == 0
    table = store.read(0, ROWS, columns=list(one.columns), kinds=one.kinds)
    assert one.unseen(table)["many"] == 2
    assert one.names("ordinal") == encoder(store).names("ordinal")


@pytest.mark.parametrize("train", [TRAIN, 0])
def test_ordered_levels_are_one_number(store: Any, train: int) -> None:
    one = encoder(store, train, ordered={"size": SIZES})
    found = encoded(store, one)
    assert found["size (order)"][[0, 1, 2, 4, 502]].tolist() == [-1.0, 0.0, 1.0, 0.0, 0.0]
    assert found["size other"][[0, 1, 2, 4, 502]].tolist() == [0, 1, 0, 0, 1]
    assert encoded(store, one, "ordinal")["size"][[0, 1, 2, 4]].tolist() == [0, -1, 2, 1]
    table = store.read(0, ROWS, columns=list(one.columns), kinds=one.kinds)
    assert one.unseen(table)["size"] == 1
    dicts: Any = one.transform(table, "dict")
    assert [dicts[k]["size"] for k in (0, 1, 502)] == ["small", "(missing)", "(other)"]


def test_elapsed_time(store: Any) -> None:
    one = encoder(store, elapsed=True)
    found = encoded(store, one)["when: elapsed"]
    assert found[0] == 0.0
    assert found[TRAIN - 1] == 1.0
    assert found[3] == 0.0
    assert found[ROWS - 1] == pytest.approx((ROWS - 1) / (TRAIN - 1))
    days = encoded(store, one, "ordinal")["when: elapsed"]
    assert (days[24], days[3]) == (1.0, -1.0)
    table = store.read(24, 25, columns=list(one.columns), kinds=one.kinds)
    cells: Any = one.transform(table, "dict")
    assert cells[0]["when: elapsed"] == 1.0


def test_it_is_written_read_and_checked() -> None:
    text = (
        '[data]\npath = "a"\ntarget = "y"\n[data.encoding]\nhashed = 16\nelapsed = true\n'
        'ordered = { size = ["small", "large"] }\n'
    )
    experiment = loads(text)
    assert experiment.data.encoding == EncodingSpec(16, True, {"size": ["small", "large"]})
    assert loads(dump(experiment)) == experiment
    assert set_value(experiment, "data.encoding.hashed=0").data.encoding.hashed == 0
    with pytest.raises(ExperimentError, match="two or more different levels of “size”"):
        loads(text.replace('"large"', '"small"'))
    with pytest.raises(ExperimentError, match=r"data\.encoding\.hashed"):
        loads(text.replace("16", "-1"))
    with pytest.raises(ExperimentError, match=r"did you mean data\.encoding\.hashed"):
        loads(text.replace("hashed", "hashd"))
