"""Faults, rollbacks and quarantine of the session: what is sent, kept, undone and done again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deploy_bench import DeployBench

from modellab.experiment import replace
from modellab.experiment_faults import LabelNoise, Outage
from modellab.gui.session_deployment import FeatureDriftView
from modellab.replay.protocol import (
    Ack,
    CancelJob,
    FeatureDriftNews,
    Inject,
    JobFailed,
    QuarantinePage,
    ReadQuarantine,
    RemoveFault,
    Rollback,
    Seek,
    pack,
)


@pytest.fixture
def bench(gui_bench: Any, tmp_path: Path) -> DeployBench:
    made = DeployBench(gui_bench, tmp_path)
    made.play_to(400, state="paused")
    return made


def run(bench: DeployBench) -> None:
    bench.bench.settle()


NOISE = LabelNoise(start=400, stop=500, rate=0.3)


class TestFaults:
    def test_what_was_injected_is_in_the_experiment(self, bench: DeployBench) -> None:
        bench.session.inject(LabelNoise(start=100, stop=500, rate=0.3))
        run(bench)
        # As the engine added it: it cannot begin in the past.
        assert bench.live.experiment.fault == [NOISE]
        assert bench.session.experiment.fault == [NOISE]
        assert not bench.session.deployment_stale

    def test_undo_takes_it_back_and_redo_brings_it_again(self, bench: DeployBench) -> None:
        bench.session.inject(NOISE)
        run(bench)
        assert bench.session.undo_text == "Inject a fault"
        bench.session.undo()
        run(bench)
        assert bench.engine.last(RemoveFault).index == 0
        assert bench.live.experiment.fault == []
        bench.session.redo()
        run(bench)
        assert bench.live.experiment.fault == [NOISE]

    def test_a_refused_fault_leaves_nothing_behind(self, bench: DeployBench) -> None:
        bench.engine.answers[Inject] = lambda _c, n: [Ack(id=n, error="There is no such column.")]
        bench.session.inject(NOISE)
        run(bench)
        assert bench.live.experiment.fault == []
        assert bench.session.last_message.text == "There is no such column."
        assert bench.session.undo_text is None

    def test_of_equal_faults_the_newest_is_taken_back(self, bench: DeployBench) -> None:
        other = Outage(start=410, stop=420)
        for fault in (NOISE, other, NOISE):
            bench.session.inject(fault)
            run(bench)
        bench.session.undo()
        run(bench)
        assert bench.engine.last(RemoveFault).index == 2
        assert bench.live.experiment.fault == [NOISE, other]

    def test_undo_of_a_removal_goes_there_and_back(self, bench: DeployBench) -> None:
        bench.session.inject(NOISE)
        run(bench)
        bench.play_to(700, state="paused")
        bench.session.remove_fault(0)
        run(bench)
        assert bench.live.experiment.fault == []
        bench.session.undo()
        for _ in range(3):
            # The engine is where it was sent to.
            bench.engine.position = bench.engine.last(Seek).position
            run(bench)
        seeks = [c.position for c in bench.engine.sent if isinstance(c, Seek)]
        assert seeks == [400, 700]
        assert bench.live.experiment.fault == [NOISE]

    def test_a_removal_that_never_began_keeps_the_fault(self, bench: DeployBench) -> None:
        bench.session.inject(NOISE)
        run(bench)
        bench.engine.answers[RemoveFault] = lambda _c, n: [
            Ack(id=n),
            JobFailed(id=n, sentence="This replay keeps no checkpoints, so it can't go back."),
        ]
        bench.session.remove_fault(0)
        run(bench)
        assert bench.live.experiment.fault == [NOISE]
        assert "no checkpoints" in bench.session.last_message.text

    def test_a_removal_given_up_on_the_way_back_is_a_removal(self, bench: DeployBench) -> None:
        bench.session.inject(NOISE)
        run(bench)
        bench.engine.held.add(RemoveFault)
        job = bench.session.remove_fault(0)
        run(bench)
        bench.session.cancel(job)
        run(bench)
        assert bench.live.experiment.fault == []

    def test_there_is_no_fault_of_that_number(self, bench: DeployBench) -> None:
        assert bench.session.remove_fault(3) is None
        assert bench.engine.count(RemoveFault) == 0


class TestRollback:
    def test_is_journalled_and_undone_by_going_to_just_before_it(self, bench: DeployBench) -> None:
        bench.session.roll_back("Online", 250)
        run(bench)
        entry = bench.live.experiment.intervention[-1]
        assert (entry.position, entry.lane, entry.rollback) == (400, "Online", 250)
        assert bench.session.experiment.intervention[-1] == entry
        bench.play_to(450, state="paused")
        bench.session.undo()
        run(bench)
        assert bench.engine.last(Rollback).to == 399
        assert bench.live.experiment.intervention[-1].rollback == 399
        bench.session.redo()
        run(bench)
        assert bench.engine.last(Rollback).to == 250

    def test_beside_a_change_of_the_same_row_it_stays_an_entry_of_its_own(
        self, bench: DeployBench
    ) -> None:
        bench.session.intervene("Online", every=3)
        run(bench)
        bench.session.roll_back("Online", 250)
        run(bench)
        last = bench.live.experiment.intervention[-2:]
        assert [(e.set, e.rollback) for e in last] == [({"every": 3}, None), ({}, 250)]

    def test_while_it_goes_on_it_is_a_job_that_can_be_cancelled(self, bench: DeployBench) -> None:
        bench.engine.answers[Rollback] = lambda _c, _n: []
        bench.session.roll_back("Online", 250)
        run(bench)
        (job,) = bench.session.running_jobs
        assert job.title == "Rolling Online back"
        bench.session.cancel(job)
        run(bench)
        assert bench.engine.last(CancelJob).job == job.id
        bench.engine.replies.append(Ack(id=job.id, error="The rollback was given up."))
        run(bench)
        assert bench.session.running_jobs == []
        assert bench.session.last_message.text == "The rollback was given up."
        assert bench.live.experiment.intervention == []

    def test_a_refusal_is_told(self, bench: DeployBench) -> None:
        bench.engine.answers[Rollback] = lambda _c, n: [Ack(id=n, error="Not before row 200.")]
        bench.session.roll_back("Online", 10)
        run(bench)
        assert bench.session.last_message.text == "Not before row 200."
        assert bench.session.undo_text is None


def test_quarantined_rows_are_read(bench: DeployBench) -> None:
    page = QuarantinePage(start=0, total=2, columns=["a"], rows=[(210, "loss 3.2", ["1"])])
    bench.engine.results[ReadQuarantine] = page
    got: list[QuarantinePage] = []
    bench.session.read_quarantine("Online", 0, 100, got.append)
    run(bench)
    assert got[0].total == 2
    assert got[0].rows[0][1] == "loss 3.2"
    assert bench.engine.last(ReadQuarantine).lane == "Online"


def test_a_change_of_the_drift_section_makes_the_deployment_stale(bench: DeployBench) -> None:
    experiment = bench.session.experiment
    drift = replace(experiment.drift, false_alarm_every=5000)
    bench.session.edit("Change drift", replace(experiment, drift=drift))
    run(bench)
    assert bench.session.deployment_stale


class TestFeatureDriftView:
    @staticmethod
    def news(positions: list[int], from_index: int, columns: int = 3) -> FeatureDriftNews:
        at = np.asarray(positions, np.int64)
        score = np.add.outer(at / 100.0, np.arange(columns))
        return FeatureDriftNews(
            columns=[f"c{i}" for i in range(columns)],
            tests=["chi-square"] * columns,
            threshold=[0.5] * columns,
            from_index=from_index,
            positions=pack(at),
            score=pack(score),
            psi=pack(score / 10),
        )

    def test_grows_check_by_check(self) -> None:
        view = FeatureDriftView()
        view.apply(self.news([100, 200], 0))
        view.apply(self.news([300], 2))
        assert view.positions.tolist() == [100, 200, 300]
        assert view.score[:, 1].tolist() == [2.0, 3.0, 4.0]
        assert view.psi.shape == (3, 3)

    def test_goes_back_with_the_replay(self) -> None:
        view = FeatureDriftView()
        view.apply(self.news([100, 200, 300], 0))
        version = view.version
        view.cut(250)
        assert view.positions.tolist() == [100, 200]
        assert len(view.score) == 2
        assert view.version > version
        view.cut(250)
        assert len(view) == 2

    def test_other_columns_begin_anew(self) -> None:
        view = FeatureDriftView()
        view.apply(self.news([100, 200], 0))
        view.apply(self.news([100], 0, columns=2))
        assert view.score.shape == (1, 2)


def test_without_my_changes_takes_back_only_what_i_let_loose(bench: DeployBench) -> None:
    from modellab.replay.protocol import Deploy

    mine, given = LabelNoise(start=450, stop=500, rate=0.3), Outage(start=410, stop=420)
    bench.live.experiment = replace(bench.live.experiment, fault=[given])
    bench.session.inject(mine)
    run(bench)
    assert bench.live.experiment.fault == [given, mine]
    bench.session.restart(clear_journal=True)
    run(bench)
    sent = bench.engine.last(Deploy)
    assert sent.experiment.fault == [given]
    assert sent.experiment.intervention == []
    assert bench.session.experiment.fault == [given]
    # Nothing of mine is left: going back is a seek.
    bench.session.restart(clear_journal=True)
    run(bench)
    assert bench.engine.last(Seek).position == bench.live.train_rows
