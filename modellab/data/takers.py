"""Taking in the columns of a file block by block: converting, and gathering what they are, at once.

`prepare` does the work that needs no order, on any thread; `absorb` puts blocks after one another.
A column is converted as the kind that the first rows speak for. At the end `finished` says whether
all its values speak for it too: if not, the column has to be read once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modellab.data.arrow import Array, DataType, arrow
from modellab.data.convert import (
    Converted,
    as_texts,
    as_times,
    convert,
    is_text,
    present_texts,
    stored_type,
)
from modellab.data.kinds import MAX_LEVELS, Detected, KindDetector, NumberFacts, sort_levels
from modellab.data.store import OrderCheck, StoredColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from modellab.experiment import Kind


_WORDY = 25
"""Texts of so many characters in the mean are words, not values that come again."""


class NeedsTexts(Exception):
    """A block of typed values has some that only its texts can explain."""


class TooManyLevels(Exception):
    """A column has too many different values for codes; holds its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Taker:
    """Takes in one column; this one any kind, by the rules of `convert` and `KindDetector`.

    Parameters
    ----------
    name
        The column.
    found
        What the first rows speak for.
    detector
        A fresh one.
    missing
        Texts that stand for a missing value.
    text
        The file writes all values as texts.
    """

    def __init__(
        self,
        name: str,
        found: Detected,
        detector: KindDetector,
        missing: Sequence[str],
        text: bool,
    ) -> None:
        self.name = name
        self.kind: Kind = found.kind
        self.comma = found.decimal_comma
        self.detector = detector
        self.text = text
        self._missing_texts = missing
        self.missing = 0
        self.unfit = 0
        self.infinite = 0
        self.first: tuple[int, str, str] | None = None
        self.order = OrderCheck()

    @property
    def parsed_type(self) -> DataType:
        """What a parser of texts should make of the column."""
        pa, _ = arrow()
        return pa.string()

    def prepare(self, values: Array) -> Any:
        """Convert a block (on any thread)."""
        return values, self._converted(values)

    def _converted(self, values: Array) -> Converted:
        return convert(values, self.kind, (), self.comma, missing=self._missing_texts)

    def absorb(
        self, prepared: Any, position: int, words: int, line_of: Callable[[int], int], file: str
    ) -> Array:
        """Count a block in and return its values as they stand in a segment.

        Parameters
        ----------
        prepared
            From `prepare`.
        position
            Row at which the block begins.
        words
            Words among its missing values (typed blocks).
        line_of, file
            Where its rows come from.
        """
        values, done = prepared
        self.detector.update(values)
        return self._counted(values, done, position, line_of, file)

    def again(self, prepared: Any) -> Array:
        """Return the values of a block that was counted in before."""
        done: Converted = prepared[1]
        return done.values

    def _counted(
        self,
        values: Array,
        done: Converted,
        position: int,
        line_of: Callable[[int], int],
        file: str,
    ) -> Array:
        self.missing += done.values.null_count
        self.infinite += done.infinite
        if done.unfit is not None:
            rows = np.flatnonzero(done.unfit)
            self.unfit += len(rows)
            if self.first is None:
                row = int(rows[0])
                text = str(as_texts(values[row : row + 1])[0].as_py())
                self.first = (line_of(row), text[:200], file)
        if self.kind == "time":
            self.order.update(done.values, position)
        return done.values

    def close(self) -> None:
        """Tell the detector what is left to tell."""

    def fits(self, found: Detected) -> bool:
        """Whether what was written is what the column turned out to be."""
        return found.kind == self.kind and found.decimal_comma == self.comma

    def so_far(self) -> StoredColumn:
        """Return the column's entry in a store of the rows taken so far."""
        return self.finished(self.detector.so_far(self.kind))

    def finished(self, found: Detected) -> StoredColumn:
        """Return the column's entry in the store."""
        line, text, file = self.first or (None, "", "")
        return StoredColumn(
            name=self.name,
            kind=found.kind,
            reason=found.reason,
            nullable=self.missing > 0,
            levels=found.levels,
            missing=self.missing,
            few_numbers=found.few_numbers,
            whole=found.whole,
            low=found.low,
            high=found.high,
            inexact=found.inexact,
            lossless=found.lossless,
            unfit=self.unfit,
            unfit_line=line,
            unfit_text=text,
            unfit_file=file,
            infinite=self.infinite,
            missing_words=found.missing_words,
            out_of_order=self.order.first,
        )

    def state(self) -> dict[str, Any]:
        """Return all counts as plain values."""
        return {
            "detector": self.detector.state(),
            "missing": self.missing,
            "unfit": self.unfit,
            "infinite": self.infinite,
            "first": self.first,
            "order": vars(self.order),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from the counts of another one of the same settings."""
        self.detector.load_state(state["detector"])
        self.missing = state["missing"]
        self.unfit = state["unfit"]
        self.infinite = state["infinite"]
        self.first = tuple(state["first"]) if state["first"] else None
        vars(self.order).update(state["order"])


class NumberTaker(Taker):
    """Takes in numbers that a reader gives as numbers."""

    @property
    def parsed_type(self) -> DataType:
        """Numbers in float64."""
        pa, _ = arrow()
        return pa.float64()

    def prepare(self, values: Array) -> Any:
        """Convert a block (on any thread); texts by the careful way.

        Raises
        ------
        NeedsTexts
            If texts were parsed as numbers that are not finite.
        """
        if is_text(values.type):
            return super().prepare(values)
        pa, pc = arrow()
        floats = values
        if values.type != pa.float64():
            floats = pc.cast(values, pa.float64(), safe=False)
        there = floats.drop_null() if floats.null_count else floats
        with np.errstate(invalid="ignore"):
            facts = NumberFacts.of(
                there.to_numpy(), self.detector.asks_whole, self.detector.asks_few
            )
        if facts.count and not (np.isfinite(facts.low) and np.isfinite(facts.high)):
            if self.text:
                raise NeedsTexts
            return super().prepare(values)
        return facts, Converted(floats)

    def absorb(
        self, prepared: Any, position: int, words: int, line_of: Callable[[int], int], file: str
    ) -> Array:
        """Count a block in and return its values."""
        facts, done = prepared
        if not isinstance(facts, NumberFacts):
            return super().absorb(prepared, position, words, line_of, file)
        self.detector.add_numbers(facts, len(done.values), words, self.text)
        self.missing += done.values.null_count
        return done.values


class TimeTaker(Taker):
    """Takes in times that a reader gives as times; `zoned`: texts of them name their zone."""

    zoned = False

    @property
    def parsed_type(self) -> DataType:
        """Nanoseconds since 1970."""
        pa, _ = arrow()
        return stored_type("time") if self.zoned else pa.timestamp("ns")

    def prepare(self, values: Array) -> Any:
        """Convert a block (on any thread); texts by the careful way."""
        if is_text(values.type):
            return super().prepare(values)
        done = as_times(values)
        return (len(values) - values.null_count, len(values) - done.values.null_count), done, values

    def absorb(
        self, prepared: Any, position: int, words: int, line_of: Callable[[int], int], file: str
    ) -> Array:
        """Count a block in and return its values."""
        if len(prepared) == 2:
            return super().absorb(prepared, position, words, line_of, file)
        (present, good), done, values = prepared
        self.detector.add_times(len(values), present, good, words, self.text)
        return self._counted(values, done, position, line_of, file)


class WordTaker(Taker):
    """Takes in texts of few different values (categories, booleans), each looked at once."""

    def __init__(
        self,
        name: str,
        found: Detected,
        detector: KindDetector,
        missing: Sequence[str],
        text: bool,
    ) -> None:
        super().__init__(name, found, detector, missing, text)
        # As the file writes them; the code of each (-1: missing), and how many rows have it.
        self._raw: list[str] = []
        self._codes = np.empty(0, np.int32)
        self._counts = np.empty(0, np.int64)
        self._values: Array = None
        self._levels: dict[str, int] = {}
        self._nulls = 0
        self._padded = False
        if self.kind == "category":
            self._levels = {level: code for code, level in enumerate(found.levels or [])}
        self._learn([])

    def _learn(self, fresh: list[str]) -> None:
        """Give codes to values not met before."""
        pa, _ = arrow()
        if len(self._raw) + len(fresh) > MAX_LEVELS:
            raise TooManyLevels(self.name)
        self._raw += fresh
        self._values = pa.array(self._raw, pa.string())
        texts = pa.array(fresh, pa.string())
        codes: list[int] = []
        if self.kind == "boolean":
            truths = convert(texts, "boolean", missing=self._missing_texts).values
            codes = [-1 if truth is None else int(truth) for truth in truths.to_pylist()]
        else:
            for text in present_texts(texts, self._missing_texts).to_pylist():
                codes.append(
                    -1 if text is None else self._levels.setdefault(text, len(self._levels))
                )
        self._codes = np.append(self._codes, np.array(codes, np.int32))
        self._counts = np.append(self._counts, np.zeros(len(fresh), np.int64))

    def prepare(self, values: Array) -> Any:
        """Find the different values of a block (on any thread)."""
        pa, _ = arrow()
        coded = values if pa.types.is_dictionary(values.type) else as_texts(values)
        if not pa.types.is_dictionary(coded.type):
            coded = coded.dictionary_encode()
        indices = coded.indices
        nulls = indices.null_count
        valid = indices.is_valid().to_numpy(zero_copy_only=False) if nulls else None
        places = (indices.fill_null(0) if nulls else indices).to_numpy()
        seen = places if valid is None else places[valid]
        texts = as_texts(coded.dictionary).cast(pa.string())
        return texts, places, valid, np.bincount(seen, minlength=len(texts)), nulls

    def _places(self, texts: Array, used: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the different values of a block stand among all, new ones added."""
        _, pc = arrow()
        found = pc.index_in(texts, value_set=self._values)
        if found.null_count:
            new = np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False) & (used > 0))
            # A dictionary may hold values that no row has, and one that says there is none.
            fresh = [texts[int(k)].as_py() for k in new]
            self._learn([text for text in fresh if text is not None])
            found = pc.index_in(texts, value_set=self._values)
        return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int64)

    def _filed(self, prepared: Any) -> tuple[Array, NDArray[np.int64]]:
        pa, _ = arrow()
        texts, places, valid, used, _ = prepared
        where = self._places(texts, used)
        codes = np.full(len(texts), -1, np.int32)
        known = where >= 0
        codes[known] = self._codes[where[known]]
        filed = codes[places] if len(codes) else np.full(len(places), -1, np.int32)
        gone = filed < 0 if valid is None else (filed < 0) | ~valid
        lacking = valid is not None or bool(np.any((codes < 0) & (used > 0)))
        if self.kind == "boolean":
            return pa.array(filed > 0, mask=gone if lacking else None), where
        return pa.array(filed, pa.int32(), mask=gone if lacking else None), where

    def absorb(
        self, prepared: Any, position: int, words: int, line_of: Callable[[int], int], file: str
    ) -> Array:
        """Count a block in and return its codes."""
        _, _, _, used, nulls = prepared
        filed, where = self._filed(prepared)
        known = where >= 0
        self._counts[where[known]] += used[known]
        self._nulls += nulls + int(used[~known].sum())
        self.missing += filed.null_count
        return filed

    def again(self, prepared: Any) -> Array:
        """Return the codes of a block that was counted in before."""
        return self._filed(prepared)[0]

    def close(self) -> None:
        """Tell the detector the different values and how many rows have each."""
        self._tell(self.detector)

    def _tell(self, detector: KindDetector) -> None:
        pa, _ = arrow()
        rows = int(self._counts.sum()) + self._nulls
        detector.add_counted(self._values, pa.array(self._counts), rows)

    def so_far(self) -> StoredColumn:
        """Return the column's entry in a store of the rows taken so far."""
        import msgspec

        detector = self.detector.copy()
        self._tell(detector)
        found = detector.so_far(self.kind)
        if self.kind == "category":
            # All that have a code, whatever the rest of the file will say of them.
            found = msgspec.structs.replace(found, levels=sort_levels(set(self._levels)))
        return self.finished(found)

    def finished(self, found: Detected) -> StoredColumn:
        """Return the column's entry in the store, with the places of its codes."""
        import msgspec

        column = super().finished(found)
        if self.kind != "category":
            return column
        place = {level: code for code, level in enumerate(found.levels or [])}
        # What only the first look took for a value is none (it cannot occur among the codes).
        order = [place.get(level, 0) for level in self._levels]
        same = order == list(range(len(place)))
        return msgspec.structs.replace(column, order=None if same else order)

    def state(self) -> dict[str, Any]:
        """Return all counts as plain values."""
        return {
            **super().state(),
            "raw": self._raw,
            "counts": self._counts.tolist(),
            "levels": list(self._levels),
            "nulls": self._nulls,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from the counts of another one of the same settings."""
        super().load_state(state)
        self._levels = {level: code for code, level in enumerate(state["levels"])}
        self._raw, self._codes = [], np.empty(0, np.int32)
        self._counts = np.empty(0, np.int64)
        self._learn(list(state["raw"]))
        self._counts = np.array(state["counts"], np.int64)
        self._nulls = state["nulls"]


def taker_for(
    name: str,
    values: Array,
    found: Detected,
    fresh: Callable[[], KindDetector],
    missing: Sequence[str],
    text: bool,
    many: bool = False,
) -> Taker:
    """Return what takes in a column whose first values and their kind are known.

    `text`: the file declares no types; `many`: the column has too many different values for codes.
    """
    pa, pc = arrow()
    t, kind = pa.types, values.type
    make: type[Taker] = Taker
    numeric = t.is_integer(kind) or t.is_floating(kind)
    if found.kind == "number" and not found.decimal_comma and (text or numeric):
        make = NumberTaker
    elif found.kind == "time" and (t.is_timestamp(kind) or t.is_date(kind)):
        make = TimeTaker
    elif found.kind == "time" and text:
        for zoned in (False, True):
            try:
                pc.cast(
                    present_texts(values, missing),
                    stored_type("time") if zoned else pa.timestamp("ns"),
                )
            except pa.ArrowInvalid:
                continue
            taker = TimeTaker(name, found, fresh(), missing, text)
            taker.zoned = zoned
            return taker
    elif is_text(kind) and found.kind in ("category", "boolean"):
        make = WordTaker
    elif is_text(kind) and found.kind == "text" and not many and _may_repeat(values, missing):
        import msgspec

        counted = present_texts(pc.unique(values), missing)
        levels = sort_levels(set(pc.unique(counted.drop_null()).to_pylist()))
        found = msgspec.structs.replace(found, kind="category", levels=levels)
        make = WordTaker
    return make(name, found, fresh(), missing, text)


def _may_repeat(values: Array, missing: Sequence[str]) -> bool:
    """Whether texts that are many among the first rows may prove few among all.

    Long ones are words; of short ones the whole file will tell.
    """
    _, pc = arrow()
    texts = present_texts(values, missing).drop_null()
    return len(texts) > 0 and pc.sum(pc.utf8_length(texts)).as_py() < _WORDY * len(texts)
