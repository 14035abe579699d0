"""The second part of the Test page: ROC, precision-recall, calibration; or residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from modellab.gui.kit import number_text, short_number
from modellab.gui.pages.plot_card import PlotCard
from modellab.gui.theme import px, theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.evaluation.testing_values import Curve
    from modellab.gui.plots.static import Line
    from modellab.gui.session_training import Training

UNIT = ((0.0, 1.0), (0.0, 1.0))
NO_PROBABILITIES = "This learner gives no probabilities, so there is nothing to draw here."
SHOWN_CLASSES = 8
MOST_HIGH = 640
"""Plots that are as high as wide read best."""


class CurvesTab(QWidget):
    """Classification: three plots side by side. Regression: two."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        from modellab.gui.plots.static import HistogramPlot, LinePlot, PointPlot

        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        self.roc = PlotCard(
            "ROC",
            "",
            LinePlot(
                "ROC curve",
                "How many rows of the class are found, for how many false alarms. "
                "The diagonal is guessing.",
                x_title="false alarms (share of the other rows)",
                y_title="found (share of the class)",
                x_percent=True,
                y_percent=True,
                diagonal=True,
            ),
        )
        self.pr = PlotCard(
            "Precision and recall",
            "",
            LinePlot(
                "Precision-recall curve",
                "How often it is right when it names the class, "
                "for how much of the class it finds.",
                right=False,
                x_title="found (recall)",
                y_title="right when named (precision)",
                x_percent=True,
                y_percent=True,
            ),
        )
        self.calibration = PlotCard(
            "Calibration",
            "",
            LinePlot(
                "Calibration",
                "Of all rows given a probability: how often it came true. "
                "On the diagonal, probabilities can be taken at their word.",
                x_title="probability said",
                y_title="came true",
                x_percent=True,
                y_percent=True,
                diagonal=True,
            ),
        )
        self.residuals = PlotCard(
            "Residuals",
            "",
            HistogramPlot(
                "Residuals",
                "Prediction less truth: a narrow heap around 0 is good.",
                x_title="prediction less truth",
                y_title="rows",
            ),
        )
        self.course = PlotCard(
            "Residuals over the test part",
            "a sample of the test rows; a slope or a step is drift",
            PointPlot(
                "Residuals by row",
                "Prediction less truth of each row, in the order of the file.",
                x_title="row",
                y_title="prediction less truth",
                zero=True,
            ),
        )
        self._classify = _side_by_side((self.roc, self.pr, self.calibration), (1, 1, 1))
        self._regress = _side_by_side((self.residuals, self.course), (2, 3))
        self._classify.setMaximumHeight(px(MOST_HIGH))
        for part in (self._classify, self._regress):
            outer.addWidget(part, 1)
        outer.addStretch(0)

    def show_training(self, training: Training, other: Training | None) -> None:
        """Show a training, with another one dashed."""
        report = training.report
        classify = report.task == "classification"
        self._classify.setVisible(classify)
        self._regress.setVisible(not classify)
        if other is not None and other.report.task != report.task:
            other = None
        if classify:
            self._curves(training, other)
            self._calibration(training, other)
        else:
            self._residuals(training)

    # ------------------------------------------------------------------ classification

    def _curves(self, training: Training, other: Training | None) -> None:
        for card, field, area in (
            (self.roc, "roc", "area below the curve"),
            (self.pr, "precision_recall", "average precision"),
        ):
            own: list[Curve] = getattr(training.report, field)
            if not own:
                card.nothing(NO_PROBABILITIES)
                continue
            lines = _lines(training, own, several=len(own) > 1)
            told = [f"{area} {number_text(own[0].area, 3)}" if own[0].area is not None else ""]
            if len(own) > 1:
                told = [f"one line a class against the rest; {area} behind its name"]
            else:
                told.append(f"for “{own[0].label}”")
            if other is not None and len(own) == 1:
                theirs: list[Curve] = getattr(other.report, field)
                if len(theirs) == 1:
                    lines += _lines(other, theirs, dash=(4.0, 3.0))
                    if theirs[0].area is not None:
                        told.append(f"dashed {other.name}: {number_text(theirs[0].area, 3)}")
            card.plot.set_lines(lines, ranges=UNIT)
            card.set_subtitle(", ".join(t for t in told if t))
            card.told()

    def _calibration(self, training: Training, other: Training | None) -> None:
        found = training.report.calibration
        if found is None or not found.bins:
            self.calibration.nothing(NO_PROBABILITIES)
            return
        lines = [_calibration_line(training, markers=True)]
        told = f"probability of “{found.of}”"
        if found.error is not None:
            told += f", off by {number_text(found.error * 100, 1)} points; larger dots: more rows"
        theirs = other.report.calibration if other is not None else None
        if other is not None and theirs is not None and theirs.bins:
            lines.append(_calibration_line(other, dash=(4.0, 3.0)))
        self.calibration.plot.set_lines(lines, ranges=UNIT)
        self.calibration.set_subtitle(told)
        self.calibration.told()

    # ------------------------------------------------------------------ regression

    def _residuals(self, training: Training) -> None:
        from modellab.gui.plots.static import Line

        found = training.report.residuals
        if found is None:
            self.residuals.nothing("No test row could be scored.")
            self.course.nothing("No test row could be scored.")
            return
        colour, _ = theme().lane_style(training.index)
        bars = found.histogram
        self.residuals.plot.set_bars(bars.edges, bars.counts, colour)
        outside = bars.below + bars.above
        middle = dict(found.quantiles)
        told = []
        if 0.05 in middle and 0.95 in middle:
            low, high = short_number(middle[0.05]), short_number(middle[0.95])
            told.append(f"nine of ten between {low} and {high}")
        if outside:
            told.append(f"{outside:,} rows further out")
        self.residuals.set_subtitle("; ".join(told))
        self.residuals.told()
        gaps = [p - t for p, t in zip(found.predicted, found.true, strict=True)]
        self.course.plot.set_points([Line(training.name, found.positions, gaps, colour)])
        self.course.told()


def _side_by_side(cards: Sequence[QWidget], shares: Sequence[int]) -> QWidget:
    part = QWidget()
    row = QHBoxLayout(part)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(12)
    for card, share in zip(cards, shares, strict=True):
        row.addWidget(card, share)
    return part


def _lines(
    training: Training, curves: list[Curve], *, dash: tuple[float, ...] = (), several: bool = False
) -> list[Line]:
    from modellab.gui.plots.static import Line

    tokens = theme()
    colour, _ = tokens.lane_style(training.index)
    lines = []
    for number, curve in enumerate(curves[:SHOWN_CLASSES]):
        area = f" {number_text(curve.area, 3)}" if curve.area is not None else ""
        name = f"{curve.label}{area}" if several else training.name
        shown = tokens.parameter_colour(number) if several else colour
        lines.append(Line(name, curve.x, curve.y, shown, dash))
    return lines


def _calibration_line(training: Training, **looks: Any) -> Line:
    from modellab.gui.plots.static import Line

    found = training.report.calibration
    assert found is not None
    bins = [b for b in found.bins if b.rows]
    colour, _ = theme().lane_style(training.index)
    x, y = [b.predicted for b in bins], [b.observed for b in bins]
    most = max((b.rows for b in bins), default=1)
    # Larger dots rest on more rows.
    sizes = [4.0 + 9.0 * (b.rows / most) ** 0.5 for b in bins]
    return Line(training.name, x, y, colour, sizes=sizes, **looks)
