"""Faults in plain words: their names, stories, short texts for plots (no widgets)."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    fault_kind,
)
from modellab.gui.kit.text import count_text, short_number
from modellab.gui.plots.parts import Shade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.experiment import Fault
    from modellab.gui.session_deployment import Deployment

KINDS: dict[str, tuple[str, str, str]] = {
    "label_noise": (
        "Wrong labels",
        "Some labels arrive wrong: someone mistypes, a sensor misreads. What learns takes them in.",
        "label noise",
    ),
    "missing_values": (
        "Missing values",
        "Cells arrive empty, as when a sensor drops out or a form is left blank.",
        "missing values",
    ),
    "feature_noise": (
        "Noisy features",
        "Cells arrive disturbed: numbers wobble, categories are mistaken for others.",
        "feature noise",
    ),
    "unit_error": (
        "Wrong unit",
        "A number column arrives in another unit, such as grams for kilograms.",
        "unit error: a column times a factor",
    ),
    "swapped_columns": (
        "Swapped columns",
        "Two columns arrive in each other's place, as after a change of the export.",
        "swapped columns",
    ),
    "duplicated_rows": (
        "Rows sent twice",
        "Now and then a row is delivered in place of the one that follows it.",
        "duplicated rows",
    ),
    "label_delay": (
        "Late labels",
        "Labels of these rows come later than usual, so learning and alarms lag behind.",
        "label delay",
    ),
    "outage": (
        "Outage",
        "The device has no link: predictions go on, but no label and no update reaches it.",
        "outage",
    ),
    "drift": (
        "The world changes",
        "What is true changes from here on: this is drift, and no one's mistake.",
        "concept drift",
    ),
}
"""Kind -> what it is called, what happens, the exact term."""


def share_text(share: float) -> str:
    """Return a share as per cent."""
    return f"{short_number(share * 100, 3)} %"


def fault_title(fault: Fault) -> str:
    """Return what a fault is called."""
    return KINDS[fault_kind(fault)][0]


def fault_text(fault: Fault) -> str:
    """Return a fault in as few words as a plot has room for."""
    if isinstance(fault, LabelNoise):
        of = f" of “{fault.only}”" if fault.only else ""
        return f"{share_text(fault.rate)} of labels{of} wrong"
    if isinstance(fault, FeatureNoise):
        return f"noise{_in(fault.columns)}"
    if isinstance(fault, MissingValues):
        return f"{share_text(fault.rate)} of cells missing{_in(fault.columns)}"
    if isinstance(fault, UnitError):
        return f"{fault.column} × {short_number(fault.factor, 4)}"
    if isinstance(fault, SwappedColumns):
        return " ⇄ ".join(fault.columns)
    if isinstance(fault, LabelDelay):
        late = f"{count_text(fault.delay)} rows" if isinstance(fault.delay, int) else fault.delay
        return f"labels {late} late"
    if isinstance(fault, Outage):
        return "outage" + (", backlog lost" if fault.backlog == "lost" else "")
    if isinstance(fault, DuplicatedRows):
        return f"{share_text(fault.rate)} of rows twice"
    assert isinstance(fault, DriftFault)
    what = "labels change" if fault.how == "relabel" else f"columns change{_in(fault.columns)}"
    return f"{fault.shape} drift: {what}"


def _in(columns: Sequence[str]) -> str:
    if not columns:
        return ""
    if len(columns) == 1:
        return f" in {columns[0]}"
    return f" in {len(columns)} columns"


def fault_span(fault: Fault, last: int) -> str:
    """Return the rows of a fault; `last` is the end of the stream."""
    if fault.stop is None or fault.stop >= last:
        return f"rows {count_text(fault.start)} to the end"
    return f"rows {count_text(fault.start)} – {count_text(fault.stop - 1)}"


def fault_shades(live: Deployment) -> list[Shade]:
    """Return the spans of all faults within the stream, in order of their start."""
    found = []
    for fault in live.experiment.fault:
        start = max(fault.start, live.train_rows)
        stop = live.stop if fault.stop is None else min(fault.stop, live.stop)
        if stop > start:
            kind = "outage" if isinstance(fault, Outage) else "fault"
            found.append(Shade(start, stop, fault_text(fault), kind))  # type: ignore[arg-type]
    found.sort(key=lambda shade: shade.start)
    return found
