"""A rollback by hand in pieces: what is answered meanwhile, what waits, and giving it up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modellab.experiment import Experiment, Fault, Intervention, replace
from modellab.replay import rollbacks
from modellab.replay.player import GIVEN_UP, Player
from modellab.replay.protocol import Fork, Intervene, Pause, Rollback, Step
from modellab.replay.replay import Replay
from modellab.replay.run import open_data
from modellab.replay.session_folder import SessionFolder


class Answers:
    """Takes what the player says, in order."""

    def __init__(self) -> None:
        self.acks: list[tuple[int, int, str | None, Intervention | None]] = []

    def send(self, reply: Any) -> None:
        """Telemetry, which nobody looks at here."""

    def ack(
        self,
        number: int,
        position: int = 0,
        error: str | None = None,
        entry: Intervention | None = None,
        fault: Fault | None = None,
    ) -> None:
        del fault
        self.acks.append((number, position, error, entry))


@pytest.fixture
def replay(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Replay]:
    """At row 2,300, and pieces of ten rows, so that there are many."""
    monkeypatch.setattr(rollbacks, "_FIRST", 10)
    monkeypatch.setattr(rollbacks, "_PIECE", 10)
    lanes = [lane for lane in experiment.lane if lane.name != "Retrained"]
    made = Replay(
        replace(experiment, lane=lanes), open_data(experiment, tmp_path), session_dir=tmp_path / "s"
    )
    made.prepare()
    made.advance(2300)
    yield made
    made.close()


def player_of(replay: Replay, folder: Path) -> tuple[Player, Answers]:
    answers = Answers()
    player = Player(answers)  # type: ignore[arg-type]
    player.replay, player._folder = replay, SessionFolder(folder)
    return player, answers


def work(player: Player, pieces: int | None = None) -> int:
    """Let the player work, on this thread, until nothing is left to do (or so many times)."""
    done = 0
    while pieces is None or done < pieces:
        if not player._inbox and player._rolling is None and not player._playing:
            return done
        task = player._next_work()
        if task is not None:
            player._work(*task)
        elif player._rolling is not None:
            player._roll_on(player._rolling)
        else:
            player._slice()
        done += 1
    return done


def test_commands_are_answered_while_a_lane_is_rolled_back(replay: Replay, tmp_path: Path) -> None:
    whole = Replay(replay.experiment, replay.store, session_dir=tmp_path / "whole")
    whole.prepare()
    whole.advance(2300)
    whole.intervene("Online", {"learning_rate": 0.2})
    expected = whole.rollback("Online", 2200)
    whole.fork("Online", "Other")
    whole.advance(2310)

    player, answers = player_of(replay, tmp_path / "journal")
    player.take(Rollback(id=1, lane="Online", to=2200))
    work(player, 3)
    assert player._rolling is not None
    player.take(Fork(id=2, lane="Online", name="Other"))
    player.take(Intervene(id=3, lane="Online", set={"learning_rate": 0.2}))
    player.take(Step(id=4, rows=5))
    player.take(Pause(id=5))
    player.take(Step(id=6, rows=10))
    work(player, 6)
    assert [number for number, *_ in answers.acks] == [3, 4, 5, 6]  # long before it is done
    assert player._rolling is not None
    assert replay.position == 2300
    work(player)
    assert [number for number, *_ in answers.acks] == [3, 4, 5, 6, 1, 2]
    by_number = {number: rest for number, *rest in answers.acks}
    assert by_number[1] == [2300, None, expected]
    assert [error for _, error, _ in by_number.values()] == [None] * 6
    assert replay.position == 2310
    assert [e for e in replay.journal if e.lane == "Online"] == [
        e for e in whole.journal if e.lane == "Online"
    ]
    assert replay.lanes()["Online"].counters["rollbacks"] == 1
    for name in ("Online", "Other"):
        mine, theirs = (r.ask_host(name, "state", name)["learner"] for r in (replay, whole))
        assert mine == theirs
    whole.close()


def test_a_rollback_is_given_up(replay: Replay, tmp_path: Path) -> None:
    player, answers = player_of(replay, tmp_path / "journal")
    before = replay.ask_host("Online", "state", "Online")["learner"]
    player.take(Rollback(id=1, lane="Online", to=2250))
    work(player, 4)
    player.take(Fork(id=2, lane="Online", name="Other"))
    player.give_up(7)  # another command's
    work(player, 2)
    assert answers.acks == []
    player.give_up(1)
    work(player)
    assert [(number, error) for number, _, error, _ in answers.acks] == [(1, GIVEN_UP), (2, None)]
    assert replay.ask_host("Online", "state", "Online")["learner"] == before
    assert replay.lanes()["Online"].counters["rollbacks"] == 0
    assert [e.fork for e in replay.journal] == ["Other"]
    # Another one is done all the same; a new deployment gives it up.
    player.take(Rollback(id=3, lane="Online", to=2250))
    work(player)
    assert answers.acks[-1][2] is None
    player.take(Rollback(id=4, lane="Static", to=2250))
    work(player, 2)
    player.make_way()
    work(player)
    assert answers.acks[-1][0::2] == (4, GIVEN_UP)


def test_what_cannot_be_rolled_back_is_refused(replay: Replay, tmp_path: Path) -> None:
    player, answers = player_of(replay, tmp_path / "journal")
    for number, (lane, to) in enumerate(
        [("Online", 2300), ("Online", 5), ("No such lane", 2100), ("No change", 2100)]
    ):
        player.take(Rollback(id=number, lane=lane, to=to))
    work(player)
    assert all(error and entry is None for _, _, error, entry in answers.acks)
    assert len(answers.acks) == 4
    assert player._rolling is None
