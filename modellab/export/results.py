"""The results folder: what ``modellab run --out DIR`` writes.

All files of two runs of one experiment are equal byte for byte, but for what was measured with a
clock or is memory: in ``summary.json`` the keys of `MEASURED`, of each lane the keys of
`LANE_MEASURED` (the bytes that a Python object takes when written vary a little), and its ``cost``
where CPU time has a price. Events are written without what was measured (the seconds of a fit).
"""

from __future__ import annotations

import csv
import math
import shutil
from importlib import metadata
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab import __version__
from modellab.errors import LabError, quote
from modellab.experiment_file import learner_value, policy_value
from modellab.export.verdicts import (
    LOSSES,
    PAIRED,
    judge_result,
    verdict_value,
    write_losses,
)
from modellab.policies.base import MEASURED as MEASURED_VALUES
from modellab.replay.run import peak_memory_mb
from modellab.verdict.services import known_drifts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modellab.replay.run import LaneResult, RunResult
    from modellab.verdict.values import LaneRow, Verdict

MEASURED = (
    "wall_seconds",
    "rows_per_second",
    "import_seconds",
    "train_seconds",
    "peak_rss_mb",
    "verdict",
)
LANE_MEASURED = ("cpu_seconds", "model_bytes")
LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "river", "msgspec")
PREDICTIONS = "predictions.parquet"
QUARANTINE = "quarantine.csv"
FEATURE_DRIFT = "feature_drift.parquet"


def write_results(
    result: RunResult,
    folder: Path,
    *,
    verdict: Verdict | None = None,
    hindsight: Mapping[str, Any] | None = None,
    sensitivity: Mapping[str, Mapping[str, float]] | None = None,
) -> list[str]:
    """Write a results folder and return the names of its files.

    The verdict is made here unless it is given; from the hindsight optimum and the sensitivity to
    faults, where they were found. ``predictions.parquet`` is written while the replay runs (see
    `run_experiment`), not here.
    ``summary.json`` comes last, so a folder that has one is complete.

    Raises
    ------
    LabError
        If the folder cannot be written.
    """
    if verdict is None:
        verdict = judge_result(result, hindsight=hindsight, sensitivity=sensitivity)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "summary.json").unlink(missing_ok=True)
        _write_table(_history(result), folder / "history.parquet")
        _write_table(_parameters(result), folder / "parameters.parquet")
        (folder / "events.jsonl").write_bytes(_events(result))
        checked = _write_feature_drift(result, folder / FEATURE_DRIFT)
        write_losses(result, folder)
        _write_bad_rows(result, folder / "bad_rows.csv")
        kept = _write_quarantine(result, folder / QUARANTINE)
        text = msgspec.json.format(msgspec.json.encode(summary(result, verdict)), indent=2)
        (folder / "summary.json").write_bytes(text + b"\n")
    except OSError as error:
        raise LabError(
            f"The results cannot be written to {quote(folder, 200)}: {error.strerror or error}."
        ) from error
    names = ["summary.json", "history.parquet", "parameters.parquet", "events.jsonl"]
    names += [LOSSES, PAIRED]
    if checked:
        names.append(FEATURE_DRIFT)
    if kept:
        names.append(QUARANTINE)
    if (folder / PREDICTIONS).is_file():
        names.append(PREDICTIONS)
    return [*names, "bad_rows.csv"]


def summary(result: RunResult, verdict: Verdict) -> dict[str, Any]:
    """Build what ``summary.json`` holds."""
    rows = {row.name: row for row in verdict.lanes}
    replayed = result.position - result.train_rows
    seconds = result.seconds
    told: dict[str, Any] = {
        "modellab": __version__,
        "rows": result.rows,
        "train_rows": result.train_rows,
        "stream_rows": replayed,
        "bad_rows": result.store.bad_row_count,
        "seed": result.experiment.replay.seed,
        "data_fingerprint": result.store.fingerprint,
        "wall_seconds": round(seconds, 3),
        "rows_per_second": round(replayed / seconds, 1) if seconds > 0 else None,
        "import_seconds": round(result.import_seconds, 3),
        "train_seconds": round(result.train_seconds, 3),
        "peak_rss_mb": round(peak_memory_mb(), 1),
        "versions": versions(),
        "drift": {
            "known": known_drifts(result.experiment, result.train_rows, result.position),
            "tolerance": result.experiment.drift.tolerance,
        },
        "lanes": [_lane(lane, rows[lane.name]) for lane in result.lanes],
        "verdict": verdict_value(verdict),
    }
    if result.interrupted:
        told["interrupted"] = True
    return told


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that numbers come from."""
    import platform

    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # a frozen build may leave it out
            continue
    return found


def _lane(lane: LaneResult, row: LaneRow) -> dict[str, Any]:
    guard = lane.spec.guard
    told = {
        "name": lane.name,
        "policy": policy_value(lane.spec.policy),
        "learner": learner_value(lane.spec.learner),
        "baseline": lane.baseline,
        "rows": lane.rows,
        "metrics": {
            view: {name: _number(value) for name, value in lane.metrics.get(view, {}).items()}
            for view in ("cumulative", "window", "fading")
        },
        "updates": lane.updates,
        "retrains": lane.retrains,
        "redeploys": lane.redeploys,
        "rollbacks": lane.rollbacks,
        "downtime_rows": lane.downtime_rows,
        "cpu_seconds": {key: round(value, 6) for key, value in lane.cpu_seconds.items()},
        "model_bytes": lane.model_bytes,
        "cost": {key: _number(value) for key, value in lane.cost.items()},
        "forgetting": _number(lane.forgetting),
        "rejected": lane.rejected,
        "downtime_seconds": lane.downtime_seconds,
        "rows_stored": lane.rows_stored,
        "staleness_rows": _number(lane.staleness),
        "regret": _number(row.regret),
        "quarantined": lane.quarantined,
        "alarms": lane.alarms,
        "alarm_positions": [int(position) for position in lane.evidence.alarms],
        "drift": None if row.drift is None else msgspec.to_builtins(row.drift),
    }
    if lane.rates is not None:
        told["rates"] = lane.rates
    if guard is not None:
        told["guard"] = {
            key: value for key, value in msgspec.to_builtins(guard).items() if value is not None
        }
    return told


def _number(value: float | None) -> float | None:
    """Undefined numbers are null."""
    return None if value is None or not math.isfinite(value) else float(value)


def _history(result: RunResult) -> Any:
    columns: dict[str, list[Any]] = {"position": [], "value": [], "min": [], "max": []}
    names: list[tuple[str, str, int]] = []
    for lane in result.lanes:
        for metric, curve in lane.history.items():
            columns["position"].append(curve.start)
            columns["value"].append(curve.mean)
            columns["min"].append(curve.low)
            columns["max"].append(curve.high)
            names.append((lane.name, metric, len(curve.start)))
    return _long(names, "metric", columns)


def _parameters(result: RunResult) -> Any:
    columns: dict[str, list[Any]] = {"position": [], "value": []}
    names: list[tuple[str, str, int]] = []
    for lane in result.lanes:
        taken = lane.parameters
        for index, name in enumerate(taken.names):
            columns["position"].append(taken.positions)
            columns["value"].append(taken.values[:, index])
            names.append((lane.name, name, len(taken.positions)))
    return _long(names, "parameter", columns)


def _write_feature_drift(result: RunResult, path: Path) -> bool:
    """Write every check of every watched column; no file where none was made."""
    import pyarrow as pa

    path.unlink(missing_ok=True)
    drift = result.feature_drift
    if drift is None or not len(drift.positions):
        return False
    count, wide = drift.score.shape
    which = pa.array(np.tile(np.arange(wide, dtype=np.int32), count))

    def each(texts: list[str]) -> Any:
        told: Any = pa.array(texts, pa.string())
        return told.take(which)

    def numbers(values: Any) -> Any:
        flat = np.asarray(values, np.float64).ravel()
        return pa.array(flat, mask=np.isnan(flat))

    table = {
        "position": pa.array(np.repeat(drift.positions, wide)),
        "column": each(drift.columns),
        "test": each(drift.tests),
        "threshold": numbers(np.tile(drift.thresholds, count)),
        "score": numbers(drift.score),
        "psi": numbers(drift.psi),
    }
    _write_table(pa.table(table), path)
    return True


def _long(names: list[tuple[str, str, int]], what: str, columns: dict[str, list[Any]]) -> Any:
    """Long table ``position, lane, <what>, value, ...``; NaN is null."""
    import pyarrow as pa

    def repeated(index: int) -> Any:
        texts = [name[index] for name in names]
        codes = np.repeat(np.arange(len(names), dtype=np.int32), [name[2] for name in names])
        table: Any = pa.array(texts, pa.string())
        return table.take(pa.array(codes))

    def joined(key: str, kind: str) -> Any:
        parts = [np.asarray(part, kind) for part in columns[key]]
        values = np.concatenate(parts) if parts else np.empty(0, kind)
        return pa.array(values, mask=np.isnan(values) if kind == "f8" else None)

    made = {"position": joined("position", "i8"), "lane": repeated(0), what: repeated(1)}
    made.update({key: joined(key, "f8") for key in columns if key != "position"})
    return pa.table(made)


def _write_table(table: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd")


def _events(result: RunResult) -> bytes:
    lines = []
    for lane, event in result.events:
        told = {
            "position": event.position,
            "lane": lane,
            "kind": event.kind,
            "text": event.text,
            "values": {k: v for k, v in event.values.items() if k not in MEASURED_VALUES},
        }
        lines.append(msgspec.json.encode(told, enc_hook=_plain) + b"\n")
    return b"".join(lines)


def _plain(value: Any) -> Any:
    """Turn a number or array of numpy into Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise NotImplementedError(f"an event holds a {type(value).__name__}")


def _write_bad_rows(result: RunResult, path: Path) -> None:
    if result.store.bad_rows_path.is_file():
        shutil.copyfile(result.store.bad_rows_path, path)
    else:
        path.write_text("file,line,reason,text\n")


def _write_quarantine(result: RunResult, path: Path) -> bool:
    """Write which rows guards kept back from learning, and why; no file where there are none."""
    path.unlink(missing_ok=True)
    rows = [
        (lane.name, position, reason)
        for lane in result.lanes
        for position, reason in lane.quarantine
    ]
    if rows:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["lane", "row", "reason"])
            writer.writerows(rows)
    return bool(rows)
