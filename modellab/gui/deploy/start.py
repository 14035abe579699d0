"""Before the deployment: what will happen, and the one button that starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from modellab.gui.deploy.words import lane_sentence, learner_words
from modellab.gui.kit import (
    Banner,
    Card,
    IconTile,
    Label,
    LaneChip,
    PrimaryButton,
    ProgressLine,
    Rule,
    count_text,
)
from modellab.gui.theme import px, theme
from modellab.lanes import baseline_lanes, default_lanes, default_learner

if TYPE_CHECKING:
    from modellab.experiment import LaneSpec
    from modellab.gui.session import Session

TIP = (
    "Train the first models on the training window and make the stream ready to play.\nCtrl+Return"
)


def coming_lanes(session: Session) -> list[LaneSpec]:
    """Return the lanes that a deployment would run now, without the baselines."""
    experiment, profile, chosen = session.experiment, session.profile, session.chosen
    if experiment is None:
        return []
    if experiment.lane:
        return list(experiment.lane)
    if profile is None:
        return []
    times = profile.times_ns
    share = profile.train_rows / max(1, profile.n_rows)
    span = 0
    if len(times) > 1:
        first = times[min(int(share * (len(times) - 1)), len(times) - 1)]
        span = max(0, times[-1] - first)
    task = profile.task or "classification"
    mode = experiment.training.mode
    learner = chosen.learner if chosen is not None else default_learner(task, mode)
    rows = max(1, profile.n_rows - profile.train_rows)
    return default_lanes(task, learner, stream_rows=rows, span_ns=span)


class StartPanel(QScrollArea):
    """The page before there is a deployment."""

    def __init__(self, session: Session, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.viewport().setAutoFillBackground(False)
        self.setAccessibleName("Before the deployment")
        self.card = Card(margin=28)
        self.card.setFixedWidth(px(620))
        self.title = Label("Put the model to work", 20, 600)
        self.story = Label("", 13, 400, "second", wrap=True)
        self.lanes_title = Label("These lanes will run side by side", 13, 600)
        self.lanes = QVBoxLayout()
        self.lanes.setSpacing(px(6))
        self.resume = Banner("info", "")
        self.resume.hide()
        self._resumes: int | None = None
        self.problem = Banner("warning", "")
        self.button = PrimaryButton("Switch to deployment", TIP, icon="rocket-launch")
        self.button.setMinimumHeight(px(40))
        self.button.clicked.connect(lambda: session.deploy())
        self.progress = ProgressLine()
        self.progress.cancelled.connect(self._cancel)
        self._shown: tuple[list[tuple[str, str]], str] = ([], "")
        self._build()
        self.refresh()

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(px(14))
        head.addWidget(IconTile("rocket-launch", filled=True), 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(px(4))
        words.addWidget(self.title)
        words.addWidget(self.story)
        head.addLayout(words, 1)
        body = self.card.body
        body.setSpacing(px(14))
        body.addLayout(head)
        body.addWidget(Rule())
        body.addWidget(self.lanes_title)
        body.addLayout(self.lanes)
        body.addWidget(self.problem)
        body.addWidget(self.resume)
        row = QHBoxLayout()
        row.addWidget(self.button)
        row.addStretch(1)
        body.addLayout(row)
        body.addWidget(self.progress)
        self.progress.hide()
        outer = QWidget()
        outer.setAutoFillBackground(False)
        column = QVBoxLayout(outer)
        column.addStretch(2)
        # Stretches, not an alignment: that would ignore how high wrapped text is.
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(self.card)
        across.addStretch(1)
        column.addLayout(across)
        column.addStretch(3)
        self.setWidget(outer)

    def _cancel(self) -> None:
        job = self.session.job_of("deploy")
        if job is not None:
            self.session.cancel(job)

    def refresh(self) -> None:
        """Say what a deployment would do now; show how far one is that is being built."""
        session = self.session
        self._say_story()
        self._say_lanes()
        job = session.job_of("deploy")
        why = session.why_no_deploy
        profile = session.profile
        if why is None and profile is not None and profile.error and not session.profile_stale:
            why = profile.error
        self.button.setVisible(job is None)
        self.button.set_reason(why, TIP)
        self.problem.setVisible(why is not None and job is None)
        if why is not None:
            self.problem.set_text(why)
        self._offer_to_resume(job is None and why is None)
        if job is None:
            if self.progress.active():
                self.progress.finish()
        else:
            if not self.progress.active():
                self.progress.start("Training the first models")
            self.progress.set_progress(job.fraction, job.text or "Training the first models")

    def _offer_to_resume(self, possible: bool) -> None:
        """Offer the replay of an unsaved session that was opened again."""
        lost = self.session.interrupted
        self.resume.setVisible(possible and lost is not None)
        if lost is None or lost.position == self._resumes:
            return
        self._resumes = lost.position
        where = count_text(lost.position)
        self.resume.set_text(
            f"This replay was at row {where} when it was left. It can be taken up again from its "
            "last checkpoint, to the same bits."
        )
        tip = "Start from the last checkpoint and replay up to this row."
        self.resume.set_actions([(f"Continue from row {where}", tip, self.session.continue_replay)])

    def _say_story(self) -> None:
        session = self.session
        profile, chosen = session.profile, session.chosen
        parts = []
        if chosen is not None:
            parts.append(f"{learner_words(chosen.learner)} goes live.")
        else:
            parts.append("The usual learner goes live, since none was trained yet.")
        if profile is not None and profile.n_rows and not profile.error:
            first, last = count_text(profile.train_rows + 1), count_text(profile.n_rows)
            parts.append(
                f"Rows {first} to {last}, which come after the training window, are replayed as "
                "they came: every lane predicts a row first, and only then sees its label."
            )
        parts.append("You can play, pause, go back, and change settings as it runs.")
        self.story.setText(" ".join(parts))

    def _say_lanes(self) -> None:
        found = coming_lanes(self.session)
        profile, experiment = self.session.profile, self.session.experiment
        lines = [(lane.name, lane_sentence(lane)) for lane in found]
        count = len(lines)
        if experiment is not None and experiment.baselines:
            task = profile.task if profile is not None and profile.task else "classification"
            names = [b.name for b in baseline_lanes(task, [lane.name for lane in found])]
            lines.append(("Baselines", f"{' and '.join(names)}: what any model must beat"))
        if (lines, theme().name) == self._shown:
            return
        self._shown = lines, theme().name
        while (item := self.lanes.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for number, (name, words) in enumerate(lines):
            line = QWidget()
            row = QHBoxLayout(line)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(px(10))
            baseline = number >= count
            colour, dash = ("baseline", ()) if baseline else theme().lane_style(number)
            # All as wide as the widest sign: the names begin below each other.
            sign = QWidget()
            sign.setFixedWidth(px(16))
            beside = QHBoxLayout(sign)
            beside.setContentsMargins(0, px(2), 0, 0)
            chip = LaneChip(colour, "baseline" if baseline else "fork" if dash else "lane")
            beside.addWidget(chip, 0, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
            row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
            title = Label(name, 13, 600)
            title.setFixedWidth(px(126))
            title.setWordWrap(True)
            row.addWidget(title, 0, Qt.AlignmentFlag.AlignTop)
            row.addWidget(Label(words, 13, 400, "second", wrap=True), 1)
            self.lanes.addWidget(line)
