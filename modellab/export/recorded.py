"""What a results folder holds, read back: for pictures of a replay that is over."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.errors import LabError, quote
from modellab.export.verdicts import read_verdict

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from modellab.verdict.values import Verdict


@dataclass(frozen=True)
class RecordedCurve:
    """One metric of one lane: `start` int64 (n,), the values float64 (n,), NaN where none is."""

    start: NDArray[np.int64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class RecordedParameters:
    """Parameters of one lane: `positions` int64 (s,), `values` float64 (s, len(names))."""

    names: list[str]
    positions: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class RecordedDrift:
    """Checks of d feature columns against the training window.

    `columns`, `tests`, `thresholds` have d entries; `positions` is int64 (m,), `score` and `psi`
    float64 (m, d), NaN where there is none.
    """

    columns: list[str]
    tests: list[str]
    thresholds: list[float]
    positions: NDArray[np.int64]
    score: NDArray[np.float64]
    psi: NDArray[np.float64]


@dataclass
class Recorded:
    """A results folder.

    Attributes
    ----------
    summary
        ``summary.json``.
    curves
        By lane, then by metric.
    parameters
        By lane.
    events
        Lines of ``events.jsonl``, in order.
    feature_drift
        Checks of the features; None where none were made, and in results of before they were kept.
    verdict
        The verdict; None in results of before there were any. See `verdicts.read_evidence` for what
        another one can be made from.
    """

    summary: dict[str, Any]
    curves: dict[str, dict[str, RecordedCurve]] = field(default_factory=dict)
    parameters: dict[str, RecordedParameters] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    feature_drift: RecordedDrift | None = None
    verdict: Verdict | None = None


def read_recorded(folder: Path) -> Recorded:
    """Read a results folder that this program wrote.

    Raises
    ------
    LabError
        A file is missing, or cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = Recorded(msgspec.json.decode((folder / "summary.json").read_bytes()))
        for line in (folder / "events.jsonl").read_bytes().splitlines():
            found.events.append(msgspec.json.decode(line))
        found.verdict = read_verdict(found.summary)
        history = pq.read_table(folder / "history.parquet")
        for (lane, metric), rows in groups(history, ("lane", "metric")).items():
            found.curves.setdefault(lane, {})[metric] = RecordedCurve(
                _column(rows, "position", "i8"),
                _column(rows, "value", "f8"),
                _column(rows, "min", "f8"),
                _column(rows, "max", "f8"),
            )
        parameters = pq.read_table(folder / "parameters.parquet")
        _add_parameters(found, groups(parameters, ("lane", "parameter")))
        if (folder / "feature_drift.parquet").is_file():
            found.feature_drift = _drift(pq.read_table(folder / "feature_drift.parquet"))
    except (OSError, KeyError, ValueError, pa.ArrowException, msgspec.MsgspecError) as error:
        raise LabError(
            f"The results in {quote(folder, 200)} cannot be read.", detail=repr(error)
        ) from error
    return found


def groups(table: Any, by: tuple[str, ...]) -> dict[tuple[str, ...], Any]:
    """Cut a long table where one of these columns changes; equal ones lie together."""
    if not table.num_rows:
        return {}
    change = np.zeros(table.num_rows - 1, dtype=np.bool_)
    for name in by:
        column: Any = table.column(name).combine_chunks()
        change |= np.diff(column.dictionary_encode().indices.to_numpy()) != 0
    starts = [0, *(np.flatnonzero(change) + 1).tolist(), table.num_rows]
    found: dict[tuple[str, ...], Any] = {}
    for start, stop in itertools.pairwise(starts):
        key = tuple(table.column(name)[start].as_py() for name in by)
        found[key] = table.slice(start, stop - start)
    return found


def _column(table: Any, name: str, kind: str) -> NDArray[Any]:
    return np.asarray(table.column(name).to_numpy(), dtype=kind)


def _drift(table: Any) -> RecordedDrift | None:
    """Return the checks from their long form; ValueError where rows are missing."""
    if not table.num_rows:
        return None
    positions = _column(table, "position", "i8")
    wide = int(np.searchsorted(positions, positions[0], side="right"))
    return RecordedDrift(
        columns=table.column("column")[:wide].to_pylist(),
        tests=table.column("test")[:wide].to_pylist(),
        thresholds=_column(table, "threshold", "f8")[:wide].tolist(),
        positions=positions.reshape(-1, wide)[:, 0].copy(),
        score=_column(table, "score", "f8").reshape(-1, wide),
        psi=_column(table, "psi", "f8").reshape(-1, wide),
    )


def _add_parameters(found: Recorded, cut: dict[tuple[str, ...], Any]) -> None:
    lanes: dict[str, list[str]] = {}
    for lane, name in cut:
        lanes.setdefault(lane, []).append(name)
    for lane, names in lanes.items():
        values = [_column(cut[lane, name], "value", "f8") for name in names]
        positions = _column(cut[lane, names[0]], "position", "i8")
        found.parameters[lane] = RecordedParameters(names, positions, np.column_stack(values))
