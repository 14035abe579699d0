"""Made streams: the same rows from the same spec, and drift exactly where it is said to be."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from modellab.data.importer import import_dataset
from modellab.data.synthetic import (
    KINDS,
    SHAPES,
    StreamSpec,
    check_stream,
    generate,
    stream_of,
    write_stream,
)
from modellab.errors import DataError


def table(spec: StreamSpec) -> tuple[np.ndarray, np.ndarray]:
    rows = list(generate(spec))
    names = list(rows[0][0])
    levels: dict[object, float] = {}
    x = np.array(
        [
            [v if isinstance(v, float) else levels.setdefault(v, len(levels)) for v in row.values()]
            for row, _ in rows
        ]
    )
    assert all(list(row) == names for row, _ in rows)
    return x, np.array([y for _, y in rows])


def error_before_and_after(spec: StreamSpec, at: int, after: int, span: int) -> tuple[float, float]:
    """Errors of a model of the rows before `at`, on the last of those and on rows from `after`."""
    x, y = table(spec)
    regression = KINDS[spec.kind].task == "regression"
    model = (RandomForestRegressor if regression else RandomForestClassifier)(60, random_state=0)
    model.fit(x[: at - span], y[: at - span])

    def error(part: slice) -> float:
        wrong = model.predict(x[part])
        return float(np.abs(wrong - y[part]).mean() if regression else (wrong != y[part]).mean())

    return error(slice(at - span, at)), error(slice(after, after + span))


@pytest.mark.parametrize("kind", KINDS)
def test_abrupt_drift_is_where_it_is_said_to_be(kind: str) -> None:
    spec = StreamSpec(kind, rows=3000, drift="abrupt", at=(2000,))
    before, after = error_before_and_after(spec, 2000, 2000, 400)
    assert after > 1.5 * before + 0.03
    calm = StreamSpec(kind, rows=3000, drift="none")
    before, after = error_before_and_after(calm, 2000, 2000, 400)
    assert after < 1.5 * before + 0.06


def test_before_the_drift_the_rows_are_those_of_a_stream_without() -> None:
    calm = list(generate(StreamSpec("sea", rows=900, drift="none")))
    for drift in ("abrupt", "gradual", "recurring"):
        made = list(generate(StreamSpec("sea", rows=900, drift=drift, at=(500,), width=100)))
        assert made[:500] == calm[:500]
        assert made[500:] != calm[500:]


def test_gradual_drift_comes_more_and_more_often() -> None:
    """STAGGER's two rules differ on known rows, so one can count which rule gave a row."""
    spec = StreamSpec("stagger", rows=9000, drift="gradual", at=(2000,), width=4000)
    new = []
    for x, y in generate(spec):
        first = x["size"] == "size 0" and x["color"] == "color 0"
        second = x["color"] == "color 2" or x["shape"] == "shape 0"
        new.append(np.nan if first == second else float((y == "yes") == second))
    shares = [np.nanmean(new[k : k + 500]) for k in range(0, 9000, 500)]
    assert max(shares[:4]) == 0.0
    assert min(shares[12:]) == 1.0
    np.testing.assert_allclose(shares[4:12], (np.arange(8) + 0.5) / 8, atol=0.12)


def test_recurring_drift_brings_the_old_rule_back() -> None:
    spec = StreamSpec("sine", rows=4000, drift="recurring", at=(2000, 3000))
    before, between = error_before_and_after(spec, 2000, 2000, 500)
    _, again = error_before_and_after(spec, 2000, 3000, 500)
    assert between > before + 0.15
    assert again < before + 0.05


@pytest.mark.parametrize("kind", [k.kind for k in KINDS.values() if k.incremental])
def test_incremental_drift_moves_only_for_its_rows(kind: str) -> None:
    spec = StreamSpec(kind, rows=6000, drift="incremental", at=(3000,), width=1500)
    before, during = error_before_and_after(spec, 3000, 3300, 400)
    _, after = error_before_and_after(spec, 3000, 5000, 900)
    assert after > before + 0.05
    assert after > during - 0.05
    x, y = table(spec)
    model = RandomForestClassifier(60, random_state=0).fit(x[4600:5300], y[4600:5300])
    settled = float((model.predict(x[5300:]) != y[5300:]).mean())
    assert settled < after  # it came to rest: what is learned after the change holds


def test_noise_changes_as_many_classes_as_said() -> None:
    clean = [y for _, y in generate(StreamSpec("led", rows=5000))]
    noisy = [y for _, y in generate(StreamSpec("led", rows=5000, noise=0.1))]
    share = np.mean([a != b for a, b in zip(clean, noisy, strict=True)])
    assert share == pytest.approx(0.1, abs=0.02)


def test_the_same_spec_gives_the_same_rows_and_another_seed_others() -> None:
    for kind in KINDS:
        one = list(itertools.islice(generate(StreamSpec(kind, rows=300)), 300))
        assert one == list(generate(StreamSpec(kind, rows=300)))
        assert one != list(generate(StreamSpec(kind, rows=300, seed=2)))


def test_the_usual_places_of_drift() -> None:
    assert StreamSpec("sea", rows=8000).positions == (4000,)
    assert StreamSpec("sea", rows=8000, drift="none").positions == ()
    assert StreamSpec("sea", rows=8000, drift="recurring").positions == tuple(
        range(1000, 8000, 1000)
    )


def test_the_file_is_a_data_set_and_says_how_it_was_made(tmp_path: Path) -> None:
    spec = StreamSpec("agrawal", rows=500, drift="recurring", noise=0.05)
    path = tmp_path / "a.parquet"
    told: list[float] = []
    write_stream(spec, path, lambda done, total, text: told.append(done / total))
    assert told[-1] == 1.0
    assert stream_of(path) == spec
    store = import_dataset([path], cache=tmp_path / "cache")
    assert store.n_rows == 500
    assert store.column("target").kind in ("boolean", "category")
    assert store.column("car").kind == "category"
    assert store.column("salary").kind == "number"
    again = tmp_path / "b.parquet"
    write_stream(spec, again)
    assert pq.read_table(again).equals(pq.read_table(path))
    assert stream_of(tmp_path / "none.parquet") is None


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (StreamSpec("seaa"), "did you mean sea"),
        (StreamSpec("sea", rows=10), "100 to 1,000,000,000"),
        (StreamSpec("sea", drift="incremental"), "these can: Hyperplane, Random RBF"),
        (StreamSpec("sea", noise=0.9), "from 0 to 0.5"),
        (StreamSpec("friedman", noise=0.1), "its own noise"),
        (StreamSpec("sea", at=(30_000,)), "inside the stream"),
        (StreamSpec("sea", at=(900, 300)), "in order"),
        (StreamSpec("sea", width=0), "at least 1"),
        (StreamSpec("stagger", at=(100, 200, 300)), "at most 2 changes"),
    ],
)
def test_what_cannot_be_made_is_told(spec: StreamSpec, told: str) -> None:
    with pytest.raises(DataError, match=told):
        check_stream(spec)


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    def stop(done: float, total: float, text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_stream(StreamSpec("sea", rows=500), tmp_path / "a.parquet", stop)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="cannot be written"):
        write_stream(StreamSpec("sea", rows=500), Path("/proc/nothing/a.parquet"))


def test_every_shape_is_known() -> None:
    assert set(SHAPES) == {"none", "abrupt", "gradual", "incremental", "recurring"}
