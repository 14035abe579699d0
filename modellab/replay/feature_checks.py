"""Checks of the features against the training window: all up to a position, or beside a replay."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from modellab.evaluation.feature_drift import FeatureDrift
    from modellab.replay.context import Context

    Found = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class DriftChecks:
    """Checks of the features against the training window, up to the present position.

    Attributes
    ----------
    columns, tests, thresholds
        For each of d columns its name, the name of its test and the calibrated threshold.
    positions
        int64 (m,).
    score, psi
        float64 (m, d): the statistic divided by its threshold (above 1 is an alarm), and PSI; NaN
        where there is none.
    """

    columns: list[str]
    tests: list[str]
    thresholds: list[float]
    positions: NDArray[np.int64]
    score: NDArray[np.float64]
    psi: NDArray[np.float64]


def drift_checks(context: Context, position: int) -> DriftChecks | None:
    """All checks of the features up to `position`; None where they are not watched."""
    drift = context.feature_drift
    if drift is None:
        return None
    return _together(drift, [_found(drift, list(drift.between(context.train_rows, position)))])


class ChecksBeside:
    """Does the checks of a replay's features on a thread of its own, while the lanes go on.

    What a check finds depends on the rows before its position only, so it may be done before,
    with or after the lanes' steps there. They are done with them, when the rows are in memory, some
    milliseconds of work at a time.

    Parameters
    ----------
    context
        Its features are calibrated already (`Context.calibrated`).
    """

    def __init__(self, context: Context) -> None:
        known = context.feature_drift
        # Lanes may ask the one of the context meanwhile.
        self._drift = None if known is None else known.twin()
        self._at = context.train_rows
        self._pool = ThreadPoolExecutor(1, "features")
        self._asked: list[Future[None]] = []
        self._found: list[Found] = []
        self._given_up = threading.Event()

    def to(self, position: int) -> None:
        """Begin to do the checks up to `position`, in their order."""
        if self._drift is None or self._drift.next_check(self._at) > position:
            return
        self._asked = [job for job in self._asked if not job.done() or job.exception()]
        self._asked.append(self._pool.submit(self._look, self._drift, self._at, position))
        self._at = position

    def _look(self, drift: FeatureDrift, start: int, stop: int) -> None:
        found = []
        for check in drift.between(start, stop):
            found.append(check)
            if self._given_up.is_set():
                return
        self._found.append(_found(drift, found))

    def finish(self) -> DriftChecks | None:
        """Wait until all that was begun is done; return it (None where nothing is watched).

        Raises what went wrong.
        """
        for job in self._asked:
            job.result()
        return None if self._drift is None else _together(self._drift, self._found)

    def close(self) -> None:
        """Give up what is not done yet."""
        self._given_up.set()
        self._pool.shutdown(cancel_futures=True)


def _found(drift: FeatureDrift, checks: list[Any]) -> Found:
    width = len(drift.columns)
    return (
        np.array([check.position for check in checks], dtype=np.int64),
        np.array([check.score for check in checks]).reshape(-1, width),
        np.array([check.psi for check in checks]).reshape(-1, width),
    )


def _together(drift: FeatureDrift, found: list[Found]) -> DriftChecks:
    positions, score, psi = zip(_found(drift, []), *found, strict=True)
    return DriftChecks(
        columns=list(drift.columns),
        tests=list(drift.tests),
        thresholds=[float(t) for t in drift.thresholds],
        positions=np.concatenate(positions),
        score=np.concatenate(score),
        psi=np.concatenate(psi),
    )


__all__ = ["ChecksBeside", "DriftChecks", "drift_checks"]
