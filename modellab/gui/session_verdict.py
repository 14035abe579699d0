"""The verdict as the window knows it: asked of the engine, kept, marked when it is no longer true.

At most one question is on its way; what changed meanwhile (a price, the position) is asked next.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

from modellab.experiment import CostAwarePolicy, HindsightPolicy, PriceSpec, replace
from modellab.gui.session_core import struct_of
from modellab.replay.protocol import (
    FindHindsight,
    HindsightFound,
    Judge,
    MeasureSensitivity,
    SensitivityMeasured,
)
from modellab.verdict.values import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.experiment import LaneSpec
    from modellab.gui.session import Session
    from modellab.gui.session_deployment import Deployment
    from modellab.gui.session_jobs import Job

QUIET_SECONDS = 2.0
"""While rows are replayed, the verdict is not asked for more often than this."""
RECORDED = "This is a recorded run: “modellab verdict” judges its folder at other prices."
BUSY = ("deploy", "seek", "lane", "grow")
"""Jobs that change the replay: the verdict waits for their end."""

Price = Literal["error", "retrain", "cpu_hour", "downtime_hour"]
Key = tuple[object, ...]


class VerdictState:
    """The verdict on the session's replay.

    Tells changes by the session's topic ``verdict``.

    Attributes
    ----------
    verdict
        The newest verdict; None when there is none yet.
    position
        Rows up to here (exclusive) were judged.
    problem
        Why the last question was not answered, as a sentence; empty when it was.
    hindsight_problem, sensitivity_problem
        Likewise of the long computations.
    watched
        Whether the verdict is on screen: else it is asked for only to hand over prices.
    """

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self.session = session
        self._clock = clock
        self.verdict: Verdict | None = None
        self.position = 0
        self.problem = ""
        self.hindsight_problem = ""
        self.sensitivity_problem = ""
        self.watched = False
        self._live: Deployment | None = None
        self._recorded: Deployment | None = None
        self._found: set[str] = set()
        self._began_with = PriceSpec()
        self._job: Job | None = None
        self._asked: Key = ()
        self._told: Key = ()
        self._prices_waiting = False
        self._answered = -QUIET_SECONDS
        self._hindsight_begun: Deployment | None = None
        for topic in ("deployment", "telemetry", "experiment", "jobs"):
            session.subscribe(topic, self._changed)

    # ------------------------------------------------------------------ what is known

    @property
    def asking(self) -> bool:
        """Whether a question is on its way."""
        return self._job is not None and self._job.running

    @property
    def behind(self) -> bool:
        """Whether rows were replayed (or taken back) since the verdict."""
        live = self.session.deployment
        return self.verdict is not None and live is not None and live.position != self.position

    @property
    def stale(self) -> str | None:
        """Why the verdict is not one on the replay as it is now, as a sentence; None if it is.

        That the replay has moved on is not told here: see `behind`.
        """
        live = self.session.deployment
        if self.verdict is None or live is None:
            return None
        if not self._told or live is not self._told[0]:
            return "This is the verdict on the replay before this one."
        if live.lost:
            return "The engine that ran this replay is gone: this is the verdict as it was."
        if self.session.deployment_stale:
            return (
                "Data, split or evaluation were changed since this deployment: this is the verdict "
                "on the experiment as it was."
            )
        if _made_of(live)[1:4] != self._told[1:4]:
            return "Lanes, settings or faults were changed since this verdict."
        if live.experiment.prices != self._told[4] and not self.asking:
            return "The prices were changed since this verdict."
        return None

    @property
    def why_no_prices(self) -> str | None:
        """Why prices cannot be tried now; None when they can."""
        live = self.session.deployment
        if live is None:
            return "Switch to deployment first."
        if live.lost:
            return "The engine that ran this replay is gone: continue it first."
        if live is self._recorded:
            return RECORDED
        return None

    @property
    def decided_at_other_prices(self) -> list[str]:
        """Lanes that decide by other prices than those that costs are counted at now."""
        return list(self._other_prices())

    def decide_by_these_prices(self) -> None:
        """Let those lanes decide by the present prices from the present row on: journal entries."""
        for lane, prices in self._other_prices().items():
            self.session.intervene(lane, **prices)

    @property
    def why_not_by_these_prices(self) -> str | None:
        """Why lanes cannot be told to decide by the present prices; None when they can."""
        live = self.session.deployment
        if live is not None and live.position >= live.stop:
            return "The replay is over: deploy anew."
        return self.why_no_prices

    def _other_prices(self) -> dict[str, dict[str, float]]:
        """Settings by lane that would make it decide by the present prices."""
        live = self.session.deployment
        if live is None:
            return {}
        now, then = live.experiment.prices, self._began_with
        found: dict[str, dict[str, float]] = {}
        for lane in live.experiment.lane:
            policy = lane.policy
            if not isinstance(policy, CostAwarePolicy):
                continue
            view = live.lanes.get(lane.name)
            news = view.news if view is not None else None
            known = dict(news.settings) if news is not None else {}
            wanted: dict[str, float] = {}
            for name, own, price in (
                ("price_error", policy.price_error, "error"),
                ("price_retrain", policy.price_retrain, "retrain"),
            ):
                if own is None and known.get(name, getattr(then, price)) != getattr(now, price):
                    wanted[name] = float(getattr(now, price))
            if wanted:
                found[lane.name] = wanted
        return found

    # ------------------------------------------------------------------ asking

    def open(self) -> None:
        """The verdict is looked at from now on."""
        self.watched = True
        self._consider()

    def close(self) -> None:
        """The verdict is no longer looked at."""
        self.watched = False

    def show(self, verdict: Verdict) -> None:
        """Keep a verdict that was made elsewhere: of a recorded replay."""
        live = self.session.deployment
        if live is not None:
            self._live, self._began_with = live, live.experiment.prices
            self.verdict, self.position = verdict, live.position
            self._asked = self._told = (*_made_of(live), live.position)
            self._recorded = live
            self.session.topics.publish("verdict")

    def set_prices(self, **prices: float) -> None:
        """Change prices (``error``, ``retrain``, ``cpu_hour``, ``downtime_hour``), undoably."""
        experiment = self.session.experiment
        if experiment is None:
            return
        new = replace(experiment.prices, **prices)
        names = " ".join(sorted(prices))
        self.session.edit("Change prices", replace(experiment, prices=new), merge=f"prices {names}")

    def _changed(self) -> None:
        live = self.session.deployment
        if live is None:
            if self.verdict is not None or self._live is not None:
                self._forget()
            return
        if live is not self._live:
            self._live, self._began_with = live, live.experiment.prices
            self.hindsight_problem = self.sensitivity_problem = ""
        experiment = self.session.experiment
        if experiment is not None and not live.lost and live.experiment.prices != experiment.prices:
            # Prices change no row of the replay: it need not be built anew for them.
            live.experiment = replace(live.experiment, prices=experiment.prices)
            self._prices_waiting = True
        self._consider()

    def _forget(self) -> None:
        self.verdict, self._live, self.problem = None, None, ""
        self._asked = self._told = ()
        self._prices_waiting = False
        self._job = None
        self.session.topics.publish("verdict")

    def _consider(self) -> None:
        """Ask if there is something new to ask, and nothing on its way."""
        live = self.session.deployment
        if live is None or live.lost or live is self._recorded or self.asking:
            return
        if self.session.job_of(*BUSY) is not None:
            return
        if not self._prices_waiting:
            if not self.watched or not live.started:
                return
            if (*_made_of(live), live.position) in (self._asked, self._told):
                self._begin_hindsight(live)
                return
            if live.playing and self._clock() - self._answered < QUIET_SECONDS:
                return
        self._ask(live)

    def _ask(self, live: Deployment) -> None:
        prices = live.experiment.prices if self._prices_waiting else None
        self._prices_waiting = False
        made_of, position = _made_of(live), live.position
        self._asked = (*made_of, position)

        def done(result: dict[str, Any]) -> None:
            if self.session.deployment is live:
                at = job.position or position
                self.verdict, self.position = struct_of(Verdict, result), at
                self.problem = ""
                self._told = (*made_of, at)
            self._answer()

        def failed(sentence: str, _detail: str, cancelled: bool) -> None:
            if not cancelled:
                self.problem = sentence
            self._answer()

        job = self.session.start_job(
            Judge(prices=prices), "judge", "Judging", quiet=True, on_done=done, on_failed=failed
        )
        self._job = job if job.running else None
        if self.verdict is None:
            self.session.topics.publish("verdict")

    def _answer(self) -> None:
        self._answered = self._clock()
        self._job = None
        self.session.topics.publish("verdict")
        self._consider()

    # ------------------------------------------------------------------ long computations

    @property
    def why_no_hindsight(self) -> str | None:
        """Why the hindsight optimum cannot be computed now; None when it can."""
        live = self.session.deployment
        if live is not None and not live.lost and live.position < live.stop:
            return "It needs the whole stream: play to the end first."
        if self.session.job_of("hindsight") is not None:
            return "It is being computed."
        return self.why_no_prices

    @property
    def why_no_sensitivity(self) -> str | None:
        """Why the sensitivity to bad data cannot be measured now; None when it can."""
        live = self.session.deployment
        if live is not None and not live.started:
            return "No row of the stream was replayed yet."
        if self.session.job_of("sensitivity") is not None:
            return "It is being measured."
        return self.why_no_prices

    def find_hindsight(self) -> Job | None:
        """Compute the hindsight optimum in the background."""
        live = self.session.deployment
        if self.why_no_hindsight is not None or live is None:
            return None
        self._hindsight_begun, self.hindsight_problem = live, ""

        def done(result: dict[str, Any]) -> None:
            if self.session.deployment is live:
                self._take_lane(live, struct_of(HindsightFound, result).lane)
                self._ask_anew()

        def failed(sentence: str, _detail: str, cancelled: bool) -> None:
            self.hindsight_problem = "" if cancelled else sentence
            self.session.topics.publish("verdict")

        return self.session.start_job(
            FindHindsight(),
            "hindsight",
            "Computing the hindsight optimum",
            on_done=done,
            on_failed=failed,
        )

    def _begin_hindsight(self, live: Deployment) -> None:
        """Begin by itself, once, when all rows are replayed and the verdict is looked at."""
        known = self.verdict is not None and self.verdict.hindsight is not None
        if self._hindsight_begun is live or known or self.problem or self.verdict is None:
            return
        over = live.position >= live.stop and not live.playing
        if over and self.verdict.sure != "too early":
            self.find_hindsight()

    def _take_lane(self, live: Deployment, lane: LaneSpec) -> None:
        """Add the lane that follows the hindsight optimum to what the window knows."""
        self._found.add(lane.name)
        live.add_lane(lane)
        lanes = [x for x in live.experiment.lane if x.name != lane.name] + [lane]
        live.experiment = replace(live.experiment, lane=lanes)
        if self.session.experiment is not None:
            own = [x for x in self.session.experiment.lane if x.name != lane.name] + [lane]
            self.session._set_experiment(replace(self.session.experiment, lane=own))
        self.session.topics.publish("deployment")

    def renew_hindsight(self) -> None:
        """Before another replay is built: its retraining dates are not those of the one before.

        Lanes that were found here go (they are found again), others are computed anew.
        """
        experiment = self.session.experiment
        if experiment is None:
            return
        lanes = []
        for lane in experiment.lane:
            policy = lane.policy
            if not isinstance(policy, HindsightPolicy) or not policy.searched:
                lanes.append(lane)
            elif lane.name not in self._found:
                lanes.append(replace(lane, policy=replace(policy, at=[], searched=False)))
        if lanes != experiment.lane:
            names = {lane.name for lane in lanes}
            gone = {lane.name for lane in experiment.lane} - names
            journal = [entry for entry in experiment.intervention if entry.lane not in gone]
            self.session._set_experiment(replace(experiment, lane=lanes, intervention=journal))

    def measure_sensitivity(self) -> Job | None:
        """Measure how much bad data would hurt every lane, in the background."""
        if self.why_no_sensitivity is not None:
            return None
        live = self.session.deployment
        self.sensitivity_problem = ""

        def done(result: dict[str, Any]) -> None:
            struct_of(SensitivityMeasured, result)
            if self.session.deployment is live:
                self._ask_anew()

        def failed(sentence: str, _detail: str, cancelled: bool) -> None:
            self.sensitivity_problem = "" if cancelled else sentence
            self.session.topics.publish("verdict")

        return self.session.start_job(
            MeasureSensitivity(),
            "sensitivity",
            "Measuring sensitivity to bad data",
            on_done=done,
            on_failed=failed,
        )

    def _ask_anew(self) -> None:
        """Ask although nothing that is replayed has changed."""
        self._asked = ()
        self._told = (*self._told[:-1], None)
        self.session.topics.publish("verdict")
        self._consider()


def _made_of(live: Deployment) -> Key:
    """Return what a verdict rests on, the position apart: replay, lanes, journal, faults, prices.

    The journal and the faults are compared by identity of their parts, which are values.
    """
    experiment = live.experiment
    return (
        live,
        tuple(live.lanes),
        tuple(experiment.intervention),
        tuple(experiment.fault),
        experiment.prices,
    )
