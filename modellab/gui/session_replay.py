"""The session's replay part: deploy, transport, interventions, lanes (faults: `session_faults`)."""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modellab.experiment import (
    Experiment,
    Intervention,
    LaneSpec,
    LearnerSpec,
    Scalar,
    ScheduledPolicy,
    StaticPolicy,
    check,
    replace,
)
from modellab.gui.session_core import struct_of
from modellab.gui.session_deployment import Deployment
from modellab.gui.session_faults import FaultPart
from modellab.gui.session_training import Training, deployment_key
from modellab.gui.session_undo import UndoEntry, UndoStack
from modellab.replay.protocol import (
    Ack,
    AddLane,
    Deploy,
    Deployed,
    Fork,
    Intervene,
    Pause,
    Play,
    Ready,
    RemoveLane,
    Seek,
    SpeedMode,
    Step,
    Telemetry,
    Watch,
)

if TYPE_CHECKING:
    from pathlib import Path

    from modellab.gui.session_jobs import Job


@dataclass(frozen=True)
class Interrupted:
    """A replay whose engine died: it can go on from its last checkpoint."""

    experiment: Experiment
    session_dir: str
    position: int


class ReplayPart(FaultPart):
    """Deploys, and steers the replay; what changes a replay is undone by doing the opposite."""

    experiment: Experiment | None
    chosen: Training | None
    _undo: UndoStack
    workers: int = 1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deployment: Deployment | None = None
        self.interrupted: Interrupted | None = None
        self._undo = UndoStack()
        self._speed: tuple[SpeedMode, float] = ("rows", 1000.0)
        self._pending_sets: dict[str, dict[str, Scalar]] = {}
        self._replay_numbers = itertools.count(1)
        self._live_learner: LearnerSpec | None = None
        self._injected = []

    def replay_folder(self) -> Path:
        """Return a new folder for the checkpoints of a replay; overridden."""
        raise NotImplementedError

    def _set_experiment(self, experiment: Experiment) -> None:
        """Take over an experiment that was not edited by hand; overridden."""
        raise NotImplementedError

    def _stream_facts(self) -> tuple[str, int, int]:
        """Return the task, the stream's rows and its span in ns; overridden."""
        raise NotImplementedError

    # ------------------------------------------------------------------ deploy

    @property
    def deployment_stale(self) -> bool:
        """Whether the experiment (data, split, evaluation, prices) was changed since."""
        if self.deployment is None or self.experiment is None:
            return False
        if self.deployment.outgrown:
            return True
        return deployment_key(self.deployment.experiment) != deployment_key(self.experiment)

    @property
    def why_no_deploy(self) -> str | None:
        """Why the replay cannot be built now; None when it can."""
        if self.experiment is None:
            return "Open data first."
        if self.awaits_data:
            return "The data are being read."
        if self.job_of("deploy") is not None:
            return "The deployment is being built."
        return self._why_no_data_set()

    def _why_no_data_set(self) -> str | None:
        """Why the columns and roles make no data set; overridden."""
        return None

    def deploy(self) -> Job | None:
        """Switch to deployment: the chosen learner goes live, default lanes around it."""
        if self.why_no_deploy is not None or self.experiment is None:
            self.tell("warning", self.why_no_deploy or "")
            return None
        experiment = self.experiment
        if self.chosen is not None:
            experiment = self._with_live(experiment, self.chosen)
        if experiment is not self.experiment:
            self._set_experiment(experiment)
        return self._deploy(experiment, str(self.replay_folder()))

    def _with_live(self, experiment: Experiment, chosen: Training) -> Experiment:
        from modellab.lanes import default_lanes

        learner = chosen.learner
        task, rows, span = self._stream_facts()

        def defaults(spec: LearnerSpec) -> list[LaneSpec]:
            return default_lanes(task, spec, stream_rows=rows, span_ns=span)

        before = self._live_learner
        lanes = list(experiment.lane)
        if not lanes or _any_schedule(lanes) == _any_schedule(defaults(lanes[0].learner)):
            new = defaults(learner)
        elif any(lane.learner == learner for lane in lanes):
            new = lanes
        elif before is not None and any(lane.learner == before for lane in lanes):
            new = [replace(x, learner=learner) if x.learner == before else x for x in lanes]
        else:
            name = free_name(chosen.title, [lane.name for lane in lanes])
            new = [LaneSpec(name=name, policy=StaticPolicy(), learner=learner), *lanes]
        self._live_learner = learner
        if new == lanes:
            return experiment
        # The journal names lanes; what no longer exists cannot be steered.
        names = {lane.name for lane in new}
        journal: list[Intervention] = []
        for entry in experiment.intervention:
            if entry.lane in names:
                journal.append(entry)
                if entry.fork is not None:
                    names.add(entry.fork)
        return check(replace(experiment, lane=new, intervention=journal))

    def _deploy(
        self,
        experiment: Experiment,
        folder: str,
        resume: bool = False,
        position: int | None = None,
    ) -> Job:
        running = self.job_of("deploy")
        if running is not None:
            self.cancel(running)
        command = Deploy(
            experiment=experiment,
            session_dir=folder,
            workers=self.workers,
            resume=resume,
            position=position,
        )
        job = self.start_job(
            command,
            "deploy",
            "Going on" if resume else "Switching to deployment",
            on_done=lambda result: self._deployed(struct_of(Deployed, result), folder),
            on_failed=self._deploy_failed,
        )
        job.again = self.continue_replay if resume else self.deploy
        return job

    def _deployed(self, done: Deployed, folder: str) -> None:
        old = self.deployment
        self.deployment = Deployment(done, folder)
        mode, rate = self._speed
        self.deployment.speed_mode, self.deployment.speed_rate = mode, rate
        self.interrupted = None
        self._pending_sets.clear()
        self._undo.forget("replay")
        if self.experiment is not None:
            # Edits made while it was being built stay in the experiment (and make it stale).
            now = replace(
                self.experiment,
                lane=done.experiment.lane,
                fault=done.experiment.fault,
                intervention=done.experiment.intervention,
            )
            self._set_experiment(now)
        names = [n for n, lane in self.deployment.lanes.items() if not lane.baseline]
        if old is not None:
            for name, lane in old.lanes.items():
                if lane.hidden and name in self.deployment.lanes:
                    self.deployment.lanes[name].hidden = True
        keep = old.selected if old is not None else None
        self.send(Ready(reset=True))
        for sentence in done.warnings:
            self.tell("warning", sentence)
        self._tell_journal(done)
        self.topics.publish("deployment")
        self.select_lane(keep if keep in names else self._first_shown(names))

    def _tell_journal(self, done: Deployed) -> None:
        """Say that what was changed earlier will be changed again, and offer to forget it."""
        count = sum(e.position >= done.position for e in done.experiment.intervention)
        if count:
            one = count == 1
            self.tell(
                "info",
                f"{'A change' if one else f'{count} changes'} made in an earlier replay "
                f"{'is' if one else 'are'} made again at {'its row' if one else 'their rows'}.",
                action="Forget " + ("it" if one else "them"),
                run=lambda: self.restart(clear_journal=True),
            )

    def _first_shown(self, names: list[str]) -> str | None:
        if self.experiment is not None:
            for lane in self.experiment.lane:
                if lane.policy.__class__.__name__ == "OnlinePolicy" and lane.name in names:
                    return lane.name
        return names[0] if names else None

    def _deploy_failed(self, sentence: str, detail: str, cancelled: bool) -> None:
        if not cancelled:
            self.tell("error", sentence, detail=detail)
        self.topics.publish("deployment")

    def continue_replay(self) -> Job | None:
        """Go on after the engine died: from the last checkpoint, up to where it was."""
        lost = self.interrupted
        if lost is None:
            return None
        return self._deploy(lost.experiment, lost.session_dir, True, lost.position)

    # ------------------------------------------------------------------ transport

    def _live(self) -> Deployment | None:
        return self.deployment if self.deployment and not self.deployment.lost else None

    def play(self) -> None:
        """Play at the speed that was set."""
        if (live := self._live()) is not None:
            self.send(Play(mode=live.speed_mode, rate=live.speed_rate))

    def pause(self) -> None:
        """Stop at the next position reached."""
        if self._live() is not None:
            self.send(Pause())

    def step(self, rows: int = 1) -> None:
        """Replay `rows` rows, then pause."""
        if self._live() is not None:
            self.send(Step(rows=rows))

    def set_speed(self, mode: SpeedMode, rate: float) -> None:
        """Set the speed: rows per second, times real time, or as fast as possible."""
        self._speed = (mode, rate)
        if (live := self._live()) is not None:
            live.speed_mode, live.speed_rate = mode, rate
            if live.playing:
                self.send(Play(mode=mode, rate=rate))
            self.topics.publish("telemetry")

    def seek(self, position: int) -> Job | None:
        """Go to `position`, exactly as if the replay had just got there."""
        if self._live() is None:
            return None
        title = f"Going to row {position:,}"
        return self.start_job(Seek(position=position), "seek", title)

    def restart(self, *, clear_journal: bool = False) -> Job | None:
        """Go back to the deployment point; with `clear_journal` what was changed is forgotten.

        The faults that the person let loose are forgotten with it; those that the experiment came
        with stay.
        """
        live = self._live()
        if live is None or self.experiment is None:
            return None
        faults = self._without_injected(live.experiment.fault)
        changed = live.experiment.intervention or len(faults) < len(live.experiment.fault)
        if not clear_journal or not changed:
            return self.seek(live.train_rows)
        experiment = replace(live.experiment, intervention=[], fault=faults)
        self._set_experiment(replace(self.experiment, intervention=[], fault=faults))
        self._injected.clear()
        return self._deploy(experiment, str(self.replay_folder()))

    # ------------------------------------------------------------------ interventions

    def intervene(self, lane: str, /, **changes: Scalar) -> None:
        """Change settings of a lane from the present position on; undo sets the former values.

        While one change of a lane is on its way, further ones wait and are sent as one: a slider
        that is dragged never queues up.
        """
        live = self._live()
        if live is None or lane not in live.lanes or not changes:
            return
        news = live.lanes[lane].news
        known = dict(news.settings) if news is not None else {}
        before = {key: known[key] for key in changes if key in known}
        if before:
            self._undo.push(
                UndoEntry(
                    _change_text(lane, changes),
                    lambda: self._intervene(lane, before),
                    lambda: self._intervene(lane, dict(changes)),
                    merge=f"set {lane} {sorted(changes)}",
                    scope="replay",
                )
            )
            self.topics.publish("experiment")
        self._intervene(lane, dict(changes))

    def _intervene(self, lane: str, changes: dict[str, Scalar]) -> None:
        if lane in self._pending_sets:
            self._pending_sets[lane].update(changes)
            return
        self._pending_sets[lane] = {}
        self.send(Intervene(lane=lane, set=changes), lambda ack: self._intervened(lane, ack))

    def _intervened(self, lane: str, ack: Ack) -> None:
        waiting = self._pending_sets.pop(lane, {})
        if ack.error:
            self.tell("warning", ack.error)
        self._journal(ack.entry)
        if waiting and self._live() is not None:
            self._intervene(lane, waiting)

    def _journal(self, entry: Intervention | None) -> None:
        if entry is None or self.deployment is None:
            return
        journal = _with_entry(self.deployment.experiment.intervention, entry)
        self.deployment.experiment = replace(self.deployment.experiment, intervention=journal)
        if self.experiment is not None:
            self._set_experiment(replace(self.experiment, intervention=journal))

    # ------------------------------------------------------------------ lanes

    def add_lane(self, spec: LaneSpec) -> Job | None:
        """Add a lane; it is replayed from the deployment point up to the present position."""
        if self._live() is None:
            return None
        self._remember(
            f"Add lane {spec.name}",
            lambda: self._remove(spec.name),
            lambda: self._add(spec),
        )
        return self._add(spec)

    def _add(self, spec: LaneSpec) -> Job:
        def done(_result: dict[str, Any]) -> None:
            if self.deployment is not None:
                self.deployment.add_lane(spec)
                self._change_lanes([*self.deployment.experiment.lane, spec])
                self.select_lane(spec.name)

        title = f"Replaying lane {spec.name}"
        return self.start_job(AddLane(lane=spec), "lane", title, on_done=done)

    def replace_lane(self, name: str, spec: LaneSpec) -> None:
        """Change a lane's learner, policy or name: it is replayed anew from the start."""
        live = self._live()
        if live is None or name not in live.lanes or live.lanes[name].baseline:
            return
        old = live.lanes[name].spec
        if spec == old:
            return
        self._remember(
            f"Change lane {name}",
            lambda: self._replace(spec.name, old),
            lambda: self._replace(name, spec),
        )
        self._replace(name, spec)

    def _replace(self, name: str, spec: LaneSpec) -> None:
        def removed(ack: Ack) -> None:
            if ack.error:
                self.tell("warning", ack.error)
                return
            self._take_out(name)
            self._add(spec)

        self.send(RemoveLane(name=name), removed)

    def duplicate_lane(self, name: str) -> Job | None:
        """Add a copy of a lane under a free name."""
        live = self._live()
        if live is None or name not in live.lanes:
            return None
        spec = live.lanes[name].spec
        return self.add_lane(replace(spec, name=free_name(spec.name, list(live.lanes))))

    def remove_lane(self, name: str) -> None:
        """Remove a lane or a fork; undo of a lane replays it again."""
        live = self._live()
        if live is None or name not in live.lanes or live.lanes[name].baseline:
            return
        view = live.lanes[name]
        if view.fork_of is None:
            spec = view.spec
            self._remember(
                f"Remove lane {name}", lambda: self._add(spec), lambda: self._remove(name)
            )
        self._remove(name)

    def _remove(self, name: str) -> None:
        def removed(ack: Ack) -> None:
            if ack.error:
                self.tell("warning", ack.error)
            else:
                self._take_out(name)

        self.send(RemoveLane(name=name), removed)

    def _take_out(self, name: str) -> None:
        if self.deployment is None:
            return
        self.deployment.remove_lane(name)
        experiment = self.deployment.experiment
        gone = {name}
        journal = []
        for entry in experiment.intervention:
            if entry.fork in gone or entry.lane in gone:
                if entry.fork is not None:
                    gone.add(entry.fork)
                continue
            journal.append(entry)
        self.deployment.experiment = replace(experiment, intervention=journal)
        self._change_lanes([lane for lane in experiment.lane if lane.name != name])
        if self.deployment.selected is None:
            names = [n for n, v in self.deployment.lanes.items() if not v.baseline]
            self.select_lane(names[0] if names else None)

    def _change_lanes(self, lanes: list[LaneSpec]) -> None:
        if self.deployment is None:
            return
        experiment = replace(self.deployment.experiment, lane=lanes)
        self.deployment.experiment = experiment
        if self.experiment is not None:
            self._set_experiment(
                replace(self.experiment, lane=lanes, intervention=experiment.intervention)
            )
        self.topics.publish("deployment")

    def fork(self, lane: str, name: str, **changes: Scalar) -> None:
        """Begin a new lane `name` here with the state of `lane`, then with other settings."""
        live = self._live()
        if live is None or lane not in live.lanes:
            return

        def forked(ack: Ack) -> None:
            if ack.error:
                self.tell("warning", ack.error)
                return
            self._journal(ack.entry)
            if ack.entry is not None and changes:
                self._journal(Intervention(position=ack.entry.position, lane=name, set=changes))
            if self.deployment is not None:
                self.deployment.add_fork(lane, name)
                self.topics.publish("deployment")
                self.select_lane(name)

        self._remember(
            f"Fork {lane}",
            lambda: self._remove(name),
            lambda: self.send(Fork(lane=lane, name=name, set=changes), forked),
        )
        self.send(Fork(lane=lane, name=name, set=changes), forked)

    def _remember(self, text: str, undo: Any, redo: Any) -> None:
        self._undo.push(UndoEntry(text, undo, redo, scope="replay"))
        self.topics.publish("experiment")

    def select_lane(self, name: str | None) -> None:
        """Select a lane: its parameters are watched."""
        if self.deployment is None or (name is not None and name not in self.deployment.lanes):
            return
        if name == self.deployment.selected and self.deployment.parameters.lane == name:
            return
        self.deployment.selected = name
        self.deployment.parameters.clear(name)
        if self._live() is not None:
            self.send(Watch(lane=name))
        self.topics.publish("deployment")

    def hide_lane(self, name: str, hidden: bool = True) -> None:
        """Hide a lane or show it again; it runs on."""
        if self.deployment is None or name not in self.deployment.lanes:
            return
        if self.deployment.lanes[name].hidden != hidden:
            self.deployment.lanes[name].hidden = hidden
            self.topics.publish("deployment")

    # ------------------------------------------------------------------ engine

    def _take_telemetry(self, telemetry: Telemetry) -> None:
        if self.deployment is not None and not self.deployment.lost:
            was = self.deployment.state
            changed = self.deployment.apply(telemetry)
            if changed or was != self.deployment.state:
                self.topics.publish("deployment")
            self.topics.publish("telemetry")
        self.send(Ready())

    def _after_death(self) -> None:
        self._pending_sets.clear()
        deployment = self.deployment
        if deployment is not None and not deployment.lost:
            deployment.lost = True
            deployment.state = "paused"
            self.interrupted = Interrupted(
                deployment.experiment, deployment.session_dir, deployment.position
            )
            self.topics.publish("deployment")


def _any_schedule(lanes: list[LaneSpec]) -> list[LaneSpec]:
    """Return the lanes whatever their interval, which follows from the split."""
    usual = ScheduledPolicy()
    return [
        replace(lane, policy=replace(lane.policy, every=usual.every))
        if isinstance(lane.policy, ScheduledPolicy)
        else lane
        for lane in lanes
    ]


def free_name(name: str, taken: list[str]) -> str:
    """Return `name`, or `name` with the first free number behind it."""
    if name not in taken:
        return name
    return next(f"{name} {n}" for n in itertools.count(2) if f"{name} {n}" not in taken)


def _change_text(lane: str, changes: dict[str, Scalar]) -> str:
    return f"Set {', '.join(key.replace('_', ' ') for key in changes)} of {lane}"


def _with_entry(journal: list[Intervention], entry: Intervention) -> list[Intervention]:
    """Return the journal with `entry` in order; entries of one lane and position are merged."""
    at = bisect.bisect_right(journal, entry.position, key=lambda e: e.position)
    before = journal[at - 1] if at else None
    if (
        before is not None
        and before.position == entry.position
        and before.lane == entry.lane
        and before.set
        and entry.set
    ):
        merged = replace(before, set={**before.set, **entry.set})
        return [*journal[: at - 1], merged, *journal[at:]]
    return [*journal[:at], entry, *journal[at:]]
