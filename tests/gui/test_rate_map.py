"""The map of learning rates on the Train page and in the lane dialog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modellab.experiment import LearnerSpec
from modellab.replay.data_protocol import MapRates, RatesMapped

RATES = np.geomspace(1e-5, 10.0, 64).tolist()
ERRORS = [0.2 + 0.02 * abs(float(np.log10(rate)) + 2) for rate in RATES]
BEST = RATES[int(np.argmin(ERRORS))]


@pytest.fixture
def box(gui_bench: Any, qtbot: Any, looks: None, tmp_path: Path) -> Any:
    from modellab.gui.pages.rate_map import RateMapBox

    gui_bench.open(tmp_path / "prices.csv")
    made = RateMapBox(gui_bench.session)
    qtbot.addWidget(made)
    made.resize(360, 240)
    made.set_learner(gui_bench.session.experiment, LearnerSpec("linear"), 0.05)
    made.show()
    return made


def answer(bench: Any, box: Any, errors: list[float] = ERRORS) -> None:
    """The person asks for the map, and the engine computes it."""
    found = RatesMapped(rates=RATES, errors=errors, best=BEST, rows=26_187)
    bench.engine.results[MapRates] = found
    box.compute()
    bench.settle()


def test_it_is_computed_when_asked_and_tells_the_best(box: Any, gui_bench: Any) -> None:
    assert not box.plot.isVisible()
    gui_bench.engine.held.add(MapRates)
    box.button.click()
    gui_bench.settle()
    assert [c.learner.kind for c in gui_bench.engine.sent if isinstance(c, MapRates)] == ["linear"]
    assert box.progress.isVisible()
    found = RatesMapped(rates=RATES, errors=ERRORS, best=BEST, rows=26_187)
    gui_bench.engine.results[MapRates] = found
    gui_bench.engine.finish()
    gui_bench.settle()
    assert box.plot.isVisible()
    assert "26,187 rows" in box.words.text()
    assert f"{BEST:.3g}"[:4] in box.words.text()
    assert box.plot.error_at(BEST) == min(ERRORS)
    assert not box.progress.isVisible()


def test_a_click_or_a_drag_chooses(box: Any, gui_bench: Any, qtbot: Any) -> None:
    from PySide6.QtCore import QPoint, Qt

    answer(gui_bench, box)
    x = round(box.plot._x_of_value(0.001))
    with qtbot.waitSignal(box.rate_chosen) as told:
        qtbot.mouseClick(box.plot, Qt.MouseButton.LeftButton, pos=QPoint(x, 60))
    assert told.args[0] == pytest.approx(0.001, rel=0.1)
    qtbot.mousePress(box.plot, Qt.MouseButton.LeftButton, pos=QPoint(x, 60))
    qtbot.mouseMove(box.plot, QPoint(x + 60, 60))
    with qtbot.waitSignal(box.rate_chosen) as told:
        qtbot.mouseRelease(box.plot, Qt.MouseButton.LeftButton, pos=QPoint(x + 60, 60))
    assert told.args[0] > 0.002
    assert box.plot.real() == told.args[0]


def test_other_settings_make_it_stale_and_the_rate_does_not(box: Any, gui_bench: Any) -> None:
    answer(gui_bench, box)
    experiment = gui_bench.session.experiment
    box.set_learner(experiment, LearnerSpec("linear", None, {"learning_rate": 0.3}), 0.3)
    assert not box.plot.stale
    assert box.plot.real() == 0.3
    box.set_learner(experiment, LearnerSpec("linear", None, {"penalty": "none"}), 0.3)
    assert box.plot.stale
    assert "map again" in box.words.text()


def test_what_has_no_map_says_so_or_is_hidden(box: Any, gui_bench: Any) -> None:
    experiment = gui_bench.session.experiment
    box.set_learner(experiment, LearnerSpec("linear", None, {"schedule": "optimal"}), 0.3)
    assert not box.button.isEnabled()
    assert "optimal" in box.words.text()
    box.set_learner(experiment, LearnerSpec("hoeffding_tree"), None)
    assert not box.isVisible()


def test_it_can_be_cancelled_and_a_failure_is_told(box: Any, gui_bench: Any) -> None:
    from modellab.replay.protocol import Ack, CancelJob, JobFailed

    gui_bench.engine.held.add(MapRates)
    box.compute()
    gui_bench.settle()
    box.progress.cancel.click()
    gui_bench.settle()
    asked = gui_bench.engine.last(MapRates)
    assert gui_bench.engine.last(CancelJob).job == asked.id
    assert not box.progress.isVisible()
    assert box.button.isEnabled()
    assert not box.words.isVisible()
    gui_bench.engine.answers[MapRates] = lambda _command, number: [
        Ack(id=number),
        JobFailed(id=number, sentence="The training window is empty."),
    ]
    box.compute()
    gui_bench.settle()
    assert box.words.text() == "The training window is empty."


def test_rates_that_diverge_are_cut_off(box: Any, gui_bench: Any, picture: Any) -> None:
    answer(gui_bench, box, [*ERRORS[:-4], 1e9, 1e30, float("inf"), float("nan")])
    low, high = box.plot.bounds()
    assert low == min(ERRORS)
    assert high < 1.0
    picture(box, "rate-map")


def test_the_train_page_takes_the_rate(
    gui_bench: Any, qtbot: Any, looks: None, tmp_path: Path
) -> None:
    from modellab.gui.pages.train import TrainPage

    page = TrainPage(gui_bench.session)
    qtbot.addWidget(page)
    page.show()
    gui_bench.open(tmp_path / "prices.csv")
    page.refresh()
    page.learners.choose("linear")
    assert page.rates.isVisibleTo(page)
    page.rates.rate_chosen.emit(0.123)
    assert page.form.values()["learning_rate"] == 0.123
    assert page.rates.plot.real() == 0.123
    page.take_down()
