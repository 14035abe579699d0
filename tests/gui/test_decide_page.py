"""The Decide page on a scripted engine with verdicts made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_contract import PageContract
from PySide6.QtCore import QItemSelectionModel, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from verdict_bench import ROWS, USUAL, VerdictBench, interval, lane_row, tie, too_early, verdict

from modellab.gui.decide import scatter, words
from modellab.gui.decide.lanes_model import NUMBER
from modellab.gui.settings import settings
from modellab.replay.protocol import Judge

EVIL = "<b>Bold</b> & <img src=x>\nsecond line"


class TestDecidePage(PageContract):
    def make(self, bench: Any) -> Any:
        from modellab.gui.pages.decide import DecidePage

        return DecidePage(bench.session)

    def fill(self, bench: Any, tmp_path: Path) -> None:
        VerdictBench(bench, tmp_path).finish()


@pytest.fixture
def bench(gui_bench: Any, tmp_path: Path) -> Any:
    return VerdictBench(gui_bench, tmp_path)


@pytest.fixture
def page(bench: Any, qtbot: Any, looks: None) -> Any:
    from modellab.gui.pages.decide import DecidePage

    made = DecidePage(bench.session)
    qtbot.addWidget(made)
    made.resize(1500, 930)
    made.show()
    made.shown()
    yield made
    made.hidden()
    made.take_down()
    made.close()
    bench.session.close(keep=False)


def cells(page: Any, column: str) -> list[str]:
    table = page.lanes.table
    model = table.model()
    return [model.index(r, NUMBER[column]).data() for r in range(model.rowCount())]


def test_it_says_why_it_cannot_be_reached(gui_bench: Any, tmp_path: Path, qtbot: Any, looks: None):
    from modellab.gui.pages.decide import DecidePage

    page = DecidePage(gui_bench.session)
    qtbot.addWidget(page)
    assert page.available() == "Open data first."
    gui_bench.open(tmp_path / "a.csv")
    assert "Switch to deployment" in page.available()
    bench = VerdictBench(gui_bench, tmp_path)
    assert "no row was replayed" in page.available()
    bench.play_to(300)
    assert page.available() is None


def test_the_recommendation_its_surety_and_its_figures(bench: Any, page: Any) -> None:
    bench.finish()
    card = page.verdict
    assert card.sentence.text() == "Deploy Online."
    assert card.pill.text() == "Recommended"
    assert card.figures()[:3] == ["0.132", "p < 0.001", "4 of 4"]
    assert "Diebold-Mariano" in card._figures[1].toolTip()
    assert "5 % flipped" in card.warning.text()
    assert set(card.curve.names()) <= set(bench.live.lanes)
    assert card.curve.names()[0] == "Online"
    assert not page.banner.isVisibleTo(page)


def test_head_and_rest_of_the_sentence(bench: Any, page: Any) -> None:
    told = "Deploy Online. It made 609 fewer errors than Retrained, at a 33rd of the compute."
    bench.verdict = lambda prices: verdict(prices, sentence=told)
    bench.finish()
    assert page.verdict.sentence.text() == "Deploy Online."
    assert page.verdict.rest.text().startswith("It made 609")
    assert not page.verdict.reasons.isVisibleTo(page)
    page.verdict.why.click()
    assert page.verdict.reasons.isVisibleTo(page)
    assert "609 fewer errors" in page.verdict.reasons.text()
    page.verdict.why.click()
    assert not page.verdict.reasons.isVisibleTo(page)


def test_a_name_with_a_full_stop_is_not_cut() -> None:
    made = verdict(recommended="v1. final", sentence="Deploy v1. final. It costs least.")
    assert words.headline(made) == ("Deploy v1. final.", "It costs least.")
    other = verdict(sentence="No lane is better than No change. Of the lanes, take Online.")
    assert words.headline(other) == (other.sentence, "")


def test_the_table_tells_everything_as_text(bench: Any, page: Any) -> None:
    bench.state.set_prices(error=0.5, retrain=25.0, cpu_hour=0.4, downtime_hour=60.0)
    bench.finish()
    assert cells(page, "lane") == list(USUAL)
    assert cells(page, "error")[0] == "0.132 ± 0.005"
    assert cells(page, "against")[0] == "best"
    assert cells(page, "against")[2] == "+0.020 (+0.016 to +0.024), errs more"
    assert cells(page, "retrains") == ["0", "–", "15", "0", "0", "–"]
    assert cells(page, "cpu")[2] == "356 s"
    assert cells(page, "downtime")[2] == "30 min"
    model = page.lanes.table.model()
    told = model.index(2, NUMBER["cost"]).data(Qt.ItemDataRole.ToolTipRole)
    assert "errors" in told
    assert "retrains" in told
    told = model.index(0, NUMBER["lane"]).data(Qt.ItemDataRole.AccessibleDescriptionRole)
    assert "encyclopedia" in told
    head = page.lanes.table.source.headerData(
        NUMBER["regret"], Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole
    )
    assert "knew the future" in head


def test_sorting_and_back(bench: Any, page: Any) -> None:
    bench.finish()
    table = page.lanes.table
    table.sortByColumn(NUMBER["cpu"], Qt.SortOrder.DescendingOrder)
    assert cells(page, "lane")[0] == "Retrained"
    table.sortByColumn(NUMBER["error"], Qt.SortOrder.DescendingOrder)
    assert cells(page, "lane")[0] == "Majority class"
    table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert cells(page, "lane") == list(USUAL)


def test_what_is_not_known_sorts_last(bench: Any, page: Any) -> None:
    bench.finish()
    page.lanes.table.sortByColumn(NUMBER["staleness"], Qt.SortOrder.AscendingOrder)
    assert cells(page, "staleness")[-1] == "–"


def test_columns_can_be_chosen_and_are_remembered(bench: Any, page: Any) -> None:
    bench.finish()
    table = page.lanes.table
    assert "mcnemar" not in table.shown()
    menu = page.lanes.columns_menu()
    entry = next(a for a in menu.actions() if a.text().startswith("McNemar"))
    entry.trigger()
    assert "mcnemar" in table.shown()
    table.choose("cpu", False)
    assert "cpu" not in table.shown()
    assert '"mcnemar": true' in settings().layout("decide.columns")
    page.reset_layout()
    assert "mcnemar" not in table.shown()
    assert "cpu" in table.shown()


def test_a_narrow_window_leaves_columns_out_but_never_the_cost(
    bench: Any, page: Any, settle: Any
) -> None:
    bench.finish()
    wide = page.lanes.table.shown()
    page.resize(1200, 652)
    settle()
    narrow = page.lanes.table.shown()
    assert len(narrow) < len(wide)
    assert {"lane", "error", "against", "cost"} <= set(narrow)
    table = page.lanes.table
    assert table.horizontalScrollBar().maximum() == 0


def test_rows_are_copied_with_headings(bench: Any, page: Any, qtbot: Any) -> None:
    bench.finish()
    table = page.lanes.table
    # Not selectRow: it minds modifiers, and Qt may still hold the one of a test before.
    whole = (
        QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
    )
    table.selectionModel().select(table.model().index(2, 0), whole)
    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    heads, row = QGuiApplication.clipboard().text().split("\n")
    assert heads.split("\t")[0] == "Strategy"
    assert row.split("\t")[0] == "Retrained"
    assert len(heads.split("\t")) == len(row.split("\t"))


def test_prices_rerank_at_once(bench: Any, page: Any, qtbot: Any) -> None:
    def judged(prices: Any) -> Any:
        return verdict(prices) if prices.retrain < 50 else tie(prices)

    bench.verdict = judged
    bench.finish()
    assert page.verdict.pill.text() == "Recommended"
    page.prices.fields["retrain"].setValue(60.0)
    bench.bench.settle()
    assert bench.engine.last(Judge).prices.retrain == 60.0
    assert page.verdict.pill.text() == "A tie"
    assert page.bars.rows["retrain"]._now == 60.0
    assert bench.session.undo_text == "Change prices"


def test_a_price_bar_is_dragged_and_moved_by_keys(bench: Any, page: Any, qtbot: Any) -> None:
    bench.state.set_prices(error=0.5, retrain=25.0, cpu_hour=0.4, downtime_hour=60.0)
    bench.finish()
    row = page.bars.rows["error"]
    area = row._area()
    at = QPoint(round(area.left() + 0.9 * area.width()), round(area.center().y()))
    qtbot.mousePress(row, Qt.MouseButton.LeftButton, pos=at)
    bench.bench.settle()
    dragged = bench.session.experiment.prices.error
    assert 2.0 < dragged < 10.0
    assert page.prices.fields["error"].number() == dragged
    qtbot.mouseRelease(row, Qt.MouseButton.LeftButton, pos=at)
    qtbot.keyClick(row, Qt.Key.Key_Left)
    bench.bench.settle()
    assert bench.session.experiment.prices.error < dragged
    qtbot.keyClick(row, Qt.Key.Key_Home)
    bench.bench.settle()
    assert bench.session.experiment.prices.error == pytest.approx(0.001)
    assert "Static" in row.accessibleDescription()


def test_so_far_while_the_stream_goes_on(bench: Any, page: Any) -> None:
    bench.play_to(600, state="paused")
    assert "as of row 600 of 1,000" in page.banner.text()
    assert page.banner.isVisibleTo(page)
    assert not page.deeper.hindsight.button.isEnabled()
    assert "whole stream" in page.deeper.hindsight.button.toolTip()


def test_too_early_is_said(bench: Any, page: Any) -> None:
    bench.verdict = too_early
    bench.play_to(212, state="paused")
    assert page.verdict.pill.text() == "Too early"
    assert page.verdict.figures() == []
    assert not any(row.isVisibleTo(page) for row in page.bars.rows.values())
    assert set(cells(page, "error")) == {"–"}


def test_a_tie_is_shown_as_one(bench: Any, page: Any) -> None:
    bench.verdict = tie
    bench.finish()
    assert page.verdict.pill.text() == "A tie"
    assert cells(page, "against")[1].endswith("may be chance")


def test_before_the_first_answer(bench: Any, page: Any) -> None:
    bench.holding = True
    bench.play_to(600, state="paused")
    assert page.verdict.sentence.text() == "The verdict is being made."
    assert "first verdict" in page.banner.text()


def test_a_failure_is_said_above_the_old_verdict(bench: Any, page: Any) -> None:
    from modellab.replay.protocol import Ack, JobFailed

    bench.play_to(600, state="paused")
    bench.engine.answers[Judge] = lambda _c, n: [
        Ack(id=n), JobFailed(id=n, sentence="It cannot be judged.")
    ]  # fmt: skip
    bench.play_to(700, state="paused")
    assert page.banner.text().startswith("It cannot be judged.")
    assert page.verdict.sentence.text() == "Deploy Online."


def test_the_engine_died(bench: Any, page: Any) -> None:
    bench.play_to(600, state="paused")
    bench.engine.die()
    bench.bench.settle()
    assert "gone" in page.banner.text()
    assert not page.prices.fields["error"].isEnabled()
    assert not page.verdict.sentence.isEnabled()
    assert not page.take.results.isEnabled()


def test_progress_and_cancel_of_long_work(bench: Any, page: Any) -> None:
    from modellab.replay.protocol import JobProgress

    bench.verdict = lambda prices: verdict(prices, hindsight=None)
    bench.finish()
    work = page.deeper.hindsight
    job = bench.session.job_of("hindsight")
    assert work.progress.isVisibleTo(page)
    assert not work.button.isVisibleTo(page)
    bench.engine.replies.append(JobProgress(id=job.id, done=3, total=12, text="Model 3 of 12"))
    bench.bench.settle()
    assert work.progress._label.text() == "Model 3 of 12"
    work.progress.cancel.click()
    bench.bench.settle()
    assert work.button.isVisibleTo(page)
    assert not work.progress.isVisibleTo(page)
    work.button.click()
    assert bench.session.job_of("hindsight") is not None
    bench.end_long()
    assert bench.session.job_of("hindsight") is None


def test_names_are_plain_text_and_long_ones_fit(
    bench: Any, page: Any, picture: Any, settle: Any
) -> None:
    long = "Gradient boosting retrained whenever the moon is full and the rest of the name " * 2
    rows = [
        lane_row(name, "Online", name=shown)
        for name, shown in zip(USUAL, [EVIL, long, *list(USUAL)[2:]], strict=True)
    ]
    bench.verdict = lambda prices: verdict(
        prices, recommended=EVIL, lanes=rows, runner_up=long, sentence=f"Deploy {EVIL}."
    )
    bench.finish()
    assert cells(page, "lane")[0] == "<b>Bold</b> & <img src=x> second line"
    tip = page.lanes.table.model().index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "<b>" not in tip
    assert "&lt;b&gt;" in tip
    assert page.verdict.sentence.textFormat() == Qt.TextFormat.PlainText
    settle()
    picture(page, "decide-long-names")
    assert page.minimumSizeHint().width() <= 1200


def test_one_lane_and_regression(bench: Any, page: Any, picture: Any) -> None:
    row = lane_row("Static", "Static", error=interval(37.25, 1.5), p_value=None, sensitivity={},
                   forgetting=None, drift=None, regret=None)  # fmt: skip
    bench.verdict = lambda prices: verdict(
        prices, recommended="Static", lanes=[row], unit="absolute error", runner_up=None,
        sentence="Deploy Static. It is the only lane that could be deployed.", hindsight=None,
        price_bars=[], warnings=[],
    )  # fmt: skip
    bench.finish()
    assert page.verdict.figures()[0] == "37.25"
    assert cells(page, "error") == ["37.25 ± 1.5"]
    assert "bad" not in page.lanes.table.shown()
    picture(page, "decide-one-lane")


def test_the_scatter_tells_its_numbers(bench: Any, page: Any) -> None:
    bench.finish()
    rows = page.scatter.rows()
    assert rows[0][0] == "Online"
    assert rows[0][-1] == "yes"
    assert any(row[0] == "in hindsight, 1 retrain" for row in rows)
    page.up.button("total").click()
    assert page.scatter.columns()[2] == "total cost"
    assert page.scatter.rows()[0][2] == words.money_text(words.total_cost(verdict(
        bench.prices).lanes[0]))  # fmt: skip
    page.across.button("cpu").click()
    assert not any("hindsight" in row[0] for row in page.scatter.rows())
    page.scatter_card.as_table.click()
    assert page.scatter_card.table.model().rowCount() == len(USUAL)


def test_free_upkeep_is_not_drawn_as_a_line(bench: Any, page: Any) -> None:
    rows = [lane_row(n, upkeep=0.0) for n in USUAL]
    bench.verdict = lambda prices: verdict(prices, lanes=rows)
    bench.finish()
    assert page.across.current() == "retrains"
    assert "free" in page.scatter_card._subtitle.text()


def test_one_lane_far_above_leaves_the_others_in_the_plane(qtbot: Any, looks: None) -> None:
    errors = {"Online": 0.226, "Static": 0.243, "Retrained": 0.239, "No change": 0.287}
    lanes = [lane_row(name, error=interval(value, 0.03)) for name, value in errors.items()]
    told = verdict(lanes=lanes, hindsight=None)
    plot = scatter.ScatterPlot()
    plot.resize(560, 300)
    plot.set_verdict(told, {}, faint=False)
    frame = plot._frame()
    inside = {
        dot.row.name: frame[0].contains(plot._place(frame, dot.x, dot.y))
        for dot in scatter.dots_of(told, plot.across, plot.up)
    }
    assert inside == {name: name != "No change" for name in errors}


def test_a_dot_is_found_under_the_mouse(bench: Any, page: Any, settle: Any) -> None:
    bench.finish()
    settle()
    plot = page.scatter
    frame = plot._frame()
    dot = plot.dot_at(plot._place(frame, 0.003, 0.217))
    assert dot is not None
    assert dot.row.name == "Static"
    assert plot.dot_at(QPointF(2, 2)) is None


def test_take_it_with_you(bench: Any, page: Any, qtbot: Any) -> None:
    bench.finish()
    asked: list[str] = []
    page.run_action.connect(asked.append)
    page.take.results.click()
    page.take.experiment.click()
    assert asked == ["file.results", "file.save_as"]


def test_hidden_it_asks_no_more(bench: Any, page: Any) -> None:
    bench.play_to(400, state="paused")
    page.hidden()
    before = bench.count()
    bench.play_to(500, state="paused")
    assert bench.count() == before
    page.shown()
    bench.bench.settle()
    assert bench.count() == before + 1
    assert bench.state.position == 500


def test_the_page_is_reached_from_the_rail(window: Any, gui_bench: Any, tmp_path: Path, qtbot: Any):
    bench = VerdictBench(gui_bench, tmp_path)
    window._refresh()
    assert not window.show_page("decide")
    bench.finish()
    assert window.show_page("decide")
    gui_bench.settle()
    assert bench.state.verdict.rows == ROWS
    assert "compared on 30,918 rows" in window.page("decide").status()
    window._refresh()
    window.show_page("deploy")
    assert window.rail.button("decide")._state == "done"


def test_large_text_fits(bench: Any, page: Any, picture: Any, settle: Any) -> None:
    from modellab.gui.theme import theme_hub

    bench.finish()
    theme_hub().set_text_scale(1.4)
    try:
        page.resize(1200, 652)
        settle()
        picture(page, "decide-large-text")
        assert page.area.widget().width() <= page.area.viewport().width()
    finally:
        theme_hub().set_text_scale(1.0)
