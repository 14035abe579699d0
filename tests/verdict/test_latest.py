"""A change in the last rows is told as a caveat; runs and seasons are not taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from modellab.experiment import PriceSpec
from modellab.verdict.judge import judge
from modellab.verdict.latest import latest


@pytest.mark.parametrize("n", [2000, 20_000])
def test_a_drift_in_the_last_rows_is_told(make, n: int) -> None:
    late = np.arange(n) >= 0.96 * n
    static = np.where(late, make.errors(1, n, 0.6), make.errors(2, n, 0.1))
    online = np.where(late, make.errors(3, n, 0.3), make.errors(4, n, 0.12))
    lanes = [make.lane("Static", static), make.lane("Online", online, "online")]
    verdict = judge(lanes, prices=PriceSpec(), task_kind="classification")
    assert verdict.recommended == "Static"
    found = latest(lanes[0].losses)
    assert found is not None
    assert 0.045 * n < found.rows < 0.055 * n
    assert found.start + found.rows == make.start + n
    assert found.now == pytest.approx(static[-found.rows :].mean())
    assert found.before == pytest.approx(static[: -found.rows].mean())
    (told,) = [text for text in verdict.warnings if "too late" in text]
    assert told.startswith(f"In the last {found.rows:,} rows its error rate was ")
    assert "There, Online had " in told


@pytest.mark.parametrize(("persistence", "most"), [(0.0, 0.01), (0.9, 0.01), (0.99, 0.06)])
def test_without_a_change_it_is_silent(make, persistence: float, most: float) -> None:
    told = [
        latest(make.losses(make.errors(seed, 3000, 0.2, persistence))) is not None
        for seed in range(300)
    ]
    assert np.mean(told) <= most


def test_a_season_that_came_before_is_no_news(make) -> None:
    n = 20_000
    high = (np.arange(n) // 1000) % 5 == 4  # the last thousand rows are of it
    losses = np.where(high, make.errors(1, n, 0.5), make.errors(2, n, 0.2))
    assert latest(make.losses(losses)) is None
    assert latest(make.losses(losses[::-1].copy())) is None


def test_few_rows_tell_nothing(make) -> None:
    assert latest(make.losses(np.zeros(0))) is None
    assert latest(make.losses(np.concatenate([np.zeros(90), np.ones(10)]))) is None
    assert latest(make.losses(np.full(3000, np.nan))) is None
