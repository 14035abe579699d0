"""How a text column becomes numbers: hashed words and characters, weighed by how rare they are.

Linear views (``scaled``, ``raw``): each word, run of words or run of characters is hashed (32-bit
MurmurHash3; Weinberger et al. 2009) into one of `TextSpec.columns` columns that holds its count,
times ``log((1 + rows) / (1 + rows with it)) + 1`` of the training window (TF-IDF; Salton and
Buckley 1988), and every row is divided by its length (L2). The columns are sparse.

Every view has a few numbers beside the words (`TextForm`; views for trees have these only): how
long the text is, and how much of it is digits, capitals and punctuation.

The methods are those of `modellab.data.encoding.ColumnEncoder`; `TextColumn` has `sparse` in place
of `fill`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from modellab.data.categories import View

    Floats = NDArray[np.float64]

SUMMARY = ("characters", "words", "share of digits", "share of capitals", "share of punctuation")
NAMED_COLUMNS = 5_000
"""At most so many hashed columns are named by the word that fills them most often."""
_TALLIED = 200_000
"""Different words that are counted at most while fitting, to name columns by."""
LONGEST = 1_000_000
"""Characters of a text that are looked at."""


def texts_of(column: pa.ChunkedArray[Any]) -> list[str]:
    """Texts of a column, at most `LONGEST` characters each; a missing one is empty."""
    import pyarrow as pa

    values = column.cast(pa.large_string()) if pa.types.is_dictionary(column.type) else column
    return [(text or "")[:LONGEST] for text in values.to_pylist()]


class TextForm:
    """What a text looks like: five numbers, standardised in the ``scaled`` view.

    Parameters
    ----------
    name
        The column.
    means, stds
        Of the training window, for each of `SUMMARY`; a cold start has 0 and 1.
    missing
        Whether a value was missing in the training window.
    """

    kind = "text form"

    def __init__(
        self,
        name: str,
        means: Sequence[float] = (0.0,) * 5,
        stds: Sequence[float] = (1.0,) * 5,
        missing: bool = False,
    ) -> None:
        self.name, self.missing = name, missing
        self.means, self.stds = tuple(means), tuple(stds)

    def names(self, view: View) -> list[str]:
        """Return the names, the same in all views."""
        names = [f"{self.name}: {part}" for part in SUMMARY]
        return [*names, f"{self.name} missing"] if self.missing else names

    def fill(self, column: pa.ChunkedArray[Any], view: View, out: Floats) -> None:
        """Write the rows."""
        for at, numbers in enumerate(self.values(column)):
            out[:, at] = numbers
        if view == "scaled":
            out[:, : len(SUMMARY)] -= self.means
            out[:, : len(SUMMARY)] /= self.stds

    def values(self, column: pa.ChunkedArray[Any]) -> list[list[Any]]:
        """Return one list for each number."""
        rows = [_summary(text) for text in texts_of(column)]
        found: list[list[Any]] = [list(part) for part in zip(*rows, strict=True)]
        found = found or [[] for _ in SUMMARY]
        if self.missing:
            found.append(column.is_null().to_pylist())
        return found

    def unseen(self, column: pa.ChunkedArray[Any]) -> int:
        """Return 0."""
        return 0

    def state(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "means": list(self.means),
            "stds": list(self.stds),
            "missing": self.missing,
        }


class TextColumn:
    """The words of a text, see the module's docstring.

    Parameters
    ----------
    name
        The column.
    words, characters
        Runs of up to so many words; runs of 3 up to so many characters inside words. 0: none.
    columns
        Hashed columns.
    tfidf
        Whether columns are weighed by how rare they were in the training window.
    rows
        Rows of the training window.
    seen
        Hashed columns that the training window filled, in increasing order, and in how many rows.
    tokens
        Names for hashed columns: column and the word.
    """

    kind = "text"

    def __init__(
        self,
        name: str,
        words: int = 2,
        characters: int = 0,
        columns: int = 65_536,
        tfidf: bool = True,
        rows: int = 0,
        seen: tuple[Any, Any] = ((), ()),
        tokens: Sequence[tuple[int, str]] = (),
    ) -> None:
        self.name, self.rows = name, rows
        self.words, self.characters, self.columns, self.tfidf = words, characters, columns, tfidf
        self.tokens = [(int(k), str(token)) for k, token in tokens]
        self._seen = np.asarray(seen[0], np.int64), np.asarray(seen[1], np.int64)
        self._weights = np.ones(columns)
        if tfidf and rows:
            # Columns that never occurred weigh as much as a word seen in no row.
            # Rounded, so that the bits do not depend on the mathematics library.
            self._weights[:] = round(float(np.log(1.0 + rows)) + 1.0, 12)
            weights = np.log((1.0 + rows) / (1.0 + self._seen[1])) + 1.0
            self._weights[self._seen[0]] = np.round(weights, 12)

    def names(self, view: View) -> list[str]:
        """Return the names of the hashed columns; none in the views of trees."""
        if view in ("ordinal", "dict"):
            return []
        named = dict(self.tokens)
        return [
            f"{self.name}: {named[k]}" if k in named else f"{self.name} #{k}"
            for k in range(self.columns)
        ]

    @cached_property
    def analyse(self) -> Callable[[str], list[str]]:
        """The function from a text to its words, runs of words and runs of characters."""
        return analyser(self.words, self.characters)

    @cached_property
    def _hasher(self) -> Any:
        from sklearn.feature_extraction import FeatureHasher

        return FeatureHasher(self.columns, input_type="string", alternate_sign=False)

    def counts(self, texts: Sequence[str]) -> Any:
        """Count what each text holds of every hashed column: scipy CSR (n, columns)."""
        return self.hashed([self.analyse(text) for text in texts])

    def hashed(self, tokens: Sequence[list[str]]) -> Any:
        """Count tokens by hashed column: scipy CSR (n, columns)."""
        if not tokens:  # which the library takes for an error
            from scipy import sparse

            return sparse.csr_matrix((0, self.columns))
        return self._hasher.transform(tokens)

    def sparse(self, column: pa.ChunkedArray[Any]) -> Any:
        """Return the rows in the linear views, scipy CSR (n, columns).

        Every row is computed by itself, so its bits do not depend on the others.
        """
        from sklearn.preprocessing import normalize

        found = self.counts(texts_of(column))
        found.data *= self._weights[found.indices]
        return normalize(found, copy=False) if found.shape[0] else found

    def fill(self, column: pa.ChunkedArray[Any], view: View, out: Floats) -> None:
        """Write nothing: a view of arrays has no words."""

    def values(self, column: pa.ChunkedArray[Any]) -> list[list[Any]]:
        """Return nothing, likewise."""
        return []

    def unseen(self, column: pa.ChunkedArray[Any]) -> int:
        """Count texts with a word, or run of words, that the training window did not hold."""
        if not self.rows:
            return 0
        known = np.zeros(self.columns, dtype=bool)
        known[self._seen[0]] = True
        found = self.counts(texts_of(column))
        new = np.add.reduceat(
            np.append(~known[found.indices], False), np.minimum(found.indptr[:-1], found.nnz)
        )
        return int(np.count_nonzero(np.where(np.diff(found.indptr) > 0, new, 0)))

    def state(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "words": self.words,
            "characters": self.characters,
            "columns": self.columns,
            "tfidf": self.tfidf,
            "rows": self.rows,
            "seen": [self._seen[0].tolist(), self._seen[1].tolist()],
            "tokens": [list(pair) for pair in self.tokens],
        }


class TextTally:
    """What a text column holds in the training window: rows for each hashed column, and words.

    Memory is bounded by the number of hashed columns, and by `_TALLIED` words to name them by.
    """

    def __init__(self, name: str, words: int, characters: int, columns: int, tfidf: bool) -> None:
        self.name = name
        self._settings = (words, characters, columns, tfidf)
        self._column = TextColumn(name, *self._settings)
        self._rows = 0
        self._missing = 0
        self._with = np.zeros(columns, np.int64)
        self._tokens: dict[str, int] = {}
        self._sums = np.zeros(len(SUMMARY))
        self._squares = np.zeros(len(SUMMARY))

    def first(self, column: pa.ChunkedArray[Any], keep: NDArray[np.bool_] | None) -> None:
        """Take a chunk."""
        texts = texts_of(column)
        analyse = self._column.analyse
        tokens = [analyse(text) for text in texts]
        found = self._column.hashed(tokens)
        self._with += np.bincount(found.indices, minlength=len(self._with))
        self._rows += len(texts)
        self._missing += column.null_count
        form = np.array([_summary(text) for text in texts]).reshape(-1, len(SUMMARY))
        self._sums += form.sum(axis=0)
        self._squares += (form * form).sum(axis=0)
        for row in tokens:
            for token in row:
                if token in self._tokens:
                    self._tokens[token] += 1
                elif len(self._tokens) < _TALLIED:
                    self._tokens[token] = 1

    def encoder(self) -> TextColumn:
        """Return the fitted encoder."""
        seen = np.flatnonzero(self._with)
        return TextColumn(
            self.name,
            *self._settings,
            rows=self._rows,
            seen=(seen, self._with[seen]),
            tokens=self._named(),
        )

    def form(self) -> TextForm:
        """Return the fitted encoder of what the texts look like."""
        rows = max(1, self._rows)
        means = self._sums / rows
        variances = np.maximum(self._squares / rows - means * means, 0.0)
        stds = np.sqrt(np.where(variances > 1e-12 * (1.0 + means * means), variances, 1.0))
        return TextForm(self.name, means.tolist(), stds.tolist(), self._missing > 0)

    def _named(self) -> list[tuple[int, str]]:
        """Name columns by their most frequent word, most frequent words first."""
        ranked = sorted(self._tokens.items(), key=lambda item: (-item[1], item[0]))
        ranked = ranked[: 4 * NAMED_COLUMNS]
        if not ranked:
            return []
        hashed = self._column.hashed([[token] for token, _ in ranked])
        names: dict[int, str] = {}
        for (token, _), column in zip(ranked, hashed.indices.tolist(), strict=True):
            if len(names) < NAMED_COLUMNS:
                names.setdefault(column, token)
        return sorted(names.items())


def analyser(words: int, characters: int) -> Callable[[str], list[str]]:
    """Return the function from a text to its words, runs of words and runs of characters.

    Words are runs of two or more letters, digits or underscores, in lower case, as of scikit-learn;
    runs of characters lie inside words and are marked, so that they are never taken for a word.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    parts: list[Callable[[str], list[str]]] = []
    if words:
        parts.append(CountVectorizer(ngram_range=(1, words)).build_analyzer())
    if characters:
        low = min(3, characters)
        runs = CountVectorizer(analyzer="char_wb", ngram_range=(low, characters)).build_analyzer()
        parts.append(lambda text: [f"\x00{run}" for run in runs(text)])
    if len(parts) == 1:
        return parts[0]
    return lambda text: [token for part in parts for token in part(text)]


def _summary(text: str) -> tuple[float, ...]:
    length = len(text)
    if not length:
        return (0.0,) * len(SUMMARY)
    digits = sum(map(str.isdigit, text))
    capitals = sum(map(str.isupper, text))
    plain = sum(map(str.isalnum, text)) + sum(map(str.isspace, text))
    return (
        float(length),
        float(len(text.split())),
        digits / length,
        capitals / length,
        (length - plain) / length,
    )
