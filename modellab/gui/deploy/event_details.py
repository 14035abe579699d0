"""All that is known of an event: for a retrain how the new model was tested, and what it cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QVBoxLayout, QWidget

from modellab.gui.deploy.words import (
    difference_text,
    error_text,
    event_text,
    task_of,
    value_words,
)
from modellab.gui.kit import Label, count_text, duration_text, one_line, short_number
from modellab.gui.theme import px

if TYPE_CHECKING:
    from modellab.gui.session import Session
    from modellab.replay.protocol import EventRecord

_WORDS = {
    "retrain": "Retrain number",
    "cause": "Why",
    "rows": "Rows",
    "first_row": "From row",
    "last_row": "To row",
    "test_rows": "Rows tested on",
    "new_error": "Error of the new model",
    "old_error": "Error of the running model",
    "deployed": "Serves",
    "champion_error": "Error of the champion",
    "challenger_error": "Error of the challenger",
    "p_value": "Chance if they were equal (p)",
    "best_error": "Error of the state gone back to",
    "error": "Error by then",
    "estimate": "Error as the detector sees it",
    "detector": "Detector",
    "range": "Outside the training range",
    "loss": "Of too great loss",
    "total": "Kept back so far",
    "test_errors": "Test errors of the orders",
    "spread": "They lie apart by",
    "to": "To",
    "automatic": "By itself",
}
_ERRORS = frozenset({"error", "estimate", "spread"})


def detail_lines(event: EventRecord, session: Session) -> list[tuple[str, str]]:
    """Return what is known of an event as (what, value) pairs of plain text."""
    if "retrain" in event.values and event.kind in ("retrain", "reject"):
        return _retrain_lines(event, session)
    task = task_of(session)
    return [
        (_WORDS.get(name, name.replace("_", " ").capitalize()), _shown(name, value, task))
        for name, value in event.values.items()
        # The heading tells the row: an alarm is of the row before it.
        if not (name == "row" and value in (event.position, event.position - 1))
    ]


def _shown(name: str, value: Any, task: str) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_shown("error" if "error" in name else "", v, task) for v in value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count_text(value)
    if isinstance(value, float) and (name.endswith("_error") or name in _ERRORS):
        return error_text(value, task)
    return one_line(value_words(value))


def _retrain_lines(event: EventRecord, session: Session) -> list[tuple[str, str]]:
    values, task = event.values, task_of(session)
    lines: list[tuple[str, str]] = []
    if values.get("cause"):
        lines.append(("Why", one_line(str(values["cause"]))))
    rows, first, last = (values.get(k) for k in ("rows", "first_row", "last_row"))
    if isinstance(rows, int):
        words = count_text(rows)
        if isinstance(first, int) and isinstance(last, int):
            words += f", from {count_text(first)} to before {count_text(last)}"
        lines.append(("Rows trained on", words))
    tested = values.get("test_rows")
    if isinstance(tested, int):
        lines.append(("Rows tested on", f"{count_text(tested)}, the newest" if tested else "none"))
    new, old = values.get("new_error"), values.get("old_error")
    lines.append(("Error of the new model", error_text(new, task)))
    lines.append(("Error of the running model", error_text(old, task)))
    if isinstance(new, float) and isinstance(old, float):
        lines.append(("Difference, new less running", difference_text(new - old, task)))
    other, p_value = values.get("other_error"), values.get("p_value")
    if isinstance(other, float):
        lines.append(("Error with another length of memory", error_text(other, task)))
    if isinstance(p_value, float):
        lines.append(("p-value that it is better", f"{p_value:.2g}"))
    lines.append(("Outcome", _outcome(event)))
    seconds = values.get("fit_seconds")
    if isinstance(seconds, int | float):
        lines.append(("Training took", f"{duration_text(float(seconds))} of compute"))
    lines.append(("It cost", _cost(session, seconds)))
    return lines


def _outcome(event: EventRecord) -> str:
    values = event.values
    if not values.get("deployed", event.kind == "retrain"):
        return "the old model was kept"
    serves = values.get("serves_from")
    if not isinstance(serves, int):
        return "deployed, but the stream ends before it serves"
    late = serves - event.position
    if late <= 0:
        return "deployed at once"
    meanwhile = "nothing served" if values.get("downtime") else "the old model served"
    return (
        f"deployed from row {count_text(serves)} on, {count_text(late)} rows later; "
        f"{meanwhile} meanwhile"
    )


def _cost(session: Session, seconds: object) -> str:
    live = session.deployment
    if live is None:
        return "–"
    prices = live.experiment.prices
    hours = float(seconds) / 3600 if isinstance(seconds, int | float) else 0.0
    total = prices.retrain + hours * prices.cpu_hour
    if not prices.retrain and not prices.cpu_hour:
        return "nothing, by the prices that are set"
    return f"{short_number(total, 4)}, by the prices that are set"


class EventDetails(QDialog):
    """An event in full."""

    def __init__(self, event: EventRecord, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Row {count_text(event.position)}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(20), px(18), px(20), px(16))
        column.setSpacing(px(12))
        whose = one_line(event.lane) or "All lanes"
        heading = Label(f"{whose} at row {count_text(event.position)}", 16, 600, wrap=True)
        column.addWidget(heading)
        column.addWidget(Label(event_text(event), 13, 400, "second", wrap=True))
        grid = QGridLayout()
        grid.setHorizontalSpacing(px(24))
        grid.setVerticalSpacing(px(6))
        grid.setColumnStretch(1, 1)
        for line, (title, text) in enumerate(detail_lines(event, session)):
            grid.addWidget(Label(title, 13, 400, "second"), line, 0, Qt.AlignmentFlag.AlignTop)
            shown = Label(text, 13, 600, wrap=True)
            shown.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse
                | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )
            grid.addWidget(shown, line, 1)
        column.addLayout(grid)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)
        self.setMinimumWidth(px(440))
