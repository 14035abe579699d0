"""The verdict in a results folder, and the evidence that it can be judged by again.

``losses.parquet`` has every lane's losses in tiles: ``lane, start, width, sum, count``.
``paired.parquet`` has single rows, the same of every lane: ``position, lane, loss``. What else a
verdict needs is in ``summary.json``. So other prices can be tried from the files alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.errors import ExperimentError, LabError, quote
from modellab.evaluation.evidence import LaneEvidence
from modellab.evaluation.paired import LossArrays, empty_losses
from modellab.experiment import Experiment, PriceSpec
from modellab.verdict.values import Hindsight, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modellab.replay.run import LaneResult, RunResult

LOSSES, PAIRED, SUMMARY = "losses.parquet", "paired.parquet", "summary.json"


def judge_result(
    result: RunResult,
    *,
    hindsight: Hindsight | Mapping[str, Any] | None = None,
    sensitivity: Mapping[str, Mapping[str, float]] | None = None,
) -> Verdict:
    """Judge what came of a replay, at the experiment's prices."""
    from modellab.verdict.services import judge

    return judge(
        [lane.evidence for lane in result.lanes],
        result.experiment,
        task_kind=result.task.kind,
        start=result.train_rows,
        stop=result.position,
        hindsight=hindsight,
        sensitivity=sensitivity,
    )


def verdict_value(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as it stands in ``summary.json``; undefined numbers are null."""
    value: dict[str, Any] = _finite(msgspec.to_builtins(verdict))
    first = ("recommended", "sentence", "sure", "reasons", "warnings")
    return {**{key: value[key] for key in first}, **value}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return value


# ---------------------------------------------------------------- writing


def write_losses(result: RunResult, folder: Path) -> None:
    """Write ``losses.parquet`` and ``paired.parquet``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = [lane.evidence.losses for lane in result.lanes]
    tiles = {
        "lane": _names(result.lanes, [len(one.starts) for one in kept]),
        "start": pa.array(_joined([one.starts for one in kept], "i8")),
        "width": pa.array(_joined([np.full(len(o.starts), o.width) for o in kept], "i8")),
        "sum": pa.array(_joined([one.sums for one in kept], "f8")),
        "count": pa.array(_joined([one.counts for one in kept], "i8")),
    }
    pq.write_table(pa.table(tiles), folder / LOSSES, compression="zstd")
    single = _joined([one.sample_losses for one in kept], "f8")
    rows = {
        "position": pa.array(_joined([one.sample_positions for one in kept], "i8")),
        "lane": _names(result.lanes, [len(one.sample_positions) for one in kept]),
        "loss": pa.array(single, mask=np.isnan(single)),
    }
    pq.write_table(pa.table(rows), folder / PAIRED, compression="zstd")


def _names(lanes: list[LaneResult], counts: list[int]) -> Any:
    import pyarrow as pa

    codes = np.repeat(np.arange(len(lanes), dtype=np.int32), counts)
    names: Any = pa.array([lane.name for lane in lanes], pa.string())
    return names.take(pa.array(codes))


def _joined(parts: list[Any], kind: str) -> Any:
    return np.concatenate([np.empty(0, kind), *(np.asarray(part, kind) for part in parts)])


# ---------------------------------------------------------------- reading


@dataclass(frozen=True)
class RecordedEvidence:
    """What a results folder knows of its lanes, for another verdict.

    Attributes
    ----------
    lanes
        In the order of the run.
    verdict
        The run's own verdict.
    experiment
        What a verdict needs of the experiment: seed, prices, drifts that are known.
    task_kind
        ``classification`` or ``regression``.
    start, stop
        The rows that were replayed.
    """

    lanes: list[LaneEvidence]
    verdict: Verdict
    experiment: Experiment
    task_kind: str
    start: int
    stop: int

    def judge(self, prices: PriceSpec | None = None) -> Verdict:
        """Judge again, at other prices if given."""
        from modellab.verdict.services import judge

        return judge(
            self.lanes,
            self.experiment,
            task_kind=self.task_kind,
            start=self.start,
            stop=self.stop,
            prices=prices,
            hindsight=self.verdict.hindsight,
            sensitivity={row.name: row.sensitivity for row in self.verdict.lanes},
        )


def read_verdict(summary: Mapping[str, Any]) -> Verdict | None:
    """Read the verdict of a ``summary.json``; None if it was written before there were any."""
    raw = summary.get("verdict")
    return None if raw is None else msgspec.convert(raw, Verdict)


def read_evidence(folder: Path) -> RecordedEvidence:
    """Read what a verdict needs from a results folder.

    Raises
    ------
    LabError
        If it is no results folder, is damaged, or was written without what a verdict needs.
    """
    import pyarrow as pa

    if not (folder / SUMMARY).is_file():
        raise LabError(
            f"There are no results in {quote(folder, 200)}: give the folder that modellab run "
            "--out wrote."
        )
    try:
        summary = msgspec.json.decode((folder / SUMMARY).read_bytes())
        verdict = read_verdict(summary)
        if verdict is None or not (folder / LOSSES).is_file():
            raise LabError(
                f"The results in {quote(folder, 200)} were written by an older Model Lab, without "
                "what a verdict needs: run the experiment again."
            )
        losses = _read_losses(folder)
        return RecordedEvidence(
            lanes=[
                _lane(raw, n, losses.get(raw["name"])) for n, raw in enumerate(summary["lanes"])
            ],
            verdict=verdict,
            experiment=_experiment(summary, verdict),
            task_kind="classification" if verdict.unit == "error rate" else "regression",
            start=summary["train_rows"],
            stop=summary["train_rows"] + summary["stream_rows"],
        )
    except (
        OSError, KeyError, TypeError, ValueError, pa.ArrowException, msgspec.MsgspecError,
        ExperimentError,
    ) as error:  # fmt: skip
        raise LabError(
            f"The results in {quote(folder, 200)} cannot be read.", detail=repr(error)
        ) from error


def _experiment(summary: Mapping[str, Any], verdict: Verdict) -> Experiment:
    """Return an experiment with all that judging looks at."""
    from modellab.experiment import DataSpec, DriftSpec, ReplaySpec

    known = summary.get("drift", {})
    return Experiment(
        data=DataSpec(path="recorded", target="recorded"),
        replay=ReplaySpec(seed=summary["seed"]),
        drift=DriftSpec(
            known=known.get("known", []), tolerance=known.get("tolerance", DriftSpec().tolerance)
        ),
        prices=PriceSpec(**verdict.prices),
    )


def _lane(raw: Mapping[str, Any], number: int, losses: LossArrays | None) -> LaneEvidence:
    from modellab.experiment_reader import Reader

    wanted = ("name", "policy", "learner", "guard")
    spec = Reader().lane({key: raw[key] for key in wanted if raw.get(key) is not None}, number)
    counts = ("updates", "retrains", "redeploys", "rejected", "rollbacks", "downtime_rows")
    return LaneEvidence(
        name=raw["name"],
        spec=spec,
        baseline=raw["baseline"],
        losses=losses or empty_losses(),
        counters={key: raw[key] for key in (*counts, "alarms", "quarantined")},
        cpu=raw["cpu_seconds"],
        bytes=raw["model_bytes"],
        rows_stored=raw["rows_stored"],
        staleness=raw["staleness_rows"],
        forgetting=raw["forgetting"],
        downtime_seconds=raw["downtime_seconds"],
        alarms=raw["alarm_positions"],
    )


def _read_losses(folder: Path) -> dict[str, LossArrays]:
    import pyarrow.parquet as pq

    from modellab.export.recorded import groups

    tiles = groups(pq.read_table(folder / LOSSES), ("lane",))
    single = groups(pq.read_table(folder / PAIRED), ("lane",))
    found = {}
    for (lane,), table in tiles.items():
        rows = single[lane,]
        found[lane] = LossArrays(
            width=table.column("width")[0].as_py(),
            starts=_column(table, "start", "i8"),
            sums=_column(table, "sum", "f8"),
            counts=_column(table, "count", "i8"),
            sample_positions=_column(rows, "position", "i8"),
            sample_losses=_column(rows, "loss", "f8"),
        )
    return found


def _column(table: Any, name: str, kind: str) -> Any:
    return np.array(table.column(name).to_numpy(), dtype=kind)
