"""Work beside a lane: in its order, one piece at a time, whatever the pool does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from modellab.replay.beside import Beside, Errand


def test_work_of_each_is_done_in_its_order_on_few_threads() -> None:
    done: dict[int, list[int]] = {k: [] for k in range(5)}
    at_once = {k: threading.Lock() for k in done}

    def piece(k: int, i: int) -> None:
        assert at_once[k].acquire(blocking=False)  # never two of the same
        done[k].append(i)
        at_once[k].release()

    with ThreadPoolExecutor(2) as pool:
        beside = [Beside(pool) for _ in done]

        def bring(k: int) -> None:  # from the pool itself, as lanes do
            for i in range(200):
                beside[k].do(lambda i=i: piece(k, i))  # type: ignore[misc]

        for bringing in [pool.submit(bring, k) for k in done]:
            bringing.result()
        for one in beside:
            one.finish()
    assert all(pieces == list(range(200)) for pieces in done.values())


def test_what_goes_wrong_is_raised_and_what_follows_is_left_out() -> None:
    done: list[str] = []

    def broken() -> None:
        raise ValueError("this piece is broken")

    with ThreadPoolExecutor(1) as pool:
        one = Beside(pool)
        one.do(broken)
        one.do(lambda: done.append("after"))
        with pytest.raises(ValueError, match="this piece is broken"):
            one.finish()
        one.do(lambda: done.append("later"))
        one.finish()
    assert done == ["later"]


def test_a_pool_that_is_busy_does_not_hold_it_up() -> None:
    """Whoever brings more than may wait does it himself, so nothing waits for a thread in vain."""
    gate = threading.Event()
    done: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        pool.submit(gate.wait)
        one = Beside(pool)
        for i in range(10):
            one.do(lambda i=i: done.append(i))  # type: ignore[misc]
        one.finish()
        assert done == list(range(10))
        gate.set()


def test_an_errand_is_done_once_by_whoever_comes_first() -> None:
    gate = threading.Event()
    done: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        pool.submit(gate.wait)
        mine = Errand(lambda: done.append(1))
        pool.submit(mine.run)
        assert not mine.done
        mine.finish()  # the pool has no time for it
        assert mine.done
        gate.set()
        theirs = Errand(lambda: done.append(2))
        pool.submit(theirs.run).result()
        theirs.finish()
    assert done == [1, 2]


def test_who_waits_for_an_errand_hears_what_went_wrong() -> None:
    def broken() -> None:
        raise ValueError("this errand is broken")

    with ThreadPoolExecutor(1) as pool:
        errand = Errand(broken)
        pool.submit(errand.run).result()  # the pool's thread goes on
        for _ in range(2):
            with pytest.raises(ValueError, match="this errand is broken"):
                errand.finish()
