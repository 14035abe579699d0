"""What takes a while: the hindsight optimum, and the sensitivity to bad data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from modellab.gui.decide.terms import explain
from modellab.gui.kit import Card, Label, PlainButton, ProgressLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.gui.session import Session
    from modellab.gui.session_jobs import Job


class _Work(QWidget):
    """A button, progress while it runs, and what came of it."""

    def __init__(
        self,
        session: Session,
        kind: str,
        text: str,
        tip: str,
        icon: str,
        start: Callable[[], object],
    ) -> None:
        super().__init__()
        self.session, self.kind = session, kind
        self._text, self._tip = text, tip
        self.button = PlainButton(text, tip, icon=icon, clicked=start)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.progress = ProgressLine()
        self.progress.cancelled.connect(self._cancel)
        self.told = Label("", 12, 400, "alarm", wrap=True)
        self._job: Job | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addWidget(self.button)
        column.addWidget(self.progress)
        column.addWidget(self.told)
        self.progress.hide()

    def _cancel(self) -> None:
        job = self.session.job_of(self.kind)
        if job is not None:
            self.session.cancel(job)

    def show_state(self, why: str | None, known: bool, problem: str) -> None:
        """Show whether it runs, can run, has been done, and what went wrong."""
        job = self.session.job_of(self.kind)
        if job is None and self.progress.active():
            self.progress.finish()
        elif job is not None:
            if job is not self._job or not self.progress.active():
                self.progress.start(job.title)
            self.progress.set_progress(job.fraction, job.text or job.title)
        self._job = job
        self.button.setVisible(job is None)
        self.button.setText(f"{self._text} again" if known else self._text)
        self.button.set_reason(why, self._tip)
        self.told.setText(problem)
        self.told.setVisible(job is None and bool(problem))


class DeeperCard(Card):
    """Both computations."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Look deeper", "in the background", parent=parent)
        self.session = session
        state = session.verdict_state
        self.hindsight = _Work(
            session,
            "hindsight",
            "Compute the hindsight optimum",
            explain("hindsight"),
            "clock-counter-clockwise",
            state.find_hindsight,
        )
        self.sensitivity = _Work(
            session,
            "sensitivity",
            "Measure sensitivity to bad data",
            explain("sensitivity"),
            "bug",
            state.measure_sensitivity,
        )
        self.body.setSpacing(8)
        self.body.addWidget(self.hindsight)
        self.body.addWidget(self.sensitivity)
        self.body.addStretch(1)

    def refresh(self) -> None:
        """Show how far both are."""
        state = self.session.verdict_state
        verdict = state.verdict
        known = verdict is not None and verdict.hindsight is not None
        self.hindsight.show_state(state.why_no_hindsight, known, state.hindsight_problem)
        measured = verdict is not None and any(row.sensitivity for row in verdict.lanes)
        self.sensitivity.show_state(state.why_no_sensitivity, measured, state.sensitivity_problem)
