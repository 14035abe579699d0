"""The engine process: reads the window's commands and sees to it that each is answered once.

Three kinds of threads: this one reads commands; the player owns the replay; jobs have a few threads
of their own. The process ends when its input closes, whatever it is doing.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import msgspec

from modellab.errors import LabError
from modellab.replay.data_protocol import COMMANDS as DATA
from modellab.replay.engine_jobs import Jobs
from modellab.replay.engine_out import Job, Outbox
from modellab.replay.engine_verdict import COMMANDS as VERDICTS
from modellab.replay.growing_protocol import COMMANDS as GROWING
from modellab.replay.player import Player
from modellab.replay.process import frame_streams, give_way, talk_quickly
from modellab.replay.protocol import (
    AddLane,
    AnyCommand,
    CancelJob,
    Deploy,
    OpenData,
    ProfileData,
    ReadBadRows,
    ReadRows,
    Ready,
    RemoveFault,
    Seek,
    Shutdown,
    TrainModel,
    WriteResults,
    read_command,
)

if TYPE_CHECKING:
    from modellab.replay.services import Services

_JOBS = (
    OpenData,
    ProfileData,
    ReadRows,
    ReadBadRows,
    TrainModel,
    Deploy,
    WriteResults,
    *VERDICTS,
    *DATA,
    *GROWING,
)


class Engine:
    """Hands commands to the player and to the jobs.

    Parameters
    ----------
    outbox
        Where answers go.
    services
        What the rooms above do.
    """

    def __init__(self, outbox: Outbox, services: Services) -> None:
        self._out = outbox
        self._player = Player(outbox)
        self._jobs = Jobs(self._player, services, outbox)
        self._running: dict[int, Job] = {}
        self._player.thread.start()

    def take(self, command: AnyCommand) -> None:
        """Deal with one command."""
        if isinstance(command, Ready):
            self._player.ready(command)
        elif isinstance(command, CancelJob):
            job = self._running.get(command.job)
            if job is not None:
                job.cancel()
            else:
                self._player.give_up(command.job)
            self._out.ack(command.id, self._player.position)
        elif isinstance(command, _JOBS):
            self._out.ack(command.id, self._player.position)
            if isinstance(command, Deploy):
                self._player.make_way()
            self._jobs.start(command, self._new_job(command.id))
        elif isinstance(command, Seek | AddLane | RemoveFault):
            job = self._new_job(command.id)
            # A lane half added is taken out again before the answer goes.
            job.at_once = False
            self._player.take(command, job)
        else:
            self._player.take(command)

    def _new_job(self, number: int) -> Job:
        job = Job(number, self._out, self._forget)
        self._running[number] = job
        return job

    def _forget(self, number: int) -> None:
        self._running.pop(number, None)


def main(services: Services) -> int:
    """Serve the window until it goes away (``--worker engine``)."""
    give_way()
    talk_quickly()
    reader, writer = frame_streams()
    outbox = Outbox(writer)
    engine = Engine(outbox, services)
    try:
        while (command := read_command(reader)) is not None:
            if isinstance(command, Shutdown):
                outbox.ack(command.id)
                break
            engine.take(command)
    except (LabError, msgspec.DecodeError) as error:
        print(f"The window sent something that cannot be understood: {error}", file=sys.stderr)  # noqa: T201
        _end(2)
    _end(0)
    return 0


def _end(status: int) -> None:
    """End now, in the middle of whatever other threads do: all that must last is on disk."""
    sys.stderr.flush()
    os._exit(status)
