"""Endings of the files that can be read: the window asks for them before anything is opened."""

from __future__ import annotations

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".tab", ".jsonl", ".ndjson", ".json", ".arff", ".libsvm",
                ".svmlight", ".svm")  # fmt: skip
PACKED_ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip", ".lz4")
OTHER_ENDINGS = (".parquet", ".pq", ".arrow", ".arrows", ".ipc", ".feather", ".xlsx", ".xlsm",
                 ".ods", ".sqlite", ".sqlite3", ".db", ".duckdb")  # fmt: skip
READABLE = (*TEXT_ENDINGS, *PACKED_ENDINGS, *OTHER_ENDINGS)
"""Endings of the files that a folder's data set is made of."""
PART_ENDINGS = (".xlsx", ".xlsm", ".ods", ".sqlite", ".sqlite3", ".db", ".duckdb", ".zip")
"""Endings of files that may hold several data sets."""
