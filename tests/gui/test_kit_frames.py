from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QApplication, QHeaderView, QWidget

from modellab.gui.kit import (
    Banner,
    Card,
    DataTable,
    EmptyState,
    HistogramStrip,
    IconLabel,
    IconTile,
    LaneChip,
    LinkButton,
    PageHead,
    Pill,
    PlainButton,
    PrimaryButton,
    Rule,
    SegmentedControl,
    SparkLine,
    TableCard,
    paint_spark,
)
from modellab.gui.kit.small_plots import as_values, spark_points, value_range
from modellab.gui.theme import LIGHT, px, theme_hub

pytestmark = pytest.mark.usefixtures("looks")


class _Windows(QObject):
    """Notes every widget that opens as a window of its own."""

    def __init__(self):
        super().__init__()
        self.opened = []

    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.opened.append(type(watched).__name__)
        return False


def test_making_widgets_opens_no_window(qtbot, qapp):
    watcher = _Windows()
    qapp.installEventFilter(watcher)
    try:
        made = [
            Card("Title", "facts", [PlainButton("a", "b")]),
            Card(),
            PageHead("table", "t", "f", [PrimaryButton("a", "b")]),
            EmptyState("flask", "Nothing yet", "Train first.", action="Go", tip="Go there."),
            Banner("warning", "x", [("a", "b", print)], title="t", closable=True),
            TableCard("Rows", tip="x"),
            Pill("best", "ok"),
            SegmentedControl("x", [("a", "a", "a")]),
        ]
    finally:
        qapp.removeEventFilter(watcher)
    for widget in made:
        qtbot.addWidget(widget)
    assert watcher.opened == []


def test_a_card_with_and_without_header(qtbot):
    action = PlainButton("Show", "Show all.")
    card = Card("Columns", "1 time, 7 features", [action])
    bare = Card()
    for one in (card, bare):
        qtbot.addWidget(one)
        one.resize(400, 200)
        one.show()
    assert card.header.isVisible()
    assert not bare.header.isVisible()
    assert card.accessibleName() == "Columns"
    assert action.window() is card
    bare.set_title("Now", "with facts")
    assert bare.header.isVisible()
    assert bare.title() == "Now"


def test_page_head_buttons_have_one_height(qtbot):
    first, second = PlainButton("a", "b"), PrimaryButton("c", "d")
    head = PageHead("table", "electricity.parquet", "45,312 rows", [first, second])
    qtbot.addWidget(head)
    head.resize(900, 60)
    head.show()
    assert first.height() == second.height() == px(36)
    head.set_title("x" * 400)
    assert head.minimumSizeHint().width() < 500


def test_the_empty_state_has_a_way_on(qtbot):
    done = []
    empty = EmptyState(
        "flask",
        "Nothing yet",
        "Train a model.",
        action="Go",
        tip="x",
        clicked=lambda: done.append(1),
    )
    qtbot.addWidget(empty)
    empty.button.click()
    assert done == [1]
    assert EmptyState("flask", "a", "b").button is None


def test_the_empty_state_shows_all_its_words(qtbot):
    empty = EmptyState("flask", "Nothing yet", "Some words that need several lines. " * 6)
    qtbot.addWidget(empty)
    empty.resize(300, 500)
    empty.show()
    text = empty._text
    assert text.width() >= 240
    assert text.height() >= text.heightForWidth(text.width())
    empty.resize(1200, 500)
    assert text.width() <= px(440)
    assert abs(text.geometry().center().x() - 600) <= 2


def test_a_banner_says_offers_and_goes(qtbot):
    done = []
    banner = Banner(
        "warning",
        "5 rows could not be read.",
        [("Show rows", "Show them.", lambda: done.append(1))],
        title="Rows set aside",
        closable=True,
    )
    qtbot.addWidget(banner)
    banner.resize(300, banner.heightForWidth(300))
    banner.show()
    link = banner.findChild(LinkButton)
    link.click()
    assert done == [1]
    assert "Rows set aside" in banner.accessibleName()
    banner.set_actions([])
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert banner.findChild(LinkButton) is None
    banner.set_text("All is well.", "ok", "")
    assert banner.text() == "All is well."
    with qtbot.waitSignal(banner.closed):
        banner._close()
    assert not banner.isVisible()


def test_a_wrapped_banner_shows_all_its_lines(qtbot):
    host = Card()
    banner = Banner("info", "word " * 60, title="A title")
    host.body.addWidget(banner)
    host.body.addStretch(1)
    qtbot.addWidget(host)
    host.resize(320, 600)
    host.show()
    text = banner._text
    assert text.height() >= text.heightForWidth(text.width())


def test_pill_and_chip_take_the_theme(qtbot):
    pill, chip = Pill("best", "ok"), LaneChip("baseline", "baseline")
    fork = LaneChip(LIGHT.lanes[1], "fork")
    for widget in (pill, chip, fork, Rule(), IconLabel("table"), IconTile("table")):
        qtbot.addWidget(widget)
        widget.show()
    light = [w.grab().toImage() for w in (pill, chip)]
    theme_hub().set_mode("dark")
    for widget, before in zip((pill, chip), light, strict=True):
        assert widget.grab().toImage() != before
    assert pill.text() == "best"
    pill.set_colour(LIGHT.lanes[3])
    pill.setText("worst of all")
    assert pill.sizeHint().width() > 60
    half = fork.grab().toImage()
    assert half.pixelColor(6, 3) != half.pixelColor(6, 9)


# ---------------------------------------------------------------- small plots


def test_a_gap_breaks_the_curve():
    values = as_values([1, 2, np.nan, 3, 4, 5])
    runs = spark_points(values, QRectF(0, 0, 100, 20), 1, 5)
    assert [run.size() for run in runs] == [2, 3]
    assert runs[0].first().y() == 20
    assert runs[1].last().y() == 0


def test_a_long_curve_keeps_its_extremes():
    values = np.zeros(100_000)
    values[54_321] = 7
    values[77_777] = -3
    low, high = value_range(values)
    assert (low, high) == (-3, 7)
    runs = spark_points(values, QRectF(0, 0, 200, 50), low, high)
    ys = [point.y() for run in runs for point in run]
    assert min(ys) == 0
    assert max(ys) == 50
    assert len(ys) <= 400


@pytest.mark.parametrize("values", [[], [np.nan, np.nan], [3.0], [2.0, 2.0], [np.inf, 1, 2]])
def test_odd_series_are_painted_without_complaint(qtbot, values):
    line = SparkLine(values, name="x", area=True, end_dot=True, shaded=0.3)
    strip = HistogramStrip(values, name="x")
    for widget in (line, strip):
        qtbot.addWidget(widget)
        widget.resize(80, 24)
        assert not widget.grab().isNull()


def test_a_flat_curve_runs_through_the_middle():
    (run,) = spark_points(as_values([2, 2, 2]), QRectF(0, 0, 90, 20), 2, 2)
    assert [point.y() for point in run] == [10, 10, 10]


def test_bars_are_as_high_as_their_counts(qtbot):
    strip = HistogramStrip([1, 4], name="x")
    qtbot.addWidget(strip)
    strip.resize(40, 43)
    image = strip.grab().toImage()
    ground = image.pixelColor(10, 2)

    def height(x: int) -> int:
        return sum(image.pixelColor(x, y) != ground for y in range(43))

    assert height(10) * 4 == pytest.approx(height(30), abs=2)


def test_the_curve_keeps_to_its_rectangle():
    image = QImage(60, 60, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    paint_spark(painter, QRectF(20, 20, 20, 20), [0, 100, -100, 5], "#FF0000", low=0, high=10)
    painter.end()
    assert all(image.pixelColor(x, 10).alpha() == 0 for x in range(60))
    assert any(image.pixelColor(30, y).alpha() > 0 for y in range(18, 42))


# ---------------------------------------------------------------- tables


def model(rows=200, columns=4):
    made = QStandardItemModel(rows, columns)
    for row in range(rows):
        for column in range(columns):
            made.setItem(row, column, QStandardItem(f"{row}.{column}"))
    return made


def test_a_table_never_measures_its_contents(qtbot):
    card = TableCard("Rows", tip="The rows.")
    qtbot.addWidget(card)
    data = model()
    card.table.setModel(data)
    card.table.set_widths([60, 90, 90, 90], stretch=3)
    card.resize(500, 300)
    card.show()
    header = card.table.horizontalHeader()
    modes = {header.sectionResizeMode(column) for column in range(4)}
    assert QHeaderView.ResizeMode.ResizeToContents not in modes
    assert header.sectionResizeMode(3) == QHeaderView.ResizeMode.Stretch
    assert card.table.rowHeight(5) == px(27)
    assert card.table.columnWidth(0) == px(60)
    assert card.table.accessibleName() == "Rows"


def test_copying_rows_is_plain_tabs(qtbot):
    table = DataTable("Rows", "x")
    qtbot.addWidget(table)
    data = model(3, 2)
    data.item(1, 1).setText("<b>1.1</b>")
    table.setModel(data)
    table.show()
    table.selectAll()
    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "0.0\t0.1\n1.0\t<b>1.1</b>\n2.0\t2.1"
    assert DataTable("x", "y").selected_text() == ""
