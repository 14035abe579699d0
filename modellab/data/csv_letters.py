"""Delimiters and quotation marks of any kind, turned into those that are read, and back.

Readers of delimited text know one byte between cells, and the double quotation mark. A text written
otherwise is rewritten letter by letter on its way in: line numbers stay, cells are turned back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modellab.data.arrow import Array, arrow

BETWEEN = "\x1f"
"""Stands for a delimiter that is not one ASCII character."""
MARK = "\x1e"
"""Stands for a double quotation mark that is a letter like others."""


@dataclass(frozen=True)
class Letters:
    """How the letters of a text differ from those that are read.

    Attributes
    ----------
    delimiter
        What stands between cells; None if not known, or one byte.
    mark
        The quotation mark; empty: there is none.
    """

    delimiter: str | None = None
    mark: str = '"'

    @property
    def plain(self) -> bool:
        """Whether nothing is rewritten."""
        return self.mark == '"' and self._long is None

    @property
    def between(self) -> str | None:
        """The delimiter as it is read."""
        return BETWEEN if self._long is not None else self.delimiter

    @property
    def _long(self) -> str | None:
        one_byte = self.delimiter is None or (len(self.delimiter) == 1 and self.delimiter.isascii())
        return None if one_byte else self.delimiter

    @property
    def _table(self) -> bytes | None:
        if self.mark == '"':
            return None
        other = self.mark or MARK
        return bytes.maketrans(f'"{other}'.encode(), f'{other}"'.encode())

    def rewriter(self) -> Rewriter:
        """Return what rewrites one text, piece by piece."""
        return Rewriter(self._long, self._table)

    def to_read(self, text: str) -> str:
        """Return a short text as it is read."""
        return self.rewriter()(text.encode(), True).decode()

    def back(self, text: str) -> str:
        """Return a text that was read as the file has it."""
        table = self._table
        if table is not None:
            text = text.translate({k: table[k] for k in range(128) if table[k] != k})
        return text if self._long is None else text.replace(BETWEEN, self._long)

    def cells_back(self, cells: Array) -> Array:
        """Return cells that were read as the file has them (``string``, no nulls)."""
        if self.plain:
            return cells
        pa, pc = arrow()
        table = self._table
        if table is not None and len(cells):
            # One byte for one byte: the offsets of the texts stay.
            buffers: list[Any] = cells.buffers()
            data = (buffers[2] or b"") and buffers[2].to_pybytes().translate(table)
            cells = pa.StringArray.from_buffers(
                len(cells), buffers[1], pa.py_buffer(data), None, 0, cells.offset
            )
        if self._long is not None and pc.any(pc.match_substring(cells, BETWEEN)).as_py():
            cells = pc.replace_substring(cells, BETWEEN, self._long)
        return cells


AS_IT_IS = Letters()
"""Nothing is rewritten."""


class Rewriter:
    """Rewrites a text in UTF-8, piece by piece."""

    def __init__(self, long: str | None, table: bytes | None) -> None:
        self._long = b"" if long is None else long.encode()
        self._table = table
        self._held = b""

    def __call__(self, data: bytes, final: bool) -> bytes:
        """Return the next piece; the last one is `final`."""
        if self._long:
            data = (self._held + data).replace(self._long, BETWEEN.encode())
            keep = 0 if final else self._begun(data)
            self._held = data[len(data) - keep :]
            data = data[: len(data) - keep]
        return data if self._table is None else data.translate(self._table)

    def _begun(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a delimiter."""
        for size in range(min(len(self._long) - 1, len(data)), 0, -1):
            if data.endswith(self._long[:size]):
                return size
        return 0
