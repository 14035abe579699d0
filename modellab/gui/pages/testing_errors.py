"""The last part of the Test page: where the errors are, by the values of a column and by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from modellab.gui.kit import TableCard, count_text, number_text, short_number
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.pages.plot_card import PlotCard
from modellab.gui.pages.report_facts import metric_words
from modellab.gui.pages.text_model import TextModel
from modellab.gui.theme import px, theme

if TYPE_CHECKING:
    from modellab.evaluation.testing_values import ColumnSlices, TestReport
    from modellab.gui.session_training import Training


class ErrorsTab(QWidget):
    """Left: the error by the values of a chosen column. Right: the worst rows."""

    row_wanted = Signal(int)
    """The person wants to see this row on the Data page."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        from modellab.gui.plots.painted import BarList

        self._training: Training | None = None
        self._other: Training | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        self.column = ChoiceField(
            "Column",
            "The error is shown by the values of this column. The most telling one comes first.",
            chosen=lambda _key: self._slices(),
        )
        self.column.setFixedWidth(px(220))
        self.slices = PlotCard(
            "Error by",
            "",
            BarList(
                "Error by the values of a column",
                "Each bar is the error on the rows with that value; the whisker is the 95 % "
                "interval; the dashed line is the error on all rows.",
                value_title="error",
                value_text=lambda v: f"{number_text(v * 100, 1)} %",
            ),
            scroll=True,
            actions=[self.column],
        )
        row.addWidget(self.slices, 6)
        self.worst = TableCard(
            "Worst rows",
            "double click shows the row on the Data page",
            tip="The rows that the model got most wrong. Enter shows a row on the Data page.",
            row_height=27,
        )
        self._model = TextModel((), self)
        self.worst.table.setModel(self._model)
        self.worst.table.activated.connect(lambda index: self._row(index.row()))
        row.addWidget(self.worst, 5)

    def show_training(self, training: Training, other: Training | None) -> None:
        """Show a training; diamonds are the other one's."""
        if other is not None and other.report.task != training.report.task:
            other = None
        self._training, self._other = training, other
        found = training.report.slices
        known = self.column.current()
        self.column.set_options([(s.column, s.column) for s in found])
        names = [s.column for s in found]
        self.column.setVisible(bool(found))
        if found:
            self.column.set_current(known if known in names else names[0])
        self._slices()
        self._worst(training.report)

    def _slices(self) -> None:
        from modellab.gui.plots.painted import Bar

        training = self._training
        if training is None:
            return
        report = training.report
        found = next((s for s in report.slices if s.column == self.column.current()), None)
        if found is None:
            self.slices.nothing("There is nothing to slice by.")
            return
        theirs = _other_values(self._other, found.column)
        words = metric_words(report.metric)

        def text(value: float) -> str:
            return f"{number_text(value * 100, 1)} %" if words.percent else short_number(value, 3)

        bars = [
            Bar(
                s.label,
                s.value,
                s.low,
                s.high,
                theirs.get(s.label),
                note=f"{count_text(s.rows)} rows",
                tip=(
                    f"{found.column}: {s.label}\n{words.title} {text(s.value)}, "
                    f"95 % interval {text(s.low)} to {text(s.high)}, {count_text(s.rows)} rows"
                    + (f"\nBias {short_number(s.bias)}" if s.bias is not None else "")
                ),
            )
            for s in found.slices
        ]
        colour, _ = theme().lane_style(training.index)
        other_colour = theme().lane_style(self._other.index)[0] if self._other else "third"
        level = ("all rows", report.value) if report.value is not None else None
        self.slices.plot.set_value_text(words.title.lower(), text)
        self.slices.plot.set_bars(bars, colour=colour, other_colour=other_colour, level=level)
        self.slices.set_title(f"{words.title} by", self._telling(found))
        self.slices.told()

    def _telling(self, found: ColumnSlices) -> str:
        share = found.telling * 100
        told = f"accounts for {share:.1f} % of the differences" if share >= 0.05 else "tells little"
        if self._other is not None:
            told += f" · diamonds: {self._other.name}"
        return told

    def _worst(self, report: TestReport) -> None:
        classify = report.task == "classification"
        proba = any(w.probability is not None for w in report.worst)
        headings = ["Row", "True", "Predicted"]
        if classify and proba:
            headings.append("Given to the truth")
        elif not classify:
            headings.append("Off by")
        rows = []
        for w in report.worst:
            cells = [f"{w.position:,}", _cell(w.true), _cell(w.predicted)]
            if classify and proba:
                cells.append("" if w.probability is None else _proba(w.probability))
            elif not classify:
                cells.append(short_number(w.loss))
            rows.append(tuple(cells))
        right = {0, 3} if classify else {0, 1, 2, 3}
        self._model.set_rows(rows, headings, right=right)
        self.worst.table.set_widths([90, *[120] * (len(headings) - 1)], stretch=len(headings) - 1)

    def _row(self, number: int) -> None:
        if self._training is not None and number < len(self._training.report.worst):
            self.row_wanted.emit(self._training.report.worst[number].position)


def _other_values(other: Training | None, column: str) -> dict[str, float]:
    if other is None:
        return {}
    found = next((s for s in other.report.slices if s.column == column), None)
    return {} if found is None else {s.label: s.value for s in found.slices}


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return short_number(value)
    return str(value)


def _proba(value: float) -> str:
    return "< 0.1 %" if 0 <= value < 0.001 else f"{value * 100:.1f} %"
