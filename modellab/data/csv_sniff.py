"""How a CSV file is written: encoding, delimiter, header, number of columns.

Only the layout is guessed here, from the first 256 KB; what the columns hold is decided over the
whole file (`modellab.data.kinds`).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

from modellab.data.csv_records import read_quoted
from modellab.data.thousands import Grouped, find_thousands

SNIFF_BYTES = 2**18
_MAX_RECORDS = 1000
DELIMITERS = {
    ",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "^": "caret", "~": "tilde",
    "\x01": "control character 1", "\x1f": "control character 31", " ": "space", ":": "colon",
}  # fmt: skip
_COMMON = 4
"""The delimiters after the first four are only thought of where none of those fits."""
_COMMENT = b"#"

_NUMBER = re.compile(
    r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?|[+-]?[1-9]\d{0,2}([., '\u00a0]\d{3})+([.,]\d*)?"
)
_TIME = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}.*|\d{1,2}:\d{2}.*")
_NOTHING = {"", "na", "n/a", "nan", "null", "none", "?", "#n/a"}


@dataclass(frozen=True)
class Layout:
    """How the file is written.

    Attributes
    ----------
    delimiter
        One character.
    names
        Column names; made up (``column_1`` ...) where the file has no header.
    has_header
        Whether the first record holds the names.
    skip_bytes, skip_lines
        Byte order mark and header: what stands before the first row.
    return_ends
        Lines end with a carriage return alone (old Macintosh files).
    row_names
        The header names one column fewer than the rows have: the first is called ``row``.
    comment
        What a line begins with that is a comment; empty if there are none.
    thousands
        Where numbers have signs between thousands; None where none surely has.
    """

    delimiter: str
    names: list[str]
    has_header: bool
    skip_bytes: int
    skip_lines: int
    return_ends: bool = False
    row_names: bool = False
    comment: str = ""
    thousands: Grouped | None = None


@dataclass(frozen=True)
class Told:
    """What is known of the layout and needs no guess; None: to be guessed."""

    delimiter: str | None = None
    comment: str | None = None
    header: bool | None = None


def sniff(
    head: bytes, tabs_expected: bool = False, whole: bool = False, told: Told | None = None
) -> Layout:
    """Guess the layout from the first bytes of a text file.

    Parameters
    ----------
    head
        Up to `SNIFF_BYTES` bytes from the start; holds at least one character that is not blank.
    tabs_expected
        The file's name ends in ``.tsv`` or ``.tab``.
    whole
        `head` is the whole file.
    told
        What need not be guessed.
    """
    told = told or Told()
    mark = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    body = head[mark:]
    returns = b"\n" not in body and b"\r" in body
    if returns:
        body = body.replace(b"\r", b"\n")
    blank = len(body) - len(body.lstrip(b"\r\n"))
    sign = _COMMENT if told.comment is None else told.comment.encode()
    comments, start = _comments(body, blank, sign)
    above = comments[-1] if comments else b""
    best = None
    if told.delimiter is None:
        best = _best(body, start, tabs_expected, whole, above)
    if best is None:
        delimiter = told.delimiter or ("\t" if tabs_expected else ",")
        records, first_end = _records(body, start, delimiter.encode(), whole)
    else:
        delimiter, records, first_end = best
    comment = ""
    header = told.header
    if comments:
        named = None if header is False else _named_by_comment(above, delimiter, records, sign)
        if named:
            records, first_end, header = [named, *records], start, True
        if len(comments) > bool(named):
            comment = sign.decode()
    layout = _layout(delimiter, records, mark, start, first_end, body, returns, header)
    return replace(layout, comment=comment if told.comment is None else told.comment)


def _comments(body: bytes, at: int, sign: bytes) -> tuple[list[bytes], int]:
    """Lines at the start that begin with the comment sign, and where they end."""
    found: list[bytes] = []
    start = at
    while sign and body.startswith(sign, at):
        end = body.find(b"\n", at) + 1
        if not end:
            return [], start  # nothing else is there: no comments, but rows
        found.append(body[at:end].rstrip(b"\r\n"))
        at = end
        while body[at : at + 1] in (b"\r", b"\n"):
            at += 1
    return (found, at) if body[at:].strip() else ([], start)


def _named_by_comment(
    line: bytes, delimiter: str, records: list[list[str]], sign: bytes
) -> list[str]:
    """Cells of a comment that names the columns of the rows below it; empty if it does not."""
    text = line.lstrip(sign).decode("utf-8", "replace").strip(" ")
    cells = [cell.strip().strip('"') for cell in text.split(delimiter)]
    fits = records and len(cells) == len(records[0]) > 1
    if not fits or not is_header(cells, records):
        return []
    typed = any(_typed(cell.strip()) for record in records[1:] for cell in record)
    return [] if typed and is_header(records[0], records[1:]) else cells


def _best(
    body: bytes, start: int, tabs_expected: bool, whole: bool, comment: bytes
) -> tuple[str, list[list[str]], int] | None:
    """The delimiter that cuts most records (and a comment above) alike, and the records."""
    best: tuple[tuple[float, ...], str, list[list[str]], int] | None = None
    for order, delimiter in enumerate(DELIMITERS):
        if order == _COMMON and best is not None:
            break
        records, first_end = _records(body, start, delimiter.encode(), whole)
        if not records or (order >= _COMMON and not _certain(delimiter, records)):
            continue
        widths = Counter(len(record) for record in records)
        width, count = min(widths.items(), key=lambda item: (-item[1], -item[0]))
        fits = len(records[0]) in (width, width - 1)
        share = count / len(records)
        if width < 2 or share < 0.5 or not fits:
            continue
        expected = 1.0 if tabs_expected and delimiter == "\t" else 0.0
        like = float(comment.count(delimiter.encode()) == width - 1)
        # Decimal commas cut rows into two, but not the header above them.
        exact = float(len(records[0]) == width)
        rank = (expected, round(share, 2), exact, like, float(width), float(-order))
        if best is None or rank > best[0]:
            best = (rank, delimiter, records, first_end)
    return best and best[1:]


def _certain(delimiter: str, records: list[list[str]]) -> bool:
    """Whether a delimiter that is often a part of words or times is one here."""
    widths = Counter(len(record) for record in records)
    width, count = widths.most_common(1)[0]
    if width < 2 or count < 0.95 * len(records) or len(records) < 2:
        return False
    if delimiter not in " :":
        return True
    # Words stand between blanks, hours and minutes between colons: only tables of numbers pass.
    below = [cell for record in records[1:] if len(record) == width for cell in record]
    numbers = sum(bool(_NUMBER.fullmatch(cell)) for cell in below)
    return width > 3 and numbers >= 0.8 * len(below)


def single_quoted(head: bytes, delimiter: str) -> bool:
    """Whether cells stand in single quotation marks, as many programs of databases write them.

    Sure only where no cell is in double ones, every mark that a cell begins with is closed at its
    end, and there are such cells in at least half of the lines.
    """
    lines = [line for line in head.splitlines()[1:_MAX_RECORDS] if line.strip()]
    between = re.escape(delimiter.encode())
    begun = re.compile(rb"(?:^|(?<=" + between + rb"))'")
    whole = re.compile(rb"(?:^|(?<=" + between + rb"))'(?:[^']|'')*'(?=" + between + rb"|\r?$)")
    double = re.compile(rb"(?:^|(?<=" + between + rb'))"')
    found = 0
    for line in lines:
        if double.search(line):
            return False
        closed = whole.findall(line)
        # What begins inside a closed cell is none of its own.
        if begun.search(whole.sub(b"", line)):
            return False
        found += bool(closed)
    return found >= max(1, len(lines) / 2)


def _layout(
    delimiter: str,
    records: list[list[str]],
    mark: int,
    blank: int,
    first_end: int,
    body: bytes,
    returns: bool,
    header: bool | None,
) -> Layout:
    first, rest = records[0], records[1:]
    if header is None:
        header = is_header(first, rest)
    row_names = False
    if header:
        names = list(first)
        skip = first_end
        widths = Counter(len(record) for record in rest)
        if widths and len(first) + 1 == max(widths, key=lambda w: (widths[w], w)):
            names = ["row", *names]  # R leaves the name of the row names out
            row_names = True
    else:
        widths = Counter(len(record) for record in records)
        width = max(widths, key=lambda w: (widths[w], w))
        names = [f"column_{k + 1}" for k in range(width)]
        skip = blank
    return Layout(
        delimiter=delimiter,
        names=names,
        has_header=header,
        skip_bytes=mark + skip,
        skip_lines=body[:skip].count(b"\n"),
        return_ends=returns,
        row_names=row_names,
        thousands=find_thousands(
            [record for record in (rest if header else records) if len(record) == len(names)],
            delimiter,
        ),
    )


def _records(body: bytes, at: int, delimiter: bytes, whole: bool) -> tuple[list[list[str]], int]:
    """First records as texts, and where the first one ends; the last, cut one is left out."""
    records: list[list[str]] = []
    first_end = at
    while at < len(body) and len(records) < _MAX_RECORDS:
        newline = body.find(b"\n", at)
        line_end = newline + 1 if newline >= 0 else len(body)
        if newline < 0 and not whole and records:
            break
        line = body[at:line_end].rstrip(b"\r\n")
        if line:
            cells, end, state = read_quoted(body, at, delimiter, min(len(body), at + 65_536))
            if state != "done":
                cells, end = line.split(delimiter), line_end
            elif end >= len(body) and not whole and records and end > line_end:
                break
            records.append([cell.decode("utf-8", "replace") for cell in cells])
            if len(records) == 1:
                first_end = end
            at = end
        else:
            at = line_end
    return records, first_end


def is_header(first: list[str], rest: list[list[str]]) -> bool:
    """Whether the first record names the columns.

    It does not if a cell of it is a number or a time, unless the cells count 0, 1, 2 ... It does if
    a column below it holds numbers or times, or if none of its cells comes again in its column.
    """
    cells = [cell.strip() for cell in first]
    counted = [cell for cell in cells if cell]
    if len(counted) >= 3 and counted in (
        [str(k) for k in range(len(counted))], [str(k + 1) for k in range(len(counted))]
    ):  # fmt: skip
        return True
    if any(_typed(cell) for cell in cells) or not counted:
        return False
    if not rest:
        return True
    for position in range(len(cells)):
        below = [row[position].strip() for row in rest if len(row) == len(rest[0]) > position]
        below = [cell for cell in below if cell.lower() not in _NOTHING]
        if below and sum(map(_typed, below)) > 0.8 * len(below):
            return True
    columns = [{row[k].strip() for row in rest if k < len(row)} for k in range(len(cells))]
    again = any(cell and cell in seen for cell, seen in zip(cells, columns, strict=True))
    return not again


def _typed(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _TIME.fullmatch(cell))
