"""Which ordinal columns are categories."""

from __future__ import annotations

from modellab.data.categories import HASH_COLUMNS, CategoryColumn, HashedColumn
from modellab.data.codes import category_codes
from modellab.data.encoder import Encoder
from modellab.data.encoding import BooleanColumn, NumberColumn, TimeColumn


def test_codes_stand_beside_the_columns_of_the_ordinal_view():
    columns = [
        NumberColumn("n"),
        NumberColumn("gaps", missing=True),
        CategoryColumn("c", ("x", "y", "z"), 1),
        CategoryColumn("one", ("x",)),
        HashedColumn("h"),
        BooleanColumn("b", missing=True),
        TimeColumn("t", ("weekday", "month"), missing=True),
    ]
    kinds = dict(
        zip(
            ("n", "gaps", "c", "one", "h", "b", "t"),
            ("number", "number", "category", "category", "category", "boolean", "time"),
            strict=True,
        )
    )
    encoder = Encoder(columns, kinds)
    codes = category_codes(encoder)
    assert dict(zip(encoder.names("ordinal"), codes, strict=True)) == {
        "n": 0,
        "gaps": 0,
        "gaps missing": 2,
        "c": 4,
        "one": 2,
        "h": HASH_COLUMNS,
        "b": 2,
        "b missing": 2,
        "t: weekday": 0,
        "t: month": 0,
        "t missing": 2,
    }
