"""What if: faults are let loose on the stream from the next row on, listed, and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from modellab.gui.deploy.fault_form import FaultForm
from modellab.gui.deploy.fault_words import KINDS, fault_span, fault_text, fault_title
from modellab.gui.kit import (
    Card,
    ElidedLabel,
    IconButton,
    Label,
    PlainButton,
    PrimaryButton,
    Rule,
    count_text,
    describe,
    tip_text,
)
from modellab.gui.kit.areas import UprightArea
from modellab.gui.plots.parts import paint_mark
from modellab.gui.theme import px, set_font, theme

if TYPE_CHECKING:
    from modellab.experiment import Fault
    from modellab.gui.session import Session


class FaultSign(QWidget):
    """The hatched sign that faults have everywhere."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(px(18), px(16))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        at = QPointF(self.width() / 2, self.height() / 2)
        paint_mark(painter, "fault", at, theme().second, px(11))


class FaultList(QWidget):
    """The faults of the replay with their rows, each with a way to take it back."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._shown: object = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, px(4), 0)
        self._column.setSpacing(px(2))
        self.buttons: list[IconButton] = []
        self.refresh()

    def refresh(self) -> None:
        """Show the faults that there are now."""
        live = self.session.deployment
        faults = list(live.experiment.fault) if live is not None else []
        busy = self.session.job_of("seek", "lane", "deploy") is not None
        states = [_state(f, live.position if live is not None else 0) for f in faults]
        key = (faults, states, busy, live is None or live.lost)
        if key == self._shown:
            return
        self._shown = key
        while (item := self._column.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        self.buttons = []
        for index, (fault, state) in enumerate(zip(faults, states, strict=True)):
            self._column.addWidget(self._line(index, fault, state, busy))
        if not faults:
            words = "None yet. What you inject appears here, and shaded in all plots."
            self._column.addWidget(Label(words, 12, 400, "second", wrap=True))
        self._column.addStretch(1)

    def _line(self, index: int, fault: Fault, state: str, busy: bool) -> QWidget:
        live = self.session.deployment
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(8))
        row.addWidget(FaultSign())
        last = live.stop if live is not None else 0
        title, text = fault_title(fault), fault_text(fault)
        named = text if title.lower() in text.lower() else f"{title}: {text}"
        words = ElidedLabel(named[:1].upper() + named[1:], 13, 500)
        row.addWidget(words, 3)
        row.addWidget(ElidedLabel(f"{fault_span(fault, last)} · {state}", 12, 400, "second"), 2)
        remove = IconButton(
            "trash",
            f"Remove: {fault_text(fault)}",
            "Take this fault back. If it has begun, the replay goes back to its first row and "
            "comes here again without it. Undo brings it back.",
            size=28,
            clicked=lambda: self.session.remove_fault(index),
        )
        remove.setEnabled(not busy and live is not None and not live.lost)
        self.buttons.append(remove)
        row.addWidget(remove)
        return holder


def _state(fault: Fault, position: int) -> str:
    if position < fault.start:
        return "to come"
    return "over" if fault.stop is not None and position >= fault.stop else "going on"


class FaultDialog(QDialog):
    """The window that lets faults loose; the stream runs on beside it."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setWindowTitle("What if something goes wrong?")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.kinds = QListWidget()
        describe(self.kinds, "What goes wrong", "The kinds of fault; choose one to set it.")
        self.kinds.setToolTip("")
        self.kinds.setFrameShape(QFrame.Shape.NoFrame)
        self.kinds.setFixedWidth(px(168))
        set_font(self.kinds, 13)
        self.form = FaultForm(session)
        self.heading = Label("", 16, 600)
        self.why = Label("", 12, 400, "warning", wrap=True)
        self.ok = PrimaryButton(
            "Inject",
            "It begins with the next row that comes. All lanes get the same bad rows; what they "
            "are scored against stays true.",
            icon="lightning",
            clicked=self.inject,
        )
        self.close_button = PlainButton("Close", "Faults stay as they are.", clicked=self.close)
        self.list = FaultList(session)
        self._build()
        self._fill()
        self.kinds.currentRowChanged.connect(self._kind_chosen)
        self.form.changed.connect(self._check)
        self._ends = [
            session.subscribe(topic, self.refresh)
            for topic in ("deployment", "telemetry", "jobs", "experiment")
        ]
        self.finished.connect(lambda _code: self._let_go())
        self.kinds.setCurrentRow(0)

    def _build(self) -> None:
        right = QVBoxLayout()
        right.setSpacing(px(10))
        right.addWidget(self.heading)
        right.addWidget(self.form)
        right.addStretch(1)
        right.addWidget(self.why)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.ok)
        right.addLayout(row)
        top = QHBoxLayout()
        top.setSpacing(px(18))
        listed = Card(margin=6)
        listed.body.addWidget(self.kinds)
        top.addWidget(listed)
        top.addLayout(right, 1)
        scroll = UprightArea(self.list)
        scroll.setAccessibleName("Faults of this replay")
        scroll.setMinimumHeight(px(96))
        below = QHBoxLayout()
        below.addStretch(1)
        below.addWidget(self.close_button)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(px(16), px(16), px(16), px(14))
        outer.setSpacing(px(12))
        outer.addLayout(top, 1)
        outer.addWidget(Rule())
        outer.addWidget(Label("Faults of this replay", 13, 600))
        outer.addWidget(scroll)
        outer.addLayout(below)
        self.resize(px(660), px(560))

    def _fill(self) -> None:
        for kind, (title, story, term) in KINDS.items():
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, kind)
            item.setSizeHint(QSize(px(150), px(30)))
            why = self.form.why_no_kind(kind)
            item.setToolTip(tip_text(f"{story}\nExact term: {term}.\n{why or ''}".strip()))
            if why is not None:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
            self.kinds.addItem(item)

    def _kind_chosen(self, row: int) -> None:
        item = self.kinds.item(row)
        if item is not None:
            self.choose(str(item.data(Qt.ItemDataRole.UserRole)))

    def choose(self, kind: str) -> None:
        """Show the settings of a kind of fault."""
        at = list(KINDS).index(kind)
        if self.kinds.currentRow() != at:
            self.kinds.setCurrentRow(at)
            return
        self.heading.setText(KINDS[kind][0])
        self.form.set_kind(kind)

    def why_not(self) -> str | None:
        """Return why nothing can be injected now, or None."""
        live = self.session.deployment
        if live is None:
            return "Switch to deployment first."
        if live.lost:
            return "The engine that ran this replay is gone: continue it first."
        if live.position >= live.stop:
            return "The stream is at its end: go back first."
        return self.form.why_not(live.position, live.stop)

    def _check(self) -> None:
        why = self.why_not()
        self.why.setText(why or "")
        self.why.setVisible(bool(why))
        live = self.session.deployment
        words = "Inject"
        if live is not None:
            start = live.position + self.form.after.whole()
            words = f"Inject from row {count_text(start)} on"
            if live.playing and not self.form.after.whole():
                words = "Inject from the next row on"
        if words != self.ok.text():
            self.ok.set_text(words)
        self.ok.setEnabled(why is None)

    def refresh(self) -> None:
        """Show the faults and the row as they are now."""
        self.list.refresh()
        self._check()

    def inject(self) -> None:
        """Let the fault happen."""
        live = self.session.deployment
        if live is not None and self.why_not() is None:
            self.session.inject(self.form.fault(live.position))

    def _let_go(self) -> None:
        for end in self._ends:
            end()
        self._ends = []

    def done(self, code: int) -> None:
        self._let_go()
        super().done(code)
