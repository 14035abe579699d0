"""Whether faults fit a data set, said in sentences; and the drifts that they bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modellab.errors import ExperimentError, nearest, quote
from modellab.experiment_faults import (
    DriftFault,
    FeatureNoise,
    LabelDelay,
    LabelNoise,
    MissingValues,
    SwappedColumns,
    UnitError,
    check_fault,
    fault_kind,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modellab.data.dataset import Dataset
    from modellab.experiment import Fault

NOISY_KINDS = ("number", "category", "boolean")


def check_faults(faults: Sequence[Fault], dataset: Dataset) -> None:
    """Check faults against the data set that they are for.

    Raises
    ------
    ExperimentError
        If a fault lies outside the stream, names a column that is no feature or of the wrong kind,
        a class that the target does not have, or a time span without a time column.
    """
    for fault in faults:
        where = f"fault {fault_kind(fault)}: "
        check_fault(fault, where)
        _check_range(fault, dataset, where)
        if isinstance(fault, LabelNoise):
            _check_only(fault, dataset, where)
        elif isinstance(fault, FeatureNoise):
            for name in fault.columns:
                kind = _feature(name, dataset, where)
                _need(
                    kind in NOISY_KINDS,
                    f"{where}column {quote(name)} is a {kind}: noise is for numbers, categories "
                    "and booleans.",
                )
            _need(
                any(dataset.kinds[name] in NOISY_KINDS for name in dataset.features),
                f"{where}no feature is a number, a category or a boolean.",
            )
        elif isinstance(fault, MissingValues):
            for name in fault.columns:
                _feature(name, dataset, where)
            _need(bool(dataset.features), f"{where}there is no feature column.")
        elif isinstance(fault, UnitError):
            kind = _feature(fault.column, dataset, where)
            _need(
                kind == "number",
                f"{where}column {quote(fault.column)} is a {kind}: only a number has a unit.",
            )
        elif isinstance(fault, SwappedColumns):
            _check_swap(fault, dataset, where)
        elif isinstance(fault, LabelDelay):
            _need(
                not isinstance(fault.delay, str) or dataset.time is not None,
                f"{where}delay is a span of time, but there is no time column: name one, or give "
                "the delay in rows.",
            )
        elif isinstance(fault, DriftFault):
            _check_drift(fault, dataset, where)


def only_code(fault: LabelNoise, dataset: Dataset) -> int | None:
    """Return the code of the class that `only` names, None if it names none."""
    if fault.only is None:
        return None
    for code, label in enumerate(dataset.task.classes):
        if fault.only == str(label) or (
            isinstance(label, bool) and fault.only.lower() == str(label).lower()
        ):
            return code
    raise ExperimentError(f"{quote(fault.only)} is no class of {quote(dataset.target)}.")


def permuted(fault: DriftFault, dataset: Dataset) -> dict[str, str]:
    """Return which column each of the permuted columns gets its values from.

    Those of one kind each get the values of the next of them, the last one those of the first.
    """
    found: dict[str, str] = {}
    chosen = [n for n in dataset.features if not fault.columns or n in fault.columns]
    for kind in dict.fromkeys(dataset.kinds[name] for name in chosen):
        group = [name for name in chosen if dataset.kinds[name] == kind]
        if len(group) > 1:
            found.update(zip(group, [*group[1:], group[0]], strict=True))
    return found


def drift_positions(
    faults: Sequence[Fault], train_rows: int = 0, n_rows: int | None = None
) -> list[int]:
    """Return the positions at which what is true changes because of drift faults.

    A sudden or gradual drift counts where it begins and, if it ends, where the old concept comes
    back; a recurring one wherever it comes or goes.

    Parameters
    ----------
    faults
        Of an experiment.
    train_rows
        T: rows before it are never touched, so what began there begins at T.
    n_rows
        N: where a drift without an end ends. If None, a recurring drift without an end counts once.

    Returns
    -------
    Positions in order, each once, all less than N.
    """
    found: set[int] = set()
    for fault in faults:
        if not isinstance(fault, DriftFault):
            continue
        end = fault.stop if n_rows is None else min(fault.stop or n_rows, n_rows)
        first = max(fault.start, train_rows)
        if end is not None and first >= end:
            continue
        if fault.shape == "recurring":
            turns = range(fault.start, end if end is not None else fault.start + 1, fault.width)
            found.update(at for at in turns if at >= first)
            if (first - fault.start) // fault.width % 2 == 0:
                found.add(first)
            new_at_end = end is not None and (end - 1 - fault.start) // fault.width % 2 == 0
        else:
            found.add(first)
            new_at_end = True
        if fault.stop is not None and new_at_end:
            found.add(fault.stop)
    return sorted(at for at in found if n_rows is None or at < n_rows)


def _check_range(fault: Fault, dataset: Dataset, where: str) -> None:
    _need(
        fault.start < dataset.n_rows,
        f"{where}start is row {fault.start:,}, but the data have {dataset.n_rows:,} rows.",
    )
    _need(
        fault.stop is None or fault.stop > dataset.train_rows,
        f"{where}stop is row {fault.stop or 0:,}, before the stream begins at row "
        f"{dataset.train_rows:,}: rows of the training window are never touched.",
    )


def _check_only(fault: LabelNoise, dataset: Dataset, where: str) -> None:
    if fault.only is None:
        return
    _need(
        dataset.task.kind == "classification",
        f"{where}only names a class, but {quote(dataset.target)} is a number.",
    )
    try:
        only_code(fault, dataset)
    except ExperimentError as error:
        names = [str(label) for label in dataset.task.classes]
        near = nearest(fault.only, names)
        hint = f" Did you mean {quote(near)}?" if near else ""
        raise ExperimentError(f"{where}{error.sentence}{hint}") from error


def _check_swap(fault: SwappedColumns, dataset: Dataset, where: str) -> None:
    one, other = fault.columns
    kinds = [_feature(name, dataset, where) for name in fault.columns]
    _need(
        kinds[0] == kinds[1],
        f"{where}column {quote(one)} is a {kinds[0]} and {quote(other)} a {kinds[1]}: only "
        "columns of the same kind can be swapped.",
    )


def _check_drift(fault: DriftFault, dataset: Dataset, where: str) -> None:
    if fault.how == "relabel":
        _need(
            not fault.columns,
            f"{where}columns are for permute; relabel changes the target.",
        )
        return
    for name in fault.columns:
        _feature(name, dataset, where)
    _need(
        bool(permuted(fault, dataset)),
        f"{where}permute needs at least two feature columns of the same kind.",
    )


def _feature(name: str, dataset: Dataset, where: str) -> str:
    """Kind of a feature column; raises if it is none."""
    if name in dataset.features:
        return dataset.kinds[name]
    if name == dataset.target:
        why = "is the target: there are faults of labels for it."
    elif name == dataset.time:
        why = "is the time: the order of the stream goes by it."
    elif name in dataset.kinds:
        why = "is no feature: models do not see it."
    else:
        near = nearest(name, dataset.features)
        why = "is not in the data." + (f" Did you mean {quote(near)}?" if near else "")
    raise ExperimentError(f"{where}column {quote(name)} {why}")


def _need(condition: bool, sentence: str) -> None:
    if not condition:
        raise ExperimentError(sentence)
