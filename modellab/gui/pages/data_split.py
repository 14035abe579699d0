"""Where training ends and the stream begins: bar, figures, fields by row and by date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QDate, Qt, Signal
from PySide6.QtWidgets import QDateEdit, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from modellab.gui.kit import Card, Label, LinkButton, NumberField, SplitBar, count_text, describe
from modellab.gui.pages.data_times import NS, date_text, moment
from modellab.gui.theme import px, theme

if TYPE_CHECKING:
    from PySide6.QtGui import QWheelEvent

    from modellab.gui.session import Session

DAY_NS = 86_400 * NS


class _DateField(QDateEdit):
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class SplitCard(Card):
    """Moves the deployment point. What is dragged shows at once; it is an edit when let go."""

    split_moved = Signal(int)
    """Rows of the training window while the handle moves."""
    split_wanted = Signal(int)
    """Rows of the training window that the person settled on."""
    test_wanted = Signal(float)
    """Share of the training window to hold back for the test."""
    sort_wanted = Signal(bool)
    """Put the rows in time order, or not."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Training window and stream", parent=parent)
        self._session = session
        self.bar = SplitBar(
            "Training window",
            "Drag the handle, or use the arrow keys (with Shift by one row). "
            "The rows before it train the first model, the rows after it are replayed as if live. "
            "The curve is the target's course; the hatched part is held back for the test.",
        )
        self.bar.moved.connect(self._moved)
        self.bar.committed.connect(lambda rows: self.split_wanted.emit(int(rows)))
        self.body.addWidget(self.bar)
        self.body.addLayout(self._captions())
        self.body.addLayout(self._fields())
        self.story = Label("", 12, 400, "second", wrap=True)
        self.body.addWidget(self.story)
        self.order = LinkButton(
            "Sort the rows by time", "Put the rows in the order of the time column; ties stay."
        )
        self.order.clicked.connect(self._sort)
        self.body.addWidget(self.order)

    def _captions(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setVerticalSpacing(1)
        right = Qt.AlignmentFlag.AlignRight
        self._train = [
            Label("Training window", 12, 600),
            Label("", 12),
            Label("", 12, 400, "second"),
        ]
        self._stream = [Label("Stream", 12, 600), Label("", 12), Label("", 12, 400, "second")]
        for row, (one, other) in enumerate(zip(self._train, self._stream, strict=True)):
            grid.addWidget(one, row, 0)
            grid.addWidget(other, row, 1, right)
        return grid

    def _fields(self) -> QVBoxLayout:
        self.rows = NumberField(
            "Split after row",
            "Rows of the training window: so many rows from the file's beginning train.",
            maximum=1,
            unit="rows",
            committed=lambda value: self.split_wanted.emit(int(value)),
        )
        self.date = _DateField()
        describe(self.date, "Split at date", "The stream begins with the first row of this day.")
        self.date.setCalendarPopup(True)
        self.date.setStyleSheet("QDateEdit::drop-down { border: none; }")
        self.date.setDisplayFormat("d MMM yyyy")
        self.date.setKeyboardTracking(False)
        self.date.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.date.dateChanged.connect(self._dated)
        self.test = NumberField(
            "Held back to test",
            "Share of the training window, at its end, that the Test page scores the model on. "
            "What goes live is trained on the whole window again.",
            minimum=1,
            maximum=90,
            unit="%",
            committed=lambda value: self.test_wanted.emit(value / 100),
        )
        column = QVBoxLayout()
        column.setSpacing(8)
        first = QHBoxLayout()
        first.setSpacing(8)
        split_label = Label("Split at", 13)
        split_label.setBuddy(self.rows)
        first.addWidget(split_label)
        for field in (self.rows, self.date):
            field.setMinimumWidth(px(96))
            first.addWidget(field, 1)
        column.addLayout(first)
        second = QHBoxLayout()
        second.setSpacing(8)
        label = Label("Held back to test", 13)
        label.setBuddy(self.test)
        second.addWidget(label)
        second.addWidget(self.test)
        self.test.setFixedWidth(px(84))
        self._test_rows = Label("", 12, 400, "second")
        second.addWidget(self._test_rows)
        second.addStretch(1)
        column.addLayout(second)
        return column

    # ------------------------------------------------------------------ what is shown

    def refresh(self) -> None:
        """Show what the session holds."""
        session = self._session
        experiment = session.experiment
        if experiment is None:
            return
        rows, total = session.train_rows, session.n_rows
        test = round(rows * experiment.split.test)
        if not self.bar.isSliderDown():
            self.bar.set_split(total, rows, test_rows=test)
        self.bar.set_curve(self._course())
        self.rows.setRange(0, max(total - 1, 0))
        self.test.set_number(experiment.split.test * 100)
        self._show(rows)
        spec = experiment.data
        self.order.setVisible(spec.time is not None and (spec.sort or self._unordered()))
        self.order.set_text("Keep the file's order" if spec.sort else "Sort the rows by time")

    def _unordered(self) -> bool:
        profile = self._session.profile
        return profile is not None and any(note["id"] == "unsorted" for note in profile.notes)

    def _course(self) -> list[float]:
        session = self._session
        if session.profile is None or session.experiment is None:
            return []
        for column in session.profile.columns:
            if column["name"] == session.experiment.data.target:
                return [np.nan if v is None else float(v) for v in column["course"]]
        return []

    def _show(self, rows: int) -> None:
        session = self._session
        total = session.n_rows
        rest = total - rows
        self.rows.set_number(rows)
        share = rows / total if total else 0.0
        self._train[1].setText(f"{count_text(rows)} rows · {share * 100:.0f} %")
        self._stream[1].setText(f"{count_text(rest)} rows · {(1 - share) * 100:.0f} %")
        first, last = session.time_at(rows), session.time_at(total - 1)
        timed = first is not None and last is not None
        self._train[2].setText(f"to {date_text(first)}" if timed and first is not None else "")
        self._stream[2].setText(f"to {date_text(last)}" if timed and last is not None else "")
        for words in (self._train[2], self._stream[2]):
            words.setVisible(timed)
        in_order = timed and first is not None and session.row_at(first) is not None
        self.date.setVisible(in_order)
        if in_order and first is not None:
            self._show_date(first, last or first)
        palette = self._stream[0].palette()
        palette.setColor(self._stream[0].foregroundRole(), theme().lane_text(theme().lanes[0]))
        self._stream[0].setPalette(palette)
        experiment = session.experiment
        held = round(rows * experiment.split.test) if experiment is not None else 0
        self._test_rows.setText(f"{count_text(held)} rows")
        self.story.setText(
            "The first model trains on the dark part. The rest is replayed, row by row, as if live."
            if rows
            else "A cold start: nothing is trained before. Online lanes begin from nothing."
        )

    def _show_date(self, when: int, last: int) -> None:
        start = self._session.time_at(0)
        blocked = self.date.blockSignals(True)
        for time_ns, act in (
            (start, self.date.setMinimumDate),
            (last, self.date.setMaximumDate),
            (when, self.date.setDate),
        ):
            day = moment(time_ns) if time_ns is not None else None
            if day is not None:
                act(QDate(day.year, day.month, day.day))
        self.date.blockSignals(blocked)

    # ------------------------------------------------------------------ what is done

    def _moved(self, rows: object) -> None:
        self._show(int(str(rows)))
        self.split_moved.emit(int(str(rows)))

    def _dated(self, day: QDate) -> None:
        epoch = QDate(1970, 1, 1)
        row = self._session.row_at(epoch.daysTo(day) * DAY_NS)
        if row is not None:
            self.split_wanted.emit(row)

    def _sort(self) -> None:
        experiment = self._session.experiment
        if experiment is not None:
            self.sort_wanted.emit(not experiment.data.sort)
