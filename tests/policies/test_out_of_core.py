"""Out of core: chunks in a seeded order, and how much that order matters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from policy_bench import LINEAR, Bench, events, lane, play, slow, steady

from modellab.experiment import OnlinePolicy, OutOfCorePolicy
from modellab.policies.online import Online
from modellab.policies.out_of_core import OutOfCore, chunk_order

ROWS, TRAIN = 3000, 1000


class Noted(Bench):
    """Notes in which order chunks were taken."""

    def fit_chunks(self, learner: Any, start: int, stop: int, *more: Any) -> int:
        chunk_rows, passes, order = more
        count = -(-(stop - start) // chunk_rows)
        taken = [list(range(count) if order is None else order(p, count)) for p in range(passes)]
        self.__dict__.setdefault("orders", []).append((stop, taken))
        return super().fit_chunks(learner, start, stop, *more)


def test_each_pass_has_an_order_of_its_own_and_the_seed_gives_it() -> None:
    order = chunk_order(3, 0)
    first, second = order(0, 40), order(1, 40)
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second
    assert chunk_order(3, 0)(0, 40) == first
    assert chunk_order(4, 0)(0, 40) != first
    assert chunk_order(3, 1)(0, 40) != first


def test_the_first_training_goes_through_the_chunks_so_many_times() -> None:
    bench: Any = Noted(*steady(ROWS), TRAIN, LINEAR)
    lane(bench, OutOfCorePolicy(passes=3, chunk_rows=150))
    ((stop, taken),) = bench.orders
    assert stop == TRAIN
    assert taken == [list(chunk_order(bench.seed, 0)(p, 7)) for p in range(3)]
    bench = Noted(*steady(ROWS), TRAIN, LINEAR)
    lane(bench, OutOfCorePolicy(passes=2, chunk_rows=150, shuffle=False))
    assert bench.orders[0][1] == [list(range(7))] * 2


def test_then_it_learns_on_as_the_online_policy_does() -> None:
    bench = Bench(*slow(ROWS, 2.0), TRAIN, LINEAR)
    made = lane(bench, OutOfCorePolicy(chunk_rows=150, every=4, batch=2))
    online = Online(OnlinePolicy(every=4, batch=2), made.learner, bench)  # type: ignore[arg-type]
    online.learner = bench.build()
    online.learner.load_state(made.learner.state())
    assert play(made, TRAIN, ROWS).tolist() == play(online, TRAIN, ROWS).tolist()
    assert made.counters.updates == online.counters.updates == (ROWS - TRAIN) // 2
    made.set("frozen", True)
    assert made.settings() == {"batch": 2, "every": 4, "frozen": True}


def test_or_it_stays_as_it_is() -> None:
    bench = Bench(*slow(ROWS, 2.0), TRAIN, LINEAR)
    made = lane(bench, OutOfCorePolicy(chunk_rows=150, then="static"))
    before = made.learner.state()
    play(made, TRAIN, ROWS)
    assert made.learner.state() == before
    assert made.counters.updates == 0
    assert made.trained_to == TRAIN


def test_how_much_the_order_of_chunks_matters_is_told() -> None:
    # The concept turns within the training window: the chunk that comes last wins.
    bench: Any = Noted(*slow(ROWS, 4.0), TRAIN, LINEAR, test_rows=200)
    made = lane(bench, OutOfCorePolicy(chunk_rows=100, orders=4))
    (told,) = events(made, "warning")
    assert told.position == TRAIN
    errors = told.values["test_errors"]
    assert len(errors) == 5
    assert told.values["spread"] == max(errors) - min(errors) > 0.0
    assert told.text.startswith(f"Chunk order: test error {errors[0]:.4g} in the order used")
    assert [stop for stop, _ in bench.orders] == [800] * 5 + [1000]
    assert len({str(taken) for stop, taken in bench.orders if stop == 800}) == 5
    again = events(lane(bench, OutOfCorePolicy(chunk_rows=100, orders=4)), "warning")
    assert again == [told]


def test_without_a_test_part_that_is_told_instead() -> None:
    made = lane(Bench(*steady(ROWS), TRAIN, LINEAR), OutOfCorePolicy(chunk_rows=100, orders=2))
    (told,) = events(made, "warning")
    assert told.text == "The order of chunks was not tried: the training window has no test part."


@pytest.mark.parametrize("then", ["online", "static"])
def test_after_a_cold_start_there_is_nothing_to_go_through(then: Any) -> None:
    bench = Bench(*steady(ROWS), 0, LINEAR)
    made = lane(bench, OutOfCorePolicy(then=then, orders=2))
    assert isinstance(made, OutOfCore)
    assert made.has_model == (then == "online")
    answers = play(made, 0, 200)
    assert (set(answers) == {-1}) == (then == "static")
    assert not np.isnan(answers).any()
