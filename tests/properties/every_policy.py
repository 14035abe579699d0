"""One experiment with every policy, guards, every fault, late labels and rollbacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from modellab.experiment import (
    ChampionPolicy,
    Condition,
    CostAwarePolicy,
    DataSpec,
    DriftSpec,
    EvaluationSpec,
    Experiment,
    Fault,
    GuardSpec,
    HindsightPolicy,
    Intervention,
    LaneSpec,
    LearnerSpec,
    MemorySet,
    OnlinePolicy,
    OutOfCorePolicy,
    PriceSpec,
    ReplaySpec,
    ScheduledPolicy,
    SplitSpec,
    StaticPolicy,
    TriggeredPolicy,
    replace,
)
from modellab.experiment_faults import (
    DriftFault,
    DuplicatedRows,
    FeatureNoise,
    LabelDelay,
    LabelNoise,
    MissingValues,
    Outage,
    SwappedColumns,
    UnitError,
)

TRAIN, LIMIT = 700, 1500
ROWS = TRAIN + LIMIT + 300

LINEAR = LearnerSpec("linear", params={"learning_rate": 0.05})
HINGE = LearnerSpec("linear", params={"loss": "hinge", "learning_rate": 0.02})
BAYES = LearnerSpec("naive_bayes")
TREE = LearnerSpec("decision_tree", params={"max_depth": 4})


def make_csv(path: Path) -> Path:
    """Drifting stream: three numbers, two categories, a time; some cells and labels are missing."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(ROWS, 3))
    group, place = rng.integers(0, 4, ROWS), rng.integers(0, 4, ROWS)
    sign = np.where(np.arange(ROWS) < TRAIN + 450, 1.0, -1.0)
    y = (sign * x[:, 0] + 0.5 * x[:, 1] + 0.6 * (group == 2) + 0.2 * rng.normal(size=ROWS)) > 0
    lines = ["when,a,b,c,group,place,label"]
    for i in range(ROWS):
        a = "" if i % 97 == 5 else f"{x[i, 0]:.6f}"
        label = "" if i % 211 == 7 else ("yes" if y[i] else "no")
        day, minute = divmod(i * 10, 1440)
        when = f"2020-01-{day % 28 + 1:02d}T{minute // 60:02d}:{minute % 60:02d}:00"
        named = f"{'wxyz'[group[i]]},{'wxyz'[place[i]]}"
        lines.append(f"{when},{a},{x[i, 1]:.3f}{i:05d},{x[i, 2]:.4f},{named},{label}")
    path.write_text("\n".join(lines) + "\n")
    return path


LANES = [
    LaneSpec("Static", StaticPolicy(), LearnerSpec("logistic_regression")),
    LaneSpec(
        "Scheduled",
        ScheduledPolicy(every="50h", test_rows=60, keep=900, delay=41, downtime=True),
        TREE,
    ),
    LaneSpec(
        "Triggered",
        TriggeredPolicy(
            when=[Condition(drift="ddm"), Condition(error=0.05, rows=40), Condition(rows=500)],
            combine="any",
            cooldown=150,
            test_rows=40,
            delay="3h",
            keep="alarm",
            downtime=True,
        ),
        BAYES,
    ),
    LaneSpec(
        "Features",
        TriggeredPolicy(when=[Condition(features=1)], cooldown=200, test_rows=30, learn=True),
        LINEAR,
    ),
    LaneSpec(
        "Reset",
        TriggeredPolicy(action="reset", learn=True, cooldown=100),
        LearnerSpec("hoeffding_tree"),
    ),
    LaneSpec(
        "Switch",
        TriggeredPolicy(
            when=[Condition(rows=333)], action="switch", challenger=HINGE, cooldown=0, learn=True
        ),
        LINEAR,
    ),
    LaneSpec("Alert", TriggeredPolicy(action="alert"), BAYES),
    LaneSpec("Cost", CostAwarePolicy(window=80, cooldown=120, test_rows=40, price_retrain=5), TREE),
    LaneSpec(
        "Forecast",
        CostAwarePolicy(
            method="forecast", window=60, horizon=400, cooldown=100, test_rows=0, price_retrain=9
        ),
        BAYES,
    ),
    LaneSpec("Online", OnlinePolicy(), LINEAR, guard=GuardSpec(range=2.0, loss=0.99, window=100)),
    LaneSpec(
        "Batches",
        OnlinePolicy(every=7, batch=3),
        HINGE,
        guard=GuardSpec(rollback=0.1, window=60, check_every=90),
    ),
    LaneSpec(
        "Out of core", OutOfCorePolicy(passes=2, chunk_rows=1024, every=2), LearnerSpec("linear")
    ),
    LaneSpec(
        "Champion",
        ChampionPolicy(HINGE, window=80, level=0.3, cooldown=100),
        LearnerSpec("hoeffding_tree"),
    ),
    LaneSpec("Hindsight", HindsightPolicy(at=[900, 1300, 1301, 1900], searched=True), BAYES),
    LaneSpec(
        "Guarded retrain",
        ScheduledPolicy(every=400, test_rows=50),
        BAYES,
        guard=GuardSpec(range=1.5, rollback=0.15, window=80, check_every=100),
    ),
]

FAULTS: list[Fault] = [
    LabelNoise(start=1100, stop=1250, rate=0.4),
    LabelDelay(start=1180, stop=1300, delay=25),
    UnitError(start=1210, stop=1400, column="c", factor=100.0),
    Outage(start=1350, stop=1420),
    SwappedColumns(start=1500, stop=1520, columns=["group", "place"]),
    MissingValues(start=1520, stop=1560, rate=0.3),
    FeatureNoise(start=1560, stop=1600, rate=0.5, columns=["a"]),
    Outage(start=1610, stop=1640, backlog="lost"),
    DuplicatedRows(start=1700, stop=1800, rate=0.2),
    DriftFault(start=1850, stop=2050, how="relabel"),
]

JOURNAL = [
    Intervention(850, "Online", set={"learning_rate": 0.2}),
    Intervention(1000, "Static", fork="Copy"),
    Intervention(1050, "Online", fork="Fork"),
    Intervention(1100, "Fork", set={"frozen": True}),
    Intervention(1333, "Online", rollback=1101),
    Intervention(1333, "Fork", rollback=900),
    Intervention(1400, "Champion", rollback=700),
    Intervention(1450, "Scheduled", rollback=1100),
    Intervention(1600, "Guarded retrain", rollback=1250),
    Intervention(1600, "Online", rollback=1599),
]


def experiment(csv: Path, **changes: Any) -> Experiment:
    """All of it; labels come four rows late."""
    made = Experiment(
        data=DataSpec(path=str(csv), target="label", time="when"),
        split=SplitSpec(train=TRAIN),
        evaluation=EvaluationSpec(window=150, label_delay=4, memory_set=MemorySet(100, 500)),
        replay=ReplaySpec(limit=LIMIT, seed=4),
        drift=DriftSpec(detector="ddm", window=120, every=110, false_alarm_every=2000),
        prices=PriceSpec(error=1.0, retrain=8.0, downtime_hour=2.0),
        lane=LANES,
        fault=FAULTS,
        intervention=JOURNAL,
    )
    return replace(made, **changes)  # type: ignore[no-any-return]
