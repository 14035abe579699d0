"""What if, and which policy: faults, rollbacks, verdicts and hindsight, asked of an engine."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from modellab.experiment import (
    DriftSpec,
    Experiment,
    GuardSpec,
    HindsightPolicy,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    PriceSpec,
    ReplaySpec,
    replace,
)
from modellab.experiment_faults import LabelNoise, MissingValues, UnitError
from modellab.replay.protocol import (
    CancelJob,
    Deploy,
    Deployed,
    FindHindsight,
    HindsightFound,
    Inject,
    JobFailed,
    Judge,
    MeasureSensitivity,
    OpenData,
    Play,
    QuarantinePage,
    ReadQuarantine,
    Ready,
    RemoveFault,
    Rollback,
    Seek,
    SensitivityMeasured,
    Step,
    Telemetry,
    unpack,
)
from modellab.replay.run import run_experiment
from modellab.verdict.values import Verdict

GUARDED = LaneSpec(
    "Guarded",
    OnlinePolicy(),
    LearnerSpec("linear", params={"learning_rate": 0.05}),
    guard=GuardSpec(range=1.2, window=100),
)


@pytest.fixture(scope="module")
def asked(experiment: Experiment) -> Experiment:
    return replace(  # type: ignore[no-any-return]
        experiment,
        lane=[*experiment.lane, GUARDED],
        replay=ReplaySpec(limit=1600),
        drift=DriftSpec(window=300, every=250, false_alarm_every=5000),
        prices=PriceSpec(error=1.0, retrain=3.0),
    )


def deployed(engine: Any, experiment: Experiment, folder: Path, **named: Any) -> Deployed:
    engine.job(OpenData(paths=experiment.data.paths))
    command = Deploy(experiment=experiment, session_dir=str(folder), **named)
    done: Deployed = engine.job(command, Deployed)
    engine.client.send(Ready(reset=True))
    engine.until(lambda t: t.curves_reset and t.state == "paused")
    return done


def played(engine: Any, rows: int) -> Telemetry:
    start = engine.do(Step(rows=rows)).position
    told: Telemetry = engine.until(lambda t: t.position >= start + rows and t.state != "playing")
    return told


def played_out(engine: Any) -> Telemetry:
    engine.do(Play(mode="max"))
    told: Telemetry = engine.until(lambda t: t.state == "finished")
    return told


def errors(told: Telemetry) -> dict[str, float | None]:
    return {lane.name: lane.cumulative for lane in told.lanes}


def plain(experiment: Experiment) -> dict[str, float | None]:
    """The same without a window."""
    found = run_experiment(experiment, base=Path("/"))
    return {lane.name: lane.metrics["cumulative"]["error"] for lane in found.lanes}


def test_faults_and_rollbacks_live_are_those_of_the_experiment(
    shared_engine: Any, asked: Experiment, tmp_path: Path
) -> None:
    deployed(shared_engine, asked, tmp_path / "s")
    played(shared_engine, 500)
    wrong = LabelNoise(start=0, stop=3000, rate=0.5)
    made = shared_engine.do(Inject(fault=wrong))
    assert made.error is None
    assert made.fault == replace(wrong, start=2500)
    unknown = shared_engine.do(Inject(fault=UnitError(start=0, column="arr")))
    assert "arr" in unknown.error
    assert "over" in shared_engine.do(Inject(fault=MissingValues(start=1, stop=2400))).error
    played(shared_engine, 300)
    back = shared_engine.do(Rollback(lane="Online", to=2500))
    assert (back.error, back.position) == (None, 2800)
    assert back.entry.rollback == 2500
    assert "before the present row" in shared_engine.do(Rollback(lane="Online", to=2800)).error
    assert "baseline" in shared_engine.do(Rollback(lane="No change", to=2500)).error
    told = played_out(shared_engine)
    by_name = {lane.name: lane for lane in told.lanes}
    assert by_name["Online"].rollbacks == 1
    assert by_name["Retrained"].rows_stored > 2000
    assert by_name["Static"].staleness > by_name["Online"].staleness
    events = [e for t in shared_engine.telemetry for e in t.events]
    kinds = {(e.lane, e.kind, e.position) for e in events}
    assert {("", "fault", 2500), ("", "fault_end", 3000), ("Online", "rollback", 2800)} <= kinds
    done = replace(asked, fault=[made.fault], intervention=[back.entry])
    assert errors(told) == plain(done)
    # The engine dies; the journal and the checkpoints bring it back.
    again = deployed(shared_engine, asked, tmp_path / "s", resume=True, position=3100)
    assert again.experiment.fault == [made.fault]
    assert again.experiment.intervention == [back.entry]
    assert errors(played_out(shared_engine)) == errors(told)
    # Taken back, it never was; the rollback goes on to what the model is then.
    shared_engine.job(RemoveFault(index=0))
    shared_engine.client.send(Ready(reset=True))
    last = shared_engine.until(lambda t: t.curves_reset and t.state == "finished")
    assert last.position == 3600
    assert errors(last) == plain(replace(done, fault=[]))
    assert "no fault" in shared_engine.failure(RemoveFault(index=0)).sentence
    final = deployed(shared_engine, asked, tmp_path / "s", resume=True)
    assert final.experiment.fault == []


def test_the_heat_map_comes_check_by_check(
    shared_engine: Any, asked: Experiment, tmp_path: Path
) -> None:
    deployed(shared_engine, asked, tmp_path / "s")
    first = len(shared_engine.telemetry)
    played(shared_engine, 700)
    shared_engine.do(Inject(fault=UnitError(start=2700, column="distance", factor=1000.0)))
    played_out(shared_engine)
    shared_engine.job(Seek(position=2400))
    shared_engine.job(Seek(position=3600))
    shared_engine.until(
        lambda t: t.feature_drift is not None and unpack(t.feature_drift.positions, "i")[-1] >= 3500
    )
    rows: dict[int, Any] = {}
    for told in shared_engine.telemetry[first:]:
        news = told.feature_drift
        if news is None:
            continue
        positions = unpack(news.positions, "i")
        score = unpack(news.score).reshape(len(positions), len(news.columns))
        assert len(news.tests) == len(news.threshold) == len(news.columns)
        for k, (position, row) in enumerate(zip(positions.tolist(), score, strict=True)):
            rows[position] = (news.from_index + k, row[news.columns.index("distance")])
    ordered = [rows[p] for p in sorted(rows)]
    assert [index for index, _ in ordered] == list(range(len(ordered)))
    late = [score for position, (_, score) in rows.items() if position >= 3100]
    assert late
    assert min(late) > 1


def test_a_verdict_at_other_prices_and_rows_kept_back(
    shared_engine: Any, asked: Experiment, tmp_path: Path
) -> None:
    deployed(shared_engine, asked, tmp_path / "s")
    played(shared_engine, 400)
    shared_engine.do(Inject(fault=UnitError(start=0, stop=2600, column="distance", factor=50.0)))
    told = played_out(shared_engine)
    verdict = shared_engine.job(Judge(), Verdict)
    assert {row.name for row in verdict.lanes} == {lane.name for lane in told.lanes}
    assert verdict.recommended in {lane.name for lane in asked.lane}
    assert verdict.prices["retrain"] == 3.0
    dear = shared_engine.job(Judge(prices=PriceSpec(error=0.0, retrain=1000.0)), Verdict)
    row = next(r for r in dear.lanes if r.name == "Retrained")
    assert row.cost["retrains"] == 1000.0 * row.retrains > 0
    shared_engine.client.send(Ready(reset=True))
    costs = shared_engine.until(lambda t: t.curves_reset).lanes
    assert {lane.name: lane.cost for lane in costs}["Retrained"] == row.cost["total"]
    assert "prices.error" in shared_engine.failure(Judge(prices=PriceSpec(error=-1.0))).sentence
    kept = tmp_path / "kept.csv"
    page = shared_engine.job(
        ReadQuarantine(lane="Guarded", start=1, stop=4, save_to=str(kept)), QuarantinePage
    )
    by_name = {lane.name: lane for lane in told.lanes}
    assert page.total == by_name["Guarded"].quarantined > 50
    assert (page.start, len(page.rows)) == (1, 3)
    at, reason, cells = page.rows[0]
    assert 2400 <= at < 2600
    assert "distance" in reason
    assert len(cells) == len(page.columns)
    lines = list(csv.reader(kept.read_text(encoding="utf-8").splitlines()))
    assert lines[0] == ["row", "reason", *page.columns]
    assert len(lines) == page.total + 1
    assert lines[2] == [str(at), reason, *(cell or "" for cell in cells)]
    distance = page.columns.index("distance")
    true = float(next(iter_cells(asked, at, "distance")))
    assert float(cells[distance]) == pytest.approx(50 * true)


def iter_cells(experiment: Experiment, row: int, column: str) -> Any:
    with Path(experiment.data.paths[0]).open(newline="") as file:
        for k, cells in enumerate(csv.DictReader(file)):
            if k == row:
                yield cells[column]


def test_the_hindsight_optimum_joins_the_lanes(
    shared_engine: Any, asked: Experiment, tmp_path: Path
) -> None:
    deployed(shared_engine, asked, tmp_path / "s")
    played(shared_engine, 900)
    number = shared_engine.client.send(FindHindsight(grid=200))
    shared_engine.wait(lambda: any(p.id == number for p in shared_engine.progress))
    shared_engine.client.send(CancelJob(job=number))
    given_up = shared_engine.finish(number)
    assert isinstance(given_up, JobFailed)
    assert given_up.cancelled
    bayes = LearnerSpec("naive_bayes")
    found = shared_engine.job(FindHindsight(learner=bayes, grid=3, keep=800), HindsightFound)
    assert isinstance(found.lane.policy, HindsightPolicy)
    assert found.lane.policy.searched
    told = played_out(shared_engine)
    lanes = {lane.name: lane for lane in told.lanes}
    assert lanes[found.lane.name].regret == 0.0
    for lane in told.lanes:
        assert lane.regret == pytest.approx(lane.cost - lanes[found.lane.name].cost)
    measured = shared_engine.job(MeasureSensitivity(kinds=["label_noise"]), SensitivityMeasured)
    assert measured.rise["Static"]["label_noise"] == 0.0
    assert np.isfinite(measured.rise["Online"]["label_noise"])
    verdict = shared_engine.job(Judge(), Verdict)
    assert verdict.hindsight is not None
    assert msgspec.to_builtins(verdict.hindsight)["at"] == found.lane.policy.at
    rows = {row.name: row for row in verdict.lanes}
    assert rows["Online"].sensitivity == measured.rise["Online"]


def test_a_hindsight_lane_without_positions_finds_them(
    shared_engine: Any, asked: Experiment, tmp_path: Path
) -> None:
    lane = LaneSpec("Best", HindsightPolicy(grid=2), LearnerSpec("naive_bayes"))
    done = deployed(shared_engine, replace(asked, lane=[lane]), tmp_path / "s")
    policy = done.experiment.lane[0].policy
    assert isinstance(policy, HindsightPolicy)
    assert policy.searched
    assert played_out(shared_engine).lanes[0].retrains == len(policy.at)
