"""What kind a column is: decided over all its values, with the reason in words."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from modellab.data.arrow import Array, arrow
from modellab.data.convert import (
    EXACT_WHOLE,
    FALSE_TEXTS,
    MISSING_TEXTS,
    TRUE_TEXTS,
    as_numbers,
    as_texts,
    as_times,
    has_leading_zeros,
    is_text,
    number_mask,
    plain_numbers,
    present_texts,
    time_mask,
)
from modellab.experiment import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_LEVELS = 100_000
"""More different values than this are text, never a category."""
MIN_LEVELS = 50
"""Up to so many different texts are a category, however few the rows."""
LEVEL_SHARE = 0.05
"""Above `MIN_LEVELS`, a category has at most this share of different values."""
FIT_SHARE = 0.99
"""A column is a number or a time if at least this share of its values is."""
FEW_NUMBERS = 20
"""Different numbers that are remembered one by one."""
_MAX_LEVEL_CHARS = 2**24
_PAIRS = tuple(zip(FALSE_TEXTS, TRUE_TEXTS, strict=True))
_FIXED = ("_typed", "_comma_meant", "_missing", "_comma_allowed", "_recount")


class Detected(msgspec.Struct, frozen=True):
    """What was found out about a column.

    Attributes
    ----------
    kind
        The kind that its values speak for.
    reason
        Why, as a short phrase for a person.
    rows, missing
        Number of rows, and of those without a value.
    levels
        Category: all its values in order. Boolean: how false and true are written.
    few_numbers
        All different numbers in order if there are at most 20, else None.
    whole
        Whether all numbers are whole.
    low, high
        Smallest and largest number; None if there are none.
    inexact
        Whether whole numbers beyond 2**53 occur, which are rounded.
    lossless
        Whether the stored values are enough to show the texts of the file again, but for spelling.
    decimal_comma
        Whether numbers are written with a comma.
    missing_words
        Values other than empty ones that were taken as missing.
    """

    kind: Kind
    reason: str
    rows: int
    missing: int
    levels: list[str] | None = None
    few_numbers: list[float] | None = None
    whole: bool = False
    low: float | None = None
    high: float | None = None
    inexact: bool = False
    lossless: bool = True
    decimal_comma: bool = False
    missing_words: int = 0


class NumberFacts(msgspec.Struct, frozen=True):
    """What a detector needs to know of some finite numbers; worked out on any thread.

    Attributes
    ----------
    count, low, high
        How many there are, the smallest and the largest.
    whole
        Whether all are whole (False if that was not asked).
    few
        All different ones if there are at most `FEW_NUMBERS`, else None (or not asked).
    """

    count: int
    low: float
    high: float
    whole: bool
    few: list[float] | None

    @classmethod
    def of(cls, floats: NDArray[Any], whole: bool, few: bool) -> NumberFacts:
        """Look at finite numbers (float64, no missing ones); `whole`, `few`: what to find out."""
        if not len(floats):
            return cls(0, np.inf, -np.inf, True, [])
        # What the first few say is most often the answer.
        whole = whole and all(bool(np.all(p == np.floor(p))) for p in (floats[:256], floats))
        known = np.unique(floats[:256]) if few else floats[:0]
        few = few and len(known) <= FEW_NUMBERS
        if few and len(floats) > 256:
            pa, pc = arrow()
            known = np.unique(pc.unique(pa.array(floats)).to_numpy(zero_copy_only=False))
            few = len(known) <= FEW_NUMBERS
        different = known.tolist() if few else None
        return cls(len(floats), float(floats.min()), float(floats.max()), whole, different)


class NeedsRecount(Exception):
    """The different texts were not all counted: read the column once more with `recount`."""


class KindDetector:
    """Collects what is needed to decide a column's kind, chunk by chunk, in bounded memory.

    Parameters
    ----------
    typed
        The file declares types (Parquet): texts are then meant as texts, so few different ones are
        a category even if they look like numbers.
    decimal_comma
        A comma may be a decimal sign (the file's delimiter is another).
    recount
        Count different texts from the first to the last value, whatever they look like.
    comma_meant
        The comma is the decimal sign, however many numbers have one.
    missing
        Texts that stand for a missing value.
    """

    def __init__(
        self,
        typed: bool = False,
        decimal_comma: bool = False,
        recount: bool = False,
        comma_meant: bool = False,
        missing: Sequence[str] = MISSING_TEXTS,
    ) -> None:
        self._typed = typed
        self._comma_meant = comma_meant
        self._missing = missing
        self._comma_allowed = decimal_comma
        self._recount = recount
        self.rows = 0
        self.present = 0
        self._missing_words = 0
        self._is_text = False
        self._numbers = 0
        self._comma_numbers = 0
        self._times = 0
        self._natural: Kind | None = None
        self._few: set[float] | None = set()
        self._whole = True
        self._low = np.inf
        self._high = -np.inf
        self._inexact = False
        self._leading_zeros = False
        self._infinite = 0
        self._levels: set[str] | None = set()
        self._level_chars = 0
        self._uncounted = 0
        self._chars = 0
        self._blanks = 0

    def update(self, values: Array) -> None:
        """Take in the next rows."""
        pa, _ = arrow()

        self.rows += len(values)
        kind, t = values.type, pa.types
        if is_text(kind):
            self._is_text = True
            self._update_texts(values)
            return
        if t.is_timestamp(kind) or t.is_date(kind):
            self._natural = "time"
            good = len(values) - as_times(values).values.null_count
            self.present += len(values) - values.null_count
            self._times += good
        elif t.is_boolean(kind):
            self._natural = "boolean"
            self.present += len(values) - values.null_count
            assert self._few is not None
            self._few.update(float(value) for value in values.drop_null().unique().to_pylist())
        else:
            numbers = as_numbers(values)
            self._infinite += numbers.infinite
            floats = numbers.values.drop_null().to_numpy(zero_copy_only=False)
            self.present += len(floats) + numbers.infinite
            self._numbers += len(floats) + numbers.infinite
            self._update_numbers(floats)

    def _update_numbers(self, floats: NDArray[Any]) -> None:
        if not len(floats):
            return
        self._low = min(self._low, float(floats.min()))
        self._high = max(self._high, float(floats.max()))
        if self._whole:
            self._whole = bool(np.all(floats == np.floor(floats)))
        self._inexact |= self._whole and bool(np.any(np.abs(floats) >= EXACT_WHOLE))
        if self._few is not None:
            for part in (floats[:256], floats):
                self._few.update(np.unique(part).tolist())
                if len(self._few) > FEW_NUMBERS:
                    self._few = None
                    break

    @property
    def asks_whole(self) -> bool:
        """Whether it is still open if all numbers are whole."""
        return self._whole

    @property
    def asks_few(self) -> bool:
        """Whether there may still be only few different numbers."""
        return self._few is not None

    def add_numbers(
        self, facts: NumberFacts, rows: int, missing_words: int = 0, text: bool = False
    ) -> None:
        """Take in rows whose values are finite numbers or missing.

        `text`: the file writes them as texts, whose spellings were not counted.
        """
        self.rows += rows
        self.present += facts.count
        self._numbers += facts.count
        self._missing_words += missing_words
        if text:
            self._is_text = True
            self._comma_numbers += facts.count
            self._uncounted += facts.count
        if not facts.count:
            return
        self._low = min(self._low, facts.low)
        self._high = max(self._high, facts.high)
        self._whole = self._whole and facts.whole
        self._inexact |= self._whole and max(-facts.low, facts.high) >= EXACT_WHOLE
        if self._few is not None:
            fresh = None if facts.few is None else self._few.union(facts.few)
            self._few = None if fresh is None or len(fresh) > FEW_NUMBERS else fresh

    def add_times(
        self, rows: int, present: int, good: int, missing_words: int = 0, text: bool = False
    ) -> None:
        """Take in rows whose values are times (`good` of `present` can be stored) or missing."""
        self.rows += rows
        self.present += present
        self._times += good
        self._missing_words += missing_words
        if text:
            self._is_text = True
            self._uncounted += present
        else:
            self._natural = "time"

    def add_counted(self, unique: Array, counts: Array, rows: int) -> None:
        """Take in texts by their different values; `rows`: with those that have none."""
        self.rows += rows
        self._is_text = True
        self._update_unique(unique, counts)

    def mark_leading_zeros(self) -> None:
        """Take in that some number is written like 007."""
        self._leading_zeros = True

    def state(self) -> dict[str, Any]:
        """Return all that was found out so far as plain values."""
        return {key: value for key, value in vars(self).items() if key not in _FIXED}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what another one of the same settings had found out."""
        vars(self).update(state)
        for key in ("_few", "_levels"):
            found = state[key]
            vars(self)[key] = None if found is None else set(found)

    def copy(self) -> KindDetector:
        """Return another one that found out the same so far."""
        fresh = KindDetector()
        fresh.load_state(vars(self))
        return fresh

    def so_far(self, kind: Kind) -> Detected:
        """Return what was found out so far of a column that is stored as `kind`."""
        try:
            found = self.finish()
            if found.kind != kind:
                found = self.finish(kind)
        except NeedsRecount:
            found = Detected(kind, "", self.rows, self.rows - self.present)
        reason = found.reason if found.reason not in ("", "chosen") else "as the first rows look"
        return msgspec.structs.replace(found, kind=kind, reason=reason)

    def _update_texts(self, values: Array) -> None:
        pa, pc = arrow()
        values = as_texts(values).drop_null()
        floats = plain_numbers(values)
        if floats is not None:
            self._update_all_numbers(values, floats)
            return
        # Look at every different text once; where there are too many, at every one.
        if self._levels is not None:
            counted = pc.value_counts(values)
            unique, counts = counted.field("values"), counted.field("counts")
        else:
            unique, counts = values, pa.array(np.ones(len(values), np.int64))
        self._update_unique(unique, counts)

    def _update_unique(self, unique: Array, counts: Array) -> None:
        _, pc = arrow()
        texts = present_texts(unique, self._missing)
        there = texts.is_valid()
        empty = pc.equal(pc.binary_length(unique), 0)
        self._missing_words += _weigh(counts, pc.and_not(pc.invert(there), empty))
        texts, counts = texts.filter(there), counts.filter(there)
        self.present += int(pc.sum(counts).as_py() or 0)
        if len(texts):
            self._update_words(texts, counts)

    def _update_all_numbers(self, texts: Array, floats: Array) -> None:
        """Take in texts that are numbers without exception."""
        _, pc = arrow()
        n = len(texts)
        self.present += n
        self._numbers += n
        self._comma_numbers += n
        self._leading_zeros = self._leading_zeros or has_leading_zeros(texts)
        finite = pc.is_finite(floats)
        self._infinite += n - int(pc.sum(finite).as_py() or 0)
        self._update_numbers(floats.filter(finite).to_numpy(zero_copy_only=False))
        if self._recount or self._typed or (self._levels is not None and len(self._levels) <= 64):
            self._update_levels(pc.unique(texts))
        else:
            self._uncounted += n

    def _update_words(self, texts: Array, counts: Array) -> None:
        """Count what texts look like that are not all numbers; `counts`: rows of each."""
        _, pc = arrow()
        self._update_levels(texts)
        numeric = number_mask(texts)
        self._numbers += _weigh(counts, numeric)
        readable = numeric
        if self._comma_allowed:
            with_comma = number_mask(texts, decimal_comma=True)
            self._comma_numbers += _weigh(counts, with_comma)
            if self._comma_wins():
                readable = with_comma
        self._times += _weigh(counts, time_mask(texts))
        self._chars += int(pc.sum(pc.multiply(pc.utf8_length(texts), counts)).as_py() or 0)
        self._blanks += _weigh(counts, pc.match_substring(texts, " "))
        if pc.any(readable).as_py():
            numbers = texts.filter(readable)
            self._leading_zeros = self._leading_zeros or has_leading_zeros(numbers)
            found = as_numbers(numbers, self._comma_wins(), self._missing)
            weights = counts.filter(readable)
            self._infinite += _weigh(weights, pc.is_null(found.values))
            self._update_numbers(found.values.drop_null().to_numpy(zero_copy_only=False))

    def _update_levels(self, fresh: Array) -> None:
        if self._levels is None:
            return
        self._level_chars += fresh.nbytes
        self._levels.update(fresh.to_pylist())
        if len(self._levels) > MAX_LEVELS:
            self._levels = None
        elif self._level_chars > 4 * _MAX_LEVEL_CHARS:
            self._level_chars = sum(map(len, self._levels))
            if self._level_chars > _MAX_LEVEL_CHARS:
                self._levels = None

    def finish(self, forced: Kind | None = None) -> Detected:
        """Decide.

        Parameters
        ----------
        forced
            Store the column as this kind (category or text) whatever its values look like.

        Raises
        ------
        NeedsRecount
            If a category or text is to be decided on, but its values were not all counted.
        """
        kind, reason = self._decide() if forced is None else (forced, "chosen")
        if kind in ("category", "text") and self._is_text:
            if self._uncounted and not self._recount:
                raise NeedsRecount
            if kind == "category" and self._levels is None:
                kind, reason = "text", self._many()
        numeric = kind in ("number", "boolean")
        few = sorted(self._few) if self._few is not None and numeric else None
        return Detected(
            kind=kind,
            reason=reason,
            rows=self.rows,
            missing=self.rows - self.present,
            levels=self._sorted_levels(kind),
            few_numbers=few,
            whole=numeric and self._whole and self._numbers > 0,
            low=float(self._low) if numeric and np.isfinite(self._low) else None,
            high=float(self._high) if numeric and np.isfinite(self._high) else None,
            inexact=kind == "number" and self._inexact,
            lossless=self._lossless(kind),
            decimal_comma=kind == "number" and self._comma_wins(),
            missing_words=self._missing_words,
        )

    def _comma_wins(self) -> bool:
        more = self._comma_meant or self._comma_numbers > self._numbers
        return self._comma_allowed and more

    def _fits(self, count: int) -> bool:
        return count >= FIT_SHARE * self.present

    def _decide(self) -> tuple[Kind, str]:
        if self._natural == "boolean":
            return "boolean", "declared true or false by the file"
        if not self.present:
            return "number", "no value in any row"
        if self._natural == "time":
            return "time", "declared a date or time by the file"
        pair = self._pair()
        if pair is not None:
            return "boolean", f"exactly two values, {pair[0]} and {pair[1]}"
        numbers = max(self._numbers, self._comma_numbers) if self._comma_allowed else self._numbers
        if self._fits(numbers) and not (self._is_text and self._typed and self._few_levels()):
            return "number", self._number_reason(numbers)
        if self._fits(self._times):
            others = self.present - self._times
            return "time", "dates or times in ISO 8601" + _others(others)
        return self._category_or_text()

    def _pair(self) -> tuple[str, str] | None:
        """How false and true are written, if that is all there is."""
        if self._few is not None and self._numbers == self.present and self._few == {0.0, 1.0}:
            return None if self._infinite else ("0", "1")
        counted = self._levels is not None and (self._recount or not self._uncounted)
        if self._levels is None or not counted or not self._is_text:
            return None
        if not 2 <= len(self._levels) <= 6:
            return None
        lowered = {level.lower() for level in self._levels}
        for no, yes in _PAIRS:
            if lowered == {no, yes}:
                spelled = sorted(self._levels)
                return (
                    next(s for s in spelled if s.lower() == no),
                    next(s for s in spelled if s.lower() == yes),
                )
        return None

    def _number_reason(self, numbers: int) -> str:
        what = "whole numbers" if self._whole else "numbers"
        if self._comma_wins():
            what += " with a decimal comma"
        if self._inexact:
            what += ", some beyond 2 to the 53 and so rounded"
        return what + _others(self.present - numbers)

    def _few_levels(self) -> bool:
        if self._levels is None:
            return False
        limit = max(MIN_LEVELS, LEVEL_SHARE * self.present)
        return len(self._levels) <= min(limit, MAX_LEVELS)

    def _many(self) -> str:
        return f"more than {MAX_LEVELS:,} different values"

    def _category_or_text(self) -> tuple[Kind, str]:
        if self._levels is None:
            return "text", self._many()
        different = len(self._levels)
        shown = f"{different:,} different value{'s' if different != 1 else ''}"
        shown += f" in {self.present:,} rows"
        wordy = self._chars >= 25 * self.present and self._blanks >= 0.5 * self.present
        if self._few_levels() and not (wordy and different > max(10, 0.2 * self.present)):
            return "category", shown
        return "text", f"{shown}, {'words' if wordy else 'too many for a category'}"

    def _sorted_levels(self, kind: Kind) -> list[str] | None:
        if kind == "boolean":
            pair = self._pair()
            return list(pair) if pair else ["false", "true"]
        if kind != "category":
            return None
        return sort_levels(self._levels or set())

    def _lossless(self, kind: Kind) -> bool:
        if kind in ("category", "text") or not self._is_text:
            return True
        if kind == "number":
            complete = self._numbers == self.present and not self._infinite
            return complete and not self._leading_zeros and not self._inexact
        if kind == "time":
            return self._times == self.present
        return True


def _weigh(counts: Array, mask: Array) -> int:
    """Sum of the counts where the mask is true."""
    _, pc = arrow()
    return int(pc.sum(counts.filter(mask)).as_py() or 0)


def sort_levels(levels: set[str]) -> list[str]:
    """Order category values: as numbers if all are (finite ones), else by their characters."""
    try:
        numbers = {level: float(level) for level in levels}
    except ValueError:
        return sorted(levels)
    if not all(map(isfinite, numbers.values())):
        return sorted(levels)
    return sorted(levels, key=lambda level: (numbers[level], level))


def _others(count: int) -> str:
    values = "value" if count == 1 else "values"
    return f"; {count:,} other {values} taken as missing" if count else ""
