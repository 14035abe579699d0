"""Rolling a lane back by hand: to which row, with the rows one is most likely to mean."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from modellab.gui.deploy.fault_words import fault_text
from modellab.gui.deploy.words import error_text, task_of
from modellab.gui.kit import (
    Label,
    LabeledField,
    LinkButton,
    NumberField,
    PlainButton,
    PrimaryButton,
    count_text,
    one_line,
)
from modellab.gui.theme import px

if TYPE_CHECKING:
    from modellab.gui.session import Session
    from modellab.gui.session_deployment import Deployment

TIP = (
    "The lane's model becomes again what it was at that row; the stream goes on from here. It is "
    "marked and journalled, and undo brings the present model back."
)
_KINDS = {"drift": "alarm", "retrain": "retrain", "intervention": "change", "switch": "switch"}


def why_no_rollback(session: Session, lane: str) -> str | None:
    """Return why this lane cannot be rolled back now, or None."""
    live = session.deployment
    view = live.lanes.get(lane) if live is not None else None
    if live is None or view is None:
        return "Switch to deployment first."
    if live.lost:
        return "The engine that ran this replay is gone: continue it first."
    if view.baseline:
        return "A baseline has no model to roll back."
    if not live.started:
        return "Nothing has been replayed yet."
    return None


def suggestions(live: Deployment, lane: str, task: str) -> list[tuple[int, str]]:
    """Return rows to go back to, each with why, newest reasons first, at most five."""
    found: list[tuple[int, str]] = []
    view = live.lanes[lane]
    curve = view.curves.get("error")
    window = live.experiment.evaluation.window
    if curve is not None and len(curve):
        ends = np.minimum(curve.start + curve.width, live.position)
        settled = np.where(ends >= live.train_rows + window, curve.mean, np.nan)
        if np.isfinite(settled).any():
            at = int(np.nanargmin(settled))
            value = error_text(float(settled[at]), task)
            found.append((int(ends[at]), f"where its error was least, {value}"))
    began = [f for f in live.experiment.fault if live.train_rows < f.start <= live.position]
    began = sorted(began, key=lambda f: -f.start)[:2]
    found.extend((f.start, f"before “{one_line(fault_text(f))}”") for f in began)
    seen: set[str] = set()
    for event in reversed(live.events):
        word = _KINDS.get(event.kind)
        if event.lane == lane and word is not None and word not in seen:
            seen.add(word)
            found.append((event.position, f"before its last {word}"))
    kept: dict[int, str] = {}
    for row, why in found:
        if live.train_rows <= row < live.position:
            kept.setdefault(row, why)
    return list(kept.items())[:5]


class RollbackDialog(QDialog):
    """Asks to which row a lane goes back."""

    accepted_row = Signal(object)

    def __init__(
        self, session: Session, lane: str, row: int | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.session, self.lane = session, lane
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Roll {one_line(lane)} back")
        live = session.deployment
        first = live.train_rows if live is not None else 0
        last = max(first, live.position - 1) if live is not None else 0
        offered = suggestions(live, lane, task_of(session)) if live is not None else []
        if row is None:
            row = offered[0][0] if offered else first
        self.row = NumberField(
            "Row to go back to",
            "The model as it was when this row came.",
            value=row,
            minimum=first,
            maximum=last,
        )
        self.ok = PrimaryButton("Roll back", TIP, clicked=self.accept_row)
        self.ok.setDefault(True)
        cancel = PlainButton("Cancel", "Leave everything as it is.", clicked=self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(20), px(18), px(20), px(16))
        column.setSpacing(px(12))
        column.addWidget(Label(f"Roll {one_line(lane)} back", 16, 600))
        column.addWidget(Label(TIP, 13, 400, "second", wrap=True))
        column.addWidget(
            LabeledField(
                "Row to go back to",
                self.row,
                hint=f"From {count_text(first)}, where it was deployed, to {count_text(last)}.",
            )
        )
        self.links: list[LinkButton] = []
        for at, why in offered:
            link = LinkButton(
                f"Row {count_text(at)}, {why}",
                "Take this row.",
                clicked=partial(self.row.set_number, at),
            )
            self.links.append(link)
            column.addWidget(link)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.ok)
        column.addLayout(buttons)
        self.setMinimumWidth(px(440))
        self.row.setFocus()

    def accept_row(self) -> None:
        """Decide."""
        self.accepted_row.emit(self.row.whole())
        self.accept()
