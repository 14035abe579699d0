from __future__ import annotations

from typing import Any

import msgspec
import pytest
import scripted_engine as scripted
from page_contract import PageContract
from PySide6.QtCore import Qt

from modellab.evaluation.testing_values import TestReport
from modellab.experiment import LearnerSpec, SplitSpec, replace
from modellab.gui.pages.testing import TABS, TestPage
from modellab.gui.plots.painted import Bar, BarList, HeatGrid
from modellab.gui.plots.static import HistogramPlot, Line, LinePlot, PointPlot
from modellab.replay import protocol as p


def train(bench: Any, learner: str = "logistic_regression", **report: Any) -> None:
    """Train with a report of one's own."""
    usual = bench.engine.result

    def result(command: Any) -> Any:
        found = usual(command)
        if isinstance(command, p.TrainModel) and report:
            found.report = scripted.report(**report)
        return found

    bench.engine.result = result
    bench.session.train(LearnerSpec(learner))
    bench.settle()
    bench.engine.result = usual


def changed(bench: Any, **changes: Any) -> None:
    """Give the chosen training another report."""
    chosen = bench.session.chosen
    chosen.report = msgspec.structs.replace(chosen.report, **changes)


class TestContract(PageContract):
    def make(self, bench):
        return TestPage(bench.session)

    def fill(self, bench, tmp_path):
        bench.open(tmp_path / "prices.csv")
        train(bench)
        train(bench, "decision_tree", error=0.3)


class TestContractOfCurves(TestContract):
    def make(self, bench):
        page = TestPage(bench.session)
        page.show_tab("curves")
        return page


class TestContractOfFeatures(TestContract):
    def make(self, bench):
        page = TestPage(bench.session)
        page.show_tab("features")
        return page


class TestContractOfErrors(TestContract):
    def make(self, bench):
        page = TestPage(bench.session)
        page.show_tab("errors")
        return page


@pytest.fixture
def page(gui_bench, qtbot, looks, tmp_path):
    made = TestPage(gui_bench.session)
    qtbot.addWidget(made)
    made.resize(1520, 930)
    made.show()
    made.shown()
    gui_bench.open(tmp_path / "prices.csv")
    yield made
    made.take_down()
    made.close()
    gui_bench.session.close(keep=False)


def table(model: Any) -> list[tuple[str, ...]]:
    return [
        tuple(str(model.index(r, c).data()) for c in range(model.columnCount()))
        for r in range(model.rowCount())
    ]


# ---------------------------------------------------------------- the page


def test_before_a_training_the_way_there_is_shown(page, qtbot):
    assert page.available() == "Train a model first."
    assert page.empty.isVisible()
    assert not page.content.isVisible()
    with qtbot.waitSignal(page.go_to) as told:
        page.empty.button.click()
    assert told.args == ["train"]


def test_scores_stand_beside_the_baselines(page, gui_bench):
    train(gui_bench)
    assert page.available() is None
    rows = table(page._tabs["overview"]._model)
    assert ("Error rate", "20.00 %", "40.00 %", "40.00 %") in rows
    assert ("ROC AUC", "0.810", "–", "–") in rows
    tip = page._tabs["overview"]._model.index(1, 0).data(Qt.ItemDataRole.AccessibleDescriptionRole)
    assert "lower is better" in tip
    assert page.verdict.text().startswith("Better than the baseline “majority class”")
    assert "Error rate 20.00 % on 160 rows" in page.head._facts.text()


def test_another_training_can_stand_beside(page, gui_bench):
    train(gui_bench, error=0.25)
    train(gui_bench, "decision_tree", error=0.3)
    page.compare.setCurrentIndex(1)
    page.compare.activated.emit(1)
    overview = page._tabs["overview"]
    headings = [overview._model.headerData(c, Qt.Orientation.Horizontal) for c in range(5)]
    assert headings[1:3] == ["2 · Decision tree", "1 · Logistic regression"]
    assert ("Error rate", "30.00 %", "25.00 %", "40.00 %", "40.00 %") in table(overview._model)
    page.show_tab("curves")
    curves = page._tabs["curves"]
    lines = curves.roc.plot._lines
    assert [line.name for line in lines] == ["2 · Decision tree", "1 · Logistic regression"]
    assert lines[1].dash
    page.show_tab("features")
    assert page._tabs["features"].importance.plot._bars[0].other == 0.1
    page.show_tab("errors")
    assert page._tabs["errors"].slices.plot._bars[1].other == 0.4


def test_choosing_another_training_shows_it(page, gui_bench):
    train(gui_bench, error=0.25)
    train(gui_bench, "decision_tree", error=0.3)
    at = page.training.findData("1")
    page.training.setCurrentIndex(at)
    page.training.activated.emit(at)
    assert page.session.chosen.id == 1
    assert page.head._title.text() == "Logistic regression"
    assert "25.00 %" in page.verdict.text()


def test_a_stale_model_says_so_and_is_shown_as_it_was(page, gui_bench):
    train(gui_bench)
    assert not page.stale.isVisible()
    page.session.edit("Move", replace(page.session.experiment, split=SplitSpec(train=0.5)))
    assert page.stale.isVisible()
    assert page.content.isVisible()


def test_warnings_of_the_learner_are_told(page, gui_bench):
    train(gui_bench)
    changed(gui_bench, warnings=["It had not settled after 300 iterations."], unanswered=3)
    page.refresh()
    assert "It had not settled" in page.verdict.text()
    assert "no answer for 3 rows" in page.verdict.text()


def test_switching_to_deployment(page, gui_bench, qtbot):
    train(gui_bench)
    with qtbot.waitSignal(page.go_to) as told:
        page.deploy.click()
    assert told.args == ["deploy"]
    gui_bench.settle()
    assert page.session.deployment is not None
    assert page.session.experiment.lane[0].learner.kind == "logistic_regression"


# ---------------------------------------------------------------- parts


def test_curves_of_a_classifier(page, gui_bench):
    train(gui_bench)
    page.show_tab("curves")
    curves = page._tabs["curves"]
    assert curves._classify.isVisible()
    assert not curves._regress.isVisible()
    assert "0.810" in curves.roc._subtitle.text()
    assert "6.0 points" in curves.calibration._subtitle.text()
    assert curves.roc.plot.rows()[1] == ("1 · Logistic regression", "20 %", "70 %")


def test_a_learner_without_probabilities_says_so(page, gui_bench):
    train(gui_bench)
    changed(gui_bench, roc=[], precision_recall=[], calibration=None)
    page.show_tab("curves")
    curves = page._tabs["curves"]
    assert "no probabilities" in curves.roc._nothing.text()
    assert curves.roc._stack.currentIndex() == 2
    assert not curves.roc.as_table.isEnabled()


def test_many_classes_have_named_lines(page, gui_bench):
    train(gui_bench)
    roc = gui_bench.session.chosen.report.roc[0]
    three = [msgspec.structs.replace(roc, label=f"class {i}", area=0.5 + i / 10) for i in range(3)]
    changed(gui_bench, roc=three)
    page.show_tab("curves")
    plot = page._tabs["curves"].roc.plot
    assert [w.toPlainText() for w in plot._words] == [
        "class 0 0.500",
        "class 1 0.600",
        "class 2 0.700",
    ]


def test_a_regression_shows_residuals(page, gui_bench):
    train(gui_bench, "ridge", task="regression")
    overview = page._tabs["overview"]
    assert overview.points.isVisible()
    assert not overview.confusion.isVisible()
    assert overview.points.plot.rows()[0] == ("1 · Ridge", "1", "1.5")
    page.show_tab("curves")
    curves = page._tabs["curves"]
    assert curves._regress.isVisible()
    assert curves.residuals._subtitle.text() == "nine of ten between −4 and 4.5; 3 rows further out"
    assert curves.course.plot._clouds[0].y == [0.5, -1.0, pytest.approx(0.2)]


def test_features_are_told_with_their_spread(page, gui_bench):
    train(gui_bench)
    page.show_tab("features")
    features = page._tabs["features"]
    bars = features.importance.plot._bars
    assert [b.label for b in bars] == ["price", "day"]
    assert (bars[0].low, bars[0].high) == pytest.approx((0.06, 0.14))
    assert "Not told apart from nothing" in bars[1].tip
    assert features.importance.plot.rows()[0][1] == "+10.00"
    assert [b.label for b in features.weights.plot._bars] == ["price", "day=1"]
    changed(gui_bench, coefficients=[], model_importance=[])
    page._shown = None
    page.refresh()
    assert not features.weights.isVisible()


def test_errors_by_the_values_of_a_column(page, gui_bench):
    train(gui_bench)
    page.show_tab("errors")
    errors = page._tabs["errors"]
    assert errors.column.current() == "day"
    bars = errors.slices.plot._bars
    assert [(b.label, b.note) for b in bars] == [("1", "90 rows"), ("2", "70 rows")]
    assert errors.slices.plot._level == ("all rows", 0.2)
    errors.column.setCurrentIndex(1)
    errors.column.activated.emit(1)
    assert errors.slices._subtitle.text().startswith("tells little")
    errors.slices.as_table.click()
    assert errors.slices._stack.currentIndex() == 1
    assert table(errors.slices._model)[0][:2] == ("up to 3", "20.0 %")


def test_a_worst_row_leads_to_the_data_page(page, gui_bench, qtbot):
    train(gui_bench)
    page.show_tab("errors")
    errors = page._tabs["errors"]
    assert table(errors._model)[0] == ("170", "up", "down", "3.0 %")
    with qtbot.waitSignal(page.go_to) as told:
        errors.worst.table.activated.emit(errors._model.index(0, 0))
    assert told.args == ["data"]
    assert page.session.wanted_row == 170


def test_nothing_to_score_breaks_no_part(page, gui_bench):
    train(gui_bench)
    empty = TestReport(
        task="classification",
        classes=["down", "up"],
        start=160,
        stop=200,
        rows=0,
        scored=0,
        unlabelled=0,
        unanswered=0,
        metric="error",
        value=None,
        scores=[],
    )
    gui_bench.session.chosen.report = empty
    for key, _, _ in TABS:
        page._shown = None
        page.show_tab(key)
        page.refresh()
    assert page.verdict.text() == "No test row could be scored."


def test_colours_follow_the_theme(page, gui_bench):
    from modellab.gui.theme import DARK, LIGHT, theme_hub

    train(gui_bench)
    page.show_tab("curves")
    plot = page._tabs["curves"].roc.plot
    assert plot._lines[0].colour == LIGHT.lanes[0]
    theme_hub().set_mode("dark")
    assert plot._lines[0].colour == DARK.lanes[0]
    assert plot.backgroundBrush().color().name().upper() == DARK.surface


# ---------------------------------------------------------------- plots


@pytest.fixture
def show(qtbot, looks):
    def run(widget: Any, wide: int = 400, high: int = 300) -> Any:
        qtbot.addWidget(widget)
        widget.resize(wide, high)
        widget.show()
        widget.grab()
        widget.grab()
        return widget

    return run


NAN = float("nan")


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [Line("empty", [], [])],
        [Line("one", [1.0], [2.0])],
        [Line("nothing", [NAN, NAN], [NAN, NAN])],
        [Line("flat", [0.0, 1.0], [3.0, 3.0])],
        [
            Line("gap", [0.0, 1.0, 2.0], [1.0, NAN, 3.0]),
            Line("<b>other</b>", [0.0, 2.0], [1.0, 2.0]),
        ],
        [Line("huge", [0.0, 1e300], [-1e300, 1e300])],
    ],
)
def test_lines_of_any_kind_are_drawn(show, lines):
    plot = LinePlot("Lines", "Lines.", x_title="x", y_title="y", diagonal=True)
    plot.set_lines(lines)
    show(plot)
    assert len(plot.rows()) == sum(len(line.x) for line in lines)


def test_the_readout_names_the_nearest_value(show):
    plot = show(LinePlot("ROC", "Curve.", x_title="x", y_title="y", y_percent=True))
    plot.set_lines([Line("model", [0.0, 0.5, 1.0], [0.0, 0.8, 1.0])])
    assert plot.readout(0.45, 0.0) == "model: 80 % at 0.5"
    points = show(PointPlot("Points", "Points.", x_title="true", y_title="said", diagonal=True))
    points.set_points([Line("model", [1.0, 2.0, NAN], [1.5, 2.5, 1.0])])
    assert points.readout(2.0, 2.5) == "true: 2\nsaid: 2.5"
    assert points.readout(1.0, 2.5) == ""
    bars = show(HistogramPlot("Bars", "Bars.", x_title="value", y_title="rows"))
    bars.set_bars([-1.0, 0.0, 1.0], [3, 5])
    assert bars.readout(0.5, 1.0) == "0 to 1: 5 rows"
    assert bars.readout(7.0, 1.0) == ""
    bars.set_bars([], [])
    assert bars.rows() == []


@pytest.mark.parametrize(
    "bars",
    [
        [],
        [Bar("zero", 0.0)],
        [Bar("a", 1.0, 0.5, 1.5, note="3 rows"), Bar("b", -2.0, -3.0, -1.0, other=1.0)],
        [Bar(f"a column with a long name {i}", i / 7) for i in range(300)],
    ],
)
def test_bars_of_any_kind_are_painted(show, bars):
    widget = BarList("Bars", "Bars.", value_title="value", value_text=lambda v: f"{v:.2f}")
    widget.set_bars(bars, colour="link", level=("all", 0.5))
    show(widget, 300, 200)
    assert len(widget.rows()) == len(bars)
    assert widget.sizeHint().height() >= 27 * len(bars)


@pytest.mark.parametrize("size", [1, 2, 30])
def test_a_grid_of_any_size_is_painted(show, size):
    grid = HeatGrid("Confusion", "Who is what.")
    show(grid, 380, 300)
    labels = [f"class {i}" for i in range(size)]
    grid.set_counts(labels, [[i * j for j in range(size)] for i in range(size)], "#008763")
    grid.grab()
    assert len(grid.rows()) == size
    assert grid.columns()[0] == "is"
