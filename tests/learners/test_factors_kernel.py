"""Matrix factorisation against river, row by row, however the rows are cut."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from modellab.data.task import Task
from modellab.errors import LearnerError
from modellab.learners.base import Inputs, Learner
from modellab.learners.catalogue import CATALOGUE

USERS, ITEMS = 9, 7
KIND = "compiled_matrix_factorisation"


def made(codes: tuple[int, ...] = (0, USERS, ITEMS), **params: Any) -> Any:
    names = tuple(f"x{i}" for i in range(len(codes)))
    return CATALOGUE[KIND].build(Inputs(names, Task("regression", (), "y"), 3, None, codes), params)


def ratings(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    user, item = rng.integers(0, USERS, n), rng.integers(0, ITEMS, n)
    p, q = rng.normal(size=(USERS, 2)), rng.normal(size=(ITEMS, 2))
    y = 3 + p[user, 0] + (p[user] * q[item]).sum(axis=1) + rng.normal(size=n) * 0.2
    rows = np.column_stack([rng.normal(size=n), user, item]).astype(np.float64)
    return rows, y


def ran(learner: Any, rows: np.ndarray, y: np.ndarray, cuts: tuple[int, ...] = ()) -> np.ndarray:
    found = []
    for start, stop in itertools.pairwise((0, *cuts, len(y))):
        part, upto = rows[start:stop], np.arange(1, stop - start + 1)
        found.append(learner.run(part, part, y[start:stop], upto, 1, 1, False)[0].value)
    return np.concatenate(found)


@pytest.mark.parametrize("clip", [1e12, 0.5])
def test_it_equals_river(clip: float) -> None:
    from river import optim, reco

    rows, y = ratings()
    learner = made(n_factors=4, l2=0.03, l2_bias=0.01, learning_rate=0.02, clip=clip)
    found = ran(learner, rows, y)
    model = reco.BiasedMF(
        n_factors=4,
        bias_optimizer=optim.SGD(0.02),
        latent_optimizer=optim.SGD(0.02),
        l2_bias=0.01,
        l2_latent=0.03,
        clip_gradient=clip,
    )
    # River draws its factors when it first meets a user or item: give it those drawn here.
    first = made(n_factors=4)
    for table, into, n in zip(
        first._core.tables(), (model.u_latents, model.i_latents), (USERS, ITEMS), strict=True
    ):
        for code, row in enumerate(np.frombuffer(table).reshape(n, 5)):
            assert row[0] == 0.0
            into[code] = row[1:].copy()
    for i, (row, value) in enumerate(zip(rows, y.tolist(), strict=True)):
        user, item = int(row[1]), int(row[2])
        if i:  # before its first row river's answer is no float
            assert found[i] == pytest.approx(model.predict_one(user, item), rel=1e-9), i
        model.learn_one(user, item, value)
    assert np.abs(found[200:] - y[200:]).mean() < np.abs(y[200:] - y.mean()).mean()


def test_any_cut_and_any_restart_gives_the_same_bits() -> None:
    rows, y = ratings()
    rows[5, 1], rows[6, 2], rows[7, 1] = -1.0, np.nan, 1e6  # unseen, missing, beyond
    y[30] = np.nan
    whole = made()
    found = ran(whole, rows, y)
    assert np.isfinite(found).all()
    assert whole.skipped == 1
    pieces = made()
    assert ran(pieces, rows, y, (1, 10, 10, 333)).tobytes() == found.tobytes()
    assert pieces.state() == whole.state()
    half, rest = made(), made()
    ran(half, rows[:100], y[:100])
    rest.load_state(half.state())
    assert ran(rest, rows[100:], y[100:]).tobytes() == found[100:].tobytes()
    assert made(n_factors=3).size_bytes() == (USERS + ITEMS) * 4 * 8


def test_an_unknown_side_adds_nothing() -> None:
    rows, y = ratings()
    both = made(n_factors=0, learning_rate=0.05)
    ran(both, rows, y)
    stranger = np.array([[0.0, -1.0, -1.0]])
    assert both.predict(stranger).value[0] == pytest.approx(y.mean())
    # Without categories what is left is the running mean.
    numbers: Learner = made(codes=(0, 0, 0))
    numbers.learn(rows, y)
    assert numbers.predict(rows[:2]).value == pytest.approx([y.mean()] * 2)


def test_states_of_another_shape_are_refused() -> None:
    learner = made()
    for other in (made(n_factors=3), made((0, USERS, ITEMS + 1))):
        with pytest.raises(LearnerError, match="not the state"):
            learner.load_state(other.state())
    with pytest.raises(LearnerError, match="takes a new training"):
        learner.set("n_factors", 4)
    learner.set("learning_rate", 0.5)
    assert learner.settings()["learning_rate"] == 0.5
