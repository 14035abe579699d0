from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from page_contract import PageContract
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from modellab.data.samples import SAMPLES
from modellab.gui.drop import drop_verdict, local_paths
from modellab.gui.notify import notifications
from modellab.gui.pages.welcome import WelcomePage
from modellab.gui.pages.welcome_parts import when_text
from modellab.gui.settings import settings


class TestContract(PageContract):
    def make(self, bench):
        return WelcomePage(bench.session)

    def fill(self, bench, tmp_path):
        there = tmp_path / "prices <b>2024.csv"
        there.write_text("a\n1\n")
        settings().add_recent(str(tmp_path / "gone.mlab"), "experiment", "5 lanes")
        settings().add_recent(str(there), "data", "9 rows")


@pytest.fixture
def page(gui_bench, qtbot, looks):
    made = WelcomePage(gui_bench.session)
    qtbot.addWidget(made)
    made.resize(1280, 652)
    made.show()
    made.shown()
    yield made
    made.take_down()
    made.close()


def test_every_sample_has_its_card_with_true_figures(page, qtbot):
    assert [card.sample for card in page.cards] == list(SAMPLES)
    for card, sample in zip(page.cards, SAMPLES.values(), strict=True):
        assert card.accessibleName() == sample.title
        with qtbot.waitSignal(page.open_sample) as told:
            qtbot.keyClick(card, Qt.Key.Key_Space)
        assert told.args == [sample.id]


def test_newcomers_get_the_first_sample_ready_to_play(page, qtbot):
    with qtbot.waitSignal(page.open_ready) as told:
        page.new_here.button.click()
    assert told.args == ["flights"]


def test_choosing_a_file_asks_the_window(page, qtbot):
    with qtbot.waitSignal(page.run_action) as told:
        page.drop_zone.button.click()
    assert told.args == ["file.open"]


def test_recent_files_open_or_say_that_they_are_gone(page, qtbot, tmp_path):
    assert not page._recent_box.isVisible()
    there, gone = tmp_path / "a.csv", tmp_path / "gone.csv"
    there.write_text("x")
    settings().add_recent(str(gone))
    settings().add_recent(str(there), detail="1 row")
    assert page._recent_box.isVisible()
    first, second = page.recent_rows()
    assert (first.there, second.there) == (True, False)
    with qtbot.waitSignal(page.open_files) as opened:
        first.click()
    assert opened.args == [[there]]
    with qtbot.waitSignal(page.run_action) as asked:
        second.click()
    assert asked.args == ["file.open"]


def test_the_recent_list_is_cleared_with_undo_and_shortened_by_key(page, qtbot, tmp_path):
    told = []
    notifications().noticed.connect(told.append)
    notifications()._heard = True
    for name in ("a", "b", "c"):
        settings().add_recent(str(tmp_path / name))
    row = page.recent_rows()[0]
    qtbot.keyClick(row, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: len(settings().recent) == 2)
    page._clear()
    assert page.recent_rows() == []
    qtbot.waitUntil(lambda: bool(told))
    assert told[-1].action == "Undo"
    told[-1].run()
    assert [Path(item.path).name for item in settings().recent] == ["b", "a"]


def test_unsaved_work_is_offered_discarded_with_undo_and_opened(
    page, gui_bench, qtbot, monkeypatch
):
    from modellab.gui.session_saving import Recoverable

    found = Recoverable("abc", "prices.csv", datetime.now(UTC).timestamp(), None, 312, None)
    monkeypatch.setattr(gui_bench.session, "recoverable", lambda: [found])
    recovered, discarded = [], []
    monkeypatch.setattr(gui_bench.session, "recover", recovered.append)
    monkeypatch.setattr(gui_bench.session, "discard", discarded.append)
    page.shown()
    (banner,) = page.banners()
    assert "prices.csv" in banner.text()
    assert "row 312" in banner.text()
    page._recover(found)
    assert recovered == [found]
    page._discard(found)
    assert page.banners() == []
    assert discarded == [], "it can still be undone"
    page._keep(found)
    assert len(page.banners()) == 1
    page._discard(found)
    page.take_down()
    assert discarded == [found]


def test_what_is_being_opened_is_shown_and_can_be_cancelled(page, gui_bench, tmp_path, picture):
    from modellab.replay.protocol import JobProgress, OpenData

    session = gui_bench.session
    session.start_engine()
    gui_bench.engine.held.add(OpenData)
    (tmp_path / "big.csv").write_text("a\n")
    session.open_paths([tmp_path / "big.csv"])
    gui_bench.settle()
    zone = page.drop_zone
    assert zone.progress.isVisible()
    assert not zone.button.isVisible()
    job = session.job_of("open")
    gui_bench.engine.replies.append(JobProgress(id=job.id, done=40, total=100, text=""))
    gui_bench.settle()
    picture(page, "welcome-reading")
    assert zone.progress._bar.value() == 400
    zone.progress.cancel.click()
    gui_bench.settle()
    assert not zone.progress.isVisible()
    assert zone.button.isVisible()
    assert session.data is None


def test_times_as_people_say_them():
    now = datetime.now(UTC).astimezone()
    assert when_text(now.isoformat()) == f"today {now:%H:%M}"
    assert when_text((now - timedelta(days=1)).isoformat()) == "yesterday"
    noon = datetime(2024, 11, 12, 12, tzinfo=UTC).isoformat()
    assert when_text(noon, date(2024, 12, 1)) == "12 Nov"
    assert when_text(noon, date(2026, 1, 1)) == "12 Nov 2024"
    assert when_text("nonsense") == ""


# ---------------------------------------------------------------- drops


@pytest.mark.parametrize(
    ("names", "good", "words"),
    [
        (["a.csv"], True, "a.csv"),
        (["a.CSV.GZ"], True, "a.CSV.GZ"),
        (["a.parquet", "b.parquet"], True, "2 files as one data set"),
        (["a.mlab"], True, "a.mlab"),
        (["a.mlab", "b.csv"], False, "One experiment at a time"),
        (["a.exe"], False, "cannot be read"),
        ([], False, "Only files"),
    ],
)
def test_what_a_drop_would_do_is_said(names, good, words):
    verdict, title, text = drop_verdict([Path(name) for name in names])
    assert verdict is good
    assert words in title
    assert text.endswith(".")


def test_a_folder_is_one_data_set(tmp_path):
    verdict, title, text = drop_verdict([tmp_path])
    assert verdict
    assert title == f"Open the folder “{tmp_path.name}” as one data set"
    assert "key=value" in text
    verdict, title, _ = drop_verdict([tmp_path, tmp_path / "a.csv"])
    assert not verdict
    assert title == "One folder at a time"


def mime(*paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def test_files_come_in_the_order_of_their_names():
    data = mime("/x/b.csv", "/x/a.csv")
    data.setUrls([*data.urls(), QUrl("https://example.org/c.csv")])
    assert local_paths(data) == [Path("/x/a.csv"), Path("/x/b.csv")]
    assert local_paths(QMimeData()) == []


def drag_enter(widget, data):
    event = QDragEnterEvent(
        QPoint(5, 5),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(widget, event)
    return event


def drop(widget, data):
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(widget, event)


def test_a_file_dragged_over_any_widget_is_caught_by_the_window(window, gui_bench, qtbot, tmp_path):
    file = tmp_path / "prices.csv"
    file.write_text("a\n1\n")
    event = drag_enter(window.windowHandle(), mime(file))
    assert event.isAccepted()
    assert window.overlay.isVisible()
    assert "prices.csv" in window.overlay.texts()[0]
    drop(window.windowHandle(), mime(file))
    assert not window.overlay.isVisible()
    qtbot.waitUntil(lambda: gui_bench.session.data is not None)
    assert gui_bench.session.data.paths == [str(file)]


def test_a_wrong_drop_is_refused_in_words(window, gui_bench, qtbot):
    drag_enter(window.windowHandle(), mime("/x/a.exe"))
    drop(window.windowHandle(), mime("/x/a.exe"))
    assert not window.overlay.isVisible()

    def told():
        return any("a.exe" in toast.notice.text for toast in window.toasts.toasts())

    qtbot.waitUntil(told)
    assert gui_bench.session.data is None


def test_text_dragged_into_a_field_is_left_alone(window):
    data = QMimeData()
    data.setText("0.05")
    drag_enter(window.windowHandle(), data)
    assert not window.overlay.isVisible()


def test_a_drag_that_leaves_leaves_no_overlay(window):
    drag_enter(window.windowHandle(), mime("/x/a.csv"))
    assert window.overlay.isVisible()
    QApplication.sendEvent(window.windowHandle(), QDragLeaveEvent())
    assert not window.overlay.isVisible()
