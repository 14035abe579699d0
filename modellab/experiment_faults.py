"""Faults: what goes wrong with the data on their way to the model (`[[fault]]`).

Each holds for the rows [start, stop) of the data set (`stop` left out: to the end), in the stream
only, and is seeded by the experiment. What a lane is scored against is what is true; what it
learns from, and what its alarms see, is what arrives. A `drift` changes what is true.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from modellab.experiment_values import Value, check_range, check_rows_or_span, require


class _Fault(Value, frozen=True, kw_only=True, tag_field="kind"):
    start: int
    stop: int | None = None


class LabelNoise(_Fault, frozen=True, tag="label_noise"):
    """Labels arrive wrong.

    Of each, with chance `rate`, another class (`only`: labels of this class alone are changed); a
    number gets noise of `scale` standard deviations of the training window.
    """

    rate: float = 0.2
    only: str | None = None
    scale: float = 1.0


class FeatureNoise(_Fault, frozen=True, tag="feature_noise"):
    """Cells arrive wrong, each with chance `rate`; `columns`: of these only.

    Numbers get normal noise of `scale` standard deviations of the training window, categories
    are replaced by another one that occurs there.
    """

    rate: float = 1.0
    scale: float = 1.0
    columns: list[str] = []


class MissingValues(_Fault, frozen=True, tag="missing_values"):
    """Of each cell, with chance `rate`, the value is missing. `columns`: these only."""

    rate: float = 0.2
    columns: list[str] = []


class UnitError(_Fault, frozen=True, tag="unit_error"):
    """A number column arrives multiplied by `factor`, as if sent in another unit."""

    column: str
    factor: float = 1000.0


class SwappedColumns(_Fault, frozen=True, tag="swapped_columns"):
    """Two columns of the same kind arrive in each other's place."""

    columns: list[str]


class LabelDelay(_Fault, frozen=True, tag="label_delay"):
    """Labels of these rows come later than usual, by `delay` rows or span of event time."""

    delay: int | str = 1000


class Outage(_Fault, frozen=True, tag="outage"):
    """No labels and no updates reach the model, predictions go on.

    Afterwards the backlog arrives in order at once, or is lost.
    """

    backlog: Literal["arrives", "lost"] = "arrives"


class DuplicatedRows(_Fault, frozen=True, tag="duplicated_rows"):
    """With chance `rate`, a row is delivered in place of the one that follows it."""

    rate: float = 0.1


class DriftFault(_Fault, frozen=True, tag="drift"):
    """What is true changes.

    ``permute`` gives feature `columns` (all unless named) of one kind each other's values,
    ``relabel`` gives classes each other's labels (numbers are mirrored about their mean).
    `shape`: ``sudden``, ``gradual`` (the new concept comes more and more often, over the first
    `width` rows), ``recurring`` (it comes and goes every `width` rows).
    """

    how: Literal["permute", "relabel"] = "relabel"
    shape: Literal["sudden", "gradual", "recurring"] = "sudden"
    width: int = 5000
    columns: list[str] = []


Fault = (
    LabelNoise
    | FeatureNoise
    | MissingValues
    | UnitError
    | SwappedColumns
    | LabelDelay
    | Outage
    | DuplicatedRows
    | DriftFault
)
FAULTS: dict[str, type[msgspec.Struct]] = {
    "label_noise": LabelNoise,
    "feature_noise": FeatureNoise,
    "missing_values": MissingValues,
    "unit_error": UnitError,
    "swapped_columns": SwappedColumns,
    "label_delay": LabelDelay,
    "outage": Outage,
    "duplicated_rows": DuplicatedRows,
    "drift": DriftFault,
}
FAULT_KINDS = tuple(FAULTS)


def fault_kind(fault: Fault) -> str:
    """Return the kind of a fault as it stands in a file."""
    return str(type(fault).__struct_config__.tag)


def check_fault(fault: Fault, where: str = "fault: ") -> None:
    """Check what can be checked without the data; raises `ExperimentError`."""
    check_range(f"{where}start", fault.start, 0, 10**15)
    if fault.stop is not None:
        check_range(f"{where}stop", fault.stop, 0, 10**15)
        require(fault.stop > fault.start, f"{where}stop must lie after start.")
    if isinstance(fault, LabelNoise | FeatureNoise | MissingValues | DuplicatedRows):
        check_range(f"{where}rate", fault.rate, 0.0, 1.0)
    if isinstance(fault, LabelNoise | FeatureNoise):
        check_range(f"{where}scale", fault.scale, 0.0, 1e9)
    if isinstance(fault, UnitError):
        check_range(f"{where}factor", fault.factor, -1e15, 1e15)
    if isinstance(fault, SwappedColumns):
        require(
            len(fault.columns) == 2 and fault.columns[0] != fault.columns[1],
            f"{where}columns must name two different columns.",
        )
    if isinstance(fault, LabelDelay):
        check_rows_or_span(f"{where}delay", fault.delay, 0)
    if isinstance(fault, DriftFault):
        check_range(f"{where}width", fault.width, 1, 10**12)
