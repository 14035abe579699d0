"""Signs between the thousands of numbers: 1,234,567 and 1.234.567,8 and 1 234 567 and 1'234'567.

They are found out over the first rows of a delimited text, and only where they can mean nothing
else; or the person names them (`ReadingSpec.thousands`). The texts are then rewritten without them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from modellab.data.arrow import Array, arrow

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNS = {",": ",", ".": r"\.", " ": "[ \u00a0\u2009\u202f]", "'": "['\u2019]"}
"""Each sign, and the pattern of its spellings."""
_DECIMAL = {",": r"\.", ".": ",", " ": "[.,]", "'": "[.,]"}
_NOTHING = {"", "na", "n/a", "nan", "null", "none", "?", "#n/a", "-"}
_LEAST = 2
"""Cells with such a sign that a column must have to be sure of a single group in each."""


@dataclass(frozen=True)
class Grouped:
    """Which sign stands between thousands, and in which columns (positions).

    `sure`: it can mean nothing else.
    """

    sign: str
    columns: tuple[int, ...]
    sure: bool = True


@cache
def _pattern(sign: str) -> str:
    """Numbers that have the sign; valid for RE2 and `re`."""
    apart, decimal = SIGNS[sign], _DECIMAL[sign]
    return rf"^\s*-?[1-9]\d{{0,2}}({apart}\d{{3}})+({decimal}\d*)?\s*$"


def without_thousands(texts: Array, sign: str) -> Array:
    """Return texts (``string`` or ``large_string``) with numbers written without the sign.

    What is nothing but such a number is changed; everything else stays as it is.
    """
    _, pc = arrow()
    found = pc.fill_null(pc.match_substring_regex(texts, _pattern(sign)), False)
    if not pc.any(found).as_py():
        return texts
    bare = pc.replace_substring_regex(texts, SIGNS[sign], "")
    if sign == " ":
        bare = pc.utf8_trim_whitespace(bare)
    return pc.if_else(found, bare, texts)


def find_thousands(rows: Sequence[Sequence[str]], delimiter: str) -> Grouped | None:
    """Find the sign that stands between thousands in some rows of texts; None if there is none.

    A column must hold nothing but numbers, written with the sign wherever they are large enough.
    One of them must leave no doubt: two groups, or a decimal sign after a group; a comma can also
    be no decimal sign where it is the delimiter, and blanks and apostrophes never are one. Commas
    that may be decimal signs as well are found, but not sure.
    """
    width = max(map(len, rows), default=0)
    columns = [
        [cell for row in rows if k < len(row) and (cell := row[k].strip()).lower() not in _NOTHING]
        for k in range(width)
    ]
    for sign in SIGNS:
        told = [_judged(column, sign, delimiter) for column in columns]
        if "sure" in told:
            return Grouped(sign, tuple(k for k, word in enumerate(told) if word))
    told = [_judged(column, ",", delimiter) for column in columns]
    unsure = tuple(k for k, word in enumerate(told) if word == "not all")
    return Grouped(",", unsure, sure=False) if unsure else None


def _judged(cells: list[str], sign: str, delimiter: str) -> str:
    """Whether a column's numbers have the sign: ``sure``, maybe (``all``, ``not all``), or no."""
    spellings = sign if sign in ",." else SIGNS[sign].strip("[]")
    if not any(s in cell for cell in cells for s in spellings):
        return ""
    grouped, plain = re.compile(_pattern(sign)), re.compile(
        rf"[+-]?\d{{1,3}}({_DECIMAL[sign]}\d*)?"
    )  # fmt: skip
    with_sign = [cell for cell in cells if grouped.match(cell)]
    others = [cell for cell in cells if not grouped.match(cell)]
    if not with_sign or not all(plain.fullmatch(cell) for cell in others):
        return ""
    groups = {len(re.findall(SIGNS[sign], cell)) for cell in with_sign}
    decimal = any(re.search(_DECIMAL[sign] + r"\d*\s*$", cell) for cell in with_sign)
    if sign == ".":
        # Parts of an address have points and three digits, too, but always as many.
        sure = decimal or (max(groups) > 1 and len(groups | ({0} if others else set())) > 1)
    elif sign == ",":
        sure = decimal or max(groups) > 1 or (delimiter == "," and len(with_sign) >= _LEAST)
    else:
        sure = decimal or max(groups) > 1 or len(with_sign) >= _LEAST
    return "sure" if sure else "not all" if others else "all"
