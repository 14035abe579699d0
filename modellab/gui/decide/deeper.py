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
        self.session, self.kind, self._tip = session, kind, tip
        self.button = PlainButton(text, tip, icon=icon, clicked=start)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.progress = ProgressLine()
        self.progress.cancelled.connect(self._cancel)
        self.told = Label("", 12, 400, "second", wrap=True)
        self._job: Job | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.button)
        column.addWidget(self.progress)
        column.addWidget(self.told)
        self.progress.hide()

    def _cancel(self) -> None:
        job = self.session.job_of(self.kind)
        if job is not None:
            self.session.cancel(job)

    def show_state(self, why: str | None, told: str, problem: str) -> None:
        """Show whether it runs, can run, and what came of it."""
        job = self.session.job_of(self.kind)
        if job is None and self.progress.active():
            self.progress.finish()
        elif job is not None:
            if job is not self._job or not self.progress.active():
                self.progress.start(job.title)
            self.progress.set_progress(job.fraction, job.text or job.title)
        self._job = job
        self.button.setVisible(job is None)
        self.button.set_reason(why, self._tip)
        self.told.setText(problem or told)
        self.told.set_tone("alarm" if problem else "second")
        self.told.setVisible(job is None and bool(problem or told))


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
        self.body.setSpacing(12)
        self.body.addWidget(self.hindsight)
        self.body.addWidget(self.sensitivity)
        self.body.addStretch(1)

    def refresh(self) -> None:
        """Show how far both are."""
        state = self.session.verdict_state
        verdict = state.verdict
        told = ""
        if verdict is not None and verdict.hindsight is not None:
            found = verdict.hindsight
            count = len(found.at)
            told = (
                f"Known: {count} retrain{'s' if count != 1 else ''} at the best of "
                f"{len(found.grid)} dates. The column Regret compares every lane with it."
            )
        else:
            told = "The best retraining dates, had one known the future: the yardstick for regret."
        self.hindsight.show_state(state.why_no_hindsight, told, state.hindsight_problem)
        measured = verdict is not None and any(row.sensitivity for row in verdict.lanes)
        told = (
            "Measured: see the column Bad data."
            if measured
            else "Replays a part of the stream with flipped labels, missing values, a wrong unit."
        )
        self.sensitivity.show_state(state.why_no_sensitivity, told, state.sensitivity_problem)
