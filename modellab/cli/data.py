"""``modellab new`` and ``modellab profile``: what is in a data set."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab.errors import LabError, quote

if TYPE_CHECKING:
    from modellab.data.store import Store
    from modellab.experiment import Experiment, ReadingSpec


def write_new(
    data: Path,
    *,
    target: str,
    time: str | None,
    train: str | None,
    output: Path | None,
    force: bool,
    read: list[str],
) -> None:
    """Write an experiment file for a data set; `read`: how its texts are written.

    Raises
    ------
    LabError
        If the data cannot be read, the experiment does not fit them, or the file is there already.
    """
    from modellab.data.dataset import Dataset
    from modellab.data.importer import import_dataset
    from modellab.experiment import DataSpec, Experiment, SplitSpec, check
    from modellab.experiment_file import dump, save
    from modellab.experiment_paths import relative

    to_stdout = output is not None and str(output) == "-"
    place = output or Path(data.name.split(".")[0] or "experiment").with_suffix(".toml")
    if not to_stdout and place.exists() and not force:
        raise LabError(f"{quote(place, 200)} is there already: add --force to replace it.")
    reading = reading_of(read)
    store = import_dataset([data.absolute()], reading=reading)
    base = Path.cwd() if to_stdout else place.absolute().parent
    experiment = check(
        Experiment(
            data=DataSpec(
                path=relative(data, base),
                target=target,
                time=time,
                kinds={column.name: column.kind for column in store.columns},
                reading=reading,
            ),
            split=SplitSpec() if train is None else SplitSpec(train=_train(train)),
        )
    )
    kinds = experiment.data.kinds
    if kinds.get(target) == "number":
        # Numbers 0, 1, 2 ... are classes unless their kind is written: that is yours to decide.
        del kinds[target]
    dataset = Dataset.build(store, experiment.data, experiment.split)
    if dataset.task.kind == "regression":
        kinds[target] = dataset.kinds[target]
    experiment = _with_lanes(experiment, dataset)
    if to_stdout:
        sys.stdout.write(dump(experiment))
        return
    save(experiment, place)
    from modellab.cli import show

    lanes = ", ".join(lane.name for lane in experiment.lane)
    show.out().print(
        show.plain(
            f"{place}: {store.n_rows:,} rows, {dataset.train_rows:,} of them for training; "
            f"{dataset.task.kind} of {quote(target)}; lanes: {lanes}."
        )
    )


def reading_of(changes: list[str]) -> ReadingSpec:
    """Return what ``--read KEY=VALUE`` says.

    Raises
    ------
    ExperimentError
        If a key is not known or a value not allowed.
    """
    from modellab.experiment import DataSpec, Experiment
    from modellab.experiment_file import set_value

    experiment = Experiment(data=DataSpec(path="data", target="target"))
    for text in changes:
        experiment = set_value(experiment, f"data.reading.{text}")
    return experiment.data.reading


def _train(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _with_lanes(experiment: Experiment, dataset: Any) -> Experiment:
    from modellab.lanes import with_default_lanes

    rows = dataset.n_rows - dataset.train_rows
    first = dataset.time_at(dataset.train_rows) if rows > 0 else None
    last = dataset.time_at(dataset.n_rows - 1) if rows > 0 else None
    span = max(last - first, 0) if first is not None and last is not None else 0
    return with_default_lanes(experiment, dataset.task.kind, stream_rows=rows, span_ns=span)


def show_profile(data: Path, *, target: str | None, as_json: bool, read: list[str]) -> None:
    """Print what is known of a data set and its columns; `read`: how its texts are written.

    Raises
    ------
    LabError
        If the data cannot be read.
    """
    from modellab.data.guess import guess_target, guess_time
    from modellab.data.importer import import_dataset
    from modellab.experiment import DataSpec, Experiment
    from modellab.replay.profiling import profiled

    reading = reading_of(read)
    store = import_dataset([data.absolute()], reading=reading)
    reason = "as you said"
    if target is None:
        target, reason = guess_target(store)
    else:
        store.column(target)
    time = guess_time(store)
    experiment = Experiment(
        data=DataSpec(
            path=str(data),
            target=target,
            time=time if time != target else None,
            reading=reading,
        )
    )
    found = profiled(store, experiment)
    facts = _facts(store) | {"target": target, "target_reason": reason, "time": time}
    if as_json:
        from modellab.cli import show

        show.write_json(
            facts
            | {
                "task": found.task,
                "classes": found.classes,
                "train_rows": found.train_rows,
                "columns": found.columns,
                "notes": found.notes,
                "problem": found.error,
            }
        )
        return
    _print_profile(store, facts, found)


def export_file(
    data: Path, output: Path, *, neutralise: bool, bad_rows: bool, force: bool, read: list[str]
) -> None:
    """Write a data set as Parquet or CSV; `read`: how its texts are written.

    Raises
    ------
    LabError
        If the data cannot be read, or the file not written or is there already.
    """
    from modellab.cli import show
    from modellab.data.exporting import check_export, export_data
    from modellab.data.importer import import_dataset

    check_export(output)
    if output.exists() and not force:
        raise LabError(f"{quote(output, 200)} is there already: add --force to replace it.")
    with import_dataset([data.absolute()], reading=reading_of(read)) as store:
        files = export_data(store, output, neutralise=neutralise, bad_rows=bad_rows)
        told = f"{store.n_rows:,} rows, {len(store.columns):,} columns"
        apart = f"; {store.bad_row_count:,} rows set aside" if store.bad_row_count else ""
        names = ", ".join(str(file) for file in files)
        show.out().print(show.plain(f"{names}: {told}{apart}."))


def _facts(store: Store) -> dict[str, Any]:
    return {
        "name": store.name,
        "paths": store.source_paths,
        "format": store.meta.format,
        "size_bytes": store.size_bytes,
        "rows": store.n_rows,
        "bad_rows": store.bad_row_count,
        "fingerprint": store.fingerprint,
        "warnings": list(store.warnings),
    }


def _print_profile(store: Store, facts: dict[str, Any], found: Any) -> None:
    from rich.table import Table

    from modellab.cli import show

    console = show.out()
    console.print(
        show.plain(
            f"{facts['name']}: {facts['rows']:,} rows, {len(store.columns):,} columns, "
            f"{facts['size_bytes']:,} bytes; target {quote(facts['target'])} "
            f"({facts['target_reason']})"
        )
    )
    if facts["bad_rows"]:
        console.print(f"{facts['bad_rows']:,} rows could not be read and were set aside.")
    table = Table()
    for title in ("Column", "Kind", "Missing", "Distinct", "Values"):
        table.add_column(title, justify="right" if title in ("Missing", "Distinct") else "left")
    for column in found.columns:
        table.add_row(
            show.plain(column["name"]),
            column["kind"],
            f"{column['missing']:,}",
            _count(column),
            show.plain(_values(column)),
        )
    console.print(table)
    for sentence in facts["warnings"]:
        console.print(show.plain(f"Note: {sentence}"))
    for note in found.notes:
        console.print(show.plain(f"Worth knowing: {_note(note)}"))
    if found.error:
        console.print(show.plain(f"As it is, this cannot be replayed: {found.error}"))


def _count(column: dict[str, Any]) -> str:
    return f"{'' if column['distinct_exact'] else 'about '}{column['distinct']:,}"


def _values(column: dict[str, Any]) -> str:
    """Range of a column, or its most frequent values."""
    if column["top"]:
        shown = [f"{top['label']} {_percent(top['share'])}" for top in column["top"][:4]]
        return ", ".join(shown) + (", …" if column["other"] or len(column["top"]) > 4 else "")
    if column["minimum_text"] or column["maximum_text"]:
        mean = column["mean"]
        text = f"{column['minimum_text']} to {column['maximum_text']}"
        return text if mean is None or column["kind"] == "time" else f"{text}, mean {mean:.4g}"
    return f"{column['first']} …" if column["first"] else "no values"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1f} %"


def _note(note: dict[str, Any]) -> str:
    remedies = "; ".join(remedy["title"] for remedy in note["remedies"])
    text = f"{note['title']}: {note['text']}"
    return f"{text} ({remedies})" if remedies else text
