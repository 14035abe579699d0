"""How training reads its rows: all in memory, or in chunks out of core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QRadioButton, QVBoxLayout, QWidget

from modellab.experiment import replace
from modellab.gui.kit import Card, Label, NumberField, count_text, describe, size_text
from modellab.gui.theme import font, px, theme

if TYPE_CHECKING:
    from modellab.experiment import TrainSpec
    from modellab.gui.session import Session

BYTES_PER_CELL = 8


class _Way(QRadioButton):
    """A radio button that looks like a card: title, one line, how much memory, a bar."""

    def __init__(self, title: str, line: str, tip: str) -> None:
        super().__init__(title)
        describe(self, title, tip)
        self._line, self._needs, self._share = line, "", 0.0
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def set_needs(self, needs: str, share: float) -> None:
        """Show how much memory it takes, and the share of what may be taken."""
        if (needs, share) != (self._needs, self._share):
            self._needs, self._share = needs, share
            self.setAccessibleName(f"{self.text()}, {needs}")
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(px(300), px(64))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(220), px(64))

    def hitButton(self, pos: object) -> bool:
        return True

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        on, out = self.isChecked(), not self.isEnabled()
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        edge = tokens.ink if on else tokens.third if self.underMouse() else tokens.border
        painter.setPen(QPen(QColor(tokens.link if self.hasFocus() else edge), 1.6 if on else 1.0))
        painter.setBrush(QColor(tokens.sub if on else tokens.surface))
        painter.drawRoundedRect(box, 6, 6)
        ring = QRectF(box.left() + px(12), box.top() + px(11), px(14), px(14))
        painter.setPen(QPen(QColor(tokens.ink if on else tokens.third), 1.4))
        painter.setBrush(QColor(tokens.surface))
        painter.drawEllipse(ring)
        if on:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.ink))
            painter.drawEllipse(ring.center(), px(3.5), px(3.5))
        left, right = ring.right() + px(10), box.right() - px(12)
        painter.setFont(font(12))
        painter.setPen(QColor(tokens.second))
        wide = painter.fontMetrics().horizontalAdvance(self._needs)
        vertical = Qt.AlignmentFlag.AlignVCenter
        first = QRectF(left, box.top() + px(8), right - left, px(20))
        painter.drawText(first, Qt.AlignmentFlag.AlignRight | vertical, self._needs)
        painter.drawText(
            QRectF(left, box.top() + px(27), right - left, px(18)),
            vertical,
            painter.fontMetrics().elidedText(
                self._line, Qt.TextElideMode.ElideRight, round(right - left)
            ),
        )
        painter.setFont(font(13, 600))
        painter.setPen(QColor(tokens.third if out else tokens.text))
        painter.drawText(first.adjusted(0, 0, -wide - px(8), 0), vertical, self.text())
        bar = QRectF(left, box.bottom() - px(13), right - left, px(4))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.hairline))
        painter.drawRoundedRect(bar, 2, 2)
        full = self._share > 1
        bar.setWidth(max(px(4), bar.width() * min(1.0, self._share)))
        painter.setBrush(QColor(tokens.alarm if full else tokens.second))
        painter.drawRoundedRect(bar, 2, 2)


class ReadingCard(Card):
    """Chooses `TrainSpec`: mode, chunk, passes, sample."""

    wanted = Signal(object, str)
    """The `TrainSpec` that the person wants, and the words of the undo step."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("How it is read", parent=parent)
        self._session = session
        self.memory = _Way(
            "In memory",
            "all rows at once: every learner, fastest",
            "The training rows are encoded and held in memory all at once.",
        )
        self.chunks = _Way(
            "Out of core",
            "in chunks, for more rows than fit",
            "The training rows are read in chunks, so that memory does not grow with the file. "
            "Only learners that learn bit by bit can do it.",
        )
        group = QButtonGroup(self)
        for way in (self.memory, self.chunks):
            group.addButton(way)
            self.body.addWidget(way)
        self.memory.clicked.connect(lambda: self._set("Train in memory", mode="memory"))
        self.chunks.clicked.connect(lambda: self._set("Train out of core", mode="chunks"))
        self.body.addWidget(self._chunk_fields())
        self.body.addWidget(self._sample_field())
        self.verdict = Label("", 12, 400, "second", wrap=True)
        self.body.addWidget(self.verdict)

    def _chunk_fields(self) -> QWidget:
        self.rows = NumberField(
            "Chunk",
            "So many rows are read and learned at a time.",
            minimum=1,
            maximum=1e8,
            unit="rows",
            step=1000,
            committed=lambda v: self._set("Change the chunk", chunk_rows=int(v)),
        )
        self.passes = NumberField(
            "Passes",
            "How often the training window is read through. More passes can learn more.",
            minimum=1,
            maximum=1000,
            committed=lambda v: self._set("Change the passes", passes=int(v)),
        )
        self._chunk_box = QWidget()
        row = QHBoxLayout(self._chunk_box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for words, field, wide in (("Chunk", self.rows, 126), ("Passes", self.passes, 66)):
            label = Label(words, 13)
            label.setBuddy(field)
            field.setFixedWidth(px(wide))
            row.addWidget(label)
            row.addWidget(field)
        row.addStretch(1)
        return self._chunk_box

    def _sample_field(self) -> QWidget:
        self.sample = NumberField(
            "Train on a sample",
            "Train on so many evenly spaced rows of the training window; 0: on all of them.",
            maximum=1e12,
            unit="rows",
            step=10_000,
            committed=lambda v: self._set("Change the sample", sample_rows=int(v)),
        )
        self.sample.setSpecialValueText("all rows")
        self._sample_box = QWidget()
        column = QVBoxLayout(self._sample_box)
        column.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        row.setSpacing(8)
        label = Label("Train on", 13)
        label.setBuddy(self.sample)
        row.addWidget(label)
        row.addWidget(self.sample)
        self.sample.setFixedWidth(px(150))
        row.addStretch(1)
        column.addLayout(row)
        return self._sample_box

    def refresh(self) -> None:
        """Show what the session holds."""
        session = self._session
        experiment, data = session.experiment, session.data
        if experiment is None or data is None:
            return
        spec: TrainSpec = experiment.training
        chunked = spec.mode == "chunks"
        (self.chunks if chunked else self.memory).setChecked(True)
        self._chunk_box.setVisible(chunked)
        self._sample_box.setVisible(not chunked)
        self.rows.set_number(spec.chunk_rows)
        self.passes.set_number(spec.passes)
        self.sample.set_number(spec.sample_rows)
        cells = max(1, len(data.columns) - 1 - len(experiment.data.ignore))
        rows = session.train_rows
        taken = min(rows, spec.sample_rows) if spec.sample_rows else rows
        budget = max(1, data.memory_budget)
        whole = taken * cells * BYTES_PER_CELL
        chunk = min(rows, spec.chunk_rows) * cells * BYTES_PER_CELL
        self.memory.set_needs(f"about {size_text(whole)} of {size_text(budget)}", whole / budget)
        self.chunks.set_needs(f"about {size_text(chunk)} a chunk", chunk / budget)
        count = -(-rows // max(1, spec.chunk_rows)) if rows else 0
        if chunked:
            self.verdict.setText(f"{count_text(count)} chunks a pass.")
            self.verdict.set_tone("second")
        elif whole > budget:
            self.verdict.setText(
                "More than the memory that may be taken: train out of core, or on a sample."
            )
            self.verdict.set_tone("alarm")
        else:
            self.verdict.setText("")
        self.verdict.setVisible(bool(self.verdict.text()))

    def _set(
        self,
        text: str,
        *,
        mode: Literal["memory", "chunks"] | None = None,
        chunk_rows: int | None = None,
        passes: int | None = None,
        sample_rows: int | None = None,
    ) -> None:
        experiment = self._session.experiment
        if experiment is None:
            return
        given = {
            "mode": mode,
            "chunk_rows": chunk_rows,
            "passes": passes,
            "sample_rows": sample_rows,
        }
        changes = {key: value for key, value in given.items() if value is not None}
        self.wanted.emit(replace(experiment.training, **changes), text)
