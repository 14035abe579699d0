"""Parts of the start page: drop zone, recent files, sample cards, the card for newcomers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from modellab.data.places import names_data
from modellab.gui.kit.buttons import PrimaryButton
from modellab.gui.kit.fields import ProgressLine
from modellab.gui.kit.frames import IconLabel, IconTile, Pill
from modellab.gui.kit.small_plots import as_values, paint_spark, value_range
from modellab.gui.kit.text import ElidedLabel, Label, count_text, describe, number_text
from modellab.gui.theme import font, px, theme, theme_hub

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.data.samples import Sample
    from modellab.gui.settings import RecentItem

STEPS = (
    "See what drift does to a model that is never retrained",
    "Turn the learning rate while the stream runs",
    "Add a lane and compare it on the same rows",
    "Save the experiment and replay it to the last digit",
)
"""What a newcomer can do with the flights sample, in this order."""


class DropZone(QFrame):
    """Says that files can be dropped anywhere, and has the button for those who don't drag."""

    choose = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Drop a data file here")
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(6)
        centre = Qt.AlignmentFlag.AlignHCenter
        column.addStretch(3)
        column.addWidget(IconTile("download-simple", size=56, filled=True), 0, centre)
        column.addSpacing(8)
        column.addWidget(Label("Drop a data file here", 20, 600), 0, centre)
        kinds = Label(
            "CSV, Parquet, JSON, Excel, SQLite and more, a folder, "
            "or a saved .mlab or .toml experiment",
            13,
            400,
            "second",
            wrap=True,
        )
        kinds.setAlignment(centre)
        kinds.setContentsMargins(px(24), 0, px(24), 0)
        column.addWidget(kinds)
        column.addSpacing(10)
        self.button = PrimaryButton(
            "Choose file…", "Choose data files or a saved experiment.", icon="folder-open"
        )
        """Opens the file dialog."""
        self.button.setMinimumHeight(px(38))
        self.button.clicked.connect(self.choose)
        column.addWidget(self.button, 0, centre)
        self.progress = ProgressLine()
        """What is being opened, instead of the button."""
        column.addWidget(self.progress)
        self.progress.hide()
        column.addStretch(4)
        foot = Label("Files stay on this computer and are never changed.", 12, 400, "second")
        column.addWidget(foot, 0, centre)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(px(260))

    def show_work(self, title: str, share: float | None, *, cancelling: bool) -> None:
        """Show what is being opened and how far it is; an empty title: nothing."""
        if not title:
            self.progress.finish()
        elif not self.progress.active():
            self.progress.start(title)
        if title:
            self.progress.set_progress(share, "Cancelling…" if cancelling else title)
        self.button.setVisible(not title)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(QColor(tokens.third), 1.4)
        pen.setDashPattern([6, 4])
        painter.setPen(pen)
        painter.setBrush(QColor(tokens.surface))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 14, 14)


class CardButton(QPushButton):
    """A card that is one button: its labels let the mouse through."""

    def __init__(self, name: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "card")
        self.setAutoDefault(False)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        describe(self, name, tip)

    def let_through(self) -> None:
        """Call once all labels are in."""
        for widget in self.findChildren(QWidget):
            widget.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def sizeHint(self) -> QSize:
        layout = self.layout()
        return layout.sizeHint() if layout is not None else super().sizeHint()

    def minimumSizeHint(self) -> QSize:
        layout = self.layout()
        return layout.minimumSize() if layout is not None else super().minimumSizeHint()


def when_text(when: str, today: date | None = None) -> str:
    """Return an ISO time as people say it: ``today 14:22``, ``yesterday``, ``12 Nov``."""
    try:
        moment = datetime.fromisoformat(when).astimezone()
    except ValueError:
        return ""
    now = today or datetime.now(UTC).astimezone().date()
    days = (now - moment.date()).days
    if days == 0:
        return f"today {moment:%H:%M}"
    if days == 1:
        return "yesterday"
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    text = f"{moment.day} {months[moment.month - 1]}"
    return text if moment.year == now.year else f"{text} {moment.year}"


class RecentRow(CardButton):
    """One file of the recent list; a file that is gone is faint and says so."""

    opened = Signal(str)
    forgotten = Signal(str)

    def __init__(self, item: RecentItem, parent: QWidget | None = None) -> None:
        path = Path(item.path)
        self.there = names_data(item.path)
        """Whether the file is still where it was."""
        tip = f"Open {path}." if self.there else f"{path} is not there any more."
        super().__init__(path.name, f"{tip}\nDelete takes it off this list.", parent)
        self._path = item.path
        icon = "flask" if item.kind == "experiment" else "table"
        row = QHBoxLayout(self)
        row.setContentsMargins(px(16), px(8), px(14), px(8))
        row.setSpacing(px(14))
        tone = "second" if self.there else "third"
        row.addWidget(IconLabel(icon if self.there else "file-dotted", size=18, role=tone))
        words = QVBoxLayout()
        words.setSpacing(1)
        name = ElidedLabel(path.name, 13, 600, "" if self.there else "third", tabular=False)
        words.addWidget(name)
        detail = item.detail if self.there else "file not found"
        words.addWidget(ElidedLabel(detail, 12, 400, tone))
        row.addLayout(words, 1)
        row.addWidget(Label(when_text(item.when), 12, 400, "second"), 0, Qt.AlignmentFlag.AlignTop)
        self.let_through()
        self.clicked.connect(lambda: self.opened.emit(self._path))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.forgotten.emit(self._path)
            return
        super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu().popup(event.globalPos() if not event.globalPos().isNull() else QPoint())

    def menu(self) -> QMenu:
        """Return the row's context menu."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Open").triggered.connect(lambda: self.opened.emit(self._path))
        remove = menu.addAction("Take off this list")
        remove.triggered.connect(lambda: self.forgotten.emit(self._path))
        return menu


class SampleCurve(QWidget):
    """The small curve of a sample, with its first, least and greatest values in words."""

    def __init__(self, sample: Sample, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values = as_values(sample.spark)
        # The curves of the bundled samples run over the twelve months of a year.
        self._labels = ("Jan", "Dec") if self._values.size == 12 else ()
        self._caption = sample.spark_unit
        self._share = sample.task == "classification"
        self.setAccessibleName(f"{sample.title}: {sample.spark_unit}")
        self.setMinimumHeight(px(112))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.sub))
        painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
        painter.setFont(font(11))
        painter.setPen(QColor(tokens.second))
        metrics = painter.fontMetrics()
        high = metrics.height()
        rect = QRectF(self.rect()).adjusted(px(12), px(10), -px(12), -px(8))
        caption = metrics.elidedText(self._caption, Qt.TextElideMode.ElideRight, int(rect.width()))
        painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, caption)
        if self._labels:
            foot = QRectF(rect.left(), rect.bottom() - high, rect.width(), high)
            painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, self._labels[0])
            painter.drawText(foot, Qt.AlignmentFlag.AlignRight, self._labels[-1])
        low, top = value_range(self._values)
        curve = QRectF(
            rect.left(), rect.top() + 2 * high + 2, rect.width(), rect.height() - 4 * high - 6
        )
        if curve.height() < 8 or self._values.size < 2:
            return
        colour = tokens.lanes[1]
        paint_spark(painter, curve, self._values, colour, low=low, high=top, width=1.8, area=True)
        painter.setFont(font(11, 600))
        painter.setPen(QColor(tokens.lane_text(colour)))
        step = curve.width() / (self._values.size - 1)
        for value, above in ((top, True), (low, False)):
            place = int(abs(self._values - value).argmin())
            text = f"{value * 100:.0f} %" if self._share else f"{number_text(value, 0)} min"
            wide = painter.fontMetrics().horizontalAdvance(text)
            x = min(max(curve.left(), curve.left() + place * step - wide / 2), curve.right() - wide)
            y = curve.top() - high if above else curve.bottom() + 1
            painter.drawText(QRectF(x, y, wide + 2, high), Qt.AlignmentFlag.AlignLeft, text)


class SampleCard(CardButton):
    """One sample: its curve, its name, its story, its size."""

    def __init__(self, sample: Sample, parent: QWidget | None = None) -> None:
        super().__init__(
            sample.title, f"{sample.story}\nOpens the sample on the Data page.", parent
        )
        self.sample = sample.id
        """Id of the sample."""
        column = QVBoxLayout(self)
        column.setContentsMargins(px(8), px(8), px(8), px(12))
        column.setSpacing(px(6))
        column.addWidget(SampleCurve(sample), 1)
        inner = QVBoxLayout()
        inner.setContentsMargins(px(8), px(4), px(8), 0)
        inner.setSpacing(px(6))
        head = QHBoxLayout()
        head.setSpacing(px(9))
        icon = "airplane-takeoff" if sample.task == "classification" else "clock"
        head.addWidget(IconLabel(icon, size=18))
        head.addWidget(ElidedLabel(sample.title, 14, 600), 1)
        inner.addLayout(head)
        story = Label(sample.story, 13, 400, "second", wrap=True)
        story.setMinimumHeight(story.fontMetrics().lineSpacing() * 2 + 2)
        story.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        inner.addWidget(story)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        kind = "one of two classes" if sample.task == "classification" else "a number"
        foot.addWidget(
            ElidedLabel(f"{count_text(sample.rows)} rows · {kind}", 12, 400, "second"), 1
        )
        foot.addWidget(Pill(sample.tag))
        inner.addLayout(foot)
        column.addLayout(inner)
        self.let_through()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)


class _Step(QWidget):
    def __init__(self, number: int, text: str) -> None:
        super().__init__()
        self._number = number
        self.setMinimumHeight(px(22))
        row = QHBoxLayout(self)
        row.setContentsMargins(px(28), 0, 0, 0)
        row.addWidget(Label(text, 13, 500, "on_band", wrap=True), 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = px(20)
        disc = QRectF(0, (self.height() - side) / 2, side, side)
        words = tokens.text if tokens.dark else tokens.on_ink
        ground = QColor(words)
        ground.setAlphaF(0.2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawEllipse(disc)
        painter.setPen(QColor(words))
        painter.setFont(font(11, 600))
        painter.drawText(disc, Qt.AlignmentFlag.AlignCenter, str(self._number))


class NewHere(QFrame):
    """The card for newcomers: four steps, and the flights sample ready to play."""

    start = Signal()

    def __init__(self, steps: Sequence[str] = STEPS, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "band")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("New here?")
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(px(24), px(20), px(24), px(20))
        row.setSpacing(px(20))
        words = QVBoxLayout()
        words.setSpacing(px(10))
        words.addWidget(Label("New here?", 20, 600, "on_band"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(px(24))
        grid.setVerticalSpacing(px(8))
        for place, step in enumerate(steps):
            grid.addWidget(_Step(place + 1, step), place % 2, place // 2)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        words.addLayout(grid)
        row.addLayout(words, 1)
        self.button = PrimaryButton(
            "Start with flights",
            "Open the flights sample with its lanes deployed, ready to play.",
            icon="play-fill",
        )
        """Opens the flights sample ready to play."""
        self.button.setProperty("kind", "onband")
        self._recolour()
        theme_hub().theme_changed.connect(self._recolour)
        self.button.setMinimumHeight(px(38))
        self.button.clicked.connect(self.start)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignVCenter)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        beside = self.width() >= px(620)
        way = QHBoxLayout.Direction.LeftToRight if beside else QHBoxLayout.Direction.TopToBottom
        if way != self._row.direction():
            self._row.setDirection(way)
            self._row.setAlignment(
                self.button,
                Qt.AlignmentFlag.AlignVCenter if beside else Qt.AlignmentFlag.AlignLeft,
            )

    @Slot()
    def _recolour(self) -> None:
        self.button.icon_role = "on_ink" if theme().dark else "ink"
        self.button.set_icon("play-fill")
