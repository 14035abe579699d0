"""What all sources of typed columns have in common: which columns can be used, chunks of them."""

from __future__ import annotations

from functools import partial
from operator import add
from typing import TYPE_CHECKING

from modellab.data.arrow import DataType, RecordBatch, arrow
from modellab.data.source import Chunk, SourceColumn, unique_names
from modellab.errors import DataError, quote

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 65_536
"""Most rows of a chunk."""


class TypedColumns:
    """The columns of an Arrow schema that can be used.

    Columns of lists, structs or maps and others that are no feature are left out, with a warning.

    Parameters
    ----------
    schema
        Arrow schema of the file.
    file
        Name of the file, for sentences.

    Raises
    ------
    DataError
        If no column is left.
    ValueError
        If a name or a time zone is no text.
    """

    def __init__(self, schema: DataType, file: str) -> None:
        names, self.warnings = unique_names(schema.names, file)
        self.kept: list[int] = []
        self.columns: list[SourceColumn] = []
        for position, (name, column) in enumerate(zip(names, schema, strict=True)):
            # A damaged time zone shows only when it is asked for (ValueError).
            getattr(column.type, "tz", None)
            if not usable(column.type):
                self.warnings.append(
                    f"Column {quote(name)} of {quote(file)} holds {column.type} values, "
                    "which cannot be used: it is left out."
                )
                continue
            self.kept.append(position)
            self.columns.append(SourceColumn(name, column.type))
        if not self.columns:
            raise DataError(f"{quote(file)} has no column that can be used.")

    def chunks(self, batch: RecordBatch, file: str, before: int) -> Iterator[Chunk]:
        """Yield the rows of a batch; `before`: rows that came before it."""
        pa, _ = arrow()
        names = [column.name for column in self.columns]
        columns = [batch.column(position) for position in self.kept]
        kept = pa.RecordBatch.from_arrays(columns, names=names)
        for start in range(0, len(kept), ROWS):
            yield Chunk(kept.slice(start, ROWS), file, partial(add, before + start + 1))


def usable(kind: DataType) -> bool:
    """Whether values of an Arrow type can become one of the five kinds."""
    pa, _ = arrow()
    t = pa.types
    if t.is_dictionary(kind):
        return usable(kind.value_type)
    return not (
        t.is_nested(kind) or t.is_interval(kind) or t.is_union(kind)
        or isinstance(kind, pa.BaseExtensionType)
    )  # fmt: skip
