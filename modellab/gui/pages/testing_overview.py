"""The first part of the Test page: scores against the baselines, and who is taken for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from modellab.gui.kit import TableCard
from modellab.gui.pages.plot_card import PlotCard
from modellab.gui.pages.report_facts import metric_words, score_text
from modellab.gui.pages.testing_features import show_importance
from modellab.gui.pages.text_model import TextModel
from modellab.gui.theme import px, theme

if TYPE_CHECKING:
    from PySide6.QtGui import QResizeEvent

    from modellab.gui.session_training import Training


FIRST = 100
"""Stretch of what gets its full height before the rest gets any."""
UNLIMITED = 16_777_215
"""Qt's greatest size of a widget."""


class OverviewTab(QWidget):
    """Left: scores. Right: confusion matrix, or predicted against true."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        from modellab.gui.plots.painted import BarList, HeatGrid
        from modellab.gui.plots.static import PointPlot

        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        self.scores = TableCard(
            "Scores",
            "on the test part; hover for what a score means",
            tip="Every score of the model, of the baselines and of the training compared with.",
            row_height=31,
        )
        self._model = TextModel((), self)
        self.scores.table.setModel(self._model)
        self.scores.table.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideRight)
        self.top = PlotCard(
            "What matters most",
            "",
            BarList(
                "What matters most",
                "The columns that make the model worst when their values are shuffled.",
                value_title="worse by",
                value_text=lambda v: f"{v:.3g}",
            ),
            scroll=True,
        )
        # It comes and goes with the room there is, so it must never ask for any.
        self.top.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)
        self._classify = True
        self._left, self._right = QVBoxLayout(), QVBoxLayout()
        for column in (self._left, self._right):
            column.setSpacing(12)
            row.addLayout(column, 1)
        self._left.addWidget(self.scores, FIRST)
        self._grid = HeatGrid(
            "Confusion matrix", "Rows: what it really is; columns: what the model says."
        )
        self.confusion = PlotCard("Right and wrong", "share of the rows of a class", self._grid)
        self._right.addWidget(self.confusion, FIRST)
        self.points = PlotCard(
            "Predicted against true",
            "a sample of the test rows; on the line is right",
            PointPlot(
                "Predicted against true",
                "One dot a row; the closer to the line, the better.",
                x_title="true",
                y_title="predicted",
                diagonal=True,
            ),
        )
        self._right.addWidget(self.points, 1)
        self._right.addWidget(self.top, 1)

    def show_training(self, training: Training, other: Training | None) -> None:
        """Show a training, with another one beside it."""
        self._scores(training, other)
        show_importance(self.top, training, None)
        report = training.report
        classify = report.task == "classification"
        self._place(classify)
        colour, _ = theme().lane_style(training.index)
        if report.confusion is not None:
            self.confusion.plot.set_counts(report.confusion.labels, report.confusion.counts, colour)
            self.confusion.told()
        elif classify:
            self.confusion.nothing("No test row could be scored.")
        if not classify:
            self._points(training, colour)
        self._share_height()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_height()

    def _share_height(self) -> None:
        """Give what is told first what it needs; what matters most is shown if there is room."""
        scores = px(42 + 34 + 12) + px(31) * self._model.rowCount()
        if self._classify:
            needed = px(100) + self._grid.full_height()
            above: QWidget = self.confusion
        else:
            needed, above = scores, self.scores
        room = self.height() - needed - 12 >= px(170)
        self.top.setVisible(room)
        for card in (self.confusion, self.scores):
            card.setMaximumHeight(needed if room and card is above else UNLIMITED)

    def _place(self, classify: bool) -> None:
        """Put what matters most below the shorter card."""
        self._classify = classify
        self.confusion.setVisible(classify)
        self.points.setVisible(not classify)
        (self._right if classify else self._left).addWidget(self.top, 1)

    def _points(self, training: Training, colour: str) -> None:
        from modellab.gui.plots.static import Line

        found = training.report.residuals
        if found is None:
            self.points.nothing("No test row could be scored.")
            return
        self.points.plot.set_points([Line(training.name, found.true, found.predicted, colour)])
        self.points.told()

    def _scores(self, training: Training, other: Training | None) -> None:
        report = training.report
        if not report.scores:
            self._model.set_rows([], ("Score",))
            return
        own = report.scores[0].metrics
        baselines = [s for s in report.scores if s.baseline]
        theirs: dict[str, float | None] = {}
        if other is not None and other.report.scores and other.report.task == report.task:
            theirs = other.report.scores[0].metrics
        headings = ["Score", training.name]
        if theirs and other is not None:
            headings.append(other.name)
        headings += [s.name for s in baselines]
        rows: list[tuple[str, ...]] = []
        tips: dict[int, str] = {}
        strong: set[int] = set()
        for name, value in own.items():
            # Log loss and the like mean nothing for baselines without probabilities.
            if value is None and all(s.metrics.get(name) is None for s in baselines):
                continue
            words = metric_words(name)
            cells = [words.title, score_text(name, value)]
            if theirs:
                cells.append(score_text(name, theirs.get(name)))
            cells += [score_text(name, s.metrics.get(name)) for s in baselines]
            better = {"low": "lower is better", "high": "higher is better"}.get(
                words.better, "near 0 is better"
            )
            if name == report.metric:
                strong.add(len(rows))
            tips[len(rows)] = f"{words.plain} ({better})\n{words.exact}".strip()
            rows.append(tuple(cells))
        self._model.set_rows(
            rows, headings, right=range(1, len(headings)), strong=strong, tips=tips
        )
        others = [84 if theirs else 112] * len(baselines)
        mine = [108, 108] if theirs else [168]
        self.scores.table.set_widths([120, *mine, *others], stretch=0)
