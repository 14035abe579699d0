"""All files of a run with every policy, guards and faults, byte for byte, from its file."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from test_replay_bits import run

from modellab.experiment import Experiment
from modellab.experiment_file import load
from modellab.paths import resources

TEXT = """
modellab = 1
[data]
path = "flights.parquet"
target = "late"
time = "time"
ignore = ["dep_delay", "arr_delay", "flight"]
[split]
train = 1200
[evaluation]
window = 200
label_delay = "20min"
memory_set = {rows = 100, every = 500}
[replay]
limit = 1300
seed = 3
[drift]
detector = "hddm_a"
window = 300
every = 300
false_alarm_every = 3000
[prices]
error = 1.0
retrain = 20.0
downtime_hour = 1.0

[[lane]]
name = "Static"
learner = {kind = "naive_bayes"}
policy = {kind = "static"}
[[lane]]
name = "Scheduled"
learner = {kind = "decision_tree", max_depth = 5}
policy = {kind = "scheduled", every = "12h", delay = "1h", downtime = true, test_rows = 80}
[[lane]]
name = "Triggered"
learner = {kind = "naive_bayes"}
[lane.policy]
kind = "triggered"
when = [{drift = "ddm"}, {error = 0.02, rows = 20}]
test_rows = 50
collect = 60
[[lane]]
name = "Cost"
learner = {kind = "naive_bayes"}
policy = {kind = "cost_aware", window = 100, test_rows = 60, cooldown = 150, price_retrain = 4.0}
[[lane]]
name = "Online"
learner = {kind = "linear"}
policy = {kind = "online", every = 3, batch = 2}
guard = {range = 1.5, loss = 0.98, rollback = 0.1, window = 100, check_every = 100}
[[lane]]
name = "Out of core"
learner = {kind = "linear"}
policy = {kind = "out_of_core", passes = 2, chunk_rows = 1024, orders = 2}
[[lane]]
name = "Champion"
learner = {kind = "linear"}
[lane.policy]
kind = "champion"
challenger = {kind = "hoeffding_tree"}
window = 200
level = 0.2
cooldown = 200
[[lane]]
name = "Hindsight"
learner = {kind = "naive_bayes"}
policy = {kind = "hindsight", at = [1500, 2000], searched = true}

[[fault]]
kind = "label_noise"
start = 1500
stop = 1700
rate = 0.4
[[fault]]
kind = "unit_error"
start = 1650
stop = 1800
column = "distance"
factor = 100.0
[[fault]]
kind = "outage"
start = 1900
stop = 1960
[[fault]]
kind = "drift"
how = "permute"
start = 2100
shape = "gradual"
width = 200

[[intervention]]
position = 1810
lane = "Online"
rollback = 1490
"""


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    folder = tmp_path_factory.mktemp("data")
    sample = pq.read_table(resources() / "samples" / "flights.parquet").slice(0, 3000)
    pq.write_table(sample, folder / "flights.parquet")
    path = folder / "experiment.toml"
    path.write_text(TEXT.replace("flights.parquet", (folder / "flights.parquet").as_posix()))
    return load(path)


def test_chunks_and_processes_change_no_bit(experiment: Experiment, tmp_path: Path) -> None:
    reference = run(experiment, tmp_path / "one", chunk_rows=8192, workers=1)
    found = run(experiment, tmp_path / "two", chunk_rows=61, workers=2)
    assert sorted(found) == sorted(reference)
    for name in sorted(found):
        assert found[name] == reference[name], name
    lanes = {lane["name"]: lane for lane in json.loads(reference["summary.json"])["lanes"]}
    for name in ("Scheduled", "Triggered", "Cost", "Hindsight"):
        assert lanes[name]["retrains"] > 0, name
    assert lanes["Online"]["rollbacks"] > 0
    events = [json.loads(line) for line in reference["events.jsonl"].splitlines()]
    kinds = {event["kind"] for event in events}
    assert {"retrain", "drift", "rollback", "quarantine", "fault", "fault_end"} <= kinds
