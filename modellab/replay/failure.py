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
    """Return the technical text for the details button.

    Of a `LabError` what it says itself, perhaps nothing: its sentence is the whole matter, and
    where in the program it was raised helps nobody who has a bad file.
    """
    return error.detail if isinstance(error, LabError) else as_log(error)


def as_log(error: BaseException) -> str:
    """Return what the log keeps of an error: where it was raised, and all that is known."""
    trace = "".join(traceback.format_exception(error))
    more = error.detail if isinstance(error, LabError) else ""
    return f"{trace}{more}".rstrip()
