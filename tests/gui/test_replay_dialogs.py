"""Settings of the replay, and to which row a lane goes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy_bench import DeployBench
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from modellab.replay.protocol import Rollback


@pytest.fixture
def bench(gui_bench: Any, tmp_path: Path, looks: None) -> Iterator[DeployBench]:
    made = DeployBench(gui_bench, tmp_path)
    made.play_to(500, state="paused")
    yield made
    made.session.close(keep=False)


def test_settings_of_the_replay_are_one_edit(bench: DeployBench, qtbot: Any) -> None:
    from modellab.gui.deploy.settings_dialog import ReplaySettings

    dialog = ReplaySettings(bench.session)
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.why_not() == "Nothing was changed."
    dialog.newest.set_number(750)
    dialog.false_alarm.set_number(9000)
    dialog.prices["retrain"].set_number(25)
    assert dialog.why_not() is None
    assert dialog.width() > 300  # its own size is still to be had
    dialog.accept_changes()
    experiment = bench.session.experiment
    assert (experiment.drift.window, experiment.drift.false_alarm_every) == (750, 9000)
    assert experiment.prices.retrain == 25
    bench.session.undo()
    assert bench.session.experiment.drift.window == 2000
    assert bench.session.experiment.prices.retrain == 0


def test_a_row_to_go_back_to_is_offered_or_entered(
    bench: DeployBench, gui_bench: Any, qtbot: Any
) -> None:
    from modellab.gui.deploy.rollback_dialog import RollbackDialog

    dialog = RollbackDialog(bench.session, "Retrained")
    qtbot.addWidget(dialog)
    dialog.show()
    chosen: list[int] = []
    dialog.accepted_row.connect(chosen.append)
    first = bench.session.deployment.train_rows
    for link in dialog.links:
        QTest.mouseClick(link, Qt.MouseButton.LeftButton)
        assert first <= dialog.row.whole() < 500
        assert f"{dialog.row.whole():,}" in link.text()
    dialog.row.set_number(321)
    QTest.mouseClick(dialog.ok, Qt.MouseButton.LeftButton)
    assert chosen == [321]
    bench.session.roll_back("Retrained", chosen[0])
    sent = gui_bench.engine.last(Rollback)
    assert (sent.lane, sent.to) == ("Retrained", 321)
