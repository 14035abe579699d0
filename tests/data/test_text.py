"""Text columns: hashed words, sparse from end to end, and numbers for trees."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab.data.encoder import Encoder
from modellab.data.sparse import SparseRows, as_matrix, beside, join_rows
from modellab.data.text import SUMMARY, analyser
from modellab.experiment import TextSpec

TEXTS = [
    "Win a free prize now",
    "See you at home, at 8",
    None,
    "FREE prize! Free entry",
    "are you home",
    "",
    "see you soon",
    "free free free",
]
NUMBERS = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]


class Rows:
    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def read(self, start: int, stop: int, columns: Any = None, kinds: Any = None) -> pa.Table:
        return self.table.slice(start, stop - start).select(list(columns))


def data(texts: list[str | None] = TEXTS, spec: TextSpec | None = None) -> Any:
    table = pa.table(
        {"words": pa.array(texts, pa.large_string()), "x": NUMBERS[: len(texts)] or [0.0]}
    )
    return SimpleNamespace(
        store=Rows(table),
        features=("words", "x"),
        kinds={"words": "text", "x": "number"},
        time=None,
        text=spec,
        encoding=None,
    )


def test_words_weigh_as_in_scikit_learn() -> None:
    """TF-IDF with hashing, against scikit-learn's own chain on the same training rows."""
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    given_ = data(spec=TextSpec(words=2, columns=2**16))
    encoder = Encoder.fit(given_, 0, 5, 0)
    rows = encoder.transform(given_.store.table, "scaled")
    assert isinstance(rows, SparseRows)
    assert rows.dense == 7
    hasher = HashingVectorizer(
        ngram_range=(1, 2), norm=None, alternate_sign=False, n_features=2**16
    )
    texts = [t or "" for t in TEXTS]
    usual = TfidfTransformer().fit(hasher.transform(texts[:5]))
    wanted = usual.transform(hasher.transform(texts)).toarray()
    got = rows.csr().toarray()
    np.testing.assert_allclose(got[:, 7:], wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(got[:5, 1:6].mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(got[:5, 1:6].std(axis=0), 1.0)
    np.testing.assert_allclose(got[:, 0], (np.array(NUMBERS) - 3.0) / np.sqrt(2.0))


def test_columns_are_named_by_their_words() -> None:
    given_ = data()
    encoder = Encoder.fit(given_, 0, 8, 0)
    names = encoder.names("scaled")
    assert names[0] == "x"
    assert len(names) == 1 + len(SUMMARY) + 1 + 65_536
    assert "words: free" in names
    assert "words: free prize" in names
    row = encoder.transform(given_.store.table.slice(7, 1), "scaled")
    told = {names[k] for k in row.columns.tolist() if k >= row.dense}
    assert told == {"words: free", "words: free free"}
    assert encoder.groups("scaled") == {
        "x": slice(0, 1),
        "words (form)": slice(1, 7),
        "words": slice(7, 7 + 65_536),
    }


def test_trees_get_numbers() -> None:
    given_ = data()
    encoder = Encoder.fit(given_, 0, 8, 0)
    rows = encoder.transform(given_.store.table, "ordinal")
    names = list(encoder.names("ordinal"))
    assert names == ["x", *(f"words: {part}" for part in SUMMARY), "words missing"]
    assert rows.shape == (8, 7)
    free = dict(zip(names, rows[3].tolist(), strict=True))
    assert free["words: characters"] == 22
    assert free["words: words"] == 4
    assert free["words: share of capitals"] == 5 / 22
    assert free["words: share of punctuation"] == 1 / 22
    assert rows[2].tolist() == [3.0, 0, 0, 0, 0, 0, 1.0]
    told = encoder.transform(given_.store.table, "dict")
    assert told[3]["words: words"] == 4.0
    assert told[2]["words missing"] is True


def test_only_the_training_window_is_looked_at() -> None:
    first = Encoder.fit(data(), 0, 3, 0)
    other = Encoder.fit(data([*TEXTS[:3], "quite", "other", "texts", "here", "now"]), 0, 3, 0)
    assert first.state() == other.state()


@pytest.mark.parametrize("cold", [False, True])
def test_the_state_is_plain_and_gives_the_same_bits(cold: bool) -> None:
    given_ = data()
    encoder = Encoder.fit(given_, 0, 0 if cold else 5, 0)
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(encoder.state()))
    again = Encoder.from_state(state)
    for view in ("scaled", "raw"):
        one, two = (e.transform(given_.store.table, view) for e in (encoder, again))
        assert one.values.tobytes() == two.values.tobytes()
        assert (one.csr() != two.csr()).nnz == 0
        assert encoder.names(view) == again.names(view)


def test_new_words_are_counted() -> None:
    given_ = data(spec=TextSpec(words=1))
    encoder = Encoder.fit(given_, 0, 2, 0)  # win free prize now see you at home
    counts = [encoder.unseen(given_.store.table.slice(k, 1))["words"] for k in range(len(TEXTS))]
    #          seen seen -  entry are  ""  soon seen
    assert counts == [0, 0, 0, 1, 1, 0, 1, 0]


def test_runs_of_characters_are_never_taken_for_words() -> None:
    words, runs = analyser(1, 0)("abc abc"), analyser(0, 3)("abc")
    assert words == ["abc", "abc"]
    assert not set(words) & set(runs)
    assert analyser(1, 3)("abc") == [*analyser(1, 0)("abc"), *runs]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_rows_do_not_depend_on_how_they_are_cut(draw: st.DataObject) -> None:
    texts = draw.draw(st.lists(st.none() | st.text(max_size=30), min_size=1, max_size=8))
    given_ = data(texts, TextSpec(columns=64))
    encoder = Encoder.fit(given_, 0, len(texts), 0)
    whole = encoder.transform(given_.store.table, "raw")
    cut = draw.draw(st.integers(0, len(texts)))
    table = given_.store.table
    parts = [encoder.transform(t, "raw") for t in (table.slice(0, cut), table.slice(cut))]
    joined = join_rows(parts)
    assert joined.values.tobytes() == whole.values.tobytes()
    assert joined.columns.tolist() == whole.columns.tolist()
    assert joined.ends.tolist() == whole.ends.tolist()


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_sparse_rows_are_taken_like_those_of_an_array(draw: st.DataObject) -> None:
    n = draw.draw(st.integers(0, 6))
    dense = np.array(
        draw.draw(
            st.lists(
                st.lists(st.sampled_from([0.0, 0.0, 1.0, 2.5]), min_size=4, max_size=4),
                min_size=n,
                max_size=n,
            )
        )
    ).reshape(n, 4)
    rows = beside(dense[:, :1], [scipy.sparse.csr_matrix(dense[:, 1:])])
    assert rows.shape == (n, 4)
    assert len(rows) == n
    np.testing.assert_array_equal(as_matrix(rows).toarray(), dense)
    start = draw.draw(st.integers(0, n))
    stop = draw.draw(st.integers(0, n + 2))
    np.testing.assert_array_equal(rows[start:stop].csr().toarray(), dense[start:stop])
    mask = np.array(draw.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    np.testing.assert_array_equal(rows[mask].csr().toarray(), dense[mask])
    at = np.array(draw.draw(st.lists(st.integers(0, max(0, n - 1)), max_size=5 if n else 0)), int)
    np.testing.assert_array_equal(rows[at].csr().toarray(), dense[at])
    part = rows[start:]
    np.testing.assert_array_equal(part[mask[start:]].csr().toarray(), dense[start:][mask[start:]])
