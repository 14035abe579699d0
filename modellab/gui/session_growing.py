"""Data that are still being read: their first rows are in use, more come (no Qt).

The first rows become the data set as soon as there are some. What was read since becomes part of it
when the replay nears their end, when the person asks for it, and when all is read. A replay then
goes on over them, with the results of one that had all rows from its beginning; the training window
keeps its number of rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab.errors import quote
from modellab.experiment import HindsightPolicy, replace
from modellab.gui.session_core import struct_of
from modellab.lanes import round_down
from modellab.replay.growing_protocol import GrowReplay, RowsReady, UseRows
from modellab.replay.growing_words import AGAIN, classes_changed, kinds_changed
from modellab.replay.protocol import DataSummary, Deployed, ProfileSummary, Ready

if TYPE_CHECKING:
    from modellab.gui.session import Session
    from modellab.gui.session_data import Opening
    from modellab.gui.session_deployment import Deployment
    from modellab.gui.session_jobs import Job

USUAL_SHARE = 0.2
"""Share of the rows that the training window has when nobody chose one."""
NEAR = 0.25
"""A replay is near the end of what is there within this share of it."""
MORE = 1.25
"""Before the replay is at its end, more rows are taken only if there are so many times as many."""
_ROOM = 1.25


def first_window(rows: int) -> int:
    """Rows of the training window where so many are there and more come: a round number."""
    return round_down(int(rows * USUAL_SHARE))


def first_use(opening: Opening) -> int | None:
    """From how many rows on data may be used while they are read; None: when all are there.

    Where a share of all rows, or a time, says where the training window ends, nobody knows where
    that is before the end. What was interrupted goes on with all rows.
    """
    if opening.shown or opening.reread or opening.recovered is not None or opening.sample:
        return None
    if opening.experiment is None:
        return 1
    train = opening.experiment.split.train
    if isinstance(train, int) and not isinstance(train, bool):
        return max(round(train * _ROOM), 1)
    return None


class GrowthState:
    """What there is of data that are being read. Tells changes by the topics of what changes.

    Attributes
    ----------
    job
        The reading, while it goes on and its first rows are in use; else None.
    rows, expected
        Rows read so far, and about how many there are in all.
    problem
        Why it ended before the end of the file, as a sentence; empty where it did not.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.job: Job | None = None
        self.rows = 0
        self.expected = 0
        self.problem = ""
        self._opening: Opening | None = None
        self._split: int | None = None
        self._known: tuple[str, str, list[str]] | None = None
        self._ran: Deployment | None = None
        self._using = False
        for topic in ("deployment", "telemetry"):
            session.subscribe(topic, self._tend)

    # ------------------------------------------------------------------ what is known

    @property
    def reading(self) -> bool:
        """Whether more rows come."""
        return self.job is not None and self.job.running

    @property
    def fraction(self) -> float | None:
        """Share of the file that is read."""
        return min(1.0, self.rows / self.expected) if self.reading and self.expected else None

    @property
    def waiting_rows(self) -> int:
        """Rows that are read and not yet part of the data set."""
        return max(0, self.rows - self.session.n_rows) if self.reading else 0

    def words(self) -> str:
        """How far the reading is, as a phrase; empty where nothing is read."""
        if not self.reading:
            return ""
        share = self.fraction
        percent = "" if share is None else f", {100 * share:.0f} %"
        return f"{self.rows:,} of about {self._about():,} rows read{percent}"

    def _about(self) -> int:
        """Rows expected, in as many digits as can be told."""
        unit = 10 ** max(0, len(str(self.expected)) - 3)
        return max(round(self.expected / unit) * unit, self.rows)

    # ------------------------------------------------------------------ rows come

    def rows_ready(self, job: Job, opening: Opening, news: RowsReady) -> None:
        """Take news of the engine; the first rows become the data set."""
        if news.summary is not None:
            self.job, self._opening, self.problem = job, opening, ""
            self._split = None
            self.rows, self.expected = news.rows, news.expected
            job.usable, job.again = True, None
            self.session._opened(struct_of(DataSummary, news.summary), opening)
            opening.shown = True
            if opening.experiment is None and self.session.experiment is not None:
                train = self.session.experiment.split.train
                self._split = train if isinstance(train, int) else None
        self.rows, self.expected = news.rows, news.expected
        job.text = self.words()
        self._tell_coming()
        self.session.topics.publish("jobs")
        self._tend()

    def use_rows(self) -> None:
        """Let the data set be all rows that are read by now."""
        if self._using:
            return
        self._using = True

        def done(result: dict[str, Any]) -> None:
            self._using = False
            self._grown(struct_of(DataSummary, result))

        def failed(sentence: str, detail: str, cancelled: bool) -> None:
            self._using = False
            if not cancelled:
                self.session.tell("error", sentence, detail=detail)

        self.session.start_job(
            UseRows(), "rows ready", "Taking the rows", quiet=True, on_done=done, on_failed=failed
        )

    def ended(self, data: DataSummary) -> None:
        """All rows are read."""
        self.job, self.problem = None, ""
        self._tell_coming()
        self._grown(data)
        self._say_window(data)

    def stopped(self, sentence: str, detail: str, cancelled: bool) -> None:
        """Reading ended before the end of the file: what is there stays the data set."""
        self.job = None
        self._tell_coming()
        session, data = self.session, self.session.data
        if not session.engine_alive or data is None:
            return  # the new engine reads on
        if self.rows > data.n_rows:
            self.use_rows()
        rows = max(self.rows, data.n_rows)
        kept = f"Its first {rows:,} rows are the data set."
        if cancelled:
            self.problem = f"Reading {quote(data.name)} was stopped. {kept}"
        else:
            self.problem = f"Reading {quote(data.name)} came to an end: {sentence} {kept}"
        if session._opening is None or not cancelled:
            session.tell(
                "info" if cancelled else "error",
                self.problem,
                detail=detail,
                action="Read on" if cancelled else "",
                run=self.read_on if cancelled else None,
            )
        session.topics.publish("data")

    def read_on(self) -> None:
        """Read a file to its end after all."""
        session, opening = self.session, self._opening
        if opening is None or session.experiment is None or self.reading:
            return
        if session.data is None or session.data.whole:
            return
        opening.experiment = session.experiment
        self.problem = ""
        session._open([Path(p) for p in session.experiment.data.paths], opening)
        self.job = session.job_of("open")

    def came_back(self, data: DataSummary) -> None:
        """A new engine has read all rows, of which the one before had the first."""
        old = self.session.data
        if old is not None and not old.whole and data.whole:
            self.problem = ""
            self._grown(data)

    # ------------------------------------------------------------------ the data set grows

    def _grown(self, data: DataSummary) -> None:
        session, old = self.session, self.session.data
        if old is None or data.fingerprint != old.fingerprint:
            return
        if data.n_rows == old.n_rows and data.whole == old.whole:
            return
        profile, experiment = session.profile, session.experiment
        if profile is not None and profile.task and experiment is not None:
            self._known = (experiment.data.target, profile.task, list(profile.classes))
        session.data = data
        self._check_kinds(old, data)
        session.topics.publish("data")
        session._ask_profile()
        self._tend()

    def _check_kinds(self, old: DataSummary, new: DataSummary) -> None:
        """Say which columns turned out to be another kind, and what that means for the models."""
        experiment = self.session.experiment
        if experiment is None:
            return
        said = {*experiment.data.kinds, *experiment.data.ignore}
        now = {column.name: column.kind for column in new.columns}
        changed: list[tuple[str, str, str | None]] = [
            (column.name, column.kind, now.get(column.name))
            for column in old.columns
            if column.name not in said and now.get(column.name) != column.kind
        ]
        if changed:
            self._other_data(kinds_changed(changed))

    def profiled(self, profile: ProfileSummary) -> None:
        """Compare the target with what it was in the first rows."""
        known, self._known = self._known, None
        experiment = self.session.experiment
        if known is None or experiment is None or not profile.task:
            return
        target, task, classes = known
        if target != experiment.data.target or (task, classes) == (profile.task, profile.classes):
            return
        if task == profile.task == "classification":
            self._other_data(classes_changed(target, classes, profile.classes))
        else:
            self._other_data(f"Later rows make {quote(target)} a target of {profile.task}.")

    def _other_data(self, sentence: str) -> None:
        """Mark what was trained on the first rows as of another data set."""
        session = self.session
        for training in session.trainings:
            training.outgrown = True
        self._outgrow(session.deployment)
        needed = session.trainings or session.deployment is not None
        session.tell("warning", f"{sentence} {AGAIN}" if needed else sentence)
        session.topics.publish("trainings")

    def _outgrow(self, live: Deployment | None) -> None:
        if live is not None and not live.recorded and not live.outgrown:
            live.outgrown = True
            live.coming = 0
            self.session.topics.publish("deployment")

    def _say_window(self, data: DataSummary) -> None:
        """Offer the usual share of all rows where nobody chose the training window."""
        experiment = self.session.experiment
        if experiment is None or self._split is None or experiment.split.train != self._split:
            return
        usual = replace(experiment.split, train=USUAL_SHARE)
        self.session.tell(
            "info",
            f"All {data.n_rows:,} rows of {quote(data.name)} are read. The training window is "
            f"still the first {self._split:,} rows.",
            action=f"Make it {100 * USUAL_SHARE:.0f} % of all rows",
            run=lambda: self._use_share(usual),
        )

    def _use_share(self, split: Any) -> None:
        experiment = self.session.experiment
        if experiment is not None:
            self.session.edit("Move the split", replace(experiment, split=split))

    # ------------------------------------------------------------------ the replay grows

    def _tell_coming(self) -> None:
        live = self.session.deployment
        coming = self._about() if self.reading and live is not None and not live.outgrown else 0
        if live is not None and not live.recorded and live.coming != coming:
            live.coming = coming
            self.session.topics.publish("deployment")

    def _tend(self) -> None:
        """See to it that the replay has rows to go on with."""
        self._tell_coming()
        session = self.session
        live, data = session._live(), session.data
        if live is None or data is None or live.recorded or live.outgrown:
            return
        if live.playing:
            self._ran = live
        elif live.state == "paused" and live.position < live.stop and self._ran is live:
            self._ran = None
        if session.job_of("grow", "deploy", "seek", "lane") is not None or session.awaits_data:
            return
        if live.n_rows < data.n_rows:
            self._grow_replay(live)
        elif self.waiting_rows and self._wants_rows(live):
            self.use_rows()

    def _wants_rows(self, live: Deployment) -> bool:
        """Whether the replay nears the end of what is there, and enough came since."""
        if live.stop < live.n_rows:
            return False  # it ends where it was told to
        if live.position >= live.stop:
            return True
        near = live.position >= live.stop - NEAR * (live.stop - live.train_rows)
        return near and self.rows >= MORE * live.n_rows

    def _grow_replay(self, live: Deployment) -> None:
        session = self.session

        def done(result: dict[str, Any]) -> None:
            if session.deployment is not live:
                return
            live.grow(struct_of(Deployed, result))
            session.send(Ready(reset=True))
            session.topics.publish("deployment")
            if self._ran is live and not live.playing and not live.lost:
                session.play()  # it had come to the end of what was there
            self._say_hindsight(live)

        def failed(sentence: str, detail: str, cancelled: bool) -> None:
            if session.deployment is not live or cancelled:
                return
            told = live.outgrown
            self._outgrow(live)
            if not told:
                session.tell("warning", sentence, detail=detail)

        session.start_job(
            GrowReplay(),
            "grow",
            "Taking in the rows that came",
            on_done=done,
            on_failed=failed,
        )

    def _say_hindsight(self, live: Deployment) -> None:
        """Say that what was found in hindsight was found on fewer rows."""
        for lane in live.experiment.lane:
            if isinstance(lane.policy, HindsightPolicy) and lane.policy.searched:
                self.session.tell(
                    "info",
                    f"{quote(lane.name)} was found on the rows that were there then: it retrains "
                    "at the same rows, which may not be the best ones over all. Find it again on "
                    "the Decide page.",
                )
                return


__all__ = ["GrowthState", "first_use", "first_window"]
