"""Errors that a person reads: one plain sentence each."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class LabError(Exception):
    """Something went wrong that the person can be told in one sentence.

    Parameters
    ----------
    sentence
        What happened, where, and what to do. Plain text, never markup.
    detail
        Longer technical text for the log or a "details" button.
    """

    def __init__(self, sentence: str, *, detail: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.detail = detail

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.sentence, self.detail))


class DataError(LabError):
    """A data file cannot be read or does not hold what is needed."""


class ExperimentError(LabError):
    """An experiment file or a setting of an experiment is wrong."""


class LearnerError(LabError):
    """A learner cannot be built, or cannot do what was asked of it."""


class Cancelled(LabError):
    """The person cancelled the work."""

    def __init__(self, sentence: str = "Cancelled.", *, detail: str = "") -> None:
        super().__init__(sentence, detail=detail)


def _rebuild(kind: type[LabError], sentence: str, detail: str) -> LabError:
    return kind(sentence, detail=detail)


def quote(text: object, limit: int = 60) -> str:
    """Untrusted text, cut to `limit` characters, control characters shown, in quotation marks."""
    raw = str(text)
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in raw[: limit + 1])
    if len(raw) > limit:
        shown = shown[:limit] + "\N{HORIZONTAL ELLIPSIS}"
    return f"\N{LEFT DOUBLE QUOTATION MARK}{shown}\N{RIGHT DOUBLE QUOTATION MARK}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most like `word`, or None when none is alike."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return found[0] if found else None
