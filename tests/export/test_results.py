"""The results folder, as the contract has it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from modellab.errors import LabError
from modellab.experiment import (
    DataSpec,
    Experiment,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    ReplaySpec,
    ScheduledPolicy,
    SplitSpec,
)
from modellab.export.results import write_results
from modellab.paths import resources
from modellab.replay.run import RunResult, run_experiment

METRICS = {
    "classification": "accuracy error balanced_accuracy f1_macro f1_weighted precision recall "
    "log_loss brier roc_auc kappa kappa_m kappa_temporal",
    "regression": "mae rmse r2 bias",
}


def replayed(folder: Path, task: str) -> RunResult:
    table = pq.read_table(resources() / "samples" / "flights.parquet").slice(0, 4000)
    path = folder / "flights.csv"
    pyarrow.csv.write_csv(table, path)
    with path.open("a") as file:
        file.write("a line that has,too few fields\n")
    classes = task == "classification"
    outcomes = ["late", "dep_delay", "arr_delay"]
    outcomes.remove("late" if classes else "arr_delay")
    linear = LearnerSpec("linear", None, {"loss": "log" if classes else "squared"})
    batch = LearnerSpec("logistic_regression" if classes else "ridge")
    experiment = Experiment(
        data=DataSpec(
            path=str(path), target="late" if classes else "arr_delay", time="time", ignore=outcomes
        ),
        split=SplitSpec(train=1000),
        replay=ReplaySpec(seed=3),
        lane=[
            LaneSpec("Online", OnlinePolicy(), linear),
            LaneSpec("Weekly", ScheduledPolicy(every="1d"), batch),
        ],
    )
    return run_experiment(experiment, base=folder)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_all_of_the_contract(tmp_path: Path, task: str) -> None:
    result = replayed(tmp_path, task)
    out = tmp_path / "out" / "deep"
    names = write_results(result, out)
    assert sorted(names) == sorted(path.name for path in out.iterdir())
    summary = json.loads((out / "summary.json").read_text())
    assert list(summary) == [
        "modellab", "rows", "train_rows", "stream_rows", "bad_rows", "seed", "data_fingerprint",
        "wall_seconds", "rows_per_second", "import_seconds", "train_seconds", "peak_rss_mb",
        "versions", "drift", "lanes", "verdict",
    ]  # fmt: skip
    assert (summary["rows"], summary["train_rows"], summary["stream_rows"]) == (4000, 1000, 3000)
    assert (summary["bad_rows"], summary["seed"]) == (1, 3)
    assert summary["peak_rss_mb"] > 50
    assert {"python", "numpy", "river", "scikit-learn"} <= set(summary["versions"])
    for lane in summary["lanes"]:
        rest = ["rates"] if lane["name"] == "Online" else []
        assert list(lane) == [
            "name", "policy", "learner", "baseline", "rows", "metrics", "updates", "retrains",
            "redeploys", "rollbacks", "downtime_rows", "cpu_seconds", "model_bytes", "cost",
            "forgetting", "rejected", "downtime_seconds", "rows_stored", "staleness_rows", "regret",
            "quarantined", "alarms", "alarm_positions", "drift", *rest,
        ]  # fmt: skip
        assert list(lane["metrics"]) == ["cumulative", "window", "fading"]
        for view in lane["metrics"].values():
            assert set(view) == set(METRICS[task].split())
        assert list(lane["cpu_seconds"]) == ["predict", "learn", "fit"]
    assert summary["lanes"][0]["policy"]["kind"] == "online"
    assert summary["lanes"][1]["policy"]["every"] == "1d"
    assert [lane["baseline"] for lane in summary["lanes"]] == [False, False, True, True]

    history = pq.read_table(out / "history.parquet")
    assert history.column_names == ["position", "lane", "metric", "value", "min", "max"]
    frame = history.to_pandas()
    assert frame.groupby(["lane", "metric"]).size().max() <= 4096
    assert set(METRICS[task].split()) <= set(frame.metric)
    told = frame.dropna()
    assert (told["min"] <= told["value"] + 1e-12).all()
    assert (told["value"] <= told["max"] + 1e-12).all()
    parameters = pq.read_table(out / "parameters.parquet")
    assert parameters.column_names == ["position", "lane", "parameter", "value"]
    assert {"Online", "Weekly"} <= set(parameters["lane"].to_pylist())

    drift = pq.read_table(out / "feature_drift.parquet")
    assert drift.column_names == ["position", "column", "test", "threshold", "score", "psi"]
    assert result.feature_drift is not None
    assert drift.num_rows == result.feature_drift.score.size > 0
    assert drift["column"].to_pylist()[: len(result.feature_drift.columns)] == (
        result.feature_drift.columns
    )

    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert {"retrain", "redeploy"} & {event["kind"] for event in events}
    assert all(list(event) == ["position", "lane", "kind", "text", "values"] for event in events)
    assert [e["position"] for e in events] == sorted(e["position"] for e in events)
    bad = (out / "bad_rows.csv").read_text().splitlines()
    assert len(bad) == 2
    assert bad[0] == "file,line,reason,text"
    assert bad[1].startswith("flights.csv,4002,")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    result = replayed(tmp_path, "regression")
    place = tmp_path / "file"
    place.write_text("")
    with pytest.raises(LabError, match="cannot be written"):
        write_results(result, place)
