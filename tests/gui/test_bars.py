from __future__ import annotations

from types import SimpleNamespace

import pytest

from modellab.gui.kit.bars import QuietBar
from modellab.gui.status_bar import StatusBar


class CountedBar(QuietBar):
    painted = 0

    def paintEvent(self, event):
        self.painted += 1
        super().paintEvent(event)


@pytest.fixture
def bar(qtbot, looks):
    made = CountedBar()
    qtbot.addWidget(made)
    made.resize(200, 6)
    made.show()
    qtbot.waitUntil(lambda: made.painted > 0)
    return made


def test_a_bar_waits_for_its_turn_to_be_painted(bar, qtbot):
    before = bar.painted
    bar.set_share(0.25)
    bar.set_share(0.5)
    assert bar.painted == before
    assert bar.value() == 500
    qtbot.waitUntil(lambda: bar.painted > before)
    bar.set_share(None)
    assert bar.maximum() == 0
    bar.set_share(1.5)
    assert (bar.value(), bar.maximum()) == (1000, 1000)


def job(fraction, text):
    return SimpleNamespace(
        title="Reading",
        text=text,
        fraction=fraction,
        cancelling=False,
        usable=False,
        seconds_left=lambda: None,
    )


def test_progress_is_told_ten_times_a_second_and_the_last_is_not_lost(qtbot, looks):
    session = SimpleNamespace(running_jobs=[], engine_state="ready", deployment=None)
    status = StatusBar(session)
    qtbot.addWidget(status)
    status.show()
    work = job(0.1, "first rows")
    session.running_jobs = [work]
    status.refresh()
    assert status.state() == "Reading: first rows"
    work.fraction, work.text = 0.9, "last rows"
    status.refresh()
    assert status.state() == "Reading: first rows"
    qtbot.waitUntil(lambda: status.state() == "Reading: last rows")
    assert status._bar.value() == 900
    # Another job, or none, is told at once.
    session.running_jobs = [job(0.2, "")]
    status.refresh()
    assert status.state() == "Reading"
    session.running_jobs = []
    status.refresh()
    assert status.state() == "Ready"
    assert status._bar.isHidden()
    status.stop()
