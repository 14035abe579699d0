"""One sentence for any error, for the window and the command line."""

from __future__ import annotations

import traceback

from modellab.errors import LabError, quote


def as_sentence(error: BaseException) -> str:
    """Return an error's own sentence for a `LabError`, a general one for a defect of ours."""
    if isinstance(error, LabError):
        return error.sentence
    if isinstance(error, MemoryError):
        return (
            "There is not enough memory for this: "
            "use a smaller training window, or train in chunks."
        )
    if isinstance(error, OSError) and error.strerror:
        where = f" ({quote(error.filename, 200)})" if error.filename else ""
        return f"The system reports: {error.strerror}{where}."
    return f"Model Lab made a mistake: {type(error).__name__}: {quote(error, 200)}."


def as_detail(error: BaseException) -> str:
    """Return the technical text behind `as_sentence`, for the log and the details button."""
    if isinstance(error, LabError) and error.detail:
        return error.detail
    return "".join(traceback.format_exception(error))
