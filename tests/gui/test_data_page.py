from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_contract import PageContract
from PySide6.QtCore import QDate, Qt
from PySide6.QtGui import QGuiApplication

from modellab.experiment import replace
from modellab.gui.kit import LinkButton
from modellab.gui.pages import data_edits as edits
from modellab.gui.pages.data import DataPage
from modellab.gui.pages.data_bad_rows import BadRowsDialog
from modellab.gui.pages.data_columns import COURSE, DISTINCT, KIND, MISSING, NAME, RANGE, ROLE
from modellab.gui.pages.data_facts import column_facts
from modellab.gui.pages.data_rows import PAGE
from modellab.replay import protocol as p


class TestContract(PageContract):
    def make(self, bench):
        return DataPage(bench.session)

    def fill(self, bench, tmp_path):
        bench.open(tmp_path / "prices <b>2024.csv")


@pytest.fixture
def page(gui_bench, qtbot, looks, tmp_path):
    made = DataPage(gui_bench.session)
    qtbot.addWidget(made)
    made.resize(1520, 930)
    made.show()
    made.shown()
    gui_bench.open(tmp_path / "prices.csv")
    yield made
    made.take_down()
    made.close()
    gui_bench.session.close(keep=False)


def cells(page: DataPage, column: int) -> list[str]:
    model = page.columns.model()
    return [str(model.index(row, column).data()) for row in range(model.rowCount())]


def link(page: DataPage, text: str) -> LinkButton:
    found = [b for b in page.notes.findChildren(LinkButton) if b.text() == text]
    assert found, text
    return found[0]


# ---------------------------------------------------------------- what is shown


def test_nothing_is_shown_of_nothing(gui_bench, qtbot, looks):
    page = DataPage(gui_bench.session)
    qtbot.addWidget(page)
    assert not page.content.isVisibleTo(page)
    assert page.empty.isVisibleTo(page)
    assert page.available() == "Open data first."
    with qtbot.waitSignal(page.run_action) as told:
        page.empty.button.click()
    assert told.args == ["file.open"]
    page.take_down()


def test_columns_show_kind_role_and_profile(page):
    assert cells(page, NAME) == ["when", "price", "day", "class"]
    assert cells(page, KIND) == ["date-time", "number", "category", "category"]
    assert cells(page, ROLE) == ["time", "feature", "feature", "target"]
    assert cells(page, MISSING) == ["0 %", "4.0 %", "0 %", "0 %"]
    assert cells(page, DISTINCT) == ["≈ 1,000", "960", "7", "2"]
    assert cells(page, RANGE)[1] == "−3.5 – 12.25"
    assert cells(page, RANGE)[3] == "up, down"
    facts = column_facts(page.session)
    assert [f.constant_in_training for f in facts] == [False, False, True, False]
    assert facts[1].course[5] is None
    tip = page.columns.source.index(2, COURSE).data(Qt.ItemDataRole.AccessibleDescriptionRole)
    assert "never varies" in tip


def test_the_head_tells_rows_columns_size_and_time(page):
    assert "1,000 rows · 4 columns · 123 kB · read in 0.2 s" in page.head._facts.text()
    assert page.status() == ["kinds detected from all 1,000 rows", "2 rows set aside"]


def test_before_the_profile_the_columns_are_there(gui_bench, qtbot, looks, tmp_path):
    page = DataPage(gui_bench.session)
    qtbot.addWidget(page)
    gui_bench.session.start_engine()
    gui_bench.engine.held.add(p.ProfileData)
    gui_bench.open(tmp_path / "a.csv")
    assert cells(page, NAME) == ["when", "price", "day", "class"]
    assert cells(page, MISSING) == ["", "", "", ""]
    assert page.progress.active()
    gui_bench.engine.finish()
    gui_bench.settle()
    assert cells(page, MISSING)[1] == "4.0 %"
    assert not page.progress.active()
    page.take_down()
    gui_bench.session.close(keep=False)


def test_the_guess_is_said_and_confirmed_in_one_click(page, qtbot):
    assert page.guess.isVisible()
    assert "last column" in page.guess.toolTip()
    qtbot.mouseClick(page.confirm, Qt.MouseButton.LeftButton)
    assert not page.guess.isVisible()
    assert not page.confirm.isVisible()


def test_another_target_is_chosen_and_undone(page):
    page.target.setCurrentIndex(page.target.findData("price"))
    page.target.activated.emit(page.target.currentIndex())
    assert page.session.experiment.data.target == "price"
    assert not page.guess.isVisible()
    assert cells(page, ROLE) == ["time", "target", "feature", "feature"]
    page.session.undo()
    assert page.target.current() == "class"
    assert page.guess.isVisible()


# ---------------------------------------------------------------- kinds and roles


def test_roles_change_from_the_menu_of_a_cell(page, gui_bench):
    facts = page.columns.source.facts(1)
    menu = page.columns.menu_for(facts)
    ignored = next(a for a in menu.actions() if a.text() == "ignored")
    ignored.trigger()
    gui_bench.settle()
    assert page.session.experiment.data.ignore == ["price"]
    assert cells(page, ROLE)[1] == "ignored"
    assert page.session.undo_text == "Ignore “price”"
    menu.deleteLater()


def test_kinds_change_and_go_back_to_what_was_detected(page, gui_bench):
    page.columns.kind_chosen.emit("day", "number")
    gui_bench.settle()
    assert page.session.experiment.data.kinds == {"day": "number"}
    assert cells(page, KIND)[2] == "number"
    page.columns.kind_chosen.emit("day", "category")
    assert page.session.experiment.data.kinds == {}


def test_the_target_cannot_lose_its_role_without_a_new_one(page):
    told: list[Any] = []
    page.session.subscribe("message", told.append)
    page.columns.role_chosen.emit("class", "ignored")
    assert page.session.experiment.data.target == "class"
    assert "Something must be predicted" in told[-1].text


def test_the_keyboard_opens_choices_and_ignores_columns(page, qtbot, qapp):
    table = page.columns
    table.setFocus()
    table.setCurrentIndex(table.model().index(1, ROLE))
    qtbot.keyClick(table, Qt.Key.Key_Return)
    menu = QGuiApplication.instance().activePopupWidget()
    assert [a.text() for a in menu.actions()] == ["feature", "target", "time", "ignored"]
    menu.close()
    table.selectRow(2)
    qtbot.keyClick(table, Qt.Key.Key_Delete)
    assert page.session.experiment.data.ignore == ["day"]
    qapp.processEvents()


def test_columns_are_found_and_sorted(page):
    page.finder.setText("PRI")
    assert cells(page, NAME) == ["price"]
    page.finder.setText("")
    page.columns.model().sort(MISSING, Qt.SortOrder.DescendingOrder)
    assert cells(page, NAME)[0] == "price"
    page.columns.model().sort(-1)
    assert cells(page, NAME) == ["when", "price", "day", "class"]


def test_edits_of_roles_keep_the_experiment_valid(page):
    experiment = page.session.experiment
    as_time = edits.with_role(replace(experiment, data=replace(experiment.data, sort=True)),
                              "when", "feature")  # fmt: skip
    assert as_time.experiment.data.time is None
    assert not as_time.experiment.data.sort
    away = edits.without(experiment, ["when", "class", "day"])
    assert away.experiment.data.ignore == ["when", "day"]
    assert away.experiment.data.time is None


# ---------------------------------------------------------------- rows


def test_rows_come_in_pages_when_they_are_looked_at(page, gui_bench, qapp):
    model = page.rows_card.model
    assert model.rowCount() == 1000
    assert model.columnCount() == 5
    gui_bench.engine.sent.clear()
    last = model.index(999, 1)
    assert last.data() == "…"
    gui_bench.settle()
    assert last.data() == "999"
    asked = [c for c in gui_bench.engine.sent if isinstance(c, p.ReadRows)]
    assert [(c.start, c.stop) for c in asked] == [(800, 1000)]
    assert model.index(999, 2).data() == "missing"
    assert model.index(999, 3).data() == "<b>999</b>"
    for row in range(0, 1000, PAGE):
        model.index(row, 1).data()
    gui_bench.settle()
    before = gui_bench.engine.count(p.ReadRows)
    model.index(5, 1).data()
    assert gui_bench.engine.count(p.ReadRows) == before  # kept


def test_places_in_the_file_are_one_click_away(page, gui_bench):
    rows = page.rows_card
    rows.where.button("last").click()
    assert rows.table.currentIndex().row() == 999
    rows.where.button("split").click()
    assert rows.table.currentIndex().row() == 200
    assert rows.model.is_split(200)
    rows.where.button("random").click()
    assert 0 <= rows.table.currentIndex().row() < 1000
    rows.go.setValue(123)
    assert rows.table.currentIndex().row() == 123
    page.session.show_row(55)
    assert rows.table.currentIndex().row() == 55


def test_rows_can_be_copied(page, gui_bench, qtbot):
    gui_bench.settle()
    page.rows_card.table.selectRow(0)
    gui_bench.settle()
    qtbot.keyClick(page.rows_card.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text().startswith("0\t0\tmissing\t<b>0</b>")


def test_rows_set_aside_are_shown_and_saved(page, gui_bench, qtbot, tmp_path):
    page.rows_card.bad.click()
    gui_bench.settle()
    dialog = page.findChild(BadRowsDialog)
    assert dialog.table.model().rowCount() == 2
    assert dialog.table.model().index(0, 2).data() == "too many fields"
    assert dialog.story.text().startswith("2 rows could not be read")
    page.session.save_bad_rows(tmp_path / "bad.csv")
    assert gui_bench.engine.last(p.ReadBadRows).save_to == str(tmp_path / "bad.csv")
    dialog.close()


# ---------------------------------------------------------------- split, reading, notes


def test_the_split_moves_by_bar_field_and_date(page, gui_bench, qtbot):
    bar = page.split.bar
    bar.setFocus()
    qtbot.keyClick(bar, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert page.session.experiment.split.train == 201
    page.split.rows.setValue(400)
    assert page.session.experiment.split.train == 400
    assert page.split._train[1].text() == "400 rows · 40 %"
    assert page.columns.source.split_share == pytest.approx(0.4)
    page.split.date.setDate(QDate(1970, 1, 11))  # row 240: one row an hour from 1970 on
    assert page.session.experiment.split.train == 240
    gui_bench.settle()
    # Moved in one go: one step back.
    page.session.undo()
    assert page.session.experiment.split.train == 0.2


def test_a_drag_shows_at_once_and_is_an_edit_when_let_go(page):
    before = page.session.experiment
    page.split.bar.moved.emit(500)
    assert page.split._stream[1].text() == "500 rows · 50 %"
    assert page.columns.source.split_share == 0.5
    assert page.session.experiment is before
    page.split.bar.committed.emit(500)
    assert page.session.experiment.split.train == 500


def test_a_cold_start_is_told(page, gui_bench):
    page.split.rows.setValue(0)
    gui_bench.settle()
    assert page.split.story.text().startswith("A cold start")


def test_the_test_part_is_set_in_per_cent(page):
    page.split.test.setValue(35)
    assert page.session.experiment.split.test == 0.35
    assert page.split._test_rows.text() == "70 rows"


def test_reading_is_chosen_with_its_cost(page):
    page.reading.chunks.click()
    assert page.session.experiment.training.mode == "chunks"
    assert page.reading.rows.isVisible()
    page.reading.rows.setValue(50)
    assert page.session.experiment.training.chunk_rows == 50
    assert page.reading.verdict.text() == "4 chunks a pass."
    page.session.undo()
    page.session.undo()
    assert page.reading.memory.isChecked()
    assert not page.reading.rows.isVisible()


def test_too_much_for_memory_is_said(page):
    page.session.data.memory_budget = 100
    page.refresh()
    assert "out of core, or on a sample" in page.reading.verdict.text()
    page.reading.sample.setValue(2)
    assert page.session.experiment.training.sample_rows == 2
    assert page.reading.verdict.text() == ""


def test_remedies_act_and_can_be_undone(page, gui_bench):
    link(page, "Ignore “day”").click()
    assert page.session.experiment.data.ignore == ["day"]
    page.session.undo()
    assert page.session.experiment.data.ignore == []
    link(page, "Move the split to row 875").click()
    assert page.session.experiment.split.train == 875
    page.session.undo()
    gui_bench.settle()
    link(page, "Sort by time").click()
    gui_bench.settle()
    assert gui_bench.engine.last(p.OpenData).sort_by == "when"
    link(page, "Use it as a number").click()
    assert page.session.experiment.data.kinds == {"day": "number"}


def test_a_note_can_be_put_away(page, gui_bench):
    titles = [n.accessibleName() for n in page.notes._notes]
    assert any("never varies" in t for t in titles)
    link(page, "Keep").click()
    gui_bench.settle()
    assert len(page.notes._notes) == len(titles) - 1


def test_an_experiment_that_cannot_be_says_so_here(page, gui_bench):
    def broken(command: Any, number: int) -> list[Any]:
        result = gui_bench.engine.result(command)
        result.error = "Column “class” has only one value: there is nothing to predict."
        from scripted_engine import result_of

        return [p.Ack(id=number), p.JobDone(id=number, result=result_of(result))]

    gui_bench.engine.answers[p.ProfileData] = broken
    page.split.rows.setValue(300)
    gui_bench.settle()
    assert page.wrong.isVisible()
    assert "only one value" in page.wrong.text()
    assert not page.forward.isEnabled()


def test_a_wide_file_stays_quick(gui_bench, qtbot, looks, tmp_path: Path):
    page = DataPage(gui_bench.session)
    qtbot.addWidget(page)
    gui_bench.session.start_engine()
    engine = gui_bench.engine
    usual = engine.result

    def wide(command: Any) -> Any:
        result = usual(command)
        if isinstance(command, p.OpenData):
            result.columns += [p.ColumnSummary(f"c{i}", "number", "") for i in range(400)]
        return result

    engine.result = wide
    gui_bench.open(tmp_path / "wide.csv")
    page.resize(1200, 652)
    page.show()
    assert page.columns.model().rowCount() == 404
    assert page.target.count() == 404
    page.finder.setText("c39")
    assert page.columns.model().rowCount() == 11
    page.take_down()
    page.close()
    gui_bench.session.close(keep=False)


def test_a_page_behind_another_is_brought_up_to_date_when_shown(gui_bench, qtbot, looks, tmp_path):
    from PySide6.QtWidgets import QStackedWidget, QWidget

    stack = QStackedWidget()
    qtbot.addWidget(stack)
    page = DataPage(gui_bench.session)
    stack.addWidget(QWidget())
    stack.addWidget(page)
    stack.resize(1200, 652)
    stack.show()
    gui_bench.open(tmp_path / "a.csv")
    assert cells(page, NAME) == []
    stack.setCurrentWidget(page)
    assert cells(page, NAME) == ["when", "price", "day", "class"]
    page.take_down()
    gui_bench.session.close(keep=False)
