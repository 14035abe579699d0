"""Models of earlier positions, for rollbacks by hand.

What a model was at a position is what it was on arrival there: before journal entries of that
position, and before its row was predicted. A replay that knows of a rollback in advance sets the
model aside when it passes (`LaneRunner.pins`); else the lane is replayed up to there once more,
beside the others, from the newest checkpoint. That is done in pieces of a few hundredths of a
second, so that whoever drives it can do other things in between, or give it up.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from modellab.errors import ExperimentError
from modellab.learners.base import Progress, no_progress
from modellab.replay.pins import pack_pin, pin_key, pins_of, policy_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import TypeVar

    from modellab.experiment import Intervention
    from modellab.replay.replay import Replay

    Told = tuple[float, float, str]
    Found = TypeVar("Found")

_PIECE = 4096
_FIRST = 64
_SECONDS = 0.03


def wanted(journal: Sequence[Intervention], lane: str) -> list[int]:
    """Positions at which a lane's model must be set aside: for its rollbacks and its forks'.

    A fork's past up to where it was forked is its parent's.
    """
    found = {e.rollback for e in journal if e.lane == lane and e.rollback is not None}
    for made in journal:
        if made.lane == lane and made.fork is not None:
            found.update(to for to in wanted(journal, made.fork) if to <= made.position)
    return sorted(found)


def pin_at(replay: Replay, lane: str, to: int, progress: Progress = no_progress) -> bytes:
    """Give the model that `lane` had when it came to `to` (see `LaneRunner.roll_back`).

    Raises
    ------
    ExperimentError
        If there is no checkpoint before `to`.
    """
    return drive(pin_steps(replay, lane, to), progress)


def pin_steps(replay: Replay, lane: str, to: int) -> Generator[Told, None, bytes]:
    """Do `pin_at` in pieces: yields how far it is, returns the model.

    Between two pieces nothing may change the past of the replay, or use its shadow.
    """
    state = yield from _state_at(replay, lane, to, 0)
    return pack_pin(state["learner"], policy_of(state))


def drive(steps: Generator[Told, None, Found], progress: Progress = no_progress) -> Found:
    """Do all pieces and return the result."""
    while True:
        try:
            progress(*next(steps))
        except StopIteration as end:
            found: Found = end.value
            return found


def complete(
    replay: Replay,
    lane: str,
    blobs: dict[str, bytes],
    at: int,
    until: int | None = None,
    progress: Progress = no_progress,
) -> dict[str, bytes]:
    """Add to a lane's state at position `at` the models that rollbacks from there on want.

    Those of later positions the lane will set aside itself. `until`: what is done after this
    position does not matter (None: everything does).
    """
    return drive(_complete(replay, lane, blobs, at, until), progress)


def _complete(
    replay: Replay, lane: str, blobs: dict[str, bytes], at: int, until: int | None
) -> Generator[Told, None, dict[str, bytes]]:
    there = pins_of(blobs)
    for to in wanted(replay.journal, lane):
        if to <= at and to not in there and _needed(replay, lane, to, at, until):
            pin = yield from pin_steps(replay, lane, to)
            blobs = {**blobs, pin_key(to): pin}
    return blobs


def _needed(replay: Replay, lane: str, to: int, at: int, until: int | None) -> bool:
    """Whether a rollback to `to` comes in [at, until], in the lane or in a fork made there."""
    for made in replay.journal:
        if made.lane != lane or made.position < at:
            continue
        if until is not None and made.position > until:
            continue
        if made.rollback == to:
            return True
        if made.fork is not None and to in wanted(replay.journal, made.fork):
            return True
    return False


def _state_at(
    replay: Replay, lane: str, to: int, settled: int
) -> Generator[Told, None, dict[str, bytes]]:
    """State of a lane on arrival at `to`, with its first `settled` journal entries applied."""
    made = replay.forked.get(lane)
    if made is not None and to <= made.position and not settled:
        found = yield from _state_at(replay, made.lane, to, 0)
        return found
    store = replay.checkpoints
    if store is None:
        raise ExperimentError("This replay keeps no checkpoints, so it can't go back.")
    point = store.holding(to - 1 if to > replay.train_rows else to, [lane])
    if point is not None:
        at, whole = point.position, True
        until = to if settled else to - 1
        blobs = yield from _complete(replay, lane, store.blobs(point, lane), at, until)
    elif made is not None:
        at, whole = made.position, False
        before = replay.entries_before(made)
        blobs = yield from _state_at(replay, made.lane, at, before)
    else:
        raise ExperimentError("There is no checkpoint to go back to.")
    replay.shadow(lane, blobs, whole=whole)
    begin, rows = at, _FIRST
    while at < to:
        started = time.monotonic()
        at = min(at + rows, to)
        replay.ask_host(lane, "shadow_to", at)
        if time.monotonic() - started < _SECONDS:  # the pieces change no number
            rows = min(2 * rows, _PIECE)
        else:
            rows = max(rows // 2, 1)
        yield at - begin, to - begin, f"Replaying {lane} up to row {to:,}"
    state: dict[str, bytes] = replay.ask_host(lane, "shadow_state", settled)
    return state


__all__ = ["complete", "drive", "pin_at", "pin_steps", "wanted"]
