"""Kinds: decided over all values, with the reason; conversions value by value tolerant."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modellab.data.convert import (
    Converted,
    as_booleans,
    as_categories,
    as_long_texts,
    as_numbers,
    as_texts,
    as_times,
    convert,
    number_time_unit,
)
from modellab.data.kinds import Detected, KindDetector, NeedsRecount, sort_levels


def detect(values: list[Any], chunk: int = 1000, **options: Any) -> Detected:
    """Detect in chunks; counts again where the detector asks for it."""
    for recount in (False, True):
        detector = KindDetector(recount=recount, **options)
        for start in range(0, len(values), chunk):
            detector.update(pa.array(values[start : start + chunk], pa.string()))
        try:
            return detector.finish()
        except NeedsRecount:
            continue
    raise AssertionError("a recount must be enough")


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (["1", "2.5", "-3e2", "", "NA"], "number", "numbers"),
        (["1", " 2 ", "+3"], "number", "whole numbers"),
        (["0", "1", "1", ""], "boolean", "exactly two values, 0 and 1"),
        (["0.0", "1.0", "1"], "boolean", "exactly two values, 0 and 1"),
        (["Yes", "no", "NO"], "boolean", "exactly two values, NO and Yes"),
        (["true", "false"], "boolean", "exactly two values, false and true"),
        (["t", "f", "f"], "boolean", "exactly two values, f and t"),
        (["0", "0"], "number", "whole numbers"),
        (["yes", "no", "maybe"], "category", "3 different values in 3 rows"),
        (["yes", "yes"], "category", "1 different value in 2 rows"),
        (["2013-01-01", "2013-01-02"], "time", "dates or times in ISO 8601"),
        (["2013-01-01 10:15", "2013-01-01T10:15:30.5Z"], "time", "dates or times in ISO 8601"),
        (["2013/01/01 10:15+02:00", "?"], "time", "dates or times in ISO 8601"),
        (["01/02/2013", "02/02/2013"], "category", "2 different values in 2 rows"),
        (["", "NA", "null"], "number", "no value in any row"),
        ([], "number", "no value in any row"),
        (["UP", "DOWN"] * 5, "category", "2 different values in 10 rows"),
    ],
)
def test_rules(values: list[str], kind: str, reason: str) -> None:
    found = detect(values)
    assert (found.kind, found.reason) == (kind, reason)


def test_a_few_words_deep_in_the_file_leave_a_number() -> None:
    values = [str(k) for k in range(9_950)] + ["broken"] * 50
    found = detect(values, 500)
    assert found.kind == "number"
    assert found.reason == "whole numbers; 50 other values taken as missing"
    assert not found.lossless
    # One more is too many, wherever it stands.
    found = detect(["broken"] * 51 + values[:-50][:5000], 500)
    assert found.kind == "text"


def test_numbers_then_words_are_counted_again() -> None:
    values = [str(k % 100) for k in range(2000)] + ["x"] * 1000
    found = detect(values, chunk=500)
    assert found.kind == "category"
    assert found.levels is not None
    assert sorted(found.levels) == sorted({str(k) for k in range(100)} | {"x"})
    detector = KindDetector()
    for start in range(0, 3000, 500):
        detector.update(pa.array(values[start : start + 500]))
    with pytest.raises(NeedsRecount):
        detector.finish()


def test_category_or_text_follows_from_share_and_words() -> None:
    codes = [f"c{k % 400}" for k in range(10_000)]
    assert detect(codes).kind == "category"
    assert detect(codes).reason == "400 different values in 10,000 rows"
    many = [f"c{k % 600}" for k in range(10_000)]
    assert detect(many).kind == "text"
    few_sentences = [f"a sentence that says a thing of its own, number {k}" for k in range(40)]
    assert detect(few_sentences).kind == "text"
    assert detect(few_sentences).reason == "40 different values in 40 rows, words"


def test_texts_of_a_typed_file_stay_categories() -> None:
    values = [str(k % 30) for k in range(1000)]
    assert detect(values).kind == "number"
    found = detect(values, typed=True)
    assert found.kind == "category"
    assert found.levels == [str(k) for k in range(30)]  # in order of size
    assert detect([str(k) for k in range(1000)], typed=True).kind == "number"


def test_the_order_of_levels_follows_from_them_alone() -> None:
    assert sort_levels({"10", "9", "1.0", "1"}) == ["1", "1.0", "9", "10"]
    assert sort_levels({"10", "9", "x"}) == ["10", "9", "x"]
    assert sort_levels({"nAn", "1", "0.5", "2"}) == ["0.5", "1", "2", "nAn"]


def test_decimal_commas_where_the_delimiter_allows() -> None:
    values = ["1,5", "2", "-3,25", "n/a"]
    assert detect(values).kind == "category"
    found = detect(values, decimal_comma=True)
    assert (found.kind, found.reason) == ("number", "numbers with a decimal comma")
    assert found.decimal_comma
    assert as_numbers(pa.array(values), decimal_comma=True).values.to_pylist() == [
        1.5, 2.0, -3.25, None,
    ]  # fmt: skip
    # Points stay points where no comma is needed.
    assert not detect(["1.5", "2"], decimal_comma=True).decimal_comma


def test_what_would_be_lost_is_known() -> None:
    assert detect(["1", "2"]).lossless
    assert not detect(["007", "012", "100"]).lossless
    assert detect(["0.5", "0"]).lossless
    assert not detect(["1", "inf"]).lossless
    big = detect([str(2**53 + 1), "5"])
    assert big.inexact
    assert not big.lossless
    assert big.reason == "whole numbers, some beyond 2 to the 53 and so rounded"


def test_facts_about_numbers() -> None:
    found = detect(["3", "1", "2", "", "NaN"])
    assert found.few_numbers == [1.0, 2.0, 3.0]
    assert (found.low, found.high, found.whole) == (1.0, 3.0, True)
    assert (found.rows, found.missing, found.missing_words) == (5, 2, 1)
    assert detect([str(k) for k in range(21)]).few_numbers is None


def test_too_many_levels_are_text_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modellab.data.kinds.MAX_LEVELS", 1000)
    detector = KindDetector()
    for start in range(0, 50_000, 1000):
        detector.update(pa.array([f"v{k % 2000}" for k in range(start, start + 1000)]))
    found = detector.finish()
    assert (found.kind, found.levels) == ("text", None)
    assert found.reason == "more than 1,000 different values"
    forced = KindDetector()
    forced.update(pa.array([f"v{k}" for k in range(1001)]))
    assert forced.finish("category").kind == "text"


def typed(values: Any, kind: pa.DataType) -> Detected:
    detector = KindDetector(typed=True)
    detector.update(pa.array(values, kind))
    return detector.finish()


def test_arrow_types() -> None:
    assert typed([1, 2, None], pa.int32()).kind == "number"
    assert typed([0, 1, None], pa.int64()).kind == "boolean"
    assert typed([0.0, 0.5], pa.float32()).kind == "number"
    assert typed([True, None], pa.bool_()).kind == "boolean"
    assert typed([Decimal("1.5"), None], pa.decimal128(5, 2)).kind == "number"
    assert typed([date(2020, 1, 1)], pa.date32()).kind == "time"
    assert typed([datetime(2020, 1, 1)], pa.timestamp("us")).kind == "time"
    assert typed([timedelta(seconds=90)], pa.duration("ms")).kind == "number"
    assert typed([time(1, 2, 3)], pa.time32("s")).kind == "number"
    assert typed([None, None], pa.null()).kind == "number"
    assert typed(["a", "b"], pa.large_string()).kind == "category"
    assert typed([b"a", b"\xff"], pa.binary()).levels == ["61", "ff"]
    encoded = pa.array(["a", "b", None]).dictionary_encode()
    detector = KindDetector(typed=True)
    detector.update(encoded)
    assert detector.finish().levels == ["a", "b"]


# ---------------------------------------------------------------- conversions
def unfit(done: Converted) -> list[int]:
    return [] if done.unfit is None else np.flatnonzero(done.unfit).tolist()


def test_texts_to_numbers() -> None:
    done = as_numbers(
        pa.array(["1", " 2.5\t", "x", "", None, "inf", "1e400", "NaN", "0x10", "1_0"])
    )
    assert done.values.to_pylist() == [1.0, 2.5, None, None, None, None, None, None, None, None]
    assert unfit(done) == [2, 8, 9]
    assert done.infinite == 2


def test_texts_to_times() -> None:
    texts = [
        "2013-01-01", "2013-01-01T10:00:00Z", "2013-01-01 10:00:00.123456789+02:00",
        "2013/01/01 10:15", "2013-02-31", "soon", "", "1066-10-14", "9999-12-31 00:00",
        "2013-01-01T10-0530",
    ]  # fmt: skip
    done = as_times(pa.array(texts))
    ns = done.values.cast(pa.int64()).to_pylist()
    day = int(datetime(2013, 1, 1, tzinfo=UTC).timestamp()) * 10**9
    hour = 3600 * 10**9
    assert ns == [
        day, day + 10 * hour, day + 8 * hour + 123_456_789, day + 10 * hour + 15 * 60 * 10**9,
        None, None, None, None, None, day + 15 * hour + hour // 2,
    ]  # fmt: skip
    assert unfit(done) == [4, 5, 7, 8]


def test_typed_times_outside_the_range_are_unfit() -> None:
    done = as_times(pa.array([datetime(1500, 1, 1), datetime(2000, 1, 1)], pa.timestamp("s")))
    assert unfit(done) == [0]
    assert done.values[1].as_py().year == 2000


@pytest.mark.parametrize(
    ("low", "high", "whole", "unit"),
    [
        (1990, 2020, True, "year"),
        (1990, 2020.5, False, "s"),
        (20130101, 20131231, True, "yyyymmdd"),
        (1.3e9, 1.7e9, True, "s"),
        (1.3e12, 1.7e12, True, "ms"),
        (1.3e15, 1.7e15, True, "us"),
        (1.3e18, 1.7e18, True, "ns"),
        (0, 1, False, "s"),
    ],
)
def test_numbers_as_times(low: float, high: float, whole: bool, unit: str) -> None:
    assert number_time_unit(low, high, whole) == unit


def test_numbers_to_times() -> None:
    def nanos(values: list[Any], unit: str) -> list[int | None]:
        done = as_times(pa.array(values, pa.float64()), unit)
        return done.values.cast(pa.int64()).to_pylist()

    assert nanos([1.5, None, 1e30], "s") == [1_500_000_000, None, None]
    assert nanos([1_700_000_000_000.0], "ms") == [1_700_000_000 * 10**9]
    assert nanos([1970.0, 1971.0], "year") == [0, 365 * 86400 * 10**9]
    assert nanos([19700102.0, 19700231.0, 19701301.0], "yyyymmdd") == [86400 * 10**9, None, None]


def test_booleans_and_their_texts() -> None:
    done = as_booleans(pa.array(["Yes", "no", "1.0", "0", "maybe", ""]))
    assert done.values.to_pylist() == [True, False, True, False, None, None]
    assert unfit(done) == [4]
    assert as_booleans(pa.array([0.0, 1.0, 2.0])).values.to_pylist() == [False, True, None]


def test_categories_are_trimmed_and_texts_are_not() -> None:
    done = as_categories(pa.array([" a", "b ", "NA", "c"]), ["a", "b"])
    assert done.values.to_pylist() == ["a", "b", None, None]
    assert unfit(done) == [3]
    assert as_long_texts(pa.array([" a ", "  ", "None"])).values.to_pylist() == [" a ", None, None]


def test_values_as_a_person_writes_them() -> None:
    assert as_texts(pa.array([7.0, 0.1, -3.0, 1e300, None])).to_pylist() == [
        "7", "0.1", "-3", "1e+300", None,
    ]  # fmt: skip
    assert as_texts(pa.array([True, None])).to_pylist() == ["true", None]
    stamps = pa.array([0, 86_400_000_000_001, 3_600_500_000_000], pa.timestamp("ns", "UTC"))
    assert as_texts(stamps).to_pylist() == [
        "1970-01-01", "1970-01-02 00:00:00.000000001", "1970-01-01 01:00:00.5",
    ]  # fmt: skip
    assert as_texts(pa.array([5, None])).to_pylist() == ["5", None]


def test_durations_are_seconds() -> None:
    values = pa.array([timedelta(minutes=2), None], pa.duration("us"))
    assert convert(values, "number").values.to_pylist() == [120.0, None]
    assert convert(pa.array([time(0, 1)], pa.time32("s")), "number").values.to_pylist() == [60.0]
