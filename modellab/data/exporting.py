"""Writing a data set out again: Parquet or CSV, bad rows apart, formulas made harmless."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING, Any

from modellab.data.arrow import Array, DataType, arrow
from modellab.data.convert import as_texts, stored_type
from modellab.data.source import ReadProgress, no_progress
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modellab.data.store import Store
    from modellab.experiment import Kind

ENDINGS = (".parquet", ".csv")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is taken for a formula by spreadsheets."""
ROWS = 65_536
_FORMULA = r"^[=+\-@\t\r]"


def export_data(
    store: Store,
    path: Path,
    *,
    kinds: Mapping[str, Kind] | None = None,
    neutralise: bool = False,
    bad_rows: bool = False,
    progress: ReadProgress = no_progress,
) -> list[Path]:
    """Write all rows of a store to a file, in bounded memory; all of it, or nothing.

    CSV is UTF-8 by RFC 4180: missing values are empty cells, empty texts ``""``, times ISO 8601
    in UTC, numbers so that they are read back to the bit.

    Parameters
    ----------
    store
        The data set.
    path
        Ends in ``.parquet`` or ``.csv``.
    kinds
        As which kinds columns are written; the others as stored.
    neutralise
        CSV: an apostrophe stands before every text and column name that a spreadsheet would take
        for a formula (one that begins with ``= + - @``, a tab or a carriage return).
    bad_rows
        Write the rows that were set aside too, to a file beside it (``x.bad_rows.csv``).
    progress
        Told rows done; may raise `Cancelled`, and nothing is left behind.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    DataError
        If the ending says neither, or a file cannot be written.
    """
    ending = check_export(path)
    here = {os.path.realpath(source.partition("::")[0]) for source in store.source_paths}
    if os.path.realpath(path) in here:
        raise DataError(
            f"{quote(path.name)} is the data set itself, which is never changed: "
            "choose another name."
        )
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with _Out(beside, ending, store, kinds or {}, neutralise) as out:
            for start in range(0, store.n_rows, ROWS):
                table = store.read(start, min(start + ROWS, store.n_rows), kinds=kinds)
                out.add(table)
                progress(min(start + ROWS, store.n_rows), store.n_rows, "Writing rows")
        beside.replace(path)
        written = [path]
        if bad_rows and store.bad_row_count:
            apart = path.with_name(f"{path.stem}.bad_rows.csv")
            _write_bad_rows(store, apart, neutralise)
            written.append(apart)
    except OSError as error:
        raise DataError(
            f"{quote(path, 200)} cannot be written: {error.strerror or error}.", detail=str(error)
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    return written


def check_export(path: Path) -> str:
    """Return the ending of a file that can be written; raises `DataError` for any other."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise DataError(
            f"{quote(path.name)} does not say as what to write: end its name in .parquet or .csv."
        )
    return ending


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


class _Out:
    """A file of rows, Parquet or CSV."""

    def __init__(
        self, path: Path, ending: str, store: Store, kinds: Mapping[str, Kind], neutralise: bool
    ) -> None:
        pa, _ = arrow()
        self._neutralise = neutralise and ending == ".csv"
        schema = pa.schema(
            [(c.name, stored_type(kinds.get(c.name, c.kind))) for c in store.columns]
        )
        if ending == ".parquet":
            import pyarrow.parquet as pq

            self._out: Any = pq.ParquetWriter(path, schema, compression="zstd")
        else:
            from pyarrow import csv as arrow_csv

            self._schema = pa.schema(
                [
                    (
                        harmless(field.name) if self._neutralise else field.name,
                        field.type if _bare(field.type) else pa.large_string(),
                    )
                    for field in schema
                ]
            )
            style = arrow_csv.WriteOptions(quoting_style="needed")
            self._out = arrow_csv.CSVWriter(str(path), self._schema, write_options=style)
        self._parquet = ending == ".parquet"

    def add(self, table: Any) -> None:
        """Write further rows."""
        pa, _ = arrow()
        if self._parquet:
            self._out.write_table(table)
            return
        for batch in table.to_batches():
            columns = [self._texts(values) for values in batch.columns]
            self._out.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def _texts(self, values: Array) -> Array:
        pa, _ = arrow()
        if _bare(values.type):
            # A number may begin with a sign, and is a number to a spreadsheet.
            return values
        if pa.types.is_dictionary(values.type):
            return self._safe(values.dictionary.cast(pa.large_string())).take(values.indices)
        texts = as_texts(values).cast(pa.large_string())
        return self._safe(texts) if pa.types.is_large_string(values.type) else texts

    def _safe(self, texts: Array) -> Array:
        _, pc = arrow()
        if not self._neutralise:
            return texts
        return pc.replace_substring_regex(texts, _FORMULA, r"'\0")

    def __enter__(self) -> _Out:
        return self

    def __exit__(self, *args: object) -> None:
        self._out.close()


def _bare(kind: DataType) -> bool:
    """Whether values of an Arrow type are written without quotation marks."""
    pa, _ = arrow()
    return bool(pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _write_bad_rows(store: Store, path: Path, neutralise: bool) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with (
            store.bad_rows_path.open(newline="", encoding="utf-8") as source,
            beside.open("w", newline="", encoding="utf-8") as target,
        ):
            out = csv.writer(target)
            for row in csv.reader(source):
                out.writerow([harmless(cell) for cell in row] if neutralise else row)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
