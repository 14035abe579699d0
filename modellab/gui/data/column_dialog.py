"""All about one column: its kind and why, its values in training and after, the target at each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from modellab.errors import quote
from modellab.gui.kit import (
    DataTable,
    Label,
    LabeledField,
    PlainButton,
    count_text,
    one_line,
    short_number,
)
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.pages.data_edits import KIND_TEXTS
from modellab.gui.pages.data_facts import column_facts
from modellab.gui.pages.text_model import TextModel
from modellab.gui.theme import font, px, theme

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.data.compare import Bar, Comparison
    from modellab.data.unseen import Unseen
    from modellab.gui.pages.data_facts import ColumnFacts
    from modellab.gui.session import Session


class PairBars(QWidget):
    """Two bars for each value: the training window above, what comes after it below."""

    def __init__(self) -> None:
        super().__init__()
        self._bars: list[Bar] = []
        self.setAccessibleName("Values in the training window and after it")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_bars(self, bars: list[Bar]) -> None:
        """Show other values."""
        self._bars = bars
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(px(360), px(300))

    def minimumSizeHint(self) -> QSize:
        return QSize(px(220), px(160))

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font(12))
        metrics = painter.fontMetrics()
        # Colour alone tells nothing: both parts are named in their own line.
        legend = QRectF(0, 0, self.width(), metrics.height())
        painter.setPen(QColor(tokens.second))
        painter.drawText(legend, Qt.AlignmentFlag.AlignLeft, "above: training window")
        painter.setPen(QColor(tokens.lane_text(tokens.lanes[0])))
        painter.drawText(legend, Qt.AlignmentFlag.AlignRight, "below: after it")
        if not self._bars:
            return
        top = metrics.height() + px(8)
        high = min(px(38), (self.height() - top) / len(self._bars))
        names = min(self.width() * 0.38, px(150))
        figures = px(52)
        room = max(10.0, self.width() - names - figures - px(12))
        most = max(max(bar.train, bar.rest) for bar in self._bars) or 1.0
        vertical = Qt.AlignmentFlag.AlignVCenter
        for at, bar in enumerate(self._bars):
            y = top + at * high
            painter.setPen(QColor(tokens.third if bar.label == "missing" else tokens.text))
            name = metrics.elidedText(
                one_line(bar.label), Qt.TextElideMode.ElideRight, round(names)
            )
            painter.drawText(QRectF(0, y, names, high), vertical, name)
            thick = max(3.0, high * 0.36)
            for share, colour, dy in (
                (bar.train, tokens.third, high / 2 - thick),
                (bar.rest, tokens.lanes[0], high / 2 + 1),
            ):
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(colour))
                wide = max(1.0 if share else 0.0, share / most * room)
                painter.drawRect(QRectF(names + px(6), y + dy, wide, thick - 1))
            if high >= px(22):
                painter.setPen(QColor(tokens.second))
                painter.setFont(font(11))
                right = QRectF(self.width() - figures, y, figures, high)
                told = f"{bar.rest * 100:.0f} %"
                painter.drawText(right, vertical | Qt.AlignmentFlag.AlignRight, told)
                painter.setFont(font(12))


class ColumnDialog(QDialog):
    """One column.

    Parameters
    ----------
    session
        Knows the column.
    name
        Which.
    set_kind
        Reads it as another kind.
    """

    def __init__(
        self,
        session: Session,
        name: str,
        set_kind: Callable[[str, str], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self._name = session, name
        self.setWindowTitle("About a column")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.title = Label(quote(name), 16, 600, wrap=True)
        self.why = Label("", 13, 400, "second", wrap=True)
        self.kind = ChoiceField(
            "Read as",
            "What the values are taken for.",
            [(key, words, picture) for key, (words, picture) in KIND_TEXTS.items()],
            chosen=lambda key: set_kind(name, key),
        )
        self.kind.setFixedWidth(px(150))
        self.facts = Label("", 13, 400, "second", wrap=True)
        self.shift = Label("", 13, 500, wrap=True)
        self.unseen = Label("", 13, 400, "second", wrap=True)
        self.bars = PairBars()
        self.table = DataTable(
            "Values of the column", "Each value with its share of rows and the target there."
        )
        self._model = TextModel(("Value", "Training", "After it"), self)
        self.table.setModel(self._model)
        self.close_button = PlainButton("Close", "Close this window.", clicked=self.accept)
        self._build()
        self._stop = [
            session.subscribe(topic, self.refresh) for topic in ("profile", "experiment", "data")
        ]
        self.finished.connect(self._ended)
        session.ask_comparison()
        self.refresh()

    def _build(self) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(px(20), px(16), px(20), px(14))
        outer.setSpacing(px(10))
        outer.addWidget(self.title)
        head = QHBoxLayout()
        head.setSpacing(px(16))
        head.addWidget(LabeledField("&Read as", self.kind))
        words = QVBoxLayout()
        words.addWidget(self.why)
        words.addWidget(self.facts)
        words.addStretch(1)
        head.addLayout(words, 1)
        outer.addLayout(head)
        outer.addWidget(self.shift)
        outer.addWidget(self.unseen)
        both = QHBoxLayout()
        both.setSpacing(px(16))
        both.addWidget(self.bars, 1)
        both.addWidget(self.table, 1)
        outer.addLayout(both, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.close_button)
        outer.addLayout(row)
        self.resize(px(940), px(580))

    def refresh(self) -> None:
        """Show what the session holds."""
        found = next((f for f in column_facts(self.session) if f.name == self._name), None)
        if found is None:
            self.reject()
            return
        self.kind.set_current(found.kind)
        detected = KIND_TEXTS[found.detected][0]
        self.why.setText(f"Detected: {detected}. {_sentence(found.reason)}")
        self.facts.setText(_facts(found))
        one = self.session.comparison.get(self._name)
        self._show(found, one)

    def _show(self, found: ColumnFacts, one: Comparison | None) -> None:
        if one is None:
            known = self.session.profile is not None and not self.session.profile_stale
            waiting = self.session.job_of("compare") is not None or not known
            text = "The two parts are being compared." if waiting else _not_compared(found)
            self.shift.setText(text)
            self.shift.set_tone("second")
        elif one.kind == "text":
            self.shift.setText(_not_compared(found))
            self.shift.set_tone("second")
        else:
            seen = f"{count_text(one.train_seen)} and {count_text(one.rest_seen)} rows compared."
            self.shift.setText(f"{found.shift_text} {seen}".strip())
            self.shift.set_tone("alarm" if found.shifted else "second")
        told = "" if one is None or one.unseen is None else _unseen(one.unseen, one.kind)
        self.unseen.setText(told)
        self.unseen.setVisible(bool(told))
        bars = one.bars if one is not None else []
        self.bars.set_bars(bars)
        names = one.classes if one is not None else []
        experiment = self.session.experiment
        target = experiment.data.target if experiment is not None else ""
        heads = ["Value", "Training", "After it"]
        width = max((len(bar.target) for bar in bars), default=0)
        # Of two classes one share says all.
        skip = 1 if len(names) == 2 else 0
        if width and not names:
            heads.append(f"mean of {one_line(target, 30)}")
        elif width:
            heads += [f"{one_line(target, 20)} = {one_line(name, 20)}" for name in names[skip:]]
        rows = [
            [
                bar.label,
                _percent(bar.train),
                _percent(bar.rest),
                *(_percent(v) if names else short_number(v) for v in bar.target[skip:]),
            ]
            for bar in bars
        ]
        self._model.set_rows(rows, heads, right=set(range(1, len(heads))))
        self.table.set_widths([150, 72, 72, *([110] * (len(heads) - 3))])

    def _ended(self, _result: int) -> None:
        for stop in self._stop:
            stop()
        self._stop = []


def _sentence(reason: str) -> str:
    text = reason.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _percent(share: float) -> str:
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{share * 100:.1f} %"


def _facts(found: ColumnFacts) -> str:
    if not found.profiled:
        return "The column is being looked at."
    told = [f"{found.distinct} different values", f"{found.missing_text} missing"]
    if found.range:
        told.append(found.range)
    return " · ".join(told)


def _unseen(new: Unseen, kind: str) -> str:
    """What is new after the training window, in a sentence."""
    what, cells = ("words", "words") if kind == "text" else ("values", "cells")
    rows = f"the {count_text(new.rows)} rows looked at after the training window"
    if not new.count:
        return f"Nothing new: all {what} of {rows} occur in it."
    shown = ", ".join(quote(word) for word in new.examples)
    more = ", …" if new.different > len(new.examples) else ""
    share = new.count / max(new.of, 1)
    return (
        f"New {what}: {count_text(new.count)} of {count_text(new.of)} {cells} ({_percent(share)}) "
        f"in {rows} do not occur in it, {count_text(new.different)} different: {shown}{more}."
    )


def _not_compared(found: ColumnFacts) -> str:
    if found.kind == "text":
        return "Texts are not compared."
    return "There is nothing to compare: both a training window and rows after it are needed."
