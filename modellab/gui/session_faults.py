"""The session's what-if part: faults, rolling a lane back, and the rows that guards kept back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modellab.experiment import Experiment, Fault, Intervention, replace
from modellab.gui.session_core import SessionCore, struct_of
from modellab.gui.session_jobs import Job
from modellab.replay.protocol import (
    Ack,
    Inject,
    QuarantinePage,
    ReadQuarantine,
    RemoveFault,
    Rollback,
    Seek,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from modellab.gui.session_deployment import Deployment


class FaultPart(SessionCore):
    """Faults and rollbacks; undo brings the replay to where it would have been without them."""

    deployment: Deployment | None
    experiment: Experiment | None
    _injected: list[Fault]
    """Faults that the person let loose, apart from those that the experiment came with."""

    def _live(self) -> Deployment | None:
        """Return the deployment while its engine lives; overridden."""
        raise NotImplementedError

    def _set_experiment(self, experiment: Experiment) -> None:
        """Take over an experiment that was not edited by hand; overridden."""
        raise NotImplementedError

    def _remember(self, text: str, undo: Any, redo: Any) -> None:
        """Make what was just done undoable; overridden."""
        raise NotImplementedError

    def _journal(self, entry: Intervention | None) -> None:
        """Note an entry of the journal; overridden."""
        raise NotImplementedError

    # ------------------------------------------------------------------ faults

    def inject(self, fault: Fault) -> None:
        """Let a fault happen: from its start on, or from the next row if that has passed."""
        if self._live() is None:
            return

        def happened(real: Fault) -> None:
            self._remember(
                "Inject a fault", lambda: self._take_back(real), lambda: self._restore(real)
            )

        self._inject(fault, happened)

    def _inject(self, fault: Fault, then: Callable[[Fault], object] | None = None) -> None:
        def injected(ack: Ack) -> None:
            if ack.error:
                self.tell("warning", ack.error)
                return
            real = ack.fault if ack.fault is not None else fault
            if self.deployment is not None:
                self._injected.append(real)
                self._set_faults([*self.deployment.experiment.fault, real])
            if then is not None:
                then(real)

        self.send(Inject(fault=fault), injected)

    def remove_fault(self, index: int) -> Job | None:
        """Take back fault number `index`: the replay becomes what it is without it."""
        live = self._live()
        if live is None or not 0 <= index < len(live.experiment.fault):
            return None
        fault = live.experiment.fault[index]
        self._remember(
            "Remove a fault", lambda: self._restore(fault), lambda: self._take_back(fault)
        )
        return self._take_back(fault)

    def _without_injected(self, faults: list[Fault]) -> list[Fault]:
        """Return those of `faults` that the person did not let loose."""
        left = list(faults)
        for fault in self._injected:
            if fault in left:
                left.reverse()  # of equal ones the later was injected
                left.remove(fault)
                left.reverse()
        return left

    def _take_back(self, fault: Fault) -> Job | None:
        live = self._live()
        if live is None or fault not in live.experiment.fault:
            return None
        faults = live.experiment.fault
        index = len(faults) - 1 - faults[::-1].index(fault)

        def gone() -> None:
            if self.deployment is live:
                if fault in self._injected:
                    self._injected.remove(fault)
                left = [f for i, f in enumerate(live.experiment.fault) if i != index]
                self._set_faults(left)

        def failed(sentence: str, detail: str, cancelled: bool) -> None:
            # Once it is on its way back the fault is gone, wherever the replay then stays.
            if cancelled or job.done > 0:
                gone()
            if not cancelled:
                self.tell("error", sentence, detail=detail)

        title = "Replaying without the fault"
        command = RemoveFault(index=index)
        job = self.start_job(
            command, "seek", title, on_done=lambda _result: gone(), on_failed=failed
        )
        return job

    def _restore(self, fault: Fault) -> None:
        """Inject a fault where it was: where that has passed, by going there and back."""
        live = self._live()
        if live is None:
            return
        back = live.position
        if fault.start >= back:
            self._inject(fault)
            return

        def there(_result: dict[str, Any]) -> None:
            self._inject(fault, lambda _real: self._go(back, "Replaying with the fault"))

        self._go(max(fault.start, live.train_rows), "Replaying with the fault", there)

    def _go(
        self, row: int, title: str, on_done: Callable[[dict[str, Any]], None] | None = None
    ) -> Job:
        return self.start_job(Seek(position=row), "seek", title, on_done=on_done)

    def _set_faults(self, faults: list[Fault]) -> None:
        if self.deployment is None:
            return
        self.deployment.experiment = replace(self.deployment.experiment, fault=faults)
        if self.experiment is not None:
            self._set_experiment(replace(self.experiment, fault=faults))
        self.topics.publish("deployment")

    # ------------------------------------------------------------------ rolling back

    def roll_back(self, lane: str, to: int) -> None:
        """Make a lane's model again what it was at row `to`; undo brings back the present one."""
        live = self._live()
        if live is None or lane not in live.lanes:
            return

        def rolled(ack: Ack) -> None:
            if ack.error:
                self.tell("warning", ack.error)
                return
            self._journal(ack.entry)
            if ack.entry is not None:
                # The model of the row before was not rolled back yet.
                before = max(ack.entry.position - 1, live.train_rows)
                self._remember(
                    f"Roll {lane} back",
                    lambda: self._roll_back(lane, before),
                    lambda: self._roll_back(lane, to),
                )

        self._ask_rollback(lane, to, rolled)

    def _roll_back(self, lane: str, to: int) -> None:
        def rolled(ack: Ack) -> None:
            if ack.error:
                self.tell("warning", ack.error)
            self._journal(ack.entry)

        if self._live() is not None:
            self._ask_rollback(lane, to, rolled)

    def _ask_rollback(self, lane: str, to: int, then: Callable[[Ack], None]) -> None:
        """Send it; while the engine is at it, it is a job that can be cancelled."""

        def answered(ack: Ack) -> None:
            job = self.jobs.get(number)
            if job is not None:
                self._end_job(job, "done")
            then(ack)

        number = self.send(Rollback(lane=lane, to=to), answered)
        if number >= 0:
            self.jobs[number] = Job(number, "rollback", f"Rolling {lane} back")
            self.topics.publish("jobs")

    # ------------------------------------------------------------------ quarantine

    def read_quarantine(
        self,
        lane: str,
        start: int,
        stop: int,
        callback: Callable[[QuarantinePage], object],
        *,
        save_to: str | None = None,
    ) -> Job | None:
        """Ask for rows that a lane's guard kept back; `save_to` also writes all as CSV."""
        if self._live() is None:
            return None
        command = ReadQuarantine(lane=lane, start=start, stop=stop, save_to=save_to)

        def read(result: dict[str, Any]) -> None:
            callback(struct_of(QuarantinePage, result))

        return self.start_job(
            command,
            "quarantine",
            f"Reading what {lane} kept back",
            quiet=save_to is None,
            on_done=read,
        )
