"""The third part of the Test page: which columns matter to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QWidget

from modellab.gui.kit import count_text, number_text, short_number
from modellab.gui.pages.plot_card import PlotCard
from modellab.gui.pages.report_facts import metric_words
from modellab.gui.theme import theme

if TYPE_CHECKING:
    from modellab.gui.session_training import Training


class FeaturesTab(QWidget):
    """Left: permutation importance. Right: weights, or the model's own importances."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        from modellab.gui.plots.painted import BarList

        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        self.importance = PlotCard(
            "Which columns matter",
            "",
            BarList(
                "Which columns matter",
                "How much worse the model gets when a column's values are shuffled. "
                "The whisker is twice the spread over the shuffles.",
                value_title="worse by",
                value_text=lambda v: number_text(v * 100, 2, signed=v != 0),
            ),
            scroll=True,
        )
        self.weights = PlotCard(
            "Weights",
            "",
            BarList(
                "Weights",
                "What the model itself gives to each encoded column.",
                value_title="weight",
                value_text=lambda v: number_text(v, 3, signed=True),
            ),
            scroll=True,
        )
        row.addWidget(self.importance, 1)
        row.addWidget(self.weights, 1)

    def show_training(self, training: Training, other: Training | None) -> None:
        """Show a training; diamonds are the other one's."""
        if other is not None and other.report.task != training.report.task:
            other = None
        show_importance(self.importance, training, other)
        self._weights(training)

    def _weights(self, training: Training) -> None:
        from modellab.gui.plots.painted import Bar

        report = training.report
        found = report.coefficients or report.model_importance
        self.weights.setVisible(bool(found))
        if not found:
            return
        linear = bool(report.coefficients)
        self.weights.set_title(
            "Weights" if linear else "The model’s own importances",
            "of the encoded columns, largest first; above 0 speaks for, below against"
            if linear
            else "of the encoded columns, largest first, as the learner tells them",
        )
        colour, _ = theme().lane_style(training.index)
        self.weights.plot.set_value_text(
            "weight", lambda v: number_text(v, 3, signed=True) if linear else number_text(v, 3)
        )
        self.weights.plot.set_bars([Bar(w.name, w.value) for w in found], colour=colour)
        self.weights.told()


def show_importance(card: PlotCard, training: Training, other: Training | None) -> None:
    """Show the permutation importance of a training in `card`; diamonds are the other one's."""
    from modellab.gui.plots.painted import Bar

    report = training.report
    if not report.importance:
        card.nothing("There are too few scored rows to tell.")
        return
    words = metric_words(report.metric)
    factor = 100.0 if words.percent else 1.0
    unit = "points of error" if words.percent else f"of {words.title.lower()}"

    def text(value: float) -> str:
        return (
            number_text(value * factor, 2, signed=value != 0)
            if words.percent
            else (short_number(value, 3))
        )

    # Rounding alone gives values like 3e-16: they are nothing.
    least = 1e-9 * max(abs(report.value or 0.0), 1e-300)

    def clean(value: float) -> float:
        return 0.0 if abs(value) < least else value

    theirs = {i.column: i.mean for i in other.report.importance} if other is not None else {}
    bars = [
        Bar(
            item.column,
            clean(item.mean),
            clean(item.mean - 2 * item.std),
            clean(item.mean + 2 * item.std),
            theirs.get(item.column),
            tip=(
                f"{item.column}\nShuffled, the model is worse by {text(clean(item.mean))} {unit} "
                f"(± {text(clean(2 * item.std)).lstrip('+')})."
                + ("\nNot told apart from nothing." if abs(item.mean) <= 2 * item.std else "")
            ),
        )
        for item in report.importance
    ]
    colour, _ = theme().lane_style(training.index)
    other_colour = theme().lane_style(other.index)[0] if other is not None else "third"
    card.plot.set_value_text(f"worse by ({unit})", text)
    card.plot.set_bars(bars, colour=colour, other_colour=other_colour)
    told = f"{unit} more when a column is shuffled, on {count_text(report.importance_rows)} rows"
    if other is not None and theirs:
        told += f" · diamonds: {other.name}"
    card.set_subtitle(told)
    card.told()
