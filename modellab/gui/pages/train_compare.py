"""Two trainings side by side: what was set differently, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QWidget

from modellab.gui.kit import Card, DataTable, Label
from modellab.gui.pages.choice import ChoiceField
from modellab.gui.pages.report_facts import score_rows
from modellab.gui.pages.text_model import TextModel
from modellab.gui.session_training import differences

if TYPE_CHECKING:
    from modellab.gui.session import Session
    from modellab.gui.session_training import Training


class CompareCard(Card):
    """Compares the chosen training with another one (the one before, unless told)."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Compare", "", parent=parent)
        self._session = session
        self._other: int | None = None
        self.with_ = ChoiceField(
            "Compare with",
            "The training that the chosen one is compared with.",
            chosen=self._chosen,
        )
        self.names = Label("", 12, 400, "second")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.names)
        row.addWidget(self.with_, 1)
        self.body.addLayout(row)
        self.table = DataTable(
            "Differences",
            "What was set differently in the two trainings, and their scores.",
            row_height=27,
        )
        self._model = TextModel(("", "", ""), self)
        self.table.setModel(self._model)
        self.table.set_widths([120, 100, 100], stretch=0)
        self.body.addWidget(self.table, 1)
        self.body.setContentsMargins(16, 2, 8, 8)

    def refresh(self) -> None:
        """Show the trainings that there are now."""
        trainings, chosen = self._session.trainings, self._session.chosen
        others = [t for t in trainings if t is not chosen]
        self.setVisible(chosen is not None and bool(others))
        if chosen is None or not others:
            return
        ids = [t.id for t in others]
        if self._other not in ids:
            earlier = [t.id for t in others if t.id < chosen.id]
            self._other = earlier[-1] if earlier else ids[-1]
        self.with_.set_options([(str(t.id), t.name) for t in reversed(others)], str(self._other))
        self.names.setText(f"{chosen.id} with")
        other = next(t for t in others if t.id == self._other)
        self._show(chosen, other)

    def _show(self, one: Training, other: Training) -> None:
        ours, theirs = dict(score_rows(one.report)), dict(score_rows(other.report))
        rows = [(name, ours[name], theirs[name]) for name in ours if name in theirs]
        rows += differences(one, other)
        self._model.set_rows(rows, ("", str(one.id), str(other.id)), right={1, 2})

    def _chosen(self, key: str) -> None:
        self._other = int(key)
        self.refresh()

    @property
    def other(self) -> Training | None:
        """The training compared with."""
        return next((t for t in self._session.trainings if t.id == self._other), None)
