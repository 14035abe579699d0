"""The verdict on lanes whose right answer is known."""

from __future__ import annotations

from dataclasses import replace as changed

import msgspec
import numpy as np
import pytest
from scipy import stats

from modellab.evaluation.paired import empty_losses
from modellab.experiment import (
    ChampionPolicy,
    CostAwarePolicy,
    GuardSpec,
    HindsightPolicy,
    LaneSpec,
    LearnerSpec,
    OnlinePolicy,
    OutOfCorePolicy,
    PriceSpec,
    ScheduledPolicy,
    StaticPolicy,
    TriggeredPolicy,
)
from modellab.verdict.evidence import KnownDrifts, upkeep_rank
from modellab.verdict.judge import judge
from modellab.verdict.values import Hindsight, Verdict

ONE = PriceSpec()


def _classes(lanes, prices=ONE, **more) -> Verdict:
    return judge(lanes, prices=prices, task_kind="classification", **more)


def _row(verdict: Verdict, name: str):
    return next(row for row in verdict.lanes if row.name == name)


def test_a_clear_winner_is_named_with_what_decides_it(make) -> None:
    n = 30_918
    lanes = [
        make.lane("Static", make.errors(1, n, 0.217, 0.5), cpu={"fit": 0.4}),
        make.lane(
            "Retrained", make.errors(2, n, 0.152, 0.5), "scheduled",
            cpu={"predict": 0.4, "fit": 330.0}, counters={"retrains": 15},
        ),
        make.lane(
            "Online", make.errors(3, n, 0.132, 0.5), "online",
            cpu={"learn": 10.0}, counters={"updates": n},
        ),
        make.lane("No change", make.errors(4, n, 0.147, 0.5), baseline="no_change"),
    ]  # fmt: skip
    verdict = _classes(lanes)
    assert verdict.recommended == "Online"
    assert verdict.sure == "clear"
    fewer = round(lanes[1].losses.total - lanes[2].losses.total)
    assert verdict.sentence == (
        f"Deploy Online. It made {fewer} fewer errors than Retrained, on the same 30,918 rows, "
        "at a 33rd of the compute."
    )
    assert verdict.runner_up == "Retrained"
    assert verdict.rows == n
    assert [row.name for row in verdict.lanes] == ["Online", "No change", "Retrained", "Static"]
    assert [row.outcome for row in verdict.lanes] == ["best", "worse", "worse", "worse"]
    text = " ".join(verdict.reasons)
    assert "beyond chance: p < 0.001" in text
    assert "only lane that beats the best baseline, No change (repeating the last label)" in text
    static = _row(verdict, "Static")
    assert static.p_value < 0.001
    assert static.mcnemar_p < 0.001
    assert static.difference.low > 0
    assert static.error.low < 0.217 < static.error.high
    # All of it can be written and read back.
    raw = msgspec.json.encode(verdict)
    assert msgspec.json.decode(raw, type=Verdict) == verdict


def test_equal_lanes_tie_and_the_simplest_is_recommended(make) -> None:
    n = 20_000
    lanes = [
        make.lane("Online", make.errors(1, n, 0.2), "online"),
        make.lane("Weekly", make.errors(2, n, 0.2), "scheduled"),
        make.lane("Static", make.errors(3, n, 0.2), "static"),
    ]
    verdict = _classes(lanes)
    assert (verdict.recommended, verdict.sure) == ("Static", "tie")
    assert verdict.sentence == (
        "Deploy Static. It ties with Online and Weekly: on 20,000 rows their difference is within "
        "chance, and Static needs the least upkeep of them."
    )
    without = _classes(lanes[:2])
    assert (without.recommended, without.sure) == ("Weekly", "tie")


def test_of_lanes_as_simple_that_tie_the_one_that_costs_less_is_recommended(make) -> None:
    a, b = make.errors(1, 5000, 0.2), make.errors(2, 5000, 0.2)
    lanes = [make.lane("A", a, "online"), make.lane("B", b, "online")]
    verdict = _classes(lanes)
    assert verdict.sure == "tie"
    assert verdict.recommended == ("A" if a.sum() < b.sum() else "B")
    assert "costs less, and is as simple to keep" in verdict.sentence
    # What takes more upkeep may cost less than the one that is recommended: that is not hidden.
    mixed = _classes([*lanes, make.lane("C", a, ChampionPolicy(LearnerSpec("linear")))])
    assert mixed.recommended == verdict.recommended
    assert f"of those as simple to keep, {mixed.recommended} costs less." in mixed.sentence
    same = [make.lane("A", a, "online"), make.lane("B", a, "online")]
    assert _classes(same).recommended == "A"
    assert _classes(same[::-1]).recommended == "B"


PAIRS = 200


@pytest.mark.parametrize(("n", "persistence"), [(600, 0.0), (2000, 0.9)])
def test_a_false_winner_is_named_no_more_often_than_the_level_says(make, n, persistence) -> None:
    wins = 0
    for seed in range(PAIRS):
        lanes = [
            make.lane("Static", make.errors(2 * seed, n, 0.2, persistence)),
            make.lane("Online", make.errors(2 * seed + 1, n, 0.2, persistence), "online"),
        ]
        verdict = _classes(lanes)
        wins += verdict.sure != "tie"
        if verdict.sure == "tie":
            assert verdict.recommended == "Static"
    # More would come once in a thousand such series of pairs.
    assert wins <= stats.binom.isf(0.001, PAIRS, 0.05)


def test_more_lanes_make_no_more_false_winners(make) -> None:
    wrong = 0
    for seed in range(60):
        lanes = [
            make.lane(f"{k}", make.errors(100 * seed + k, 400, 0.2), "online") for k in range(5)
        ]
        lanes[0] = changed(lanes[0], spec=LaneSpec("0", StaticPolicy(), LearnerSpec("x")))
        wrong += _classes(lanes).recommended != "0"  # all are equal: the simplest is right
    assert wrong <= stats.binom.isf(0.001, 60, 0.05)


def test_a_cost_that_disagrees_makes_no_winner(make) -> None:
    n = 10_000
    lanes = [
        make.lane("Static", make.errors(1, n, 0.25)),
        make.lane("Daily", make.errors(2, n, 0.20), "scheduled", counters={"retrains": 100}),
    ]
    free = _classes(lanes)
    assert (free.recommended, free.sure) == ("Daily", "clear")
    assert "Retrains cost nothing here: set their prices if they do." in free.warnings
    dear = _classes(lanes, PriceSpec(error=1.0, retrain=20.0))
    assert dear.recommended == "Static"
    assert dear.sure == "likely"  # it costs less for sure, though it makes more errors
    assert _row(dear, "Daily").outcome == "better"
    assert "It costs" in dear.sentence
    assert "more errors" in dear.sentence
    between = _classes(lanes, PriceSpec(error=1.0, retrain=5.0))
    assert (between.recommended, between.sure) == ("Static", "tie")


def test_no_drift_static_wins_against_lanes_that_cost_compute(make) -> None:
    n = 20_000
    values = make.errors(7, n, 0.2)
    lanes = [
        make.lane("Online", np.roll(values, 1), "online", cpu={"learn": 3600.0}),
        make.lane("Static", values, cpu={"fit": 1.0}),
    ]
    verdict = _classes(lanes, PriceSpec(error=1.0, cpu_hour=10_000.0))
    assert (verdict.recommended, verdict.sure) == ("Static", "likely")


def test_baselines_and_hindsight_are_never_recommended_and_a_better_baseline_is_told(make) -> None:
    n = 5000
    lanes = [
        make.lane("Static", make.errors(1, n, 0.30)),
        make.lane("Online", make.errors(2, n, 0.25), "online"),
        make.lane("Optimum", make.errors(3, n, 0.10), HindsightPolicy(at=[2000], searched=True)),
        make.lane("No change", make.errors(4, n, 0.12), baseline="no_change"),
    ]
    verdict = _classes(lanes)
    assert verdict.recommended == "Online"
    assert verdict.sure == "likely"
    assert verdict.sentence.startswith(
        "No lane is better than No change (repeating the last label): it made"
    )
    assert verdict.sentence.endswith("Of the lanes, Online is the one to take.")
    assert "the model is of no use" in verdict.warnings[0]
    assert not _row(verdict, "Optimum").deployable
    assert not _row(verdict, "Optimum").pareto
    assert _row(verdict, "No change").outcome == "better"


def test_nothing_is_recommended_too_early(make) -> None:
    lanes = [
        make.lane("Static", make.errors(1, 40, 0.9)),
        make.lane("Online", make.errors(2, 40, 0.1), "online"),
    ]
    verdict = _classes(lanes)
    assert (verdict.recommended, verdict.sure) == (None, "too early")
    assert "40 rows" in verdict.sentence
    assert "Online makes the fewest errors" in verdict.sentence
    nothing = [changed(lane, losses=empty_losses()) for lane in lanes]
    assert _classes(nothing).sentence == "Nothing has been replayed yet."
    assert _classes([]).recommended is None
    only = [make.lane("No change", make.errors(1, 500, 0.3), baseline="no_change")]
    assert _classes(only).sentence == "There is no lane that could be deployed: add one."


def test_one_lane_alone_is_compared_with_the_baselines(make) -> None:
    lanes = [
        make.lane("Static", make.errors(1, 3000, 0.2)),
        make.lane("Majority", make.errors(2, 3000, 0.4), baseline="majority_class"),
    ]
    verdict = _classes(lanes)
    assert (verdict.recommended, verdict.sure) == ("Static", "clear")
    assert "the only lane that could be deployed" in verdict.sentence
    assert "fewer errors than Majority" in verdict.sentence
    assert verdict.runner_up is None
    verdict = _classes(lanes[:1])
    assert verdict.sentence.endswith("It is the only lane that could be deployed.")


def test_not_to_answer_is_no_way_to_win(make) -> None:
    a = make.errors(1, 4000, 0.2)
    silent = make.errors(2, 4000, 0.3)
    silent[1000:] = np.nan
    verdict = _classes([make.lane("A", a), make.lane("Silent", silent)])
    assert verdict.recommended == "A"
    assert _row(verdict, "Silent").cost["total"] > _row(verdict, "A").cost["total"]
    assert any("Silent answered 1,000 rows of 4,000" in text for text in verdict.warnings)


def test_regression_speaks_of_absolute_errors(make) -> None:
    rng = np.random.default_rng(0)
    lanes = [
        make.lane("Static", rng.gamma(2.0, 30.0, 8000)),
        make.lane("Online", rng.gamma(2.0, 10.0, 8000), "online"),
        make.lane("Mean", rng.gamma(2.0, 50.0, 8000), baseline="running_mean"),
    ]
    verdict = judge(lanes, prices=ONE, task_kind="regression")
    assert verdict.unit == "absolute error"
    assert verdict.sentence.startswith("Deploy Online. It had a mean absolute error ")
    assert "lower than Static, on the same 8,000 rows" in verdict.sentence
    assert _row(verdict, "Static").mcnemar_p is None
    assert _row(verdict, "Static").cost["errors"] == pytest.approx(lanes[0].losses.total)


def test_lanes_on_the_pareto_front_are_marked(make) -> None:
    def lane(name: str, rate: float, retrains: int):
        values = make.errors(hash(rate) % 1000, 5000, rate)
        return make.lane(name, values, "scheduled", counters={"retrains": retrains})

    lanes = [lane("cheap", 0.3, 0), lane("good", 0.2, 10), lane("both worse", 0.31, 12)]
    verdict = _classes(lanes, PriceSpec(error=1.0, retrain=10.0))
    assert {row.name for row in verdict.lanes if row.pareto} == {"cheap", "good"}
    assert _row(verdict, "good").upkeep == 100.0
    assert _row(verdict, "good").cost["total"] == 100.0 + _row(verdict, "good").cost["errors"]


def test_what_to_beware_of_is_told(make) -> None:
    values = make.errors(1, 800, 0.1)
    lane = make.lane(
        "Online", values, "online", guard=GuardSpec(range=2.0), forgetting=0.2,
        counters={"updates": 800, "downtime_rows": 30, "quarantined": 100},
    )  # fmt: skip
    verdict = _classes([lane], sensitivity={"Online": {"label_noise": 0.034, "unit_error": 1e-4}})
    text = "\n".join(verdict.warnings)
    assert "Only 800 rows" in text
    assert (
        "Sensitive to bad data: with one label in twenty wrong, its error rate rose by 3.4 points: "
        "keep the guard." in text
    )
    assert "another unit" not in text
    assert "It forgets: on old rows it is 20.00 points worse" in text
    assert "30 rows were answered by the baseline" in text
    assert "kept 100 rows back from learning" in text
    assert _row(verdict, "Online").sensitivity["unit_error"] == 1e-4
    free = _classes([lane], PriceSpec(error=0.0))
    assert "No price is set: lanes are ranked by their errors alone." in free.warnings


def test_simplicity_is_how_much_upkeep_a_policy_needs() -> None:
    learner = LearnerSpec("logistic_regression")
    order = [
        StaticPolicy(),
        OutOfCorePolicy(then="static"),
        ScheduledPolicy(),
        TriggeredPolicy(),
        CostAwarePolicy(),
        OnlinePolicy(),
        OutOfCorePolicy(),
        TriggeredPolicy(learn=True),
        ChampionPolicy(challenger=learner),
    ]
    ranks = [upkeep_rank(LaneSpec("x", policy, learner)) for policy in order]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)
    guarded = LaneSpec("x", OnlinePolicy(), learner, GuardSpec(range=2.0))
    assert upkeep_rank(guarded) > upkeep_rank(LaneSpec("x", OnlinePolicy(), learner))
    assert upkeep_rank(LaneSpec("x", OnlinePolicy(frozen=True), learner)) == 0


def test_names_are_shown_on_one_line(make) -> None:
    lane = make.lane("a\nb" + "x" * 100, make.errors(1, 500, 0.2))
    verdict = _classes([lane])
    assert "\n" not in verdict.sentence
    assert verdict.recommended == lane.name
    assert "a b" in verdict.sentence
    assert "…" in verdict.sentence


def test_a_baseline_that_made_fewer_errors_within_chance_is_told_too(make) -> None:
    values = make.errors(1, 3000, 0.2)
    better = values.copy()
    better[np.flatnonzero(values)[:3]] = 0
    verdict = _classes(
        [make.lane("Static", values), make.lane("Last", better, baseline="no_change")]
    )  # fmt: skip
    assert verdict.sure == "likely"
    assert verdict.sentence.endswith(
        "But Last (repeating the last label) made 3 fewer errors than that, without a model."
    )
    assert "which needs no model: that made 3 fewer errors than Static." in verdict.warnings[0]


def test_a_few_seconds_of_compute_are_no_argument(make) -> None:
    """They are told where they cost something, or where they come to a minute."""
    n = 20_000

    def told(seconds: float, price: float) -> str:
        lanes = [
            make.lane("Good", make.errors(1, n, 0.1), "online", cpu={"learn": 1.0}),
            make.lane("Bad", make.errors(2, n, 0.2), "scheduled", cpu={"fit": 1.0 + seconds}),
        ]
        verdict = _classes(lanes, PriceSpec(error=1.0, cpu_hour=price))
        assert verdict.recommended == "Good"
        return verdict.sentence

    assert "compute" not in told(5.0, 0.0)
    assert "compute" in told(61.0, 0.0)
    assert "compute" not in told(61.0, 1.0)  # two hundredths, where an error costs 1
    assert "compute" in told(61.0, 10_000.0)


def test_costs_that_differ_by_measuring_are_told_as_the_same(make) -> None:
    values = make.errors(1, 5000, 0.2)
    other = values.copy()
    other[np.flatnonzero(other)[0]] = 0.0
    other[np.flatnonzero(other == 0.0)[-1]] = 1.0
    lanes = [
        make.lane("A", values, "online", cpu={"learn": 2.0}),
        make.lane("B", other, "online", cpu={"learn": 1.5}),
    ]
    verdict = _classes(lanes, PriceSpec(error=1.0, cpu_hour=1.0))
    assert verdict.sure == "tie"
    assert "they cost about the same and are as simple to keep" in verdict.sentence
    assert not [text for text in verdict.reasons if "hour of compute" in text]


@pytest.mark.parametrize("quicker", [False, True])
def test_a_fork_in_which_nothing_was_changed_wins_at_no_price(make, quicker: bool) -> None:
    n = 5000
    values = make.errors(1, n, 0.1)
    lanes = [
        make.lane("Static", make.errors(2, n, 0.3)),
        make.lane("Online", values, "online", cpu={"learn": 100.0}),
        make.lane("Fork", values, "online", cpu={"learn": 90.0 if quicker else 110.0}),
    ]
    verdict = _classes(lanes, PriceSpec(error=1.0, cpu_hour=1.0))
    assert verdict.recommended == "Online"
    named = {lane for bar in verdict.price_bars for _, _, lane in bar.segments}
    assert named == {"Static", "Online"}
    assert not [text for text in verdict.reasons if "take Fork" in text]
    # Forty errors fewer, and it is another lane.
    changed_values = values.copy()
    changed_values[np.flatnonzero(values)[:40]] = 0.0
    lanes[2] = make.lane("Fork", changed_values, "online", cpu={"learn": 90.0})
    named = {
        lane
        for bar in _classes(lanes, PriceSpec(error=1.0, cpu_hour=1.0)).price_bars
        for _, _, lane in bar.segments
    }
    assert "Fork" in named


def test_what_hindsight_keeps_is_told(make) -> None:
    n = 4000
    lanes = [make.lane("A", make.errors(1, n, 0.2)), make.lane("B", make.errors(2, n, 0.4))]
    found = Hindsight(
        learner="ridge", grid=[2000, 3000], at=[], total=0.0, stop=0,
        losses=[[900.0, 300.0, 300.0], [0.0, 100.0, 99.0], [0.0, 100.0, 300.0], [0.0, 0.0, 9.0]],
        fit_cpu=[0.0] * 4, rows=n, tried=["all", 500], left_out=[700], begins=[0, 1, 1, 2],
        model_keeps=["all", "all", 500, 500],
    )  # fmt: skip
    verdict = _classes(lanes, hindsight=found, known=KnownDrifts(stop=0))
    assert verdict.hindsight is not None
    assert (verdict.hindsight.at, verdict.hindsight.keeps) == ([2000, 3000], ["all", 500])
    (text,) = [one for one in verdict.reasons if "hindsight" in one]
    assert "retrained twice, on all rows and the newest 500 rows" in text
    assert "keeping the newest 700 rows was not tried" in text
