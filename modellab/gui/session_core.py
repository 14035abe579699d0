"""The session's ground floor: the engine process, commands and their answers, jobs, messages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from modellab.gui.session_jobs import Job
from modellab.gui.session_topics import Message, Topics
from modellab.replay.growing_protocol import RowsReady
from modellab.replay.protocol import (
    Ack,
    CancelJob,
    Command,
    JobDone,
    JobFailed,
    JobProgress,
    Telemetry,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DEATHS_ALLOWED = 3
DEATHS_WITHIN_SECONDS = 60.0

T = TypeVar("T")

NO_ENGINE = "The engine is not running. Choose Run, Start the engine again."


class Client(Protocol):
    """What the session needs of `modellab.replay.client.EngineClient`."""

    @property
    def alive(self) -> bool:
        """Whether the engine process runs."""
        ...

    def start(self) -> None:
        """Start the engine process."""
        ...

    def send(self, command: Command) -> int:
        """Send a command; returns its id."""
        ...

    def poll(self) -> list[Any]:
        """Return the replies since the last call."""
        ...

    def next_telemetry(self) -> Telemetry | None:
        """Return the oldest telemetry that was not returned yet."""
        ...

    def stop(self) -> None:
        """End the engine."""
        ...


class SessionCore:
    """Talks to one engine at a time; starts another when it dies."""

    def __init__(self, client_factory: Callable[[], Client] | None = None) -> None:
        self._client_factory = client_factory or _engine_client
        self._client: Client | None = None
        self._acks: dict[int, Callable[[Ack], None]] = {}
        self._deaths: list[float] = []
        self._unfinished: Job | None = None
        self.topics = Topics()
        self.jobs: dict[int, Job] = {}
        self.engine_state: str = "not started"
        """``not started``, ``ready``, ``restarting`` or ``down``."""
        self.last_message: Message | None = None

    # ------------------------------------------------------------------ listening

    def subscribe(self, topic: str, callback: Callable[..., object]) -> Callable[[], None]:
        """Call `callback` at every change of `topic`; returns what ends the subscription.

        Topics: ``data``, ``profile``, ``experiment``, ``trainings``, ``jobs``, ``deployment``
        (structure), ``telemetry`` (numbers), ``verdict``, ``engine``, ``message``. Callbacks take
        no argument, those of ``message`` take a `Message`.
        """
        return self.topics.subscribe(topic, callback)

    def tell(
        self,
        kind: str,
        text: str,
        *,
        detail: str = "",
        action: str = "",
        run: Callable[[], object] | None = None,
    ) -> None:
        """Send a message to the person."""
        self.last_message = Message(kind, text, detail, action, run)  # type: ignore[arg-type]
        self.topics.publish("message", self.last_message)

    # ------------------------------------------------------------------ engine

    @property
    def engine_alive(self) -> bool:
        """Whether an engine process runs."""
        return self._client is not None and self._client.alive

    def start_engine(self) -> None:
        """Start the engine if it does not run: the window calls this after its first paint."""
        if self.engine_alive:
            return
        client = self._client_factory()
        client.start()
        self._client = client
        self._set_engine("ready")

    def restart_engine(self) -> None:
        """Start anew after the engine died too often; begins where the session was."""
        self._deaths.clear()
        self._revive()

    def stop_engine(self) -> None:
        """End the engine: the window calls this when it closes."""
        client, self._client = self._client, None
        if client is not None:
            client.stop()
        self._set_engine("not started")

    def _set_engine(self, state: str) -> None:
        if state != self.engine_state:
            self.engine_state = state
            self.topics.publish("engine")

    def _engine_died(self, reason: str) -> None:
        gone, self._client = self._client, None
        if gone is not None:
            gone.stop()  # closes what is left of its pipes
        now = time.monotonic()
        self._deaths = [t for t in self._deaths if now - t < DEATHS_WITHIN_SECONDS] + [now]
        self._acks.clear()
        for job in [j for j in self.jobs.values() if j.running]:
            if job.again is not None:
                self._unfinished = job
            # Quietly: what stopped is told once, when the new engine is there.
            self._end_job(job, "cancelled")
        self._after_death()
        if len(self._deaths) > DEATHS_ALLOWED:
            self._set_engine("down")
            self.tell(
                "error",
                "The engine keeps stopping, so it was not started again. What you did is kept.",
                detail=reason,
                action="Start the engine again",
                run=self.restart_engine,
            )
            return
        self._revive(reason)

    def _revive(self, reason: str = "") -> None:
        self._set_engine("restarting")
        try:
            self.start_engine()
        except OSError as error:
            self._set_engine("down")
            self.tell(
                "error",
                "The engine cannot be started. What you did is kept.",
                detail=str(error),
                action="Start the engine again",
                run=self.restart_engine,
            )
            return
        self._after_revival(reason)

    def _after_death(self) -> None:
        """Mark what was lost; overridden."""

    def _after_revival(self, reason: str) -> None:
        """Bring the new engine to where the old one was; overridden."""

    def _revived(self) -> tuple[str, str, Callable[[], object] | None]:
        """Return what to say of a new engine, and the way to what the old one left unfinished."""
        job, self._unfinished = self._unfinished, None
        if job is None:
            return "The engine stopped and was started again.", "", None
        at = job.title[:1].lower() + job.title[1:]
        text = f"The engine stopped while {at} and was started again."
        return text, "Try again", job.again

    # ------------------------------------------------------------------ commands and jobs

    def send(self, command: Command, on_ack: Callable[[Ack], None] | None = None) -> int:
        """Send a command (starting the engine if need be) and return its id.

        A refusal is told to the person unless `on_ack` deals with it.
        """
        if self.engine_state == "down":
            self.tell(
                "warning",
                NO_ENGINE,
                action="Start the engine again",
                run=self.restart_engine,
            )
            return -1
        self.start_engine()
        assert self._client is not None
        number = self._client.send(command)
        self._acks[number] = on_ack or self._plain_ack
        return number

    def _plain_ack(self, ack: Ack) -> None:
        if ack.error:
            self.tell("warning", ack.error)

    def start_job(
        self,
        command: Command,
        kind: str,
        title: str,
        *,
        quiet: bool = False,
        on_done: Callable[[dict[str, Any]], None] | None = None,
        on_failed: Callable[[str, str, bool], None] | None = None,
    ) -> Job:
        """Send a command that starts a job.

        `on_failed` gets sentence, detail and whether it was cancelled; without it a failure is told
        to the person as an error.
        """
        number = self.send(command, lambda ack: self._job_ack(number, ack))
        job = Job(number, kind, title, quiet, on_done=on_done, on_failed=on_failed)
        if number < 0:
            job.state = "failed"
            if on_failed is not None:
                on_failed(NO_ENGINE, "", False)
            return job
        self.jobs[number] = job
        if not quiet:
            self.topics.publish("jobs")
        return job

    def job_of(self, *kinds: str) -> Job | None:
        """The running job of one of these kinds, newest first; None when there is none."""
        for job in reversed(self.jobs.values()):
            if job.running and job.kind in kinds:
                return job
        return None

    @property
    def awaits_data(self) -> bool:
        """Whether data are being read of which nothing can be used yet."""
        return any(j.running and j.kind == "open" and not j.usable for j in self.jobs.values())

    @property
    def running_jobs(self) -> list[Job]:
        """Jobs that go on and are shown."""
        return [j for j in self.jobs.values() if j.running and not j.quiet]

    def cancel(self, job: Job | int) -> None:
        """Ask the engine to give up a job (no effect once it has ended)."""
        found = self.jobs.get(job if isinstance(job, int) else job.id)
        if found is None or not found.running or found.cancelling:
            return
        found.cancelling = True
        self.send(CancelJob(job=found.id))
        self.topics.publish("jobs")

    def _job_ack(self, number: int, ack: Ack) -> None:
        job = self.jobs.get(number)
        if job is None:
            return
        job.position = ack.position
        if ack.error and job.running:
            self._end_job(job, "failed", ack.error)

    def _end_job(self, job: Job, state: str, sentence: str = "", detail: str = "") -> None:
        job.state = state  # type: ignore[assignment]
        job.sentence = sentence
        # Ended jobs are not kept: what they gave is elsewhere.
        self.jobs.pop(job.id, None)
        if not job.quiet:
            self.topics.publish("jobs")
        if state == "done":
            return
        if job.on_failed is not None:
            job.on_failed(sentence, detail, state == "cancelled")
        elif state == "failed":
            self.tell("error", sentence, detail=detail)

    # ------------------------------------------------------------------ pulling

    def pump(self) -> bool:
        """Take what the engine sent (the window's timer calls this); whether there was anything."""
        if self._client is None:
            return False
        client = self._client
        with self.topics.batch():
            replies = client.poll()
            for reply in replies:
                self._take(reply)
            if self._client is not client:
                return True
            told = False
            while (telemetry := client.next_telemetry()) is not None:
                self._take_telemetry(telemetry)
                told = True
        return bool(replies) or told

    def _take(self, reply: Any) -> None:
        if isinstance(reply, Ack):
            act = self._acks.pop(reply.id, None)
            if act is not None:
                act(reply)
        elif isinstance(reply, JobProgress):
            job = self.jobs.get(reply.id)
            if job is not None:
                job.done, job.total, job.text = reply.done, reply.total, reply.text
                if not job.quiet:
                    self.topics.publish("jobs")
        elif isinstance(reply, RowsReady):
            job = self.jobs.get(reply.id)
            if job is not None and job.on_news is not None:
                job.on_news(reply)
        elif isinstance(reply, JobDone):
            job = self.jobs.get(reply.id)
            if job is not None:
                job.done = job.total
                self._end_job(job, "done")
                if job.on_done is not None:
                    job.on_done(reply.result)
        elif isinstance(reply, JobFailed):
            job = self.jobs.get(reply.id)
            if job is not None:
                state = "cancelled" if reply.cancelled else "failed"
                self._end_job(job, state, reply.sentence, reply.detail)
        else:  # EngineDied, known by its name so that the client need not be imported here
            self._engine_died(str(getattr(reply, "reason", "") or ""))

    def _take_telemetry(self, telemetry: Telemetry) -> None:
        """Overridden by the replay part."""


def struct_of(kind: type[T], result: dict[str, Any]) -> T:
    """Return a job's result as the struct that its command's docstring names."""
    return msgspec.convert(result, kind)


def _engine_client() -> Client:
    from modellab.replay.client import EngineClient

    return EngineClient()
