"""Turning columns into the stored type of a kind, value by value tolerant.

Stored types: number float64, category dictionary<int32, string>, text large_string, time
timestamp[ns, UTC], boolean bool; null is missing. A value that does not fit becomes missing and is
pointed out, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.arrow import Array, DataType, arrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from modellab.experiment import Kind

MISSING_TEXTS = (
    "", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "null", "NULL", "Null", "None", "?",
)  # fmt: skip
"""Texts that stand for a missing value, blanks around them not counted."""

ONLY_EMPTY = ("",)
"""What stands for a missing value where the person named the words that do: they are gone."""

TRUE_TEXTS = ("1", "true", "yes", "t", "y")
FALSE_TEXTS = ("0", "false", "no", "f", "n")

EXACT_WHOLE = 2.0**53
"""From here on, whole numbers may have been rounded to fit into float64."""

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_INFINITE = r"^[+-]?(?i:inf|infinity)$"
_TIME = (
    r"^\d{4}[-/]\d{2}[-/]\d{2}"
    r"([T ]\d{2}(:\d{2}(:\d{2}(\.\d{1,9})?)?)?)?(Z|[+-]\d{2}(:?\d{2})?)?$"
)
_ZONE = r"(:\d{2}(\.\d+)?|[T ]\d{2})(Z|[+-]\d{2}(:?\d{2})?)$"


@dataclass(frozen=True)
class Converted:
    """A converted column.

    Attributes
    ----------
    values
        The stored type of the kind.
    unfit
        True where a value was there but did not fit, so that it is missing now; None if all fitted.
    infinite
        Infinite numbers, which count as missing.
    """

    values: Array
    unfit: NDArray[np.bool_] | None = None
    infinite: int = 0


@cache
def stored_type(kind: Kind) -> DataType:
    """Arrow type in which a kind is stored."""
    pa, _ = arrow()

    return {
        "number": pa.float64(),
        "category": pa.dictionary(pa.int32(), pa.string()),
        "text": pa.large_string(),
        "time": pa.timestamp("ns", "UTC"),
        "boolean": pa.bool_(),
    }[kind]


def is_text(kind: DataType) -> bool:
    """Whether values of an Arrow type are texts (dictionaries of texts included)."""
    pa, _ = arrow()

    t = pa.types
    if t.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(
        t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind) or is_bytes(kind)
    )


def is_bytes(kind: DataType) -> bool:
    """Whether values of an Arrow type are bytes."""
    pa, _ = arrow()

    t = pa.types
    return bool(
        t.is_binary(kind) or t.is_large_binary(kind) or t.is_fixed_size_binary(kind)
        or t.is_binary_view(kind)
    )  # fmt: skip


def as_texts(values: Array) -> Array:
    """Return any array as plain strings, the way a person would write them."""
    pa, pc = arrow()

    kind, t = values.type, pa.types
    if t.is_string(kind) or t.is_large_string(kind):
        return values
    if t.is_dictionary(kind) and is_text(kind):
        return as_texts(values.dictionary_decode())
    if is_bytes(kind):
        try:
            return values.cast(pa.binary()).cast(pa.string())
        except pa.ArrowInvalid:
            return pa.array(
                [None if v is None else v.hex() for v in values.to_pylist()], pa.string()
            )
    if t.is_boolean(kind):
        return pc.if_else(values, "true", "false")
    if t.is_timestamp(kind) or t.is_date(kind):
        shown = as_times(values).values.cast(pa.string())
        shown = pc.replace_substring_regex(shown, r"\.?0*Z$", "")
        return pc.replace_substring_regex(shown, r" 00:00:00$", "")
    if t.is_integer(kind) or t.is_decimal(kind):
        return values.cast(pa.string())
    numbers = as_numbers(values).values
    floats = numbers.to_numpy(zero_copy_only=False)
    whole = np.isfinite(floats) & (np.abs(floats) < EXACT_WHOLE) & (floats == np.floor(floats))
    mask = pa.array(whole)
    ints = pa.array(np.where(whole, floats, 0.0).astype(np.int64)).cast(pa.string())
    return pc.if_else(numbers.is_valid(), pc.if_else(mask, ints, numbers.cast(pa.string())), None)


def present_texts(values: Array, missing: Sequence[str] = MISSING_TEXTS) -> Array:
    """Return texts without the blanks around them, null where they stand for a missing value."""
    pa, pc = arrow()

    trimmed = pc.utf8_trim_whitespace(as_texts(values))
    gone = pc.is_in(trimmed, value_set=pa.array(missing, trimmed.type))
    return pc.if_else(gone, pa.scalar(None, trimmed.type), trimmed)


def tolerant_cast(values: Array, kind: DataType) -> Array:
    """Cast; single values that cannot be cast become null.

    Halves the array around each failure, so it is meant for few failures.
    """
    pa, pc = arrow()

    try:
        return pc.cast(values, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        if len(values) <= 1:
            return pa.nulls(len(values), kind)
        middle = len(values) // 2
        halves = [tolerant_cast(values[:middle], kind), tolerant_cast(values[middle:], kind)]
        return pa.concat_arrays(halves)


def plain_numbers(texts: Array) -> Array | None:
    """Return texts as float64 if all of them, as they stand, are numbers; else None."""
    pa, pc = arrow()
    try:
        numbers = pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        return None
    # The word NaN is read as a number, but means a missing value.
    return None if pc.any(pc.is_nan(numbers)).as_py() else numbers


def has_leading_zeros(texts: Array) -> bool:
    """Whether a text starts with 0 and another digit, as codes such as 007 do (no nulls)."""
    pa, _ = arrow()
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return False
    width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    ends = np.frombuffer(offsets, width)[texts.offset : texts.offset + len(texts) + 1]
    starts = ends[:-1][np.diff(ends) > 1]
    letters = np.frombuffer(data, np.uint8)
    second = letters[starts + 1]
    return bool(np.any((letters[starts] == ord("0")) & (second >= ord("0")) & (second <= ord("9"))))


def looks_like(texts: Array, pattern: str) -> Array:
    """Boolean mask of the texts that match; null and no match are False."""
    _, pc = arrow()

    return pc.fill_null(pc.match_substring_regex(texts, pattern), False)


def number_mask(texts: Array, decimal_comma: bool = False) -> Array:
    """Which texts are numbers (infinity included)."""
    _, pc = arrow()

    if decimal_comma:
        texts = pc.replace_substring(texts, ",", ".")
    return pc.or_(looks_like(texts, _NUMBER), looks_like(texts, _INFINITE))


def time_mask(texts: Array) -> Array:
    """Which texts are ISO 8601 dates or date-times."""
    return looks_like(texts, _TIME)


def _finished(numbers: Array, present: Array) -> Converted:
    """Number column: NaN and infinity become missing; what was there and is not now is unfit."""
    pa, pc = arrow()

    infinite = pc.fill_null(pc.is_inf(numbers), False)
    n_infinite = int(pc.sum(infinite).as_py() or 0)
    keep = pc.fill_null(pc.is_finite(numbers), False)
    if pc.sum(keep).as_py() != len(numbers):
        values = pc.if_else(keep, numbers, pa.scalar(None, pa.float64()))
    else:
        values = numbers
    unfit = pc.and_(present, pc.is_null(numbers))
    mask = unfit.to_numpy(zero_copy_only=False) if pc.any(unfit).as_py() else None
    return Converted(values, mask, n_infinite)


def as_numbers(
    values: Array, decimal_comma: bool = False, missing: Sequence[str] = MISSING_TEXTS
) -> Converted:
    """Return any column as float64.

    Texts are read with a point (or a comma, if asked); booleans are 0 and 1; times are seconds
    since 1970-01-01 UTC; durations and times of day are seconds.
    """
    pa, pc = arrow()

    kind, t = values.type, pa.types
    present = values.is_valid()
    if is_text(kind):
        texts = as_texts(values)
        numbers = plain_numbers(texts)
        if numbers is not None:
            return _finished(numbers, present)
        texts = present_texts(texts, missing)
        present = texts.is_valid()
        if decimal_comma:
            texts = pc.replace_substring(texts, ",", ".")
        fits = pc.if_else(number_mask(texts), texts, pa.scalar(None, texts.type))
        return _finished(tolerant_cast(fits, pa.float64()), present)
    if t.is_timestamp(kind) or t.is_date(kind):
        nanos = pc.cast(as_times(values).values, pa.int64())
        return Converted(pc.divide(pc.cast(nanos, pa.float64(), safe=False), 1e9))
    if t.is_time(kind) or t.is_duration(kind):
        bits = pa.int32() if kind.bit_width == 32 else pa.int64()
        per_second = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        counted = pc.cast(pc.cast(values, bits), pa.float64(), safe=False)
        return Converted(pc.divide(counted, per_second))
    if t.is_boolean(kind):
        return Converted(pc.cast(pc.cast(values, pa.int8()), pa.float64()))
    if t.is_null(kind):
        return Converted(pa.nulls(len(values), pa.float64()))
    return _finished(pc.cast(values, pa.float64(), safe=False), present)


def as_times(values: Array, unit: str = "s", missing: Sequence[str] = MISSING_TEXTS) -> Converted:
    """Return any column as nanoseconds since 1970 in UTC; times without a zone are taken as UTC.

    Parameters
    ----------
    values
        ISO 8601 texts, Arrow times or dates, or numbers in `unit`.
    unit
        ``s``, ``ms``, ``us`` or ``ns`` since 1970, ``year``, or ``yyyymmdd`` (see
        `number_time_unit`).
    missing
        Texts that stand for a missing value.
    """
    pa, pc = arrow()

    target = pa.timestamp("ns", "UTC")
    kind, t = values.type, pa.types
    if is_text(kind):
        texts = present_texts(values, missing).cast(pa.string())
        present = texts.is_valid()
        texts = pc.if_else(time_mask(texts), texts, pa.scalar(None, texts.type))
        texts = pc.replace_substring(texts, "/", "-")
        zoned = looks_like(texts, _ZONE)
        joined = pc.binary_join_element_wise(texts, pc.if_else(zoned, "", "Z"), "")
        # A bare date takes no zone: it gets its midnight first.
        bare = pc.equal(pc.utf8_length(texts), 10)
        midnight = pc.binary_join_element_wise(texts, "T00:00Z", "")
        result = _to_ns(pc.if_else(bare, midnight, joined), target)
        return _with_unfit(result, present)
    present = values.is_valid()
    if t.is_timestamp(kind) or t.is_date(kind):
        stamps = values
        if t.is_date(kind):
            stamps = pc.cast(values, pa.timestamp("ms"))
        if stamps.type.tz is None:
            stamps = pc.cast(stamps, pa.timestamp(stamps.type.unit, "UTC"))
        return _with_unfit(_to_ns(stamps, target), present)
    numbers = as_numbers(values).values.to_numpy(zero_copy_only=False)
    nanos, good = _numbers_to_ns(numbers, unit)
    result = pa.array(nanos, mask=~good).cast(pa.timestamp("ns")).cast(target)
    return _with_unfit(result, present)


def _with_unfit(result: Array, present: Array) -> Converted:
    _, pc = arrow()

    unfit = pc.and_(present, pc.is_null(result))
    mask = unfit.to_numpy(zero_copy_only=False) if pc.any(unfit).as_py() else None
    return Converted(result, mask)


def _to_ns(values: Array, target: DataType) -> Array:
    """Cast to nanoseconds; what lies outside the years 1678 to 2261 becomes null."""
    pa, pc = arrow()

    try:
        return pc.cast(values, target)
    except pa.ArrowInvalid:
        pass
    wide = values
    if is_text(values.type):
        whole = pc.replace_substring_regex(values, r"\.\d+", "")
        wide = tolerant_cast(whole, pa.timestamp("s", "UTC"))
    unit = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[wide.type.unit]
    counted = pc.cast(wide, pa.int64())
    limit = 9_214_646_400 * unit  # 2262-01-01
    inside = pc.and_(pc.less(counted, limit), pc.greater(counted, -limit))
    kept = pc.if_else(inside, wide, pa.scalar(None, wide.type))
    if not is_text(values.type):
        return pc.cast(kept, target)
    # Seconds were only the sieve: read what is inside once more, to the nanosecond.
    return tolerant_cast(pc.if_else(kept.is_valid(), values, pa.scalar(None, values.type)), target)


def number_time_unit(low: float, high: float, whole: bool) -> str:
    """Return what numbers mean as times: ``year``, ``yyyymmdd``, or ``s``/``ms``/``us``/``ns``.

    Whole numbers from 1700 to 2200 are years, from 17000101 to 22001231 dates written without
    hyphens; other numbers are counted since 1970, in the unit that puts the largest before the
    year 5138 in seconds.
    """
    if whole and low >= 1700 and high <= 2200:
        return "year"
    if whole and low >= 17_000_101 and high <= 22_001_231:
        return "yyyymmdd"
    size = max(abs(low), abs(high))
    for unit, limit in (("s", 1e11), ("ms", 1e14), ("us", 1e17)):
        if size < limit:
            return unit
    return "ns"


def _numbers_to_ns(numbers: NDArray[Any], unit: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    floats = np.asarray(numbers, dtype=np.float64)
    good = np.isfinite(floats)
    safe = np.where(good, floats, 0.0)
    if unit in ("year", "yyyymmdd"):
        whole = safe.astype(np.int64)
        year = whole if unit == "year" else whole // 10_000
        month = np.ones_like(whole) if unit == "year" else whole // 100 % 100
        day = np.ones_like(whole) if unit == "year" else whole % 100
        good &= (year >= 1700) & (year <= 2200) & (month >= 1) & (month <= 12) & (day >= 1)
        first = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
        days = first.astype("datetime64[D]") + np.where(good, day - 1, 0)
        good &= days.astype("datetime64[M]") == first
        good &= safe == whole
        return days.astype("datetime64[ns]").astype(np.int64), good
    factor = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
    good &= np.abs(safe) < 9.2e18 / factor
    safe = np.where(good, safe, 0.0)
    whole = np.floor(safe)
    nanos = whole.astype(np.int64) * factor + np.rint((safe - whole) * factor).astype(np.int64)
    return nanos, good


def as_booleans(values: Array, missing: Sequence[str] = MISSING_TEXTS) -> Converted:
    """Return any column as true and false: 1/0, true/false, yes/no, t/f, y/n."""
    pa, pc = arrow()

    kind = values.type
    if pa.types.is_boolean(kind):
        return Converted(values)
    if is_text(kind):
        texts = pc.utf8_lower(present_texts(values, missing))
        yes = pc.is_in(texts, value_set=pa.array(TRUE_TEXTS, texts.type))
        no = pc.is_in(texts, value_set=pa.array(FALSE_TEXTS, texts.type))
        present = texts.is_valid()
        # Texts such as 1.0 are judged as the numbers they are.
        rest = pc.and_(present, pc.invert(pc.or_(yes, no)))
        if pc.any(rest).as_py():
            numbers = as_numbers(texts).values
            yes = pc.or_(yes, pc.fill_null(pc.equal(numbers, 1.0), False))
            no = pc.or_(no, pc.fill_null(pc.equal(numbers, 0.0), False))
    else:
        numbers = as_numbers(values).values
        present = values.is_valid()
        yes = pc.fill_null(pc.equal(numbers, 1.0), False)
        no = pc.fill_null(pc.equal(numbers, 0.0), False)
    result = pc.if_else(pc.or_(yes, no), yes, pa.scalar(None, pa.bool_()))
    return _with_unfit(result, present)


def as_categories(
    values: Array, levels: Sequence[str] | Array, missing: Sequence[str] = MISSING_TEXTS
) -> Converted:
    """Return any column as codes into `levels`; what is no level is unfit."""
    pa, pc = arrow()

    coded = as_texts(values).dictionary_encode()
    texts = present_texts(coded.dictionary, missing).cast(pa.string())
    known = levels if isinstance(levels, pa.Array) else pa.array(levels, pa.string())
    found = pc.index_in(texts, value_set=known, skip_nulls=True).cast(pa.int32())
    codes = found.take(coded.indices)
    if found.null_count:
        present = texts.is_valid().take(coded.indices)
        unfit = pc.and_(pc.fill_null(present, False), pc.is_null(codes))
        if pc.any(unfit).as_py():
            mask = unfit.to_numpy(zero_copy_only=False)
            return Converted(pa.DictionaryArray.from_arrays(codes, known), mask)
    return Converted(pa.DictionaryArray.from_arrays(codes, known))


def as_long_texts(values: Array, missing: Sequence[str] = MISSING_TEXTS) -> Converted:
    """Return any column as texts, blanks kept; empty and missing texts are null."""
    pa, pc = arrow()

    texts = as_texts(values).cast(pa.large_string())
    trimmed = pc.utf8_trim_whitespace(texts)
    gone = pc.is_in(trimmed, value_set=pa.array(missing, trimmed.type))
    return Converted(pc.if_else(gone, pa.scalar(None, texts.type), texts))


def convert(
    values: Array,
    kind: Kind,
    levels: Sequence[str] | Array = (),
    decimal_comma: bool = False,
    time_unit: str = "s",
    missing: Sequence[str] = MISSING_TEXTS,
) -> Converted:
    """Return a column in the stored type of `kind`; `missing`: texts that stand for no value."""
    if kind == "number":
        return as_numbers(values, decimal_comma, missing)
    if kind == "time":
        return as_times(values, time_unit, missing)
    if kind == "boolean":
        return as_booleans(values, missing)
    if kind == "category":
        return as_categories(values, levels, missing)
    return as_long_texts(values, missing)
