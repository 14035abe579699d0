"""What is told of faults: when they begin and end, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from modellab.errors import quote
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
from modellab.policies.base import PolicyEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.experiment import Fault


def fault_events(faults: Sequence[Fault], first: int, position: int) -> list[PolicyEvent]:
    """Events of all faults that began or ended up to `position`, in order.

    Parameters
    ----------
    faults
        Of the experiment, in order.
    first
        The deployment point: what begins before it, begins there.
    position
        Present position of the replay.
    """
    found: list[PolicyEvent] = []
    for number, fault in enumerate(faults):
        told = {"fault": number, **msgspec.to_builtins(fault)}
        start = max(fault.start, first)
        if fault.stop is not None and fault.stop <= start:
            continue
        words = in_words(fault)
        if start <= position:
            found.append(PolicyEvent(start, "fault", f"{words} from here on", told))
        if fault.stop is not None and fault.stop <= position:
            found.append(PolicyEvent(fault.stop, "fault_end", f"No more: {_lower(words)}", told))
    return sorted(found, key=lambda event: event.position)


def in_words(fault: Fault) -> str:
    """Tell what a fault does, in a few words."""
    words: str = _CASES[type(fault)](fault)
    return words


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


def _columns(names: Sequence[str], every: str) -> str:
    return ", ".join(quote(name, 30) for name in names) if names else every


def _label_noise(fault: LabelNoise) -> str:
    of = f" of {quote(fault.only, 30)}" if fault.only is not None else ""
    return f"Wrong labels{of}, {fault.rate:.0%}"


def _feature_noise(fault: FeatureNoise) -> str:
    return f"Noise in {_columns(fault.columns, 'the features')}, {fault.rate:.0%} of cells"


def _missing(fault: MissingValues) -> str:
    return f"Missing values in {_columns(fault.columns, 'the features')}, {fault.rate:.0%}"


def _unit(fault: UnitError) -> str:
    return f"{quote(fault.column, 30)} is multiplied by {fault.factor:g}"


def _swapped(fault: SwappedColumns) -> str:
    return f"Swapped columns: {_columns(fault.columns, '')}"


def _delay(fault: LabelDelay) -> str:
    late = f"{fault.delay:,} rows" if isinstance(fault.delay, int) else fault.delay
    return f"Labels come {late} later"


def _outage(fault: Outage) -> str:
    after = "the labels arrive afterwards" if fault.backlog == "arrives" else "the labels are lost"
    return f"Outage: {after}"


def _duplicated(fault: DuplicatedRows) -> str:
    return f"Rows delivered twice, {fault.rate:.0%}"


def _drift(fault: DriftFault) -> str:
    what = "classes change labels" if fault.how == "relabel" else "features change places"
    return f"{fault.shape.capitalize()} drift: {what}"


_CASES: dict[type, Any] = {
    LabelNoise: _label_noise,
    FeatureNoise: _feature_noise,
    MissingValues: _missing,
    UnitError: _unit,
    SwappedColumns: _swapped,
    LabelDelay: _delay,
    Outage: _outage,
    DuplicatedRows: _duplicated,
    DriftFault: _drift,
}
